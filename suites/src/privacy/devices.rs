//! A server does not give out devices and keys of another server's users (server-server API, device management, end-to-end
//! encryption: a server answers only for its own users).

use crate::{
    peer_answers::check_success,
    prelude::*,
    signals::devices::{DEVICE, ForgedKeys, serve_forged_keys},
};

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "privacy.devices-held-for-others",
    title: "The server does not return the cached devices of another server's user to a third server.",
    catalogue: &["SH-23"],
    requirements: &["SS-DEVLIST-019"],
    needs: &[Need::Wire, Need::Feature("device-lists")],
    checks: &[
        CheckPlan::new(
            "devices",
            "The server does not return the devices of another server's user to a request by a third server.",
        )
        .of(&["SS-DEVLIST-019"]),
        CheckPlan::new(
            "keys",
            "The server does not return the device keys of another server's user to a request by a third server.",
        )
        .of(&["SS-E2EE-004"]),
    ],
    play: play!(devices_held_for_others),
    versions: Versions::Newest,
    ..Scenario::PEER
}];

/// Alice has requested Mallory's devices, so her server has cached them. Eve's server, which is in the room as well,
/// requests them from Alice's server; the twin is a request for Alice's own devices.
async fn devices_held_for_others(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let (alice, mallory) = (&setup.alice, setup.copy.user.as_str());
    let encryption = json!({"algorithm": "m.megolm.v1.aes-sha2"});
    alice.set_state(&setup.room, "m.room.encryption", "", encryption).await?;
    serve_forged_keys(&setup.mallory, &ForgedKeys(unpublished_key()?), mallory);
    let cached = alice.device_keys_of(mallory).await?;
    if cached.value["device_keys"][mallory][DEVICE].is_null() {
        return Err(Failure::Inconclusive(message!("judging.no-answer", what = cached.value)));
    }
    let eve = setup.another_peer_joins("eve").await?.peer;
    for (check, request) in [("devices", DeviceRequest::Devices), ("keys", DeviceRequest::Keys)] {
        let reply = request.send(&eve, &setup.host, mallory).await?;
        check_success(alice, check, &request.send(&eve, &setup.host, alice.id()).await?)?;
        scene.check(check, check_withheld(alice, check, &reply));
    }
    Ok(())
}

/// A request for a user's devices.
#[derive(Clone, Copy)]
enum DeviceRequest {
    Devices,
    Keys,
}

impl DeviceRequest {
    async fn send(self, peer: &ScriptedPeer, host: &Host, user: &str) -> Result<PeerResponse, Failure> {
        match self {
            Self::Devices => peer.ask(host, "GET", &paths::user_devices(user), None).await,
            Self::Keys => {
                let wanted = json!({"device_keys": {user: []}});
                peer.ask(host, "POST", endpoints::USER_KEYS_QUERY.template, Some(&wanted)).await
            }
        }
    }
}

/// Passes if the response does not name the device.
fn check_withheld(alice: &User, what: &str, reply: &PeerResponse) -> Result<Observations, Failure> {
    if (500..600).contains(&reply.status) {
        return Err(Failure::Inconclusive(message!("judging.no-answer", what = reply.in_words())));
    }
    if !reply.body.to_string().contains(DEVICE) {
        return Ok(reply.clone().into());
    }
    let text = message!("fail.disclosed", what = what);
    let failure = alice.wrong("privacy.disclosed", text, std::slice::from_ref(&reply.observation));
    Err(failure.showing(message!("scenario.expected.refusal-or-nothing"), &reply.body))
}
