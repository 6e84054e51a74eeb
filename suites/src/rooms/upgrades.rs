//! Replacing a room by one of another version (client-server API, room upgrades).

use crate::prelude::*;

const TOMBSTONE: &str = "m.room.tombstone";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.upgraded",
        title: "A room is replaced by another; the tombstone reaches the other server, whose user follows it.",
        catalogue: &["RM-12"],
        requirements: &["SS-UPGRADE-003"],
        checks: &[CheckPlan::new(
            "point-to-each-other",
            "On both servers the old room names the new one, and the new one the old.",
        )
        .of(&["SS-UPGRADE-002", "SS-UPGRADE-003"])],
        play: play!(upgraded),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.upgrade-keeps",
        title: "After an upgrade the new room is as the old one was, and the old one is closed to ordinary users.",
        weight: Weight::Should,
        catalogue: &["RM-12"],
        requirements: &["SS-UPGRADE-003"],
        checks: &[
            CheckPlan::new(
                "carried-over",
                "Name, topic, join rule, history visibility and the guest's level are those of the old room.",
            )
            .of(&["SS-UPGRADE-004"]),
            CheckPlan::new(
                "read-only",
                "The guest's ordinary user cannot speak in the old room any more; who is above can.",
            )
            .of(&["SS-UPGRADE-007"]),
        ],
        play: play!(upgrade_keeps),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.upgrade-needs-power",
        title: "An ordinary user of the guest cannot upgrade the room; who made it can.",
        catalogue: &["RM-12", "RM-08"],
        requirements: &["SS-UPGRADE-003"],
        checks: &[CheckPlan::new("powerless", "The guest's upgrade is refused, the host's is not.")
            .of(&["SS-UPGRADE-001"])],
        play: play!(upgrade_needs_power),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.upgraded-by-guest",
        title: "An administrator at the guest upgrades the room; the new one lives at the guest, and the host's user follows.",
        catalogue: &["RM-12"],
        requirements: &["SS-UPGRADE-003"],
        checks: &[CheckPlan::new(
            "point-to-each-other",
            "On both servers the old room names the new one, and the new one the old.",
        )
        .of(&["SS-UPGRADE-002", "SS-UPGRADE-003"])],
        play: play!(upgraded_by_guest),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.upgraded-to-12",
        title: "A private room of version 10 is replaced by one of version 12, into which its members are invited.",
        catalogue: &["FC-18", "RM-12"],
        versions: Versions::Only(&["10"]),
        needs: &[Need::RoomVersion("12")],
        requirements: &["SS-UPGRADE-003"],
        checks: &[
            CheckPlan::new(
                "point-to-each-other",
                "On both servers the old room names the new one, and the new one the old.",
            )
            .of(&["SS-UPGRADE-002", "SS-UPGRADE-003"]),
            CheckPlan::new(
                "creator-not-listed",
                "The levels carried over do not list the new room's creator.",
            )
            .of(&["SS-ROOMV-019"]),
        ],
        play: play!(upgraded_to_12),
        ..Scenario::PAIR
    },
];

/// The version that every vendor which knows the played one has, too: the next within the common ones, else the same.
fn target(scene: &Scene) -> &str {
    if scene.room_version() == "10" { "11" } else { scene.room_version() }
}

/// What `user` holds of both rooms: where the old one points, and what the new one says it is.
async fn links(user: &User, old: &Room, new: &Room) -> Result<Observed, Failure> {
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

/// Alice upgrades a public room; Bob follows the tombstone.
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
    talk(&alice, &bob, &new).await?;
    scene.record_by_version(
        "point-to-each-other",
        host_and_guest(links(&alice, &old, &new).await?, links(&bob, &old, &new).await?),
    );
    Ok(())
}

/// Both say something in the room, and both see it.
async fn talk(one: &User, other: &User, room: &Room) -> Result<(), Failure> {
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
        .and("which let nobody speak without a level", |event| {
            event["content"]["events_default"].as_i64() > Some(0)
        });
    bob.sees(closed.clone()).await?;
    carol.sees(closed).await?;
    let refused = bob.send(&old, "still here").await.refused();
    let goodbye = carol.send(&old, "please follow").await?;
    let heard = alice.sees(&goodbye).await?;
    scene.check("read-only", refused.map(|refused| merge_observations(refused, heard)));

    bob.join(&new).await?;
    alice.sees(join(&new, &bob)).await?;
    let of =
        async |user: &User| Ok::<_, Failure>(user.state(&new).await?.map(|events| carried(&events, &carol)));
    scene.record("carried-over", host_and_guest(of(&alice).await?, of(&bob).await?));
    Ok(())
}

/// What the room's state says of name, topic, rules and `user`'s level.
fn carried(events: &Value, user: &User) -> Value {
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

/// Bob tries to upgrade Alice's room before she does.
async fn upgrade_needs_power(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let refused = bob.upgrade(&room, target(scene)).await.refused();
    let new = alice.upgrade(&room, target(scene)).await?;
    let tombstone = state(&room, TOMBSTONE, "")
        .and("which names the host's new room", move |event| event["content"]["replacement_room"] == *new.id);
    let seen = bob.sees(tombstone).await?;
    scene.check(
        "powerless",
        refused.map(|refused| merge_observations(merge_observations(refused, seen), new.done)),
    );
    Ok(())
}

/// Bob, whom Alice gave the level for it, upgrades the room.
async fn upgraded_by_guest(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let old = alice.create_room(Public).await?;
    join_public_room(&host, &alice, &bob, &old).await?;
    alice.sees(join(&old, &bob)).await?;
    // From version 12 on a tombstone needs more than the usual 100, which only a creator can give.
    let level = if scene.version_is_from(12) { 150 } else { 100 };
    let promoted = alice.set_power_level(&old, &bob, level).await?;
    bob.sees(&promoted).await?;

    let new = bob.upgrade(&old, target(scene)).await?;
    alice.sees(state(&old, TOMBSTONE, "")).await?;
    alice.join(&new).await?;
    bob.sees(join(&new, &alice)).await?;
    talk(&alice, &bob, &new).await?;
    scene.record_by_version(
        "point-to-each-other",
        host_and_guest(links(&alice, &old, &new).await?, links(&bob, &old, &new).await?),
    );
    Ok(())
}

/// Alice upgrades a private room of version 10 to version 12 and leads Bob over by an invite.
async fn upgraded_to_12(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, old) = two_in_a_room(scene).await?;
    let new = alice.upgrade(&old, "12").await?;
    bob.sees(state(&old, TOMBSTONE, "")).await?;
    invite_and_join(&alice, &bob, &new).await?;
    talk(&alice, &bob, &new).await?;
    scene.record(
        "point-to-each-other",
        host_and_guest(links(&alice, &old, &new).await?, links(&bob, &old, &new).await?),
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
