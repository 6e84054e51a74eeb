//! What was said before a server came (client-server API, room history visibility; the server-server API is silent).
//!
//!   create ─ … ─ secret ─ well then ─ join (Mallory)
//!                └── not for Mallory's server, unless the history is shared ──┘

use super::{ask, given, kept, tell};
use crate::prelude::*;

const CHECKS: &[CheckPlan] = &[
    CheckPlan::new("event", "The event itself is not given out in readable form."),
    CheckPlan::new("backfill", "The history is not given out in readable form."),
    CheckPlan::new("missing-events", "The events before another are not given out in readable form."),
];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "privacy.history-from-join",
        title: "Where history is for those who were there, a server that joins late cannot read what was said before.",
        weight: Weight::Should,
        catalogue: &["SH-18"],
        requirements: &["SS-HISTVIS-010"],
        checks: CHECKS,
        play: play!(history_from_join),
        ..Scenario::PEER
    },
    Scenario {
        id: "privacy.history-from-invite",
        title: "Where history is for those who were invited, a server invited late cannot read what was said before.",
        weight: Weight::Should,
        catalogue: &["SH-18"],
        requirements: &["SS-HISTVIS-010"],
        checks: CHECKS,
        play: play!(history_from_invite),
        ..Scenario::PEER
    },
];

async fn history_from_join(scene: &Scene) -> Result<(), Failure> {
    comes_late(scene, "joined").await
}

async fn history_from_invite(scene: &Scene) -> Result<(), Failure> {
    comes_late(scene, "invited").await
}

/// Mallory joins after the secret was told: a room that keeps it, and its twin, which shares it.
async fn comes_late(scene: &Scene, visibility: &str) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let mallory = scene.peer("mallory").await?;
    let keeps = alice.create_room(Private.history(visibility)).await?;
    let shares = alice.create_room(Private.history("shared")).await?;
    let mut told = Vec::new();
    for room in [&keeps, &shares] {
        told.push(tell(&alice, room).await?);
        let invited = json!({"membership": "invite"});
        alice.set_state(room, "m.room.member", &mallory.user("mallory"), invited).await?;
        let copy = mallory.join(&host, room, "mallory").await?;
        alice.sees(state(room, "m.room.member", &copy.user)).await?;
    }
    for way in ["event", "backfill", "missing-events"] {
        given(&alice, way, &ask(&mallory, &host, way, &shares, &told[1]).await?)?;
        scene.check(way, kept(&alice, way, &ask(&mallory, &host, way, &keeps, &told[0]).await?));
    }
    Ok(())
}
