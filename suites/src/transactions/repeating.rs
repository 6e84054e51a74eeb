//! Transactions that come twice, and ids that two servers use (server-server API, transactions).

use samklang_runner::peer::{Transaction, draft_message};

use crate::{
    prelude::*,
    signals::edu::{Signal, to_device},
};

const TO_DEVICE: &[Need] = &[Need::Wire, Need::Feature("to-device")];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "transactions.repeated",
        title: "A transaction that arrives twice takes effect once.",
        catalogue: &["FC-14"],
        requirements: &["SS-TXN-011"],
        needs: TO_DEVICE,
        checks: &[
            CheckPlan::new(
                "event-once",
                "The room's history holds the event of the repeated transaction once.",
            ),
            CheckPlan::new(
                "signal-once",
                "The to-device message of the repeated transaction is delivered once.",
            ),
        ],
        play: play!(repeated),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
    Scenario {
        id: "transactions.id-used-again",
        title: "A second transaction with a used transaction ID and other content has no effect.",
        // No sentence of the specification covers a sender that breaks the retry rule.
        weight: Weight::Should,
        catalogue: &["FC-14"],
        requirements: &["SS-TXN-011"],
        needs: TO_DEVICE,
        checks: &[
            CheckPlan::new("event", "The server does not show the event of the second transaction."),
            CheckPlan::new(
                "signal",
                "The server does not deliver the to-device message of the second transaction.",
            ),
        ],
        play: play!(id_used_again),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
    Scenario {
        id: "transactions.equal-ids",
        title: "Two servers can use the same transaction ID.",
        catalogue: &["FC-14"],
        requirements: &["SS-TXN-012"],
        checks: &[CheckPlan::new("both-taken", "The server shows the events of both transactions.")],
        play: play!(equal_ids),
        versions: Versions::Newest,
        ..Scenario::PEER
    },
];

/// The id that is used more than once; peers have names of their own in each play.
const ID: &str = "again";

fn note(visit: &Visit<'_>, body: &str) -> Signal {
    to_device(&visit.copy.user, &visit.alice, body, body)
}

async fn repeated(scene: &Scene) -> Result<(), Failure> {
    let visit = visit(scene).await?;
    let (event, note_once) = (visit.copy.message("said once")?, note(&visit, "noted-once"));
    let transaction = Transaction {
        events: &[&event],
        signals: std::slice::from_ref(&note_once.edu),
        id: Some(ID),
        origin: None,
    };
    for _ in ["first", "again"] {
        visit.mallory.deliver(&visit.host, &transaction).await?;
    }
    let shown = visit.alice.sees(&event).await?;
    let noted = visit.alice.sees(note_once.shown.clone()).await?;
    // What comes after the repetition, by both ways.
    let last = visit.sentinel("said later").await?;
    let note_later = visit.tell(&visit.mallory, note(&visit, "noted-later")).await?;
    let last_note = visit.alice.sees(note_later).await?;

    let history = visit.alice.history(&visit.room, 200).await?;
    let times = ids_among(&history.value, std::slice::from_ref(&event.id)).as_array().map_or(0, Vec::len);
    let seen = by_both(by_both(shown, last.sighting), history);
    scene.check("event-once", once(&visit, times, seen));
    let times = visit.alice.seen_so_far(&note_once.shown).len();
    scene.check("signal-once", once(&visit, times, by_both(noted, last_note)));
    Ok(())
}

fn once(visit: &Visit<'_>, times: usize, seen: Observations) -> Result<Observations, Failure> {
    if times == 1 {
        return Ok(seen);
    }
    let text = message!("fail.transaction-repeated", times = times);
    Err(visit.alice.wrong("transaction.repeated", text, seen.all()).showing(1, times))
}

/// The second event stands beside the first, so that nothing is missing without it.
async fn id_used_again(scene: &Scene) -> Result<(), Failure> {
    let visit = visit(scene).await?;
    let (first, first_note) = (visit.copy.message("said first")?, note(&visit, "noted-first"));
    let other = visit.copy.aside("said under a used id", |room, user| draft_message(room, user, "again"))?;
    let other_note = note(&visit, "noted-under-a-used-id");
    let once = Transaction { events: &[&first], signals: &[first_note.edu], id: Some(ID), origin: None };
    visit.mallory.deliver(&visit.host, &once).await?;
    visit.alice.sees(&first).await?;
    visit.alice.sees(first_note.shown).await?;

    let again = Transaction { events: &[&other], signals: &[other_note.edu], id: Some(ID), origin: None };
    let reply = visit.mallory.deliver(&visit.host, &again).await?;
    let other_note = other_note.shown.taken_in(reply.observation.exchange, scene.ledger().tick());
    let last = visit.sentinel("said later").await?;
    let later = visit.tell(&visit.mallory, note(&visit, "noted-later")).await?;
    let last_note = visit.alice.sees(later).await?;
    scene.check("event", visit.alice.never_saw(&other, &last.sighting));
    scene.check("signal", visit.alice.never_saw(other_note, &last_note));
    Ok(())
}

async fn equal_ids(scene: &Scene) -> Result<(), Failure> {
    let visit = visit(scene).await?;
    let olof = visit.another("olof").await?;
    let both_taken = async {
        let mut seen = Vec::new();
        for copy in [&visit.copy, &olof] {
            let event = copy.message("under an id that two use")?;
            let transaction = Transaction { events: &[&event], id: Some(ID), ..Transaction::default() };
            copy.peer.deliver(&visit.host, &transaction).await?;
            seen.push(visit.alice.sees(&event).await?);
        }
        Ok(by_both(&seen[0], &seen[1]))
    };
    scene.check("both-taken", both_taken.await);
    Ok(())
}
