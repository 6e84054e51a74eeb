//! Bad events beside good ones in a transaction (server-server API, transactions).

use samklang_matrix::{RoomCreation, Rule};

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "transactions.broken-neighbour",
        title: "The server accepts the other events of a transaction that contains an event it does not accept.",
        catalogue: &["FC-15"],
        requirements: &["SS-TXN-009"],
        checks: &[
            CheckPlan::new(
                "answer",
                "The server answers a transaction with status 200 and a JSON object pdus.",
            )
            .of(&["SS-TXN-008"]),
            CheckPlan::new(
                "bad-signature",
                "The server shows the other events in the same transaction as an event with a bad signature.",
            ),
            CheckPlan::new(
                "malformed",
                "The server shows the other events in the same transaction as a malformed event.",
            ),
            CheckPlan::new(
                "unauthorised",
                "The server shows the other events in the same transaction as one that the authorisation rules forbid.",
            ),
            CheckPlan::new(
                "unknown-room",
                "The server shows the other events in the same transaction as an event of an unknown room.",
            )
            .of(&["SS-TXN-009", "SS-TXN-016"]),
            CheckPlan::new(
                "none-let-in",
                "The server shows no event that is badly signed, malformed or forbidden.",
            ),
        ],
        play: play!(broken_event_between_honest_ones),
        ..Scenario::PEER
    },
    Scenario {
        id: "transactions.results",
        title: "The server's response to a transaction states which events were accepted and which were not.",
        weight: Weight::Should,
        catalogue: &["FC-15"],
        requirements: &["SS-TXN-010"],
        checks: &[
            CheckPlan::new(
                "accepted",
                "The server's response to a transaction contains no error for an accepted event.",
            ),
            CheckPlan::new(
                "dropped",
                "The server's response to a transaction contains an error message for a dropped event.",
            ),
        ],
        play: play!(results),
        ..Scenario::PEER
    },
];

/// Mallory's server sends each broken event between two honest ones in a transaction.
///
///   join ── before ── after ── before ── after …
///      └── broken
async fn broken_event_between_honest_ones(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let first = setup.copy.message("alone")?;
    scene.check("answer", check_response_form(&setup, &first).await);
    let unpublished = unpublished_key()?;
    let topic = setup.copy.defy("topic without power", Rule::EventLevel, |room, user| {
        room.draft("m.room.topic", user).state_key("").content(json!({"topic": "mine"}))
    })?;
    let list = Tamper::before_hash(|pdu| pdu["content"] = json!(["no object"]));
    let broken = [
        ("bad-signature", setup.forge_with("signed with an unpublished key", Tamper::Key(&unpublished))?),
        ("malformed", setup.forge_with("malformed", list)?),
        ("unauthorised", topic),
    ];
    for (check, bad) in &broken {
        scene.check(check, check_neighbours_shown(&setup, bad).await);
    }
    let elsewhere = room_unknown_to_host(&setup)?.message("in a room that the server does not know")?;
    scene.check("unknown-room", check_neighbours_shown(&setup, &elsewhere).await);

    let after = setup.send_sentinel("after all of them").await?;
    let none_shown = broken.iter().try_fold(after.sighting.clone().into(), |seen, (_, bad)| {
        Ok(merge_observations(seen, setup.alice.never_saw(bad, &after.sighting)?))
    });
    scene.check("none-let-in", none_shown);
    Ok(())
}

async fn check_response_form(setup: &PeerSetup<'_>, event: &Planted) -> Result<Observations, Failure> {
    let reply = setup.mallory.offer(&setup.host, &[event]).await?;
    if reply.status == 200 && reply.body["pdus"].is_object() {
        return Ok(merge_observations(setup.alice.sees(event).await?, reply));
    }
    let text = message!("fail.transaction-answer");
    let seen = [reply.observation.clone()];
    let failure = setup.alice.wrong("transaction.answer_form", text, &seen);
    Err(failure.showing("200 {\"pdus\": {…}}", format!("{} {}", reply.status, reply.body)))
}

/// Passes if the server accepts the transaction and shows the events on both sides.
async fn check_neighbours_shown(setup: &PeerSetup<'_>, bad: &Planted) -> Result<Observations, Failure> {
    let before = setup.copy.message(&format!("before {}", bad.what))?;
    let after = setup.copy.message(&format!("after {}", bad.what))?;
    let reply = setup.mallory.transmit(&setup.host, &[&before, bad, &after]).await?;
    let seen = merge_observations(setup.alice.sees(&before).await?, setup.alice.sees(&after).await?);
    Ok(merge_observations(seen, reply))
}

/// A room of Mallory's in which the host takes no part.
fn room_unknown_to_host(setup: &PeerSetup<'_>) -> Result<RoomCopy, Failure> {
    let user = setup.copy.user.clone();
    let peer = setup.mallory.peer();
    let creation = RoomCreation::new(setup.scene.room_version(), &user, 1_700_000_000_000);
    let room = creation.and_then(|creation| creation.create(peer.key())).map_err(|error| {
        Failure::Problem(Problem::harness(message!("stage.no-peer", name = "mallory", error = error)))
    })?;
    let id = room.id().to_owned();
    peer.hold(room);
    Ok(RoomCopy { peer: setup.mallory.clone(), room: id, user })
}

/// A missing result is inconclusive: the specification does not say which events need one.
async fn results(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let unpublished = unpublished_key()?;
    let good = setup.copy.message("good")?;
    let bad = setup.forge_with("signed with an unpublished key", Tamper::Key(&unpublished))?;
    let reply = setup.mallory.transmit(&setup.host, &[&good, &bad]).await?;
    setup.alice.sees(&good).await?;
    let judge = |event: &Planted, wanted: &str, fits: fn(&Value) -> bool| {
        let result = &reply.body["pdus"][&event.id];
        if result.is_null() {
            return Err(Failure::Inconclusive(message!("judging.no-result", event = event.what)));
        }
        if fits(&result["error"]) {
            return Ok(Observations::from(reply.clone()));
        }
        let text = message!("fail.transaction-result", event = event.what);
        let seen = [reply.observation.clone()];
        Err(setup.alice.wrong("transaction.result_error", text, &seen).showing(wanted, result))
    };
    scene.check("accepted", judge(&good, "no error", Value::is_null));
    scene.check("dropped", judge(&bad, "an error message", Value::is_string));
    Ok(())
}
