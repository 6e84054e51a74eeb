//! A room's name, topic and avatar (client-server API, `m.room.name`, `m.room.topic`, `m.room.avatar`).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.names-either-way",
        title: "A room name that a user of either server sets is the same on both: long, with åäö and emoji, or empty.",
        catalogue: &["RM-09"],
        requirements: &["SS-TXN-019", "SS-STATE-004"],
        checks: &[CheckPlan::new(
            "names-agree",
            "Both servers show the room name exactly as it was set, at each change.",
        )],
        play: play!(names_either_way),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.topics-either-way",
        title: "A topic that a user of either server sets is the same on both: long, with åäö and emoji, or empty.",
        catalogue: &["RM-09"],
        requirements: &["SS-TXN-019", "SS-STATE-004"],
        checks: &[CheckPlan::new(
            "topics-agree",
            "Both servers show the topic exactly as it was set, at each change.",
        )],
        play: play!(topics_either_way),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
    Scenario {
        id: "rooms.avatars-either-way",
        title: "A room avatar that a user of either server sets is the same on both.",
        catalogue: &["RM-09"],
        requirements: &["SS-TXN-019", "SS-STATE-004"],
        checks: &[CheckPlan::new(
            "avatars-agree",
            "Both servers show the room avatar's mxc URI exactly as it was set, at each change.",
        )],
        play: play!(avatars_either_way),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
];

/// Alice and Bob in a room whose name, topic and avatar both may change.
async fn two_editors(scene: &Scene) -> Result<(User, User, Room), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let promoted = alice.set_power_level(&room, &bob, 50).await?;
    bob.sees(&promoted).await?;
    Ok((alice, bob, room))
}

/// Composed and decomposed å, family emoji with joiners, a flag, right-to-left text, a 4-byte letter.
const VARIED: &str = "Räddningstjänst Öst \u{e5} a\u{30a} 👩‍👩‍👧‍👦 🇸🇪 שלום 𝔖";

/// Alice and Bob set `key` of the state event `kind` in turn to varied, long and empty texts: what both servers hold after
/// each change.
async fn in_turn(alice: &User, bob: &User, room: &Room, kind: &str, key: &str) -> Result<Observed, Failure> {
    let long = "Samverkan åäö ".repeat(40);
    let mut steps = Vec::new();
    let mut seen: Option<Observations> = None;
    for (actor, watcher, text) in [
        (alice, bob, VARIED),
        (bob, alice, long.as_str()),
        (alice, bob, ""),
        (bob, alice, VARIED),
        (alice, bob, long.as_str()),
        (bob, alice, ""),
    ] {
        let sent = actor.set_state(room, kind, "", json!({ key: text })).await?;
        watcher.sees(&sent).await?;
        let held = host_and_guest(alice.state_of(room, kind, "").await?, bob.state_of(room, kind, "").await?);
        steps.push(json!({"by": actor.id(), "host": held.value["host"]["content"], "guest": held.value["guest"]["content"]}));
        seen = Some(match seen {
            Some(before) => merge_observations(before, held),
            None => held.into(),
        });
    }
    let nothing = || Failure::Inconclusive(message!("judging.nothing-observed", scenario = kind));
    Ok(Observed::new(Value::Array(steps), seen.ok_or_else(nothing)?))
}

/// Alice and Bob change the room's name in turn.
async fn names_either_way(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_editors(scene).await?;
    scene.record("names-agree", in_turn(&alice, &bob, &room, "m.room.name", "name").await?);
    Ok(())
}

/// Alice and Bob change the topic in turn.
async fn topics_either_way(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_editors(scene).await?;
    scene.record("topics-agree", in_turn(&alice, &bob, &room, "m.room.topic", "topic").await?);
    Ok(())
}

/// Alice and Bob change the room's avatar in turn.
async fn avatars_either_way(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_editors(scene).await?;
    let mut steps = Vec::new();
    for (actor, watcher) in [(&alice, &bob), (&bob, &alice)] {
        let picture = actor.upload(&picture()).await?;
        let sent = actor.set_state(&room, "m.room.avatar", "", json!({"url": picture.address})).await?;
        watcher.sees(&sent).await?;
        let kind = "m.room.avatar";
        let held =
            host_and_guest(alice.state_of(&room, kind, "").await?, bob.state_of(&room, kind, "").await?);
        steps.push(
            held.map(|held| json!({"host": held["host"]["content"], "guest": held["guest"]["content"]})),
        );
    }
    if let [first, second] = steps.as_slice() {
        scene.record(
            "avatars-agree",
            Observed::together(("set by host", first.clone()), [("set by guest", second.clone())]),
        );
    }
    Ok(())
}
