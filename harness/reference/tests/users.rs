//! Users at two servers: what one does, the other is shown.

mod common;

use common::{Air, User, VERSIONS};
use samklang_reference::segment;
use serde_json::{Value, json};

fn is_member(event: &Value, user: &User, membership: &str) -> bool {
    event["type"] == "m.room.member"
        && event["state_key"] == *user.id
        && event["content"]["membership"] == membership
}

/// Alice and Bob in a room of hers, to which she invited him.
async fn together(alice: &User, bob: &User, mut room: Value) -> String {
    room["invite"] = json!([bob.id]);
    let room = alice.room(room).await;
    bob.sees("invite/invite_state", |event| is_member(event, bob, "invite")).await;
    bob.join(&room, alice).await;
    alice.sees("join/timeline", |event| is_member(event, bob, "join")).await;
    room
}

#[tokio::test]
async fn they_meet_and_talk_in_every_version() {
    for version in VERSIONS {
        let air = Air::default();
        let (alice, bob) = air.alice_and_bob().await;
        let room = together(&alice, &bob, json!({"room_version": version, "name": "Kören"})).await;
        let first = alice.say(&room, "hej").await;
        assert_eq!(bob.sees_event(&first).await["content"]["body"], "hej", "{version}");
        let second = bob.say(&room, "hej själv").await;
        alice.sees_event(&second).await;
        let name = bob.get(&format!("v3/rooms/{}/state/m.room.name", segment(&room))).await;
        assert_eq!(name["name"], "Kören", "{version}");
        let path = format!("v3/rooms/{}/state", segment(&room));
        let ids = |state: Value| {
            let mut ids: Vec<_> =
                state.as_array().unwrap().iter().map(|event| event["event_id"].to_string()).collect();
            ids.sort();
            ids
        };
        assert_eq!(ids(alice.get(&path).await), ids(bob.get(&path).await), "{version}");
    }
}
