//! File names as the other server gives them to clients (client-server API, content repository: `Content-Disposition`).
//!
//! A server gives the name under which a file was uploaded, and for remote files the name that the remote server gave. The
//! header may encode the name in the ways of RFC 6266; the checks compare the decoded name.

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "media.file-names",
        title: "File names with Swedish letters, spaces, quotes or two hundred characters arrive at the other server unchanged.",
        catalogue: &["MD-08"],
        requirements: &["SS-MEDIA-024"],
        needs: &[Need::Feature("authenticated-media")],
        checks: &[
            CheckPlan::new(
                "to-guest",
                "The guest gives its user the names under which the host's files were uploaded.",
            ),
            CheckPlan::new(
                "to-host",
                "The host gives its user the names under which the guest's files were uploaded.",
            ),
        ],
        play: play!(names),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
    Scenario {
        id: "media.file-name-direction",
        title: "A file name arrives unchanged, except that a server may remove direction control characters.",
        weight: Weight::Should,
        catalogue: &["MD-08"],
        requirements: &["SS-MEDIA-024"],
        needs: &[Need::Feature("authenticated-media")],
        checks: &[CheckPlan::new(
            "name",
            "Apart from direction control characters, the file name is the one that was uploaded.",
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

/// Alice and Bob upload files with awkward names, and the other one downloads them.
async fn names(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    for (check, from, to) in [("to-guest", &alice, &bob), ("to-host", &bob, &alice)] {
        let mut given = Vec::new();
        for (what, name) in awkward_names() {
            given.push((what.to_owned(), name_received(from, to, &name).await?));
        }
        scene.record(check, Observed::each(given)?);
    }
    Ok(())
}

/// The file name that `to` is given for a file that `from` uploaded as `name`.
async fn name_received(from: &User, to: &User, name: &str) -> Result<Observed, Failure> {
    let file = MediaFile {
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

/// The direction control characters; such a character makes `gpj.exe` look like `exe.jpg`.
const DIRECTION_CONTROLS: [char; 12] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

/// Alice uploads a program whose name looks like a picture's; Bob downloads it.
async fn direction(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let name = "semester\u{202e}gpj.exe";
    let received = name_received(&alice, &bob, name).await?;
    let plain = |name: &str| name.replace(DIRECTION_CONTROLS, "");
    let text = received.value.as_str().unwrap_or_default();
    let wrong = || {
        let text = message!("fail.file-name", user = bob.name());
        bob.wrong("media.file_name", text, received.observations.all())
    };
    let same = plain(text) == plain(name);
    scene.check(
        "name",
        if same {
            Ok(received.clone())
        } else {
            Err(wrong().showing(name.escape_debug(), text.escape_debug()))
        },
    );
    Ok(())
}
