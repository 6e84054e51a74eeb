//! Edits (client-server API, event replacements).

use super::{for_each, held_by_both, related};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "messages.edit",
        title: "Both servers return the same edits, in the same order, of a message that was replied to and edited twice.",
        catalogue: &["MS-07"],
        checks: &[
            CheckPlan::new(
                "of-host",
                "Both servers return the same edits of the resident server's message, in the order of sending.",
            ),
            CheckPlan::new(
                "of-guest",
                "Both servers return the same edits of the joining server's message, in the order of sending.",
            ),
            CheckPlan::new(
                "original",
                "Both servers return the original message as it was sent, in addition to its edits.",
            ),
        ],
        play: play!(edit),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.edit-bundled",
        title: "Both servers bundle only the sender's last edit with a message.",
        weight: Weight::Should,
        catalogue: &["MS-07"],
        checks: &[
            CheckPlan::new("by-another", "Neither server bundles another user's edit with the message."),
            CheckPlan::new("by-sender", "Both servers bundle the sender's last edit with the message."),
            CheckPlan::new(
                "last-redacted",
                "After the last edit is redacted, both servers bundle the previous edit with the message.",
            ),
            CheckPlan::new(
                "original-redacted",
                "After the message is redacted, neither server bundles an edit with it.",
            ),
        ],
        play: play!(edit_bundled),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
];

/// Alice edits her message twice while Bob answers; then Bob edits his while Alice answers.
async fn edit(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let of_alice = edited_twice(&alice, &bob, &room).await?;
    scene.record(
        "of-host",
        host_and_guest(edits(&alice, &room, &of_alice).await?, edits(&bob, &room, &of_alice).await?),
    );
    let of_bob = edited_twice(&bob, &alice, &room).await?;
    scene.record(
        "of-guest",
        host_and_guest(edits(&alice, &room, &of_bob).await?, edits(&bob, &room, &of_bob).await?),
    );
    scene.record("original", held_by_both(&alice, &bob, &of_alice).await?);
    Ok(())
}

/// Edits a message twice while the other user replies. Each step is seen by the other one before the next.
async fn edited_twice(editor: &User, other: &User, room: &Room) -> Result<Sent, Failure> {
    let original = editor.send(room, "Samling 08:00").await?;
    other.sees(&original).await?;
    let answer = other.reply(&original, "Jag kommer").await?;
    editor.sees(&answer).await?;
    let first = editor.edit(&original, "Samling 08:30").await?;
    other.sees(&first).await?;
    let again = other.reply(&original, "Uppfattat").await?;
    editor.sees(&again).await?;
    let second = editor.edit(&original, "Samling 09:00").await?;
    other.sees(&second).await?;
    Ok(original)
}

async fn edits(user: &User, room: &Room, of: &Sent) -> Result<Observed, Failure> {
    let edits = related(user, room, of, "m.replace").await?;
    Ok(for_each(
        edits,
        |edit| json!({"edit": edit["event_id"], "by": edit["sender"], "text": edit["content"]["m.new_content"]["body"]}),
    ))
}

/// Bob tries to edit Alice's message; then Alice edits it twice, and redacts the last edit and the message.
async fn edit_bundled(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let original = alice.send(&room, "Grind 4 är öppen").await?;
    bob.sees(&original).await?;

    let forged = bob.edit(&original, "Grind 4 är stängd").await?;
    alice.sees(&forged).await?;
    scene.record(
        "by-another",
        host_and_guest(valid_edit(&alice, &original).await?, valid_edit(&bob, &original).await?),
    );

    let own = alice.edit(&original, "Grind 5 är öppen").await?;
    bob.sees(&own).await?;
    let last = alice.edit(&original, "Grind 6 är öppen").await?;
    bob.sees(&last).await?;
    scene.record(
        "by-sender",
        host_and_guest(valid_edit(&alice, &original).await?, valid_edit(&bob, &original).await?),
    );

    bob.sees(alice.redact(&last, "fel grind").await?).await?;
    scene.record(
        "last-redacted",
        host_and_guest(valid_edit(&alice, &original).await?, valid_edit(&bob, &original).await?),
    );
    bob.sees(alice.redact(&original, "inställt").await?).await?;
    scene.record(
        "original-redacted",
        host_and_guest(valid_edit(&alice, &original).await?, valid_edit(&bob, &original).await?),
    );
    Ok(())
}

/// The edit that the user's server bundles with a message.
async fn valid_edit(user: &User, of: &Sent) -> Result<Observed, Failure> {
    let message = user.fetch(of).await?;
    Ok(message.map(|event| {
        let edit = &event["unsigned"]["m.relations"]["m.replace"];
        json!({"edit": edit["event_id"], "by": edit["sender"]})
    }))
}
