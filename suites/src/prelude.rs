//! What every file of scenarios needs.

pub(crate) use samklang_matrix::{SigningKey, Tamper};
pub(crate) use samklang_reference::segment;
pub(crate) use samklang_runner::{
    peer::{Held, Planted, Reply, RoomCopy, ScriptedPeer, now_ms},
    play,
    scenario::{CheckPlan, Kind, Need, Scenario, Versions},
    scene::{Host, Scene},
    wire::Passage,
};
pub(crate) use samklang_stage::{
    driver::{File, JoinRule, ReceiptKind},
    user::{
        Failure, MustBeRefused, Observed, Private, Public, Room, RoomPlan, Sent, Sighting, User, ban, event,
        invite, invited, join, knock, leave, presence, receipt, state, stripped, typing,
    },
};
pub(crate) use samklang_verdict::{Exchange, Observation, Observations, Problem, Role, Weight, message};
pub(crate) use serde_json::{Value, json};

use samklang_stage::switchboard::Asked;

pub(crate) use crate::visit::{Visit, visit};

/// Whether a server is asked to take a transaction.
pub(crate) fn is_transaction(asked: &Asked<'_>) -> bool {
    asked.path.contains("/federation/v1/send/")
}

/// What host and guest hold of the same thing, for an expectation that both have to meet.
pub(crate) fn both(host: Observed, guest: Observed) -> Observed {
    Observed::together(("host", host), [("guest", guest)])
}

/// Alice at the host and Bob at the guest, both joined to a private room of Alice's.
pub(crate) async fn two_in_a_room(scene: &Scene) -> Result<(User, User, Room), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let room = alice.create_room(Private).await?;
    alice.invite(&room, &bob).await?;
    bob.sees(invite(&room, &bob)).await?;
    bob.join(&room).await?;
    alice.sees(join(&room, &bob)).await?;
    // A sync that was under way when he joined may lose what is signalled in the room before he is shown his join.
    bob.sees(join(&room, &bob)).await?;
    Ok((alice, bob, room))
}

/// What a check rests on that is about both servers.
pub(crate) fn by_both(one: impl Into<Observations>, other: impl Into<Observations>) -> Observations {
    let (one, other) = (one.into(), other.into());
    let rest = one.all().iter().chain(other.all()).cloned();
    Observations::new(one.all()[0].clone(), rest)
}

/// `host` invites `user`, who joins; `host` sees it.
pub(crate) async fn bring_in(host: &User, user: &User, room: &Room) -> Result<(), Failure> {
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

/// `guest` joins `host`'s public room; by invite where the server at `home` declares that nobody comes without one. Who
/// has been invited when the call returns need not look, and so is not online by having looked.
pub(crate) async fn come_in(home: &Host, host: &User, guest: &User, room: &Room) -> Result<(), Failure> {
    if !home.declares("uninvited-joins") {
        host.invite(room, guest).await?;
    }
    guest.join(room).await?;
    Ok(())
}

/// Alice sees that a peer's `user` has this membership.
pub(crate) async fn shown_as(
    alice: &User,
    room: &Room,
    user: &str,
    membership: &'static str,
) -> Result<(), Failure> {
    let right = move |event: &Value| event["content"]["membership"] == membership;
    alice.sees(state(room, "m.room.member", user).and(membership, right)).await?;
    Ok(())
}

/// What of a member event both servers have to show alike: who says what of whom, and why.
pub(crate) fn membership_in(sighting: &Sighting) -> Observed {
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

/// Those of `wanted` that are among `events`, in the order of `events`.
pub(crate) fn ids_among(events: &Value, wanted: &[String]) -> Value {
    let ids = events.as_array().into_iter().flatten().map(|event| event["event_id"].clone());
    ids.filter(|id| wanted.iter().any(|wanted| *id == **wanted)).collect()
}

/// The smallest picture there is: one grey PNG pixel.
pub(crate) fn picture() -> File {
    const PNG: &[u8] =
        b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\
        \x9bU\x00\x00\x00\x0aIDATx\xdach\x00\x00\x00\x82\x00\x81\xdaE\x08;\x00\x00\x00\x00IEND\xaeB`\x82";
    File { bytes: PNG.to_vec(), content_type: Some("image/png".into()), name: Some("picture.png".into()) }
}

/// A key that no server has published, under the id of a peer's own.
pub(crate) fn stranger_key() -> Result<SigningKey, Failure> {
    new_key("peer")
}

/// A key with the id `ed25519:<version>`.
pub(crate) fn new_key(version: &str) -> Result<SigningKey, Failure> {
    let none = |error| Problem::harness(message!("stage.no-peer", name = version, error = error));
    SigningKey::generate(version).map_err(|error| Failure::Problem(none(error)))
}
