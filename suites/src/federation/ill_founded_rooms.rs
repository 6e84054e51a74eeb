//! Rooms that are not founded as the rules want it, or not for other servers (rooms/v11, authorization rules, 1 and 3;
//! rooms/v12, 1).
//!
//!   Alice's server ── make_join, send_join ─▶ Mallory
//!                  ◀─ state: a create event that breaks one rule, and all that rests on it
//!
//! In such a room no event is allowed, the join itself included; Mallory's server says otherwise.

use samklang_matrix::{Founding, Rule};
use samklang_reference::decoded;
use samklang_runner::wire::{WireView, role_of};

use super::{
    answered_about,
    poisoned_joins::{Joiner, failed},
};
use crate::{peer_setup::alice_in_mallorys_room, prelude::*};

/// What all of them have in common: one check, that the join fails.
const ILL_FOUNDED: Scenario = Scenario {
    catalogue: &["SH-02"],
    checks: &[CheckPlan::new("join", "The join fails, since the rules of the room reject it.")],
    ..Scenario::PEER
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.unfederated-rooms",
        title: "A room that is closed to other servers takes in nobody of theirs, though its own server says so.",
        requirements: &["SS-EAUTH-010"],
        play: play!(unfederated),
        ..ILL_FOUNDED
    },
    Scenario {
        id: "federation.rooms-in-anothers-name",
        title: "A room whose id names another server than its creator's is none.",
        requirements: &["SS-EAUTH-002"],
        versions: Versions::Only(&["10", "11"]),
        play: play!(in_anothers_name),
        ..ILL_FOUNDED
    },
    Scenario {
        id: "federation.rooms-with-odd-creators",
        title: "A room whose further creators are no users is none.",
        requirements: &["SS-EAUTH-014"],
        versions: Versions::Only(&["12"]),
        play: play!(with_odd_creators),
        ..ILL_FOUNDED
    },
];

async fn unfederated(scene: &Scene) -> Result<(), Failure> {
    ill_founded(scene, Rule::NotFederated, |room| room.create_content("m.federate", json!(false))).await
}

async fn in_anothers_name(scene: &Scene) -> Result<(), Failure> {
    // Who joins may ask the server that the room's id names: it is there, and knows nothing.
    let trent = scene.peer("trent").await?;
    ill_founded(scene, Rule::CreateRoomDomain, |room| room.at_server(trent.name())).await
}

async fn with_odd_creators(scene: &Scene) -> Result<(), Failure> {
    let odd = json!(["nobody"]);
    ill_founded(scene, Rule::CreateAdditionalCreators, |room| room.create_content("additional_creators", odd))
        .await
}

/// Mallory's server lets Alice into a room that is founded against `rule`; then she joins an honest one of his.
async fn ill_founded(
    scene: &Scene,
    rule: Rule,
    bend: impl FnOnce(Founding) -> Founding + Send,
) -> Result<(), Failure> {
    let Joiner { host, alice, mallory, .. } = Joiner::at(scene).await?;
    let (room, copy) = mallory.found_as(&host, "mallory", |room| bend(room.forgiving(rule))).await?;
    // Whoever is let in cites it and learns only then what it says.
    let create = mallory.peer().with_room(&copy.room, |room| {
        room.state_event("m.room.create", "").map(|event| event.id().to_owned())
    });
    create.flatten().iter().for_each(|id| mallory.peer().admit(id));
    let told = alice.join(&room).await;

    let setup = alice_in_mallorys_room(scene, host, alice, mallory).await?;
    let twin = Observations::from(setup.send_next_event().await?);
    let wire = scene.wire()?;
    let offered = answered_about(&wire, "/make_join/", &room, setup.host.role());
    let offered = offered.map_err(|failure| match failure {
        Failure::Inconclusive(_) if told.is_err() && was_turned_away(&wire, &room, &setup.host) => {
            let vendor = &setup.host.server.cast.vendor.title;
            Failure::NotApplicable(message!("judging.asked-another-server", vendor = vendor))
        }
        other => other,
    });
    scene.check("join", offered.and_then(|_| failed(told, &twin)));
    Ok(())
}

/// Whether the server that was asked for a way into the room refused, as one does that does not know it.
fn was_turned_away(wire: &WireView, room: &Room, host: &Host) -> bool {
    wire.federation().any(|exchange| {
        let path = decoded(exchange.path_only());
        let names_room = path.split('/').any(|part| part == room.id);
        let refused = exchange.status.is_some_and(|status| (400..500).contains(&status));
        role_of(&exchange.from) == Some(host.role()) && path.contains("/make_join/") && names_room && refused
    })
}
