//! Event types and content that servers do not know (client-server API, events: extensibility).

use samklang_runner::scene::party;
use samklang_wire::switchboard::{Effect, NetworkFault};

use super::{essence, held_by_both};
use crate::{federation::gaps::sends, prelude::*};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "messages.unknown-event",
        title: "Events and state events of unknown types arrive unchanged at the other server.",
        catalogue: &["MS-18"],
        requirements: &["SS-CJSON-003"],
        checks: &[
            CheckPlan::new(
                "to-guest",
                "A user of the joining server is shown the resident server's event of unknown type with its original content.",
            ),
            CheckPlan::new(
                "to-host",
                "A user of the resident server is shown the joining server's event of unknown type with its original content.",
            ),
            CheckPlan::new(
                "state",
                "Both servers return the state event of unknown type under its state key.",
            ),
            CheckPlan::new(
                "redacted",
                "Neither server returns any content of a redacted event of unknown type.",
            )
            .of(&["SS-REDACT-014"]),
        ],
        play: play!(unknown_event),
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.content-hash",
        title: "Events whose content has special cases of canonical JSON are hashed correctly and arrive unchanged.",
        catalogue: &["MS-01", "MS-18"],
        requirements: &["SS-CJSON-001", "SS-CJSON-002", "SS-CJSON-003", "SS-CJSON-006", "SS-CJSON-007"],
        versions: Versions::Newest,
        // A server that encodes such content wrongly also signs every transaction with it wrongly, and retries for ever.
        needs: &[Need::Wire, Need::LastOfAll],
        checks: &[
            CheckPlan::new("of-host", "The resident server's event contains the correct content hash."),
            CheckPlan::new("of-guest", "The joining server's event contains the correct content hash."),
            CheckPlan::new(
                "whole-at-guest",
                "A user of the joining server is shown the whole content of the resident server's event.",
            ),
            CheckPlan::new(
                "whole-at-host",
                "A user of the resident server is shown the whole content of the joining server's event.",
            ),
        ],
        play: play!(content_hash),
        ..Scenario::PAIR
    },
];

const UNKNOWN: &str = "se.esam.samklang.resurs";

fn ordinary_content() -> Value {
    json!({
        "å": "Åre", "😀": 2, "null": null, "empty": [[], {}], "numbers": [0, -1, 9_007_199_254_740_991_i64],
        "nested": {"b": {"b": false, "a": true}, "a": []},
    })
}

/// Content with special cases of canonical JSON: keys that sort differently by code point, by UTF-16 unit and by locale,
/// characters with and without a short escape, empty values.
fn special_content() -> Value {
    json!({
        "\u{ffee}": 1, "\u{1f600}": 2, "å": 3, "z": 4, "Z": 5, "": 6, "a\u{30a}": 7,
        "text": "\u{8}\t\n\u{c}\r\u{1}\u{1f}\u{7f}\u{2028}/\\\"å\u{1f600}",
        "null": null, "empty": [[], {}], "numbers": [0, -1, 9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64],
    })
}

/// Alice and Bob send each other an event of an unknown type, and Alice sends a state event of that type.
async fn unknown_event(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;

    let from_alice = alice.send_content(&room, UNKNOWN, ordinary_content()).await?;
    scene.record("to-guest", essence(bob.sees(&from_alice).await?));
    let from_bob = bob.send_content(&room, UNKNOWN, ordinary_content()).await?;
    scene.record("to-host", essence(alice.sees(&from_bob).await?));

    let content = json!({"fordon": ["Ambulans 3", "Brandbil 1"], "klar": true});
    let set = alice.set_state(&room, UNKNOWN, "söder/1", content).await?;
    bob.sees(&set).await?;
    let held = async |user: &User| user.state_of(&room, UNKNOWN, "söder/1").await;
    scene.record("state", host_and_guest(essence(held(&alice).await?), essence(held(&bob).await?)));

    let redaction = bob.redact(&from_bob, "förlegat").await?;
    alice.sees(&redaction).await?;
    scene.record("redacted", held_by_both(&alice, &bob, &from_bob).await?);
    Ok(())
}

/// Alice and Bob send the same content at the same time.
async fn content_hash(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let from_host = send_special_content(scene, &room, ["of-host", "whole-at-guest"], [&alice, &bob]);
    let from_guest = send_special_content(scene, &room, ["of-guest", "whole-at-host"], [&bob, &alice]);
    let (from_host, from_guest) = tokio::join!(from_host, from_guest);
    from_host.and(from_guest)
}

/// Computes the content hash of the event on the wire and compares it. A receiver that computes another hash redacts the
/// event, or refuses the transaction.
async fn send_special_content(
    scene: &Scene,
    room: &Room,
    [check, check_at_receiver]: [&str; 2],
    [from, to]: [&User; 2],
) -> Result<(), Failure> {
    let sent = from.send_content(room, UNKNOWN, special_content()).await?;
    let pdu = scene.event_on_wire(&sent).await?;
    let stated = pdu.value["hashes"]["sha256"].as_str().unwrap_or_default().to_owned();
    let right = samklang_matrix::content_hash(&pdu.value).unwrap_or_default();
    let wrong_hash = || {
        let failure = from.wrong("pdu.content_hash", message!("fail.content-hash"), pdu.observations.all());
        failure.showing(&right, &stated)
    };
    let is_right = stated == right;
    scene.check(check, if is_right { Ok(pdu.observations.clone()) } else { Err(wrong_hash()) });

    let shown = shown_or_refused(scene, to, &sent).await;
    let is_queued = shown.is_err();
    let outcome = match shown {
        Ok(shown) if shown.event["content"] == special_content() => Ok(shown),
        Ok(shown) => {
            let text = message!("fail.content-changed", user = to.name());
            let failure = to.wrong("pdu.content_changed", text, &[]);
            Err(failure.showing(special_content(), &shown.event["content"]))
        }
        Err(Failure::NotSeen { bound, .. }) => {
            let (user, seconds) = (to.name(), bound.as_secs());
            let text = message!("fail.not-seen", user = user, what = sent.what, seconds = seconds);
            Err(to.wrong("delivery.not_seen", text, pdu.observations.all()))
        }
        Err(refused @ Failure::Wrong(_)) => Err(refused),
        Err(other) => return Err(other),
    };
    if is_right || outcome.is_ok() {
        scene.check(check_at_receiver, outcome);
    } else {
        // A server that computes the hash wrongly also signs the transaction wrongly, and the receiver may refuse it. The
        // receiver redacts an event with a wrong hash.
        scene.block(check_at_receiver, check);
    }
    if is_queued { unblock_transactions(scene, room, from, to).await } else { Ok(()) }
}

/// Waits until `to` is shown the event, or `to`'s server has refused the transaction that holds it. A wrong event is no
/// reason to refuse its transaction, and the server already has the sender's keys.
async fn shown_or_refused(scene: &Scene, to: &User, sent: &Sent) -> Result<Sighting, Failure> {
    let refused = |exchange: &Exchange| {
        let is_refusal = matches!(exchange.status, Some(status @ 400..500) if status != 429);
        is_refusal && sends(exchange, &sent.id, scene.room_version())
    };
    tokio::select! {
        seen = to.sees(sent) => seen,
        Ok(refusal) = scene.wire_shows(&sent.what, refused) => {
            let (what, status) = (&sent.what, refusal.status.unwrap_or_default());
            let text = message!("fail.delivery-refused", what = what, status = status);
            let seen = Observation { by: to.role(), exchange: refusal.id };
            Err(to.wrong("delivery.refused", text, &[seen]))
        }
    }
}

/// The sender repeats a refused transaction until it is accepted, and sends no other meanwhile. A network fault acknowledges
/// it in the receiver's place when it is sent again. One more message makes the sender try again.
async fn unblock_transactions(scene: &Scene, room: &Room, from: &User, to: &User) -> Result<(), Failure> {
    let sender = party(from.role());
    let loss =
        NetworkFault::on_all(Effect::Lose).from(sender.clone()).to(party(to.role())).when(is_transaction);
    let _loss = scene.fault(loss)?;
    from.send(room, "is anything in the way?").await?;
    let is_gone = |exchange: &Exchange| exchange.fault.is_some() && exchange.from == sender;
    match scene.wire_shows("a transaction after the one that was refused", is_gone).await {
        Ok(_) | Err(Failure::Inconclusive(_)) => Ok(()),
        Err(other) => Err(other),
    }
}
