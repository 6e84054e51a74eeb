//! The reports of a vendor matrix: a page, and the closing text for a terminal.

mod findings;
mod page;
mod pairs;
mod tables;
mod tally;

use std::collections::{BTreeMap, BTreeSet};

use samklang_verdict::{Catalogue, CheckChange, CheckResult, Origin, PlayedPair, Termination, VendorMatrix};

use self::findings::TracedFinding;
use crate::{
    changes,
    closing::Colour,
    outcome::{Headline, Tone},
    text::safe_line,
    words::Phrases,
};

/// The maximum number of findings shown on a terminal.
const MAX_FINDINGS: usize = 12;

/// In a vendor matrix with more problems than this, details start folded.
const OPEN: u64 = 1000;

/// The reports of one vendor matrix.
pub struct MatrixReport<'a> {
    matrix: &'a VendorMatrix,
    /// The results, in the order of the vendor matrix's pairs.
    met: Vec<&'a PlayedPair>,
    /// The vendors to blame for a check in a room version, as all pairs together show it.
    blamed: BTreeMap<(&'a str, &'a str), BTreeSet<&'a str>>,
    changes: Option<&'a [CheckChange]>,
    phrases: Phrases<'a>,
}

impl<'a> MatrixReport<'a> {
    /// Reports on `matrix`, of whose pairs `met` has the results, in the language of `catalogue`.
    pub fn new(matrix: &'a VendorMatrix, met: &'a [PlayedPair], catalogue: &'a Catalogue) -> Self {
        let of = |a: &str, b: &str| met.iter().find(|met| met.a == a && met.b == b);
        let met = matrix.pairs.iter().filter_map(|pair| of(&pair.a, &pair.b)).collect();
        let mut blamed: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
        for finding in &matrix.findings {
            if let Origin::Vendor { vendor } = &finding.origin {
                let key = (finding.check.as_str(), finding.room_version.as_str());
                blamed.entry(key).or_default().insert(vendor);
            }
        }
        Self { matrix, met, blamed, changes: None, phrases: Phrases { catalogue } }
    }

    /// Adds the changes since an earlier vendor matrix.
    #[must_use]
    pub fn since(self, changes: Option<&'a [CheckChange]>) -> Self {
        Self { changes, ..self }
    }

    /// `report.html`: one page that needs no script and loads nothing.
    pub fn html(&self) -> String {
        page::page(self)
    }

    /// The closing text for a terminal. Ends with a line feed.
    pub fn closing(&self, colour: Colour) -> String {
        let headline = self.headline();
        let code = match headline.tone {
            Tone::Good => "1;32",
            Tone::Unsure => "1;33",
            Tone::Bad => "1;31",
        };
        let mut lines = vec![colour.paint(code, &headline.first)];
        lines.extend(headline.more);
        let traced = TracedFinding::of(&self.matrix.findings);
        for (origin, group) in &traced {
            lines.push(String::new());
            lines.push(findings::heading(self.phrases, origin, group.len()));
            for finding in group.iter().take(MAX_FINDINGS) {
                let (check, versions) = (finding.check, finding.versions(self.phrases));
                let mut line = format!("  {check} {versions} [{}]", finding.reasons());
                // A vendor that fails with every partner needs no list of pairs.
                if !matches!(origin, Origin::Vendor { .. }) {
                    let pairs = finding.pairs.iter().map(|pair| self.with(&pair[0], &pair[1]));
                    line.push_str(&format!(" {}", pairs.collect::<Vec<_>>().join("; ")));
                }
                lines.push(line);
            }
            if group.len() > MAX_FINDINGS {
                lines.push(format!(
                    "  {}",
                    self.phrases.count("matrix.more", (group.len() - MAX_FINDINGS) as u64, &[])
                ));
            }
        }
        let mut text = lines.join("\n") + "\n";
        if let Some(changes) = self.changes {
            text.push('\n');
            text.push_str(&changes::text(changes, self.phrases.catalogue, colour));
        }
        text
    }

    /// The one vendor of a pair to blame for a check, as all pairs together show it.
    fn traced(&self, met: &PlayedPair, check: &CheckResult) -> Option<&'a str> {
        let all = self.blamed.get(&(check.id.as_str(), check.play.room_version.as_str()))?;
        let mut here = all.iter().filter(|&&vendor| vendor == met.a || vendor == met.b);
        here.next().filter(|_| here.next().is_none()).copied()
    }

    /// `oak with elm`.
    fn with(&self, a: &str, b: &str) -> String {
        self.phrases.say("matrix.with", &[("a", &safe_line(a)), ("b", &safe_line(b))])
    }

    /// Whether the page is small enough to start with every problem unfolded.
    fn is_small(&self) -> bool {
        let counts = &self.matrix.counts;
        counts.total() - counts.pass - counts.not_applicable - counts.deviation <= OPEN
    }

    /// The number of incomplete pairs.
    fn broken_off(&self) -> u64 {
        self.matrix.pairs.iter().filter(|pair| pair.termination != Termination::Complete).count() as u64
    }

    /// The outcome. It never says that all vendors federate if a check was left unjudged.
    fn headline(&self) -> Headline {
        let (matrix, phrases) = (self.matrix, self.phrases);
        let counts = &matrix.counts;
        let total = counts.total() - counts.not_applicable;
        let unjudged = counts.inconclusive + counts.error + counts.not_run + counts.flaky;
        let red = matrix.pairs.iter().filter(|pair| pair.counts.fail > 0).count();
        let missing = matrix.missing.len() as u64;
        let numbers = [
            ("vendors", matrix.vendors.len() as u64),
            ("pairs", matrix.pairs.len() as u64),
            ("total", total),
            ("pass", counts.pass),
            ("fail", counts.fail),
            ("broken", counts.deviation_broken),
            ("unjudged", unjudged),
            ("red", red as u64),
        ];
        let numbers = numbers.map(|(name, n)| (name, n.to_string()));
        let args: Vec<_> = numbers.iter().map(|(name, n)| (*name, n.as_str())).collect();
        let (tone, key) = if total == 0 {
            (Tone::Unsure, "none")
        } else if counts.fail > 0 {
            (Tone::Bad, "fails")
        } else if counts.deviation_broken > 0 {
            (Tone::Bad, "broken")
        } else if unjudged > 0 {
            (Tone::Unsure, "unproven")
        } else if missing + self.broken_off() > 0 {
            (Tone::Unsure, "partial")
        } else if counts.deviation > 0 {
            (Tone::Good, "recorded")
        } else {
            (Tone::Good, "well")
        };
        let mut more = Vec::new();
        if let Some(shard) = &matrix.shard {
            more.push(phrases.say("matrix.shard", &[("shard", &safe_line(shard))]));
        }
        let others_unjudged = if key == "unproven" { 0 } else { unjudged };
        for (name, n) in
            [("missing", missing), ("broken-off", self.broken_off()), ("unjudged", others_unjudged)]
        {
            if n > 0 {
                more.push(phrases.count(&format!("matrix.lacks.{name}"), n, &[]));
            }
        }
        Headline { tone, first: phrases.say(&format!("matrix.headline.{key}"), &args), more }
    }
}
