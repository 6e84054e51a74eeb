//! The harness respects the rate limits of a server that is not part of the run (client-server API, rate limiting). It
//! waits as long as the server asks, within bounds.

use std::time::Duration;

/// How often the harness repeats a request that was rate-limited.
pub const AGAIN: usize = 5;
/// The shortest wait before the repetition. It also applies if the server states no time.
const SHORTEST: Duration = Duration::from_millis(500);
/// The longest wait before the repetition.
pub const LONGEST: Duration = Duration::from_secs(10);

/// How long to wait after this response, or `None` if it is not about rate limits. `header` is the value of
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
    fn the_pause_after_a_rate_limit_follows_the_server_within_bounds() {
        let seconds = |body: &str, header| pause(429, body.as_bytes(), header).map(|it| it.as_secs_f32());
        assert_eq!(seconds(r#"{"retry_after_ms":2500}"#, Some("7")), Some(2.5));
        assert_eq!(seconds("{}", Some("7")), Some(7.0));
        assert_eq!(seconds(r#"{"retry_after_ms":1}"#, None), Some(0.5));
        assert_eq!(seconds(r#"{"retry_after_ms":18446744073709551615}"#, None), Some(10.0));
        assert_eq!(seconds("no JSON", Some("Wed, 21 Oct 2026 07:28:00 GMT")), Some(0.5));
        assert_eq!(pause(403, br#"{"retry_after_ms":2500}"#, Some("7")), None);
    }
}
