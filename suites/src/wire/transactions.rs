//! Transactions (server-server API, transactions).

use samklang_runner::{
    passive::{Finding, Side},
    traffic::{Heard, Traffic},
};

use super::{first_wrong, transaction};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "wire.transactions",
    title: "Transactions are whole and within their limits.",
    catalogue: &["FC-14"],
    requirements: &["SS-TXN-001"],
    checks: &[
        CheckPlan::new("whole", "A transaction names its origin and its time and has a list of PDUs.")
            .of(&["SS-TXN-001"]),
        CheckPlan::new("limits", "A transaction holds at most 50 PDUs and 100 EDUs.").of(&["SS-TXN-002"]),
        CheckPlan::new("edus", "Each EDU has a type and a content.").of(&["SS-TXN-017"]),
    ],
    play: play!(transactions),
    ..Scenario::PASSIVE
}];

async fn transactions(scene: &Scene) -> Result<(), Failure> {
    scene.judge_wire("whole", "transaction.incomplete", Side::Asking, whole);
    scene.judge_wire("limits", "transaction.too_large", Side::Asking, limits);
    scene.judge_wire("edus", "edu.malformed", Side::Asking, edus);
    Ok(())
}

fn whole(traffic: &Traffic, exchange: &Heard) -> Option<Finding> {
    let body = transaction(exchange)?;
    let right = [
        ("origin", body["origin"].as_str() == traffic.name(&exchange.from)),
        ("origin_server_ts", body["origin_server_ts"].is_i64()),
        ("pdus", body["pdus"].is_array()),
    ];
    let wrong = right.into_iter().find(|(_, right)| !right);
    Some(Finding::of(wrong.map(|(name, _)| format!("a transaction has no right {name}"))))
}

fn limits(_: &Traffic, exchange: &Heard) -> Option<Finding> {
    let body = transaction(exchange)?;
    let over = [("pdus", 50), ("edus", 100)]
        .into_iter()
        .find(|(list, most)| body[list].as_array().is_some_and(|list| list.len() > *most));
    Some(Finding::of(over.map(|(list, most)| format!("a transaction holds more than {most} {list}"))))
}

fn edus(_: &Traffic, exchange: &Heard) -> Option<Finding> {
    let body = transaction(exchange)?;
    let edus = body["edus"].as_array().cloned().unwrap_or_default();
    first_wrong(edus, |edu| {
        let right = edu["edu_type"].is_string() && edu["content"].is_object();
        (!right).then(|| "an EDU lacks its type or its content".to_owned())
    })
}
