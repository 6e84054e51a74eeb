//! Who may join (server-server API, joining rooms; room versions, authorisation rules for `m.room.member`).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.public-join",
        title: "Anybody from another server joins a public room without an invite, and they talk.",
        catalogue: &["FC-10"],
        requirements: &["SS-JOIN-001", "SS-EAUTH-036"],
        checks: &[
            CheckPlan::new("members-agree", "Host and guest list the same members.").of(&["SS-STATE-004"])
        ],
        play: play!(public_join),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.uninvited-join",
        title: "Nobody from another server joins a private room uninvited; whoever is invited does.",
        catalogue: &["FC-10", "RM-01"],
        requirements: &["SS-JOIN-001"],
        checks: &[
            CheckPlan::new(
                "uninvited-refused",
                "The uninvited user is refused, and the invited one of the same server admitted.",
            )
            .of(&["SS-JOIN-009", "SS-EAUTH-034"]),
            CheckPlan::new("members-agree", "Neither server lists the user who was refused."),
        ],
        play: play!(uninvited_join),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.restricted-join",
        title: "A room that members of another one may join lets these in from every server, and nobody else.",
        catalogue: &["RM-10"],
        requirements: &["SS-RESTR-001"],
        needs: &[Need::Feature("restricted-join")],
        checks: &[
            CheckPlan::new("let-in", "Members of the other room are let in, here and from elsewhere.")
                .of(&["SS-RESTR-001", "SS-RESTR-009"]),
            CheckPlan::new("kept-out", "Who is not in the other room is refused.").of(&["SS-RESTR-002"]),
        ],
        play: play!(restricted_join),
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.found-by-alias",
        title: "An alias of a room on another server leads to the room.",
        catalogue: &["FC-17"],
        requirements: &["SS-DIR-011"],
        versions: Versions::Newest,
        checks: &[CheckPlan::new("found", "Asked by a user of another server, the alias leads to the room.")],
        play: play!(found_by_alias),
        ..Scenario::PAIR
    },
];

/// Bob walks into Alice's public room.
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

/// Mallory tries to join before and after Bob, who is invited: first the host is asked, then Mallory's own server.
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

/// Bob, Carol and Alice are in a circle, to whose members a room of Alice's is open; Mallory is not.
async fn restricted_join(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let [alice, carol] = [host.register("alice").await?, host.register("carol").await?];
    let [bob, mallory] = [guest.register("bob").await?, guest.register("mallory").await?];
    let circle = alice.create_room(Private.named("Kretsen")).await?;
    for user in [&bob, &carol] {
        invite_and_join(&alice, user, &circle).await?;
    }
    let room = alice.create_room(Private.named("Rummet")).await?;
    let allowed = json!([{"type": "m.room_membership", "room_id": circle.id}]);
    let rules = json!({"join_rule": "restricted", "allow": allowed});
    alice.set_state(&room, "m.room.join_rules", "", rules).await?;
    let refused = mallory.join(&room).await.refused();
    let joins = async {
        bob.join(&room).await?;
        let from_elsewhere = alice.sees(join(&room, &bob)).await?;
        carol.join(&room).await?;
        Ok(merge_observations(bob.sees(join(&room, &carol)).await?, from_elsewhere))
    };
    let joins = joins.await;
    let twin = joins.clone();
    scene.check("let-in", joins);
    scene.check("kept-out", refused.and_then(|refused| Ok(merge_observations(refused, twin?))));
    Ok(())
}

/// Alice gives her room an alias; Bob asks his server for it, and joins.
async fn found_by_alias(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let room = alice.create_room(Public).await?;
    let alias = format!("#lage-{}:{}", localpart(&alice), host.name());
    let path = format!("/v3/directory/room/{}", segment(&alias));
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
