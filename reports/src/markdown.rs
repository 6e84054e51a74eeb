//! `summary.md`, for a CI job's page or a comment on a change.

use crate::{
    Reports,
    fails::{self, FailGroup},
    junit::difference,
    outcome::headline,
    text::{head, safe_line},
    words::{ReportMark, Words},
};

/// The maximum number of failures; GitHub refuses summaries over 1 MiB.
const SHOWN: usize = 40;
/// The maximum number of lines of a difference.
const LINES: usize = 60;
const LINE: usize = 300;
const SENTENCE: usize = 800;

pub(crate) fn summary(reports: &Reports<'_>) -> String {
    let words = reports.words();
    let headline = headline(words);
    let mut out = format!("## {}\n\n", escaped(&headline.first));
    if !headline.more.is_empty() {
        out.push_str(&format!("{}\n\n", escaped(&headline.more.join(" "))));
    }
    out.push_str(&counts(words));
    for problem in &words.result.problems {
        out.push_str(&format!("> {}\n\n", escaped(head(&words.line(&problem.message), SENTENCE))));
    }
    let groups = fails::groups(words.result.checks.iter().filter(|check| fails::is_failure(check)));
    if !groups.is_empty() {
        out.push_str(&format!("### {}\n\n", words.label("heading.failures")));
    }
    for (i, group) in groups.iter().take(SHOWN).enumerate() {
        out.push_str(&failure(words, group, i + 1));
    }
    if groups.len() > SHOWN {
        out.push_str(&format!("{}\n\n", words.count("more-failures", (groups.len() - SHOWN) as u64, &[])));
    }
    let digest = escaped(&words.result.digest);
    out.push_str(&format!("{}: <code>{digest}</code>\n", words.label("field.digest")));
    out
}

fn counts(words: Words<'_>) -> String {
    let mut out = format!("| {} | {} |\n|---|---:|\n", words.label("field.word"), words.label("field.count"));
    for mark in ReportMark::tally().filter(|mark| mark.count(words.result) > 0) {
        out.push_str(&format!("| {} {} | {} |\n", mark.sign(), words.mark(mark), mark.count(words.result)));
    }
    out.push('\n');
    out
}

fn failure(words: Words<'_>, group: &FailGroup<'_>, number: usize) -> String {
    let (check, fail) = (group.first, group.fail);
    let mut out = format!("{number}. **{}**<br>\n", escaped(head(&check.title, SENTENCE)));
    // Check ids contain no back quotes.
    out.push_str(&format!("   `{}` · {}<br>\n", check.id, escaped(&words.plays(&group.checks()))));
    out.push_str(&format!("   {}<br>\n", escaped(head(&words.line(&fail.message), SENTENCE))));
    out.push_str(&format!("   **{}**<br>\n", escaped(head(&words.blame(fail).1, SENTENCE))));
    if let Some(text) = &check.deviation {
        out.push_str(&format!(
            "   {}: {}<br>\n",
            words.label("field.deviation"),
            escaped(head(text, SENTENCE))
        ));
    }
    let requirements = crate::closing::requirements(check);
    if !requirements.is_empty() {
        out.push_str(&format!("   {}: {}<br>\n", words.label("field.requirements"), escaped(&requirements)));
    }
    // Not a code span: a vendor's name may contain back quotes.
    let again = escaped(&words.replay_command(check));
    out.push_str(&format!("   {}: <code>{again}</code>\n\n", words.label("field.again")));
    if fail.expected.is_some() || fail.actual.is_some() {
        out.push_str(&fenced(&difference(words, fail)));
    }
    out
}

/// Lines in a code block whose fence is longer than any fence in them.
fn fenced(lines: &[String]) -> String {
    let mut longest = 0;
    for line in lines {
        let runs = line.split(|c| c != '`').map(str::len);
        longest = longest.max(runs.max().unwrap_or(0));
    }
    let fence = "`".repeat(longest.max(2) + 1);
    let mut out = format!("   {fence}diff\n");
    for line in lines.iter().take(LINES) {
        // A bare carriage return cannot occur: hidden characters were replaced by their names.
        out.push_str(&format!("   {}\n", head(line, LINE)));
    }
    if lines.len() > LINES {
        out.push_str("     ⋯\n");
    }
    out + &format!("   {fence}\n\n")
}

/// One line of text with all Markdown and HTML escaped.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in safe_line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Otherwise GitHub would notify a user with the localpart of a Matrix id.
            '@' => out.push_str("@<!-- -->"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '$' | '!' | '{' | '}' => {
                out.extend(['\\', c]);
            }
            c => out.push(c),
        }
    }
    // Otherwise addresses would become links.
    out.replace("://", ":\\/\\/").replace("www.", "www\\.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_for_markdown() {
        let hostile = "a|b <img> `x` [l](http://e) **b**\n# h @alice:a.test www.x";
        assert_eq!(
            escaped(hostile),
            "a\\|b &lt;img&gt; \\`x\\` \\[l\\](http:\\/\\/e) \\*\\*b\\*\\* \\# h @<!-- -->alice:a.test www\\.x"
        );
    }

    #[test]
    fn a_fence_is_longer_than_any_fence_in_the_text() {
        let block = fenced(&["+ ````".to_owned()]);
        assert!(block.starts_with("   `````diff\n") && block.ends_with("   `````\n\n"), "{block}");
    }
}
