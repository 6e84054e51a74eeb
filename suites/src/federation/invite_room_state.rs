//! The state that an invite shows of its room, `invite_room_state` (server-server API, inviting to a room).

use super::invites_by_peers::{InvalidInvite, InvitingPeer};
use crate::{peer_answers::check_not_signed, prelude::*};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.invite-state-checked",
        title: "In room version 12 the server signs an invite only if invite_room_state contains that room's create event.",
        weight: Weight::Should,
        catalogue: &["FC-18"],
        versions: Versions::Only(&["12"]),
        checks: &[
            CheckPlan::new(
                "no-create",
                "The server does not sign an invite whose invite_room_state lacks the create event.",
            )
            .of(&["SS-INVITE-023"]),
            CheckPlan::new("no-state", "The server does not sign an invite without invite_room_state.")
                .of(&["SS-INVITE-023"]),
            CheckPlan::new(
                "other-room",
                "The server does not sign an invite whose invite_room_state contains the create event of another room.",
            )
            .of(&["SS-INVITE-024"]),
            CheckPlan::new(
                "stripped",
                "The server does not sign an invite whose invite_room_state contains stripped events only.",
            )
            .of(&["SS-INVITE-025"]),
            CheckPlan::new(
                "badly-signed",
                "The server does not sign an invite whose invite_room_state contains a badly signed create event.",
            )
            .of(&["SS-INVITE-026"]),
        ],
        play: play!(invite_state_checked),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.odd-invites",
        title: "After an invite with malformed invite_room_state, the invited user can still receive and send messages.",
        catalogue: &["SH-16"],
        requirements: &["SS-INVITE-013"],
        checks: &[
            CheckPlan::new(
                "wrong-types",
                "After an invite_room_state with values of wrong types, the invited user can still receive and send messages.",
            ),
            CheckPlan::new(
                "not-events",
                "After an invite_room_state whose entries are not events, the invited user can still receive and send messages.",
            ),
            CheckPlan::new(
                "no-list",
                "After an invite_room_state that is not a list, the invited user can still receive and send messages.",
            ),
            CheckPlan::new(
                "huge",
                "After an invite_room_state of 3 MB, the invited user can still receive and send messages.",
            ),
        ],
        play: play!(odd_invites),
        ..Scenario::PEER
    },
];

/// Changes the list `invite_room_state` of an invite.
fn change_state(change: impl FnOnce(&mut Vec<Value>) + Send) -> impl FnOnce(&mut Value) + Send {
    move |body| {
        if let Some(list) = body["invite_room_state"].as_array_mut() {
            change(list);
        }
    }
}

fn is_create(event: &Value) -> bool {
    event["type"] == "m.room.create"
}

/// Changes every create event in the list.
fn each_create(list: &mut [Value], change: impl Fn(&mut Value)) {
    list.iter_mut().filter(|event| is_create(event)).for_each(change);
}

async fn invite_state_checked(scene: &Scene) -> Result<(), Failure> {
    let inviter = InvitingPeer::at(scene).await?;
    let (other, _) = inviter.honest_invite().await?;
    let create = inviter.mallory.peer().with_room(&other.id, |room| {
        room.state_event("m.room.create", "").map(|event| Value::Object(event.json().clone()))
    });
    let create = create.flatten().unwrap_or_default();
    let lies = [
        inviter
            .send_changed("no-create", change_state(|list| list.retain(|event| !is_create(event))))
            .await?,
        inviter
            .send_changed("no-state", |body| {
                body.as_object_mut().map(|body| body.remove("invite_room_state"));
            })
            .await?,
        inviter
            .send_changed(
                "other-room",
                change_state(|list| each_create(list, |event| *event = create.clone())),
            )
            .await?,
        inviter.send_changed("stripped", change_state(|list| list.iter_mut().for_each(strip))).await?,
        inviter.send_changed("badly-signed", change_state(|list| each_create(list, sign_badly))).await?,
    ];
    inviter.twin().await?;
    for InvalidInvite { check, reply, .. } in &lies {
        scene.check(check, check_not_signed(&inviter.alice, check, reply));
    }
    Ok(())
}

/// Reduces the event to a stripped event.
fn strip(event: &mut Value) {
    let keys = ["type", "state_key", "sender", "content"];
    *event = keys.into_iter().map(|key| (key.to_owned(), event[key].clone())).collect();
}

/// Replaces each signature by one that has the right form and does not verify.
fn sign_badly(event: &mut Value) {
    for signatures in event["signatures"].as_object_mut().into_iter().flat_map(|servers| servers.values_mut())
    {
        for signature in signatures.as_object_mut().into_iter().flat_map(|keys| keys.values_mut()) {
            *signature = json!("A".repeat(86));
        }
    }
}

/// A check, and the change that it makes to the body of an invite.
type InviteChange = (&'static str, fn(&mut Value));

/// Alice is in a room with Mallory while malformed invites arrive; then an honest one arrives.
async fn odd_invites(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let (host, alice, mallory) = (setup.host.clone(), setup.alice.clone(), setup.mallory.clone());
    let inviter = InvitingPeer { scene, host, alice, mallory };
    let changes: [InviteChange; 4] = [
        ("wrong-types", |body| {
            change_state(|list| {
                list.push(
                    json!({"type": "m.room.name", "state_key": "", "sender": 7, "content": {"name": [1]}}),
                );
                list.push(json!({"type": {}, "state_key": null, "sender": [], "content": "none"}));
                list.push(
                    json!({"type": "m.room.avatar", "state_key": "", "content": {"url": {"a": false}}}),
                );
            })(body);
        }),
        ("not-events", |body| body["invite_room_state"] = json!([1, null, "text", [[]], {}])),
        ("no-list", |body| body["invite_room_state"] = json!({"m.room.name": "no list"})),
        ("huge", |body| {
            let name = json!({"type": "m.room.name", "state_key": "", "sender": "@a:b", "content": {"name": "x".repeat(60_000)}});
            change_state(|list| list.extend(std::iter::repeat_n(name, 50)))(body);
        }),
    ];
    for (check, change) in changes {
        // The specification leaves the response open; the server may even abort a request that is too long for it.
        let _ = inviter.send_changed(check, change).await;
        scene.check(check, check_still_works(&setup).await);
    }
    inviter.twin().await?;
    Ok(())
}

/// Passes if Alice sees Mallory's message, and hers goes out.
async fn check_still_works(setup: &PeerSetup<'_>) -> Result<Observations, Failure> {
    let sentinel = setup.send_sentinel("are you there").await?;
    Ok(merge_observations(&sentinel.sighting, setup.send_next_event().await?))
}
