//! Users with verbs. Scenarios are written with these; the driver maps them to the vendor's API.

mod devices;
mod failure;
mod ledger;
mod pattern;
mod things;
mod verbs;
mod view;

use std::sync::{Arc, OnceLock};

pub use devices::UserKeys;
pub use failure::{Actor, Done, Failure, HasDone, MustBeRefused, Refused, Wrong};
pub use ledger::{Bounds, Ledger};
pub use pattern::{
    EduPattern, Pattern, ban, event, invite, invited, join, knock, leave, presence, receipt, shown, state,
    stripped, typing,
};
use samklang_verdict::{ExchangeId, Message, Observation, Observations, Role, message};
use serde_json::Value;
pub use things::{Absence, Media, Observed, Private, Public, Room, RoomPlan, Sent, Sighting};

use self::view::UserView;
use samklang_deploy::vendor::Vendor;
use samklang_drivers::{CallError, CallResult, Session};
use samklang_stage::StageServer;

/// A user at a server.
#[derive(Clone)]
pub struct User {
    inner: Arc<UserInner>,
}

struct UserInner {
    name: String,
    role: Role,
    server: String,
    vendor: Arc<Vendor>,
    session: Arc<dyn Session>,
    ledger: Arc<Ledger>,
    view: OnceLock<UserView>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl User {
    /// Registers a user at `server`; `name` is the user's name in the scenario.
    ///
    /// # Errors
    /// When the server does not register the user.
    pub async fn register(server: &StageServer, name: &str, ledger: Arc<Ledger>) -> Result<Self, Failure> {
        let localpart = format!("{name}-{}", ledger.nonce);
        let who = Actor { name: name.to_owned(), role: server.role };
        let answer = server.driver.register(&localpart, name).await;
        let answer = answer.map_err(|error| Failure::Call { who, verb: "register", error, about: vec![] })?;
        let session: Arc<dyn Session> = Arc::from(answer.value);
        ledger.call(session.user_id(), &format!("@{name}:{}", ledger.name_of(&server.name)));
        ledger.call(&localpart, name);
        ledger.observe(server.role, answer.exchange);
        let inner = UserInner {
            name: name.to_owned(),
            role: server.role,
            server: server.name.clone(),
            vendor: Arc::clone(&server.cast.vendor),
            session,
            ledger,
            view: OnceLock::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The user's name in the scenario.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The full user id.
    pub fn id(&self) -> &str {
        self.inner.session.user_id()
    }

    /// The user's server.
    pub fn role(&self) -> Role {
        self.inner.role
    }

    /// The name of the user's server.
    pub fn server_name(&self) -> &str {
        &self.inner.server
    }

    fn who(&self) -> Actor {
        Actor { name: self.inner.name.clone(), role: self.inner.role }
    }

    fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    fn session(&self) -> &dyn Session {
        self.inner.session.as_ref()
    }

    fn view(&self) -> &UserView {
        self.inner.view.get_or_init(|| UserView::open(Arc::clone(&self.inner.session)))
    }

    /// Turns the result of a call into an act or a failure.
    fn settle<T>(
        &self,
        verb: &'static str,
        about: &[&str],
        call: CallResult<T>,
    ) -> Result<(T, Done), Failure> {
        match call {
            Ok(answer) => Ok((answer.value, self.did(verb, answer.exchange))),
            Err(error) => {
                let about = about.iter().map(|&id| id.to_owned()).collect();
                Err(Failure::Call { who: self.who(), verb, error, about })
            }
        }
    }

    fn did(&self, verb: &'static str, exchange: ExchangeId) -> Done {
        let seen = self.ledger().observe(self.inner.role, exchange);
        let observations = Observations::new(seen, []);
        Done { tick: self.ledger().tick(), who: self.who(), verb, exchange, observations }
    }

    /// Waits until the user is shown a match of `pattern`, for at most the profile's bound.
    ///
    /// # Errors
    /// [`Failure::NotSeen`] when the bound passes first; [`Failure::Call`] when the user's syncs fail.
    pub async fn sees(&self, pattern: impl Into<Pattern>) -> Result<Sighting, Failure> {
        let pattern = pattern.into();
        let bound = self.ledger().bounds.delivery;
        match self.view().wait_for(&pattern, bound).await {
            Some((place, happening)) => Ok(self.sighting(&pattern, place, &happening)),
            None => Err(self.not_seen(&pattern)),
        }
    }

    fn sighting(&self, pattern: &Pattern, place: usize, happening: &samklang_drivers::SyncEntry) -> Sighting {
        let seen = self.ledger().observe(self.inner.role, happening.exchange);
        Sighting {
            event: happening.event.clone(),
            room: happening.room.clone(),
            by: self.id().to_owned(),
            place,
            tick: pattern.tick,
            observation: seen,
        }
    }

    fn not_seen(&self, pattern: &Pattern) -> Failure {
        if let Some(error) = self.view().trouble() {
            return Failure::Call { who: self.who(), verb: "sync", error, about: pattern.about.clone() };
        }
        let bound = self.ledger().bounds.delivery;
        let (seen, last) = self.view().lately(pattern.room.as_deref());
        if last.is_none() {
            let (user, role, seconds) = (&self.inner.name, self.inner.role, bound.as_secs());
            return Failure::Inconclusive(message!(
                "judging.no-sync",
                user = user,
                role = role,
                seconds = seconds
            ));
        }
        Failure::NotSeen {
            who: self.who(),
            what: pattern.what.clone(),
            origin: pattern.origin,
            about: pattern.about.clone(),
            taken: pattern.taken,
            signal: pattern.signal.clone(),
            bound,
            seen,
            last,
        }
    }

    /// Asserts that the user was never shown a match of `pattern`. Absence needs a `sentinel`: a later act, in the same
    /// room if both have one, whose effect this user has seen.
    ///
    /// # Errors
    /// [`Failure::Seen`] when the user was shown it; a harness problem when the sentinel does not prove anything.
    pub fn never_saw(&self, pattern: impl Into<Pattern>, sentinel: &Sighting) -> Result<Absence, Failure> {
        let pattern = pattern.into();
        let same_room = pattern.room.is_none() || sentinel.room.is_none() || pattern.room == sentinel.room;
        if sentinel.by != self.id() || !same_room || pattern.tick == 0 || sentinel.tick <= pattern.tick {
            return Err(Failure::Problem(samklang_verdict::Problem::harness(message!(
                "judging.no-sentinel",
                user = self.inner.name,
                what = pattern.what
            ))));
        }
        match self.view().has_seen(&pattern) {
            Some(seen) => Err(Failure::Seen {
                who: self.who(),
                what: pattern.what,
                exchange: seen.exchange,
                taken: pattern.taken,
            }),
            None => Ok(Absence { observation: sentinel.observation.clone() }),
        }
    }

    /// All matches of `pattern` that the user was shown so far, in the order of the syncs.
    pub fn seen_so_far(&self, pattern: &Pattern) -> Vec<Value> {
        self.view().all(pattern).iter().map(|happening| happening.event.clone()).collect()
    }

    /// Repeats `probe` until it returns a value, for at most the profile's bound. `what` describes the value.
    ///
    /// # Errors
    /// [`Failure::NotSeen`] when it never did, or the failure of `probe`.
    pub async fn eventually<T, F: Future<Output = Result<Option<T>, Failure>>>(
        &self,
        what: &str,
        about: &[&str],
        mut probe: impl FnMut() -> F,
    ) -> Result<T, Failure> {
        let bound = self.ledger().bounds.delivery;
        let answer = samklang_wire::waiting::until_send(bound, || {
            let asked = probe();
            async { asked.await.transpose() }
        })
        .await;
        answer.unwrap_or_else(|_| {
            Err(Failure::NotSeen {
                who: self.who(),
                what: what.to_owned(),
                origin: None,
                about: about.iter().map(|&id| id.to_owned()).collect(),
                taken: None,
                signal: None,
                bound,
                seen: vec![],
                last: None,
            })
        })
    }

    /// The failure that this user's server behaves wrongly.
    pub fn wrong(&self, reason: &str, message: Message, evidence: &[Observation]) -> Failure {
        match samklang_verdict::ReasonCode::new(reason) {
            Ok(reason) => Failure::Wrong(Box::new(Wrong {
                reason,
                by: self.inner.role,
                message,
                expected: None,
                actual: None,
                evidence: evidence.iter().map(|observation| observation.exchange).collect(),
            })),
            Err(error) => Failure::Problem(samklang_verdict::Problem::harness(message!(
                "judging.bad-id",
                error = error
            ))),
        }
    }

    /// The failure that a successful response does not have the API's shape.
    fn malformed(&self, verb: &'static str, what: &str, done: &Done) -> Failure {
        let error = CallError::Malformed { what: what.to_owned(), exchange: done.exchange };
        Failure::Call { who: self.who(), verb, error, about: vec![] }
    }
}
