//! Who is typing (client-server API, typing notifications; server-server API, typing notifications).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "messages.typing",
        title: "Each side sees the other start to type, and stop.",
        catalogue: &["MS-14"],
        requirements: &["SS-TYPING-002", "SS-TYPING-005"],
        needs: &[Need::Feature("typing")],
        play: play!(starts_and_stops),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.typing-on-wire",
        title: "That somebody types, and stops, is told to the other server in the specified form.",
        catalogue: &["MS-14"],
        requirements: &["SS-TYPING-001", "SS-TYPING-002"],
        needs: &[Need::Wire, Need::Feature("typing")],
        checks: &[
            CheckPlan::new("of-host", "The host tells who types where, and that it has ended."),
            CheckPlan::new("of-guest", "The guest tells who types where, and that it has ended."),
        ],
        play: play!(on_wire),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
];

/// Alice types and stops, then Bob. A user who stops says so; nobody waits for the notification to expire.
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

/// Alice types and stops, then Bob; the other server is told each time.
async fn on_wire(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    for (check, writer) in [("of-host", &alice), ("of-guest", &bob)] {
        let told = async |on: bool| {
            // Everybody is in this room alone, so whatever room is named is judged.
            let is_it =
                |edu: &Value| edu["content"]["user_id"] == *writer.id() && edu["content"]["typing"] == on;
            scene.signal_on_wire("m.typing", writer.role(), is_it).await
        };
        writer.types(&room, true).await?;
        let started = told(true).await?;
        writer.types(&room, false).await?;
        let stopped = told(false).await?;
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
