//! History from before a server joined (server-server API, backfilling and retrieving missing events).

use samklang_actors::peer::draft_message;
use samklang_matrix::Rule;

use crate::{peer_setup::PeerSetup, prelude::*};

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "events.page-of-rejected",
    title: "110 rejected events in a row do not cut off the history before them.",
    weight: Weight::Should,
    catalogue: &["SH-24"],
    requirements: &["SS-BACKFILL-008"],
    versions: Versions::Newest,
    // A server that receives so many events may have no time for another room meanwhile.
    needs: &[Need::Wire, Need::OthersFirst],
    checks: &[
        CheckPlan::new(
            "older-shown",
            "A user who pages back is shown the message that precedes 110 rejected events.",
        )
        .of(&["SS-BACKFILL-008"]),
        CheckPlan::new("rejected-hidden", "A user who pages back is shown none of the rejected events.")
            .of(&["SS-BACKFILL-009"]),
    ],
    play: play!(page_of_rejected),
    ..Scenario::PEER
}];

/// More events than a server fetches at a time.
const MANY: usize = 110;

/// Eve sends messages in a room of Mallory's that she never joined; then Alice joins. In the twin Mallory, who is in the
/// room, sends them.
///
///   long ago ── Eve ── Eve ── … ── Eve ── Alice joins ── welcome
///               (rejected, all of them)
async fn page_of_rejected(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let mallory = scene.peer("mallory").await?;
    let eve = mallory.user("eve");
    let twin = RoomWithPast::create(scene, (&host, &alice, &mallory), None).await?;
    twin.history().await?;

    let past = RoomWithPast::create(scene, (&host, &alice, &mallory), Some(&eve)).await?;
    let (older, history) = match past.history().await {
        Err(Failure::NotSeen { .. }) => {
            let history = alice.history(&past.setup.room, 2 * MANY).await?;
            let text = message!("fail.history-ends", event = past.old.what);
            (Err(alice.wrong("history.ended_early", text, history.observations.all())), history)
        }
        other => (Ok(()), other?),
    };
    scene.check("older-shown", older.map(|()| history.clone()));
    let shown = wanted_ids_in_order(&history.value, &past.between);
    let hidden = if shown == json!([]) {
        Ok(history)
    } else {
        let text = message!("fail.rejected-in-history", user = alice.name());
        Err(alice.wrong("history.rejected_shown", text, history.observations.all()).showing("[]", shown))
    };
    scene.check("rejected-hidden", hidden);
    Ok(())
}

/// A room of Mallory's with messages from before Alice joined.
struct RoomWithPast<'a> {
    setup: PeerSetup<'a>,
    old: Planted,
    /// The IDs of the messages after that.
    between: Vec<String>,
}

impl<'a> RoomWithPast<'a> {
    /// Mallory sends a message, then `outsider` or Mallory sends many, and Alice joins.
    async fn create(
        scene: &'a Scene,
        (host, alice, mallory): (&Host, &User, &ScriptedPeer),
        outsider: Option<&str>,
    ) -> Result<Self, Failure> {
        let (room, copy) = mallory.found(host, "mallory").await?;
        let old = copy.message("long ago")?;
        if outsider.is_some() {
            copy.forgive(Rule::SenderNotJoined);
        }
        let sender = copy.as_user(outsider.unwrap_or(&copy.user));
        let mut between = Vec::new();
        for _ in 0..MANY {
            let message = sender.plant("a message", |room, user| draft_message(room, user, "a message"))?;
            if outsider.is_some() {
                mallory.peer().admit(&message.id);
            }
            between.push(message.id);
        }
        alice.join(&room).await?;
        alice.sees(join(&room, alice)).await?;
        let (host, alice, mallory) = (host.clone(), alice.clone(), mallory.clone());
        let setup = PeerSetup { scene, host, alice, room, mallory, copy };
        setup.send_sentinel("welcome").await?;
        Ok(Self { setup, old, between })
    }

    /// Alice's history of the room, once it holds the first message.
    async fn history(&self) -> Result<Observed, Failure> {
        let PeerSetup { alice, room, .. } = &self.setup;
        let reached = || async {
            let history = alice.history(room, 2 * MANY).await?;
            let is_there =
                wanted_ids_in_order(&history.value, std::slice::from_ref(&self.old.id)) != json!([]);
            Ok(is_there.then_some(history))
        };
        alice.eventually(&self.old.what, &[&room.id, &self.old.id], reached).await
    }
}
