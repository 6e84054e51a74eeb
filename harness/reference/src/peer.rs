//! A scripted homeserver: honest in everything but the lies that a scenario has it tell.

use std::{
    collections::BTreeSet,
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{Request, Response};
use samklang_matrix::{KeyDocumentError, RoomGraph};
use samklang_verdict::ExchangeId;
use serde_json::Value;

use crate::{
    held_room::HeldRoom,
    homeserver::{Homeserver, Invite, Nature, Received},
    transport::Transport,
};

/// A scripted homeserver. In all that no scenario tells it to do otherwise it is the [`Homeserver`] that it derefs to.
pub struct Peer {
    home: Arc<Homeserver>,
    script: Mutex<Script>,
}

/// What a scenario told it, and what it noticed.
#[derive(Default)]
struct Script {
    /// What it says otherwise than it is.
    lies: Vec<Lie>,
    /// Requests that no server has reason to make of it.
    unexpected: Vec<Unexpected>,
    /// The ids of everything that it sent and that is not as the specification has it.
    forged: BTreeSet<String>,
}

/// Something that a peer says otherwise than it is: its answers to requests whose path holds `path`, bent by `tell`.
struct Lie {
    path: String,
    tell: Box<dyn Fn(Value) -> Value + Send + Sync>,
}

/// A request that a peer had no reason to be asked, or that was not in order.
#[derive(Debug, Clone)]
pub struct Unexpected {
    /// Method and path.
    pub what: String,
    /// Why it is not in order.
    pub why: String,
    /// The exchange.
    pub exchange: Option<ExchangeId>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Deref for Peer {
    type Target = Homeserver;

    fn deref(&self) -> &Homeserver {
        &self.home
    }
}

impl Peer {
    /// A peer named `name` with a fresh key. The keys of other servers it fetches when it needs them.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(name: impl Into<String>, transport: Box<dyn Transport>) -> Result<Self, KeyDocumentError> {
        Self::with_key(name, "peer", transport)
    }

    /// As [`Peer::new`], with a key of this version (`ed25519:<version>`).
    ///
    /// # Errors
    /// When no key can be made.
    pub fn with_key(
        name: impl Into<String>,
        key_version: &str,
        transport: Box<dyn Transport>,
    ) -> Result<Self, KeyDocumentError> {
        let home = Homeserver::of_nature(Nature::Scripted, name.into(), key_version, transport, None)?;
        Ok(Self { home, script: Mutex::default() })
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The full id of its user with this localpart.
    pub fn user(&self, localpart: &str) -> String {
        format!("@{localpart}:{}", self.name())
    }

    /// Publishes something else than its key in the honest form. From then on nothing it signs need hold.
    pub fn publish(&self, document: Value) {
        self.admit(self.name());
        self.known().publication = Some(document);
    }

    /// What came in transactions so far.
    pub fn received(&self) -> Vec<Received> {
        self.known().received.clone()
    }

    /// The invite to `room` that one of its users was sent.
    pub fn invite_to(&self, room: &str) -> Option<Invite> {
        let known = self.known();
        known.invites.iter().find(|((to, _), _)| to == room).map(|(_, invite)| invite.clone())
    }

    /// The requests so far that no server had reason to make.
    pub fn unexpected(&self) -> Vec<Unexpected> {
        self.script().unexpected.clone()
    }

    /// Looks at, or changes, its copy of a room; `None` where it takes no part in it.
    pub fn with_room<T>(&self, room: &str, look: impl FnOnce(&mut RoomGraph) -> T) -> Option<T> {
        self.known().rooms.get_mut(room).map(|held| look(&mut held.room))
    }

    /// Takes part in a room from now on.
    pub fn hold(&self, room: RoomGraph) {
        self.known().rooms.insert(room.id().to_owned(), HeldRoom::new(room));
    }

    /// Notes that what has this id is a lie, so that nobody takes it for a mistake of the harness.
    pub fn admit(&self, id: &str) {
        self.script().forged.insert(id.to_owned());
    }

    /// The ids of the lies it told.
    pub fn forged(&self) -> BTreeSet<String> {
        self.script().forged.clone()
    }

    /// Has it tell a lie: its answers to requests whose path holds `path` are bent by `tell`.
    pub fn lie(&self, path: &str, tell: impl Fn(Value) -> Value + Send + Sync + 'static) {
        self.script().lies.push(Lie { path: path.to_owned(), tell: Box::new(tell) });
    }

    /// Answers a request that reached this peer. Its URI is path and query as sent; its extensions may hold the
    /// [`ExchangeId`].
    pub async fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let response = self.home.federation(request).await;
        // To ask for what is not there is no breach; to ask without proof, or in a way that nobody can answer, is.
        if matches!(response.status().as_u16(), 400 | 401) {
            let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
            self.script().unexpected.push(Unexpected {
                what: format!("{} {}", request.method(), request.uri().path()),
                why: body["error"].as_str().unwrap_or_default().to_owned(),
                exchange: request.extensions().get().copied(),
            });
        }
        let mut script = self.script();
        let Script { lies, forged, .. } = &mut *script;
        let mut lies = lies.iter().filter(|lie| request.uri().path().contains(&lie.path)).peekable();
        if lies.peek().is_none() {
            return response;
        }
        forged.extend(request.extensions().get::<ExchangeId>().map(ToString::to_string));
        let (parts, body) = response.into_parts();
        let told = lies.fold(serde_json::from_slice(&body).unwrap_or_default(), |body, lie| (lie.tell)(body));
        Response::from_parts(parts, Bytes::from(told.to_string()))
    }
}
