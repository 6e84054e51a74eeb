//! Leaving and rejoining (server-server API, leaving rooms; client-server API, leaving rooms).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.left-and-back",
        title: "A user of another server who left can be invited again, rejoins, and misses no later message.",
        catalogue: &["RM-06"],
        requirements: &["SS-LEAVE-010", "SS-JOIN-001", "SS-TXN-019"],
        checks: &[
            CheckPlan::new(
                "members-while-away",
                "The resident server lists the user of another server who left with membership leave.",
            ),
            CheckPlan::new(
                "no-gap",
                "Both servers show the messages sent after the rejoin, in the same order.",
            ),
            CheckPlan::new("members-agree", "Both servers list the same members after the rejoin.")
                .of(&["SS-STATE-004"]),
        ],
        play: play!(left_and_back),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.silence-after-leaving",
        title: "A server does not send a room's events to a server whose last member has left.",
        catalogue: &["RM-06"],
        requirements: &["SS-LEAVE-010", "SS-TXN-019"],
        needs: &[Need::Wire],
        checks: &[CheckPlan::new(
            "not-sent",
            "The resident server sends no message to a server that had no member in the room at that time.",
        )
        .of(&["SS-TXN-021"])],
        play: play!(silence_after_leaving),
        ..Scenario::PAIR
    },
];

/// Bob leaves Alice's room and rejoins by a second invite.
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

    let mut after_rejoin = Vec::new();
    for (host_says, guest_says) in [("one", "two"), ("three", "four"), ("five", "six")] {
        let sent = alice.send(&room, host_says).await?;
        bob.sees(&sent).await?;
        let answer = bob.send(&room, guest_says).await?;
        alice.sees(&answer).await?;
        after_rejoin.extend([sent.id, answer.id]);
    }
    let messages = |history: Observed| history.map(|events| wanted_ids_in_order(&events, &after_rejoin));
    scene.record(
        "no-gap",
        host_and_guest(messages(alice.history(&room, 200).await?), messages(bob.history(&room, 200).await?)),
    );
    scene.record("members-agree", host_and_guest(alice.members(&room).await?, bob.members(&room).await?));
    Ok(())
}

/// Bob, the guest's only member, leaves; Alice sends a message; Bob rejoins, and Alice sends another.
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
    let seen = bob.sees(&hello).await?;

    let wire = scene.wire()?;
    let outcome = match wire.event_delivery(&secret.id, alice.role(), bob.role()) {
        Delivery::NotSent => Ok(merge_observations(seen, secret.done.clone())),
        Delivery::Refused { exchange, .. } | Delivery::Delivered { exchange } => Err(alice.wrong(
            "delivery.sent_after_leaving",
            message!("fail.sent-after-leaving", event = secret.what),
            &[Observation { by: alice.role(), exchange }],
        )),
    };
    scene.check("not-sent", outcome);
    Ok(())
}
