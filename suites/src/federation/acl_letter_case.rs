//! Server ACLs match server names without regard to letter case (client-server API, m.room.server_acl).

use super::acls::{allowed_members, host_name, open_room, sentinel_in_closed_room, set_acl};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "federation.acl-letter-case",
    title: "The server applies a room's server ACL to server names without regard to letter case.",
    catalogue: &["CF-12"],
    requirements: &["SS-ACL-007"],
    checks: &[
        CheckPlan::new(
            "denied",
            "A user is not shown an event of a server whose name the room's ACL denies in capital letters.",
        ),
        CheckPlan::new(
            "allowed",
            "A user is shown an event of a server whose name the room's ACL allows in capital letters.",
        ),
    ],
    play: play!(letter_case),
    ..Scenario::PEER
}];

/// Mallory's server is in three rooms of Alice's. One denies it in capital letters, one allows only it and Alice's server,
/// both in capital letters, and one has no ACL.
async fn letter_case(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let (alice, mallory) = (&setup.alice, &setup.mallory);
    let capitals = |server: &str| host_name(server).to_ascii_uppercase();
    let name = host_name(mallory.name());
    if capitals(name) == name {
        return Err(Failure::NotApplicable(message!("judging.no-letters", name = name)));
    }
    let (allowing, in_allowing) = open_room(&setup).await?;
    let (_, in_free) = open_room(&setup).await?;
    let members = allowed_members(&setup).await?;
    set_acl(alice, &setup.room, json!(["*"]), json!([capitals(name)])).await?;
    let both = json!([capitals(name), capitals(setup.host.name())]);
    set_acl(alice, &allowing, both, json!([])).await?;

    let [denied, allowed, free] =
        [setup.copy.message("denied")?, in_allowing.message("allowed")?, in_free.message("free")?];
    mallory.transmit(&setup.host, &[&denied, &allowed, &free]).await?;
    alice.sees(&free).await?;
    let after = sentinel_in_closed_room(&setup, &members).await?;
    scene.check("denied", alice.never_saw(&denied, &after));
    scene.check("allowed", alice.sees(&allowed).await);
    Ok(())
}
