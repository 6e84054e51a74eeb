//! Files of common types arrive unchanged (client-server API, content repository).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "media.files",
    title: "Documents, archives, pictures, audio and video arrive byte for byte, with their names and types.",
    catalogue: &["MD-01"],
    needs: &[Need::Feature("authenticated-media")],
    checks: &[
        CheckPlan::new(
            "bytes-to-guest",
            "A user of the joining server downloads exactly the bytes that the resident server's user uploaded.",
        ),
        CheckPlan::new(
            "bytes-to-host",
            "A user of the resident server downloads exactly the bytes that the joining server's user uploaded.",
        ),
        CheckPlan::new(
            "names-and-types",
            "The other server gives each file the name and content type with which it was uploaded.",
        )
        .of(&["SS-MEDIA-024"]),
        CheckPlan::new(
            "announced",
            "The messages that refer to the files arrive at the other server with their original content.",
        ),
    ],
    play: play!(files),
    versions: Versions::Newest,
    ..Scenario::PAIR
}];

/// A file: name, content type, msgtype and bytes.
type MediaSample = (&'static str, &'static str, &'static str, &'static [u8]);

macro_rules! sample {
    ($name:literal, $content_type:literal, $msgtype:literal) => {
        ($name, $content_type, $msgtype, include_bytes!(concat!("../../../fixtures/media/", $name)))
    };
}

const SAMPLES: [MediaSample; 8] = [
    sample!("lagesrapport.pdf", "application/pdf", "m.file"),
    sample!("anteckning.txt", "text/plain", "m.file"),
    sample!("bilagor.zip", "application/zip", "m.file"),
    sample!(
        "beslut.docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "m.file"
    ),
    sample!("foto.jpg", "image/jpeg", "m.image"),
    sample!("karta.png", "image/png", "m.image"),
    sample!("samtal.mp3", "audio/mpeg", "m.audio"),
    sample!("film.mp4", "video/mp4", "m.video"),
];

/// Alice sends Bob one file of each type, and Bob sends her the same.
async fn files(scene: &Scene) -> Result<(), Failure> {
    let (alice, bob, room) = two_in_a_room(scene).await?;
    let to_guest = send_files(&alice, &bob, &room).await?;
    let to_host = send_files(&bob, &alice, &room).await?;
    scene.record("announced", host_and_guest(to_host.announced, to_guest.announced));
    scene.record("names-and-types", host_and_guest(to_host.described, to_guest.described));
    scene.check("bytes-to-guest", to_guest.bytes);
    scene.check("bytes-to-host", to_host.bytes);
    Ok(())
}

/// The files as their receiver got them.
struct ReceivedFiles {
    announced: Observed,
    described: Observed,
    bytes: Result<Observed, Failure>,
}

async fn send_files(from: &User, to: &User, room: &Room) -> Result<ReceivedFiles, Failure> {
    let (mut announced, mut described, mut changed) = (Vec::new(), Vec::new(), Ok(()));
    for (name, content_type, msgtype, bytes) in SAMPLES {
        let file = MediaFile {
            bytes: bytes.to_vec(),
            content_type: Some(content_type.into()),
            name: Some(name.into()),
        };
        let media = from.upload(&file).await?;
        let info = json!({"mimetype": content_type, "size": bytes.len()});
        let content =
            json!({"msgtype": msgtype, "body": name, "filename": name, "url": media.address, "info": info});
        let message = from.send_content(room, "m.room.message", content).await?;
        let shown = to.sees(&message).await?;
        announced.push((name.to_owned(), Observed::from(shown).map(|event| event["content"].clone())));

        let (fetched, done) = to.download(&media).await?;
        if fetched.bytes != bytes {
            let text = message!("fail.media-differs", file = name, user = to.name());
            let in_bytes = |bytes: &[u8]| format!("{} bytes", bytes.len());
            let failure = to.wrong("media.bytes_differ", text, done.observations.all());
            changed = changed.and(Err(failure.showing(in_bytes(bytes), in_bytes(&fetched.bytes))));
        }
        let value =
            json!({"name": fetched.name, "type": fetched.content_type.as_deref().map(without_parameters)});
        described.push((name.to_owned(), Observed::new(value, done.observations)));
    }
    let described = Observed::each(described)?;
    let bytes = changed.map(|()| described.clone());
    Ok(ReceivedFiles { announced: Observed::each(announced)?, described, bytes })
}

/// A media type without its parameters: a server may add the character set.
fn without_parameters(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
