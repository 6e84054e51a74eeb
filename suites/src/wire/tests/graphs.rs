//! Cases for rules about events.

use samklang_matrix::{Event, RoomGraph, Tamper, endpoints::paths};
use samklang_verdict::Exchange;
use serde_json::{Value, json};

use super::{
    Case,
    world::{ALICE, BOB, World, pdus},
};

pub(super) const CASES: &[Case] = &[
    ("wire.own-events/format", "11", |world, right| {
        changed_message(world, right, |pdu| pdu["depth"] = json!("5"))
    }),
    ("wire.own-events/no-event-id", "11", |world, right| {
        changed_message(world, right, |pdu| pdu["event_id"] = json!("$1"))
    }),
    ("wire.own-events/signature", "12", |world, right| tampered_message(world, right, Tamper::Unsigned)),
    ("wire.own-events/content-hash", "10", |world, right| {
        tampered_message(world, right, Tamper::before_signing(|pdu| pdu["content"]["body"] = json!("other")))
    }),
    ("wire.own-events/unpadded", "11", |world, right| {
        let pad = |pdu: &mut Value| {
            let hash = pdu["hashes"]["sha256"].as_str().unwrap_or_default();
            pdu["hashes"]["sha256"] = json!(format!("{hash}="));
        };
        tampered_message(world, right, Tamper::before_signing(pad))
    }),
    ("wire.own-events/key-ids", "11", |world, right| {
        tampered_message(world, right, Tamper::KeyId("peer".to_owned()))
    }),
    ("wire.own-events/depth", "11", |world, right| {
        changed_message(world, right, |pdu| pdu["depth"] = json!(99))
    }),
    ("wire.given-events/asked-for", "11", |world, right| {
        let pdu = world.message(&world.room()).sign(&world.key);
        vec![event_response(world, if right { &pdu.id } else { "$other" }, &pdu.json)]
    }),
    ("wire.given-events/verifiable", "11", |world, right| {
        let room = world.room();
        let message = world.message(&room);
        let message = if right { message } else { message.tampered(Tamper::Unsigned) };
        let pdu = message.sign(&world.key);
        vec![event_response(world, &pdu.id, &pdu.json)]
    }),
    ("wire.redactions/target", "11", |world, right| {
        let room = world.room();
        let place = if right { json!({"redacts": "$x"}) } else { json!({}) };
        vec![world.send_pdus(&[room.draft("m.room.redaction", ALICE).content(place).sign(&world.key).json])]
    }),
    ("wire.redactions/target", "10", |world, right| {
        let room = world.room();
        let pdu = room.draft("m.room.redaction", ALICE).sign(&world.key).json;
        vec![world.send_pdus(&[world.changed(&pdu, |pdu| {
            pdu[if right { "redacts" } else { "elsewhere" }] = json!("$x");
        })])]
    }),
    ("wire.authority/nothing-else", "11", |world, right| {
        let room = world.room();
        message_with_auth_events(world, &room, right, |auth_events| {
            auth_events.push(id_of(&room, "m.room.history_visibility", ""));
        })
    }),
    ("wire.authority/create", "11", |world, right| {
        create_event(world, right, |pdu| pdu["auth_events"] = json!(["$x"]))
    }),
    ("wire.authority/no-create", "12", |world, right| {
        let room = world.room();
        message_with_auth_events(world, &room, right, |auth_events| {
            auth_events.push(id_of(&room, "m.room.create", ""));
        })
    }),
    ("wire.authority/complete", "11", |world, right| {
        let room = world.room();
        message_with_auth_events(world, &room, right, |auth_events| {
            remove(auth_events, &id_of(&room, "m.room.power_levels", ""));
        })
    }),
    ("wire.authority/target", "11", |world, right| {
        let room = world.room_with_bob();
        let kick = room.draft_member(ALICE, BOB, "leave").sign(&world.key).json;
        with_auth_events(world, &room, &kick, right, |auth_events| {
            remove(auth_events, &id_of(&room, "m.room.member", BOB));
        })
    }),
    ("wire.authority/join-rules", "11", |world, right| {
        let room = world.room();
        let invite = room.draft_member(ALICE, BOB, "invite").sign(&world.key).json;
        with_auth_events(world, &room, &invite, right, |auth_events| {
            remove(auth_events, &id_of(&room, "m.room.join_rules", ""));
        })
    }),
    ("wire.authority/authoriser", "11", |world, right| {
        let room = world.room();
        let content = json!({"membership": "join", "join_authorised_via_users_server": ALICE});
        let join = room.draft_member(BOB, BOB, "join").content(content).sign(&world.key).json;
        with_auth_events(world, &room, &join, right, |auth_events| {
            remove(auth_events, &id_of(&room, "m.room.member", ALICE));
        })
    }),
    ("wire.authority/allowed", "12", |world, right| {
        let room = world.room();
        let message = room.draft("m.room.message", if right { ALICE } else { BOB }).sign(&world.key).json;
        vec![world.state_response(&room), world.send_pdus(&[message])]
    }),
    ("wire.create-events/creator", "10", |world, right| {
        create_event(world, right, |pdu| pdu["content"]["creator"] = json!(BOB))
    }),
    ("wire.create-events/no-creator", "11", |world, right| {
        create_event(world, right, |pdu| pdu["content"]["creator"] = json!(ALICE))
    }),
    ("wire.create-events/no-room-id", "12", |world, right| {
        create_event(world, right, |pdu| pdu["room_id"] = json!("!x:a.test"))
    }),
    ("wire.create-events/names-the-room", "12", |world, right| {
        let room = world.room();
        vec![world.state_response_with(if right { room.id() } else { "!other" }, &pdus(&room))]
    }),
    ("wire.create-events/predecessor", "11", |world, right| {
        let old = world.room();
        let named = if right { old.id() } else { "!other:a.test" };
        let new =
            world.created_room(|founding| founding.create_content("predecessor", json!({"room_id": named})));
        let content = json!({"body": "", "replacement_room": new.id()});
        let end = old.draft("m.room.tombstone", ALICE).state_key("").content(content).sign(&world.key).json;
        vec![world.state_response(&new), world.send_pdus(&[end])]
    }),
    ("wire.power-levels/integers", "10", |world, right| levels(world, right, "ban", &json!("50"))),
    ("wire.power-levels/no-creators", "12", |world, right| {
        levels(world, right, "users", &json!({ALICE: 100}))
    }),
    ("wire.power-levels/tombstone", "12", |world, right| levels(world, right, "events", &json!({}))),
    ("wire.first-events/order", "11", |world, right| {
        let room = world.room();
        let create = id_of(&room, "m.room.create", "");
        let events = pdus(&room).into_iter().map(|pdu| match pdu["type"].as_str() {
            Some("m.room.power_levels") if !right => {
                world.changed(&pdu, |pdu| pdu["prev_events"] = json!([create]))
            }
            _ => pdu,
        });
        vec![world.state_response_with(room.id(), &events.collect::<Vec<_>>())]
    }),
    ("wire.memberships/path", "11", |world, right| {
        let join = bobs_join(world);
        let id = Event::parse(&join, "11").unwrap().id().to_owned();
        let id = if right { &id } else { "$other" };
        vec![world.request("PUT", &paths::send_join("!r", id), &join)]
    }),
    ("wire.memberships/version-2", "11", |world, right| {
        let version = if right { "v2" } else { "v1" };
        let path = format!("/_matrix/federation/{version}/send_join/!r/$x");
        vec![world.request("PUT", &path, &bobs_join(world))]
    }),
    ("wire.invites/create", "11", |world, right| {
        invite_request(
            world,
            pdus(&world.room()).into_iter().filter(|pdu| right || pdu["type"] != "m.room.create"),
        )
    }),
    ("wire.invites/complete", "11", |world, right| {
        let strip = |pdu: Value| json!({"type": pdu["type"], "content": pdu["content"], "state_key": ""});
        invite_request(world, pdus(&world.room()).into_iter().map(|pdu| if right { pdu } else { strip(pdu) }))
    }),
    ("wire.invites/both-sign", "11", |world, right| {
        let room = world.room();
        let invite = room.draft_member(ALICE, "@carol:b.test", "invite");
        let invite = if right { invite.also_signed_by("b.test", &world.key) } else { invite };
        vec![world.send_pdus(&[invite.sign(&world.key).json])]
    }),
    ("wire.profile-changes/no-authoriser", "11", |world, right| {
        let room = world.room_with_bob();
        let mut content = json!({"membership": "join", "displayname": "B"});
        if !right {
            content["join_authorised_via_users_server"] = json!(ALICE);
        }
        let change = room.draft_member(BOB, BOB, "join").content(content).sign(&world.key).json;
        vec![world.state_response(&room), world.send_pdus(&[change])]
    }),
    ("wire.identifiers/users", "11", |world, right| {
        let sender = if right { ALICE } else { "@ALICE:a.test" };
        vec![world.send_pdus(&[world.room().draft("m.room.message", sender).sign(&world.key).json])]
    }),
    ("wire.identifiers/rooms", "11", |world, right| {
        create_event(world, right, |pdu| pdu["room_id"] = json!("!x:c.test"))
    }),
];

/// A room's events and then a message, of which one field is changed before it is hashed and signed if it is to be wrong.
fn changed_message(world: &World, right: bool, change: fn(&mut Value)) -> Vec<Exchange> {
    tampered_message(world, right, Tamper::before_hash(change))
}

fn tampered_message(world: &World, right: bool, tamper: Tamper<'_>) -> Vec<Exchange> {
    let room = world.room();
    let message = world.message(&room);
    let message = if right { message.sign(&world.key) } else { message.tampered(tamper).sign(&world.key) };
    vec![world.state_response(&room), world.send_pdus(&[message.json])]
}

/// The create event of a room, changed if it is to be wrong.
fn create_event(world: &World, right: bool, change: fn(&mut Value)) -> Vec<Exchange> {
    let room = world.room();
    let create = pdus(&room).remove(0);
    let create = if right { create } else { world.changed(&create, change) };
    vec![world.state_response_with(room.id(), &[create])]
}

/// A message with the right auth events, changed by `change` if it is to be wrong.
fn message_with_auth_events(
    world: &World,
    room: &RoomGraph,
    right: bool,
    change: impl FnOnce(&mut Vec<String>),
) -> Vec<Exchange> {
    let message = world.message(room).sign(&world.key).json;
    with_auth_events(world, room, &message, right, change)
}

/// The event with its auth events, changed by `change` if it is to be wrong.
fn with_auth_events(
    world: &World,
    room: &RoomGraph,
    pdu: &Value,
    right: bool,
    change: impl FnOnce(&mut Vec<String>),
) -> Vec<Exchange> {
    let mut auth_events: Vec<String> = serde_json::from_value(pdu["auth_events"].clone()).unwrap();
    if !right {
        change(&mut auth_events);
    }
    vec![
        world.state_response(room),
        world.send_pdus(&[world.changed(pdu, |pdu| pdu["auth_events"] = json!(auth_events))]),
    ]
}

fn id_of(room: &RoomGraph, kind: &str, key: &str) -> String {
    room.state_event(kind, key).unwrap().id().to_owned()
}

fn remove(auth_events: &mut Vec<String>, id: &str) {
    auth_events.retain(|known| known != id);
}

/// A response to `GET /event`.
fn event_response(world: &World, id: &str, pdu: &Value) -> Exchange {
    let body = json!({"origin": "a.test", "origin_server_ts": 1, "pdus": [pdu]});
    world.response("GET", &paths::event(id), 200, &body)
}

fn levels(world: &World, right: bool, key: &str, wrong: &Value) -> Vec<Exchange> {
    let room =
        world.created_room(|founding| if right { founding } else { founding.levels(key, wrong.clone()) });
    vec![world.state_response(&room)]
}

fn bobs_join(world: &World) -> Value {
    world.room().draft_member(BOB, BOB, "join").sign(&world.key).json
}

/// An invite with these events as its `invite_room_state`.
fn invite_request(world: &World, state: impl Iterator<Item = Value>) -> Vec<Exchange> {
    let event = world.room().draft_member(ALICE, "@carol:b.test", "invite").sign(&world.key).json;
    let state: Vec<_> = state.collect();
    let body = json!({"room_version": "11", "event": event, "invite_room_state": state});
    vec![world.request("PUT", &paths::invite("!r", "$x"), &body)]
}
