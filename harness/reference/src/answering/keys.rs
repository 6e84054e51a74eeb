//! Keys of other servers, as a notary (server-server API, querying keys through another server).

use samklang_matrix::notary_answer;
use serde_json::{Value, json};

use crate::{
    homeserver::Homeserver,
    reply::{Reply, refuse},
};

impl Homeserver {
    /// What it says of its own keys; it vouches for nobody else's.
    pub(super) fn notarise(&self, servers: &[&str]) -> Reply {
        let own = servers.contains(&self.name());
        let documents: Vec<_> = own.then(|| self.key_document()).into_iter().collect();
        Ok(notary_answer(&documents, self.name(), self.key()))
    }

    pub(super) fn notarise_many(&self, body: &Value) -> Reply {
        match body["server_keys"].as_object() {
            Some(wanted) => self.notarise(&wanted.keys().map(String::as_str).collect::<Vec<_>>()),
            None => refuse(400, "M_BAD_JSON", json!("server_keys is no object").to_string()),
        }
    }
}
