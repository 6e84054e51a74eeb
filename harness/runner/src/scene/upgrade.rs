//! How a scenario upgrades a server to a newer version.

use bytes::Bytes;
use samklang_actors::{
    host::Host,
    user::{Failure, Observed, Wrong},
};
use samklang_reference::Transport as _;
use samklang_stage::Renewed;
use samklang_verdict::{Class, Observation, Observations, Problem, ReasonCode, message};

use super::Scene;

impl Scene {
    /// The answer of a server to a request without authentication.
    ///
    /// # Errors
    /// Inconclusive where it does not answer with 200, or nothing is recorded.
    pub async fn ask_openly(&self, host: &Host, path: &str) -> Result<Observed, Failure> {
        let asked = self.stage().federation().request("GET", host.name(), path, &[], Bytes::new()).await;
        let none = |why: String| {
            let text = message!("judging.not-told", role = host.role(), path = path, why = why);
            Failure::Inconclusive(text)
        };
        let answer = asked.map_err(|error| none(error.to_string()))?;
        let exchange = answer.exchange.ok_or_else(|| Failure::Inconclusive(message!("judging.no-wire")))?;
        if answer.status != 200 {
            return Err(none(format!("{} in {exchange}", answer.status)));
        }
        let seen = Observation { by: host.role(), exchange };
        Ok(Observed::new(answer.json(), Observations::new(seen, [])))
    }

    /// Stops a server before its upgrade. Requests of its users wait from then on until the newer version runs.
    ///
    /// # Errors
    /// When it cannot be stopped.
    pub async fn take_down(&self, host: &Host) -> Result<(), Failure> {
        Ok(self.stage().take_down(host.role()).await?)
    }

    /// Starts the newer version of a stopped server on the data that the older version stored.
    ///
    /// # Errors
    /// A fail of the server when the newer version does not start.
    pub async fn bring_up_newer(&self, host: &Host) -> Result<Renewed, Failure> {
        self.stage().bring_up_newer(host.role()).await.map_err(|problem| not_up(host, problem))
    }
}

/// A newer version that does not start on the stored data is a fail of the server; a problem of the engine is not.
fn not_up(host: &Host, problem: Problem) -> Failure {
    let Ok(reason) = ReasonCode::new("upgrade.not_up") else { return problem.into() };
    if problem.class != Class::Subject {
        return problem.into();
    }
    let text = message!("fail.not-up-in-newer-version", role = host.role(), why = problem.message);
    let actual = Some(problem.detail.join("\n")).filter(|detail| !detail.is_empty());
    Failure::Wrong(Box::new(Wrong {
        reason,
        by: host.role(),
        message: text,
        expected: None,
        actual,
        evidence: vec![],
    }))
}
