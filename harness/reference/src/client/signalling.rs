//! What users signal (client-server API, typing notifications, receipts, presence, send-to-device messaging).

use std::time::Duration;

use serde_json::{Value, json};

use super::{Call, not_found};
use crate::{
    homeserver::Homeserver,
    reply::{Refusal, Reply, refuse},
    signals::{
        presence::STATES,
        receipts::{PRIVATE, PUBLIC, Reading},
    },
};

/// How long somebody types who does not say so.
const TYPING_MS: u64 = 30_000;

impl Call<'_> {
    /// Users act for themselves.
    pub(super) fn is_of(&self, user: &str) -> Result<(), Refusal> {
        if self.user == user {
            return Ok(());
        }
        refuse(403, "M_FORBIDDEN", format!("{} is not {user}", self.user))
    }
}

impl Homeserver {
    /// That the user is in the room.
    pub(super) fn is_inside(&self, call: &Call<'_>, room: &str) -> Result<(), Refusal> {
        if self.known().rooms.get(room).is_some_and(|held| held.membership(&call.user) == "join") {
            return Ok(());
        }
        refuse(403, "M_FORBIDDEN", format!("{} is not in the room", call.user))
    }

    pub(super) fn set_typing(&self, call: &Call<'_>, room: &str, user: &str) -> Reply {
        call.is_of(user)?;
        self.is_inside(call, room)?;
        let lasting = call.body()["timeout"].as_u64().unwrap_or(TYPING_MS);
        let on = call.body()["typing"] == true;
        self.types(room, user, on.then(|| Duration::from_millis(lasting)));
        Ok(json!({}))
    }

    pub(super) fn set_receipt(&self, call: &Call<'_>, room: &str, kind: &str, event: &str) -> Reply {
        self.is_inside(call, room)?;
        let thread = &call.body()["thread_id"];
        if !thread.is_null() && thread.as_str().is_none_or(str::is_empty) {
            return refuse(400, "M_INVALID_PARAM", "thread_id names no thread");
        }
        match kind {
            PUBLIC | PRIVATE => {
                let thread = thread.as_str().map(str::to_owned);
                self.reads(room, Reading { user: call.user.clone(), kind: kind.to_owned(), thread }, event);
            }
            "m.fully_read" => self.mark_fully_read(call, room, event),
            _ => return refuse(400, "M_INVALID_PARAM", "no such kind of receipt"),
        }
        Ok(json!({}))
    }

    pub(super) fn set_read_markers(&self, call: &Call<'_>, room: &str) -> Reply {
        self.is_inside(call, room)?;
        for kind in [PUBLIC, PRIVATE] {
            if let Some(event) = call.body()[kind].as_str() {
                self.reads(
                    room,
                    Reading { user: call.user.clone(), kind: kind.to_owned(), thread: None },
                    event,
                );
            }
        }
        if let Some(event) = call.body()["m.fully_read"].as_str() {
            self.mark_fully_read(call, room, event);
        }
        Ok(json!({}))
    }

    fn mark_fully_read(&self, call: &Call<'_>, room: &str, event: &str) {
        self.set_account_data(&call.user, Some(room), "m.fully_read", json!({ "event_id": event }));
    }

    pub(super) fn set_presence(&self, call: &Call<'_>, user: &str) -> Reply {
        call.is_of(user)?;
        let state = call.text("presence")?;
        if !STATES.contains(&state) {
            return refuse(400, "M_INVALID_PARAM", format!("there is no presence {state}"));
        }
        self.appears(user, state, call.body()["status_msg"].as_str());
        Ok(json!({}))
    }

    pub(super) fn presence_of(&self, call: &Call<'_>, user: &str) -> Reply {
        let known = self.known();
        if !known.share_a_room(&call.user, user) {
            return refuse(403, "M_FORBIDDEN", "one shares no room with the user");
        }
        known.presences.get(user).map_or_else(|| not_found("no presence is known"), |it| Ok(it.content()))
    }

    pub(super) fn send_notes(&self, call: &Call<'_>, kind: &str, transaction: &str) -> Reply {
        let key = (format!("sendToDevice {kind}"), transaction.to_owned());
        let is_new = {
            let mut known = self.known();
            let device = known.users.device_mut(&call.user, &call.device);
            device.is_some_and(|device| device.sent.insert(key, String::new()).is_none())
        };
        let Some(messages) = call.body()["messages"].as_object() else {
            return refuse(400, "M_BAD_JSON", "messages is no object");
        };
        if is_new {
            self.send_to_devices(&call.user, kind, messages);
        }
        Ok(json!({}))
    }

    /// Keeps something for a user, of a room or of all (client-server API, client config).
    pub(super) fn set_account_data(&self, user: &str, room: Option<&str>, kind: &str, content: Value) {
        let mut known = self.known();
        let position = known.next_position();
        if let Some(account) = known.users.account(user) {
            let place = (room.unwrap_or_default().to_owned(), kind.to_owned());
            account.data.insert(place, (content, position));
        }
        drop(known);
        self.announce();
    }

    pub(super) fn account_data(&self, call: &Call<'_>, user: &str, room: Option<&str>, kind: &str) -> Reply {
        call.is_of(user)?;
        if call.asked.method == "PUT" {
            self.set_account_data(user, room, kind, call.body().clone());
            return Ok(json!({}));
        }
        let known = self.known();
        let place = (room.unwrap_or_default().to_owned(), kind.to_owned());
        let held = known.users.accounts.get(user).and_then(|account| account.data.get(&place));
        held.map_or_else(|| not_found("nothing is kept under this type"), |(content, _)| Ok(content.clone()))
    }
}
