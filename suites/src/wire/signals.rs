//! Signals (EDUs): their form, and whom they speak for (server-server API, EDUs).

use samklang_matrix::server_of;
use samklang_runner::{
    passive::{Finding, Side},
    traffic::{Heard, Traffic},
    wire::role_of,
};

use super::{first_wrong, transaction};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "wire.signals",
    title: "Typing, receipts, presence and devices are told in their form, for one's own users alone.",
    catalogue: &["SH-06"],
    requirements: &["SS-TYPING-001"],
    checks: &[
        CheckPlan::new("typing", "m.typing names room and user and says whether it is so.")
            .of(&["SS-TYPING-001"]),
        CheckPlan::new("receipts", "Each receipt names one event and its time.")
            .of(&["SS-RECEIPT-001", "SS-RECEIPT-002"]),
        CheckPlan::new("presence", "Presence names user, presence and last activity.")
            .of(&["SS-PRESENCE-002"]),
        CheckPlan::new("own-users", "Only users of the sending server are told of.").of(&["SS-PRESENCE-003"]),
        CheckPlan::new("devices", "A device list update names user, device and stream.")
            .of(&["SS-DEVLIST-010"]),
        CheckPlan::new("no-user-signing-key", "The user-signing key never leaves its server.")
            .of(&["SS-XSIGN-003"]),
    ],
    play: play!(signals),
    ..Scenario::PASSIVE
}];

async fn signals(scene: &Scene) -> Result<(), Failure> {
    scene.judge_wire("typing", "edu.malformed", Side::Asking, typing_form);
    scene.judge_wire("receipts", "edu.malformed", Side::Asking, receipts);
    scene.judge_wire("presence", "edu.malformed", Side::Asking, presence_form);
    scene.judge_wire("own-users", "edu.foreign_user", Side::Asking, own_users);
    scene.judge_wire("devices", "edu.malformed", Side::Asking, devices);
    scene.judge_wire("no-user-signing-key", "edu.user_signing_key", Side::Asking, no_user_signing_key);
    Ok(())
}

/// The contents of the EDUs of a type in a transaction.
fn contents(exchange: &Heard, kind: &str) -> Vec<Value> {
    let body = transaction(exchange).unwrap_or_default();
    let edus = body["edus"].as_array().into_iter().flatten();
    edus.filter(|edu| edu["edu_type"] == *kind).map(|edu| edu["content"].clone()).collect()
}

fn lacks(what: &str, fields: &[(&str, bool)]) -> Option<String> {
    let missing = fields.iter().find(|(_, right)| !right);
    missing.map(|(name, _)| format!("{what} has no right {name}"))
}

fn typing_form(_: &Traffic, exchange: &Heard) -> Option<Finding> {
    first_wrong(contents(exchange, "m.typing"), |typing| {
        let fields = [
            ("room_id", typing["room_id"].is_string()),
            ("user_id", typing["user_id"].is_string()),
            ("typing", typing["typing"].is_boolean()),
        ];
        lacks("m.typing", &fields)
    })
}

/// Each reader's receipts in an `m.receipt`.
fn readers(receipts: &Value) -> Vec<(String, Value)> {
    let rooms = receipts.as_object().into_iter().flat_map(serde_json::Map::values);
    let kinds = rooms.filter_map(Value::as_object).flat_map(serde_json::Map::values);
    let users = kinds.filter_map(Value::as_object).flatten();
    users.map(|(user, receipt)| (user.clone(), receipt.clone())).collect()
}

fn receipts(_: &Traffic, exchange: &Heard) -> Option<Finding> {
    let all = contents(exchange, "m.receipt");
    first_wrong(all.iter().flat_map(readers), |(_, receipt)| {
        let fields = [
            ("event_ids", receipt["event_ids"].as_array().is_some_and(|ids| ids.len() == 1)),
            ("data.ts", receipt["data"]["ts"].is_i64()),
        ];
        lacks("a receipt", &fields)
    })
}

fn pushed(exchange: &Heard) -> Vec<Value> {
    let all = contents(exchange, "m.presence");
    all.iter().flat_map(|presence| presence["push"].as_array().cloned().unwrap_or_default()).collect()
}

fn presence_form(_: &Traffic, exchange: &Heard) -> Option<Finding> {
    first_wrong(pushed(exchange), |push| {
        let states = ["online", "unavailable", "offline"];
        let fields = [
            ("user_id", push["user_id"].is_string()),
            ("presence", push["presence"].as_str().is_some_and(|state| states.contains(&state))),
            ("last_active_ago", push["last_active_ago"].is_i64()),
        ];
        lacks("m.presence", &fields)
    })
}

/// Everybody whom the EDUs of a transaction speak for.
fn spoken_for(exchange: &Heard) -> Vec<String> {
    let text = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
    let typing = contents(exchange, "m.typing");
    let devices = contents(exchange, "m.device_list_update");
    let to_device = contents(exchange, "m.direct_to_device");
    let receipts = contents(exchange, "m.receipt");
    let users = typing.iter().chain(&devices).filter_map(|content| text(content, "user_id"));
    let senders = to_device.iter().filter_map(|content| text(content, "sender"));
    let pushed = pushed(exchange);
    let present = pushed.iter().filter_map(|push| text(push, "user_id"));
    let readers = receipts.iter().flat_map(readers).map(|(user, _)| user);
    users.chain(senders).chain(present).chain(readers).collect()
}

fn own_users(traffic: &Traffic, exchange: &Heard) -> Option<Finding> {
    // What peers were told to say of others is admitted by the scenarios that have them say it.
    let own = traffic.name(&exchange.from)?;
    role_of(&exchange.from).is_some().then(|| {
        first_wrong(spoken_for(exchange), |user| {
            (server_of(&user) != Some(own)).then(|| format!("a signal speaks for {user}"))
        })
    })?
}

fn devices(_: &Traffic, exchange: &Heard) -> Option<Finding> {
    first_wrong(contents(exchange, "m.device_list_update"), |update| {
        let fields = [
            ("user_id", update["user_id"].is_string()),
            ("device_id", update["device_id"].is_string()),
            ("stream_id", update["stream_id"].is_i64()),
        ];
        lacks("m.device_list_update", &fields)
    })
}

fn no_user_signing_key(_: &Traffic, exchange: &Heard) -> Option<Finding> {
    let updates = contents(exchange, "m.signing_key_update");
    first_wrong(updates, |update| {
        update
            .get("user_signing_key")
            .is_some()
            .then(|| "m.signing_key_update holds a user-signing key".to_owned())
    })
}
