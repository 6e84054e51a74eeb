//! The cost of peers, and how many of them there can be at once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use samklang_matrix::{RoomGraph, endpoints::paths};
use samklang_reference::{Peer, now_ms};
use samklang_stage::Stage;
use samklang_verdict::Party;
use serde_json::json;

use crate::{Measured, ms};

/// The number of peers that send a request at once.
const CROWD: usize = 500;
/// The number of times that a play of two peers is timed.
const PLAYS: usize = 100;

async fn peer(stage: &Stage, label: &str) -> Result<Arc<Peer>, Box<dyn std::error::Error>> {
    Ok(stage.peer(label).await?.ok_or("there is no switchboard")?)
}

/// New peers send the server a request, all at once: it has to fetch the keys of each peer and to authenticate each
/// request.
pub(crate) async fn crowd(stage: &Stage) -> Measured {
    let server = stage.servers().next().ok_or("the stage is empty")?.name.clone();
    let target = paths::query_profile(&format!("@nobody:{server}"));
    let mut peers = Vec::with_capacity(CROWD);
    for _ in 0..CROWD {
        peers.push(peer(stage, "crowd").await?);
    }
    let begun = Instant::now();
    let asked = peers.iter().map(|peer| peer.ask("GET", &server, &target, None));
    let answers = futures_util::future::join_all(asked).await;
    let took = begun.elapsed();
    // The user does not exist. Only an authenticated request gets that answer.
    let authenticated = answers.iter().flatten().filter(|answer| answer.status == 404).count();
    let silent = answers.iter().filter(|answer| answer.is_err()).count();
    println!(
        "\n{authenticated} of {CROWD} peers at once were authenticated, {silent} got no answer; {:.1} s",
        took.as_secs_f64()
    );
    Ok(())
}

/// One peer creates a room. Another one joins it through the switchboard, sends an event and fetches it. The first peer
/// stands for the subject: without the time of its answers, the rest is the cost of the harness itself.
pub(crate) async fn own_cost(stage: &Stage) -> Measured {
    let (mut times, mut own) = (Vec::with_capacity(PLAYS), Vec::with_capacity(PLAYS));
    for play in 0..PLAYS {
        let mark = stage.recorder().mark();
        let begun = Instant::now();
        let (host, guest) = (peer(stage, "host").await?, peer(stage, "guest").await?);
        let at = i64::try_from(now_ms())? + i64::try_from(play)?;
        let room = RoomGraph::create("11", &host.user("alice"), host.key(), at)?;
        let id = room.id().to_owned();
        host.hold(room);
        let bob = guest.user("bob");
        let joined = guest.change_membership("join", host.name(), &id, &bob).await;
        joined.map_err(|obstacle| format!("{obstacle:?}"))?;
        let said = guest.with_room(&id, |room| {
            room.draft("m.room.message", &bob).content(json!({"body": "hej"})).sign(guest.key())
        });
        let said = said.ok_or("the guest has no room")?;
        let body = json!({"origin": guest.name(), "origin_server_ts": at, "pdus": [said.json], "edus": []});
        let target = paths::send(&guest.transaction_id());
        guest.ask("PUT", host.name(), &target, Some(&body)).await?;
        let event = paths::event(&said.id);
        if !guest.ask("GET", host.name(), &event, None).await?.is_success() {
            return Err("the host does not have the event".into());
        }
        let took = begun.elapsed();
        let exchanges = stage.recorder().all().into_iter().filter(|exchange| exchange.id >= mark);
        let asked = exchanges.filter(|exchange| exchange.to == Party::Peer { name: host.name().to_owned() });
        let answering = Duration::from_micros(asked.map(|exchange| exchange.took_us).sum());
        times.push(took);
        own.push(took.saturating_sub(answering));
    }
    for (what, mut times) in [("both sides", times), ("without the host's answers", own)] {
        times.sort();
        println!(
            "a play of two peers, {what}: {:.2} ms median, {:.2} ms at the 95th percentile",
            ms(times[PLAYS / 2]),
            ms(times[PLAYS * 95 / 100])
        );
    }
    Ok(())
}
