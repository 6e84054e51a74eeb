//! Servers get only the events and devices that they may see.

mod devices;
mod history_visibility;
mod outsiders;

use samklang_actors::peer::PeerResponse;

use crate::{peer_answers::check_success, prelude::*};

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] =
    &[devices::SCENARIOS, outsiders::SCENARIOS, history_visibility::SCENARIOS];

/// A text that only servers in the room may get. It is in a message, in the topic and in Alice's member event, and redaction
/// removes it from each of them: so it tells a full event from a redacted one, which a server may give out.
const SECRET: &str = "the old mill at midnight";

/// An event that holds the secret, and a later one.
struct SecretEvents {
    secret: Sent,
    later: Sent,
}

/// Alice sends the secret, and another message after it.
async fn send_secret(alice: &User, room: &Room) -> Result<SecretEvents, Failure> {
    let secret = alice.send(room, SECRET).await?;
    let later = alice.send(room, "well then").await?;
    Ok(SecretEvents { secret, later })
}

/// A request for what a room holds, by its kind: method, path and body.
fn room_request(kind: &str, room: &Room, events: &SecretEvents) -> (&'static str, String, Option<Value>) {
    let (secret, later, room) = (events.secret.id.as_str(), events.later.id.as_str(), room.id.as_str());
    let get = |path: String| ("GET", path, None);
    match kind {
        "state" => get(paths::state(room, later)),
        "state-ids" => get(paths::state_ids(room, later)),
        "event" => get(paths::event(secret)),
        "event-auth" => get(paths::event_auth(room, secret)),
        "backfill" => get(paths::backfill(room, [later], 10)),
        "hierarchy" => get(paths::hierarchy(room)),
        _ => {
            let latest = json!({"earliest_events": [], "latest_events": [events.later.id], "limit": 10});
            ("POST", paths::get_missing_events(room), Some(latest))
        }
    }
}

async fn request(
    peer: &ScriptedPeer,
    host: &Host,
    kind: &str,
    room: &Room,
    events: &SecretEvents,
) -> Result<PeerResponse, Failure> {
    let (method, target, body) = room_request(kind, room, events);
    peer.ask(host, method, &target, body.as_ref()).await
}

/// Passes if the response does not hold the secret.
fn check_secret_withheld(alice: &User, kind: &str, reply: &PeerResponse) -> Result<Observations, Failure> {
    if (500..600).contains(&reply.status) {
        return Err(Failure::Inconclusive(message!("judging.no-answer", what = reply.in_words())));
    }
    // The parsed body is searched, since JSON can escape the same text in many ways.
    if !reply.body.to_string().contains(SECRET) {
        return Ok(reply.clone().into());
    }
    let text = message!("fail.disclosed", what = kind);
    let failure = alice.wrong("privacy.disclosed", text, std::slice::from_ref(&reply.observation));
    Err(failure.showing(message!("scenario.expected.refusal-or-redacted"), &reply.body))
}

/// Passes if the response holds the secret, which a server in the room has to get.
fn check_secret_given(alice: &User, kind: &str, reply: &PeerResponse) -> Result<(), Failure> {
    check_success(alice, kind, reply)?;
    if kind == "state-ids" || reply.body.to_string().contains(SECRET) {
        return Ok(());
    }
    let text = message!("fail.not-granted", what = kind, answer = message!("scenario.answer.without-secret"));
    Err(alice.wrong("privacy.withheld", text, std::slice::from_ref(&reply.observation)))
}
