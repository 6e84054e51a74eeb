//! State resets: a branch with older state must not replace a room's newer state (rooms/v12, state resolution; MSC4297,
//! problems A and B).
//!
//! In both graphs Mallory's server sends a branch from beyond a gap, and the state that it gives there is out of date:
//!
//!   … ── older ── … ── newer ── … ──────────────────────────────────┬── next
//!                               (gone) ── edge ── mark ── message ──┘
//!                                          └ the state here still has the older event
//!
//! Version 2 of state resolution, used up to room version 11, then selects the older event or neither; version 2.1 selects
//! the newer one. The mark, a state event that only this branch has, is the twin: it has to become part of the state, else
//! nothing was resolved.

use samklang_actors::peer::draft_message;
use samklang_matrix::RoomGraph;

use crate::{
    peer_setup::{PeerSetup, invite_if_required, mallory_in_room},
    prelude::*,
};

const JOIN_RULES: &str = "m.room.join_rules";
const LEVELS: &str = "m.room.power_levels";
/// The type of the mark, a state event that needs no power here and that only one branch has.
const MARK: &str = "org.example.mark";
/// The body of the first event beyond the gap.
const EDGE: &str = "the edge of the gap";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "events.no-state-reset",
        title: "In room version 12 a branch of the graph with older state does not replace the newer state.",
        catalogue: &["SH-12"],
        requirements: &["SS-STATE-026"],
        versions: Versions::Only(&["12"]),
        checks: &[
            CheckPlan::new("join-rules", "Merging the fork keeps the newer join rules, although their sender has since left.")
                .of(&["SS-STATE-024", "SS-STATE-026"]),
            CheckPlan::new(
                "power-levels",
                "Merging the fork keeps the newer power levels, even if their sender got the power from levels in between.",
            )
            .of(&["SS-STATE-025", "SS-STATE-026"]),
            CheckPlan::new("branch-counts", "A state event that exists on one branch of the fork only becomes part of the room's state.")
                .of(&["SS-STATE-005"]),
        ],
        play: play!(no_state_reset),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.state-reset",
        title: "In room versions 10 and 11 state resolution decides between newer state and a branch with older state.",
        weight: Weight::May,
        catalogue: &["SH-12"],
        requirements: &["SS-MISSING-013"],
        versions: Versions::Only(&["10", "11"]),
        checks: &[
            CheckPlan::new("join-rules", "After the fork is merged, the join rules are those that this room version's state resolution selects."),
            CheckPlan::new(
                "power-levels",
                "After the fork is merged, the power levels are those that this room version's state resolution selects.",
            ),
        ],
        play: play!(state_reset),
        ..Scenario::PEER
    },
];

/// The result of state resolution between the older and the newer event.
struct ResolvedState {
    /// The event that is in force, and whether the mark is part of the state.
    observed: Observed,
    /// A user of the server under test.
    witness: User,
}

impl ResolvedState {
    fn in_force(&self) -> &str {
        self.observed.value["in force"].as_str().unwrap_or_default()
    }

    /// Passes if the newer event is in force.
    fn check_newer_in_force(&self, what: &str) -> Result<Observations, Failure> {
        if self.in_force() == "newer" {
            return Ok(self.observed.clone().into());
        }
        let text = message!("fail.state-reset", what = what);
        let failure = self.witness.wrong("state.reset", text, self.observed.observations.all());
        Err(failure.showing("newer", self.in_force()))
    }

    /// Passes if the mark is part of the state.
    fn check_mark_in_state(&self) -> Result<Observations, Failure> {
        if self.observed.value["mark"] == true {
            return Ok(self.observed.clone().into());
        }
        let text = message!("fail.not-in-state", event = "the branch's own state event");
        Err(self.witness.wrong("state.branch_lost", text, self.observed.observations.all()))
    }
}

async fn no_state_reset(scene: &Scene) -> Result<(), Failure> {
    let (rules, levels) = (older_join_rules(scene).await?, older_power_levels(scene).await?);
    scene.check("join-rules", rules.check_newer_in_force("the join rules"));
    scene.check("power-levels", levels.check_newer_in_force("the power levels"));
    let marks = rules
        .check_mark_in_state()
        .and_then(|one| Ok(merge_observations(one, levels.check_mark_in_state()?)));
    scene.check("branch-counts", marks);
    Ok(())
}

async fn state_reset(scene: &Scene) -> Result<(), Failure> {
    scene.record("join-rules", older_join_rules(scene).await?.observed);
    scene.record("power-levels", older_power_levels(scene).await?.observed);
    Ok(())
}

/// Problem A. The user who set the older and the newer join rules has left on both branches. Version 2 starts from the
/// unconflicted state, which has the leave, so neither of the join rules is allowed; version 2.1 starts from an empty state
/// and uses the auth events of each event.
///
///   Alice joins ── public ── Mallory, Bob join ── invite ── Alice leaves ──┬── next
///                                       (gone) ── edge, public ── mark ── message ─┘
async fn older_join_rules(scene: &Scene) -> Result<ResolvedState, Failure> {
    let setup = mallory_in_room(scene, Public.power_levels(json!({"state_default": 0}))).await?;
    let bob = setup.host.register("bob").await?;
    bob.join(&setup.room).await?;
    bob.sees(join(&setup.room, &bob)).await?;
    let older = current_id(&setup.copy, JOIN_RULES)?;
    let closed = json!({"join_rule": "invite"});
    let newer = setup.alice.set_state(&setup.room, JOIN_RULES, "", closed).await?;
    setup.alice.leave(&setup.room).await?;
    bob.sees(leave(&setup.room, &setup.alice)).await?;
    let last = bob.send(&setup.room, "Alice is gone").await?;
    scene.event_on_wire(&last).await?;
    // Alice has left, so that Bob takes her place as the user who is shown events.
    merge_branch(&PeerSetup { alice: bob, ..setup }, JOIN_RULES, &older, &newer.id).await
}

/// Problem B. Carol's first power levels give Dave no power; her second ones do, and with these Dave sets the newest.
/// Version 2 authorises the newest against the oldest; in version 2.1 those in between take part in state resolution.
///
///   Carol's levels ── Carol's, for Dave ── Dave's ── Mallory joins ──┬── next
///                  (gone) ── edge, Carol's first ── mark ── message ─┘
async fn older_power_levels(scene: &Scene) -> Result<ResolvedState, Failure> {
    let [host] = scene.servers()?;
    let carol = host.register("carol").await?;
    let dave = host.register("dave").await?;
    let mallory = scene.peer("mallory").await?;
    let room = carol.create_room(Public).await?;
    invite_if_required(&carol, &host, &room, &mallory.user("mallory")).await?;
    dave.join(&room).await?;
    carol.sees(join(&room, &dave)).await?;
    let levels = |others: &[(&str, i64)]| {
        // From version 12 on power levels must not list a creator.
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
    merge_branch(&PeerSetup { scene, host, alice: carol, room, mallory, copy }, LEVELS, &older.id, &newer.id)
        .await
}

/// The ID of the state event of this type in the copy's current state.
fn current_id(copy: &RoomCopy, kind: &str) -> Result<String, Failure> {
    let find = |room: &mut RoomGraph| room.state_event(kind, "").map(|event| event.id().to_owned());
    let none = || Problem::harness(message!("judging.no-copy", peer = copy.peer.label()));
    copy.peer.peer().with_room(&copy.room, find).flatten().ok_or_else(|| Failure::Problem(none()))
}

/// Sends the branch in which the older event is in force, and asks for the state before the server's next event.
async fn merge_branch(
    setup: &PeerSetup<'_>,
    kind: &str,
    older: &str,
    newer: &str,
) -> Result<ResolvedState, Failure> {
    let entry = (kind.to_owned(), String::new());
    let edge = setup.copy.beyond_a_gap(EDGE, |state| {
        state.insert(entry, older.to_owned());
    })?;
    // The response to get_missing_events stops short of the edge, so that the server has to ask for the state there.
    setup.mallory.peer().lie("/get_missing_events/", |mut answer| {
        if let Some(events) = answer["events"].as_array_mut() {
            events.retain(|event| event["content"]["body"] != EDGE);
        }
        answer
    });
    let mark = setup.copy.plant("mark", |room, user| {
        room.draft(MARK, user).state_key("").content(json!({"mark": kind})).after([&edge.id])
    })?;
    let last = setup.copy.plant("beyond the gap", |room, user| {
        draft_message(room, user, "beyond the gap").after([&mark.id])
    })?;
    setup.mallory.transmit(&setup.host, &[&last]).await?;
    // Up to version 11, where the result is only recorded, a server that does not cross the gap fails the scenario's flow.
    setup.alice.sees(&last).await.map_err(|failure| match failure {
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
    Ok(ResolvedState { observed, witness: setup.alice.clone() })
}
