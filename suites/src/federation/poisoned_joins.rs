//! Answers to `send_join` that lie (server-server API, joining rooms; checks performed on receipt of a PDU).
//!
//!   Alice's server ── send_join ─▶ Mallory
//!                  ◀─ state: honest, honest, lie      auth_chain: honest, honest
//!
//! Who joins has nothing to hold the answer against but the events themselves. A server may drop what does not hold and
//! go on, or give the join up; what it may not do is to take the lie for the room's state.

use samklang_matrix::{RoomVersion, Rule};
use samklang_stage::user::Done;

use super::answered_about;
use crate::{peer_setup::alice_in_mallorys_room, prelude::*};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.poisoned-joins",
        title: "State that does not hold does not get into a room by the answer to a join.",
        catalogue: &["SH-02"],
        requirements: &["SS-JOIN-043", "SS-JOIN-044"],
        checks: &[
            CheckPlan::new("unsigned", "State without its server's signature stays out.")
                .of(&["SS-JOIN-043"]),
            CheckPlan::new(
                "stranger-key",
                "State signed with a key that its server never published stays out.",
            )
            .of(&["SS-JOIN-043"]),
            CheckPlan::new("other-server", "State in another server's name, signed by the peer, stays out.")
                .of(&["SS-JOIN-043"]),
            CheckPlan::new(
                "changed-content",
                "State whose content is not what its hash says stays out, or its content does.",
            )
            .of(&["SS-JOIN-043"]),
            CheckPlan::new("no-power", "State by a user who has no power to send it stays out.")
                .of(&["SS-JOIN-044"]),
            CheckPlan::new(
                "forged-authority",
                "State that rests on a forged event of the auth chain stays out.",
            )
            .of(&["SS-JOIN-043", "SS-JOIN-044"]),
            CheckPlan::new("other-room", "State of another room stays out.")
                .of(&["SS-JOIN-044", "SS-EAUTH-009"]),
            CheckPlan::new(
                "unsigned-not-named",
                "The state that the server gives to others does not name the unsigned event.",
            )
            .of(&["SS-JOIN-044", "SS-EAUTH-009"]),
            CheckPlan::new("stranger-key-not-named", "Nor the one signed with an unpublished key.")
                .of(&["SS-JOIN-044", "SS-EAUTH-009"]),
            CheckPlan::new("other-server-not-named", "Nor the one in another server's name.")
                .of(&["SS-JOIN-044", "SS-EAUTH-009"]),
            CheckPlan::new("no-power-not-named", "Nor the one by a user without power.")
                .of(&["SS-JOIN-044", "SS-EAUTH-009"]),
            CheckPlan::new("forged-authority-not-named", "Nor the one that rests on a forged event.")
                .of(&["SS-JOIN-044", "SS-EAUTH-009"]),
            CheckPlan::new("other-room-not-named", "Nor the one of another room.")
                .of(&["SS-JOIN-044", "SS-EAUTH-009"]),
        ],
        play: play!(poisoned_joins),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.rootless-joins",
        title: "A join comes to nothing when the answer has no create event to found the room on.",
        catalogue: &["SH-02"],
        requirements: &["SS-JOIN-045"],
        checks: &[
            CheckPlan::new("no-create", "Without a create event the join fails."),
            CheckPlan::new("other-version", "With a create event of another room version the join fails."),
        ],
        play: play!(rootless_joins),
        ..Scenario::PEER
    },
];

/// Alice, and the peer whose rooms she joins.
pub(super) struct Joiner<'a> {
    pub(super) scene: &'a Scene,
    pub(super) host: Host,
    pub(super) alice: User,
    pub(super) mallory: ScriptedPeer,
}

/// A lie in the answer to a join, and what came of the join.
struct Poisoned {
    check: &'static str,
    room: Room,
    copy: RoomCopy,
    lie: Planted,
    told: Result<Done, Failure>,
}

impl<'a> Joiner<'a> {
    pub(super) async fn at(scene: &'a Scene) -> Result<Self, Failure> {
        let [host] = scene.servers()?;
        let alice = host.register("alice").await?;
        let mallory = scene.peer("mallory").await?;
        Ok(Self { scene, host, alice, mallory })
    }

    async fn room(&self) -> Result<(Room, RoomCopy), Failure> {
        self.mallory.found(&self.host, "mallory").await
    }

    /// Bends the answer to the join of `room`.
    fn bend(&self, room: &Room, bend: impl Fn(&mut Value) + Send + Sync + 'static) {
        let room = room.id.clone();
        self.mallory.peer().lie("/send_join/", move |mut answer| {
            if answer["event"]["room_id"] == *room {
                bend(&mut answer);
            }
            answer
        });
    }

    /// Alice joins, and the answer holds `lie` in the state and `also` in the auth chain.
    async fn poison(
        &self,
        check: &'static str,
        (room, copy): (Room, RoomCopy),
        lie: Planted,
        also: Option<Planted>,
    ) -> Result<Poisoned, Failure> {
        let (pdu, chain) = (lie.json().clone(), also.map(|event| event.json().clone()));
        self.bend(&room, move |answer| {
            push(&mut answer["state"], pdu.clone());
            if let Some(event) = chain.clone() {
                push(&mut answer["auth_chain"], event);
            }
        });
        let told = self.alice.join(&room).await;
        Ok(Poisoned { check, room, copy, lie, told })
    }

    /// The lie is not part of the room as Alice's server has it.
    async fn stays_out(&self, poisoned: &Poisoned, twin: &Observations) -> Result<Observations, Failure> {
        answered_about(&self.scene.wire()?, "/send_join/", &poisoned.room, self.host.role())?;
        match &poisoned.told {
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
            return Err(failure.showing("", shown));
        }
        Ok(state.observations)
    }

    /// The lie is not named by the state that Alice's server gives to others.
    async fn is_not_named(&self, poisoned: &Poisoned, twin: &Observations) -> Result<Observations, Failure> {
        // A join that failed left nothing behind that could be asked about.
        if poisoned.told.is_err() {
            return Ok(twin.clone());
        }
        let setup = self.setup(poisoned);
        let sent = self.alice.send(&poisoned.room, "here I am").await?;
        self.scene.event_on_wire(&sent).await?;
        let ids = setup.state_before(&sent.id).await?;
        setup.check_not_in_state(&poisoned.lie, &ids)
    }

    /// Alice and Mallory in the room that was joined.
    fn setup(&self, poisoned: &Poisoned) -> PeerSetup<'_> {
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

/// A topic of Mallory's that is not in due form, in the way that its check says.
fn topic(copy: &RoomCopy, check: &str, stranger: &SigningKey) -> Result<Planted, Failure> {
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
    let joiner = Joiner::at(scene).await?;
    let stranger = unpublished_key()?;
    let mut tried = Vec::new();
    for check in ["unsigned", "stranger-key", "changed-content"] {
        let (room, copy) = joiner.room().await?;
        let lie = topic(&copy, check, &stranger)?;
        tried.push(joiner.poison(check, (room, copy), lie, None).await?);
    }
    tried.push(in_anothers_name(&joiner).await?);
    tried.extend(powerless(&joiner).await?);
    tried.push(of_another_room(&joiner).await?);

    let (host, alice) = (joiner.host.clone(), joiner.alice.clone());
    let setup = alice_in_mallorys_room(scene, host, alice, joiner.mallory.clone()).await?;
    let twin = Observations::from(setup.alice.state_of(&setup.room, "m.room.join_rules", "").await?);
    for poisoned in &tried {
        scene.check(poisoned.check, joiner.stays_out(poisoned, &twin).await);
    }
    // What clients are not shown may take its place in the state all the same, and drive out what was there: the ids tell.
    for poisoned in tried.iter().filter(|poisoned| poisoned.check != "changed-content") {
        let outcome = joiner.is_not_named(poisoned, &twin).await;
        scene.check(&format!("{}-not-named", poisoned.check), outcome);
    }
    Ok(())
}

/// The join of a user of a third server, which that server never signed.
async fn in_anothers_name(joiner: &Joiner<'_>) -> Result<Poisoned, Failure> {
    let trent = joiner.scene.peer("trent").await?.user("trent");
    let (room, copy) = joiner.room().await?;
    let own = joiner.mallory.peer().key();
    let lie =
        copy.forge("join of Trent", Tamper::Key(own), |room, _| room.draft_member(&trent, &trent, "join"))?;
    joiner.poison("other-server", (room, copy), lie, None).await
}

/// Eve is in the room and has no power. First she sets the topic all the same; then she rests it on levels that nobody
/// signed.
///
///   create ◀─ levels (Mallory)  ◀────────── topic (Eve)      "no-power"
///          ◀─ levels (forged: Eve 100)  ◀── topic (Eve)      "forged-authority"
async fn powerless(joiner: &Joiner<'_>) -> Result<[Poisoned; 2], Failure> {
    let eve = joiner.mallory.user("eve");
    let (room, copy) = joiner.room().await?;
    copy.as_user(&eve).member("join of Eve", &eve, "join")?;
    let lie = copy.defy("topic of Eve's", Rule::EventLevel, |room, _| {
        room.draft("m.room.topic", &eve).state_key("").content(json!({"topic": "Eve's"}))
    })?;
    let plain = joiner.poison("no-power", (room, copy), lie, None).await?;

    let (room, copy) = joiner.room().await?;
    let join = copy.as_user(&eve).member("join of Eve", &eve, "join")?;
    let stranger = unpublished_key()?;
    let levels = copy.forge("forged levels", Tamper::Key(&stranger), |room, user| {
        room.draft("m.room.power_levels", user).state_key("").content(json!({"users": {eve.as_str(): 100}}))
    })?;
    // In itself it is as it should be, so there is nothing to tamper with: it rests on what nobody signed.
    let lie = copy.forge("topic on forged levels", Tamper::before_hash(|_| {}), |room, _| {
        // From version 12 on the create event is not cited.
        let create = room.state_event("m.room.create", "").filter(|_| !room.version().is_named_by_create());
        let create = create.map(|event| event.id().to_owned());
        let cited = [levels.id.clone(), join.id.clone()].into_iter().chain(create);
        room.draft("m.room.topic", &eve).state_key("").content(json!({"topic": "Eve's"})).citing(cited)
    })?;
    Ok([plain, joiner.poison("forged-authority", (room, copy), lie, Some(levels)).await?])
}

/// A topic that is in due form, in another room of Mallory's.
async fn of_another_room(joiner: &Joiner<'_>) -> Result<Poisoned, Failure> {
    let (_, other) = joiner.room().await?;
    let lie = other.plant("topic of another room", |room, user| {
        room.draft("m.room.topic", user).state_key("").content(json!({"topic": "elsewhere"}))
    })?;
    joiner.mallory.peer().admit(&lie.id);
    joiner.poison("other-room", joiner.room().await?, lie, None).await
}

async fn rootless_joins(scene: &Scene) -> Result<(), Failure> {
    let joiner = Joiner::at(scene).await?;
    let is_create = |event: &Value| event["type"] == "m.room.create";
    let (without, _) = joiner.room().await?;
    joiner.bend(&without, move |answer| {
        for list in ["state", "auth_chain"] {
            answer[list].as_array_mut().into_iter().for_each(|list| list.retain(|event| !is_create(event)));
        }
    });
    let (other, copy) = joiner.room().await?;
    let create = create_of_another_version(&joiner, &copy)?;
    joiner.bend(&other, move |answer| {
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
    for (check, told, room) in outcomes {
        let lied = answered_about(&scene.wire()?, "/send_join/", &room, joiner.host.role());
        scene.check(check, lied.and_then(|_| failed(told, &twin)));
    }
    Ok(())
}

/// The call failed, in whatever way.
pub(super) fn failed(told: Result<Done, Failure>, twin: &Observations) -> Result<Observations, Failure> {
    match told {
        Ok(Done { who, verb, exchange, .. }) => Err(Failure::Accepted { who, verb, exchange }),
        Err(Failure::Call { .. }) => Ok(twin.clone()),
        Err(other) => Err(other),
    }
}

/// The room's create event with another version in it, in due form.
fn create_of_another_version(joiner: &Joiner<'_>, copy: &RoomCopy) -> Result<Value, Failure> {
    let bad = |what: String| Failure::Problem(Problem::harness(message!("judging.no-copy", peer = what)));
    let version = RoomVersion::new(joiner.scene.room_version()).map_err(|error| bad(error.to_string()))?;
    let create = joiner.mallory.peer().with_room(&copy.room, |room| {
        room.state_event("m.room.create", "").map(|event| Value::Object(event.json().clone()))
    });
    let mut create = create.flatten().ok_or_else(|| bad(joiner.mallory.label().to_owned()))?;
    let other = if joiner.scene.room_version() == "9" { "8" } else { "9" };
    create["content"]["room_version"] = json!(other);
    Ok(joiner.mallory.peer().finished(&create, &version))
}
