//! How a server is dealt with that is not the run's own and wants fewer requests (client-server API, rate limiting): they
//! wait as it says, and not for ever.

use std::time::Duration;

/// How often a request is made again that came too often.
pub const AGAIN: usize = 5;
/// How long is waited before that where the server does not say, and at least.
const SHORTEST: Duration = Duration::from_millis(500);
/// How long is waited before that at most.
pub const LONGEST: Duration = Duration::from_secs(10);

/// How long the server that answers so wants to be left alone; none where it says nothing of the kind. `header` is
/// `Retry-After`.
pub fn pause(status: u16, body: &[u8], header: Option<&str>) -> Option<Duration> {
    if status != 429 {
        return None;
    }
    let body: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let in_body = body.and_then(|body| body["retry_after_ms"].as_u64()).map(Duration::from_millis);
    let in_header = || Some(Duration::from_secs(header?.trim().parse().ok()?));
    Some(in_body.or_else(in_header).unwrap_or(SHORTEST).clamp(SHORTEST, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_fewer_requests_is_left_alone_as_long_as_it_says_within_bounds() {
        let seconds = |body: &str, header| pause(429, body.as_bytes(), header).map(|it| it.as_secs_f32());
        assert_eq!(seconds(r#"{"retry_after_ms":2500}"#, Some("7")), Some(2.5));
        assert_eq!(seconds("{}", Some("7")), Some(7.0));
        assert_eq!(seconds(r#"{"retry_after_ms":1}"#, None), Some(0.5));
        assert_eq!(seconds(r#"{"retry_after_ms":18446744073709551615}"#, None), Some(10.0));
        assert_eq!(seconds("no JSON", Some("Wed, 21 Oct 2026 07:28:00 GMT")), Some(0.5));
        assert_eq!(pause(403, br#"{"retry_after_ms":2500}"#, Some("7")), None);
    }
}
