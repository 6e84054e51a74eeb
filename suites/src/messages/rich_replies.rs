//! Replies (client-server API, rich replies).

use super::{essence, held_by_both};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "messages.reply",
    title: "A reply refers to its message by event ID, even if that message was edited or redacted before.",
    catalogue: &["MS-10"],
    checks: &[
        CheckPlan::new(
            "to-plain",
            "A user of the resident server is shown the joining server's user's reply with its original content.",
        ),
        CheckPlan::new(
            "to-edited",
            "A reply to an edited message contains the event ID of the original message.",
        ),
        CheckPlan::new(
            "to-deleted",
            "A reply to a redacted message arrives and contains the event ID of the redacted message.",
        ),
        CheckPlan::new(
            "deleted-target",
            "After the reply neither server returns content of the redacted message.",
        ),
    ],
    play: play!(reply),
    versions: Versions::Newest,
    ..Scenario::PAIR
}];

/// Alice sends, edits and redacts a message; Bob replies each time, and Alice replies to his last reply.
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
    scene.record("deleted-target", held_by_both(&alice, &bob, &question).await?);
    Ok(())
}
