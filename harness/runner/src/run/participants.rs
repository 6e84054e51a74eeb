//! The servers that take part in a run: what is known about each, and what each answered about itself.

use std::collections::BTreeMap;

use samklang_deploy::Cast;
use samklang_stage::{Stage, StageServer};
use samklang_verdict::{Class, Participant, Problem, Upgrade, message};

use super::{millis, order::RunOrder};

/// What is known about a participant before it has answered.
pub(super) fn cast_only(cast: &Cast, order: &RunOrder) -> Participant {
    Participant {
        role: cast.role,
        subject: order.subjects.contains(&cast.role),
        vendor: cast.vendor.name.clone(),
        version: cast.version.clone(),
        upgrade: cast.upgrade_to.clone().map(Upgrade::to),
        server_name: String::new(),
        answered_name: None,
        answered_version: None,
        verify_keys: BTreeMap::new(),
        image: None,
        holds_ca_key: false,
        room_versions: cast.vendor.room_versions.clone(),
        features: cast.vendor.features.clone(),
        cpu_ms: None,
        log: None,
    }
}

pub(super) fn answered(server: &StageServer, order: &RunOrder) -> Participant {
    Participant {
        server_name: server.name.clone(),
        answered_name: server.identity.name.clone(),
        answered_version: server.identity.version.clone(),
        verify_keys: server.identity.verify_keys.clone(),
        image: server.running().image(),
        holds_ca_key: server.holds_ca_key,
        ..cast_only(&server.cast, order)
    }
}

/// Adds the answers of the newer versions after an upgrade.
pub(super) fn note_upgrades(stage: &Stage, participants: &mut [Participant]) {
    for participant in participants {
        let renewed = stage.renewed(participant.role);
        if let (Some(upgrade), Some(renewed)) = (&mut participant.upgrade, renewed) {
            upgrade.answered_name = renewed.identity.name;
            upgrade.answered_version = renewed.identity.version;
            upgrade.image = renewed.image;
        }
    }
}

pub(super) async fn note_cpu(stage: &Stage, participants: &mut [Participant]) {
    for participant in participants {
        if let Some(server) = stage.server(participant.role) {
            participant.cpu_ms = server.running().cpu().await.map(millis);
        }
    }
}

/// Two roles that are cast differently must not answer alike, and every server must prove who it is by its keys.
pub(super) fn proof_of_difference(order: &RunOrder, stage: &Stage) -> Option<Problem> {
    let servers: Vec<_> = stage.servers().collect();
    for (i, one) in servers.iter().enumerate() {
        if one.identity.verify_keys.is_empty() {
            let text = message!("run.no-identity", role = one.role);
            return Some(Problem::new(Class::Subject, text));
        }
        for other in &servers[i + 1..] {
            let cast_alike =
                one.cast.vendor.name == other.cast.vendor.name && one.cast.version == other.cast.version;
            let answer_alike =
                one.identity.name == other.identity.name && one.identity.version == other.identity.version;
            let keys_alike = one.identity.verify_keys == other.identity.verify_keys;
            // A server that ran before this run was not started by it, so no other server can stand in its place.
            let is_ours = one.cast.target.is_none() && other.cast.target.is_none();
            if keys_alike || (answer_alike && !cast_alike && !order.direct && is_ours) {
                let text = message!("run.same-identity", one = one.role, other = other.role);
                return Some(Problem::harness(text));
            }
        }
    }
    None
}
