//! What every exchange between servers has to keep to, whichever scenario it belongs to. Nothing is asked of the servers
//! here: what they sent in the plays before is judged, each check by its rule.

mod answers;
mod authority;
mod endpoints;
mod events;
mod identifiers;
mod keys;
mod memberships;
mod requests;
mod rooms;
mod signals;
#[cfg(test)]
mod tests;
mod to_devices;
mod transactions;

use samklang_matrix::{
    Event,
    endpoints::{Field, unfit},
    server_of,
};
use samklang_runner::{
    passive::{Finding, Said},
    scenario::Scenario,
    traffic::Traffic,
};
use samklang_verdict::message;
use serde_json::Value;

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] = &[
    answers::SCENARIOS,
    authority::SCENARIOS,
    endpoints::SCENARIOS,
    events::SCENARIOS,
    identifiers::SCENARIOS,
    keys::SCENARIOS,
    memberships::SCENARIOS,
    requests::SCENARIOS,
    rooms::SCENARIOS,
    signals::SCENARIOS,
    to_devices::SCENARIOS,
    transactions::SCENARIOS,
];

/// The path's segments below `/_matrix/federation`, without the version, and that version; none for other paths.
fn endpoint<'a>(said: &'a Said<'_>) -> Option<(&'a str, Vec<&'a str>)> {
    let rest = said.path_only().strip_prefix("/_matrix/federation/")?;
    let (version, rest) = rest.split_once('/')?;
    Some((version, rest.split('/').collect()))
}

/// The value of a header; names are in lower case.
fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The body of a transaction.
fn transaction<'a>(said: &'a Said<'_>) -> Option<&'a Value> {
    let (_, path) = endpoint(said)?;
    let is_transaction = path.first() == Some(&"send") && said.method == "PUT";
    is_transaction.then_some(&said.request)
}

/// The events that a side itself made and says here: those of its own users, but for admitted lies.
fn own_events<'a>(traffic: &'a Traffic, said: &'a Said<'_>) -> impl Iterator<Item = &'a Event> {
    let maker = traffic.name(said.by);
    let events = said.events.iter().map(AsRef::as_ref);
    events.filter(move |event| server_of(event.sender()) == maker && !traffic.is_admitted(event.id()))
}

/// The first of several findings that is wrong; none where there are none to look at.
fn first_wrong<T>(
    items: impl IntoIterator<Item = T>,
    wrong: impl Fn(T) -> Option<String>,
) -> Option<Finding> {
    let mut any = false;
    for item in items {
        any = true;
        if let Some(what) = wrong(item) {
            return Some(Finding::Breaks(what));
        }
    }
    any.then_some(Finding::Keeps)
}

/// What is wrong with a field of `body`, the first one that is missing or has the wrong type; `of` names the body.
fn wrong_field(of: &str, body: &Value, fields: &[Field]) -> Option<String> {
    unfit(body, fields).map(|place| message!("wire.wrong-field", of = of, field = place).to_string())
}

/// The number of an event's room version; 0 where it is none.
fn version_of(event: &Event) -> u32 {
    event.version().id().parse().unwrap_or_default()
}
