//! Users who meet for the first time (client-server API, profiles; server-server API, querying for information).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.first-contact",
        title: "A user never seen before appears on the other server with id, display name and picture, each to the other.",
        catalogue: &["RM-03"],
        requirements: &["SS-JOIN-001"],
        checks: &[
            CheckPlan::new(
                "shown-to-each-other",
                "Each is shown the other's id, display name and picture, and nobody else.",
            )
            .of(&["SS-PROFILE-011"]),
            CheckPlan::new(
                "looked-up",
                "Asked for the other's profile, each server shows what the other's user set.",
            )
            .of(&["SS-PROFILE-001", "SS-PROFILE-009"]),
        ],
        play: play!(first_contact),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.second-contact",
        title: "A second room shows the user under the same id with the new name and picture, and the first room follows.",
        catalogue: &["RM-03", "MS-22"],
        requirements: &["SS-JOIN-001"],
        checks: &[
            CheckPlan::new(
                "old-room-follows",
                "The other server shows the new name and picture in the old room, under the same id.",
            )
            .of(&["SS-PROFILE-010"]),
            CheckPlan::new(
                "new-room-shows",
                "The new room lists the same two users, the changed one as changed.",
            )
            .of(&["SS-PROFILE-011"]),
        ],
        play: play!(second_contact),
        ..Scenario::PAIR
    },
];

/// Alice and Bob with names and pictures, before their servers have heard of the other.
async fn strangers(scene: &Scene) -> Result<(User, User), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    for (user, name) in [(&alice, "Åsa Öberg 🚒"), (&bob, "Björn Ek (Länsstyrelsen)")] {
        user.set_display_name(name).await?;
        let picture = user.upload(&picture()).await?;
        user.set_avatar(&picture).await?;
    }
    Ok((alice, bob))
}

/// Everybody in the room as its state shows them: id to display name, picture and membership.
async fn people(user: &User, room: &Room) -> Result<Observed, Failure> {
    Ok(user.state(room).await?.map(|events| {
        let members =
            events.as_array().into_iter().flatten().filter(|event| event["type"] == "m.room.member");
        let person = |event: &Value| {
            let content = &event["content"];
            let shown = json!({
                "displayname": content["displayname"],
                "avatar_url": content["avatar_url"],
                "membership": content["membership"],
            });
            Some((event["state_key"].as_str()?.to_owned(), shown))
        };
        Value::Object(members.filter_map(person).collect())
    }))
}

/// Alice's server and Bob's meet for the first time in Alice's room.
async fn first_contact(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob) = strangers(scene).await?;
    let room = alice.create_room(Private).await?;
    invite_and_join(&alice, &bob, &room).await?;
    scene.record(
        "shown-to-each-other",
        host_and_guest(people(&alice, &room).await?, people(&bob, &room).await?),
    );

    let profile = |profile: Observed| {
        profile.map(
            |profile| json!({"displayname": profile["displayname"], "avatar_url": profile["avatar_url"]}),
        )
    };
    let (of_bob, of_alice) = (alice.profile_of(&bob).await?, bob.profile_of(&alice).await?);
    scene.record("looked-up", host_and_guest(profile(of_bob), profile(of_alice)));
    Ok(())
}

/// Alice changes her name and picture, and meets Bob again in another room.
async fn second_contact(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob) = strangers(scene).await?;
    let first = alice.create_room(Private).await?;
    invite_and_join(&alice, &bob, &first).await?;

    let name = "Åsa Öberg-Lind";
    alice.set_display_name(name).await?;
    let picture = alice.upload(&picture()).await?;
    alice.set_avatar(&picture).await?;
    let address = picture.address.clone();
    let changed = join(&first, &alice).and("under the new name and picture", move |event| {
        event["content"]["displayname"] == name && event["content"]["avatar_url"] == *address
    });
    alice.sees(changed.clone()).await?;
    bob.sees(changed).await?;
    scene.record(
        "old-room-follows",
        host_and_guest(people(&alice, &first).await?, people(&bob, &first).await?),
    );

    let second = alice.create_room(Private).await?;
    invite_and_join(&alice, &bob, &second).await?;
    scene.record(
        "new-room-shows",
        host_and_guest(people(&alice, &second).await?, people(&bob, &second).await?),
    );
    Ok(())
}
