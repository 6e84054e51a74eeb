//! Text messages and other message types (client-server API, instant messaging).

use super::essence;
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "messages.code-points",
        title: "Text arrives exactly as it was written, code point by code point, in both directions.",
        catalogue: &["MS-01"],
        requirements: &["SS-CJSON-002", "SS-CJSON-006", "SS-CJSON-007"],
        checks: &[
            CheckPlan::new(
                "to-guest",
                "A user of the joining server is shown, and can fetch, exactly the text that the resident server's user sent.",
            ),
            CheckPlan::new(
                "to-host",
                "A user of the resident server is shown, and can fetch, exactly the text that the joining server's user sent.",
            ),
        ],
        play: play!(code_points),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
    Scenario {
        id: "messages.msgtypes",
        title: "Emotes, notices, locations and messages of an unknown msgtype arrive unchanged in both directions.",
        catalogue: &["MS-17"],
        checks: &[
            CheckPlan::new(
                "to-guest",
                "A user of the joining server is shown each message of the resident server with its original content.",
            ),
            CheckPlan::new(
                "to-host",
                "A user of the resident server is shown each message of the joining server with its original content.",
            ),
        ],
        play: play!(msgtypes),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
];

/// Texts that a server easily changes: by normalisation, by trimming, by escaping, by counting in UTF-16. Servers that
/// encode them differently also compute different content hashes, and redact each other's events.
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
    scene.record("to-guest", texts_received(&alice, &bob, &room).await?);
    scene.record("to-host", texts_received(&bob, &alice, &room).await?);
    Ok(())
}

async fn texts_received(from: &User, to: &User, room: &Room) -> Result<Observed, Failure> {
    let mut sent = Vec::new();
    for (name, text) in TEXTS {
        sent.push((name.to_owned(), from.send(room, text).await?));
    }
    let mut received = Vec::new();
    for (name, message) in sent {
        let shown = in_code_points(to.sees(&message).await?.into());
        let fetched = in_code_points(to.fetch(&message).await?);
        received.push((name, Observed::together(("shown", shown), [("fetched", fetched)])));
    }
    Observed::each(received)
}

/// The body as a list of code points, in which texts that look alike differ visibly.
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
    scene.record("to-guest", msgtypes_received(&alice, &bob, &room).await?);
    scene.record("to-host", msgtypes_received(&bob, &alice, &room).await?);
    Ok(())
}

async fn msgtypes_received(from: &User, to: &User, room: &Room) -> Result<Observed, Failure> {
    let kinds = [
        json!({"msgtype": "m.emote", "body": "nickar"}),
        json!({"msgtype": "m.notice", "body": "Brandlarm i hus 7"}),
        json!({"msgtype": "m.location", "body": "Stabsplatsen", "geo_uri": "geo:59.3293,18.0686;u=35"}),
        json!({"msgtype": "se.esam.samklang.lage", "body": "Vägen är stängd", "se.esam.samklang.km": 12}),
    ];
    let mut received = Vec::new();
    for content in kinds {
        let kind = content["msgtype"].as_str().unwrap_or_default().to_owned();
        let message = from.send_content(room, "m.room.message", content).await?;
        received.push((kind, essence(to.sees(&message).await?)));
    }
    Observed::each(received)
}
