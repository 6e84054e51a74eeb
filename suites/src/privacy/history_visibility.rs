//! Events from before a server's first join (client-server API, room history visibility; the server-server API is silent).
//!
//!   create ─ … ─ secret ─ well then ─ join (Mallory)
//!                └── hidden from Mallory's server, unless the history is shared ──┘

use super::{check_secret_given, check_secret_withheld, request, send_secret};
use crate::prelude::*;

const CHECKS: &[CheckPlan] = &[
    CheckPlan::new(
        "event",
        "The server answers GET /event with no unredacted event that the requesting server may not see.",
    ),
    CheckPlan::new(
        "backfill",
        "The server answers GET /backfill with no unredacted event that the requesting server may not see.",
    ),
    CheckPlan::new(
        "missing-events",
        "The server answers get_missing_events with no unredacted event that the requesting server may not see.",
    ),
];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "privacy.history-from-join",
        title: "With history visibility joined, the server returns no unredacted events from before the other server's join.",
        weight: Weight::Should,
        catalogue: &["SH-18"],
        requirements: &["SS-HISTVIS-010"],
        checks: CHECKS,
        play: play!(history_from_join),
        ..Scenario::PEER
    },
    Scenario {
        id: "privacy.history-from-invite",
        title: "With history visibility invited, the server returns no unredacted events from before the other server's invite.",
        weight: Weight::Should,
        catalogue: &["SH-18"],
        requirements: &["SS-HISTVIS-010"],
        checks: CHECKS,
        play: play!(history_from_invite),
        ..Scenario::PEER
    },
];

async fn history_from_join(scene: &Scene) -> Result<(), Failure> {
    joins_after_secret(scene, "joined").await
}

async fn history_from_invite(scene: &Scene) -> Result<(), Failure> {
    joins_after_secret(scene, "invited").await
}

/// Mallory joins two rooms after Alice sent the secret in them: one with this history visibility, and its twin, where the
/// history is shared.
async fn joins_after_secret(scene: &Scene, visibility: &str) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let mallory = scene.peer("mallory").await?;
    let hidden = alice.create_room(Private.history(visibility)).await?;
    let shared = alice.create_room(Private.history("shared")).await?;
    let mut events = Vec::new();
    for room in [&hidden, &shared] {
        events.push(send_secret(&alice, room).await?);
        let invited = json!({"membership": "invite"});
        alice.set_state(room, "m.room.member", &mallory.user("mallory"), invited).await?;
        let copy = mallory.join(&host, room, "mallory").await?;
        alice.sees(state(room, "m.room.member", &copy.user)).await?;
    }
    for kind in ["event", "backfill", "missing-events"] {
        check_secret_given(&alice, kind, &request(&mallory, &host, kind, &shared, &events[1]).await?)?;
        scene.check(
            kind,
            check_secret_withheld(&alice, kind, &request(&mallory, &host, kind, &hidden, &events[0]).await?),
        );
    }
    Ok(())
}
