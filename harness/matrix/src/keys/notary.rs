//! Notaries: keys of a server by way of another (server-server API, querying keys through another server).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{KeyDocument, KeyDocumentError, KeyRing, SigningKey, signing::signed_json, verify_bytes};

/// What a notary answers: `server_keys` with its own signature added to each document. What is no object is passed on as
/// it stands.
pub fn notary_answer(documents: &[Value], notary: &str, key: &SigningKey) -> Value {
    let mut documents = documents.to_vec();
    for object in documents.iter_mut().filter_map(Value::as_object_mut) {
        key.sign_json(object, notary);
    }
    json!({ "server_keys": documents })
}

/// What is wrong with an entry of a notary's answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotaryFault {
    /// The answer has no list `server_keys`.
    #[error("the answer has no list server_keys")]
    NoList,
    /// Nobody asked for this server.
    #[error("nobody asked for the keys of {0:?}")]
    NotAsked(String),
    /// The queried server's own document is not to be believed.
    #[error("the document of {0:?}: {1}")]
    Document(String, KeyDocumentError),
    /// The notary has not signed the document with a key that is known and valid.
    #[error("the notary did not sign the document of {0:?}")]
    NotSigned(String),
    /// A signature of the notary is wrong.
    #[error("the notary's signature on the document of {0:?} is wrong")]
    BadSignature(String),
}

/// A notary's answer, entry by entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotaryAnswer {
    /// What can be believed, as its own server signed it and the notary did.
    pub documents: Vec<KeyDocument>,
    /// What cannot.
    pub faults: Vec<NotaryFault>,
}

impl NotaryAnswer {
    /// Reads an answer of `notary` on the keys of `asked`, at a time in milliseconds since 1970.
    pub fn read(answer: &Value, notary: &str, asked: &BTreeSet<String>, keys: &KeyRing, now: u64) -> Self {
        let mut read = Self::default();
        let Some(entries) = answer["server_keys"].as_array() else {
            read.faults.push(NotaryFault::NoList);
            return read;
        };
        for entry in entries {
            match read_entry(entry, notary, asked, keys, now) {
                Ok(document) => read.documents.push(document),
                Err(fault) => read.faults.push(fault),
            }
        }
        read
    }
}

fn read_entry(
    entry: &Value,
    notary: &str,
    asked: &BTreeSet<String>,
    keys: &KeyRing,
    now: u64,
) -> Result<KeyDocument, NotaryFault> {
    let name = entry["server_name"].as_str().unwrap_or_default().to_owned();
    if !asked.contains(&name) {
        return Err(NotaryFault::NotAsked(name));
    }
    let document =
        KeyDocument::verify(entry, &name).map_err(|error| NotaryFault::Document(name.clone(), error))?;
    let form = entry.as_object().map(signed_json).unwrap_or_default();
    let mut signed = false;
    for (id, signature) in entry["signatures"][notary].as_object().into_iter().flatten() {
        let Some(key) = keys.for_request(notary, id, now) else { continue };
        if !signature.as_str().is_some_and(|signature| verify_bytes(key, signature, &form)) {
            return Err(NotaryFault::BadSignature(name));
        }
        signed = true;
    }
    if signed { Ok(document) } else { Err(NotaryFault::NotSigned(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SS-KEYS-021, 022 and 034.
    #[test]
    fn both_signatures_have_to_be_right() {
        let [own, notary] = [1, 2].map(|seed| SigningKey::from_seed(&[seed; 32], "1").unwrap());
        let ring = KeyRing::new().with("n.test", &notary);
        let asked = BTreeSet::from(["a.test".to_owned()]);
        let read = |answer: &Value| NotaryAnswer::read(answer, "n.test", &asked, &ring, 5);
        let document = own.document("a.test", 100).unwrap();
        let good = notary_answer(std::slice::from_ref(&document), "n.test", &notary);
        assert_eq!(read(&good).documents.len(), 1);
        assert_eq!(read(&good).faults, []);

        let a = || "a.test".to_owned();
        let not_signed = json!({"server_keys": [&document]});
        assert_eq!(read(&not_signed).faults, [NotaryFault::NotSigned(a())]);
        let wrong = notary_answer(std::slice::from_ref(&document), "n.test", &own);
        assert_eq!(read(&wrong).faults, [NotaryFault::BadSignature(a())]);
        let other = notary_answer(&[own.document("b.test", 100).unwrap()], "n.test", &notary);
        assert_eq!(read(&other).faults, [NotaryFault::NotAsked("b.test".into())]);
        let mut forged = document;
        forged["valid_until_ts"] = json!(200);
        let forged = notary_answer(&[forged], "n.test", &notary);
        assert!(matches!(read(&forged).faults[..], [NotaryFault::Document(..)]));
        assert_eq!(read(&json!([])).faults, [NotaryFault::NoList]);
        assert_eq!(read(&notary_answer(&[], "n.test", &notary)), NotaryAnswer::default());
    }
}
