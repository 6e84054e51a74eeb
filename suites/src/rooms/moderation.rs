//! Kicks and bans (client-server API, kicking users, banning users; authorisation rules for `m.room.member`).

use crate::prelude::*;

const REASON: &str = "Fel person, åtgärdat";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.kick-by-host",
        title: "A user kicked by the host is out on both servers, is told why, and cannot speak any more.",
        catalogue: &["RM-07"],
        requirements: &["SS-TXN-019", "SS-STATE-004"],
        checks: &[
            CheckPlan::new("kick-shown", "Both servers show who was kicked by whom and why."),
            CheckPlan::new("silenced", "The kicked user cannot speak; another one of the same server can.")
                .of(&["SS-EAUTH-062"]),
        ],
        play: play!(kick_by_host),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.kick-by-guest",
        title: "A moderator at the guest kicks a user of the host, who is out on both servers and is told why.",
        catalogue: &["RM-07"],
        requirements: &["SS-TXN-019", "SS-STATE-004"],
        checks: &[
            CheckPlan::new("kick-shown", "Both servers show who was kicked by whom and why."),
            CheckPlan::new("silenced", "The kicked user cannot speak; another one of the same server can.")
                .of(&["SS-EAUTH-062"]),
        ],
        play: play!(kick_by_guest),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.ban-by-host",
        title: "A user banned by the host cannot rejoin even a public room, until the ban is lifted.",
        catalogue: &["RM-07"],
        requirements: &["SS-TXN-019"],
        checks: &[
            CheckPlan::new("ban-shown", "Both servers show who was banned by whom and why."),
            CheckPlan::new(
                "kept-out",
                "The banned user cannot rejoin; once the ban is lifted, the same user can.",
            )
            .of(&["SS-EAUTH-033", "SS-JOIN-009"]),
        ],
        play: play!(ban_by_host),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.ban-by-guest",
        title: "A user of the host banned by a moderator at the guest cannot rejoin, until the ban is lifted.",
        catalogue: &["RM-07"],
        requirements: &["SS-TXN-019"],
        checks: &[
            CheckPlan::new("ban-shown", "Both servers show who was banned by whom and why."),
            CheckPlan::new(
                "kept-out",
                "The banned user cannot rejoin; once the ban is lifted, the same user can.",
            )
            .of(&["SS-EAUTH-033"]),
        ],
        play: play!(ban_by_guest),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.kick-needs-power",
        title: "Who has no power over others can neither kick nor ban across servers.",
        catalogue: &["RM-07", "RM-08"],
        requirements: &["SS-STATE-004"],
        checks: &[CheckPlan::new(
            "powerless",
            "An ordinary user's kick and ban are refused, a moderator's kick of the same user is not.",
        )
        .of(&["SS-EAUTH-055", "SS-EAUTH-057"])],
        play: play!(kick_needs_power),
        ..Scenario::PAIR
    },
];

/// Alice, who made the room, and Bob, who may kick and ban from the guest. The levels are the specification's own.
async fn with_a_moderator(scene: &Scene, plan: RoomPlan) -> Result<(User, User, Room, [Host; 2]), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let room = alice.create_room(plan.power_levels(json!({"kick": 50, "ban": 50, "invite": 0}))).await?;
    invite_and_join(&alice, &bob, &room).await?;
    let promoted = alice.set_power_level(&room, &bob, 50).await?;
    bob.sees(&promoted).await?;
    Ok((alice, bob, room, [host, guest]))
}

/// Alice kicks Dave, Bob stays.
async fn kick_by_host(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room, [_, guest]) = with_a_moderator(scene, Private).await?;
    let dave = guest.register("dave").await?;
    invite_and_join(&alice, &dave, &room).await?;

    alice.kick(&room, &dave, REASON).await?;
    let at_host = alice.sees(leave(&room, &dave)).await?;
    let at_guest = dave.sees(leave(&room, &dave)).await?;
    scene.record("kick-shown", host_and_guest(membership_details(&at_host), membership_details(&at_guest)));

    let refused = dave.send(&room, "still here").await.refused();
    let twin = bob.send(&room, "I stay").await?;
    let heard = alice.sees(&twin).await?;
    scene.check("silenced", refused.map(|refused| merge_observations(refused, heard)));
    Ok(())
}

/// Bob kicks Carol, Alice stays.
async fn kick_by_guest(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room, [host, _]) = with_a_moderator(scene, Private).await?;
    let carol = host.register("carol").await?;
    invite_and_join(&alice, &carol, &room).await?;
    bob.sees(join(&room, &carol)).await?;

    bob.kick(&room, &carol, REASON).await?;
    let at_host = carol.sees(leave(&room, &carol)).await?;
    let at_guest = bob.sees(leave(&room, &carol)).await?;
    scene.record("kick-shown", host_and_guest(membership_details(&at_host), membership_details(&at_guest)));

    let refused = carol.send(&room, "still here").await.refused();
    let twin = alice.send(&room, "I stay").await?;
    let heard = bob.sees(&twin).await?;
    scene.check("silenced", refused.map(|refused| merge_observations(refused, heard)));
    Ok(())
}

/// Alice bans Bob, the only one at the guest, so that the host is asked when Bob tries to come back.
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

    scene.check("kept-out", out_until_unbanned(&alice, &alice, &bob, &room).await);
    Ok(())
}

/// The banned user cannot join; the twin is that the same user can once `moderator` has lifted the ban. `host` is a
/// user at the server by way of which the join goes: the ban has to be lifted there first.
async fn out_until_unbanned(
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

/// Bob bans Carol from the guest; Carol's own server has to keep her out.
async fn ban_by_guest(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room, [host, _]) = with_a_moderator(scene, Public).await?;
    let carol = host.register("carol").await?;
    carol.join(&room).await?;
    bob.sees(join(&room, &carol)).await?;
    carol.sees(join(&room, &carol)).await?;

    bob.ban(&room, &carol, REASON).await?;
    let at_host = carol.sees(ban(&room, &carol)).await?;
    let at_guest = bob.sees(ban(&room, &carol)).await?;
    scene.record("ban-shown", host_and_guest(membership_details(&at_host), membership_details(&at_guest)));

    scene.check("kept-out", out_until_unbanned(&bob, &alice, &carol, &room).await);
    Ok(())
}

/// Dave, an ordinary user at the guest, tries to remove Carol; Bob, a moderator there, does.
async fn kick_needs_power(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room, [host, guest]) = with_a_moderator(scene, Private).await?;
    let carol = host.register("carol").await?;
    let dave = guest.register("dave").await?;
    invite_and_join(&alice, &carol, &room).await?;
    invite_and_join(&alice, &dave, &room).await?;
    dave.sees(join(&room, &carol)).await?;

    scene.check("powerless", only_with_power(&dave, &bob, &carol, &room, &alice).await);
    Ok(())
}

/// `ordinary` can remove nobody; the twin is that `moderator`, of the same server, can.
async fn only_with_power(
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
