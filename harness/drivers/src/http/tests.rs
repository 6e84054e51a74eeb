//! Calls to a server that goes on running after the run, or that stops and comes back.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use http::{Request, Response};
use samklang_verdict::Role;

use super::*;

/// A server that rate-limits its first calls and then echoes the access token.
struct Slow {
    refusals: usize,
    asked: AtomicUsize,
}

#[async_trait]
impl ClientService for Slow {
    async fn client(&self, request: Request<Bytes>) -> Response<Bytes> {
        if self.asked.fetch_add(1, Ordering::Relaxed) < self.refusals {
            let body = r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":99999}"#;
            let mut answer = Response::new(Bytes::from_static(body.as_bytes()));
            *answer.status_mut() = ::http::StatusCode::TOO_MANY_REQUESTS;
            return answer;
        }
        let token = request.headers()["authorization"].to_str().unwrap_or_default();
        Response::new(format!("{{\"error\":\"{token}{token}\"}}").into())
    }
}

/// The result of one call, the number of requests, and the time that it took.
async fn call(refusals: usize, patient: bool) -> (Result<ApiResponse, CallError>, usize, Duration) {
    let server = Arc::new(Slow { refusals, asked: AtomicUsize::new(0) });
    let to = Party::Server { role: Role::A };
    let inside = Arc::clone(&server) as Arc<dyn ClientService>;
    let mut api = ApiClient::inside(inside, "a.test", to, Recorder::new());
    api.manners = Manners { patient, secrets: Arc::new(vec![Secret::new("s3cret")]) };
    let request = Request::get("http://a.test/x").header("authorization", "Bearer s3cret");
    let begun = tokio::time::Instant::now();
    let reply = api.call(Party::Harness, request.body(vec![]).unwrap(), CALL_BOUND).await;
    (reply, server.asked.load(Ordering::Relaxed), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_rate_limited_call_waits_a_bounded_number_of_times() {
    let (reply, asked, took) = call(3, true).await;
    assert_eq!((reply.unwrap().status, asked), (200, 4));
    assert_eq!(took.as_secs(), 3 * patience::LONGEST.as_secs());
    let (reply, asked, _) = call(100, true).await;
    assert!(matches!(reply, Err(CallError::Broken { .. })));
    assert_eq!(asked, 1 + AGAIN);
    let (reply, asked, _) = call(100, false).await;
    assert_eq!((reply.unwrap().status, asked), (429, 1));
}

#[tokio::test]
async fn an_echoed_secret_is_removed_from_the_response() {
    let body = call(0, true).await.0.unwrap().body;
    let text = String::from_utf8(body).unwrap();
    assert_eq!(text, r#"{"error":"Bearer <redacted>Bearer <redacted>"}"#);
    let same = |text: &str| without(text.into(), b"abc") == text.as_bytes();
    assert!(same("") && same("ab") && same("ab c") && !same("xabc"));
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_until_a_stopped_server_is_back_at_its_new_address() {
    let inside: Arc<dyn ClientService> = Arc::new(Slow { refusals: 0, asked: AtomicUsize::new(0) });
    let api = ApiClient::inside(inside, "a.test", Party::Server { role: Role::A }, Recorder::new());
    let request =
        || Request::get("http://a.test/x").header("authorization", "Bearer x").body(vec![]).unwrap();
    let whereabouts = api.whereabouts();
    whereabouts.leave();
    let call = api.call(Party::Harness, request(), Duration::from_secs(5)).await;
    assert!(matches!(call, Err(CallError::Broken { .. })), "{call:?}");
    let call = tokio::spawn({
        let api = api.clone();
        let request = request();
        async move { api.call(Party::Harness, request, CALL_BOUND).await }
    });
    let_pass(Duration::from_secs(10)).await;
    assert!(!call.is_finished());
    whereabouts.come_back(Some("127.0.0.1:9".parse().unwrap()));
    assert_eq!(call.await.unwrap().unwrap().status, 200);
    let uri = moved(&"http://a.test/x?y=z".parse().unwrap(), "127.0.0.1:9".parse().unwrap()).unwrap();
    assert_eq!(uri.to_string(), "http://127.0.0.1:9/x?y=z");
}
