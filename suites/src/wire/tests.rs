//! Each rule is held against traffic that keeps to it and against traffic, one step away, that breaks it.

mod bodies;
mod graphs;
mod world;

use std::collections::BTreeSet;

use samklang_matrix::endpoints;
use samklang_runner::{
    judging::rule::{RuleFinding, TrafficRule},
    scenario::CheckPlan,
    traffic::{Traffic, TrafficContext},
};
use samklang_verdict::{Exchange, Party, Role};

use self::world::World;

/// A check, the room version of its traffic, and what makes that traffic: right, or wrong in one point.
type Case = (&'static str, &'static str, fn(&World, bool) -> Vec<Exchange>);

/// Every check of this area with its full name.
fn checks() -> impl Iterator<Item = (String, &'static CheckPlan)> {
    let scenarios = super::SCENARIOS.iter().flat_map(|topic| topic.iter());
    scenarios.flat_map(|scenario| {
        scenario.checks.iter().map(move |check| (format!("{}/{}", scenario.id, check.name), check))
    })
}

fn rule(check: &str) -> TrafficRule {
    let (_, plan) = checks().find(|(name, _)| name == check).expect(check);
    plan.rule.expect(check)
}

/// A rule's findings about what a.test sent: how often it keeps to the rule, and how it breaks it.
fn judged(rule: TrafficRule, world: &World, exchanges: Vec<Exchange>) -> (usize, Vec<String>) {
    let exchanges = world.numbered(exchanges);
    let context =
        TrafficContext { names: world.names(), played: world.version.clone(), ..TrafficContext::default() };
    let all: Vec<_> = world.key_documents().into_iter().chain(exchanges.iter().cloned()).collect();
    let traffic = Traffic::of(context, &all, exchanges);
    let (mut kept, mut broken) = (0, Vec::new());
    for exchange in &traffic.exchanges {
        for (by, finding) in rule.findings(&traffic, exchange) {
            match finding {
                _ if *by != (Party::Server { role: Role::A }) => {}
                RuleFinding::Keeps => kept += 1,
                RuleFinding::Breaks(what) => broken.push(what.to_string()),
            }
        }
    }
    (kept, broken)
}

#[test]
fn every_rule_passes_right_traffic_and_fails_wrong_traffic() {
    for (check, version, traffic) in bodies::CASES.iter().chain(graphs::CASES) {
        let world = World::new(version);
        let (kept, broken) = judged(rule(check), &world, traffic(&world, true));
        assert!(kept > 0 && broken.is_empty(), "{check}: right traffic: kept {kept}, broken {broken:?}");
        let (_, broken) = judged(rule(check), &world, traffic(&world, false));
        assert!(!broken.is_empty(), "{check}: wrong traffic is not found");
    }
}

/// The cases of endpoints come from their table: each field in turn is left out and given another type.
#[test]
fn every_field_of_every_endpoint_is_checked() {
    let world = World::new("11");
    for (scenario, is_request) in [("wire.request-forms", true), ("wire.answer-forms", false)] {
        for endpoint in endpoints::ALL {
            let check = format!("{scenario}/{}", endpoint.name);
            if !checks().any(|(known, _)| known == check) {
                continue;
            }
            let rule = rule(&check);
            let (right, wrong) = world.forms(endpoint, is_request);
            let (kept, broken) = judged(rule, &world, vec![right]);
            assert!(kept > 0 && broken.is_empty(), "{check}: {broken:?}");
            assert!(!wrong.is_empty(), "{check} cannot fail");
            for (what, exchange) in wrong {
                assert_eq!(judged(rule, &world, vec![exchange]).1.len(), 1, "{check}: {what}");
            }
        }
    }
}

#[test]
fn every_rule_has_a_case() {
    let forms =
        |name: &String| name.starts_with("wire.request-forms/") || name.starts_with("wire.answer-forms/");
    let rules: BTreeSet<_> = checks().map(|(name, _)| name).filter(|name| !forms(name)).collect();
    let cases = bodies::CASES.iter().chain(graphs::CASES).map(|(check, ..)| (*check).to_owned());
    assert_eq!(rules, cases.collect::<BTreeSet<_>>());
}
