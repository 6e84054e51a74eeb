//! Key documents of other servers, which the server passes on as a notary (server-server API, querying keys through another
//! server).

use samklang_matrix::notary_answer;
use serde_json::{Value, json};

use crate::{
    fault::Fault,
    homeserver::Homeserver,
    key_documents::{fetch_document, key_document},
    response::{JsonResult, refuse},
};

/// The key documents of these servers, as far as they can be fetched. A scripted server returns only its own.
pub(super) async fn key_documents(home: &Homeserver, servers: &[&str]) -> JsonResult {
    let mut documents = Vec::new();
    for server in servers {
        if *server == home.name() {
            documents.push(key_document(home));
        } else if home.is_live() {
            documents.extend(fetch_document(home, server).await);
        }
    }
    Ok(signed(home, &documents))
}

/// The response with these documents, signed by the notary.
fn signed(home: &Homeserver, documents: &[Value]) -> Value {
    if home.has(Fault::NotaryUnsigned) {
        return json!({ "server_keys": documents });
    }
    notary_answer(documents, home.name(), home.key())
}

pub(super) async fn queried_key_documents(home: &Homeserver, body: &Value) -> JsonResult {
    match body["server_keys"].as_object() {
        Some(wanted) => key_documents(home, &wanted.keys().map(String::as_str).collect::<Vec<_>>()).await,
        None => refuse(400, "M_BAD_JSON", "field `server_keys` is missing or has the wrong type"),
    }
}
