//! Joining rooms (server-server API, joining rooms; room versions, authorisation rules for `m.room.member`).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.public-join",
        title: "A user of another server can join a public room without an invite, and messages arrive in both directions.",
        catalogue: &["FC-10"],
        requirements: &["SS-JOIN-001", "SS-EAUTH-036"],
        checks: &[
            CheckPlan::new("members-agree", "The resident server and the joining server list the same members.").of(&["SS-STATE-004"])
        ],
        play: play!(public_join),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.uninvited-join",
        title: "A user of another server cannot join a private room without an invite.",
        catalogue: &["FC-10", "RM-01"],
        requirements: &["SS-JOIN-001"],
        checks: &[
            CheckPlan::new(
                "uninvited-refused",
                "An uninvited user of another server cannot join; an invited user of the same server can join.",
            )
            .of(&["SS-JOIN-009", "SS-EAUTH-034"]),
            CheckPlan::new(
                "members-agree",
                "Both servers list the same members, without the user whose join was refused.",
            ),
        ],
        play: play!(uninvited_join),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.restricted-join",
        title: "Only members of the allowed room can join a restricted room, from the resident server and from another server.",
        catalogue: &["RM-10"],
        requirements: &["SS-RESTR-001"],
        needs: &[Need::Feature("restricted-join")],
        checks: &[
            CheckPlan::new(
                "let-in",
                "A member of the allowed room can join the restricted room, from the resident server and from another server.",
            )
            .of(&["SS-RESTR-001", "SS-RESTR-009"]),
            CheckPlan::new("kept-out", "A user who is not in the allowed room cannot join the restricted room.")
                .of(&["SS-RESTR-002"]),
        ],
        play: play!(restricted_join),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.found-by-alias",
        title: "A server resolves the alias of another server's room to that room.",
        catalogue: &["FC-17"],
        requirements: &["SS-DIR-011"],
        versions: Versions::Newest,
        checks: &[CheckPlan::new(
            "found",
            "The server answers its user's request for an alias of the other server with the room ID.",
        )],
        play: play!(found_by_alias),
        ..Scenario::PAIR
    },
];

/// Bob joins Alice's public room.
async fn public_join(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;

    let room = alice.create_room(Public).await?;
    bob.join(&room).await?;
    alice.sees(join(&room, &bob)).await?;
    let hello = alice.send(&room, "hello").await?;
    bob.sees(&hello).await?;
    let answer = bob.send(&room, "welcome").await?;
    alice.sees(&answer).await?;
    scene.record("members-agree", host_and_guest(alice.members(&room).await?, bob.members(&room).await?));
    Ok(())
}

/// Mallory tries to join before and after Bob, who is invited. The first try needs the host; at the second Mallory's own
/// server is in the room.
async fn uninvited_join(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let mallory = guest.register("mallory").await?;

    let room = alice.create_room(Private).await?;
    let before = mallory.join(&room).await.refused();
    invite_and_join(&alice, &bob, &room).await?;
    let after = mallory.join(&room).await.refused();
    let twin = alice.sees(join(&room, &bob)).await?;
    scene.check("uninvited-refused", before.and(after).map(|refused| merge_observations(refused, twin)));
    scene.record("members-agree", host_and_guest(alice.members(&room).await?, bob.members(&room).await?));
    Ok(())
}

/// Alice, Bob and Carol are in a room whose members may join another room of Alice's; Mallory is not.
async fn restricted_join(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let [alice, carol] = [host.register("alice").await?, host.register("carol").await?];
    let [bob, mallory] = [guest.register("bob").await?, guest.register("mallory").await?];
    let allowed_room = alice.create_room(Private.named("Kretsen")).await?;
    for user in [&bob, &carol] {
        invite_and_join(&alice, user, &allowed_room).await?;
    }
    let room = alice.create_room(Private.named("Rummet")).await?;
    let allow = json!([{"type": "m.room_membership", "room_id": allowed_room.id}]);
    let rules = json!({"join_rule": "restricted", "allow": allow});
    alice.set_state(&room, "m.room.join_rules", "", rules).await?;
    let refused = mallory.join(&room).await.refused();
    let joins = async {
        bob.join(&room).await?;
        let by_guest = alice.sees(join(&room, &bob)).await?;
        carol.join(&room).await?;
        Ok(merge_observations(bob.sees(join(&room, &carol)).await?, by_guest))
    };
    let joins = joins.await;
    let twin = joins.clone();
    scene.check("let-in", joins);
    scene.check("kept-out", refused.and_then(|refused| Ok(merge_observations(refused, twin?))));
    Ok(())
}

/// Alice gives her room an alias; Bob has his server resolve it, and joins.
async fn found_by_alias(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let room = alice.create_room(Public).await?;
    let alias = format!("#lage-{}:{}", localpart(&alice), host.name());
    let path = client::alias(&alias);
    alice.asks("PUT", &path, &json!({ "room_id": room.id })).await?;
    let found = bob.asks("GET", &path, &Value::Null).await?;
    let outcome = if found.value["room_id"] == *room.id {
        Ok(found.observations)
    } else {
        let text = message!("fail.answered-otherwise", what = found.value);
        let failure = bob.wrong("directory.other_room", text, found.observations.all());
        Err(failure.showing(&room.id, &found.value["room_id"]))
    };
    scene.check("found", outcome);
    bob.join(&room).await?;
    alice.sees(join(&room, &bob)).await?;
    Ok(())
}
