use samklang_verdict::Role;
use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::*;
use crate::{JoinRule, stand_in::whole_request};
use samklang_wire::recorder::Recorder;

/// A server that answers each listed verb with the listed response; it does not offer other verbs.
async fn server(answers: &'static [(&'static str, u16, &'static str)]) -> (ProtocolDriver, Recorder) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let request = whole_request(&mut stream).await;
                let verb = request.split_whitespace().nth(1).unwrap_or_default();
                let verb = verb.strip_prefix("/samklang/driver/v1/").unwrap_or("none");
                let not_offered = ("", 501, r#"{"errcode":"NOT_OFFERED","error":"no"}"#);
                let (_, status, body) =
                    answers.iter().find(|(name, ..)| *name == verb).copied().unwrap_or(not_offered);
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            });
        }
    });
    let recorder = Recorder::new();
    let api = ApiClient::new(base, Party::Server { role: Role::A }, recorder.clone()).unwrap();
    (ProtocolDriver::new(api), recorder)
}

const WELCOME: (&str, u16, &str) =
    ("register", 200, r#"{"user_id":"@a:a.test","access_token":"secret-token"}"#);

async fn alice(answers: &'static [(&'static str, u16, &'static str)]) -> Box<dyn Session> {
    server(answers).await.0.register("a", "alice").await.unwrap().value
}

fn plan() -> NewRoom {
    NewRoom {
        version: "11".into(),
        join_rule: JoinRule::Invite,
        history_visibility: None,
        name: None,
        topic: None,
        power_levels: None,
    }
}

#[tokio::test]
async fn verbs_send_arguments_and_token_and_the_record_hides_the_token() {
    let (driver, recorder) = server(&[WELCOME, ("create_room", 200, r#"{"room_id":"!r:a.test"}"#)]).await;
    let alice = driver.register("a", "alice").await.unwrap().value;
    assert_eq!(alice.user_id(), "@a:a.test");
    let made = alice.create_room(&plan()).await.unwrap();
    assert_eq!(made.value, "!r:a.test");
    let exchange = recorder.by_id(made.exchange).unwrap();
    let recorded = serde_json::to_string(&*exchange).unwrap();
    assert!(
        recorded.contains("/samklang/driver/v1/create_room") && recorded.contains("invite"),
        "{recorded}"
    );
    assert!(!recorded.contains("topic"), "what is not given is left out: {recorded}");
    assert!(recorded.contains("Bearer <redacted>"), "{recorded}");
    let all = recorder.by_id(samklang_verdict::ExchangeId(made.exchange.0 - 1)).unwrap();
    assert!(!serde_json::to_string(&*all).unwrap().contains("secret-token"));
}

#[tokio::test]
async fn a_missing_verb_is_reported_as_not_offered() {
    let alice = alice(&[WELCOME, ("typing", 501, r#"{"errcode":"M_UNKNOWN"}"#)]).await;
    let knock = alice.knock("!r:a.test", &[]).await;
    assert!(matches!(knock, Err(CallError::NotOffered { verb: "knock" })), "{knock:?}");
    let keys = alice.device_keys("@b:b.test").await;
    assert!(matches!(keys, Err(CallError::NotOffered { verb: "device_keys" })), "{keys:?}");
    // A 501 without that `errcode` is an ordinary refusal.
    let typing = alice.typing("!r:a.test", true).await;
    assert!(matches!(&typing, Err(CallError::Refused(refusal)) if refusal.status == 501), "{typing:?}");
}

#[tokio::test]
async fn a_refusal_keeps_its_errcode() {
    let alice = alice(&[WELCOME, ("invite", 403, r#"{"errcode":"M_FORBIDDEN","error":"no"}"#)]).await;
    let invite = alice.invite("!r:a.test", "@b:b.test").await;
    let Err(CallError::Refused(refusal)) = invite else { panic!("{invite:?}") };
    assert_eq!(
        (refusal.status, refusal.errcode.as_str(), refusal.error.as_str()),
        (403, "M_FORBIDDEN", "no")
    );
}

#[tokio::test]
async fn hostile_responses_are_malformed() {
    let alice = alice(&[
        WELCOME,
        ("send", 200, r#"{"event_id":7}"#),
        ("redact", 200, "[]"),
        ("state", 200, r#"{"events":[{},7]}"#),
        ("event", 200, r#"{"event":"no object"}"#),
        ("history", 200, "no json"),
        ("download", 200, r#"{"bytes":"***"}"#),
        ("profile", 200, ""),
        ("sync", 200, r#"{"shown":[]}"#),
    ])
    .await;
    let room = "!r:a.test";
    let failed = [
        alice.send(room, "m.room.message", &json!({})).await.err(),
        alice.redact(room, "$e", None).await.err(),
        alice.state(room).await.err(),
        alice.event(room, "$e").await.err(),
        alice.history(room, None, 5).await.err(),
        alice.download("mxc://a.test/m").await.err(),
        alice.profile("@b:b.test").await.err(),
        alice.sync(None, 0).await.err(),
    ];
    for error in failed {
        assert!(matches!(error, Some(CallError::Malformed { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn a_missing_token_and_a_token_with_line_breaks_are_malformed() {
    let (driver, _) = server(&[("register", 200, r#"{"user_id":"@a:a.test"}"#)]).await;
    assert!(matches!(driver.register("a", "alice").await.err(), Some(CallError::Malformed { .. })));
    let alice = alice(&[("register", 200, r#"{"user_id":"@a:a.test","access_token":"a\r\nb"}"#)]).await;
    assert!(matches!(alice.leave("!r:a.test").await, Err(CallError::Malformed { .. })));
}

#[tokio::test]
async fn a_sync_skips_entries_of_another_shape() {
    let alice = alice(&[
        WELCOME,
        (
            "sync",
            200,
            r#"{"next":"4","shown":[
                {"place":"timeline","room_id":"!r:a.test","event":{"type":"t"}},
                {"place":"nowhere","room_id":"!r:a.test","event":{"type":"x"}},
                {"place":"presence","event":{"type":"p"}},
                {"place":"state","room_id":"!r:a.test","event":"text"},
                {"place":"to_device","room_id":7,"event":{"type":"d"}}
            ]}"#,
        ),
    ])
    .await;
    let batch = alice.sync(Some("0"), 0).await.unwrap().value;
    assert_eq!(batch.next, "4");
    let seen: Vec<_> = batch
        .happenings
        .iter()
        .map(|seen| (seen.place, seen.room.as_deref(), seen.event["type"].as_str().unwrap()))
        .collect();
    let timeline = (SyncSection::Timeline, Some("!r:a.test"), "t");
    assert_eq!(seen, [timeline, (SyncSection::Presence, None, "p"), (SyncSection::ToDevice, None, "d")]);
}

#[tokio::test]
async fn the_published_protocol_lists_exactly_the_verbs_of_the_driver() {
    let alice = alice(&[WELCOME]).await;
    let (room, user, event) = ("!r:a.test", "@b:b.test", "$e");
    let file = MediaFile { bytes: vec![1], content_type: None, name: None };
    let errors = [
        alice.create_room(&plan()).await.err(),
        alice.invite(room, user).await.err(),
        alice.join(room, &[]).await.err(),
        alice.knock(room, &[]).await.err(),
        alice.leave(room).await.err(),
        alice.kick(room, user, None).await.err(),
        alice.ban(room, user, None).await.err(),
        alice.unban(room, user).await.err(),
        alice.send(room, "m.room.message", &json!({})).await.err(),
        alice.set_state(room, "m.room.name", "", &json!({})).await.err(),
        alice.redact(room, event, None).await.err(),
        alice.upgrade(room, "11").await.err(),
        alice.typing(room, true).await.err(),
        alice.receipt(room, event, ReceiptKind::Public, None).await.err(),
        alice.set_presence("online", None).await.err(),
        alice.set_profile("displayname", "x").await.err(),
        alice.profile(user).await.err(),
        alice.device_keys(user).await.err(),
        alice.upload(&file).await.err(),
        alice.download("mxc://a.test/m").await.err(),
        alice.state(room).await.err(),
        alice.event(room, event).await.err(),
        alice.history(room, None, 1).await.err(),
        alice.sync(None, 0).await.err(),
    ];
    let asked = errors.into_iter().map(|error| match error {
        Some(CallError::NotOffered { verb }) => verb.to_owned(),
        other => panic!("{other:?}"),
    });
    let asked: std::collections::BTreeSet<_> = asked.chain(["register".to_owned()]).collect();

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docker/driver-openapi.json");
    let described: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let paths = described["paths"].as_object().unwrap().keys();
    let described = paths.map(|path| path.rsplit('/').next().unwrap().to_owned()).collect();
    assert_eq!(asked, described);
}
