//! What is declared of a product, held against its running server: what is declared and not so makes fails of what never
//! applied, and what is so and not declared is never played.

use std::collections::BTreeSet;

use samklang_stage::driver::CallError;

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.versions-as-declared",
        title: "A server supports the room versions that its descriptor declares.",
        catalogue: &["FC-10"],
        versions: Versions::Only(&["11"]),
        needs: &[],
        checks: &[
            CheckPlan::new(
                "made",
                "A room can be made in each version in which it is declared to make rooms.",
            ),
            CheckPlan::new("offered", "The server's capabilities name each declared version."),
        ],
        play: play!(versions_as_declared),
        ..Scenario::PEER
    },
    Scenario {
        id: "rooms.versions-beyond-declared",
        title: "What the suite plays and a server supports is declared.",
        catalogue: &["FC-10"],
        weight: Weight::May,
        versions: Versions::Only(&["11"]),
        needs: &[],
        checks: &[CheckPlan::new("declared", "No version that the suite plays is offered and not declared.")],
        play: play!(versions_beyond_declared),
        ..Scenario::PEER
    },
];

/// The room versions that the suite plays somewhere.
const PLAYED: [&str; 3] = ["10", "11", "12"];

/// Alice asks for a room of each version that is declared, and her server what it supports.
async fn versions_as_declared(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let offered = match offered(&host, &alice).await {
        Err(failure) if !says_nothing(&failure) => return Err(failure),
        offered => offered,
    };
    // The list is of the default version; of another one, what it announces itself counts (docker/CONTRACT.md).
    let counts = |version: &&String| match &offered {
        Ok((offered, _)) => is_as_described(&host) || offered.contains(*version),
        Err(_) => true,
    };
    let vendor = &host.server.cast.vendor;
    let to_make: Vec<_> = vendor.creates_room_versions.iter().filter(counts).collect();
    scene.check("made", make_all(&host, &alice, &to_make).await?.judged(&host, &alice));
    let to_offer: Vec<_> = vendor.room_versions.iter().filter(counts).collect();
    let all_offered = offered.and_then(|(offered, said)| {
        let missing: Vec<_> = to_offer.iter().filter(|version| !offered.contains(**version)).collect();
        if missing.is_empty() {
            return Ok(said.observations);
        }
        let text = message!("fail.declared-not-offered", vendor = vendor.title, versions = listed(&missing));
        let failure = alice.wrong("rooms.declared_not_offered", text, said.observations.all());
        Err(failure.showing(listed(&to_offer), listed(&offered)))
    });
    scene.check("offered", all_offered);
    Ok(())
}

/// What came of rooms that were asked for.
#[derive(Default)]
struct Rooms {
    seen: Vec<Observation>,
    /// Versions of which there is no room, with what there is in its place.
    unmade: Vec<String>,
    wrong: Vec<Observation>,
}

/// Asks for a room of each version.
async fn make_all(host: &Host, alice: &User, versions: &[&String]) -> Result<Rooms, Failure> {
    let mut rooms = Rooms::default();
    for version in versions {
        match alice.create_room_of(version, Private).await {
            Ok(room) => {
                let create = alice.state_of(&room, "m.room.create", "").await?;
                // A create event without a version makes a room of version 1 (SS-ROOMV-004).
                let is = create.value["content"]["room_version"].as_str().unwrap_or("1");
                if is != version.as_str() {
                    rooms.unmade.push(format!("{version} (the room is of version {is})"));
                    rooms.wrong.extend(create.observations.all().iter().cloned());
                }
                rooms.seen.extend(create.observations.all().iter().cloned());
            }
            Err(Failure::Call { error: CallError::Refused(refusal), .. }) => {
                rooms.unmade.push(format!("{version} ({} {})", refusal.status, refusal.errcode));
                rooms.wrong.push(Observation { by: host.role(), exchange: refusal.exchange });
            }
            Err(other) => return Err(other),
        }
    }
    Ok(rooms)
}

impl Rooms {
    /// Passes where there is one of each version.
    fn judged(self, host: &Host, alice: &User) -> Result<Observations, Failure> {
        let vendor = &host.server.cast.vendor.title;
        if !self.unmade.is_empty() {
            let text = message!("fail.declared-not-made", vendor = vendor, versions = self.unmade.join(", "));
            return Err(alice.wrong("rooms.declared_not_made", text, &self.wrong));
        }
        let nothing = || Failure::NotApplicable(message!("judging.nothing-claimed", vendor = vendor));
        Observations::from_all(self.seen).ok_or_else(nothing)
    }
}

/// Alice asks her server what it supports.
async fn versions_beyond_declared(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let vendor = &host.server.cast.vendor;
    let (offered, said) = offered(&host, &alice).await?;
    let is_beyond = |version: &&&str| {
        offered.contains(**version) && !vendor.room_versions.iter().any(|declared| declared == **version)
    };
    let beyond: Vec<_> = PLAYED.iter().filter(is_beyond).collect();
    scene.check(
        "declared",
        if beyond.is_empty() {
            Ok(said.observations)
        } else {
            let text =
                message!("fail.offered-not-declared", vendor = vendor.title, versions = listed(&beyond));
            let failure = alice.wrong("rooms.offered_not_declared", text, said.observations.all());
            Err(failure.showing(listed(&vendor.room_versions), listed(&offered)))
        },
    );
    Ok(())
}

/// The room versions that the server says it supports (client-server API, m.room_versions capability).
async fn offered(host: &Host, alice: &User) -> Result<(BTreeSet<String>, Observed), Failure> {
    let said = alice.capabilities().await?;
    let available = said.value["capabilities"]["m.room_versions"]["available"].as_object();
    match available.map(|available| available.keys().cloned().collect()) {
        Some(offered) => Ok((offered, said)),
        None => {
            let vendor = &host.server.cast.vendor.title;
            Err(Failure::NotApplicable(message!("judging.no-room-versions", vendor = vendor)))
        }
    }
}

/// Whether the server was asked in vain, and nothing is wrong with that: the capability is optional.
fn says_nothing(failure: &Failure) -> bool {
    matches!(failure, Failure::NotApplicable(_) | Failure::Call { error: CallError::NotOffered { .. }, .. })
}

/// Whether the server is what the descriptor describes: the vendor's own image, of the default version.
pub(super) fn is_as_described(host: &Host) -> bool {
    let cast = &host.server.cast;
    cast.version == cast.vendor.default_version && cast.image.is_none()
}

/// Versions in the order of their numbers.
fn listed<T: std::fmt::Display>(versions: impl IntoIterator<Item = T>) -> String {
    let mut versions: Vec<_> = versions.into_iter().map(|version| version.to_string()).collect();
    versions.sort_by_key(|version| (version.len(), version.clone()));
    versions.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_that_are_played_are_the_profiles() {
        let suite = crate::suite(std::path::Path::new(crate::BUILT_FROM)).unwrap();
        assert_eq!(suite.profile.room_versions, PLAYED);
    }
}
