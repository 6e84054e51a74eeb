//! What every exchange between servers has to keep to, whichever scenario it belongs to. Nothing is asked of the servers
//! here: what they sent in the plays before is judged.

mod answers;
mod events;
mod requests;
mod signals;
mod transactions;

use samklang_runner::{
    scenario::Scenario,
    traffic::{Heard, Traffic},
};
use serde_json::Value;

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] = &[
    answers::SCENARIOS,
    events::SCENARIOS,
    requests::SCENARIOS,
    signals::SCENARIOS,
    transactions::SCENARIOS,
];

/// The path's segments below `/_matrix/federation`, without the version, and that version; none for other paths.
fn endpoint(exchange: &Heard) -> Option<(&str, Vec<&str>)> {
    let rest = exchange.path_only().strip_prefix("/_matrix/federation/")?;
    let (version, rest) = rest.split_once('/')?;
    Some((version, rest.split('/').collect()))
}

/// The value of a header; names are in lower case.
fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The body of a transaction.
fn transaction(exchange: &Heard) -> Option<Value> {
    let (_, path) = endpoint(exchange)?;
    let is_transaction = path.first() == Some(&"send") && exchange.method == "PUT";
    is_transaction.then(|| exchange.request.clone())
}

/// The events that the asking server itself made and sends: those of its own users, in transactions, joins, leaves,
/// knocks and invites.
fn own_events(traffic: &Traffic, exchange: &Heard) -> Vec<Value> {
    let Some((_, path)) = endpoint(exchange) else { return Vec::new() };
    let body = exchange.request.clone();
    let events = match path.first() {
        Some(&"send") => body["pdus"].as_array().cloned().unwrap_or_default(),
        Some(&("send_join" | "send_leave" | "send_knock")) => vec![body],
        Some(&"invite") => vec![body["event"].clone()],
        _ => Vec::new(),
    };
    let sender = traffic.name(&exchange.from);
    let is_own = |event: &Value| event["sender"].as_str().and_then(samklang_matrix::server_of) == sender;
    events.into_iter().filter(is_own).collect()
}

/// The first of several findings that is wrong; none where there are none to look at.
fn first_wrong<T>(
    items: impl IntoIterator<Item = T>,
    wrong: impl Fn(T) -> Option<String>,
) -> Option<samklang_runner::passive::Finding> {
    let mut any = false;
    for item in items {
        any = true;
        if let Some(what) = wrong(item) {
            return Some(samklang_runner::passive::Finding::Breaks(what));
        }
    }
    any.then_some(samklang_runner::passive::Finding::Keeps)
}
