//! Events in a wrong format for their room version (server-server API, PDUs; checks performed on receipt of a PDU, 1).
//!
//! Each has a valid signature and content hash, so that only its format is wrong.

use samklang_actors::peer::draft_message;
use samklang_actors::user::{Pattern, shown};
use samklang_drivers::Place;
use samklang_matrix::{BreachReason, FormatBreach, RoomVersion, format_breaches};

use crate::{peer_setup::AfterLie, prelude::*};

/// Every scenario of malformed events has this check.
pub(super) const GOES_ON: CheckPlan =
    CheckPlan::new("still-sends", "Afterwards the server still sends its users' events.");

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "events.missing-keys",
        title: "The server ignores an event that lacks a required field, and goes on sending events.",
        catalogue: &["SH-14"],
        requirements: &["SS-PDU-001", "SS-PDU-019"],
        checks: &[
            CheckPlan::new("type", "The server ignores an event without a type."),
            CheckPlan::new("sender", "The server ignores an event without a sender."),
            CheckPlan::new("content", "The server ignores an event without content."),
            CheckPlan::new("depth", "The server ignores an event without a depth."),
            CheckPlan::new("time", "The server ignores an event without origin_server_ts."),
            CheckPlan::new("hashes", "The server ignores an event without hashes."),
            CheckPlan::new("prev-events", "The server ignores an event without prev_events."),
            CheckPlan::new("auth-events", "The server ignores an event without auth_events."),
            GOES_ON,
        ],
        play: play!(missing_keys),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.wrong-types",
        title: "The server ignores an event with a value of the wrong type, and goes on sending events.",
        catalogue: &["SH-14"],
        requirements: &["SS-PDU-002", "SS-PDU-019"],
        checks: &[
            CheckPlan::new("type", "The server ignores an event whose type is a number."),
            CheckPlan::new("sender", "The server ignores an event whose sender is a list."),
            CheckPlan::new("no-user", "The server ignores an event whose sender is not a user ID."),
            CheckPlan::new("state-key", "The server ignores an event whose state_key is a number."),
            CheckPlan::new("content-list", "The server ignores an event whose content is a list."),
            CheckPlan::new("content-text", "The server ignores an event whose content is a string."),
            CheckPlan::new("depth", "The server ignores an event whose depth is a string.")
                .of(&["SS-PDU-017"]),
            CheckPlan::new("time", "The server ignores an event whose origin_server_ts is a string."),
            CheckPlan::new("hashes", "The server ignores an event whose hashes field is a string."),
            CheckPlan::new("prev-events", "The server ignores an event whose prev_events is a string."),
            CheckPlan::new("prev-entry", "The server ignores an event with a number among its prev_events."),
            CheckPlan::new(
                "prev-pairs",
                "The server ignores an event whose prev_events have the form of room versions 1 and 2.",
            ),
            CheckPlan::new("auth-events", "The server ignores an event whose auth_events is an object."),
            GOES_ON,
        ],
        play: play!(wrong_types),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.odd-numbers",
        title: "The server ignores an event with a number that is not allowed, and goes on sending events.",
        catalogue: &["SH-14"],
        requirements: &["SS-CJSON-010", "SS-PDU-019"],
        checks: &[
            CheckPlan::new("fraction", "The server ignores an event with a fraction in its content.")
                .of(&["SS-CJSON-009"]),
            CheckPlan::new("too-great", "The server ignores an event with the integer 2^53 in its content."),
            CheckPlan::new("too-small", "The server ignores an event with the integer -2^53 in its content."),
            CheckPlan::new(
                "nested",
                "The server ignores an event with the integer 2^53 nested in its content.",
            ),
            CheckPlan::new("depth-too-great", "The server ignores an event with a depth of 2^53.")
                .of(&["SS-PDU-017"]),
            CheckPlan::new("depth-negative", "The server ignores an event with a negative depth.")
                .of(&["SS-PDU-017"]),
            CheckPlan::new("depth-fraction", "The server ignores an event with a fractional depth.")
                .of(&["SS-CJSON-009", "SS-PDU-017"]),
            GOES_ON,
        ],
        play: play!(odd_numbers),
        ..Scenario::PEER
    },
];

/// A malformed event: its check, the field and the breach, and the change that makes it. Its content, where it has one,
/// holds its label, so that it is recognised under any event ID.
type Malformed = (&'static str, &'static str, BreachReason, fn(&mut Value));

fn without(pdu: &mut Value, key: &str) {
    if let Some(pdu) = pdu.as_object_mut() {
        pdu.remove(key);
    }
}

const MISSING_KEYS: [Malformed; 8] = [
    ("type", "type", BreachReason::FieldMissing, |pdu| without(pdu, "type")),
    ("sender", "sender", BreachReason::FieldMissing, |pdu| without(pdu, "sender")),
    ("content", "content", BreachReason::FieldMissing, |pdu| without(pdu, "content")),
    ("depth", "depth", BreachReason::FieldMissing, |pdu| without(pdu, "depth")),
    ("time", "origin_server_ts", BreachReason::FieldMissing, |pdu| without(pdu, "origin_server_ts")),
    ("hashes", "hashes", BreachReason::FieldMissing, |pdu| without(pdu, "hashes")),
    ("prev-events", "prev_events", BreachReason::FieldMissing, |pdu| without(pdu, "prev_events")),
    ("auth-events", "auth_events", BreachReason::FieldMissing, |pdu| without(pdu, "auth_events")),
];

const WRONG_TYPES: [Malformed; 13] = [
    ("type", "type", BreachReason::FieldType, |pdu| pdu["type"] = json!(7)),
    ("sender", "sender", BreachReason::FieldType, |pdu| pdu["sender"] = json!([pdu["sender"]])),
    ("no-user", "sender", BreachReason::SenderNotUserId, |pdu| pdu["sender"] = json!("mallory")),
    ("state-key", "state_key", BreachReason::FieldType, |pdu| pdu["state_key"] = json!(7)),
    ("content-list", "content", BreachReason::FieldType, |pdu| {
        pdu["content"] = json!([pdu["content"]["body"]]);
    }),
    ("content-text", "content", BreachReason::FieldType, |pdu| {
        pdu["content"] = pdu["content"]["body"].clone();
    }),
    ("depth", "depth", BreachReason::FieldType, |pdu| pdu["depth"] = json!(pdu["depth"].to_string())),
    ("time", "origin_server_ts", BreachReason::FieldType, |pdu| pdu["origin_server_ts"] = json!("now")),
    ("hashes", "hashes", BreachReason::FieldType, |pdu| pdu["hashes"] = json!("none")),
    ("prev-events", "prev_events", BreachReason::FieldType, |pdu| {
        pdu["prev_events"] = pdu["prev_events"][0].clone();
    }),
    ("prev-entry", "prev_events.1", BreachReason::ReferenceForm, |pdu| {
        pdu["prev_events"] = json!([pdu["prev_events"][0], 7]);
    }),
    ("prev-pairs", "prev_events.0", BreachReason::ReferenceForm, |pdu| {
        pdu["prev_events"] = json!([[pdu["prev_events"][0], {"sha256": "x"}]]);
    }),
    ("auth-events", "auth_events", BreachReason::FieldType, |pdu| pdu["auth_events"] = json!({})),
];

/// One more than the greatest integer of canonical JSON.
const TOO_GREAT: i64 = 1 << 53;

const ODD_NUMBERS: [Malformed; 7] = [
    ("fraction", "content.n", BreachReason::NumberNotCanonical, |pdu| pdu["content"]["n"] = json!(1.5)),
    ("too-great", "content.n", BreachReason::NumberNotCanonical, |pdu| {
        pdu["content"]["n"] = json!(TOO_GREAT);
    }),
    ("too-small", "content.n", BreachReason::NumberNotCanonical, |pdu| {
        pdu["content"]["n"] = json!(-TOO_GREAT);
    }),
    ("nested", "content.n", BreachReason::NumberNotCanonical, |pdu| {
        pdu["content"]["n"] = json!([{"n": [TOO_GREAT]}]);
    }),
    ("depth-too-great", "depth", BreachReason::NumberNotCanonical, |pdu| pdu["depth"] = json!(TOO_GREAT)),
    ("depth-negative", "depth", BreachReason::IntegerRange, |pdu| pdu["depth"] = json!(-1)),
    ("depth-fraction", "depth", BreachReason::NumberNotCanonical, |pdu| pdu["depth"] = json!(5.5)),
];

async fn missing_keys(scene: &Scene) -> Result<(), Failure> {
    all_ignored(&mallory_in_public_room(scene).await?, &MISSING_KEYS).await
}

async fn wrong_types(scene: &Scene) -> Result<(), Failure> {
    all_ignored(&mallory_in_public_room(scene).await?, &WRONG_TYPES).await
}

async fn odd_numbers(scene: &Scene) -> Result<(), Failure> {
    all_ignored(&mallory_in_public_room(scene).await?, &ODD_NUMBERS).await
}

async fn all_ignored(setup: &PeerSetup<'_>, table: &[Malformed]) -> Result<(), Failure> {
    let mut bad = Vec::new();
    for (check, field, reason, change) in table {
        let what = format!("malformed {check}");
        // A change of the hash itself has to come after hashing.
        let tamper =
            if *field == "hashes" { Tamper::before_signing(change) } else { Tamper::before_hash(change) };
        let event = setup.copy.forge(&what, tamper, |room, user| draft_message(room, user, &what))?;
        require_breach(setup, &event, field, *reason)?;
        bad.push((*check, event));
    }
    judge_ignored(setup, &bad).await
}

/// Sends the events one by one, and judges each once Alice has seen an honest message after all of them.
pub(super) async fn judge_ignored(setup: &PeerSetup<'_>, bad: &[(&str, Planted)]) -> Result<(), Failure> {
    for (_, event) in bad {
        setup.mallory.offer(&setup.host, &[event]).await?;
    }
    let after = still_sends(setup).await?;
    for (check, event) in bad {
        setup.scene.check(check, check_ignored(setup, event, &after));
    }
    Ok(())
}

/// Passes if the event has no effect, under its event ID or another.
fn check_ignored(setup: &PeerSetup<'_>, bad: &Planted, after: &AfterLie) -> Result<Observations, Failure> {
    let no_effect = setup.check_no_effect(bad, after)?;
    let by_id = Pattern::from(bad);
    let what = bad.what.clone();
    let by_label =
        shown(&bad.what, Place::Timeline, Some(&setup.room), move |event| event.to_string().contains(&what));
    let by_label = match by_id.taken {
        Some(exchange) => by_label.taken_in(exchange, by_id.tick),
        None => by_label,
    };
    Ok(merge_observations(no_effect, setup.alice.never_saw(by_label, &after.sentinel.sighting)?))
}

/// Alice sees an honest message, and her next message reaches Mallory's server. Judges `still-sends`.
pub(super) async fn still_sends(setup: &PeerSetup<'_>) -> Result<AfterLie, Failure> {
    setup.send_sentinel("an honest message").await?;
    let outcome = match setup.send_next_event().await {
        Err(Failure::Inconclusive(_)) => {
            Err(setup.alice.wrong("delivery.stopped", message!("fail.stopped-sending"), &[]))
        }
        other => other,
    };
    setup.scene.check("still-sends", outcome.clone());
    outcome?;
    setup.observe_after_lie().await
}

/// Makes sure that the event has this breach at this field, and none at another field.
pub(super) fn require_breach(
    setup: &PeerSetup<'_>,
    event: &Planted,
    field: &str,
    reason: BreachReason,
) -> Result<(), Failure> {
    let version = RoomVersion::new(setup.scene.room_version());
    let breaches = version.map(|version| format_breaches(event.json(), &version)).unwrap_or_default();
    let here = |breach: &FormatBreach| breach.field.starts_with(field);
    if breaches.iter().any(|breach| breach.reason == reason) && breaches.iter().all(here) {
        return Ok(());
    }
    let (what, meant, outcome) = (&event.what, reason.code(), format!("{breaches:?}"));
    let text = message!("judging.other-rule", what = what, meant = meant, outcome = outcome);
    Err(Failure::Problem(Problem::harness(text)))
}
