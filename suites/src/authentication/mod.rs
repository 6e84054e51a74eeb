//! Who asks, and how a server knows (server-server API, request authentication, retrieving server keys).

mod expired_keys;
mod key_outage;
mod known_bad;
mod server_keys;
mod x_matrix;

use crate::prelude::*;

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] = &[
    expired_keys::SCENARIOS,
    key_outage::SCENARIOS,
    known_bad::SCENARIOS,
    server_keys::SCENARIOS,
    x_matrix::SCENARIOS,
];

/// What Alice is called. It shows that a request for her profile was not only let in, but answered.
const CALLED: &str = "Alice Andersson";

/// Alice, whose profile peers ask for.
async fn alice_at(host: &Host) -> Result<User, Failure> {
    let alice = host.register("alice").await?;
    alice.set_display_name(CALLED).await?;
    Ok(alice)
}

/// The server answered a request for Alice's profile that is in due form.
fn believed(user: &User, reply: &Reply) -> Result<Observations, Failure> {
    acted_on(user, reply, reply.body["displayname"] == CALLED)
}

/// The server acted on a request in due form, as `shown` by its answer.
fn acted_on(user: &User, reply: &Reply, shown: bool) -> Result<Observations, Failure> {
    if reply.is_success() && shown {
        return Ok(reply.clone().into());
    }
    let text = message!("fail.not-believed", answer = reply.in_words());
    Err(user.wrong("request.honest_refused", text, std::slice::from_ref(&reply.observation)))
}

/// The server refused a request that nobody should believe; it fails for `reason` where it did not.
fn disbelieved(user: &User, reply: &Reply, reason: &str) -> Result<Observations, Failure> {
    if (400..500).contains(&reply.status) {
        return Ok(reply.clone().into());
    }
    let text = message!("fail.believed", answer = reply.in_words());
    let failure = user.wrong(reason, text, std::slice::from_ref(&reply.observation));
    Err(failure.showing("a refusal (4xx)", reply.in_words()))
}
