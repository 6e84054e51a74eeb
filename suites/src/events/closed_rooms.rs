//! The authorisation rules about who comes into a room (rooms/v11, authorization rules, 4), from the side of who breaks
//! them. As in [`super::authorization`], every event is in due form, and only one rule forbids it.

use samklang_matrix::{Draft, Room as Copy, Rule};

use super::authorization::{Breach, Ids, break_rules};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "events.kept-out",
        title: "The server rejects unbans, knocks and invites that the rules do not allow.",
        catalogue: &["SH-09"],
        requirements: &["SS-PDU-022", "SS-PDU-033"],
        checks: &[
            CheckPlan::new("unban", "Who may kick and not ban lifts no ban.").of(&["SS-EAUTH-054"]),
            CheckPlan::new("knock-of-banned", "Who is banned does not knock.").of(&["SS-EAUTH-060"]),
            CheckPlan::new("knock-for-another", "Nobody knocks for another.").of(&["SS-EAUTH-059"]),
            CheckPlan::new("invite", "Below the level for it nobody invites.").of(&["SS-EAUTH-051"]),
        ],
        play: play!(kept_out),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.unauthorised-joins",
        title: "A user cannot join a restricted room unless a member with the power to invite authorises it.",
        catalogue: &["SH-09"],
        requirements: &["SS-PDU-022", "SS-PDU-033"],
        checks: &[
            CheckPlan::new(
                "unsigned",
                "A join that the authorising user's server has not signed is rejected.",
            )
            .of(&["SS-EAUTH-029"]),
            CheckPlan::new("nobody", "A join that nobody authorises is rejected.").of(&["SS-EAUTH-041"]),
            CheckPlan::new(
                "powerless",
                "A join that a member without the power to invite authorises is rejected.",
            )
            .of(&["SS-EAUTH-040"]),
            CheckPlan::new("outsider", "A join that somebody authorises who is not in the room is rejected.")
                .of(&["SS-EAUTH-041"]),
        ],
        play: play!(unauthorised_joins),
        ..Scenario::PEER
    },
];

const KEPT_OUT: [Breach; 4] = [
    ("unban", Rule::UnbanLevel, "ban of Eve lifted", |room, ids| {
        room.draft_member(&ids.mallory, &ids.eve, "leave")
    }),
    ("knock-of-banned", Rule::KnockMembership, "knock of the banned Eve", |room, ids| {
        room.draft_member(&ids.eve, &ids.eve, "knock")
    }),
    ("knock-for-another", Rule::KnockOfAnother, "knock by Mallory for his rival", |room, ids| {
        room.draft_member(&ids.mallory, &ids.rival, "knock")
    }),
    ("invite", Rule::InviteLevel, "invite below the level", |room, ids| {
        room.draft_member(&ids.mallory, "@nobody:example.org", "invite")
    }),
];

const UNAUTHORISED: [Breach; 4] = [
    ("unsigned", Rule::AuthoriserSignature, "join that Alice is said to authorise", |room, ids| {
        join_by_way_of(room, ids, Some(&ids.alice))
    }),
    ("nobody", Rule::JoinAuthoriser, "join that nobody authorises", |room, ids| {
        join_by_way_of(room, ids, None)
    }),
    ("powerless", Rule::JoinAuthoriser, "join that Mallory authorises", |room, ids| {
        join_by_way_of(room, ids, Some(&ids.mallory))
    }),
    ("outsider", Rule::JoinAuthoriser, "join that an outsider authorises", |room, ids| {
        join_by_way_of(room, ids, Some(&ids.rival))
    }),
];

/// Eve's join, which this user is said to authorise.
fn join_by_way_of<'a>(room: &'a Copy, ids: &Ids, authoriser: Option<&str>) -> Draft<'a> {
    let mut content = json!({"membership": "join"});
    if let Some(user) = authoriser {
        content["join_authorised_via_users_server"] = json!(user);
    }
    room.draft("m.room.member", &ids.eve).state_key(&ids.eve).content(content)
}

/// Mallory may kick, and neither ban nor invite; Eve is banned; and people are asked to knock.
async fn kept_out(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let ids = Ids::of(&setup);
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
    break_rules(setup, &KEPT_OUT).await
}

/// Mallory may not invite; his rival might, and is not in the room.
async fn unauthorised_joins(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let ids = Ids::of(&setup);
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
    break_rules(setup, &UNAUTHORISED).await
}
