//! Features that are declared of a product, held against its running server: what is declared and not there would make
//! fails of what never applied, and what is there and not declared is never played.

use samklang_reference::make_target;
use samklang_stage::{driver::CallError, vendor::FEATURES};

use super::declarations::is_as_described;
use crate::{
    prelude::*,
    signals::edu::{self, Signal},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.features-as-declared",
        title: "A server has the features that its descriptor declares.",
        catalogue: &["FC-10"],
        versions: Versions::Only(&["11"]),
        checks: &[
            CheckPlan::new(
                "authenticated-media",
                "A server that asks in due form is handed out a user's file.",
            )
            .of(&["SS-MEDIA-001"]),
            CheckPlan::new("device-lists", "A server that shares a room with a user is told of her devices.")
                .of(&["SS-DEVLIST-008"]),
            CheckPlan::new("knock", "Who may knock gets a template for it.").of(&["SS-KNOCK-001"]),
            CheckPlan::new(
                "knock-restricted",
                "A room with the join rule knock_restricted takes knocks of those whom no other room admits.",
            )
            .of(&["SS-RESTR-016"]),
            CheckPlan::new("presence", "The presence of another server's user is shown.")
                .of(&["SS-PRESENCE-005"]),
            CheckPlan::new("public-rooms", "The room directory is read by another server.")
                .of(&["SS-DIR-001"]),
            CheckPlan::new("receipts", "The receipt of another server's user is shown.")
                .of(&["SS-RECEIPT-007"]),
            CheckPlan::new(
                "restricted-join",
                "Who is in a room that admits to another gets a template for a join.",
            )
            .of(&["SS-RESTR-001"]),
            CheckPlan::new("room-summary", "A user who is not in a public room is told what it is."),
            CheckPlan::new("spaces", "Another server is told what a room is and what is below it.")
                .of(&["SS-SPACE-001"]),
            CheckPlan::new("threads", "A room's threads are listed."),
            CheckPlan::new("timestamp-to-event", "Another server is told the event nearest to a moment.")
                .of(&["SS-TIMESTAMP-001"]),
            CheckPlan::new("to-device", "A message of another server's user to a device is delivered.")
                .of(&["SS-TODEV-005"]),
            CheckPlan::new("typing", "The typing of another server's user is shown.").of(&["SS-TYPING-005"]),
            CheckPlan::new(
                "uninvited-joins",
                "Who was not invited gets a template for a join of a public room.",
            )
            .of(&["SS-JOIN-001"]),
        ],
        play: play!(features_as_declared),
        ..Scenario::PEER
    },
    Scenario {
        id: "rooms.features-beyond-declared",
        title: "What a server has of the features that the suite knows is declared.",
        catalogue: &["FC-10"],
        weight: Weight::May,
        versions: Versions::Only(&["11"]),
        checks: &[CheckPlan::new("declared", "No feature is there and not declared.")],
        play: play!(features_beyond_declared),
        ..Scenario::PEER
    },
];

/// The words of which a few questions tell whether a server has them: all but the one about how an image was set up.
fn features() -> impl Iterator<Item = &'static str> {
    FEATURES.into_iter().filter(|feature| *feature != "admin-registration")
}

/// What a server makes of a question that only one with the feature answers.
struct Shown {
    /// Whether it has the feature.
    is_there: bool,
    /// What it answered, in short.
    answer: String,
    observation: Observation,
}

/// Mallory is in Alice's public room, by invite: whether he would have come in without one is what is asked.
async fn invited_visit(scene: &Scene) -> Result<PeerSetup<'_>, Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let room = alice.create_room(Public).await?;
    let mallory = scene.peer("mallory").await?;
    alice.invite_by_id(&room, &mallory.user("mallory")).await?;
    let copy = mallory.join(&host, &room, "mallory").await?;
    alice.sees(state(&room, "m.room.member", &copy.user)).await?;
    Ok(PeerSetup { scene, host, alice, room, mallory, copy })
}

/// Each feature that is declared is asked for.
async fn features_as_declared(scene: &Scene) -> Result<(), Failure> {
    let setup = invited_visit(scene).await?;
    let vendor = &setup.host.server.cast.vendor;
    for feature in features() {
        let outcome = if !setup.host.declares(feature) {
            let text = message!("plan.feature-not-declared", vendor = vendor.title, feature = feature);
            Err(Failure::NotApplicable(text))
        } else if !is_as_described(&setup.host) {
            let described = &vendor.default_version;
            let text = message!("judging.described-otherwise", vendor = vendor.title, described = described);
            Err(Failure::NotApplicable(text))
        } else {
            shown(&setup, feature).await.and_then(|shown| {
                if shown.is_there {
                    return Ok(Observations::new(shown.observation, []));
                }
                let (title, answer) = (&vendor.title, &shown.answer);
                let text =
                    message!("fail.feature-not-served", vendor = title, feature = feature, answer = answer);
                Err(setup.alice.wrong("rooms.feature_not_served", text, &[shown.observation]))
            })
        };
        scene.check(feature, outcome);
    }
    Ok(())
}

/// Each feature that is not declared is asked for.
async fn features_beyond_declared(scene: &Scene) -> Result<(), Failure> {
    let setup = invited_visit(scene).await?;
    let vendor = &setup.host.server.cast.vendor;
    let (mut beyond, mut seen) = (Vec::new(), Vec::new());
    for feature in features().filter(|feature| !setup.host.declares(feature)) {
        match shown(&setup, feature).await {
            Ok(shown) => {
                if shown.is_there {
                    beyond.push(feature);
                }
                seen.push(shown.observation);
            }
            // It cannot so much as be asked for.
            Err(
                Failure::NotApplicable(_)
                | Failure::Call { error: CallError::Refused(_) | CallError::NotOffered { .. }, .. },
            ) => {}
            Err(other) => return Err(other),
        }
    }
    let outcome = if beyond.is_empty() {
        let nothing = || Failure::NotApplicable(message!("judging.all-declared", vendor = vendor.title));
        Observations::from_all(seen).ok_or_else(nothing)
    } else {
        let features = beyond.join(", ");
        let text = message!("fail.features-not-declared", vendor = vendor.title, features = features);
        let failure = setup.alice.wrong("rooms.feature_not_declared", text, &seen);
        Err(failure.showing(vendor.features.join(", "), features))
    };
    scene.check("declared", outcome);
    Ok(())
}

/// Asks what only a server with the feature answers.
async fn shown(setup: &PeerSetup<'_>, feature: &str) -> Result<Shown, Failure> {
    let PeerSetup { alice, room, copy, .. } = setup;
    let here = segment(&room.id);
    match feature {
        "authenticated-media" => {
            let media = alice.upload(&picture()).await?;
            let id = segment(media.address.rsplit('/').next().unwrap_or_default());
            let target = format!("/_matrix/federation/v1/media/download/{id}");
            // The answer is in parts and no JSON.
            asked(setup, &target, |_| true).await
        }
        "device-lists" => {
            let target = format!("/_matrix/federation/v1/user/devices/{}", segment(alice.id()));
            asked(setup, &target, |body| body["devices"].is_array()).await
        }
        "knock" => {
            let room = alice.create_room(RoomPlan::with(JoinRule::Knock)).await?;
            template(setup, "knock", &room, &copy.user).await
        }
        "knock-restricted" => {
            let room = admitting(setup, "knock_restricted").await?;
            template(setup, "knock", &room, &setup.mallory.user("eve")).await
        }
        "public-rooms" => {
            // A public room of somebody else's, without a name, is none to stumble over.
            let (elsewhere, _) = setup.mallory.found(&setup.host, "mallory").await?;
            alice.join(&elsewhere).await?;
            alice.sees(join(&elsewhere, alice)).await?;
            asked(setup, "/_matrix/federation/v1/publicRooms?limit=10", |body| body["chunk"].is_array()).await
        }
        "restricted-join" => {
            let room = admitting(setup, "restricted").await?;
            template(setup, "join", &room, &copy.user).await
        }
        "room-summary" => {
            let bob = setup.host.register("bob").await?;
            looked_up(&bob, &format!("/v1/room_summary/{here}"), "room_id").await
        }
        "spaces" => {
            let target = format!("/_matrix/federation/v1/hierarchy/{here}?suggested_only=false");
            asked(setup, &target, |body| body["room"].is_object()).await
        }
        "threads" => looked_up(alice, &format!("/v1/rooms/{here}/threads"), "chunk").await,
        "timestamp-to-event" => {
            let target = format!("/_matrix/federation/v1/timestamp_to_event/{here}?ts={}&dir=b", now_ms());
            asked(setup, &target, |body| body["event_id"].is_string()).await
        }
        "presence" => told(setup, edu::present(&copy.user)).await,
        "receipts" => {
            let hello = alice.send(room, "hello").await?;
            setup.scene.event_on_wire(&hello).await?;
            told(setup, edu::read(room, &copy.user, &hello)).await
        }
        "to-device" => told(setup, edu::to_device(&copy.user, alice, "probe", "probing")).await,
        "typing" => told(setup, edu::types(room, &copy.user)).await,
        "uninvited-joins" => template(setup, "join", room, &setup.mallory.user("eve")).await,
        _ => Err(Failure::Problem(Problem::harness(message!("judging.nothing-gathered")))),
    }
}

/// A peer asks, and an answer with success has what `is_right` looks for.
async fn asked(setup: &PeerSetup<'_>, target: &str, is_right: fn(&Value) -> bool) -> Result<Shown, Failure> {
    let reply = setup.mallory.ask(&setup.host, "GET", target, None).await?;
    let is_there = reply.is_success() && is_right(&reply.body);
    Ok(Shown { is_there, answer: reply.in_words(), observation: reply.observation })
}

/// A peer asks for a template for the member event of its user.
async fn template(
    setup: &PeerSetup<'_>,
    membership: &str,
    room: &Room,
    user: &str,
) -> Result<Shown, Failure> {
    asked(setup, &make_target(membership, &room.id, user), |body| body["event"].is_object()).await
}

/// A room of Alice's with this join rule, to which the room of the visit admits.
async fn admitting(setup: &PeerSetup<'_>, join_rule: &str) -> Result<Room, Failure> {
    let room = setup.alice.create_room(Private).await?;
    let allow = json!([{"type": "m.room_membership", "room_id": setup.room.id}]);
    let content = json!({"join_rule": join_rule, "allow": allow});
    setup.alice.set_state(&room, "m.room.join_rules", "", content).await?;
    Ok(room)
}

/// A user asks, and the answer has `key`.
async fn looked_up(user: &User, path: &str, key: &str) -> Result<Shown, Failure> {
    match user.asks("GET", path, &Value::Null).await {
        Ok(said) => {
            let is_there = !said.value[key].is_null();
            let observation = said.observations.all()[0].clone();
            Ok(Shown { is_there, answer: format!("200 without {key}"), observation })
        }
        Err(Failure::Call { error: CallError::Refused(refusal), .. }) => Ok(Shown {
            is_there: false,
            answer: format!("{} {}", refusal.status, refusal.errcode).trim_end().to_owned(),
            observation: Observation { by: user.role(), exchange: refusal.exchange },
        }),
        Err(other) => Err(other),
    }
}

/// A peer sends a signal, and Alice is shown it within the bound.
async fn told(setup: &PeerSetup<'_>, signal: Signal) -> Result<Shown, Failure> {
    let sent = setup.tell(&setup.mallory, signal).await?;
    match setup.alice.sees(sent).await {
        Ok(sighting) => {
            let seen = Observations::from(&sighting);
            Ok(Shown { is_there: true, answer: "shown".to_owned(), observation: seen.all()[0].clone() })
        }
        Err(Failure::NotSeen { who, last: Some(exchange), bound, .. }) => Ok(Shown {
            is_there: false,
            answer: format!("its user was not shown it within {} s", bound.as_secs()),
            observation: Observation { by: who.role, exchange },
        }),
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_that_is_asked_for_is_a_check_of_its_own() {
        let checks: Vec<_> = SCENARIOS[0].checks.iter().map(|check| check.name).collect();
        assert_eq!(checks, features().collect::<Vec<_>>());
    }
}
