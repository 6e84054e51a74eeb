//! A homeserver inside the program: a name, a key, what it stores, and a way to other servers. Alone it is the reference,
//! which is played as a vendor; inside a [`Peer`](crate::Peer) it does all that no scenario tells the peer to do otherwise.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use samklang_matrix::{KeyDocumentError, KeyRing, RoomGraph, RoomVersion, SigningKey};
use tokio::{sync::watch, task::AbortHandle};

use crate::{
    fault::{Fault, Identity, note},
    store::{Position, Store, queues::Queues},
    transport::Transport,
};

/// Whether a server acts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HomeserverKind {
    /// It has accounts, sends its users' events, and fetches what it lacks.
    Live,
    /// It does what a scenario tells it to; every localpart is a user of it.
    Scripted,
}

/// A homeserver inside the program.
pub struct Homeserver {
    name: String,
    key: Arc<SigningKey>,
    transport: Box<dyn Transport>,
    fault: Option<Fault>,
    kind: HomeserverKind,
    /// The product's name and version, where the server stands for a product.
    presented: OnceLock<[String; 2]>,
    transactions: AtomicU64,
    store: Mutex<Store>,
    /// The latest position: a client's sync waits until it grows.
    news: watch::Sender<Position>,
    queues: Queues,
    tasks: Mutex<Vec<AbortHandle>>,
    me: Weak<Homeserver>,
}

/// What a server leaves behind when it is stopped.
struct Remains {
    store: Store,
    queues: Queues,
    transactions: u64,
}

impl fmt::Debug for Homeserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Homeserver")
            .field("name", &self.name)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}

fn new_key(version: &str, fault: Option<Fault>) -> Result<SigningKey, KeyDocumentError> {
    note(Fault::KeyOfZeros);
    match fault {
        Some(Fault::KeyOfZeros) => SigningKey::from_seed(&[0; 32], version),
        _ => SigningKey::generate(version),
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
        Self::of_kind(HomeserverKind::Live, name.into(), "reference", transport, fault)
    }

    pub(crate) fn of_kind(
        kind: HomeserverKind,
        name: String,
        key_version: &str,
        transport: Box<dyn Transport>,
        fault: Option<Fault>,
    ) -> Result<Arc<Self>, KeyDocumentError> {
        let key = new_key(key_version, fault)?;
        let mut store = Store::default();
        store.keys.ring = KeyRing::new().with(&name, &key);
        let remains = Remains { store, queues: Queues::default(), transactions: 1 };
        Ok(Self::on(remains, kind, name, Arc::new(key), transport, fault))
    }

    fn on(
        remains: Remains,
        kind: HomeserverKind,
        name: String,
        key: Arc<SigningKey>,
        transport: Box<dyn Transport>,
        fault: Option<Fault>,
    ) -> Arc<Self> {
        let Remains { store, queues, transactions } = remains;
        Arc::new_cyclic(|me| Self {
            name,
            key,
            transport,
            fault,
            kind,
            presented: OnceLock::new(),
            transactions: AtomicU64::new(transactions),
            news: watch::Sender::new(store.position()),
            store: Mutex::new(store),
            queues,
            tasks: Mutex::default(),
            me: Weak::clone(me),
        })
    }

    /// The server after a restart, before it does anything: it takes over all that this one, which was shut, has stored.
    pub(crate) fn taken_over(&self, transport: Box<dyn Transport>) -> Result<Arc<Self>, KeyDocumentError> {
        let key = self.key_after_restart()?;
        let mut store = std::mem::take(&mut *self.store());
        store.restarted = true;
        store.keys.ring = std::mem::take(&mut store.keys.ring).with(&self.name, &key);
        self.lose_in_restart(&mut store);
        let queues = if self.has(Fault::QueuesLost) { Queues::default() } else { self.queues.taken_over() };
        let transactions = self.transactions.load(Ordering::Relaxed);
        let remains = Remains { store, queues, transactions };
        let next = Self::on(remains, self.kind, self.name.clone(), key, transport, self.fault);
        if let Some([product, version]) =
            self.presented.get().filter(|_| self.has(Fault::VersionOutdatedAfterRestart))
        {
            next.present_as(product, version);
        }
        Ok(next)
    }

    fn key_after_restart(&self) -> Result<Arc<SigningKey>, KeyDocumentError> {
        match self.has(Fault::KeyReplacedAfterRestart) {
            true => SigningKey::generate("anew").map(Arc::new),
            false => Ok(Arc::clone(&self.key)),
        }
    }

    /// Takes from the store what a faulty server loses in a restart.
    fn lose_in_restart(&self, store: &mut Store) {
        if self.has(Fault::LoginsLost) {
            store.users.forget_logins();
        }
        if self.has(Fault::HistoryLost) {
            store.rooms.values_mut().for_each(|held| held.timeline.clear());
        }
    }

    /// Has it say that it is this product in this version. What was said first stays.
    pub fn present_as(&self, product: &str, version: &str) {
        self.presented.get_or_init(|| [product.to_owned(), version.to_owned()]);
    }

    /// The product's name and version, where the server stands for a product.
    pub(crate) fn presented(&self) -> Option<&[String; 2]> {
        self.presented.get()
    }

    /// Its server name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key it signs with.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// What the seams need to know of it, at which its fault acts.
    pub(crate) fn identity(&self) -> Identity<'_> {
        Identity { name: &self.name, key: &self.key, fault: self.fault }
    }

    /// The way to other servers.
    pub(crate) fn transport(&self) -> &dyn Transport {
        self.transport.as_ref()
    }

    /// What waits to be sent to other servers.
    pub(crate) fn queues(&self) -> &Queues {
        &self.queues
    }

    /// A room of which nothing is known yet, judged as this server judges.
    pub(crate) fn empty_room(&self, version: &RoomVersion, id: &str) -> RoomGraph {
        RoomGraph::empty(version, id).with_fault(self.fault.and_then(Fault::room_fault))
    }

    /// Whether it has this fault. Branches of rules ask it; what alters data on its way in or out does so at a seam
    /// (see [`crate::fault`]).
    pub(crate) fn has(&self, fault: Fault) -> bool {
        note(fault);
        self.fault == Some(fault)
    }

    pub(crate) fn is_live(&self) -> bool {
        self.kind == HomeserverKind::Live
    }

    /// Whether an ID is that of a user of this server, existing or not.
    pub(crate) fn is_own(&self, user: &str) -> bool {
        samklang_matrix::server_of(user) == Some(self.name())
    }

    /// What it stores. The lock is held for moments and never across an await.
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        // A panic elsewhere does not make what is stored wrong.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the syncs that wait for news.
    pub(crate) fn announce(&self) {
        let position = self.store().position();
        self.news.send_if_modified(|latest| std::mem::replace(latest, position) != position);
    }

    /// Tells of news from now on.
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

    /// Closes the connections that it keeps. It may send requests again, and goes on responding.
    pub fn hang_up(&self) {
        self.transport.hang_up();
    }

    /// An ID that no other transaction has, of this server or another: scenarios of their own show what a server makes of
    /// equal ones.
    pub fn transaction_id(&self) -> String {
        let suffix: String = self.name.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        format!("t{}-{suffix}", self.transactions.fetch_add(1, Ordering::Relaxed))
    }
}
