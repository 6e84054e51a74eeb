use std::sync::Arc;

use samklang_verdict::Role;
use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::*;
use crate::stand_in::whole_request;
use samklang_wire::recorder::Recorder;

/// Responses that replace the documented ones: path, status and body.
type Otherwise = &'static [(&'static str, u16, &'static str)];

/// A stand-in for the product. It records the requests that it received.
#[derive(Default)]
struct StandIn {
    asked: Mutex<Vec<(String, Value, bool)>>,
    /// The number of times a message was read: the ids of federation are there the second time.
    looks: Mutex<u32>,
}

impl StandIn {
    fn asked(&self, path: &str) -> Vec<Value> {
        let asked = lock(&self.asked);
        asked.iter().filter(|(asked, ..)| asked == path).map(|(_, body, _)| body.clone()).collect()
    }

    fn answer(&self, path: &str, body: Value, signed: bool) -> (u16, String) {
        let name = path.split('?').next().unwrap_or_default().to_owned();
        lock(&self.asked).push((name.clone(), body, signed));
        if name != "login" && !signed {
            return (
                401,
                json!({"status": "error", "message": "You must be logged in to do this."}).to_string(),
            );
        }
        let well = |more: Value| {
            let mut answer = json!({"success": true});
            for (key, value) in more.as_object().into_iter().flatten() {
                answer[key] = value.clone();
            }
            (200, answer.to_string())
        };
        let alice = json!({"_id": "u1", "username": "alice-1"});
        let bob = json!({"_id": "u2", "username": "@bob:b.test"});
        match name.as_str() {
            "login" => (
                200,
                json!({"status": "success", "data": {"userId": "u1", "authToken": "secret-token"}})
                    .to_string(),
            ),
            "groups.create" => well(json!({"group": {"_id": "rid1", "t": "p", "federated": true}})),
            "rooms.info" if !path.ends_with("=rid1") => well(json!({"room": {"_id": "GENERAL", "t": "c"}})),
            "rooms.info" => well(
                json!({"room": {"_id": "rid1", "federated": true, "federation": {"version": 1, "mrid": "!one:a.test"}}}),
            ),
            "subscriptions.get" => well(json!({"update": [
                {"rid": "GENERAL", "t": "c"},
                {"rid": "rid1", "t": "p", "federated": true},
                {"rid": "rid1", "t": "p", "federated": true, "status": "INVITED", "inviter": bob},
            ], "remove": []})),
            "subscriptions.getOne" => well(json!({"subscription": {"rid": "rid1", "status": "INVITED"}})),
            "chat.sendMessage" => {
                well(json!({"message": {"_id": "m1", "rid": "rid1", "msg": "hej", "u": alice}}))
            }
            "chat.getMessage" => {
                let mut looks = lock(&self.looks);
                *looks += 1;
                let federation =
                    if *looks < 2 { Value::Null } else { json!({"version": 1, "eventId": "$hej"}) };
                let reactions = json!({":+1:": {"usernames": ["alice-1"], "federationReactionEventIds": {
                    "$other": "@bob:b.test", "$mine": "alice-1",
                }}});
                well(json!({"message": {"_id": "m1", "federation": federation, "reactions": reactions}}))
            }
            "groups.history" => well(json!({"messages": [
                {"_id": "m4", "t": "room_changed_topic", "msg": "x", "u": alice},
                {"_id": "m3", "msg": "not federated", "u": alice},
                {"_id": "m2", "t": "uj", "msg": "@bob:b.test", "u": bob},
                {"_id": "m1", "msg": "hej", "u": bob, "federation": {"version": 1, "eventId": "$hej"}},
            ]})),
            "users.create" | "groups.invite" | "rooms.invite" | "groups.kick" | "groups.leave"
            | "chat.react" => well(json!({})),
            _ => (404, json!({"success": false, "error": "no such endpoint"}).to_string()),
        }
    }
}

async fn driver(otherwise: Otherwise) -> (ChatRestDriver, Arc<StandIn>, Recorder) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stand_in = Arc::new(StandIn::default());
    let serving = Arc::clone(&stand_in);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let stand_in = Arc::clone(&serving);
            tokio::spawn(async move {
                let request = whole_request(&mut stream).await;
                let path = request.split_whitespace().nth(1).unwrap_or_default().to_owned();
                let path = path.strip_prefix("/api/v1/").unwrap_or("none");
                let signed = request.contains("x-auth-token: secret-token\r\n")
                    && request.contains("x-user-id: u1\r\n");
                let body = request.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
                let (mut status, mut answer) =
                    stand_in.answer(path, serde_json::from_str(body).unwrap_or_default(), signed);
                if let Some((_, other, text)) = otherwise.iter().find(|(name, ..)| path.starts_with(name)) {
                    (status, answer) = (*other, (*text).to_owned());
                }
                let length = answer.len();
                let head =
                    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(format!("{head}{answer}").as_bytes()).await;
            });
        }
    });
    let recorder = Recorder::new();
    let api = ApiClient::new(base, Party::Server { role: Role::A }, recorder.clone()).unwrap();
    (ChatRestDriver::new(api, "a.test"), stand_in, recorder)
}

async fn alice(otherwise: Otherwise) -> (Box<dyn Session>, Arc<StandIn>, Recorder) {
    let (driver, stand_in, recorder) = driver(otherwise).await;
    (driver.register("alice-1", "alice").await.unwrap().value, stand_in, recorder)
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
async fn users_rooms_and_messages_have_the_ids_of_federation() {
    let (alice, stand_in, _) = alice(&[]).await;
    assert_eq!(alice.user_id(), "@alice-1:a.test");
    assert_eq!(stand_in.asked("users.create")[0]["username"], "alice-1");
    assert_eq!(alice.create_room(&plan()).await.unwrap().value, "!one:a.test");
    assert_eq!(stand_in.asked("groups.create")[0]["extraData"]["federated"], true);
    alice.invite("!one:a.test", "@bob:b.test").await.unwrap();
    alice.kick("!one:a.test", "@carol-1:a.test", None).await.unwrap();
    assert_eq!(stand_in.asked("groups.invite"), [json!({"roomId": "rid1", "username": "@bob:b.test"})]);
    assert_eq!(stand_in.asked("groups.kick"), [json!({"roomId": "rid1", "username": "carol-1"})]);
    let text = json!({"msgtype": "m.text", "body": "hej"});
    assert_eq!(alice.send("!one:a.test", "m.room.message", &text).await.unwrap().value, "$hej");
    let thumb = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": "$hej", "key": "👍"}});
    assert_eq!(alice.send("!one:a.test", "m.reaction", &thumb).await.unwrap().value, "$mine");
    assert_eq!(
        stand_in.asked("chat.react")[0],
        json!({"messageId": "m1", "emoji": "👍", "shouldReact": true})
    );
    let event = alice.event("!one:a.test", "$hej").await.unwrap().value;
    assert_eq!(
        (event["sender"].as_str(), event["content"]["body"].as_str()),
        (Some("@bob:b.test"), Some("hej"))
    );
    let page = alice.history("!one:a.test", None, 50).await.unwrap().value;
    let ids: Vec<_> = page.events.iter().map(|event| event["event_id"].clone()).collect();
    assert_eq!((ids, page.end), (vec![Value::Null, json!("$hej")], None));
}

#[tokio::test]
async fn an_invited_user_joins_or_rejects_the_invite() {
    let (alice, stand_in, _) = alice(&[]).await;
    alice.join("!one:a.test", &[]).await.unwrap();
    alice.leave("!one:a.test").await.unwrap();
    let asked = stand_in.asked("rooms.invite");
    assert_eq!(
        asked,
        [json!({"roomId": "rid1", "action": "accept"}), json!({"roomId": "rid1", "action": "reject"})]
    );
    assert!(stand_in.asked("groups.leave").is_empty());
    let refused = alice.join("!other:a.test", &[]).await.unwrap_err();
    assert!(matches!(refused, CallError::Refused(ApiRefusal { status: 404, .. })), "{refused:?}");
}

#[tokio::test]
async fn each_entry_is_shown_once_and_in_order() {
    let (alice, ..) = alice(&[]).await;
    let first = alice.sync(None, 0).await.unwrap().value;
    let shown: Vec<_> =
        first.happenings.iter().map(|happening| (happening.place, happening.event["type"].clone())).collect();
    let (member, message) = (json!("m.room.member"), json!("m.room.message"));
    assert_eq!(
        shown,
        [
            (SyncSection::State, member.clone()),
            (SyncSection::Timeline, message),
            (SyncSection::Timeline, member.clone()),
            (SyncSection::Invite, member),
        ]
    );
    assert_eq!(first.happenings[2].event["state_key"], "@bob:b.test");
    assert_eq!(first.happenings[3].event["sender"], "@bob:b.test");
    assert!(first.happenings.iter().all(|happening| happening.room.as_deref() == Some("!one:a.test")));
    let second = alice.sync(Some(&first.next), 10).await.unwrap().value;
    assert!(second.happenings.is_empty() && second.next != first.next);
}

#[tokio::test]
async fn verbs_without_an_event_id_are_not_offered() {
    let (alice, stand_in, _) = alice(&[]).await;
    let edit = json!({"msgtype": "m.text", "body": "* hej", "m.relates_to": {"rel_type": "m.replace", "event_id": "$hej"}});
    let (room, event) = ("!one:a.test", "$hej");
    let verbs = [
        alice.send(room, "m.room.message", &edit).await.map(drop),
        alice.redact(room, event, None).await.map(drop),
        alice.set_state(room, "m.room.topic", "", &json!({"topic": "x"})).await.map(drop),
        alice.typing(room, true).await.map(drop),
        alice.receipt(room, event, ReceiptKind::Public, None).await.map(drop),
        alice.state(room).await.map(drop),
        alice.create_room(&NewRoom { join_rule: JoinRule::Public, ..plan() }).await.map(drop),
    ];
    assert!(verbs.iter().all(|verb| matches!(verb, Err(CallError::NotOffered { .. }))), "{verbs:?}");
    assert!(stand_in.asked("groups.create").is_empty());
}

#[tokio::test]
async fn the_record_holds_no_token_and_no_password() {
    let (_, _, recorder) = alice(&[]).await;
    let recorded: Vec<_> = (1..20)
        .filter_map(|id| recorder.by_id(ExchangeId(id)))
        .map(|exchange| serde_json::to_string(&*exchange).unwrap())
        .collect();
    assert!(recorded.len() >= 3);
    assert!(
        recorded.iter().all(|text| !text.contains("secret-token") && !text.contains("complement")),
        "{recorded:?}"
    );
}

#[tokio::test]
async fn a_refusal_with_status_200_is_a_refusal() {
    const NO: &str = r#"{"success":false,"error":"no","errorType":"error-not-allowed"}"#;
    let answers: [(Otherwise, u16); 2] =
        [(&[("groups.create", 200, NO)], 400), (&[("groups.create", 403, NO)], 403)];
    for (otherwise, status) in answers {
        let (alice, ..) = alice(otherwise).await;
        let Err(CallError::Refused(refusal)) = alice.create_room(&plan()).await else {
            panic!("not refused")
        };
        assert_eq!((refusal.status, refusal.errcode.as_str()), (status, "error-not-allowed"));
    }
}

#[tokio::test]
async fn hostile_responses_are_malformed() {
    let answers: [&[(&'static str, u16, &'static str)]; 5] = [
        &[("groups.create", 200, "[]")],
        &[("groups.create", 200, r#"{"success":true,"group":{"_id":7}}"#)],
        &[("groups.create", 200, "<html>")],
        &[("subscriptions.get", 200, r#"{"success":true,"update":[1]}"#)],
        &[("groups.history", 200, r#"{"success":true,"messages":{}}"#)],
    ];
    for (number, otherwise) in answers.into_iter().enumerate() {
        let (alice, ..) = alice(otherwise).await;
        let came = match number {
            0..=2 => alice.create_room(&plan()).await.map(drop),
            _ => alice.sync(None, 0).await.map(drop),
        };
        assert!(matches!(came, Err(CallError::Malformed { .. })), "{otherwise:?}: {came:?}");
    }
    // A user id with a line break does not fit into a header.
    let (driver, ..) =
        driver(&[("login", 200, r#"{"status":"success","data":{"userId":"a\nb","authToken":"x"}}"#)]).await;
    assert!(matches!(driver.register("a", "a").await, Err(CallError::Malformed { .. })));
}
