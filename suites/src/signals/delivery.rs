//! EDUs that are repeated, of an unknown type, or malformed (server-server API, EDUs, send-to-device messaging).

use samklang_actors::peer::Transaction;

use super::edu::{PeerEdu, to_device_edu};
use crate::prelude::*;

const TO_DEVICE: &[Need] = &[Need::Wire, Need::Feature("to-device")];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "signals.to-device-once",
        title: "The server delivers a to-device message once, even if it arrives again.",
        catalogue: &["SH-06"],
        requirements: &["SS-TODEV-004"],
        needs: TO_DEVICE,
        checks: &[
            CheckPlan::new(
                "same",
                "The server delivers a to-device message only once if it arrives in a second transaction too.",
            ),
            CheckPlan::new(
                "other",
                "The server does not deliver another to-device message with a message_id that it has already received.",
            ),
        ],
        play: play!(to_device_once),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
    Scenario {
        id: "signals.unknown-type",
        title: "The server ignores an EDU of an unknown type, and accepts the rest of the transaction.",
        weight: Weight::Should,
        catalogue: &["SH-06"],
        requirements: &["SS-TXN-018"],
        needs: TO_DEVICE,
        checks: &[
            CheckPlan::new(
                "neighbours",
                "The server accepts the other EDUs in the same transaction as an EDU of an unknown type.",
            ),
            CheckPlan::new(
                "event",
                "The server accepts an event in the same transaction as an EDU of an unknown type.",
            ),
        ],
        play: play!(unknown_type),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
    Scenario {
        id: "signals.malformed",
        title: "The server accepts honest EDUs in the same transaction as malformed EDUs and in later transactions.",
        // The specification does not say what happens to the rest of such a transaction.
        weight: Weight::Should,
        catalogue: &["SH-14"],
        needs: TO_DEVICE,
        checks: &[
            CheckPlan::new(
                "typing",
                "The server accepts the other EDUs in the same transaction as a malformed m.typing.",
            ),
            CheckPlan::new(
                "receipt",
                "The server accepts the other EDUs in the same transaction as a malformed m.receipt.",
            ),
            CheckPlan::new(
                "presence",
                "The server accepts the other EDUs in the same transaction as a malformed m.presence.",
            ),
            CheckPlan::new(
                "to-device",
                "The server accepts the other EDUs in the same transaction as a malformed m.direct_to_device.",
            ),
            CheckPlan::new(
                "devices",
                "The server accepts the other EDUs in the same transaction as a malformed m.device_list_update.",
            ),
            CheckPlan::new(
                "keys",
                "The server accepts the other EDUs in the same transaction as a malformed m.signing_key_update.",
            ),
            CheckPlan::new(
                "goes-on",
                "After malformed EDUs the server accepts the EDUs and events of later transactions.",
            ),
        ],
        play: play!(malformed),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
];

fn to_device_message(setup: &PeerSetup<'_>, message_id: &str, body: &str) -> PeerEdu {
    to_device_edu(&setup.copy.user, &setup.alice, message_id, body)
}

/// Each message goes out in a transaction of its own, so that no transaction is repeated.
async fn to_device_once(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let first = setup.send_edu(&setup.mallory, to_device_message(&setup, "seen", "first")).await?;
    let seen = setup.alice.sees(first.clone()).await?;
    setup.send_edu(&setup.mallory, to_device_message(&setup, "seen", "first")).await?;
    let other =
        setup.send_edu(&setup.mallory, to_device_message(&setup, "seen", "another under a seen id")).await?;
    let later = setup.send_edu(&setup.mallory, to_device_message(&setup, "not seen", "later")).await?;
    let later = setup.alice.sees(later).await?;

    let times = setup.alice.seen_so_far(&first).len();
    let seen = merge_observations(seen, &later);
    scene.check(
        "same",
        if times == 1 {
            Ok(seen)
        } else {
            let text = message!("fail.to-device-again", times = times);
            Err(setup.alice.wrong("todevice.repeated", text, seen.all()).showing(1, times))
        },
    );
    scene.check("other", setup.alice.never_saw(other, &later));
    Ok(())
}

async fn unknown_type(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let unknown = json!({"edu_type": "org.example.unknown", "content": {"user_id": setup.copy.user}});
    let messages = [
        to_device_message(&setup, "1", "before the unknown"),
        to_device_message(&setup, "2", "after the unknown"),
    ];
    let edus = [messages[0].edu.clone(), unknown, messages[1].edu.clone()];
    let event = setup.copy.message("beside the unknown")?;
    let transaction = Transaction { events: &[&event], signals: &edus, ..Transaction::default() };
    setup.mallory.deliver(&setup.host, &transaction).await?;
    scene.check("event", setup.alice.sees(&event).await);
    scene.check("neighbours", check_both_shown(&setup, messages).await);
    Ok(())
}

async fn check_both_shown(
    setup: &PeerSetup<'_>,
    [one, other]: [PeerEdu; 2],
) -> Result<Observations, Failure> {
    Ok(merge_observations(setup.alice.sees(one.shown).await?, setup.alice.sees(other.shown).await?))
}

/// Malformed EDUs: the check, the EDU type, and several contents.
fn malformed_contents(setup: &PeerSetup<'_>) -> Vec<(&'static str, &'static str, Vec<Value>)> {
    let (user, room, alice) = (&setup.copy.user, &setup.room.id, setup.alice.id());
    vec![
        (
            "typing",
            "m.typing",
            vec![
                json!({}),
                json!({"room_id": room, "user_id": 7, "typing": true}),
                json!({"room_id": [room], "user_id": user, "typing": "yes"}),
                json!({"room_id": "no room id", "user_id": "no user id", "typing": true}),
            ],
        ),
        (
            "receipt",
            "m.receipt",
            vec![
                json!({room: []}),
                json!({room: {"m.read": [user]}}),
                json!({room: {"m.read": {user: {"event_ids": "none", "data": 7}}}}),
                json!({"no room id": {"m.read": {"no user id": {}}}}),
            ],
        ),
        (
            "presence",
            "m.presence",
            vec![
                json!({"push": {}}),
                json!({"push": [7, "nobody", null]}),
                json!({"push": [{"user_id": user, "presence": 7, "last_active_ago": "long"}]}),
            ],
        ),
        (
            "to-device",
            "m.direct_to_device",
            vec![
                json!({}),
                json!({"sender": user, "type": 7, "message_id": [], "messages": {alice: {"*": {}}}}),
                json!({"sender": user, "type": "org.example", "message_id": "odd", "messages": [alice]}),
                json!({"sender": user, "type": "org.example", "message_id": "odder", "messages": {alice: "*"}}),
            ],
        ),
        (
            "devices",
            "m.device_list_update",
            vec![
                json!({}),
                json!({"user_id": user, "device_id": 7, "stream_id": "one", "prev_id": {}}),
                json!({"user_id": "nobody", "device_id": "D", "stream_id": 1, "keys": []}),
            ],
        ),
        (
            "keys",
            "m.signing_key_update",
            vec![json!({}), json!({"user_id": user, "master_key": [], "self_signing_key": "none"})],
        ),
    ]
}

/// Mallory's server sends each malformed EDU between two honest ones, in a transaction of its own. The server may answer
/// as it likes; the honest EDUs have to take effect.
async fn malformed(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    for (check, kind, contents) in malformed_contents(&setup) {
        let mut all = None;
        for (number, content) in contents.into_iter().enumerate() {
            let bad = json!({"edu_type": kind, "content": content});
            let name = |place: &str| format!("{place} {kind} {number}");
            let messages = ["before", "after"].map(|place| {
                let body = name(place);
                to_device_message(&setup, &format!("{check}-{place}-{number}"), &body)
            });
            let edus = [messages[0].edu.clone(), bad, messages[1].edu.clone()];
            let transaction = Transaction { signals: &edus, ..Transaction::default() };
            setup.mallory.deliver(&setup.host, &transaction).await?;
            let shown = check_both_shown(&setup, messages).await;
            if all.as_ref().is_none_or(Result::is_ok) {
                all = Some(shown);
            }
        }
        scene.check(
            check,
            all.unwrap_or_else(|| Err(Failure::Inconclusive(message!("judging.nothing-gathered")))),
        );
    }
    let goes_on = async {
        let later = setup
            .alice
            .sees(setup.send_edu(&setup.mallory, to_device_message(&setup, "later", "later")).await?)
            .await?;
        Ok(merge_observations(later, setup.send_sentinel("and later").await?.sighting))
    };
    scene.check("goes-on", goes_on.await);
    Ok(())
}
