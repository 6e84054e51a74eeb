//! Replies (client-server API, rich replies).

use super::{essence, kept_by_both};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "messages.reply",
    title: "A reply points at its message by event id on both sides, also where that was edited or deleted meanwhile.",
    catalogue: &["MS-10"],
    checks: &[
        CheckPlan::new(
            "to-plain",
            "The guest's reply reaches the host with its target and its own words alone.",
        ),
        CheckPlan::new("to-edited", "A reply to an edited message points at the original."),
        CheckPlan::new("to-deleted", "A reply to a deleted message arrives and points at what was deleted."),
        CheckPlan::new("deleted-target", "The reply brings nothing of the deleted message back."),
    ],
    play: play!(reply),
    versions: Versions::Newest,
    ..Scenario::PAIR
}];

/// Alice writes, edits and deletes; Bob replies each time, and Alice to him.
async fn reply(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let question = alice.send(&room, "Vem tar natten?").await?;
    bob.sees(&question).await?;
    let answer = bob.reply(&question, "Jag tar den").await?;
    scene.record("to-plain", essence(alice.sees(&answer).await?));

    let edit = alice.edit(&question, "Vem tar natten och dagen?").await?;
    bob.sees(&edit).await?;
    let answer = bob.reply(&question, "Bara natten").await?;
    scene.record("to-edited", essence(alice.sees(&answer).await?));

    let redaction = alice.redact(&question, "löst").await?;
    bob.sees(&redaction).await?;
    let to_deleted = bob.reply(&question, "Vad stod här?").await?;
    let on_host = essence(alice.sees(&to_deleted).await?);
    let back = alice.reply(&to_deleted, "En fråga").await?;
    let on_guest = essence(bob.sees(&back).await?);
    scene.record("to-deleted", host_and_guest(on_host, on_guest));
    scene.record("deleted-target", kept_by_both(&alice, &bob, &question).await?);
    Ok(())
}
