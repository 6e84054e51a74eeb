//! Upgrading rooms (client-server API, room upgrades).

use crate::prelude::*;

const TOMBSTONE: &str = "m.room.tombstone";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.upgraded",
        title: "After a room upgrade the other server's user sees the tombstone and joins the new room.",
        catalogue: &["RM-12"],
        requirements: &["SS-UPGRADE-003"],
        checks: &[CheckPlan::new(
            "point-to-each-other",
            "On both servers the tombstone contains the new room's ID, and the new create event the old room's ID.",
        )
        .of(&["SS-UPGRADE-002", "SS-UPGRADE-003"])],
        play: play!(upgraded),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.upgrade-keeps",
        title: "A room upgrade copies the old room's settings to the new room, and restricts sending in the old one.",
        weight: Weight::Should,
        catalogue: &["RM-12"],
        requirements: &["SS-UPGRADE-003"],
        checks: &[
            CheckPlan::new(
                "carried-over",
                "Both servers show the old room's name, topic, join rule, history visibility and moderator level in the new room.",
            )
            .of(&["SS-UPGRADE-004"]),
            CheckPlan::new(
                "read-only",
                "An ordinary user can no longer send messages in the old room; a moderator can.",
            )
            .of(&["SS-UPGRADE-007"]),
        ],
        play: play!(upgrade_keeps),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.upgrade-needs-power",
        title: "An ordinary user of another server cannot upgrade the room; its creator can.",
        catalogue: &["RM-12", "RM-08"],
        requirements: &["SS-UPGRADE-003"],
        checks: &[CheckPlan::new(
            "powerless",
            "The other server refuses its ordinary user's upgrade of the room; the creator can upgrade it.",
        )
        .of(&["SS-UPGRADE-001"])],
        play: play!(upgrade_needs_power),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.upgraded-by-guest",
        title: "An administrator on another server can upgrade the room, and the resident server's user joins the new room.",
        catalogue: &["RM-12"],
        requirements: &["SS-UPGRADE-003"],
        checks: &[CheckPlan::new(
            "point-to-each-other",
            "On both servers the tombstone contains the new room's ID, and the new create event the old room's ID.",
        )
        .of(&["SS-UPGRADE-002", "SS-UPGRADE-003"])],
        play: play!(upgraded_by_guest),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.upgraded-to-12",
        title: "A private room of version 10 can be upgraded to version 12, and the other server's user joins by invite.",
        catalogue: &["FC-18", "RM-12"],
        versions: Versions::Only(&["10"]),
        needs: &[Need::RoomVersion("12")],
        requirements: &["SS-UPGRADE-003"],
        checks: &[
            CheckPlan::new(
                "point-to-each-other",
                "On both servers the tombstone contains the new room's ID, and the new create event the old room's ID.",
            )
            .of(&["SS-UPGRADE-002", "SS-UPGRADE-003"]),
            CheckPlan::new(
                "creator-not-listed",
                "On neither server do the new room's power levels list the creator.",
            )
            .of(&["SS-ROOMV-019"]),
        ],
        play: play!(upgraded_to_12),
        ..Scenario::PAIR
    },
];

/// A room version that every vendor supports that supports the played one: 11 for version 10, else the same version.
fn target(scene: &Scene) -> &str {
    if scene.room_version() == "10" { "11" } else { scene.room_version() }
}

/// What `user`'s server holds of both rooms: the old room's replacement, and the new room's predecessor and version.
async fn upgrade_links(user: &User, old: &Room, new: &Room) -> Result<Observed, Failure> {
    let tombstone = user.state_of(old, TOMBSTONE, "").await?;
    let create = user.state_of(new, "m.room.create", "").await?;
    Ok(Observed::together(("tombstone", tombstone), [("create", create)]).map(|links| {
        let create = &links["create"]["content"];
        json!({
            "old points to": links["tombstone"]["content"]["replacement_room"],
            "new comes from": create["predecessor"]["room_id"],
            "new is of version": create["room_version"],
        })
    }))
}

/// Alice upgrades a public room; Bob sees the tombstone and joins the new room.
async fn upgraded(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let old = alice.create_room(Public).await?;
    join_public_room(&host, &alice, &bob, &old).await?;
    alice.sees(join(&old, &bob)).await?;

    let new = alice.upgrade(&old, target(scene)).await?;
    bob.sees(state(&old, TOMBSTONE, "")).await?;
    bob.join(&new).await?;
    alice.sees(join(&new, &bob)).await?;
    exchange_messages(&alice, &bob, &new).await?;
    scene.record_by_version(
        "point-to-each-other",
        host_and_guest(upgrade_links(&alice, &old, &new).await?, upgrade_links(&bob, &old, &new).await?),
    );
    Ok(())
}

/// Each sends a message in the room, and the other sees it.
async fn exchange_messages(one: &User, other: &User, room: &Room) -> Result<(), Failure> {
    let hello = one.send(room, "hello in the new room").await?;
    other.sees(&hello).await?;
    let answer = other.send(room, "so this is where we are").await?;
    one.sees(&answer).await?;
    Ok(())
}

/// Alice upgrades a room that has a name, a topic and a moderator at the guest.
async fn upgrade_keeps(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let carol = guest.register("carol").await?;
    let plan = Public.named("Stab Öst").about("Läge 🗺").history("joined");
    let old = alice.create_room(plan).await?;
    for user in [&bob, &carol] {
        join_public_room(&host, &alice, user, &old).await?;
        alice.sees(join(&old, user)).await?;
    }
    let promoted = alice.set_power_level(&old, &carol, 50).await?;
    carol.sees(&promoted).await?;

    let new = alice.upgrade(&old, target(scene)).await?;
    let closed = state(&old, "m.room.power_levels", "")
        .and("that require a power level to send messages", |event| {
            event["content"]["events_default"].as_i64() > Some(0)
        });
    bob.sees(closed.clone()).await?;
    carol.sees(closed).await?;
    let refused = bob.send(&old, "still here").await.refused();
    let goodbye = carol.send(&old, "please follow").await?;
    let seen = alice.sees(&goodbye).await?;
    scene.check("read-only", refused.map(|refused| merge_observations(refused, seen)));

    bob.join(&new).await?;
    alice.sees(join(&new, &bob)).await?;
    let settings_of =
        async |user: &User| Ok::<_, Failure>(user.state(&new).await?.map(|events| settings(&events, &carol)));
    scene.record("carried-over", host_and_guest(settings_of(&alice).await?, settings_of(&bob).await?));
    Ok(())
}

/// The settings in the room's state: name, topic, join rule, history visibility and `user`'s level.
fn settings(events: &Value, user: &User) -> Value {
    let content = |kind: &str| {
        let found = events.as_array().into_iter().flatten().find(|event| event["type"] == *kind);
        found.map(|event| event["content"].clone()).unwrap_or_default()
    };
    json!({
        "name": content("m.room.name")["name"],
        "topic": content("m.room.topic")["topic"],
        "join_rule": content("m.room.join_rules")["join_rule"],
        "history_visibility": content("m.room.history_visibility")["history_visibility"],
        "level of the guest's moderator": content("m.room.power_levels")["users"][user.id()],
    })
}

/// Bob tries to upgrade Alice's room; then she upgrades it.
async fn upgrade_needs_power(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let refused = bob.upgrade(&room, target(scene)).await.refused();
    let new = alice.upgrade(&room, target(scene)).await?;
    let tombstone = state(&room, TOMBSTONE, "")
        .and("that names the host's new room", move |event| event["content"]["replacement_room"] == *new.id);
    let seen = bob.sees(tombstone).await?;
    scene.check(
        "powerless",
        refused.map(|refused| merge_observations(merge_observations(refused, seen), new.done)),
    );
    Ok(())
}

/// Bob, to whom Alice granted the power level for it, upgrades the room.
async fn upgraded_by_guest(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let old = alice.create_room(Public).await?;
    join_public_room(&host, &alice, &bob, &old).await?;
    alice.sees(join(&old, &bob)).await?;
    // From version 12 on a tombstone needs more than the usual 100, and only a creator can grant that.
    let level = if scene.version_is_from(12) { 150 } else { 100 };
    let promoted = alice.set_power_level(&old, &bob, level).await?;
    bob.sees(&promoted).await?;

    let new = bob.upgrade(&old, target(scene)).await?;
    alice.sees(state(&old, TOMBSTONE, "")).await?;
    alice.join(&new).await?;
    bob.sees(join(&new, &alice)).await?;
    exchange_messages(&alice, &bob, &new).await?;
    scene.record_by_version(
        "point-to-each-other",
        host_and_guest(upgrade_links(&alice, &old, &new).await?, upgrade_links(&bob, &old, &new).await?),
    );
    Ok(())
}

/// Alice upgrades a private room of version 10 to version 12 and invites Bob to the new room.
async fn upgraded_to_12(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, old) = two_in_a_room(scene).await?;
    let new = alice.upgrade(&old, "12").await?;
    bob.sees(state(&old, TOMBSTONE, "")).await?;
    invite_and_join(&alice, &bob, &new).await?;
    exchange_messages(&alice, &bob, &new).await?;
    scene.record(
        "point-to-each-other",
        host_and_guest(upgrade_links(&alice, &old, &new).await?, upgrade_links(&bob, &old, &new).await?),
    );

    let kind = "m.room.power_levels";
    let held = host_and_guest(alice.state_of(&new, kind, "").await?, bob.state_of(&new, kind, "").await?);
    let listed = held.map(|held| {
        let listed = |side: &str| held[side]["content"]["users"][alice.id()].is_number();
        json!({"host lists the creator": listed("host"), "guest lists the creator": listed("guest")})
    });
    scene.record("creator-not-listed", listed);
    Ok(())
}
