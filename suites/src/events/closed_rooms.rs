//! Member events that the authorisation rules of closed rooms forbid (rooms/v11, authorization rules, 4).

use samklang_matrix::{Draft, RoomGraph, Rule};

use super::forbidden::{ForbiddenEvent, UserIds, checks, send_forbidden};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "events.kept-out",
        title: "The server rejects unbans, knocks and invites that the authorisation rules forbid.",
        catalogue: &["SH-09"],
        requirements: &["SS-PDU-022", "SS-PDU-033"],
        checks: &checks(&KEPT_OUT),
        play: play!(kept_out),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.unauthorised-joins",
        title: "A user cannot join a restricted room unless a member with the power to invite authorises it.",
        catalogue: &["SH-09"],
        requirements: &["SS-PDU-022", "SS-PDU-033"],
        checks: &checks(&UNAUTHORISED),
        play: play!(unauthorised_joins),
        ..Scenario::PEER
    },
];

/// Mallory has the kick level, but neither the ban nor the invite level; Eve is banned; the join rule is `knock`.
const KEPT_OUT: [ForbiddenEvent; 4] = [
    ForbiddenEvent {
        check: "unban",
        title: "A user with the kick level but without the ban level cannot unban a user.",
        requirements: &["SS-EAUTH-054"],
        rule: Rule::UnbanLevel,
        what: "unban of Eve",
        draft: |room, ids| room.draft_member(&ids.mallory, &ids.eve, "leave"),
    },
    ForbiddenEvent {
        check: "knock-of-banned",
        title: "A banned user cannot knock on the room.",
        requirements: &["SS-EAUTH-060"],
        rule: Rule::KnockMembership,
        what: "knock of the banned Eve",
        draft: |room, ids| room.draft_member(&ids.eve, &ids.eve, "knock"),
    },
    ForbiddenEvent {
        check: "knock-for-another",
        title: "The server rejects a knock whose sender is not the knocking user.",
        requirements: &["SS-EAUTH-059"],
        rule: Rule::KnockOfAnother,
        what: "knock by Mallory for his rival",
        draft: |room, ids| room.draft_member(&ids.mallory, &ids.rival, "knock"),
    },
    ForbiddenEvent {
        check: "invite",
        title: "A user without the invite level cannot invite a user.",
        requirements: &["SS-EAUTH-051"],
        rule: Rule::InviteLevel,
        what: "invite below the level",
        draft: |room, ids| room.draft_member(&ids.mallory, "@nobody:example.org", "invite"),
    },
];

/// The join rule is `restricted`. Mallory has no invite level; his rival has it, but is not in the room.
const UNAUTHORISED: [ForbiddenEvent; 4] = [
    ForbiddenEvent {
        check: "unsigned",
        title: "The server rejects a restricted join without the signature of the authorising user's server.",
        requirements: &["SS-EAUTH-029"],
        rule: Rule::AuthoriserSignature,
        what: "join that names Alice as the authorising user",
        draft: |room, ids| restricted_join(room, ids, Some(&ids.alice)),
    },
    ForbiddenEvent {
        check: "nobody",
        title: "The server rejects a restricted join that names no authorising user.",
        requirements: &["SS-EAUTH-041"],
        rule: Rule::JoinAuthoriser,
        what: "join without an authorising user",
        draft: |room, ids| restricted_join(room, ids, None),
    },
    ForbiddenEvent {
        check: "powerless",
        title: "The server rejects a restricted join whose authorising user does not have the invite level.",
        requirements: &["SS-EAUTH-040"],
        rule: Rule::JoinAuthoriser,
        what: "join that Mallory authorises",
        draft: |room, ids| restricted_join(room, ids, Some(&ids.mallory)),
    },
    ForbiddenEvent {
        check: "outsider",
        title: "The server rejects a restricted join whose authorising user is not in the room.",
        requirements: &["SS-EAUTH-041"],
        rule: Rule::JoinAuthoriser,
        what: "join that an outsider authorises",
        draft: |room, ids| restricted_join(room, ids, Some(&ids.rival)),
    },
];

/// A join of Eve that names this authorising user.
fn restricted_join<'a>(room: &'a RoomGraph, ids: &UserIds, authoriser: Option<&str>) -> Draft<'a> {
    let mut content = json!({"membership": "join"});
    if let Some(user) = authoriser {
        content["join_authorised_via_users_server"] = json!(user);
    }
    room.draft("m.room.member", &ids.eve).state_key(&ids.eve).content(content)
}

async fn kept_out(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let ids = UserIds::of(&setup);
    let levels = json!({
        "users": ids.levels(scene, &[(&ids.mallory, 50)]), "kick": 50, "ban": 75, "invite": 75,
    });
    for (kind, key, content) in [
        ("m.room.power_levels", "", levels),
        ("m.room.member", ids.eve.as_str(), json!({"membership": "ban"})),
        ("m.room.join_rules", "", json!({"join_rule": "knock"})),
    ] {
        let set = setup.alice.set_state(&setup.room, kind, key, content).await?;
        scene.event_on_wire(&set).await?;
    }
    send_forbidden(setup, &KEPT_OUT).await
}

async fn unauthorised_joins(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let ids = UserIds::of(&setup);
    let levels = json!({"users": ids.levels(scene, &[(&ids.rival, 50)]), "invite": 50});
    let space = setup.alice.create_room(Public).await?;
    let allowed = json!([{"type": "m.room_membership", "room_id": space.id}]);
    for (kind, content) in [
        ("m.room.power_levels", levels),
        ("m.room.join_rules", json!({"join_rule": "restricted", "allow": allowed})),
    ] {
        let set = setup.alice.set_state(&setup.room, kind, "", content).await?;
        scene.event_on_wire(&set).await?;
    }
    send_forbidden(setup, &UNAUTHORISED).await
}
