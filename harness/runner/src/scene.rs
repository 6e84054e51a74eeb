//! A scene is one scenario's share of a stage: its own users, rooms and names, and the checks it makes.
//!
//! Servers are called by their part in the scenario: the first is the host, whose server name shows as `host.test`,
//! the second the guest, `guest.test`. The same expectation so holds in both directions.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use samklang_actors::{
    host::Host,
    peer::ScriptedPeer,
    user::{Bounds, Failure, Ledger, Observed, Wrong},
};
use samklang_deploy::vendor::Vendor;
use samklang_drivers::CallError;
use samklang_stage::Stage;
use samklang_verdict::{
    Blame, CheckId, Exchange, ExchangeId, Observation, Observations, Party, Play, Problem, ReasonCode, Role,
    ScenarioId, Verdict, message,
};
use samklang_wire::switchboard::{Fault, FaultGuard};
use sha2::{Digest, Sha256};

use crate::{
    expectation::{Comparison, Expectations},
    judge,
    normalise::{Names, as_text, normalise},
    scenario::{FLOW, Kind, Scenario},
    traffic::Traffic,
    wire::WireView,
};

/// One scenario's share of a stage.
pub struct Scene {
    stage: Arc<Stage>,
    scenario: &'static Scenario,
    play: Play,
    ledger: Arc<Ledger>,
    expectations: Expectations,
    subjects: Vec<Role>,
    begun: ExchangeId,
    peers: Mutex<Vec<ScriptedPeer>>,
    traffic: Option<Arc<Traffic>>,
    judged: Mutex<BTreeMap<String, CheckOutcome>>,
}

/// A check's verdict, and the digest of what was shown where it was held against an expectation.
#[derive(Debug, Clone)]
pub struct CheckOutcome {
    /// The verdict.
    pub verdict: Verdict,
    /// SHA-256 of the normalised text that was shown.
    pub actual_sha256: Option<String>,
}

impl From<Verdict> for CheckOutcome {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, actual_sha256: None }
    }
}

impl Scene {
    /// A scene for one play of `scenario`. `nonce` is unlike any other's on the same stage.
    pub fn new(
        stage: Arc<Stage>,
        scenario: &'static Scenario,
        play: Play,
        nonce: String,
        bounds: Bounds,
        expectations: Expectations,
        subjects: Vec<Role>,
    ) -> Self {
        let ledger = Arc::new(Ledger::new(nonce, play.room_version.clone(), bounds));
        let parts = ["host.test", "guest.test", "third.test"];
        for (role, part) in order(&stage, play.host).into_iter().zip(parts) {
            if let Some(server) = stage.server(role) {
                ledger.call(&server.name, part);
            }
        }
        let begun = stage.recorder().mark();
        Self {
            stage,
            scenario,
            play,
            ledger,
            expectations,
            subjects,
            begun,
            peers: Mutex::default(),
            traffic: None,
            judged: Mutex::default(),
        }
    }

    /// With what the plays before this one, of the same room version and direction, put on the wire.
    #[must_use]
    pub fn after(mut self, traffic: Option<Arc<Traffic>>) -> Self {
        self.traffic = traffic;
        self
    }

    /// What the plays before this one put on the wire; none where it does not come after others.
    pub fn traffic(&self) -> Option<&Traffic> {
        self.traffic.as_deref()
    }

    /// Whether the server in this role is judged.
    pub fn judges(&self, role: Role) -> bool {
        self.subjects.contains(&role)
    }

    /// The servers, the host first.
    ///
    /// # Errors
    /// When the stage has fewer.
    pub fn servers<const N: usize>(&self) -> Result<[Host; N], Failure> {
        let hosts: Vec<_> = order(&self.stage, self.play.host)
            .into_iter()
            .filter_map(|role| self.stage.server(role))
            .map(|server| Host::new(server, Arc::clone(&self.ledger)))
            .take(N)
            .collect();
        hosts.try_into().map_err(|_| {
            Failure::Problem(Problem::harness(message!(
                "judging.too-few-servers",
                scenario = self.scenario.id
            )))
        })
    }

    /// A homeserver of the harness's own with a name that no other scenario has, so that no retry of a server's crosses
    /// scenarios.
    ///
    /// # Errors
    /// Inconclusive without the switchboard. Not applicable where nobody has consented to what peers may do.
    pub async fn peer(&self, label: &str) -> Result<ScriptedPeer, Failure> {
        if let Some(terms) = self.stage.terms().filter(|terms| !terms.hostile) {
            let text = message!("plan.no-consent", scenario = self.scenario.id, server = terms.server_name);
            return Err(Failure::NotApplicable(text));
        }
        let peer = self.stage.peer(label).await?;
        let peer = peer.ok_or_else(|| Failure::Inconclusive(message!("judging.no-wire")))?;
        let peer = ScriptedPeer::new(peer, label, &self.ledger);
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).push(peer.clone());
        Ok(peer)
    }

    pub(crate) fn scenario(&self) -> &'static Scenario {
        self.scenario
    }

    /// The room version that is played.
    pub fn room_version(&self) -> &str {
        &self.play.room_version
    }

    /// Whether the room version is `version` or a later one.
    pub fn version_is_from(&self, version: u32) -> bool {
        self.play.room_version.parse::<u32>().is_ok_and(|played| played >= version)
    }

    /// Where exchanges are kept.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The notebook.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn judged(&self) -> MutexGuard<'_, BTreeMap<String, CheckOutcome>> {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the wire shows of this scenario so far.
    ///
    /// # Errors
    /// Inconclusive where nothing on the wire is recorded.
    pub fn wire(&self) -> Result<WireView, Failure> {
        self.wire_view().ok_or_else(|| Failure::Inconclusive(message!("judging.no-wire")))
    }

    fn wire_view(&self) -> Option<WireView> {
        let recorder = self.stage.recorder();
        let of = || WireView::of(recorder, &self.ledger.own_ids(), &self.play.room_version);
        self.stage.has_switchboard().then(of)
    }

    /// Every exchange of this scenario, in order: what its transcript holds. That is what mentions its rooms, users and
    /// events, and what verdicts cite: who is refused an account has no id yet that anything could mention.
    pub fn transcript(&self, cited: impl IntoIterator<Item = ExchangeId>) -> Vec<Arc<Exchange>> {
        let recorder = self.stage.recorder();
        let own = recorder.mentioning(&self.ledger.own_ids());
        let own = own.into_iter().filter(|exchange| exchange.id >= self.begun);
        let all = own.chain(cited.into_iter().filter_map(|id| recorder.by_id(id)));
        all.map(|exchange| (exchange.id, exchange)).collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// Waits for an exchange between servers that `wanted` holds for, for at most the profile's bound.
    ///
    /// # Errors
    /// [`Failure::Inconclusive`] when none came: on the wire alone nobody is to blame.
    pub async fn wire_shows(
        &self,
        what: &str,
        wanted: impl Fn(&Exchange) -> bool,
    ) -> Result<Arc<Exchange>, Failure> {
        if !self.stage.has_switchboard() {
            return Err(Failure::Inconclusive(message!("judging.no-wire")));
        }
        let bound = self.ledger.bounds.delivery;
        let found = self.stage.recorder().await_exchange(bound, self.begun, wanted).await;
        found.ok_or_else(|| {
            Failure::Inconclusive(message!("judging.not-on-wire", what = what, seconds = bound.as_secs()))
        })
    }

    /// Bends the network until the guard is dropped.
    ///
    /// # Errors
    /// Inconclusive where servers meet without the switchboard. Not applicable at a server that is not the run's own: how
    /// soon it recovers is for others to say.
    pub fn fault(&self, fault: Fault) -> Result<FaultGuard, Failure> {
        if let Some(terms) = self.stage.terms() {
            let server = &terms.server_name;
            let text = message!("plan.not-to-be-disturbed", scenario = self.scenario.id, server = server);
            return Err(Failure::NotApplicable(text));
        }
        self.stage.fault(fault).ok_or_else(|| Failure::Inconclusive(message!("judging.no-wire")))
    }

    /// Judges the check `name`: it passes with what `outcome` rests on, or fails as `outcome` failed. The scenario goes
    /// on either way.
    pub fn check(&self, name: &str, outcome: Result<impl Into<Observations>, Failure>) {
        let verdict = match outcome {
            Ok(observations) => self.pass(observations.into()),
            Err(failure) => judge::verdict_of(&failure, self.wire_view().as_ref()),
        };
        self.settle(name, verdict.into());
    }

    /// The check `name` cannot be judged, for what the check `by` found wrong.
    pub fn block(&self, name: &str, by: &str) {
        let message = message!("judging.blocked-by", check = by);
        let by = ScenarioId::new(self.scenario.id).ok().and_then(|id| CheckId::of(&id, by).ok());
        self.settle(name, Verdict::Inconclusive { message, blocked_by: by, bound_ms: None }.into());
    }

    /// Holds what was observed against the expectation stored for the check `name`, the same in all room versions.
    pub fn record(&self, name: &str, observed: impl Into<Observed>) {
        self.hold(name, None, &observed.into());
    }

    /// As [`Self::record`], with an expectation of its own for each room version.
    pub fn record_by_version(&self, name: &str, observed: impl Into<Observed>) {
        self.hold(name, Some(&self.play.room_version), &observed.into());
    }

    fn hold(&self, name: &str, by_version: Option<&str>, observed: &Observed) {
        let mut names = Names::new(&self.ledger.names());
        let actual = as_text(&normalise(&observed.value, &mut names));
        let digest = hex::encode(Sha256::digest(&actual));
        let verdict = self.against_expectation(name, by_version, observed, &actual);
        self.settle(name, CheckOutcome { verdict, actual_sha256: Some(digest) });
    }

    fn against_expectation(
        &self,
        name: &str,
        by_version: Option<&str>,
        observed: &Observed,
        actual: &str,
    ) -> Verdict {
        let check = format!("{}/{name}", self.scenario.id);
        let error = |problem: Problem| Verdict::Error { class: problem.class, message: problem.message };
        let comparison = match self.expectations.compare(&check, by_version, actual) {
            Ok(comparison) => comparison,
            Err(problem) => return error(problem),
        };
        if comparison == Comparison::Conforms {
            return self.pass(observed.observations.clone());
        }
        let title = self.title(name).unwrap_or_default();
        if let Err(problem) = self.expectations.propose(&check, by_version, title, actual) {
            return error(problem);
        }
        match comparison {
            Comparison::Differs { expected } => {
                let evidence: Vec<_> = observed.observations.all().iter().map(|seen| seen.exchange).collect();
                let (blame, extra) = self.blame_for_difference(observed);
                let evidence = evidence.into_iter().chain(extra).collect();
                let text = message!("fail.differs", title = title);
                let verdict = judge::fail("expectation.differs", blame, text, evidence);
                judge::with_texts(verdict, Some(expected), Some(actual.to_owned()))
            }
            _ => Verdict::Inconclusive {
                message: message!("judging.no-expectation", check = check),
                blocked_by: None,
                bound_ms: None,
            },
        }
    }

    /// Who made the difference: the server that put an event on the wire as it is shown, else the one that shows it.
    fn blame_for_difference(&self, observed: &Observed) -> (Blame, Option<ExchangeId>) {
        let shown_by = observed.observations.all()[0].by;
        let shown = |role| Blame::Server { role, because: message!("blame.shown") };
        if let Some(sent) = &observed.sent {
            let Observation { by, exchange } = sent.observations.all()[0].clone();
            let blame = if sent.value == observed.value {
                let because = message!("blame.sent-so", exchange = exchange, role = by);
                Blame::Server { role: by, because }
            } else {
                let because = message!("blame.changed", exchange = exchange, role = shown_by);
                Blame::Server { role: shown_by, because }
            };
            return (blame, Some(exchange));
        }
        let id = observed.value["event_id"].as_str();
        if id.is_none() && observed.observations.all().iter().any(|seen| seen.by != shown_by) {
            // What several servers show, put together: the difference does not tell which of them is wrong.
            return (Blame::Undecided { because: message!("blame.several-show") }, None);
        }
        let (Some(wire), Some(id)) = (self.wire_view(), id) else { return (shown(shown_by), None) };
        for server in self.stage.servers().filter(|server| server.role != shown_by) {
            if let Some((content, exchange)) = wire.content_on_wire(id, server.role) {
                if content == observed.value["content"] {
                    let because = message!("blame.sent-so", exchange = exchange, role = server.role);
                    return (Blame::Server { role: server.role, because }, Some(exchange));
                }
                let because = message!("blame.changed", exchange = exchange, role = shown_by);
                return (Blame::Server { role: shown_by, because }, Some(exchange));
            }
        }
        (shown(shown_by), None)
    }

    /// A pass, if it rests on something that a subject was seen to do: where only the other server shows the outcome, on
    /// the last thing that a subject did for it.
    fn pass(&self, observations: Observations) -> Verdict {
        if observations.any_by(&self.subjects) {
            return Verdict::Pass { observations };
        }
        let own = self.ledger.observations().into_iter().rfind(|own| self.subjects.contains(&own.by));
        if let Some(own) = own {
            Verdict::Pass { observations: Observations::new(own, observations.all().iter().cloned()) }
        } else {
            let problem = Problem::harness(message!("judging.no-subject", scenario = self.scenario.id));
            Verdict::Error { class: problem.class, message: problem.message }
        }
    }

    fn title(&self, name: &str) -> Option<&'static str> {
        self.scenario.all_checks().find(|(check, ..)| *check == name).map(|(_, title, _)| title)
    }

    pub(crate) fn settle(&self, name: &str, outcome: CheckOutcome) {
        let mut judged = self.judged();
        let again = judged.contains_key(name);
        let declared = self.title(name).filter(|_| name != FLOW);
        let outcome = match (declared, again) {
            (Some(_), false) => outcome,
            (None, _) => {
                harness_error(message!("judging.unknown-check", check = name, scenario = self.scenario.id))
            }
            (Some(_), true) => {
                harness_error(message!("judging.judged-twice", check = name, scenario = self.scenario.id))
            }
        };
        judged.insert(name.to_owned(), outcome);
    }

    /// Every check's verdict, now that the scenario has ended as `ended`.
    pub fn close(&self, ended: &Result<(), Failure>) -> BTreeMap<String, CheckOutcome> {
        for peer in self.peers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            peer.peer().hang_up();
        }
        let ended = &self.unexpected().map_or_else(|| ended.clone(), Err);
        let flow: CheckOutcome = match ended {
            // It judges what others left on the wire; that alone is no deed of a server's, and could not fail.
            Ok(()) if self.scenario.kind == Kind::Passive => {
                Verdict::NotApplicable { message: message!("judging.no-flow") }.into()
            }
            Ok(()) => match Observations::from_all(self.ledger.observations()) {
                Some(observations) => self.pass(observations).into(),
                None => harness_error(message!("judging.nothing-observed", scenario = self.scenario.id)),
            },
            Err(failure) => judge::verdict_of(failure, self.wire_view().as_ref()).into(),
        };
        let went_well = match flow.verdict {
            Verdict::Pass { .. } => true,
            Verdict::NotApplicable { .. } => self.scenario.kind == Kind::Passive,
            _ => false,
        };
        let mut judged = std::mem::take(&mut *self.judged());
        for (name, ..) in self.scenario.all_checks().filter(|(name, ..)| *name != FLOW) {
            judged.entry(name.to_owned()).or_insert_with(|| {
                if went_well {
                    harness_error(message!("judging.not-judged", check = name, scenario = self.scenario.id))
                } else {
                    blocked(self.scenario, &flow.verdict).into()
                }
            });
        }
        // A check that nobody declared has no place in a result, so the flow carries its error.
        let stray = judged.keys().find(|name| self.title(name).is_none() || *name == FLOW).cloned();
        let stray = stray.and_then(|name| judged.remove(&name));
        judged.insert(FLOW.to_owned(), stray.unwrap_or(flow));
        for (name, outcome) in &mut judged {
            if let Some(vendor) = self.behind_adapter(name, &outcome.verdict) {
                let message = message!("plan.adapter-made", vendor = vendor.title);
                outcome.verdict = Verdict::NotApplicable { message };
            }
        }
        judged
    }

    /// The vendor that this verdict would speak of, where it declares that an adapter makes what the check looks at.
    fn behind_adapter(&self, check: &str, verdict: &Verdict) -> Option<Arc<Vendor>> {
        let about = match verdict {
            Verdict::Error { .. } | Verdict::NotRun { .. } | Verdict::NotApplicable { .. } => return None,
            Verdict::Fail(fail) => match &fail.blame {
                Blame::Server { role, .. } => vec![*role],
                _ => self.stage.servers().map(|server| server.role).collect(),
            },
            Verdict::Pass { .. } | Verdict::Inconclusive { .. } => self.subjects.clone(),
        };
        let alone = self.scenario.kind == Kind::Peer;
        let here = about.into_iter().filter(|role| !alone || *role == self.play.host);
        let mut vendors = here.filter_map(|role| Some(Arc::clone(&self.stage.server(role)?.cast.vendor)));
        vendors.find(|vendor| vendor.is_adapters(self.scenario.id, check))
    }
}

impl Scene {
    /// The first request to one of the scenario's peers that no server has reason to make.
    fn unexpected(&self) -> Option<Failure> {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let (peer, request) =
            peers.iter().find_map(|peer| Some((peer, peer.peer().unexpected().into_iter().next()?)))?;
        let exchange = request.exchange.and_then(|id| self.stage.recorder().by_id(id))?;
        let by = crate::wire::role_of(&exchange.from)?;
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
}

/// What a check comes to whose scenario did not get that far.
fn blocked(scenario: &Scenario, flow: &Verdict) -> Verdict {
    if let Verdict::NotApplicable { message } = flow {
        return Verdict::NotApplicable { message: message.clone() };
    }
    let by = ScenarioId::new(scenario.id).ok().and_then(|id| CheckId::of(&id, FLOW).ok());
    Verdict::Inconclusive {
        message: message!("judging.blocked", scenario = scenario.id),
        blocked_by: by,
        bound_ms: None,
    }
}

fn harness_error(message: samklang_verdict::Message) -> CheckOutcome {
    Verdict::Error { class: samklang_verdict::Class::Harness, message }.into()
}

/// The stage's roles with the host first.
fn order(stage: &Stage, host: Role) -> Vec<Role> {
    let others = stage.servers().map(|server| server.role).filter(|&role| role != host);
    std::iter::once(host).chain(others).collect()
}

/// A server of the constellation as an end of an exchange.
pub fn party(role: Role) -> Party {
    Party::Server { role }
}

/// A call's refusal, where it is one.
pub fn refusal(failure: &Failure) -> Option<&samklang_drivers::Refusal> {
    match failure {
        Failure::Call { error: CallError::Refused(refusal), .. } => Some(refusal),
        _ => None,
    }
}
