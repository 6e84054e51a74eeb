//! The join handshake (server-server API, joining rooms).

use samklang_matrix::{Event, auth_gaps};

use super::answered;
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.joiner-sees-all",
        title: "Who joins from another server sees everybody who is in the room, and so does who joins there later.",
        catalogue: &["FC-10"],
        requirements: &["SS-JOIN-001", "SS-JOIN-027"],
        checks: &[
            CheckPlan::new("first-joiner", "Host and guest list the same members after the first join.")
                .of(&["SS-JOIN-028", "SS-STATE-004"]),
            CheckPlan::new(
                "second-joiner",
                "Host and guest list the same members after the next join from the same server.",
            )
            .of(&["SS-STATE-004"]),
        ],
        play: play!(joiner_sees_all),
        ..Scenario::PAIR
    },
    Scenario {
        id: "federation.join-handshake",
        title: "A join across servers runs make_join and send_join v2, and the answer can be verified from itself alone.",
        catalogue: &["FC-10"],
        requirements: &["SS-JOIN-001", "SS-JOIN-027"],
        needs: &[Need::Wire],
        checks: &[
            CheckPlan::new(
                "template",
                "The guest names its room versions, and the host's template says who joins what.",
            )
            .of(&["SS-JOIN-001", "SS-JOIN-002", "SS-JOIN-011"]),
            CheckPlan::new("second-version", "The join is submitted to the v2 form of send_join.")
                .of(&["SS-JOIN-048"]),
            CheckPlan::new(
                "auth-chain",
                "State and auth chain hold every auth event of the join and of what they hold.",
            )
            .of(&["SS-JOIN-029"]),
            CheckPlan::new(
                "members",
                "No member is left out of the state unless that was asked for and is said.",
            )
            .of(&["SS-JOIN-038", "SS-JOIN-039"]),
        ],
        play: play!(join_handshake),
        ..Scenario::PAIR
    },
];

/// Alice, Carol and Erik are in a room of their own server's.
async fn three_at_the_host(scene: &Scene) -> Result<([User; 3], Room), Failure> {
    let [host, _] = scene.servers()?;
    let [alice, carol, erik] =
        [host.register("alice").await?, host.register("carol").await?, host.register("erik").await?];
    // A named room: of an unnamed one, an answer to a join that leaves members out still has to list some.
    let room = alice.create_room(Private.named("Stab")).await?;
    for user in [&carol, &erik] {
        invite_and_join(&alice, user, &room).await?;
    }
    Ok(([alice, carol, erik], room))
}

/// Bob joins three who are there already; then Dave of Bob's server does.
async fn joiner_sees_all(scene: &Scene) -> Result<(), Failure> {
    let [_, guest] = scene.servers()?;
    let bob = guest.register("bob").await?;
    let dave = guest.register("dave").await?;
    let ([alice, carol, _], room) = three_at_the_host(scene).await?;

    invite_and_join(&alice, &bob, &room).await?;
    scene.record("first-joiner", host_and_guest(alice.members(&room).await?, bob.members(&room).await?));

    invite_and_join(&alice, &dave, &room).await?;
    carol.sees(join(&room, &dave)).await?;
    scene.record("second-joiner", host_and_guest(carol.members(&room).await?, dave.members(&room).await?));
    Ok(())
}

/// What goes over the wire while Bob joins three who are there already.
async fn join_handshake(scene: &Scene) -> Result<(), Failure> {
    let [_, guest] = scene.servers()?;
    let bob = guest.register("bob").await?;
    let ([alice, carol, erik], room) = three_at_the_host(scene).await?;
    invite_and_join(&alice, &bob, &room).await?;

    let wire = scene.wire()?;
    let template = answered(&wire, "/make_join/", bob.role())?;
    let join = answered(&wire, "/send_join/", bob.role())?;
    let shown = merge_observations(
        Observation { by: alice.role(), exchange: join.id },
        Observation { by: bob.role(), exchange: join.id },
    );

    scene.check("template", template_is_whole(scene, &template, &alice, &bob));
    let second_version = if join.path_only().starts_with("/_matrix/federation/v2/send_join/") {
        Ok(shown.clone())
    } else {
        let text = message!("fail.not-v2", path = join.path_only());
        Err(bob.wrong("join.not_v2", text, shown.all()))
    };
    scene.check("second-version", second_version);
    let chain = chain_is_whole(scene.room_version(), &join, &alice);
    scene.check("auth-chain", chain.map(|()| shown.clone()));
    let members = members_are_whole(&join, &alice, &[&alice, &carol, &erik]);
    scene.check("members", members.map(|()| shown));
    Ok(())
}

/// Request and answer of `make_join` hold what they have to.
fn template_is_whole(
    scene: &Scene,
    exchange: &Exchange,
    alice: &User,
    bob: &User,
) -> Result<Observations, Failure> {
    let asked = [Observation { by: bob.role(), exchange: exchange.id }];
    let gave = [Observation { by: alice.role(), exchange: exchange.id }];
    let version = scene.room_version();
    let query = exchange.path.split_once('?').map_or("", |(_, query)| query);
    if !query.split('&').any(|pair| pair.strip_prefix("ver=") == Some(version)) {
        let text = message!("fail.version-not-named", version = version);
        return Err(bob.wrong("join.versions_not_named", text, &asked));
    }
    let answer = exchange.response_body.json().unwrap_or_default();
    let event = &answer["event"];
    let right = [
        ("room_version", answer["room_version"] == *version),
        ("type", event["type"] == "m.room.member"),
        ("sender", event["sender"] == *bob.id()),
        ("state_key", event["state_key"] == *bob.id()),
        ("membership", event["content"]["membership"] == "join"),
    ];
    match right.iter().find(|(_, right)| !right) {
        None => Ok(Observations::new(asked[0].clone(), gave)),
        Some((missing, _)) => {
            Err(alice.wrong("join.bad_template", message!("fail.no-template", missing = missing), &gave))
        }
    }
}

/// Nothing that is in the answer to `send_join`, nor the join itself, rests on an event that the answer does not hold.
fn chain_is_whole(version: &str, exchange: &Exchange, alice: &User) -> Result<(), Failure> {
    let seen = [Observation { by: alice.role(), exchange: exchange.id }];
    let not_events = |error: &dyn std::fmt::Display| {
        alice.wrong("join.not_events", message!("fail.not-events", error = error), &seen)
    };
    let mut answer = exchange.response_body.json().unwrap_or_default();
    // The join counts as part of the answer: its own auth events have to be there as well.
    let join = exchange.request_body.json().unwrap_or_default();
    match answer.get_mut("state").and_then(Value::as_array_mut) {
        Some(state) => state.push(join.clone()),
        None => return Err(not_events(&"the answer has no list \"state\"")),
    }
    let named = Event::parse(&join, version).map_err(|error| not_events(&error))?.auth_events();
    let gaps = auth_gaps(&answer, version).map_err(|error| not_events(&error))?;
    match gaps.first() {
        // A join that names no auth event at all would leave nothing to follow.
        None if !named.is_empty() => Ok(()),
        None => Err(not_events(&"the join names no auth events")),
        Some(gap) => {
            let text = message!("fail.auth-gap", event = gap.event, missing = gap.missing);
            Err(alice.wrong("join.auth_gap", text, &seen))
        }
    }
}

/// The state in the answer to `send_join` lists all of `users`, unless it was asked for and says that members are left
/// out; it then names the servers whose users these are.
fn members_are_whole(exchange: &Exchange, alice: &User, users: &[&User]) -> Result<(), Failure> {
    let seen = [Observation { by: alice.role(), exchange: exchange.id }];
    let answer = exchange.response_body.json().unwrap_or_default();
    let listed = |user: &User| {
        let mut state = answer["state"].as_array().into_iter().flatten();
        state.any(|event| event["type"] == "m.room.member" && event["state_key"] == *user.id())
    };
    let Some(missing) = users.iter().find(|user| !listed(user)) else { return Ok(()) };
    if !exchange.path.contains("omit_members=true") {
        let text = message!("fail.members-missing", missing = missing.name());
        return Err(alice.wrong("join.members_missing", text, &seen));
    }
    let servers = answer["servers_in_room"].as_array();
    let names_host = servers.into_iter().flatten().any(|server| *server == *alice.server_name());
    if answer["members_omitted"] == true && names_host {
        return Ok(());
    }
    let text = message!("fail.omission-not-said", missing = missing.name());
    Err(alice.wrong("join.omission_not_said", text, &seen))
}
