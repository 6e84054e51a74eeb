//! A server's announcements of its own users' devices and keys (server-server API, device management, end-to-end
//! encryption, send-to-device messaging).

use samklang_actors::user::UserKeys;

use super::edu::{TO_DEVICE_TYPE, to_device_edu};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "signals.devices-told",
    title: "The server sends EDUs for its users' changed devices and keys, and delivers to-device messages.",
    catalogue: &["EE-05", "EE-06", "EE-07"],
    requirements: &["SS-DEVLIST-001"],
    needs: &[Need::Wire, Need::Feature("device-lists"), Need::Feature("to-device")],
    versions: Versions::Newest,
    checks: &[
        CheckPlan::new(
            "from-outside",
            "The server returns a user's device keys as published to another server's user who shares no room.",
        )
        .of(&["SS-E2EE-002", "SS-E2EE-011"]),
        CheckPlan::new(
            "signing-keys-from-outside",
            "The server returns a user's master key as published to another server's user who shares no room.",
        )
        .of(&["SS-E2EE-011", "SS-XSIGN-006"]),
        CheckPlan::new("added", "The server sends an m.device_list_update EDU for a user's new device.")
            .of(&["SS-DEVLIST-001"]),
        CheckPlan::new(
            "renamed",
            "The server sends an m.device_list_update EDU each time a device is renamed.",
        )
        .of(&["SS-DEVLIST-003"]),
        CheckPlan::new(
            "signing-keys",
            "The server sends m.signing_key_update for new cross-signing keys, and returns the master key as published.",
        )
        .of(&["SS-XSIGN-001", "SS-XSIGN-005"]),
        CheckPlan::new("no-key-twice", "The server returns different one-time keys to two key claims.")
            .of(&["SS-E2EE-005"]),
        CheckPlan::new(
            "message",
            "The server delivers a to-device message that is sent to all devices of a user.",
        )
        .of(&["SS-TODEV-001", "SS-TODEV-005"]),
    ],
    play: play!(devices_announced),
    ..Scenario::PAIR
}];

/// Bob asks for Alice's and Dave's keys, first while they share no room, then while Alice and Bob do.
async fn devices_announced(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let dave = host.register("dave").await?;
    let keys =
        || UserKeys::generate().map_err(|error| Problem::harness(message!("judging.bad-id", error = error)));
    let published = dave.publish_signing_keys(&keys()?).await?;
    let shown = bob.device_keys_of(dave.id()).await?;
    let held = shown.value["master_keys"][dave.id()].clone();
    let outcome = check_as_published(&bob, shown, &published["master_key"], &held);
    scene.check("signing-keys-from-outside", outcome);
    let keys = keys()?;
    let device = alice.device_id().await?;
    let published = alice.publish_device_keys(&keys, &device, 3).await?;
    let shown = bob.device_keys_of(alice.id()).await?;
    let held = shown.value["device_keys"][alice.id()][&device].clone();
    scene.check("from-outside", check_as_published(&bob, shown, &published, &held));

    let room = alice.create_room(Private).await?;
    invite_and_join(&alice, &bob, &room).await?;
    alice.set_state(&room, "m.room.encryption", "", json!({"algorithm": "m.megolm.v1.aes-sha2"})).await?;
    let known = alice.send(&room, "all are here").await?;
    let known = Observations::from(bob.sees(&known).await?);
    // From here on Bob's server may hold Alice's device list.
    bob.device_keys_of(alice.id()).await?;
    let announced = async |kind: &str, what: &str, wanted: &(dyn Fn(&Value) -> bool + Sync)| match scene
        .edu_on_wire(kind, alice.role(), |edu| wanted(&edu["content"]))
        .await
    {
        Err(Failure::Inconclusive(_)) => {
            Err(alice.wrong("devices.not_told", message!("fail.not-told", what = what), known.all()))
        }
        other => other,
    };
    let of_device = |device: &str, after: i64| {
        let device = device.to_owned();
        move |update: &Value| {
            update["device_id"] == *device
                && update["stream_id"].as_i64().is_some_and(|stream| stream > after)
        }
    };
    let new = alice.add_device().await?;
    let added = announced("m.device_list_update", "the new device", &of_device(&new, -1)).await;
    let stream = |update: &Result<Observed, Failure>| {
        update.as_ref().map_or(0, |edu| edu.value["content"]["stream_id"].as_i64().unwrap_or_default())
    };
    let mut last = stream(&added);
    scene.check("added", added);
    let mut renamed = Vec::new();
    for name in ["the old telephone", "the new telephone"] {
        alice.rename_device(&device, name).await?;
        let update = announced("m.device_list_update", name, &of_device(&device, last)).await;
        last = stream(&update);
        renamed.push(update);
    }
    let renamed: Result<Vec<_>, _> = renamed.into_iter().collect();
    scene.check("renamed", renamed.map(|both| merge_observations(both[0].clone(), both[1].clone())));

    let signing = async {
        let published = alice.publish_signing_keys(&keys).await?;
        let is_of_alice = |update: &Value| update["user_id"] == *alice.id();
        let edu = announced("m.signing_key_update", "the cross-signing keys", &is_of_alice).await?;
        let wanted = &published["master_key"];
        let given = || async {
            let shown = bob.device_keys_of(alice.id()).await?;
            let held = shown.value["master_keys"][alice.id()].clone();
            Ok(check_as_published(&bob, shown, wanted, &held).ok())
        };
        let shown = bob.eventually("the cross-signing keys", &[alice.id()], given).await?;
        Ok(merge_observations(edu, shown))
    };
    scene.check("signing-keys", signing.await);

    let claims = [bob.claim_key_of(alice.id(), &device).await?, bob.claim_key_of(alice.id(), &device).await?];
    scene.check("no-key-twice", check_different_keys(&bob, claims));

    bob.sends_to_devices(alice.id(), TO_DEVICE_TYPE, &json!({"body": "to all devices"})).await?;
    scene.check("message", alice.sees(to_device_edu(bob.id(), &alice, "", "to all devices").shown).await);
    Ok(())
}

/// Passes if Bob gets the keys that were published, apart from signatures and unsigned data that others have added.
fn check_as_published(
    bob: &User,
    shown: Observed,
    published: &Value,
    held: &Value,
) -> Result<Observations, Failure> {
    let plain = |keys: &Value| {
        let mut keys = keys.clone();
        if let Some(keys) = keys.as_object_mut() {
            keys.remove("unsigned");
            keys.remove("signatures");
        }
        keys
    };
    if plain(published) == plain(held) {
        return Ok(shown.observations);
    }
    let text = message!("fail.keys-differ", user = bob.name());
    Err(bob.wrong("devices.keys_differ", text, shown.observations.all()).showing(published, held))
}

/// Passes if two claims each got a key, and not the same one.
fn check_different_keys(bob: &User, [one, other]: [Observed; 2]) -> Result<Observations, Failure> {
    let wrong = |reason: &str, text| {
        let seen = merge_observations(one.clone(), other.clone());
        Err(bob.wrong(reason, text, seen.all()).showing(&one.value, &other.value))
    };
    match (&one.value, &other.value) {
        (Value::String(first), Value::String(second)) if first != second => {
            Ok(merge_observations(one, other))
        }
        (Value::String(_), Value::String(_)) => wrong("keys.given_twice", message!("fail.key-given-twice")),
        _ => wrong("keys.not_given", message!("fail.key-not-given", user = bob.name())),
    }
}
