//! Users who meet for the first time (client-server API, profiles; server-server API, querying for information).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.first-contact",
        title: "Two users whose servers meet for the first time see each other's user ID, display name and avatar.",
        catalogue: &["RM-03"],
        requirements: &["SS-JOIN-001"],
        checks: &[
            CheckPlan::new(
                "shown-to-each-other",
                "Both servers list the same two members, each with user ID, display name and avatar.",
            )
            .of(&["SS-PROFILE-011"]),
            CheckPlan::new(
                "looked-up",
                "Each server answers its user's request for the profile of the other server's user.",
            )
            .of(&["SS-PROFILE-001", "SS-PROFILE-009"]),
        ],
        play: play!(first_contact),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.second-contact",
        title: "After a user changes display name and avatar, the old room and a new one show them under the same user ID.",
        catalogue: &["RM-03", "MS-22"],
        requirements: &["SS-JOIN-001"],
        checks: &[
            CheckPlan::new(
                "old-room-follows",
                "Both servers show the new display name and avatar in the old room, under the same user ID.",
            )
            .of(&["SS-PROFILE-010"]),
            CheckPlan::new(
                "new-room-shows",
                "Both servers list the two users in the new room, with the new display name and avatar.",
            )
            .of(&["SS-PROFILE-011"]),
        ],
        play: play!(second_contact),
        ..Scenario::PAIR
    },
];

/// Registers Alice and Bob with display names and avatars, before their users have met.
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

/// The members in the room's state: user ID to display name, avatar and membership.
async fn member_profiles(user: &User, room: &Room) -> Result<Observed, Failure> {
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

/// Bob joins Alice's room, in which their users meet for the first time.
async fn first_contact(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob) = strangers(scene).await?;
    let room = alice.create_room(Private).await?;
    invite_and_join(&alice, &bob, &room).await?;
    scene.record(
        "shown-to-each-other",
        host_and_guest(member_profiles(&alice, &room).await?, member_profiles(&bob, &room).await?),
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

/// Alice changes her display name and avatar, and Bob joins another room of hers.
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
        host_and_guest(member_profiles(&alice, &first).await?, member_profiles(&bob, &first).await?),
    );

    let second = alice.create_room(Private).await?;
    invite_and_join(&alice, &bob, &second).await?;
    scene.record(
        "new-room-shows",
        host_and_guest(member_profiles(&alice, &second).await?, member_profiles(&bob, &second).await?),
    );
    Ok(())
}
