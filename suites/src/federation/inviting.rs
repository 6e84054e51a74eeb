//! Invites as they go over the wire (server-server API, inviting to a room).

use super::asked;
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "federation.invite-handshake",
    title: "An invite is brought to the invited user's server with what it needs to judge it, and comes back signed.",
    catalogue: &["FC-12"],
    requirements: &["SS-INVITE-013"],
    needs: &[Need::Wire],
    checks: &[
        CheckPlan::new(
            "request",
            "The request names the room's version and brings the create event among the room's state.",
        )
        .of(&["SS-INVITE-004", "SS-INVITE-005"]),
        CheckPlan::new(
            "state-in-full",
            "What the request shows of the room are complete events in the federation format.",
        )
        .of(&["SS-INVITE-006"]),
        CheckPlan::new("answer", "The answer is the same event with the invited server's signature added.")
            .of(&["SS-INVITE-014"]),
    ],
    play: play!(invite_handshake),
    ..Scenario::PAIR
}];

/// What goes over the wire while Alice invites Bob.
async fn invite_handshake(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let room = alice.create_room(Private.named("Lägesbild")).await?;
    // What the request lacks is wrong whatever comes of it; that it is right shows where it is taken.
    let invited = alice.invite(&room, &bob).await;
    let exchange = asked(&scene.wire()?, "/invite/", alice.role(), |exchange| exchange.status.is_some())?;
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
    let lacking_in = right.iter().find(|(_, right)| !right).map(|(missing, _)| (*missing).to_owned());
    let partial = request["invite_room_state"].as_array().into_iter().flatten().find_map(lacking);
    let partial = partial.map(|missing| format!("{missing} in an event of invite_room_state"));
    let judged = [
        ("request", "invite.incomplete_request", lacking_in),
        ("state-in-full", "invite.partial_state_event", partial),
    ];
    for (check, reason, missing) in &judged {
        if let Some(missing) = missing {
            scene.check(check, Err::<Observations, _>(lacks(reason, missing)));
        }
    }
    invited?;
    bob.sees(invite(&room, &bob)).await?;
    for (check, ..) in judged.iter().filter(|(.., missing)| missing.is_none()) {
        scene.check(check, Ok(shown.clone()));
    }
    let answer = exchange.response_body.json().unwrap_or_default();
    let outcome = match fault_in(&request["event"], &answer["event"], guest.name()) {
        None => Ok(shown),
        Some(what) => {
            Err(bob.wrong("invite.bad_answer", message!("fail.invite-answer", what = what), &[by_guest]))
        }
    };
    scene.check("answer", outcome);
    Ok(())
}

/// A key that every event in the federation format has, and this one has not.
fn lacking(event: &Value) -> Option<&'static str> {
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

/// What is wrong with the answered event, if anything is.
fn fault_in(submitted: &Value, answered: &Value, invited_server: &str) -> Option<&'static str> {
    let is_signed = answered["signatures"][invited_server].as_object().is_some_and(|keys| !keys.is_empty());
    if !is_signed {
        return Some("bears no signature of the invited server");
    }
    let signed = |event: &Value| {
        let mut event = event.clone();
        if let Some(event) = event.as_object_mut() {
            event.remove("signatures");
            // Not part of what is signed, and each server's own business.
            event.remove("unsigned");
        }
        event
    };
    (signed(submitted) != signed(answered)).then_some("is another event than the one that was submitted")
}
