//! Repeated transactions, and transaction IDs that two servers use (server-server API, transactions).

use samklang_actors::peer::{Transaction, draft_message};

use crate::{
    prelude::*,
    signals::edu::{PeerEdu, to_device_edu},
};

const TO_DEVICE: &[Need] = &[Need::Wire, Need::Feature("to-device")];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "transactions.repeated",
        title: "The server applies a transaction that arrives twice only once.",
        catalogue: &["FC-14"],
        requirements: &["SS-TXN-011"],
        needs: TO_DEVICE,
        checks: &[
            CheckPlan::new(
                "event-once",
                "The server's room history contains the event of a repeated transaction once.",
            ),
            CheckPlan::new(
                "signal-once",
                "The server delivers the to-device message of a repeated transaction once.",
            ),
        ],
        play: play!(repeated),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
    Scenario {
        id: "transactions.id-used-again",
        title: "The server ignores a second transaction with a used transaction ID and other content.",
        // The specification does not cover a sender that breaks the retry rule.
        weight: Weight::Should,
        catalogue: &["FC-14"],
        requirements: &["SS-TXN-011"],
        needs: TO_DEVICE,
        checks: &[
            CheckPlan::new(
                "event",
                "The server does not show the event of a second transaction with the same transaction ID.",
            ),
            CheckPlan::new(
                "signal",
                "The server does not deliver the to-device message of a second transaction with the same transaction ID.",
            ),
        ],
        play: play!(id_used_again),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
    Scenario {
        id: "transactions.equal-ids",
        title: "The server accepts transactions with the same transaction ID from two servers.",
        catalogue: &["FC-14"],
        requirements: &["SS-TXN-012"],
        checks: &[CheckPlan::new(
            "both-taken",
            "The server shows the events of two servers' transactions with the same transaction ID.",
        )],
        play: play!(equal_ids),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
];

/// The transaction ID that is used more than once. Peers have new server names in each play.
const ID: &str = "again";

fn to_device_message(setup: &PeerSetup<'_>, body: &str) -> PeerEdu {
    to_device_edu(&setup.copy.user, &setup.alice, body, body)
}

async fn repeated(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let (event, message_once) = (setup.copy.message("said once")?, to_device_message(&setup, "noted-once"));
    let transaction = Transaction {
        events: &[&event],
        signals: std::slice::from_ref(&message_once.edu),
        id: Some(ID),
        origin: None,
    };
    for _ in ["first", "again"] {
        setup.mallory.deliver(&setup.host, &transaction).await?;
    }
    let shown = setup.alice.sees(&event).await?;
    let delivered = setup.alice.sees(message_once.shown.clone()).await?;
    // An event and a to-device message after the repetition are the sentinels.
    let last = setup.send_sentinel("said later").await?;
    let message_later = setup.send_edu(&setup.mallory, to_device_message(&setup, "noted-later")).await?;
    let last_message = setup.alice.sees(message_later).await?;

    let history = setup.alice.history(&setup.room, 200).await?;
    let times =
        wanted_ids_in_order(&history.value, std::slice::from_ref(&event.id)).as_array().map_or(0, Vec::len);
    let seen = merge_observations(merge_observations(shown, last.sighting), history);
    scene.check("event-once", check_once(&setup, times, seen));
    let times = setup.alice.seen_so_far(&message_once.shown).len();
    scene.check("signal-once", check_once(&setup, times, merge_observations(delivered, last_message)));
    Ok(())
}

fn check_once(setup: &PeerSetup<'_>, times: usize, seen: Observations) -> Result<Observations, Failure> {
    if times == 1 {
        return Ok(seen);
    }
    let text = message!("fail.transaction-repeated", times = times);
    Err(setup.alice.wrong("transaction.repeated", text, seen.all()).showing(1, times))
}

/// The second event stands beside the first, so that no later event needs it.
async fn id_used_again(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let (first, first_message) =
        (setup.copy.message("said first")?, to_device_message(&setup, "noted-first"));
    let other = setup.copy.aside("said under a used id", |room, user| draft_message(room, user, "again"))?;
    let other_message = to_device_message(&setup, "noted-under-a-used-id");
    let once = Transaction { events: &[&first], signals: &[first_message.edu], id: Some(ID), origin: None };
    setup.mallory.deliver(&setup.host, &once).await?;
    setup.alice.sees(&first).await?;
    setup.alice.sees(first_message.shown).await?;

    let again = Transaction { events: &[&other], signals: &[other_message.edu], id: Some(ID), origin: None };
    let reply = setup.mallory.deliver(&setup.host, &again).await?;
    let other_message = other_message.shown.taken_in(reply.observation.exchange, scene.ledger().tick());
    let last = setup.send_sentinel("said later").await?;
    let later = setup.send_edu(&setup.mallory, to_device_message(&setup, "noted-later")).await?;
    let last_message = setup.alice.sees(later).await?;
    scene.check("event", setup.alice.never_saw(&other, &last.sighting));
    scene.check("signal", setup.alice.never_saw(other_message, &last_message));
    Ok(())
}

async fn equal_ids(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let olof = setup.another_peer_joins("olof").await?;
    let both_taken = async {
        let mut seen = Vec::new();
        for copy in [&setup.copy, &olof] {
            let event = copy.message("under an id that two use")?;
            let transaction = Transaction { events: &[&event], id: Some(ID), ..Transaction::default() };
            copy.peer.deliver(&setup.host, &transaction).await?;
            seen.push(setup.alice.sees(&event).await?);
        }
        Ok(merge_observations(&seen[0], &seen[1]))
    };
    scene.check("both-taken", both_taken.await);
    Ok(())
}
