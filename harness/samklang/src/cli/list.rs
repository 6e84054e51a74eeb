//! `samklang list`.

use samklang_runner::{
    scenario::{Scenario, Versions},
    schedule::plan::{Selection, select},
    suite::{Suite, project_root},
};
use samklang_verdict::Catalogue;
use serde_json::{Value, json};

use super::{CommandResult, args::ListArgs, print};

/// Shows the scenarios that `args` names.
pub(super) fn list(args: &ListArgs) -> CommandResult {
    let suite = samklang_suites::suite(&project_root(samklang_suites::BUILT_FROM)?)?;
    let selection = Selection { terms: args.names.clone(), ..Selection::default() };
    let chosen = select(&suite, &selection)?;
    let text = if args.json {
        let all: Vec<_> = chosen.iter().map(|scenario| as_json(&suite, scenario)).collect();
        format!("{:#}\n", Value::Array(all))
    } else {
        let lines = chosen.iter().map(|scenario| {
            let rows = scenario.catalogue.join(" ");
            format!("{:<40} {:<14} {}\n", scenario.id, rows, scenario.title)
        });
        lines.collect()
    };
    print(&text)
}

fn as_json(suite: &Suite, scenario: &Scenario) -> Value {
    let versions: Vec<_> =
        suite.profile.room_versions.iter().filter(|version| scenario.versions.include(version)).collect();
    let mut requirements: Vec<_> =
        scenario.all_checks().flat_map(|(_, _, requirements)| requirements).copied().collect();
    requirements.sort_unstable();
    requirements.dedup();
    let checks: Vec<_> = scenario.all_checks().map(|(name, ..)| format!("{}/{name}", scenario.id)).collect();
    json!({
        "id": scenario.id, "title": scenario.title, "area": scenario.area(), "kind": scenario.kind,
        "catalogue": scenario.catalogue, "requirements": requirements, "room_versions": versions,
        "needs": scenario.needs, "checks": checks,
    })
}

/// The room versions of a scenario, for people.
pub(super) fn versions(versions: Versions) -> String {
    match versions {
        Versions::All => Catalogue::english().label("explain.all-versions"),
        Versions::Newest => Catalogue::english().label("explain.newest-version"),
        Versions::Only(some) => some.join(", "),
    }
}
