//! Events that are about others (client-server API, forming relationships between events; event replacements;
//! threading).

use samklang_matrix::Event;
use serde_json::{Map, Value, json};

use super::{Call, not_found, shown::Eye};
use crate::{
    held_room::HeldRoom,
    homeserver::{Homeserver, Known},
    reply::Reply,
};

/// The most events of a page.
const LARGEST_PAGE: usize = 100;

/// An event's relation to another: the other's id and the relation's type.
fn relation(content: &Value) -> Option<(&str, &str)> {
    let relation = &content["m.relates_to"];
    Some((relation["event_id"].as_str()?, relation["rel_type"].as_str()?))
}

impl HeldRoom {
    /// The events about another that a user may see, the latest last. What was redacted is about nothing any more.
    fn about<'a>(&'a self, id: &'a str, user: &'a str) -> impl Iterator<Item = (&'a Event, Value)> {
        self.whole_history().into_iter().filter_map(move |event| {
            let content = self.pdu(event.id())?["content"].clone();
            (relation(&content)?.0 == id && self.shows(event.id(), user)).then_some((event, content))
        })
    }

    /// What clients are told with an event of those about it (aggregations of child events).
    pub(super) fn bundle(&self, known: &Known, event: &Event, eye: Eye<'_>) -> Map<String, Value> {
        let mut bundle = Map::new();
        let is_of = |content: &Value, kind: &str| relation(content).is_some_and(|(_, it)| it == kind);
        let all: Vec<_> = self.about(event.id(), eye.user).collect();
        let replaces = |(other, content): &&(&Event, Value)| {
            is_of(content, "m.replace")
                && other.sender() == event.sender()
                && other.kind() == event.kind()
                && other.state_key().is_none()
                && content["m.new_content"].is_object()
        };
        let is_replaceable = event.state_key().is_none()
            && !is_of(&Value::Object(event.content().clone()), "m.replace")
            && self.redaction_of(event.id()).is_none();
        let latest =
            all.iter().filter(replaces).max_by_key(|(other, _)| (other.origin_server_ts(), other.id()));
        if let Some((latest, _)) = latest.filter(|_| is_replaceable)
            && let Some(shown) = self.client_event_alone(known, latest.id(), eye)
        {
            bundle.insert("m.replace".into(), shown);
        }
        let thread: Vec<_> = all.iter().filter(|(_, content)| is_of(content, "m.thread")).collect();
        if let Some((last, _)) = thread.last() {
            let took_part =
                event.sender() == eye.user || thread.iter().any(|(it, _)| it.sender() == eye.user);
            bundle.insert(
                "m.thread".into(),
                json!({
                    "latest_event": self.client_event_alone(known, last.id(), eye), "count": thread.len(),
                    "current_user_participated": took_part,
                }),
            );
        }
        let references: Vec<_> = all.iter().filter(|(_, content)| is_of(content, "m.reference")).collect();
        if !references.is_empty() {
            let chunk: Vec<_> = references.iter().map(|(event, _)| json!({"event_id": event.id()})).collect();
            bundle.insert("m.reference".into(), json!({ "chunk": chunk }));
        }
        bundle
    }
}

impl Homeserver {
    /// The events about another, the latest first.
    pub(super) fn read_relations(&self, call: &Call<'_>, room: &str, id: &str, wanted: &[&str]) -> Reply {
        let limit = call.asked.value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(LARGEST_PAGE);
        self.look(room, |known, held| {
            if held.event(id).is_none_or(|_| !held.shows(id, &call.user)) {
                return not_found("the event is not known, or one may not see it");
            }
            let is_wanted = |(event, content): &(&Event, Value)| {
                wanted.first().is_none_or(|kind| relation(content).is_some_and(|(_, it)| it == *kind))
                    && wanted.get(1).is_none_or(|kind| event.kind() == *kind)
            };
            let mut found: Vec<_> = held.about(id, &call.user).filter(is_wanted).collect();
            if call.asked.value("dir") != Some("f") {
                found.reverse();
            }
            let shown = found.iter().take(LARGEST_PAGE.min(limit));
            let chunk: Vec<_> =
                shown.filter_map(|(event, _)| held.client_event(known, event.id(), call.eye())).collect();
            Ok(json!({ "chunk": chunk }))
        })
    }

    /// The events that threads begin with, the one with the latest answer first.
    pub(super) fn read_threads(&self, call: &Call<'_>, room: &str) -> Reply {
        self.look(room, |known, held| {
            if !held.was_member(&call.user) {
                return not_found("the room is not known, or one is not in it");
            }
            let mut roots: Vec<String> = Vec::new();
            for event in held.whole_history().iter().rev() {
                let content = held.pdu(event.id()).map(|pdu| pdu["content"].clone()).unwrap_or_default();
                if let Some((root, "m.thread")) = relation(&content)
                    && held.shows(event.id(), &call.user)
                    && !roots.iter().any(|known| known == root)
                {
                    roots.push(root.to_owned());
                }
            }
            let seen = roots.iter().filter(|id| held.event(id).is_some() && held.shows(id, &call.user));
            let shown = seen.filter_map(|id| held.client_event(known, id, call.eye()));
            let is_wanted = |event: &Value| {
                call.asked.value("include") != Some("participated")
                    || event["unsigned"]["m.relations"]["m.thread"]["current_user_participated"] == true
            };
            Ok(json!({ "chunk": shown.filter(is_wanted).collect::<Vec<_>>() }))
        })
    }
}
