//! Notaries: servers that hand out the keys of other servers (server-server API, querying keys through another server).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{KeyDocument, KeyDocumentError, KeyRing, SigningKey, signing::signed_json, verify_bytes};

/// The response of a notary: `server_keys` with the notary's signature added to each document. An entry that is not an
/// object stays as it is.
pub fn notary_answer(documents: &[Value], notary: &str, key: &SigningKey) -> Value {
    let mut documents = documents.to_vec();
    for object in documents.iter_mut().filter_map(Value::as_object_mut) {
        key.sign_json(object, notary);
    }
    json!({ "server_keys": documents })
}

/// An error in a notary's response or in one of its entries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotaryError {
    /// The response has no list `server_keys`.
    #[error("the response has no list `server_keys`")]
    NoList,
    /// The request was not for this server.
    #[error("the request was not for the keys of {0:?}")]
    NotAsked(String),
    /// The document of the queried server is not valid.
    #[error("the document of {0:?}: {1}")]
    Document(String, KeyDocumentError),
    /// The notary has not signed the document with a key that is known and valid.
    #[error("the notary did not sign the document of {0:?}")]
    NotSigned(String),
    /// A signature of the notary is wrong.
    #[error("the notary's signature on the document of {0:?} is wrong")]
    BadSignature(String),
}

/// A notary's response, entry by entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotaryAnswer {
    /// The documents that their own servers and the notary have signed.
    pub documents: Vec<KeyDocument>,
    /// The errors of the other entries.
    pub errors: Vec<NotaryError>,
}

impl NotaryAnswer {
    /// Reads a response of `notary` about the keys of the servers `asked`; `now` is in milliseconds since 1970.
    pub fn read(answer: &Value, notary: &str, asked: &BTreeSet<String>, keys: &KeyRing, now: u64) -> Self {
        let mut read = Self::default();
        let Some(entries) = answer["server_keys"].as_array() else {
            read.errors.push(NotaryError::NoList);
            return read;
        };
        for entry in entries {
            match read_entry(entry, notary, asked, keys, now) {
                Ok(document) => read.documents.push(document),
                Err(error) => read.errors.push(error),
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
) -> Result<KeyDocument, NotaryError> {
    let name = entry["server_name"].as_str().unwrap_or_default().to_owned();
    if !asked.contains(&name) {
        return Err(NotaryError::NotAsked(name));
    }
    let document =
        KeyDocument::verify(entry, &name).map_err(|error| NotaryError::Document(name.clone(), error))?;
    let form = entry.as_object().map(signed_json).unwrap_or_default();
    let mut signed = false;
    for (id, signature) in entry["signatures"][notary].as_object().into_iter().flatten() {
        let Some(key) = keys.for_request(notary, id, now) else { continue };
        if !signature.as_str().is_some_and(|signature| verify_bytes(key, signature, &form)) {
            return Err(NotaryError::BadSignature(name));
        }
        signed = true;
    }
    if signed { Ok(document) } else { Err(NotaryError::NotSigned(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SS-KEYS-021, 022 and 034.
    #[test]
    fn both_signatures_have_to_be_valid() {
        let [own, notary] = [1, 2].map(|seed| SigningKey::from_seed(&[seed; 32], "1").unwrap());
        let ring = KeyRing::new().with("n.test", &notary);
        let asked = BTreeSet::from(["a.test".to_owned()]);
        let read = |answer: &Value| NotaryAnswer::read(answer, "n.test", &asked, &ring, 5);
        let document = own.document("a.test", 100).unwrap();
        let good = notary_answer(std::slice::from_ref(&document), "n.test", &notary);
        assert_eq!(read(&good).documents.len(), 1);
        assert_eq!(read(&good).errors, []);

        let a = || "a.test".to_owned();
        let not_signed = json!({"server_keys": [&document]});
        assert_eq!(read(&not_signed).errors, [NotaryError::NotSigned(a())]);
        let wrong = notary_answer(std::slice::from_ref(&document), "n.test", &own);
        assert_eq!(read(&wrong).errors, [NotaryError::BadSignature(a())]);
        let other = notary_answer(&[own.document("b.test", 100).unwrap()], "n.test", &notary);
        assert_eq!(read(&other).errors, [NotaryError::NotAsked("b.test".into())]);
        let mut forged = document;
        forged["valid_until_ts"] = json!(200);
        let forged = notary_answer(&[forged], "n.test", &notary);
        assert!(matches!(read(&forged).errors[..], [NotaryError::Document(..)]));
        assert_eq!(read(&json!([])).errors, [NotaryError::NoList]);
        assert_eq!(read(&notary_answer(&[], "n.test", &notary)), NotaryAnswer::default());
    }
}
