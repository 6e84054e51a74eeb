//! What a scenario does with a server from which a newer version takes over.

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
    /// What a server answers to whoever asks, without credentials.
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

    /// Stops a server, for its newer version to take over. What its users do from then on waits for that.
    ///
    /// # Errors
    /// When it cannot be stopped.
    pub async fn take_down(&self, host: &Host) -> Result<(), Failure> {
        Ok(self.stage().take_down(host.role()).await?)
    }

    /// Has the newer version of a server that was taken down come up on what it has stored.
    ///
    /// # Errors
    /// A fail of the server's when the newer version does not come up.
    pub async fn bring_up_newer(&self, host: &Host) -> Result<Renewed, Failure> {
        self.stage().bring_up_newer(host.role()).await.map_err(|problem| not_up(host, problem))
    }
}

/// A newer version that does not come up on what the one before it has stored is at fault; an engine is not its affair.
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
