//! Server signing keys, the documents that publish them, and their validity.

mod document;
mod notary;
mod publish;
mod ring;
mod signing;

pub use document::{KeyDocument, KeyDocumentError, OldKey};
pub use notary::{NotaryAnswer, NotaryError, notary_answer};
pub use publish::KeyPublication;
pub use ring::{KeyRing, MAX_VALIDITY_MS};
#[cfg(test)]
pub(crate) use signing::PUBLISHED_SEED;
pub use signing::SigningKey;
pub(crate) use signing::{insert_signature, signed_json, verify_bytes};
