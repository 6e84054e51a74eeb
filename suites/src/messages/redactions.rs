//! Taking things back (client-server API, redactions; room versions 10 and 11, redactions).

use super::{for_each, kept_by_both, related};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "messages.redact-own",
        title: "What a user takes back is gone on both sides, whichever side it came from.",
        catalogue: &["MS-08"],
        requirements: &["SS-REDACT-014", "SS-REDACT-016"],
        checks: &[
            CheckPlan::new("of-host", "Neither side keeps any content of the host's redacted message."),
            CheckPlan::new("of-guest", "Neither side keeps any content of the guest's redacted message."),
        ],
        play: play!(redact_own),
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.redact-as-moderator",
        title: "A moderator takes another server's message away; the same user without that power cannot.",
        catalogue: &["MS-08"],
        requirements: &["SS-REDACT-015"],
        checks: &[
            CheckPlan::new("by-host", "The room's creator redacts the guest's message on both sides."),
            CheckPlan::new(
                "without-power",
                "A user without the power to redact leaves the host's message as it is.",
            ),
            CheckPlan::new(
                "by-guest",
                "Given the power, the same user redacts the same message on both sides.",
            ),
        ],
        play: play!(redact_as_moderator),
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.redact-edits",
        title: "Every version of an edited message can be taken back, and what is taken back is gone on both sides.",
        catalogue: &["MS-08"],
        requirements: &["SS-REDACT-014", "SS-REDACT-016"],
        checks: &[
            CheckPlan::new(
                "last-edit",
                "After the last edit was redacted, both sides hold the one before as the last.",
            ),
            CheckPlan::new("original", "After the original was redacted, neither side keeps content of it."),
            CheckPlan::new("all", "After every version was redacted, neither side keeps content of any."),
        ],
        play: play!(redact_edits),
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.redaction-on-wire",
        title: "A redaction names its target where the room version says: at the top level up to version 10, in the \
                content from version 11 on.",
        catalogue: &["MS-09"],
        requirements: &["SS-REDACT-020", "SS-REDACT-023"],
        needs: &[Need::Wire],
        checks: &[
            CheckPlan::new("by-host", "The host's redaction on the wire is of the version's form."),
            CheckPlan::new("by-guest", "The guest's redaction on the wire is of the version's form."),
        ],
        play: play!(redaction_on_wire),
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.redaction-for-clients",
        title: "Clients of any age find a redaction's target, and with a redacted message the redaction.",
        weight: Weight::Should,
        catalogue: &["MS-09"],
        requirements: &["SS-REDACT-022"],
        checks: &[
            CheckPlan::new("target", "Both sides show the target at the top level and in the content.")
                .of(&["SS-REDACT-022"]),
            CheckPlan::new(
                "because",
                "Both sides show with the redacted message which redaction took its content.",
            )
            .of(&["SS-REDACT-026"]),
        ],
        play: play!(redaction_for_clients),
        ..Scenario::PAIR
    },
];

/// Alice takes a message back, and Bob one.
async fn redact_own(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    for (check, author, reader) in [("of-host", &alice, &bob), ("of-guest", &bob, &alice)] {
        let slip = author.send(&room, "Lösenordet är sommar").await?;
        reader.sees(&slip).await?;
        let redaction = author.redact(&slip, "fel rum").await?;
        reader.sees(&redaction).await?;
        scene.record(check, kept_by_both(&alice, &bob, &slip).await?);
    }
    Ok(())
}

/// Alice, who made the room, redacts Bob's message. Bob tries to redact Alice's before and after she gives him the
/// power for it. His server may refuse the first try at once or let it come to nothing: what counts is that the message
/// stays.
async fn redact_as_moderator(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let of_bob = bob.send(&room, "Dumheter").await?;
    alice.sees(&of_bob).await?;
    let by_alice = alice.redact(&of_bob, "hör inte hit").await?;
    bob.sees(&by_alice).await?;
    scene.record("by-host", kept_by_both(&alice, &bob, &of_bob).await?);

    let of_alice = alice.send(&room, "Håll ordning").await?;
    bob.sees(&of_alice).await?;
    let powerless = bob.redact(&of_alice, "nej").await;
    if powerless.is_err() {
        powerless.refused()?;
    }
    let after = bob.send(&room, "Då så").await?;
    alice.sees(&after).await?;
    scene.record("without-power", kept_by_both(&alice, &bob, &of_alice).await?);

    let promoted = alice.set_power_level(&room, &bob, 50).await?;
    bob.sees(&promoted).await?;
    let by_bob = bob.redact(&of_alice, "nu så").await?;
    alice.sees(&by_bob).await?;
    scene.record("by-guest", kept_by_both(&alice, &bob, &of_alice).await?);
    Ok(())
}

/// Alice edits twice, and takes back the last edit, then the original, then the first edit. Redacting the original
/// does not redact its edits (client-server API, event replacements: redactions); a client that wants all of it gone
/// redacts each.
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
    let redacted = kept_by_both(&alice, &bob, &last).await?;
    scene.record("last-edit", Observed::together(("edits left", edits), [("redacted", redacted)]));

    bob.sees(alice.redact(&original, "sekretess").await?).await?;
    scene.record("original", kept_by_both(&alice, &bob, &original).await?);

    bob.sees(alice.redact(&first, "sekretess").await?).await?;
    let mut all = Vec::new();
    for version in [&original, &first, &last] {
        let contents = kept_by_both(&alice, &bob, version).await?;
        let contents = contents.map(|kept| json!([kept["host"]["content"], kept["guest"]["content"]]));
        all.push((version.id.clone(), contents));
    }
    scene.record("all", Observed::each(all)?);
    Ok(())
}

/// Both sides redact a message of their own.
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
