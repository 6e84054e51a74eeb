//! Lies in templates (server-server API, joining rooms, leaving rooms, knocking upon a room).
//!
//! A server signs the event that it makes of a template. A peer that answers with a template for another event, and gets it
//! back signed, can use the signature: for another user's join, new power levels, a leave of another room.
//!
//!   Alice's server ── make_join ─▶ Mallory
//!                  ◀─ template for another event
//!                  ── send_join ─▶ must not hold that event
//!
//! The server may give up, or correct the template and sign an honest event; both are right.

use samklang_reference::decoded;
use samklang_runner::traffic::wire_view::role_of;

use super::successful_request_about;
use crate::{peer_setup::alice_in_mallorys_room, prelude::*};

/// Each false template: its check and the check's title.
const TYPE: (&str, &str) =
    ("type", "The server does not sign a membership template whose type is not m.room.member.");
const SENDER: (&str, &str) =
    ("sender", "The server does not sign a membership template whose sender is another user.");
const STATE_KEY: (&str, &str) =
    ("state-key", "The server does not sign a membership template whose state_key is another user.");
const MEMBERSHIP: (&str, &str) =
    ("membership", "The server does not sign a template with another membership than the one it requested.");
const ROOM: (&str, &str) =
    ("room", "The server does not sign a membership template for another room than the requested one.");
const VERSION: (&str, &str) =
    ("version", "The server does not sign a join template for an unknown room version.");

const fn plan(check: (&'static str, &'static str), of: &'static [&'static str]) -> CheckPlan {
    CheckPlan::new(check.0, check.1).of(of)
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.join-traps",
        title: "The joining server signs only its user's join, whatever template make_join returns.",
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
        title: "The invited user's server signs only its user's leave, whatever template make_leave returns.",
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
        title: "The knocking user's server signs only its user's knock, whatever template make_knock returns.",
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

/// What the false templates name in place of Alice and the room.
#[derive(Clone)]
struct FalseTargets {
    /// Another user of the same server.
    carol: String,
    /// A room that Alice created on her server.
    own_room: String,
}

/// A check, and the change that makes an honest template false.
type FalseTemplate = (&'static str, fn(&mut Value, &FalseTargets));

const FALSE_TEMPLATES: [FalseTemplate; 6] = [
    (TYPE.0, |answer, targets| {
        answer["event"]["type"] = json!("m.room.power_levels");
        answer["event"]["content"]["users"] = json!({ targets.carol.as_str(): 100 });
    }),
    (SENDER.0, |answer, targets| answer["event"]["sender"] = json!(targets.carol)),
    (STATE_KEY.0, |answer, targets| answer["event"]["state_key"] = json!(targets.carol)),
    (MEMBERSHIP.0, |answer, _| {
        let other = if answer["event"]["content"]["membership"] == "leave" { "join" } else { "leave" };
        answer["event"]["content"]["membership"] = json!(other);
    }),
    (ROOM.0, |answer, targets| answer["event"]["room_id"] = json!(targets.own_room)),
    (VERSION.0, |answer, _| answer["room_version"] = json!("org.example.nosuch")),
];

/// Alice, and the peer that answers her server with one false template after another.
struct TemplateLies<'a> {
    scene: &'a Scene,
    host: Host,
    alice: User,
    mallory: ScriptedPeer,
    targets: FalseTargets,
    membership: &'static str,
}

impl<'a> TemplateLies<'a> {
    async fn prepare(scene: &'a Scene, membership: &'static str) -> Result<Self, Failure> {
        let [host] = scene.servers()?;
        let alice = host.register("alice").await?;
        let carol = host.register("carol").await?.id().to_owned();
        let home = alice.create_room(Private).await?.id;
        let mallory = scene.peer("mallory").await?;
        Ok(Self { scene, host, alice, mallory, targets: FalseTargets { carol, own_room: home }, membership })
    }

    /// From now on the peer changes its templates for `room`.
    fn falsify(&self, room: &Room, change: fn(&mut Value, &FalseTargets)) {
        let (room, targets) = (room.id.clone(), self.targets.clone());
        self.mallory.peer().lie(&format!("/make_{}/", self.membership), move |mut answer| {
            if answer["event"]["room_id"] == *room {
                change(&mut answer, &targets);
            }
            answer
        });
    }

    /// The events about `room` that Alice's server signed and sent to the peer, each with where it was seen. For the check
    /// ROOM also those about Alice's own room.
    fn signed_about(&self, check: &str, room: &Room) -> Result<Vec<(Value, Observation)>, Failure> {
        let about = |text: &str| text == room.id || (check == ROOM.0 && text == self.targets.own_room);
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

    /// Whether this is the member event that Alice asked for.
    fn is_honest(&self, room: &Room, event: &Value) -> bool {
        event["type"] == "m.room.member"
            && event["sender"] == *self.alice.id()
            && event["state_key"] == *self.alice.id()
            && event["content"]["membership"] == self.membership
            && event["room_id"] == *room.id
    }

    /// Passes if her server signed no event but the one that Alice asked for, and did not report success if it sent none.
    fn check_not_signed(
        &self,
        check: &str,
        room: &Room,
        outcome: Result<samklang_actors::user::Done, Failure>,
        twin: Observations,
    ) -> Result<Observations, Failure> {
        // Without this request the false template was not received.
        successful_request_about(
            &self.scene.wire()?,
            &format!("/make_{}/", self.membership),
            room,
            self.host.role(),
        )?;
        let signed = self.signed_about(check, room)?;
        let honest = |(event, _): &&(Value, Observation)| self.is_honest(room, event) && check != VERSION.0;
        if let Some((event, seen)) = signed.iter().find(|one| !honest(one)) {
            let text = message!("fail.trapped", what = check);
            let failure = self.alice.wrong("template.signed", text, std::slice::from_ref(seen));
            return Err(failure.showing(message!("scenario.expected.nothing-sent"), event));
        }
        match outcome {
            // A server may reject an invite locally when the resident server does not accept the leave.
            Ok(done) if signed.is_empty() && self.membership != "leave" => {
                let (who, verb, exchange) = (done.who, done.verb, done.exchange);
                Err(Failure::Accepted { who, verb, exchange })
            }
            Ok(done) => Ok(merge_observations(done, twin)),
            Err(Failure::Call { .. }) => Ok(twin),
            Err(other) => Err(other),
        }
    }
}

async fn join_traps(scene: &Scene) -> Result<(), Failure> {
    let lies = TemplateLies::prepare(scene, "join").await?;
    let mut tried = Vec::new();
    for (check, change) in FALSE_TEMPLATES {
        let (room, _) = lies.mallory.found(&lies.host, "mallory").await?;
        lies.falsify(&room, change);
        tried.push((check, lies.alice.join(&room).await, room));
    }
    // The twin: the same user joins another room of the same peer, honestly, and messages arrive.
    let setup =
        alice_in_mallorys_room(scene, lies.host.clone(), lies.alice.clone(), lies.mallory.clone()).await?;
    let twin = Observations::from(setup.send_next_event().await?);
    for (check, outcome, room) in tried {
        scene.check(check, lies.check_not_signed(check, &room, outcome, twin.clone()));
    }
    Ok(())
}

/// Alice rejects one invite of Mallory's after another. The last template is honest, and Mallory's copy shows her leave.
async fn leave_traps(scene: &Scene) -> Result<(), Failure> {
    let lies = TemplateLies::prepare(scene, "leave").await?;
    let invited = async || {
        let (room, copy) = lies.mallory.found(&lies.host, "mallory").await?;
        let event = copy.member("invite of Alice", lies.alice.id(), "invite")?;
        lies.mallory.bring(&lies.host, &copy.invitation(&event)).await?;
        lies.alice.sees(invite(&room, &lies.alice)).await?;
        Ok::<_, Failure>(room)
    };
    let mut tried = Vec::new();
    for (check, change) in FALSE_TEMPLATES.into_iter().filter(|(check, _)| *check != VERSION.0) {
        let room = invited().await?;
        lies.falsify(&room, change);
        tried.push((check, lies.alice.leave(&room).await, room));
    }
    let room = invited().await?;
    lies.alice.leave(&room).await?;
    let twin = accepted(&lies, &room).await?;
    for (check, outcome, room) in tried {
        scene.check(check, lies.check_not_signed(check, &room, outcome, twin.clone()));
    }
    Ok(())
}

async fn knock_traps(scene: &Scene) -> Result<(), Failure> {
    let lies = TemplateLies::prepare(scene, "knock").await?;
    let found = async || {
        let rule = json!({"join_rule": "knock"});
        lies.mallory.found_as(&lies.host, "mallory", |founding| founding.join_rules(rule)).await
    };
    let mut tried = Vec::new();
    for (check, change) in FALSE_TEMPLATES.into_iter().filter(|(check, _)| *check != VERSION.0) {
        let (room, _) = found().await?;
        lies.falsify(&room, change);
        tried.push((check, lies.alice.knock(&room).await, room));
    }
    let (room, _) = found().await?;
    lies.alice.knock(&room).await?;
    let twin = accepted(&lies, &room).await?;
    for (check, outcome, room) in tried {
        scene.check(check, lies.check_not_signed(check, &room, outcome, twin.clone()));
    }
    Ok(())
}

/// The peer's copy of the room has accepted Alice's honest event: the request in which her server sent it.
async fn accepted(lies: &TemplateLies<'_>, room: &Room) -> Result<Observations, Failure> {
    let submission = format!("/send_{}/", lies.membership);
    let is_it = |exchange: &Exchange| {
        let path = decoded(exchange.path_only());
        path.contains(&submission) && path.contains(&room.id) && exchange.status == Some(200)
    };
    let what = format!("the honest {}", lies.membership);
    let exchange = lies.scene.wire_shows(&what, is_it).await?;
    let member = lies.mallory.peer().with_room(&room.id, |copy| {
        copy.state_event("m.room.member", lies.alice.id())
            .and_then(|event| Some(event.membership()?.to_owned()))
    });
    if member.flatten().as_deref() != Some(lies.membership) {
        return Err(Failure::Inconclusive(message!("judging.no-answer", what = what)));
    }
    Ok(Observations::new(Observation { by: lies.host.role(), exchange: exchange.id }, []))
}
