//! Events whose prev events are missing (server-server API, retrieving missing events).

use samklang_matrix::Event;
use samklang_runner::{scene::party, traffic::wire_view::role_of};
use samklang_wire::switchboard::{Effect, NetworkFault};

use crate::prelude::*;

const TOGETHER: &[Need] = &[Need::Wire, Need::WholeStage];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.gap-filled",
        title: "The joining server fetches missing events when a later event arrives, and keeps the sending order.",
        kind: ScenarioKind::NetworkFault,
        weight: Weight::Should,
        catalogue: &["FC-16"],
        requirements: &["SS-MISSING-012"],
        needs: TOGETHER,
        checks: &[
            CheckPlan::new("fetched", "The joining server fetches missing events from the resident server.")
                .of(&["SS-MISSING-012"]),
            CheckPlan::new(
                "same-order",
                "Both servers show the same messages in the same order after the gap is filled.",
            ),
        ],
        play: play!(gap_filled),
        ..Scenario::PAIR
    },
    Scenario {
        id: "federation.cut-healed",
        title: "Both servers show all messages that were sent while the network was cut in one direction.",
        kind: ScenarioKind::NetworkFault,
        catalogue: &["FC-16"],
        requirements: &["SS-TXN-019"],
        needs: TOGETHER,
        checks: &[CheckPlan::new(
            "all-there",
            "Both servers show all messages, and those of each server in the order in which they were sent.",
        )],
        play: play!(cut_healed),
        ..Scenario::PAIR
    },
];

/// A network fault acknowledges the host's transactions and drops them; then one arrives.
///
///   before ── lost one ── lost two ── lost three ── after
///
/// A cut would not do: the host would send again, and leave no gap.
async fn gap_filled(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let before = alice.send(&room, "before").await?;
    bob.sees(&before).await?;

    let loss = NetworkFault::on_all(Effect::Lose)
        .from(party(alice.role()))
        .to(party(bob.role()))
        .when(is_transaction);
    let loss = scene.fault(loss)?;
    let mut lost = Vec::new();
    for body in ["lost one", "lost two", "lost three"] {
        let sent = alice.send(&room, body).await?;
        let was_sent =
            |exchange: &Exchange| exchange.fault.is_some() && sends(exchange, &sent.id, scene.room_version());
        scene.wire_shows(&sent.what, was_sent).await?;
        lost.push(sent.id);
    }
    drop(loss);

    let after = alice.send(&room, "after").await?;
    bob.sees(&after).await?;
    scene.check("fetched", missing_events_fetched(scene, &alice, &bob, &lost).await);
    let ids: Vec<_> = [vec![before.id], lost, vec![after.id]].concat();
    scene.record("same-order", same_messages(&alice, &bob, &room, &ids).await?);
    Ok(())
}

/// The host's transactions are cut while the guest's arrive; then the cut ends.
///
///   before ──┬── host one ── host two ──┬── after
///            └── guest one ─ guest two ─┘
async fn cut_healed(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let before = alice.send(&room, "before").await?;
    bob.sees(&before).await?;

    let cut = NetworkFault::on_all(Effect::Cut)
        .from(party(alice.role()))
        .to(party(bob.role()))
        .when(is_transaction);
    let cut = scene.fault(cut)?;
    let (mut of_host, mut of_guest) = (vec![before.id], Vec::new());
    for (host_says, guest_says) in [("host one", "guest one"), ("host two", "guest two")] {
        let sent = alice.send(&room, host_says).await?;
        let answer = bob.send(&room, guest_says).await?;
        alice.sees(&answer).await?;
        of_host.push(sent.id);
        of_guest.push(answer.id);
    }
    scene.wire_shows("a transaction that was cut", |exchange| exchange.fault.is_some()).await?;
    drop(cut);

    // The guest sends first: from its transaction the host learns that it can reach the guest again.
    let back = bob.send(&room, "back again").await?;
    alice.sees(&back).await?;
    let after = alice.send(&room, "after").await?;
    bob.sees(&after).await?;
    of_guest.push(back.id);
    of_host.push(after.id);
    // The host's messages have no order relative to the guest's.
    let hosts = same_messages(&alice, &bob, &room, &of_host).await?;
    let guests = same_messages(&alice, &bob, &room, &of_guest).await?;
    scene.record("all-there", Observed::together(("the host's", hosts), [("the guest's", guests)]));
    Ok(())
}

/// Whether the transaction in `exchange` holds the event `id`.
pub(crate) fn sends(exchange: &Exchange, id: &str, version: &str) -> bool {
    let body = exchange.request_body.json().unwrap_or_default();
    holds(&body["pdus"], id, version)
}

/// Whether the event `id` is in the list.
fn holds(pdus: &Value, id: &str, version: &str) -> bool {
    let mut pdus = pdus.as_array().into_iter().flatten();
    pdus.any(|pdu| Event::parse(pdu, version).is_ok_and(|event| event.id() == id))
}

/// Passes if the guest requested missing events from the host, by whatever endpoint, and got at least one.
async fn missing_events_fetched(
    scene: &Scene,
    alice: &User,
    bob: &User,
    lost: &[String],
) -> Result<Observations, Failure> {
    let [requester, responder] = [bob, alice].map(|user| Some(user.role()));
    let returns_lost = |exchange: &Exchange| {
        let answer = exchange.response_body.json().unwrap_or_default();
        // get_missing_events has `events`; backfill and event have `pdus`.
        let lists = [&answer["events"], &answer["pdus"]];
        role_of(&exchange.from) == requester
            && role_of(&exchange.to) == responder
            && lost.iter().any(|id| lists.iter().any(|list| holds(list, id, scene.room_version())))
    };
    match scene.wire_shows("a request for the lost events", returns_lost).await {
        Ok(exchange) => {
            let [by_host, by_guest] =
                [alice, bob].map(|user| Observation { by: user.role(), exchange: exchange.id });
            Ok(merge_observations(by_host, by_guest))
        }
        Err(Failure::Inconclusive(_)) => {
            Err(bob.wrong("delivery.gap_not_filled", message!("fail.gap-not-filled", user = bob.name()), &[]))
        }
        Err(other) => Err(other),
    }
}

/// The messages `ids` at host and guest once the guest has all of them. They are read from the history and not from the
/// sync, since a server may show events that it fetched late as a gap to page through.
async fn same_messages(alice: &User, bob: &User, room: &Room, ids: &[String]) -> Result<Observed, Failure> {
    let about: Vec<_> = ids.iter().map(String::as_str).collect();
    let complete = || async {
        let held = messages_held(bob, room, ids).await?;
        Ok((held.value.as_array().map(Vec::len) >= Some(ids.len())).then_some(held))
    };
    let of_bob = bob.eventually("all messages in the room's history", &about, complete).await?;
    Ok(host_and_guest(messages_held(alice, room, ids).await?, of_bob))
}

/// Those of the messages `ids` that are in `user`'s history, in its order.
async fn messages_held(user: &User, room: &Room, ids: &[String]) -> Result<Observed, Failure> {
    Ok(user.history(room, 200).await?.map(|events| wanted_ids_in_order(&events, ids)))
}
