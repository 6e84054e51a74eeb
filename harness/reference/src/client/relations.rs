//! Events that are about others (client-server API, forming relationships between events; event replacements;
//! threading).

use samklang_matrix::Event;
use serde_json::{Map, Value, json};

use super::{Call, not_found, shown::Eye};
use crate::{
    fault::Fault,
    held_room::HeldRoom,
    homeserver::{Homeserver, Known},
    reply::Reply,
};

/// The most events of a page.
const LARGEST_PAGE: usize = 100;

/// An event's relation to another: the other's id and the relation's type.
fn relation(content: &Map<String, Value>) -> Option<(&str, &str)> {
    let relation = content.get("m.relates_to")?;
    Some((relation["event_id"].as_str()?, relation["rel_type"].as_str()?))
}

impl HeldRoom {
    /// The events about another that a user may see, the latest last. What was redacted is about nothing any more.
    fn about(&self, known: &Known, id: &str, user: &str) -> Vec<&Event> {
        let is_about = |event: &&Event| relation(event.content()).is_some_and(|(target, _)| target == id);
        let is_shown = |event: &&Event| {
            let is_whole =
                self.redaction_of(event.id()).is_none() || known.has(Fault::RedactedRelationsCount);
            is_whole && self.shows(event.id(), user)
        };
        let mut about: Vec<_> = self.all_shown().filter(is_about).filter(is_shown).collect();
        about.sort_by_key(|event| (event.depth(), event.origin_server_ts(), event.id()));
        about
    }

    /// What clients are told with an event of those about it (aggregations of child events).
    pub(super) fn bundle(&self, known: &Known, event: &Event, eye: Eye<'_>) -> Map<String, Value> {
        let mut bundle = Map::new();
        let all = self.about(known, event.id(), eye.user);
        let of_kind = |kind| all.iter().filter(move |other| is_of(other, kind));
        let replacements = of_kind("m.replace").filter(|other| self.replaces(known, other, event));
        let latest = if known.has(Fault::FirstEditBundled) {
            replacements.min_by_key(|other| (other.origin_server_ts(), other.id()))
        } else {
            replacements.max_by_key(|other| (other.origin_server_ts(), other.id()))
        };
        if let Some(latest) = latest
            && let Some(shown) = self.client_event_alone(known, latest.id(), eye)
        {
            bundle.insert("m.replace".into(), shown);
        }
        if let Some(last) = of_kind("m.thread").next_back() {
            let took_part =
                event.sender() == eye.user || of_kind("m.thread").any(|it| it.sender() == eye.user);
            bundle.insert(
                "m.thread".into(),
                json!({
                    "latest_event": self.client_event_alone(known, last.id(), eye),
                    "count": of_kind("m.thread").count(), "current_user_participated": took_part,
                }),
            );
        }
        let references: Vec<_> =
            of_kind("m.reference").map(|event| json!({"event_id": event.id()})).collect();
        if !references.is_empty() {
            bundle.insert("m.reference".into(), json!({ "chunk": references }));
        }
        bundle
    }

    /// Whether an event is a valid replacement of another (validity of replacement events).
    fn replaces(&self, known: &Known, other: &Event, event: &Event) -> bool {
        let is_whole = self.redaction_of(event.id()).is_none() || known.has(Fault::RedactedRelationsCount);
        let is_replaceable = event.state_key().is_none() && !is_of(event, "m.replace") && is_whole;
        is_replaceable
            && other.state_key().is_none()
            && (other.sender() == event.sender() || known.has(Fault::EditsByAnybody))
            && (other.kind() == event.kind() || known.has(Fault::EditsOfAnyType))
            && other.content().get("m.new_content").is_some_and(Value::is_object)
    }
}

fn is_of(event: &Event, kind: &str) -> bool {
    relation(event.content()).is_some_and(|(_, it)| it == kind)
}

impl Homeserver {
    /// The events about another, the latest first.
    pub(super) fn read_relations(&self, call: &Call<'_>, room: &str, id: &str, wanted: &[&str]) -> Reply {
        let limit = call.asked.value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(LARGEST_PAGE);
        self.look(room, |known, held| {
            if held.event(id).is_none_or(|_| !held.shows(id, &call.user)) {
                return not_found("the event is not known, or one may not see it");
            }
            let is_wanted = |event: &&Event| {
                wanted.first().is_none_or(|kind| is_of(event, kind))
                    && wanted.get(1).is_none_or(|kind| event.kind() == *kind)
            };
            let mut found: Vec<_> = held.about(known, id, &call.user).into_iter().filter(is_wanted).collect();
            if call.asked.value("dir") != Some("f") {
                found.reverse();
            }
            let shown = found.iter().take(LARGEST_PAGE.min(limit));
            let chunk: Vec<_> =
                shown.filter_map(|event| held.client_event(known, event.id(), call.eye())).collect();
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
                if let Some((root, "m.thread")) = relation(event.content())
                    && held.redaction_of(event.id()).is_none()
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
