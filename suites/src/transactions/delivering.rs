//! What a server has to bring to the others in a room, and does not give up (server-server API, transactions).
//!
//!   Alice's message ──▶ Mallory's server          (cut: the server is down)    
//!   sixty more      ──▶                           (wait)
//!   Mallory speaks  ◀──                           (so the server is up)
//!   the last one    ──▶ Mallory's server          (taken)

use samklang_matrix::Event;
use samklang_stage::switchboard::{Asked, Effect, Fault};
use samklang_verdict::Party;

use crate::{prelude::*, visit::Visit};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "transactions.passed-on",
        title: "A join by way of one server is brought to the other servers in the room.",
        catalogue: &["FC-10"],
        requirements: &["SS-JOIN-023"],
        checks: &[CheckPlan::new("brought", "The server that is in the room already is sent the join.")],
        play: play!(passed_on),
        ..Scenario::PEER
    },
    Scenario {
        id: "transactions.kept-for-later",
        title: "What is said while another server is down is brought to it once it is up again.",
        catalogue: &["FC-16"],
        requirements: &["SS-TXN-019"],
        checks: &[CheckPlan::new("brought", "The last of what was said is sent to the server after all.")],
        play: play!(kept_for_later),
        ..Scenario::PEER
    },
];

/// More than one transaction can hold.
const MANY: usize = 60;

async fn passed_on(scene: &Scene) -> Result<(), Failure> {
    let visit = visit(scene).await?;
    visit.next_event().await?;
    let olof = visit.another("olof").await?;
    let is_join =
        |event: &Event| event.is_state("m.room.member", &olof.user) && event.membership() == Some("join");
    scene.check("brought", brought(&visit, "Olof's join", is_join).await);
    Ok(())
}

async fn kept_for_later(scene: &Scene) -> Result<(), Failure> {
    let visit = visit(scene).await?;
    let is_transaction = |asked: &Asked<'_>| asked.path.contains("/federation/v1/send/");
    let mallorys = Party::Peer { name: visit.mallory.name().to_owned() };
    let down = scene.fault(Fault::on_all(Effect::Cut).to(mallorys).when(is_transaction))?;
    let first = visit.alice.send(&visit.room, "while the other server is down").await?;
    scene.event_on_wire(&first).await?;
    let mut last = first;
    for number in 0..MANY {
        last = visit.alice.send(&visit.room, &format!("and on, {number}")).await?;
    }
    drop(down);

    // Whoever hears from a server knows that it is up.
    visit.sentinel("up again").await?;
    scene.check("brought", brought(&visit, "the last message", |event| event.id() == last.id).await);
    Ok(())
}

/// A transaction that Mallory's server takes holds an event.
async fn brought(
    visit: &Visit<'_>,
    what: &str,
    wanted: impl Fn(&Event) -> bool,
) -> Result<Observations, Failure> {
    let version = visit.scene.room_version();
    let to_mallory = |party: &Party| matches!(party, Party::Peer { name } if name == visit.mallory.name());
    let holds = |exchange: &Exchange| {
        let is_taken = exchange.status == Some(200) && to_mallory(&exchange.to);
        let body = is_taken.then(|| exchange.request_body.json()).flatten();
        let pdus = body.as_ref().and_then(|body| body["pdus"].as_array()).into_iter().flatten();
        pdus.filter_map(|pdu| Event::parse(pdu, version).ok()).any(|event| wanted(&event))
    };
    match visit.scene.wire_shows(what, holds).await {
        Ok(exchange) => {
            Ok(Observations::new(Observation { by: visit.alice.role(), exchange: exchange.id }, []))
        }
        Err(Failure::Inconclusive(_)) => {
            let text = message!("fail.not-brought", what = what, server = visit.mallory.label());
            Err(visit.alice.wrong("transaction.not_brought", text, &[]))
        }
        Err(failure) => Err(failure),
    }
}
