//! Tests of room graphs, drafts and received events.

use serde_json::{Value, json};

use super::*;
use crate::{KeyRing, SigningKey, Verified, verify_event};

const A: &str = "@a:a.test";
const B: &str = "@b:b.test";

fn keys() -> (SigningKey, SigningKey, KeyRing) {
    let [a, b] = [1, 2].map(|seed| SigningKey::from_seed(&[seed; 32], "1").unwrap());
    let ring = KeyRing::new().with("a.test", &a).with("b.test", &b);
    (a, b, ring)
}

fn add(room: &mut RoomGraph, built: &WireEvent) -> EventOutcome {
    room.add(&built.json).unwrap()
}

/// SS-ROOMV-021, 015, SS-PDU-015, 025, 026.
#[test]
fn a_new_room_passes_all_checks_in_every_version() {
    let (key, _, ring) = keys();
    for version in crate::version::ALL {
        let room = RoomGraph::create(version, A, &key, 1000).unwrap();
        assert_eq!(room.ids().count(), 5, "version {version}");
        let mut copy = RoomGraph::empty(room.version(), room.id());
        for id in room.ids() {
            let pdu = Value::Object(room.event(id).unwrap().json().clone());
            assert_eq!(room.outcome(id), Some(&EventOutcome::Accepted), "version {version}: {pdu}");
            let receipt = copy.receive(&pdu, &ring).unwrap();
            assert!(
                matches!(receipt, ReceivedPdu::Held { redacted: false, .. }),
                "version {version}: {receipt:?}"
            );
        }
        assert_eq!(copy.state().unwrap(), room.state().unwrap());
        assert_eq!(room.state().unwrap().len(), 5);
        let message = room.draft("m.room.message", A).sign(&key);
        let count = Event::parse(&message.json, version).unwrap().auth_events().len();
        assert_eq!(count, if version == "12" { 2 } else { 3 });
        assert_eq!(message.json["depth"], 6);
        assert_eq!(message.json["origin_server_ts"], 1005);
    }
}

#[test]
fn each_lie_has_its_result() {
    let (a, b, ring) = keys();
    let room = RoomGraph::create("11", A, &a, 1).unwrap();
    let draft = || room.draft("m.room.message", A).content(json!({"body": "x"}));
    let verdict = |built: &WireEvent| match room.clone().receive(&built.json, &ring).unwrap() {
        ReceivedPdu::Held { redacted: false, outcome, .. } => format!("{outcome:?}"),
        ReceivedPdu::Held { redacted: true, .. } => "redacted".into(),
        ReceivedPdu::BadSignature(fault) => fault.code().into(),
        ReceivedPdu::Malformed(breaches) => breaches[0].reason.code().into(),
    };
    let body = |pdu: &mut Value| pdu["content"]["body"] = json!("y");
    let float = |pdu: &mut Value| pdu["content"]["n"] = json!(1.5);
    let depth = |pdu: &mut Value| pdu["depth"] = json!(7);
    let table = [
        (draft(), "Accepted"),
        (draft().tampered(Tamper::before_hash(body)), "Accepted"),
        (draft().tampered(Tamper::before_hash(float)), "format.number-not-canonical"),
        (draft().tampered(Tamper::before_signing(body)), "redacted"),
        (draft().tampered(Tamper::before_signing(depth)), "redacted"),
        (draft().tampered(Tamper::after_signing(body)), "redacted"),
        (draft().tampered(Tamper::after_signing(depth)), "signature.bad"),
        (draft().tampered(Tamper::Key(&b)), "signature.bad"),
        (draft().tampered(Tamper::KeyId("ed25519:9".into())), "signature.no-usable-key"),
        (draft().tampered(Tamper::Unsigned), "signature.missing"),
        (draft().tampered(Tamper::Unsigned).also_signed_by("b.test", &b), "signature.missing"),
    ];
    for (draft, expected) in table {
        let built = draft.sign(&a);
        assert_eq!(verdict(&built), expected, "{}", built.text);
    }
    let twice = draft().tampered(Tamper::wire(|text| text.replacen('{', "{\"depth\":1,", 1))).sign(&a);
    assert_eq!(twice.text.matches("\"depth\"").count(), 2);
    assert_eq!(twice.json, draft().sign(&a).json);
    let gone = draft().tampered(Tamper::after_signing(|pdu| *pdu = json!([1]))).sign(&a);
    assert_eq!((gone.json, gone.id, gone.text), (json!([1]), String::new(), "[1]".into()));
}

/// Only the float is wrong: hash and signature match it, and version 5 accepts it.
#[test]
fn an_event_that_is_not_canonical_has_a_valid_hash_and_signature() {
    let (a, _, ring) = keys();
    let mut room = RoomGraph::create("5", A, &a, 1).unwrap();
    let float = |pdu: &mut Value| pdu["content"]["n"] = json!([1.5, 9_007_199_254_740_993_i64]);
    let built = room.draft("m.room.message", A).tampered(Tamper::before_hash(float)).sign(&a);
    assert!(matches!(
        room.receive(&built.json, &ring).unwrap(),
        ReceivedPdu::Held { outcome: EventOutcome::Accepted, redacted: false, .. }
    ));
}

/// ```text
///   … ◀─ join ◀─┬─ one ◀─┬─ merge
///               └─ two ◀─┘
/// ```
#[test]
fn forks_merge_whatever_the_order_of_arrival() {
    let (a, b, _) = keys();
    let mut room = RoomGraph::create("11", A, &a, 1).unwrap();
    let join = room.draft_member(B, B, "join").sign(&b);
    add(&mut room, &join);
    let one = room.draft("m.room.topic", A).state_key("").content(json!({"topic": "1"})).sign(&a);
    let two = room.draft("m.room.name", A).state_key("").content(json!({"name": "2"})).sign(&a);
    add(&mut room, &one);
    add(&mut room, &two);
    let mut tips = vec![one.id.clone(), two.id.clone()];
    tips.sort();
    assert_eq!(room.extremities(), tips);
    let merge = room.draft("m.room.message", B).sign(&b);
    assert_eq!(merge.json["prev_events"], json!(tips));
    add(&mut room, &merge);
    assert_eq!(room.extremities(), [merge.id]);

    let pdus: Vec<_> = room.ids().map(|id| Value::Object(room.event(id).unwrap().json().clone())).collect();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..20 {
        let mut shuffled = pdus.clone();
        random.shuffle(&mut shuffled);
        let mut copy = RoomGraph::empty(room.version(), room.id());
        for pdu in &shuffled {
            copy.add(pdu).unwrap();
        }
        assert_eq!(copy.state(), room.state());
        assert!(copy.ids().all(|id| copy.outcome(id) == Some(&EventOutcome::Accepted)));
    }
}

#[test]
fn a_gap_leaves_events_undecided_until_it_is_filled() {
    let (a, _, _) = keys();
    let mut full = RoomGraph::create("12", A, &a, 1).unwrap();
    let mut torn = full.clone();
    let hidden = full.draft("m.room.message", A).sign(&a);
    add(&mut full, &hidden);
    let seen = full.draft("m.room.message", A).sign(&a);
    assert_eq!(add(&mut torn, &seen), EventOutcome::Undecided { missing: vec![hidden.id.clone()] });
    assert_eq!(add(&mut torn, &hidden), EventOutcome::Accepted);
    assert_eq!(torn.outcome(&seen.id), Some(&EventOutcome::Accepted));
}

/// SS-PDU-024, 036 to 039: an event on an old branch by a user who has been banned since.
#[test]
fn an_event_that_the_current_state_forbids_is_soft_failed() {
    let (a, b, _) = keys();
    let mut room = RoomGraph::create("11", A, &a, 1).unwrap();
    let join = room.draft_member(B, B, "join").sign(&b);
    add(&mut room, &join);
    let late = room.draft("m.room.message", B).sign(&b);
    let ban = room.draft_member(A, B, "ban").sign(&a);
    assert_eq!(add(&mut room, &ban), EventOutcome::Accepted);
    assert_eq!(add(&mut room, &late), EventOutcome::SoftFailed(Rule::SenderNotJoined));
    assert_eq!(room.extremities(), std::slice::from_ref(&ban.id));
    let after_ban = room.draft("m.room.message", B).sign(&b);
    assert_eq!(add(&mut room, &after_ban), EventOutcome::Rejected(Rule::SenderNotJoined));
    assert_eq!(room.state_after(&after_ban.id), room.state_before(&after_ban.id).cloned());
    let follows = room.draft("m.room.message", A).after([&late.id, &ban.id]).sign(&a);
    assert_eq!(add(&mut room, &follows), EventOutcome::Accepted);
    assert_eq!(room.outcome(&late.id), Some(&EventOutcome::SoftFailed(Rule::SenderNotJoined)));
}

/// SS-EAUTH-029.
#[test]
fn a_restricted_join_needs_the_signature_of_the_authorising_server() {
    let (a, b, ring) = keys();
    let rules = json!({"join_rule": "restricted", "allow": []});
    let room = RoomCreation::new("11", A, 1).unwrap().join_rules(rules).create(&a).unwrap();
    let content = json!({"membership": "join", "join_authorised_via_users_server": A});
    let join = || room.draft_member(B, B, "join").content(content.clone());
    let outcome = |built: &WireEvent| match room.clone().receive(&built.json, &ring).unwrap() {
        ReceivedPdu::Held { outcome, .. } => outcome,
        other => panic!("{other:?}"),
    };
    assert_eq!(outcome(&join().also_signed_by("a.test", &a).sign(&b)), EventOutcome::Accepted);
    assert_eq!(outcome(&join().sign(&b)), EventOutcome::Rejected(Rule::AuthoriserSignature));
}

/// A joining server knows the state, but not the state before its events.
#[test]
fn a_send_join_response_makes_a_room() {
    let (a, b, ring) = keys();
    for version in ["11", "12"] {
        let mut resident = RoomGraph::create(version, A, &a, 1).unwrap();
        let join = resident.draft_member(B, B, "join").sign(&b);
        add(&mut resident, &join);
        let (state, auth_chain) = resident.state_and_auth_chain(&join.id).unwrap();
        let answer = json!({"state": state, "auth_chain": auth_chain});
        assert_eq!(crate::auth_gaps(&answer, version), Ok(vec![]));
        let start = RoomGraph::empty(resident.version(), resident.id());
        let empty = || start.clone();
        let mut joined = empty().from_send_join(&answer, &join.json).unwrap();
        assert_eq!(joined.state(), resident.state(), "version {version}");
        assert_eq!(joined.extremities(), [join.id]);
        let hello = joined.draft("m.room.message", B).sign(&b);
        assert_eq!(add(&mut joined, &hello), EventOutcome::Accepted);
        assert_eq!(add(&mut resident, &hello), EventOutcome::Accepted);
        let event = Event::parse(&hello.json, version).unwrap();
        assert_eq!(verify_event(&event, &ring), Ok(Verified::All));
        for odd in [json!({}), json!({"state": [7], "auth_chain": []}), json!({"state": {}, "auth_chain": 1})]
        {
            assert!(empty().from_send_join(&odd, &join.json).is_err());
        }
    }
}

#[test]
fn events_of_other_rooms_are_refused() {
    let (a, _, _) = keys();
    let mut room = RoomGraph::create("11", A, &a, 1).unwrap();
    let other = RoomGraph::create("11", A, &a, 2).unwrap();
    let message = other.draft("m.room.message", A).sign(&a);
    assert!(matches!(room.add(&message.json), Err(RoomError::OtherRoom(_))));
}

/// A room with forks, in which some events are rejected and some bans take effect, and all its PDUs.
fn tangled(random: &mut fastrand::Rng) -> (RoomGraph, Vec<Value>) {
    let (a, b, _) = keys();
    let mut room = RoomGraph::create(["10", "11", "12"][random.usize(..3)], A, &a, 1).unwrap();
    let join = room.draft_member(B, B, "join").sign(&b);
    add(&mut room, &join);
    let mut pdus: Vec<_> = room.ids().map(|id| pdu_of(&room, id)).collect();
    for step in 0..12 {
        let after: Vec<_> = room.ids().filter(|id| room.state_before(id).is_some()).collect();
        let after: Vec<_> = (0..2).map(|_| after[random.usize(..after.len())].to_owned()).collect();
        let content = json!({"body": step, "topic": step});
        let kind = random.usize(..6);
        let by_a = kind < 2 || (kind > 2 && random.bool());
        let (sender, key) = if by_a { (A, &a) } else { (B, &b) };
        let draft = match kind {
            0 => room.draft_member(A, B, "ban"),
            1 => room.draft_member(A, B, "leave"),
            2 => room.draft_member(B, B, "join"),
            3 | 4 => room.draft("m.room.topic", sender).state_key("").content(content),
            _ => room.draft("m.room.message", sender).content(content),
        };
        let after: BTreeSet<_> = after.into_iter().collect();
        let built = draft.after(after).sign(key);
        add(&mut room, &built);
        pdus.push(built.json);
    }
    (room, pdus)
}

fn pdu_of(room: &RoomGraph, id: &str) -> Value {
    Value::Object(room.event(id).unwrap().json().clone())
}

/// Whether each event is rejected, and the state before it. Soft failure is left out: it depends on the time of arrival.
fn judged(room: &RoomGraph) -> Vec<(String, bool, Option<StateMap>)> {
    let is_rejected = |id: &str| matches!(room.outcome(id), Some(EventOutcome::Rejected(_)));
    room.ids().map(|id| (id.to_owned(), is_rejected(id), room.state_before(id).cloned())).collect()
}

/// At each arrival only undecided events are judged. The result is the same as if all were judged anew.
#[test]
fn events_are_judged_alike_whatever_the_order_of_arrival() {
    let mut random = fastrand::Rng::with_seed(11);
    let (mut rejected, mut undecided) = (0, 0);
    for _ in 0..60 {
        let (room, mut pdus) = tangled(&mut random);
        random.shuffle(&mut pdus);
        let mut copy = RoomGraph::empty(room.version(), room.id());
        for (place, pdu) in pdus.iter().enumerate() {
            // Some are known as auth events first.
            if random.usize(..4) == 0 {
                let event = Event::read(pdu, copy.version()).unwrap();
                copy.hold(event, true, None);
            }
            copy.add(pdu).unwrap();
            let mut anew = copy.clone();
            anew.judge_anew(copy.ids().map(str::to_owned).collect());
            assert_eq!(judged(&copy), judged(&anew), "after {place} of {pdus:#?}");
            undecided += copy.ids().filter(|id| copy.state_before(id).is_none()).count();
        }
        assert_eq!(judged(&copy), judged(&room));
        rejected += judged(&room).iter().filter(|(_, rejected, _)| *rejected).count();
    }
    assert!(rejected > 20 && undecided > 100, "{rejected} rejected, {undecided} undecided");
}
