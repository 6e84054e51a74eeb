//! Events that the authorisation rules about power levels, senders and memberships forbid (rooms/v11, authorization rules;
//! rooms/v12).

use samklang_matrix::{Draft, RoomGraph, Rule};

use super::forbidden::{ForbiddenEvent, UserIds, checks, send_forbidden};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "events.beyond-ones-power",
        title: "A moderator on another server can do only what their power level allows.",
        catalogue: &["SH-09"],
        requirements: &["SS-PDU-022", "SS-PDU-033"],
        checks: &checks(&BY_MODERATOR),
        play: play!(beyond_ones_power),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.without-power",
        title: "A member with power level 0 can send messages, and cannot change what needs a higher level.",
        catalogue: &["SH-09"],
        requirements: &["SS-PDU-022", "SS-PDU-033"],
        checks: &checks(&WITHOUT_POWER),
        play: play!(without_power),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.second-create",
        title: "The server rejects a second create event in a room.",
        catalogue: &["SH-09", "SH-13"],
        requirements: &["SS-EAUTH-001"],
        // From version 12 on a create event names no room, so a second one is just another room's.
        versions: Versions::Only(&["10", "11"]),
        checks: &checks(&SECOND_CREATE),
        play: play!(second_create),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.from-outside",
        title: "A user who is not in the room cannot send events to it, even if their server is in it.",
        catalogue: &["SH-09"],
        requirements: &["SS-PDU-022", "SS-PDU-033"],
        checks: &checks(&FROM_OUTSIDE),
        play: play!(from_outside),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.uninvited",
        title: "An uninvited user cannot join or knock on an invite-only room, even if their server is in it.",
        catalogue: &["SH-09"],
        requirements: &["SS-PDU-022", "SS-PDU-033"],
        checks: &checks(&UNINVITED),
        play: play!(uninvited),
        ..Scenario::PEER
    },
];

/// An event type that needs a higher power level than a moderator has.
const GUARDED: &str = "org.example.guarded";

/// A power levels event by Mallory, which changes the current levels.
fn levels<'a>(room: &'a RoomGraph, ids: &UserIds, change: impl FnOnce(&mut Value)) -> Draft<'a> {
    let current = room.state_event("m.room.power_levels", "").map(|event| event.content().clone());
    let mut content = Value::Object(current.unwrap_or_default());
    change(&mut content);
    room.draft("m.room.power_levels", &ids.mallory).state_key("").content(content)
}

/// Mallory has power level 50, and so has his rival.
const BY_MODERATOR: [ForbiddenEvent; 17] = [
    ForbiddenEvent {
        check: "self-promotion",
        title: "A user cannot raise their own power level.",
        requirements: &["SS-EAUTH-077"],
        rule: Rule::LevelUserNew,
        what: "own level raised",
        draft: |room, ids| levels(room, ids, |levels| levels["users"][&ids.mallory] = json!(100)),
    },
    ForbiddenEvent {
        check: "promotion",
        title: "A user cannot give another user a higher power level than their own.",
        requirements: &["SS-EAUTH-077"],
        rule: Rule::LevelUserNew,
        what: "Eve's level raised",
        draft: |room, ids| levels(room, ids, |levels| levels["users"][&ids.eve] = json!(51)),
    },
    ForbiddenEvent {
        check: "demotion",
        title: "A user cannot lower the power level of an equal.",
        requirements: &["SS-EAUTH-076"],
        rule: Rule::LevelUserOld,
        what: "level of an equal removed",
        draft: |room, ids| levels(room, ids, |levels| remove(&mut levels["users"], &ids.rival)),
    },
    ForbiddenEvent {
        check: "general-level",
        title: "A user cannot set the ban level above their own power level.",
        requirements: &["SS-EAUTH-073"],
        rule: Rule::LevelGeneral,
        what: "ban level raised",
        draft: |room, ids| levels(room, ids, |levels| levels["ban"] = json!(51)),
    },
    ForbiddenEvent {
        check: "entry-above",
        title: "A user cannot set the level of an event type above their own power level.",
        requirements: &["SS-EAUTH-075"],
        rule: Rule::LevelEntryNew,
        what: "topic level raised",
        draft: |room, ids| levels(room, ids, |levels| levels["events"]["m.room.topic"] = json!(51)),
    },
    ForbiddenEvent {
        check: "entry-removed",
        title: "A user cannot remove the level of an event type that is above their own power level.",
        requirements: &["SS-EAUTH-074"],
        rule: Rule::LevelEntryOld,
        what: "guarded level removed",
        draft: |room, ids| levels(room, ids, |levels| remove(&mut levels["events"], GUARDED)),
    },
    ForbiddenEvent {
        check: "no-numbers",
        title: "The server rejects a power levels event with a level that is not an integer.",
        requirements: &["SS-EAUTH-068"],
        rule: Rule::LevelNotInteger,
        what: "level as a string",
        draft: |room, ids| levels(room, ids, |levels| levels["kick"] = json!("50")),
    },
    ForbiddenEvent {
        check: "no-map",
        title: "The server rejects a power levels event whose events field is not an object.",
        requirements: &["SS-EAUTH-069"],
        rule: Rule::LevelMapForm,
        what: "list of event levels",
        draft: |room, ids| levels(room, ids, |levels| levels["events"] = json!([])),
    },
    ForbiddenEvent {
        check: "no-users",
        title: "The server rejects a power levels event whose users field has a key that is not a user ID.",
        requirements: &["SS-EAUTH-070"],
        rule: Rule::LevelUsersForm,
        what: "level of something that is not a user ID",
        draft: |room, ids| levels(room, ids, |levels| levels["users"]["not a user id"] = json!(0)),
    },
    ForbiddenEvent {
        check: "event-type",
        title: "A user cannot send a state event that needs a higher power level.",
        requirements: &["SS-EAUTH-064"],
        rule: Rule::EventLevel,
        what: "guarded state",
        draft: |room, ids| room.draft(GUARDED, &ids.mallory).state_key("").content(json!({"by": "mallory"})),
    },
    ForbiddenEvent {
        check: "anothers-key",
        title: "A user cannot send a state event whose state key is another user's ID.",
        requirements: &["SS-EAUTH-065"],
        rule: Rule::StateKeyOfAnother,
        what: "state of Alice's",
        draft: |room, ids| {
            let draft = room.draft("org.example.note", &ids.mallory);
            draft.state_key(&ids.alice).content(json!({"by": "mallory"}))
        },
    },
    ForbiddenEvent {
        check: "kick-above",
        title: "A user cannot kick a user with a higher power level.",
        requirements: &["SS-EAUTH-055"],
        rule: Rule::KickLevel,
        what: "kick of Alice",
        draft: |room, ids| room.draft_member(&ids.mallory, &ids.alice, "leave"),
    },
    ForbiddenEvent {
        check: "ban-above",
        title: "A user cannot ban a user with a higher power level.",
        requirements: &["SS-EAUTH-057"],
        rule: Rule::BanLevel,
        what: "ban of Alice",
        draft: |room, ids| room.draft_member(&ids.mallory, &ids.alice, "ban"),
    },
    ForbiddenEvent {
        check: "invite-of-member",
        title: "A user cannot invite a user who is already in the room.",
        requirements: &["SS-EAUTH-050"],
        rule: Rule::InviteOfMember,
        what: "invite of Alice",
        draft: |room, ids| room.draft_member(&ids.mallory, &ids.alice, "invite"),
    },
    ForbiddenEvent {
        check: "unknown-membership",
        title: "The server rejects a member event with an unknown membership.",
        requirements: &["SS-EAUTH-061"],
        rule: Rule::UnknownMembership,
        what: "unknown membership",
        draft: |room, ids| room.draft_member(&ids.mallory, &ids.eve, "guest"),
    },
    ForbiddenEvent {
        check: "no-membership",
        title: "The server rejects a member event without a membership.",
        requirements: &["SS-EAUTH-028"],
        rule: Rule::MemberForm,
        what: "member event without membership",
        draft: |room, ids| {
            let draft = room.draft("m.room.member", &ids.mallory).state_key(&ids.eve);
            draft.content(json!({"displayname": "Eve"}))
        },
    },
    ForbiddenEvent {
        check: "join-of-another",
        title: "The server rejects a join whose sender is not the joining user.",
        requirements: &["SS-EAUTH-032"],
        rule: Rule::JoinOfAnother,
        what: "join of Eve by Mallory",
        draft: |room, ids| room.draft_member(&ids.mallory, &ids.eve, "join"),
    },
];

fn remove(map: &mut Value, key: &str) {
    if let Some(map) = map.as_object_mut() {
        map.remove(key);
    }
}

/// Mallory has power level 0.
const WITHOUT_POWER: [ForbiddenEvent; 4] = [
    ForbiddenEvent {
        check: "topic",
        title: "A user without the power level for it cannot set the topic.",
        requirements: &["SS-EAUTH-064", "SS-EAUTH-080"],
        rule: Rule::EventLevel,
        what: "topic without power",
        draft: |room, ids| {
            room.draft("m.room.topic", &ids.mallory).state_key("").content(json!({"topic": "mine"}))
        },
    },
    ForbiddenEvent {
        check: "levels",
        title: "A user without the power level for it cannot change the power levels.",
        requirements: &["SS-EAUTH-064"],
        rule: Rule::EventLevel,
        what: "levels without power",
        draft: |room, ids| levels(room, ids, |levels| levels["invite"] = json!(0)),
    },
    ForbiddenEvent {
        check: "kick",
        title: "A user without the kick level cannot kick a member.",
        requirements: &["SS-EAUTH-055"],
        rule: Rule::KickLevel,
        what: "kick without power",
        draft: |room, ids| room.draft_member(&ids.mallory, &ids.alice, "leave"),
    },
    ForbiddenEvent {
        check: "ban",
        title: "A user without the ban level cannot ban a user.",
        requirements: &["SS-EAUTH-057"],
        rule: Rule::BanLevel,
        what: "ban without power",
        draft: |room, ids| room.draft_member(&ids.mallory, &ids.eve, "ban"),
    },
];

const SECOND_CREATE: [ForbiddenEvent; 1] = [ForbiddenEvent {
    check: "ignored",
    title: "The server rejects a create event that has prev events.",
    requirements: &[],
    rule: Rule::CreateHasPrevEvents,
    what: "second create event",
    draft: |room, ids| {
        let version = room.version().id();
        let content = json!({"creator": ids.mallory, "room_version": version});
        room.draft("m.room.create", &ids.mallory).state_key("").content(content)
    },
}];

/// Eve is not in the room, and Mallory of the same server is.
const FROM_OUTSIDE: [ForbiddenEvent; 5] = [
    ForbiddenEvent {
        check: "message",
        title: "A user who is not in the room cannot send a message to it.",
        requirements: &["SS-EAUTH-062"],
        rule: Rule::SenderNotJoined,
        what: "word from outside",
        draft: |room, ids| {
            let content = json!({"msgtype": "m.text", "body": "word from outside"});
            room.draft("m.room.message", &ids.eve).content(content)
        },
    },
    ForbiddenEvent {
        check: "invite",
        title: "A user who is not in the room cannot invite anyone to it.",
        requirements: &["SS-EAUTH-049"],
        rule: Rule::InviterNotJoined,
        what: "invite from outside",
        draft: |room, ids| room.draft_member(&ids.eve, "@nobody:example.org", "invite"),
    },
    ForbiddenEvent {
        check: "kick",
        title: "A user who is not in the room cannot kick a member.",
        requirements: &["SS-EAUTH-053"],
        rule: Rule::KickerNotJoined,
        what: "kick from outside",
        draft: |room, ids| room.draft_member(&ids.eve, &ids.alice, "leave"),
    },
    ForbiddenEvent {
        check: "ban",
        title: "A user who is not in the room cannot ban a member.",
        requirements: &["SS-EAUTH-056"],
        rule: Rule::BannerNotJoined,
        what: "ban from outside",
        draft: |room, ids| room.draft_member(&ids.eve, &ids.alice, "ban"),
    },
    ForbiddenEvent {
        check: "leave",
        title: "A user who is not in the room cannot leave it.",
        requirements: &["SS-EAUTH-052"],
        rule: Rule::LeaveMembership,
        what: "leave from outside",
        draft: |room, ids| room.draft_member(&ids.eve, &ids.eve, "leave"),
    },
];

/// The join rule is `invite`, and Eve is not invited.
const UNINVITED: [ForbiddenEvent; 2] = [
    ForbiddenEvent {
        check: "join",
        title: "A user without an invite cannot join an invite-only room.",
        requirements: &["SS-EAUTH-034"],
        rule: Rule::JoinRule,
        what: "uninvited join",
        draft: |room, ids| room.draft_member(&ids.eve, &ids.eve, "join"),
    },
    ForbiddenEvent {
        check: "knock",
        title: "A user cannot knock on a room whose join rule does not allow it.",
        requirements: &["SS-EAUTH-058"],
        rule: Rule::KnockRule,
        what: "unwanted knock",
        draft: |room, ids| room.draft_member(&ids.eve, &ids.eve, "knock"),
    },
];

async fn beyond_ones_power(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let ids = UserIds::of(&setup);
    let users = ids.levels(scene, &[(&ids.mallory, 50), (&ids.rival, 50)]);
    let levels = json!({"users": users, "events": {GUARDED: 75, "m.room.topic": 50}, "state_default": 50});
    let set = setup.alice.set_state(&setup.room, "m.room.power_levels", "", levels).await?;
    // Mallory's copy of the room has the levels once his server has answered.
    scene.event_on_wire(&set).await?;
    let topic = setup.copy.plant("topic by the moderator", |room, user| {
        room.draft("m.room.topic", user).state_key("").content(json!({"topic": "by the moderator"}))
    })?;
    setup.mallory.transmit(&setup.host, &[&topic]).await?;
    setup.alice.sees(&topic).await?;
    send_forbidden(setup, &BY_MODERATOR).await
}

async fn without_power(scene: &Scene) -> Result<(), Failure> {
    send_forbidden(mallory_in_public_room(scene).await?, &WITHOUT_POWER).await
}

async fn second_create(scene: &Scene) -> Result<(), Failure> {
    send_forbidden(mallory_in_public_room(scene).await?, &SECOND_CREATE).await
}

async fn from_outside(scene: &Scene) -> Result<(), Failure> {
    send_forbidden(mallory_in_public_room(scene).await?, &FROM_OUTSIDE).await
}

/// Alice sets the join rule to `invite` once Mallory is in the room.
async fn uninvited(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let closed = json!({"join_rule": "invite"});
    let set = setup.alice.set_state(&setup.room, "m.room.join_rules", "", closed).await?;
    scene.event_on_wire(&set).await?;
    send_forbidden(setup, &UNINVITED).await
}
