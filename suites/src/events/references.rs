//! Auth events and prev events (rooms/v11, authorization rules, 2; server-server API, rejection).

use samklang_actors::peer::draft_message;
use samklang_matrix::Rule;

use crate::{peer_setup::peer_joins, prelude::*};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "events.wrong-authority",
        title: "The server rejects an event that lists wrong auth events.",
        catalogue: &["SH-10"],
        requirements: &["SS-PDU-022"],
        checks: &[
            CheckPlan::new(
                "duplicate",
                "The server rejects an event that lists two auth events of the same type and state key.",
            )
            .of(&["SS-EAUTH-005"]),
            CheckPlan::new(
                "outside-selection",
                "The server rejects an event that lists an auth event outside the selection for its type.",
            )
            .of(&["SS-EAUTH-006"]),
            CheckPlan::new(
                "rejected",
                "The server rejects an event that lists a rejected event as an auth event.",
            )
            .of(&["SS-EAUTH-007"]),
            CheckPlan::new(
                "other-room",
                "The server rejects an event that lists an event of another room as an auth event.",
            )
            .of(&["SS-EAUTH-009"]),
        ],
        play: play!(wrong_auth_events),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.create-not-cited",
        title: "Before room version 12 the server rejects an event that does not list the create event as an auth event.",
        catalogue: &["SH-10"],
        requirements: &["SS-EAUTH-008"],
        versions: Versions::Only(&["10", "11"]),
        checks: &[CheckPlan::new(
            "ignored",
            "The server rejects an event that does not list the create event as an auth event.",
        )],
        play: play!(create_not_an_auth_event),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.create-cited",
        title: "In room version 12 the server rejects an event that lists the create event as an auth event.",
        catalogue: &["SH-10", "SH-13"],
        requirements: &["SS-EAUTH-016"],
        versions: Versions::Only(&["12"]),
        checks: &[CheckPlan::new(
            "ignored",
            "The server rejects an event that lists the create event as an auth event.",
        )],
        play: play!(create_as_auth_event),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.after-a-rejected-one",
        title: "A rejected state event does not change the room's state, and the server accepts later events.",
        catalogue: &["SH-11"],
        requirements: &["SS-PDU-036"],
        checks: &[
            CheckPlan::new(
                "rejected",
                "The server rejects a topic event whose sender lacks the power level for it.",
            )
            .of(&["SS-PDU-033", "SS-PDU-034"]),
            CheckPlan::new(
                "state-after",
                "`state_ids` does not list the rejected event in the state of a later event.",
            )
            .of(&["SS-PDU-036"]),
        ],
        play: play!(after_a_rejected_event),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.gap-filled",
        title: "The server fetches missing events when it receives an event that has them as prev events.",
        weight: Weight::Should,
        catalogue: &["FC-16"],
        requirements: &["SS-MISSING-012"],
        checks: &[CheckPlan::new(
            "in-order",
            "The room's history contains the missing and the new events, in the order of their prev events.",
        )],
        play: play!(gap_filled),
        ..Scenario::PEER
    },
];

/// Sends the lies, and judges each of them after an honest message.
async fn judge_no_effect(setup: &PeerSetup<'_>, lies: &[(&str, Planted)]) -> Result<(), Failure> {
    for (_, lie) in lies {
        setup.mallory.offer(&setup.host, &[lie]).await?;
    }
    let after = setup.observe_after_lie().await?;
    for (check, lie) in lies {
        setup.scene.check(check, setup.check_no_effect(lie, &after));
    }
    Ok(())
}

/// The auth events that the specification selects for a message, by the current state in Mallory's copy.
fn selected_auth_events(room: &samklang_matrix::RoomGraph, user: &str) -> Vec<String> {
    let mut wanted = vec![("m.room.power_levels", ""), ("m.room.member", user)];
    if !room.version().is_named_by_create() {
        wanted.push(("m.room.create", ""));
    }
    let id = |(kind, key): (&str, &str)| room.state_event(kind, key).map(|event| event.id().to_owned());
    wanted.into_iter().filter_map(id).collect()
}

/// Each lie has the right prev events, and one wrong or superfluous auth event.
///
///   join ── profile ──┬── lie, lie, lie …
///                     └── sentinel
async fn wrong_auth_events(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let member = |room: &samklang_matrix::RoomGraph, user: &str| {
        room.state_event("m.room.member", user).map(|event| event.id().to_owned()).unwrap_or_default()
    };
    let (copy, user) = (&setup.copy, &setup.copy.user);
    let joined = setup.mallory.peer().with_room(&copy.room, |room| member(room, user)).unwrap_or_default();
    let profile = copy.plant("new profile", |room, user| {
        let content = json!({"membership": "join", "displayname": "Mallory"});
        room.draft("m.room.member", user).state_key(user).content(content)
    })?;
    setup.mallory.transmit(&setup.host, &[&profile]).await?;
    let elsewhere = setup.alice.create_room(Public).await?;
    let elsewhere = peer_joins(&setup.alice, &setup.host, &elsewhere, &setup.mallory, "mallory").await?;
    let foreign =
        setup.mallory.peer().with_room(&elsewhere.room, |room| member(room, user)).unwrap_or_default();

    let levels = copy.defy("power levels without power", Rule::EventLevel, |room, user| {
        room.draft("m.room.power_levels", user).state_key("").content(json!({"users": {}}))
    })?;
    setup.mallory.offer(&setup.host, &[&levels]).await?;
    copy.keep(&levels)?;

    let lies = [
        (
            "duplicate",
            copy.defy("two member events of one user as auth events", Rule::AuthDuplicate, |room, user| {
                draft_message(room, user, "duplicate")
                    .with_auth_events(selected_auth_events(room, user).iter().chain([&joined]))
            })?,
        ),
        (
            "outside-selection",
            copy.defy("the join rules as an auth event", Rule::AuthNotSelected, |room, user| {
                let rules = room.state_event("m.room.join_rules", "").map(|event| event.id().to_owned());
                draft_message(room, user, "outside")
                    .with_auth_events(selected_auth_events(room, user).into_iter().chain(rules))
            })?,
        ),
        (
            "rejected",
            copy.defy("rejected power levels as an auth event", Rule::AuthRejected, |room, user| {
                let auth_events = selected_auth_events(room, user);
                let honest = room.state_event("m.room.power_levels", "").map(|event| event.id().to_owned());
                let swapped = auth_events
                    .into_iter()
                    .map(|id| if Some(&id) == honest.as_ref() { levels.id.clone() } else { id });
                draft_message(room, user, "rejected").with_auth_events(swapped)
            })?,
        ),
        // The copy does not know the other room's events, so it cannot tell which rule this event breaks.
        (
            "other-room",
            copy.forge(
                "an auth event of another room",
                Tamper::before_hash(|pdu| {
                    let foreign = json!(foreign);
                    if let Some(auth_events) = pdu["auth_events"].as_array_mut() {
                        auth_events.retain(|id| *id != json!(profile.id));
                        auth_events.push(foreign);
                    }
                }),
                |room, user| draft_message(room, user, "other room"),
            )?,
        ),
    ];
    judge_no_effect(&setup, &lies).await
}

async fn create_not_an_auth_event(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let lie = setup.copy.defy("auth events without the create event", Rule::AuthNoCreate, |room, user| {
        let create = room.state_event("m.room.create", "").map(|event| event.id().to_owned());
        let others = selected_auth_events(room, user).into_iter().filter(|id| Some(id) != create.as_ref());
        draft_message(room, user, "no create").with_auth_events(others.collect::<Vec<_>>())
    })?;
    judge_no_effect(&setup, &[("ignored", lie)]).await
}

async fn create_as_auth_event(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let lie = setup.copy.defy("auth events with the create event", Rule::AuthNotSelected, |room, user| {
        let create = room.state_event("m.room.create", "").map(|event| event.id().to_owned());
        draft_message(room, user, "create")
            .with_auth_events(selected_auth_events(room, user).into_iter().chain(create))
    })?;
    judge_no_effect(&setup, &[("ignored", lie)]).await
}

/// A topic that its sender has no power to set, and an honest message that has it as a prev event.
///
///   join ── topic (rejected) ── message (accepted; the state before it has no topic)
async fn after_a_rejected_event(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let topic = setup.copy.defy("topic without power", Rule::EventLevel, |room, user| {
        room.draft("m.room.topic", user).state_key("").content(json!({"topic": "mine"}))
    })?;
    setup.mallory.offer(&setup.host, &[&topic]).await?;
    setup.copy.keep(&topic)?;
    let child = setup.copy.plant("after the topic", |room, user| {
        draft_message(room, user, "after the topic").after([&topic.id])
    })?;
    setup.mallory.transmit(&setup.host, &[&child]).await?;
    setup.alice.sees(&child).await?;

    let state = setup.state_before(&child.id).await?;
    scene.check("state-after", setup.check_not_in_state(&topic, &state));
    let after = setup.observe_after_lie().await?;
    scene.check("rejected", setup.check_no_effect(&topic, &after));
    Ok(())
}

/// Mallory's server sends only the last of three messages.
///
///   join ── first ── second ── third
///            (not sent)        (sent)
async fn gap_filled(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let events = [setup.copy.message("first")?, setup.copy.message("second")?, setup.copy.message("third")?];
    let [_, _, last] = &events;
    setup.mallory.transmit(&setup.host, &[last]).await?;
    setup.alice.sees(last).await?;
    let wanted = events.map(|event| event.id);
    let about: Vec<_> = wanted.iter().map(String::as_str).collect();
    let complete = || async {
        let history = setup.alice.history(&setup.room, 50).await?;
        let kept = history.map(|events| wanted_ids_in_order(&events, &wanted));
        Ok((kept.value.as_array().map(Vec::len) >= Some(wanted.len())).then_some(kept))
    };
    let kept = setup.alice.eventually("all messages in the room's history", &about, complete).await?;
    let outcome = if kept.value == json!(wanted) {
        Ok(kept)
    } else {
        let text = message!("fail.order", user = setup.alice.name(), what = kept.value);
        Err(setup
            .alice
            .wrong("delivery.order", text, kept.observations.all())
            .showing(json!(wanted), kept.value))
    };
    scene.check("in-order", outcome);
    Ok(())
}
