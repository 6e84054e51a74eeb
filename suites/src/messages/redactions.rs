//! Redactions (client-server API, redactions; room versions 10 and 11, redactions).

use super::{for_each, held_by_both, related};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "messages.redact-own",
        title: "Neither server returns the content of a message that its sender has redacted.",
        catalogue: &["MS-08"],
        requirements: &["SS-REDACT-014", "SS-REDACT-016"],
        checks: &[
            CheckPlan::new(
                "of-host",
                "Neither server returns any content of the resident server's redacted message.",
            ),
            CheckPlan::new(
                "of-guest",
                "Neither server returns any content of the joining server's redacted message.",
            ),
        ],
        play: play!(redact_own),
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.redact-as-moderator",
        title: "A user can redact another server's message only with the power level for it.",
        catalogue: &["MS-08"],
        requirements: &["SS-REDACT-015"],
        checks: &[
            CheckPlan::new(
                "by-host",
                "The creator's redaction of a message of the joining server's user takes effect on both servers.",
            ),
            CheckPlan::new(
                "without-power",
                "A redaction by the joining server's user without the redact level does not change the creator's message.",
            ),
            CheckPlan::new(
                "by-guest",
                "A redaction by the joining server's user with the redact level takes effect on both servers.",
            ),
        ],
        play: play!(redact_as_moderator),
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.redact-edits",
        title: "A message and each of its edits can be redacted, and both servers remove the redacted content.",
        catalogue: &["MS-08"],
        requirements: &["SS-REDACT-014", "SS-REDACT-016"],
        checks: &[
            CheckPlan::new(
                "last-edit",
                "After the last edit is redacted, both servers return content only of the edit before it.",
            ),
            CheckPlan::new(
                "original",
                "After the original message is redacted, neither server returns its content.",
            ),
            CheckPlan::new(
                "all",
                "After the message and all its edits are redacted, neither server returns content of any of them.",
            ),
        ],
        play: play!(redact_edits),
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.redaction-on-wire",
        title: "A redaction event contains redacts at the top level up to room version 10, and in the content from 11 on.",
        catalogue: &["MS-09"],
        requirements: &["SS-REDACT-020", "SS-REDACT-023"],
        needs: &[Need::Wire],
        checks: &[
            CheckPlan::new(
                "by-host",
                "The resident server's redaction event contains redacts where the room version prescribes it.",
            ),
            CheckPlan::new(
                "by-guest",
                "The joining server's redaction event contains redacts where the room version prescribes it.",
            ),
        ],
        play: play!(redaction_on_wire),
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.redaction-for-clients",
        title: "Both servers show clients a redaction's target at the top level and in the content, and the redaction with it.",
        weight: Weight::Should,
        catalogue: &["MS-09"],
        requirements: &["SS-REDACT-022"],
        checks: &[
            CheckPlan::new(
                "target",
                "Both servers show the redaction's target at the top level and in the content.",
            )
            .of(&["SS-REDACT-022"]),
            CheckPlan::new(
                "because",
                "Both servers show the redaction in redacted_because of the redacted message.",
            )
            .of(&["SS-REDACT-026"]),
        ],
        play: play!(redaction_for_clients),
        ..Scenario::PAIR
    },
];

/// Alice and Bob each redact a message of their own.
async fn redact_own(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    for (check, author, reader) in [("of-host", &alice, &bob), ("of-guest", &bob, &alice)] {
        let slip = author.send(&room, "Lösenordet är sommar").await?;
        reader.sees(&slip).await?;
        let redaction = author.redact(&slip, "fel rum").await?;
        reader.sees(&redaction).await?;
        scene.record(check, held_by_both(&alice, &bob, &slip).await?);
    }
    Ok(())
}

/// Alice, the creator, redacts Bob's message. Bob tries to redact Alice's before and after she grants him the level for it.
/// His server may refuse the first try or send a redaction without effect: the check is that the message stays.
async fn redact_as_moderator(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let of_bob = bob.send(&room, "Dumheter").await?;
    alice.sees(&of_bob).await?;
    let by_alice = alice.redact(&of_bob, "hör inte hit").await?;
    bob.sees(&by_alice).await?;
    scene.record("by-host", held_by_both(&alice, &bob, &of_bob).await?);

    let of_alice = alice.send(&room, "Håll ordning").await?;
    bob.sees(&of_alice).await?;
    let powerless = bob.redact(&of_alice, "nej").await;
    if powerless.is_err() {
        powerless.refused()?;
    }
    let after = bob.send(&room, "Då så").await?;
    alice.sees(&after).await?;
    scene.record("without-power", held_by_both(&alice, &bob, &of_alice).await?);

    let promoted = alice.set_power_level(&room, &bob, 50).await?;
    bob.sees(&promoted).await?;
    let by_bob = bob.redact(&of_alice, "nu så").await?;
    alice.sees(&by_bob).await?;
    scene.record("by-guest", held_by_both(&alice, &bob, &of_alice).await?);
    Ok(())
}

/// Alice edits twice, and redacts the last edit, then the original, then the first edit. Redacting the original does not
/// redact its edits (client-server API, event replacements: redactions); a client that wants all content removed redacts
/// each.
async fn redact_edits(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let original = alice.send(&room, "Patienten heter Eva").await?;
    let first = alice.edit(&original, "Patienten heter Eva L").await?;
    let last = alice.edit(&original, "Patienten heter Eva Lind").await?;
    bob.sees(&last).await?;

    bob.sees(alice.redact(&last, "för mycket").await?).await?;
    let texts = async |user: &User| {
        let edits = related(user, &room, &original, "m.replace").await?;
        Ok::<_, Failure>(for_each(edits, |edit| edit["content"]["m.new_content"]["body"].clone()))
    };
    let edits = host_and_guest(texts(&alice).await?, texts(&bob).await?);
    let redacted = held_by_both(&alice, &bob, &last).await?;
    scene.record("last-edit", Observed::together(("edits left", edits), [("redacted", redacted)]));

    bob.sees(alice.redact(&original, "sekretess").await?).await?;
    scene.record("original", held_by_both(&alice, &bob, &original).await?);

    bob.sees(alice.redact(&first, "sekretess").await?).await?;
    let mut all = Vec::new();
    for version in [&original, &first, &last] {
        let contents = held_by_both(&alice, &bob, version).await?;
        let contents = contents.map(|kept| json!([kept["host"]["content"], kept["guest"]["content"]]));
        all.push((version.id.clone(), contents));
    }
    scene.record("all", Observed::each(all)?);
    Ok(())
}

/// Alice and Bob each redact a message of their own.
async fn redaction_on_wire(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    for (check, author, reader) in [("by-host", &alice, &bob), ("by-guest", &bob, &alice)] {
        let slip = author.send(&room, "slip").await?;
        let redaction = author.redact(&slip, "fel").await?;
        reader.sees(&redaction).await?;
        let pdu = scene.event_on_wire(&redaction).await?;
        let form =
            |pdu: Value| json!({"type": pdu["type"], "redacts": pdu["redacts"], "content": pdu["content"]});
        scene.record_by_version(check, pdu.map(form));
    }
    Ok(())
}

/// Alice redacts her own message.
async fn redaction_for_clients(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let slip = alice.send(&room, "slip").await?;
    bob.sees(&slip).await?;
    let redaction = alice.redact(&slip, "fel").await?;
    let target =
        |event: Value| json!({"at the top": event["redacts"], "in the content": event["content"]["redacts"]});
    let shown = host_and_guest(alice.sees(&redaction).await?.into(), bob.sees(&redaction).await?.into());
    scene.record(
        "target",
        shown.map(
            |shown| json!({"host": target(shown["host"].clone()), "guest": target(shown["guest"].clone())}),
        ),
    );

    let because =
        |event: Observed| event.map(|event| event["unsigned"]["redacted_because"]["event_id"].clone());
    scene.record(
        "because",
        host_and_guest(because(alice.fetch(&slip).await?), because(bob.fetch(&slip).await?)),
    );
    Ok(())
}
