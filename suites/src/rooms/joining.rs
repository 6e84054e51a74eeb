//! Who may join (server-server API, joining rooms; room versions, authorisation rules for `m.room.member`).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.public-join",
        title: "Anybody from another server joins a public room without an invite, and they talk.",
        catalogue: &["FC-10"],
        requirements: &["SS-JOIN-001", "SS-EAUTH-036"],
        checks: &[
            CheckPlan::new("members-agree", "Host and guest list the same members.").of(&["SS-STATE-004"])
        ],
        play: play!(public_join),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.uninvited-join",
        title: "Nobody from another server joins a private room uninvited; whoever is invited does.",
        catalogue: &["FC-10", "RM-01"],
        requirements: &["SS-JOIN-001"],
        checks: &[
            CheckPlan::new(
                "uninvited-refused",
                "The uninvited user is refused, and the invited one of the same server admitted.",
            )
            .of(&["SS-JOIN-009", "SS-EAUTH-034"]),
            CheckPlan::new("members-agree", "Neither server lists the user who was refused."),
        ],
        play: play!(uninvited_join),
        ..Scenario::PAIR
    },
];

/// Bob walks into Alice's public room.
async fn public_join(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;

    let room = alice.create_room(Public).await?;
    bob.join(&room).await?;
    alice.sees(join(&room, &bob)).await?;
    let hello = alice.send(&room, "hello").await?;
    bob.sees(&hello).await?;
    let answer = bob.send(&room, "welcome").await?;
    alice.sees(&answer).await?;
    scene.record("members-agree", both(alice.members(&room).await?, bob.members(&room).await?));
    Ok(())
}

/// Mallory tries to join before and after Bob, who is invited: first the host is asked, then Mallory's own server.
async fn uninvited_join(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let mallory = guest.register("mallory").await?;

    let room = alice.create_room(Private).await?;
    let before = mallory.join(&room).await.refused();
    bring_in(&alice, &bob, &room).await?;
    let after = mallory.join(&room).await.refused();
    let twin = alice.sees(join(&room, &bob)).await?;
    scene.check("uninvited-refused", before.and(after).map(|refused| by_both(refused, twin)));
    scene.record("members-agree", both(alice.members(&room).await?, bob.members(&room).await?));
    Ok(())
}
