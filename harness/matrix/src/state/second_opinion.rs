//! Compares the authorisation rules and the state resolution with ruma's, on random rooms. Two implementations that share
//! no code and agree on thousands of events are better evidence than either alone.

use std::collections::BTreeSet;

use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UInt, UserId,
    events::{StateEventType, TimelineEventType},
    state_res,
};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use crate::{
    Event, EventPool, JudgedEvent, RoomCreation, RoomGraph, RoomVersion, SigningKey, Snapshot, StateMap,
    check_auth_events, check_state, resolve,
};

/// An event in ruma's form.
#[derive(Clone)]
struct RumaEvent {
    id: OwnedEventId,
    room_id: Option<OwnedRoomId>,
    sender: OwnedUserId,
    at: MilliSecondsSinceUnixEpoch,
    kind: TimelineEventType,
    content: Box<RawValue>,
    state_key: Option<String>,
    prev_events: Vec<OwnedEventId>,
    auth_events: Vec<OwnedEventId>,
    rejected: bool,
}

impl RumaEvent {
    fn of(event: &Event, rejected: bool) -> Self {
        let ids = |ids: Vec<String>| ids.into_iter().map(|id| id.try_into().unwrap()).collect();
        let is_create = event.kind() == "m.room.create" && event.version().is_named_by_create();
        Self {
            id: event.id().try_into().unwrap(),
            room_id: event.room_id().filter(|_| !is_create).map(|id| id.try_into().unwrap()),
            sender: event.sender().try_into().unwrap(),
            at: MilliSecondsSinceUnixEpoch(UInt::try_from(event.origin_server_ts()).unwrap()),
            kind: event.kind().into(),
            content: to_raw_value(event.content()).unwrap(),
            state_key: event.state_key().map(str::to_owned),
            prev_events: ids(event.prev_events()),
            auth_events: ids(event.auth_events()),
            rejected,
        }
    }
}

impl state_res::Event for RumaEvent {
    type Id = OwnedEventId;

    fn event_id(&self) -> &OwnedEventId {
        &self.id
    }
    fn room_id(&self) -> Option<&RoomId> {
        self.room_id.as_deref()
    }
    fn sender(&self) -> &UserId {
        &self.sender
    }
    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.at
    }
    fn event_type(&self) -> &TimelineEventType {
        &self.kind
    }
    fn content(&self) -> &RawValue {
        &self.content
    }
    fn state_key(&self) -> Option<&str> {
        self.state_key.as_deref()
    }
    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.prev_events.iter())
    }
    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.auth_events.iter())
    }
    fn redacts(&self) -> Option<&OwnedEventId> {
        None
    }
    fn rejected(&self) -> bool {
        self.rejected
    }
}

fn their_state_check(event: &Event, state: &Snapshot<'_>) -> Result<(), String> {
    let rules = &event.version().rules().authorization;
    state_res::check_state_dependent_auth_rules(rules, RumaEvent::of(event, false), |kind, state_key| {
        state.get(&kind.to_string(), state_key).map(|event| RumaEvent::of(event, false))
    })
}

fn their_auth_check(event: &Event, pool: &EventPool<'_>) -> Result<(), String> {
    let rules = &event.version().rules().authorization;
    state_res::check_state_independent_auth_rules(rules, RumaEvent::of(event, false), |id: &EventId| {
        let JudgedEvent { event, rejected } = pool.find(id.as_str())?;
        let mut theirs = RumaEvent::of(event, rejected);
        // ruma compares the room ids that events carry.
        theirs.room_id = event.room_id().map(|id| id.try_into().unwrap());
        Some(theirs)
    })
}

fn their_resolution(version: &RoomVersion, states: &[StateMap], pool: &EventPool<'_>) -> StateMap {
    let maps: Vec<state_res::StateMap<OwnedEventId>> = states
        .iter()
        .map(|state| {
            let entry = |((kind, key), id): (&(String, String), &String)| {
                ((StateEventType::from(kind.as_str()), key.clone()), id.as_str().try_into().unwrap())
            };
            state.iter().map(entry).collect()
        })
        .collect();
    let set = |ids: BTreeSet<String>| ids.into_iter().map(|id| id.try_into().unwrap()).collect();
    let chains = states.iter().map(|state| set(pool.auth_chain(state.values()))).collect();
    let rules = version.rules();
    let resolved = state_res::resolve(
        &rules.authorization,
        rules.state_res.v2_rules().unwrap(),
        &maps,
        chains,
        |id| pool.find(id.as_str()).map(|it| RumaEvent::of(it.event, it.rejected)),
        |conflicted| {
            let ids = conflicted.values().flatten().map(ToString::to_string).collect();
            Some(set(super::conflict::subgraph(&ids, pool)))
        },
    );
    let entry = |((kind, key), id): ((StateEventType, String), OwnedEventId)| {
        ((kind.to_string(), key), id.to_string())
    };
    resolved.unwrap().into_iter().map(entry).collect()
}

const USERS: [&str; 4] = ["@a:a.test", "@b:a.test", "@c:b.test", "@d:c.test"];

/// A random event with one or two random prev events, sensible or not.
fn random_event(room: &RoomGraph, key: &SigningKey, random: &mut fastrand::Rng) -> Value {
    let ids: Vec<_> = room.ids().collect();
    let sender = random.choice(USERS).unwrap();
    let target = random.choice(USERS).unwrap();
    let after: BTreeSet<_> = (0..random.usize(1..3)).map(|_| *random.choice(&ids).unwrap()).collect();
    let mut level = || *random.choice(&[0, 25, 50, 75, 100, 150]).unwrap();
    let (one, two, three) = (level(), level(), level());
    let draft = match random.u8(0..12) {
        0..=4 => {
            let membership =
                *random.choice(&["join", "join", "invite", "leave", "ban", "knock", "odd"]).unwrap();
            let target = if random.bool() { sender } else { target };
            let mut content = json!({ "membership": membership });
            if random.u8(0..4) == 0 {
                content["join_authorised_via_users_server"] = json!(random.choice(USERS).unwrap());
            }
            room.draft("m.room.member", sender).state_key(target).content(content)
        }
        5..=6 => {
            let users = json!({sender: one, target: two, "@b:a.test": three});
            let mut content = json!({"users": users, "events": {"m.room.topic": two}, "kick": one, "notifications": {"room": three}});
            match random.u8(0..8) {
                0 => content["ban"] = json!("50"),
                1 => content["events"] = json!([]),
                2 => content["users"]["nobody"] = json!(1),
                3 => content["users"]["@c:b.test"] = json!(" +20"),
                4 => content["invite"] = json!(two),
                _ => {}
            }
            room.draft("m.room.power_levels", sender).state_key("").content(content)
        }
        7 => {
            let rules = ["public", "invite", "knock", "restricted", "knock_restricted", "private"];
            let content = json!({"join_rule": random.choice(rules).unwrap()});
            room.draft("m.room.join_rules", sender).state_key("").content(content)
        }
        8 => room.draft("m.room.topic", sender).state_key("").content(json!({ "topic": one })),
        9 => room.draft("org.example.own", sender).state_key(target),
        10 => room.draft("m.room.third_party_invite", sender).state_key("t"),
        _ => room.draft("m.room.message", sender),
    };
    let mut draft = draft.after(after).at(random.i64(1..50));
    if random.u8(0..10) == 0 {
        draft = draft.with_auth_events(
            (0..random.usize(0..4)).map(|_| *random.choice(&ids).unwrap()).collect::<BTreeSet<_>>(),
        );
    }
    draft.sign(key).json
}

fn compare_rules(event: &Event, room: &RoomGraph, pool: &EventPool<'_>) {
    let ours = check_auth_events(event, |id| pool.find(id));
    let theirs = their_auth_check(event, pool);
    assert_eq!(ours.is_ok(), theirs.is_ok(), "{ours:?} against {theirs:?} on {:?}", event.json());
    if let Ok(state) = room.state_at(&event.prev_events()) {
        let state = pool.snapshot(&state);
        let (ours, theirs) = (check_state(event, &state), their_state_check(event, &state));
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{ours:?} against {theirs:?} on {:?}", event.json());
    }
}

/// SS-STATE-003, 004 and the SS-EAUTH rows that random rooms reach.
#[test]
fn ruma_judges_and_resolves_random_rooms_in_the_same_way() {
    let key = SigningKey::from_seed(&[1; 32], "1").unwrap();
    let mut reached = BTreeSet::new();
    let mut conflicts = 0;
    for version in ["3", "6", "7", "8", "10", "11", "12"] {
        for seed in 0..12 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut room = RoomCreation::new(version, USERS[0], 1).unwrap().create(&key).unwrap();
            for _ in 0..25 {
                let pdu = random_event(&room, &key, &mut random);
                let event = Event::read(&pdu, room.version()).unwrap();
                compare_rules(&event, &room, &room.pool());
                if let crate::EventOutcome::Rejected(rule) | crate::EventOutcome::SoftFailed(rule) =
                    room.add(&pdu).unwrap()
                {
                    reached.insert(rule);
                }
            }
            let tips: Vec<_> = room.ids().filter_map(|id| room.state_after(id)).collect();
            for _ in 0..15 {
                let states: Vec<_> = (0..3).map(|_| random.choice(&tips).unwrap().clone()).collect();
                let pool = room.pool();
                let ours = resolve(room.version(), &states, &pool).unwrap();
                let mut turned = states.clone();
                turned.reverse();
                assert_eq!(resolve(room.version(), &turned, &pool).as_ref(), Ok(&ours));
                assert_eq!(
                    ours,
                    their_resolution(room.version(), &states, &pool),
                    "version {version}, seed {seed}"
                );
                conflicts += usize::from(states[0] != states[1]);
            }
        }
    }
    // The comparison covers only the rules that it reaches.
    assert!(reached.len() >= 20, "{reached:?}");
    assert!(conflicts > 500, "{conflicts}");
}

/// The cases in which ruma differs; nothing here depends on them.
#[test]
fn ruma_differs_in_known_places() {
    let object = |value: &Value| serde_json::from_value::<ruma::CanonicalJsonObject>(value.clone());
    // Up to version 5 numbers beyond 2^53 and fractions are allowed (SS-CJSON-013); ruma cannot read them.
    assert!(object(&json!({"n": 9_007_199_254_740_993_i64})).is_err());
    // An event of 65536 bytes is within the limit (SS-LIMITS-001), and a larger one has a hash, too; ruma refuses it.
    let large = json!({"type": "x", "content": {"body": "a".repeat(65_536)}});
    assert!(ruma::signatures::content_hash(&object(&large).unwrap()).is_err());
    assert!(crate::content_hash(&large).is_some());
    // One valid signature is enough for a third-party invite (rooms/v11, rule 4.4.1.7); ruma gives up at a malformed one.
    let key = SigningKey::from_seed(&[1; 32], "0").unwrap();
    let mut signed = json!({"mxid": "@b:b.test", "token": "t"}).as_object().unwrap().clone();
    key.sign_json(&mut signed, "id.test");
    signed["signatures"]["aaa"] = json!(7);
    let event = |kind: &str, state_key: &str, content: &Value| {
        let event = json!({"type": kind, "sender": USERS[0], "state_key": state_key, "content": content,
                           "room_id": "!r:a.test", "prev_events": ["$x"], "auth_events": []});
        Event::parse(&event, "11").unwrap()
    };
    let state = [
        event("m.room.create", "", &json!({})),
        event("m.room.third_party_invite", "t", &json!({"public_key": key.public_base64()})),
    ];
    let invite = event(
        "m.room.member",
        "@b:b.test",
        &json!({"membership": "invite", "third_party_invite": {"signed": signed}}),
    );
    let state = Snapshot::of(&state);
    assert_eq!(check_state(&invite, &state), Ok(()));
    assert!(their_state_check(&invite, &state).is_err());
}
