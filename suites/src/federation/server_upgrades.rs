//! A server that goes on in a newer version. Administrators call that an upgrade; the upgrade of a room is another matter.
//!
//!   older version                     stopped               newer version, same storage
//!
//!   before ──┬── last words ·················· brought ──┬── next        arrows are prev_events
//!            └─────────────── while you were away ───────┘

use std::collections::BTreeMap;

use samklang_matrix::Event;
use samklang_runner::scene::party;
use samklang_stage::{
    stage::Renewed,
    switchboard::{Effect, Fault},
};

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "federation.upgraded-in-mid-room",
    title: "A server goes on in a newer version where it stopped: logged-in users, rooms and what others sent meanwhile.",
    kind: Kind::Fault,
    catalogue: &["FC-16", "RS-03", "RS-10"],
    versions: Versions::Newest,
    needs: &[Need::Wire, Need::NewerVersion],
    checks: &[
        CheckPlan::new("version-changed", "The server says that it is another version than before.")
            .of(&["SS-VERSION-001"]),
        CheckPlan::new("same-key", "The server publishes the same signing keys as before.")
            .of(&["SS-KEYS-001"]),
        CheckPlan::new("still-logged-in", "Who was logged in before still is."),
        CheckPlan::new("caught-up", "What the other server sent meanwhile is shown.").of(&["SS-TXN-008"]),
        CheckPlan::new("queue-kept", "What the older version had not delivered yet is delivered.")
            .of(&["SS-TXN-019"]),
        CheckPlan::new("state-kept", "Users of both servers are shown the state of before."),
        CheckPlan::new(
            "history-kept",
            "Users of both servers are shown the messages of before, in the same order.",
        ),
        CheckPlan::new("fork-joined", "The server's next event follows all that it knows to be last.")
            .of(&["SS-PDU-032"]),
        CheckPlan::new("nothing-sent-twice", "No message is sent again as another event."),
    ],
    play: play!(upgraded_in_mid_room),
    ..Scenario::PAIR
}];

const VERSION: &str = "/_matrix/federation/v1/version";
const KEYS: &str = "/_matrix/key/v2/server";

/// Alice's server is the one that is upgraded. She has a room of her own, and is in one of Bob's.
struct Cast<'a> {
    scene: &'a Scene,
    host: Host,
    alice: User,
    bob: User,
    hers: Room,
    his: Room,
}

/// What was there before the server was stopped.
struct Before {
    told: Observed,
    keys: Observed,
    /// What Alice and Bob were shown.
    shown: [Shown; 2],
    /// Alice's message that her server had stored and not delivered.
    last_words: Sent,
    /// What Alice has sent so far, by id.
    sent: Vec<String>,
}

/// What a user is shown of the two rooms.
struct Shown {
    /// Of each place of the state, the event.
    state: Observed,
    /// The ids of the messages, in their order.
    messages: Observed,
}

async fn upgraded_in_mid_room(scene: &Scene) -> Result<(), Failure> {
    let cast = Cast::meet(scene).await?;
    let (before, cut) = cast.before().await?;
    scene.take_down(&cast.host).await?;
    drop(cut);
    let meanwhile = cast.speak_to_nobody().await?;
    let renewed = scene.bring_up_newer(&cast.host).await?;

    scene.check("version-changed", cast.version_changed(&before, &renewed).await);
    scene.check("same-key", cast.same_key(&before).await);
    scene.check("still-logged-in", cast.alice.state(&cast.hers).await);
    let caught_up = cast.caught_up(&meanwhile).await;
    let has_caught_up = caught_up.is_ok();
    scene.check("caught-up", caught_up);
    // Before Alice says anything else, which would bring it along.
    scene.check("queue-kept", cast.bob.sees(&before.last_words).await);

    let after = [cast.shown_to(&cast.alice).await?, cast.shown_to(&cast.bob).await?];
    scene.check("state-kept", cast.kept(&before, &after, "state", |shown| &shown.state, same));
    scene.check("history-kept", cast.kept(&before, &after, "messages", |shown| &shown.messages, begins_with));

    let next = cast.alice.send(&cast.hers, "and on").await?;
    let joined = match has_caught_up {
        true => cast.fork_joined(&before, &meanwhile, &next).await,
        false => Err(Failure::Inconclusive(message!("judging.no-fork", room = cast.hers.name))),
    };
    scene.check("fork-joined", joined);
    cast.go_on(&next).await?;
    scene.check("nothing-sent-twice", cast.nothing_sent_twice(&before, &next).await);
    Ok(())
}

impl<'a> Cast<'a> {
    /// Alice and Bob in two rooms, one of each server's.
    async fn meet(scene: &'a Scene) -> Result<Self, Failure> {
        let [host, _] = scene.servers()?;
        let (alice, bob, hers) = two_in_a_room(scene).await?;
        alice.set_topic(&hers, "what stays").await?;
        let named = alice.set_name(&hers, "Alice's").await?;
        bob.sees(&named).await?;
        let his = bob.create_room(Private.named("Bob's").about("what stays, too")).await?;
        invite_and_join(&bob, &alice, &his).await?;
        Ok(Self { scene, host, alice, bob, hers, his })
    }

    /// They talk; then nothing of Alice's gets through any more, and she says one thing more.
    async fn before(&self) -> Result<(Before, samklang_stage::switchboard::FaultGuard), Failure> {
        let Self { scene, host, alice, bob, hers, his } = self;
        let mut sent = vec![self.talk(hers, "hello").await?, self.talk(his, "hello here").await?];
        let told = scene.ask_openly(host, VERSION).await?;
        let keys = scene.ask_openly(host, KEYS).await?.map(|document| document["verify_keys"].clone());
        let shown = [self.shown_to(alice).await?, self.shown_to(bob).await?];

        let cut = Fault::on_all(Effect::Cut).from(party(alice.role())).to(party(bob.role()));
        let cut = scene.fault(cut.when(is_transaction))?;
        let last_words = alice.send(hers, "last words").await?;
        scene.event_on_wire(&last_words).await?;
        sent.push(last_words.id.clone());
        Ok((Before { told, keys, shown, last_words, sent }, cut))
    }

    /// Alice says something in a room, and Bob answers; the id of what she said.
    async fn talk(&self, room: &Room, hello: &str) -> Result<String, Failure> {
        let hello = self.alice.send(room, hello).await?;
        self.bob.sees(&hello).await?;
        let answer = self.bob.send(room, "and to you").await?;
        self.alice.sees(&answer).await?;
        Ok(hello.id)
    }

    /// Bob says something in each room; his server finds nobody to give it to.
    async fn speak_to_nobody(&self) -> Result<[Sent; 2], Failure> {
        let here = self.bob.send(&self.hers, "while you were away").await?;
        let there = self.bob.send(&self.his, "and here, while you were away").await?;
        self.scene.event_on_wire(&here).await?;
        Ok([here, there])
    }

    async fn version_changed(&self, before: &Before, renewed: &Renewed) -> Result<Observations, Failure> {
        let told = self.scene.ask_openly(&self.host, VERSION).await?;
        let [older, newer] = [&before.told, &told].map(|told| told.value["server"]["version"].clone());
        if !older.is_string() || !newer.is_string() {
            return Err(Failure::Inconclusive(message!("judging.no-version-told", role = self.host.role())));
        }
        if older != newer {
            return Ok(told.with(before.told.clone()).into());
        }
        let (role, from, to) = (self.host.role(), &self.host.server.cast.version, &renewed.version);
        let text = message!("fail.version-unchanged", role = role, from = from, to = to);
        Err(self
            .alice
            .wrong("upgrade.version_unchanged", text, told.observations.all())
            .showing("another version", newer))
    }

    async fn same_key(&self, before: &Before) -> Result<Observations, Failure> {
        let keys = self.scene.ask_openly(&self.host, KEYS).await?;
        let keys = keys.map(|document| document["verify_keys"].clone());
        if keys.value == before.keys.value && keys.value.is_object() {
            return Ok(keys.with(before.keys.clone()).into());
        }
        let text = message!("fail.key-changed", role = self.host.role());
        let failure = self.alice.wrong("upgrade.key_changed", text, keys.observations.all());
        Err(failure.showing(&before.keys.value, &keys.value))
    }

    async fn caught_up(&self, meanwhile: &[Sent; 2]) -> Result<Observations, Failure> {
        let [here, there] = meanwhile;
        let seen = self.alice.sees(here).await?;
        Ok(merge_observations(seen, self.alice.sees(there).await?))
    }

    /// What a user is shown of both rooms.
    async fn shown_to(&self, user: &User) -> Result<Shown, Failure> {
        let (hers, his) = (user.state(&self.hers).await?, user.state(&self.his).await?);
        let [hers, his] = [hers, his].map(|state| state.map(|events| by_place(&events)));
        let state = Observed::together(("Alice's", hers), [("Bob's", his)]);
        let (hers, his) = (user.history(&self.hers, 200).await?, user.history(&self.his, 200).await?);
        let [hers, his] = [hers, his].map(|history| history.map(|events| ids_of_messages(&events)));
        Ok(Shown { state, messages: Observed::together(("Alice's", hers), [("Bob's", his)]) })
    }

    /// A part of what was shown before is shown to each user after.
    fn kept(
        &self,
        before: &Before,
        after: &[Shown; 2],
        what: &str,
        part: impl Fn(&Shown) -> &Observed,
        is_kept: impl Fn(&Value, &Value) -> bool,
    ) -> Result<Observations, Failure> {
        let users = [&self.alice, &self.bob];
        for (user, (before, after)) in users.into_iter().zip(before.shown.iter().zip(after)) {
            let (old, new) = (part(before), part(after));
            if !is_kept(&old.value, &new.value) {
                let text = message!("fail.not-kept", user = user.name(), what = what);
                let failure = user.wrong("upgrade.not_kept", text, new.observations.all());
                return Err(failure.showing(&old.value, &new.value));
            }
        }
        let [alices, bobs] = after;
        Ok(merge_observations(part(alices).clone(), part(bobs).clone()))
    }

    /// Alice's next event follows what she said last and what Bob said meanwhile, for neither follows the other.
    async fn fork_joined(
        &self,
        before: &Before,
        meanwhile: &[Sent; 2],
        next: &Sent,
    ) -> Result<Observations, Failure> {
        let sent = self.scene.event_on_wire(next).await?;
        let event = Event::parse(&sent.value, self.scene.room_version());
        let follows = event.map(|event| event.prev_events()).unwrap_or_default();
        let ends = [&before.last_words.id, &meanwhile[0].id];
        if ends.iter().all(|id| follows.contains(id)) {
            return Ok(sent.into());
        }
        let text = message!("fail.fork-left", event = next.what);
        let failure = self.alice.wrong("upgrade.fork_left", text, sent.observations.all());
        Err(failure.showing(json!(ends), json!(follows)))
    }

    /// Messages go both ways, in both rooms.
    async fn go_on(&self, next: &Sent) -> Result<(), Failure> {
        let Self { alice, bob, hers, his, .. } = self;
        bob.sees(next).await?;
        alice.sees(&bob.send(hers, "there you are").await?).await?;
        alice.sees(&bob.send(his, "here, too").await?).await?;
        Ok(())
    }

    /// What Bob's server holds of Alice's messages is what she sent, once each. He has seen the last one.
    async fn nothing_sent_twice(&self, before: &Before, next: &Sent) -> Result<Observations, Failure> {
        // Alice's own server is what this is about, and that it sent the last one is what the rest rests on.
        let sent = self.scene.event_on_wire(next).await?;
        let known = [before.sent.as_slice(), std::slice::from_ref(&next.id)].concat();
        let here = self.only_these(&known, self.bob.history(&self.hers, 200).await?)?;
        let there = self.only_these(&known, self.bob.history(&self.his, 200).await?)?;
        Ok(merge_observations(sent, merge_observations(here, there)))
    }

    /// Of Alice's messages a history holds none but these.
    fn only_these(&self, known: &[String], history: Observed) -> Result<Observed, Failure> {
        let all = history.value.as_array().into_iter().flatten();
        let hers =
            all.filter(|event| event["sender"] == *self.alice.id() && event["type"] == "m.room.message");
        let mut strange = hers.filter(|event| !known.iter().any(|id| event["event_id"] == **id));
        let Some(again) = strange.next() else { return Ok(history) };
        let body: String = again["content"]["body"].as_str().unwrap_or_default().chars().take(40).collect();
        let text = message!("fail.sent-again", user = self.alice.name(), body = body);
        let failure = self.alice.wrong("upgrade.sent_again", text, history.observations.all());
        Err(failure.showing(json!(known), &again["event_id"]))
    }
}

fn same(before: &Value, after: &Value) -> bool {
    before == after
}

/// In each room there is what was there, in its order, and perhaps more.
fn begins_with(before: &Value, after: &Value) -> bool {
    let of = |rooms: &Value, room: &str| rooms[room].as_array().cloned().unwrap_or_default();
    let rooms = before.as_object().into_iter().flat_map(serde_json::Map::keys);
    rooms.into_iter().all(|room| {
        let old = of(before, room);
        let still: Vec<_> = of(after, room).into_iter().filter(|id| old.contains(id)).collect();
        still == old
    })
}

/// The events of a state by type and state key: id and content.
fn by_place(events: &Value) -> Value {
    let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let place = |event: &Value| format!("{} {}", text(event, "type"), text(event, "state_key"));
    let all = events.as_array().into_iter().flatten();
    let by_place: BTreeMap<_, _> =
        all.map(|event| (place(event), json!([event["event_id"], event["content"]]))).collect();
    json!(by_place)
}

fn ids_of_messages(events: &Value) -> Value {
    let messages = events.as_array().into_iter().flatten().filter(|event| event["type"] == "m.room.message");
    messages.map(|event| event["event_id"].clone()).collect()
}
