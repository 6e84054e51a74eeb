//! Results made by hand, for the tests of what compares them.

use std::collections::BTreeMap;

use crate::{
    Blame, CheckId, CheckResult, Counts, Disposition, ExchangeId, Fail, Message, Observation, Observations,
    Outcome, Play, RESULT_SCHEMA, ReasonCode, ResultFile, Role, RunInfo, SuiteInfo, Termination, Verdict,
    Weight,
};

/// A pass.
pub(crate) fn pass() -> Verdict {
    let seen = Observation { by: Role::A, exchange: ExchangeId(1) };
    Verdict::Pass { observations: Observations::new(seen, []) }
}

/// A fail for this reason, with undecided blame.
pub(crate) fn fail(reason: &str) -> Verdict {
    Verdict::Fail(Box::new(Fail {
        reason: ReasonCode::new(reason).unwrap(),
        blame: Blame::Undecided { because: Message::new("x") },
        message: Message::new("x"),
        expected: None,
        actual: None,
        evidence: vec![],
    }))
}

/// What could not be judged.
pub(crate) fn unsure() -> Verdict {
    Verdict::Inconclusive { message: Message::new("x"), blocked_by: None, bound_ms: None }
}

/// A check with this verdict.
pub(crate) fn check(verdict: Verdict, disposition: Disposition) -> CheckResult {
    CheckResult {
        id: CheckId::new("rooms.x/flow").unwrap(),
        title: "X.".into(),
        play: Play { room_version: "11".into(), host: Role::A },
        weight: Weight::Must,
        requirements: vec![],
        spec: vec![],
        catalogue: vec![],
        proven_by: vec![],
        verdict,
        disposition,
        deviation: None,
        attempts: vec![],
        duration_ms: 1,
        transcript: None,
    }
}

/// A result that holds these checks.
pub(crate) fn result(checks: Vec<CheckResult>) -> ResultFile {
    ResultFile {
        schema: RESULT_SCHEMA.into(),
        digest: String::new(),
        run: RunInfo {
            id: "r".into(),
            started: String::new(),
            ended: String::new(),
            duration_ms: 0,
            seed: 1,
            deployer: "embedded".into(),
            direct: false,
            termination: Termination::Complete,
            selection: vec![],
            samklang: "0.1.0".into(),
            phases_ms: BTreeMap::new(),
        },
        suite: SuiteInfo {
            version: "0.1.0".into(),
            expectations_sha256: String::new(),
            requirements_sha256: String::new(),
            kill_matrix_sha256: String::new(),
            profile: String::new(),
        },
        participants: vec![],
        checks,
        counts: Counts::default(),
        outcome: Outcome::NotProven,
        exit_code: 0,
        problems: vec![],
        evidence: vec![],
    }
}
