//! Races and their results by the specification (SS-STATE-*).

use serde_json::{Value, json};

use crate::{EventOutcome, RoomCreation, RoomGraph, SigningKey, WireEvent, resolve};

const A: &str = "@a:a.test";
const B: &str = "@b:a.test";
const C: &str = "@c:a.test";

fn key() -> SigningKey {
    SigningKey::from_seed(&[1; 32], "1").unwrap()
}

/// A and B have 100 (from version 12 on A is the creator), C has 50; all are joined.
fn room(version: &str) -> RoomGraph {
    let mut creation = RoomCreation::new(version, A, 1).unwrap();
    creation = match version {
        "12" => creation.levels("users", json!({B: 100, C: 50})),
        _ => creation.levels("users", json!({A: 100, B: 100, C: 50})),
    };
    let mut room = creation.create(&key()).unwrap();
    for user in [B, C] {
        let join = room.draft_member(user, user, "join").sign(&key());
        assert_eq!(room.add(&join.json).unwrap(), EventOutcome::Accepted);
    }
    room
}

/// The state after a fork. It does not depend on which branch arrives first.
fn merged(room: &RoomGraph, branches: &[&[&WireEvent]]) -> RoomGraph {
    let deliver = |order: &mut dyn Iterator<Item = &&[&WireEvent]>| {
        let mut copy = room.clone();
        for built in order.flat_map(|branch| branch.iter()) {
            copy.add(&built.json).unwrap();
        }
        let tips: Vec<_> =
            branches.iter().filter_map(|branch| branch.last()).map(|built| &built.id).collect();
        let merge = copy.draft("m.room.message", A).after(tips).sign(&key());
        assert_eq!(copy.add(&merge.json).unwrap(), EventOutcome::Accepted);
        (copy.state_before(&merge.id).cloned().unwrap(), copy, merge)
    };
    let (one, mut copy, merge) = deliver(&mut branches.iter());
    let (two, ..) = deliver(&mut branches.iter().rev());
    assert_eq!(one, two);
    // From here on only the merge counts.
    let after = copy.draft("m.room.message", A).after([&merge.id]).sign(&key());
    copy.add(&after.json).unwrap();
    copy
}

fn topic(room: &RoomGraph, sender: &str, topic: &str, at: i64) -> WireEvent {
    room.draft("m.room.topic", sender).state_key("").content(json!({ "topic": topic })).at(at).sign(&key())
}

fn field<'a>(room: &'a RoomGraph, kind: &str, state_key: &str, name: &str) -> Option<&'a Value> {
    room.state_event(kind, state_key).and_then(|event| event.content().get(name))
}

/// SS-STATE-020: the ban wins over what the banned user did at the same time or later.
#[test]
fn a_ban_wins_over_events_of_the_banned_user() {
    for version in ["2", "6", "11", "12"] {
        let room = room(version);
        let ban = room.draft_member(A, C, "ban").at(50).sign(&key());
        let late = topic(&room, C, "mine", 99);
        let merged = merged(&room, &[&[&ban], &[&late]]);
        assert_eq!(
            field(&merged, "m.room.member", C, "membership"),
            Some(&json!("ban")),
            "version {version}"
        );
        assert_eq!(merged.state_event("m.room.topic", "").map(|event| event.id()), None, "version {version}");
    }
}

/// SS-STATE-020: a ban wins over a join at the same time.
#[test]
fn a_concurrent_ban_beats_a_join() {
    let d = "@d:a.test";
    for version in ["2", "11", "12"] {
        let room = room(version);
        let ban = room.draft_member(A, d, "ban").at(99).sign(&key());
        let join = room.draft_member(d, d, "join").at(50).sign(&key());
        let merged = merged(&room, &[&[&join], &[&ban]]);
        assert_eq!(
            field(&merged, "m.room.member", d, "membership"),
            Some(&json!("ban")),
            "version {version}"
        );
    }
}

/// SS-STATE-008, 021: the demotion by the user with more power wins, and the topic is rejected.
#[test]
fn a_demotion_wins_over_events_of_the_demoted_user() {
    for version in ["2", "11", "12"] {
        let room = room(version);
        let users = if version == "12" { json!({B: 100}) } else { json!({A: 100, B: 100}) };
        let demotion = room
            .draft("m.room.power_levels", A)
            .state_key("")
            .content(json!({ "users": users }))
            .at(99)
            .sign(&key());
        let late = topic(&room, C, "mine", 50);
        let merged = merged(&room, &[&[&late], &[&demotion]]);
        assert_eq!(merged.state_event("m.room.topic", "").map(|event| event.id()), None, "version {version}");
        assert!(field(&merged, "m.room.power_levels", "", "users").unwrap().get(C).is_none());
    }
}

/// SS-STATE-009: of two power levels events by equals the later one wins, as it is applied last. In version 12 the creator's
/// comes first whatever its time, and B's is then checked against it.
#[test]
fn a_race_for_power_levels_is_settled_by_power_then_time() {
    let change = |room: &RoomGraph, sender: &str, kick: i64, at: i64| {
        let mut content =
            Value::Object(room.state_event("m.room.power_levels", "").unwrap().content().clone());
        content["kick"] = json!(kick);
        room.draft("m.room.power_levels", sender).state_key("").content(content).at(at).sign(&key())
    };
    for (version, at_a, at_b, winner) in
        [("11", 50, 99, 2), ("11", 99, 50, 1), ("2", 50, 99, 2), ("12", 50, 99, 2), ("12", 99, 50, 2)]
    {
        let room = room(version);
        let (one, two) = (change(&room, A, 1, at_a), change(&room, B, 2, at_b));
        let merged = merged(&room, &[&[&one], &[&two]]);
        let kick = field(&merged, "m.room.power_levels", "", "kick");
        assert_eq!(kick, Some(&json!(winner)), "version {version}, {at_a} against {at_b}");
    }
}

/// SS-STATE-013: with equal mainline position the later event wins, then the greater id.
#[test]
fn the_later_topic_wins_and_then_the_greater_id() {
    for version in ["2", "11", "12"] {
        let room = room(version);
        let [early, late] = [topic(&room, B, "early", 50), topic(&room, C, "late", 99)];
        let both = merged(&room, &[&[&late], &[&early]]);
        assert_eq!(field(&both, "m.room.topic", "", "topic"), Some(&json!("late")), "version {version}");
        let [one, two] = [topic(&room, B, "1", 70), topic(&room, C, "2", 70)];
        let winner = if one.id > two.id { "1" } else { "2" };
        let both = merged(&room, &[&[&one], &[&two]]);
        assert_eq!(field(&both, "m.room.topic", "", "topic"), Some(&json!(winner)), "version {version}");
    }
}

/// SS-STATE-012: a topic with newer power levels as auth event wins over one with older ones, even if its time is earlier.
#[test]
fn the_topic_on_newer_power_levels_wins() {
    for version in ["2", "11", "12"] {
        let base = room(version);
        let mut newer = base.clone();
        let mut content =
            Value::Object(base.state_event("m.room.power_levels", "").unwrap().content().clone());
        content["kick"] = json!(60);
        let levels = base.draft("m.room.power_levels", A).state_key("").content(content).at(20).sign(&key());
        newer.add(&levels.json).unwrap();
        let on_newer = topic(&newer, B, "newer", 50);
        let on_older = topic(&base, C, "older", 99);
        let merged = merged(&base, &[&[&on_older], &[&levels, &on_newer]]);
        assert_eq!(field(&merged, "m.room.topic", "", "topic"), Some(&json!("newer")), "version {version}");
    }
}

/// SS-STATE-022: join rules are power events.
#[test]
fn a_join_concurrent_with_closing_the_room_is_checked_again() {
    let d = "@d:a.test";
    for version in ["2", "11", "12"] {
        let room = room(version);
        let rules = json!({"join_rule": "invite"});
        let close = room.draft("m.room.join_rules", A).state_key("").content(rules).at(99).sign(&key());
        let join = room.draft_member(d, d, "join").at(50).sign(&key());
        let merged = merged(&room, &[&[&join], &[&close]]);
        assert_eq!(merged.state_event("m.room.member", d).map(|event| event.id()), None, "version {version}");
    }
}

fn levels(room: &RoomGraph, ban: i64, at: i64) -> WireEvent {
    let mut content = Value::Object(room.state_event("m.room.power_levels", "").unwrap().content().clone());
    content["ban"] = json!(ban);
    room.draft("m.room.power_levels", A).state_key("").content(content).at(at).sign(&key())
}

fn place(kind: &str, state_key: &str) -> (String, String) {
    (kind.to_owned(), state_key.to_owned())
}

/// SS-STATE-018 and 024: C bans D under power levels that do not allow it; newer, unconflicted power levels would. Version
/// 11 starts from the newer ones and accepts the ban; version 12 goes by the auth events of the ban.
#[test]
fn version_12_starts_from_an_empty_state() {
    let d = "@d:a.test";
    for (version, banned) in [("11", true), ("12", false)] {
        let mut room = room(version);
        let strict = levels(&room, 75, 20);
        room.add(&strict.json).unwrap();
        let join = room.draft_member(d, d, "join").sign(&key());
        room.add(&join.json).unwrap();
        let ban = room.draft_member(C, d, "ban").sign(&key());
        assert!(matches!(room.add(&ban.json).unwrap(), EventOutcome::Rejected(_)));
        let lax = levels(&room, 50, 30);
        room.add(&lax.json).unwrap();
        let without = room.state_after(&lax.id).unwrap();
        let mut with = without.clone();
        with.insert(place("m.room.member", d), ban.id.clone());
        // The pool has to hold the ban, as a server does that got it from another server (SS-STATE-023).
        let resolved = resolve(room.version(), &[with, without], &room.pool()).unwrap();
        let expected = if banned { &ban.id } else { &join.id };
        assert_eq!(resolved.get(&place("m.room.member", d)), Some(expected), "version {version}");
    }
}

/// SS-STATE-025 and 026: `x ─▶ a ─▶ y` are power levels events, x and y are in conflict, and the topic makes both sides know
/// a. Version 11 does not see that y is in the auth chain of x and goes by their times, so it reverts to y. Version 12 does
/// not.
#[test]
fn version_12_does_not_revert_to_older_power_levels() {
    for (version, reverts) in [("11", true), ("12", false)] {
        let mut room = room(version);
        let y = levels(&room, 60, 99);
        room.add(&y.json).unwrap();
        let a = levels(&room, 70, 60);
        room.add(&a.json).unwrap();
        room.add(&topic(&room, A, "knows a", 61).json).unwrap();
        let x = levels(&room, 80, 50);
        room.add(&x.json).unwrap();
        let newer = room.state_after(&x.id).unwrap();
        let mut older = newer.clone();
        older.insert(place("m.room.power_levels", ""), y.id.clone());
        let resolved = resolve(room.version(), &[newer, older], &room.pool()).unwrap();
        let expected = if reverts { &y.id } else { &x.id };
        assert_eq!(resolved.get(&place("m.room.power_levels", "")), Some(expected), "version {version}");
    }
}

/// SS-STATE-027 and 028 are not implemented: resolution says so.
#[test]
fn conflicts_in_version_1_are_an_error() {
    let room = room("1");
    let mut copy = room.clone();
    for built in [topic(&room, B, "1", 50), topic(&room, C, "2", 60)] {
        assert_eq!(copy.add(&built.json).unwrap(), EventOutcome::Accepted);
    }
    assert!(copy.state().is_err());
}
