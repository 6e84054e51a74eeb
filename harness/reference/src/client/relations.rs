//! Events that relate to other events (client-server API, forming relationships between events; event replacements;
//! threading).

use samklang_matrix::Event;
use serde_json::{Map, Value, json};

use super::{ClientRequest, events::Viewer, not_found, room_state::look};
use crate::{
    fault::Fault,
    homeserver::Homeserver,
    response::JsonResult,
    store::{Store, held_room::HeldRoom},
};

/// The most events of a page.
const LARGEST_PAGE: usize = 100;

/// The event that an event relates to, and the type of the relation.
fn relation(content: &Map<String, Value>) -> Option<(&str, &str)> {
    let relation = content.get("m.relates_to")?;
    Some((relation["event_id"].as_str()?, relation["rel_type"].as_str()?))
}

fn relates_by(event: &Event, kind: &str) -> bool {
    relation(event.content()).is_some_and(|(_, it)| it == kind)
}

/// The events that relate to another and that the viewer may see, the latest last.
fn related<'a>(held: &'a HeldRoom, id: &str, viewer: Viewer<'_>) -> Vec<&'a Event> {
    let is_related = |event: &&Event| relation(event.content()).is_some_and(|(target, _)| target == id);
    let is_shown = |event: &&Event| counts(held, event, viewer) && held.shows(event.id(), viewer.user);
    let mut related: Vec<_> = held.all_shown().filter(is_related).filter(is_shown).collect();
    related.sort_by_key(|event| (event.depth(), event.origin_server_ts(), event.id()));
    related
}

/// Whether an event counts for relations: it is not redacted.
fn counts(held: &HeldRoom, event: &Event, viewer: Viewer<'_>) -> bool {
    held.redaction_of(event.id()).is_none() || viewer.server.has(Fault::RedactedRelationsCount)
}

/// What clients are told with an event of the events that relate to it (aggregations of child events).
pub(super) fn bundle(
    held: &HeldRoom,
    store: &Store,
    event: &Event,
    viewer: Viewer<'_>,
) -> Map<String, Value> {
    let mut bundle = Map::new();
    let all = related(held, event.id(), viewer);
    let of_kind = |kind| all.iter().copied().filter(move |other| relates_by(other, kind));
    let replacements: Vec<_> =
        of_kind("m.replace").filter(|other| replaces(held, other, event, viewer)).collect();
    if let Some(edit) = shown_edit(&replacements, viewer)
        && let Some(shown) = held.client_event_alone(store, edit.id(), viewer)
    {
        bundle.insert("m.replace".into(), shown);
    }
    if let Some(last) = of_kind("m.thread").next_back() {
        let took_part =
            event.sender() == viewer.user || of_kind("m.thread").any(|it| it.sender() == viewer.user);
        bundle.insert(
            "m.thread".into(),
            json!({
                "latest_event": held.client_event_alone(store, last.id(), viewer),
                "count": of_kind("m.thread").count(), "current_user_participated": took_part,
            }),
        );
    }
    let references: Vec<_> = of_kind("m.reference").map(|event| json!({"event_id": event.id()})).collect();
    if !references.is_empty() {
        bundle.insert("m.reference".into(), json!({ "chunk": references }));
    }
    bundle
}

/// The edit that clients are shown: the latest.
fn shown_edit<'a>(replacements: &[&'a Event], viewer: Viewer<'_>) -> Option<&'a Event> {
    let age = |event: &&Event| (event.origin_server_ts(), event.id().to_owned());
    let replacements = replacements.iter().copied();
    if viewer.server.has(Fault::FirstEditBundled) {
        return replacements.min_by_key(age);
    }
    replacements.max_by_key(age)
}

/// Whether an event is a valid replacement of another (validity of replacement events).
fn replaces(held: &HeldRoom, other: &Event, event: &Event, viewer: Viewer<'_>) -> bool {
    event.state_key().is_none()
        && !relates_by(event, "m.replace")
        && counts(held, event, viewer)
        && other.state_key().is_none()
        && may_edit(other, event, viewer)
        && has_type_of(other, event, viewer)
        && other.content().get("m.new_content").is_some_and(Value::is_object)
}

/// Whether an edit is by the sender of the event.
fn may_edit(edit: &Event, event: &Event, viewer: Viewer<'_>) -> bool {
    edit.sender() == event.sender() || viewer.server.has(Fault::EditsByAnybody)
}

fn has_type_of(edit: &Event, event: &Event, viewer: Viewer<'_>) -> bool {
    edit.kind() == event.kind() || viewer.server.has(Fault::EditsOfAnyType)
}

/// The events that relate to another, the latest first.
pub(super) fn read_relations(
    home: &Homeserver,
    call: &ClientRequest,
    room: &str,
    id: &str,
    wanted: &[&str],
) -> JsonResult {
    let limit = call.request.value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(LARGEST_PAGE);
    look(home, room, |store, held| {
        if held.event(id).is_none_or(|_| !held.shows(id, &call.user)) {
            return not_found("the event is not known, or the user may not see it");
        }
        let is_wanted = |event: &&Event| {
            wanted.first().is_none_or(|kind| relates_by(event, kind))
                && wanted.get(1).is_none_or(|kind| event.kind() == *kind)
        };
        let viewer = call.viewer(home);
        let mut found: Vec<_> = related(held, id, viewer).into_iter().filter(is_wanted).collect();
        if call.request.value("dir") != Some("f") {
            found.reverse();
        }
        let shown = found.iter().take(LARGEST_PAGE.min(limit));
        let chunk: Vec<_> = shown.filter_map(|event| held.client_event(store, event.id(), viewer)).collect();
        Ok(json!({ "chunk": chunk }))
    })
}

/// The events with which threads begin, the thread with the latest event first.
pub(super) fn read_threads(home: &Homeserver, call: &ClientRequest, room: &str) -> JsonResult {
    look(home, room, |store, held| {
        if !held.was_member(&call.user) {
            return not_found("the room is not known, or the user is not in it");
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
        let shown = seen.filter_map(|id| held.client_event(store, id, call.viewer(home)));
        let is_wanted = |event: &Value| {
            call.request.value("include") != Some("participated")
                || event["unsigned"]["m.relations"]["m.thread"]["current_user_participated"] == true
        };
        Ok(json!({ "chunk": shown.filter(is_wanted).collect::<Vec<_>>() }))
    })
}
