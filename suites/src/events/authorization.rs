//! The authorisation rules, from the side of who breaks them (rooms/v11, authorization rules; rooms/v12).
//!
//! Every event here is in due form: signed, hashed, following and citing what it should. Only the rules forbid it.

use samklang_matrix::{Draft, Room as Copy, Rule};

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "events.beyond-ones-power",
        title: "A moderator on another server can do what a moderator may do, and nothing more.",
        catalogue: &["SH-09"],
        requirements: &["SS-PDU-022", "SS-PDU-033"],
        checks: &[
            CheckPlan::new("self-promotion", "Nobody raises the own level.").of(&["SS-EAUTH-077"]),
            CheckPlan::new("promotion", "Nobody raises another above the own level.").of(&["SS-EAUTH-077"]),
            CheckPlan::new("demotion", "Nobody takes the level of who stands as high.").of(&["SS-EAUTH-076"]),
            CheckPlan::new("general-level", "Nobody sets a general level above the own.")
                .of(&["SS-EAUTH-073"]),
            CheckPlan::new("entry-above", "Nobody sets the level of an event type above the own.")
                .of(&["SS-EAUTH-075"]),
            CheckPlan::new(
                "entry-removed",
                "Nobody removes the level of an event type that is above the own.",
            )
            .of(&["SS-EAUTH-074"]),
            CheckPlan::new("no-numbers", "Levels that are no integers are refused.").of(&["SS-EAUTH-068"]),
            CheckPlan::new("no-map", "Levels of event types that are no map are refused.")
                .of(&["SS-EAUTH-069"]),
            CheckPlan::new("no-users", "Levels of something that is no user id are refused.")
                .of(&["SS-EAUTH-070"]),
            CheckPlan::new("event-type", "Nobody sends state that takes a higher level.")
                .of(&["SS-EAUTH-064"]),
            CheckPlan::new("anothers-key", "Nobody sets state under another user's id.")
                .of(&["SS-EAUTH-065"]),
            CheckPlan::new("kick-above", "Nobody kicks who stands above.").of(&["SS-EAUTH-055"]),
            CheckPlan::new("ban-above", "Nobody bans who stands above.").of(&["SS-EAUTH-057"]),
            CheckPlan::new("invite-of-member", "Nobody invites who is in the room already.")
                .of(&["SS-EAUTH-050"]),
            CheckPlan::new("unknown-membership", "A membership that does not exist is refused.")
                .of(&["SS-EAUTH-061"]),
            CheckPlan::new("no-membership", "A member event without a membership is refused.")
                .of(&["SS-EAUTH-028"]),
            CheckPlan::new("join-of-another", "Nobody joins for another.").of(&["SS-EAUTH-032"]),
        ],
        play: play!(beyond_ones_power),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.without-power",
        title: "A member without power can send messages, and cannot change what needs a power level.",
        catalogue: &["SH-09"],
        requirements: &["SS-PDU-022", "SS-PDU-033"],
        checks: &[
            CheckPlan::new("topic", "Who has no power sets no topic.").of(&["SS-EAUTH-064", "SS-EAUTH-080"]),
            CheckPlan::new("levels", "Who has no power sets no levels.").of(&["SS-EAUTH-064"]),
            CheckPlan::new("kick", "Who has no power kicks nobody.").of(&["SS-EAUTH-055"]),
            CheckPlan::new("ban", "Who has no power bans nobody.").of(&["SS-EAUTH-057"]),
        ],
        play: play!(without_power),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.second-create",
        title: "A room cannot get a second create event.",
        catalogue: &["SH-09", "SH-13"],
        requirements: &["SS-EAUTH-001"],
        // From version 12 on a create event names no room, so a second one is just another room's.
        versions: Versions::Only(&["10", "11"]),
        checks: &[CheckPlan::new("ignored", "A create event with predecessors is refused.")],
        play: play!(second_create),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.from-outside",
        title: "A user who is not in the room cannot act in it, even if their server is in it.",
        catalogue: &["SH-09"],
        requirements: &["SS-PDU-022", "SS-PDU-033"],
        checks: &[
            CheckPlan::new("message", "Who is not in the room says nothing there.").of(&["SS-EAUTH-062"]),
            CheckPlan::new("invite", "Who is not in the room invites nobody.").of(&["SS-EAUTH-049"]),
            CheckPlan::new("kick", "Who is not in the room kicks nobody.").of(&["SS-EAUTH-053"]),
            CheckPlan::new("ban", "Who is not in the room bans nobody.").of(&["SS-EAUTH-056"]),
            CheckPlan::new("leave", "Who is not in the room does not leave it.").of(&["SS-EAUTH-052"]),
        ],
        play: play!(from_outside),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.uninvited",
        title: "An uninvited user cannot enter an invite-only room, even if their server is in it.",
        catalogue: &["SH-09"],
        requirements: &["SS-PDU-022", "SS-PDU-033"],
        checks: &[
            CheckPlan::new("join", "Who is not invited does not join.").of(&["SS-EAUTH-034"]),
            CheckPlan::new("knock", "Where the join rule does not offer it nobody knocks.")
                .of(&["SS-EAUTH-058"]),
        ],
        play: play!(uninvited),
        ..Scenario::PEER
    },
];

/// Who plays, by full id.
pub(super) struct Ids {
    pub(super) alice: String,
    pub(super) mallory: String,
    /// Another user of Mallory's server, who is not in the room.
    pub(super) eve: String,
    /// One more of them. In some rooms he has a level.
    pub(super) rival: String,
}

impl Ids {
    pub(super) fn of(setup: &PeerSetup<'_>) -> Self {
        let user = |name| setup.mallory.user(name);
        let (alice, mallory) = (setup.alice.id().to_owned(), setup.copy.user.clone());
        Self { alice, mallory, eve: user("eve"), rival: user("rival") }
    }

    /// The levels of users: Alice has all power, which in version 12 the creator has unnamed and must not be given.
    pub(super) fn levels(&self, scene: &Scene, others: &[(&str, i64)]) -> Value {
        let alice = (!scene.version_is_from(12)).then_some((self.alice.as_str(), 100));
        others.iter().copied().chain(alice).map(|(user, level)| (user.to_owned(), json!(level))).collect()
    }
}

/// An event that breaks a rule: its check, the rule, what it is, and how it is made.
pub(super) type Breach = (&'static str, Rule, &'static str, for<'a> fn(&'a Copy, &Ids) -> Draft<'a>);

/// The room's power levels with a change, sent by Mallory.
fn levels<'a>(room: &'a Copy, ids: &Ids, change: impl FnOnce(&mut Value)) -> Draft<'a> {
    let current = room.state_event("m.room.power_levels", "").map(|event| event.content().clone());
    let mut content = Value::Object(current.unwrap_or_default());
    change(&mut content);
    room.draft("m.room.power_levels", &ids.mallory).state_key("").content(content)
}

const BEYOND: [Breach; 17] = [
    ("self-promotion", Rule::LevelUserNew, "own level raised", |room, ids| {
        levels(room, ids, |levels| levels["users"][&ids.mallory] = json!(100))
    }),
    ("promotion", Rule::LevelUserNew, "Eve's level raised", |room, ids| {
        levels(room, ids, |levels| levels["users"][&ids.eve] = json!(51))
    }),
    ("demotion", Rule::LevelUserOld, "level of an equal taken", |room, ids| {
        levels(room, ids, |levels| {
            if let Some(users) = levels["users"].as_object_mut() {
                users.remove(&ids.rival);
            }
        })
    }),
    ("general-level", Rule::LevelGeneral, "ban level raised", |room, ids| {
        levels(room, ids, |levels| levels["ban"] = json!(51))
    }),
    ("entry-above", Rule::LevelEntryNew, "topic level raised", |room, ids| {
        levels(room, ids, |levels| levels["events"]["m.room.topic"] = json!(51))
    }),
    ("entry-removed", Rule::LevelEntryOld, "guarded level removed", |room, ids| {
        levels(room, ids, |levels| {
            if let Some(events) = levels["events"].as_object_mut() {
                events.remove(GUARDED);
            }
        })
    }),
    ("no-numbers", Rule::LevelNotInteger, "level in words", |room, ids| {
        levels(room, ids, |levels| levels["kick"] = json!("50"))
    }),
    ("no-map", Rule::LevelMapForm, "list of event levels", |room, ids| {
        levels(room, ids, |levels| levels["events"] = json!([]))
    }),
    ("no-users", Rule::LevelUsersForm, "level of nobody", |room, ids| {
        levels(room, ids, |levels| levels["users"]["not a user id"] = json!(0))
    }),
    ("event-type", Rule::EventLevel, "guarded state", |room, ids| {
        room.draft(GUARDED, &ids.mallory).state_key("").content(json!({"by": "mallory"}))
    }),
    ("anothers-key", Rule::StateKeyOfAnother, "state of Alice's", |room, ids| {
        room.draft("org.example.note", &ids.mallory).state_key(&ids.alice).content(json!({"by": "mallory"}))
    }),
    ("kick-above", Rule::KickLevel, "kick of Alice", |room, ids| {
        room.draft_member(&ids.mallory, &ids.alice, "leave")
    }),
    ("ban-above", Rule::BanLevel, "ban of Alice", |room, ids| {
        room.draft_member(&ids.mallory, &ids.alice, "ban")
    }),
    ("invite-of-member", Rule::InviteOfMember, "invite of Alice", |room, ids| {
        room.draft_member(&ids.mallory, &ids.alice, "invite")
    }),
    ("unknown-membership", Rule::UnknownMembership, "odd membership", |room, ids| {
        room.draft_member(&ids.mallory, &ids.eve, "guest")
    }),
    ("no-membership", Rule::MemberForm, "member event without membership", |room, ids| {
        room.draft("m.room.member", &ids.mallory).state_key(&ids.eve).content(json!({"displayname": "Eve"}))
    }),
    ("join-of-another", Rule::JoinOfAnother, "join of Eve by Mallory", |room, ids| {
        room.draft_member(&ids.mallory, &ids.eve, "join")
    }),
];

const WITHOUT: [Breach; 4] = [
    ("topic", Rule::EventLevel, "powerless topic", |room, ids| {
        room.draft("m.room.topic", &ids.mallory).state_key("").content(json!({"topic": "mine"}))
    }),
    ("levels", Rule::EventLevel, "powerless levels", |room, ids| {
        levels(room, ids, |levels| levels["invite"] = json!(0))
    }),
    ("kick", Rule::KickLevel, "powerless kick", |room, ids| {
        room.draft_member(&ids.mallory, &ids.alice, "leave")
    }),
    ("ban", Rule::BanLevel, "powerless ban", |room, ids| room.draft_member(&ids.mallory, &ids.eve, "ban")),
];

const SECOND_CREATE: [Breach; 1] =
    [("ignored", Rule::CreateHasPrevEvents, "second create event", |room, ids| {
        let version = room.version().id();
        let content = json!({"creator": ids.mallory, "room_version": version});
        room.draft("m.room.create", &ids.mallory).state_key("").content(content)
    })];

const OUTSIDE: [Breach; 5] = [
    ("message", Rule::SenderNotJoined, "word from outside", |room, ids| {
        room.draft("m.room.message", &ids.eve)
            .content(json!({"msgtype": "m.text", "body": "word from outside"}))
    }),
    ("invite", Rule::InviterNotJoined, "invite from outside", |room, ids| {
        room.draft_member(&ids.eve, "@nobody:example.org", "invite")
    }),
    ("kick", Rule::KickerNotJoined, "kick from outside", |room, ids| {
        room.draft_member(&ids.eve, &ids.alice, "leave")
    }),
    ("ban", Rule::BannerNotJoined, "ban from outside", |room, ids| {
        room.draft_member(&ids.eve, &ids.alice, "ban")
    }),
    ("leave", Rule::LeaveMembership, "leave from outside", |room, ids| {
        room.draft_member(&ids.eve, &ids.eve, "leave")
    }),
];

const UNINVITED: [Breach; 2] = [
    ("join", Rule::JoinRule, "uninvited join", |room, ids| room.draft_member(&ids.eve, &ids.eve, "join")),
    ("knock", Rule::KnockRule, "unwanted knock", |room, ids| room.draft_member(&ids.eve, &ids.eve, "knock")),
];

/// An event type whose level the moderator does not reach.
const GUARDED: &str = "org.example.guarded";

/// Sends the events one by one and judges each, once an honest message has been seen after all of them.
pub(super) async fn break_rules(mut setup: PeerSetup<'_>, breaches: &[Breach]) -> Result<(), Failure> {
    let ids = Ids::of(&setup);
    let carol = setup.host.register("carol").await?;
    invite_and_join(&setup.alice, &carol, &setup.room).await?;
    // Who watches is none of those whom a lie would drive out if it worked.
    setup.alice = carol;
    let mut sent = Vec::new();
    for (check, rule, what, make) in breaches {
        let bad = setup.copy.defy(what, *rule, |room, _| make(room, &ids))?;
        setup.mallory.offer(&setup.host, &[&bad]).await?;
        sent.push((check, bad));
    }
    let aftermath = setup.observe_after_lie().await?;
    for (check, bad) in &sent {
        setup.scene.check(check, setup.check_no_effect(bad, &aftermath));
    }
    Ok(())
}

async fn beyond_ones_power(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let ids = Ids::of(&setup);
    let users = ids.levels(scene, &[(&ids.mallory, 50), (&ids.rival, 50)]);
    let levels = json!({"users": users, "events": {GUARDED: 75, "m.room.topic": 50}, "state_default": 50});
    let set = setup.alice.set_state(&setup.room, "m.room.power_levels", "", levels).await?;
    // Mallory's copy has it once his server has answered.
    scene.event_on_wire(&set).await?;
    let topic = setup.copy.plant("topic by the moderator", |room, user| {
        room.draft("m.room.topic", user).state_key("").content(json!({"topic": "by the moderator"}))
    })?;
    setup.mallory.transmit(&setup.host, &[&topic]).await?;
    setup.alice.sees(&topic).await?;
    break_rules(setup, &BEYOND).await
}

async fn without_power(scene: &Scene) -> Result<(), Failure> {
    break_rules(mallory_in_public_room(scene).await?, &WITHOUT).await
}

async fn second_create(scene: &Scene) -> Result<(), Failure> {
    break_rules(mallory_in_public_room(scene).await?, &SECOND_CREATE).await
}

async fn from_outside(scene: &Scene) -> Result<(), Failure> {
    break_rules(mallory_in_public_room(scene).await?, &OUTSIDE).await
}

/// The room is closed once Mallory is in it.
async fn uninvited(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let closed = json!({"join_rule": "invite"});
    let set = setup.alice.set_state(&setup.room, "m.room.join_rules", "", closed).await?;
    scene.event_on_wire(&set).await?;
    break_rules(setup, &UNINVITED).await
}
