//! Getting into rooms (server-server API, joining rooms, leaving rooms, knocking upon a room).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use samklang_matrix::{Room, RoomVersion, add_content_hash, sign_event};
use samklang_verdict::ExchangeId;
use serde_json::Value;

use crate::{
    peer::{Peer, now_ms},
    transport::{Answer, NoAnswer},
};

/// The room versions that peers take part in.
const VERSIONS: [&str; 10] = ["3", "4", "5", "6", "7", "8", "9", "10", "11", "12"];

/// Why a server did not let a peer do something.
#[derive(Debug, Clone)]
pub enum Obstacle {
    /// No complete answer came.
    NoAnswer(NoAnswer),
    /// The answer is a refusal.
    Refused(Answer),
    /// The answer is not what it has to be.
    Malformed {
        /// What is wrong with it.
        what: String,
        /// Where the transcript has it.
        exchange: Option<ExchangeId>,
    },
}

impl From<NoAnswer> for Obstacle {
    fn from(error: NoAnswer) -> Self {
        Self::NoAnswer(error)
    }
}

/// A membership that a server has taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The member event, signed.
    pub event: Value,
    /// The answer to it.
    pub answer: Answer,
}

/// A part of a path.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn success(answer: Answer) -> Result<Answer, Obstacle> {
    if answer.is_success() { Ok(answer) } else { Err(Obstacle::Refused(answer)) }
}

fn malformed(what: impl Into<String>, answer: &Answer) -> Obstacle {
    Obstacle::Malformed { what: what.into(), exchange: answer.exchange }
}

/// The target of a request for a template. All room versions are offered that peers know.
pub fn make_target(membership: &str, room: &str, user: &str) -> String {
    let versions: Vec<_> = VERSIONS.iter().map(|version| format!("ver={version}")).collect();
    let query = if membership == "leave" { String::new() } else { format!("?{}", versions.join("&")) };
    format!("/_matrix/federation/v1/make_{membership}/{}/{}{query}", segment(room), segment(user))
}

/// The target that a finished member event is sent to.
pub fn send_target(membership: &str, room: &str, id: &str) -> String {
    let api = if membership == "knock" { "v1" } else { "v2" };
    format!("/_matrix/federation/{api}/send_{membership}/{}/{}", segment(room), segment(id))
}

impl Peer {
    /// Asks for the template of a member event of its `user`: the answer's version and event.
    ///
    /// # Errors
    /// When the server refuses, or the answer has no version or event.
    pub async fn template_for(
        &self,
        membership: &str,
        server: &str,
        room: &str,
        user: &str,
    ) -> Result<(RoomVersion, Value), Obstacle> {
        let answer = success(self.ask("GET", server, &make_target(membership, room, user), None).await?)?;
        let body = answer.json();
        // Without it, the room is of version 1 or 2.
        let version = body["room_version"].as_str().unwrap_or("1");
        let version = RoomVersion::new(version).map_err(|error| malformed(error.to_string(), &answer))?;
        if !body["event"].is_object() {
            return Err(malformed("the template has no event", &answer));
        }
        Ok((version, body["event"].clone()))
    }

    /// Makes of a template the event to send: its own time, content hash and signature, and nothing that only a
    /// finished event has.
    pub fn finished(&self, template: &Value, version: &RoomVersion) -> Value {
        let mut event = template.clone();
        if let Some(object) = event.as_object_mut() {
            for key in ["hashes", "signatures", "unsigned", "event_id"] {
                object.remove(key);
            }
            object.insert("origin_server_ts".into(), now_ms().into());
            add_content_hash(object);
            sign_event(object, self.name(), self.key(), version);
        }
        event
    }

    /// Sends a finished member event to a resident server.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn submit(
        &self,
        membership: &str,
        server: &str,
        room: &str,
        id: &str,
        event: &Value,
    ) -> Result<Taken, Obstacle> {
        let target = send_target(membership, room, id);
        let answer = success(self.ask("PUT", server, &target, Some(event)).await?)?;
        Ok(Taken { event: event.clone(), answer })
    }

    /// Has its `user` join, leave or knock by way of the resident `server`. After a join it takes part in the room.
    ///
    /// # Errors
    /// When the server refuses a step, or its answers do not make a room.
    pub async fn change_membership(
        &self,
        membership: &str,
        server: &str,
        room: &str,
        user: &str,
    ) -> Result<Taken, Obstacle> {
        let (version, template) = self.template_for(membership, server, room, user).await?;
        let event = self.finished(&template, &version);
        let id = samklang_matrix::Event::read(&event, &version)
            .map_err(|error| Obstacle::Malformed { what: error.to_string(), exchange: None })?;
        let taken = self.submit(membership, server, room, id.id(), &event).await?;
        if membership == "join" {
            let copy = Room::empty(&version, room)
                .from_send_join(&taken.answer.json(), &event)
                .map_err(|error| malformed(error.to_string(), &taken.answer))?;
            self.hold(copy);
        }
        Ok(taken)
    }
}
