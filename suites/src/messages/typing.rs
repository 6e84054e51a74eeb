//! Typing notifications (client-server API, typing notifications; server-server API, typing notifications).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "messages.typing",
        title: "A user is shown when the other server's user starts and stops typing.",
        catalogue: &["MS-14"],
        requirements: &["SS-TYPING-002", "SS-TYPING-005"],
        needs: &[Need::Feature("typing")],
        play: play!(starts_and_stops),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.typing-on-wire",
        title: "A server sends m.typing EDUs for the start and the end of typing in the specified form.",
        catalogue: &["MS-14"],
        requirements: &["SS-TYPING-001", "SS-TYPING-002"],
        needs: &[Need::Wire, Need::Feature("typing")],
        checks: &[
            CheckPlan::new(
                "of-host",
                "The resident server sends an m.typing EDU with user, room and typing true, and later one with typing false.",
            ),
            CheckPlan::new(
                "of-guest",
                "The joining server sends an m.typing EDU with user, room and typing true, and later one with typing false.",
            ),
        ],
        play: play!(on_wire),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
];

/// Alice starts and stops typing, then Bob does. Each sends the stop, so the notification does not have to expire.
async fn starts_and_stops(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    for (writer, reader) in [(&alice, &bob), (&bob, &alice)] {
        writer.types(&room, true).await?;
        let started = reader.sees(typing(&room, &[writer])).await?;
        writer.types(&room, false).await?;
        reader.sees(typing(&room, &[]).following(&started)).await?;
    }
    Ok(())
}

/// Alice starts and stops typing, then Bob does; each time an EDU is on the wire.
async fn on_wire(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    for (check, writer) in [("of-host", &alice), ("of-guest", &bob)] {
        let edu_sent = async |on: bool| {
            // The users are in this room only, so an EDU that names another room is judged, too.
            let is_it =
                |edu: &Value| edu["content"]["user_id"] == *writer.id() && edu["content"]["typing"] == on;
            scene.edu_on_wire("m.typing", writer.role(), is_it).await
        };
        writer.types(&room, true).await?;
        let started = edu_sent(true).await?;
        writer.types(&room, false).await?;
        let stopped = edu_sent(false).await?;
        scene.record(
            check,
            Observed::together(("started", essence(started)), [("stopped", essence(stopped))]),
        );
    }
    Ok(())
}

fn essence(edu: Observed) -> Observed {
    edu.map(|edu| {
        let content = &edu["content"];
        json!({"user_id": content["user_id"], "room_id": content["room_id"], "typing": content["typing"]})
    })
}
