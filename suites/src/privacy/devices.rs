//! What a server knows of another server's users is not for it to hand out (server-server API, device management,
//! end-to-end encryption: a server answers for its own users).

use crate::{
    peer_answers::check_success,
    prelude::*,
    signals::devices::{DEVICE, Keys, publish},
};

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "privacy.devices-held-for-others",
    title: "What a server holds of the devices of another server's user is not given to a third.",
    catalogue: &["SH-23"],
    requirements: &["SS-DEVLIST-019"],
    needs: &[Need::Wire, Need::Feature("device-lists")],
    checks: &[
        CheckPlan::new("devices", "The list of the devices is not given out.").of(&["SS-DEVLIST-019"]),
        CheckPlan::new("keys", "The keys of the devices are not given out.").of(&["SS-E2EE-004"]),
    ],
    play: play!(devices_held_for_others),
    versions: Versions::Newest,
    ..Scenario::PEER
}];

/// Alice has asked for Mallory's devices, so her server holds them. Eve's server, which is in the room as well, asks
/// Alice's for them; the twin is that it asks for Alice's own.
async fn devices_held_for_others(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let (alice, mallory) = (&setup.alice, setup.copy.user.as_str());
    let encryption = json!({"algorithm": "m.megolm.v1.aes-sha2"});
    alice.set_state(&setup.room, "m.room.encryption", "", encryption).await?;
    publish(&setup.mallory, &Keys(unpublished_key()?), mallory);
    let held = alice.device_keys_of(mallory).await?;
    if held.value["device_keys"][mallory][DEVICE].is_null() {
        return Err(Failure::Inconclusive(message!("judging.no-answer", what = held.value)));
    }
    let eve = setup.another_peer_joins("eve").await?.peer;
    for (check, way) in [("devices", Way::Devices), ("keys", Way::Keys)] {
        let reply = way.ask(&eve, &setup.host, mallory).await?;
        check_success(alice, check, &way.ask(&eve, &setup.host, alice.id()).await?)?;
        scene.check(check, withheld(alice, check, &reply));
    }
    Ok(())
}

/// The ways to ask for a user's devices.
#[derive(Clone, Copy)]
enum Way {
    Devices,
    Keys,
}

impl Way {
    async fn ask(self, peer: &ScriptedPeer, host: &Host, user: &str) -> Result<Reply, Failure> {
        let path = |rest: &str| format!("/_matrix/federation/v1/user/{rest}");
        match self {
            Self::Devices => peer.ask(host, "GET", &path(&format!("devices/{}", segment(user))), None).await,
            Self::Keys => {
                let wanted = json!({"device_keys": {user: []}});
                peer.ask(host, "POST", &path("keys/query"), Some(&wanted)).await
            }
        }
    }
}

fn withheld(alice: &User, what: &str, reply: &Reply) -> Result<Observations, Failure> {
    if (500..600).contains(&reply.status) {
        return Err(Failure::Inconclusive(message!("judging.no-answer", what = reply.in_words())));
    }
    if !reply.body.to_string().contains(DEVICE) {
        return Ok(reply.clone().into());
    }
    let text = message!("fail.disclosed", what = what);
    let failure = alice.wrong("privacy.disclosed", text, std::slice::from_ref(&reply.observation));
    Err(failure.showing("a refusal, or nothing", &reply.body))
}
