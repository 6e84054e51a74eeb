//! Waits for exchanges that have just happened. An exchange is recorded once its response is complete, and a user may
//! be shown the event before that.

use samklang_actors::user::{Failure, Observed, Sent};
use samklang_matrix::{Event, endpoints::SEND};
use samklang_verdict::{Exchange, Observation, Observations, Role};
use serde_json::Value;

use super::Scene;
use crate::traffic::wire_view::role_of;

impl Scene {
    /// The event as its sender's server sent it to another server.
    ///
    /// # Errors
    /// Inconclusive where nothing is recorded, or no transaction holds it within the profile's bound.
    pub async fn event_on_wire(&self, sent: &Sent) -> Result<Observed, Failure> {
        let is_it =
            |pdu: &Value| Event::parse(pdu, self.room_version()).is_ok_and(|event| event.id() == sent.id);
        self.in_transaction(&sent.what, sent.done.who.role, "pdus", is_it).await
    }

    /// The first EDU of this type that `from` sent and that `wanted` holds for.
    ///
    /// # Errors
    /// Inconclusive where nothing is recorded, or no transaction holds it within the profile's bound.
    pub async fn edu_on_wire(
        &self,
        kind: &str,
        from: Role,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Observed, Failure> {
        self.in_transaction(kind, from, "edus", |edu| edu["edu_type"] == *kind && wanted(edu)).await
    }

    async fn in_transaction(
        &self,
        what: &str,
        from: Role,
        list: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Observed, Failure> {
        let find = |exchange: &Exchange| -> Option<Value> {
            let is_transaction =
                role_of(&exchange.from) == Some(from) && SEND.matches(&exchange.method, &exchange.path);
            let body = is_transaction.then(|| exchange.request_body.json()).flatten()?;
            body[list].as_array()?.iter().find(|item| wanted(item)).cloned()
        };
        let exchange = self.wire_shows(what, |exchange| find(exchange).is_some()).await?;
        let observation = Observation { by: from, exchange: exchange.id };
        Ok(Observed::new(find(&exchange).unwrap_or_default(), Observations::new(observation, [])))
    }
}
