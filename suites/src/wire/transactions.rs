//! Transactions (server-server API, transactions).

use samklang_runner::{
    judging::rule::RuleFinding,
    traffic::{Traffic, exchange::ExchangeHalf},
};

use super::{first_wrong, transaction};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "wire.transactions",
    title: "The server sends complete transactions within the size limits.",
    catalogue: &["FC-14"],
    requirements: &["SS-TXN-001"],
    checks: &[
        CheckPlan::new("whole", "Every transaction that the server sends contains origin, origin_server_ts and a list of PDUs.")
            .of(&["SS-TXN-001"])
            .for_requests("transaction.incomplete", whole),
        CheckPlan::new("limits", "Every transaction that the server sends contains at most 50 PDUs and 100 EDUs.")
            .of(&["SS-TXN-002"])
            .for_requests("transaction.too_large", limits),
        CheckPlan::new("edus", "Every EDU in a transaction that the server sends contains a type and a content.")
            .of(&["SS-TXN-017"])
            .for_requests("edu.malformed", edus),
        CheckPlan::new(
            "results",
            "The server's response to a transaction contains results only for the events of that transaction.",
        )
        .of(&["SS-PDU-011", "SS-REDACT-001", "SS-REDACT-007"])
        .for_responses("transaction.other_id", results),
    ],
    ..Scenario::PASSIVE
}];

fn whole(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let body = transaction(half)?;
    let right = [
        ("origin", body["origin"].as_str() == traffic.name(&half.exchange.from)),
        ("origin_server_ts", body["origin_server_ts"].is_i64()),
        ("pdus", body["pdus"].is_array()),
    ];
    let wrong = right.into_iter().find(|(_, right)| !right);
    Some(RuleFinding::of(
        wrong.map(|(name, _)| message!("wire.wrong-field", of = "a transaction", field = name)),
    ))
}

fn limits(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let body = transaction(half)?;
    let over = [("pdus", 50), ("edus", 100)]
        .into_iter()
        .find(|(list, most)| body[list].as_array().is_some_and(|list| list.len() > *most));
    Some(RuleFinding::of(over.map(|(list, most)| message!("wire.too-many", most = most, list = list))))
}

fn edus(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let body = transaction(half)?;
    let edus = body["edus"].as_array().cloned().unwrap_or_default();
    first_wrong(edus, |edu| {
        let right = edu["edu_type"].is_string() && edu["content"].is_object();
        (!right).then(|| message!("wire.edu"))
    })
}

fn results(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    // A transaction under a used transaction ID may get the response to the first one.
    if traffic.is_admitted(&half.exchange.id.to_string()) {
        return None;
    }
    let body = transaction(half)?;
    let results = half.response["pdus"].as_object().filter(|_| half.exchange.status == Some(200))?;
    // An event that cannot be read has no known ID, and then the results cannot be compared.
    let all_read = body["pdus"].as_array().is_some_and(|pdus| pdus.len() == half.request_events.len());
    let is_sent = |id: &str| half.request_events.iter().any(|event| event.id() == id);
    (all_read && !results.is_empty()).then(|| {
        let stray = results.keys().find(|id| !is_sent(id));
        RuleFinding::of(stray.map(|id| message!("wire.other-result", event = id)))
    })
}
