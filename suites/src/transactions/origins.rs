//! Transactions with content of other servers (server-server API, transactions; request authentication).

use samklang_actors::peer::Transaction;

use crate::{
    prelude::*,
    signals::edu::{to_device_edu, typing_edu},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "transactions.gossip",
        title: "The server accepts an event that its sender's server signed, whichever server sends the transaction.",
        catalogue: &["FC-15"],
        requirements: &["SS-TXN-020"],
        checks: &[CheckPlan::new("accepted", "The server shows an event that a third server sends in a transaction.")],
        play: play!(delivered_by_a_third_server),
        ..Scenario::PEER
    },
    Scenario {
        id: "transactions.false-origin",
        title: "The server treats a transaction as one of the server that signed the request, whatever origin its body names.",
        catalogue: &["SH-05"],
        requirements: &["SS-AUTH-004"],
        needs: &[Need::Wire, Need::Feature("typing"), Need::Feature("to-device")],
        checks: &[
            CheckPlan::new(
                "typing",
                "The server ignores an m.typing EDU for a user of the server that only the transaction's body names.",
            )
            .of(&["SS-AUTH-004", "SS-TYPING-003"]),
            CheckPlan::new(
                "to-device",
                "The server ignores a to-device message from a user of the server that only the transaction's body names.",
            )
            .of(&["SS-AUTH-004", "SS-TODEV-006"]),
            CheckPlan::new(
                "id-still-free",
                "The server accepts a transaction with the same transaction ID from the server that only the body named.",
            )
            .of(&["SS-AUTH-004", "SS-TXN-012"]),
        ],
        play: play!(false_origin),
        ..Scenario::PEER
    },
];

async fn delivered_by_a_third_server(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let olof = setup.another_peer_joins("olof").await?;
    let message = olof.message("a message of Olof's")?;
    let accepted = async {
        setup.mallory.transmit(&setup.host, &[&message]).await?;
        setup.alice.sees(&message).await
    };
    scene.check("accepted", accepted.await);
    Ok(())
}

/// Mallory's transaction names Olof's server in its body. The server may refuse it or accept it as Mallory's; either way
/// Olof's server can still use the transaction ID.
async fn false_origin(scene: &Scene) -> Result<(), Failure> {
    const ID: &str = "in-the-name-of-olof";
    let setup = mallory_in_public_room(scene).await?;
    let olof = setup.another_peer_joins("olof").await?;
    let (typing, to_device) =
        (typing_edu(&setup.room, &olof.user), to_device_edu(&olof.user, &setup.alice, "1", "not by Olof"));
    let edus = [typing.edu, to_device.edu];
    let (id, origin) = (Some(ID), Some(olof.peer.name()));
    let lie = Transaction { signals: &edus, id, origin, ..Transaction::default() };
    let reply = setup.mallory.deliver(&setup.host, &lie).await?;
    let tick = scene.ledger().tick();
    let [typing, to_device] =
        [typing.shown, to_device.shown].map(|shown| shown.taken_in(reply.observation.exchange, tick));

    let twin = setup.send_edu(&setup.mallory, typing_edu(&setup.room, &setup.copy.user)).await?;
    let twin = setup.alice.sees(twin).await?;
    scene.check("typing", setup.alice.never_saw(typing, &twin));
    let message_of_mallory = to_device_edu(&setup.copy.user, &setup.alice, "2", "by Mallory");
    let twin = setup.alice.sees(setup.send_edu(&setup.mallory, message_of_mallory).await?).await?;
    scene.check("to-device", setup.alice.never_saw(to_device, &twin));

    let message = olof.message("a message of Olof's")?;
    let honest = Transaction { events: &[&message], id, ..Transaction::default() };
    olof.peer.deliver(&setup.host, &honest).await?;
    scene.check("id-still-free", setup.alice.sees(&message).await);
    Ok(())
}
