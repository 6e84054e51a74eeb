//! Messages that look like commands (client-server API, instant messaging): a remote user's message is plain text.

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "events.commands-are-text",
    title: "The server treats a message of another server's user that looks like a command as plain text.",
    catalogue: &["SH-26"],
    checks: &[
        CheckPlan::new(
            "as-sent",
            "A user is shown each message that looks like a command exactly as it was sent.",
        ),
        CheckPlan::new("no-effect", "Messages that look like commands do not change the room's state."),
    ],
    play: play!(commands_are_text),
    ..Scenario::PEER
}];

/// Commands of clients, of bots and of servers' administration rooms. `{user}` is the sender, `{alice}` the room's creator,
/// `{server}` her server.
const COMMANDS: [&str; 18] = [
    "/op {user} 100",
    "/deop {alice}",
    "/kick {alice}",
    "/ban {alice} now",
    "/invite @nobody:example.org",
    "/topic taken over",
    "/roomname taken over",
    "/nick Alice",
    "/part",
    "/upgraderoom 11",
    "//op {user}",
    "!admin users make-admin {user}",
    "!admin server shutdown",
    "\\!admin rooms moderation ban {alice}",
    "@conduit:{server}: deactivate-user {alice}",
    "!mod kick {alice}",
    "!help",
    "{server}: make-me-admin",
];

async fn commands_are_text(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let before = setup.alice.state(&setup.room).await?;
    scene.check("as-sent", all_as_sent(&setup).await);
    let sentinel = setup.send_sentinel("no command at all").await?;

    let after = setup.alice.state(&setup.room).await?;
    scene.check(
        "no-effect",
        if ids(&before.value) == ids(&after.value) {
            Ok(merge_observations(merge_observations(before, after), sentinel.sighting))
        } else {
            let text = message!("fail.command-obeyed");
            let failure = setup.alice.wrong("command.obeyed", text, after.observations.all());
            Err(failure.showing(ids(&before.value), ids(&after.value)))
        },
    );
    Ok(())
}

/// Type, state key and event ID of each event of the state.
fn ids(state: &Value) -> Value {
    let events = state.as_array().into_iter().flatten();
    events.map(|event| json!([event["type"], event["state_key"], event["event_id"]])).collect()
}

/// Sends the messages one by one: a sync may leave out some messages that arrive at the same time.
async fn all_as_sent(setup: &PeerSetup<'_>) -> Result<Observations, Failure> {
    let mut all: Option<Observations> = None;
    for command in COMMANDS {
        let text = command
            .replace("{user}", &setup.copy.user)
            .replace("{alice}", setup.alice.id())
            .replace("{server}", setup.host.name());
        let message = setup.copy.message(&text)?;
        setup.mallory.transmit(&setup.host, &[&message]).await?;
        let shown = as_sent(setup, &message).await?;
        all = Some(match all {
            Some(all) => merge_observations(all, shown),
            None => shown.into(),
        });
    }
    all.ok_or_else(|| Failure::Inconclusive(message!("judging.nothing-gathered")))
}

async fn as_sent(setup: &PeerSetup<'_>, message: &Planted) -> Result<Sighting, Failure> {
    let shown = setup.alice.sees(message).await?;
    let content = &message.json()["content"];
    if shown.event["content"] == *content {
        return Ok(shown);
    }
    let text = message!("fail.content-changed", user = setup.alice.name());
    let seen: Observations = shown.clone().into();
    let failure = setup.alice.wrong("content.changed", text, seen.all());
    Err(failure.showing(content, &shown.event["content"]))
}
