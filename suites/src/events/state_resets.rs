//! State that another server got wrong must not turn back a room's own (rooms/v12, state resolution; MSC4297, problems A
//! and B).
//!
//! In both graphs Mallory's server tells of a branch beyond a gap, and what it was told of the state there is out of date:
//!
//!   … ── older ── … ── newer ── … ────────────────────────────┬── next
//!                               (gone) ── edge ── mark ── word ─┘
//!                                          └ the state here still has the older one
//!
//! Version 2 of the algorithm, of room versions up to 11, then goes back to the older one or to none; version 2.1 does not.
//! The mark, which no other branch has, is the twin: it has to be part of the state, else nothing was resolved.

use samklang_actors::peer::draft_message;
use samklang_matrix::Room as Copy;

use crate::{
    peer_setup::{PeerSetup, invite_if_required, mallory_in_room},
    prelude::*,
};

const JOIN_RULES: &str = "m.room.join_rules";
const LEVELS: &str = "m.room.power_levels";
/// A state event that takes no power here, and of which no branch but one has any.
const MARK: &str = "org.example.mark";
/// What the first event beyond the gap says.
const EDGE: &str = "the edge of the gap";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "events.no-state-reset",
        title: "In version 12 a branch with older state does not replace the newer state.",
        catalogue: &["SH-12"],
        requirements: &["SS-STATE-026"],
        versions: Versions::Only(&["12"]),
        checks: &[
            CheckPlan::new("join-rules", "The newer join rules stay in force, although their sender has left since.")
                .of(&["SS-STATE-024", "SS-STATE-026"]),
            CheckPlan::new(
                "power-levels",
                "The newer power levels stay in force, although their sender got the power from levels in between.",
            )
            .of(&["SS-STATE-025", "SS-STATE-026"]),
            CheckPlan::new("branch-counts", "A state event that only the other branch has becomes part of the room's state.")
                .of(&["SS-STATE-005"]),
        ],
        play: play!(no_state_reset),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.state-reset",
        title: "In versions 10 and 11 state resolution decides between newer state and a branch with older state.",
        weight: Weight::May,
        catalogue: &["SH-12"],
        requirements: &["SS-MISSING-013"],
        versions: Versions::Only(&["10", "11"]),
        checks: &[
            CheckPlan::new("join-rules", "The join rules in force are those that state resolution of this room version selects."),
            CheckPlan::new(
                "power-levels",
                "The power levels in force are those that state resolution of this room version selects.",
            ),
        ],
        play: play!(state_reset),
        ..Scenario::PEER
    },
];

/// What came of the older and the newer one.
struct Outcome {
    /// Which is in force, and whether the mark is.
    observed: Observed,
    /// Somebody at the server.
    witness: User,
}

impl Outcome {
    fn in_force(&self) -> &str {
        self.observed.value["in force"].as_str().unwrap_or_default()
    }

    /// The newer one stays.
    fn newer_stays(&self, what: &str) -> Result<Observations, Failure> {
        if self.in_force() == "newer" {
            return Ok(self.observed.clone().into());
        }
        let text = message!("fail.state-reset", what = what);
        let failure = self.witness.wrong("state.reset", text, self.observed.observations.all());
        Err(failure.showing("newer", self.in_force()))
    }

    /// The mark is part of the state.
    fn branch_counts(&self) -> Result<Observations, Failure> {
        if self.observed.value["mark"] == true {
            return Ok(self.observed.clone().into());
        }
        let text = message!("fail.not-in-state", event = "the mark of the branch");
        Err(self.witness.wrong("state.branch_lost", text, self.observed.observations.all()))
    }
}

async fn no_state_reset(scene: &Scene) -> Result<(), Failure> {
    let (rules, levels) = (join_rules(scene).await?, power_levels(scene).await?);
    scene.check("join-rules", rules.newer_stays("the join rules"));
    scene.check("power-levels", levels.newer_stays("the power levels"));
    let marks = rules.branch_counts().and_then(|one| Ok(merge_observations(one, levels.branch_counts()?)));
    scene.check("branch-counts", marks);
    Ok(())
}

async fn state_reset(scene: &Scene) -> Result<(), Failure> {
    scene.record("join-rules", join_rules(scene).await?.observed);
    scene.record("power-levels", power_levels(scene).await?.observed);
    Ok(())
}

/// Problem A. Who set the join rules, older and newer, has left on both branches. Version 2 begins with what the branches
/// agree on, the leave, so neither of the rules passes; version 2.1 begins with nothing, and takes what they cite.
///
///   Alice joins ── public ── Mallory, Bob join ── invite ── Alice leaves ──┬── next
///                                          (gone) ── edge, public ── mark ── word ─┘
async fn join_rules(scene: &Scene) -> Result<Outcome, Failure> {
    let setup = mallory_in_room(scene, Public.power_levels(json!({"state_default": 0}))).await?;
    let bob = setup.host.register("bob").await?;
    bob.join(&setup.room).await?;
    bob.sees(join(&setup.room, &bob)).await?;
    let older = in_force(&setup.copy, JOIN_RULES)?;
    let closed = json!({"join_rule": "invite"});
    let newer = setup.alice.set_state(&setup.room, JOIN_RULES, "", closed).await?;
    setup.alice.leave(&setup.room).await?;
    bob.sees(leave(&setup.room, &setup.alice)).await?;
    let last = bob.send(&setup.room, "Alice is gone").await?;
    scene.event_on_wire(&last).await?;
    // Only Bob is left to see anything.
    merge(&PeerSetup { alice: bob, ..setup }, JOIN_RULES, &older, &newer.id).await
}

/// Problem B. Carol's levels give Dave no power; her next ones do, and by these Dave makes the newest. Version 2 holds the
/// newest against the oldest; version 2.1 has those in between take part.
///
///   Carol's levels ── Carol's, for Dave ── Dave's ── Mallory joins ──┬── next
///                     (gone) ── edge, Carol's first ── mark ── word ─┘
async fn power_levels(scene: &Scene) -> Result<Outcome, Failure> {
    let [host] = scene.servers()?;
    let carol = host.register("carol").await?;
    let dave = host.register("dave").await?;
    let mallory = scene.peer("mallory").await?;
    let room = carol.create_room(Public).await?;
    invite_if_required(&carol, &host, &room, &mallory.user("mallory")).await?;
    dave.join(&room).await?;
    carol.sees(join(&room, &dave)).await?;
    let levels = |others: &[(&str, i64)]| {
        // From version 12 on a creator is in no list.
        let creator = (!scene.version_is_from(12)).then_some((carol.id(), 100));
        let users: Value = others
            .iter()
            .copied()
            .chain(creator)
            .map(|(user, level)| (user.to_owned(), json!(level)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        json!({"users": users, "state_default": 0, "events_default": 0})
    };
    let user = mallory.user("mallory");
    let older = carol.set_state(&room, LEVELS, "", levels(&[])).await?;
    carol.set_state(&room, LEVELS, "", levels(&[(dave.id(), 50)])).await?;
    let newer = dave.set_state(&room, LEVELS, "", levels(&[(dave.id(), 50), (&user, 25)])).await?;
    let copy = mallory.join(&host, &room, "mallory").await?;
    carol.sees(state(&room, "m.room.member", &copy.user)).await?;
    merge(&PeerSetup { scene, host, alice: carol, room, mallory, copy }, LEVELS, &older.id, &newer.id).await
}

/// The id of the state event of this type, as the copy has it.
fn in_force(copy: &RoomCopy, kind: &str) -> Result<String, Failure> {
    let find = |room: &mut Copy| room.state_event(kind, "").map(|event| event.id().to_owned());
    let none = || Problem::harness(message!("judging.no-copy", peer = copy.peer.label()));
    copy.peer.peer().with_room(&copy.room, find).flatten().ok_or_else(|| Failure::Problem(none()))
}

/// Brings the branch in which the older event is in force, and asks for the state before the server's next event.
async fn merge(setup: &PeerSetup<'_>, kind: &str, older: &str, newer: &str) -> Result<Outcome, Failure> {
    let place = (kind.to_owned(), String::new());
    let edge = setup.copy.beyond_a_gap(EDGE, |state| {
        state.insert(place, older.to_owned());
    })?;
    // Where the missing events end, the state has to be asked for.
    setup.mallory.peer().lie("/get_missing_events/", |mut answer| {
        if let Some(events) = answer["events"].as_array_mut() {
            events.retain(|event| event["content"]["body"] != EDGE);
        }
        answer
    });
    let mark = setup.copy.plant("mark", |room, user| {
        room.draft(MARK, user).state_key("").content(json!({"mark": kind})).after([&edge.id])
    })?;
    let word = setup.copy.plant("beyond the gap", |room, user| {
        draft_message(room, user, "beyond the gap").after([&mark.id])
    })?;
    setup.mallory.transmit(&setup.host, &[&word]).await?;
    // Where it is only put on record what becomes of state, so is a gap that is not crossed.
    setup.alice.sees(&word).await.map_err(|failure| match failure {
        Failure::NotSeen { who, what, .. } if setup.scene.version_is_from(12) => {
            Failure::Inconclusive(message!("judging.gap-not-crossed", user = who.name, what = what))
        }
        other => other,
    })?;
    let state = setup.next_event_and_state().await?.1;
    let holds = |id: &str| state.value["pdu_ids"].as_array().is_some_and(|ids| ids.contains(&json!(id)));
    let which = match (holds(older), holds(newer)) {
        (_, true) => "newer",
        (true, false) => "older",
        (false, false) => "neither",
    };
    let mark = holds(&mark.id);
    let observed = state.map(|_| json!({"in force": which, "mark": mark}));
    Ok(Outcome { observed, witness: setup.alice.clone() })
}
