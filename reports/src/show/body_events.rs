//! The contents of a body in the specification's words: PDUs, EDUs, templates, refusals.

use samklang_verdict::{Body, Exchange, Wire};
use serde_json::Value;

use super::changes::brief;
use crate::text::{head, safe_line};

/// The maximum depth of the search for events. serde_json itself stops at 128.
const MAX_DEPTH: usize = 16;
/// The maximum number of events read from one body.
const MAX_EVENTS: usize = 5000;
/// The maximum number of members shown of a body without events.
const MAX_MEMBERS: usize = 4;

/// The kind of an event in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyEventKind {
    /// A PDU between servers.
    Pdu,
    /// A template from the answer to `make_join`, `make_leave` or `make_knock`.
    Template,
    /// An EDU between servers.
    Edu,
    /// An event in the client API.
    Event,
}

impl BodyEventKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pdu => "PDU",
            Self::Template => "template",
            Self::Edu => "EDU",
            Self::Event => "event",
        }
    }
}

/// An event in a body.
pub(super) struct BodyEvent<'a> {
    pub(super) kind: BodyEventKind,
    /// The path of members to the event: `state`, `join.timeline.events`; empty if the body is the event.
    pub(super) place: String,
    pub(super) value: &'a Value,
}

impl BodyEvent<'_> {
    /// A string member of the event.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.value.get(key)?.as_str()
    }

    /// Whether the event is in a list of room state, and so is not new.
    pub(super) fn is_background(&self) -> bool {
        let last = self.place.rsplit('.').next().unwrap_or_default();
        matches!(last, "state" | "auth_chain" | "auth_events") || self.place.ends_with(".state.events")
    }
}

/// The events in a body of `exchange`.
pub(super) fn events<'a>(exchange: &Exchange, body: &'a Value) -> Vec<BodyEvent<'a>> {
    let template = ["make_join", "make_leave", "make_knock"];
    let kind = match exchange.wire {
        Wire::Client => BodyEventKind::Event,
        Wire::Federation if exchange.path_only().split('/').any(|part| template.contains(&part)) => {
            BodyEventKind::Template
        }
        Wire::Federation => BodyEventKind::Pdu,
    };
    let mut found = Vec::new();
    // The client API answers a request for the room state with a plain list.
    let place = if exchange.path_only().ends_with("/state") { "state" } else { "" };
    look(kind, place, body, 0, &mut found);
    found
}

fn look<'a>(
    kind: BodyEventKind,
    place: &str,
    value: &'a Value,
    depth: usize,
    found: &mut Vec<BodyEvent<'a>>,
) {
    if depth > MAX_DEPTH || found.len() >= MAX_EVENTS {
        return;
    }
    match value {
        Value::Array(list) => list.iter().for_each(|item| look(kind, place, item, depth + 1, found)),
        Value::Object(members) => {
            let is_text = |key: &str| members.get(key).is_some_and(Value::is_string);
            let is_event = is_text("type") && members.contains_key("content");
            if is_text("edu_type") {
                found.push(BodyEvent { kind: BodyEventKind::Edu, place: place.to_owned(), value });
            } else if is_event && (kind != BodyEventKind::Event || is_text("sender")) {
                found.push(BodyEvent { kind, place: place.to_owned(), value });
            } else {
                for (key, value) in members {
                    // A room or user id in the path repeats what the event itself says.
                    let place = match (key.starts_with(['!', '@', '$']), place.is_empty()) {
                        (true, _) => place.to_owned(),
                        (false, true) => head(key, 40).to_owned(),
                        (false, false) => format!("{place}.{}", head(key, 40)),
                    };
                    look(kind, &place, value, depth + 1, found);
                }
            }
        }
        _ => {}
    }
}

/// An event's type and its identifying members; the caller adds its id.
pub(super) fn describe(found: &BodyEvent<'_>) -> String {
    if found.kind == BodyEventKind::Edu {
        let kind = found.text("edu_type").map(|kind| short(kind, 60)).unwrap_or_default();
        let content = found.value.get("content").map(leaves).unwrap_or_default();
        return format!("EDU {kind}  {content}");
    }
    let mut words = vec![found.kind.name().to_owned(), short(found.text("type").unwrap_or_default(), 60)];
    let content = |key: &str| found.value.get("content")?.get(key);
    let mut word = |name: &str, value: Option<&Value>| {
        words.extend(value.map(|value| match value.as_str().filter(|text| !text.is_empty()) {
            Some(text) => format!("{name}={}", short(text, 64)),
            None => format!("{name}={}", brief(value)),
        }));
    };
    word("membership", content("membership").filter(|_| found.text("type") == Some("m.room.member")));
    word("sender", found.value.get("sender"));
    word("state_key", found.value.get("state_key"));
    word("redacts", found.value.get("redacts").or(content("redacts")));
    word("rel_type", content("m.relates_to").and_then(|relation| relation.get("rel_type")));
    let body = content("body").and_then(Value::as_str);
    words.extend(body.map(|body| format!("{:?}", short(body, 40))));
    if body.is_none() && content("membership").is_none() {
        words.extend(found.value.get("content").map(brief));
    }
    words.join(" ")
}

/// The contents of a body without events: refusals first, then its first members. One line each.
pub(super) fn other_contents(
    exchange: &Exchange,
    body: &Value,
    has_events: bool,
    is_answer: bool,
) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(errcode) = body.get("errcode").and_then(Value::as_str) {
        let error = body.get("error").and_then(Value::as_str).unwrap_or_default();
        return vec![format!("{}: {}", short(errcode, 80), short(error, 300)).trim_end_matches(": ").into()];
    }
    if let Some(ids) = is_answer.then(|| body.get("pdus")?.as_object()).flatten() {
        // The answer to a transaction has a result for each PDU.
        for (id, fate) in ids.iter().take(MAX_EVENTS) {
            let error =
                fate.get("error").map(|error| error.as_str().map_or_else(|| brief(error), Into::into));
            lines.extend(error.map(|error: String| format!("{}: {}", short(id, 64), short(&error, 300))));
        }
        return lines;
    }
    let lists = ["pdu_ids", "auth_chain_ids", "auth_event_ids"];
    for key in lists {
        if let Some(ids) = body.get(key).and_then(Value::as_array) {
            lines.push(format!("{key}: {}", ids.len()));
        }
    }
    if let Some(version) = body.get("room_version").filter(|_| exchange.wire == Wire::Federation) {
        lines.push(format!("room_version={}", brief(version)));
    } else if !has_events && lines.is_empty() {
        lines.extend(Some(leaves(body)).filter(|leaves| !leaves.is_empty()));
    }
    lines
}

/// The description of a body that is not JSON.
pub(super) fn without_json(body: &Body) -> Option<(u64, String)> {
    match body {
        Body::Empty => None,
        Body::Text { text } => Some((text.len() as u64, short(text, 60))),
        Body::Bytes { length, .. } => Some((*length, String::new())),
    }
}

/// The first members with a plain value, and the path to each.
fn leaves(value: &Value) -> String {
    let mut found = Vec::new();
    collect("", value, 0, &mut found);
    found.join(" ")
}

fn collect(path: &str, value: &Value, depth: usize, found: &mut Vec<String>) {
    if found.len() >= MAX_MEMBERS || depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{}{dot}{}", head(path, 100), head(key, 100));
                collect(&path, value, depth + 1, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|item| collect(path, item, depth + 1, found)),
        value => {
            let value = value.as_str().map_or_else(|| brief(value), |text| short(text, 64));
            found.push(format!("{}={value}", short(path, 100)));
        }
    }
}

/// One safe line of at most `limit` bytes, with an ellipsis if it was cut.
pub(super) fn short(text: &str, limit: usize) -> String {
    let begun = head(text, limit);
    format!("{}{}", safe_line(begun), if begun.len() < text.len() { "…" } else { "" })
}
