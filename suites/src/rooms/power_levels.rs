//! Who may do what (client-server API, `m.room.power_levels`; room versions, authorisation rules for power levels).
//!
//! Up to version 11 the creator has level 100 in `users`; from version 12 on creators stand above all levels and must
//! not be listed. What is compared here leaves the creator out, but for the scenario about creators.

use crate::prelude::*;

const LEVELS: &str = "m.room.power_levels";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.promoted-by-host",
        title: "A user of the guest whom the host promotes may moderate, and may not any more when demoted.",
        catalogue: &["RM-08"],
        requirements: &["SS-STATE-004"],
        checks: &[CheckPlan::new(
            "while-promoted",
            "The guest's user may set the topic while at level 50, neither before nor after.",
        )
        .of(&["SS-EAUTH-064"])],
        play: play!(promoted_by_host),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.promoted-by-guest",
        title: "A user of the host whom the guest promotes may moderate, and may not any more when demoted.",
        catalogue: &["RM-08"],
        requirements: &["SS-STATE-004"],
        checks: &[CheckPlan::new(
            "while-promoted",
            "The host's user may set the topic while at level 50, neither before nor after.",
        )
        .of(&["SS-EAUTH-064"])],
        play: play!(promoted_by_guest),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.no-self-promotion",
        title: "A moderator cannot raise anybody, least of all oneself, above the own level.",
        catalogue: &["RM-08"],
        requirements: &["SS-STATE-004"],
        checks: &[
            CheckPlan::new(
                "not-above-own",
                "Raising oneself or another to 51 is refused at level 50, raising another to 50 is not.",
            )
            .of(&["SS-EAUTH-077"]),
            CheckPlan::new("levels-agree", "Both servers hold the levels of the accepted changes alone."),
        ],
        play: play!(no_self_promotion),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.unusual-level-survives",
        title: "A level that no product has a role for (75) survives when the other side changes somebody else's.",
        catalogue: &["RM-08"],
        requirements: &["SS-STATE-004"],
        checks: &[CheckPlan::new("levels-agree", "Both servers hold 75 and the other side's change.")],
        play: play!(unusual_level_survives),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.creators-above-levels",
        title: "In version 12 the creator is in no list of levels and above all of them, seen from the other server, too.",
        catalogue: &["RM-08", "FC-18"],
        versions: Versions::Only(&["12"]),
        requirements: &["SS-EAUTH-017"],
        checks: &[
            CheckPlan::new("not-listed", "Neither server lists the creator among the levels.")
                .of(&["SS-ROOMV-019"]),
            CheckPlan::new(
                "never-listed",
                "Levels that list the creator are refused; without, they are accepted.",
            )
            .of(&["SS-EAUTH-021"]),
            CheckPlan::new(
                "creator-stays",
                "An administrator can kick an ordinary user, but neither kick nor ban the creator.",
            )
            .of(&["SS-EAUTH-018"]),
            CheckPlan::new(
                "above-all",
                "The creator acts where the level asked for is higher than anybody has.",
            )
            .of(&["SS-EAUTH-017"]),
        ],
        play: play!(creators_above_levels),
        ..Scenario::PAIR
    },
];

/// The levels of all but `creator`, as both servers hold them.
async fn levels(room: &Room, host: &User, guest: &User, creator: &User) -> Result<Observed, Failure> {
    let held =
        host_and_guest(host.state_of(room, LEVELS, "").await?, guest.state_of(room, LEVELS, "").await?);
    Ok(held.map(|mut held| {
        for side in ["host", "guest"] {
            let mut users = held[side]["content"]["users"].take();
            if let Some(users) = users.as_object_mut() {
                users.remove(creator.id());
            }
            held[side] = users;
        }
        held
    }))
}

/// `chief` promotes `user`, of another server, and demotes the user again; the topic is what the level is needed for.
async fn promote_and_demote(chief: &User, user: &User, room: &Room) -> Result<Observations, Failure> {
    let before = user.set_topic(room, "too early").await.refused()?;
    let promoted = chief.set_power_level(room, user, 50).await?;
    user.sees(&promoted).await?;
    let topic = user.set_topic(room, "in time").await?;
    let twin = chief.sees(&topic).await?;
    let demoted = chief.set_power_level(room, user, 0).await?;
    user.sees(&demoted).await?;
    let after = user.set_topic(room, "too late").await.refused()?;
    Ok(merge_observations(merge_observations(before, after), twin))
}

/// Alice promotes Bob.
async fn promoted_by_host(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    scene.check("while-promoted", promote_and_demote(&alice, &bob, &room).await);
    Ok(())
}

/// Bob, whom Alice made an administrator, promotes Carol of Alice's server.
async fn promoted_by_guest(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let [host, _] = scene.servers()?;
    let carol = host.register("carol").await?;
    invite_and_join(&alice, &carol, &room).await?;
    let promoted = alice.set_power_level(&room, &bob, 100).await?;
    bob.sees(&promoted).await?;
    bob.sees(join(&room, &carol)).await?;
    scene.check("while-promoted", promote_and_demote(&bob, &carol, &room).await);
    Ok(())
}

/// Bob at level 50 tries to raise himself and Dave.
async fn no_self_promotion(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let [_, guest] = scene.servers()?;
    let dave = guest.register("dave").await?;
    invite_and_join(&alice, &dave, &room).await?;
    let mut content = alice.state_of(&room, LEVELS, "").await?.value["content"].clone();
    content["users"][bob.id()] = json!(50);
    // What Bob's level suffices for is not left to products.
    content["events"]["m.room.power_levels"] = json!(50);
    let promoted = alice.set_state(&room, LEVELS, "", content).await?;
    bob.sees(&promoted).await?;

    let oneself = bob.set_power_level(&room, &bob, 51).await.refused();
    let another = bob.set_power_level(&room, &dave, 51).await.refused();
    let allowed = bob.set_power_level(&room, &dave, 50).await?;
    let twin = alice.sees(&allowed).await?;
    scene.check("not-above-own", oneself.and(another).map(|refused| merge_observations(refused, twin)));
    scene.record("levels-agree", levels(&room, &alice, &bob, &alice).await?);
    Ok(())
}

/// Alice gives Dave 75; Bob changes Carol's level.
async fn unusual_level_survives(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let [host, guest] = scene.servers()?;
    let carol = host.register("carol").await?;
    let dave = guest.register("dave").await?;
    alice.set_power_level(&room, &bob, 100).await?;
    let unusual = alice.set_power_level(&room, &dave, 75).await?;
    bob.sees(&unusual).await?;
    let changed = bob.set_power_level(&room, &carol, 50).await?;
    alice.sees(&changed).await?;
    scene.record("levels-agree", levels(&room, &alice, &bob, &alice).await?);
    Ok(())
}

/// Alice, the creator, has no level; Bob has the highest that products give.
async fn creators_above_levels(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let [host, _] = scene.servers()?;
    let carol = host.register("carol").await?;
    invite_and_join(&alice, &carol, &room).await?;
    let promoted = alice.set_power_level(&room, &bob, 100).await?;
    bob.sees(&promoted).await?;
    bob.sees(join(&room, &carol)).await?;

    let held =
        host_and_guest(alice.state_of(&room, LEVELS, "").await?, bob.state_of(&room, LEVELS, "").await?);
    let content = held.value["host"]["content"].clone();
    let users = held.map(
        |held| json!({"host": held["host"]["content"]["users"], "guest": held["guest"]["content"]["users"]}),
    );
    scene.record("not-listed", users);

    scene.check("never-listed", never_listed(&alice, &bob, &room, content).await);
    scene.check("creator-stays", creator_stays(&alice, &bob, &carol, &room).await);
    scene.check("above-all", above_all(&alice, &bob, &room).await);
    Ok(())
}

/// Levels that list the creator are refused to everybody; the twin is the same without, which asks for more than anybody
/// has where the topic is concerned.
async fn never_listed(
    creator: &User,
    admin: &User,
    room: &Room,
    mut levels: Value,
) -> Result<Observations, Failure> {
    levels["events"]["m.room.topic"] = json!(1000);
    let allowed = levels.clone();
    levels["users"][creator.id()] = json!(100);
    let by_admin = admin.set_state(room, LEVELS, "", levels.clone()).await.refused()?;
    let by_creator = creator.set_state(room, LEVELS, "", levels).await.refused()?;
    let accepted = creator.set_state(room, LEVELS, "", allowed).await?;
    let twin = admin.sees(&accepted).await?;
    Ok(merge_observations(merge_observations(by_admin, by_creator), twin))
}

/// The administrator can remove `ordinary`, but not the creator.
async fn creator_stays(
    creator: &User,
    admin: &User,
    ordinary: &User,
    room: &Room,
) -> Result<Observations, Failure> {
    let kick = admin.kick(room, creator, "take-over").await.refused()?;
    let ban = admin.ban(room, creator, "take-over").await.refused()?;
    admin.kick(room, ordinary, "ordinary").await?;
    let kicked = creator.sees(leave(room, ordinary)).await?;
    Ok(merge_observations(merge_observations(kick, ban), kicked))
}

/// The creator sets a topic for which nobody's level suffices, not even the administrator's.
async fn above_all(creator: &User, admin: &User, room: &Room) -> Result<Observations, Failure> {
    let refused = admin.set_topic(room, "not at 100").await.refused()?;
    let topic = creator.set_topic(room, "above all levels").await?;
    let seen = admin.sees(&topic).await?;
    Ok(merge_observations(merge_observations(refused, seen), topic.done))
}
