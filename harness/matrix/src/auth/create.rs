//! Create events (rooms/v11, authorization rules 1; rooms/v12, 1).

use super::Rule;
use crate::{
    Event, RoomVersion,
    names::{is_user_id, server_of},
};

pub(super) fn check(event: &Event) -> Result<(), Rule> {
    let content = event.content();
    if !event.prev_events().is_empty() {
        return Err(Rule::CreateHasPrevEvents);
    }
    if event.version().is_named_by_create() {
        if event.json().contains_key("room_id") {
            return Err(Rule::CreateHasRoomId);
        }
    } else {
        let room = event.room_id().and_then(server_of);
        if room.is_none() || room != server_of(event.sender()) {
            return Err(Rule::CreateRoomDomain);
        }
    }
    let known = |version: &serde_json::Value| version.as_str().is_some_and(|id| RoomVersion::new(id).is_ok());
    if content.get("room_version").is_some_and(|version| !known(version)) {
        return Err(Rule::CreateRoomVersion);
    }
    if event.version().number() <= 10 && !content.contains_key("creator") {
        return Err(Rule::CreateNoCreator);
    }
    let are_users = |list: &serde_json::Value| {
        list.as_array().is_some_and(|users| users.iter().all(|user| user.as_str().is_some_and(is_user_id)))
    };
    if event.version().is_named_by_create()
        && content.get("additional_creators").is_some_and(|list| !are_users(list))
    {
        return Err(Rule::CreateAdditionalCreators);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// SS-EAUTH-001 to 004, 012 to 014.
    #[test]
    fn each_rule_rejects_its_create_event() {
        let base = json!({"type": "m.room.create", "sender": "@a:a.test", "room_id": "!r:a.test", "prev_events": [],
                          "content": {"creator": "@a:a.test", "room_version": "11"}});
        let table = [
            ("/prev_events", json!(["$x"]), "11", Err(Rule::CreateHasPrevEvents)),
            ("/room_id", json!("!r:b.test"), "11", Err(Rule::CreateRoomDomain)),
            ("/room_id", json!("!r"), "11", Err(Rule::CreateRoomDomain)),
            ("/room_id", json!("!r:a.test"), "11", Ok(())),
            ("/room_id", json!("!r:a.test"), "12", Err(Rule::CreateHasRoomId)),
            ("/content/room_version", json!("nosuch"), "11", Err(Rule::CreateRoomVersion)),
            ("/content/room_version", json!(11), "11", Err(Rule::CreateRoomVersion)),
            ("/content", json!({}), "10", Err(Rule::CreateNoCreator)),
            ("/content", json!({}), "11", Ok(())),
        ];
        for (place, value, version, expected) in table {
            let mut event = base.clone();
            *event.pointer_mut(place).unwrap() = value.clone();
            let event = Event::parse(&event, version).unwrap();
            assert_eq!(check(&event), expected, "{place} = {value} in version {version}");
        }
    }

    #[test]
    fn additional_creators_are_user_ids_from_version_12_on() {
        for (list, good) in [
            (json!(["@b:b.test"]), true),
            (json!([]), true),
            (json!("@b:b.test"), false),
            (json!(["b"]), false),
            (json!([7]), false),
        ] {
            let event =
                json!({"type": "m.room.create", "sender": "@a:a", "content": {"additional_creators": list}});
            assert_eq!(check(&Event::parse(&event, "12").unwrap()).is_ok(), good, "{list}");
        }
    }
}
