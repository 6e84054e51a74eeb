//! Messages and what belongs to them. Files follow the modules of the client-server API.

mod annotations;
mod extensions;
mod history;
mod instant_messaging;
mod presence;
mod profiles;
mod receipts;
mod redactions;
mod replacements;
mod rich_replies;
mod size_limits;
mod typing;

use samklang_runner::scenario::Scenario;

use crate::prelude::*;

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] = &[
    annotations::SCENARIOS,
    extensions::SCENARIOS,
    history::SCENARIOS,
    instant_messaging::SCENARIOS,
    presence::SCENARIOS,
    profiles::SCENARIOS,
    receipts::SCENARIOS,
    redactions::SCENARIOS,
    replacements::SCENARIOS,
    rich_replies::SCENARIOS,
    size_limits::SCENARIOS,
    typing::SCENARIOS,
];

/// The parts of an event that its sender determines; every server has to show them alike.
fn essence(event: impl Into<Observed>) -> Observed {
    event.into().map(|event| {
        json!({
            "type": event["type"], "sender": event["sender"], "event_id": event["event_id"],
            "content": event["content"],
        })
    })
}

/// An event as both users' servers hold it.
async fn held_by_both(alice: &User, bob: &User, event: &Sent) -> Result<Observed, Failure> {
    Ok(host_and_guest(essence(alice.fetch(event).await?), essence(bob.fetch(event).await?)))
}

/// The events of `user`'s history of `room` that relate to `target` by `relation`, oldest first.
async fn related(user: &User, room: &Room, target: &Sent, relation: &str) -> Result<Observed, Failure> {
    /// More than any of these rooms holds.
    const ALL: usize = 200;
    let history = user.history(room, ALL).await?;
    Ok(history.map(|events| {
        let relates = |event: &Value| {
            let relates_to = &event["content"]["m.relates_to"];
            relates_to["event_id"] == *target.id && relates_to["rel_type"] == *relation
        };
        events.as_array().into_iter().flatten().filter(|event| relates(event)).cloned().collect()
    }))
}

/// Changes each item of a list.
fn for_each(list: Observed, change: impl Fn(&Value) -> Value) -> Observed {
    list.map(|list| list.as_array().into_iter().flatten().map(change).collect())
}
