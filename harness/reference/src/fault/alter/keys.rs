//! What is wrong with a server's key document, and with its answers as a notary.

use samklang_matrix::SigningKey;
use serde_json::{Value, json};

use crate::{clock::now_ms, fault::seams::Identity, request::ParsedRequest, response::JsonResult};

pub(in crate::fault) fn ask_for_none(_: &Identity<'_>, request: &mut ParsedRequest) -> Option<JsonResult> {
    request.body = json!({ "server_keys": {} });
    None
}

/// Signs what was altered.
fn sign(own: &Identity<'_>, document: &mut Value) {
    if let Some(object) = document.as_object_mut() {
        object.remove("signatures");
        own.key.sign_json(object, own.name);
    }
}

pub(in crate::fault) fn remove_signatures(_: &Identity<'_>, document: &mut Value) {
    if let Some(object) = document.as_object_mut() {
        object.remove("signatures");
    }
}

pub(in crate::fault) fn pad_signatures(own: &Identity<'_>, document: &mut Value) {
    for (_, signature) in document["signatures"][own.name].as_object_mut().into_iter().flatten() {
        *signature = json!(format!("{}==", signature.as_str().unwrap_or_default()));
    }
}

pub(in crate::fault) fn pad_key(own: &Identity<'_>, document: &mut Value) {
    document["verify_keys"][own.key.id()]["key"] = json!(format!("{}=", own.key.public_base64()));
    sign(own, document);
}

pub(in crate::fault) fn add_invalid_key_id(own: &Identity<'_>, document: &mut Value) {
    document["verify_keys"]["second"] = json!({ "key": own.key.public_base64() });
    sign(own, document);
}

pub(in crate::fault) fn remove_validity(own: &Identity<'_>, document: &mut Value) {
    document["valid_until_ts"] = Value::Null;
    sign(own, document);
}

pub(in crate::fault) fn shorten_validity(own: &Identity<'_>, document: &mut Value) {
    document["valid_until_ts"] = json!(now_ms().saturating_add(60_000));
    sign(own, document);
}

pub(in crate::fault) fn add_old_key_without_expiry(own: &Identity<'_>, document: &mut Value) {
    document["old_verify_keys"]["ed25519:old"] = json!({ "key": own.key.public_base64() });
    sign(own, document);
}

pub(in crate::fault) fn add_key_that_does_not_sign(own: &Identity<'_>, document: &mut Value) {
    if let Ok(second) = SigningKey::from_seed(&[7; 32], "second") {
        document["verify_keys"][second.id()] = json!({ "key": second.public_base64() });
        sign(own, document);
    }
}
