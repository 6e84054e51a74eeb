//! The rules that look at a state, as a table: each row is an event, and a twin one step away must be accepted.

use serde_json::{Value, json};

use super::*;

const A: &str = "@a:a.test";
const B: &str = "@b:b.test";
const C: &str = "@c:c.test";

/// A state in which A, the creator, is joined.
#[derive(Clone)]
struct RoomState {
    version: &'static str,
    create: Value,
    levels: Option<Value>,
    rule: &'static str,
    members: Vec<(&'static str, &'static str)>,
}

impl RoomState {
    /// A has 100, B 50, all others 0; `members` beside A.
    fn new(version: &'static str, rule: &'static str, members: &[(&'static str, &'static str)]) -> Self {
        let users = if version == "12" { json!({B: 50}) } else { json!({A: 100, B: 50}) };
        Self {
            version,
            create: json!({"creator": A}),
            levels: Some(json!({ "users": users })),
            rule,
            members: [&[(A, "join")], members].concat(),
        }
    }

    fn levels(mut self, name: &str, value: Value) -> Self {
        self.levels.as_mut().unwrap()[name] = value;
        self
    }

    fn create(mut self, name: &str, value: Value) -> Self {
        self.create[name] = value;
        self
    }

    fn event(&self, kind: &str, sender: &str, state_key: &str, content: &Value) -> Event {
        let event = json!({"type": kind, "sender": sender, "state_key": state_key, "content": content,
                           "room_id": "!r:a.test", "prev_events": ["$x"], "auth_events": []});
        Event::parse(&event, self.version).unwrap()
    }

    fn check(&self, event: &Value) -> Result<(), Rule> {
        let mut state = vec![self.event("m.room.create", A, "", &self.create)];
        state.extend(self.levels.iter().map(|levels| self.event("m.room.power_levels", A, "", levels)));
        state.push(self.event("m.room.join_rules", A, "", &json!({"join_rule": self.rule})));
        let member = |(user, membership): &(&str, &str)| {
            self.event("m.room.member", user, user, &json!({ "membership": membership }))
        };
        state.extend(self.members.iter().map(member));
        check_state(&Event::parse(event, self.version).unwrap(), &Snapshot::of(&state))
    }
}

fn member(sender: &str, target: &str, membership: &str) -> Value {
    json!({"type": "m.room.member", "sender": sender, "state_key": target, "content": {"membership": membership},
           "prev_events": ["$x"]})
}

fn state(kind: &str, sender: &str, state_key: &str, content: &Value) -> Value {
    json!({"type": kind, "sender": sender, "state_key": state_key, "content": content, "prev_events": ["$x"]})
}

fn judge(rows: Vec<(RoomState, Value, Result<(), Rule>)>) {
    for (index, (world, event, expected)) in rows.into_iter().enumerate() {
        assert_eq!(world.check(&event), expected, "row {index}: {event} in version {}", world.version);
    }
}

/// SS-EAUTH-028, 032 to 042.
#[test]
fn joins() {
    let world = |version, rule, membership| RoomState::new(version, rule, &[(B, "join"), (C, membership)]);
    let join = || member(C, C, "join");
    let by = |user: &str| {
        let mut event = join();
        event["content"]["join_authorised_via_users_server"] = json!(user);
        event
    };
    judge(vec![
        (world("11", "public", "leave"), join(), Ok(())),
        (world("11", "public", "leave"), member(B, C, "join"), Err(Rule::JoinOfAnother)),
        (world("11", "public", "ban"), join(), Err(Rule::JoinBanned)),
        (world("11", "invite", "leave"), join(), Err(Rule::JoinRule)),
        (world("11", "invite", "invite"), join(), Ok(())),
        (world("11", "invite", "join"), join(), Ok(())),
        (world("7", "knock", "knock"), join(), Err(Rule::JoinRule)),
        (world("7", "knock", "invite"), join(), Ok(())),
        (world("6", "knock", "invite"), join(), Err(Rule::JoinRule)),
        (world("11", "private", "invite"), join(), Err(Rule::JoinRule)),
        (world("7", "restricted", "invite"), join(), Err(Rule::JoinRule)),
        (world("8", "restricted", "invite"), join(), Ok(())),
        (world("8", "restricted", "leave"), by(B), Ok(())),
        (world("8", "restricted", "leave"), join(), Err(Rule::JoinAuthoriser)),
        (world("8", "restricted", "leave"), by("@d:d.test"), Err(Rule::JoinAuthoriser)),
        (world("8", "restricted", "leave").levels("invite", json!(51)), by(B), Err(Rule::JoinAuthoriser)),
        (world("8", "restricted", "leave").levels("invite", json!(50)), by(B), Ok(())),
        (world("9", "knock_restricted", "leave"), by(B), Err(Rule::JoinRule)),
        (world("10", "knock_restricted", "leave"), by(B), Ok(())),
        (world("11", "public", "leave"), member(C, "nobody", "join"), Err(Rule::MemberForm)),
        (world("11", "public", "leave"), state("m.room.member", C, C, &json!({})), Err(Rule::MemberForm)),
        (world("11", "public", "leave"), member(C, C, "foo"), Err(Rule::UnknownMembership)),
    ]);
}

/// SS-EAUTH-030 and 031.
#[test]
fn the_first_join_is_the_creators() {
    for version in ["10", "11", "12"] {
        let world = RoomState::new(version, "invite", &[]);
        let create = world.event("m.room.create", A, "", &world.create);
        let first = |user: &str| {
            let mut event = member(user, user, "join");
            event["prev_events"] = json!([create.id()]);
            check_state(&Event::parse(&event, version).unwrap(), &Snapshot::of([&create]))
        };
        assert_eq!(first(A), Ok(()), "version {version}");
        assert_eq!(first(B), Err(Rule::JoinRule), "version {version}");
    }
}

/// SS-EAUTH-049 to 051, 058 to 060, 066, 067.
#[test]
fn invites_and_knocks() {
    let world = |version, rule, membership| RoomState::new(version, rule, &[(B, "join"), (C, membership)]);
    let knock = || member(C, C, "knock");
    judge(vec![
        (world("11", "invite", "leave"), member(B, C, "invite"), Ok(())),
        (world("11", "invite", "join"), member(B, C, "invite"), Err(Rule::InviteOfMember)),
        (world("11", "invite", "ban"), member(B, C, "invite"), Err(Rule::InviteOfMember)),
        (world("11", "invite", "leave"), member("@d:d.test", C, "invite"), Err(Rule::InviterNotJoined)),
        (world("11", "invite", "leave").levels("invite", json!(50)), member(B, C, "invite"), Ok(())),
        (
            world("11", "invite", "leave").levels("invite", json!(51)),
            member(B, C, "invite"),
            Err(Rule::InviteLevel),
        ),
        (world("6", "knock", "leave"), knock(), Err(Rule::UnknownMembership)),
        (world("7", "knock", "leave"), knock(), Ok(())),
        (world("9", "knock_restricted", "leave"), knock(), Err(Rule::KnockRule)),
        (world("10", "knock_restricted", "leave"), knock(), Ok(())),
        (world("11", "restricted", "leave"), knock(), Err(Rule::KnockRule)),
        (world("11", "public", "leave"), knock(), Err(Rule::KnockRule)),
        (world("11", "knock", "leave"), member(B, C, "knock"), Err(Rule::KnockOfAnother)),
        (world("11", "knock", "knock"), knock(), Ok(())),
        (world("11", "knock", "ban"), knock(), Err(Rule::KnockMembership)),
        (world("11", "knock", "invite"), knock(), Err(Rule::KnockMembership)),
        (world("11", "knock", "join"), knock(), Err(Rule::KnockMembership)),
    ]);
}

/// SS-EAUTH-017, 018, 020, 052 to 057.
#[test]
fn leaves_kicks_and_bans() {
    let world = |version, membership| RoomState::new(version, "public", &[(B, "join"), (C, membership)]);
    let leave = || member(C, C, "leave");
    let kick = |membership| (world("11", membership), member(B, C, "leave"));
    let rows = [
        (world("11", "join"), leave(), Ok(())),
        (world("11", "invite"), leave(), Ok(())),
        (world("6", "knock"), leave(), Err(Rule::LeaveMembership)),
        (world("7", "knock"), leave(), Ok(())),
        (world("11", "ban"), leave(), Err(Rule::LeaveMembership)),
        (world("11", "leave"), leave(), Err(Rule::LeaveMembership)),
        (kick("join").0, kick("join").1, Ok(())),
        (world("11", "join").levels("kick", json!(51)), member(B, C, "leave"), Err(Rule::KickLevel)),
        (world("11", "join").levels("users_default", json!(50)), member(B, C, "leave"), Err(Rule::KickLevel)),
        (world("11", "join").levels("users_default", json!(49)), member(B, C, "leave"), Ok(())),
        (world("11", "join"), member("@d:d.test", C, "leave"), Err(Rule::KickerNotJoined)),
        (world("11", "ban"), member(B, C, "leave"), Ok(())),
        (world("11", "ban").levels("ban", json!(51)), member(B, C, "leave"), Err(Rule::UnbanLevel)),
        (world("11", "join"), member(B, C, "ban"), Ok(())),
        (world("11", "join").levels("ban", json!(51)), member(B, C, "ban"), Err(Rule::BanLevel)),
        (world("11", "join").levels("users_default", json!(50)), member(B, C, "ban"), Err(Rule::BanLevel)),
        (world("11", "join"), member("@d:d.test", C, "ban"), Err(Rule::BannerNotJoined)),
        (world("11", "join"), member(B, A, "ban"), Err(Rule::BanLevel)),
    ];
    judge(rows.to_vec());
    let strong = |version| world(version, "join").levels("users", json!({B: (1_i64 << 53) - 1}));
    let peer = || world("12", "join").create("additional_creators", json!([C]));
    judge(vec![
        (strong("11"), member(B, A, "ban"), Ok(())),
        (strong("12"), member(B, A, "ban"), Err(Rule::BanLevel)),
        (strong("12"), member(B, A, "leave"), Err(Rule::KickLevel)),
        (strong("12"), member(A, B, "leave"), Ok(())),
        (peer(), member(A, C, "leave"), Err(Rule::KickLevel)),
        (peer(), member(C, B, "ban"), Ok(())),
    ]);
}

/// SS-EAUTH-010, 022 to 025, 062 to 065, 078 to 082.
#[test]
fn other_events() {
    let world = |version| RoomState::new(version, "public", &[(B, "join"), (C, "join")]);
    let topic = |sender| state("m.room.topic", sender, "", &json!({}));
    let aliases = |state_key| state("m.room.aliases", C, state_key, &json!({}));
    let message = |sender: &str| json!({"type": "m.room.message", "sender": sender, "content": {}});
    let redaction = json!({"type": "m.room.redaction", "sender": C, "redacts": "$x:other.test", "content": {},
                           "event_id": "$y:c.test"});
    let mut own = redaction.clone();
    own["redacts"] = json!("$x:c.test");
    let token = |sender| state("m.room.third_party_invite", sender, "t", &json!({}));
    let bare = |version| RoomState { levels: None, ..world(version) };
    judge(vec![
        (world("11"), message(C), Ok(())),
        (world("11"), message("@d:d.test"), Err(Rule::SenderNotJoined)),
        (world("11").create("m.federate", json!(false)), message(C), Err(Rule::NotFederated)),
        (world("11").create("m.federate", json!(false)), message(A), Ok(())),
        (world("11"), topic(B), Ok(())),
        (world("11"), topic(C), Err(Rule::EventLevel)),
        (world("11").levels("events", json!({"m.room.topic": 51})), topic(B), Err(Rule::EventLevel)),
        (world("11").levels("events_default", json!(1)), message(C), Err(Rule::EventLevel)),
        (world("11"), state("x", A, B, &json!({})), Err(Rule::StateKeyOfAnother)),
        (world("11"), state("x", A, A, &json!({})), Ok(())),
        (world("11").levels("events", json!({"m.room.third_party_invite": 99})), token(C), Ok(())),
        (world("11").levels("invite", json!(1)), token(C), Err(Rule::ThirdPartyInviteLevel)),
        (world("5"), aliases("c.test"), Ok(())),
        (world("5"), aliases("b.test"), Err(Rule::AliasesStateKey)),
        (world("6"), aliases("c.test"), Err(Rule::EventLevel)),
        (world("2"), redaction.clone(), Err(Rule::RedactionLevel)),
        (world("2"), own, Ok(())),
        (world("3"), redaction, Ok(())),
        (bare("11"), topic(A), Ok(())),
        (bare("11"), topic(B), Err(Rule::EventLevel)),
        (bare("11"), message(B), Ok(())),
        (bare("12"), topic(B), Err(Rule::EventLevel)),
        (bare("12").create("additional_creators", json!([B])), topic(B), Ok(())),
    ]);
}

/// SS-EAUTH-021, 026, 027, 068 to 077. B has 50.
#[test]
fn power_levels() {
    let old = |version| {
        let world = RoomState::new(version, "public", &[(B, "join"), (C, "join")]);
        let mut world = world.levels("events", json!({"m.room.power_levels": 50, "x": 100, "y": 50}));
        world = world.levels("ban", json!(100)).levels("notifications", json!({"room": 50}));
        world.levels.as_mut().unwrap()["users"]["@e:e.test"] = json!(50);
        world
    };
    let change = |version: &'static str, place: &str, value: Option<Value>| {
        let world = old(version);
        let mut new = world.levels.clone().unwrap();
        let (parent, key) = place.rsplit_once('/').unwrap();
        let parent = new.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => parent.insert(key.to_owned(), value),
            None => parent.remove(key),
        };
        (world, state("m.room.power_levels", B, "", &new))
    };
    let row = |version, place, value: Value, expected| {
        let (world, event) = change(version, place, Some(value));
        (world, event, expected)
    };
    let removal = |place, expected| {
        let (world, event) = change("11", place, None);
        (world, event, expected)
    };
    judge(vec![
        row("10", "/kick", json!("50"), Err(Rule::LevelNotInteger)),
        row("9", "/kick", json!("50"), Ok(())),
        row("10", "/invite", json!(null), Err(Rule::LevelNotInteger)),
        row("10", "/events", json!([]), Err(Rule::LevelMapForm)),
        row("10", "/notifications/room", json!("50"), Err(Rule::LevelMapForm)),
        row("10", "/users", json!([]), Err(Rule::LevelUsersForm)),
        row("10", "/users/@c:c.test", json!("1"), Err(Rule::LevelUsersForm)),
        row("9", "/users/@c:c.test", json!("1"), Ok(())),
        row("9", "/users/@c:c.test", json!("0x1"), Err(Rule::LevelUsersForm)),
        row("11", "/users/nobody", json!(1), Err(Rule::LevelUsersForm)),
        row("12", "/users/@a:a.test", json!(1), Err(Rule::LevelsNameCreator)),
        row("11", "/ban", json!(50), Err(Rule::LevelGeneral)),
        row("11", "/kick", json!(51), Err(Rule::LevelGeneral)),
        row("11", "/kick", json!(49), Ok(())),
        row("11", "/events/x", json!(50), Err(Rule::LevelEntryOld)),
        row("11", "/events/z", json!(51), Err(Rule::LevelEntryNew)),
        row("11", "/events/y", json!(0), Ok(())),
        row("6", "/notifications/room", json!(51), Err(Rule::LevelEntryNew)),
        row("5", "/notifications/room", json!(51), Ok(())),
        row("11", "/users/@e:e.test", json!(0), Err(Rule::LevelUserOld)),
        row("11", "/users/@b:b.test", json!(0), Ok(())),
        row("11", "/users/@c:c.test", json!(51), Err(Rule::LevelUserNew)),
        row("11", "/users/@c:c.test", json!(50), Ok(())),
        removal("/events/x", Err(Rule::LevelEntryOld)),
        removal("/events/y", Ok(())),
        removal("/users/@e:e.test", Err(Rule::LevelUserOld)),
        removal("/ban", Err(Rule::LevelGeneral)),
    ]);
}

/// SS-EAUTH-071.
#[test]
fn the_first_power_levels_may_set_anything() {
    let world = RoomState::new("11", "public", &[]);
    let event = state("m.room.power_levels", A, "", &json!({"users": {C: 1000}, "ban": 1000}));
    let first = RoomState { levels: None, ..world.clone() };
    judge(vec![(first, event.clone(), Ok(())), (world, event, Err(Rule::LevelGeneral))]);
}

/// SS-EAUTH-005 to 009, 015, 016.
#[test]
fn auth_events() {
    for version in ["11", "12"] {
        let world = RoomState::new(version, "public", &[]);
        let mut create = Value::Object(world.event("m.room.create", A, "", &world.create).json().clone());
        if version == "12" {
            create.as_object_mut().unwrap().remove("room_id");
        }
        let create = Event::parse(&create, version).unwrap();
        let in_room = |event: Value, room: &str| {
            let mut event = event;
            event["room_id"] = json!(room);
            Event::parse(&event, version).unwrap()
        };
        let room = create.room_id().unwrap();
        let join = in_room(member(A, A, "join"), room);
        let again = in_room(member(B, A, "join"), room);
        let foreign = in_room(member(A, A, "join"), "!other:a.test");
        let other = in_room(member(B, B, "join"), room);
        let message = in_room(json!({"type": "m.room.message", "sender": A}), room);
        let held = [&create, &join, &again, &foreign, &other, &message];
        let check_in = |room: &str, listed: &[&Event], rejected: Option<&Event>| {
            let ids: Vec<_> = listed.iter().map(|event| event.id()).collect();
            let event = json!({"type": "m.room.message", "sender": A, "auth_events": ids});
            check_auth_events(&in_room(event, room), |id| {
                let event = held.into_iter().find(|event| event.id() == id)?;
                Some(JudgedEvent { event, rejected: rejected.is_some_and(|it| it.id() == id) })
            })
        };
        let check = |listed: &[&Event], rejected| check_in(room, listed, rejected);
        let rule = |rule: Rule| Err(AuthEventsError::Rule(rule));
        let base: Vec<&Event> = if version == "12" { vec![] } else { vec![&create] };
        let with = |more: &[&'static str]| {
            let named = |name: &&str| match *name {
                "join" => &join,
                "again" => &again,
                "foreign" => &foreign,
                "message" => &message,
                _ => &other,
            };
            base.iter().copied().chain(more.iter().map(named)).collect::<Vec<_>>()
        };
        assert_eq!(check(&with(&["join"]), None), Ok(()));
        assert_eq!(check(&with(&["join", "again"]), None), rule(Rule::AuthDuplicate));
        assert_eq!(check(&with(&["join", "other"]), None), rule(Rule::AuthNotSelected));
        assert_eq!(check(&with(&["message"]), None), rule(Rule::AuthNotSelected));
        assert_eq!(check(&with(&["join"]), Some(&join)), rule(Rule::AuthRejected));
        assert_eq!(check(&with(&["foreign"]), None), rule(Rule::AuthOtherRoom));
        if version == "12" {
            assert_eq!(check(&[&create, &join], None), rule(Rule::AuthNotSelected));
            assert_eq!(check(&[&join], Some(&create)), rule(Rule::RoomIdNotCreate));
            assert_eq!(check_in(&join.id().replacen('$', "!", 1), &[], None), rule(Rule::RoomIdNotCreate));
            assert_eq!(check_in("!gone", &[], None), Err(AuthEventsError::Unknown(vec!["$gone".into()])));
        } else {
            assert_eq!(check(&[&join], None), rule(Rule::AuthNoCreate));
        }
    }
}
