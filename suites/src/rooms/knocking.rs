//! Knocking (server-server API, knocking rooms; client-server API, knocking on rooms).

use crate::prelude::*;

const KNOCK: &[Need] = &[Need::Feature("knock")];
const KNOCKABLE: RoomPlan = RoomPlan::with(JoinRule::Knock);

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.knock-answered",
        title: "A user of another server knocks on a room of the resident server, accepts the invite, and joins.",
        catalogue: &["RM-10"],
        requirements: &["SS-KNOCK-001", "SS-KNOCK-010"],
        needs: KNOCK,
        checks: &[
            CheckPlan::new(
                "knock-shown",
                "The inviting user and the knocking user are shown the same knock, and the latter also the room version.",
            )
            .of(&["SS-KNOCK-021"]),
            CheckPlan::new(
                "waits-for-invite",
                "The knocking user cannot join before being invited, and can join afterwards.",
            )
            .of(&["SS-EAUTH-035"]),
        ],
        play: play!(knock_answered),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.knock-not-offered",
        title: "A user can knock on a room only if its join rule allows knocks.",
        catalogue: &["RM-10"],
        requirements: &["SS-KNOCK-001"],
        needs: KNOCK,
        checks: &[CheckPlan::new(
            "refused-by-rule",
            "A user of another server cannot knock on an invite-only room, and can on a room with the join rule knock.",
        )
        .of(&["SS-KNOCK-003", "SS-EAUTH-058"])],
        play: play!(knock_not_offered),
        ..Scenario::PAIR
    },
];

/// Bob knocks on Alice's room.
async fn knocked(scene: &Scene) -> Result<(User, User, Room, Sighting), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let room = alice.create_room(KNOCKABLE).await?;
    bob.knock(&room).await?;
    let shown = alice.sees(knock(&room, &bob)).await?;
    Ok((alice, bob, room, shown))
}

/// Alice answers Bob's knock with an invite.
async fn knock_answered(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room, at_host) = knocked(scene).await?;
    let at_guest = bob.sees(knock(&room, &bob)).await?;
    let create = bob.sees(stripped(&room, "m.room.create")).await?;
    let shown =
        host_and_guest(membership_details(&at_host), membership_details(&at_guest)).map(|mut shown| {
            shown["room_version shown to guest"] = create.event["content"]["room_version"].clone();
            shown
        });
    scene.record_by_version("knock-shown", shown);

    scene.check("waits-for-invite", joins_only_by_invite(&alice, &bob, &room).await);
    Ok(())
}

/// A user who knocked cannot join; the twin is that the same user joins once invited.
async fn joins_only_by_invite(alice: &User, bob: &User, room: &Room) -> Result<Observations, Failure> {
    let refused = bob.join(room).await.refused()?;
    alice.invite(room, bob).await?;
    bob.sees(invite(room, bob)).await?;
    bob.join(room).await?;
    let joined = alice.sees(join(room, bob)).await?;
    Ok(merge_observations(refused, joined))
}

/// Bob knocks on two rooms of Alice's, of which one is invite-only.
async fn knock_not_offered(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let closed = alice.create_room(Private).await?;
    let open = alice.create_room(KNOCKABLE).await?;
    let refused = bob.knock(&closed).await.refused();
    bob.knock(&open).await?;
    let shown = alice.sees(knock(&open, &bob)).await?;
    scene.check("refused-by-rule", refused.map(|refused| merge_observations(refused, shown)));
    Ok(())
}
