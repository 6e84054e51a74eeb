//! `samklang explain`.

use std::fmt::Write;

use samklang_reference::Fault;
use samklang_runner::{
    scenario::Scenario,
    schedule::plan::{Selection, select},
    suite::{Suite, project_root},
};
use samklang_verdict::{Catalogue, CheckId};

use super::{CommandResult, list, print};

/// Explains `id`: a scenario, a check, a requirement or a catalogue row.
pub(super) fn explain(id: &str) -> CommandResult {
    let suite = samklang_suites::suite(&project_root(samklang_suites::BUILT_FROM)?)?;
    let label = |key: &str| Catalogue::english().label(key);
    let mut text = String::new();
    if let Some(requirement) = suite.requirements.find(id) {
        let weight = format!("{:?}", requirement.weight).to_uppercase();
        let _ = writeln!(text, "{id}  {weight}  {}\n  {}\n", requirement.spec, requirement.statement);
    } else if let Some(row) = suite.catalogue.get(id) {
        let _ = writeln!(text, "{id}  {row}\n");
    }
    let known = !text.is_empty();
    let selection = Selection { terms: vec![id.to_owned()], ..Selection::default() };
    match select(&suite, &selection) {
        Ok(scenarios) => {
            for scenario in scenarios {
                text.push_str(&about(&suite, scenario));
            }
        }
        // The requirement or the row exists, but no scenario covers it yet.
        Err(_) if known => {
            let _ = writeln!(text, "{}", label("explain.not-covered"));
        }
        Err(problem) => return Err(problem),
    }
    print(&text)
}

fn about(suite: &Suite, scenario: &Scenario) -> String {
    let label = |key: &str| Catalogue::english().label(key);
    let mut text = format!("{}\n  {}\n", scenario.id, scenario.title);
    let needs: Vec<_> = scenario.needs.iter().filter_map(|need| serde_json::to_value(need).ok()).collect();
    let needs: Vec<_> = needs.iter().filter_map(|need| need.as_str()).collect();
    let _ = writeln!(text, "  {}: {}", label("explain.room-versions"), list::versions(scenario.versions));
    if !needs.is_empty() {
        let _ = writeln!(text, "  {}: {}", label("explain.needs"), needs.join(", "));
    }
    for row in scenario.catalogue {
        let sentence = suite.catalogue.get(*row).map(String::as_str).unwrap_or_default();
        let _ = writeln!(text, "  {row}  {sentence}");
    }
    for (name, title, requirements) in scenario.all_checks() {
        let _ = writeln!(text, "\n  {}/{name}\n    {title}", scenario.id);
        for id in requirements {
            if let Some(requirement) = suite.requirements.find(id) {
                let weight = format!("{:?}", requirement.weight).to_uppercase();
                let _ = writeln!(text, "    {id} {weight} ({}): {}", requirement.spec, requirement.statement);
            }
        }
        let id = CheckId::new(format!("{}/{name}", scenario.id)).ok();
        for fault in id.iter().flat_map(|id| suite.kill_matrix.proofs_of(id)) {
            let sentence = fault.parse().map(Fault::sentence).unwrap_or_default();
            let _ = writeln!(text, "    {} {fault}: {sentence}", label("explain.proven-by"));
        }
    }
    text.push('\n');
    text
}
