//! Edits and redactions by users who may not make them (client-server API, event replacements; rooms/v11, redactions).

use samklang_actors::peer::draft_message;
use samklang_matrix::{Draft, RoomGraph};

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "events.foreign-edit",
        title: "The server applies an edit only if the sender of the message made it.",
        catalogue: &["SH-07"],
        checks: &[
            CheckPlan::new(
                "of-another-server",
                "The server ignores an edit of a message by a user of another server.",
            ),
            CheckPlan::new(
                "of-a-neighbour",
                "The server ignores an edit of a message by another user of the sender's server.",
            ),
            CheckPlan::new(
                "of-another-type",
                "The server ignores an edit whose event type differs from the message's.",
            ),
        ],
        play: play!(foreign_edit),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.foreign-redaction",
        title: "A user without power cannot redact a message of another server's user.",
        catalogue: &["SH-08"],
        requirements: &["SS-REDACT-017"],
        checks: &[
            CheckPlan::new(
                "powerless",
                "The server does not apply a redaction by another server's user without the redact level.",
            ),
            CheckPlan::new("not-shown", "The server does not show a redaction whose sender lacks the power level for it."),
            CheckPlan::new("own", "The server applies a user's redaction of their own message.")
                .of(&["SS-REDACT-016"]),
            CheckPlan::new(
                "same-server",
                "The server applies a redaction by another user of the message sender's server.",
            )
            .of(&["SS-REDACT-016"]),
            CheckPlan::new(
                "given-redacted",
                "The server returns a redacted message to other servers without its content.",
            )
            .of(&["SS-REDACT-024"]),
        ],
        play: play!(foreign_redaction),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.early-redaction",
        title: "The server applies a redaction that arrives before the message, if its sender may redact that message.",
        catalogue: &["SH-08"],
        requirements: &["SS-REDACT-018"],
        checks: &[
            CheckPlan::new(
                "own",
                "The server applies a user's redaction of their own message, even if it arrives before the message.",
            ),
            CheckPlan::new(
                "powerless",
                "The server ignores a redaction of another server's user's message that arrives before the message.",
            )
            .of(&["SS-REDACT-017", "SS-REDACT-018"]),
        ],
        play: play!(early_redaction),
        ..Scenario::PEER
    },
];

/// An edit of `target`.
fn draft_edit<'a>(room: &'a RoomGraph, kind: &str, user: &str, target: &str) -> Draft<'a> {
    let new = json!({"msgtype": "m.text", "body": "edited"});
    let relation = json!({"rel_type": "m.replace", "event_id": target});
    room.draft(kind, user).content(json!({
        "msgtype": "m.text", "body": "* edited", "m.new_content": new, "m.relates_to": relation,
    }))
}

/// A redaction of `target`, in the form of the room's version (rooms/v11, moving the redacts property).
fn draft_redaction<'a>(room: &'a RoomGraph, user: &str, target: &str) -> Draft<'a> {
    let redaction = room.draft("m.room.redaction", user);
    if room.version().id().parse::<u32>().is_ok_and(|version| version >= 11) {
        return redaction.content(json!({ "redacts": target }));
    }
    let target = target.to_owned();
    redaction.tampered(Tamper::before_hash(move |pdu| pdu["redacts"] = json!(target)))
}

impl PeerSetup<'_> {
    /// An honest event, which Alice is shown.
    async fn said(
        &self,
        what: &str,
        make: impl for<'a> FnOnce(&'a RoomGraph, &str) -> Draft<'a>,
    ) -> Result<(Planted, Sighting), Failure> {
        let planted = self.copy.plant(what, make)?;
        self.mallory.transmit(&self.host, &[&planted]).await?;
        let shown = self.alice.sees(&planted).await?;
        Ok((planted, shown))
    }

    async fn message(&self, body: &str) -> Result<Planted, Failure> {
        Ok(self.said(body, |room, user| draft_message(room, user, body)).await?.0)
    }

    /// Eve, another user of Mallory's server, joins.
    async fn eve(&self) -> Result<String, Failure> {
        let eve = self.mallory.user("eve");
        self.said("join of Eve", |room, _| room.draft_member(&eve, &eve, "join")).await?;
        Ok(eve)
    }
}

/// Every lie first, then the twin: once that is applied, the lies would be as well.
async fn foreign_edit(scene: &Scene) -> Result<(), Failure> {
    const MESSAGE: &str = "m.room.message";
    let setup = mallory_in_public_room(scene).await?;
    let eve = setup.eve().await?;
    let of_alice = setup.alice.send(&setup.room, "a word of Alice's").await?;
    scene.event_on_wire(&of_alice).await?;
    let [by_eve, odd, own] = ["for Eve to edit", "for another type", "for oneself to edit"];
    let [by_eve, odd, own] =
        [setup.message(by_eve).await?, setup.message(odd).await?, setup.message(own).await?];

    let lies = [
        ("of-another-server", of_alice.id.clone(), "a word of Alice's", MESSAGE, &setup.copy.user),
        ("of-a-neighbour", by_eve.id.clone(), "for Eve to edit", MESSAGE, &eve),
        ("of-another-type", odd.id.clone(), "for another type", "org.example.message", &setup.copy.user),
    ];
    let mut edits = Vec::new();
    for (check, target, body, kind, by) in lies {
        let (edit, _) = setup.said(check, |room, _| draft_edit(room, kind, by, &target)).await?;
        edits.push((check, target, body, edit));
    }
    let (edit, _) = setup.said("the own edit", |room, user| draft_edit(room, MESSAGE, user, &own.id)).await?;
    let applied = applied(&setup, &own.id, &edit.id).await?;
    for (check, target, body, edit) in edits {
        scene.check(check, not_applied(&setup, &target, body, &edit, &applied).await);
    }
    Ok(())
}

fn bundled(event: &Value) -> &Value {
    &event["unsigned"]["m.relations"]["m.replace"]["event_id"]
}

/// The edit is bundled with the message; where a server does not do that, nothing can be said.
async fn applied(setup: &PeerSetup<'_>, message: &str, edit: &str) -> Result<Observed, Failure> {
    let asked = || async {
        let kept = setup.alice.fetch_by_id(&setup.room, message).await?;
        Ok((*bundled(&kept.value) == *edit).then_some(kept))
    };
    match setup.alice.eventually("the own edit", &[message], asked).await {
        Err(Failure::NotSeen { .. }) => Err(Failure::Inconclusive(message!("judging.no-edits"))),
        other => other,
    }
}

async fn not_applied(
    setup: &PeerSetup<'_>,
    target: &str,
    body: &str,
    edit: &Planted,
    twin: &Observed,
) -> Result<Observations, Failure> {
    let kept = setup.alice.fetch_by_id(&setup.room, target).await?;
    if *bundled(&kept.value) != *edit.id && kept.value["content"]["body"] == *body {
        return Ok(merge_observations(kept, twin.clone()));
    }
    let text = message!("fail.foreign-edit");
    let failure = setup.alice.wrong("edit.foreign_applied", text, kept.observations.all());
    Err(failure.showing(body, kept.value))
}

async fn foreign_redaction(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let eve = setup.eve().await?;
    let of_alice = setup.alice.send(&setup.room, "evidence").await?;
    scene.event_on_wire(&of_alice).await?;
    let powerless = setup
        .copy
        .plant("a redaction without power", |room, user| draft_redaction(room, user, &of_alice.id))?;
    setup.mallory.offer(&setup.host, &[&powerless]).await?;

    let (own, other) = (setup.message("a slip").await?, setup.message("a slip for Eve").await?);
    let redact = async |what: &str, by: &str, target: &str| {
        let redaction = setup.copy.plant(what, |room, _| draft_redaction(room, by, target))?;
        setup.mallory.transmit(&setup.host, &[&redaction]).await?;
        gone(&setup, target).await
    };
    scene.check("own", redact("the own redaction", &setup.copy.user, &own.id).await);
    scene.check("given-redacted", given_redacted(&setup, &own).await);
    scene.check("same-server", redact("a redaction by Eve", &eve, &other.id).await);

    let after = setup.send_sentinel("after all redactions").await?;
    scene.check("not-shown", setup.alice.never_saw(&powerless, &after.sighting));
    scene.check("powerless", untouched(&setup, &of_alice.id, "evidence").await);
    Ok(())
}

/// Who asks for the message from outside gets it without what was redacted.
async fn given_redacted(setup: &PeerSetup<'_>, message: &Planted) -> Result<Observations, Failure> {
    match setup.mallory.held(&setup.host, message).await? {
        (HeldContent::Redacted, observation) => Ok(observation.into()),
        (held, observation) => Err(setup.wrongly_held(
            "redaction.given_whole",
            message,
            HeldContent::Redacted,
            held,
            observation,
        )),
    }
}

/// The redaction comes first, and its target once an honest message has been seen; they stand beside each other.
async fn early_redaction(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let olof = setup.another_peer_joins("olof").await?;
    let own = setup.copy.aside("an early slip", |room, user| draft_message(room, user, "an early slip"))?;
    let others =
        olof.aside("a word of Olof's", |room, user| draft_message(room, user, "a word of Olof's"))?;
    for target in [&own, &others] {
        let what = format!("early redaction of {}", target.what);
        let redaction = setup.copy.aside(&what, |room, user| draft_redaction(room, user, &target.id))?;
        setup.mallory.offer(&setup.host, &[&redaction]).await?;
    }
    setup.send_sentinel("after the redactions").await?;
    setup.mallory.transmit(&setup.host, &[&own]).await?;
    scene.check("own", gone(&setup, &own.id).await);
    olof.peer.transmit(&setup.host, &[&others]).await?;
    setup.alice.sees(&others).await?;
    setup.send_sentinel("after the targets").await?;
    scene.check("powerless", untouched(&setup, &others.id, "a word of Olof's").await);
    Ok(())
}

/// The message's content is taken away within the bound.
async fn gone(setup: &PeerSetup<'_>, message: &str) -> Result<Observations, Failure> {
    let asked = || async {
        match setup.alice.fetch_by_id(&setup.room, message).await {
            Ok(kept) => Ok((kept.value["content"] == json!({})).then_some(kept)),
            // It has not arrived yet.
            Err(failure) if samklang_runner::scene::refusal(&failure).is_some() => Ok(None),
            Err(other) => Err(other),
        }
    };
    match setup.alice.eventually("the redacted message", &[message], asked).await {
        Err(Failure::NotSeen { .. }) => {
            let text = message!("fail.redaction-not-applied");
            let kept = setup.alice.fetch_by_id(&setup.room, message).await?;
            let failure = setup.alice.wrong("redaction.not_applied", text, kept.observations.all());
            Err(failure.showing("{}", &kept.value["content"]))
        }
        other => other.map(Into::into),
    }
}

async fn untouched(setup: &PeerSetup<'_>, message: &str, body: &str) -> Result<Observations, Failure> {
    let kept = setup.alice.fetch_by_id(&setup.room, message).await?;
    if kept.value["content"]["body"] == *body {
        return Ok(kept.into());
    }
    let text = message!("fail.redacted-without-power");
    let failure = setup.alice.wrong("redaction.without_power", text, kept.observations.all());
    Err(failure.showing(body, &kept.value["content"]))
}
