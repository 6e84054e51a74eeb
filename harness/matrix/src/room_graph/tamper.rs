//! The lies of a hostile peer, one at a time.

use serde_json::Value;

use crate::SigningKey;

/// A lie about an event, by the step at which it is told:
///
/// ```text
///   fields ──▶ content hash ──▶ signature ──▶ PDU ──▶ text on the wire
///     ▲             ▲               ▲          ▲            ▲
///  BeforeHash  BeforeSigning    KeyId, Key   AfterSigning  Wire
///                               Unsigned
/// ```
///
/// With `BeforeHash` the hash and the signature match the false fields. With `BeforeSigning` the content hash does not
/// match. With `AfterSigning` the signature need not match either, and the PDU may be any JSON.
pub enum Tamper<'a> {
    /// Changes any field before the hash is taken.
    BeforeHash(Box<dyn FnOnce(&mut Value) + 'a>),
    /// Changes any field, `hashes` included, before the event is signed.
    BeforeSigning(Box<dyn FnOnce(&mut Value) + 'a>),
    /// Changes the signed event.
    AfterSigning(Box<dyn FnOnce(&mut Value) + 'a>),
    /// Changes the text of the PDU: duplicate keys, odd numbers, escapes.
    Wire(Box<dyn FnOnce(String) -> String + 'a>),
    /// Puts the signature under another key id.
    KeyId(String),
    /// Signs with another key, in the name of the sender's server and under the id of the honest key.
    Key(&'a SigningKey),
    /// Does not sign in the name of the sender's server.
    Unsigned,
}

impl std::fmt::Debug for Tamper<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::BeforeHash(_) => "BeforeHash",
            Self::BeforeSigning(_) => "BeforeSigning",
            Self::AfterSigning(_) => "AfterSigning",
            Self::Wire(_) => "Wire",
            Self::KeyId(_) => "KeyId",
            Self::Key(_) => "Key",
            Self::Unsigned => "Unsigned",
        })
    }
}

impl<'a> Tamper<'a> {
    /// [`Tamper::BeforeHash`] by a closure on the raw PDU.
    pub fn before_hash(change: impl FnOnce(&mut Value) + 'a) -> Self {
        Self::BeforeHash(Box::new(change))
    }

    /// [`Tamper::BeforeSigning`] by a closure on the raw PDU.
    pub fn before_signing(change: impl FnOnce(&mut Value) + 'a) -> Self {
        Self::BeforeSigning(Box::new(change))
    }

    /// [`Tamper::AfterSigning`] by a closure on the raw PDU.
    pub fn after_signing(change: impl FnOnce(&mut Value) + 'a) -> Self {
        Self::AfterSigning(Box::new(change))
    }

    /// [`Tamper::Wire`] by a closure on the text.
    pub fn wire(change: impl FnOnce(String) -> String + 'a) -> Self {
        Self::Wire(Box::new(change))
    }
}
