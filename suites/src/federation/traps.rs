//! Templates that lie (server-server API, joining rooms, leaving rooms, knocking upon a room).
//!
//! A server signs what it makes of a template. Who answers with a template for something else, and gets it back signed,
//! has the server's word for it: another user's join, new power levels, a leave of another room.
//!
//!   Alice's server ── make_join ─▶ Mallory
//!                  ◀─ template for something else
//!                  ── send_join ─▶ never, nor anything else that is signed
//!
//! A server may give up, or put right what it can and sign an honest event; both are as it has to be.

use samklang_reference::decoded;
use samklang_runner::wire::role_of;

use super::successful_request_about;
use crate::{peer_setup::alice_in_mallorys_room, prelude::*};

/// The check of each trap, in one sentence.
const TYPE: (&str, &str) = ("type", "A template of another type than m.room.member is not signed.");
const SENDER: (&str, &str) = ("sender", "A template in another user's name is not signed.");
const STATE_KEY: (&str, &str) = ("state-key", "A template for another user's membership is not signed.");
const MEMBERSHIP: (&str, &str) = ("membership", "A template for another membership is not signed.");
const ROOM: (&str, &str) = ("room", "A template for another room is not signed.");
const VERSION: (&str, &str) =
    ("version", "A template for a room version that the server does not know is not signed.");

const fn plan(check: (&'static str, &'static str), of: &'static [&'static str]) -> CheckPlan {
    CheckPlan::new(check.0, check.1).of(of)
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.join-traps",
        title: "A server whose user joins signs no other event than that join, whatever template it is given.",
        catalogue: &["SH-01"],
        requirements: &["SS-JOIN-012", "SS-JOIN-013", "SS-JOIN-014", "SS-JOIN-015"],
        checks: &[
            plan(TYPE, &["SS-JOIN-014"]),
            plan(SENDER, &["SS-JOIN-013"]),
            plan(STATE_KEY, &["SS-JOIN-013"]),
            plan(MEMBERSHIP, &["SS-JOIN-015"]),
            plan(ROOM, &["SS-JOIN-012"]),
            plan(VERSION, &["SS-JOIN-018"]),
        ],
        play: play!(join_traps),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.leave-traps",
        title: "A server whose user rejects an invite signs no other event than that leave, whatever template it is given.",
        catalogue: &["SH-01"],
        requirements: &["SS-LEAVE-005", "SS-LEAVE-006", "SS-LEAVE-008"],
        checks: &[
            plan(TYPE, &["SS-LEAVE-006"]),
            plan(SENDER, &["SS-LEAVE-005"]),
            plan(STATE_KEY, &["SS-LEAVE-005"]),
            plan(MEMBERSHIP, &["SS-LEAVE-006"]),
            plan(ROOM, &["SS-LEAVE-005"]),
        ],
        play: play!(leave_traps),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.knock-traps",
        title: "A server whose user knocks signs no other event than that knock, whatever template it is given.",
        catalogue: &["SH-01"],
        requirements: &["SS-KNOCK-007", "SS-KNOCK-008"],
        checks: &[
            plan(TYPE, &["SS-KNOCK-008"]),
            plan(SENDER, &["SS-KNOCK-007"]),
            plan(STATE_KEY, &["SS-KNOCK-007"]),
            plan(MEMBERSHIP, &["SS-KNOCK-008"]),
            plan(ROOM, &["SS-KNOCK-007"]),
        ],
        needs: &[Need::Wire, Need::Feature("knock")],
        play: play!(knock_traps),
        ..Scenario::PEER
    },
];

/// What the templates try to get signed.
#[derive(Clone)]
struct Bait {
    /// Another user of the same server.
    carol: String,
    /// A room of Alice's own.
    home: String,
}

/// A lie about an honest template.
type Trap = (&'static str, fn(&mut Value, &Bait));

const TRAPS: [Trap; 6] = [
    (TYPE.0, |answer, bait| {
        answer["event"]["type"] = json!("m.room.power_levels");
        answer["event"]["content"]["users"] = json!({ bait.carol.as_str(): 100 });
    }),
    (SENDER.0, |answer, bait| answer["event"]["sender"] = json!(bait.carol)),
    (STATE_KEY.0, |answer, bait| answer["event"]["state_key"] = json!(bait.carol)),
    (MEMBERSHIP.0, |answer, _| {
        let other = if answer["event"]["content"]["membership"] == "leave" { "join" } else { "leave" };
        answer["event"]["content"]["membership"] = json!(other);
    }),
    (ROOM.0, |answer, bait| answer["event"]["room_id"] = json!(bait.home)),
    (VERSION.0, |answer, _| answer["room_version"] = json!("org.example.nosuch")),
];

/// Alice, and the peer at which she walks into one trap after another.
struct Ground<'a> {
    scene: &'a Scene,
    host: Host,
    alice: User,
    mallory: ScriptedPeer,
    bait: Bait,
    membership: &'static str,
}

impl<'a> Ground<'a> {
    async fn prepare(scene: &'a Scene, membership: &'static str) -> Result<Self, Failure> {
        let [host] = scene.servers()?;
        let alice = host.register("alice").await?;
        let carol = host.register("carol").await?.id().to_owned();
        let home = alice.create_room(Private).await?.id;
        let mallory = scene.peer("mallory").await?;
        Ok(Self { scene, host, alice, mallory, bait: Bait { carol, home }, membership })
    }

    /// From now on the peer's templates for `room` are bent.
    fn lay(&self, room: &Room, bend: fn(&mut Value, &Bait)) {
        let (room, bait) = (room.id.clone(), self.bait.clone());
        self.mallory.peer().lie(&format!("/make_{}/", self.membership), move |mut answer| {
            if answer["event"]["room_id"] == *room {
                bend(&mut answer, &bait);
            }
            answer
        });
    }

    /// What Alice's server signed and sent to the peer about `room`, or about the room that is the bait of this trap: each
    /// event, with where it shows.
    fn signed_about(&self, trap: &str, room: &Room) -> Result<Vec<(Value, Observation)>, Failure> {
        let about = |text: &str| text == room.id || (trap == ROOM.0 && text == self.bait.home);
        let mut found = Vec::new();
        for exchange in self.scene.wire()?.federation() {
            if role_of(&exchange.from) != Some(self.host.role()) {
                continue;
            }
            let path = decoded(exchange.path_only());
            let body = exchange.request_body.json().unwrap_or_default();
            let events = match body["pdus"].as_array() {
                Some(pdus) => pdus.clone(),
                None if path.contains("/send_") && path.split('/').any(about) => vec![body],
                None => vec![],
            };
            let here =
                |event: &Value| path.contains("/send_") || event["room_id"].as_str().is_some_and(about);
            let seen = Observation { by: self.host.role(), exchange: exchange.id };
            found.extend(events.into_iter().filter(here).map(|event| (event, seen.clone())));
        }
        Ok(found)
    }

    /// Whether this is what Alice wanted.
    fn is_honest(&self, room: &Room, event: &Value) -> bool {
        event["type"] == "m.room.member"
            && event["sender"] == *self.alice.id()
            && event["state_key"] == *self.alice.id()
            && event["content"]["membership"] == self.membership
            && event["room_id"] == *room.id
    }

    /// Nothing but what Alice wanted was signed; and nobody told her that it was done if it was not.
    fn unsigned(
        &self,
        trap: &str,
        room: &Room,
        told: Result<samklang_stage::user::Done, Failure>,
        talk: Observations,
    ) -> Result<Observations, Failure> {
        // Else nothing was tried.
        successful_request_about(
            &self.scene.wire()?,
            &format!("/make_{}/", self.membership),
            room,
            self.host.role(),
        )?;
        let signed = self.signed_about(trap, room)?;
        let honest = |(event, _): &&(Value, Observation)| self.is_honest(room, event) && trap != VERSION.0;
        if let Some((event, seen)) = signed.iter().find(|one| !honest(one)) {
            let text = message!("fail.trapped", what = trap);
            let failure = self.alice.wrong("template.signed", text, std::slice::from_ref(seen));
            return Err(failure.showing("nothing is sent", event));
        }
        match told {
            // An invite that its room does not take back is forgotten by the own server alone.
            Ok(done) if signed.is_empty() && self.membership != "leave" => {
                let (who, verb, exchange) = (done.who, done.verb, done.exchange);
                Err(Failure::Accepted { who, verb, exchange })
            }
            Ok(done) => Ok(merge_observations(done, talk)),
            Err(Failure::Call { .. }) => Ok(talk),
            Err(other) => Err(other),
        }
    }
}

async fn join_traps(scene: &Scene) -> Result<(), Failure> {
    let ground = Ground::prepare(scene, "join").await?;
    let mut walked = Vec::new();
    for (check, bend) in TRAPS {
        let (room, _) = ground.mallory.found(&ground.host, "mallory").await?;
        ground.lay(&room, bend);
        walked.push((check, ground.alice.join(&room).await, room));
    }
    // The twin: another room of the same peer's, joined by the same user, in which they talk.
    let setup =
        alice_in_mallorys_room(scene, ground.host.clone(), ground.alice.clone(), ground.mallory.clone())
            .await?;
    let talk = Observations::from(setup.send_next_event().await?);
    for (check, told, room) in walked {
        scene.check(check, ground.unsigned(check, &room, told, talk.clone()));
    }
    Ok(())
}

/// Alice rejects one invite of Mallory's after another; the last one honestly, and Mallory's copy shows her leave.
async fn leave_traps(scene: &Scene) -> Result<(), Failure> {
    let ground = Ground::prepare(scene, "leave").await?;
    let invited = async || {
        let (room, copy) = ground.mallory.found(&ground.host, "mallory").await?;
        let event = copy.member("invite of Alice", ground.alice.id(), "invite")?;
        ground.mallory.bring(&ground.host, &copy.invitation(&event)).await?;
        ground.alice.sees(invite(&room, &ground.alice)).await?;
        Ok::<_, Failure>(room)
    };
    let mut walked = Vec::new();
    for (check, bend) in TRAPS.into_iter().filter(|(check, _)| *check != VERSION.0) {
        let room = invited().await?;
        ground.lay(&room, bend);
        walked.push((check, ground.alice.leave(&room).await, room));
    }
    let room = invited().await?;
    ground.alice.leave(&room).await?;
    let taken = taken(&ground, &room).await?;
    for (check, told, room) in walked {
        scene.check(check, ground.unsigned(check, &room, told, taken.clone()));
    }
    Ok(())
}

async fn knock_traps(scene: &Scene) -> Result<(), Failure> {
    let ground = Ground::prepare(scene, "knock").await?;
    let found = async || {
        let rule = json!({"join_rule": "knock"});
        ground.mallory.found_as(&ground.host, "mallory", |founding| founding.join_rules(rule)).await
    };
    let mut walked = Vec::new();
    for (check, bend) in TRAPS.into_iter().filter(|(check, _)| *check != VERSION.0) {
        let (room, _) = found().await?;
        ground.lay(&room, bend);
        walked.push((check, ground.alice.knock(&room).await, room));
    }
    let (room, _) = found().await?;
    ground.alice.knock(&room).await?;
    let taken = taken(&ground, &room).await?;
    for (check, told, room) in walked {
        scene.check(check, ground.unsigned(check, &room, told, taken.clone()));
    }
    Ok(())
}

/// The peer's room has taken Alice's honest event; where her server sent it.
async fn taken(ground: &Ground<'_>, room: &Room) -> Result<Observations, Failure> {
    let submission = format!("/send_{}/", ground.membership);
    let is_it = |exchange: &Exchange| {
        let path = decoded(exchange.path_only());
        path.contains(&submission) && path.contains(&room.id) && exchange.status == Some(200)
    };
    let what = format!("the honest {}", ground.membership);
    let exchange = ground.scene.wire_shows(&what, is_it).await?;
    let member = ground.mallory.peer().with_room(&room.id, |copy| {
        copy.state_event("m.room.member", ground.alice.id())
            .and_then(|event| Some(event.membership()?.to_owned()))
    });
    if member.flatten().as_deref() != Some(ground.membership) {
        return Err(Failure::Inconclusive(message!("judging.no-answer", what = what)));
    }
    Ok(Observations::new(Observation { by: ground.host.role(), exchange: exchange.id }, []))
}
