//! Users at two servers: each user is shown the events of the other.

mod common;

use common::{Air, User, VERSIONS};
use samklang_matrix::endpoints::encoded as segment;
use serde_json::{Value, json};

fn is_member(event: &Value, user: &User, membership: &str) -> bool {
    event["type"] == "m.room.member"
        && event["state_key"] == *user.id
        && event["content"]["membership"] == membership
}

/// Alice and Bob in a room that Alice created and invited Bob to.
async fn together(alice: &User, bob: &User, mut room: Value) -> String {
    room["invite"] = json!([bob.id]);
    let room = alice.room(room).await;
    bob.sees("invite/invite_state", |event| is_member(event, bob, "invite")).await;
    bob.join(&room, alice).await;
    alice.sees("join/timeline", |event| is_member(event, bob, "join")).await;
    room
}

fn path(room: &str, rest: &str) -> String {
    format!("v3/rooms/{}/{rest}", segment(room))
}

#[tokio::test]
async fn users_of_two_servers_exchange_messages_in_every_version() {
    for version in VERSIONS {
        let (alice, bob) = Air::default().alice_and_bob().await;
        let room = together(&alice, &bob, json!({"room_version": version, "name": "Kören"})).await;
        let first = alice.say(&room, "hej").await;
        assert_eq!(bob.sees_event(&first).await["content"]["body"], "hej", "{version}");
        let second = bob.say(&room, "hej själv").await;
        alice.sees_event(&second).await;
        let name = bob.get(&path(&room, "state/m.room.name")).await;
        assert_eq!(name["name"], "Kören", "{version}");
        let ids = |state: Value| {
            let ids = state.as_array().unwrap().iter().map(|event| event["event_id"].to_string());
            let mut ids: Vec<_> = ids.collect();
            ids.sort();
            ids
        };
        let path = path(&room, "state");
        assert_eq!(ids(alice.get(&path).await), ids(bob.get(&path).await), "{version}");
    }
}

#[tokio::test]
async fn a_redaction_removes_the_text_on_both_servers() {
    for version in ["10", "11", "12"] {
        let (alice, bob) = Air::default().alice_and_bob().await;
        let room = together(&alice, &bob, json!({ "room_version": version })).await;
        let secret = alice.say(&room, "hemligt").await;
        bob.sees_event(&secret).await;
        let redact = path(&room, &format!("redact/{}/{}", segment(&secret), bob.transaction()));
        let refused = bob.ask("PUT", &redact, json!({})).await;
        assert_eq!(refused.status, 403, "{version}");
        let redact = path(&room, &format!("redact/{}/{}", segment(&secret), alice.transaction()));
        let redaction = alice.put(&redact, json!({"reason": "fel"})).await;
        let shown = bob.sees_event(redaction["event_id"].as_str().unwrap()).await;
        assert_eq!((&shown["redacts"], &shown["content"]["redacts"]), (&json!(secret), &json!(secret)));
        for user in [&alice, &bob] {
            let event = user.get(&path(&room, &format!("event/{}", segment(&secret)))).await;
            assert_eq!(event["content"], json!({}), "{version}");
            assert_eq!(event["unsigned"]["redacted_because"]["content"]["reason"], "fel", "{version}");
        }
    }
}

#[tokio::test]
async fn typing_notifications_and_receipts_reach_the_other_server() {
    let (alice, bob) = Air::default().alice_and_bob().await;
    let room = together(&alice, &bob, json!({})).await;
    let types = path(&room, &format!("typing/{}", segment(&alice.id)));
    alice.put(&types, json!({"typing": true, "timeout": 60_000})).await;
    let typing = |users: Value| move |event: &Value| event["content"]["user_ids"] == users;
    bob.sees("join/ephemeral", typing(json!([alice.id]))).await;
    alice.put(&types, json!({"typing": false})).await;
    bob.sees("join/ephemeral", typing(json!([]))).await;

    let quiet = alice.say(&room, "läs i tysthet").await;
    let loud = alice.say(&room, "läs öppet").await;
    bob.sees_event(&loud).await;
    let reads = |kind: &str, id: &str| path(&room, &format!("receipt/{kind}/{}", segment(id)));
    bob.post(&reads("m.read.private", &quiet), json!({})).await;
    bob.post(&reads("m.read", &loud), json!({"thread_id": "main"})).await;
    let of_bob = |kind: &'static str, id: String, who: String| {
        move |event: &Value| event["content"][&id][kind][&who].is_object()
    };
    let shown = alice.sees("join/ephemeral", of_bob("m.read", loud.clone(), bob.id.clone())).await;
    assert_eq!(shown["content"][&loud]["m.read"][&bob.id]["thread_id"], "main");
    bob.sees("join/ephemeral", of_bob("m.read.private", quiet.clone(), bob.id.clone())).await;
    assert!(!json!(alice.shown("join/ephemeral")).to_string().contains(&quiet));
}

#[tokio::test]
async fn presence_reaches_users_who_share_a_room() {
    let (alice, bob) = Air::default().alice_and_bob().await;
    let carol = User::new(&bob.server, "carol").await;
    together(&alice, &bob, json!({})).await;
    let status = format!("v3/presence/{}/status", segment(&alice.id));
    alice.put(&status, json!({"presence": "unavailable", "status_msg": "i möte"})).await;
    let is_it = |event: &Value| event["content"]["status_msg"] == "i möte";
    let shown = bob.sees("presence", is_it).await;
    assert_eq!((&shown["sender"], &shown["content"]["presence"]), (&json!(alice.id), &json!("unavailable")));
    carol.sync(0).await;
    assert!(!carol.shown("presence").iter().any(is_it));
    assert_eq!(carol.ask("GET", &status, Value::Null).await.status, 403);
}

#[tokio::test]
async fn to_device_messages_arrive_once_and_one_time_keys_are_returned_once() {
    let (alice, bob) = Air::default().alice_and_bob().await;
    together(&alice, &bob, json!({})).await;
    let device = bob.get("v3/account/whoami").await["device_id"].as_str().unwrap().to_owned();
    let keys = json!({"user_id": bob.id, "device_id": device, "keys": {"ed25519:D": "k"}, "algorithms": []});
    let keys = json!({
        "device_keys": keys, "one_time_keys": {"signed_curve25519:A": {"key": "once"}},
        "fallback_keys": {"signed_curve25519:F": {"key": "always", "fallback": true}},
    });
    alice.sync(0).await;
    bob.post("v3/keys/upload", keys).await;
    alice.sees("device_lists", |lists| lists["changed"] == json!([bob.id])).await;
    let asked = alice.post("v3/keys/query", json!({"device_keys": {&bob.id: []}})).await;
    assert_eq!(asked["device_keys"][&bob.id][&device]["keys"], json!({"ed25519:D": "k"}));
    for expected in ["once", "always", "always"] {
        let wanted = json!({"one_time_keys": {&bob.id: {&device: "signed_curve25519"}}});
        let claimed = alice.post("v3/keys/claim", wanted).await;
        let given = claimed["one_time_keys"][&bob.id][&device].as_object().unwrap();
        assert_eq!(given.values().next().unwrap()["key"], expected);
    }

    for _ in 0..2 {
        let body = json!({"messages": {&bob.id: {&device: {"text": "psst"}}}});
        alice.put("v3/sendToDevice/org.example.note/same", body).await;
    }
    let body = json!({"messages": {&bob.id: {"*": {"text": "sist"}}}});
    alice.put("v3/sendToDevice/org.example.note/other", body).await;
    bob.sees("to_device", |event| event["content"]["text"] == "sist").await;
    // A to-device message does not come again after the next sync has acknowledged it.
    bob.sync(0).await;
    bob.sync(0).await;
    let texts: Vec<_> = bob.shown("to_device").iter().map(|note| note["content"]["text"].clone()).collect();
    assert_eq!(texts.iter().filter(|text| *text == "psst").count(), 1, "{texts:?}");
}

#[tokio::test]
async fn files_keep_their_names_and_types_on_the_other_server() {
    let (alice, bob) = Air::default().alice_and_bob().await;
    for (name, kind, bytes) in [
        ("Årsöversikt.pdf", "application/pdf", b"%PDF \r\n--samklang-part\r\n".as_slice()),
        ("a; \"b\".txt", "text/plain", b"\r\n\r\n".as_slice()),
    ] {
        let upload = format!("media/v3/upload?filename={}", segment(name));
        let stored = alice.raw("POST", &upload, kind, bytes.to_vec().into()).await.json();
        let address = stored["content_uri"].as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned();
        let fetched = bob.ask("GET", &format!("v1/media/download/{address}"), Value::Null).await;
        assert_eq!((fetched.status, &fetched.body[..]), (200, bytes), "{name}");
        let header = |key: &str| fetched.headers.iter().find(|(name, _)| name == key).unwrap().1.clone();
        assert_eq!(header("content-type"), kind);
        assert!(header("content-disposition").ends_with(&format!("filename*=utf-8''{}", attribute(name))));
        let missing = bob.ask("GET", "v1/media/download/a.test/none", Value::Null).await;
        assert_eq!(missing.status, 404);
    }
}

/// A file name as the extended value of a header parameter.
fn attribute(name: &str) -> String {
    segment(name).replace("%2E", ".")
}

#[tokio::test]
async fn an_upgraded_room_keeps_its_state() {
    for (old, new) in [("10", "11"), ("11", "12"), ("12", "12")] {
        let (alice, bob) = Air::default().alice_and_bob().await;
        let plan = json!({"room_version": old, "name": "Stab", "topic": "Läge", "preset": "public_chat"});
        let room = together(&alice, &bob, plan).await;
        let refused = bob.ask("POST", &path(&room, "upgrade"), json!({ "new_version": new })).await;
        assert_eq!(refused.status, 403, "{old}");
        let answer = alice.post(&path(&room, "upgrade"), json!({ "new_version": new })).await;
        let next = answer["replacement_room"].as_str().unwrap();
        let tombstone = bob.sees("join/timeline", |event| event["type"] == "m.room.tombstone").await;
        assert_eq!(tombstone["content"]["replacement_room"], next, "{old}");
        bob.join(next, &alice).await;
        let state = async |kind: &str| bob.get(&path(next, &format!("state/{kind}"))).await;
        assert_eq!(state("m.room.create").await["predecessor"]["room_id"], room, "{old}");
        assert_eq!(state("m.room.topic").await["topic"], "Läge", "{old}");
        assert_eq!(state("m.room.power_levels").await["users"][&alice.id].is_null(), new == "12", "{old}");
        bob.sees("join/timeline", |event| event["content"]["events_default"] == 50).await;
        let speaks = path(&room, "send/m.room.message/late");
        assert_eq!(bob.ask("PUT", &speaks, json!({"body": "kvar"})).await.status, 403, "{old}");
    }
}

#[tokio::test]
async fn only_members_of_the_allowed_room_can_join_a_restricted_room() {
    for version in ["8", "10", "12"] {
        let (alice, bob) = Air::default().alice_and_bob().await;
        let carol = User::new(&bob.server, "carol").await;
        let space = together(&alice, &bob, json!({ "room_version": version })).await;
        let allow = json!([{"type": "m.room_membership", "room_id": space}]);
        let rules = json!({"join_rule": "restricted", "allow": allow});
        let rules = json!([{"type": "m.room.join_rules", "state_key": "", "content": rules}]);
        let room = alice.room(json!({"room_version": version, "initial_state": rules})).await;
        let join = format!("v3/join/{}?via={}", segment(&room), alice.server.name());
        assert_eq!(carol.ask("POST", &join, json!({})).await.status, 403, "{version}");
        bob.join(&room, &alice).await;
        let joined = alice
            .sees("join/timeline", |event| {
                is_member(event, &bob, "join")
                    && event["content"]["join_authorised_via_users_server"].is_string()
            })
            .await;
        assert_eq!(joined["content"]["join_authorised_via_users_server"], alice.id, "{version}");
    }
}

#[tokio::test]
async fn a_knock_is_accepted_or_rejected() {
    let (alice, bob) = Air::default().alice_and_bob().await;
    let rules = json!([{"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}]);
    let room = alice.room(json!({"name": "Stugan", "initial_state": rules})).await;
    let knock = format!("v3/knock/{}?via=a.test", segment(&room));
    for reason in ["släpp in mig", "igen"] {
        bob.post(&knock, json!({ "reason": reason })).await;
        let name = |event: &Value| event["type"] == "m.room.name" && event["content"]["name"] == "Stugan";
        bob.sees("knock/knock_state", name).await;
        let asked = |event: &Value| is_member(event, &bob, "knock") && event["content"]["reason"] == reason;
        alice.sees("join/timeline", asked).await;
        if reason == "igen" {
            break;
        }
        alice.post(&path(&room, "kick"), json!({"user_id": bob.id})).await;
        bob.sees("leave/timeline", |event| is_member(event, &bob, "leave")).await;
    }
    alice.invite(&room, &bob).await;
    bob.sees("invite/invite_state", |event| is_member(event, &bob, "invite")).await;
    bob.join(&room, &alice).await;
    let said = bob.say(&room, "tack").await;
    alice.sees_event(&said).await;
}

#[tokio::test]
async fn history_follows_the_history_visibility() {
    for (visibility, earlier) in
        [("joined", false), ("invited", false), ("shared", true), ("world_readable", true)]
    {
        let (alice, bob) = Air::default().alice_and_bob().await;
        let content = json!({ "history_visibility": visibility });
        let state = json!([{"type": "m.room.history_visibility", "state_key": "", "content": content}]);
        let room = alice.room(json!({"initial_state": state})).await;
        let before = alice.say(&room, "före").await;
        alice.invite(&room, &bob).await;
        bob.sees("invite/invite_state", |event| is_member(event, &bob, "invite")).await;
        bob.join(&room, &alice).await;
        let after = alice.say(&room, "efter").await;
        bob.sees_event(&after).await;
        let mut texts = Vec::new();
        let mut from = String::new();
        loop {
            let page = bob.get(&path(&room, &format!("messages?dir=b&limit=3{from}"))).await;
            let chunk = page["chunk"].as_array().unwrap();
            texts.extend(chunk.iter().map(|event| event["content"]["body"].clone()));
            match page["end"].as_str() {
                Some(end) => from = format!("&from={}", segment(end)),
                None => break,
            }
        }
        assert!(texts.contains(&json!("efter")), "{visibility}: {texts:?}");
        assert_eq!(texts.contains(&json!("före")), earlier, "{visibility}: {texts:?}");
        let event = bob.ask("GET", &path(&room, &format!("event/{}", segment(&before))), Value::Null).await;
        assert_eq!(event.json()["content"]["body"] == "före", earlier, "{visibility}");
    }
}

#[tokio::test]
async fn a_user_is_shown_no_events_sent_after_leaving_and_can_join_again() {
    let (alice, bob) = Air::default().alice_and_bob().await;
    let room = together(&alice, &bob, json!({"preset": "public_chat"})).await;
    bob.post(&path(&room, "leave"), json!({})).await;
    bob.sees("leave/timeline", |event| is_member(event, &bob, "leave")).await;
    alice.sees("join/timeline", |event| is_member(event, &bob, "leave")).await;
    let meanwhile = alice.say(&room, "medan du var borta").await;
    bob.join(&room, &alice).await;
    let later = alice.say(&room, "välkommen åter").await;
    bob.sees_event(&later).await;
    assert!(!bob.shown("leave/timeline").iter().any(|event| event["event_id"] == *meanwhile));
    let page = bob.get(&path(&room, "messages?dir=b&limit=100")).await;
    let ids: Vec<_> = page["chunk"].as_array().unwrap().iter().map(|event| &event["event_id"]).collect();
    assert!(ids.contains(&&json!(meanwhile)), "{page:#}");
}

#[tokio::test]
async fn profiles_are_shown_in_rooms_and_returned_to_queries() {
    let (alice, bob) = Air::default().alice_and_bob().await;
    let room = together(&alice, &bob, json!({})).await;
    let profile = |field: &str| format!("v3/profile/{}/{field}", segment(&alice.id));
    alice.put(&profile("displayname"), json!({"displayname": "Åsa"})).await;
    bob.sees("join/timeline", |event| {
        is_member(event, &alice, "join") && event["content"]["displayname"] == "Åsa"
    })
    .await;
    let asked = bob.get(&format!("v3/profile/{}", segment(&alice.id))).await;
    assert_eq!(asked["displayname"], "Åsa");
    let nobody = bob.ask("GET", &format!("v3/profile/{}", segment("@nobody:a.test")), Value::Null).await;
    assert_eq!(nobody.status, 404);
    drop(room);
}

#[tokio::test]
async fn edits_and_threads_are_bundled_with_their_events() {
    let (alice, bob) = Air::default().alice_and_bob().await;
    let room = together(&alice, &bob, json!({})).await;
    let root = alice.say(&room, "ärende").await;
    let edit = |to: &str, body: &str| {
        json!({
            "msgtype": "m.text", "body": format!("* {body}"), "m.new_content": {"msgtype": "m.text", "body": body},
            "m.relates_to": {"rel_type": "m.replace", "event_id": to},
        })
    };
    bob.sees_event(&root).await;
    bob.send(&room, "m.room.message", edit(&root, "förfalskat")).await;
    let answer = json!({"body": "svar", "m.relates_to": {"rel_type": "m.thread", "event_id": root}});
    let answer = bob.send(&room, "m.room.message", answer).await;
    alice.sees_event(&answer).await;
    let edited = alice.send(&room, "m.room.message", edit(&root, "rättat")).await;
    bob.sees_event(&edited).await;
    for (user, took_part) in [(&alice, true), (&bob, true)] {
        let event = user.get(&path(&room, &format!("event/{}", segment(&root)))).await;
        let relations = &event["unsigned"]["m.relations"];
        assert_eq!(relations["m.replace"]["event_id"], edited, "{relations:#}");
        assert_eq!(relations["m.thread"]["count"], 1);
        assert_eq!(relations["m.thread"]["latest_event"]["event_id"], answer);
        assert_eq!(relations["m.thread"]["current_user_participated"], took_part);
        let threads = user.get(&format!("v1/rooms/{}/threads", segment(&room))).await;
        assert_eq!(threads["chunk"][0]["event_id"], root);
        let about =
            user.get(&format!("v1/rooms/{}/relations/{}/m.thread", segment(&room), segment(&root))).await;
        assert_eq!(about["chunk"][0]["event_id"], answer);
    }
}

#[tokio::test]
async fn aliases_room_directory_and_spaces_show_rooms_of_other_servers() {
    let (alice, bob) = Air::default().alice_and_bob().await;
    let plan = json!({"preset": "public_chat", "visibility": "public", "room_alias_name": "torget", "name": "Torget"});
    let room = alice.room(plan).await;
    let named = bob.get(&format!("v3/directory/room/{}", segment("#torget:a.test"))).await;
    assert_eq!((&named["room_id"], &named["servers"]), (&json!(room), &json!(["a.test"])));
    let listed = bob.get("v3/publicRooms?server=a.test").await;
    assert_eq!(listed["chunk"][0]["name"], "Torget");
    let joined = bob.post(&format!("v3/join/{}", segment("#torget:a.test")), json!({})).await;
    assert_eq!(joined["room_id"], room);

    let hidden = alice.room(json!({})).await;
    let child = |id: &str| json!({"type": "m.space.child", "state_key": id, "content": {"via": ["a.test"]}});
    let space = json!({
        "preset": "public_chat", "creation_content": {"type": "m.space"},
        "initial_state": [child(&room), child(&hidden)],
    });
    let space = alice.room(space).await;
    bob.join(&space, &alice).await;
    for (user, rooms) in [(&alice, 3), (&bob, 2)] {
        let tree = user.get(&format!("v1/rooms/{}/hierarchy", segment(&space))).await;
        assert_eq!(tree["rooms"].as_array().unwrap().len(), rooms, "{}: {tree:#}", user.id);
    }
}

#[tokio::test]
async fn a_repeated_client_transaction_sends_one_event_and_shows_its_id_to_its_device() {
    let (alice, bob) = Air::default().alice_and_bob().await;
    let room = together(&alice, &bob, json!({})).await;
    let send = path(&room, "send/m.room.message/once");
    let first = alice.put(&send, json!({"body": "hej"})).await;
    assert_eq!(alice.put(&send, json!({"body": "hej"})).await, first);
    let id = first["event_id"].as_str().unwrap();
    assert_eq!(alice.sees_event(id).await["unsigned"]["transaction_id"], "once");
    assert!(bob.sees_event(id).await["unsigned"]["transaction_id"].is_null());
}
