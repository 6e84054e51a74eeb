//! EDUs about users of another server than the sending one (server-server API, EDUs): a server may send EDUs only for its
//! own users.

use super::edu::{presence_edu, receipt_edu, to_device_edu, typing_edu};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "signals.typing-of-others",
        title: "The server accepts m.typing EDUs only for users of the sending server.",
        weight: Weight::Should,
        catalogue: &["SH-06"],
        requirements: &["SS-TYPING-003"],
        needs: &[Need::Wire, Need::Feature("typing")],
        checks: &[OF_THIRD, OF_OWN],
        play: play!(typing_of_others),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
    Scenario {
        id: "signals.typing-from-outside",
        title: "The server ignores an m.typing EDU of a user who is not in the room.",
        weight: Weight::Should,
        catalogue: &["SH-06"],
        requirements: &["SS-TYPING-004"],
        needs: &[Need::Wire, Need::Feature("typing")],
        checks: &[
            CheckPlan::new(
                "user-outside",
                "The server ignores an m.typing EDU of a user who is not in the room, even if their server is in it.",
            ),
            CheckPlan::new(
                "server-outside",
                "The server ignores an m.typing EDU from a server that has no user in the room.",
            ),
        ],
        play: play!(typing_from_outside_the_room),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
    Scenario {
        id: "signals.receipts-of-others",
        title: "The server accepts m.receipt EDUs only for users of the sending server.",
        catalogue: &["SH-06"],
        requirements: &["SS-RECEIPT-005"],
        needs: &[Need::Wire, Need::Feature("receipts")],
        checks: &[OF_THIRD, OF_OWN],
        play: play!(receipts_of_others),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
    Scenario {
        id: "signals.presence-of-others",
        title: "The server accepts m.presence EDUs only for users of the sending server.",
        catalogue: &["SH-06"],
        requirements: &["SS-PRESENCE-004"],
        needs: &[Need::Wire, Need::Feature("presence")],
        checks: &[OF_THIRD, OF_OWN],
        play: play!(presence_of_others),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
    Scenario {
        id: "signals.to-device-of-others",
        title: "The server accepts to-device messages only from users of the sending server.",
        catalogue: &["SH-06"],
        requirements: &["SS-TODEV-006"],
        needs: &[Need::Wire, Need::Feature("to-device")],
        checks: &[
            OF_THIRD,
            OF_OWN,
            CheckPlan::new(
                "of-oneself",
                "The server ignores another server's to-device message that names its own recipient as the sender.",
            ),
        ],
        play: play!(to_device_of_others),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
];

const OF_THIRD: CheckPlan = CheckPlan::new(
    "of-third",
    "The server ignores an EDU that the sending server sends in the name of a third server's user.",
);
const OF_OWN: CheckPlan = CheckPlan::new(
    "of-own",
    "The server ignores an EDU that another server sends in the name of the receiving server's own user.",
);

/// The users in whose name Mallory's server sends EDUs: one of Olof's server and one of Alice's, both in the room.
struct Victims {
    olof: String,
    carol: String,
}

async fn victims(setup: &PeerSetup<'_>) -> Result<Victims, Failure> {
    let olof = setup.another_peer_joins("olof").await?.user;
    let carol = setup.host.register("carol").await?;
    carol.join(&setup.room).await?;
    setup.alice.sees(join(&setup.room, &carol)).await?;
    Ok(Victims { olof, carol: carol.id().to_owned() })
}

async fn typing_of_others(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let Victims { olof, carol } = victims(&setup).await?;
    let of = |user: &str| typing_edu(&setup.room, user);
    setup
        .check_only_twin_shown(vec![("of-third", of(&olof)), ("of-own", of(&carol))], of(&setup.copy.user))
        .await
}

async fn typing_from_outside_the_room(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let outsider = scene.peer("olof").await?;
    let (eve, olof) = (setup.mallory.user("eve"), outsider.user("olof"));
    let lies = [
        ("user-outside", setup.send_edu(&setup.mallory, typing_edu(&setup.room, &eve)).await?),
        ("server-outside", setup.send_edu(&outsider, typing_edu(&setup.room, &olof)).await?),
    ];
    let twin = setup.send_edu(&setup.mallory, typing_edu(&setup.room, &setup.copy.user)).await?;
    let twin = setup.alice.sees(twin).await?;
    for (check, lie) in lies {
        scene.check(check, setup.alice.never_saw(lie, &twin));
    }
    Ok(())
}

async fn receipts_of_others(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let Victims { olof, carol } = victims(&setup).await?;
    let message = setup.alice.send(&setup.room, "to be read").await?;
    scene.event_on_wire(&message).await?;
    let of = |user: &str| receipt_edu(&setup.room, user, &message);
    setup
        .check_only_twin_shown(vec![("of-third", of(&olof)), ("of-own", of(&carol))], of(&setup.copy.user))
        .await
}

/// The status message tells the presence that Mallory's server sends from the presence that the users' own servers send.
async fn presence_of_others(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let Victims { olof, carol } = victims(&setup).await?;
    let of = |user: &str| presence_edu(user, "as Mallory's server has it");
    setup
        .check_only_twin_shown(vec![("of-third", of(&olof)), ("of-own", of(&carol))], of(&setup.copy.user))
        .await
}

async fn to_device_of_others(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let Victims { olof, carol } = victims(&setup).await?;
    let of = |user: &str, message_id: &str| {
        to_device_edu(user, &setup.alice, message_id, "in another user's name")
    };
    let alice = setup.alice.id().to_owned();
    let lies =
        vec![("of-third", of(&olof, "1")), ("of-own", of(&carol, "2")), ("of-oneself", of(&alice, "3"))];
    setup.check_only_twin_shown(lies, of(&setup.copy.user, "4")).await
}
