//! A server whose keys cannot be fetched for a while (server-server API, retrieving server keys).
//!
//!   join ── by the known key ─┬─ by a new key ─────────┬─ by the known key ── by the new key
//!           (keys fetched)    └ (keys out of reach) ───┘   (in reach again)

use samklang_actors::peer::draft_message;
use samklang_matrix::{HeaderForge, KeyPublication, RequestSignature};
use samklang_verdict::Party;
use samklang_wire::switchboard::{Asked, Effect, Fault};

use super::{CALLED, believed, disbelieved, server_keys::HOUR_MS};
use crate::{peer_setup::PeerSetup, prelude::*};

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "authentication.keys-out-of-reach",
    title: "While a server's keys cannot be fetched, only the known ones count; afterwards new ones do too.",
    catalogue: &["FC-06"],
    requirements: &["SS-KEYS-018"],
    checks: &[
        CheckPlan::new(
            "known-key",
            "While no keys can be fetched, the server accepts an event signed with a known key.",
        ),
        CheckPlan::new(
            "new-key-event",
            "While no keys can be fetched, the server does not show an event signed with an unknown key.",
        )
        .of(&["SS-PDU-020"]),
        CheckPlan::new(
            "new-key-request",
            "While no keys can be fetched, the server refuses a request signed with an unknown key.",
        )
        .of(&["SS-AUTH-004"]),
        CheckPlan::new(
            "recovers",
            "Once the keys can be fetched again, the server accepts an event signed with the new key.",
        )
        .of(&["SS-KEYS-018"]),
    ],
    play: play!(keys_out_of_reach),
    versions: Versions::Newest,
    ..Scenario::PEER
}];

async fn keys_out_of_reach(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let (alice, mallory) = (&setup.alice, &setup.mallory);
    alice.set_display_name(CALLED).await?;
    setup.send_sentinel("before").await?;
    let fresh = generate_key("fresh")?;
    let of_peer = Party::Peer { name: mallory.name().to_owned() };
    let asks_for_keys = |asked: &Asked<'_>| asked.path.contains("/key/v2/");
    let outage = scene.fault(Fault::on_all(Effect::Cut).to(of_peer).when(asks_for_keys))?;
    let both = KeyPublication::new(mallory.name(), now_ms() + HOUR_MS).current(mallory.peer().key());
    mallory.peer().publish(both.current(&fresh).build());

    let unverifiable = signed_by(&setup, &fresh, "by a new key")?;
    mallory.offer(&setup.host, &[&unverifiable]).await?;
    let request = asked_with(&setup, &fresh).await?;
    let known = setup.send_sentinel("by the known key").await;
    let (known, seen) = match known {
        Ok(sentinel) => (Ok(Observations::from(&sentinel.sighting)), Some(sentinel)),
        Err(failure) => (Err(failure), None),
    };
    scene.check("known-key", known);
    scene.check("new-key-request", disbelieved(alice, &request, "keys.unverifiable_request"));
    let Some(seen) = seen else { return Ok(()) };
    scene.check("new-key-event", alice.never_saw(&unverifiable, &seen.sighting));
    drop(outage);

    // Whoever hears from a server knows that it can be reached.
    setup.send_sentinel("in reach again").await?;
    let late = signed_by(&setup, &fresh, "by the new key, in reach")?;
    mallory.transmit(&setup.host, &[&late]).await?;
    scene.check("recovers", alice.sees(&late).await.map(|sighting| Observations::from(&sighting)));
    believed(alice, &asked_with(&setup, &fresh).await?)?;
    Ok(())
}

/// A message that is signed by another key of the peer's, in due form.
fn signed_by(setup: &PeerSetup<'_>, key: &SigningKey, what: &str) -> Result<Planted, Failure> {
    let id = Tamper::KeyId(key.id().to_owned());
    setup.copy.forge(what, Tamper::Key(key), |room, user| draft_message(room, user, what).tampered(id))
}

/// A request for Alice's profile that is signed by another key of the peer's.
async fn asked_with(setup: &PeerSetup<'_>, key: &SigningKey) -> Result<Reply, Failure> {
    let target = format!("/_matrix/federation/v1/query/profile?user_id={}", segment(setup.alice.id()));
    let (origin, destination) = (setup.mallory.name(), setup.host.name());
    let request = RequestSignature { origin, destination, method: "GET", uri: &target, content: None };
    let header = HeaderForge::honest(&request, key).build();
    setup.mallory.ask_with(&setup.host, "GET", &target, None, &[header]).await
}
