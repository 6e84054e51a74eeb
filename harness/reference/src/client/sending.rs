//! What users send into rooms (client-server API, sending events to a room).

use serde_json::{Map, Value, json};

use super::Call;
use crate::{
    acting::Saying,
    fault::Fault,
    homeserver::Homeserver,
    reply::{Reply, refuse},
};

impl Homeserver {
    /// Sends an event once, however often the client says it under the same transaction id (client-server API,
    /// transaction identifiers).
    fn say_once(&self, call: &Call<'_>, room: &str, transaction: &str, saying: Saying<'_>) -> Reply {
        let what = format!("{} {room} {}", saying.kind, saying.redacts.unwrap_or_default());
        let key = (what, transaction.to_owned());
        let sent =
            self.known().users.device(&call.user, &call.device).and_then(|it| it.sent.get(&key)).cloned();
        let id = match sent {
            Some(id) => id,
            None => {
                let id = self.say(room, &call.user, saying)?;
                if let Some(device) = self.known().users.device_mut(&call.user, &call.device) {
                    device.sent.insert(key, id.clone());
                }
                id
            }
        };
        Ok(json!({ "event_id": id }))
    }

    pub(super) fn send_message(&self, call: &Call<'_>, room: &str, kind: &str, transaction: &str) -> Reply {
        if !call.body().is_object() {
            return refuse(400, "M_BAD_JSON", "the content is no object");
        }
        let redacts = (kind == "m.room.redaction").then(|| call.body()["redacts"].as_str()).flatten();
        let mut content = call.body().clone();
        if self.has(Fault::TextsSimplified) {
            content = without_joiners(&content);
        } else if self.has(Fault::RelationsDropped)
            && let Some(content) = content.as_object_mut()
        {
            content.remove("m.relates_to");
        } else if self.has(Fault::MessageTypesFiltered) && content["msgtype"] != "m.text" {
            return refuse(400, "M_BAD_JSON", "there are no such messages");
        } else if self.has(Fault::MessageTypesFlattened) && content["msgtype"].is_string() {
            content["msgtype"] = json!("m.text");
        } else if self.has(Fault::EventTypesFiltered) && !kind.starts_with("m.") {
            return refuse(400, "M_BAD_JSON", "there are no such events");
        } else if self.has(Fault::MessagesCut) {
            let cut = content["body"].as_str().map(|body| body.chars().take(4096).collect::<String>());
            content["body"] = json!(cut);
        }
        let saying = Saying { kind, state_key: None, content, redacts };
        self.say_once(call, room, transaction, saying)
    }

    pub(super) fn send_redaction(&self, call: &Call<'_>, room: &str, id: &str, transaction: &str) -> Reply {
        let allowed = {
            let known = self.known();
            let held = known.rooms.get(room);
            held.and_then(|held| Some((held.event(id)?.sender().to_owned(), held))).is_none_or(
                |(sender, held)| {
                    let level = held.room.level("redact").unwrap_or_default();
                    let power = held.room.power_of(&call.user);
                    sender == call.user
                        || power.is_some_and(|power| power >= samklang_matrix::Power::Level(level))
                },
            )
        };
        if !allowed && !self.has(Fault::RedactionByAnybody) {
            return refuse(403, "M_FORBIDDEN", "only who sent an event, or has the level, may redact it");
        }
        let saying =
            Saying { kind: "m.room.redaction", state_key: None, content: call.reason(), redacts: Some(id) };
        self.say_once(call, room, transaction, saying)
    }

    pub(super) async fn send_state(&self, call: &Call<'_>, room: &str, kind: &str, state_key: &str) -> Reply {
        if !call.body().is_object() {
            return refuse(400, "M_BAD_JSON", "the content is no object");
        }
        if kind == "m.room.member" {
            self.set_member_state(call, room, state_key).await?;
            let id =
                self.known().rooms.get(room).and_then(|held| {
                    held.room.state_event(kind, state_key).map(|event| event.id().to_owned())
                });
            return Ok(json!({ "event_id": id }));
        }
        let mut content: Value = call.body().clone();
        if self.has(Fault::StateTextsCut) {
            for (_, text) in content.as_object_mut().into_iter().flatten() {
                let cut = text.as_str().map(|text| text.chars().take(20).collect::<String>());
                *text = cut.map_or_else(|| text.take(), Value::String);
            }
        } else if self.has(Fault::EmptyStateIgnored) && content.as_object().is_some_and(all_empty) {
            return Ok(json!({"event_id": "$nothing"}));
        } else if self.has(Fault::LevelsRounded) && kind == "m.room.power_levels" {
            for (_, level) in content["users"].as_object_mut().into_iter().flatten() {
                *level = json!(level.as_i64().map(|level| level / 50 * 50));
            }
        }
        let id = self.say(room, &call.user, Saying::state(kind, state_key, content))?;
        Ok(json!({ "event_id": id }))
    }
}

fn all_empty(content: &Map<String, Value>) -> bool {
    content.values().all(|value| value == "")
}

/// A value whose texts have lost what joins characters to one.
fn without_joiners(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            json!(text.replace(['\u{200d}', '\u{fe0f}', '\u{301}', '\u{308}', '\u{30a}'], ""))
        }
        Value::Array(list) => list.iter().map(without_joiners).collect(),
        Value::Object(object) => {
            object.iter().map(|(key, value)| (key.clone(), without_joiners(value))).collect()
        }
        other => other.clone(),
    }
}
