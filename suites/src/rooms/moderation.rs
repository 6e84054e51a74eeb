//! Kicks and bans (client-server API, kicking users, banning users; authorisation rules for `m.room.member`).

use crate::prelude::*;

const REASON: &str = "Fel person, åtgärdat";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.kick-by-host",
        title: "A user of another server whom the resident server's user kicks sees the reason, and can no longer send messages.",
        catalogue: &["RM-07"],
        requirements: &["SS-TXN-019", "SS-STATE-004"],
        checks: &[
            CheckPlan::new(
                "kick-shown",
                "Both servers show the same kick event: its sender, the kicked user and the reason.",
            ),
            CheckPlan::new(
                "silenced",
                "The kicked user cannot send a message; another member of the same server can.",
            )
            .of(&["SS-EAUTH-062"]),
        ],
        play: play!(kick_by_host),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.kick-by-guest",
        title: "A user of the resident server whom a moderator on another server kicks sees the reason and can no longer send.",
        catalogue: &["RM-07"],
        requirements: &["SS-TXN-019", "SS-STATE-004"],
        checks: &[
            CheckPlan::new(
                "kick-shown",
                "Both servers show the same kick event: its sender, the kicked user and the reason.",
            ),
            CheckPlan::new(
                "silenced",
                "The kicked user cannot send a message; another member of the same server can.",
            )
            .of(&["SS-EAUTH-062"]),
        ],
        play: play!(kick_by_guest),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.ban-by-host",
        title: "A user of another server whom the resident server's user bans from a public room cannot rejoin until unbanned.",
        catalogue: &["RM-07"],
        requirements: &["SS-TXN-019"],
        checks: &[
            CheckPlan::new(
                "ban-shown",
                "Both servers show the same ban event: its sender, the banned user and the reason.",
            ),
            CheckPlan::new(
                "kept-out",
                "The banned user cannot rejoin while banned; after the unban, the same user can join.",
            )
            .of(&["SS-EAUTH-033", "SS-JOIN-009"]),
        ],
        play: play!(ban_by_host),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.ban-by-guest",
        title: "A user of the resident server whom a moderator on another server bans cannot rejoin until unbanned.",
        catalogue: &["RM-07"],
        requirements: &["SS-TXN-019"],
        checks: &[
            CheckPlan::new(
                "ban-shown",
                "Both servers show the same ban event: its sender, the banned user and the reason.",
            ),
            CheckPlan::new(
                "kept-out",
                "The banned user cannot rejoin while banned; after the unban, the same user can join.",
            )
            .of(&["SS-EAUTH-033"]),
        ],
        play: play!(ban_by_guest),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.kick-needs-power",
        title: "A user without the power level for it cannot kick or ban a user of another server.",
        catalogue: &["RM-07", "RM-08"],
        requirements: &["SS-STATE-004"],
        checks: &[CheckPlan::new(
            "powerless",
            "A user without the power level cannot kick or ban another server's user; a moderator can kick that user.",
        )
        .of(&["SS-EAUTH-055", "SS-EAUTH-057"])],
        play: play!(kick_needs_power),
        ..Scenario::PAIR
    },
];

/// Alice creates a room, and Bob at the guest gets the level to kick and ban. The levels are the specification's defaults.
async fn room_with_guest_moderator(
    scene: &Scene,
    plan: RoomPlan,
) -> Result<(User, User, Room, [Host; 2]), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let room = alice.create_room(plan.power_levels(json!({"kick": 50, "ban": 50, "invite": 0}))).await?;
    invite_and_join(&alice, &bob, &room).await?;
    let promoted = alice.set_power_level(&room, &bob, 50).await?;
    bob.sees(&promoted).await?;
    Ok((alice, bob, room, [host, guest]))
}

/// Alice kicks Dave of the guest; Bob of the guest stays.
async fn kick_by_host(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room, [_, guest]) = room_with_guest_moderator(scene, Private).await?;
    let dave = guest.register("dave").await?;
    invite_and_join(&alice, &dave, &room).await?;

    alice.kick(&room, &dave, REASON).await?;
    let at_host = alice.sees(leave(&room, &dave)).await?;
    let at_guest = dave.sees(leave(&room, &dave)).await?;
    scene.record("kick-shown", host_and_guest(membership_details(&at_host), membership_details(&at_guest)));

    let refused = dave.send(&room, "still here").await.refused();
    let twin = bob.send(&room, "I stay").await?;
    let seen = alice.sees(&twin).await?;
    scene.check("silenced", refused.map(|refused| merge_observations(refused, seen)));
    Ok(())
}

/// Bob kicks Carol of the host; Alice of the host stays.
async fn kick_by_guest(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room, [host, _]) = room_with_guest_moderator(scene, Private).await?;
    let carol = host.register("carol").await?;
    invite_and_join(&alice, &carol, &room).await?;
    bob.sees(join(&room, &carol)).await?;

    bob.kick(&room, &carol, REASON).await?;
    let at_host = carol.sees(leave(&room, &carol)).await?;
    let at_guest = bob.sees(leave(&room, &carol)).await?;
    scene.record("kick-shown", host_and_guest(membership_details(&at_host), membership_details(&at_guest)));

    let refused = carol.send(&room, "still here").await.refused();
    let twin = alice.send(&room, "I stay").await?;
    let seen = bob.sees(&twin).await?;
    scene.check("silenced", refused.map(|refused| merge_observations(refused, seen)));
    Ok(())
}

/// Alice bans Bob, the guest's only member, so that the guest needs the host when Bob tries to rejoin.
async fn ban_by_host(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let room = alice.create_room(Public).await?;
    join_public_room(&host, &alice, &bob, &room).await?;
    alice.sees(join(&room, &bob)).await?;
    bob.sees(join(&room, &bob)).await?;

    alice.ban(&room, &bob, REASON).await?;
    let at_host = alice.sees(ban(&room, &bob)).await?;
    let at_guest = bob.sees(ban(&room, &bob)).await?;
    scene.record("ban-shown", host_and_guest(membership_details(&at_host), membership_details(&at_guest)));

    scene.check("kept-out", joins_only_when_unbanned(&alice, &alice, &bob, &room).await);
    Ok(())
}

/// The banned user cannot join; the twin is that the same user can after `moderator` has lifted the ban. `host` is a user
/// at the server that handles the join: the unban has to arrive there first.
async fn joins_only_when_unbanned(
    moderator: &User,
    host: &User,
    banned: &User,
    room: &Room,
) -> Result<Observations, Failure> {
    let refused = banned.join(room).await.refused()?;
    moderator.unban(room, banned).await?;
    let lifted = host.sees(leave(room, banned)).await?;
    banned.join(room).await?;
    let back = moderator.sees(join(room, banned).later_than(&lifted)).await?;
    Ok(merge_observations(refused, back))
}

/// Bob at the guest bans Carol of the host; her own server has to refuse her join.
async fn ban_by_guest(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room, [host, _]) = room_with_guest_moderator(scene, Public).await?;
    let carol = host.register("carol").await?;
    carol.join(&room).await?;
    bob.sees(join(&room, &carol)).await?;
    carol.sees(join(&room, &carol)).await?;

    bob.ban(&room, &carol, REASON).await?;
    let at_host = carol.sees(ban(&room, &carol)).await?;
    let at_guest = bob.sees(ban(&room, &carol)).await?;
    scene.record("ban-shown", host_and_guest(membership_details(&at_host), membership_details(&at_guest)));

    scene.check("kept-out", joins_only_when_unbanned(&bob, &alice, &carol, &room).await);
    Ok(())
}

/// Dave, an ordinary user at the guest, tries to kick and ban Carol; Bob, a moderator there, kicks her.
async fn kick_needs_power(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room, [host, guest]) = room_with_guest_moderator(scene, Private).await?;
    let carol = host.register("carol").await?;
    let dave = guest.register("dave").await?;
    invite_and_join(&alice, &carol, &room).await?;
    invite_and_join(&alice, &dave, &room).await?;
    dave.sees(join(&room, &carol)).await?;

    scene.check("powerless", removes_only_with_power(&dave, &bob, &carol, &room, &alice).await);
    Ok(())
}

/// `ordinary` can neither kick nor ban `target`; the twin is that `moderator`, of the same server, can kick.
async fn removes_only_with_power(
    ordinary: &User,
    moderator: &User,
    target: &User,
    room: &Room,
    witness: &User,
) -> Result<Observations, Failure> {
    let kick = ordinary.kick(room, target, REASON).await.refused()?;
    let ban = ordinary.ban(room, target, REASON).await.refused()?;
    moderator.kick(room, target, REASON).await?;
    let twin = witness.sees(leave(room, target)).await?;
    Ok(merge_observations(merge_observations(kick, ban), twin))
}
