//! What most scenarios with peers begin with, and how they find out what became of an event.

use samklang_matrix::Event;
use samklang_runner::peer::draft_message;

use crate::prelude::*;

/// A server with Alice, her public room, and in it a user of a peer's.
pub(crate) struct Visit<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) host: Host,
    pub(crate) alice: User,
    pub(crate) room: Room,
    pub(crate) mallory: ScriptedPeer,
    /// The room as Mallory's server holds it.
    pub(crate) copy: RoomCopy,
}

/// Mallory joins Alice's public room.
pub(crate) async fn visit(scene: &Scene) -> Result<Visit<'_>, Failure> {
    visit_to(scene, Public).await
}

/// Mallory joins a room of Alice's that is open to him.
pub(crate) async fn visit_to(scene: &Scene, plan: RoomPlan) -> Result<Visit<'_>, Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let room = alice.create_room(plan).await?;
    let mallory = scene.peer("mallory").await?;
    let copy = let_in(&alice, &host, &room, &mallory, "mallory").await?;
    alice.sees(state(&room, "m.room.member", &copy.user)).await?;
    Ok(Visit { scene, host, alice, room, mallory, copy })
}

/// A user of a peer's joins a public room of Alice's; by invite where her server declares that nobody comes without one.
pub(crate) async fn let_in(
    alice: &User,
    host: &Host,
    room: &Room,
    peer: &ScriptedPeer,
    name: &str,
) -> Result<RoomCopy, Failure> {
    welcome(alice, host, room, &peer.user(name)).await?;
    peer.join(host, room, name).await
}

/// A user of a peer's may join a public room of Alice's: she invites where nobody comes without an invite.
pub(crate) async fn welcome(alice: &User, host: &Host, room: &Room, user: &str) -> Result<(), Failure> {
    if !host.declares("uninvited-joins") {
        alice.invite_by_id(room, user).await?;
    }
    Ok(())
}

/// Alice joins a public room that lives at Mallory's server, and they talk.
pub(crate) async fn away_at(
    scene: &Scene,
    host: Host,
    alice: User,
    mallory: ScriptedPeer,
) -> Result<Visit<'_>, Failure> {
    let (room, copy) = mallory.found(&host, "mallory").await?;
    alice.join(&room).await?;
    alice.sees(join(&room, &alice)).await?;
    let visit = Visit { scene, host, alice, room, mallory, copy };
    visit.sentinel("welcome").await?;
    visit.next_event().await?;
    Ok(visit)
}

/// A later honest event that Alice has seen: what came before it has been dealt with.
pub(crate) struct Sentinel {
    pub(crate) sighting: Sighting,
}

/// What a server does after lies were told to it.
pub(crate) struct Aftermath {
    pub(crate) sentinel: Sentinel,
    /// Its own next event, as it went out.
    pub(crate) next: Observed,
    /// `GET /state_ids` at that event.
    pub(crate) state: Observed,
}

impl Visit<'_> {
    /// Sends an honest message, which Alice has to see. It is the twin of every lie before it: one step away, and
    /// accepted.
    pub(crate) async fn sentinel(&self, body: &str) -> Result<Sentinel, Failure> {
        let honest = self.copy.message(body)?;
        self.mallory.transmit(&self.host, &[&honest]).await?;
        Ok(Sentinel { sighting: self.alice.sees(&honest).await? })
    }

    /// Another peer's user joins as well; Alice sees it.
    pub(crate) async fn another(&self, name: &str) -> Result<RoomCopy, Failure> {
        let peer = self.scene.peer(name).await?;
        let copy = let_in(&self.alice, &self.host, &self.room, &peer, name).await?;
        self.alice.sees(state(&self.room, "m.room.member", &copy.user)).await?;
        Ok(copy)
    }

    /// The event was dropped: Alice was never shown it, and her server does not hold it.
    pub(crate) async fn dropped(&self, bad: &Planted, after: &Sentinel) -> Result<Observations, Failure> {
        let unseen = self.alice.never_saw(bad, &after.sighting)?;
        match self.mallory.held(&self.host, bad).await? {
            (Held::Nothing, observation) => Ok(by_both(unseen, Observations::new(observation, []))),
            (held, observation) => Err(self.kept("pdu.not_dropped", bad, "nothing", held, observation)),
        }
    }

    /// The event was taken in its redacted form.
    pub(crate) async fn redacted(&self, bad: &Planted) -> Result<Observations, Failure> {
        let shown = self.alice.sees(bad).await?;
        let content = shown.event["content"].clone();
        if content != json!({}) {
            let text = message!("fail.not-redacted", event = bad.what);
            let failure = self.alice.wrong("pdu.not_redacted", text, &[]);
            return Err(failure.showing("{}", content));
        }
        match self.mallory.held(&self.host, bad).await? {
            (Held::Redacted, observation) => Ok(by_both(shown, Observations::new(observation, []))),
            (held, observation) => {
                Err(self.kept("pdu.not_redacted", bad, "the redacted event", held, observation))
            }
        }
    }

    /// What the server does after an honest message that Alice has seen: its own next event, and the state before that.
    pub(crate) async fn aftermath(&self) -> Result<Aftermath, Failure> {
        let sentinel = self.sentinel("an honest word").await?;
        let (next, state) = self.state_before_next().await?;
        Ok(Aftermath { sentinel, next, state })
    }

    /// The server's own next event, and the state before that.
    pub(crate) async fn state_before_next(&self) -> Result<(Observed, Observed), Failure> {
        let next = self.next_event().await?;
        let id = Event::parse(&next.value, self.scene.room_version()).map(|event| event.id().to_owned());
        let state = self.state_before(&id.unwrap_or_default()).await?;
        Ok((next, state))
    }

    /// The event has no part in the room: Alice was never shown it, the server's next event does not follow it, and the
    /// state does not hold it.
    pub(crate) fn ignored(&self, bad: &Planted, after: &Aftermath) -> Result<Observations, Failure> {
        let unseen = self.alice.never_saw(bad, &after.sentinel.sighting)?;
        self.not_followed(bad, &after.next)?;
        self.not_in(bad, &after.state)?;
        Ok(by_both(unseen, by_both(after.next.clone(), after.state.clone())))
    }

    /// An event of the server's own does not follow `bad`.
    pub(crate) fn not_followed(&self, bad: &Planted, next: &Observed) -> Result<Observations, Failure> {
        if !lists(&next.value["prev_events"], &bad.id) {
            return Ok(next.clone().into());
        }
        let text = message!("fail.followed", event = bad.what);
        Err(self.alice.wrong("pdu.followed", text, next.observations.all()))
    }

    /// An answer to `GET /state_ids` does not name `bad`.
    pub(crate) fn not_in(&self, bad: &Planted, state: &Observed) -> Result<Observations, Failure> {
        if !lists(&state.value["pdu_ids"], &bad.id) {
            return Ok(state.clone().into());
        }
        let text = message!("fail.in-state", event = bad.what);
        Err(self.alice.wrong("state.holds_rejected", text, state.observations.all()))
    }

    /// What Alice sends next, as it goes out to Mallory's server.
    pub(crate) async fn next_event(&self) -> Result<Observed, Failure> {
        let sent = self.alice.send(&self.room, "next").await?;
        self.scene.event_on_wire(&sent).await
    }

    /// `GET /state_ids` at an event.
    pub(crate) async fn state_before(&self, id: &str) -> Result<Observed, Failure> {
        let (room, id) = (segment(&self.room.id), segment(id));
        let target = format!("/_matrix/federation/v1/state_ids/{room}?event_id={id}");
        let reply = self.mallory.ask(&self.host, "GET", &target, None).await?;
        if !reply.body["pdu_ids"].is_array() {
            let what = reply.in_words();
            return Err(Failure::Inconclusive(message!("judging.no-state", what = what)));
        }
        Ok(Observed::new(reply.body.clone(), reply.into()))
    }

    pub(crate) fn kept(
        &self,
        reason: &str,
        bad: &Planted,
        wanted: &str,
        held: Held,
        seen: Observation,
    ) -> Failure {
        let text = message!("fail.kept", event = bad.what);
        let held = match held {
            Held::Nothing => "nothing",
            Held::Redacted => "the redacted event",
            Held::Whole => "the whole event",
        };
        self.alice.wrong(reason, text, &[seen]).showing(wanted, held)
    }

    /// A message with a lie, not sent yet.
    pub(crate) fn forge_with(&self, what: &str, tamper: Tamper<'_>) -> Result<Planted, Failure> {
        self.copy.forge(what, tamper, |room, user| draft_message(room, user, what))
    }

    /// A message of Alice's that Mallory's server made and signed.
    pub(crate) fn in_the_name_of_alice(&self) -> Result<Planted, Failure> {
        let (own, alice) = (self.mallory.name().to_owned(), self.alice.id().to_owned());
        let what = "in the name of Alice";
        let foreign = Tamper::after_signing(|pdu| {
            // Signed by a key that exists, in the name of the server that delivers it.
            if let Some(signatures) = pdu["signatures"].as_object_mut() {
                let signed = std::mem::take(signatures);
                *signatures = signed.into_iter().map(|(_, keys)| (own.clone(), keys)).collect();
            }
        });
        self.copy.forge(what, foreign, |room, _| draft_message(room, &alice, what))
    }
}

/// Whether a list holds an id.
fn lists(list: &Value, id: &str) -> bool {
    list.as_array().is_some_and(|ids| ids.iter().any(|one| *one == *id))
}
