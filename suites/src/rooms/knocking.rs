//! Knocking (server-server API, knocking rooms; client-server API, knocking on rooms).

use crate::prelude::*;

const KNOCK: &[Need] = &[Need::Feature("knock")];
const KNOCKABLE: RoomPlan = RoomPlan::with(JoinRule::Knock);

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.knock-answered",
        title: "A user of another server knocks, is let in by an invite, and joins.",
        catalogue: &["RM-10"],
        requirements: &["SS-KNOCK-001", "SS-KNOCK-010"],
        needs: KNOCK,
        checks: &[
            CheckPlan::new(
                "knock-shown",
                "Host and knocking user are shown the same knock, the user also the room's version.",
            )
            .of(&["SS-KNOCK-021"]),
            CheckPlan::new(
                "waits-for-invite",
                "A knock alone does not admit; with the invite that answers it the user joins.",
            )
            .of(&["SS-EAUTH-035"]),
        ],
        play: play!(knock_answered),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.knock-not-offered",
        title: "Where the join rule does not offer it nobody can knock; where it does, the same user can.",
        catalogue: &["RM-10"],
        requirements: &["SS-KNOCK-001"],
        needs: KNOCK,
        checks: &[CheckPlan::new(
            "refused-by-rule",
            "The knock on the private room is refused, that on the other accepted.",
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
    let heard = alice.sees(knock(&room, &bob)).await?;
    Ok((alice, bob, room, heard))
}

/// Alice answers Bob's knock with an invite.
async fn knock_answered(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room, heard) = knocked(scene).await?;
    let own = bob.sees(knock(&room, &bob)).await?;
    let create = bob.sees(stripped(&room, "m.room.create")).await?;
    let shown = host_and_guest(membership_details(&heard), membership_details(&own)).map(|mut shown| {
        shown["room_version shown to guest"] = create.event["content"]["room_version"].clone();
        shown
    });
    scene.record_by_version("knock-shown", shown);

    scene.check("waits-for-invite", only_by_invite(&alice, &bob, &room).await);
    Ok(())
}

/// Who knocked cannot join by that alone; the twin is that the invite admits.
async fn only_by_invite(alice: &User, bob: &User, room: &Room) -> Result<Observations, Failure> {
    let refused = bob.join(room).await.refused()?;
    alice.invite(room, bob).await?;
    bob.sees(invite(room, bob)).await?;
    bob.join(room).await?;
    let joined = alice.sees(join(room, bob)).await?;
    Ok(merge_observations(refused, joined))
}

/// Bob knocks on two rooms of Alice's, of which one lets nobody knock.
async fn knock_not_offered(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let closed = alice.create_room(Private).await?;
    let open = alice.create_room(KNOCKABLE).await?;
    let refused = bob.knock(&closed).await.refused();
    bob.knock(&open).await?;
    let heard = alice.sees(knock(&open, &bob)).await?;
    scene.check("refused-by-rule", refused.map(|refused| merge_observations(refused, heard)));
    Ok(())
}
