//! Events in a wrong format for their room version (server-server API, PDUs; checks performed on receipt of a PDU, 1).
//!
//! Each has a valid signature and content hash, so that only its format is wrong.

use samklang_actors::peer::draft_message;
use samklang_actors::user::{Pattern, shown};
use samklang_drivers::SyncSection;
use samklang_matrix::{BreachReason, FormatBreach, RoomVersion, format_breaches};

use crate::{peer_setup::AfterLie, prelude::*};

/// Every scenario of malformed events has this check.
pub(super) const GOES_ON: CheckPlan =
    CheckPlan::new("still-sends", "After malformed events the server still sends its own users' events.");

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "events.missing-keys",
        title: "The server ignores an event that lacks a required field, and goes on sending events.",
        catalogue: &["SH-14"],
        requirements: &["SS-PDU-001", "SS-PDU-019"],
        checks: &with_goes_on::<8, 9>(&MISSING_KEYS),
        play: play!(missing_keys),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.wrong-types",
        title: "The server ignores an event with a value of the wrong type, and goes on sending events.",
        catalogue: &["SH-14"],
        requirements: &["SS-PDU-002", "SS-PDU-019"],
        checks: &with_goes_on::<13, 14>(&WRONG_TYPES),
        play: play!(wrong_types),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.odd-numbers",
        title: "The server ignores an event with a number that is not allowed, and goes on sending events.",
        catalogue: &["SH-14"],
        requirements: &["SS-CJSON-010", "SS-PDU-019"],
        checks: &with_goes_on::<7, 8>(&ODD_NUMBERS),
        play: play!(odd_numbers),
        ..Scenario::PEER
    },
];

/// An event that does not have the form of its room version.
struct MalformedEvent {
    /// The name of the check that the server ignores it. The event's content holds it, so that the event is recognised
    /// whatever its id is.
    check: &'static str,
    /// The title of the check.
    title: &'static str,
    /// The requirements that the check tests; those of the scenario if there are none.
    requirements: &'static [&'static str],
    /// The malformed field.
    field: &'static str,
    /// What is wrong with it.
    reason: BreachReason,
    /// Makes a well-formed event malformed.
    change: fn(&mut Value),
}

/// The checks of a table, in its order, and the one that the server goes on sending events.
const fn with_goes_on<const N: usize, const M: usize>(table: &[MalformedEvent; N]) -> [CheckPlan; M] {
    assert!(M == N + 1);
    let mut checks = [GOES_ON; M];
    let mut row = 0;
    while row < N {
        let event = &table[row];
        checks[row] = CheckPlan::new(event.check, event.title).of(event.requirements);
        row += 1;
    }
    checks
}

fn without(pdu: &mut Value, key: &str) {
    if let Some(pdu) = pdu.as_object_mut() {
        pdu.remove(key);
    }
}

const MISSING_KEYS: [MalformedEvent; 8] = [
    MalformedEvent {
        check: "type",
        title: "The server ignores an event without a type.",
        requirements: &[],
        field: "type",
        reason: BreachReason::FieldMissing,
        change: |pdu| without(pdu, "type"),
    },
    MalformedEvent {
        check: "sender",
        title: "The server ignores an event without a sender.",
        requirements: &[],
        field: "sender",
        reason: BreachReason::FieldMissing,
        change: |pdu| without(pdu, "sender"),
    },
    MalformedEvent {
        check: "content",
        title: "The server ignores an event without content.",
        requirements: &[],
        field: "content",
        reason: BreachReason::FieldMissing,
        change: |pdu| without(pdu, "content"),
    },
    MalformedEvent {
        check: "depth",
        title: "The server ignores an event without a depth.",
        requirements: &[],
        field: "depth",
        reason: BreachReason::FieldMissing,
        change: |pdu| without(pdu, "depth"),
    },
    MalformedEvent {
        check: "time",
        title: "The server ignores an event without origin_server_ts.",
        requirements: &[],
        field: "origin_server_ts",
        reason: BreachReason::FieldMissing,
        change: |pdu| without(pdu, "origin_server_ts"),
    },
    MalformedEvent {
        check: "hashes",
        title: "The server ignores an event without hashes.",
        requirements: &[],
        field: "hashes",
        reason: BreachReason::FieldMissing,
        change: |pdu| without(pdu, "hashes"),
    },
    MalformedEvent {
        check: "prev-events",
        title: "The server ignores an event without prev_events.",
        requirements: &[],
        field: "prev_events",
        reason: BreachReason::FieldMissing,
        change: |pdu| without(pdu, "prev_events"),
    },
    MalformedEvent {
        check: "auth-events",
        title: "The server ignores an event without auth_events.",
        requirements: &[],
        field: "auth_events",
        reason: BreachReason::FieldMissing,
        change: |pdu| without(pdu, "auth_events"),
    },
];

const WRONG_TYPES: [MalformedEvent; 13] = [
    MalformedEvent {
        check: "type",
        title: "The server ignores an event whose type is a number.",
        requirements: &[],
        field: "type",
        reason: BreachReason::FieldType,
        change: |pdu| pdu["type"] = json!(7),
    },
    MalformedEvent {
        check: "sender",
        title: "The server ignores an event whose sender is a list.",
        requirements: &[],
        field: "sender",
        reason: BreachReason::FieldType,
        change: |pdu| pdu["sender"] = json!([pdu["sender"]]),
    },
    MalformedEvent {
        check: "no-user",
        title: "The server ignores an event whose sender is not a user ID.",
        requirements: &[],
        field: "sender",
        reason: BreachReason::SenderNotUserId,
        change: |pdu| pdu["sender"] = json!("mallory"),
    },
    MalformedEvent {
        check: "state-key",
        title: "The server ignores an event whose state_key is a number.",
        requirements: &[],
        field: "state_key",
        reason: BreachReason::FieldType,
        change: |pdu| pdu["state_key"] = json!(7),
    },
    MalformedEvent {
        check: "content-list",
        title: "The server ignores an event whose content is a list.",
        requirements: &[],
        field: "content",
        reason: BreachReason::FieldType,
        change: |pdu| {
            pdu["content"] = json!([pdu["content"]["body"]]);
        },
    },
    MalformedEvent {
        check: "content-text",
        title: "The server ignores an event whose content is a string.",
        requirements: &[],
        field: "content",
        reason: BreachReason::FieldType,
        change: |pdu| {
            pdu["content"] = pdu["content"]["body"].clone();
        },
    },
    MalformedEvent {
        check: "depth",
        title: "The server ignores an event whose depth is a string.",
        requirements: &["SS-PDU-017"],
        field: "depth",
        reason: BreachReason::FieldType,
        change: |pdu| pdu["depth"] = json!(pdu["depth"].to_string()),
    },
    MalformedEvent {
        check: "time",
        title: "The server ignores an event whose origin_server_ts is a string.",
        requirements: &[],
        field: "origin_server_ts",
        reason: BreachReason::FieldType,
        change: |pdu| pdu["origin_server_ts"] = json!("now"),
    },
    MalformedEvent {
        check: "hashes",
        title: "The server ignores an event whose hashes field is a string.",
        requirements: &[],
        field: "hashes",
        reason: BreachReason::FieldType,
        change: |pdu| pdu["hashes"] = json!("none"),
    },
    MalformedEvent {
        check: "prev-events",
        title: "The server ignores an event whose prev_events is a string.",
        requirements: &[],
        field: "prev_events",
        reason: BreachReason::FieldType,
        change: |pdu| {
            pdu["prev_events"] = pdu["prev_events"][0].clone();
        },
    },
    MalformedEvent {
        check: "prev-entry",
        title: "The server ignores an event with a number among its prev_events.",
        requirements: &[],
        field: "prev_events.1",
        reason: BreachReason::ReferenceForm,
        change: |pdu| {
            pdu["prev_events"] = json!([pdu["prev_events"][0], 7]);
        },
    },
    MalformedEvent {
        check: "prev-pairs",
        title: "The server ignores an event whose prev_events have the form of room versions 1 and 2.",
        requirements: &[],
        field: "prev_events.0",
        reason: BreachReason::ReferenceForm,
        change: |pdu| {
            pdu["prev_events"] = json!([[pdu["prev_events"][0], {"sha256": "x"}]]);
        },
    },
    MalformedEvent {
        check: "auth-events",
        title: "The server ignores an event whose auth_events is an object.",
        requirements: &[],
        field: "auth_events",
        reason: BreachReason::FieldType,
        change: |pdu| pdu["auth_events"] = json!({}),
    },
];

/// One more than the greatest integer of canonical JSON.
const TOO_GREAT: i64 = 1 << 53;

const ODD_NUMBERS: [MalformedEvent; 7] = [
    MalformedEvent {
        check: "fraction",
        title: "The server ignores an event with a fraction in its content.",
        requirements: &["SS-CJSON-009"],
        field: "content.n",
        reason: BreachReason::NumberNotCanonical,
        change: |pdu| pdu["content"]["n"] = json!(1.5),
    },
    MalformedEvent {
        check: "too-great",
        title: "The server ignores an event with the integer 2^53 in its content.",
        requirements: &[],
        field: "content.n",
        reason: BreachReason::NumberNotCanonical,
        change: |pdu| {
            pdu["content"]["n"] = json!(TOO_GREAT);
        },
    },
    MalformedEvent {
        check: "too-small",
        title: "The server ignores an event with the integer -2^53 in its content.",
        requirements: &[],
        field: "content.n",
        reason: BreachReason::NumberNotCanonical,
        change: |pdu| {
            pdu["content"]["n"] = json!(-TOO_GREAT);
        },
    },
    MalformedEvent {
        check: "nested",
        title: "The server ignores an event with the integer 2^53 nested in its content.",
        requirements: &[],
        field: "content.n",
        reason: BreachReason::NumberNotCanonical,
        change: |pdu| {
            pdu["content"]["n"] = json!([{"n": [TOO_GREAT]}]);
        },
    },
    MalformedEvent {
        check: "depth-too-great",
        title: "The server ignores an event with a depth of 2^53.",
        requirements: &["SS-PDU-017"],
        field: "depth",
        reason: BreachReason::NumberNotCanonical,
        change: |pdu| pdu["depth"] = json!(TOO_GREAT),
    },
    MalformedEvent {
        check: "depth-negative",
        title: "The server ignores an event with a negative depth.",
        requirements: &["SS-PDU-017"],
        field: "depth",
        reason: BreachReason::IntegerRange,
        change: |pdu| pdu["depth"] = json!(-1),
    },
    MalformedEvent {
        check: "depth-fraction",
        title: "The server ignores an event with a fractional depth.",
        requirements: &["SS-CJSON-009", "SS-PDU-017"],
        field: "depth",
        reason: BreachReason::NumberNotCanonical,
        change: |pdu| pdu["depth"] = json!(5.5),
    },
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

async fn all_ignored(setup: &PeerSetup<'_>, table: &[MalformedEvent]) -> Result<(), Failure> {
    let mut bad = Vec::new();
    for MalformedEvent { check, field, reason, change, .. } in table {
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
    let by_label = shown(&bad.what, SyncSection::Timeline, Some(&setup.room), move |event| {
        event.to_string().contains(&what)
    });
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
