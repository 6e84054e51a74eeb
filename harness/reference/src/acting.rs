//! What users of this server do in rooms.

use std::collections::BTreeSet;

use samklang_matrix::{
    Event, EventOutcome, ReceivedPdu, RoomGraph, RoomVersion, Rule, Tamper, canonical_size, server_of,
    verify_event,
};
use serde_json::{Value, json};

use crate::{
    answering::shown_to,
    client::stripped,
    fault::Fault,
    held_room::HeldRoom,
    homeserver::{Homeserver, now_ms},
    joining::{Obstacle, segment},
    reply::{Refusal, refusal, refuse},
};

/// The largest event, in bytes of canonical JSON (client-server API, size limits).
const LARGEST: usize = 65_536;

/// An event that a user wants to send.
#[derive(Debug, Clone, Default)]
pub(crate) struct Saying<'a> {
    pub(crate) kind: &'a str,
    pub(crate) state_key: Option<&'a str>,
    pub(crate) content: Value,
    /// The event that it redacts.
    pub(crate) redacts: Option<&'a str>,
}

impl<'a> Saying<'a> {
    /// A state event.
    pub(crate) fn state(kind: &'a str, state_key: &'a str, content: Value) -> Self {
        Self { kind, state_key: Some(state_key), content, redacts: None }
    }
}

fn forbidden(rule: &dyn std::fmt::Display) -> Refusal {
    refusal(403, "M_FORBIDDEN", rule.to_string())
}

pub(crate) fn broken(error: &dyn std::fmt::Display) -> Refusal {
    refusal(500, "M_UNKNOWN", error.to_string())
}

/// What a client is told when another server stood in the way.
fn told(obstacle: Obstacle) -> Refusal {
    match obstacle {
        Obstacle::NoAnswer(error) => {
            refusal(502, "M_UNKNOWN", format!("the other server did not answer: {error}"))
        }
        Obstacle::Refused(answer) => {
            let body = answer.json();
            let text = |key: &str, or: &str| body[key].as_str().unwrap_or(or).to_owned();
            let status = if answer.status >= 500 { 502 } else { answer.status };
            refusal(status, &text("errcode", "M_UNKNOWN"), text("error", "the other server refused"))
        }
        Obstacle::Malformed { what, .. } => {
            refusal(502, "M_UNKNOWN", format!("the other server's answer does not hold: {what}"))
        }
    }
}

impl Homeserver {
    /// Sends an event of a user's who is in the room; answers with its id.
    ///
    /// # Errors
    /// When the room is not known here, the rules forbid it, or it is too large.
    pub(crate) fn say(&self, room: &str, sender: &str, saying: Saying<'_>) -> Result<String, Refusal> {
        let is_outside = self.known().rooms.get(room).is_none_or(|held| held.membership(sender) != "join");
        if is_outside && !self.has(Fault::RuleSkipped(Rule::SenderNotJoined)) {
            return refuse(403, "M_FORBIDDEN", format!("{sender} is not in the room"));
        }
        self.say_unchecked(room, sender, saying)
    }

    /// Says once more, in new events, what its users said last.
    pub(crate) fn say_last_words_again(&self) {
        let last_of = |held: &HeldRoom| {
            let events = held.timeline.iter().rev().filter_map(|entry| held.event(&entry.id));
            let mut own =
                events.filter(|event| self.is_own(event.sender()) && event.kind() == "m.room.message");
            own.next()
                .map(|event| (held.room.id().to_owned(), event.sender().to_owned(), event.content().clone()))
        };
        let last: Vec<_> = self.known().rooms.values().filter_map(last_of).collect();
        for (room, sender, content) in last {
            let content = Value::Object(content);
            let saying = Saying { kind: "m.room.message", content, ..Saying::default() };
            // Whoever has left the room since then says nothing.
            let _ = self.say(&room, &sender, saying);
        }
    }

    /// As [`Homeserver::say`], for users who are not in the room yet.
    #[expect(clippy::needless_pass_by_value, reason = "what is said is made for this one act")]
    pub(crate) fn say_unchecked(
        &self,
        room: &str,
        sender: &str,
        saying: Saying<'_>,
    ) -> Result<String, Refusal> {
        let mut known = self.known();
        let restarted = known.restarted;
        let held =
            known.rooms.get_mut(room).ok_or_else(|| refusal(404, "M_NOT_FOUND", "the room is not known"))?;
        let before = held.servers();
        let (event, pdu) = self.drafted(held, sender, &saying, restarted)?;
        held.room.add(&pdu).map_err(|error| broken(&error))?;
        let target = event.membership().and(event.state_key()).and_then(server_of).map(str::to_owned);
        let told = target.filter(|_| !self.has(Fault::PdusNotToKicked));
        let before = if self.has(Fault::PdusNotToKicked) { held.servers() } else { before };
        let mut servers: BTreeSet<_> = before.into_iter().chain(held.servers()).chain(told).collect();
        if self.has(Fault::PdusSentToLeavers) {
            servers
                .extend(held.members("leave").iter().filter_map(|user| server_of(user)).map(str::to_owned));
        }
        drop(known);
        self.publish(room);
        self.send_pdu(&servers, &pdu);
        Ok(event.id().to_owned())
    }

    /// An event of a user's that the room's rules allow, signed but not held.
    fn drafted(
        &self,
        held: &HeldRoom,
        sender: &str,
        saying: &Saying<'_>,
        is_restarted: bool,
    ) -> Result<(Event, Value), Refusal> {
        let room = &held.room;
        let mut content = saying.content.clone();
        let in_content = room.version().has_redacts_in_content() != self.has(Fault::PduRedactsElsewhere);
        if let Some(target) = saying.redacts.filter(|_| in_content) {
            content["redacts"] = json!(target);
        }
        let mut draft = room.draft(saying.kind, sender).content(content).at(stamp());
        if let Some(state_key) = saying.state_key {
            draft = draft.state_key(state_key);
        }
        if let Some((kind, state_key)) = self.uncited(saying) {
            draft = draft.tampered(Tamper::before_hash(move |pdu| leave_out(pdu, room, kind, state_key)));
        } else if self.has(Fault::CreateCitedAlways) && room.version().is_named_by_create() {
            draft = draft.tampered(Tamper::before_hash(|pdu| cite_too_much(pdu, room, "m.room.create")));
        } else if self.has(Fault::HashesPadded) {
            draft = draft.tampered(Tamper::before_signing(|pdu| {
                let hash = pdu["hashes"]["sha256"].as_str().unwrap_or_default();
                pdu["hashes"]["sha256"] = json!(format!("{hash}="));
            }));
        } else if self.has(Fault::PduWithoutDepth) {
            draft = draft.tampered(Tamper::before_hash(|pdu| {
                pdu.as_object_mut().map(|pdu| pdu.remove("depth"));
            }));
        } else if self.has(Fault::PduCitesTooMuch)
            && room.state_event("m.room.history_visibility", "").is_some()
        {
            draft = draft
                .tampered(Tamper::before_hash(|pdu| cite_too_much(pdu, room, "m.room.history_visibility")));
        } else if self.has(Fault::DepthNotCounted) {
            draft = draft.tampered(Tamper::before_hash(|pdu| pdu["depth"] = json!(1)));
        } else if self.has(Fault::ForksForgotten) && is_restarted {
            draft = draft.after(latest_of(room));
        } else if self.has(Fault::PduHashWrong) {
            draft = draft.tampered(Tamper::before_signing(|pdu| pdu["hashes"]["sha256"] = json!("AAAA")));
        }
        if let Some(target) = saying.redacts.filter(|_| !in_content) {
            draft = draft.tampered(Tamper::before_hash(move |pdu| pdu["redacts"] = json!(target)));
        }
        let mut pdu = draft.sign(self.key()).json;
        if saying.content["join_authorised_via_users_server"].is_string()
            && let Some(object) = pdu.as_object_mut()
        {
            samklang_matrix::sign_event(object, self.name(), self.key(), room.version());
        }
        let too_large = canonical_size(&pdu).is_none_or(|size| size > LARGEST);
        if too_large && !self.has(Fault::PduTooLargeSent) {
            return refuse(413, "M_TOO_LARGE", format!("an event has {LARGEST} bytes at most"));
        }
        let event = Event::read(&pdu, room.version())
            .map_err(|error| refusal(400, "M_BAD_JSON", error.to_string()))?;
        if let Some(breach) = samklang_matrix::format_breaches(&pdu, room.version()).first()
            && !self.has(Fault::PduTooLargeSent)
        {
            return refuse(400, "M_BAD_JSON", format!("{breach:?}"));
        }
        room.check(&event).map_err(|error| broken(&error))?.map_err(|rule| forbidden(&rule))?;
        Ok((event, pdu))
    }

    /// The state that a mistake leaves uncited.
    fn uncited<'a>(&self, saying: &'a Saying<'_>) -> Option<(&'static str, &'a str)> {
        let is_member = saying.kind == "m.room.member";
        if self.has(Fault::CreateNotCited) {
            Some(("m.room.create", ""))
        } else if self.has(Fault::LevelsNotCited) && !is_member {
            Some(("m.room.power_levels", ""))
        } else if self.has(Fault::JoinRulesNotCited) && is_member {
            Some(("m.room.join_rules", ""))
        } else if self.has(Fault::TargetNotCited) && is_member {
            Some(("m.room.member", saying.state_key?))
        } else if self.has(Fault::AuthoriserNotCited) {
            Some(("m.room.member", saying.content["join_authorised_via_users_server"].as_str()?))
        } else {
            None
        }
    }

    /// Brings an event that came by a handshake to the other servers of the room.
    pub(crate) fn pass_on(&self, room: &str, pdu: &Value, but: &str) {
        let mut servers = self.known().rooms.get(room).map(HeldRoom::servers).unwrap_or_default();
        servers.remove(but);
        self.send_pdu(&servers, pdu);
    }

    /// Has a user join a room, here or by way of one of `via`.
    ///
    /// # Errors
    /// When the rules forbid it, or no server lets the user in.
    pub(crate) async fn join(
        &self,
        room: &str,
        user: &str,
        via: &[String],
        more: &Value,
    ) -> Result<(), Refusal> {
        // An invite that another server brought may be here before the room's other servers have passed it on.
        if self.is_in(room) && !self.is_invited_from_elsewhere(room, user) {
            let mut content = json!({ "membership": "join" });
            merge(&mut content, more);
            let authorised = {
                let known = self.known();
                known.rooms.get(room).map(|held| self.authoriser_for(&known.rooms, held, user))
            };
            match authorised {
                Some(Ok(authoriser)) => {
                    if let Some(authoriser) = authoriser {
                        content["join_authorised_via_users_server"] = json!(authoriser);
                    }
                    let saying = Saying::state("m.room.member", user, content);
                    return self.say_unchecked(room, user, saying).map(drop);
                }
                // Another server may know better, or may let in whom nobody here can.
                Some(Err(refusal)) if refusal.status == 400 && !self.others_in(room).is_empty() => {}
                Some(Err(refusal)) => return Err(refusal),
                None => {}
            }
        }
        self.get_in("join", room, user, via, more).await
    }

    /// Has a user knock on a room, here or by way of one of `via`.
    ///
    /// # Errors
    /// As for a join.
    pub(crate) async fn knock(
        &self,
        room: &str,
        user: &str,
        via: &[String],
        more: &Value,
    ) -> Result<(), Refusal> {
        if self.is_in(room) {
            let mut content = json!({ "membership": "knock" });
            merge(&mut content, more);
            return self.say_unchecked(room, user, Saying::state("m.room.member", user, content)).map(drop);
        }
        self.get_in("knock", room, user, via, more).await
    }

    /// Tries the servers by way of which a user may join or knock in turn, and tells what the last one said.
    async fn get_in(
        &self,
        membership: &str,
        room: &str,
        user: &str,
        via: &[String],
        more: &Value,
    ) -> Result<(), Refusal> {
        let mut last = refusal(404, "M_NOT_FOUND", "no server of the room is known");
        for server in self.ways_to(room, user, via) {
            match self.change_membership_with(membership, &server, room, user, more).await {
                Ok(_) => return Ok(()),
                Err(obstacle) => last = told(obstacle),
            }
        }
        Err(last)
    }

    /// Has a user leave a room, reject its invite or take back a knock.
    ///
    /// # Errors
    /// When the user has nothing to leave.
    pub(crate) async fn leave(&self, room: &str, user: &str, more: &Value) -> Result<(), Refusal> {
        let explained = json!({ "reason": "left" });
        let more = if self.has(Fault::LeavesExplained) { &explained } else { more };
        if self.is_in(room) {
            let mut content = json!({ "membership": "leave" });
            merge(&mut content, more);
            return self.say_unchecked(room, user, Saying::state("m.room.member", user, content)).map(drop);
        }
        let place = (room.to_owned(), user.to_owned());
        let (event, via) = {
            let known = self.known();
            let invite = known.invites.get(&place).map(|invite| {
                (invite.event.clone(), invite.event["sender"].as_str().and_then(server_of).map(str::to_owned))
            });
            let knock =
                || known.knocks.get(&place).map(|knock| (knock.event.clone(), Some(knock.via.clone())));
            let left = || refusal(403, "M_FORBIDDEN", format!("{user} has nothing to leave there"));
            invite.or_else(knock).ok_or_else(left)?
        };
        let told = match via.filter(|_| !self.has(Fault::LeaveNotTold)) {
            Some(server) => self.change_membership_with("leave", &server, room, user, more).await.is_ok(),
            None => false,
        };
        // The user is rid of it, whatever the other server says.
        if !told {
            let mut event = event;
            event["content"] = json!({ "membership": "leave" });
            event["sender"] = json!(user);
            self.depart(room, user, &event);
        }
        Ok(())
    }

    /// Invites a user to a room in which `sender` is.
    ///
    /// # Errors
    /// When the rules forbid it, or the invited user's server does not sign.
    pub(crate) async fn invite(
        &self,
        room: &str,
        sender: &str,
        user: &str,
        more: &Value,
    ) -> Result<(), Refusal> {
        let mut content = json!({ "membership": "invite" });
        merge(&mut content, more);
        let saying = Saying::state("m.room.member", user, content);
        let Some(server) = server_of(user).filter(|server| *server != self.name()) else {
            return self.say(room, sender, saying).map(drop);
        };
        let (event, pdu, body) = {
            let known = self.known();
            let held = known.rooms.get(room).filter(|held| held.membership(sender) == "join");
            let held =
                held.ok_or_else(|| refusal(403, "M_FORBIDDEN", format!("{sender} is not in the room")))?;
            let (event, pdu) = self.drafted(held, sender, &saying, false)?;
            let mut body = json!({
                "room_version": held.room.version().id(), "event": pdu, "invite_room_state": shown_to(held, Some(sender)),
            });
            if self.has(Fault::InviteStateHidden) {
                body["invite_room_state"] = json!([]);
            } else if self.has(Fault::InviteStateStripped) {
                let whole = shown_to(held, Some(sender));
                body["invite_room_state"] = whole.iter().map(stripped).collect();
            } else if self.has(Fault::InviteByFirstVersion) {
                body["room_version"] = Value::Null;
            }
            (event, pdu, body)
        };
        if self.has(Fault::InviteNotBrought) {
            self.take_event(room, &pdu, self.name()).await.map_err(|error| broken(&error))?;
            return Ok(());
        }
        let target = format!("/_matrix/federation/v2/invite/{}/{}", segment(room), segment(event.id()));
        let answer = self.ask("PUT", server, &target, Some(&body)).await;
        let answer = answer.map_err(Obstacle::from).and_then(crate::joining::success).map_err(told)?;
        let signed = self.signed_invite(&event, &pdu, &answer.json()["event"]);
        let receipt = self.take_event(room, &signed, self.name()).await.map_err(|error| broken(&error))?;
        if !matches!(receipt, ReceivedPdu::Held { outcome: EventOutcome::Accepted, .. }) {
            return refuse(403, "M_FORBIDDEN", format!("the invite was not accepted: {receipt:?}"));
        }
        self.pass_on(room, &signed, self.name());
        Ok(())
    }

    /// The invite as its receiver signed it, if it is the same event; else as it went out.
    fn signed_invite(&self, event: &Event, pdu: &Value, signed: &Value) -> Value {
        let same = Event::read(signed, event.version()).is_ok_and(|signed| {
            signed.id() == event.id() && verify_event(&signed, &self.known().ring).is_ok()
        });
        if same { signed.clone() } else { pdu.clone() }
    }

    /// Whether this server has a user in the room.
    pub(crate) fn is_in(&self, room: &str) -> bool {
        self.known().rooms.get(room).is_some_and(|held| held.has_server(self.name()))
    }

    /// Whether a user holds an invite that the copy of the room does not know yet.
    fn is_invited_from_elsewhere(&self, room: &str, user: &str) -> bool {
        let known = self.known();
        let invited = known.invites.contains_key(&(room.to_owned(), user.to_owned()));
        invited && known.rooms.get(room).is_some_and(|held| held.membership(user) != "invite")
    }

    fn others_in(&self, room: &str) -> BTreeSet<String> {
        let mut servers = self.known().rooms.get(room).map(HeldRoom::servers).unwrap_or_default();
        servers.remove(self.name());
        servers
    }

    /// The servers by way of which a user may get into a room: those named, who invited, who is in it, and who made it.
    fn ways_to(&self, room: &str, user: &str, via: &[String]) -> Vec<String> {
        let inviter = {
            let known = self.known();
            let invite = known.invites.get(&(room.to_owned(), user.to_owned()));
            invite.and_then(|invite| invite.event["sender"].as_str().and_then(server_of).map(str::to_owned))
        };
        let mut ways = Vec::new();
        let named = via.iter().cloned().chain(inviter).chain(self.others_in(room));
        for server in named.chain(server_of(room).map(str::to_owned)) {
            if server != self.name() && !ways.contains(&server) {
                ways.push(server);
            }
        }
        ways
    }

    /// Takes a member event of a room that this server is not in: the end of an invite or a knock of one of its users.
    pub(crate) async fn take_from_outside(&self, pdu: &Value) {
        let text = |key: &str| pdu[key].as_str().map(str::to_owned);
        let (Some(room), Some(user)) = (text("room_id"), text("state_key")) else { return };
        let place = (room.clone(), user.clone());
        let version = {
            let known = self.known();
            let invited = known.invites.get(&place).map(|invite| invite.room_version.clone());
            invited.or_else(|| known.knocks.contains_key(&place).then(|| "11".to_owned()))
        };
        let ends = matches!(pdu["content"]["membership"].as_str(), Some("leave" | "ban"));
        let Some(version) = version.and_then(|version| RoomVersion::new(&version).ok()).filter(|_| ends)
        else {
            return;
        };
        self.learn_signers(&version, [pdu]).await;
        let holds =
            Event::read(pdu, &version).is_ok_and(|event| verify_event(&event, &self.known().ring).is_ok());
        if holds && pdu["type"] == "m.room.member" {
            self.depart(&room, &user, pdu);
        }
    }

    /// Fetches events from before what this server holds of a room, from the servers in it; answers with how many were
    /// new.
    pub(crate) async fn fetch_history(&self, room: &str, limit: usize) -> usize {
        let Some(version) = self.version_of(room) else { return 0 };
        let from = self.known().rooms.get(room).map(HeldRoom::backward_extremities).unwrap_or_default();
        let is_at_end = |held: &HeldRoom| self.has(Fault::HistoryEndsAtRejected) && held.has_refused();
        if from.is_empty() || self.known().rooms.get(room).is_some_and(is_at_end) {
            return 0;
        }
        let ids: Vec<_> = from.iter().map(|id| format!("v={}", segment(id))).collect();
        let target =
            format!("/_matrix/federation/v1/backfill/{}?{}&limit={limit}", segment(room), ids.join("&"));
        for server in self.others_in(room) {
            let pdus = self.list_from("GET", &server, &target, None, "pdus").await;
            self.learn_signers(&version, &pdus).await;
            let mut known = self.known();
            let ring = known.ring.clone();
            let Some(held) = known.rooms.get_mut(room) else { return 0 };
            let taken = pdus.iter().filter(|pdu| held.remember(pdu, &ring)).count();
            if taken > 0 {
                return taken;
            }
        }
        0
    }
}

fn cite_too_much(pdu: &mut Value, room: &RoomGraph, kind: &str) {
    if let (Some(cited), Some(event)) = (pdu["auth_events"].as_array_mut(), room.state_event(kind, "")) {
        cited.push(json!(event.id()));
    }
}

/// The newest forward extremity, as if there were no other.
fn latest_of(room: &RoomGraph) -> Option<String> {
    let place =
        |id: &String| room.event(id).map(|event| (event.depth(), event.origin_server_ts(), id.clone()));
    room.extremities().into_iter().max_by_key(place)
}

fn leave_out(pdu: &mut Value, room: &RoomGraph, kind: &str, state_key: &str) {
    if let (Some(cited), Some(event)) = (pdu["auth_events"].as_array_mut(), room.state_event(kind, state_key))
    {
        cited.retain(|id| id != event.id());
    }
}

pub(crate) fn stamp() -> i64 {
    i64::try_from(now_ms()).unwrap_or(i64::MAX)
}

/// Adds all of `more` to an object.
pub(crate) fn merge(object: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        object[key] = value.clone();
    }
}
