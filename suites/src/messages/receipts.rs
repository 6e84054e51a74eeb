//! Read receipts (client-server API, receipts; server-server API, receipts).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "messages.receipts",
        title: "A user is shown the read receipt of the other server's user.",
        catalogue: &["MS-15"],
        requirements: &["SS-RECEIPT-007"],
        needs: &[Need::Feature("receipts")],
        checks: &[
            CheckPlan::new(
                "of-guest",
                "A user of the resident server is shown the joining server's user's receipt, with timestamp and without thread.",
            ),
            CheckPlan::new(
                "of-host",
                "A user of the joining server is shown the resident server's user's receipt, with timestamp and without thread.",
            ),
        ],
        play: play!(both_directions),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.receipts-threaded",
        title: "The other server shows receipts for a thread and for the main timeline separately.",
        catalogue: &["MS-15"],
        requirements: &["SS-RECEIPT-006"],
        needs: &[Need::Feature("receipts"), Need::Feature("threads")],
        checks: &[
            CheckPlan::new(
                "of-guest",
                "A user of the resident server is shown both receipts of the joining server's user, each with its thread.",
            ),
            CheckPlan::new(
                "of-host",
                "A user of the joining server is shown both receipts of the resident server's user, each with its thread.",
            ),
        ],
        play: play!(threaded),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.receipts-private",
        title: "A user is never shown a private read receipt of the other server's user.",
        catalogue: &["MS-15"],
        requirements: &["SS-RECEIPT-008"],
        needs: &[Need::Feature("receipts")],
        checks: &[CheckPlan::new(
            "never-shown",
            "The other server's user is not shown a private read receipt, either as private or as public.",
        )],
        play: play!(private),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.receipts-private-on-wire",
        title: "The server never sends a private read receipt to another server.",
        catalogue: &["MS-15"],
        requirements: &["SS-RECEIPT-008"],
        needs: &[Need::Wire, Need::Feature("receipts")],
        checks: &[
            CheckPlan::new("of-guest", "The joining server sends no m.receipt EDU that contains its user's private receipt."),
            CheckPlan::new("of-host", "The resident server sends no m.receipt EDU that contains its user's private receipt."),
            CheckPlan::new(
                "public-of-guest",
                "The joining server sends its user's public receipt in an m.receipt EDU of the specified form.",
            )
            .of(&["SS-RECEIPT-001", "SS-RECEIPT-002"]),
            CheckPlan::new(
                "public-of-host",
                "The resident server sends its user's public receipt in an m.receipt EDU of the specified form.",
            )
            .of(&["SS-RECEIPT-001", "SS-RECEIPT-002"]),
        ],
        play: play!(private_on_wire),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
];

/// Bob reads Alice's message, and Alice Bob's.
async fn both_directions(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    for (check, writer, reader) in [("of-guest", &alice, &bob), ("of-host", &bob, &alice)] {
        let message = writer.send(&room, "Läs detta").await?;
        reader.sees(&message).await?;
        reader.reads(&message, ReceiptKind::Public, None).await?;
        scene.record(check, receipt_shown(scene, writer, reader, &message).await?);
    }
    Ok(())
}

/// The reader's receipt as the writer is shown it, and as the reader's server sent it.
async fn receipt_shown(
    scene: &Scene,
    writer: &User,
    reader: &User,
    message: &Sent,
) -> Result<Observed, Failure> {
    let shown = receipt_in(writer.sees(receipt(message, reader, "m.read")).await?, message, reader);
    let is_it = |edu: &Value| {
        let ids = edu["content"][&message.room]["m.read"][reader.id()]["event_ids"].as_array();
        ids.is_some_and(|ids| ids.contains(&json!(message.id)))
    };
    let sent = scene.edu_on_wire("m.receipt", reader.role(), is_it).await.ok().map(|edu| {
        edu.map(|edu| {
            let data = &edu["content"][&message.room]["m.read"][reader.id()]["data"];
            essence(data, message, reader)
        })
    });
    Ok(shown.as_sent(sent))
}

/// The receipt of `reader` for `message` in an m.receipt event.
fn receipt_in(shown: impl Into<Observed>, message: &Sent, reader: &User) -> Observed {
    shown.into().map(|event| essence(&event["content"][&message.id]["m.read"][reader.id()], message, reader))
}

fn essence(data: &Value, message: &Sent, reader: &User) -> Value {
    json!({"event": message.id, "reader": reader.id(), "ts": data["ts"], "thread_id": data["thread_id"]})
}

/// The reader reads a message in a thread, then one in the main timeline.
async fn threaded(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    for (check, writer, reader) in [("of-guest", &alice, &bob), ("of-host", &bob, &alice)] {
        let root = writer.send(&room, "Ärende 17").await?;
        let inside = writer.reply_in_thread(&root, "Första åtgärden").await?;
        let outside = writer.send(&room, "Något annat").await?;
        reader.sees(&outside).await?;

        reader.reads(&inside, ReceiptKind::Public, Some(&root.id)).await?;
        let of_thread = receipt_shown(scene, writer, reader, &inside).await?;
        reader.reads(&outside, ReceiptKind::Public, Some("main")).await?;
        let of_main = receipt_shown(scene, writer, reader, &outside).await?;
        scene.record(
            check,
            Observed::together(("in the thread", of_thread), [("in the main timeline", of_main)]),
        );
    }
    Ok(())
}

/// Bob sends a private receipt for one message and a public one for the next. The public receipt, which is sent later and
/// in the same way, is the sentinel.
async fn private(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let quiet = alice.send(&room, "Läs i tysthet").await?;
    let loud = alice.send(&room, "Läs öppet").await?;
    bob.sees(&loud).await?;

    let done = bob.reads(&quiet, ReceiptKind::Private, None).await?;
    bob.sees(receipt(&quiet, &bob, "m.read.private")).await?;
    let twin = bob.reads(&loud, ReceiptKind::Public, None).await?;
    let sentinel = alice.sees(receipt(&loud, &bob, "m.read").after(&twin)).await?;
    let of_quiet = |kind| receipt(&quiet, &bob, kind).after(&done);
    let never_shown = alice
        .never_saw(of_quiet("m.read.private"), &sentinel)
        .and_then(|_| alice.never_saw(of_quiet("m.read"), &sentinel));
    scene.check("never-shown", never_shown);
    Ok(())
}

/// The same on the wire, for readers on both servers: no EDU that was sent before the public receipt, or with it, may hold
/// the private one.
async fn private_on_wire(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let directions =
        [("of-guest", "public-of-guest", &alice, &bob), ("of-host", "public-of-host", &bob, &alice)];
    for (check, check_public, writer, reader) in directions {
        let quiet = writer.send(&room, "Läs i tysthet").await?;
        let loud = writer.send(&room, "Läs öppet").await?;
        reader.sees(&loud).await?;
        reader.reads(&quiet, ReceiptKind::Private, None).await?;
        reader.reads(&loud, ReceiptKind::Public, None).await?;
        let names = |edu: &Value, id: &str| edu.to_string().contains(id);
        let public = |edu: &Value| names(edu, &loud.id) && names(edu, reader.id());
        let sentinel = scene.edu_on_wire("m.receipt", reader.role(), public).await?;
        scene.record(
            check_public,
            sentinel.clone().map(|edu| {
                let receipt = &edu["content"][&room.id]["m.read"][reader.id()];
                json!({"event_ids": receipt["event_ids"], "ts": receipt["data"]["ts"]})
            }),
        );

        let sent = scene.wire()?.edus_on_wire("m.receipt", reader.role());
        let is_private = |edu: &Value| names(edu, "m.read.private") || names(edu, &quiet.id);
        let leak = sent.into_iter().find(|(edu, _)| names(edu, reader.id()) && is_private(edu));
        scene.check(
            check,
            match leak {
                None => Ok(sentinel),
                Some((edu, exchange)) => {
                    let text = message!("fail.private-receipt-left", user = reader.name(), what = edu);
                    let seen = Observation { by: reader.role(), exchange };
                    Err(reader.wrong("receipt.private_sent", text, &[seen]))
                }
            },
        );
    }
    Ok(())
}
