//! The response to `send_join` (server-server API, joining rooms).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{Event, EventError};

/// An event of the response with an auth event that the response does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuthGap {
    /// The event.
    pub event: String,
    /// The auth event that is in neither `state` nor `auth_chain`.
    pub missing: String,
}

/// The events of the auth chains that a response to `send_join` does not hold. `auth_chain` and `state` together have to
/// hold the whole auth chain of every event in the response.
///
/// # Errors
/// If an event of the response is not valid in this room version.
pub fn auth_gaps(answer: &Value, room_version: &str) -> Result<Vec<AuthGap>, EventError> {
    let lists = [&answer["state"], &answer["auth_chain"]];
    let events = lists
        .into_iter()
        .filter_map(Value::as_array)
        .flatten()
        .map(|json| Event::parse(json, room_version))
        .collect::<Result<Vec<_>, _>>()?;
    let held: BTreeSet<_> = events.iter().map(Event::id).collect();
    let mut gaps: Vec<_> = events
        .iter()
        .flat_map(|event| {
            let missing = event.auth_events().into_iter().filter(|id| !held.contains(id.as_str()));
            missing.map(|missing| AuthGap { event: event.id().to_owned(), missing })
        })
        .collect();
    gaps.sort();
    gaps.dedup();
    Ok(gaps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_gap_in_the_auth_chain_is_reported() {
        let event = |kind: &str, auth: Value| {
            json!({"type": kind, "room_id": "!r", "sender": "@a:a.test", "state_key": "", "content": {}, "depth": 1,
                   "hashes": {"sha256": kind}, "origin_server_ts": 1, "prev_events": [], "auth_events": auth})
        };
        let create = event("m.room.create", json!([]));
        let create_id = Event::parse(&create, "11").unwrap().id().to_owned();
        let rules = event("m.room.join_rules", json!([create_id]));
        let whole = json!({"state": [rules], "auth_chain": [create]});
        assert_eq!(auth_gaps(&whole, "11"), Ok(vec![]));
        let torn = json!({"state": [rules], "auth_chain": []});
        let gaps = auth_gaps(&torn, "11").unwrap();
        assert_eq!(gaps.iter().map(|gap| gap.missing.as_str()).collect::<Vec<_>>(), [create_id]);
    }
}
