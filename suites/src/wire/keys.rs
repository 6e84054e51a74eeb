//! Key documents (server-server API, publishing keys).

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use samklang_runner::{
    judging::rule::RuleFinding,
    traffic::{Traffic, exchange::ExchangeHalf},
};

use super::first_wrong;
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "wire.key-documents",
    title: "The keys and signatures in the server's key document are well formed.",
    catalogue: &["FC-04"],
    versions: Versions::Newest,
    requirements: &["SS-KEYS-003"],
    checks: &[
        CheckPlan::new(
            "ids",
            "Every signing key ID in the server's key document has the form algorithm:version.",
        )
        .of(&["SS-KEYS-003"])
        .for_responses("keys.odd_id", ids),
        CheckPlan::new(
            "keys",
            "Every Ed25519 key in the server's key document is unpadded base64 of 32 bytes.",
        )
        .of(&["SS-KEYS-004", "SS-CJSON-014"])
        .for_responses("keys.odd_key", keys),
        CheckPlan::new("unpadded", "The signatures on the server's key document are base64 without padding.")
            .of(&["SS-CJSON-014"])
            .for_responses("keys.padded", unpadded),
    ],
    ..Scenario::PASSIVE
}];

/// Whether a text has the form algorithm:version (server-server API, publishing keys).
pub(super) fn is_key_id(id: &str) -> bool {
    let word = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    id.split_once(':').is_some_and(|(algorithm, version)| word(algorithm) && word(version))
}

/// The key document in the response.
fn document<'a>(half: &'a ExchangeHalf<'_>) -> Option<&'a Value> {
    let is_one = half.exchange.status == Some(200)
        && half.exchange.path_only().starts_with(endpoints::SERVER_KEYS.template);
    is_one.then_some(half.body)
}

/// The keys in a key document, each with its ID.
fn listed<'a>(half: &'a ExchangeHalf<'_>) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let document = document(half);
    let lists = ["verify_keys", "old_verify_keys"].map(|list| document.map(|document| &document[list]));
    let keys = lists.into_iter().flatten().filter_map(Value::as_object).flatten();
    keys.map(|(id, key)| (id.as_str(), &key["key"]))
}

fn ids(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(listed(half), |(id, _)| (!is_key_id(id)).then(|| message!("wire.key-id", key_id = id)))
}

fn keys(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let ed25519 = listed(half).filter(|(id, _)| id.starts_with("ed25519:"));
    first_wrong(ed25519, |(id, key)| {
        let bytes = key.as_str().and_then(|key| STANDARD_NO_PAD.decode(key).ok());
        bytes.is_none_or(|bytes| bytes.len() != 32).then(|| message!("wire.key", key_id = id, key = key))
    })
}

fn unpadded(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let servers = document(half)?["signatures"].as_object().into_iter().flat_map(serde_json::Map::values);
    let signatures = servers.filter_map(Value::as_object).flat_map(serde_json::Map::values);
    first_wrong(signatures.filter_map(Value::as_str), |signature| {
        signature.ends_with('=').then(|| message!("wire.key-document-padding"))
    })
}
