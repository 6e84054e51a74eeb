//! The server's own key document, and those of others (server-server API, publishing keys, retrieving server keys).

use std::collections::BTreeMap;

use bytes::Bytes;
use samklang_matrix::{KeyDocument, KeyDocumentError, KeyPublication, SigningKey};
use serde_json::{Value, json};

use crate::{
    fault::Fault,
    homeserver::{Homeserver, now_ms},
    joining::segment,
};

/// A server that has no part in any run.
const NOTARY: &str = "notary.invalid";
/// How long a key document is valid: a day, longer than any run.
const KEY_LIFE_MS: u64 = 24 * 60 * 60 * 1000;

impl Homeserver {
    /// The document that it publishes its key in.
    pub fn key_document(&self) -> Value {
        if let Some(published) = self.known().publication.clone() {
            return published;
        }
        let life = if self.has(Fault::KeyDocumentShortLived) { 60_000 } else { KEY_LIFE_MS };
        let publication = KeyPublication::new(self.name(), now_ms().saturating_add(life)).current(self.key());
        if self.has(Fault::KeyDocumentUnsigned) {
            return publication.signed_by(&[]).build();
        }
        if self.has(Fault::KeyDocumentSignedByOne)
            && let Ok(second) = SigningKey::from_seed(&[7; 32], "second")
        {
            return publication.current(&second).signed_by(&[self.key()]).build();
        }
        self.oddly(publication.build())
    }

    /// The document, with what is odd about it signed over.
    fn oddly(&self, mut document: Value) -> Value {
        let id = self.key().id().to_owned();
        if self.has(Fault::KeyDocumentPadded) {
            document["verify_keys"][&id]["key"] = json!(format!("{}=", self.key().public_base64()));
        } else if self.has(Fault::KeyDocumentOddId) {
            document["verify_keys"]["second"] = json!({"key": self.key().public_base64()});
        } else if self.has(Fault::KeyDocumentWithoutTime) {
            document["valid_until_ts"] = Value::Null;
        } else if self.has(Fault::KeyDocumentOddOldKeys) {
            document["old_verify_keys"]["ed25519:old"] = json!({"key": self.key().public_base64()});
        } else if self.has(Fault::KeyDocumentSignaturesPadded) {
            for signature in document["signatures"][self.name()].as_object_mut().into_iter().flatten() {
                *signature.1 = json!(format!("{}==", signature.1.as_str().unwrap_or_default()));
            }
            return document;
        } else {
            return document;
        }
        if let Some(object) = document.as_object_mut() {
            object.remove("signatures");
            self.key().sign_json(object, self.name());
        }
        document
    }

    /// Fetches the keys of a server that it does not know yet, or whose keys have changed; whether it gave any.
    pub(crate) async fn learn_keys(&self, server: &str) -> bool {
        if self.has(Fault::KeysNotFetchedAgain) && self.known().ring.knows(server) {
            return false;
        }
        if self.has(Fault::KeysByNotary) {
            let target = format!("/_matrix/key/v2/query/{}", segment(server));
            // The server itself is asked whatever comes of it.
            let _ = self.transport().request("GET", NOTARY, &target, &[], Bytes::new()).await;
        }
        let answer =
            self.transport().request("GET", server, "/_matrix/key/v2/server", &[], Bytes::new()).await;
        let document = answer.ok().and_then(|answer| self.believed(&answer.json(), server).ok());
        let Some(document) = document else { return false };
        self.known().ring.learn(&document, now_ms());
        true
    }

    /// The document that another server publishes, if it proves itself.
    pub(crate) async fn fetch_document(&self, server: &str) -> Option<Value> {
        let answer = self
            .transport()
            .request("GET", server, "/_matrix/key/v2/server", &[], Bytes::new())
            .await
            .ok()?;
        let document = answer.json();
        KeyDocument::verify(&document, server).is_ok().then_some(document)
    }

    /// What is believed of a document that `server` gave.
    fn believed(&self, json: &Value, server: &str) -> Result<KeyDocument, KeyDocumentError> {
        if self.has(Fault::KeysUnproven) && json["server_name"] == server {
            return Ok(unproven(json, server));
        }
        if self.has(Fault::KeysOfAnotherName) {
            return Ok(unproven(json, server));
        }
        let mut document = KeyDocument::verify(json, server)?;
        if self.has(Fault::RetiredKeysBelieved) {
            let retired = std::mem::take(&mut document.old_verify_keys);
            document.verify_keys.extend(retired.into_iter().map(|(id, old)| (id, old.key)));
        }
        Ok(document)
    }
}

/// A document that nobody has verified.
fn unproven(json: &Value, server: &str) -> KeyDocument {
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
