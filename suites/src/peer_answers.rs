//! Checks of the server's response to a peer's request.

use std::fmt::Display;

use samklang_actors::peer::PeerResponse;

use crate::prelude::*;

/// Passes if the server refused `what`; the specification leaves status and `errcode` open.
pub(crate) fn check_refused(
    user: &User,
    what: impl Display,
    reply: &PeerResponse,
) -> Result<Observations, Failure> {
    match reply.status {
        400..500 => Ok(reply.clone().into()),
        200..300 => Err(not_refused(user, what, reply)),
        // An internal error does not tell what the server would have done.
        _ => Err(Failure::Inconclusive(message!("judging.no-answer", what = reply.in_words()))),
    }
}

/// Passes if the server refused `what` with the status and `errcode` that the specification names.
pub(crate) fn check_refused_with(
    user: &User,
    what: impl Display,
    reply: &PeerResponse,
    (status, errcode): (u16, &str),
) -> Result<Observations, Failure> {
    if reply.is_success() {
        return Err(not_refused(user, what, reply));
    }
    if (reply.status, reply.errcode()) == (status, errcode) {
        return Ok(reply.clone().into());
    }
    let text = message!("fail.other-refusal", what = what);
    let failure = user.wrong("peer.other_refusal", text, std::slice::from_ref(&reply.observation));
    Err(failure.showing(format!("{status} {errcode}"), reply.in_words()))
}

fn not_refused(user: &User, what: impl Display, reply: &PeerResponse) -> Failure {
    let text = message!("fail.not-refused", what = what);
    let failure = user.wrong("peer.not_refused", text, std::slice::from_ref(&reply.observation));
    failure.showing(message!("scenario.expected.refusal"), format!("{} {}", reply.status, reply.body))
}

/// Passes if the server answered `what` with success.
pub(crate) fn check_success(
    user: &User,
    what: impl Display,
    reply: &PeerResponse,
) -> Result<Observations, Failure> {
    if reply.is_success() {
        return Ok(reply.clone().into());
    }
    let text = message!("fail.not-granted", what = what, answer = reply.in_words());
    Err(user.wrong("peer.not_granted", text, std::slice::from_ref(&reply.observation)))
}

/// Passes if the response bears no signature of the user's server: a signature would vouch for the submitted event.
pub(crate) fn check_not_signed(
    user: &User,
    what: impl Display,
    reply: &PeerResponse,
) -> Result<Observations, Failure> {
    if !bears_signature(&reply.body, user.server_name()) {
        return Ok(reply.clone().into());
    }
    let text = message!("fail.signed", what = what);
    let failure = user.wrong("invite.signed", text, std::slice::from_ref(&reply.observation));
    Err(failure.showing(message!("scenario.expected.no-signature"), &reply.body))
}

/// Passes if the response is a success and bears a signature of the user's server.
pub(crate) fn check_signed(
    user: &User,
    what: impl Display,
    reply: &PeerResponse,
) -> Result<Observations, Failure> {
    check_success(user, &what, reply)?;
    if bears_signature(&reply.body, user.server_name()) {
        return Ok(reply.clone().into());
    }
    let text = message!("fail.not-granted", what = what, answer = reply.in_words());
    Err(user.wrong("invite.bad_answer", text, std::slice::from_ref(&reply.observation)))
}

/// Whether any object in the response has a signature of `server`. It looks everywhere, since a response in another form
/// must not hide a signature.
fn bears_signature(answer: &Value, server: &str) -> bool {
    match answer {
        Value::Object(map) => {
            let here = map.get("signatures").and_then(|signatures| signatures[server].as_object());
            here.is_some_and(|keys| !keys.is_empty())
                || map.values().any(|value| bears_signature(value, server))
        }
        Value::Array(list) => list.iter().any(|value| bears_signature(value, server)),
        _ => false,
    }
}
