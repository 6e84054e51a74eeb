//! Compares the features in a product's descriptor with its running server. A feature that is declared and missing makes
//! scenarios fail that do not apply; a feature that the server has and does not declare is never played.

use samklang_deploy::vendor::FEATURES;
use samklang_drivers::CallError;
use samklang_reference::make_target;

use super::declared_versions::is_as_described;
use crate::{
    prelude::*,
    signals::edu::{self, PeerEdu},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.features-as-declared",
        title: "The server has the features that its descriptor declares.",
        catalogue: &["FC-10"],
        versions: Versions::Only(&["11"]),
        checks: &[
            CheckPlan::new(
                "authenticated-media",
                "The server answers another server's signed media download request with success.",
            )
            .of(&["SS-MEDIA-001"]),
            CheckPlan::new(
                "device-lists",
                "The server answers another server's request for a local user's devices with success.",
            )
            .of(&["SS-DEVLIST-008"]),
            CheckPlan::new(
                "knock",
                "The server answers make_knock for a room with the join rule knock with a template.",
            )
            .of(&["SS-KNOCK-001"]),
            CheckPlan::new(
                "knock-restricted",
                "The server answers make_knock for a knock_restricted room with a template for a user who may not join.",
            )
            .of(&["SS-RESTR-016"]),
            CheckPlan::new("presence", "A local user is shown the presence of another server's user.")
                .of(&["SS-PRESENCE-005"]),
            CheckPlan::new(
                "public-rooms",
                "The server answers another server's request for its room directory with success.",
            )
            .of(&["SS-DIR-001"]),
            CheckPlan::new("receipts", "A local user is shown the receipt of another server's user.")
                .of(&["SS-RECEIPT-007"]),
            CheckPlan::new(
                "restricted-join",
                "The server answers make_join for a restricted room with a template for a member of the allowed room.",
            )
            .of(&["SS-RESTR-001"]),
            CheckPlan::new(
                "room-summary",
                "The server answers a local user's request for the summary of a public room with success.",
            ),
            CheckPlan::new(
                "spaces",
                "The server answers another server's GET /hierarchy with an object `room`.",
            )
            .of(&["SS-SPACE-001"]),
            CheckPlan::new("threads", "The server answers a local user's request for a room's threads with success."),
            CheckPlan::new(
                "timestamp-to-event",
                "The server answers another server's timestamp_to_event request with an event ID.",
            )
            .of(&["SS-TIMESTAMP-001"]),
            CheckPlan::new(
                "to-device",
                "A local user is shown a to-device message of another server's user.",
            )
            .of(&["SS-TODEV-005"]),
            CheckPlan::new("typing", "A local user is shown that another server's user is typing.")
                .of(&["SS-TYPING-005"]),
            CheckPlan::new(
                "uninvited-joins",
                "The server answers make_join for a public room with a template for a user who was not invited.",
            )
            .of(&["SS-JOIN-001"]),
        ],
        play: play!(features_as_declared),
        ..Scenario::PEER
    },
    Scenario {
        id: "rooms.features-beyond-declared",
        title: "The descriptor declares every feature that the server has, of those that the suite knows.",
        catalogue: &["FC-10"],
        weight: Weight::May,
        versions: Versions::Only(&["11"]),
        checks: &[CheckPlan::new(
            "declared",
            "The server has no feature that its descriptor does not declare.",
        )],
        play: play!(features_beyond_declared),
        ..Scenario::PEER
    },
];

/// The features that a request can find: all but `admin-registration`, which tells how an image was set up.
fn features() -> impl Iterator<Item = &'static str> {
    FEATURES.into_iter().filter(|feature| *feature != "admin-registration")
}

/// The response to a request that only a server with the feature answers.
struct FeatureProbe {
    /// Whether the server has the feature.
    is_there: bool,
    /// The response, in short.
    answer: String,
    observation: Observation,
}

/// Mallory joins Alice's public room by invite, since the feature `uninvited-joins` is one of those that are looked for.
async fn mallory_invited(scene: &Scene) -> Result<PeerSetup<'_>, Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let room = alice.create_room(Public).await?;
    let mallory = scene.peer("mallory").await?;
    alice.invite_by_id(&room, &mallory.user("mallory")).await?;
    let copy = mallory.join(&host, &room, "mallory").await?;
    alice.sees(state(&room, "m.room.member", &copy.user)).await?;
    Ok(PeerSetup { scene, host, alice, room, mallory, copy })
}

/// Looks for each declared feature.
async fn features_as_declared(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_invited(scene).await?;
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
            probe_feature(&setup, feature).await.and_then(|probe| {
                if probe.is_there {
                    return Ok(Observations::new(probe.observation, []));
                }
                let (title, answer) = (&vendor.title, &probe.answer);
                let text =
                    message!("fail.feature-not-served", vendor = title, feature = feature, answer = answer);
                Err(setup.alice.wrong("rooms.feature_not_served", text, &[probe.observation]))
            })
        };
        scene.check(feature, outcome);
    }
    Ok(())
}

/// Looks for each feature that is not declared.
async fn features_beyond_declared(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_invited(scene).await?;
    let vendor = &setup.host.server.cast.vendor;
    let (mut beyond, mut seen) = (Vec::new(), Vec::new());
    for feature in features().filter(|feature| !setup.host.declares(feature)) {
        match probe_feature(&setup, feature).await {
            Ok(probe) => {
                if probe.is_there {
                    beyond.push(feature);
                }
                seen.push(probe.observation);
            }
            // The client API does not even take the request.
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

/// Makes a request that only a server with the feature answers.
async fn probe_feature(setup: &PeerSetup<'_>, feature: &str) -> Result<FeatureProbe, Failure> {
    let PeerSetup { alice, room, copy, .. } = setup;
    match feature {
        "authenticated-media" => {
            let media = alice.upload(&picture()).await?;
            let id = media.address.rsplit('/').next().unwrap_or_default();
            let target = paths::media_download(id);
            // The response is multipart and not JSON.
            request(setup, &target, |_| true).await
        }
        "device-lists" => {
            let target = paths::user_devices(alice.id());
            request(setup, &target, |body| body["devices"].is_array()).await
        }
        "knock" => {
            let room = alice.create_room(RoomPlan::with(JoinRule::Knock)).await?;
            template(setup, "knock", &room, &copy.user).await
        }
        "knock-restricted" => {
            let room = room_allowing_setup(setup, "knock_restricted").await?;
            template(setup, "knock", &room, &setup.mallory.user("eve")).await
        }
        "public-rooms" => {
            // A public room of another server, without a name, must not break the listing.
            let (elsewhere, _) = setup.mallory.found(&setup.host, "mallory").await?;
            alice.join(&elsewhere).await?;
            alice.sees(join(&elsewhere, alice)).await?;
            let target = endpoints::with_query(endpoints::PUBLIC_ROOMS.template, [("limit", "10")]);
            request(setup, &target, |body| body["chunk"].is_array()).await
        }
        "restricted-join" => {
            let room = room_allowing_setup(setup, "restricted").await?;
            template(setup, "join", &room, &copy.user).await
        }
        "room-summary" => {
            let bob = setup.host.register("bob").await?;
            client_request(&bob, &client::room_summary(&room.id), "room_id").await
        }
        "spaces" => {
            let target = endpoints::with_query(&paths::hierarchy(&room.id), [("suggested_only", "false")]);
            request(setup, &target, |body| body["room"].is_object()).await
        }
        "threads" => client_request(alice, &client::threads(&room.id), "chunk").await,
        "timestamp-to-event" => {
            let target = paths::timestamp_to_event(&room.id, now_ms(), "b");
            request(setup, &target, |body| body["event_id"].is_string()).await
        }
        "presence" => edu_shown(setup, edu::online_edu(&copy.user)).await,
        "receipts" => {
            let hello = alice.send(room, "hello").await?;
            setup.scene.event_on_wire(&hello).await?;
            edu_shown(setup, edu::receipt_edu(room, &copy.user, &hello)).await
        }
        "to-device" => edu_shown(setup, edu::to_device_edu(&copy.user, alice, "probe", "probing")).await,
        "typing" => edu_shown(setup, edu::typing_edu(room, &copy.user)).await,
        "uninvited-joins" => template(setup, "join", room, &setup.mallory.user("eve")).await,
        _ => Err(Failure::Problem(Problem::harness(message!("judging.nothing-gathered")))),
    }
}

/// A peer's request: the feature is there if the response is a success and `is_right` holds for its body.
async fn request(
    setup: &PeerSetup<'_>,
    target: &str,
    is_right: fn(&Value) -> bool,
) -> Result<FeatureProbe, Failure> {
    let reply = setup.mallory.ask(&setup.host, "GET", target, None).await?;
    let is_there = reply.is_success() && is_right(&reply.body);
    Ok(FeatureProbe { is_there, answer: reply.in_words(), observation: reply.observation })
}

/// A peer requests a template for the member event of its user.
async fn template(
    setup: &PeerSetup<'_>,
    membership: &str,
    room: &Room,
    user: &str,
) -> Result<FeatureProbe, Failure> {
    request(setup, &make_target(membership, &room.id, user), |body| body["event"].is_object()).await
}

/// Alice creates a room with this join rule that allows the members of the setup's room.
async fn room_allowing_setup(setup: &PeerSetup<'_>, join_rule: &str) -> Result<Room, Failure> {
    let room = setup.alice.create_room(Private).await?;
    let allow = json!([{"type": "m.room_membership", "room_id": setup.room.id}]);
    let content = json!({"join_rule": join_rule, "allow": allow});
    setup.alice.set_state(&room, "m.room.join_rules", "", content).await?;
    Ok(room)
}

/// A user's request: the feature is there if the response has `key`.
async fn client_request(user: &User, path: &str, key: &str) -> Result<FeatureProbe, Failure> {
    match user.asks("GET", path, &Value::Null).await {
        Ok(response) => {
            let is_there = !response.value[key].is_null();
            let observation = response.observations.all()[0].clone();
            Ok(FeatureProbe { is_there, answer: format!("200 without {key}"), observation })
        }
        Err(Failure::Call { error: CallError::Refused(refusal), .. }) => Ok(FeatureProbe {
            is_there: false,
            answer: format!("{} {}", refusal.status, refusal.errcode).trim_end().to_owned(),
            observation: Observation { by: user.role(), exchange: refusal.exchange },
        }),
        Err(other) => Err(other),
    }
}

/// A peer sends an EDU: the feature is there if Alice is shown it within the bound.
async fn edu_shown(setup: &PeerSetup<'_>, signal: PeerEdu) -> Result<FeatureProbe, Failure> {
    let sent = setup.send_edu(&setup.mallory, signal).await?;
    match setup.alice.sees(sent).await {
        Ok(sighting) => {
            let seen = Observations::from(&sighting);
            Ok(FeatureProbe {
                is_there: true,
                answer: "shown".to_owned(),
                observation: seen.all()[0].clone(),
            })
        }
        Err(Failure::NotSeen { who, last: Some(exchange), bound, .. }) => Ok(FeatureProbe {
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
    fn each_feature_has_a_check_of_its_own() {
        let checks: Vec<_> = SCENARIOS[0].checks.iter().map(|check| check.name).collect();
        assert_eq!(checks, features().collect::<Vec<_>>());
    }
}
