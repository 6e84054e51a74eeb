//! A scripted homeserver: honest in everything but the lies that a scenario tells it to tell.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{Request, Response};
use samklang_matrix::{HeaderForge, KeyDocumentError, RoomGraph, RoomVersion, SigningKey};
use samklang_verdict::ExchangeId;
use serde_json::{Value, json};

use crate::{
    federation,
    homeserver::{Homeserver, HomeserverKind},
    key_documents::key_document,
    memberships::remote::{self, AcceptedMembership, HandshakeError},
    requests,
    store::{ReceivedInvite, ReceivedItem, held_room::HeldRoom},
    transport::{NoResponse, ServerResponse, Transport},
};

/// A scripted homeserver. In all that no scenario tells it to do otherwise it is an honest [`Homeserver`].
pub struct Peer {
    home: Arc<Homeserver>,
    script: Mutex<Script>,
}

/// What a scenario told the peer, and what the peer noticed.
#[derive(Default)]
struct Script {
    lies: Vec<Lie>,
    /// Requests that no server has reason to send to it.
    unexpected: Vec<UnexpectedRequest>,
    /// The IDs of everything that it sent and that is not as the specification demands.
    forged: BTreeSet<String>,
}

/// A lie of a peer: its responses to requests whose path contains `path`, altered by `tell`.
struct Lie {
    path: String,
    tell: Box<dyn Fn(Value) -> Value + Send + Sync>,
}

/// A request that no server had reason to send to a peer, or that was invalid.
#[derive(Debug, Clone)]
pub struct UnexpectedRequest {
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

impl Peer {
    /// A peer named `name` with a fresh key. It fetches the keys of other servers when it needs them.
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
        let home = Homeserver::of_kind(HomeserverKind::Scripted, name.into(), key_version, transport, None)?;
        Ok(Self { home, script: Mutex::default() })
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its server name.
    pub fn name(&self) -> &str {
        self.home.name()
    }

    /// The key it signs with.
    pub fn key(&self) -> &SigningKey {
        self.home.key()
    }

    /// The full ID of its user with this localpart.
    pub fn user(&self, localpart: &str) -> String {
        format!("@{localpart}:{}", self.name())
    }

    /// An ID that no other transaction has.
    pub fn transaction_id(&self) -> String {
        self.home.transaction_id()
    }

    /// Closes the connections that it keeps.
    pub fn hang_up(&self) {
        self.home.hang_up();
    }

    /// The document in which it publishes its key.
    pub fn key_document(&self) -> Value {
        key_document(&self.home)
    }

    /// Publishes another key document than the honest one. From then on its signatures need not be valid.
    pub fn publish(&self, document: Value) {
        self.admit(self.name());
        self.home.store().keys.publication = Some(document);
    }

    /// The PDUs and EDUs that it received so far.
    pub fn received(&self) -> Vec<ReceivedItem> {
        self.home.store().transactions.received.clone()
    }

    /// The invite to `room` that one of its users received.
    pub fn invite_to(&self, room: &str) -> Option<ReceivedInvite> {
        let store = self.home.store();
        store.rooms.invites.iter().find(|((to, _), _)| to == room).map(|(_, invite)| invite.clone())
    }

    /// The requests so far that no server had reason to send.
    pub fn unexpected(&self) -> Vec<UnexpectedRequest> {
        self.script().unexpected.clone()
    }

    /// Looks at, or changes, its copy of a room; `None` where it holds no copy.
    pub fn with_room<T>(&self, room: &str, look: impl FnOnce(&mut RoomGraph) -> T) -> Option<T> {
        self.home.store().rooms.get_mut(room).map(|held| look(&mut held.room))
    }

    /// Takes part in a room from now on.
    pub fn hold(&self, room: RoomGraph) {
        self.home.store().rooms.insert(HeldRoom::new(room));
    }

    /// Notes that the object with this ID is a lie, so that it is not taken for a defect of the harness.
    pub fn admit(&self, id: &str) {
        self.script().forged.insert(id.to_owned());
    }

    /// The IDs of the lies it told.
    pub fn forged(&self) -> BTreeSet<String> {
        self.script().forged.clone()
    }

    /// Has it tell a lie: `tell` alters its responses to requests whose path contains `path`.
    pub fn lie(&self, path: &str, tell: impl Fn(Value) -> Value + Send + Sync + 'static) {
        self.script().lies.push(Lie { path: path.to_owned(), tell: Box::new(tell) });
    }

    /// Sends a signed request to `server`.
    ///
    /// # Errors
    /// When no complete response came.
    pub async fn ask(
        &self,
        method: &str,
        server: &str,
        target: &str,
        body: Option<&Value>,
    ) -> Result<ServerResponse, NoResponse> {
        requests::request(&self.home, method, server, target, body).await
    }

    /// Sends a request to `server` with exactly these `Authorization` headers.
    ///
    /// # Errors
    /// When no complete response came.
    pub async fn ask_with(
        &self,
        method: &str,
        server: &str,
        target: &str,
        body: Option<&Value>,
        authorization: &[String],
    ) -> Result<ServerResponse, NoResponse> {
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        self.ask_raw(method, server, target, bytes, authorization).await
    }

    /// As [`Peer::ask_with`], with the body's exact bytes.
    ///
    /// # Errors
    /// When no complete response came.
    pub async fn ask_raw(
        &self,
        method: &str,
        server: &str,
        target: &str,
        body: Bytes,
        authorization: &[String],
    ) -> Result<ServerResponse, NoResponse> {
        requests::request_raw(&self.home, method, server, target, body, authorization).await
    }

    /// The `Authorization` header of a request, to be sent as it is or altered.
    pub fn header(&self, method: &str, server: &str, target: &str, body: Option<&Value>) -> HeaderForge {
        requests::header(&self.home, method, server, target, body)
    }

    /// Requests the template of a member event of its `user`: the version and the event of the response.
    ///
    /// # Errors
    /// When the server refuses, or the response has no version or event.
    pub async fn template_for(
        &self,
        membership: &str,
        server: &str,
        room: &str,
        user: &str,
    ) -> Result<(RoomVersion, Value), HandshakeError> {
        remote::template_for(&self.home, membership, server, room, user).await
    }

    /// Turns a template into the event to send, signed by this peer.
    pub fn finished(&self, template: &Value, version: &RoomVersion) -> Value {
        remote::finished(&self.home, template, version)
    }

    /// Sends a finished member event to a resident server.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn submit(
        &self,
        membership: &str,
        server: &str,
        room: &str,
        id: &str,
        event: &Value,
    ) -> Result<AcceptedMembership, HandshakeError> {
        remote::submit(&self.home, membership, server, room, id, event).await
    }

    /// Has its `user` join, leave or knock by way of the resident `server`. After a join it takes part in the room.
    ///
    /// # Errors
    /// When the server refuses a step, or its responses do not make a room.
    pub async fn change_membership(
        &self,
        membership: &str,
        server: &str,
        room: &str,
        user: &str,
    ) -> Result<AcceptedMembership, HandshakeError> {
        remote::change_membership(&self.home, membership, server, room, user, &json!({})).await
    }

    /// Responds to a request. Its URI is path and query as sent; its extensions may hold the [`ExchangeId`].
    pub async fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let response = federation::respond(&self.home, request).await;
        // A request for something that does not exist is no breach; one without credentials, or one that cannot be
        // answered, is.
        if matches!(response.status().as_u16(), 400 | 401) {
            let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
            self.script().unexpected.push(UnexpectedRequest {
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
