//! Profiles (client-server API, profiles; server-server API, querying for information).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "messages.profile",
        title: "Both servers show a user's new display name and avatar in a shared room.",
        catalogue: &["MS-22"],
        requirements: &["SS-PROFILE-010"],
        checks: &[CheckPlan::new(
            "faces",
            "Both servers show the new display names and avatars of both users in the shared room.",
        )],
        play: play!(changed),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.profile-in-new-room",
        title: "Both servers show display names and avatars set before the room's creation, in the room and in profiles.",
        weight: Weight::Should,
        catalogue: &["MS-22"],
        checks: &[
            CheckPlan::new(
                "faces",
                "Both servers show in the room the display names and avatars that the users had set before.",
            )
            .of(&["SS-PROFILE-011"]),
            CheckPlan::new(
                "asked-for",
                "Each server answers its user's request for the profile of the other server's user.",
            )
            .of(&["SS-PROFILE-009"]),
        ],
        play: play!(in_new_room),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
];

const NAMES: [&str; 2] = ["Åsa Öberg 🚒", "Björn (Räddning Väst)"];

/// Alice and Bob each set a display name and an avatar.
async fn changed(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    for (user, other, name) in [(&alice, &bob, NAMES[0]), (&bob, &alice, NAMES[1])] {
        user.set_display_name(name).await?;
        let named = join(&room, user)
            .and("with the new display name", move |event| event["content"]["displayname"] == name);
        other.sees(named).await?;
        let picture = user.upload(&picture()).await?;
        user.set_avatar(&picture).await?;
        let with_avatar = join(&room, user)
            .and("with the new avatar", move |event| event["content"]["avatar_url"] == *picture.address);
        other.sees(with_avatar).await?;
    }
    let people = [&alice, &bob];
    scene.record(
        "faces",
        host_and_guest(
            member_profiles(&alice, &room, people).await?,
            member_profiles(&bob, &room, people).await?,
        ),
    );
    Ok(())
}

/// Alice and Bob set display names and avatars before Alice creates the room.
async fn in_new_room(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    for (user, name) in [(&alice, NAMES[0]), (&bob, NAMES[1])] {
        user.set_display_name(name).await?;
        user.set_avatar(&user.upload(&picture()).await?).await?;
    }
    let room = alice.create_room(Private).await?;
    alice.invite(&room, &bob).await?;
    bob.sees(invite(&room, &bob)).await?;
    bob.join(&room).await?;
    alice.sees(join(&room, &bob)).await?;
    let people = [&alice, &bob];
    scene.record(
        "faces",
        host_and_guest(
            member_profiles(&alice, &room, people).await?,
            member_profiles(&bob, &room, people).await?,
        ),
    );

    let profile_seen = async |user: &User, other: &User| {
        Ok::<_, Failure>(user.profile_of(other).await?.map(|p| name_and_avatar(&p)))
    };
    scene.record(
        "asked-for",
        host_and_guest(profile_seen(&alice, &bob).await?, profile_seen(&bob, &alice).await?),
    );
    Ok(())
}

fn picture() -> MediaFile {
    let bytes = include_bytes!("../../../fixtures/media/karta.png").to_vec();
    MediaFile { bytes, content_type: Some("image/png".into()), name: Some("karta.png".into()) }
}

fn name_and_avatar(profile: &Value) -> Value {
    json!({"name": profile["displayname"], "picture": profile["avatar_url"]})
}

/// The display names and avatars of `people` in the room, as the user's server holds them.
async fn member_profiles(user: &User, room: &Room, people: [&User; 2]) -> Result<Observed, Failure> {
    let mut all = Vec::new();
    for person in people {
        let member = user.state_of(room, "m.room.member", person.id()).await?;
        all.push((person.id().to_owned(), member.map(|member| name_and_avatar(&member["content"]))));
    }
    Observed::each(all)
}
