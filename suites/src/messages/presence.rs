//! Presence (client-server API, presence; server-server API, presence).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "messages.presence",
    title: "A user is shown the presence and status message of another server's user, and when that user goes offline.",
    catalogue: &["MS-16"],
    requirements: &["SS-PRESENCE-005"],
    needs: &[Need::Feature("presence")],
    checks: &[
        CheckPlan::new(
            "of-host",
            "A user of the joining server is shown the presence and status message of the resident server's user.",
        ),
        CheckPlan::new(
            "of-guest",
            "A user of the resident server is shown the presence and status message of the joining server's user.",
        ),
    ],
    play: play!(unavailable_and_offline),
    versions: Versions::Newest,
    ..Scenario::PAIR
}];

/// Carol on the host and Dave on the guest watch Alice's and Bob's presence. Alice and Bob do not sync: a sync would set
/// their presence to online.
async fn unavailable_and_offline(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let carol = host.register("carol").await?;
    let bob = guest.register("bob").await?;
    let dave = guest.register("dave").await?;
    let room = alice.create_room(Public).await?;
    for user in [&bob, &carol, &dave] {
        join_public_room(&host, &alice, user, &room).await?;
    }
    dave.sees(join(&room, &carol)).await?;
    carol.sees(join(&room, &dave)).await?;

    for (check, actor, watcher) in [("of-host", &alice, &dave), ("of-guest", &bob, &carol)] {
        actor.set_presence("unavailable", Some("I möte till tre")).await?;
        let with_message = presence(actor, "unavailable")
            .and("with a status message", |event| event["content"]["status_msg"].is_string());
        let unavailable = match watcher.sees(with_message).await {
            // Presence without the status message is recorded as well; it then differs from the expectation.
            Err(Failure::NotSeen { .. }) => watcher.sees(presence(actor, "unavailable")).await?,
            seen => seen?,
        };
        actor.set_presence("offline", None).await?;
        watcher.sees(presence(actor, "offline").following(&unavailable)).await?;
        let essence = |event: Value| {
            let content = &event["content"];
            json!({"of": event["sender"], "presence": content["presence"], "status_msg": content["status_msg"]})
        };
        scene.record(check, Observed::from(unavailable).map(essence));
    }
    Ok(())
}
