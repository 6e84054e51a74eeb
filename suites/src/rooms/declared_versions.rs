//! Compares the room versions in a product's descriptor with its running server. A version that is declared and not
//! supported makes scenarios fail that do not apply; a version that is supported and not declared is never played.

use std::collections::BTreeSet;

use samklang_drivers::CallError;

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "rooms.versions-as-declared",
        title: "The server supports the room versions that its descriptor declares.",
        catalogue: &["FC-10"],
        versions: Versions::Only(&["11"]),
        needs: &[],
        checks: &[
            CheckPlan::new(
                "made",
                "The server creates a room in each version that its descriptor declares for creating.",
            ),
            CheckPlan::new("offered", "The server's m.room_versions capability lists each declared version."),
        ],
        play: play!(versions_as_declared),
        ..Scenario::PEER
    },
    Scenario {
        id: "rooms.versions-beyond-declared",
        title: "The descriptor declares every room version that the suite plays and the server supports.",
        catalogue: &["FC-10"],
        weight: Weight::May,
        versions: Versions::Only(&["11"]),
        needs: &[],
        checks: &[CheckPlan::new(
            "declared",
            "The server's m.room_versions capability lists no undeclared room version that the suite plays.",
        )],
        play: play!(versions_beyond_declared),
        ..Scenario::PEER
    },
];

/// The room versions that some scenario of the suite plays.
const PLAYED: [&str; 3] = ["10", "11", "12"];

/// Alice creates a room of each declared version, and asks her server which versions it supports.
async fn versions_as_declared(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let offered = match offered(&host, &alice).await {
        Err(failure) if !is_not_offered(&failure) => return Err(failure),
        offered => offered,
    };
    // The descriptor's list is for the default version. Of another one only those versions count that the server also
    // lists in its capabilities (docker/CONTRACT.md).
    let counts = |version: &&String| match &offered {
        Ok((offered, _)) => is_as_described(&host) || offered.contains(*version),
        Err(_) => true,
    };
    let vendor = &host.server.cast.vendor;
    let to_create: Vec<_> = vendor.creates_room_versions.iter().filter(counts).collect();
    scene.check("made", create_each(&host, &alice, &to_create).await?.judged(&host, &alice));
    let to_offer: Vec<_> = vendor.room_versions.iter().filter(counts).collect();
    let all_offered = offered.and_then(|(offered, capabilities)| {
        let missing: Vec<_> = to_offer.iter().filter(|version| !offered.contains(**version)).collect();
        if missing.is_empty() {
            return Ok(capabilities.observations);
        }
        let text = message!("fail.declared-not-offered", vendor = vendor.title, versions = listed(&missing));
        let failure = alice.wrong("rooms.declared_not_offered", text, capabilities.observations.all());
        Err(failure.showing(listed(&to_offer), listed(&offered)))
    });
    scene.check("offered", all_offered);
    Ok(())
}

/// The outcome of creating a room of each version.
#[derive(Default)]
struct CreatedRooms {
    seen: Vec<Observation>,
    /// The versions in which no room was created, with what the server did instead.
    missing: Vec<String>,
    wrong: Vec<Observation>,
}

/// Creates a room of each version.
async fn create_each(host: &Host, alice: &User, versions: &[&String]) -> Result<CreatedRooms, Failure> {
    let mut rooms = CreatedRooms::default();
    for version in versions {
        match alice.create_room_of(version, Private).await {
            Ok(room) => {
                let create = alice.state_of(&room, "m.room.create", "").await?;
                // A create event without a version makes a room of version 1 (SS-ROOMV-004).
                let is = create.value["content"]["room_version"].as_str().unwrap_or("1");
                if is != version.as_str() {
                    rooms.missing.push(format!("{version} (the room is of version {is})"));
                    rooms.wrong.extend(create.observations.all().iter().cloned());
                }
                rooms.seen.extend(create.observations.all().iter().cloned());
            }
            Err(Failure::Call { error: CallError::Refused(refusal), .. }) => {
                rooms.missing.push(format!("{version} ({} {})", refusal.status, refusal.errcode));
                rooms.wrong.push(Observation { by: host.role(), exchange: refusal.exchange });
            }
            Err(other) => return Err(other),
        }
    }
    Ok(rooms)
}

impl CreatedRooms {
    /// Passes if a room of each version was created.
    fn judged(self, host: &Host, alice: &User) -> Result<Observations, Failure> {
        let vendor = &host.server.cast.vendor.title;
        if !self.missing.is_empty() {
            let text =
                message!("fail.declared-not-made", vendor = vendor, versions = self.missing.join(", "));
            return Err(alice.wrong("rooms.declared_not_made", text, &self.wrong));
        }
        let nothing = || Failure::NotApplicable(message!("judging.nothing-claimed", vendor = vendor));
        Observations::from_all(self.seen).ok_or_else(nothing)
    }
}

/// Alice asks her server which room versions it supports.
async fn versions_beyond_declared(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let vendor = &host.server.cast.vendor;
    let (offered, capabilities) = offered(&host, &alice).await?;
    let is_beyond = |version: &&&str| {
        offered.contains(**version) && !vendor.room_versions.iter().any(|declared| declared == **version)
    };
    let beyond: Vec<_> = PLAYED.iter().filter(is_beyond).collect();
    scene.check(
        "declared",
        if beyond.is_empty() {
            Ok(capabilities.observations)
        } else {
            let text =
                message!("fail.offered-not-declared", vendor = vendor.title, versions = listed(&beyond));
            let failure = alice.wrong("rooms.offered_not_declared", text, capabilities.observations.all());
            Err(failure.showing(listed(&vendor.room_versions), listed(&offered)))
        },
    );
    Ok(())
}

/// The room versions that the server lists (client-server API, m.room_versions capability).
async fn offered(host: &Host, alice: &User) -> Result<(BTreeSet<String>, Observed), Failure> {
    let capabilities = alice.capabilities().await?;
    let available = capabilities.value["capabilities"]["m.room_versions"]["available"].as_object();
    match available.map(|available| available.keys().cloned().collect()) {
        Some(offered) => Ok((offered, capabilities)),
        None => {
            let vendor = &host.server.cast.vendor.title;
            Err(Failure::NotApplicable(message!("judging.no-room-versions", vendor = vendor)))
        }
    }
}

/// Whether the failure only says that the server does not offer the capability, which is optional.
fn is_not_offered(failure: &Failure) -> bool {
    matches!(failure, Failure::NotApplicable(_) | Failure::Call { error: CallError::NotOffered { .. }, .. })
}

/// Whether the server is the one that the descriptor describes: the vendor's own image, of the default version.
pub(super) fn is_as_described(host: &Host) -> bool {
    let cast = &host.server.cast;
    cast.version == cast.vendor.default_version && cast.image.is_none()
}

/// The versions in one line, in the order of their numbers.
fn listed<T: std::fmt::Display>(versions: impl IntoIterator<Item = T>) -> String {
    let mut versions: Vec<_> = versions.into_iter().map(|version| version.to_string()).collect();
    versions.sort_by_key(|version| (version.len(), version.clone()));
    versions.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_played_versions_are_those_of_the_profile() {
        let suite = crate::suite(std::path::Path::new(crate::BUILT_FROM)).unwrap();
        assert_eq!(suite.profile.room_versions, PLAYED);
    }
}
