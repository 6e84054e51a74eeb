//! The state events that an event lists in its auth events (server-server API, auth events selection).

use serde_json::Value;

use super::StateKey;
use crate::{Event, event::text};

/// Type and state key of the state events that may be auth events of this event. A new event lists all of them that the
/// state has.
pub fn auth_types(event: &Event) -> Vec<StateKey> {
    if event.kind() == "m.room.create" {
        return Vec::new();
    }
    let mut wanted = vec![("m.room.power_levels", ""), ("m.room.member", event.sender())];
    // From version 12 on the room id identifies the create event.
    if !event.version().is_named_by_create() {
        wanted.push(("m.room.create", ""));
    }
    if event.kind() == "m.room.member" {
        wanted.extend(event.state_key().map(|target| ("m.room.member", target)));
        let membership = event.membership().unwrap_or_default();
        if matches!(membership, "join" | "invite" | "knock") {
            wanted.push(("m.room.join_rules", ""));
        }
        let invite = event.content().get("third_party_invite");
        let token = invite.and_then(|invite| invite.get("signed")?.get("token")).and_then(Value::as_str);
        if membership == "invite" {
            wanted.extend(token.map(|token| ("m.room.third_party_invite", token)));
        }
        if membership == "join" && event.version().has_restricted_joins() {
            let authoriser = text(event.content(), "join_authorised_via_users_server");
            wanted.extend(authoriser.map(|user| ("m.room.member", user)));
        }
    }
    let mut wanted: Vec<_> =
        wanted.into_iter().map(|(kind, key)| (kind.to_owned(), key.to_owned())).collect();
    wanted.sort();
    wanted.dedup();
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// SS-PDU-025 to 031.
    #[test]
    fn the_selection_follows_type_and_version() {
        let authorised = json!({"membership": "join", "join_authorised_via_users_server": "@c:c"});
        let token = json!({"membership": "invite", "third_party_invite": {"signed": {"token": "t"}}});
        let create = "m.room.create";
        let member = "m.room.member";
        let (rules, levels) = ("m.room.join_rules", "m.room.power_levels");
        let message = [(levels, ""), (member, "@a:a")];
        let table = [
            (create, "11", None, json!({}), vec![]),
            ("m.room.message", "12", None, json!({}), message.to_vec()),
            ("m.room.message", "11", None, json!({}), [&message[..], &[(create, "")]].concat()),
            (
                member,
                "12",
                Some("@b:b"),
                json!({"membership": "ban"}),
                [&message[..], &[(member, "@b:b")]].concat(),
            ),
            (
                member,
                "12",
                Some("@a:a"),
                json!({"membership": "knock"}),
                [&message[..], &[(rules, "")]].concat(),
            ),
            (
                member,
                "12",
                Some("@b:b"),
                token,
                [&message[..], &[(member, "@b:b"), (rules, ""), ("m.room.third_party_invite", "t")]].concat(),
            ),
            (
                member,
                "8",
                Some("@a:a"),
                authorised.clone(),
                [&message[..], &[(create, ""), (member, "@c:c"), (rules, "")]].concat(),
            ),
            (member, "7", Some("@a:a"), authorised, [&message[..], &[(create, ""), (rules, "")]].concat()),
        ];
        for (kind, version, state_key, content, mut expected) in table {
            let event = json!({"type": kind, "sender": "@a:a", "state_key": state_key, "content": content});
            let event = Event::parse(&event, version).unwrap();
            expected.sort_unstable();
            let found = auth_types(&event);
            let found: Vec<_> = found.iter().map(|(kind, key)| (kind.as_str(), key.as_str())).collect();
            assert_eq!(found, expected, "{kind} {content} in version {version}");
        }
    }
}
