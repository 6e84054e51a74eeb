//! The size limit of events (client-server API, events: size limits).

use std::collections::BTreeSet;

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "messages.long",
        title: "A message of 60,000 bytes arrives whole; the sender's server refuses one of 96,000 bytes, and no part arrives.",
        catalogue: &["MS-06"],
        requirements: &["SS-LIMITS-007"],
        checks: &[
            CheckPlan::new("whole", "A message of 60,000 bytes arrives at the other server whole."),
            CheckPlan::new("refused", "The sender's server refuses a message that is too long."),
            CheckPlan::new(
                "absent",
                "The other server's user is shown no part of a message that is too long.",
            ),
        ],
        play: play!(long),
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.longest",
        title: "An event just below 65536 bytes arrives whole; the sender's server refuses one just above.",
        catalogue: &["MS-06"],
        requirements: &["SS-LIMITS-007"],
        needs: &[Need::Wire],
        checks: &[
            CheckPlan::new("whole", "A message just below 65536 bytes arrives at the other server whole."),
            CheckPlan::new("refused", "The sender's server refuses a message that is too long."),
            CheckPlan::new(
                "absent",
                "The other server's user is shown no part of a message that is too long.",
            ),
        ],
        play: play!(longest),
        ..Scenario::PAIR
    },
];

/// No event may be larger, in bytes of canonical JSON in the federation format, signatures included.
const LIMIT: usize = 65_536;
/// 96,000 bytes in UTF-8, half as much again as an event may have, but fewer characters than the limit.
const TOO_MANY_LETTERS: usize = 48_000;
/// 60,000 bytes in UTF-8. The rest of the limit is far more than the event's other fields need.
const MANY_LETTERS: usize = 30_000;

/// `å` takes two bytes.
fn letters(count: usize) -> String {
    "å".repeat(count)
}

/// Alice sends a long message, one that is too long, and a short one.
async fn long(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let texts = [letters(MANY_LETTERS), letters(TOO_MANY_LETTERS)];
    long_and_too_long(scene, [&alice, &bob], &room, [&texts[0], &texts[1]], &[]).await
}

/// The distance from the limit in bytes. The size of `unsigned`, which counts although it is not signed, and the digits of
/// `depth` differ from one event to the next.
const SAFE_DISTANCE: usize = 200;

/// The size of Bob's first event on the wire tells how many bytes are left for a body; he sends one that just fits.
async fn longest(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let probe = "p".repeat(1_000);
    let sent = bob.send(&room, &probe).await?;
    alice.sees(&sent).await?;
    let mut pdu = scene.event_on_wire(&sent).await?.value;
    if let Some(members) = pdu.as_object_mut() {
        members.remove("unsigned");
    }
    let size = samklang_matrix::canonical_size(&pdu).unwrap_or(LIMIT);
    let room_for_body = LIMIT.saturating_sub(size) + probe.len();
    let fits = "f".repeat(room_for_body.saturating_sub(SAFE_DISTANCE));
    let too_long = "t".repeat(room_for_body + SAFE_DISTANCE);
    long_and_too_long(scene, [&bob, &alice], &room, [&fits, &too_long], &[&sent]).await
}

async fn long_and_too_long(
    scene: &Scene,
    [from, to]: [&User; 2],
    room: &Room,
    [fits, too_long]: [&str; 2],
    before: &[&Sent],
) -> Result<(), Failure> {
    let whole = from.send(room, fits).await?;
    let shown = to.sees(&whole).await?;
    let arrived = shown.event["content"]["body"].as_str().unwrap_or_default();
    let not_whole = async || {
        let text = message!("fail.not-whole", user = to.name());
        let seen = Observed::from(&shown).observations;
        let in_bytes = |text: &str| format!("{} bytes", text.len());
        let sent = scene.event_on_wire(&whole).await.ok();
        let sent_cut = sent.is_some_and(|sent| sent.value["content"]["body"] == *arrived);
        let culprit = if sent_cut { from } else { to };
        culprit.wrong("delivery.not_whole", text, seen.all()).showing(in_bytes(fits), in_bytes(arrived))
    };
    scene.check("whole", if arrived == fits { Ok(&shown) } else { Err(not_whole().await) });

    let refused = from.send(room, too_long).await.refused();
    let was_accepted = refused.is_err();
    scene.check("refused", refused);
    let mut after = from.send(room, "that is all").await?;
    let sentinel = match to.sees(&after).await {
        // Other servers may drop an event that has the too large one as a prev event. But the time in which the too large
        // one would have been shown has passed.
        Err(Failure::NotSeen { .. }) if was_accepted => {
            after = to.send(room, "I heard no more").await?;
            to.sees(&after).await?
        }
        seen => seen?,
    };
    let known: BTreeSet<_> =
        before.iter().copied().chain([&whole, &after]).map(|sent| sent.id.clone()).collect();
    let sender = from.id().to_owned();
    let anything_else = event(room, "m.room.message")
        .and("that its sender does not know of", move |event| {
            let id = event["event_id"].as_str().unwrap_or_default();
            event["sender"] == *sender && !known.contains(id)
        })
        .after(&whole.done);
    scene.check("absent", to.never_saw(anything_else, &sentinel));
    Ok(())
}
