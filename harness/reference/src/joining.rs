//! Getting into rooms and out of them by way of another server (server-server API, joining rooms, leaving rooms,
//! knocking upon a room).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use samklang_matrix::{
    Event, EventOutcome, RoomFault, RoomVersion, Verified, add_content_hash, sign_event, verify_event,
};
use samklang_verdict::ExchangeId;
use serde_json::{Value, json};

use crate::{
    fault::Fault,
    held_room::HeldRoom,
    homeserver::{Departure, Homeserver, Knock, now_ms},
    transport::{Answer, NoAnswer},
};

/// The room versions that homeservers here take part in.
pub(crate) const VERSIONS: [&str; 10] = ["3", "4", "5", "6", "7", "8", "9", "10", "11", "12"];

/// Why a server did not let another do something.
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

pub(crate) fn success(answer: Answer) -> Result<Answer, Obstacle> {
    if answer.is_success() { Ok(answer) } else { Err(Obstacle::Refused(answer)) }
}

pub(crate) fn malformed(what: impl Into<String>, answer: &Answer) -> Obstacle {
    Obstacle::Malformed { what: what.into(), exchange: answer.exchange }
}

/// The target of a request for a template. All room versions are offered that are known.
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

impl Homeserver {
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
        let mut target = make_target(membership, room, user);
        if self.has(Fault::JoinOffersNoVersions) {
            target.truncate(target.find('?').unwrap_or(target.len()));
        }
        let answer = success(self.ask("GET", server, &target, None).await?)?;
        let body = answer.json();
        // Without it, the room is of version 1 or 2.
        let version = body["room_version"].as_str().unwrap_or("1");
        let careless = self.has(Fault::TemplateVersionUnchecked) && !VERSIONS.contains(&version);
        let version = if careless { "11" } else { version };
        let version = RoomVersion::new(version).map_err(|error| malformed(error.to_string(), &answer))?;
        let event = &body["event"];
        if !event.is_object() {
            return Err(malformed("the template has no event", &answer));
        }
        // What another server drafts is signed only when it is what was asked for.
        let asked_for = (event["type"] == "m.room.member" || self.has(Fault::TemplateTypeUnchecked))
            && (event["content"]["membership"] == membership || self.has(Fault::TemplateMembershipUnchecked))
            && (event["sender"] == user || self.has(Fault::TemplateSenderUnchecked))
            && (event["state_key"] == user || self.has(Fault::TemplateTargetUnchecked))
            && (event["room_id"] == room || self.has(Fault::TemplateRoomUnchecked));
        if self.is_live() && !asked_for {
            return Err(malformed(
                format!("the template is not for a {membership} of {user} in {room}"),
                &answer,
            ));
        }
        Ok((version, event.clone()))
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
        let mut target = send_target(membership, room, id);
        if self.has(Fault::JoinByFirstVersion) {
            target = target.replacen("/v2/", "/v1/", 1);
        }
        let mut answer = success(self.ask("PUT", server, &target, Some(event)).await?)?;
        if self.has(Fault::JoinByFirstVersion) && membership != "knock" {
            answer.body = answer.json()[1].to_string().into();
        }
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
        self.change_membership_with(membership, server, room, user, &json!({})).await
    }

    /// As [`Homeserver::change_membership`], with more in the member event's content, such as the user's profile.
    pub(crate) async fn change_membership_with(
        &self,
        membership: &str,
        server: &str,
        room: &str,
        user: &str,
        more: &Value,
    ) -> Result<Taken, Obstacle> {
        let (version, mut template) = self.template_for(membership, server, room, user).await?;
        if self.is_live() && !self.has(Fault::TemplateMembershipUnchecked) {
            template["content"] = own_content(&template["content"], membership, more);
        }
        let event = self.finished(&template, &version);
        let id = Event::read(&event, &version)
            .map_err(|error| Obstacle::Malformed { what: error.to_string(), exchange: None })?;
        let taken = self.submit(membership, server, room, id.id(), &event).await?;
        match membership {
            "join" => self.enter(room, &version, &taken).await?,
            "knock" => self.remember_knock(room, user, server, &version, &taken).await,
            _ => self.depart(room, user, &taken.event),
        }
        Ok(taken)
    }

    /// Takes part in a room that a resident server let a user into.
    async fn enter(&self, room: &str, version: &RoomVersion, taken: &Taken) -> Result<(), Obstacle> {
        let answer = taken.answer.json();
        let wrong = |what: String| malformed(what, &taken.answer);
        // The resident may have had to sign the join as well.
        let signed = &answer["event"];
        let id = |pdu: &Value| Event::read(pdu, version).map(|event| event.id().to_owned()).ok();
        let join = if id(signed).is_some() && id(signed) == id(&taken.event) { signed } else { &taken.event };
        if !self.is_live() {
            let copy = self.empty_room(version, room).from_send_join(&answer, join);
            let copy = copy.map_err(|error| wrong(error.to_string()))?;
            self.known().rooms.insert(room.to_owned(), HeldRoom::new(copy));
            return Ok(());
        }
        let lists = self.verified_lists(room, version, &answer).await;
        let all = ["auth_chain", "state"].into_iter().filter_map(|list| lists[list].as_array()).flatten();
        let is_root = |pdu: &Value| {
            pdu["type"] == "m.room.create"
                && pdu["content"]["room_version"].as_str().unwrap_or("1") == version.id()
        };
        if !all.into_iter().any(is_root) && !self.has(Fault::JoinAnswerRootless) {
            return Err(wrong("the answer has no create event of the room's version".into()));
        }
        let careless = self.has(Fault::JoinAnswerUnauthorised) || self.has(Fault::JoinAnswerRootless);
        let empty = match careless {
            true => self.empty_room(version, room).with_fault(Some(RoomFault::RejectedChangesState)),
            false => self.empty_room(version, room),
        };
        let copy = empty.from_send_join(&lists, join).map_err(|error| wrong(error.to_string()))?;
        let accepted = id(join).and_then(|id| copy.outcome(&id).cloned()) == Some(EventOutcome::Accepted);
        if !accepted && !self.has(Fault::JoinAnswerRootless) {
            return Err(wrong("the state in the answer does not authorise the join".into()));
        }
        let mut known = self.known();
        let held = match known.rooms.remove(room) {
            Some(earlier) => earlier.entered_again(copy),
            None => HeldRoom::new(copy),
        };
        known.rooms.insert(room.to_owned(), held);
        drop(known);
        self.publish(room);
        Ok(())
    }

    /// The lists of a `send_join` answer without what does not hold (server-server API, joining rooms; checks performed
    /// on receipt of a PDU).
    async fn verified_lists(&self, room: &str, version: &RoomVersion, answer: &Value) -> Value {
        let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
        let (chain, state) = (list("auth_chain"), list("state"));
        if self.has(Fault::JoinAnswerUnverified) {
            return json!({"auth_chain": chain, "state": state});
        }
        self.learn_signers(version, chain.iter().chain(&state)).await;
        let known = self.known();
        let holds = |pdu: Value| {
            let fits = |event: &Event| event.room_id() == Some(room) || self.has(Fault::RoomsMixed);
            let event = Event::read(&pdu, version).ok().filter(fits)?;
            match verify_event(&event, &known.ring).ok()? {
                Verified::All => Some(pdu),
                Verified::ContentHashMismatch => Some(Value::Object(event.redacted().json().clone())),
            }
        };
        let holding = |list: Vec<Value>| list.into_iter().filter_map(holds).collect::<Vec<_>>();
        json!({"auth_chain": holding(chain), "state": holding(state)})
    }

    /// Keeps what a knock was answered with, as far as it holds (server-server API, knocking upon a room).
    async fn remember_knock(
        &self,
        room: &str,
        user: &str,
        server: &str,
        version: &RoomVersion,
        taken: &Taken,
    ) {
        let shown = taken.answer.json()["knock_room_state"].as_array().cloned().unwrap_or_default();
        self.learn_signers(version, &shown).await;
        let mut known = self.known();
        let holds = |pdu: &Value| {
            Event::read(pdu, version).is_ok_and(|event| verify_event(&event, &known.ring).is_ok())
        };
        let room_state = shown.into_iter().filter(|pdu| !self.is_live() || holds(pdu)).collect();
        let position = known.next_position();
        let knock = Knock { event: taken.event.clone(), room_state, via: server.to_owned(), position };
        known.knocks.insert((room.to_owned(), user.to_owned()), knock);
        drop(known);
        self.announce();
    }

    /// Notes that a user has left a room of which this server holds no copy.
    pub(crate) fn depart(&self, room: &str, user: &str, event: &Value) {
        if self.has(Fault::InviteNotWithdrawn) {
            return;
        }
        let mut known = self.known();
        let place = (room.to_owned(), user.to_owned());
        known.invites.remove(&place);
        known.knocks.remove(&place);
        let position = known.next_position();
        known.departures.insert(place, Departure { event: event.clone(), position });
        drop(known);
        self.announce();
    }
}

/// The content of a member event that this server vouches for: of a template's only what a join needs.
fn own_content(template: &Value, membership: &str, more: &Value) -> Value {
    let mut content = json!({ "membership": membership });
    let authoriser = &template["join_authorised_via_users_server"];
    if authoriser.is_string() {
        content["join_authorised_via_users_server"] = authoriser.clone();
    }
    for (key, value) in more.as_object().into_iter().flatten() {
        content[key] = value.clone();
    }
    content
}
