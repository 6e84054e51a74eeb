//! Device lists and cross-signing keys of other servers' users (server-server API, device management).

use super::edu::{PeerEdu, device_list_changed};
use crate::prelude::*;

const DEVICES: &[Need] = &[Need::Wire, Need::Feature("device-lists")];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "signals.devices-of-others",
        title: "The server accepts device list updates only for users of the sending server.",
        catalogue: &["SH-06"],
        requirements: &["SS-DEVLIST-013"],
        needs: DEVICES,
        checks: &[
            CheckPlan::new(
                "of-third",
                "The server ignores a device list update for a user of a third server.",
            ),
            CheckPlan::new(
                "of-own",
                "The server ignores a device list update from another server for its own user.",
            ),
        ],
        play: play!(devices_of_others),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
    Scenario {
        id: "signals.signing-keys-of-others",
        title: "The server accepts cross-signing keys only for users of the sending server.",
        catalogue: &["SH-06"],
        requirements: &["SS-XSIGN-004"],
        needs: DEVICES,
        checks: &[
            CheckPlan::new("of-third", "The server ignores cross-signing keys for a user of a third server."),
            CheckPlan::new(
                "of-own",
                "The server ignores cross-signing keys from another server for its own user.",
            ),
        ],
        play: play!(signing_keys_of_others),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
];

/// The ID of the device that Mallory's server announces for several users.
pub(crate) const DEVICE: &str = "FORGED";

/// Makes an EDU that announces keys of a user.
type AnnouncementEdu = fn(&ForgedKeys, user: &str) -> Value;

/// Makes the keys that Mallory's server announces for a user.
pub(crate) struct ForgedKeys(pub(crate) SigningKey);

impl ForgedKeys {
    fn signed(&self, user: &str, mut object: Value) -> Value {
        if let Some(object) = object.as_object_mut() {
            self.0.sign_json(object, user);
        }
        object
    }

    /// Device keys of a user (client-server API, device keys).
    fn device(&self, user: &str) -> Value {
        let public = self.0.public_base64();
        self.signed(
            user,
            json!({
                "user_id": user, "device_id": DEVICE,
                "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
                "keys": {format!("ed25519:{DEVICE}"): public, format!("curve25519:{DEVICE}"): public},
            }),
        )
    }

    /// A master key of a user (client-server API, cross-signing).
    fn master(&self, user: &str) -> Value {
        let public = self.0.public_base64();
        json!({"user_id": user, "usage": ["master"], "keys": {format!("ed25519:{public}"): public}})
    }
}

fn device_update(keys: &ForgedKeys, user: &str) -> Value {
    // It continues the stream that the receiving server may hold of the user, so that it need not fetch the whole list.
    let content = json!({
        "user_id": user, "device_id": DEVICE, "device_display_name": "forged", "stream_id": 2, "prev_id": [1],
        "keys": keys.device(user),
    });
    json!({"edu_type": "m.device_list_update", "content": content})
}

fn signing_key_update(keys: &ForgedKeys, user: &str) -> Value {
    json!({"edu_type": "m.signing_key_update", "content": {"user_id": user, "master_key": keys.master(user)}})
}

async fn devices_of_others(scene: &Scene) -> Result<(), Failure> {
    let held = |keys: &Value, user: &str| !keys["device_keys"][user][DEVICE].is_null();
    judge_announcements(scene, device_update, held).await
}

async fn signing_keys_of_others(scene: &Scene) -> Result<(), Failure> {
    let held = |keys: &Value, user: &str| !keys["master_keys"][user].is_null();
    judge_announcements(scene, signing_key_update, held).await
}

/// Mallory's server announces keys of Olof, of Carol and of Mallory, who are all in an encrypted room of Alice's. Once
/// Alice's sync lists Mallory as device_list_changed, she asks for the keys of each of them.
async fn judge_announcements(
    scene: &Scene,
    announce: AnnouncementEdu,
    held: fn(&Value, &str) -> bool,
) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let encryption = json!({"algorithm": "m.megolm.v1.aes-sha2"});
    setup.alice.set_state(&setup.room, "m.room.encryption", "", encryption).await?;
    let olof = setup.another_peer_joins("olof").await?.user;
    let carol = setup.host.register("carol").await?;
    carol.join(&setup.room).await?;
    setup.alice.sees(join(&setup.room, &carol)).await?;
    let keys = ForgedKeys(unpublished_key()?);
    let (victims, mallory) = ([("of-third", olof.as_str()), ("of-own", carol.id())], &setup.copy.user);
    serve_forged_keys(&setup.mallory, &keys, mallory);
    // From here on the host may hold the device list of each of them.
    let known = setup.send_sentinel("all are here").await?;
    for user in [&olof, mallory] {
        setup.alice.device_keys_of(user).await?;
    }

    for (_, user) in victims {
        let lie = PeerEdu { edu: announce(&keys, user), shown: device_list_changed(user) };
        setup.send_edu(&setup.mallory, lie).await?;
    }
    let twin = PeerEdu {
        edu: announce(&keys, mallory),
        shown: device_list_changed(mallory).following(&known.sighting),
    };
    let twin = setup.alice.sees(setup.send_edu(&setup.mallory, twin).await?).await?;
    let of_mallory = setup.alice.device_keys_of(mallory).await?;
    if !held(&of_mallory.value, mallory) {
        let text = message!("fail.own-keys-missing");
        let failure = setup.alice.wrong("devices.own_not_taken", text, of_mallory.observations.all());
        return Err(failure.showing(announce(&keys, mallory), of_mallory.value));
    }
    for (check, user) in victims {
        let shown = setup.alice.device_keys_of(user).await?;
        scene.check(
            check,
            if held(&shown.value, user) {
                let text = message!("fail.foreign-keys", user = scene.ledger().name_of(user));
                Err(setup.alice.wrong("devices.foreign_taken", text, shown.observations.all()))
            } else {
                Ok(merge_observations(&twin, shown))
            },
        );
    }
    Ok(())
}

/// Mallory's server answers requests for his devices and keys with the keys that it announces.
pub(crate) fn serve_forged_keys(mallory: &ScriptedPeer, keys: &ForgedKeys, user: &str) {
    let (device, master) = (keys.device(user), keys.master(user));
    let (id, of_device, of_master) = (user.to_owned(), device.clone(), master.clone());
    mallory.peer().lie("/user/devices/", move |_| {
        let device = json!({"device_id": DEVICE, "device_display_name": "forged", "keys": of_device});
        json!({"user_id": id, "stream_id": 2, "devices": [device], "master_key": of_master})
    });
    let id = user.to_owned();
    mallory.peer().lie(
        "/user/keys/query",
        move |_| json!({"device_keys": {&id: {DEVICE: device}}, "master_keys": {&id: master}}),
    );
}
