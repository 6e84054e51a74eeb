//! The names and helpers that every file of scenarios uses.

pub(crate) use samklang_actors::{
    host::Host,
    peer::{HeldContent, PeerResponse, Planted, RoomCopy, ScriptedPeer, now_ms},
    user::{
        Failure, MustBeRefused, Observed, Private, Public, Room, RoomPlan, Sent, Sighting, User, ban, event,
        invite, invited, join, knock, leave, presence, receipt, state, stripped, typing,
    },
};
pub(crate) use samklang_drivers::{JoinRule, MediaFile, ReceiptKind};
pub(crate) use samklang_matrix::{
    SigningKey, Tamper,
    endpoints::{self, client, paths},
};
pub(crate) use samklang_runner::{
    play,
    scenario::{CheckPlan, Need, Scenario, ScenarioKind, Versions},
    scene::Scene,
    traffic::wire_view::Delivery,
};
pub(crate) use samklang_verdict::{Exchange, Observation, Observations, Problem, Role, Weight, message};
pub(crate) use serde_json::{Value, json};

use samklang_wire::switchboard::RoutedRequest;

pub(crate) use crate::peer_setup::{PeerSetup, mallory_in_public_room};

/// Whether the request sends a transaction.
pub(crate) fn is_transaction(asked: &RoutedRequest<'_>) -> bool {
    endpoints::SEND.matches(asked.method, asked.path)
}

/// Puts what the host and the guest hold of the same thing into one observed value, for an expectation about both.
pub(crate) fn host_and_guest(host: Observed, guest: Observed) -> Observed {
    Observed::together(("host", host), [("guest", guest)])
}

/// Alice at the host creates a private room; Bob at the guest joins it by her invite.
pub(crate) async fn two_in_a_room(scene: &Scene) -> Result<(User, User, Room), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let room = alice.create_room(Private).await?;
    alice.invite(&room, &bob).await?;
    bob.sees(invite(&room, &bob)).await?;
    bob.join(&room).await?;
    alice.sees(join(&room, &bob)).await?;
    // A sync that was under way when he joined may lose EDUs of the room until he is shown his join.
    bob.sees(join(&room, &bob)).await?;
    Ok((alice, bob, room))
}

/// All observations of a check that rests on both.
pub(crate) fn merge_observations(
    one: impl Into<Observations>,
    other: impl Into<Observations>,
) -> Observations {
    let (one, other) = (one.into(), other.into());
    let rest = one.all().iter().chain(other.all()).cloned();
    Observations::new(one.all()[0].clone(), rest)
}

/// `host` invites `user`, who joins; `host` sees the join.
pub(crate) async fn invite_and_join(host: &User, user: &User, room: &Room) -> Result<(), Failure> {
    host.invite(room, user).await?;
    user.sees(invite(room, user)).await?;
    user.join(room).await?;
    host.sees(join(room, user)).await?;
    Ok(())
}

/// The local part of a user's id.
pub(crate) fn localpart(user: &User) -> &str {
    user.id().trim_start_matches('@').split(':').next().unwrap_or_default()
}

/// `guest` joins the public room of `host`, by invite where the server `home` does not declare the feature
/// `uninvited-joins`. The guest does not sync for the invite, so that no sync sets the guest's presence to online.
pub(crate) async fn join_public_room(
    home: &Host,
    host: &User,
    guest: &User,
    room: &Room,
) -> Result<(), Failure> {
    if !home.declares("uninvited-joins") {
        host.invite(room, guest).await?;
    }
    guest.join(room).await?;
    Ok(())
}

/// Alice sees that `user`, a peer's, has this membership.
pub(crate) async fn sees_membership(
    alice: &User,
    room: &Room,
    user: &str,
    membership: &'static str,
) -> Result<(), Failure> {
    let right = move |event: &Value| event["content"]["membership"] == membership;
    alice.sees(state(room, "m.room.member", user).and(membership, right)).await?;
    Ok(())
}

/// The parts of a member event that every server has to show alike: sender, user, membership and reason.
pub(crate) fn membership_details(sighting: &Sighting) -> Observed {
    Observed::from(sighting).map(|event| {
        let content = &event["content"];
        json!({
            "by": event["sender"],
            "of": event["state_key"],
            "membership": content["membership"],
            "reason": content["reason"],
        })
    })
}

/// The ids of those `events` that are among `wanted`, in the order of `events`.
pub(crate) fn wanted_ids_in_order(events: &Value, wanted: &[String]) -> Value {
    let ids = events.as_array().into_iter().flatten().map(|event| event["event_id"].clone());
    ids.filter(|id| wanted.iter().any(|wanted| *id == **wanted)).collect()
}

/// A PNG picture of one grey pixel.
pub(crate) fn picture() -> MediaFile {
    const PNG: &[u8] =
        b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\
        \x9bU\x00\x00\x00\x0aIDATx\xdach\x00\x00\x00\x82\x00\x81\xdaE\x08;\x00\x00\x00\x00IEND\xaeB`\x82";
    MediaFile {
        bytes: PNG.to_vec(),
        content_type: Some("image/png".into()),
        name: Some("picture.png".into()),
    }
}

/// A key that no server has published, under the id that a peer's own key has.
pub(crate) fn unpublished_key() -> Result<SigningKey, Failure> {
    generate_key("peer")
}

/// A new key with the id `ed25519:<version>`.
pub(crate) fn generate_key(version: &str) -> Result<SigningKey, Failure> {
    let none = |error| Problem::harness(message!("stage.no-peer", name = version, error = error));
    SigningKey::generate(version).map_err(|error| Failure::Problem(none(error)))
}
