//! Text and its kinds (client-server API, instant messaging).

use super::essence;
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "messages.code-points",
        title: "Text arrives code point by code point as it was written, in both directions.",
        catalogue: &["MS-01"],
        requirements: &["SS-CJSON-002", "SS-CJSON-006", "SS-CJSON-007"],
        checks: &[
            CheckPlan::new(
                "to-guest",
                "The guest's user is shown, and can fetch, exactly what the host's user wrote.",
            ),
            CheckPlan::new(
                "to-host",
                "The host's user is shown, and can fetch, exactly what the guest's user wrote.",
            ),
        ],
        play: play!(code_points),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.msgtypes",
        title: "Emotes, notices, places and a msgtype that no server knows arrive whole, in both directions.",
        catalogue: &["MS-17"],
        checks: &[
            CheckPlan::new(
                "to-guest",
                "The guest shows each of the host's messages with the content it was sent with.",
            ),
            CheckPlan::new(
                "to-host",
                "The host shows each of the guest's messages with the content it was sent with.",
            ),
        ],
        play: play!(msgtypes),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
];

/// Texts that are easily changed on the way: by normalisation, by trimming, by escaping, by counting in UTF-16. What a
/// server makes of them shows in the content hash, too: servers that encode them differently do not take each other's
/// events whole.
const TEXTS: [(&str, &str); 12] = [
    ("swedish letters", "Å ä ö é ü ß: Räksmörgås på Ängö"),
    ("combining marks", "A\u{30a} a\u{308} o\u{308} e\u{323}\u{301} e\u{301}\u{323}"),
    ("look-alikes that normalisation unites", "\u{212b} \u{c5} \u{fb01} \u{2126} \u{ac00} \u{1100}\u{1161}"),
    (
        "right to left",
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd}\u{200f} \u{645}\u{631}\u{62d}\u{628}\u{627} \u{2067}abc\u{2069}",
    ),
    (
        "emoji joined",
        "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466} \u{1f44d}\u{1f3fd} \u{1f1f8}\u{1f1ea} 1\u{fe0f}\u{20e3}",
    ),
    ("beyond the basic plane", "\u{1d4ae}\u{10348}\u{2070e} \u{10fffd}"),
    ("blanks", "  two before,\ttab,\u{a0}no-break,\u{200b}zero-width, two after  "),
    ("line ends", "a\nb\r\nc\rd\u{2028}e\u{2029}f\n"),
    ("control characters", "\u{1}\u{8}\u{b}\u{c}\u{1f}\u{7f}\u{85}"),
    ("quotes and slashes", "\"'\\/ \\n \\u0041 </a>"),
    ("markup that is none", "<b>&amp;</b> *x* {{y}} %20 `z`"),
    ("byte order mark", "\u{feff}x\u{fffd}"),
];

/// Alice and Bob send each other the same texts.
async fn code_points(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    scene.record("to-guest", texts_arriving(&alice, &bob, &room).await?);
    scene.record("to-host", texts_arriving(&bob, &alice, &room).await?);
    Ok(())
}

async fn texts_arriving(from: &User, to: &User, room: &Room) -> Result<Observed, Failure> {
    let mut sent = Vec::new();
    for (name, text) in TEXTS {
        sent.push((name.to_owned(), from.send(room, text).await?));
    }
    let mut arrived = Vec::new();
    for (name, message) in sent {
        let shown = in_code_points(to.sees(&message).await?.into());
        let kept = in_code_points(to.fetch(&message).await?);
        arrived.push((name, Observed::together(("shown", shown), [("fetched", kept)])));
    }
    Observed::each(arrived)
}

/// The body as a list of code points: two texts that look alike are then seen to differ.
fn in_code_points(message: Observed) -> Observed {
    message.map(|event| match event["content"]["body"].as_str() {
        Some(body) => {
            body.chars().map(|c| format!("{:04X}", u32::from(c))).collect::<Vec<_>>().join(" ").into()
        }
        None => Value::Null,
    })
}

/// Alice and Bob send each other messages that are not plain text.
async fn msgtypes(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    scene.record("to-guest", kinds_arriving(&alice, &bob, &room).await?);
    scene.record("to-host", kinds_arriving(&bob, &alice, &room).await?);
    Ok(())
}

async fn kinds_arriving(from: &User, to: &User, room: &Room) -> Result<Observed, Failure> {
    let kinds = [
        json!({"msgtype": "m.emote", "body": "nickar"}),
        json!({"msgtype": "m.notice", "body": "Brandlarm i hus 7"}),
        json!({"msgtype": "m.location", "body": "Stabsplatsen", "geo_uri": "geo:59.3293,18.0686;u=35"}),
        json!({"msgtype": "se.esam.samklang.lage", "body": "Vägen är stängd", "se.esam.samklang.km": 12}),
    ];
    let mut arrived = Vec::new();
    for content in kinds {
        let kind = content["msgtype"].as_str().unwrap_or_default().to_owned();
        let message = from.send_content(room, "m.room.message", content).await?;
        arrived.push((kind, essence(to.sees(&message).await?)));
    }
    Observed::each(arrived)
}
