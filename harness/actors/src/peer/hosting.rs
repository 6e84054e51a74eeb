//! Invites, leaves and knocks of peers, and rooms that a peer creates for users to join.

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

/// The state events that an invite shows of the room.
const SHOWN: [&str; 4] = ["m.room.create", "m.room.join_rules", "m.room.name", "m.room.topic"];

/// An invite as the invited user's server gets it (server-server API, inviting to a room). It is honest at first; a
/// scenario may change every part.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// The room in the path.
    pub room: String,
    /// The event's id in the path.
    pub event_id: String,
    /// The body: `room_version`, `event`, `invite_room_state`.
    pub body: Value,
    /// The honest values of the three fields.
    honest: (String, String, Value),
}

impl RoomCopy {
    /// An honest membership event for `user`, which the copy holds from now on.
    ///
    /// # Errors
    /// As [`Self::plant`].
    pub fn member(&self, what: &str, user: &str, membership: &str) -> Result<Planted, Failure> {
        self.plant(what, |room, sender| room.draft_member(sender, user, membership))
    }

    /// The invite request for `event`. It shows the room's state by complete events: version 12 requires that and
    /// earlier versions allow it.
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
    /// Sends an invite to `host` and accepts any response. A changed invite is admitted as a lie.
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

    /// Leaves a room through `host` with `make_leave` and `send_leave`, as the peer's `user`.
    ///
    /// # Errors
    /// When the server refuses a step.
    pub async fn leave(&self, host: &Host, room: &user::Room, user: &str) -> Result<PeerResponse, Failure> {
        Ok(self.change(host, "leave", room, user).await?.1)
    }

    /// Knocks on a room through `host`, as the peer's `user`.
    ///
    /// # Errors
    /// When the server refuses a step.
    pub async fn knock(&self, host: &Host, room: &user::Room, user: &str) -> Result<PeerResponse, Failure> {
        Ok(self.change(host, "knock", room, user).await?.1)
    }

    /// Changes the membership of the peer's `user` through `host`: returns the accepted membership and the response.
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

    /// Creates a public room of the scenario's room version, as the peer's user `name`. Users join it through this
    /// peer.
    ///
    /// # Errors
    /// Inconclusive when `host` does not answer at all; a harness problem when no room can be created.
    pub async fn found(&self, host: &Host, name: &str) -> Result<(user::Room, RoomCopy), Failure> {
        self.found_as(host, name, |creation| creation).await
    }

    /// As [`Self::found`], with a room that `plan` changes.
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
        // Two rooms of one peer differ in their time, so the time includes the clock's tick.
        let at = i64::try_from(now_ms().saturating_add(self.ledger.tick())).unwrap_or(i64::MAX);
        let version = self.ledger.room_version.clone();
        let problem =
            |error: RoomError| Problem::harness(message!("stage.no-peer", name = self.label, error = error));
        let creation = RoomCreation::new(&version, &creator, at).map_err(problem)?;
        let room = plan(creation).create(self.peer.key()).map_err(problem)?;
        let id = room.id().to_owned();
        self.peer.hold(room);
        self.ledger.call(&id, &format!("!{name}s-room"));
        // Every `Done` names an exchange. Creating the room makes no exchange, so the peer first asks the host for its
        // keys.
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
