//! Power levels (client-server API, `m.room.power_levels`; room versions, authorisation rules for power levels).
//!
//! Up to version 11 the creator has level 100 in `users`; from version 12 on creators outrank all levels and must not be
//! listed. The comparisons here leave the creator out, except in the scenario about creators.

use crate::prelude::*;

const LEVELS: &str = "m.room.power_levels";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.promoted-by-host",
        title: "A user of another server can set the topic while the creator grants the power level for it.",
        catalogue: &["RM-08"],
        requirements: &["SS-STATE-004"],
        checks: &[CheckPlan::new(
            "while-promoted",
            "The other server's user can set the topic only while at level 50.",
        )
        .of(&["SS-EAUTH-064"])],
        play: play!(promoted_by_host),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.promoted-by-guest",
        title: "The resident server's user can set the topic while an administrator on another server grants the power level.",
        catalogue: &["RM-08"],
        requirements: &["SS-STATE-004"],
        checks: &[CheckPlan::new(
            "while-promoted",
            "The resident server's user can set the topic only while at level 50.",
        )
        .of(&["SS-EAUTH-064"])],
        play: play!(promoted_by_guest),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.no-self-promotion",
        title: "A moderator cannot grant a power level above their own, neither to themselves nor to another user.",
        catalogue: &["RM-08"],
        requirements: &["SS-STATE-004"],
        checks: &[
            CheckPlan::new(
                "not-above-own",
                "A user at level 50 cannot grant any user level 51, and can grant another user level 50.",
            )
            .of(&["SS-EAUTH-077"]),
            CheckPlan::new(
                "levels-agree",
                "Both servers show the power levels of the accepted changes only.",
            ),
        ],
        play: play!(no_self_promotion),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.unusual-level-survives",
        title: "A power level of 75 stays when a user of the other server changes a third user's level.",
        catalogue: &["RM-08"],
        requirements: &["SS-STATE-004"],
        checks: &[CheckPlan::new(
            "levels-agree",
            "Both servers show the level 75 and the level that the other server's user set.",
        )],
        play: play!(unusual_level_survives),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.creators-above-levels",
        title: "In room version 12 both servers leave the creator out of the power levels, and the creator outranks them all.",
        catalogue: &["RM-08", "FC-18"],
        versions: Versions::Only(&["12"]),
        requirements: &["SS-EAUTH-017"],
        checks: &[
            CheckPlan::new("not-listed", "Neither server lists the creator in the power levels.")
                .of(&["SS-ROOMV-019"]),
            CheckPlan::new(
                "never-listed",
                "The server refuses power levels that list the creator, and accepts those that do not.",
            )
            .of(&["SS-EAUTH-021"]),
            CheckPlan::new(
                "creator-stays",
                "An administrator cannot kick or ban the creator, and can kick an ordinary user.",
            )
            .of(&["SS-EAUTH-018"]),
            CheckPlan::new(
                "above-all",
                "Only the creator can set a topic that needs level 1000; an administrator cannot.",
            )
            .of(&["SS-EAUTH-017"]),
        ],
        play: play!(creators_above_levels),
        ..Scenario::PAIR
    },
];

/// The power levels of all users but `creator`, as both servers hold them.
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

/// `admin` promotes `user`, of another server, and demotes the user again; the user tries to set the topic each time.
async fn promote_and_demote(admin: &User, user: &User, room: &Room) -> Result<Observations, Failure> {
    let before = user.set_topic(room, "too early").await.refused()?;
    let promoted = admin.set_power_level(room, user, 50).await?;
    user.sees(&promoted).await?;
    let topic = user.set_topic(room, "in time").await?;
    let twin = admin.sees(&topic).await?;
    let demoted = admin.set_power_level(room, user, 0).await?;
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

/// Bob, to whom Alice granted level 100, promotes Carol of Alice's server.
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

/// Bob at level 50 tries to grant 51 to himself and to Dave.
async fn no_self_promotion(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let [_, guest] = scene.servers()?;
    let dave = guest.register("dave").await?;
    invite_and_join(&alice, &dave, &room).await?;
    let mut content = alice.state_of(&room, LEVELS, "").await?.value["content"].clone();
    content["users"][bob.id()] = json!(50);
    // Products set different levels for changing power levels; here Bob's level suffices everywhere.
    content["events"]["m.room.power_levels"] = json!(50);
    let promoted = alice.set_state(&room, LEVELS, "", content).await?;
    bob.sees(&promoted).await?;

    let to_himself = bob.set_power_level(&room, &bob, 51).await.refused();
    let to_dave = bob.set_power_level(&room, &dave, 51).await.refused();
    let allowed = bob.set_power_level(&room, &dave, 50).await?;
    let twin = alice.sees(&allowed).await?;
    scene.check("not-above-own", to_himself.and(to_dave).map(|refused| merge_observations(refused, twin)));
    scene.record("levels-agree", levels(&room, &alice, &bob, &alice).await?);
    Ok(())
}

/// Alice grants Dave level 75; Bob changes Carol's level.
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

/// Alice, the creator, has no power level; Bob has 100, the highest that products grant.
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

/// Power levels that list the creator are refused, whether the administrator or the creator sends them; the twin is the
/// same event without the creator. It sets a level for the topic that no user has.
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

/// The administrator can neither kick nor ban the creator; the twin is that they can kick `ordinary`.
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

/// The creator can set a topic for which no user's power level suffices; the administrator cannot.
async fn above_all(creator: &User, admin: &User, room: &Room) -> Result<Observations, Failure> {
    let refused = admin.set_topic(room, "not at 100").await.refused()?;
    let topic = creator.set_topic(room, "above all levels").await?;
    let seen = admin.sees(&topic).await?;
    Ok(merge_observations(merge_observations(refused, seen), topic.done))
}
