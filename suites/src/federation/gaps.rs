//! Events whose predecessors are missing (server-server API, retrieving missing events).

use samklang_matrix::Event;
use samklang_runner::{scene::party, wire::role_of};
use samklang_stage::switchboard::{Effect, Fault};

use crate::prelude::*;

const TOGETHER: &[Need] = &[Need::Wire, Need::WholeStage];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.gap-filled",
        title: "Messages lost on the way are fetched as soon as one that follows them arrives, and stand in the host's order.",
        kind: Kind::Fault,
        weight: Weight::Should,
        catalogue: &["FC-16"],
        requirements: &["SS-MISSING-012"],
        needs: TOGETHER,
        checks: &[
            CheckPlan::new("fetched", "The guest asks the host for the events that it lacks.")
                .of(&["SS-MISSING-012"]),
            CheckPlan::new("same-order", "Host and guest hold the same messages in the same order."),
        ],
        play: play!(gap_filled),
        ..Scenario::PAIR
    },
    Scenario {
        id: "federation.cut-healed",
        title: "After a cut in one direction, during which both sides spoke, both hold all messages.",
        kind: Kind::Fault,
        catalogue: &["FC-16"],
        requirements: &["SS-TXN-019"],
        needs: TOGETHER,
        checks: &[CheckPlan::new(
            "all-there",
            "Host and guest hold all messages, each side's in the order in which they were sent.",
        )],
        play: play!(cut_healed),
        ..Scenario::PAIR
    },
];

/// The host's transactions are acknowledged and lost; then one arrives.
///
///   before ── lost one ── lost two ── lost three ── after
///
/// A plain cut would not do: a host that tries again leaves no gap.
async fn gap_filled(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let before = alice.send(&room, "before").await?;
    bob.sees(&before).await?;

    let loss =
        Fault::on_all(Effect::Lose).from(party(alice.role())).to(party(bob.role())).when(is_transaction);
    let loss = scene.fault(loss)?;
    let mut lost = Vec::new();
    for body in ["lost one", "lost two", "lost three"] {
        let sent = alice.send(&room, body).await?;
        let went_out =
            |exchange: &Exchange| exchange.fault.is_some() && sends(exchange, &sent.id, scene.room_version());
        scene.wire_shows(&sent.what, went_out).await?;
        lost.push(sent.id);
    }
    drop(loss);

    let after = alice.send(&room, "after").await?;
    bob.sees(&after).await?;
    scene.check("fetched", fetched(scene, &alice, &bob, &lost).await);
    let ids: Vec<_> = [vec![before.id], lost, vec![after.id]].concat();
    scene.record("same-order", same_messages(&alice, &bob, &room, &ids).await?);
    Ok(())
}

/// The host's transactions do not get through while the guest's do; then the way is free again.
///
///   before ──┬── host one ── host two ──┬── after
///            └── guest one ─ guest two ─┘
async fn cut_healed(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let before = alice.send(&room, "before").await?;
    bob.sees(&before).await?;

    let cut = Fault::on_all(Effect::Cut).from(party(alice.role())).to(party(bob.role())).when(is_transaction);
    let cut = scene.fault(cut)?;
    let (mut of_host, mut of_guest) = (vec![before.id], Vec::new());
    for (host_says, guest_says) in [("host one", "guest one"), ("host two", "guest two")] {
        let said = alice.send(&room, host_says).await?;
        let answer = bob.send(&room, guest_says).await?;
        alice.sees(&answer).await?;
        of_host.push(said.id);
        of_guest.push(answer.id);
    }
    scene.wire_shows("a transaction that was cut", |exchange| exchange.fault.is_some()).await?;
    drop(cut);

    // The guest speaks first: whoever hears from a server knows that it can be reached.
    let back = bob.send(&room, "back again").await?;
    alice.sees(&back).await?;
    let after = alice.send(&room, "after").await?;
    bob.sees(&after).await?;
    of_guest.push(back.id);
    of_host.push(after.id);
    // What was said on both sides of the cut has no order among each other.
    let hosts = same_messages(&alice, &bob, &room, &of_host).await?;
    let guests = same_messages(&alice, &bob, &room, &of_guest).await?;
    scene.record("all-there", Observed::together(("the host's", hosts), [("the guest's", guests)]));
    Ok(())
}

/// Whether the transaction `exchange` carries the event `id`.
pub(crate) fn sends(exchange: &Exchange, id: &str, version: &str) -> bool {
    let body = exchange.request_body.json().unwrap_or_default();
    holds(&body["pdus"], id, version)
}

/// Whether the event `id` is in the list.
fn holds(pdus: &Value, id: &str, version: &str) -> bool {
    let mut pdus = pdus.as_array().into_iter().flatten();
    pdus.any(|pdu| Event::parse(pdu, version).is_ok_and(|event| event.id() == id))
}

/// That the guest asked the host for what it lacked, in one of the ways there are, and got some of it.
async fn fetched(scene: &Scene, alice: &User, bob: &User, lost: &[String]) -> Result<Observations, Failure> {
    let [asker, asked] = [bob, alice].map(|user| Some(user.role()));
    let brings = |exchange: &Exchange| {
        let answer = exchange.response_body.json().unwrap_or_default();
        // get_missing_events has `events`; backfill and event have `pdus`.
        let lists = [&answer["events"], &answer["pdus"]];
        role_of(&exchange.from) == asker
            && role_of(&exchange.to) == asked
            && lost.iter().any(|id| lists.iter().any(|list| holds(list, id, scene.room_version())))
    };
    match scene.wire_shows("a request for the lost events", brings).await {
        Ok(exchange) => {
            let [gave, asked] =
                [alice, bob].map(|user| Observation { by: user.role(), exchange: exchange.id });
            Ok(merge_observations(gave, asked))
        }
        Err(Failure::Inconclusive(_)) => {
            Err(bob.wrong("delivery.gap_not_filled", message!("fail.gap-not-filled", user = bob.name()), &[]))
        }
        Err(other) => Err(other),
    }
}

/// What host and guest hold of the messages `ids` once the guest has all of them. History is read, not the sync: a
/// server may show what it fetched late as a gap to page through.
async fn same_messages(alice: &User, bob: &User, room: &Room, ids: &[String]) -> Result<Observed, Failure> {
    let about: Vec<_> = ids.iter().map(String::as_str).collect();
    let complete = || async {
        let kept = kept(bob, room, ids).await?;
        Ok((kept.value.as_array().map(Vec::len) >= Some(ids.len())).then_some(kept))
    };
    let of_bob = bob.eventually("all messages in the room's history", &about, complete).await?;
    Ok(host_and_guest(kept(alice, room, ids).await?, of_bob))
}

/// Those of the messages `ids` that `user`'s server keeps, in its order.
async fn kept(user: &User, room: &Room, ids: &[String]) -> Result<Observed, Failure> {
    Ok(user.history(room, 200).await?.map(|events| wanted_ids_in_order(&events, ids)))
}
