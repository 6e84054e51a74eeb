//! Creating rooms (client-server API, creation; room versions).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "rooms.version-as-asked",
    title: "The server creates a room of the requested version, and the other server shows the same version.",
    catalogue: &["FC-10"],
    checks: &[
        CheckPlan::new(
            "create-event",
            "Both servers show a create event with the requested version and its creator.",
        )
        .of(&["SS-ROOMV-005", "SS-ROOMV-006"]),
        CheckPlan::new(
            "named-after-its-creation",
            "The server makes the room ID from the create event's ID from room version 12 on, and not before.",
        )
        .of(&["SS-ROOMV-015"]),
    ],
    play: play!(version_as_asked),
    ..Scenario::PAIR
}];

/// Alice creates a room of the version that is played, and Bob joins it.
async fn version_as_asked(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let of_alice = alice.state_of(&room, "m.room.create", "").await?;
    let of_bob = bob.state_of(&room, "m.room.create", "").await?;

    let named_after = |create: &Observed| {
        create.value["event_id"]
            .as_str()
            .is_some_and(|id| id.trim_start_matches('$') == room.id.trim_start_matches('!'))
    };
    let expected = scene.version_is_from(12);
    let outcome = match [(&alice, &of_alice), (&bob, &of_bob)]
        .into_iter()
        .find(|(_, create)| named_after(create) != expected)
    {
        None => Ok(merge_observations(of_alice.clone(), of_bob.clone())),
        Some((user, create)) => Err(user.wrong(
            "rooms.misnamed",
            message!(
                "fail.misnamed-room",
                room = room.id,
                create = create.value["event_id"],
                version = room.version
            ),
            create.observations.all(),
        )),
    };
    scene.check("named-after-its-creation", outcome);

    // Up to version 10 the content has `creator`. From version 11 on it has none, and the sender is the creator.
    let facts = |create: Observed| {
        create.map(|event| {
            let content = &event["content"];
            json!({"room_version": content["room_version"], "creator": content["creator"], "sender": event["sender"]})
        })
    };
    scene.record_by_version("create-event", host_and_guest(facts(of_alice), facts(of_bob)));
    Ok(())
}
