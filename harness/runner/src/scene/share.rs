//! A scenario's share of the stage: the servers it meets, the peers it brings, the network faults it causes, and the
//! exchanges that belong to it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use samklang_actors::{
    host::Host,
    peer::ScriptedPeer,
    user::{Failure, Ledger, Wrong},
};
use samklang_stage::{Stage, StageServer};
use samklang_verdict::{Exchange, ExchangeId, Play, Problem, ReasonCode, Role, message};
use samklang_wire::switchboard::{NetworkFault, NetworkFaultGuard};

use crate::traffic::wire_view::{WireView, role_of};

/// What the servers are called in expectations, the host first.
const PARTS: [&str; 3] = ["host.test", "guest.test", "third.test"];

/// A scenario's share of the stage.
pub(super) struct StageShare {
    pub(super) stage: Arc<Stage>,
    pub(super) notebook: Arc<Ledger>,
    scenario: &'static str,
    play: Play,
    /// The exchanges before this one belong to earlier scenarios.
    begun: ExchangeId,
    peers: Mutex<Vec<ScriptedPeer>>,
}

impl StageShare {
    /// The share of `scenario` in this play of it.
    pub(super) fn new(stage: Arc<Stage>, scenario: &'static str, play: Play, notebook: Arc<Ledger>) -> Self {
        let begun = stage.recorder().mark();
        let share = Self { stage, notebook, scenario, play, begun, peers: Mutex::default() };
        for (server, part) in share.host_first().zip(PARTS) {
            share.notebook.call(&server.name, part);
        }
        share
    }

    pub(super) fn play(&self) -> &Play {
        &self.play
    }

    fn peers(&self) -> MutexGuard<'_, Vec<ScriptedPeer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stage's servers, the host first.
    fn host_first(&self) -> impl Iterator<Item = Arc<StageServer>> {
        let host = self.play.host;
        let others = self.stage.servers().map(|server| server.role).filter(move |&role| role != host);
        std::iter::once(host).chain(others).filter_map(|role| self.stage.server(role))
    }

    pub(super) fn servers<const N: usize>(&self) -> Result<[Host; N], Failure> {
        let host = |server| Host::new(server, Arc::clone(&self.notebook));
        let hosts: Vec<_> = self.host_first().map(host).take(N).collect();
        hosts.try_into().map_err(|_| {
            let text = message!("judging.too-few-servers", scenario = self.scenario);
            Failure::Problem(Problem::harness(text))
        })
    }

    pub(super) async fn peer(&self, label: &str) -> Result<ScriptedPeer, Failure> {
        if let Some(terms) = self.stage.terms().filter(|terms| !terms.hostile) {
            let text = message!("plan.no-consent", scenario = self.scenario, server = terms.server_name);
            return Err(Failure::NotApplicable(text));
        }
        let peer = self.stage.peer(label).await?.ok_or_else(no_wire)?;
        let peer = ScriptedPeer::new(peer, label, &self.notebook);
        self.peers().push(peer.clone());
        Ok(peer)
    }

    pub(super) fn network_fault(&self, fault: NetworkFault) -> Result<NetworkFaultGuard, Failure> {
        if let Some(terms) = self.stage.terms() {
            let server = &terms.server_name;
            let text = message!("plan.not-to-be-disturbed", scenario = self.scenario, server = server);
            return Err(Failure::NotApplicable(text));
        }
        self.stage.fault(fault).ok_or_else(no_wire)
    }

    /// The exchanges of this scenario so far; none where nothing between the servers is recorded.
    pub(super) fn wire_view(&self) -> Option<WireView> {
        let recorder = self.stage.recorder();
        let view = || WireView::of(recorder, &self.notebook.own_ids(), &self.play.room_version);
        self.stage.has_switchboard().then(view)
    }

    pub(super) fn transcript(&self, cited: impl IntoIterator<Item = ExchangeId>) -> Vec<Arc<Exchange>> {
        let recorder = self.stage.recorder();
        let own = recorder.mentioning(&self.notebook.own_ids());
        let own = own.into_iter().filter(|exchange| exchange.id >= self.begun);
        let all = own.chain(cited.into_iter().filter_map(|id| recorder.by_id(id)));
        all.map(|exchange| (exchange.id, exchange)).collect::<BTreeMap<_, _>>().into_values().collect()
    }

    pub(super) async fn wire_shows(
        &self,
        what: &str,
        wanted: impl Fn(&Exchange) -> bool,
    ) -> Result<Arc<Exchange>, Failure> {
        if !self.stage.has_switchboard() {
            return Err(no_wire());
        }
        let bound = self.notebook.bounds.delivery;
        let found = self.stage.recorder().await_exchange(bound, self.begun, wanted).await;
        found.ok_or_else(|| {
            Failure::Inconclusive(message!("judging.not-on-wire", what = what, seconds = bound.as_secs()))
        })
    }

    /// The peers send nothing more and answer nothing more.
    pub(super) fn hang_up(&self) {
        for peer in self.peers().iter() {
            peer.peer().hang_up();
        }
    }

    /// The first request to one of the scenario's peers that no server has reason to make.
    pub(super) fn unexpected_request(&self) -> Option<Failure> {
        let peers = self.peers();
        let (peer, request) =
            peers.iter().find_map(|peer| Some((peer, peer.peer().unexpected().into_iter().next()?)))?;
        let exchange = request.exchange.and_then(|id| self.stage.recorder().by_id(id))?;
        let by = role_of(&exchange.from)?;
        let reason = ReasonCode::new("peer.unexpected_request").ok()?;
        let text = message!("fail.unexpected", peer = peer.label(), what = request.what, why = request.why);
        Some(Failure::Wrong(Box::new(Wrong {
            reason,
            by,
            message: text,
            expected: None,
            actual: None,
            evidence: vec![exchange.id],
        })))
    }

    /// The roles of the stage's servers.
    pub(super) fn roles(&self) -> impl Iterator<Item = Role> {
        self.stage.servers().map(|server| server.role)
    }
}

pub(super) fn no_wire() -> Failure {
    Failure::Inconclusive(message!("judging.no-wire"))
}
