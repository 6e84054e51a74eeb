//! A server that is upgraded to a newer version (not the upgrade of a room).
//!
//!   older version                     stopped               newer version, same storage
//!
//!   before ──┬── last words ················ delivered ──┬── next        lines are prev events
//!            └─────────────── while you were away ───────┘

use std::collections::BTreeMap;

use samklang_matrix::Event;
use samklang_runner::scene::party;
use samklang_stage::Renewed;
use samklang_wire::switchboard::{Effect, NetworkFault};

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "federation.upgraded-in-mid-room",
    title: "After a software upgrade the server keeps its users' logins, rooms and undelivered events.",
    kind: ScenarioKind::NetworkFault,
    catalogue: &["FC-16", "RS-03", "RS-10"],
    versions: Versions::Newest,
    needs: &[Need::Wire, Need::NewerVersion],
    checks: &[
        CheckPlan::new(
            "version-changed",
            "After its software upgrade the server reports another version than before.",
        )
        .of(&["SS-VERSION-001"]),
        CheckPlan::new("same-key", "After its software upgrade the server publishes the same signing keys as before.")
            .of(&["SS-KEYS-001"]),
        CheckPlan::new(
            "still-logged-in",
            "A user who was logged in before the server's software upgrade is still logged in after it.",
        ),
        CheckPlan::new(
            "caught-up",
            "A user is shown the messages that the other server sent during the server's software upgrade.",
        )
        .of(&["SS-TXN-008"]),
        CheckPlan::new(
            "queue-kept",
            "After its software upgrade the server delivers the message that the older version had not delivered.",
        )
        .of(&["SS-TXN-019"]),
        CheckPlan::new(
            "state-kept",
            "Users of both servers are shown the same room state as before the server's software upgrade.",
        ),
        CheckPlan::new(
            "history-kept",
            "Users of both servers are shown the messages from before the software upgrade, in the same order.",
        ),
        CheckPlan::new("fork-joined", "After its software upgrade the server's next event lists both branches of the fork as prev events.")
            .of(&["SS-PDU-032"]),
        CheckPlan::new("nothing-sent-twice", "After its software upgrade the server does not send an old message as a new event."),
    ],
    play: play!(upgraded_in_mid_room),
    ..Scenario::PAIR
}];

/// Alice's server is the one that is upgraded. Alice and Bob are in a room of hers and in one of his.
struct ServerUpgrade<'a> {
    scene: &'a Scene,
    host: Host,
    alice: User,
    bob: User,
    hers: Room,
    his: Room,
}

/// What was observed before the server was stopped.
struct BeforeUpgrade {
    version: Observed,
    keys: Observed,
    /// What Alice and Bob were shown of the rooms.
    views: [RoomViews; 2],
    /// Alice's message that her server had stored and not delivered.
    last_words: Sent,
    /// The IDs of the messages that Alice has sent so far.
    sent: Vec<String>,
}

/// What a user is shown of the two rooms.
struct RoomViews {
    /// The state events by type and state key.
    state: Observed,
    /// The IDs of the messages, in their order.
    messages: Observed,
}

async fn upgraded_in_mid_room(scene: &Scene) -> Result<(), Failure> {
    let upgrade = ServerUpgrade::prepare(scene).await?;
    let (before, cut) = upgrade.observe_before().await?;
    scene.take_down(&upgrade.host).await?;
    drop(cut);
    let meanwhile = upgrade.send_while_down().await?;
    let renewed = scene.bring_up_newer(&upgrade.host).await?;

    scene.check("version-changed", upgrade.check_version_changed(&before, &renewed).await);
    scene.check("same-key", upgrade.check_same_key(&before).await);
    scene.check("still-logged-in", upgrade.alice.state(&upgrade.hers).await);
    let caught_up = upgrade.check_caught_up(&meanwhile).await;
    let has_caught_up = caught_up.is_ok();
    scene.check("caught-up", caught_up);
    // This comes before Alice sends another message, with which her server might deliver this one, too.
    scene.check("queue-kept", upgrade.bob.sees(&before.last_words).await);

    let after = [upgrade.room_views(&upgrade.alice).await?, upgrade.room_views(&upgrade.bob).await?];
    scene.check("state-kept", upgrade.check_kept(&before, &after, "state", |views| &views.state, is_same));
    scene.check(
        "history-kept",
        upgrade.check_kept(&before, &after, "messages", |views| &views.messages, has_all_in_order),
    );

    let next = upgrade.alice.send(&upgrade.hers, "and on").await?;
    let joined = match has_caught_up {
        true => upgrade.check_fork_joined(&before, &meanwhile, &next).await,
        false => Err(Failure::Inconclusive(message!("judging.no-fork", room = upgrade.hers.name))),
    };
    scene.check("fork-joined", joined);
    upgrade.messages_arrive(&next).await?;
    scene.check("nothing-sent-twice", upgrade.check_nothing_sent_twice(&before, &next).await);
    Ok(())
}

impl<'a> ServerUpgrade<'a> {
    /// Alice and Bob join two rooms, one of each server.
    async fn prepare(scene: &'a Scene) -> Result<Self, Failure> {
        let [host, _] = scene.servers()?;
        let (alice, bob, hers) = two_in_a_room(scene).await?;
        alice.set_topic(&hers, "what stays").await?;
        let named = alice.set_name(&hers, "Alice's").await?;
        bob.sees(&named).await?;
        let his = bob.create_room(Private.named("Bob's").about("what stays, too")).await?;
        invite_and_join(&bob, &alice, &his).await?;
        Ok(Self { scene, host, alice, bob, hers, his })
    }

    /// Alice and Bob exchange messages; then a network fault cuts Alice's transactions, and she sends one message more.
    async fn observe_before(
        &self,
    ) -> Result<(BeforeUpgrade, samklang_wire::switchboard::NetworkFaultGuard), Failure> {
        let Self { scene, host, alice, bob, hers, his } = self;
        let mut sent = vec![
            self.exchange_messages(hers, "hello").await?,
            self.exchange_messages(his, "hello here").await?,
        ];
        let version = scene.ask_openly(host, endpoints::VERSION.template).await?;
        let keys = scene
            .ask_openly(host, endpoints::SERVER_KEYS.template)
            .await?
            .map(|document| document["verify_keys"].clone());
        let views = [self.room_views(alice).await?, self.room_views(bob).await?];

        let cut = NetworkFault::on_all(Effect::Cut).from(party(alice.role())).to(party(bob.role()));
        let cut = scene.fault(cut.when(is_transaction))?;
        let last_words = alice.send(hers, "last words").await?;
        scene.event_on_wire(&last_words).await?;
        sent.push(last_words.id.clone());
        Ok((BeforeUpgrade { version, keys, views, last_words, sent }, cut))
    }

    /// Alice sends a message in a room, and Bob answers; the ID of her message.
    async fn exchange_messages(&self, room: &Room, hello: &str) -> Result<String, Failure> {
        let hello = self.alice.send(room, hello).await?;
        self.bob.sees(&hello).await?;
        let answer = self.bob.send(room, "and to you").await?;
        self.alice.sees(&answer).await?;
        Ok(hello.id)
    }

    /// Bob sends a message in each room while Alice's server is down.
    async fn send_while_down(&self) -> Result<[Sent; 2], Failure> {
        let here = self.bob.send(&self.hers, "while you were away").await?;
        let there = self.bob.send(&self.his, "and here, while you were away").await?;
        self.scene.event_on_wire(&here).await?;
        Ok([here, there])
    }

    async fn check_version_changed(
        &self,
        before: &BeforeUpgrade,
        renewed: &Renewed,
    ) -> Result<Observations, Failure> {
        let version = self.scene.ask_openly(&self.host, endpoints::VERSION.template).await?;
        let [older, newer] =
            [&before.version, &version].map(|version| version.value["server"]["version"].clone());
        if !older.is_string() || !newer.is_string() {
            return Err(Failure::Inconclusive(message!("judging.no-version-told", role = self.host.role())));
        }
        if older != newer {
            return Ok(version.with(before.version.clone()).into());
        }
        let (role, from, to) = (self.host.role(), &self.host.server.cast.version, &renewed.version);
        let text = message!("fail.version-unchanged", role = role, from = from, to = to);
        Err(self
            .alice
            .wrong("upgrade.version_unchanged", text, version.observations.all())
            .showing(message!("scenario.expected.another-version"), newer))
    }

    async fn check_same_key(&self, before: &BeforeUpgrade) -> Result<Observations, Failure> {
        let keys = self.scene.ask_openly(&self.host, endpoints::SERVER_KEYS.template).await?;
        let keys = keys.map(|document| document["verify_keys"].clone());
        if keys.value == before.keys.value && keys.value.is_object() {
            return Ok(keys.with(before.keys.clone()).into());
        }
        let text = message!("fail.key-changed", role = self.host.role());
        let failure = self.alice.wrong("upgrade.key_changed", text, keys.observations.all());
        Err(failure.showing(&before.keys.value, &keys.value))
    }

    async fn check_caught_up(&self, meanwhile: &[Sent; 2]) -> Result<Observations, Failure> {
        let [here, there] = meanwhile;
        let seen = self.alice.sees(here).await?;
        Ok(merge_observations(seen, self.alice.sees(there).await?))
    }

    /// What `user` is shown of both rooms.
    async fn room_views(&self, user: &User) -> Result<RoomViews, Failure> {
        let (hers, his) = (user.state(&self.hers).await?, user.state(&self.his).await?);
        let [hers, his] = [hers, his].map(|state| state.map(|events| by_type_and_key(&events)));
        let state = Observed::together(("Alice's", hers), [("Bob's", his)]);
        let (hers, his) = (user.history(&self.hers, 200).await?, user.history(&self.his, 200).await?);
        let [hers, his] = [hers, his].map(|history| history.map(|events| ids_of_messages(&events)));
        Ok(RoomViews { state, messages: Observed::together(("Alice's", hers), [("Bob's", his)]) })
    }

    /// Passes if each user is still shown `part` of the rooms as before the upgrade.
    fn check_kept(
        &self,
        before: &BeforeUpgrade,
        after: &[RoomViews; 2],
        what: &str,
        part: impl Fn(&RoomViews) -> &Observed,
        is_kept: impl Fn(&Value, &Value) -> bool,
    ) -> Result<Observations, Failure> {
        let users = [&self.alice, &self.bob];
        for (user, (before, after)) in users.into_iter().zip(before.views.iter().zip(after)) {
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

    /// Passes if Alice's next event has as prev events both her last message before the upgrade and Bob's message during it:
    /// neither of these has the other as a prev event.
    async fn check_fork_joined(
        &self,
        before: &BeforeUpgrade,
        meanwhile: &[Sent; 2],
        next: &Sent,
    ) -> Result<Observations, Failure> {
        let sent = self.scene.event_on_wire(next).await?;
        let event = Event::parse(&sent.value, self.scene.room_version());
        let prev_events = event.map(|event| event.prev_events()).unwrap_or_default();
        let extremities = [&before.last_words.id, &meanwhile[0].id];
        if extremities.iter().all(|id| prev_events.contains(id)) {
            return Ok(sent.into());
        }
        let text = message!("fail.fork-left", event = next.what);
        let failure = self.alice.wrong("upgrade.fork_left", text, sent.observations.all());
        Err(failure.showing(json!(extremities), json!(prev_events)))
    }

    /// Messages arrive in both directions and both rooms.
    async fn messages_arrive(&self, next: &Sent) -> Result<(), Failure> {
        let Self { alice, bob, hers, his, .. } = self;
        bob.sees(next).await?;
        alice.sees(&bob.send(hers, "there you are").await?).await?;
        alice.sees(&bob.send(his, "here, too").await?).await?;
        Ok(())
    }

    /// Passes if Bob's server holds no message of Alice's that she has not sent. Bob has seen her last one.
    async fn check_nothing_sent_twice(
        &self,
        before: &BeforeUpgrade,
        next: &Sent,
    ) -> Result<Observations, Failure> {
        // The check is about Alice's server, so one of its observations has to be of that server.
        let sent = self.scene.event_on_wire(next).await?;
        let known = [before.sent.as_slice(), std::slice::from_ref(&next.id)].concat();
        let here = self.check_only_known(&known, self.bob.history(&self.hers, 200).await?)?;
        let there = self.check_only_known(&known, self.bob.history(&self.his, 200).await?)?;
        Ok(merge_observations(sent, merge_observations(here, there)))
    }

    /// Passes if the history holds no message of Alice's that is not `known`.
    fn check_only_known(&self, known: &[String], history: Observed) -> Result<Observed, Failure> {
        let all = history.value.as_array().into_iter().flatten();
        let hers =
            all.filter(|event| event["sender"] == *self.alice.id() && event["type"] == "m.room.message");
        let mut unknown = hers.filter(|event| !known.iter().any(|id| event["event_id"] == **id));
        let Some(again) = unknown.next() else { return Ok(history) };
        let body: String = again["content"]["body"].as_str().unwrap_or_default().chars().take(40).collect();
        let text = message!("fail.sent-again", user = self.alice.name(), body = body);
        let failure = self.alice.wrong("upgrade.sent_again", text, history.observations.all());
        Err(failure.showing(json!(known), &again["event_id"]))
    }
}

fn is_same(before: &Value, after: &Value) -> bool {
    before == after
}

/// Whether each room still has all its messages, in their order; it may have more.
fn has_all_in_order(before: &Value, after: &Value) -> bool {
    let of = |rooms: &Value, room: &str| rooms[room].as_array().cloned().unwrap_or_default();
    let rooms = before.as_object().into_iter().flat_map(serde_json::Map::keys);
    rooms.into_iter().all(|room| {
        let old = of(before, room);
        let still: Vec<_> = of(after, room).into_iter().filter(|id| old.contains(id)).collect();
        still == old
    })
}

/// The state events by type and state key: ID and content.
fn by_type_and_key(events: &Value) -> Value {
    let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let key_of = |event: &Value| format!("{} {}", text(event, "type"), text(event, "state_key"));
    let all = events.as_array().into_iter().flatten();
    let by_key: BTreeMap<_, _> =
        all.map(|event| (key_of(event), json!([event["event_id"], event["content"]]))).collect();
    json!(by_key)
}

fn ids_of_messages(events: &Value) -> Value {
    let messages = events.as_array().into_iter().flatten().filter(|event| event["type"] == "m.room.message");
    messages.map(|event| event["event_id"].clone()).collect()
}
