//! Invites across servers (server-server API, inviting to a room; client-server API, room membership).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.invite-accepted",
        title: "The invited user sees an invite to a private room and accepts it, and both servers list the same members.",
        catalogue: &["FC-12", "RM-01"],
        requirements: &["SS-INVITE-013", "SS-JOIN-001", "SS-JOIN-027"],
        checks: &[
            CheckPlan::new(
                "invite-shown",
                "The invited user's server shows its user the inviting user, the room's name and the room version.",
            )
            .of(&["SS-INVITE-036"]),
            CheckPlan::new(
                "members-agree",
                "The inviting server and the invited user's server list the same members with the same memberships.",
            )
            .of(&["SS-STATE-004"]),
            CheckPlan::new("power-levels-agree", "The inviting server and the invited user's server show the same power levels.")
                .of(&["SS-STATE-004"]),
        ],
        play: play!(invite_accepted),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.invite-rejected",
        title: "The inviting user sees that an invite was rejected, and the invited user needs a new invite to join.",
        catalogue: &["FC-12", "RM-04"],
        requirements: &["SS-LEAVE-001", "SS-LEAVE-011"],
        checks: &[
            CheckPlan::new(
                "rejection-shown",
                "The inviting user and the invited user are shown the same leave event of the invited user.",
            ),
            CheckPlan::new(
                "closed-afterwards",
                "A user who rejected an invite cannot join without a new one.",
            )
            .of(&["SS-EAUTH-034"]),
        ],
        play: play!(invite_rejected),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.invite-revoked",
        title: "An invited user sees that the invite was revoked, and needs a new invite to join.",
        // The specification does not say how a server that has no member in the room learns that an invite was revoked.
        weight: Weight::Should,
        catalogue: &["RM-05"],
        checks: &[
            CheckPlan::new(
                "vanished",
                "The inviting user and the invited user are shown the same leave event, sent by the inviting user.",
            ),
            CheckPlan::new(
                "closed-afterwards",
                "A user whose invite was revoked cannot join without a new one.",
            )
            .of(&["SS-EAUTH-034"]),
        ],
        play: play!(invite_revoked),
        ..Scenario::PAIR
    },
];

/// Alice invites Bob; Bob sees the invite, accepts it, and they talk.
async fn invite_accepted(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;

    let room = alice.create_room(Private.named("Lägesbild Öst")).await?;
    let invited = alice.invite(&room, &bob).await?;
    let shown: Observed = bob.sees(invite(&room, &bob)).await?.into();
    let name = bob.sees(stripped(&room, "m.room.name")).await?;
    let create = bob.sees(stripped(&room, "m.room.create")).await?;
    let invite = shown.map(|invite| {
        json!({
            "from": invite["sender"],
            "membership": invite["content"]["membership"],
            "name": name.event["content"]["name"],
            "room_version": create.event["content"]["room_version"],
        })
    });
    scene.record_by_version("invite-shown", invite.with(invited));

    bob.join(&room).await?;
    alice.sees(join(&room, &bob)).await?;
    let hello = alice.send(&room, "hello").await?;
    bob.sees(&hello).await?;
    let answer = bob.send(&room, "welcome").await?;
    alice.sees(&answer).await?;

    scene.record("members-agree", host_and_guest(alice.members(&room).await?, bob.members(&room).await?));
    let of_alice = alice.state_of(&room, "m.room.power_levels", "").await?;
    let of_bob = bob.state_of(&room, "m.room.power_levels", "").await?;
    let levels = host_and_guest(of_alice, of_bob).map(|levels| {
        let [host, guest] = ["host", "guest"].map(|side| levels[side]["content"].clone());
        json!({"level of the creator": host["users"][alice.id()], "guest holds the same": host == guest})
    });
    scene.record_by_version("power-levels-agree", levels);
    Ok(())
}

/// Alice invites Bob, who rejects the invite. A second invite lets him join.
async fn invite_rejected(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;

    let room = alice.create_room(Private).await?;
    alice.invite(&room, &bob).await?;
    alice.sees(invited(&room, &bob)).await?;
    bob.sees(invite(&room, &bob)).await?;
    bob.leave(&room).await?;
    let at_host = alice.sees(leave(&room, &bob)).await?;
    let at_guest = bob.sees(leave(&room, &bob)).await?;
    scene.record(
        "rejection-shown",
        host_and_guest(membership_details(&at_host), membership_details(&at_guest)),
    );

    scene.check("closed-afterwards", joins_only_by_new_invite(&alice, &bob, &room, &at_guest).await);
    Ok(())
}

/// Alice invites Bob and revokes the invite.
async fn invite_revoked(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;

    let room = alice.create_room(Private).await?;
    alice.invite(&room, &bob).await?;
    bob.sees(invite(&room, &bob)).await?;
    alice.kick(&room, &bob, "wrong recipient").await?;
    let at_host = alice.sees(leave(&room, &bob)).await?;
    let at_guest = bob.sees(leave(&room, &bob)).await?;
    scene.record("vanished", host_and_guest(membership_details(&at_host), membership_details(&at_guest)));

    scene.check("closed-afterwards", joins_only_by_new_invite(&alice, &bob, &room, &at_guest).await);
    Ok(())
}

/// A user whose invite ended cannot join; the twin is that the same user joins by a new invite.
async fn joins_only_by_new_invite(
    alice: &User,
    bob: &User,
    room: &Room,
    ended: &Sighting,
) -> Result<Observations, Failure> {
    let refused = bob.join(room).await.refused()?;
    alice.invite(room, bob).await?;
    bob.sees(invite(room, bob).later_than(ended)).await?;
    bob.join(room).await?;
    let joined = alice.sees(join(room, bob)).await?;
    Ok(merge_observations(joined, refused))
}
