//! The vendors, the grid of pairs, and each pair by area.

use std::collections::BTreeSet;

use maud::{Markup, html};
use samklang_verdict::{PlayedPair, Role};

use super::{
    MatrixReport,
    tally::{PairTally, TallyKind, area_of, chip},
};
use crate::{
    text::{SafeText, duration, isolated},
    words::Words,
};

/// The anchor of a pair, by its index.
pub(super) fn anchor(place: usize) -> String {
    format!("p{}", place + 1)
}

/// The number of fails in a pair that are this vendor's fault.
fn own(met: &PlayedPair, tally: &PairTally, vendor: &str) -> u64 {
    if met.a == vendor { tally.get(TallyKind::First) } else { tally.get(TallyKind::Second) }
}

impl MatrixReport<'_> {
    pub(super) fn vendors(&self) -> Markup {
        let label = |key: &str| self.phrases.label(key);
        html! {
            section #vendors aria-labelledby="h-vendors" {
                h2 #h-vendors { (label("matrix.heading.vendors")) }
                div.wide role="region" tabindex="0" aria-label=(label("matrix.heading.vendors")) {
                    table {
                        caption.quiet { (label("matrix.vendors-caption")) }
                        thead { tr {
                            @for key in ["field.asked", "field.product", "field.room-versions"] {
                                th scope="col" { (label(key)) }
                            }
                        } }
                        tbody {
                            @for (place, vendor) in self.matrix.vendors.iter().enumerate() {
                                (self.vendor(vendor, place == 0))
                            }
                        }
                    }
                }
            }
        }
    }

    fn vendor(&self, vendor: &str, is_baseline: bool) -> Markup {
        let role = |met: &PlayedPair| if met.a == vendor { Role::A } else { Role::B };
        let mine = self.met.iter().filter(|met| met.a == vendor || met.b == vendor);
        let servers = mine.clone().filter_map(|met| {
            let words = Words { phrases: self.phrases, result: &met.result };
            let server = met.result.participants.iter().find(|participant| participant.role == role(met))?;
            Some((words.product(server), server.room_versions.join(", ")))
        });
        let servers: BTreeSet<_> = servers.collect();
        html! {
            tr {
                th scope="row" {
                    (isolated(vendor))
                    @if is_baseline { " " small { (self.phrases.label("matrix.baseline")) } }
                }
                td { @for (product, _) in &servers { (isolated(product)) br; } }
                td { @for (_, versions) in servers.iter().take(1) { (SafeText(versions)) } }
            }
        }
    }

    /// The grid of vendors: each cell has the fails that are the row vendor's fault with the column vendor.
    pub(super) fn overview(&self) -> Markup {
        let label = |key: &str| self.phrases.label(key);
        let vendors = &self.matrix.vendors;
        html! {
            section #overview aria-labelledby="h-overview" {
                h2 #h-overview { (label("matrix.heading.overview")) }
                div.wide role="region" tabindex="0" aria-label=(label("matrix.heading.overview")) {
                    table.square {
                        caption { (label("matrix.overview-caption")) }
                        thead {
                            tr {
                                th scope="col" rowspan="2" { (label("matrix.judged")) }
                                th scope="colgroup" colspan=(vendors.len()) { (label("matrix.peer")) }
                            }
                            tr { @for vendor in vendors { th scope="col" { (isolated(vendor)) } } }
                        }
                        tbody {
                            @for vendor in vendors {
                                tr {
                                    th scope="row" { (isolated(vendor)) }
                                    @for peer in vendors { (self.meeting(vendor, peer)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn meeting(&self, vendor: &str, peer: &str) -> Markup {
        let place = self
            .met
            .iter()
            .position(|met| (met.a == vendor && met.b == peer) || (met.a == peer && met.b == vendor));
        let Some(place) = place else {
            let key = if self.matrix.shard.is_some() { "matrix.not-shard" } else { "matrix.missing" };
            return html! { td.o { (self.phrases.label(key)) } };
        };
        let met = self.met[place];
        let tally = PairTally::of(self, met, None);
        let own = own(met, &tally, vendor);
        let say = |key: &str, n: u64| self.phrases.count(&format!("matrix.{key}"), n, &[]);
        html! {
            td {
                a href=(format!("#{}", anchor(place))) {
                    @if own > 0 {
                        (chip("f", '✗', own, &self.phrases.count("matrix.fault-of", own, &[("who", vendor)]))) " "
                    }
                    @for kind in [TallyKind::Undecided, TallyKind::Broken, TallyKind::Unjudged] {
                        @let n = tally.get(kind);
                        @if n > 0 { (chip(kind.class(), kind.sign(), n, &say(kind.key(), n))) " " }
                    }
                    (chip("p", '✓', tally.get(TallyKind::Passed), &say("passed", tally.get(TallyKind::Passed))))
                }
            }
        }
    }

    /// A table with a row for each pair and a cell for each area.
    pub(super) fn areas(&self) -> Markup {
        let label = |key: &str| self.phrases.label(key);
        let areas: BTreeSet<_> = self.met.iter().flat_map(|met| &met.result.checks).map(area_of).collect();
        html! {
            section #areas aria-labelledby="h-areas" {
                h2 #h-areas { (label("matrix.heading.areas")) }
                div.wide role="region" tabindex="0" aria-label=(label("matrix.heading.areas")) {
                    table.square {
                        caption { (label("matrix.areas-caption")) }
                        thead { tr {
                            th scope="col" { (label("matrix.pair")) }
                            @for area in &areas { th scope="col" { (area) } }
                            th scope="col" { (label("field.took")) }
                        } }
                        tbody {
                            @for (place, met) in self.met.iter().enumerate() {
                                tr {
                                    th scope="row" {
                                        a href=(format!("#{}", anchor(place))) { (self.names(met)) }
                                    }
                                    @for area in &areas { (self.area_cell(place, met, area)) }
                                    td.took { (duration(met.result.run.duration_ms)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// The two vendors of a pair, each with the sign of its fails.
    pub(super) fn names(&self, met: &PlayedPair) -> Markup {
        let sign = |kind: TallyKind| html! { span.(kind.class()) aria-hidden="true" { (kind.sign()) } };
        html! {
            (sign(TallyKind::First)) " " (isolated(&met.a))
            @if met.a == met.b { span.quiet { " " (isolated(&self.with(&met.a, &met.b))) } }
            @else { br; (sign(TallyKind::Second)) " " (isolated(&met.b)) }
        }
    }

    fn area_cell(&self, place: usize, met: &PlayedPair, area: &str) -> Markup {
        let tally = PairTally::of(self, met, Some(area));
        let chips = tally.chips(self.phrases, met);
        html! {
            td {
                @if tally.is_well() { (chips) }
                @else { a href=(format!("#{}-{area}", anchor(place))) { (chips) } }
            }
        }
    }
}
