//! Expired keys (server-server API, retrieving server keys; rooms/v5, signing key validity period).
//!
//! The scenario does not wait for a key to expire: an event has its own timestamp, and a key document may have expired
//! before the server fetches it.
//!
//!   join ─┬─ made while the key is valid ──────────┬─ in reach again ── made later
//!         └─ made later (newer keys out of reach)
//!
//! So it cannot show that requests are refused from the moment on when a key expires that was fetched before.

use samklang_actors::peer::draft_message;
use samklang_matrix::KeyPublication;
use samklang_verdict::Party;
use samklang_wire::switchboard::{Effect, NetworkFault, RoutedRequest};

use super::{
    DISPLAY_NAME, check_refused,
    server_keys::{HOUR_MS, ask_for_profile, check_honest_peer},
};
use crate::{
    peer_setup::{PeerSetup, peer_joins},
    prelude::*,
};

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "authentication.expired-keys",
    title: "The server accepts an expired key for events from before it expired, and not for later events or requests.",
    catalogue: &["FC-06"],
    requirements: &["SS-KEYS-017"],
    checks: &[
        CheckPlan::new(
            "within",
            "The server accepts an event dated before its known signing key expires, although it can fetch no keys.",
        ),
        CheckPlan::new(
            "later",
            "The server does not show an event dated after its known signing key expires while it can fetch no keys.",
        ),
        CheckPlan::new(
            "recovers",
            "Once it learns that the signing key is valid for longer, the server accepts an event from after the old expiry.",
        )
        .of(&["SS-KEYS-018"]),
        CheckPlan::new("request", "The server refuses a request that is signed with an expired key of the sending server.")
            .of(&["SS-KEYS-015"]),
    ],
    play: play!(expired_keys),
    versions: Versions::Newest,
    ..Scenario::PEER
}];

async fn expired_keys(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let room = alice.create_room(Public).await?;
    let mallory = scene.peer("mallory").await?;
    let now = now_ms();
    let key = mallory.peer().key();
    let valid_for = |hours: u64| KeyPublication::new(mallory.name(), now + hours * HOUR_MS).current(key);
    mallory.peer().publish(valid_for(1).build());
    let copy = peer_joins(&alice, &host, &room, &mallory, "mallory").await?;
    alice.sees(state(&room, "m.room.member", &copy.user)).await?;
    let setup = PeerSetup { scene, host, alice, room, mallory: mallory.clone(), copy };

    let of_peer = Party::Peer { name: mallory.name().to_owned() };
    let asks_for_keys = |asked: &RoutedRequest<'_>| asked.path.starts_with(endpoints::KEY_ROOT);
    let outage = scene.fault(NetworkFault::on_all(Effect::Cut).to(of_peer).when(asks_for_keys))?;
    mallory.peer().publish(valid_for(24).build());
    let at = |milliseconds: u64| i64::try_from(now + milliseconds).unwrap_or(i64::MAX);
    let later = setup
        .copy
        .aside("made later", |room, user| draft_message(room, user, "made later").at(at(2 * HOUR_MS)))?;
    mallory.offer(&setup.host, &[&later]).await?;
    let within = setup
        .copy
        .plant("made in time", |room, user| draft_message(room, user, "made in time").at(at(HOUR_MS / 2)))?;
    mallory.transmit(&setup.host, &[&within]).await?;
    let seen = setup.alice.sees(&within).await;
    scene.check("within", seen.clone());
    scene.check("later", seen.and_then(|seen| setup.alice.never_saw(&later, &seen)));
    drop(outage);

    // This message shows the server that Mallory's server can be reached.
    setup.send_sentinel("in reach again").await?;
    let late = setup.copy.plant("made later, in reach", |room, user| {
        draft_message(room, user, "made later, in reach").at(at(2 * HOUR_MS))
    })?;
    mallory.transmit(&setup.host, &[&late]).await?;
    scene.check("recovers", setup.alice.sees(&late).await);
    scene.check("request", request(&setup, now).await);
    Ok(())
}

/// A new peer's key document has expired already; the twin is a peer whose key document has not.
async fn request(setup: &PeerSetup<'_>, now: u64) -> Result<Observations, Failure> {
    let PeerSetup { scene, host, alice, .. } = setup;
    alice.set_display_name(DISPLAY_NAME).await?;
    check_honest_peer(scene, host, alice).await?;
    let peer = scene.peer("expired").await?;
    let expired = KeyPublication::new(peer.name(), now - HOUR_MS).current(peer.peer().key());
    peer.peer().publish(expired.build());
    check_refused(alice, &ask_for_profile(&peer, host, alice).await?, "keys.expired_key_believed")
}
