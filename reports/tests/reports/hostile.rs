//! Hostile input: a server, or the author of a result file, may send any text of any length.

use base64::{Engine, engine::general_purpose::STANDARD};
use samklang_reports::read_transcript;
use samklang_verdict::*;
use sha2::{Digest, Sha256};

use crate::{
    all,
    common::{self, HOSTILE, fail, good, large, mixed, pass, realistic},
    junit::elements,
    made,
};

#[test]
fn server_text_cannot_act_in_a_report() {
    let made = made(&mixed());
    let hidden = ['\u{0}', '\u{1b}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{fffe}'];
    for text in all(&made) {
        let found: Vec<_> = hidden.into_iter().filter(|c| text.contains(*c)).collect();
        assert!(found.is_empty(), "{found:?}");
        assert!(text.contains("⟨U+202E⟩"));
    }
    assert!(!made.html.contains("<script") && !made.html.contains("<b>x</b>"));
    assert!(made.html.contains(
        "&lt;script&gt;alert(1)&lt;/script&gt; ]]&gt; | &amp; &quot; &#39; <b class=u>⟨U+0000⟩</b>"
    ));
    assert!(!made.junit.contains("]]>") && !made.junit.contains("<script"));
    // Outside code blocks, where Markdown has an effect.
    let prose: String = made.markdown.split("```").step_by(2).collect();
    assert!(prose.contains("&lt;script&gt;alert(1)&lt;/script&gt; \\]\\]&gt; \\| &amp;"), "{prose}");
    assert!(!prose.contains("<script") && !prose.contains("`x`"));
}

/// The result file itself may be hostile.
#[test]
fn text_of_a_result_file_cannot_act_in_a_report() {
    let mut result = mixed();
    let hostile = || HOSTILE.to_owned();
    for check in &mut result.checks {
        (check.title, check.play.room_version) = (hostile(), hostile());
        (check.requirements, check.spec, check.catalogue) =
            (vec![hostile()], vec![hostile()], vec![hostile()]);
        (check.transcript, check.deviation) = (Some(hostile()), check.deviation.as_ref().map(|_| hostile()));
        check.attempts.iter_mut().for_each(|attempt| attempt.verdict = hostile());
    }
    for who in &mut result.participants {
        (who.vendor, who.version, who.server_name) = (hostile(), hostile(), hostile());
        (who.answered_name, who.image, who.log) = (Some(hostile()), Some(hostile()), Some(hostile()));
    }
    let run = &mut result.run;
    (run.id, run.started, run.deployer, run.samklang) = (hostile(), hostile(), hostile(), hostile());
    run.selection = vec![hostile()];
    (result.suite.version, result.suite.profile, result.digest) = (hostile(), hostile(), hostile());
    let made = made(&result);
    assert!(!made.html.contains("<script") && !made.junit.contains("<script"));
    assert!(
        !made.markdown.split("```").step_by(2).any(|prose| prose.contains("<script")),
        "{}",
        made.markdown
    );
    elements(&made.junit);
    for text in all(&made) {
        assert!(!text.contains(['\0', '\u{1b}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{fffe}']));
    }
}

/// A report may be opened from a mail: it runs no script, and fetches and sends nothing.
#[test]
fn the_page_admits_only_its_own_style() {
    let html = made(&mixed()).html;
    let style = html.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = STANDARD.encode(Sha256::digest(style));
    let policy = format!("default-src &#39;none&#39;; style-src &#39;sha256-{hash}&#39;;");
    assert!(html.contains(&policy) || html.contains(&policy.replace("&#39;", "'")), "{}", &html[..600]);
    for forbidden in
        [" style=", "<link", "<img", "<iframe", "<form", " src=", "@import", "url(", "javascript:"]
    {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    for link in html.split("href=").skip(1).map(|rest| rest.trim_start_matches('"')) {
        let tame = ["#", "https://spec.matrix.org/", "transcripts/", "logs/"];
        assert!(tame.iter().any(|start| link.starts_with(start)), "{}", &link[..40]);
    }
}

#[test]
fn a_path_out_of_the_folder_is_not_linked() {
    let mut result = good();
    result.participants[0].log = Some("javascript:alert(1)".into());
    result.participants[1].log = Some("../../etc/passwd".into());
    let html = made(&result).html;
    assert!(html.contains("javascript:alert(1)") && html.contains("../../etc/passwd"));
    assert!(!html.contains("href=\"javascript") && !html.contains("href=\"../"));
}

#[test]
fn a_long_body_is_cut_and_its_length_is_shown() {
    let html = made(&mixed()).html;
    let length = format!("[{}]", vec!["\"event\""; 3000].join(",")).len();
    let note = html.split_once(&format!(" of {length} bytes shown")).expect("a note").0;
    let shown: usize = note.rsplit('>').next().unwrap().parse().unwrap();
    assert!((2000..5000).contains(&shown), "{shown}");
    assert!(html.contains("Exchange x404 is not in the transcript."));
}

#[test]
fn broken_lines_of_a_transcript_are_skipped_and_counted() {
    let exchanges = common::transcript();
    let mut bytes = serde_json::to_vec(&exchanges[0]).unwrap();
    bytes.extend(b"\n\n{\"id\": 5}\n\xff\xfe\n");
    bytes.extend("[".repeat(100_000).into_bytes());
    bytes.push(b'\n');
    let second = serde_json::to_vec(&exchanges[1]).unwrap();
    bytes.extend(&second);
    bytes.extend(b"\r\n");
    bytes.extend(&second[..second.len() / 2]);
    let transcript = read_transcript(&bytes);
    assert_eq!(transcript.exchanges, exchanges[..2]);
    assert_eq!(transcript.broken_lines, 4);
}

#[test]
fn a_page_of_ten_thousand_checks_stays_small() {
    let failing =
        |_| fail("client.refused", Some(Role::B), HOSTILE, &HOSTILE.repeat(50), &"new\n".repeat(4000));
    let unsure = |i| Verdict::Inconclusive {
        message: Message::new(format!("cause {i}")),
        blocked_by: None,
        bound_ms: None,
    };
    let runs: [(&str, ResultFile); 4] = [
        ("pass", large(&|_| pass())),
        ("fail", large(&failing)),
        ("inconclusive", large(&unsure)),
        ("realistic", realistic()),
    ];
    for (name, result) in &runs {
        let html = made(result).html;
        assert!(html.len() < 5_000_000, "{name}: {}", html.len());
        assert_eq!(html.matches("<td class=").count(), 10_000, "{name}");
    }
    let html = made(&runs[2].1).html;
    let causes = html.matches("<article class=\"cause\"").count();
    assert_eq!(causes, 100);
    let one_cause = |_| Verdict::NotRun { message: Message::new("The run was stopped.") };
    let html = made(&large(&one_cause)).html;
    assert_eq!((html.matches("<article class=\"cause\"").count(), html.matches("<li>").count()), (1, 61));
    let markdown = made(&runs[1].1).markdown;
    assert!(markdown.len() < 1_000_000, "{}", markdown.len());
}
