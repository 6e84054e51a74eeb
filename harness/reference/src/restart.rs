//! The entry points of a homeserver, and its restart.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use samklang_matrix::KeyDocumentError;

use crate::{
    client, events::send::send_last_messages_again, fault::Fault, federation, homeserver::Homeserver, outbox,
    transport::Transport,
};

impl Homeserver {
    /// Responds to a request of another server. The request's URI is path and query as sent; its extensions may hold the
    /// [`ExchangeId`](samklang_verdict::ExchangeId).
    pub async fn federation(&self, request: &Request<Bytes>) -> Response<Bytes> {
        federation::respond(self, request).await
    }

    /// Responds to a request of a client. The request's URI is path and query.
    pub async fn client(&self, request: &Request<Bytes>) -> Response<Bytes> {
        client::respond(self, request).await
    }

    /// The server after a restart: it takes over all that this one, which was shut, has stored, and goes on with what it
    /// was to send to other servers.
    ///
    /// # Errors
    /// When no key can be made, where that is its fault.
    pub fn restarted(&self, transport: Box<dyn Transport>) -> Result<Arc<Self>, KeyDocumentError> {
        let next = self.taken_over(transport)?;
        outbox::resume(&next);
        if repeats_last_messages(&next) {
            send_last_messages_again(&next);
        }
        Ok(next)
    }
}

fn repeats_last_messages(home: &Homeserver) -> bool {
    home.has(Fault::LastMessagesSentAgain)
}
