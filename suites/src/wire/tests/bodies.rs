//! Cases for rules about requests, responses, keys and EDUs.

use samklang_matrix::endpoints::{self, paths};
use samklang_verdict::{Body, Exchange, Party};
use serde_json::{Value, json};

use super::{
    Case,
    world::{ALICE, BOB, World},
};

const PROFILE: &str = "/_matrix/federation/v1/query/profile?user_id=%40a%3Aa.test";

pub(super) const CASES: &[Case] = &[
    ("wire.answers/media-type", "11", |world, right| {
        let mut exchange = world.response("GET", PROFILE, 200, &json!({}));
        exchange.response_headers[0].1 =
            if right { "application/json; charset=utf-8" } else { "text/json" }.into();
        vec![exchange]
    }),
    ("wire.answers/object", "11", |world, right| {
        vec![world.response("GET", PROFILE, 200, &if right { json!({}) } else { Value::Null })]
    }),
    ("wire.errors/standard", "11", |world, right| {
        let error = if right { json!("no") } else { json!(7) };
        vec![world.response("GET", PROFILE, 404, &json!({"errcode": "M_NOT_FOUND", "error": error}))]
    }),
    ("wire.error-style/namespace", "11", |world, right| {
        let errcode = if right { "ORG.MATRIX.MSC1_NOT_FOUND" } else { "not_found" };
        vec![world.response("GET", PROFILE, 404, &json!({"errcode": errcode, "error": "no"}))]
    }),
    ("wire.error-style/retry-after", "11", |world, right| {
        let mut exchange =
            world.response("GET", PROFILE, 429, &json!({"errcode": "M_LIMIT_EXCEEDED", "error": "no"}));
        if right {
            exchange.response_headers.push(("retry-after".into(), "1".into()));
        }
        vec![exchange]
    }),
    ("wire.signed-requests/credentials", "11", |world, right| {
        credentials(world, right, |_| "Bearer x".into())
    }),
    ("wire.signed-requests/destination", "11", |world, right| {
        credentials(world, right, |value| value.replace(r#"destination="b.test","#, ""))
    }),
    ("wire.signed-requests/signature", "11", |world, right| {
        let mut exchange = world.request("GET", PROFILE, &Value::Null);
        if !right {
            exchange.path.push_str("&field=displayname");
        }
        vec![exchange]
    }),
    ("wire.signed-requests/quotes", "11", |world, right| {
        credentials(world, right, |value| value.replace("key=\"ed25519:1\"", "key=ed25519:1"))
    }),
    ("wire.request-style/names", "11", |world, right| {
        credentials(world, right, |value| value.replace("key=", "Key="))
    }),
    ("wire.request-style/plain", "11", |world, right| {
        credentials(world, right, |value| value.replace(',', ", "))
    }),
    ("wire.request-style/media-type", "11", |world, right| {
        let mut exchange = world.send_pdus(&[]);
        exchange.request_headers.retain(|(name, _)| right || name != "content-type");
        vec![exchange]
    }),
    ("wire.request-bodies/object", "11", |world, right| {
        let mut exchange = world.send_pdus(&[]);
        if !right {
            exchange.request_body = Body::of(b"[]");
        }
        vec![exchange]
    }),
    ("wire.names/of-the-run", "11", |world, right| {
        let mut exchange = world.request("GET", PROFILE, &Value::Null);
        if !right {
            exchange.to = Party::Stranger { name: "elsewhere.test".into() };
        }
        vec![exchange]
    }),
    // A request to a server outside the run counts, even if it gets no response.
    ("wire.names/of-the-run", "11", |world, right| {
        let mut exchange = world.request("GET", PROFILE, &Value::Null);
        if !right {
            exchange.to = Party::Stranger { name: "elsewhere.test".into() };
            (exchange.status, exchange.broken) = (None, Some("no server is there".into()));
        }
        vec![exchange]
    }),
    ("wire.key-documents/ids", "11", |world, right| {
        keys(world, right, |document| {
            let key = document["verify_keys"]["ed25519:1"].take();
            document["verify_keys"] = json!({"ed25519:a-1": key});
        })
    }),
    ("wire.key-documents/keys", "11", |world, right| {
        keys(world, right, |document| pad(&mut document["verify_keys"]["ed25519:1"]["key"]))
    }),
    ("wire.key-documents/unpadded", "11", |world, right| {
        keys(world, right, |document| pad(&mut document["signatures"]["a.test"]["ed25519:1"]))
    }),
    ("wire.identifiers/media", "11", |world, right| {
        let id = if right { "aB3_-" } else { "a.b" };
        vec![world.response("GET", &endpoints::MEDIA_DOWNLOAD.raw_path(&[id]), 200, &json!({}))]
    }),
    ("wire.transactions/whole", "11", |world, right| {
        let origin = if right { "a.test" } else { "b.test" };
        vec![world.transaction(&json!({"origin": origin, "origin_server_ts": 1, "pdus": []}))]
    }),
    ("wire.transactions/limits", "11", |world, right| {
        let edus = vec![json!({}); if right { 100 } else { 101 }];
        vec![world.transaction(&json!({"origin": "a.test", "origin_server_ts": 1, "pdus": [], "edus": edus}))]
    }),
    ("wire.transactions/edus", "11", |world, right| {
        vec![world.send_edu("m.typing", &if right { json!({}) } else { Value::Null })]
    }),
    ("wire.transactions/results", "11", |world, right| {
        let pdu = world.message(&world.room()).sign(&world.key);
        let id = if right { pdu.id.as_str() } else { "$other" };
        let mut exchange = world.response("PUT", &paths::send("1"), 200, &json!({"pdus": {id: {}}}));
        exchange.request_body = Body::of(json!({"pdus": [pdu.json]}).to_string().as_bytes());
        vec![exchange]
    }),
    ("wire.signals/typing", "11", |world, right| {
        edu(world, right, "m.typing", json!({"room_id": "!r", "user_id": ALICE, "typing": true}), |content| {
            content["typing"] = json!("yes");
        })
    }),
    ("wire.signals/receipts", "11", |world, right| {
        edu(world, right, "m.receipt", receipt("m.read"), |content| {
            content["!r"]["m.read"][ALICE]["event_ids"] = json!(["$a", "$b"]);
        })
    }),
    ("wire.signals/presence", "11", |world, right| {
        edu(world, right, "m.presence", presence(ALICE), |content| {
            content["push"][0]["presence"] = json!("asleep");
        })
    }),
    ("wire.signals/presence", "11", |world, right| {
        edu(world, right, "m.presence", presence(ALICE), |content| content["push"] = json!(7))
    }),
    ("wire.signals/own-users", "11", |world, right| {
        edu(world, right, "m.presence", presence(ALICE), |content| *content = presence("@carol:b.test"))
    }),
    ("wire.signals/no-user-signing-key", "11", |world, right| {
        edu(world, right, "m.signing_key_update", json!({"user_id": ALICE}), |content| {
            content["user_signing_key"] = json!({});
        })
    }),
    ("wire.receipt-types/read", "11", |world, right| {
        edu(world, right, "m.receipt", receipt("m.read"), |content| *content = receipt("m.read.private"))
    }),
    ("wire.to-device/form", "11", |world, right| {
        edu(world, right, "m.direct_to_device", to_device(), |content| {
            content["messages"][BOB]["D"] = json!([]);
        })
    }),
    ("wire.to-device/id-length", "11", |world, right| {
        edu(world, right, "m.direct_to_device", to_device(), |content| {
            content["message_id"] = json!("å".repeat(33));
        })
    }),
    ("wire.device-lists/form", "11", |world, right| {
        edu(world, right, "m.device_list_update", device("D", 5), |content| content["stream_id"] = json!("5"))
    }),
    ("wire.device-lists/unique", "11", |world, right| {
        let second = device("E", if right { 6 } else { 5 });
        [device("D", 5), second].map(|update| world.send_edu("m.device_list_update", &update)).into()
    }),
    ("wire.device-lists/unnamed", "11", |world, right| {
        edu(world, right, "m.device_list_update", device("D", 5), |content| {
            content["device_display_name"] = Value::Null;
        })
    }),
    ("wire.device-list-chain/chained", "11", |world, right| {
        let mut second = device("D", 6);
        second["prev_id"] = if right { json!([5]) } else { json!([]) };
        [device("D", 5), second].map(|update| world.send_edu("m.device_list_update", &update)).into()
    }),
    ("wire.cross-signing/form", "11", |world, right| {
        edu(world, right, "m.signing_key_update", json!({"user_id": ALICE}), |content| {
            content["device_id"] = json!("D");
        })
    }),
    ("wire.cross-signing/keys", "11", |world, right| {
        let update = json!({"user_id": ALICE, "master_key": {"keys": {"ed25519:abc": "abc"}}});
        edu(world, right, "m.signing_key_update", update, |content| {
            content["master_key"]["keys"]["ed25519:def"] = json!("def");
        })
    }),
    ("wire.cross-signing/no-user-signing-key", "11", |world, right| {
        let mut answer = json!({"device_keys": {}, "master_keys": {}});
        if !right {
            answer["user_signing_keys"] = json!({ALICE: {"keys": {"ed25519:abc": "abc"}}});
        }
        vec![world.response("POST", endpoints::USER_KEYS_QUERY.template, 200, &answer)]
    }),
];

/// A request with its credentials, changed if it is to be wrong.
fn credentials(world: &World, right: bool, change: fn(&str) -> String) -> Vec<Exchange> {
    let mut exchange = world.request("GET", PROFILE, &Value::Null);
    if !right {
        exchange.request_headers[0].1 = change(&exchange.request_headers[0].1);
    }
    vec![exchange]
}

fn keys(world: &World, right: bool, change: fn(&mut Value)) -> Vec<Exchange> {
    let mut document = world.key_document();
    if !right {
        change(&mut document);
    }
    vec![world.response("GET", endpoints::SERVER_KEYS.template, 200, &document)]
}

fn pad(text: &mut Value) {
    *text = json!(format!("{}=", text.as_str().unwrap_or_default()));
}

fn edu(world: &World, right: bool, kind: &str, mut content: Value, change: fn(&mut Value)) -> Vec<Exchange> {
    if !right {
        change(&mut content);
    }
    vec![world.send_edu(kind, &content)]
}

fn receipt(kind: &str) -> Value {
    json!({"!r": {kind: {ALICE: {"event_ids": ["$a"], "data": {"ts": 1}}}}})
}

fn presence(user: &str) -> Value {
    json!({"push": [{"user_id": user, "presence": "online", "last_active_ago": 5}]})
}

fn to_device() -> Value {
    json!({"sender": ALICE, "type": "m.x", "message_id": "1", "messages": {BOB: {"D": {}}}})
}

fn device(id: &str, stream: i64) -> Value {
    json!({"user_id": ALICE, "device_id": id, "stream_id": stream, "prev_id": [], "device_display_name": "x"})
}
