//! Redaction of events (rooms, redactions).

use serde_json::{Map, Value};

use super::text;
use crate::RoomVersion;

/// The top-level keys that redaction keeps, each with the last version in which it does.
const TOP_LEVEL: [(&str, u8); 15] = [
    ("auth_events", LATEST),
    ("content", LATEST),
    ("depth", LATEST),
    ("event_id", LATEST),
    ("hashes", LATEST),
    ("membership", 10),
    ("origin", 10),
    ("origin_server_ts", LATEST),
    ("prev_events", LATEST),
    ("prev_state", 10),
    ("room_id", LATEST),
    ("sender", LATEST),
    ("signatures", LATEST),
    ("state_key", LATEST),
    ("type", LATEST),
];

/// The keys of the content that redaction keeps, by event type, with the first and the last version in which it does.
const CONTENT: [(&str, &str, u8, u8); 18] = [
    ("m.room.aliases", "aliases", 1, 5),
    ("m.room.create", "creator", 1, 10),
    ("m.room.history_visibility", "history_visibility", 1, LATEST),
    ("m.room.join_rules", "allow", 8, LATEST),
    ("m.room.join_rules", "join_rule", 1, LATEST),
    ("m.room.member", "join_authorised_via_users_server", 9, LATEST),
    ("m.room.member", "membership", 1, LATEST),
    ("m.room.member", "third_party_invite", 11, LATEST),
    ("m.room.power_levels", "ban", 1, LATEST),
    ("m.room.power_levels", "events", 1, LATEST),
    ("m.room.power_levels", "events_default", 1, LATEST),
    ("m.room.power_levels", "invite", 11, LATEST),
    ("m.room.power_levels", "kick", 1, LATEST),
    ("m.room.power_levels", "redact", 1, LATEST),
    ("m.room.power_levels", "state_default", 1, LATEST),
    ("m.room.power_levels", "users", 1, LATEST),
    ("m.room.power_levels", "users_default", 1, LATEST),
    ("m.room.redaction", "redacts", 11, LATEST),
];

/// The first version in which a create event keeps its whole content.
const WHOLE_CREATE: u8 = 11;
const LATEST: u8 = u8::MAX;

/// The redacted event in this room version.
pub fn redact(event: &Map<String, Value>, version: &RoomVersion) -> Map<String, Value> {
    let kind = text(event, "type").unwrap_or_default();
    let stays = |key: &str| TOP_LEVEL.iter().any(|(kept, last)| *kept == key && version.number() <= *last);
    let kept = event.iter().filter(|(key, _)| stays(key));
    kept.map(|(key, value)| match value {
        Value::Object(content) if key == "content" => {
            (key.clone(), redact_content(kind, content, version).into())
        }
        _ => (key.clone(), value.clone()),
    })
    .collect()
}

fn redact_content(kind: &str, content: &Map<String, Value>, version: &RoomVersion) -> Map<String, Value> {
    let number = version.number();
    if kind == "m.room.create" && number >= WHOLE_CREATE {
        return content.clone();
    }
    let stays = |key: &str| {
        CONTENT
            .iter()
            .any(|(of, kept, first, last)| *of == kind && *kept == key && (*first..=*last).contains(&number))
    };
    let kept = content.iter().filter(|(key, _)| stays(key));
    kept.filter_map(|(key, value)| match key.as_str() {
        "third_party_invite" => Some((key.clone(), only_signed(value)?)),
        _ => Some((key.clone(), value.clone())),
    })
    .collect()
}

/// Redaction keeps only `signed` of a third-party invite (rooms/v11, redactions).
fn only_signed(invite: &Value) -> Option<Value> {
    let signed = invite.as_object()?.get("signed")?;
    Some(Value::Object(Map::from_iter([("signed".to_owned(), signed.clone())])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// An event with every key that some version keeps, and more.
    fn content(kind: &str) -> Value {
        let mut content = Map::from_iter([("odd".to_owned(), json!(1)), ("body".to_owned(), json!("x"))]);
        for (_, key, _, _) in CONTENT {
            content.insert(key.to_owned(), json!(key));
        }
        content.insert("third_party_invite".into(), json!({"display_name": "x", "signed": {"token": "t"}}));
        let mut event = json!({"type": kind, "content": content, "unsigned": {}, "odd": 1, "age_ts": 1});
        for (key, _) in TOP_LEVEL.iter().filter(|(key, _)| !["type", "content"].contains(key)) {
            event[*key] = json!(key);
        }
        event
    }

    fn kept(kind: &str, version: &str) -> Vec<String> {
        let version = RoomVersion::new(version).unwrap();
        let event = redact(content(kind).as_object().unwrap(), &version);
        event["content"].as_object().unwrap().keys().cloned().collect()
    }

    /// SS-REDACT-002 to 006, 008 to 014.
    #[test]
    fn redaction_keeps_the_content_keys_of_the_version() {
        let levels =
            ["ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"];
        let levels_11 = [
            "ban",
            "events",
            "events_default",
            "invite",
            "kick",
            "redact",
            "state_default",
            "users",
            "users_default",
        ];
        let table: [(&str, &str, &[&str]); 17] = [
            ("m.room.aliases", "5", &["aliases"]),
            ("m.room.aliases", "6", &[]),
            ("m.room.create", "10", &["creator"]),
            ("m.room.join_rules", "7", &["join_rule"]),
            ("m.room.join_rules", "8", &["allow", "join_rule"]),
            ("m.room.member", "7", &["membership"]),
            ("m.room.member", "8", &["membership"]),
            ("m.room.member", "9", &["join_authorised_via_users_server", "membership"]),
            (
                "m.room.member",
                "11",
                &["join_authorised_via_users_server", "membership", "third_party_invite"],
            ),
            ("m.room.power_levels", "1", &levels),
            ("m.room.power_levels", "10", &levels),
            ("m.room.power_levels", "11", &levels_11),
            ("m.room.redaction", "10", &[]),
            ("m.room.redaction", "11", &["redacts"]),
            ("m.room.history_visibility", "12", &["history_visibility"]),
            ("m.room.message", "12", &[]),
            ("org.example.unknown", "1", &[]),
        ];
        for (kind, version, keys) in table {
            assert_eq!(kept(kind, version), keys, "{kind} in version {version}");
        }
        let whole = content("m.room.create")["content"].as_object().unwrap().len();
        assert_eq!(kept("m.room.create", "11").len(), whole);
    }

    /// SS-REDACT-001 and 007.
    #[test]
    fn origin_membership_and_prev_state_go_from_version_11_on() {
        let top = |version: &str| {
            redact(content("X").as_object().unwrap(), &RoomVersion::new(version).unwrap()).len()
        };
        assert_eq!([top("1"), top("10"), top("11"), top("12")], [15, 15, 12, 12]);
    }

    #[test]
    fn ruma_redacts_alike_in_every_version() {
        for id in crate::version::ALL {
            let version = RoomVersion::new(id).unwrap();
            for (kind, ..) in CONTENT.iter().chain(&[("m.room.message", "", 1, 1)]) {
                let event = content(kind);
                let theirs: ruma::CanonicalJsonObject = serde_json::from_value(event.clone()).unwrap();
                let theirs = ruma::canonical_json::redact(theirs, &version.rules().redaction, None).unwrap();
                let ours = redact(event.as_object().unwrap(), &version);
                assert_eq!(Value::Object(ours), serde_json::to_value(theirs).unwrap(), "{kind} in {id}");
            }
        }
    }
}
