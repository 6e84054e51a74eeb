//! Rooms whose create event is invalid or disables federation (rooms/v11, authorization rules, 1 and 3; rooms/v12, 1).
//!
//!   Alice's server ── make_join, send_join ─▶ Mallory
//!                  ◀─ state: a create event that breaks one rule, and the state that depends on it
//!
//! The authorisation rules reject every event in such a room, the join included; Mallory's server accepts it all the same.

use samklang_matrix::{RoomCreation, Rule};
use samklang_reference::decoded;
use samklang_runner::traffic::wire_view::{WireView, role_of};

use super::{
    poisoned_joins::{JoiningUser, check_failed},
    successful_request_about,
};
use crate::{peer_setup::alice_in_mallorys_room, prelude::*};

/// The parts that these scenarios share: the one check is that the join fails.
const INVALID_ROOM: Scenario = Scenario {
    catalogue: &["SH-02"],
    checks: &[CheckPlan::new(
        "join",
        "A join of an invalid room fails on the joining server, although the resident server accepts it.",
    )],
    ..Scenario::PEER
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.unfederated-rooms",
        title: "A user of another server cannot join a room whose create event disables federation.",
        requirements: &["SS-EAUTH-010"],
        play: play!(unfederated),
        ..INVALID_ROOM
    },
    Scenario {
        id: "federation.rooms-in-anothers-name",
        title: "A user cannot join a room whose room ID names another server than that of its creator.",
        requirements: &["SS-EAUTH-002"],
        versions: Versions::Only(&["10", "11"]),
        play: play!(with_foreign_room_id),
        ..INVALID_ROOM
    },
    Scenario {
        id: "federation.rooms-with-odd-creators",
        title: "A user cannot join a room whose additional_creators contains something that is not a user ID.",
        requirements: &["SS-EAUTH-014"],
        versions: Versions::Only(&["12"]),
        play: play!(with_invalid_creators),
        ..INVALID_ROOM
    },
];

async fn unfederated(scene: &Scene) -> Result<(), Failure> {
    join_invalid_room(scene, Rule::NotFederated, |room| room.create_content("m.federate", json!(false))).await
}

async fn with_foreign_room_id(scene: &Scene) -> Result<(), Failure> {
    // The joining server may ask the server that the room ID names: Trent's server is there and does not know the room.
    let trent = scene.peer("trent").await?;
    join_invalid_room(scene, Rule::CreateRoomDomain, |room| room.at_server(trent.name())).await
}

async fn with_invalid_creators(scene: &Scene) -> Result<(), Failure> {
    let creators = json!(["nobody"]);
    join_invalid_room(scene, Rule::CreateAdditionalCreators, |room| {
        room.create_content("additional_creators", creators)
    })
    .await
}

/// Alice joins a room of Mallory's server that breaks `rule`; then she joins an honest one.
async fn join_invalid_room(
    scene: &Scene,
    rule: Rule,
    change: impl FnOnce(RoomCreation) -> RoomCreation + Send,
) -> Result<(), Failure> {
    let JoiningUser { host, alice, mallory, .. } = JoiningUser::at(scene).await?;
    let (room, copy) = mallory.found_as(&host, "mallory", |room| change(room.without_rule(rule))).await?;
    // A join lists the create event in its auth events before the joining server has seen it.
    let create = mallory.peer().with_room(&copy.room, |room| {
        room.state_event("m.room.create", "").map(|event| event.id().to_owned())
    });
    create.flatten().iter().for_each(|id| mallory.peer().admit(id));
    let joined = alice.join(&room).await;

    let setup = alice_in_mallorys_room(scene, host, alice, mallory).await?;
    let twin = Observations::from(setup.send_next_event().await?);
    let wire = scene.wire()?;
    let offered = successful_request_about(&wire, "/make_join/", &room, setup.host.role());
    let offered = offered.map_err(|failure| match failure {
        Failure::Inconclusive(_) if joined.is_err() && make_join_refused(&wire, &room, &setup.host) => {
            let vendor = &setup.host.server.cast.vendor.title;
            Failure::NotApplicable(message!("judging.asked-another-server", vendor = vendor))
        }
        other => other,
    });
    scene.check("join", offered.and_then(|_| check_failed(joined, &twin)));
    Ok(())
}

/// Whether a server refused the make_join for the room, as a server does that does not know the room.
fn make_join_refused(wire: &WireView, room: &Room, host: &Host) -> bool {
    wire.federation().any(|exchange| {
        let path = decoded(exchange.path_only());
        let names_room = path.split('/').any(|part| part == room.id);
        let refused = exchange.status.is_some_and(|status| (400..500).contains(&status));
        role_of(&exchange.from) == Some(host.role()) && path.contains("/make_join/") && names_room && refused
    })
}
