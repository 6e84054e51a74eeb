//! Soft failure (server-server API, soft failure).

use samklang_matrix::Rule;
use samklang_runner::peer::draft_message;

use crate::{prelude::*, visit::let_in};

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "events.banned-in-the-past",
    title: "The server soft-fails an event that a banned user pretends to have sent before the ban.",
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

/// Mallory is banned and then sends an event that follows what was said before; Eve of the same server is still there.
///
///   before ──┬── ban of Mallory ── Alice's next ── …
///            └── belated            (allowed where it stands, and not by the current state)
///                   └── Eve's word  (follows both)
async fn banned_in_the_past(scene: &Scene) -> Result<(), Failure> {
    let visit = visit(scene).await?;
    let eve = let_in(&visit.alice, &visit.host, &visit.room, &visit.mallory, "eve").await?;
    visit.alice.sees(state(&visit.room, "m.room.member", &eve.user)).await?;
    let before = visit.copy.message("before the ban")?;
    visit.mallory.transmit(&visit.host, &[&before]).await?;
    visit.alice.sees(&before).await?;
    let ban = json!({"membership": "ban", "reason": "enough"});
    let ban = visit.alice.set_state(&visit.room, "m.room.member", &visit.copy.user, ban).await?;
    scene.event_on_wire(&ban).await?;

    let belated = visit.copy.belated("belated", Rule::SenderNotJoined, |room, user| {
        draft_message(room, user, "belated").after([&before.id])
    })?;
    visit.mallory.offer(&visit.host, &[&belated]).await?;
    let visit = Visit { copy: eve, ..visit };
    let after = visit.sentinel("from Eve").await?;

    let next = visit.next_event().await?;
    scene.check("not-followed", visit.not_followed(&belated, &next));

    visit.copy.keep(&belated)?;
    let child = visit.copy.plant("after the belated one", |room, user| {
        let ends = room.extremities();
        draft_message(room, user, "after the belated one").after(ends.iter().chain([&belated.id]))
    })?;
    visit.mallory.transmit(&visit.host, &[&child]).await?;
    let followed = visit.alice.sees(&child).await;
    // Whoever shows what follows the belated one is done with it; Eve's word alone may have overtaken it.
    let last = followed.as_ref().unwrap_or(&after.sighting);
    scene.check("not-shown", visit.alice.never_saw(&belated, last));
    scene.check("followed-by-another", followed);
    Ok(())
}
