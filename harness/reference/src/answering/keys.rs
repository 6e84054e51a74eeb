//! Keys of other servers, as a notary (server-server API, querying keys through another server).

use samklang_matrix::notary_answer;
use serde_json::{Value, json};

use crate::{
    fault::Fault,
    homeserver::Homeserver,
    reply::{Reply, refuse},
};

impl Homeserver {
    /// The key documents of these servers, as far as they can be had. A scripted server vouches for itself alone.
    pub(super) async fn notarise(&self, servers: &[&str]) -> Reply {
        let mut documents = Vec::new();
        for server in servers {
            if *server == self.name() {
                documents.push(self.key_document());
            } else if self.is_live() {
                documents.extend(self.fetch_document(server).await);
            }
        }
        if self.has(Fault::NotaryUnsigned) {
            return Ok(json!({ "server_keys": documents }));
        }
        Ok(notary_answer(&documents, self.name(), self.key()))
    }

    pub(super) async fn notarise_many(&self, body: &Value) -> Reply {
        if self.has(Fault::NotaryForOneOnly) {
            return self.notarise(&[]).await;
        }
        match body["server_keys"].as_object() {
            Some(wanted) => self.notarise(&wanted.keys().map(String::as_str).collect::<Vec<_>>()).await,
            None => refuse(400, "M_BAD_JSON", json!("server_keys is no object").to_string()),
        }
    }
}
