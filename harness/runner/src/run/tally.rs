//! Turns the results of trials into the checks of the result file.

use std::collections::{BTreeMap, BTreeSet};

use samklang_deploy::Cast;
use samklang_verdict::{
    Blame, CheckId, CheckResult, Class, Counts, Deviation, Disposition, Participant, Role, ScenarioId,
    Verdict, Weight, dispose, message,
};

use super::{evidence, order::RunOrder, progress::RunEvent};
use crate::{
    scenario::ScenarioKind,
    schedule::played::PlayedTrial,
    suite::{Requirements, Suite},
};

/// Holds the results of trials against the recorded deviations of the vendors that take part.
pub struct CheckTally<'a> {
    order: &'a RunOrder,
    suite: &'a Suite,
    /// The records of each role's vendor that hold for the version which plays and for the vendor it plays with.
    records: BTreeMap<Role, Vec<Deviation>>,
}

impl<'a> CheckTally<'a> {
    /// The tally of a run in which these servers take part.
    pub fn new(order: &'a RunOrder, suite: &'a Suite, participants: &[Participant]) -> Self {
        Self { order, suite, records: records(order, participants) }
    }

    /// All checks of `played`.
    pub fn checks(&self, played: &[PlayedTrial]) -> Vec<CheckResult> {
        let mut checks: Vec<_> = played.iter().flat_map(|play| self.checks_of(play)).collect();
        let partial = !self.order.selection.terms.is_empty();
        let passive = |check: &CheckResult| {
            let scenario = self.suite.scenarios.iter().find(|scenario| check.id.scenario() == scenario.id);
            scenario.is_some_and(|scenario| scenario.kind == ScenarioKind::Passive)
        };
        let failing: BTreeSet<_> = checks
            .iter()
            .filter(|check| check.disposition == Disposition::Deviation)
            .map(|check| (check.id.clone(), check.play.room_version.clone()))
            .collect();
        for check in checks.iter_mut().filter(|check| check.disposition == Disposition::DeviationStale) {
            // A record holds for both directions, so it is stale only once neither of them shows the difference. A
            // passive check shows a difference only if the traffic has it, so a part of the suite does not make a
            // record stale.
            let elsewhere = failing.contains(&(check.id.clone(), check.play.room_version.clone()));
            if elsewhere || (partial && passive(check)) {
                (check.disposition, check.deviation) = (Disposition::AsExpected, None);
            }
        }
        checks
    }

    /// Whether something failed that no record covers. A recorded fail is not played again: if it ever passes, its
    /// record is stale, which fails the run.
    pub fn is_news(&self, played: &PlayedTrial) -> bool {
        let is_news = |check: &CheckResult| {
            check.verdict.name() == "fail" && check.disposition != Disposition::Deviation
        };
        self.checks_of(played).iter().any(is_news)
    }

    /// The progress event about a trial that has ended.
    pub fn told(&self, played: &PlayedTrial) -> RunEvent {
        let checks = self.checks_of(played);
        let is_trouble = |check: &&CheckResult| {
            !matches!(
                check.disposition,
                // Whether a record is stale is known at the end, after all plays.
                Disposition::AsExpected
                    | Disposition::Deviation
                    | Disposition::DeviationStale
                    | Disposition::Unproven
            )
        };
        let in_words = |check: &CheckResult| {
            format!("{} {}: {}", check.verdict.name(), check.id.name(), why(&check.verdict))
        };
        RunEvent::Played {
            trial: played.trial.name(),
            counts: Counts::of(&checks),
            troubles: checks.iter().filter(is_trouble).map(in_words).collect(),
            took_ms: u64::try_from(played.took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn checks_of(&self, played: &PlayedTrial) -> Vec<CheckResult> {
        let Self { order, suite, records } = self;
        let scenario = played.trial.scenario;
        let name = played.trial.name();
        // A scenario with peers needs only its host.
        let at_play = |role: &Role| scenario.kind != ScenarioKind::Peer || *role == played.trial.play.host;
        let held: Vec<_> = order.subjects.iter().copied().filter(at_play).collect();
        let check = |(check, title, requirements): (&'static str, &'static str, &'static [&'static str])| {
            let id = CheckId::of(&ScenarioId::new(scenario.id).ok()?, check).ok()?;
            let outcome = played.checks.get(check);
            let missing = || Verdict::Error {
                class: Class::Harness,
                message: message!("judging.not-judged", check = check, scenario = scenario.id),
            };
            let verdict = outcome.map_or_else(missing, |outcome| outcome.verdict.clone());
            let sha256 = outcome.and_then(|outcome| outcome.actual_sha256.as_deref());
            let mut attempts = played.attempts.get(check).cloned().unwrap_or_default();
            for (again, attempt) in attempts.iter_mut().enumerate() {
                attempt.transcript = Some(evidence::transcript_path(&name, again));
            }
            let proven_by: Vec<_> = suite.kill_matrix.proofs_of(&id).map(str::to_owned).collect();
            let relevant = relevant(records, &verdict, &held);
            let judged = dispose(&relevant, &id, &played.trial.play, &verdict, sha256, &order.today);
            let flaky = attempts.iter().any(|attempt| attempt.verdict == "pass");
            let unproven = proven_by.is_empty() && matches!(verdict, Verdict::Pass { .. });
            let disposition = match judged.disposition {
                _ if flaky => Disposition::Flaky,
                Disposition::AsExpected if unproven => Disposition::Unproven,
                other => other,
            };
            Some(CheckResult {
                id,
                title: title.to_owned(),
                play: played.trial.play.clone(),
                weight: weight(&suite.requirements, requirements, scenario.weight),
                requirements: requirements.iter().map(|id| (*id).to_owned()).collect(),
                spec: specs(&suite.requirements, requirements),
                catalogue: scenario.catalogue.iter().map(|row| (*row).to_owned()).collect(),
                proven_by,
                verdict,
                disposition,
                deviation: judged.deviation,
                attempts,
                duration_ms: u64::try_from(played.took.as_millis()).unwrap_or(u64::MAX),
                transcript: (!played.transcript.is_empty()).then(|| evidence::transcript_path(&name, 0)),
            })
        };
        scenario.all_checks().filter_map(check).collect()
    }
}

/// The records of each role's vendor that hold for the version which plays and for the vendor it plays with.
fn records(order: &RunOrder, participants: &[Participant]) -> BTreeMap<Role, Vec<Deviation>> {
    let of = |cast: &Cast| {
        let answered = participants.iter().find(|participant| participant.role == cast.role);
        let version =
            answered.and_then(|participant| participant.answered_version.as_deref()).unwrap_or(&cast.version);
        let other = order.casts.iter().find(|other| other.role != cast.role);
        let vs = other.map(|other| other.vendor.name.as_str());
        let own = order.deviations.get(&cast.vendor.name).map(Vec::as_slice).unwrap_or_default();
        own.iter().filter(|record| record.holds(version, vs)).cloned().collect()
    };
    order.casts.iter().map(|cast| (cast.role, of(cast))).collect()
}

/// The records that may cover a verdict. A fail is covered by the records of the server that is to blame; where that is
/// undecided, by the records of all servers. Any other verdict concerns only the servers that the check judges, `held`.
fn relevant(records: &BTreeMap<Role, Vec<Deviation>>, verdict: &Verdict, held: &[Role]) -> Vec<Deviation> {
    let concerned = |role: &Role| match verdict {
        Verdict::Fail(fail) => match &fail.blame {
            Blame::Server { role: to_blame, .. } => role == to_blame,
            _ => true,
        },
        _ => held.contains(role),
    };
    let mut all: Vec<Deviation> = Vec::new();
    for record in records.iter().filter(|(role, _)| concerned(role)).flat_map(|(_, own)| own) {
        if !all.contains(record) {
            all.push(record.clone());
        }
    }
    all
}

/// The weight of the gravest requirement; the scenario's own where none is named.
fn weight(requirements: &Requirements, ids: &[&str], own: Weight) -> Weight {
    ids.iter()
        .filter_map(|id| requirements.find(id))
        .map(|requirement| requirement.weight)
        .min()
        .unwrap_or(own)
}

fn specs(requirements: &Requirements, ids: &[&str]) -> Vec<String> {
    let mut sections: Vec<_> = ids
        .iter()
        .filter_map(|id| requirements.find(id))
        .flat_map(|requirement| requirement.spec.split(';'))
        .map(|section| section.trim().to_owned())
        .collect();
    sections.sort();
    sections.dedup();
    sections
}

fn why(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Pass { .. } => String::new(),
        Verdict::Fail(fail) => fail.message.to_string(),
        Verdict::Inconclusive { message, .. }
        | Verdict::NotApplicable { message }
        | Verdict::Error { message, .. }
        | Verdict::NotRun { message } => message.to_string(),
    }
}
