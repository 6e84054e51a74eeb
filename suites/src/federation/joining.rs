//! Joins across servers (server-server API, joining rooms).

use samklang_matrix::{Event, auth_gaps};

use super::successful_request;
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.joiner-sees-all",
        title: "Every user who joins from the joining server is shown all members of the room.",
        catalogue: &["FC-10"],
        requirements: &["SS-JOIN-001", "SS-JOIN-027"],
        checks: &[
            CheckPlan::new(
                "first-joiner",
                "Both servers list the same members when a first user of the joining server has joined.",
            )
            .of(&["SS-JOIN-028", "SS-STATE-004"]),
            CheckPlan::new(
                "second-joiner",
                "Both servers list the same members when a second user of the joining server has joined.",
            )
            .of(&["SS-STATE-004"]),
        ],
        play: play!(joiner_sees_all),
        ..Scenario::PAIR
    },
    Scenario {
        id: "federation.join-handshake",
        title: "A join uses make_join and send_join v2, and send_join returns all auth events of the state.",
        catalogue: &["FC-10"],
        requirements: &["SS-JOIN-001", "SS-JOIN-027"],
        needs: &[Need::Wire],
        checks: &[
            CheckPlan::new(
                "template",
                "The joining server's make_join lists the room version in ver, and the resident server returns a join template.",
            )
            .of(&["SS-JOIN-001", "SS-JOIN-002", "SS-JOIN-011"]),
            CheckPlan::new("second-version", "The joining server submits the join to PUT /send_join v2.")
                .of(&["SS-JOIN-048"]),
            CheckPlan::new(
                "auth-chain",
                "The resident server returns every auth event of the join and of the state in the send_join response.",
            )
            .of(&["SS-JOIN-029"]),
            CheckPlan::new(
                "members",
                "The resident server's send_join response lists every member, unless it omits members as requested and says so.",
            )
            .of(&["SS-JOIN-038", "SS-JOIN-039"]),
        ],
        play: play!(join_handshake),
        ..Scenario::PAIR
    },
];

/// Alice, Carol and Erik are in a room of the host.
async fn three_at_the_host(scene: &Scene) -> Result<([User; 3], Room), Failure> {
    let [host, _] = scene.servers()?;
    let [alice, carol, erik] =
        [host.register("alice").await?, host.register("carol").await?, host.register("erik").await?];
    // The room has a name: without one, a response that omits members still has to list some (heroes).
    let room = alice.create_room(Private.named("Stab")).await?;
    for user in [&carol, &erik] {
        invite_and_join(&alice, user, &room).await?;
    }
    Ok(([alice, carol, erik], room))
}

/// Bob joins a room with three members; then Dave of Bob's server joins it.
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

/// Bob joins a room with three members, and the recorded requests and responses are looked at.
async fn join_handshake(scene: &Scene) -> Result<(), Failure> {
    let [_, guest] = scene.servers()?;
    let bob = guest.register("bob").await?;
    let ([alice, carol, erik], room) = three_at_the_host(scene).await?;
    invite_and_join(&alice, &bob, &room).await?;

    let wire = scene.wire()?;
    let template = successful_request(&wire, "/make_join/", bob.role())?;
    let join = successful_request(&wire, "/send_join/", bob.role())?;
    let shown = merge_observations(
        Observation { by: alice.role(), exchange: join.id },
        Observation { by: bob.role(), exchange: join.id },
    );

    scene.check("template", check_template(scene, &template, &alice, &bob));
    let second_version = if endpoints::SEND_JOIN.matches(&join.method, &join.path) {
        Ok(shown.clone())
    } else {
        let text = message!("fail.not-v2", path = join.path_only());
        Err(bob.wrong("join.not_v2", text, shown.all()))
    };
    scene.check("second-version", second_version);
    let chain = check_auth_chain(scene.room_version(), &join, &alice);
    scene.check("auth-chain", chain.map(|()| shown.clone()));
    let members = check_members(&join, &alice, &[&alice, &carol, &erik]);
    scene.check("members", members.map(|()| shown));
    Ok(())
}

/// Passes if the request of `make_join` names the room version and the template is a join of Bob.
fn check_template(
    scene: &Scene,
    exchange: &Exchange,
    alice: &User,
    bob: &User,
) -> Result<Observations, Failure> {
    let by_guest = [Observation { by: bob.role(), exchange: exchange.id }];
    let by_host = [Observation { by: alice.role(), exchange: exchange.id }];
    let version = scene.room_version();
    if !endpoints::query(&exchange.path).any(|(name, value)| name == "ver" && value == version) {
        let text = message!("fail.version-not-named", version = version);
        return Err(bob.wrong("join.versions_not_named", text, &by_guest));
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
        None => Ok(Observations::new(by_guest[0].clone(), by_host)),
        Some((missing, _)) => {
            Err(alice.wrong("join.bad_template", message!("fail.no-template", missing = missing), &by_host))
        }
    }
}

/// Passes if the response to `send_join` holds every auth event of the join and of the events in it.
fn check_auth_chain(version: &str, exchange: &Exchange, alice: &User) -> Result<(), Failure> {
    let seen = [Observation { by: alice.role(), exchange: exchange.id }];
    let not_events = |error: &dyn std::fmt::Display| {
        alice.wrong("join.not_events", message!("fail.not-events", error = error), &seen)
    };
    let mut answer = exchange.response_body.json().unwrap_or_default();
    // The join counts as part of the response: its auth events have to be there as well.
    let join = exchange.request_body.json().unwrap_or_default();
    match answer.get_mut("state").and_then(Value::as_array_mut) {
        Some(state) => state.push(join.clone()),
        None => return Err(not_events(&message!("scenario.answer.no-state-list"))),
    }
    let named = Event::parse(&join, version).map_err(|error| not_events(&error))?.auth_events();
    let gaps = auth_gaps(&answer, version).map_err(|error| not_events(&error))?;
    match gaps.first() {
        // Without auth events in the join there is no chain to look at.
        None if !named.is_empty() => Ok(()),
        None => Err(not_events(&message!("scenario.answer.no-auth-events"))),
        Some(gap) => {
            let text = message!("fail.auth-gap", event = gap.event, missing = gap.missing);
            Err(alice.wrong("join.auth_gap", text, &seen))
        }
    }
}

/// Passes if the state in the response to `send_join` lists all of `users`, or the request allowed to omit members and the
/// response has `members_omitted` and names Alice's server in `servers_in_room`.
fn check_members(exchange: &Exchange, alice: &User, users: &[&User]) -> Result<(), Failure> {
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
