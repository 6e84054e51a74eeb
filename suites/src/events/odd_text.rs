//! Events with unusual JSON text (appendices, canonical JSON). The server may accept such an event or not; it has to keep
//! working.

use samklang_actors::peer::draft_message;

use super::malformed::{GOES_ON, still_sends};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "events.odd-text",
    title: "After an event with unusual JSON or text, the server still shows and sends events.",
    catalogue: &["SH-14"],
    requirements: &["SS-TXN-009"],
    checks: &[
        CheckPlan::new(
            "nul",
            "The server shows a message that is sent later than an event with NUL characters in its content and type.",
        ),
        CheckPlan::new(
            "nesting",
            "The server shows a message that is sent later than an event with content nested 100 levels deep.",
        ),
        CheckPlan::new(
            "surrogate",
            "The server shows a message that is sent later than an event with a lone surrogate.",
        ),
        CheckPlan::new(
            "twice",
            "The server shows a message that is sent later than an event with a duplicate key.",
        ),
        CheckPlan::new(
            "exponent",
            "The server shows a message that is sent later than an event with a number in exponent notation.",
        ),
        CheckPlan::new(
            "minus-zero",
            "The server shows a message that is sent later than an event with a negative zero.",
        ),
        GOES_ON,
    ],
    play: play!(odd_text),
    ..Scenario::PEER
}];

/// The unusual text, by the check's name.
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

/// Mallory's server sends an honest message after each odd event.
async fn odd_text(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    for check in ["nul", "nesting", "surrogate", "twice", "exponent", "minus-zero"] {
        let event = setup.copy.forge(check, odd(check), |room, user| draft_message(room, user, check))?;
        setup.mallory.offer(&setup.host, &[&event]).await?;
        let after = setup.send_sentinel(&format!("after {check}")).await;
        scene.check(check, after.map(|sentinel| sentinel.sighting));
    }
    still_sends(&setup).await?;
    Ok(())
}
