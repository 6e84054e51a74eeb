//! Leaving and coming back (server-server API, leaving rooms; client-server API, leaving rooms).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.left-and-back",
        title: "Who left is invited again, joins again, and from then on misses nothing.",
        catalogue: &["RM-06"],
        requirements: &["SS-LEAVE-010", "SS-JOIN-001", "SS-TXN-019"],
        checks: &[
            CheckPlan::new("members-while-away", "The host lists who left as having left."),
            CheckPlan::new(
                "no-gap",
                "Host and guest hold the same messages in the same order since the return.",
            ),
            CheckPlan::new("members-agree", "Host and guest list the same members after the return.")
                .of(&["SS-STATE-004"]),
        ],
        play: play!(left_and_back),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.silence-after-leaving",
        title: "What is said after a server's last member left is not sent to that server.",
        catalogue: &["RM-06"],
        requirements: &["SS-LEAVE-010", "SS-TXN-019"],
        needs: &[Need::Wire],
        checks: &[CheckPlan::new(
            "not-sent",
            "No transaction holds the message, and one holds what is said after the return.",
        )
        .of(&["SS-TXN-021"])],
        play: play!(silence_after_leaving),
        ..Scenario::PAIR
    },
];

/// Bob leaves Alice's room and comes back by a second invite.
async fn left_and_back(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    bob.leave(&room).await?;
    let left = alice.sees(leave(&room, &bob)).await?;
    let gone = bob.sees(leave(&room, &bob)).await?;
    scene.record("members-while-away", alice.members(&room).await?.with(&gone));
    alice.send(&room, "while Bob is away").await?;

    alice.invite(&room, &bob).await?;
    bob.sees(invite(&room, &bob).later_than(&gone)).await?;
    bob.join(&room).await?;
    alice.sees(join(&room, &bob).later_than(&left)).await?;

    let mut since = Vec::new();
    for (host_says, guest_says) in [("one", "two"), ("three", "four"), ("five", "six")] {
        let said = alice.send(&room, host_says).await?;
        bob.sees(&said).await?;
        let answer = bob.send(&room, guest_says).await?;
        alice.sees(&answer).await?;
        since.extend([said.id, answer.id]);
    }
    let kept = |history: Observed| history.map(|events| wanted_ids_in_order(&events, &since));
    scene.record(
        "no-gap",
        host_and_guest(kept(alice.history(&room, 200).await?), kept(bob.history(&room, 200).await?)),
    );
    scene.record("members-agree", host_and_guest(alice.members(&room).await?, bob.members(&room).await?));
    Ok(())
}

/// Bob, alone at the guest, leaves; Alice speaks; Bob comes back, and Alice speaks again.
async fn silence_after_leaving(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    bob.leave(&room).await?;
    let left = alice.sees(leave(&room, &bob)).await?;
    let gone = bob.sees(leave(&room, &bob)).await?;
    let secret = alice.send(&room, "among ourselves").await?;

    alice.invite(&room, &bob).await?;
    bob.sees(invite(&room, &bob).later_than(&gone)).await?;
    bob.join(&room).await?;
    alice.sees(join(&room, &bob).later_than(&left)).await?;
    let hello = alice.send(&room, "hello again").await?;
    let heard = bob.sees(&hello).await?;

    let wire = scene.wire()?;
    let outcome = match wire.event_passage(&secret.id, alice.role(), bob.role()) {
        Passage::NotSent => Ok(merge_observations(heard, secret.done.clone())),
        Passage::Refused { exchange, .. } | Passage::Delivered { exchange } => Err(alice.wrong(
            "delivery.sent_after_leaving",
            message!("fail.sent-after-leaving", event = secret.what),
            &[Observation { by: alice.role(), exchange }],
        )),
    };
    scene.check("not-sent", outcome);
    Ok(())
}
