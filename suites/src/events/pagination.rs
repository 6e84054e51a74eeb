//! History from before a server's time (server-server API, backfilling and retrieving missing events).

use samklang_matrix::Rule;
use samklang_runner::peer::draft_message;

use crate::{prelude::*, visit::Visit};

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "events.page-of-rejected",
    title: "Events that are rejected do not end the history before them, however many there are.",
    weight: Weight::Should,
    catalogue: &["SH-24"],
    requirements: &["SS-BACKFILL-008"],
    checks: &[
        CheckPlan::new(
            "older-shown",
            "Who pages back is shown what was said before a page of rejected events.",
        )
        .of(&["SS-BACKFILL-008"]),
        CheckPlan::new("rejected-hidden", "None of the rejected events is shown.").of(&["SS-BACKFILL-009"]),
    ],
    play: play!(page_of_rejected),
    ..Scenario::PEER
}];

/// More than servers fetch at a time.
const MANY: usize = 110;

/// Mallory's server lets Eve speak in a room that she never joined; then Alice comes.
///
///   long ago ── Eve ── Eve ── … ── Eve ── Alice joins ── welcome
///               (rejected, all of them)
async fn page_of_rejected(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let mallory = scene.peer("mallory").await?;
    let (room, copy) = mallory.found(&host, "mallory").await?;
    let old = copy.message("long ago")?;
    copy.forgive(Rule::SenderNotJoined);
    let eve = copy.as_user(&mallory.user("eve"));
    let mut rejected = Vec::new();
    for _ in 0..MANY {
        let word =
            eve.plant_forgiven("from outside", |room, user| draft_message(room, user, "from outside"))?;
        rejected.push(word.id);
    }
    alice.join(&room).await?;
    alice.sees(join(&room, &alice)).await?;
    let visit = Visit { scene, host, alice, room, mallory, copy };
    visit.sentinel("welcome").await?;

    let alice = &visit.alice;
    let reached = || async {
        let history = alice.history(&visit.room, 2 * MANY).await?;
        let is_there = ids_among(&history.value, std::slice::from_ref(&old.id)) != json!([]);
        Ok(is_there.then_some(history))
    };
    let outcome = alice.eventually(&old.what, &[&visit.room.id, &old.id], reached).await;
    let history = match outcome {
        Err(Failure::NotSeen { .. }) => {
            let history = alice.history(&visit.room, 2 * MANY).await?;
            let text = message!("fail.history-ends", event = old.what);
            scene.check(
                "older-shown",
                Err::<Observations, _>(alice.wrong("history.ended_early", text, history.observations.all())),
            );
            history
        }
        Ok(history) => {
            scene.check("older-shown", Ok(history.clone()));
            history
        }
        Err(other) => return Err(other),
    };
    let shown = ids_among(&history.value, &rejected);
    let hidden = if shown == json!([]) {
        Ok(history)
    } else {
        let text = message!("fail.rejected-in-history", user = alice.name());
        Err(alice.wrong("history.rejected_shown", text, history.observations.all()).showing("[]", shown))
    };
    scene.check("rejected-hidden", hidden);
    Ok(())
}
