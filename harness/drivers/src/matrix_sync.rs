//! The entries of a sync response, in the order in which they happened (client-server API, syncing).

use samklang_verdict::ExchangeId;
use serde_json::Value;

use super::{SyncEntry, SyncSection};

/// Reads every event from a sync response. A part of another shape is skipped: the scenario then misses its events, and
/// the exchange shows why.
pub(super) fn happenings(answer: &Value, exchange: ExchangeId) -> Vec<SyncEntry> {
    const SECTIONS: [(&str, &str, SyncSection); 8] = [
        ("invite", "invite_state", SyncSection::Invite),
        ("knock", "knock_state", SyncSection::Knock),
        ("join", "state", SyncSection::State),
        ("join", "timeline", SyncSection::Timeline),
        ("join", "ephemeral", SyncSection::Ephemeral),
        ("leave", "state", SyncSection::State),
        ("leave", "timeline", SyncSection::Timeline),
        ("leave", "ephemeral", SyncSection::Ephemeral),
    ];
    let mut found = Vec::new();
    for (membership, list, place) in SECTIONS {
        let Some(rooms) = answer["rooms"][membership].as_object() else { continue };
        for (room, content) in rooms {
            for event in content[list]["events"].as_array().into_iter().flatten() {
                found.push(SyncEntry { place, room: Some(room.clone()), event: event.clone(), exchange });
            }
        }
    }
    for event in answer["presence"]["events"].as_array().into_iter().flatten() {
        found.push(SyncEntry { place: SyncSection::Presence, room: None, event: event.clone(), exchange });
    }
    for event in answer["to_device"]["events"].as_array().into_iter().flatten() {
        found.push(SyncEntry { place: SyncSection::ToDevice, room: None, event: event.clone(), exchange });
    }
    let lists = &answer["device_lists"];
    let some = |key: &str| lists[key].as_array().is_some_and(|users| !users.is_empty());
    if some("changed") || some("left") {
        found.push(SyncEntry { place: SyncSection::DeviceLists, room: None, event: lists.clone(), exchange });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_part_of_a_response_gives_entries_of_its_section() {
        let events = |name: &str| json!({"events": [{"type": name}]});
        let answer = json!({
            "rooms": {
                "join": {"!j": {"timeline": events("t"), "state": events("s"), "ephemeral": events("e")}},
                "invite": {"!i": {"invite_state": events("i")}},
                "leave": {"!l": {"timeline": events("l")}},
                "knock": {"!k": {"knock_state": events("k")}},
            },
            "presence": events("p"),
            "to_device": events("d"),
            "device_lists": {"changed": ["@a:a.test"], "left": [], "type": "c"},
        });
        let found: Vec<_> = happenings(&answer, ExchangeId(7))
            .into_iter()
            .map(|h| (h.place, h.room.unwrap_or_default(), h.event["type"].as_str().unwrap().to_owned()))
            .collect();
        let expected = [
            (SyncSection::Invite, "!i", "i"),
            (SyncSection::Knock, "!k", "k"),
            (SyncSection::State, "!j", "s"),
            (SyncSection::Timeline, "!j", "t"),
            (SyncSection::Ephemeral, "!j", "e"),
            (SyncSection::Timeline, "!l", "l"),
            (SyncSection::Presence, "", "p"),
            (SyncSection::ToDevice, "", "d"),
            (SyncSection::DeviceLists, "", "c"),
        ];
        assert_eq!(found, expected.map(|(place, room, kind)| (place, room.to_owned(), kind.to_owned())));
    }

    #[test]
    fn a_response_of_another_shape_gives_no_entries() {
        for answer in [json!([]), json!({"rooms": {"join": {"!j": {"timeline": {"events": 7}}}}}), json!("x")]
        {
            assert!(happenings(&answer, ExchangeId(1)).is_empty(), "{answer}");
        }
    }
}
