//! Delivery of events to the other servers in a room (server-server API, transactions).
//!
//!   Alice's message ──▶ ✗    Mallory's server is down
//!                       ◀──  Mallory sends a message: its server is up
//!   the same one    ──▶      it is delivered

use samklang_matrix::Event;
use samklang_verdict::Party;
use samklang_wire::switchboard::{Effect, NetworkFault, NetworkFaultGuard};

use super::limits::MAX_PDUS;
use crate::{peer_setup::PeerSetup, prelude::*};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "transactions.passed-on",
        title: "The resident server sends a join in a transaction to the other servers in the room.",
        catalogue: &["FC-10"],
        requirements: &["SS-JOIN-023"],
        checks: &[CheckPlan::new(
            "brought",
            "The resident server sends the join in a transaction to a server that is already in the room.",
        )],
        play: play!(join_passed_on),
        ..Scenario::PEER
    },
    Scenario {
        id: "transactions.kept-for-later",
        title: "The server sends messages to a server that was down once that server is up again.",
        catalogue: &["FC-16"],
        requirements: &["SS-TXN-019"],
        checks: &[
            CheckPlan::new(
                "brought",
                "The server sends a message again in a transaction if the receiving server was down before.",
            ),
            CheckPlan::new(
                "in-portions",
                "The server sends at most 50 PDUs in a transaction, even if more are waiting for a server that was down.",
            )
            .of(&["SS-TXN-002"]),
        ],
        play: play!(kept_for_later),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
];

async fn join_passed_on(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    setup.send_next_event().await?;
    let olof = setup.another_peer_joins("olof").await?;
    let is_join =
        |event: &Event| event.is_state("m.room.member", &olof.user) && event.membership() == Some("join");
    scene.check("brought", check_delivered(&setup, "Olof's join", is_join).await);
    Ok(())
}

async fn kept_for_later(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let outage = cut_transactions(&setup)?;
    let missed = send_while_down(&setup, "while the other server is down").await?;
    drop(outage);
    // This message shows Alice's server that Mallory's server is up.
    setup.send_sentinel("up again").await?;
    scene.check("brought", check_delivered(&setup, "the message", |event| event.id() == missed.id).await);

    let outage = cut_transactions(&setup)?;
    let mut last = send_while_down(&setup, "while it is down once more").await?;
    for number in 0..=MAX_PDUS {
        last = setup.alice.send(&setup.room, &format!("and on, {number}")).await?;
    }
    drop(outage);
    setup.send_sentinel("up for good").await?;
    let delivered = check_delivered(&setup, "the last message", |event| event.id() == last.id).await;
    scene.check("in-portions", delivered.and_then(|seen| check_pdus_per_transaction(&setup, seen)));
    Ok(())
}

/// Cuts every transaction to Mallory's server.
fn cut_transactions(setup: &PeerSetup<'_>) -> Result<NetworkFaultGuard, Failure> {
    let mallorys = Party::Peer { name: setup.mallory.name().to_owned() };
    setup.scene.fault(NetworkFault::on_all(Effect::Cut).to(mallorys).when(is_transaction))
}

/// Alice sends a message, and her server tries a transaction. That may hold an earlier event, which has to go first.
async fn send_while_down(setup: &PeerSetup<'_>, body: &str) -> Result<Sent, Failure> {
    let sent = setup.alice.send(&setup.room, body).await?;
    let tried = |exchange: &Exchange| {
        let is_transaction = endpoints::SEND.matches(&exchange.method, &exchange.path);
        let is_lost = is_transaction && exchange.status.is_none() && to_mallory(setup, &exchange.to);
        is_lost && exchange.id > sent.done.exchange
    };
    setup.scene.wire_shows("a transaction that the outage cuts", tried).await?;
    Ok(sent)
}

fn check_pdus_per_transaction(setup: &PeerSetup<'_>, seen: Observations) -> Result<Observations, Failure> {
    let sent = |exchange: &Exchange| {
        let is_transaction =
            endpoints::SEND.matches(&exchange.method, &exchange.path) && to_mallory(setup, &exchange.to);
        let body = is_transaction.then(|| exchange.request_body.json()).flatten()?;
        body["pdus"].as_array().map(Vec::len)
    };
    let longest = setup.scene.wire()?.federation().filter_map(|exchange| sent(exchange)).max().unwrap_or(0);
    if longest <= MAX_PDUS {
        return Ok(seen);
    }
    let text = message!("fail.transaction-too-long", most = MAX_PDUS);
    Err(setup.alice.wrong("transaction.too_long", text, seen.all()).showing(MAX_PDUS, longest))
}

fn to_mallory(setup: &PeerSetup<'_>, party: &Party) -> bool {
    matches!(party, Party::Peer { name } if name == setup.mallory.name())
}

/// Passes if Mallory's server accepts a transaction with the wanted event.
async fn check_delivered(
    setup: &PeerSetup<'_>,
    what: &str,
    wanted: impl Fn(&Event) -> bool,
) -> Result<Observations, Failure> {
    let version = setup.scene.room_version();
    let holds = |exchange: &Exchange| {
        let is_accepted = exchange.status == Some(200) && to_mallory(setup, &exchange.to);
        let body = is_accepted.then(|| exchange.request_body.json()).flatten();
        let pdus = body.as_ref().and_then(|body| body["pdus"].as_array()).into_iter().flatten();
        pdus.filter_map(|pdu| Event::parse(pdu, version).ok()).any(|event| wanted(&event))
    };
    match setup.scene.wire_shows(what, holds).await {
        Ok(exchange) => {
            Ok(Observations::new(Observation { by: setup.alice.role(), exchange: exchange.id }, []))
        }
        Err(Failure::Inconclusive(_)) => {
            let text = message!("fail.not-brought", what = what, server = setup.mallory.label());
            Err(setup.alice.wrong("transaction.not_brought", text, &[]))
        }
        Err(failure) => Err(failure),
    }
}
