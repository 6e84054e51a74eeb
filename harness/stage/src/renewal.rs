//! A newer version takes over from a server in mid-run: the old one is stopped, and the new one comes up on what it has
//! stored, under the same name, with the same keys, and for the users who are logged in there.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use samklang_verdict::{Party, Problem, Role, message};
use tokio::sync::watch;

use super::{
    ServerIdentity, Stage,
    up::{client_api, identify, is_up, upstream},
};
use samklang_deploy::{Cast, Deployer, Listening, Running, ServerStart, Storage, embedded::Embedded};
use samklang_drivers::http::Whereabouts;
use samklang_wire::switchboard::Upstream;

/// What it takes to have a newer version take over from a server.
pub(super) struct Renewal {
    newer: Cast,
    means: Means,
    whereabouts: Option<Whereabouts>,
    /// How other servers reach one inside this program, whichever version it is.
    upstream: Option<Upstream>,
    renewed: Mutex<Option<Renewed>>,
}

/// A newer version that has taken over, and what it answers about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// The version that was asked for.
    pub version: String,
    /// What it answered about itself when it was up.
    pub identity: ServerIdentity,
    /// The digest of the image it runs from; only for a container.
    pub image: Option<String>,
}

enum Means {
    Deployed { deployer: Arc<dyn Deployer>, start: Box<ServerStart>, running: Arc<Succession> },
    Embedded(Arc<Successive>),
}

impl Renewal {
    /// For a server that `deployer` has started, and which from now on is looked at through what is given back.
    pub(super) fn of_deployed(
        deployer: Arc<dyn Deployer>,
        start: ServerStart,
        running: Arc<dyn Listening>,
    ) -> (Self, Arc<dyn Running>) {
        let running = Arc::new(Succession::of(running));
        let newer = start.cast.newer().unwrap_or_else(|| start.cast.clone());
        let start = Box::new(ServerStart { cast: newer.clone(), storage: Storage::Found, ..start });
        let means = Means::Deployed { deployer, start, running: Arc::clone(&running) };
        (Self::by(newer, means), running)
    }

    /// For a server inside this program, which from now on is reached through what is given back.
    pub(super) fn of_embedded(cast: &Cast, server: Arc<dyn Embedded>) -> (Arc<dyn Embedded>, Self) {
        let newer = cast.newer().unwrap_or_else(|| cast.clone());
        let successive = Arc::new(Successive {
            current: watch::Sender::new(Some(Arc::clone(&server))),
            last: Mutex::new(server),
        });
        let renewal = Self::by(newer, Means::Embedded(Arc::clone(&successive)));
        (successive, renewal)
    }

    fn by(newer: Cast, means: Means) -> Self {
        Self { newer, means, whereabouts: None, upstream: None, renewed: Mutex::default() }
    }

    /// Says where its users and other servers look for it.
    pub(super) fn called_at(self, whereabouts: Whereabouts, upstream: Upstream) -> Self {
        Self { whereabouts: Some(whereabouts), upstream: Some(upstream), ..self }
    }

    async fn go(&self) -> Result<(), Problem> {
        if let Some(whereabouts) = &self.whereabouts {
            whereabouts.leave();
        }
        match &self.means {
            Means::Deployed { running, .. } => running.go().await,
            Means::Embedded(server) => {
                server.go();
                Ok(())
            }
        }
    }
}

impl Stage {
    fn renewal(&self, role: Role) -> Result<&Renewal, Problem> {
        let renewal = self.renewals.get(&role);
        renewal.ok_or_else(|| Problem::harness(message!("stage.no-successor", role = role)))
    }

    /// Stops the server in this role, for a newer version to take over. Its users wait, and others find nobody there.
    ///
    /// # Errors
    /// When no newer version takes over from it, or it cannot be stopped.
    pub async fn take_down(&self, role: Role) -> Result<(), Problem> {
        let renewal = self.renewal(role)?;
        renewal.go().await?;
        match (self.servers.get(&role), &self.switchboard) {
            (Some(server), Some(switchboard)) => switchboard.disconnect(&server.name),
            _ => Ok(()),
        }
    }

    /// Brings the newer version up on what the server in this role has stored, which was taken down.
    ///
    /// # Errors
    /// Of the subject's class where the newer version does not come up.
    pub async fn bring_up_newer(&self, role: Role) -> Result<Renewed, Problem> {
        let renewal = self.renewal(role)?;
        let (Some(server), Some(switchboard)) = (self.servers.get(&role), &self.switchboard) else {
            return Err(Problem::harness(message!("stage.no-successor", role = role)));
        };
        let (cast, name) = (&renewal.newer, &server.name);
        let mut address = None;
        let mut image = None;
        match &renewal.means {
            Means::Embedded(successive) => {
                let way = switchboard.client(Party::Server { role });
                let upstream = renewal.upstream.clone();
                successive.come_back(cast, way)?;
                upstream.map_or(Ok(()), |upstream| switchboard.connect(name, upstream))?;
            }
            Means::Deployed { deployer, start, running } => {
                let now = deployer.start(start.as_ref().clone()).await?;
                running.succeeded_by(Arc::clone(&now) as Arc<dyn Running>);
                switchboard.connect(name, upstream(role, now.as_ref()))?;
                let api = client_api(cast, now.as_ref(), &self.recorder)?;
                is_up(cast, name, running.as_ref(), &api, &self.federation).await?;
                (address, image) = (Some(now.client()), now.image());
            }
        }
        let identity = identify(name, &self.federation).await;
        let renewed = Renewed { version: cast.version.clone(), identity, image };
        *lock(&renewal.renewed) = Some(renewed.clone());
        if let Some(whereabouts) = &renewal.whereabouts {
            whereabouts.come_back(address);
        }
        Ok(renewed)
    }

    /// The newer version that has taken over in this role, if one has.
    pub fn renewed(&self, role: Role) -> Option<Renewed> {
        lock(&self.renewals.get(&role)?.renewed).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One server after the other in the same role, as one that runs.
struct Succession {
    state: Mutex<Successor>,
}

struct Successor {
    now: Arc<dyn Running>,
    /// It was stopped, and the next one is not there yet.
    between: bool,
    /// What those before it have used.
    spent: Option<Duration>,
}

impl Succession {
    fn of(first: Arc<dyn Listening>) -> Self {
        Self { state: Mutex::new(Successor { now: first, between: false, spent: None }) }
    }

    fn now(&self) -> Arc<dyn Running> {
        Arc::clone(&lock(&self.state).now)
    }

    async fn go(&self) -> Result<(), Problem> {
        let now = self.now();
        // Between two servers the end of the first is no accident.
        lock(&self.state).between = true;
        let used = now.cpu().await;
        now.stop().await?;
        let mut state = lock(&self.state);
        state.spent = state.spent.map_or(used, |spent| Some(spent + used?));
        Ok(())
    }

    fn succeeded_by(&self, next: Arc<dyn Running>) {
        let mut state = lock(&self.state);
        (state.now, state.between) = (next, false);
    }
}

#[async_trait]
impl Running for Succession {
    fn image(&self) -> Option<String> {
        self.now().image()
    }

    fn log(&self) -> Option<PathBuf> {
        self.now().log()
    }

    async fn ended(&self) -> Result<Option<String>, Problem> {
        if lock(&self.state).between {
            return Ok(None);
        }
        self.now().ended().await
    }

    async fn cpu(&self) -> Option<Duration> {
        let spent = lock(&self.state).spent.unwrap_or_default();
        let used = self.now().cpu().await?;
        Some(spent + used)
    }

    async fn stop(&self) -> Result<(), Problem> {
        self.now().stop().await
    }
}

/// One server after the other inside this program, as one.
struct Successive {
    /// None between two of them.
    current: watch::Sender<Option<Arc<dyn Embedded>>>,
    last: Mutex<Arc<dyn Embedded>>,
}

impl Successive {
    fn go(&self) {
        self.current.send_replace(None);
        lock(&self.last).shut();
    }

    fn come_back(
        &self,
        cast: &Cast,
        way: samklang_wire::switchboard::FederationClient,
    ) -> Result<(), Problem> {
        let next = lock(&self.last).renewed(cast, way)?;
        *lock(&self.last) = Arc::clone(&next);
        self.current.send_replace(Some(next));
        Ok(())
    }

    /// Has the server that is there answer, unless it goes before it has.
    async fn ask<F: Future<Output = Response<Bytes>>>(
        &self,
        ask: impl FnOnce(Arc<dyn Embedded>) -> F,
    ) -> Response<Bytes> {
        let mut current = self.current.subscribe();
        let Some(server) = current.borrow_and_update().clone() else { return nobody() };
        tokio::select! {
            answer = ask(server) => answer,
            _ = current.changed() => nobody(),
        }
    }
}

/// The answer of a door behind which nobody is.
fn nobody() -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::BAD_GATEWAY;
    answer
}

#[async_trait]
impl Embedded for Successive {
    async fn federation(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.ask(|server| async move { server.federation(request).await }).await
    }

    async fn client(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.ask(|server| async move { server.client(request).await }).await
    }

    fn shut(&self) {
        lock(&self.last).shut();
    }
}
