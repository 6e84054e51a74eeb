//! What was recorded while trials were played, for the passive scenarios that judge it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use samklang_stage::Stage;
use samklang_verdict::{Exchange, ExchangeId, Play, Role, Verdict};

use super::{plan::Trial, played::PlayedTrial};
use crate::{
    scenario::{FLOW, Versions},
    traffic::Traffic,
};

/// The exchanges of all trials in one room version and with one host.
#[derive(Default)]
struct RecordedPlay {
    exchanges: BTreeMap<ExchangeId, Arc<Exchange>>,
    /// The exchanges of trials whose flow passed.
    sound: BTreeSet<ExchangeId>,
}

/// The exchanges of all trials, by room version and host.
#[derive(Default)]
pub(super) struct RecordedPlays {
    plays: BTreeMap<Play, RecordedPlay>,
    /// Traffic that was read for one passive scenario already, by the plays that it is from.
    read: BTreeMap<Vec<Play>, Arc<Traffic>>,
}

impl RecordedPlays {
    /// Adds what was recorded of a trial.
    pub(super) fn add(&mut self, played: &PlayedTrial) {
        let play = self.plays.entry(played.trial.play.clone()).or_default();
        let flow = played.checks.get(FLOW);
        let went_well = flow.is_some_and(|flow| matches!(flow.verdict, Verdict::Pass { .. }));
        for exchange in &played.transcript {
            play.exchanges.insert(exchange.id, Arc::clone(exchange));
            if went_well {
                play.sound.insert(exchange.id);
            }
        }
    }

    /// The traffic that a passive scenario judges. `hosts` are the hosts of all passive trials.
    pub(super) fn traffic_for(
        &mut self,
        trial: &Trial,
        hosts: &BTreeSet<Role>,
        stage: &Stage,
    ) -> Arc<Traffic> {
        let keys: Vec<_> = self.plays.keys().filter(|play| judges(trial, hosts, play)).cloned().collect();
        let plays = &self.plays;
        let traffic = self.read.entry(keys).or_insert_with_key(|keys| {
            let of_plays = || keys.iter().filter_map(|key| plays.get(key));
            let exchanges: BTreeMap<_, _> = of_plays()
                .flat_map(|play| &play.exchanges)
                .map(|(id, exchange)| (*id, Arc::clone(exchange)))
                .collect();
            let sound = of_plays().flat_map(|play| play.sound.iter().copied()).collect();
            let exchanges = exchanges.into_values().collect();
            Arc::new(Traffic::on(stage, exchanges, &trial.play.room_version, &sound))
        });
        Arc::clone(traffic)
    }
}

/// Whether a passive trial judges the traffic of `play`. A trial whose rules are the same in all room versions judges
/// the traffic of all versions. Where all passive trials have one host, they judge the traffic of plays with any host.
fn judges(trial: &Trial, hosts: &BTreeSet<Role>, play: &Play) -> bool {
    let same_version = play.room_version == trial.play.room_version;
    let same_host = play.host == trial.play.host;
    (same_version || trial.scenario.versions == Versions::Newest) && (same_host || hosts.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn a_passive_trial_judges_other_hosts_and_other_versions_only_where_they_have_no_trial_of_their_own() {
        let play = |version: &str, host| Play { room_version: version.to_owned(), host };
        let trial = |versions| Trial {
            scenario: Box::leak(Box::new(Scenario { versions, ..Scenario::PASSIVE })),
            play: play("12", Role::A),
            obstacle: None,
        };
        let [alone, both] = [BTreeSet::from([Role::A]), BTreeSet::from([Role::A, Role::B])];
        let (one_version, all_versions) = (trial(Versions::All), trial(Versions::Newest));
        let judged = |trial, hosts| {
            let of = |play| judges(trial, hosts, &play);
            [
                of(play("12", Role::A)),
                of(play("12", Role::B)),
                of(play("10", Role::A)),
                of(play("10", Role::B)),
            ]
        };
        assert_eq!(judged(&one_version, &both), [true, false, false, false]);
        assert_eq!(judged(&one_version, &alone), [true, true, false, false]);
        assert_eq!(judged(&all_versions, &both), [true, false, true, false]);
        assert_eq!(judged(&all_versions, &alone), [true, true, true, true]);
    }
}
