//! A homeserver inside the program: a name, a key, the rooms and users it knows, and a way to other servers. This is the
//! one implementation: alone it is the reference, which plays as a vendor; below a [`Peer`](crate::Peer) it is what that
//! peer does as long as no lie was told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use samklang_matrix::{KeyDocumentError, KeyRing, RoomGraph, RoomVersion, SigningKey};
use samklang_verdict::ExchangeId;
use serde_json::Value;
use tokio::{sync::watch, task::AbortHandle};

use crate::{
    client::{Directory, Files, Users},
    fault::{Fault, note},
    held_room::HeldRoom,
    outbox::Outbox,
    signals::{devices::DeviceLists, presence::Presences, receipts::Receipts, typing::Typing},
    transport::Transport,
};

/// A place in the stream of all that changes at a server. Each change has a later one than those before it.
pub(crate) type Position = u64;

/// Rooms by id.
pub(crate) type Rooms = BTreeMap<String, HeldRoom>;

/// Whether a server acts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// It has accounts, sends what its users do, and fetches what it lacks.
    Live,
    /// It does what a scenario tells it to; every localpart is a user of its.
    Scripted,
}

/// A homeserver inside the program.
pub struct Homeserver {
    name: String,
    key: Arc<SigningKey>,
    transport: Box<dyn Transport>,
    fault: Option<Fault>,
    nature: Nature,
    /// The product's name and version, where it stands for one.
    pub(crate) presented: OnceLock<[String; 2]>,
    transactions: AtomicU64,
    known: Mutex<Known>,
    /// The latest position: who waits for news waits for it to grow.
    news: watch::Sender<Position>,
    pub(crate) outbox: Outbox,
    tasks: Mutex<Vec<AbortHandle>>,
    me: Weak<Homeserver>,
}

/// What a server knows.
#[derive(Default)]
pub(crate) struct Known {
    /// Its users.
    pub(crate) users: Users,
    /// The rooms that its users are or were in, by user: where to look for what they are in.
    pub(crate) visited: BTreeMap<String, BTreeSet<String>>,
    /// What it tells of rooms.
    pub(crate) directory: Directory,
    /// The files that it keeps.
    pub(crate) files: Files,
    pub(crate) typing: Typing,
    pub(crate) receipts: Receipts,
    pub(crate) presences: Presences,
    pub(crate) device_lists: DeviceLists,
    /// The messages to devices that were brought so far, by server and id.
    pub(crate) seen_notes: BTreeSet<(String, String)>,
    /// The keys of other servers, and its own.
    pub(crate) ring: KeyRing,
    /// The rooms it takes part in, by id.
    pub(crate) rooms: Rooms,
    /// The invites its users were sent to rooms, by room and user.
    pub(crate) invites: BTreeMap<(String, String), Invite>,
    /// The knocks of its users at rooms of other servers, by room and user.
    pub(crate) knocks: BTreeMap<(String, String), Knock>,
    /// How its users came out of rooms that it holds no copy of, by room and user.
    pub(crate) departures: BTreeMap<(String, String), Departure>,
    /// What servers sent it in transactions.
    pub(crate) received: Vec<Received>,
    /// What it answered to each transaction, by sender and id: a repeated one gets the same answer.
    pub(crate) answered: BTreeMap<(String, String), Value>,
    /// What it publishes in place of its usual key document.
    pub(crate) publication: Option<Value>,
    /// Events that a mistake has it keep whatever is wrong with them, by id, and when they came.
    pub(crate) malformed: BTreeMap<String, (Position, Value)>,
    /// Servers to which nothing is sent any more, by a fault.
    pub(crate) wedged: BTreeSet<String>,
    /// Whether the server was started on what one before it had stored.
    pub(crate) restarted: bool,
    /// The servers that have brought events since then.
    pub(crate) heard_again: BTreeSet<String>,
    /// The mistake with which it shows to users what it knows.
    fault: Option<Fault>,
    position: Position,
}

/// What a server has stored when it is stopped.
struct Stored {
    known: Known,
    outbox: Outbox,
    transactions: u64,
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
    /// When it came, in the order of all that changes here.
    pub(crate) position: Position,
}

/// A knock at a room of another server.
#[derive(Debug, Clone)]
pub(crate) struct Knock {
    /// The member event.
    pub(crate) event: Value,
    /// What was shown of the room.
    pub(crate) room_state: Vec<Value>,
    /// The server by way of which it was done.
    pub(crate) via: String,
    pub(crate) position: Position,
}

/// The end of an invite or a knock.
#[derive(Debug, Clone)]
pub(crate) struct Departure {
    /// The member event.
    pub(crate) event: Value,
    pub(crate) position: Position,
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

impl fmt::Debug for Homeserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Homeserver")
            .field("name", &self.name)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}

/// Now, in milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis());
    u64::try_from(since).unwrap_or(u64::MAX)
}

impl Known {
    /// The position of a change that is being made.
    pub(crate) fn next_position(&mut self) -> Position {
        self.position += 1;
        self.position
    }

    /// The position of the latest change.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Whether it is shown with this fault.
    pub(crate) fn has(&self, fault: Fault) -> bool {
        note(fault);
        self.fault == Some(fault)
    }
}

impl Homeserver {
    /// A server named `name` with a fresh key that reaches others by `transport`, with one fault or none.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(
        name: impl Into<String>,
        transport: Box<dyn Transport>,
        fault: Option<Fault>,
    ) -> Result<Arc<Self>, KeyDocumentError> {
        Self::of_nature(Nature::Live, name.into(), "reference", transport, fault)
    }

    pub(crate) fn of_nature(
        nature: Nature,
        name: String,
        key_version: &str,
        transport: Box<dyn Transport>,
        fault: Option<Fault>,
    ) -> Result<Arc<Self>, KeyDocumentError> {
        let mut known = Known { fault, ..Known::default() };
        let key = match known.has(Fault::KeyOfZeros) {
            true => SigningKey::from_seed(&[0; 32], key_version)?,
            false => SigningKey::generate(key_version)?,
        };
        known.ring = KeyRing::new().with(&name, &key);
        let stored = Stored { known, outbox: Outbox::default(), transactions: 1 };
        Ok(Self::on(stored, nature, name, Arc::new(key), transport, fault))
    }

    fn on(
        stored: Stored,
        nature: Nature,
        name: String,
        key: Arc<SigningKey>,
        transport: Box<dyn Transport>,
        fault: Option<Fault>,
    ) -> Arc<Self> {
        let Stored { known, outbox, transactions } = stored;
        Arc::new_cyclic(|me| Self {
            name,
            key,
            transport,
            fault,
            nature,
            presented: OnceLock::new(),
            transactions: AtomicU64::new(transactions),
            news: watch::Sender::new(known.position),
            known: Mutex::new(known),
            outbox,
            tasks: Mutex::default(),
            me: Weak::clone(me),
        })
    }

    /// The server after a restart: all that this one, which was shut, has stored is the new one's. It goes on with what
    /// other servers are still to get.
    ///
    /// # Errors
    /// When no key can be made, where that is its mistake.
    pub fn restarted(&self, transport: Box<dyn Transport>) -> Result<Arc<Self>, KeyDocumentError> {
        let key = match self.has(Fault::KeyMadeAnew) {
            true => Arc::new(SigningKey::generate("anew")?),
            false => Arc::clone(&self.key),
        };
        let mut known = std::mem::take(&mut *self.known());
        known.restarted = true;
        known.ring = std::mem::take(&mut known.ring).with(&self.name, &key);
        if self.has(Fault::LoginsForgotten) {
            known.users.forget_logins();
        }
        if self.has(Fault::HistoryForgotten) {
            known.rooms.values_mut().for_each(|held| held.timeline.clear());
        }
        let outbox = if self.has(Fault::QueuesForgotten) { Outbox::default() } else { self.outbox.taken() };
        let transactions = self.transactions.load(Ordering::Relaxed);
        let stored = Stored { known, outbox, transactions };
        let next = Self::on(stored, self.nature, self.name.clone(), key, transport, self.fault);
        if let Some([product, version]) = self.presented.get().filter(|_| self.has(Fault::VersionStays)) {
            next.present_as(product, version);
        }
        next.send_what_is_left();
        if next.has(Fault::LastWordsAgain) {
            next.say_last_words_again();
        }
        Ok(next)
    }

    /// Has it say that it is this product in this version. What was said first stays.
    pub fn present_as(&self, product: &str, version: &str) {
        self.presented.get_or_init(|| [product.to_owned(), version.to_owned()]);
    }

    /// Its server name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key it signs with.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The way to other servers.
    pub(crate) fn transport(&self) -> &dyn Transport {
        self.transport.as_ref()
    }

    /// A room of which nothing is known yet, judged as this server judges.
    pub(crate) fn empty_room(&self, version: &RoomVersion, id: &str) -> RoomGraph {
        RoomGraph::empty(version, id).with_fault(self.fault.and_then(Fault::room_fault))
    }

    /// Whether it has this fault.
    pub(crate) fn has(&self, fault: Fault) -> bool {
        note(fault);
        self.fault == Some(fault)
    }

    pub(crate) fn is_live(&self) -> bool {
        self.nature == Nature::Live
    }

    /// Whether an id is that of a user of this server, whoever that may be.
    pub(crate) fn is_own(&self, user: &str) -> bool {
        samklang_matrix::server_of(user) == Some(self.name())
    }

    /// What it knows. The lock is held for moments and never across an await.
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        // A panic elsewhere does not make what is known wrong.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait for news that there is some.
    pub(crate) fn announce(&self) {
        let position = self.known().position();
        self.news.send_if_modified(|latest| std::mem::replace(latest, position) != position);
    }

    /// Hears of news.
    pub(crate) fn news(&self) -> watch::Receiver<Position> {
        self.news.subscribe()
    }

    /// Does something in the background, until it is done or the server is shut.
    pub(crate) fn in_background<F: Future<Output = ()> + Send + 'static>(
        &self,
        work: impl FnOnce(Arc<Self>) -> F,
    ) {
        let Some(me) = self.me.upgrade() else { return };
        let task = tokio::spawn(work(me)).abort_handle();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }

    /// Ends what it does in the background.
    pub fn shut(&self) {
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }

    /// Lets go of the connections it keeps. It may ask again, and goes on answering.
    pub fn hang_up(&self) {
        self.transport.hang_up();
    }

    /// An id that no other transaction has, this server's or another's: what a server makes of equal ones is for the
    /// scenarios of that to show.
    pub fn transaction_id(&self) -> String {
        let whose: String = self.name.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        format!("t{}-{whose}", self.transactions.fetch_add(1, Ordering::Relaxed))
    }
}
