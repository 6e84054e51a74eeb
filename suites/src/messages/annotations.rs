//! Reactions (client-server API, event annotations and reactions).

use super::{for_each, held_by_both, related};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "messages.reactions",
    title: "Both servers return all users' reactions with their exact keys, and no redacted ones.",
    catalogue: &["MS-12"],
    checks: &[
        CheckPlan::new("given", "Both servers return the same reactions by the same users."),
        CheckPlan::new(
            "taken-back",
            "After two reactions are redacted, both servers return only the others.",
        ),
        CheckPlan::new("redacted", "Neither server returns any content of a redacted reaction.")
            .of(&["SS-REDACT-014", "SS-REDACT-016"]),
    ],
    play: play!(reactions),
    versions: Versions::Newest,
    ..Scenario::PAIR
}];

/// A thumb with a skin tone, a heart with a variation selector, and a word.
const THUMB: &str = "\u{1f44d}\u{1f3fd}";
const HEART: &str = "\u{2764}\u{fe0f}";
const WORDS: &str = "uppfattat, kör!";

/// Alice and Bob react to Alice's message, with the same emoji and with others, and each redacts one reaction.
async fn reactions(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let message = alice.send(&room, "Mötet börjar nio").await?;
    bob.sees(&message).await?;

    let thumb_of_bob = bob.react(&message, THUMB).await?;
    let words_of_bob = bob.react(&message, WORDS).await?;
    alice.sees(&words_of_bob).await?;
    let thumb_of_alice = alice.react(&message, THUMB).await?;
    let heart_of_alice = alice.react(&message, HEART).await?;
    bob.sees(&heart_of_alice).await?;
    scene.record(
        "given",
        host_and_guest(
            reactions_to(&alice, &room, &message).await?,
            reactions_to(&bob, &room, &message).await?,
        ),
    );

    alice.sees(bob.redact(&thumb_of_bob, "ångrar mig").await?).await?;
    bob.sees(alice.redact(&heart_of_alice, "ångrar mig").await?).await?;
    scene.record(
        "taken-back",
        host_and_guest(
            reactions_to(&alice, &room, &message).await?,
            reactions_to(&bob, &room, &message).await?,
        ),
    );
    scene.record("redacted", held_by_both(&alice, &bob, &thumb_of_bob).await?);
    bob.sees(&thumb_of_alice).await?;
    Ok(())
}

/// The reactions to a message in a user's history, oldest first; keys as code points.
async fn reactions_to(user: &User, room: &Room, message: &Sent) -> Result<Observed, Failure> {
    let reactions = related(user, room, message, "m.annotation").await?;
    Ok(for_each(reactions, |reaction| {
        let key = reaction["content"]["m.relates_to"]["key"].as_str().unwrap_or_default();
        let points: Vec<_> = key.chars().map(|c| format!("{:04X}", u32::from(c))).collect();
        json!({"type": reaction["type"], "by": reaction["sender"], "key": key, "code points": points.join(" ")})
    }))
}
