//! Transactions (server-server API, transactions).

use samklang_runner::{
    passive::{Finding, Said},
    traffic::Traffic,
};

use super::{first_wrong, transaction};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "wire.transactions",
    title: "Transactions are complete and within their limits.",
    catalogue: &["FC-14"],
    requirements: &["SS-TXN-001"],
    checks: &[
        CheckPlan::new("whole", "A transaction has origin, origin_server_ts and a list of PDUs.")
            .of(&["SS-TXN-001"])
            .asking("transaction.incomplete", whole),
        CheckPlan::new("limits", "A transaction holds at most 50 PDUs and 100 EDUs.")
            .of(&["SS-TXN-002"])
            .asking("transaction.too_large", limits),
        CheckPlan::new("edus", "Every EDU has a type and a content.")
            .of(&["SS-TXN-017"])
            .asking("edu.malformed", edus),
        CheckPlan::new(
            "results",
            "The response to a transaction has results only for the events of that transaction.",
        )
        .of(&["SS-PDU-011", "SS-REDACT-001", "SS-REDACT-007"])
        .answering("transaction.other_id", results),
    ],
    ..Scenario::PASSIVE
}];

fn whole(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let body = transaction(said)?;
    let right = [
        ("origin", body["origin"].as_str() == traffic.name(&said.from)),
        ("origin_server_ts", body["origin_server_ts"].is_i64()),
        ("pdus", body["pdus"].is_array()),
    ];
    let wrong = right.into_iter().find(|(_, right)| !right);
    Some(Finding::of(wrong.map(|(name, _)| message!("wire.wrong-field", of = "a transaction", field = name))))
}

fn limits(_: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let body = transaction(said)?;
    let over = [("pdus", 50), ("edus", 100)]
        .into_iter()
        .find(|(list, most)| body[list].as_array().is_some_and(|list| list.len() > *most));
    Some(Finding::of(over.map(|(list, most)| message!("wire.too-many", most = most, list = list))))
}

fn edus(_: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let body = transaction(said)?;
    let edus = body["edus"].as_array().cloned().unwrap_or_default();
    first_wrong(edus, |edu| {
        let right = edu["edu_type"].is_string() && edu["content"].is_object();
        (!right).then(|| message!("wire.edu"))
    })
}

fn results(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    // A transaction under a used transaction ID may get the response to the first one.
    if traffic.is_admitted(&said.id.to_string()) {
        return None;
    }
    let body = transaction(said)?;
    let results = said.answer["pdus"].as_object().filter(|_| said.status == Some(200))?;
    // An event that cannot be read has no known ID, and then the results cannot be compared.
    let all_read = body["pdus"].as_array().is_some_and(|pdus| pdus.len() == said.asked_with.len());
    let is_sent = |id: &str| said.asked_with.iter().any(|event| event.id() == id);
    (all_read && !results.is_empty()).then(|| {
        let stray = results.keys().find(|id| !is_sent(id));
        Finding::of(stray.map(|id| message!("wire.other-result", event = id)))
    })
}
