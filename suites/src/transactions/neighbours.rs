//! What one event of a transaction means for the others (server-server API, transactions).

use samklang_matrix::{Founding, Rule};

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "transactions.broken-neighbour",
        title: "An event that the server does not accept does not keep out the other events of its transaction.",
        catalogue: &["FC-15"],
        requirements: &["SS-TXN-009"],
        checks: &[
            CheckPlan::new("answer", "The server answers a transaction with 200 and an object pdus.")
                .of(&["SS-TXN-008"]),
            CheckPlan::new(
                "bad-signature",
                "The server shows the events beside an event with a bad signature.",
            ),
            CheckPlan::new("malformed", "The server shows the events beside a malformed event."),
            CheckPlan::new(
                "unauthorised",
                "The server shows the events beside an event that the authorisation rules forbid.",
            ),
            CheckPlan::new("unknown-room", "The server shows the events beside an event of an unknown room.")
                .of(&["SS-TXN-009", "SS-TXN-016"]),
            CheckPlan::new(
                "none-let-in",
                "The server shows no event that has a bad signature, is malformed or is forbidden.",
            ),
        ],
        play: play!(broken_neighbour),
        ..Scenario::PEER
    },
    Scenario {
        id: "transactions.results",
        title: "The response to a transaction says which events were accepted and which were not.",
        weight: Weight::Should,
        catalogue: &["FC-15"],
        requirements: &["SS-TXN-010"],
        checks: &[
            CheckPlan::new("accepted", "The result of an accepted event has no error."),
            CheckPlan::new("dropped", "The result of a dropped event has an error message."),
        ],
        play: play!(results),
        ..Scenario::PEER
    },
];

/// Each broken event goes out between two honest ones.
///
///   join ── before ── after ── before ── after …
///      └── broken
async fn broken_neighbour(scene: &Scene) -> Result<(), Failure> {
    let visit = visit(scene).await?;
    let first = visit.copy.message("alone")?;
    scene.check("answer", in_form(&visit, &first).await);
    let stranger = stranger_key()?;
    let topic = visit.copy.defy("powerless topic", Rule::EventLevel, |room, user| {
        room.draft("m.room.topic", user).state_key("").content(json!({"topic": "mine"}))
    })?;
    let list = Tamper::before_hash(|pdu| pdu["content"] = json!(["no object"]));
    let broken = [
        ("bad-signature", visit.forge_with("signed by a stranger", Tamper::Key(&stranger))?),
        ("malformed", visit.forge_with("malformed", list)?),
        ("unauthorised", topic),
    ];
    for (check, bad) in &broken {
        scene.check(check, unharmed(&visit, bad).await);
    }
    let elsewhere = elsewhere(&visit)?.message("in a room of which nobody knows")?;
    scene.check("unknown-room", unharmed(&visit, &elsewhere).await);

    let after = visit.sentinel("after all of them").await?;
    let none_shown = broken.iter().try_fold(after.sighting.clone().into(), |seen, (_, bad)| {
        Ok(by_both(seen, visit.alice.never_saw(bad, &after.sighting)?))
    });
    scene.check("none-let-in", none_shown);
    Ok(())
}

async fn in_form(visit: &Visit<'_>, event: &Planted) -> Result<Observations, Failure> {
    let reply = visit.mallory.offer(&visit.host, &[event]).await?;
    if reply.status == 200 && reply.body["pdus"].is_object() {
        return Ok(by_both(visit.alice.sees(event).await?, reply));
    }
    let text = message!("fail.transaction-answer");
    let seen = [reply.observation.clone()];
    let failure = visit.alice.wrong("transaction.answer_form", text, &seen);
    Err(failure.showing("200 {\"pdus\": {…}}", format!("{} {}", reply.status, reply.body)))
}

/// The transaction is taken, and both neighbours are shown.
async fn unharmed(visit: &Visit<'_>, bad: &Planted) -> Result<Observations, Failure> {
    let before = visit.copy.message(&format!("before {}", bad.what))?;
    let after = visit.copy.message(&format!("after {}", bad.what))?;
    let reply = visit.mallory.transmit(&visit.host, &[&before, bad, &after]).await?;
    let seen = by_both(visit.alice.sees(&before).await?, visit.alice.sees(&after).await?);
    Ok(by_both(seen, reply))
}

/// A room of Mallory's that the host has no part in.
fn elsewhere(visit: &Visit<'_>) -> Result<RoomCopy, Failure> {
    let user = visit.copy.user.clone();
    let peer = visit.mallory.peer();
    let founding = Founding::new(visit.scene.room_version(), &user, 1_700_000_000_000);
    let room = founding.and_then(|founding| founding.found(peer.key())).map_err(|error| {
        Failure::Problem(Problem::harness(message!("stage.no-peer", name = "mallory", error = error)))
    })?;
    let id = room.id().to_owned();
    peer.hold(room);
    Ok(RoomCopy { peer: visit.mallory.clone(), room: id, user })
}

/// A result that is left out says nothing: the specification does not say which events need one.
async fn results(scene: &Scene) -> Result<(), Failure> {
    let visit = visit(scene).await?;
    let stranger = stranger_key()?;
    let good = visit.copy.message("good")?;
    let bad = visit.forge_with("signed by a stranger", Tamper::Key(&stranger))?;
    let reply = visit.mallory.transmit(&visit.host, &[&good, &bad]).await?;
    visit.alice.sees(&good).await?;
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
        Err(visit.alice.wrong("transaction.result_error", text, &seen).showing(wanted, result))
    };
    scene.check("accepted", judge(&good, "no error", Value::is_null));
    scene.check("dropped", judge(&bad, "an error in words", Value::is_string));
    Ok(())
}
