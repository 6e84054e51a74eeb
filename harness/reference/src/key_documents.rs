//! The server's own key document, and those of other servers (server-server API, publishing keys, retrieving server keys).

use std::collections::BTreeMap;

use bytes::Bytes;
use samklang_matrix::{
    KeyDocument, KeyDocumentError, KeyPublication,
    endpoints::{SERVER_KEYS, paths},
};
use serde_json::Value;

use crate::{clock::now_ms, fault::Fault, homeserver::Homeserver};

/// A server that takes part in no run.
const NOTARY: &str = "notary.invalid";
/// How long a key document is valid: a day, longer than any run.
const KEY_LIFE_MS: u64 = 24 * 60 * 60 * 1000;

/// The document in which the server publishes its key.
pub(crate) fn key_document(home: &Homeserver) -> Value {
    if let Some(published) = home.store().keys.publication.clone() {
        return published;
    }
    let valid_until = now_ms().saturating_add(KEY_LIFE_MS);
    let document = KeyPublication::new(home.name(), valid_until).current(home.key()).build();
    home.identity().key_document(document)
}

/// Fetches the keys of a server that are not known yet or have changed; returns whether the server returned any.
pub(crate) async fn fetch_keys(home: &Homeserver, server: &str) -> bool {
    if home.has(Fault::KeysNotFetchedAgain) && home.store().keys.ring.knows(server) {
        return false;
    }
    if home.has(Fault::KeysByNotary) {
        ask_notary(home, server).await;
    }
    let response = request_keys(home, server).await;
    let document = response.and_then(|document| accepted(home, &document, server).ok());
    let Some(document) = document else { return false };
    home.store().keys.ring.learn(&document, now_ms());
    true
}

/// Asks a notary for a server's keys. The server itself is asked whatever the notary responds.
async fn ask_notary(home: &Homeserver, server: &str) {
    let target = paths::key_query(server);
    let _ = home.transport().request("GET", NOTARY, &target, &[], Bytes::new()).await;
}

async fn request_keys(home: &Homeserver, server: &str) -> Option<Value> {
    let response = home.transport().request("GET", server, SERVER_KEYS.template, &[], Bytes::new()).await;
    response.ok().map(|response| response.json())
}

/// The key document of another server, if it is valid.
pub(crate) async fn fetch_document(home: &Homeserver, server: &str) -> Option<Value> {
    let document = request_keys(home, server).await?;
    KeyDocument::verify(&document, server).is_ok().then_some(document)
}

/// The keys that the server accepts from a document which `server` returned.
fn accepted(home: &Homeserver, json: &Value, server: &str) -> Result<KeyDocument, KeyDocumentError> {
    if skips_verification(home, json, server) {
        return Ok(unverified(json, server));
    }
    let mut document = KeyDocument::verify(json, server)?;
    if home.has(Fault::RetiredKeysAccepted) {
        let retired = std::mem::take(&mut document.old_verify_keys);
        document.verify_keys.extend(retired.into_iter().map(|(id, old)| (id, old.key)));
    }
    Ok(document)
}

fn skips_verification(home: &Homeserver, json: &Value, server: &str) -> bool {
    (home.has(Fault::KeysUnverified) && json["server_name"] == server) || home.has(Fault::KeysOfAnotherServer)
}

fn unverified(json: &Value, server: &str) -> KeyDocument {
    let keys = json["verify_keys"].as_object().into_iter().flatten();
    KeyDocument {
        server_name: server.to_owned(),
        verify_keys: keys
            .filter_map(|(id, key)| Some((id.clone(), key["key"].as_str()?.to_owned())))
            .collect(),
        old_verify_keys: BTreeMap::new(),
        valid_until_ts: json["valid_until_ts"].as_u64().unwrap_or_default(),
    }
}
