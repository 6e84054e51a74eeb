//! The limits of a transaction (server-server API, transactions: at most 50 PDUs and 100 EDUs).

use samklang_actors::peer::{Transaction, draft_message};

use crate::{
    prelude::*,
    signals::edu::{PeerEdu, to_device_edu},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "transactions.fifty-events",
        title: "The server accepts all events of a transaction with 50 PDUs.",
        catalogue: &["FC-14"],
        requirements: &["SS-TXN-008"],
        checks: &[CheckPlan::new(
            "all-kept",
            "The server's room history contains all 50 events of the transaction in order.",
        )],
        play: play!(fifty_events),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
    Scenario {
        id: "transactions.hundred-signals",
        title: "The server accepts all EDUs of a transaction with 100 EDUs and no PDUs.",
        catalogue: &["FC-14"],
        requirements: &["SS-TXN-005"],
        needs: &[Need::Wire, Need::Feature("to-device")],
        checks: &[CheckPlan::new(
            "all-shown",
            "The server delivers all 100 to-device messages of the transaction to the user.",
        )],
        play: play!(hundred_edus),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
    Scenario {
        id: "transactions.too-many-events",
        title: "The server does not accept all events of a transaction with more than 50 PDUs.",
        weight: Weight::Should,
        catalogue: &["FC-14"],
        requirements: &["SS-TXN-013"],
        checks: &[CheckPlan::new(
            "not-all",
            "The server shows at most 50 of the 51 events of a transaction in the room's history.",
        )],
        play: play!(too_many_events),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
    Scenario {
        id: "transactions.too-many-signals",
        title: "The server does not accept all EDUs of a transaction with more than 100 EDUs.",
        weight: Weight::Should,
        catalogue: &["FC-14"],
        requirements: &["SS-TXN-014"],
        needs: &[Need::Wire, Need::Feature("to-device")],
        checks: &[CheckPlan::new(
            "not-all",
            "The server delivers at most 100 of the 101 to-device messages of a transaction to the user.",
        )],
        play: play!(too_many_edus),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
];

/// A transaction may hold at most this many PDUs.
pub(super) const MAX_PDUS: usize = 50;
/// A transaction may hold at most this many EDUs.
const MAX_EDUS: usize = 100;
/// A limit on history that is larger than any of these rooms.
const WHOLE_HISTORY: usize = 200;

/// The IDs of those `events` that are in the room's history, in its order.
async fn ids_in_history(setup: &PeerSetup<'_>, events: &[Planted]) -> Result<Observed, Failure> {
    let ids: Vec<_> = events.iter().map(|event| event.id.clone()).collect();
    Ok(setup
        .alice
        .history(&setup.room, WHOLE_HISTORY)
        .await?
        .map(|history| wanted_ids_in_order(&history, &ids)))
}

/// Reads the room's history, since a sync may leave out some of so many events.
async fn fifty_events(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let events = (1..=MAX_PDUS).map(|number| setup.copy.message(&format!("event {number}")));
    let events: Vec<_> = events.collect::<Result<_, _>>()?;
    setup.mallory.transmit(&setup.host, &events.iter().collect::<Vec<_>>()).await?;
    // The sentinel comes after all the others in the graph.
    let last = setup.send_sentinel("after fifty").await?;
    let kept = ids_in_history(&setup, &events).await?;
    let sent: Value = events.iter().map(|event| event.id.clone()).collect();
    scene.check(
        "all-kept",
        if kept.value == sent {
            Ok(merge_observations(kept, last.sighting))
        } else {
            let text = message!("fail.transaction-lost", kind = "events");
            Err(setup
                .alice
                .wrong("transaction.lost_events", text, kept.observations.all())
                .showing(sent, kept.value))
        },
    );
    Ok(())
}

/// Numbered to-device messages from Mallory to Alice.
fn to_device_messages(setup: &PeerSetup<'_>, count: usize) -> Vec<PeerEdu> {
    let numbered = |number| {
        let name = format!("message {number}");
        to_device_edu(&setup.copy.user, &setup.alice, &name.replace(' ', "-"), &name)
    };
    (1..=count).map(numbered).collect()
}

async fn hundred_edus(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let messages = to_device_messages(&setup, MAX_EDUS);
    let edus: Vec<_> = messages.iter().map(|message| message.edu.clone()).collect();
    setup.mallory.signal(&setup.host, &edus).await?;
    let all_shown = async {
        let mut last = None;
        for message in messages {
            last = Some(setup.alice.sees(message.shown).await?);
        }
        last.ok_or_else(|| Failure::Inconclusive(message!("judging.nothing-gathered")))
    };
    scene.check("all-shown", all_shown.await);
    Ok(())
}

/// The events stand beside each other, and no honest event has them as prev events: where they are refused, no later event
/// needs them.
async fn too_many_events(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let beside = |number| {
        let body = format!("event {number}");
        setup.copy.aside(&body, |room, user| draft_message(room, user, &body))
    };
    let events: Vec<_> = (0..=MAX_PDUS).map(beside).collect::<Result<_, _>>()?;
    setup.mallory.offer(&setup.host, &events.iter().collect::<Vec<_>>()).await?;
    let last = setup.send_sentinel("after too many").await?;
    let kept = ids_in_history(&setup, &events).await?;
    scene.check(
        "not-all",
        check_not_all(
            &setup,
            kept.value.as_array().map_or(0, Vec::len),
            MAX_PDUS,
            merge_observations(kept, last.sighting),
        ),
    );
    Ok(())
}

async fn too_many_edus(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let messages = to_device_messages(&setup, MAX_EDUS + 1);
    let edus: Vec<_> = messages.iter().map(|message| message.edu.clone()).collect();
    setup.mallory.deliver(&setup.host, &Transaction { signals: &edus, ..Transaction::default() }).await?;
    let after = to_device_edu(&setup.copy.user, &setup.alice, "after", "after too many");
    let after = setup.alice.sees(setup.send_edu(&setup.mallory, after).await?).await?;
    let shown = messages.iter().filter(|message| !setup.alice.seen_so_far(&message.shown).is_empty()).count();
    scene.check("not-all", check_not_all(&setup, shown, MAX_EDUS, after.into()));
    Ok(())
}

/// Passes if at most `most` of `most + 1` had an effect.
fn check_not_all(
    setup: &PeerSetup<'_>,
    count: usize,
    most: usize,
    seen: Observations,
) -> Result<Observations, Failure> {
    if count <= most {
        return Ok(seen);
    }
    let text = message!("fail.transaction-overfull", most = most);
    Err(setup.alice.wrong("transaction.over_limit", text, seen.all()).showing(most, count))
}
