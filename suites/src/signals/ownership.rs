//! Signals about users of other servers than the one that sends them (server-server API, EDUs): a server speaks for its
//! own users only.

use super::edu::{online, read, to_device, types};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "signals.typing-of-others",
        title: "The server accepts typing only for users of the sending server.",
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
        title: "The server ignores typing of a user who is not in the room.",
        weight: Weight::Should,
        catalogue: &["SH-06"],
        requirements: &["SS-TYPING-004"],
        needs: &[Need::Wire, Need::Feature("typing")],
        checks: &[
            CheckPlan::new(
                "user-outside",
                "The server ignores typing of a user who is not in the room, even if their server is in it.",
            ),
            CheckPlan::new(
                "server-outside",
                "The server ignores typing from a server that has no user in the room.",
            ),
        ],
        play: play!(typing_from_outside),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
    Scenario {
        id: "signals.receipts-of-others",
        title: "The server accepts receipts only for users of the sending server.",
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
        title: "The server accepts presence only for users of the sending server.",
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
                "The server ignores a to-device message in the name of the user whom it is for.",
            ),
        ],
        play: play!(to_device_of_others),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
];

const OF_THIRD: CheckPlan =
    CheckPlan::new("of-third", "The server ignores an EDU in the name of a third server's user.");
const OF_OWN: CheckPlan =
    CheckPlan::new("of-own", "The server ignores an EDU from another server in the name of its own user.");

/// Whom Mallory speaks for: a user of Olof's server and one of Alice's, both in the room.
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
    let of = |user: &str| types(&setup.room, user);
    setup
        .only_the_twin_counts(vec![("of-third", of(&olof)), ("of-own", of(&carol))], of(&setup.copy.user))
        .await
}

async fn typing_from_outside(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let outsider = scene.peer("olof").await?;
    let (eve, olof) = (setup.mallory.user("eve"), outsider.user("olof"));
    let lies = [
        ("user-outside", setup.tell(&setup.mallory, types(&setup.room, &eve)).await?),
        ("server-outside", setup.tell(&outsider, types(&setup.room, &olof)).await?),
    ];
    let twin = setup.tell(&setup.mallory, types(&setup.room, &setup.copy.user)).await?;
    let twin = setup.alice.sees(twin).await?;
    for (check, lie) in lies {
        scene.check(check, setup.alice.never_saw(lie, &twin));
    }
    Ok(())
}

async fn receipts_of_others(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let Victims { olof, carol } = victims(&setup).await?;
    let order = setup.alice.send(&setup.room, "to be read").await?;
    scene.event_on_wire(&order).await?;
    let of = |user: &str| read(&setup.room, user, &order);
    setup
        .only_the_twin_counts(vec![("of-third", of(&olof)), ("of-own", of(&carol))], of(&setup.copy.user))
        .await
}

/// The status tells what Mallory's server says from what users' own servers say of them meanwhile.
async fn presence_of_others(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let Victims { olof, carol } = victims(&setup).await?;
    let of = |user: &str| online(user, "as Mallory's server has it");
    setup
        .only_the_twin_counts(vec![("of-third", of(&olof)), ("of-own", of(&carol))], of(&setup.copy.user))
        .await
}

async fn to_device_of_others(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let Victims { olof, carol } = victims(&setup).await?;
    let of = |user: &str, message_id: &str| to_device(user, &setup.alice, message_id, "in this name");
    let alice = setup.alice.id().to_owned();
    let lies =
        vec![("of-third", of(&olof, "1")), ("of-own", of(&carol, "2")), ("of-oneself", of(&alice, "3"))];
    setup.only_the_twin_counts(lies, of(&setup.copy.user, "4")).await
}
