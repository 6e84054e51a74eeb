//! The time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis());
    u64::try_from(since).unwrap_or(u64::MAX)
}

/// Now, as events state it in `origin_server_ts`.
pub(crate) fn timestamp() -> i64 {
    i64::try_from(now_ms()).unwrap_or(i64::MAX)
}
