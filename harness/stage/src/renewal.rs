//! A newer version replaces a server in mid-run. The old version stops, and the new one starts on its storage, with the
//! same name, the same keys and the same logged-in users.

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

/// The means to replace a server by a newer version.
pub(super) struct Renewal {
    newer: Cast,
    means: Means,
    whereabouts: Option<Whereabouts>,
    /// The route of other servers to a server inside this program; the same for both versions.
    upstream: Option<Upstream>,
    renewed: Mutex<Option<Renewed>>,
}

/// A newer version that has replaced a server, and its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// The requested version.
    pub version: String,
    /// The identity that it returned when it was up.
    pub identity: ServerIdentity,
    /// The digest of its image; only for a container.
    pub image: Option<String>,
}

enum Means {
    Deployed { deployer: Arc<dyn Deployer>, start: Box<ServerStart>, running: Arc<Succession> },
    Embedded(Arc<Successive>),
}

impl Renewal {
    /// For a server that `deployer` has started. The returned `Running` stands for whichever version runs.
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

    /// For a server inside this program. The returned server passes requests to whichever version runs.
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

    /// Sets where its users and other servers find it.
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

    /// Stops the server in this role, so that a newer version can replace it. Meanwhile its users wait, and other
    /// servers cannot reach it.
    ///
    /// # Errors
    /// When no newer version is to replace it, or it cannot be stopped.
    pub async fn take_down(&self, role: Role) -> Result<(), Problem> {
        let renewal = self.renewal(role)?;
        renewal.go().await?;
        match (self.servers.get(&role), &self.switchboard) {
            (Some(server), Some(switchboard)) => switchboard.disconnect(&server.name),
            _ => Ok(()),
        }
    }

    /// Starts the newer version on the storage of the stopped server in this role.
    ///
    /// # Errors
    /// A problem of the subject's class when the newer version does not come up.
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

    /// The newer version that has replaced the server in this role, if one has.
    pub fn renewed(&self, role: Role) -> Option<Renewed> {
        lock(&self.renewals.get(&role)?.renewed).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The versions of a server in one role, as one running server.
struct Succession {
    state: Mutex<Successor>,
}

struct Successor {
    now: Arc<dyn Running>,
    /// The old version was stopped, and the next one does not run yet.
    between: bool,
    /// The CPU time of the earlier versions.
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
        // From here on, the end of the old version is not a failure.
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

/// The versions of a server inside this program, as one server.
struct Successive {
    /// `None` between two versions.
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

    /// Passes a request to the current version, unless that version stops before it answers.
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

/// The response while no version runs.
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
