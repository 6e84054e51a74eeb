//! Names of files as the other side is told them (client-server API, content repository: `Content-Disposition`).
//!
//! The specification has servers give the name that a file was stored under, and a remote server's name for it as that
//! server gave it. How it is written in the header is RFC 6266's business: compared is the name, decoded.

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "media.file-names",
        title: "File names with Swedish letters, spaces, quotes and two hundred characters name the same file on the \
                other side, in both directions.",
        catalogue: &["MD-08"],
        requirements: &["SS-MEDIA-024"],
        needs: &[Need::Feature("authenticated-media")],
        checks: &[
            CheckPlan::new(
                "to-guest",
                "The guest's user is given the names under which the host's files were stored.",
            ),
            CheckPlan::new(
                "to-host",
                "The host's user is given the names under which the guest's files were stored.",
            ),
        ],
        play: play!(names),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
    Scenario {
        id: "media.file-name-direction",
        title: "A file name that turns its reading direction names the same file on the other side, or loses the turn: \
                nothing else of it changes.",
        weight: Weight::Should,
        catalogue: &["MD-08"],
        requirements: &["SS-MEDIA-024"],
        needs: &[Need::Feature("authenticated-media")],
        checks: &[CheckPlan::new(
            "name",
            "But for direction controls, the name is the one it was stored under.",
        )],
        play: play!(direction),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
];

fn awkward_names() -> [(&'static str, String); 6] {
    [
        ("swedish letters", "Årsöversikt för Älmhult.pdf".to_owned()),
        ("spaces", "brev  till   alla .txt".to_owned()),
        ("quotes", "beslut \"slutligt\" o'clock.txt".to_owned()),
        ("separators", "a; filename=b, 100% c+d=e&f#g.txt".to_owned()),
        ("200 ASCII characters", format!("{}.pdf", "r".repeat(196))),
        ("200 Swedish letters", format!("{}.pdf", "ö".repeat(196))),
    ]
}

/// Alice and Bob store files under awkward names; the other one fetches them.
async fn names(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    for (check, from, to) in [("to-guest", &alice, &bob), ("to-host", &bob, &alice)] {
        let mut given = Vec::new();
        for (what, name) in awkward_names() {
            given.push((what.to_owned(), name_given(from, to, &name).await?));
        }
        scene.record(check, Observed::each(given)?);
    }
    Ok(())
}

/// The name that `to` is given for a file that `from` stored as `name`.
async fn name_given(from: &User, to: &User, name: &str) -> Result<Observed, Failure> {
    let file = File {
        bytes: b"Samklang\n".to_vec(),
        content_type: Some("application/octet-stream".into()),
        name: Some(name.to_owned()),
    };
    let media = from.upload(&file).await?;
    let (fetched, done) = to.download(&media).await?;
    if fetched.bytes != file.bytes {
        let text = message!("fail.media-differs", file = name, user = to.name());
        return Err(to.wrong("media.bytes_differ", text, done.observations.all()));
    }
    Ok(Observed::new(fetched.name.into(), done.observations))
}

/// What makes `gpj.exe` look like `exe.jpg`, and the like of it.
const TURNS: [char; 12] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

/// Alice stores a program that looks like a picture; Bob fetches it.
async fn direction(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let name = "semester\u{202e}gpj.exe";
    let given = name_given(&alice, &bob, name).await?;
    let plain = |name: &str| name.replace(TURNS, "");
    let text = given.value.as_str().unwrap_or_default();
    let wrong = || {
        let text = message!("fail.file-name", user = bob.name());
        bob.wrong("media.file_name", text, given.observations.all())
    };
    let same = plain(text) == plain(name);
    scene.check(
        "name",
        if same { Ok(given.clone()) } else { Err(wrong().showing(name.escape_debug(), text.escape_debug())) },
    );
    Ok(())
}
