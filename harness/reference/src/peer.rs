//! A homeserver inside the harness: a name, a key, the rooms it takes part in, and a way to other servers. It is honest
//! in everything but the lies that a scenario has it tell.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use samklang_matrix::{
    HeaderForge, KeyDocument, KeyDocumentError, KeyPublication, KeyRing, RequestSignature, Room, SigningKey,
};
use samklang_verdict::ExchangeId;
use serde_json::Value;

use crate::{
    answering::Lie,
    transport::{Answer, NoAnswer, Transport},
};

/// How long a peer's key document is valid: an hour, longer than any run.
const KEY_LIFE_MS: u64 = 60 * 60 * 1000;

/// A homeserver inside the harness.
pub struct Peer {
    name: String,
    key: SigningKey,
    transport: Box<dyn Transport>,
    transactions: AtomicU64,
    inner: Mutex<Inner>,
}

/// What a peer knows.
#[derive(Default)]
pub(crate) struct Inner {
    /// The keys of other servers, and its own.
    pub(crate) ring: KeyRing,
    /// The rooms it takes part in, by id.
    pub(crate) rooms: BTreeMap<String, Room>,
    /// The invites its users were sent, by room.
    pub(crate) invites: BTreeMap<String, Invite>,
    /// What servers sent it in transactions.
    pub(crate) received: Vec<Received>,
    /// What it answered to each transaction, by sender and id: a repeated one gets the same answer.
    pub(crate) answered: BTreeMap<(String, String), Value>,
    /// What it says otherwise than it is.
    pub(crate) lies: Vec<Lie>,
    /// What it publishes in place of its honest key document.
    pub(crate) publication: Option<Value>,
    /// Requests that no server has reason to make of it.
    pub(crate) unexpected: Vec<Unexpected>,
    /// The ids of everything that it sent and that is not as the specification has it.
    pub(crate) forged: BTreeSet<String>,
}

/// An invite that a server brought.
#[derive(Debug, Clone)]
pub struct Invite {
    /// The room's version.
    pub room_version: String,
    /// The invite as it came, signed by the inviting server alone.
    pub event: Value,
    /// What was shown of the room.
    pub room_state: Vec<Value>,
}

/// Something that came in a transaction.
#[derive(Debug, Clone)]
pub struct Received {
    /// The server that sent it.
    pub origin: String,
    /// Whether it is an event (PDU); else it is a signal (EDU).
    pub is_pdu: bool,
    /// As it came.
    pub json: Value,
    /// The exchange that brought it.
    pub exchange: Option<ExchangeId>,
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
        f.debug_struct("Peer").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Now, in milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis());
    u64::try_from(since).unwrap_or(u64::MAX)
}

impl Peer {
    /// A peer named `name` with a fresh key. The keys of other servers it fetches when it needs them.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(name: impl Into<String>, transport: Box<dyn Transport>) -> Result<Self, KeyDocumentError> {
        let (name, key) = (name.into(), SigningKey::generate("peer")?);
        let inner = Inner { ring: KeyRing::new().with(&name, &key), ..Inner::default() };
        Ok(Self { name, key, transport, transactions: AtomicU64::new(1), inner: Mutex::new(inner) })
    }

    /// The peer's server name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key it signs with.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The full id of its user with this localpart.
    pub fn user(&self, localpart: &str) -> String {
        format!("@{localpart}:{}", self.name)
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere does not make what is known wrong.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The document that it publishes its key in (server-server API, publishing keys).
    pub fn key_document(&self) -> Value {
        let published = self.inner().publication.clone();
        let until = now_ms().saturating_add(KEY_LIFE_MS);
        published.unwrap_or_else(|| KeyPublication::new(&self.name, until).current(&self.key).build())
    }

    /// Publishes something else than its key in the honest form. From then on nothing it signs need hold.
    pub fn publish(&self, document: Value) {
        self.admit(&self.name);
        self.inner().publication = Some(document);
    }

    /// What came in transactions so far.
    pub fn received(&self) -> Vec<Received> {
        self.inner().received.clone()
    }

    /// The invite to `room` that one of its users was sent.
    pub fn invite_to(&self, room: &str) -> Option<Invite> {
        self.inner().invites.get(room).cloned()
    }

    /// The requests so far that no server had reason to make.
    pub fn unexpected(&self) -> Vec<Unexpected> {
        self.inner().unexpected.clone()
    }

    /// Looks at, or changes, its copy of a room; `None` where it takes no part in it.
    pub fn with_room<T>(&self, room: &str, look: impl FnOnce(&mut Room) -> T) -> Option<T> {
        self.inner().rooms.get_mut(room).map(look)
    }

    /// Takes part in a room from now on.
    pub fn hold(&self, room: Room) {
        self.inner().rooms.insert(room.id().to_owned(), room);
    }

    /// Notes that what has this id is a lie, so that nobody takes it for a mistake of the harness.
    pub fn admit(&self, id: &str) {
        self.inner().forged.insert(id.to_owned());
    }

    /// The ids of the lies it told.
    pub fn forged(&self) -> BTreeSet<String> {
        self.inner().forged.clone()
    }

    /// Lets go of the connections it keeps. It may ask again, and goes on answering.
    pub fn hang_up(&self) {
        self.transport.hang_up();
    }

    /// An id that no other transaction of this peer has.
    pub fn transaction_id(&self) -> String {
        format!("t{}", self.transactions.fetch_add(1, Ordering::Relaxed))
    }

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
        let header = self.header(method, server, target, body).build();
        self.ask_with(method, server, target, body, &[header]).await
    }

    /// The `Authorization` header for a request of its own, to be sent as it is or bent.
    pub fn header(&self, method: &str, server: &str, target: &str, body: Option<&Value>) -> HeaderForge {
        let request =
            RequestSignature { origin: &self.name, destination: server, method, uri: target, content: body };
        HeaderForge::honest(&request, &self.key)
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

    /// As [`Peer::ask_with`], with the body's exact bytes.
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
        if !body.is_empty() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        self.transport.request(method, server, target, &headers, body).await
    }

    /// Fetches the keys of a server that it does not know yet, or whose keys have changed.
    pub(crate) async fn learn_keys(&self, server: &str) {
        let answer = self.transport.request("GET", server, "/_matrix/key/v2/server", &[], Bytes::new()).await;
        let document = answer.ok().and_then(|answer| KeyDocument::verify(&answer.json(), server).ok());
        if let Some(document) = document {
            self.inner().ring.learn(&document, now_ms());
        }
    }
}
