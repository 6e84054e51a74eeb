//! Rules for every exchange between servers, whichever scenario it belongs to. These scenarios send nothing: each check
//! holds its rule against the traffic that the plays before have left.

mod answers;
mod authority;
mod edus;
mod endpoints;
mod events;
mod identifiers;
mod keys;
mod memberships;
mod requests;
mod rooms;
#[cfg(test)]
mod tests;
mod to_devices;
mod transactions;

use samklang_matrix::{
    Event,
    endpoints::{FEDERATION_ROOT, Field, unfit},
    server_of,
};
use samklang_runner::{
    judging::rule::RuleFinding,
    scenario::Scenario,
    traffic::{Traffic, exchange::ExchangeHalf},
};
use samklang_verdict::{Message, message};
use serde_json::Value;

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] = &[
    answers::SCENARIOS,
    authority::SCENARIOS,
    edus::SCENARIOS,
    endpoints::SCENARIOS,
    events::SCENARIOS,
    identifiers::SCENARIOS,
    keys::SCENARIOS,
    memberships::SCENARIOS,
    requests::SCENARIOS,
    rooms::SCENARIOS,
    to_devices::SCENARIOS,
    transactions::SCENARIOS,
];

/// The version of a federation endpoint and the path's segments after it; none for paths outside `/_matrix/federation`.
fn endpoint<'a>(half: &'a ExchangeHalf<'_>) -> Option<(&'a str, Vec<&'a str>)> {
    let rest = half.exchange.path_only().strip_prefix(FEDERATION_ROOT)?;
    let (version, rest) = rest.split_once('/')?;
    Some((version, rest.split('/').collect()))
}

/// The value of a header, whose name is given in lower case.
fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The body of a transaction.
fn transaction<'a>(half: &'a ExchangeHalf<'_>) -> Option<&'a Value> {
    let (_, path) = endpoint(half)?;
    let is_transaction = path.first() == Some(&"send") && half.exchange.method == "PUT";
    is_transaction.then_some(half.request)
}

/// The events in this half of an exchange that its server made itself: those of its own users, without admitted lies.
fn own_events<'a>(traffic: &'a Traffic, half: &'a ExchangeHalf<'_>) -> impl Iterator<Item = &'a Event> {
    let server = traffic.name(half.by);
    let events = half.events.iter().map(AsRef::as_ref);
    events.filter(move |event| server_of(event.sender()) == server && !traffic.is_admitted(event.id()))
}

/// The finding about the first item that is wrong, or that all keep to the rule; none where there are no items.
fn first_wrong<T>(
    items: impl IntoIterator<Item = T>,
    wrong: impl Fn(T) -> Option<Message>,
) -> Option<RuleFinding> {
    let mut any = false;
    for item in items {
        any = true;
        if let Some(what) = wrong(item) {
            return Some(RuleFinding::Breaks(what));
        }
    }
    any.then_some(RuleFinding::Keeps)
}

/// The finding about the body of `of`, where a field is missing or has the wrong type.
fn wrong_field(of: &str, body: &Value, fields: &[Field]) -> Option<Message> {
    unfit(body, fields).map(|place| message!("wire.wrong-field", of = of, field = place))
}

/// The number of an event's room version; 0 where the version is not a number.
fn version_of(event: &Event) -> u32 {
    event.version().id().parse().unwrap_or_default()
}
