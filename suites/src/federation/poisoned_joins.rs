//! Lies in the response to `send_join` (server-server API, joining rooms; checks performed on receipt of a PDU).
//!
//!   Alice's server ── send_join ─▶ Mallory
//!                  ◀─ state: honest, honest, lie      auth_chain: honest, honest
//!
//! The joining server can check the response only by the events themselves. It may drop an invalid event and go on, or give
//! up the join; it must not accept the invalid event as state of the room.

use samklang_actors::user::Done;
use samklang_matrix::{RoomVersion, Rule};

use super::successful_request_about;
use crate::{peer_setup::alice_in_mallorys_room, prelude::*};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.poisoned-joins",
        title: "The joining server accepts no invalid state event from a send_join response.",
        catalogue: &["SH-02"],
        requirements: &["SS-JOIN-043", "SS-JOIN-044"],
        checks: &[
            CheckPlan::new(
                "unsigned",
                "In a send_join response, the joining server does not accept a state event that its sender's server did not sign.",
            )
            .of(&["SS-JOIN-043"]),
            CheckPlan::new(
                "stranger-key",
                "In a send_join response, the joining server does not accept a state event signed with an unpublished key.",
            )
            .of(&["SS-JOIN-043"]),
            CheckPlan::new(
                "other-server",
                "In a send_join response, the joining server accepts no third server's event that only the resident server signed.",
            )
            .of(&["SS-JOIN-043"]),
            CheckPlan::new(
                "changed-content",
                "In a send_join response, the joining server does not accept content that does not match the content hash.",
            )
            .of(&["SS-JOIN-043"]),
            CheckPlan::new(
                "no-power",
                "In a send_join response, the joining server accepts no state event whose sender lacks the power level for it.",
            )
            .of(&["SS-JOIN-044"]),
            CheckPlan::new(
                "forged-authority",
                "In a send_join response, the joining server accepts no state event that lists a forged event as an auth event.",
            )
            .of(&["SS-JOIN-043", "SS-JOIN-044"]),
            CheckPlan::new("other-room", "In a send_join response, the joining server does not accept a state event of another room.")
                .of(&["SS-JOIN-044", "SS-EAUTH-009"]),
            CheckPlan::new(
                "unsigned-not-named",
                "The joining server's `state_ids` does not list the event without the signature of its sender's server.",
            )
            .of(&["SS-JOIN-044", "SS-EAUTH-009"]),
            CheckPlan::new(
                "stranger-key-not-named",
                "The joining server's `state_ids` does not list the event that is signed with an unpublished key.",
            )
            .of(&["SS-JOIN-044", "SS-EAUTH-009"]),
            CheckPlan::new(
                "other-server-not-named",
                "The joining server's `state_ids` does not list a third server's event that only the resident server signed.",
            )
            .of(&["SS-JOIN-044", "SS-EAUTH-009"]),
            CheckPlan::new(
                "no-power-not-named",
                "The joining server's `state_ids` does not list the event whose sender lacks the power level for it.",
            )
            .of(&["SS-JOIN-044", "SS-EAUTH-009"]),
            CheckPlan::new(
                "forged-authority-not-named",
                "The joining server's `state_ids` does not list the event that lists a forged event as an auth event.",
            )
            .of(&["SS-JOIN-044", "SS-EAUTH-009"]),
            CheckPlan::new("other-room-not-named", "The joining server's `state_ids` does not list the event of another room.")
                .of(&["SS-JOIN-044", "SS-EAUTH-009"]),
        ],
        play: play!(poisoned_joins),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.rootless-joins",
        title: "A join fails if the response to send_join has no create event of the room's version.",
        catalogue: &["SH-02"],
        requirements: &["SS-JOIN-045"],
        checks: &[
            CheckPlan::new("no-create", "A join fails on the joining server if the send_join response contains no create event."),
            CheckPlan::new(
                "other-version",
                "The join fails if the response's create event has another room version.",
            ),
        ],
        play: play!(rootless_joins),
        ..Scenario::PEER
    },
];

/// Alice, who joins rooms of Mallory's server.
pub(super) struct JoiningUser<'a> {
    pub(super) scene: &'a Scene,
    pub(super) host: Host,
    pub(super) alice: User,
    pub(super) mallory: ScriptedPeer,
}

/// A join whose response held a lie.
struct PoisonedJoin {
    check: &'static str,
    room: Room,
    copy: RoomCopy,
    lie: Planted,
    /// The outcome of the join, as Alice's client was told.
    outcome: Result<Done, Failure>,
}

impl<'a> JoiningUser<'a> {
    pub(super) async fn at(scene: &'a Scene) -> Result<Self, Failure> {
        let [host] = scene.servers()?;
        let alice = host.register("alice").await?;
        let mallory = scene.peer("mallory").await?;
        Ok(Self { scene, host, alice, mallory })
    }

    async fn room(&self) -> Result<(Room, RoomCopy), Failure> {
        self.mallory.found(&self.host, "mallory").await
    }

    /// Changes the response to the join of `room`.
    fn change_response(&self, room: &Room, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        let room = room.id.clone();
        self.mallory.peer().lie("/send_join/", move |mut answer| {
            if answer["event"]["room_id"] == *room {
                change(&mut answer);
            }
            answer
        });
    }

    /// Alice joins, and the response holds `lie` in the state and `also` in the auth chain.
    async fn join_with_lie(
        &self,
        check: &'static str,
        (room, copy): (Room, RoomCopy),
        lie: Planted,
        also: Option<Planted>,
    ) -> Result<PoisonedJoin, Failure> {
        let (pdu, chain) = (lie.json().clone(), also.map(|event| event.json().clone()));
        self.change_response(&room, move |answer| {
            push(&mut answer["state"], pdu.clone());
            if let Some(event) = chain.clone() {
                push(&mut answer["auth_chain"], event);
            }
        });
        let outcome = self.alice.join(&room).await;
        Ok(PoisonedJoin { check, room, copy, lie, outcome })
    }

    /// Passes if the join failed, or Alice is not shown the lie in the room's state.
    async fn check_not_shown(
        &self,
        poisoned: &PoisonedJoin,
        twin: &Observations,
    ) -> Result<Observations, Failure> {
        successful_request_about(&self.scene.wire()?, "/send_join/", &poisoned.room, self.host.role())?;
        match &poisoned.outcome {
            Err(Failure::Call { .. }) => return Ok(twin.clone()),
            Err(other) => return Err(other.clone()),
            Ok(_) => {}
        }
        let lie = &poisoned.lie;
        let state = self.alice.state(&poisoned.room).await?;
        let is_it =
            |event: &&Value| event["event_id"] == *lie.id && event["content"] == lie.json()["content"];
        if let Some(shown) = state.value.as_array().and_then(|state| state.iter().find(is_it)) {
            let text = message!("fail.in-state", event = lie.what);
            let failure = self.alice.wrong("state.holds_forged", text, state.observations.all());
            return Err(failure.showing(message!("scenario.expected.not-in-state"), shown));
        }
        Ok(state.observations)
    }

    /// Passes if the join failed, or `state_ids` of Alice's server does not list the lie.
    async fn check_not_listed(
        &self,
        poisoned: &PoisonedJoin,
        twin: &Observations,
    ) -> Result<Observations, Failure> {
        // After a join that failed there is no room whose state could be requested.
        if poisoned.outcome.is_err() {
            return Ok(twin.clone());
        }
        let setup = self.setup(poisoned);
        let sent = self.alice.send(&poisoned.room, "here I am").await?;
        self.scene.event_on_wire(&sent).await?;
        let ids = setup.state_before(&sent.id).await?;
        setup.check_not_in_state(&poisoned.lie, &ids)
    }

    /// The setup of Alice and Mallory in the joined room.
    fn setup(&self, poisoned: &PoisonedJoin) -> PeerSetup<'_> {
        PeerSetup {
            scene: self.scene,
            host: self.host.clone(),
            alice: self.alice.clone(),
            room: poisoned.room.clone(),
            mallory: self.mallory.clone(),
            copy: poisoned.copy.clone(),
        }
    }
}

fn push(list: &mut Value, event: Value) {
    if let Some(list) = list.as_array_mut() {
        list.push(event);
    }
}

/// A topic of Mallory's that is forged in the way that its check names.
fn forged_topic(copy: &RoomCopy, check: &str, stranger: &SigningKey) -> Result<Planted, Failure> {
    let tamper = match check {
        "unsigned" => Tamper::Unsigned,
        "stranger-key" => Tamper::Key(stranger),
        _ => Tamper::before_signing(|pdu| pdu["content"]["topic"] = json!("otherwise")),
    };
    copy.forge(check, tamper, |room, user| {
        room.draft("m.room.topic", user).state_key("").content(json!({ "topic": check }))
    })
}

async fn poisoned_joins(scene: &Scene) -> Result<(), Failure> {
    let joiner = JoiningUser::at(scene).await?;
    let stranger = unpublished_key()?;
    let mut tried = Vec::new();
    for check in ["unsigned", "stranger-key", "changed-content"] {
        let (room, copy) = joiner.room().await?;
        let lie = forged_topic(&copy, check, &stranger)?;
        tried.push(joiner.join_with_lie(check, (room, copy), lie, None).await?);
    }
    tried.push(signed_by_the_peer(&joiner).await?);
    tried.extend(without_power(&joiner).await?);
    tried.push(of_another_room(&joiner).await?);

    let (host, alice) = (joiner.host.clone(), joiner.alice.clone());
    let setup = alice_in_mallorys_room(scene, host, alice, joiner.mallory.clone()).await?;
    let twin = Observations::from(setup.alice.state_of(&setup.room, "m.room.join_rules", "").await?);
    for poisoned in &tried {
        scene.check(poisoned.check, joiner.check_not_shown(poisoned, &twin).await);
    }
    // A server may hold in its state what it does not show to clients: the IDs in `state_ids` tell.
    for poisoned in tried.iter().filter(|poisoned| poisoned.check != "changed-content") {
        let outcome = joiner.check_not_listed(poisoned, &twin).await;
        scene.check(&format!("{}-not-named", poisoned.check), outcome);
    }
    Ok(())
}

/// A join of a third server's user that only Mallory's server has signed.
async fn signed_by_the_peer(joiner: &JoiningUser<'_>) -> Result<PoisonedJoin, Failure> {
    let trent = joiner.scene.peer("trent").await?.user("trent");
    let (room, copy) = joiner.room().await?;
    let own = joiner.mallory.peer().key();
    let lie =
        copy.forge("join of Trent", Tamper::Key(own), |room, _| room.draft_member(&trent, &trent, "join"))?;
    joiner.join_with_lie("other-server", (room, copy), lie, None).await
}

/// Eve is in the room and lacks the power level to set the topic. In the first room she sets it all the same; in the second
/// her topic has forged power levels among its auth events.
///
///   create ◀─ levels (Mallory)  ◀────────── topic (Eve)      "no-power"
///          ◀─ levels (forged: Eve 100)  ◀── topic (Eve)      "forged-authority"
async fn without_power(joiner: &JoiningUser<'_>) -> Result<[PoisonedJoin; 2], Failure> {
    let eve = joiner.mallory.user("eve");
    let (room, copy) = joiner.room().await?;
    copy.as_user(&eve).member("join of Eve", &eve, "join")?;
    let lie = copy.defy("topic of Eve", Rule::EventLevel, |room, _| {
        room.draft("m.room.topic", &eve).state_key("").content(json!({"topic": "Eve's"}))
    })?;
    let plain = joiner.join_with_lie("no-power", (room, copy), lie, None).await?;

    let (room, copy) = joiner.room().await?;
    let join = copy.as_user(&eve).member("join of Eve", &eve, "join")?;
    let stranger = unpublished_key()?;
    let levels = copy.forge("forged power levels", Tamper::Key(&stranger), |room, user| {
        room.draft("m.room.power_levels", user).state_key("").content(json!({"users": {eve.as_str(): 100}}))
    })?;
    // The topic itself is well formed, so nothing in it is tampered with; only its auth events are wrong.
    let lie = copy.forge("topic with a forged auth event", Tamper::before_hash(|_| {}), |room, _| {
        // From version 12 on the create event is not listed in auth_events.
        let create = room.state_event("m.room.create", "").filter(|_| !room.version().is_named_by_create());
        let create = create.map(|event| event.id().to_owned());
        let auth_events = [levels.id.clone(), join.id.clone()].into_iter().chain(create);
        room.draft("m.room.topic", &eve)
            .state_key("")
            .content(json!({"topic": "Eve's"}))
            .with_auth_events(auth_events)
    })?;
    Ok([plain, joiner.join_with_lie("forged-authority", (room, copy), lie, Some(levels)).await?])
}

/// A well-formed topic of another room of Mallory's.
async fn of_another_room(joiner: &JoiningUser<'_>) -> Result<PoisonedJoin, Failure> {
    let (_, other) = joiner.room().await?;
    let lie = other.plant("topic of another room", |room, user| {
        room.draft("m.room.topic", user).state_key("").content(json!({"topic": "elsewhere"}))
    })?;
    joiner.mallory.peer().admit(&lie.id);
    joiner.join_with_lie("other-room", joiner.room().await?, lie, None).await
}

async fn rootless_joins(scene: &Scene) -> Result<(), Failure> {
    let joiner = JoiningUser::at(scene).await?;
    let is_create = |event: &Value| event["type"] == "m.room.create";
    let (without, _) = joiner.room().await?;
    joiner.change_response(&without, move |answer| {
        for list in ["state", "auth_chain"] {
            answer[list].as_array_mut().into_iter().for_each(|list| list.retain(|event| !is_create(event)));
        }
    });
    let (other, copy) = joiner.room().await?;
    let create = create_of_another_version(&joiner, &copy)?;
    joiner.change_response(&other, move |answer| {
        for list in ["state", "auth_chain"] {
            let events = answer[list].as_array_mut().into_iter().flatten();
            events.filter(|event| is_create(event)).for_each(|event| *event = create.clone());
        }
    });
    let outcomes = [
        ("no-create", joiner.alice.join(&without).await, without),
        ("other-version", joiner.alice.join(&other).await, other),
    ];

    let (host, alice) = (joiner.host.clone(), joiner.alice.clone());
    let setup = alice_in_mallorys_room(scene, host, alice, joiner.mallory.clone()).await?;
    let twin = Observations::from(setup.send_next_event().await?);
    for (check, outcome, room) in outcomes {
        let lie_told = successful_request_about(&scene.wire()?, "/send_join/", &room, joiner.host.role());
        scene.check(check, lie_told.and_then(|_| check_failed(outcome, &twin)));
    }
    Ok(())
}

/// Passes if the join failed, in whatever way.
pub(super) fn check_failed(
    outcome: Result<Done, Failure>,
    twin: &Observations,
) -> Result<Observations, Failure> {
    match outcome {
        Ok(Done { who, verb, exchange, .. }) => Err(Failure::Accepted { who, verb, exchange }),
        Err(Failure::Call { .. }) => Ok(twin.clone()),
        Err(other) => Err(other),
    }
}

/// The room's create event with another version in it, hashed and signed anew.
fn create_of_another_version(joiner: &JoiningUser<'_>, copy: &RoomCopy) -> Result<Value, Failure> {
    let no_copy = |what: String| Failure::Problem(Problem::harness(message!("judging.no-copy", peer = what)));
    let version =
        RoomVersion::new(joiner.scene.room_version()).map_err(|error| no_copy(error.to_string()))?;
    let create = joiner.mallory.peer().with_room(&copy.room, |room| {
        room.state_event("m.room.create", "").map(|event| Value::Object(event.json().clone()))
    });
    let mut create = create.flatten().ok_or_else(|| no_copy(joiner.mallory.label().to_owned()))?;
    let other = if joiner.scene.room_version() == "9" { "8" } else { "9" };
    create["content"]["room_version"] = json!(other);
    Ok(joiner.mallory.peer().finished(&create, &version))
}
