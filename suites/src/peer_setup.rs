//! The setup that most scenarios with peers start from, and the checks of what the server did with a peer's event.

use samklang_actors::peer::draft_message;
use samklang_matrix::Event;

use crate::prelude::*;

/// The server with its user Alice, a room in which she is, and a peer whose user is in the same room.
pub(crate) struct PeerSetup<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) host: Host,
    pub(crate) alice: User,
    pub(crate) room: Room,
    pub(crate) mallory: ScriptedPeer,
    /// The copy of the room that Mallory's server holds.
    pub(crate) copy: RoomCopy,
}

/// Alice creates a public room, and Mallory, a peer's user, joins it.
pub(crate) async fn mallory_in_public_room(scene: &Scene) -> Result<PeerSetup<'_>, Failure> {
    mallory_in_room(scene, Public).await
}

/// Alice creates a room as `plan` says, and Mallory, a peer's user, joins it.
pub(crate) async fn mallory_in_room(scene: &Scene, plan: RoomPlan) -> Result<PeerSetup<'_>, Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let room = alice.create_room(plan).await?;
    let mallory = scene.peer("mallory").await?;
    let copy = peer_joins(&alice, &host, &room, &mallory, "mallory").await?;
    alice.sees(state(&room, "m.room.member", &copy.user)).await?;
    Ok(PeerSetup { scene, host, alice, room, mallory, copy })
}

/// A user of `peer` joins Alice's public room, by invite where her server does not declare the feature `uninvited-joins`.
pub(crate) async fn peer_joins(
    alice: &User,
    host: &Host,
    room: &Room,
    peer: &ScriptedPeer,
    name: &str,
) -> Result<RoomCopy, Failure> {
    invite_if_required(alice, host, room, &peer.user(name)).await?;
    peer.join(host, room, name).await
}

/// Makes sure that `user` can join Alice's public room: she invites the user where her server does not declare the feature
/// `uninvited-joins`.
pub(crate) async fn invite_if_required(
    alice: &User,
    host: &Host,
    room: &Room,
    user: &str,
) -> Result<(), Failure> {
    if !host.declares("uninvited-joins") {
        alice.invite_by_id(room, user).await?;
    }
    Ok(())
}

/// Mallory's server creates a public room, Alice joins it, and each of them sends a message.
pub(crate) async fn alice_in_mallorys_room(
    scene: &Scene,
    host: Host,
    alice: User,
    mallory: ScriptedPeer,
) -> Result<PeerSetup<'_>, Failure> {
    let (room, copy) = mallory.found(&host, "mallory").await?;
    alice.join(&room).await?;
    alice.sees(join(&room, &alice)).await?;
    let setup = PeerSetup { scene, host, alice, room, mallory, copy };
    setup.send_sentinel("welcome").await?;
    setup.send_next_event().await?;
    Ok(setup)
}

/// A later honest event that Alice has seen: her server has dealt with all that was sent before it.
pub(crate) struct Sentinel {
    pub(crate) sighting: Sighting,
}

/// The server's behaviour after a peer has sent it lies.
pub(crate) struct AfterLie {
    pub(crate) sentinel: Sentinel,
    /// The next event of its own, as it went over the wire.
    pub(crate) next: Observed,
    /// The response to `GET /state_ids` at that event.
    pub(crate) state: Observed,
}

impl PeerSetup<'_> {
    /// Mallory sends an honest message, which Alice has to see. It is the twin of every lie before it: it differs in one
    /// step and has to be accepted.
    pub(crate) async fn send_sentinel(&self, body: &str) -> Result<Sentinel, Failure> {
        let honest = self.copy.message(body)?;
        self.mallory.transmit(&self.host, &[&honest]).await?;
        Ok(Sentinel { sighting: self.alice.sees(&honest).await? })
    }

    /// A user of another peer joins the room as well, and Alice sees it.
    pub(crate) async fn another_peer_joins(&self, name: &str) -> Result<RoomCopy, Failure> {
        let peer = self.scene.peer(name).await?;
        let copy = peer_joins(&self.alice, &self.host, &self.room, &peer, name).await?;
        self.alice.sees(state(&self.room, "m.room.member", &copy.user)).await?;
        Ok(copy)
    }

    /// Passes if the event was dropped: Alice was never shown it, and her server does not hold it.
    pub(crate) async fn check_dropped(
        &self,
        bad: &Planted,
        after: &Sentinel,
    ) -> Result<Observations, Failure> {
        let unseen = self.alice.never_saw(bad, &after.sighting)?;
        match self.mallory.held(&self.host, bad).await? {
            (HeldContent::Nothing, observation) => {
                Ok(merge_observations(unseen, Observations::new(observation, [])))
            }
            (held, observation) => {
                Err(self.wrongly_held("pdu.not_dropped", bad, HeldContent::Nothing, held, observation))
            }
        }
    }

    /// Passes if the server accepted the event in its redacted form.
    pub(crate) async fn check_redacted(&self, bad: &Planted) -> Result<Observations, Failure> {
        let shown = self.alice.sees(bad).await?;
        let content = shown.event["content"].clone();
        if content != json!({}) {
            let text = message!("fail.not-redacted", event = bad.what);
            let failure = self.alice.wrong("pdu.not_redacted", text, &[]);
            return Err(failure.showing("{}", content));
        }
        match self.mallory.held(&self.host, bad).await? {
            (HeldContent::Redacted, observation) => {
                Ok(merge_observations(shown, Observations::new(observation, [])))
            }
            (held, observation) => {
                Err(self.wrongly_held("pdu.not_redacted", bad, HeldContent::Redacted, held, observation))
            }
        }
    }

    /// Mallory sends an honest message, which Alice sees; then Alice sends the server's next event.
    pub(crate) async fn observe_after_lie(&self) -> Result<AfterLie, Failure> {
        let sentinel = self.send_sentinel("an honest message").await?;
        let (next, state) = self.next_event_and_state().await?;
        Ok(AfterLie { sentinel, next, state })
    }

    /// Alice sends the server's next event: that event, and the state before it.
    pub(crate) async fn next_event_and_state(&self) -> Result<(Observed, Observed), Failure> {
        let next = self.send_next_event().await?;
        let id = Event::parse(&next.value, self.scene.room_version()).map(|event| event.id().to_owned());
        let state = self.state_before(&id.unwrap_or_default()).await?;
        Ok((next, state))
    }

    /// Passes if the event has no effect: Alice was never shown it, the server's next event does not have it as a prev event,
    /// and the state does not list it.
    pub(crate) fn check_no_effect(&self, bad: &Planted, after: &AfterLie) -> Result<Observations, Failure> {
        let unseen = self.alice.never_saw(bad, &after.sentinel.sighting)?;
        self.check_not_a_prev_event(bad, &after.next)?;
        self.check_not_in_state(bad, &after.state)?;
        Ok(merge_observations(unseen, merge_observations(after.next.clone(), after.state.clone())))
    }

    /// Passes if `next`, an event of the server's, does not have `bad` as a prev event.
    pub(crate) fn check_not_a_prev_event(
        &self,
        bad: &Planted,
        next: &Observed,
    ) -> Result<Observations, Failure> {
        if !lists(&next.value["prev_events"], &bad.id) {
            return Ok(next.clone().into());
        }
        let text = message!("fail.followed", event = bad.what);
        Err(self.alice.wrong("pdu.followed", text, next.observations.all()))
    }

    /// Passes if `state`, a response to `GET /state_ids`, does not list `bad`.
    pub(crate) fn check_not_in_state(
        &self,
        bad: &Planted,
        state: &Observed,
    ) -> Result<Observations, Failure> {
        if !lists(&state.value["pdu_ids"], &bad.id) {
            return Ok(state.clone().into());
        }
        let text = message!("fail.in-state", event = bad.what);
        Err(self.alice.wrong("state.holds_rejected", text, state.observations.all()))
    }

    /// Alice sends a message: the event as it goes over the wire.
    pub(crate) async fn send_next_event(&self) -> Result<Observed, Failure> {
        let sent = self.alice.send(&self.room, "next").await?;
        self.scene.event_on_wire(&sent).await
    }

    /// The response to `GET /state_ids` at an event.
    pub(crate) async fn state_before(&self, id: &str) -> Result<Observed, Failure> {
        let target = paths::state_ids(&self.room.id, id);
        let reply = self.mallory.ask(&self.host, "GET", &target, None).await?;
        if !reply.body["pdu_ids"].is_array() {
            let what = reply.in_words();
            return Err(Failure::Inconclusive(message!("judging.no-state", what = what)));
        }
        Ok(Observed::new(reply.body.clone(), reply.into()))
    }

    /// The failure that the server holds `held` of the event, and should hold `wanted`.
    pub(crate) fn wrongly_held(
        &self,
        reason: &str,
        bad: &Planted,
        wanted: HeldContent,
        held: HeldContent,
        seen: Observation,
    ) -> Failure {
        let text = message!("fail.kept", event = bad.what);
        let in_words = |held| match held {
            HeldContent::Nothing => message!("scenario.expected.nothing"),
            HeldContent::Redacted => message!("scenario.expected.event-redacted"),
            HeldContent::Whole => message!("scenario.expected.event-whole"),
        };
        self.alice.wrong(reason, text, &[seen]).showing(in_words(wanted), in_words(held))
    }

    /// A message of Mallory's that is forged, and not sent yet.
    pub(crate) fn forge_with(&self, what: &str, tamper: Tamper<'_>) -> Result<Planted, Failure> {
        self.copy.forge(what, tamper, |room, user| draft_message(room, user, what))
    }

    /// A message with Alice as its sender that Mallory's server made and signed; not sent yet.
    pub(crate) fn forged_in_alices_name(&self) -> Result<Planted, Failure> {
        let (own, alice) = (self.mallory.name().to_owned(), self.alice.id().to_owned());
        let what = "in the name of Alice";
        let foreign = Tamper::after_signing(|pdu| {
            // The signature is by a key that exists, in the name of the server that delivers the event.
            if let Some(signatures) = pdu["signatures"].as_object_mut() {
                let signed = std::mem::take(signatures);
                *signatures = signed.into_iter().map(|(_, keys)| (own.clone(), keys)).collect();
            }
        });
        self.copy.forge(what, foreign, |room, _| draft_message(room, &alice, what))
    }
}

/// Whether a list of ids holds `id`.
fn lists(list: &Value, id: &str) -> bool {
    list.as_array().is_some_and(|ids| ids.iter().any(|one| *one == *id))
}
