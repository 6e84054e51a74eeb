//! Soft failure (server-server API, soft failure).

use samklang_actors::peer::draft_message;
use samklang_matrix::Rule;

use crate::{peer_setup::peer_joins, prelude::*};

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "events.banned-in-the-past",
    title: "The server soft-fails an event of a banned user that is placed before the ban in the room's graph.",
    catalogue: &["SH-09"],
    requirements: &["SS-PDU-024"],
    checks: &[
        CheckPlan::new("not-shown", "The server does not show a soft-failed event.")
            .of(&["SS-PDU-024", "SS-PDU-037"]),
        CheckPlan::new(
            "not-followed",
            "The server's next event does not have the soft-failed event as a prev event.",
        )
        .of(&["SS-PDU-038"]),
        CheckPlan::new(
            "followed-by-another",
            "The server accepts an event that has a soft-failed event as a prev event.",
        )
        .of(&["SS-PDU-039"]),
    ],
    play: play!(banned_in_the_past),
    ..Scenario::PEER
}];

/// Mallory is banned and then sends an event whose prev event is from before the ban. Eve, of the same server, is still in
/// the room.
///
///   before ──┬── ban of Mallory ── Alice's next ── …
///            └── belated               (allowed by the state before it, and not by the current state)
///                   └── Eve's message  (has both branches as prev events)
async fn banned_in_the_past(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let eve = peer_joins(&setup.alice, &setup.host, &setup.room, &setup.mallory, "eve").await?;
    setup.alice.sees(state(&setup.room, "m.room.member", &eve.user)).await?;
    let before = setup.copy.message("before the ban")?;
    setup.mallory.transmit(&setup.host, &[&before]).await?;
    setup.alice.sees(&before).await?;
    let ban = json!({"membership": "ban", "reason": "enough"});
    let ban = setup.alice.set_state(&setup.room, "m.room.member", &setup.copy.user, ban).await?;
    scene.event_on_wire(&ban).await?;

    let belated = setup.copy.belated("belated", Rule::SenderNotJoined, |room, user| {
        draft_message(room, user, "belated").after([&before.id])
    })?;
    setup.mallory.offer(&setup.host, &[&belated]).await?;
    let setup = PeerSetup { copy: eve, ..setup };
    let after = setup.send_sentinel("from Eve").await?;

    let next = setup.send_next_event().await?;
    scene.check("not-followed", setup.check_not_a_prev_event(&belated, &next));

    setup.copy.keep(&belated)?;
    let child = setup.copy.plant("after the belated one", |room, user| {
        let ends = room.extremities();
        draft_message(room, user, "after the belated one").after(ends.iter().chain([&belated.id]))
    })?;
    setup.mallory.transmit(&setup.host, &[&child]).await?;
    let followed = setup.alice.sees(&child).await;
    // A server that shows the child has dealt with the belated event; Eve's earlier message may have overtaken it.
    let last = followed.as_ref().unwrap_or(&after.sighting);
    scene.check("not-shown", setup.alice.never_saw(&belated, last));
    scene.check("followed-by-another", followed);
    Ok(())
}
