//! Request authentication and server keys (server-server API, request authentication, retrieving server keys).

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

/// Alice's display name. It shows that the server not only accepted a request for her profile, but answered it.
const DISPLAY_NAME: &str = "Alice Andersson";

/// Registers Alice, whose profile peers ask for.
async fn alice_at(host: &Host) -> Result<User, Failure> {
    let alice = host.register("alice").await?;
    alice.set_display_name(DISPLAY_NAME).await?;
    Ok(alice)
}

/// Passes if the server answered a valid request for Alice's profile.
fn check_answered(user: &User, reply: &PeerResponse) -> Result<Observations, Failure> {
    check_acted_on(user, reply, reply.body["displayname"] == DISPLAY_NAME)
}

/// Passes if the server acted on a valid request, as `shown` by its response.
fn check_acted_on(user: &User, reply: &PeerResponse, shown: bool) -> Result<Observations, Failure> {
    if reply.is_success() && shown {
        return Ok(reply.clone().into());
    }
    let text = message!("fail.not-believed", answer = reply.in_words());
    Err(user.wrong("request.honest_refused", text, std::slice::from_ref(&reply.observation)))
}

/// Passes if the server refused a request that it must not believe; fails for `reason` otherwise.
fn check_refused(user: &User, reply: &PeerResponse, reason: &str) -> Result<Observations, Failure> {
    if (400..500).contains(&reply.status) {
        return Ok(reply.clone().into());
    }
    let text = message!("fail.believed", answer = reply.in_words());
    let failure = user.wrong(reason, text, std::slice::from_ref(&reply.observation));
    Err(failure.showing("a refusal (4xx)", reply.in_words()))
}
