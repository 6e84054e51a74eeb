//! The client-server API.

use bytes::Bytes;
use http::{Request, Response};

use crate::{
    homeserver::Homeserver,
    reply::{Said, refusal},
};

impl Homeserver {
    /// Whether this server has this user.
    pub(crate) fn has_user(&self, _user: &str) -> bool {
        true
    }

    /// Answers what a client asks.
    pub async fn client(&self, _request: &Request<Bytes>) -> Response<Bytes> {
        Said::from(refusal(404, "M_UNRECOGNIZED", "no such endpoint")).into()
    }
}
