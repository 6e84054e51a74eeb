//! A scene is what a scenario sees while it is played: its share of the stage, and the checks it makes.
//!
//! Servers are called by their part in the scenario: the first is the host, whose server name shows as `host.test`,
//! the second the guest, `guest.test`. So the same expectation holds in both directions.

mod share;
mod upgrade;
mod wire_questions;

use std::{collections::BTreeMap, sync::Arc};

use samklang_actors::{
    host::Host,
    peer::ScriptedPeer,
    user::{Bounds, Failure, Ledger, Observed},
};
use samklang_deploy::vendor::Vendor;
use samklang_drivers::{ApiRefusal, CallError};
use samklang_stage::Stage;
use samklang_verdict::{Blame, Exchange, ExchangeId, Observations, Party, Play, Role, Verdict, message};
use samklang_wire::switchboard::{NetworkFault, NetworkFaultGuard};
use sha2::{Digest, Sha256};

use self::share::{StageShare, no_wire};
use crate::{
    judging::{
        declaration::{Declaration, ScenarioKind},
        difference::{ExpectedCheck, blame_for_difference},
        expectation::Expectations,
        ledger::{CheckLedger, CheckOutcome},
        normalise::{Names, as_text, normalise},
        rule,
    },
    traffic::{Traffic, wire_view::WireView},
};

/// What a scenario sees while it is played.
pub struct Scene {
    share: StageShare,
    checks: CheckLedger,
    expectations: Expectations,
    traffic: Option<Arc<Traffic>>,
}

impl Scene {
    /// A scene for one play of the scenario that declares this. No other play on the same stage has the same `nonce`.
    pub fn new(
        stage: Arc<Stage>,
        declaration: Declaration,
        play: Play,
        nonce: String,
        bounds: Bounds,
        expectations: Expectations,
        subjects: Vec<Role>,
    ) -> Self {
        let notebook = Arc::new(Ledger::new(nonce, play.room_version.clone(), bounds));
        let checks = CheckLedger::new(declaration, subjects, Arc::clone(&notebook));
        let share = StageShare::new(stage, declaration.id, play, notebook);
        Self { share, checks, expectations, traffic: None }
    }

    /// With the traffic of the plays before this one, which a passive scenario judges.
    #[must_use]
    pub fn after(mut self, traffic: Option<Arc<Traffic>>) -> Self {
        self.traffic = traffic;
        self
    }

    /// The servers, the host first.
    ///
    /// # Errors
    /// When the stage has fewer.
    pub fn servers<const N: usize>(&self) -> Result<[Host; N], Failure> {
        self.share.servers()
    }

    /// A scripted peer. Its server name belongs to this scenario alone, so that no retry of a server reaches another
    /// one.
    ///
    /// # Errors
    /// Inconclusive without the switchboard. Not applicable where the operator of the server has not consented to what
    /// peers may do.
    pub async fn peer(&self, label: &str) -> Result<ScriptedPeer, Failure> {
        self.share.peer(label).await
    }

    /// The room version that is played.
    pub fn room_version(&self) -> &str {
        &self.share.play().room_version
    }

    /// Whether the room version is `version` or a later one.
    pub fn version_is_from(&self, version: u32) -> bool {
        self.room_version().parse::<u32>().is_ok_and(|played| played >= version)
    }

    /// The stage, which all scenarios share.
    pub fn stage(&self) -> &Stage {
        &self.share.stage
    }

    /// The notebook that the scenario's users and peers share.
    pub fn ledger(&self) -> &Ledger {
        &self.share.notebook
    }

    /// What the wire shows of this scenario so far.
    ///
    /// # Errors
    /// Inconclusive where nothing on the wire is recorded.
    pub fn wire(&self) -> Result<WireView, Failure> {
        self.share.wire_view().ok_or_else(no_wire)
    }

    /// Every exchange of this scenario, in order, as its transcript holds them: those that mention its rooms, users and
    /// events, and those that verdicts cite. A user whose registration is refused has no id that anything could
    /// mention.
    pub fn transcript(&self, cited: impl IntoIterator<Item = ExchangeId>) -> Vec<Arc<Exchange>> {
        self.share.transcript(cited)
    }

    /// Waits for an exchange between servers that `wanted` holds for, for at most the profile's bound.
    ///
    /// # Errors
    /// [`Failure::Inconclusive`] when none came: the wire alone does not tell which server is to blame.
    pub async fn wire_shows(
        &self,
        what: &str,
        wanted: impl Fn(&Exchange) -> bool,
    ) -> Result<Arc<Exchange>, Failure> {
        self.share.wire_shows(what, wanted).await
    }

    /// Causes a network fault, which lasts until the guard is dropped.
    ///
    /// # Errors
    /// Inconclusive where servers meet without the switchboard. Not applicable at a server that runs outside of this
    /// program: its operator says how it recovers, and when.
    pub fn fault(&self, fault: NetworkFault) -> Result<NetworkFaultGuard, Failure> {
        self.share.network_fault(fault)
    }

    /// Judges the check `name`: it passes with what `outcome` rests on, or fails as `outcome` failed. The scenario goes
    /// on either way.
    pub fn check(&self, name: &str, outcome: Result<impl Into<Observations>, Failure>) {
        self.checks.judge(name, outcome.map(Into::into), self.share.wire_view().as_ref());
    }

    /// The check `name` cannot be judged because of what the check `by` found wrong.
    pub fn block(&self, name: &str, by: &str) {
        self.checks.block(name, by);
    }

    /// Holds what was observed against the expectation stored for the check `name`, the same in all room versions.
    pub fn record(&self, name: &str, observed: impl Into<Observed>) {
        self.hold(name, None, &observed.into());
    }

    /// As [`Self::record`], with an expectation of its own for each room version.
    pub fn record_by_version(&self, name: &str, observed: impl Into<Observed>) {
        self.hold(name, Some(self.room_version()), &observed.into());
    }

    fn hold(&self, name: &str, by_version: Option<&str>, observed: &Observed) {
        let mut names = Names::new(&self.ledger().names());
        let actual = as_text(&normalise(&observed.value, &mut names));
        let digest = hex::encode(Sha256::digest(&actual));
        let declaration = self.checks.declaration();
        let check = ExpectedCheck {
            id: format!("{}/{name}", declaration.id),
            title: declaration.title_of(name).unwrap_or_default(),
            by_version,
        };
        let pass = |observations| self.checks.pass(observations);
        let blame = || blame_for_difference(observed, self.share.wire_view().as_ref(), self.share.roles());
        let verdict = check.verdict(&self.expectations, (observed, &actual), pass, blame);
        self.checks.settle(name, CheckOutcome { verdict, actual_sha256: Some(digest) });
    }

    /// Holds the traffic of the plays before this one against the rules of this scenario's checks.
    ///
    /// # Errors
    /// A harness problem when a rule panics; what servers did wrong stands in the checks.
    pub async fn judge_traffic(&self) -> Result<(), Failure> {
        let checks = self.checks.declaration().checks;
        let judged = rule::judge_traffic(checks, self.traffic.as_deref(), self.checks.subjects())?;
        for (name, verdict) in judged {
            self.checks.settle(name, verdict.into());
        }
        Ok(())
    }

    /// Every check's verdict, now that the scenario has ended as `ended`.
    pub fn close(&self, ended: &Result<(), Failure>) -> BTreeMap<String, CheckOutcome> {
        self.share.hang_up();
        let ended = &self.share.unexpected_request().map_or_else(|| ended.clone(), Err);
        let mut judged = self.checks.close(ended, self.share.wire_view().as_ref());
        for (name, outcome) in &mut judged {
            if let Some(vendor) = self.behind_adapter(name, &outcome.verdict) {
                let message = message!("plan.adapter-made", vendor = vendor.title);
                outcome.verdict = Verdict::NotApplicable { message };
            }
        }
        judged
    }

    /// The vendor that this verdict would be about, where it declares that an adapter makes what the check looks at.
    fn behind_adapter(&self, check: &str, verdict: &Verdict) -> Option<Arc<Vendor>> {
        let about = match verdict {
            Verdict::Error { .. } | Verdict::NotRun { .. } | Verdict::NotApplicable { .. } => return None,
            Verdict::Fail(fail) => match &fail.blame {
                Blame::Server { role, .. } => vec![*role],
                _ => self.share.roles().collect(),
            },
            Verdict::Pass { .. } | Verdict::Inconclusive { .. } => self.checks.subjects().to_vec(),
        };
        let declaration = self.checks.declaration();
        let alone = declaration.kind == ScenarioKind::Peer;
        let here = about.into_iter().filter(|role| !alone || *role == self.share.play().host);
        let mut vendors = here.filter_map(|role| Some(Arc::clone(&self.stage().server(role)?.cast.vendor)));
        vendors.find(|vendor| vendor.is_adapters(declaration.id, check))
    }
}

/// A server of the constellation as an end of an exchange.
pub fn party(role: Role) -> Party {
    Party::Server { role }
}

/// A call's refusal, where it is one.
pub fn refusal(failure: &Failure) -> Option<&ApiRefusal> {
    match failure {
        Failure::Call { error: CallError::Refused(refusal), .. } => Some(refusal),
        _ => None,
    }
}
