//! How peers come and go, and rooms that live at a peer, for users to come to.

use crate::user::{self, Done, Failure};
use samklang_matrix::{
    RoomCreation, RoomError,
    endpoints::{SERVER_KEYS, paths},
};
use samklang_reference::AcceptedMembership;
use samklang_verdict::{Observations, Problem, message};
use serde_json::{Value, json};

use super::{PeerResponse, Planted, RoomCopy, ScriptedPeer, now_ms};
use crate::host::Host;

/// What a room shows of itself to somebody who is invited.
const SHOWN: [&str; 4] = ["m.room.create", "m.room.join_rules", "m.room.name", "m.room.topic"];

/// An invite as it is brought to the invited user's server (server-server API, inviting to a room): honest as it is made,
/// and every part of it may be changed.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// The room in the path.
    pub room: String,
    /// The event's id in the path.
    pub event_id: String,
    /// The body: `room_version`, `event`, `invite_room_state`.
    pub body: Value,
    /// All of this as it was made.
    honest: (String, String, Value),
}

impl RoomCopy {
    /// An honest event that makes `user` a member in this way, which the copy holds from now on.
    ///
    /// # Errors
    /// As [`Self::plant`].
    pub fn member(&self, what: &str, user: &str, membership: &str) -> Result<Planted, Failure> {
        self.plant(what, |room, sender| room.draft_member(sender, user, membership))
    }

    /// What brings `event` to the invited user's server. It shows the room by complete events, as version 12 asks for and
    /// those before allow.
    pub fn invitation(&self, event: &Planted) -> Invitation {
        let shown = self.peer.peer.with_room(&self.room, |room| {
            let places =
                SHOWN.map(|kind| (kind, "")).into_iter().chain([("m.room.member", self.user.as_str())]);
            let events = places.filter_map(|(kind, key)| room.state_event(kind, key));
            events.map(|event| Value::Object(event.json().clone())).collect::<Vec<_>>()
        });
        let version = &self.peer.ledger.room_version;
        let body = json!({
            "room_version": version, "event": event.json(), "invite_room_state": shown.unwrap_or_default(),
        });
        let (room, event_id) = (self.room.clone(), event.id.clone());
        let honest = (room.clone(), event_id.clone(), body.clone());
        Invitation { room, event_id, body, honest }
    }
}

impl ScriptedPeer {
    /// Brings an invite to `host`, whatever the answer. What was changed in it is admitted.
    ///
    /// # Errors
    /// Inconclusive when no complete answer comes.
    pub async fn bring(&self, host: &Host, invitation: &Invitation) -> Result<PeerResponse, Failure> {
        let target = paths::invite(&invitation.room, &invitation.event_id);
        let reply = self.ask(host, "PUT", &target, Some(&invitation.body)).await?;
        let Invitation { room, event_id, body, honest } = invitation;
        let is_honest = (room, event_id, body) == (&honest.0, &honest.1, &honest.2);
        Ok(if is_honest { reply } else { self.admitting(reply) })
    }

    /// Has `user`, its own, leave a room by way of `host`, as `make_leave` and `send_leave` have it.
    ///
    /// # Errors
    /// When the server refuses a step.
    pub async fn leave(&self, host: &Host, room: &user::Room, user: &str) -> Result<PeerResponse, Failure> {
        Ok(self.change(host, "leave", room, user).await?.1)
    }

    /// Has `user`, its own, knock on a room by way of `host`.
    ///
    /// # Errors
    /// When the server refuses a step.
    pub async fn knock(&self, host: &Host, room: &user::Room, user: &str) -> Result<PeerResponse, Failure> {
        Ok(self.change(host, "knock", room, user).await?.1)
    }

    /// Changes the membership of its own `user` by way of `host`: what was taken, and the answer to it.
    pub(super) async fn change(
        &self,
        host: &Host,
        membership: &'static str,
        room: &user::Room,
        user: &str,
    ) -> Result<(AcceptedMembership, PeerResponse), Failure> {
        let taken = self.peer.change_membership(membership, host.name(), &room.id, user).await;
        let taken = taken.map_err(|obstacle| self.failure(host, membership, obstacle))?;
        let reply = self.reply(host, &taken.response)?;
        Ok((taken, reply))
    }

    /// Founds a public room of the version that is played, as its user `name`. Users reach it by way of this peer.
    ///
    /// # Errors
    /// Inconclusive when `host` does not answer at all; a harness problem when no room can be made.
    pub async fn found(&self, host: &Host, name: &str) -> Result<(user::Room, RoomCopy), Failure> {
        self.found_as(host, name, |creation| creation).await
    }

    /// As [`Self::found`], for a room that `plan` changes.
    ///
    /// # Errors
    /// As [`Self::found`].
    pub async fn found_as(
        &self,
        host: &Host,
        name: &str,
        plan: impl FnOnce(RoomCreation) -> RoomCreation + Send,
    ) -> Result<(user::Room, RoomCopy), Failure> {
        let creator = self.user(name);
        // Two rooms of one peer are told apart by their time: the clock never stands still.
        let at = i64::try_from(now_ms().saturating_add(self.ledger.tick())).unwrap_or(i64::MAX);
        let version = self.ledger.room_version.clone();
        let problem =
            |error: RoomError| Problem::harness(message!("stage.no-peer", name = self.label, error = error));
        let creation = RoomCreation::new(&version, &creator, at).map_err(problem)?;
        let room = plan(creation).create(self.peer.key()).map_err(problem)?;
        let id = room.id().to_owned();
        self.peer.hold(room);
        self.ledger.call(&id, &format!("!{name}s-room"));
        // All that is done shows in an exchange. The room itself is made unseen; what comes first is that the peer has
        // found the server it is made for.
        let greeting = self.ask(host, "GET", SERVER_KEYS.template, None).await?.observation;
        let done = Done {
            tick: self.ledger.tick(),
            who: self.who(host),
            verb: "found",
            exchange: greeting.exchange,
            observations: Observations::new(greeting, []),
        };
        let via = vec![self.name().to_owned()];
        let copy = RoomCopy { peer: self.clone(), room: id.clone(), user: creator };
        Ok((user::Room { name: format!("{name}'s room"), version, via, id, done }, copy))
    }
}
