//! The order and timestamps of messages in the history (client-server API, getting events for a room).

use std::collections::BTreeMap;

use samklang_runner::scene::refusal;

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "messages.order",
    title: "Both servers return two hundred messages once each, in the order of sending and with the same timestamps.",
    catalogue: &["MS-03"],
    versions: Versions::Newest,
    checks: &[
        CheckPlan::new(
            "host-order",
            "The resident server's history contains every message once, in the order of sending.",
        ),
        CheckPlan::new(
            "guest-order",
            "The joining server's history contains every message once, in the order of sending.",
        ),
        CheckPlan::new("same-times", "Both servers keep the same origin_server_ts for each message."),
        CheckPlan::new(
            "shown-once",
            "Each user's first sync shows the last messages once each, in the order of sending.",
        ),
    ],
    play: play!(order),
    ..Scenario::PAIR
}];

const TURNS: usize = 20;
const EACH_TURN: usize = 10;

/// Alice and Bob send messages in turns; the other one waits until the turn's last message has arrived. So the prev events
/// give all messages one order on every server. The users do not sync before the end, since four hundred syncs would take
/// most of the scenario's time.
async fn order(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let room = alice.create_room(Public).await?;
    join_public_room(&host, &alice, &bob, &room).await?;
    let mut sent = Vec::new();
    for turn in 0..TURNS {
        let (sender, receiver) = if turn % 2 == 0 { (&alice, &bob) } else { (&bob, &alice) };
        for _ in 0..EACH_TURN {
            sent.push(sender.send(&room, &format!("Message {}", sent.len() + 1)).await?);
        }
        if let Some(last) = sent.last() {
            arrives(receiver, last).await?;
        }
    }
    let of_alice = messages(&alice, &room).await?;
    let of_bob = messages(&bob, &room).await?;
    scene.check("host-order", check_order(&alice, &of_alice, &sent));
    scene.check("guest-order", check_order(&bob, &of_bob, &sent));
    scene.check("same-times", check_same_times(&bob, of_alice, of_bob));
    scene.check("shown-once", check_shown_once(&[&alice, &bob], &room, &sent).await);
    Ok(())
}

/// Waits until the user's server has the message.
async fn arrives(user: &User, message: &Sent) -> Result<(), Failure> {
    let fetched = || async {
        match user.fetch(message).await {
            Ok(_) => Ok(Some(())),
            Err(failure) if is_unknown(&failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    };
    user.eventually(&message.what, &[&message.room, &message.id], fetched).await
}

/// Whether the event has not arrived yet: 404, or 403 from servers that do not tell an unknown event from a hidden one.
fn is_unknown(failure: &Failure) -> bool {
    refusal(failure).is_some_and(|refusal| matches!(refusal.status, 403 | 404))
}

/// The messages of the room in a user's history, oldest first.
async fn messages(user: &User, room: &Room) -> Result<Observed, Failure> {
    let history = user.history(room, 2 * TURNS * EACH_TURN).await?;
    let is_message = |event: &&Value| event["type"] == "m.room.message";
    Ok(history.map(|events| events.as_array().into_iter().flatten().filter(is_message).cloned().collect()))
}

fn event_id(event: &Value) -> &str {
    event["event_id"].as_str().unwrap_or("-")
}

/// Passes if the history holds the sent messages and no others, in the order of sending.
fn check_order(user: &User, history: &Observed, sent: &[Sent]) -> Result<Observed, Failure> {
    let kept: Vec<_> = history.value.as_array().into_iter().flatten().map(event_id).collect();
    let wanted: Vec<_> = sent.iter().map(|message| message.id.as_str()).collect();
    if kept == wanted {
        return Ok(history.clone());
    }
    let at = kept.iter().zip(&wanted).take_while(|(kept, wanted)| kept == wanted).count();
    let what = format!("{} of {} messages; they differ from message {} on", kept.len(), wanted.len(), at + 1);
    let text = message!("fail.order", user = user.name(), what = what);
    let failure = user.wrong("history.order", text, history.observations.all());
    Err(failure.showing(wanted[at..].join("\n"), kept[at..].join("\n")))
}

/// Passes if both histories have the same timestamp for each message.
fn check_same_times(user: &User, host: Observed, guest: Observed) -> Result<Observed, Failure> {
    let of = |history: &Observed| -> BTreeMap<String, Value> {
        let events = history.value.as_array().into_iter().flatten();
        events.map(|event| (event_id(event).to_owned(), event["origin_server_ts"].clone())).collect()
    };
    let (host_times, guest_times) = (of(&host), of(&guest));
    let all = host_and_guest(host, guest);
    let differs = |(id, time): &(&String, &Value)| !time.is_u64() || guest_times.get(*id) != Some(time);
    match host_times.iter().find(differs) {
        None => Ok(all),
        Some((id, time)) => {
            let text = message!("fail.times", what = id);
            let failure = user.wrong("history.time_changed", text, all.observations.all());
            Err(failure.showing(time, guest_times.get(id).unwrap_or(&Value::Null)))
        }
    }
}

/// Passes if each user's first sync shows the last messages once each; the server decides how many.
async fn check_shown_once(users: &[&User], room: &Room, sent: &[Sent]) -> Result<Observed, Failure> {
    let mut all = Vec::new();
    for user in users {
        let Some(last) = sent.last() else { continue };
        let seen = Observed::from(user.sees(last).await?);
        let events = user.seen_so_far(&event(room, "m.room.message"));
        let shown: Vec<_> = events.iter().map(event_id).collect();
        let wanted: Vec<_> = sent.iter().map(|message| message.id.as_str()).collect();
        if shown.is_empty() || !wanted.ends_with(&shown) {
            let text = message!("fail.shown-once", user = user.name());
            let failure = user.wrong("sync.not_once", text, seen.observations.all());
            return Err(failure.showing(wanted.join("\n"), shown.join("\n")));
        }
        all.push((user.name().to_owned(), seen));
    }
    Observed::each(all)
}
