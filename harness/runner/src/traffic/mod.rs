//! The recorded traffic of all plays in one room version and with one host, and what the rules need to judge it: the
//! servers' names and keys, and the version of each room.

pub mod exchange;
pub mod wire_view;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use samklang_matrix::{
    Event, KeyDocument, KeyRing, RoomVersion,
    endpoints::{self, Endpoint, MAKE_JOIN, MAKE_KNOCK, MAKE_LEAVE},
};
use samklang_reference::now_ms;
use samklang_stage::Stage;
use samklang_verdict::{Body, Exchange, ExchangeId, Party, Role, Wire};
use serde_json::Value;

use self::exchange::ReadExchange;

/// The fields of bodies that list events.
pub(crate) const LISTS: [&str; 6] =
    ["pdus", "state", "auth_chain", "events", "invite_room_state", "knock_room_state"];

/// Recorded traffic between servers.
pub struct Traffic {
    /// The exchanges between servers, in order; those that never reached anybody or were never answered left out.
    pub exchanges: Vec<ReadExchange>,
    /// The keys that were published.
    pub keys: KeyRing,
    names: BTreeMap<Role, String>,
    versions: BTreeMap<String, RoomVersion>,
    played: Option<RoomVersion>,
    admitted: BTreeSet<String>,
    doubtful: BTreeSet<ExchangeId>,
    /// Every event that went over the wire, by id.
    events: BTreeMap<String, Arc<Event>>,
}

/// The parties of recorded traffic, and what is known about it beforehand.
#[derive(Debug, Clone, Default)]
pub struct TrafficContext {
    /// The servers' names, by role.
    pub names: BTreeMap<Role, String>,
    /// The admitted lies of peers: ids of events and exchanges, and names of peers.
    pub admitted: BTreeSet<String>,
    /// The room version that was played.
    pub played: String,
    /// Exchanges of plays that did not go well. A breach of a rule in them counts, but no pass rests on them.
    pub doubtful: BTreeSet<ExchangeId>,
}

impl Traffic {
    /// Reads `exchanges`, which belong to plays in room version `played` on `stage`. `sound` are the exchanges of plays
    /// that went well; where there are none, all exchanges are in doubt.
    pub fn on(
        stage: &Stage,
        exchanges: Vec<Arc<Exchange>>,
        played: &str,
        sound: &BTreeSet<ExchangeId>,
    ) -> Self {
        let all = stage.recorder().all();
        let in_doubt = if sound.is_empty() { &all } else { &exchanges };
        let in_doubt = in_doubt.iter().map(|exchange| exchange.id).filter(|id| !sound.contains(id));
        let context = TrafficContext {
            names: stage.servers().map(|server| (server.role, server.name.clone())).collect(),
            admitted: stage.peers().iter().flat_map(|peer| peer.forged()).collect(),
            played: played.to_owned(),
            doubtful: in_doubt.collect(),
        };
        let mut traffic = Self::of(context, &all, exchanges);
        // A peer's event may be on the wire before its key document is.
        for peer in stage.peers() {
            if let Ok(document) = KeyDocument::verify(&peer.key_document(), peer.name()) {
                traffic.keys.learn(&document, now_ms());
            }
        }
        traffic
    }

    /// Reads `exchanges`, where `all` is everything that was recorded. From `all` they get the exchanges that belong to
    /// no scenario: key documents, and requests to server names that do not exist.
    pub fn of(context: TrafficContext, all: &[Arc<Exchange>], exchanges: Vec<Arc<Exchange>>) -> Self {
        let mut traffic = Self {
            exchanges: Vec::new(),
            keys: KeyRing::new(),
            names: context.names,
            versions: BTreeMap::new(),
            played: RoomVersion::new(&context.played).ok(),
            events: BTreeMap::new(),
            admitted: context.admitted,
            doubtful: context.doubtful,
        };
        for exchange in all {
            traffic.learn_keys(exchange);
            traffic.learn_version(exchange);
        }
        let common = all.iter().filter(|exchange| is_common(exchange)).cloned();
        let exchanges: BTreeMap<_, _> =
            exchanges.into_iter().chain(common).map(|exchange| (exchange.id, exchange)).collect();
        for exchange in exchanges.into_values().filter(|exchange| is_whole(exchange)) {
            let read = traffic.read_exchange(exchange);
            traffic.exchanges.push(read);
        }
        traffic
    }

    fn read_exchange(&mut self, recorded: Arc<Exchange>) -> ReadExchange {
        let read = |body: &Body| body.json().unwrap_or_default();
        let (request, response) = (read(&recorded.request_body), read(&recorded.response_body));
        let (request_events, response_events) = (self.learn_events(&request), self.learn_events(&response));
        ReadExchange { recorded, request, response, request_events, response_events }
    }

    fn learn_keys(&mut self, exchange: &Exchange) {
        let asked = match &exchange.to {
            Party::Server { role } => self.names.get(role).cloned(),
            Party::Peer { name } => Some(name.clone()),
            _ => None,
        };
        if exchange.status != Some(200) || !exchange.path_only().starts_with(endpoints::SERVER_KEYS.template)
        {
            return;
        }
        let document = exchange.response_body.json().zip(asked);
        if let Some(Ok(document)) = document.map(|(json, name)| KeyDocument::verify(&json, &name)) {
            self.keys.learn(&document, now_ms());
        }
    }

    /// A room's version is in the requests that create or upgrade it, and in the templates of member events.
    fn learn_version(&mut self, exchange: &Exchange) {
        let path = exchange.path_only();
        let (request, answer) = (|| exchange.request_body.json(), || exchange.response_body.json());
        let text = |json: &Value, key: &str| json[key].as_str().map(str::to_owned);
        let known = if path.ends_with("/createRoom") {
            request().zip(answer()).map(|(asked, got)| (text(&got, "room_id"), text(&asked, "room_version")))
        } else if path.ends_with("/upgrade") {
            request()
                .zip(answer())
                .map(|(asked, got)| (text(&got, "replacement_room"), text(&asked, "new_version")))
        } else if MAKE_MEMBER.iter().any(|endpoint| endpoint.matches(&exchange.method, path)) {
            answer().map(|got| (text(&got["event"], "room_id"), text(&got, "room_version")))
        } else {
            None
        };
        if let Some((Some(room), Some(version))) = known
            && let Ok(version) = RoomVersion::new(&version)
        {
            self.versions.insert(room, version);
        }
    }

    fn learn_events(&mut self, body: &Value) -> Vec<Arc<Event>> {
        let listed = LISTS.iter().filter_map(|list| body[list].as_array()).flatten();
        let held = listed.chain([body, &body["event"]]).filter(|json| json["hashes"].is_object());
        let read: Vec<_> = held.filter_map(|json| self.read(json)).map(Arc::new).collect();
        self.events.extend(read.iter().map(|event| (event.id().to_owned(), Arc::clone(event))));
        read
    }

    /// An event that went over the wire in one of these plays.
    pub fn event(&self, id: &str) -> Option<&Event> {
        self.events.get(id).map(AsRef::as_ref)
    }

    /// All events that went over the wire in these plays, by id.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.values().map(AsRef::as_ref)
    }

    /// The name of the server that a party is.
    pub fn name<'a>(&'a self, party: &'a Party) -> Option<&'a str> {
        match party {
            Party::Server { role } => self.names.get(role).map(String::as_str),
            Party::Peer { name } => Some(name),
            _ => None,
        }
    }

    /// Whether a pass may rest on an exchange.
    pub fn is_sound(&self, exchange: &Exchange) -> bool {
        !self.doubtful.contains(&exchange.id)
    }

    /// Whether a peer has admitted a lie with this id or name.
    pub fn is_admitted(&self, id: &str) -> bool {
        self.admitted.contains(id)
    }

    /// An event in its room's version; none where it cannot be read at all.
    pub fn read(&self, json: &Value) -> Option<Event> {
        let known = json["room_id"].as_str().and_then(|room| self.versions.get(room)).cloned();
        // From version 12 on a create event has no room ID, but it has the room version.
        let own = || RoomVersion::new(json["content"]["room_version"].as_str()?).ok();
        let own = || own().filter(|_| json["room_id"].is_null() && json["type"] == "m.room.create");
        Event::read(json, &known.or_else(own).or_else(|| self.played.clone())?).ok()
    }
}

/// The endpoints whose responses hold the template of a member event.
const MAKE_MEMBER: [&Endpoint; 3] = [&MAKE_JOIN, &MAKE_KNOCK, &MAKE_LEAVE];

/// Whether an exchange belongs to all scenarios instead of one.
fn is_common(exchange: &Exchange) -> bool {
    exchange.path_only().starts_with(endpoints::KEY_ROOT) || matches!(exchange.to, Party::Stranger { .. })
}

/// Whether an exchange between servers took place without a network fault of the scenario. A request to an unknown name
/// counts without an answer too.
fn is_whole(exchange: &Exchange) -> bool {
    let is_answered = exchange.broken.is_none() || matches!(exchange.to, Party::Stranger { .. });
    exchange.wire == Wire::Federation && exchange.fault.is_none() && is_answered
}
