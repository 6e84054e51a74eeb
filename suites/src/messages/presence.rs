//! Who is there (client-server API, presence; server-server API, presence).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "messages.presence",
    title: "Each side sees when somebody on the other side is busy, with the words for it, and when that person goes.",
    catalogue: &["MS-16"],
    requirements: &["SS-PRESENCE-005"],
    needs: &[Need::Feature("presence")],
    checks: &[
        CheckPlan::new(
            "of-host",
            "The guest's user is shown the presence and status message of the host's user.",
        ),
        CheckPlan::new(
            "of-guest",
            "The host's user is shown the presence and status message of the guest's user.",
        ),
    ],
    play: play!(comes_and_goes),
    versions: Versions::Newest,
    ..Scenario::PAIR
}];

/// Carol on the host and Dave on the guest watch. Alice and Bob only act: a user who syncs is online by doing so, and
/// what they say of themselves would not last.
async fn comes_and_goes(scene: &Scene) -> Result<(), Failure> {
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
        let with_words = presence(actor, "unavailable")
            .and("with words", |event| event["content"]["status_msg"].is_string());
        let busy = match watcher.sees(with_words).await {
            // Without the words it is still somebody's presence, and differs from what is expected.
            Err(Failure::NotSeen { .. }) => watcher.sees(presence(actor, "unavailable")).await?,
            seen => seen?,
        };
        actor.set_presence("offline", None).await?;
        watcher.sees(presence(actor, "offline").following(&busy)).await?;
        let essence = |event: Value| {
            let content = &event["content"];
            json!({"of": event["sender"], "presence": content["presence"], "status_msg": content["status_msg"]})
        };
        scene.record(check, Observed::from(busy).map(essence));
    }
    Ok(())
}
