//! To-device messages, device lists and cross-signing keys (server-server API, send-to-device messaging, device
//! management, end-to-end encryption).

use samklang_matrix::endpoints::{Field, integer, object, optional, string, strings};
use samklang_runner::{
    judging::rule::RuleFinding,
    traffic::{Traffic, exchange::ExchangeHalf},
};

use super::{edus::contents, endpoint, first_wrong, wrong_field};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "wire.to-device",
        title: "The server sends well-formed to-device messages.",
        catalogue: &["SH-06"],
        versions: Versions::Newest,
        requirements: &["SS-TODEV-002"],
        checks: &[
            CheckPlan::new(
                "form",
                "Every m.direct_to_device EDU contains sender, type, message_id and messages by user and device.",
            )
            .of(&["SS-TODEV-002"])
            .for_requests("edu.malformed", to_device),
            CheckPlan::new("id-length", "The message_id of an m.direct_to_device EDU that the server sends has at most 32 characters.")
                .of(&["SS-TODEV-003"])
                .for_requests("edu.long_id", id_length),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.device-lists",
        title: "The server sends well-formed device list updates, so that other servers can keep up.",
        catalogue: &["SH-06"],
        versions: Versions::Newest,
        requirements: &["SS-DEVLIST-005"],
        checks: &[
            CheckPlan::new("form", "Every m.device_list_update EDU contains user_id, device_id and stream_id.")
                .of(&["SS-DEVLIST-010"])
                .for_requests("edu.malformed", devices),
            CheckPlan::new("unique", "The server's device list updates for two devices of a user never contain the same stream_id.")
                .of(&["SS-DEVLIST-005"])
                .for_requests("devices.stream_id_twice", unique),
            CheckPlan::new("unnamed", "The device_display_name in an m.device_list_update EDU is never null.")
                .of(&["SS-DEVLIST-015"])
                .for_requests("devices.empty_name", unnamed),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.device-list-chain",
        title: "The server's device list updates of a user form a chain.",
        weight: Weight::Should,
        catalogue: &["SH-06"],
        versions: Versions::Newest,
        requirements: &["SS-DEVLIST-006"],
        checks: &[CheckPlan::new(
            "chained",
            "Every m.device_list_update EDU later than a user's first contains a non-empty prev_id.",
        )
        .for_requests("devices.not_chained", chained)],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.cross-signing",
        title: "The server sends well-formed cross-signing keys, and never a user-signing key.",
        catalogue: &["SH-06"],
        versions: Versions::Newest,
        requirements: &["SS-XSIGN-002"],
        checks: &[
            CheckPlan::new(
                "form",
                "Every m.signing_key_update EDU contains only user_id, master_key and self_signing_key.",
            )
            .of(&["SS-XSIGN-002"])
            .for_requests("edu.malformed", signing_keys),
            CheckPlan::new(
                "keys",
                "A cross-signing key object contains one key, and that key's ID ends with the key itself.",
            )
            .of(&["SS-XSIGN-009"])
            .for_both("keys.odd_cross_signing", cross_signing),
            CheckPlan::new(
                "no-user-signing-key",
                "No response of the server about a user's devices or keys contains a user-signing key.",
            )
            .of(&["SS-XSIGN-003"])
            .for_responses("keys.user_signing_key", no_user_signing_key),
        ],
        ..Scenario::PASSIVE
    },
];

const TO_DEVICE: &[Field] =
    &[string("sender"), string("type"), string("message_id"), object("messages"), object("messages/*/*")];
const DEVICES: &[Field] = &[
    string("user_id"),
    string("device_id"),
    integer("stream_id"),
    optional(object("keys")),
    optional(strings("keys/algorithms")),
];

fn to_device(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(contents(half, "m.direct_to_device"), |edu| wrong_field("m.direct_to_device", edu, TO_DEVICE))
}

fn id_length(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(contents(half, "m.direct_to_device"), |edu| {
        let length = edu["message_id"].as_str().map_or(0, |id| id.chars().count());
        (length > 32).then(|| message!("wire.message-id-length", length = length))
    })
}

fn devices(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(updates(half), |update| wrong_field("m.device_list_update", update, DEVICES))
}

fn updates<'a>(half: &'a ExchangeHalf<'_>) -> impl Iterator<Item = &'a Value> {
    contents(half, "m.device_list_update")
}

/// The device list updates that a server sent to any server before the update at `place` of this transaction.
fn earlier_updates<'a>(
    traffic: &'a Traffic,
    half: &'a ExchangeHalf<'_>,
    place: usize,
) -> impl Iterator<Item = (&'a samklang_verdict::Party, &'a Value)> {
    let beside = updates(half).take(place).map(|update| (half.to, update));
    let before = traffic.exchanges.iter().take_while(|exchange| exchange.recorded.id < half.exchange.id);
    let own =
        before.filter(|exchange| exchange.recorded.from == *half.by && exchange.recorded.status == Some(200));
    let earlier = own.flat_map(|exchange| {
        let edus = exchange.request["edus"].as_array().into_iter().flatten();
        let updates = edus.filter(|edu| edu["edu_type"] == "m.device_list_update");
        updates.map(|edu| (&exchange.recorded.to, &edu["content"]))
    });
    earlier.chain(beside)
}

/// A server may send the same update to many servers, and again to one that has not accepted it.
fn unique(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let stream = |update: &Value| (update["user_id"].clone(), update["stream_id"].clone());
    first_wrong(updates(half).enumerate(), |(place, update)| {
        let mut same =
            earlier_updates(traffic, half, place).filter(|(_, other)| stream(other) == stream(update));
        let is_used = same.any(|(_, other)| other["device_id"] != update["device_id"]);
        is_used.then(|| message!("wire.stream-id", stream_id = update["stream_id"]))
    })
}

fn unnamed(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(updates(half), |update| {
        let name = update.get("device_display_name");
        (name == Some(&Value::Null)).then(|| message!("wire.null-device-name"))
    })
}

fn chained(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let later = updates(half).enumerate().filter(|(place, update)| {
        let user = &update["user_id"];
        let earlier = |(to, other): (&samklang_verdict::Party, &Value)| {
            to == half.to
                && other["user_id"] == *user
                && other["stream_id"].as_i64() < update["stream_id"].as_i64()
        };
        earlier_updates(traffic, half, *place).any(earlier)
    });
    first_wrong(later, |(_, update)| {
        let named = update["prev_id"].as_array().is_some_and(|ids| !ids.is_empty());
        (!named).then(|| message!("wire.no-prev-id", stream_id = update["stream_id"]))
    })
}

fn signing_keys(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    const FORM: &[Field] =
        &[string("user_id"), optional(object("master_key")), optional(object("self_signing_key"))];
    first_wrong(contents(half, "m.signing_key_update"), |update| {
        let known = |name: &str| FORM.iter().any(|field| field.place == name);
        let stray = update.as_object().into_iter().flat_map(|map| map.keys()).find(|name| !known(name));
        let stray = stray.map(|name| message!("wire.signing-key-update", field = name));
        stray.or_else(|| wrong_field("m.signing_key_update", update, FORM))
    })
}

/// The cross-signing keys in a body: of one user, of several, or in EDUs.
fn cross_signing_keys<'a>(half: &'a ExchangeHalf<'_>) -> Vec<&'a Value> {
    let of_user = ["master_key", "self_signing_key"].map(|name| &half.body[name]);
    let listed = ["master_keys", "self_signing_keys"].map(|name| &half.body[name]);
    let listed = listed.into_iter().filter_map(Value::as_object).flat_map(serde_json::Map::values);
    let updates = contents(half, "m.signing_key_update");
    let updated = updates.flat_map(|update| [&update["master_key"], &update["self_signing_key"]]);
    of_user.into_iter().chain(listed).chain(updated).filter(|key| key.is_object()).collect()
}

fn cross_signing(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(cross_signing_keys(half), |key| {
        let keys: Vec<_> = key["keys"].as_object().into_iter().flatten().collect();
        let right = match keys.as_slice() {
            [(id, key)] => {
                key.as_str().is_some_and(|key| id.split_once(':').is_some_and(|(_, tail)| tail == key))
            }
            _ => false,
        };
        (!right).then(|| message!("wire.cross-signing-key", keys = key["keys"]))
    })
}

fn no_user_signing_key(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let (_, path) = endpoint(half)?;
    let concerns = path.first() == Some(&"user") && half.exchange.status == Some(200);
    let holds = |name: &&&str| half.response[**name].as_object().is_some_and(|keys| !keys.is_empty());
    let held = ["user_signing_key", "user_signing_keys"].iter().find(holds);
    concerns.then(|| {
        RuleFinding::of(held.map(|_| message!("wire.user-signing-key", what = half.exchange.path_only())))
    })
}
