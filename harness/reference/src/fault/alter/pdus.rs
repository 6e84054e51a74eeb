//! What is wrong with the PDUs that a server sends.

use serde_json::{Value, json};

use crate::fault::seams::Identity;

pub(in crate::fault) fn not_at_all(_: &Identity<'_>, pdu: &mut Option<Value>) {
    *pdu = None;
}

pub(in crate::fault) fn without_signatures(_: &Identity<'_>, pdu: &mut Option<Value>) {
    if let Some(pdu) = pdu {
        pdu["signatures"] = json!({});
    }
}

pub(in crate::fault) fn with_event_id(_: &Identity<'_>, pdu: &mut Option<Value>) {
    if let Some(pdu) = pdu {
        pdu["event_id"] = json!("$a:b");
    }
}

pub(in crate::fault) fn with_invalid_key_id(own: &Identity<'_>, pdu: &mut Option<Value>) {
    if let Some(pdu) = pdu {
        pdu["signatures"][own.name]["key"] = json!("c2lnbmVk");
    }
}

pub(in crate::fault) fn with_padded_signatures(_: &Identity<'_>, pdu: &mut Option<Value>) {
    let signatures = pdu.as_mut().and_then(|pdu| pdu["signatures"].as_object_mut());
    for (_, keys) in signatures.into_iter().flatten() {
        for (_, signature) in keys.as_object_mut().into_iter().flatten() {
            *signature = json!(format!("{}==", signature.as_str().unwrap_or_default()));
        }
    }
}
