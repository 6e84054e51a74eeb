//! What rooms hold is for those who are in them.

mod devices;
mod entitled;
mod visibility;

use samklang_runner::peer::Reply;

use crate::{peer_answers::check_success, prelude::*};

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] = &[devices::SCENARIOS, entitled::SCENARIOS, visibility::SCENARIOS];

/// What nobody outside may read: it is in a message, in the topic and in Alice's member event, and redaction takes it out
/// of each of them. So it tells a disclosure from a redacted copy, which a server may hand out.
const SECRET: &str = "the old mill at midnight";

/// An event that holds the secret, and one after it.
struct Told {
    secret: Sent,
    later: Sent,
}

/// Alice says it.
async fn tell(alice: &User, room: &Room) -> Result<Told, Failure> {
    let secret = alice.send(room, SECRET).await?;
    let later = alice.send(room, "well then").await?;
    Ok(Told { secret, later })
}

/// The ways in which a server may ask for what a room holds.
fn question(way: &str, room: &Room, told: &Told) -> (&'static str, String, Option<Value>) {
    let (secret, later, room) = (segment(&told.secret.id), segment(&told.later.id), segment(&room.id));
    let get = |rest: String| ("GET", format!("/_matrix/federation/v1/{rest}"), None);
    match way {
        "state" => get(format!("state/{room}?event_id={later}")),
        "state-ids" => get(format!("state_ids/{room}?event_id={later}")),
        "event" => get(format!("event/{secret}")),
        "event-auth" => get(format!("event_auth/{room}/{secret}")),
        "backfill" => get(format!("backfill/{room}?v={later}&limit=10")),
        "hierarchy" => get(format!("hierarchy/{room}")),
        _ => {
            let latest = json!({"earliest_events": [], "latest_events": [told.later.id], "limit": 10});
            ("POST", format!("/_matrix/federation/v1/get_missing_events/{room}"), Some(latest))
        }
    }
}

async fn ask(
    peer: &ScriptedPeer,
    host: &Host,
    way: &str,
    room: &Room,
    told: &Told,
) -> Result<Reply, Failure> {
    let (method, target, body) = question(way, room, told);
    peer.ask(host, method, &target, body.as_ref()).await
}

/// The answer does not hold the secret.
fn kept(alice: &User, way: &str, reply: &Reply) -> Result<Observations, Failure> {
    if (500..600).contains(&reply.status) {
        return Err(Failure::Inconclusive(message!("judging.no-answer", what = reply.in_words())));
    }
    // Not the raw text: JSON has many ways to write the same words.
    if !reply.body.to_string().contains(SECRET) {
        return Ok(reply.clone().into());
    }
    let text = message!("fail.disclosed", what = way);
    let failure = alice.wrong("privacy.disclosed", text, std::slice::from_ref(&reply.observation));
    Err(failure.showing("a refusal, or redacted events", &reply.body))
}

/// The answer holds the secret, as it has to for a server that is entitled to it.
fn given(alice: &User, way: &str, reply: &Reply) -> Result<(), Failure> {
    check_success(alice, way, reply)?;
    if way == "state-ids" || reply.body.to_string().contains(SECRET) {
        return Ok(());
    }
    let text = message!("fail.not-granted", what = way, answer = "an answer without what the room holds");
    Err(alice.wrong("privacy.withheld", text, std::slice::from_ref(&reply.observation)))
}
