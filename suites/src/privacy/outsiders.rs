//! Servers that are not in a room request its events (server-server API, retrieving events, backfilling).
//!
//! The specification names the refusal for `state_ids` only. Elsewhere the server may refuse, or answer with redacted events.

use super::{check_secret_given, check_secret_withheld, request, send_secret};
use crate::{peer_answers::check_refused_with, prelude::*};

const STATE: CheckPlan = CheckPlan::new(
    "state",
    "The server answers GET /state of a server that is not in the room with no unredacted event.",
)
.of(&["SS-STATEQ-004"]);
const STATE_IDS: CheckPlan = CheckPlan::new(
    "state-ids",
    "The server answers GET /state_ids of a server that is not in the room with 403 M_FORBIDDEN.",
)
.of(&["SS-STATEQ-006"]);
const EVENT: CheckPlan = CheckPlan::new(
    "event",
    "The server answers GET /event of a server that is not in the room with no unredacted event.",
)
.of(&["SS-STATEQ-011"]);
const EVENT_AUTH: CheckPlan = CheckPlan::new(
    "event-auth",
    "The server answers GET /event_auth of a server that is not in the room with no unredacted event.",
)
.of(&["SS-STATEQ-015"]);
const BACKFILL: CheckPlan = CheckPlan::new(
    "backfill",
    "The server answers GET /backfill of a server that is not in the room with no unredacted event.",
)
.of(&["SS-BACKFILL-006"]);
const MISSING: CheckPlan = CheckPlan::new(
    "missing-events",
    "The server answers get_missing_events of a server that is not in the room with no unredacted event.",
)
.of(&["SS-MISSING-007"]);
const HIERARCHY: CheckPlan = CheckPlan::new(
    "hierarchy",
    "The server answers GET /hierarchy of a server that is not in the room without the room's name or topic.",
)
.of(&["SS-SPACE-006"]);

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "privacy.stranger-asks",
        title: "The server returns an invite-only room's events only to servers in the room, and not to one that never was in it.",
        catalogue: &["SH-17"],
        checks: &[STATE, STATE_IDS, EVENT, EVENT_AUTH, BACKFILL, MISSING, HIERARCHY],
        play: play!(stranger_asks),
        ..Scenario::PEER
    },
    Scenario {
        id: "privacy.invited-asks",
        title: "The server returns an invite-only room's events only to servers in the room, not to an invited user's server.",
        catalogue: &["SH-17"],
        // An invited user can join, so the invited user's server may have a summary.
        checks: &[STATE, STATE_IDS, EVENT, EVENT_AUTH, BACKFILL, MISSING],
        play: play!(invited_asks),
        ..Scenario::PEER
    },
    Scenario {
        id: "privacy.left-asks",
        title: "The server returns an invite-only room's new events only to servers in the room, and not to one that has left it.",
        catalogue: &["SH-17"],
        checks: &[STATE, STATE_IDS, EVENT, EVENT_AUTH, BACKFILL, MISSING, HIERARCHY],
        play: play!(left_asks),
        ..Scenario::PEER
    },
];

/// The membership of the requesting server's user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RequesterMembership {
    Never,
    Invited,
    Left,
}

async fn stranger_asks(scene: &Scene) -> Result<(), Failure> {
    request_room(scene, RequesterMembership::Never).await
}

async fn invited_asks(scene: &Scene) -> Result<(), Failure> {
    request_room(scene, RequesterMembership::Invited).await
}

async fn left_asks(scene: &Scene) -> Result<(), Failure> {
    request_room(scene, RequesterMembership::Left).await
}

/// Alice's room is invite-only. Trent's server is in the room; Mallory's is as `membership` says. Then Alice sends the secret,
/// which Mallory's server must not get.
async fn request_room(scene: &Scene, membership: RequesterMembership) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let room = alice.create_room(Private).await?;
    let [trent, mallory] = [scene.peer("trent").await?, scene.peer("mallory").await?];
    let [inside, outside] = [trent.user("trent"), mallory.user("mallory")];
    let invited = json!({"membership": "invite"});
    alice.set_state(&room, "m.room.member", &inside, invited.clone()).await?;
    trent.join(&host, &room, "trent").await?;
    if membership != RequesterMembership::Never {
        alice.set_state(&room, "m.room.member", &outside, invited).await?;
    }
    if membership == RequesterMembership::Left {
        mallory.join(&host, &room, "mallory").await?;
        mallory.leave(&host, &room, &outside).await?;
        sees_membership(&alice, &room, &outside, "leave").await?;
    }
    // The secret is in her member event, too, so that the auth chain of her next events holds it.
    let member = json!({"membership": "join", "displayname": super::SECRET});
    alice.set_state(&room, "m.room.member", alice.id(), member).await?;
    alice.set_topic(&room, super::SECRET).await?;
    alice.set_name(&room, super::SECRET).await?;
    let events = send_secret(&alice, &room).await?;

    let kinds = ["state", "state-ids", "event", "event-auth", "backfill", "missing-events", "hierarchy"];
    for kind in
        kinds.into_iter().filter(|kind| membership != RequesterMembership::Invited || *kind != "hierarchy")
    {
        let reply = request(&mallory, &host, kind, &room, &events).await?;
        let outcome = match kind {
            "state-ids" => check_refused_with(&alice, kind, &reply, (403, "M_FORBIDDEN")),
            _ => check_secret_withheld(&alice, kind, &reply),
        };
        // A request that Trent's server is refused as well proves nothing, for this check only.
        let twin = check_secret_given(&alice, kind, &request(&trent, &host, kind, &room, &events).await?);
        scene.check(kind, twin.and(outcome));
    }
    Ok(())
}
