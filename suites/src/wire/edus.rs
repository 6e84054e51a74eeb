//! EDUs: their form, and the users whom they concern (server-server API, EDUs).

use samklang_matrix::{
    endpoints::{Field, boolean, integer, string},
    server_of,
};
use samklang_runner::{
    judging::rule::RuleFinding,
    traffic::wire_view::role_of,
    traffic::{Traffic, exchange::ExchangeHalf},
};

use super::{first_wrong, transaction, wrong_field};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "wire.signals",
        title: "The server sends well-formed EDUs, and only for its own users.",
        catalogue: &["SH-06"],
        versions: Versions::Newest,
        requirements: &["SS-TYPING-001"],
        checks: &[
            CheckPlan::new("typing", "Every m.typing EDU that the server sends contains room_id, user_id and typing.")
                .of(&["SS-TYPING-001"])
                .for_requests("edu.malformed", typing_form),
            CheckPlan::new("receipts", "Every receipt that the server sends in an m.receipt EDU contains exactly one event ID and a timestamp.")
                .of(&["SS-RECEIPT-001", "SS-RECEIPT-002"])
                .for_requests("edu.malformed", receipts),
            CheckPlan::new("presence", "Every presence update that the server sends contains user_id, presence and last_active_ago.")
                .of(&["SS-PRESENCE-002"])
                .for_requests("edu.malformed", presence_form),
            CheckPlan::new("own-users", "The server sends EDUs only for its own users.")
                .of(&["SS-PRESENCE-003"])
                .for_requests("edu.foreign_user", own_users),
            CheckPlan::new("no-user-signing-key", "An m.signing_key_update EDU that the server sends never contains a user-signing key.")
                .of(&["SS-XSIGN-003"])
                .for_requests("edu.user_signing_key", no_user_signing_key),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.receipt-types",
        title: "The server sends only public read receipts to other servers.",
        weight: Weight::Should,
        catalogue: &["SH-06"],
        versions: Versions::Newest,
        requirements: &["SS-RECEIPT-009"],
        checks: &[CheckPlan::new(
            "read",
            "Every receipt that the server sends in an m.receipt EDU has the type m.read.",
        )
        .for_requests("edu.other_receipt", only_read)],
        ..Scenario::PASSIVE
    },
];

/// The contents of the EDUs of a type in a transaction.
pub(super) fn contents<'a>(half: &'a ExchangeHalf<'_>, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    let is_request = half.is_request;
    let body = transaction(half).filter(|_| is_request);
    let edus = body.and_then(|body| body["edus"].as_array()).into_iter().flatten();
    edus.filter(move |edu| edu["edu_type"] == *kind).map(|edu| &edu["content"])
}

const TYPING: &[Field] = &[string("room_id"), string("user_id"), boolean("typing")];
const PRESENCE: &[Field] = &[string("user_id"), string("presence"), integer("last_active_ago")];

fn typing_form(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(contents(half, "m.typing"), |typing| wrong_field("m.typing", typing, TYPING))
}

/// The receipts of an `m.receipt`, each with its type and its user.
fn entries(receipts: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let rooms = receipts.as_object().into_iter().flat_map(serde_json::Map::values);
    let kinds = rooms.filter_map(Value::as_object).flatten();
    kinds.flat_map(|(kind, users)| {
        let users = users.as_object().into_iter().flatten();
        users.map(move |(user, receipt)| (kind.as_str(), user.as_str(), receipt))
    })
}

fn receipts(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(contents(half, "m.receipt").flat_map(entries), |(.., receipt)| {
        let one = receipt["event_ids"].as_array().is_some_and(|ids| ids.len() == 1 && ids[0].is_string());
        let timed = receipt["data"]["ts"].is_i64();
        (!one || !timed).then(|| message!("wire.receipt", receipt = receipt))
    })
}

fn only_read(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(contents(half, "m.receipt").flat_map(entries), |(kind, ..)| {
        (kind != "m.read").then(|| message!("wire.receipt-type", kind = kind))
    })
}

fn pushed<'a>(half: &'a ExchangeHalf<'_>) -> impl Iterator<Item = &'a Value> {
    contents(half, "m.presence").flat_map(|presence| presence["push"].as_array().into_iter().flatten())
}

fn presence_form(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(contents(half, "m.presence"), |presence| {
        let Some(pushed) = presence["push"].as_array() else {
            return Some(message!("wire.wrong-field", of = "m.presence", field = "push"));
        };
        pushed.iter().find_map(|push| {
            let known = ["online", "unavailable", "offline"].iter().any(|state| push["presence"] == **state);
            let odd = (!known).then(|| message!("wire.presence", presence = push["presence"]));
            wrong_field("m.presence", push, PRESENCE).or(odd)
        })
    })
}

/// The users whom the EDUs of a transaction concern.
fn users_concerned<'a>(half: &'a ExchangeHalf<'_>) -> impl Iterator<Item = &'a str> {
    let named = |kind: &'static str, key: &'static str| {
        contents(half, kind).filter_map(move |content| content[key].as_str())
    };
    let users = named("m.typing", "user_id").chain(named("m.device_list_update", "user_id"));
    let senders = named("m.direct_to_device", "sender").chain(named("m.signing_key_update", "user_id"));
    let present = pushed(half).filter_map(|push| push["user_id"].as_str());
    let readers = contents(half, "m.receipt").flat_map(entries).map(|(_, user, _)| user);
    users.chain(senders).chain(present).chain(readers)
}

fn own_users(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    // Only the servers under test are bound: scenarios have peers send such EDUs on purpose.
    let own = traffic.name(half.by).filter(|_| role_of(half.by).is_some())?;
    first_wrong(users_concerned(half), |user| {
        (server_of(user) != Some(own)).then(|| message!("wire.other-servers-user", user = user))
    })
}

fn no_user_signing_key(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(contents(half, "m.signing_key_update"), |update| {
        let held = update.get("user_signing_key").is_some();
        held.then(|| message!("wire.user-signing-key", what = "m.signing_key_update"))
    })
}
