//! Invites on the wire (server-server API, inviting to a room).

use samklang_verdict::Message;

use super::find_request;
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "federation.invite-handshake",
    title: "The inviting server sends an invite with room version and state, and the invited user's server signs it.",
    catalogue: &["FC-12"],
    requirements: &["SS-INVITE-013"],
    needs: &[Need::Wire],
    checks: &[
        CheckPlan::new(
            "request",
            "The inviting server's PUT /invite contains room_version, the invite, and the create event as state.",
        )
        .of(&["SS-INVITE-004", "SS-INVITE-005"]),
        CheckPlan::new(
            "state-in-full",
            "Every event in the inviting server's invite_room_state contains the fields of the federation format.",
        )
        .of(&["SS-INVITE-006"]),
        CheckPlan::new(
            "answer",
            "The invited user's server answers PUT /invite with the submitted event, signed by itself.",
        )
        .of(&["SS-INVITE-014"]),
    ],
    play: play!(invite_handshake),
    ..Scenario::PAIR
}];

/// Alice invites Bob, and the recorded request and response are looked at.
async fn invite_handshake(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let room = alice.create_room(Private.named("Lägesbild")).await?;
    // A request that lacks something fails its check even if the invite fails; it passes only if the invite arrives.
    let invited = alice.invite(&room, &bob).await;
    let exchange =
        find_request(&scene.wire()?, "/invite/", alice.role(), |exchange| exchange.status.is_some())?;
    let [by_host, by_guest] = [alice.role(), bob.role()].map(|by| Observation { by, exchange: exchange.id });
    let shown = Observations::new(by_host.clone(), [by_guest.clone()]);
    let request = exchange.request_body.json().unwrap_or_default();
    let is_create = |event: &Value| event["type"] == "m.room.create" && event["state_key"] == "";
    let right = [
        ("room_version", request["room_version"] == *scene.room_version()),
        (
            "event",
            request["event"]["content"]["membership"] == "invite"
                && request["event"]["state_key"] == *bob.id(),
        ),
        ("the create event", request["invite_room_state"].as_array().into_iter().flatten().any(is_create)),
    ];
    let lacks = |reason: &str, missing: &str| {
        alice.wrong(
            reason,
            message!("fail.invite-request", missing = missing),
            std::slice::from_ref(&by_host),
        )
    };
    let missing_in_request = right.iter().find(|(_, right)| !right).map(|(missing, _)| (*missing).to_owned());
    let partial = request["invite_room_state"].as_array().into_iter().flatten().find_map(missing_field);
    let partial =
        partial.map(|missing| message!("scenario.answer.state-event-lacks", field = missing).to_string());
    let request_checks = [
        ("request", "invite.incomplete_request", missing_in_request),
        ("state-in-full", "invite.partial_state_event", partial),
    ];
    for (check, reason, missing) in &request_checks {
        if let Some(missing) = missing {
            scene.check(check, Err::<Observations, _>(lacks(reason, missing)));
        }
    }
    invited?;
    bob.sees(invite(&room, &bob)).await?;
    for (check, ..) in request_checks.iter().filter(|(.., missing)| missing.is_none()) {
        scene.check(check, Ok(shown.clone()));
    }
    let answer = exchange.response_body.json().unwrap_or_default();
    let outcome = match flaw_in(&request["event"], &answer["event"], guest.name()) {
        None => Ok(shown),
        Some(what) => {
            Err(bob.wrong("invite.bad_answer", message!("fail.invite-answer", what = what), &[by_guest]))
        }
    };
    scene.check("answer", outcome);
    Ok(())
}

/// A field that every state event in the federation format has, and this one lacks.
fn missing_field(event: &Value) -> Option<&'static str> {
    const KEYS: [&str; 9] = [
        "type",
        "state_key",
        "sender",
        "content",
        "depth",
        "origin_server_ts",
        "hashes",
        "signatures",
        "auth_events",
    ];
    KEYS.into_iter().find(|key| event.get(key).is_none())
}

/// What is wrong with the event in the response, if anything is.
fn flaw_in(submitted: &Value, answered: &Value, invited_server: &str) -> Option<Message> {
    let is_signed = answered["signatures"][invited_server].as_object().is_some_and(|keys| !keys.is_empty());
    if !is_signed {
        return Some(message!("scenario.answer.invite-unsigned"));
    }
    let without_signatures = |event: &Value| {
        let mut event = event.clone();
        if let Some(event) = event.as_object_mut() {
            event.remove("signatures");
            // Not covered by the signature, and each server may set it.
            event.remove("unsigned");
        }
        event
    };
    (without_signatures(submitted) != without_signatures(answered))
        .then(|| message!("scenario.answer.invite-other-event"))
}
