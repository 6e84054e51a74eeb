//! What servers do not know passes through them (client-server API, events: extensibility).

use samklang_runner::scene::party;
use samklang_stage::switchboard::{Effect, Fault};

use super::{essence, kept_by_both};
use crate::{federation::gaps::sends, prelude::*};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "messages.unknown-event",
        title: "Events and state of types that no server knows pass between servers untouched, and the room works on.",
        catalogue: &["MS-18"],
        requirements: &["SS-CJSON-003"],
        checks: &[
            CheckPlan::new(
                "to-guest",
                "The guest shows the host's unknown event with the content it was sent with.",
            ),
            CheckPlan::new(
                "to-host",
                "The host shows the guest's unknown event with the content it was sent with.",
            ),
            CheckPlan::new("state", "Host and guest hold the unknown state under its own state key."),
            CheckPlan::new("redacted", "Of a redacted event of unknown type neither side keeps any content.")
                .of(&["SS-REDACT-014"]),
        ],
        play: play!(unknown_event),
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.content-hash",
        title: "Content that canonical JSON is particular about crosses the wire with a content hash that fits it.",
        catalogue: &["MS-01", "MS-18"],
        requirements: &["SS-CJSON-001", "SS-CJSON-002", "SS-CJSON-003", "SS-CJSON-006", "SS-CJSON-007"],
        versions: Versions::Newest,
        // Who signs such content wrongly signs every transaction that holds it wrongly, and repeats it for ever.
        needs: &[Need::Wire, Need::LastOfAll],
        checks: &[
            CheckPlan::new("of-host", "The hash that the host put into its event is that of the event."),
            CheckPlan::new("of-guest", "The hash that the guest put into its event is that of the event."),
            CheckPlan::new(
                "whole-at-guest",
                "The guest finds the hash right, too, and shows the content whole.",
            ),
            CheckPlan::new(
                "whole-at-host",
                "The host finds the hash right, too, and shows the content whole.",
            ),
        ],
        play: play!(content_hash),
        ..Scenario::PAIR
    },
];

const UNKNOWN: &str = "se.esam.samklang.resurs";

fn plain() -> Value {
    json!({
        "å": "Åre", "😀": 2, "null": null, "empty": [[], {}], "numbers": [0, -1, 9_007_199_254_740_991_i64],
        "nested": {"b": {"b": false, "a": true}, "a": []},
    })
}

/// Keys that sort differently by code point, by UTF-16 unit and by locale; characters with and without an escape of
/// their own; empty things.
fn particular() -> Value {
    json!({
        "\u{ffee}": 1, "\u{1f600}": 2, "å": 3, "z": 4, "Z": 5, "": 6, "a\u{30a}": 7,
        "text": "\u{8}\t\n\u{c}\r\u{1}\u{1f}\u{7f}\u{2028}/\\\"å\u{1f600}",
        "null": null, "empty": [[], {}], "numbers": [0, -1, 9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64],
    })
}

/// Alice and Bob send each other an event, and Alice sets a state, of types of their own.
async fn unknown_event(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;

    let from_alice = alice.send_content(&room, UNKNOWN, plain()).await?;
    scene.record("to-guest", essence(bob.sees(&from_alice).await?));
    let from_bob = bob.send_content(&room, UNKNOWN, plain()).await?;
    scene.record("to-host", essence(alice.sees(&from_bob).await?));

    let content = json!({"fordon": ["Ambulans 3", "Brandbil 1"], "klar": true});
    let set = alice.set_state(&room, UNKNOWN, "söder/1", content).await?;
    bob.sees(&set).await?;
    let held = async |user: &User| user.state_of(&room, UNKNOWN, "söder/1").await;
    scene.record("state", host_and_guest(essence(held(&alice).await?), essence(held(&bob).await?)));

    let redaction = bob.redact(&from_bob, "förlegat").await?;
    alice.sees(&redaction).await?;
    scene.record("redacted", kept_by_both(&alice, &bob, &from_bob).await?);
    Ok(())
}

/// Each side sends the same content, neither waiting for the other's.
async fn content_hash(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let from_host = particular_content(scene, &room, ["of-host", "whole-at-guest"], [&alice, &bob]);
    let from_guest = particular_content(scene, &room, ["of-guest", "whole-at-host"], [&bob, &alice]);
    let (from_host, from_guest) = tokio::join!(from_host, from_guest);
    from_host.and(from_guest)
}

/// The hash in the event as it went over the wire is worked out anew. A receiver who works out another hash keeps nothing
/// of the content, or does not believe the transaction.
async fn particular_content(
    scene: &Scene,
    room: &Room,
    [check, check_at_receiver]: [&str; 2],
    [from, to]: [&User; 2],
) -> Result<(), Failure> {
    let sent = from.send_content(room, UNKNOWN, particular()).await?;
    let pdu = scene.event_on_wire(&sent).await?;
    let stated = pdu.value["hashes"]["sha256"].as_str().unwrap_or_default().to_owned();
    let right = samklang_matrix::content_hash(&pdu.value).unwrap_or_default();
    let wrong = || {
        let failure = from.wrong("pdu.content_hash", message!("fail.content-hash"), pdu.observations.all());
        failure.showing(&right, &stated)
    };
    let is_right = stated == right;
    scene.check(check, if is_right { Ok(pdu.observations.clone()) } else { Err(wrong()) });

    let shown = shown_or_refused(scene, to, &sent).await;
    let is_on_its_way = shown.is_err();
    let outcome = match shown {
        Ok(shown) if shown.event["content"] == particular() => Ok(shown),
        Ok(shown) => {
            let text = message!("fail.content-changed", user = to.name());
            let failure = to.wrong("pdu.content_changed", text, &[]);
            Err(failure.showing(particular(), &shown.event["content"]))
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
        // Who works out the hash wrongly also signs the transaction wrongly, which nobody has to take; and of an event with
        // a wrong hash nobody has to keep the content.
        scene.block(check_at_receiver, check);
    }
    if is_on_its_way { free_the_way(scene, room, from, to).await } else { Ok(()) }
}

/// Waits until `to` is shown what was sent, or the server has refused the transaction with it. What is wrong with an event
/// is no reason to refuse the transaction, and the sender's keys were known before.
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

/// A transaction that is refused is repeated until it is taken, and holds up all others. It is acknowledged in the
/// receiver's place, if it comes once more; a sender that waits until there is more to send is given that.
async fn free_the_way(scene: &Scene, room: &Room, from: &User, to: &User) -> Result<(), Failure> {
    let sender = party(from.role());
    let loss = Fault::on_all(Effect::Lose).from(sender.clone()).to(party(to.role())).when(is_transaction);
    let _loss = scene.fault(loss)?;
    from.send(room, "is anything in the way?").await?;
    let is_gone = |exchange: &Exchange| exchange.fault.is_some() && exchange.from == sender;
    match scene.wire_shows("a transaction after the one that was refused", is_gone).await {
        Ok(_) | Err(Failure::Inconclusive(_)) => Ok(()),
        Err(other) => Err(other),
    }
}
