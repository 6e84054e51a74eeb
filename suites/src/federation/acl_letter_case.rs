//! Upper and lower case in server ACLs (client-server API, m.room.server_acl): it has no say.

use super::acls::{bystanders, host_name, later, open_room, set_acl};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "federation.acl-letter-case",
    title: "A server's name is the same in an ACL in whichever case it stands there.",
    catalogue: &["CF-12"],
    requirements: &["SS-ACL-007"],
    checks: &[
        CheckPlan::new("denied", "A server whose name is denied in capitals gets no event into the room."),
        CheckPlan::new(
            "allowed",
            "A server whose name is allowed in capitals gets its events into the room.",
        ),
    ],
    play: play!(letter_case),
    ..Scenario::PEER
}];

/// Three rooms of Alice's, and Mallory's server in all of them: one denies it in capitals, one allows it and Alice's own
/// in capitals and nobody else, one has no ACL.
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
    let bystanders = bystanders(&setup).await?;
    set_acl(alice, &setup.room, json!(["*"]), json!([capitals(name)])).await?;
    let admitted = json!([capitals(name), capitals(setup.host.name())]);
    set_acl(alice, &allowing, admitted, json!([])).await?;

    let [denied, allowed, free] =
        [setup.copy.message("denied")?, in_allowing.message("allowed")?, in_free.message("free")?];
    mallory.transmit(&setup.host, &[&denied, &allowed, &free]).await?;
    alice.sees(&free).await?;
    let after = later(&setup, &bystanders).await?;
    scene.check("denied", alice.never_saw(&denied, &after));
    scene.check("allowed", alice.sees(&allowed).await);
    Ok(())
}
