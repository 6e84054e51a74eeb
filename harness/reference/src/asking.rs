//! What a homeserver asks of others, signed in due form (server-server API, request authentication).

use bytes::Bytes;
use samklang_matrix::{HeaderForge, Quoting, RequestSignature, SigningKey};
use serde_json::{Value, json};

use crate::{
    fault::{Endpoint, Fault, left_out, misshapen},
    homeserver::Homeserver,
    transport::{Answer, NoAnswer},
};

impl Homeserver {
    /// Asks `server`, signed in due form.
    ///
    /// # Errors
    /// When no complete answer came.
    pub async fn ask(
        &self,
        method: &str,
        server: &str,
        target: &str,
        body: Option<&Value>,
    ) -> Result<Answer, NoAnswer> {
        let list = body.filter(|_| self.has(Fault::RequestBodyNoObject)).map(|body| json!([body]));
        let is_misshapen = self.has_form_of(Fault::RequestMisshapen, method, target);
        let other = list.or_else(|| body.filter(|_| is_misshapen).map(misshapen));
        let body = other.as_ref().or(body);
        // All parameters go by other names.
        let bent = target.replace("?", "?x-").replace("&", "&x-");
        let target = if is_misshapen { bent.as_str() } else { target };
        let header = self.header(method, server, target, body);
        let headers: Vec<_> =
            if self.has(Fault::RequestsUnsigned) { vec![] } else { vec![self.written(header)] };
        self.ask_with(method, server, target, body, &headers).await
    }

    /// Whether it has this fault for the endpoint that is asked.
    pub(crate) fn has_form_of(&self, fault: fn(Endpoint) -> Fault, method: &str, target: &str) -> bool {
        let path = target.split('?').next().unwrap_or_default();
        Endpoint::of(method, path).is_some_and(|endpoint| self.has(fault(endpoint)))
    }

    /// Whether a feature is left out to which alone this path or type of signals belongs.
    pub(crate) fn leaves_out(&self, what: &str) -> bool {
        left_out(what).any(|fault| self.has(fault))
    }

    /// The `Authorization` header for a request of its own, to be sent as it is or bent.
    pub fn header(&self, method: &str, server: &str, target: &str, body: Option<&Value>) -> HeaderForge {
        let request =
            RequestSignature { origin: self.name(), destination: server, method, uri: target, content: body };
        if self.has(Fault::RequestsSignedByStranger)
            && let Ok(stranger) = SigningKey::from_seed(&[9; 32], "reference")
        {
            return HeaderForge::honest(&request, &stranger);
        }
        HeaderForge::honest(&request, self.key())
    }

    /// A header as it goes out.
    fn written(&self, header: HeaderForge) -> String {
        let header = if self.has(Fault::RequestsWithoutDestination) {
            header.without("destination")
        } else if self.has(Fault::RequestsUnquoted) {
            header.quoting(Quoting::Bare)
        } else if self.has(Fault::RequestsUpperCase) {
            header.names(str::to_uppercase)
        } else if self.has(Fault::RequestsSpaced) {
            header.separator(", ")
        } else {
            header
        };
        header.build()
    }

    /// Asks `server` with these `Authorization` headers, whatever they say.
    ///
    /// # Errors
    /// When no complete answer came.
    pub async fn ask_with(
        &self,
        method: &str,
        server: &str,
        target: &str,
        body: Option<&Value>,
        authorization: &[String],
    ) -> Result<Answer, NoAnswer> {
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        self.ask_raw(method, server, target, bytes, authorization).await
    }

    /// As [`Homeserver::ask_with`], with the body's exact bytes.
    ///
    /// # Errors
    /// When no complete answer came.
    pub async fn ask_raw(
        &self,
        method: &str,
        server: &str,
        target: &str,
        body: Bytes,
        authorization: &[String],
    ) -> Result<Answer, NoAnswer> {
        let mut headers: Vec<_> =
            authorization.iter().map(|value| ("authorization".to_owned(), value.clone())).collect();
        if !body.is_empty() && !self.has(Fault::RequestsWithoutType) {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        self.transport().request(method, server, target, &headers, body).await
    }
}
