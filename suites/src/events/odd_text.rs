//! Events whose text is odd (appendices, canonical JSON). What becomes of such an event is left open here; that the
//! server works on is not.

use samklang_runner::peer::draft_message;

use super::malformed::{GOES_ON, still_sends};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "events.odd-text",
    title: "Whatever text an event holds, its server's other events are taken and its receiver goes on sending.",
    catalogue: &["SH-14"],
    requirements: &["SS-TXN-009"],
    checks: &[
        CheckPlan::new("nul", "After NUL characters in content and type the server works on."),
        CheckPlan::new("nesting", "After content that is nested a hundred deep the server works on."),
        CheckPlan::new("surrogate", "After half a surrogate pair the server works on."),
        CheckPlan::new("twice", "After a key that is there twice the server works on."),
        CheckPlan::new("exponent", "After a number with an exponent the server works on."),
        CheckPlan::new("minus-zero", "After a negative zero the server works on."),
        GOES_ON,
    ],
    play: play!(odd_text),
    ..Scenario::PEER
}];

/// What is odd, by its check.
fn odd(check: &str) -> Tamper<'static> {
    let nested = || (0..100).fold(json!("core"), |inner, _| json!({ "in": inner }));
    let in_text = |from: &'static str, to: &'static str| Tamper::wire(move |text| text.replacen(from, to, 1));
    match check {
        "nul" => Tamper::before_hash(|pdu| {
            pdu["content"]["body"] = json!("a\0b");
            pdu["type"] = json!("org.example.\0");
        }),
        "nesting" => Tamper::before_hash(move |pdu| pdu["content"]["nested"] = nested()),
        "surrogate" => in_text("\"body\":\"", "\"body\":\"\\ud800"),
        "twice" => in_text("\"body\":", "\"body\":\"first\",\"body\":"),
        "exponent" => in_text("\"content\":{", "\"content\":{\"n\":1e10,"),
        _ => in_text("\"content\":{", "\"content\":{\"n\":-0,"),
    }
}

/// After each odd event an honest one.
async fn odd_text(scene: &Scene) -> Result<(), Failure> {
    let visit = visit(scene).await?;
    for check in ["nul", "nesting", "surrogate", "twice", "exponent", "minus-zero"] {
        let event = visit.copy.forge(check, odd(check), |room, user| draft_message(room, user, check))?;
        visit.mallory.offer(&visit.host, &[&event]).await?;
        let after = visit.sentinel(&format!("after {check}")).await;
        scene.check(check, after.map(|sentinel| sentinel.sighting));
    }
    still_sends(&visit).await?;
    Ok(())
}
