//! The page and the closing text of a vendor matrix.

use samklang_reports::{Colour, MatrixReport, changes_text};
use samklang_verdict::*;

use crate::common::{HOSTILE, check, fail, good, large, mixed, pass, run_of};

/// A vendor matrix of these vendors, with `result` of each pair.
fn matrix(vendors: &[&str], result: &dyn Fn(&str, &str) -> ResultFile) -> (VendorMatrix, Vec<PlayedPair>) {
    let vendors: Vec<_> = vendors.iter().map(|&vendor| vendor.to_owned()).collect();
    let met = pairs(&vendors).into_iter().map(|[a, b]| PlayedPair { result: result(&a, &b), a, b });
    let met: Vec<_> = met.collect();
    (VendorMatrix::of(vendors, None, &met), met)
}

fn html(vendors: &[&str], result: &dyn Fn(&str, &str) -> ResultFile) -> String {
    let (file, met) = matrix(vendors, result);
    MatrixReport::new(&file, &met, Catalogue::english()).html()
}

/// Elm fails a check with every partner, and the recorded traffic never shows the blame.
fn elm_fails(a: &str, b: &str) -> ResultFile {
    let verdict = if [a, b].contains(&"elm@1") {
        fail("client.refused", None, "It was refused.", "", "")
    } else {
        pass()
    };
    run_of(vec![
        check("rooms.tea/flow", "Tea is served.", "11", Role::A, verdict),
        check("media.cup/flow", "A cup is lent.", "11", Role::A, pass()),
    ])
}

#[test]
fn an_undecided_fail_is_traced_to_the_vendor_that_fails_with_everybody() {
    let (file, met) = matrix(&["oak@1", "ash@1", "elm@1"], &elm_fails);
    let report = MatrixReport::new(&file, &met, Catalogue::english());
    let closing = report.closing(Colour::Never);
    assert!(closing.starts_with("3 vendors, 6 pairs: 3 of 12 checks failed, in 3 pairs.\n"), "{closing}");
    assert!(closing.contains("elm@1 is to blame for 1 check: "), "{closing}");
    let html = report.html();
    assert_eq!(html.matches("1 fail, the fault of <").count(), 0);
    assert!(html.contains("1 fail, the fault of elm@1"));
    assert!(!html.contains("1 fail, the fault of oak@1") && !html.contains("1 fail, fault undecided"));
    assert_eq!(html.matches("All pairs together: elm@1 fails it with every peer").count(), 3);
    assert!(html.contains("href=\"pairs/elm@1--oak@1/report.html#f1\""));
    // If elm passes with one partner, no vendor is blamed.
    let with_ash = |a: &str, b: &str| if [a, b] == ["ash@1", "elm@1"] { good() } else { elm_fails(a, b) };
    let html = self::html(&["oak@1", "ash@1", "elm@1"], &with_ash);
    assert!(html.contains("1 fail, fault undecided") && !html.contains("is to blame"));
}

#[test]
fn text_of_a_server_or_a_file_cannot_act_on_the_page() {
    let hostile = |a: &str, b: &str| {
        let mut result = if a == b { elm_fails(a, b) } else { mixed() };
        for check in &mut result.checks {
            (check.title, check.play.room_version) = (HOSTILE.into(), HOSTILE.into());
            check.transcript = Some("javascript:alert(1)".into());
        }
        for who in &mut result.participants {
            (who.answered_name, who.answered_version) = (Some(HOSTILE.into()), Some(HOSTILE.into()));
            who.room_versions = vec![HOSTILE.into()];
        }
        result.problems.push(Problem::harness(Message::new(HOSTILE)));
        result
    };
    let names = ["<script>@\"onload=alert(1)", "elm@1", HOSTILE];
    let (file, met) = matrix(&names, &hostile);
    let before = vec![];
    let changes = changes(&before, &ComparedResult::of_matrix(&file, &met));
    assert!(!changes.is_empty());
    let report = MatrixReport::new(&file, &met, Catalogue::english()).since(Some(&changes));
    let (html, closing) = (report.html(), report.closing(Colour::Never));
    let shown = changes_text(&changes, Catalogue::english(), Colour::Never);
    assert!(!html.contains("<script") && !html.contains("<b>x</b>"));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    for text in [&html, &closing, &shown] {
        assert!(!text.contains(['\0', '\u{1b}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{fffe}']));
    }
    assert!(html.contains("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src"));
    for forbidden in [" style=", "<link", "<img", "<iframe", "<form", " src=", "@import", "url("] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    for link in html.split("href=").skip(1).map(|rest| rest.trim_start_matches('"')) {
        let target = link.split(['"', '>']).next().unwrap();
        assert!(target.starts_with('#') || target.starts_with("pairs/"), "{target}");
        assert!(!target.contains("..") && !target.contains(['<', '\'']), "{target}");
    }
}

/// Readers may not see the page, or not its colours.
#[test]
fn the_page_is_readable_without_colours_scripts_or_sight() {
    let html = html(&["oak@1", "elm@1"], &elm_fails);
    assert!(html.starts_with("<!DOCTYPE html><html lang=\"en\">"));
    let count = |text: &str| html.matches(text).count();
    assert_eq!(count("<th"), count("<thead") + count("<th "), "a header cell without attributes");
    assert_eq!(count("<th "), count("scope=\""));
    assert_eq!(count("<table"), count("<caption"));
    // Headings start with the first rank and skip none.
    let ranks = html.split("<h").skip(1).filter_map(|rest| rest.chars().next()?.to_digit(10));
    let ranks: Vec<_> = ranks.collect();
    assert_eq!((ranks[0], ranks.iter().filter(|rank| **rank == 1).count()), (1, 1));
    for two in ranks.windows(2) {
        assert!(two[1] <= two[0] + 1, "{ranks:?}");
    }
    // Every coloured number has its own sign and words.
    let chips = html.split("<span class=\"tag ").skip(1);
    for chip in chips.filter(|chip| !chip.starts_with("b1\">◀<") && !chip.contains("</dt>")) {
        assert!(chip.contains("<span aria-hidden=\"true\">") && chip.contains("<span class=\"quiet\">"));
    }
    // Every link within the page leads somewhere.
    for link in html.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(html.contains(&format!("id=\"{link}\"")), "#{link}");
    }
}

#[test]
fn a_page_of_ten_thousand_checks_stays_small() {
    let failing = |_| fail("client.refused", None, HOSTILE, &HOSTILE.repeat(50), &"new\n".repeat(4000));
    let unsure = |i| Verdict::Inconclusive {
        message: Message::new(format!("cause {i}")),
        blocked_by: None,
        bound_ms: None,
    };
    let kinds: [(&str, &dyn Fn(usize) -> Verdict); 3] =
        [("pass", &|_| pass()), ("fail", &failing), ("inconclusive", &unsure)];
    for (name, verdict) in kinds {
        let html = html(&["oak@1"], &|_, _| large(verdict));
        assert!(html.len() < 5_000_000, "{name}: {}", html.len());
        assert!(html.contains("10000"), "{name}");
    }
    let vendors = ["oak@1", "elm@1"];
    let html = html(&vendors, &|_, _| large(&failing));
    assert!(html.len() < 5_000_000, "{}", html.len());
    assert!(html.contains("more are in the pairs' own reports."));
}

#[test]
fn a_pair_without_a_result_is_reported() {
    let (file, mut met) = matrix(&["oak@1", "elm@1"], &|_, _| good());
    let whole = MatrixReport::new(&file, &met, Catalogue::english());
    assert!(whole.closing(Colour::Never).starts_with("2 vendors, 3 pairs: all federate, 54 of 54"));
    met.pop();
    let file = VendorMatrix::of(file.vendors, None, &met);
    let report = MatrixReport::new(&file, &met, Catalogue::english());
    let closing = report.closing(Colour::Never);
    assert!(closing.starts_with("Not proven: 2 vendors; some pairs have no whole result.\n1 pair has no"));
    assert!(report.html().contains("<td class=\"o\">no result</td>"));
    let shard = VendorMatrix::of(file.vendors.clone(), Some("1/2".into()), &met);
    let report = MatrixReport::new(&shard, &met, Catalogue::english());
    assert!(report.closing(Colour::Never).contains("This is shard 1/2"));
    assert!(report.html().contains("in another shard"));
    met[0].result.run.termination = Termination::Interrupted;
    let file = VendorMatrix::of(file.vendors, Some("1/2".into()), &met);
    let report = MatrixReport::new(&file, &met, Catalogue::english());
    assert!(report.closing(Colour::Never).contains("1 pair was not played to its end."));
}

#[test]
fn changes_are_listed_by_kind_with_deteriorations_first() {
    let (old, before) = matrix(&["oak@1", "elm@1"], &|_, _| elm_fails("", ""));
    let (new, after) =
        matrix(&["oak@1", "elm@2"], &|a, b| elm_fails(&a.replace('2', "1"), &b.replace('2', "1")));
    let changes =
        changes(&ComparedResult::of_matrix(&old, &before), &ComparedResult::of_matrix(&new, &after));
    let text = changes_text(&changes, Catalogue::english(), Colour::Never);
    assert!(text.starts_with("2 new fails\n  elm with elm: "), "{text}");
    assert!(text.contains("rooms.tea/flow room version 11, host A: pass → fail client.refused"), "{text}");
    let html = MatrixReport::new(&new, &after, Catalogue::english()).since(Some(&changes)).html();
    assert!(html.contains("id=\"changes\"") && html.contains("pass → fail client.refused"));
    assert_eq!(changes_text(&[], Catalogue::english(), Colour::Never), "Nothing changed.\n");
    let unchanged = MatrixReport::new(&new, &after, Catalogue::english()).since(Some(&[])).html();
    assert!(unchanged.contains("Nothing changed."));
}
