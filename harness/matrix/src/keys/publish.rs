//! Writes key documents, honest and false ones (server-server API, publishing keys).

use serde_json::{Map, Value, json};

use super::SigningKey;

/// A key document in the making: the response to `GET /_matrix/key/v2/server`.
///
/// ```text
///   KeyPublication::new("peer.test", until).current(&new).old(&old, expired).build()
///
///   verify_keys      new ──── signs the document
///   old_verify_keys  old, expired_ts
/// ```
#[derive(Debug)]
pub struct KeyPublication<'a> {
    server_name: String,
    valid_until_ts: u64,
    current: Vec<&'a SigningKey>,
    old: Vec<(&'a SigningKey, u64)>,
    signers: Option<Vec<&'a SigningKey>>,
}

impl<'a> KeyPublication<'a> {
    /// A document without keys, valid until a time in milliseconds since 1970.
    pub fn new(server_name: &str, valid_until_ts: u64) -> Self {
        Self {
            server_name: server_name.to_owned(),
            valid_until_ts,
            current: vec![],
            old: vec![],
            signers: None,
        }
    }

    /// Lists a key in `verify_keys`.
    #[must_use]
    pub fn current(mut self, key: &'a SigningKey) -> Self {
        self.current.push(key);
        self
    }

    /// Lists a key in `old_verify_keys` as one that stopped being used at `expired_ts`.
    #[must_use]
    pub fn old(mut self, key: &'a SigningKey, expired_ts: u64) -> Self {
        self.old.push((key, expired_ts));
        self
    }

    /// Signs with these keys instead of all current ones; there may be none.
    #[must_use]
    pub fn signed_by(mut self, keys: &[&'a SigningKey]) -> Self {
        self.signers = Some(keys.to_vec());
        self
    }

    /// The document.
    pub fn build(&self) -> Value {
        let current: Map<_, _> =
            self.current.iter().map(|key| (key.id().into(), json!({"key": key.public_base64()}))).collect();
        let old = self.old.iter().map(|(key, expired_ts)| {
            (key.id().into(), json!({"key": key.public_base64(), "expired_ts": expired_ts}))
        });
        let mut object = Map::from_iter([
            ("server_name".to_owned(), json!(self.server_name)),
            ("valid_until_ts".to_owned(), json!(self.valid_until_ts)),
            ("verify_keys".to_owned(), Value::Object(current)),
            ("old_verify_keys".to_owned(), Value::Object(old.collect())),
        ]);
        for key in self.signers.as_ref().unwrap_or(&self.current) {
            key.sign_json(&mut object, &self.server_name);
        }
        Value::Object(object)
    }
}
