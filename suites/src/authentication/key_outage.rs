//! A server whose keys cannot be fetched for a while (server-server API, retrieving server keys).
//!
//!   join ── with the known key ─┬─ with a new key ───────┬─ with the known key ── with the new key
//!           (keys fetched)      └ (keys out of reach) ───┘   (in reach again)

use samklang_actors::peer::draft_message;
use samklang_matrix::{HeaderForge, KeyPublication, RequestSignature};
use samklang_verdict::Party;
use samklang_wire::switchboard::{Effect, NetworkFault, RoutedRequest};

use super::{DISPLAY_NAME, check_answered, check_refused, server_keys::HOUR_MS};
use crate::{peer_setup::PeerSetup, prelude::*};

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "authentication.keys-out-of-reach",
    title: "While another server's keys cannot be fetched, the server accepts its known keys only; afterwards new ones too.",
    catalogue: &["FC-06"],
    requirements: &["SS-KEYS-018"],
    checks: &[
        CheckPlan::new(
            "known-key",
            "While no keys can be fetched, the server accepts an event signed with a signing key that it has fetched before.",
        ),
        CheckPlan::new(
            "new-key-event",
            "While no keys can be fetched, the server does not show an event signed with an unknown signing key.",
        )
        .of(&["SS-PDU-020"]),
        CheckPlan::new(
            "new-key-request",
            "While no keys can be fetched, the server refuses a request signed with an unknown signing key.",
        )
        .of(&["SS-AUTH-004"]),
        CheckPlan::new(
            "recovers",
            "Once the sending server's keys can be fetched again, the server accepts an event signed with its new signing key.",
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
    alice.set_display_name(DISPLAY_NAME).await?;
    setup.send_sentinel("before").await?;
    let fresh = generate_key("fresh")?;
    let of_peer = Party::Peer { name: mallory.name().to_owned() };
    let asks_for_keys = |asked: &RoutedRequest<'_>| asked.path.starts_with(endpoints::KEY_ROOT);
    let outage = scene.fault(NetworkFault::on_all(Effect::Cut).to(of_peer).when(asks_for_keys))?;
    let both = KeyPublication::new(mallory.name(), now_ms() + HOUR_MS).current(mallory.peer().key());
    mallory.peer().publish(both.current(&fresh).build());

    let unverifiable = message_signed_with(&setup, &fresh, "signed with a new key")?;
    mallory.offer(&setup.host, &[&unverifiable]).await?;
    let request = ask_signed_with(&setup, &fresh).await?;
    let known = setup.send_sentinel("signed with the known key").await;
    let (known, seen) = match known {
        Ok(sentinel) => (Ok(Observations::from(&sentinel.sighting)), Some(sentinel)),
        Err(failure) => (Err(failure), None),
    };
    scene.check("known-key", known);
    scene.check("new-key-request", check_refused(alice, &request, "keys.unverifiable_request"));
    let Some(seen) = seen else { return Ok(()) };
    scene.check("new-key-event", alice.never_saw(&unverifiable, &seen.sighting));
    drop(outage);

    // This message shows the server that Mallory's server can be reached.
    setup.send_sentinel("in reach again").await?;
    let late = message_signed_with(&setup, &fresh, "signed with the new key, in reach again")?;
    mallory.transmit(&setup.host, &[&late]).await?;
    scene.check("recovers", alice.sees(&late).await.map(|sighting| Observations::from(&sighting)));
    check_answered(alice, &ask_signed_with(&setup, &fresh).await?)?;
    Ok(())
}

/// A valid message that is signed with another key of the peer's.
fn message_signed_with(setup: &PeerSetup<'_>, key: &SigningKey, what: &str) -> Result<Planted, Failure> {
    let id = Tamper::KeyId(key.id().to_owned());
    setup.copy.forge(what, Tamper::Key(key), |room, user| draft_message(room, user, what).tampered(id))
}

/// Sends a request for Alice's profile that is signed with another key of the peer's.
async fn ask_signed_with(setup: &PeerSetup<'_>, key: &SigningKey) -> Result<PeerResponse, Failure> {
    let target = paths::query_profile(setup.alice.id());
    let (origin, destination) = (setup.mallory.name(), setup.host.name());
    let request = RequestSignature { origin, destination, method: "GET", uri: &target, content: None };
    let header = HeaderForge::honest(&request, key).build();
    setup.mallory.ask_with(&setup.host, "GET", &target, None, &[header]).await
}
