//! Two peers: they answer each other's requests and hold the same room.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{Air, VERSIONS};
use samklang_matrix::{
    Event, EventOutcome, KeyPublication, SigningKey, Tamper,
    endpoints::{encoded, paths},
};
use samklang_reference::{HandshakeError, Peer};
use serde_json::{Value, json};

/// An honest message of the peer's user, which the peer's copy holds, and a transaction with it.
fn say(peer: &Peer, room: &str, user: &str, body: &str) -> (String, Value) {
    peer.with_room(room, |copy| {
        let content = json!({"msgtype": "m.text", "body": body});
        let built = copy.draft("m.room.message", user).content(content).sign(peer.key());
        assert_eq!(copy.add(&built.json).unwrap(), EventOutcome::Accepted);
        (built.id, json!({"origin": peer.name(), "origin_server_ts": 1, "pdus": [built.json], "edus": []}))
    })
    .unwrap()
}

async fn send(peer: &Peer, to: &Peer, id: &str, transaction: &Value) -> Value {
    let target = format!("/_matrix/federation/v1/send/{id}");
    let answer = peer.ask("PUT", to.name(), &target, Some(transaction)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

#[tokio::test]
async fn two_peers_hold_the_same_room_in_every_version() {
    for version in VERSIONS {
        let air = Air::default();
        let (host, guest, room) = air.two_in_a_room(version).await;
        let (first, transaction) = say(&host, &room, &host.user("alice"), "hej");
        assert_eq!(send(&host, &guest, "1", &transaction).await, json!({"pdus": {&first: {}}}), "{version}");
        let (second, transaction) = say(&guest, &room, &guest.user("bob"), "hej själv");
        send(&guest, &host, "1", &transaction).await;
        for peer in [&host, &guest] {
            let (ends, state) =
                peer.with_room(&room, |copy| (copy.extremities(), copy.state().unwrap())).unwrap();
            assert_eq!(ends, std::slice::from_ref(&second), "{version}");
            assert!(state.contains_key(&("m.room.member".into(), guest.user("bob"))), "{version}");
        }
    }
}

#[tokio::test]
async fn a_repeated_transaction_gets_the_same_response() {
    let air = Air::default();
    let (host, guest, room) = air.two_in_a_room("11").await;
    let (_, transaction) = say(&host, &room, &host.user("alice"), "hej");
    let answer = send(&host, &guest, "same", &transaction).await;
    assert_eq!(send(&host, &guest, "same", &transaction).await, answer);
    assert_eq!(guest.received().len(), 1);
    assert!(guest.unexpected().is_empty());
}

#[tokio::test]
async fn invalid_events_and_requests_are_refused_and_recorded() {
    let air = Air::default();
    let (host, guest, room) = air.two_in_a_room("11").await;
    let stranger = SigningKey::generate("peer").unwrap();
    let bad = host
        .with_room(&room, |copy| {
            copy.draft("m.room.message", &host.user("alice"))
                .tampered(Tamper::Key(&stranger))
                .sign(host.key())
        })
        .unwrap();
    let transaction = json!({"origin": host.name(), "origin_server_ts": 1, "pdus": [bad.json], "edus": []});
    let answer = send(&host, &guest, "1", &transaction).await;
    assert!(answer["pdus"][&bad.id]["error"].is_string(), "{answer}");
    assert!(guest.with_room(&room, |copy| copy.event(&bad.id).is_none()).unwrap());

    let body = json!({"origin": "somebody.else", "pdus": []});
    let target = "/_matrix/federation/v1/send/2";
    let answer = host.ask("PUT", guest.name(), target, Some(&body)).await.unwrap();
    assert_eq!(answer.status, 403);
    let header = host.header("GET", guest.name(), "/other", None).build();
    let answer =
        host.ask_with("GET", guest.name(), "/_matrix/federation/v1/x", None, &[header]).await.unwrap();
    assert_eq!((answer.status, guest.unexpected().len()), (401, 1));
}

#[tokio::test]
async fn history_is_for_servers_in_the_room() {
    let air = Air::default();
    let (host, guest, room) = air.two_in_a_room("12").await;
    let stranger = air.peer("stranger.test");
    let (id, _) = say(&host, &room, &host.user("alice"), "hej");
    let room = encoded(&room);
    let event = encoded(&id);
    let paths = [
        format!("event/{event}"),
        format!("state/{room}?event_id={event}"),
        format!("state_ids/{room}?event_id={event}"),
        format!("event_auth/{room}/{event}"),
        format!("backfill/{room}?v={event}&limit=3"),
    ];
    for path in paths {
        let target = format!("/_matrix/federation/v1/{path}");
        let ask = async |peer: &Peer| peer.ask("GET", host.name(), &target, None).await.unwrap();
        let (inside, outside) = (ask(&guest).await, ask(&stranger).await);
        assert_eq!((inside.status, outside.status), (200, 403), "{path}");
        assert!(inside.json().as_object().unwrap().values().any(|value| value != &json!([])), "{path}");
    }
    let missing = json!({"earliest_events": [], "latest_events": [id], "limit": 2});
    let target = format!("/_matrix/federation/v1/get_missing_events/{room}");
    let answer = guest.ask("POST", host.name(), &target, Some(&missing)).await.unwrap().json();
    assert_eq!(answer["events"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn templates_and_invites_are_for_users_of_the_requesting_or_invited_server() {
    let air = Air::default();
    let (host, guest, room) = air.two_in_a_room("11").await;
    let other = host.user("carol");
    match guest.template_for("join", host.name(), &room, &other).await {
        Err(HandshakeError::Refused(answer)) => assert_eq!(answer.json()["errcode"], "M_FORBIDDEN"),
        other => panic!("{other:?}"),
    }
    let invite = |invited: &str| {
        let event = host.with_room(&room, |copy| {
            copy.draft_member(&host.user("alice"), invited, "invite").sign(host.key())
        });
        let event = event.unwrap();
        (event.id, json!({"room_version": "11", "event": event.json, "invite_room_state": []}))
    };
    for (invited, status) in [(guest.user("erik"), 200), (host.user("carol"), 400)] {
        let (id, body) = invite(&invited);
        let target = paths::invite(&room, &id);
        let answer = host.ask("PUT", guest.name(), &target, Some(&body)).await.unwrap();
        assert_eq!(answer.status, status, "{invited}");
        let signed = answer.json()["event"]["signatures"][guest.name()].is_object();
        assert_eq!(signed, status == 200);
    }
    assert_eq!(guest.invite_to(&room).unwrap().room_version, "11");
}

#[tokio::test]
async fn a_lie_alters_one_response_and_a_key_document_can_be_replaced() {
    let air = Air::default();
    let (host, guest, room) = air.two_in_a_room("11").await;
    host.lie("/make_join/", |mut answer| {
        answer["event"]["type"] = json!("m.room.topic");
        answer
    });
    let (_, template) = guest.template_for("join", host.name(), &room, &guest.user("dave")).await.unwrap();
    assert_eq!(template["type"], "m.room.topic");

    let other = SigningKey::generate("other").unwrap();
    let newcomer = air.peer("newcomer.test");
    newcomer.publish(KeyPublication::new(newcomer.name(), u64::MAX >> 12).current(&other).build());
    let answer =
        newcomer.ask("GET", host.name(), "/_matrix/federation/v1/query/profile", None).await.unwrap();
    assert_eq!(answer.status, 401);
    assert!(Event::parse(&template, "11").is_ok());
}
