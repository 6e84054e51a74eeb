//! Servers that are not in a room ask for what it holds (server-server API, retrieving events, backfilling).
//!
//! Only for `state_ids` the specification fixes the refusal. Elsewhere a refusal is as good as redacted events.

use super::{ask, given, kept, tell};
use crate::{peer_answers::check_refused_with, prelude::*};

const STATE: CheckPlan = CheckPlan::new("state", "The room's state is not given out.").of(&["SS-STATEQ-004"]);
const STATE_IDS: CheckPlan =
    CheckPlan::new("state-ids", "The ids of the room's state are refused as the specification has it.")
        .of(&["SS-STATEQ-006"]);
const EVENT: CheckPlan =
    CheckPlan::new("event", "An event of the room is not given out.").of(&["SS-STATEQ-011"]);
const EVENT_AUTH: CheckPlan =
    CheckPlan::new("event-auth", "An event's auth chain is not given out.").of(&["SS-STATEQ-015"]);
const BACKFILL: CheckPlan =
    CheckPlan::new("backfill", "The room's history is not given out.").of(&["SS-BACKFILL-006"]);
const MISSING: CheckPlan =
    CheckPlan::new("missing-events", "Events before another are not given out.").of(&["SS-MISSING-007"]);
const HIERARCHY: CheckPlan = CheckPlan::new("hierarchy", "The room is not summarised.").of(&["SS-SPACE-006"]);

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "privacy.stranger-asks",
        title: "What a closed room holds is given to a server that is in it, and not to one that never was.",
        catalogue: &["SH-17"],
        checks: &[STATE, STATE_IDS, EVENT, EVENT_AUTH, BACKFILL, MISSING, HIERARCHY],
        play: play!(stranger_asks),
        ..Scenario::PEER
    },
    Scenario {
        id: "privacy.invited-asks",
        title: "What a closed room holds is given to a server that is in it, and not to one whose user is only invited.",
        catalogue: &["SH-17"],
        // The invited could join, so a summary is theirs to have.
        checks: &[STATE, STATE_IDS, EVENT, EVENT_AUTH, BACKFILL, MISSING],
        play: play!(invited_asks),
        ..Scenario::PEER
    },
    Scenario {
        id: "privacy.left-asks",
        title: "What is said in a closed room is given to a server that is in it, and not to one that had left before.",
        catalogue: &["SH-17"],
        checks: &[STATE, STATE_IDS, EVENT, EVENT_AUTH, BACKFILL, MISSING, HIERARCHY],
        play: play!(left_asks),
        ..Scenario::PEER
    },
];

/// How the asking server stands to the room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Stranger,
    Invited,
    Left,
}

async fn stranger_asks(scene: &Scene) -> Result<(), Failure> {
    asks(scene, Standing::Stranger).await
}

async fn invited_asks(scene: &Scene) -> Result<(), Failure> {
    asks(scene, Standing::Invited).await
}

async fn left_asks(scene: &Scene) -> Result<(), Failure> {
    asks(scene, Standing::Left).await
}

/// Alice's room is by invite only. Trent's server is in it and stays; Mallory's stands to it as it may. Then Alice says
/// what neither a stranger nor one who has left may know.
async fn asks(scene: &Scene, standing: Standing) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let room = alice.create_room(Private).await?;
    let [trent, mallory] = [scene.peer("trent").await?, scene.peer("mallory").await?];
    let [inside, outside] = [trent.user("trent"), mallory.user("mallory")];
    let invited = json!({"membership": "invite"});
    alice.set_state(&room, "m.room.member", &inside, invited.clone()).await?;
    trent.join(&host, &room, "trent").await?;
    if standing != Standing::Stranger {
        alice.set_state(&room, "m.room.member", &outside, invited).await?;
    }
    if standing == Standing::Left {
        mallory.join(&host, &room, "mallory").await?;
        mallory.leave(&host, &room, &outside).await?;
        sees_membership(&alice, &room, &outside, "leave").await?;
    }
    // The auth chain of what she says then holds it as well.
    let named = json!({"membership": "join", "displayname": super::SECRET});
    alice.set_state(&room, "m.room.member", alice.id(), named).await?;
    alice.set_topic(&room, super::SECRET).await?;
    alice.set_name(&room, super::SECRET).await?;
    let told = tell(&alice, &room).await?;

    let ways = ["state", "state-ids", "event", "event-auth", "backfill", "missing-events", "hierarchy"];
    for way in ways.into_iter().filter(|way| standing != Standing::Invited || *way != "hierarchy") {
        let reply = ask(&mallory, &host, way, &room, &told).await?;
        let outcome = match way {
            "state-ids" => check_refused_with(&alice, way, &reply, (403, "M_FORBIDDEN")),
            _ => kept(&alice, way, &reply),
        };
        // A way that is closed to those inside as well says nothing of those outside, and nothing of the other ways.
        let twin = given(&alice, way, &ask(&trent, &host, way, &room, &told).await?);
        scene.check(way, twin.and(outcome));
    }
    Ok(())
}
