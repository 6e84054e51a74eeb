//! Joins, leaves, knocks and invites from the resident's and the invited server's side (server-server API, joining
//! rooms, leaving rooms, knocking upon a room, inviting to a room).

use samklang_matrix::{Event, Outcome, Receipt, RoomVersion, server_of, sign_event};
use serde_json::{Value, json};

use super::{Asked, Refusal, Reply, refuse};
use crate::peer::{Invite, Peer};

impl Peer {
    /// A template for a member event of a user of the asking server.
    pub(super) fn template(&self, asked: &Asked<'_>, room: &str, user: &str, membership: &str) -> Reply {
        if server_of(user) != Some(asked.origin.as_str()) {
            return refuse(403, "M_FORBIDDEN", format!("{user} is not a user of the asking server"));
        }
        let inner = self.inner();
        let Some(room) = inner.rooms.get(room) else {
            return refuse(404, "M_NOT_FOUND", "the room is not known");
        };
        let version = room.version().id();
        // The parameter is there for joins and knocks; without it, version 1 is meant.
        if membership != "leave" && !asked.values("ver").any(|known| known == version) {
            return refuse(400, "M_INCOMPATIBLE_ROOM_VERSION", format!("the room is of version {version}"));
        }
        let mut event = room.draft_member(user, user, membership).sign(self.key()).json;
        if let Some(event) = event.as_object_mut() {
            event.remove("hashes");
            event.remove("signatures");
        }
        Ok(json!({"room_version": version, "event": event}))
    }

    /// Takes a member event into the room, in which it has to be authorised.
    fn take_member(
        &self,
        asked: &Asked<'_>,
        room: &str,
        membership: &str,
    ) -> Result<(Value, String), Refusal> {
        let pdu = &asked.body;
        let own = pdu["sender"].as_str().and_then(server_of) == Some(asked.origin.as_str());
        if !own || pdu["sender"] != pdu["state_key"] || pdu["content"]["membership"] != membership {
            return refuse(400, "M_BAD_JSON", format!("no {membership} of a user of the sending server"));
        }
        let mut inner = self.inner();
        let ring = inner.ring.clone();
        let Some(room) = inner.rooms.get_mut(room) else {
            return refuse(404, "M_NOT_FOUND", "the room is not known");
        };
        match room.receive(pdu, &ring) {
            Ok(Receipt::Held { id, outcome: Outcome::Accepted, .. }) => Ok((pdu.clone(), id)),
            Ok(other) => refuse(403, "M_FORBIDDEN", format!("the event is not accepted: {other:?}")),
            Err(error) => refuse(400, "M_BAD_JSON", error.to_string()),
        }
    }

    pub(super) fn take_join(&self, asked: &Asked<'_>, room: &str) -> Reply {
        let (event, id) = self.take_member(asked, room, "join")?;
        let inner = self.inner();
        let answer = inner.rooms.get(room).and_then(|room| room.state_and_auth_chain(&id));
        let Some((state, auth_chain)) = answer else {
            return refuse(500, "M_UNKNOWN", "the state before the join is not known");
        };
        Ok(json!({
            "origin": self.name(), "event": event, "state": state, "auth_chain": auth_chain, "members_omitted": false,
        }))
    }

    pub(super) fn take_leave(&self, asked: &Asked<'_>, room: &str) -> Reply {
        self.take_member(asked, room, "leave").map(|_| json!({}))
    }

    pub(super) fn take_knock(&self, asked: &Asked<'_>, room: &str) -> Reply {
        self.take_member(asked, room, "knock")?;
        let inner = self.inner();
        let shown = ["m.room.create", "m.room.join_rules", "m.room.name"];
        let room = inner.rooms.get(room);
        let stripped: Vec<_> = shown
            .iter()
            .filter_map(|kind| room?.state_event(kind, ""))
            .map(|event| Value::Object(event.json().clone()))
            .collect();
        Ok(json!({ "knock_room_state": stripped }))
    }

    /// Signs an invite of one of its users, whoever that may be.
    pub(super) fn take_invite(&self, asked: &Asked<'_>, room: &str) -> Reply {
        let event = &asked.body["event"];
        let named = asked.body["room_version"].as_str().unwrap_or_default();
        let Ok(version) = RoomVersion::new(named) else {
            return refuse(400, "M_INCOMPATIBLE_ROOM_VERSION", format!("room version {named} is not known"));
        };
        let invited = event["state_key"].as_str().and_then(server_of) == Some(self.name());
        let is_invite = event["type"] == "m.room.member" && event["content"]["membership"] == "invite";
        if !invited || !is_invite || event["room_id"] != room || Event::read(event, &version).is_err() {
            return refuse(400, "M_INVALID_PARAM", "no invite of a user of this server");
        }
        let mut signed = event.clone();
        if let Some(object) = signed.as_object_mut() {
            sign_event(object, self.name(), self.key(), &version);
        }
        let room_state = asked.body["invite_room_state"].as_array().cloned().unwrap_or_default();
        let invite = Invite { room_version: named.to_owned(), event: event.clone(), room_state };
        self.inner().invites.insert(room.to_owned(), invite);
        Ok(json!({ "event": signed }))
    }
}
