//! Authenticated media between servers (server-server API, content repository).

use samklang_verdict::{Message, Party};

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "media.download-on-wire",
        title: "A server fetches another server's file by a signed request, and the other server answers in two parts.",
        catalogue: &["MD-02"],
        needs: &[Need::Wire, Need::Feature("authenticated-media")],
        checks: &[
            CheckPlan::new(
                "asked-signed",
                "The downloading user's server requests the file from the other server by its media ID and signs the request.",
            )
            .of(&["SS-MEDIA-016"]),
            CheckPlan::new(
                "answered-in-parts",
                "The uploading user's server answers with multipart/mixed: a JSON object, and the file or its location.",
            )
            .of(&["SS-MEDIA-001", "SS-MEDIA-002", "SS-MEDIA-003"]),
        ],
        play: play!(download_on_wire),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
    Scenario {
        id: "media.only-signed",
        title: "The server returns a file only to a server whose request has a valid signature.",
        catalogue: &["MD-02"],
        requirements: &["SS-MEDIA-006"],
        needs: &[Need::Wire, Need::Feature("authenticated-media")],
        checks: &[
            CheckPlan::new("signed", "The server answers a validly signed media download request with the file.")
                .of(&["SS-MEDIA-001"]),
            CheckPlan::new("unsigned", "The server refuses a media download request without a signature."),
            CheckPlan::new(
                "badly-signed",
                "The server refuses a media download request whose signature was made for another file.",
            )
            .of(&["SS-MEDIA-006", "SS-AUTH-009"]),
        ],
        play: play!(only_signed),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
];

/// The file's content. It is ASCII, so that the whole response is text.
const SECRET: &str = "The password is hunter2, and the meeting point is the old mill.";

async fn upload_secret(user: &User) -> Result<(samklang_actors::user::Media, String), Failure> {
    let bytes = SECRET.as_bytes().to_vec();
    let file = MediaFile { bytes, content_type: Some("text/plain".into()), name: Some("secret.txt".into()) };
    let media = user.upload(&file).await?;
    let id = media.address.rsplit('/').next().unwrap_or_default().to_owned();
    Ok((media, endpoints::MEDIA_DOWNLOAD.raw_path(&[&id])))
}

/// Alice stores a file, and Bob fetches it through his server.
async fn download_on_wire(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let (media, path) = upload_secret(&alice).await?;
    let (fetched, _) = bob.download(&media).await?;
    if fetched.bytes != SECRET.as_bytes() {
        let text = message!("fail.media-differs", file = "secret.txt", user = bob.name());
        return Err(bob.wrong("media.bytes_differ", text, media.done.observations.all()));
    }
    let id = media.address.rsplit('/').next().unwrap_or_default();
    let is_it = |exchange: &Exchange| {
        let between = (&exchange.from, &exchange.to);
        let servers = [guest.role(), host.role()].map(|role| Party::Server { role });
        between == (&servers[0], &servers[1]) && exchange.path_only().ends_with(id)
    };
    let exchange = scene.wire_shows("the request for the file", is_it).await?;

    let seen = |by| Observation { by, exchange: exchange.id };
    let signer = header(&exchange.request_headers, "authorization").and_then(samklang_matrix::claimed_origin);
    let is_right = exchange.method == "GET" && exchange.path_only() == path;
    scene.check(
        "asked-signed",
        if is_right && signer.as_deref() == Some(guest.name()) {
            Ok(Observations::new(seen(guest.role()), []))
        } else {
            let (method, path) = (&exchange.method, &exchange.path);
            let what = match signer {
                Some(signer) => {
                    message!("scenario.answer.media-request", method = method, path = path, signer = signer)
                }
                None => message!("scenario.answer.media-request-unsigned", method = method, path = path),
            };
            let text = message!("fail.media-not-asked", what = what);
            Err(bob.wrong("media.request_unsigned", text, &[seen(guest.role())]))
        },
    );
    let body = exchange.response_body.text().unwrap_or_default();
    scene.check(
        "answered-in-parts",
        match check_two_parts(&exchange.response_headers, body) {
            Ok(()) => Ok(Observations::new(seen(host.role()), [])),
            Err(what) => {
                let text = message!("fail.media-shape", what = what);
                Err(alice
                    .wrong("media.not_two_parts", text, &[seen(host.role())])
                    .showing(message!("scenario.expected.two-parts"), body))
            }
        },
    );
    Ok(())
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Whether the response is `multipart/mixed` (RFC 2046) of a JSON object and the file; the error says what is wrong.
fn check_two_parts(headers: &[(String, String)], body: &str) -> Result<(), Message> {
    let content_type = header(headers, "content-type").unwrap_or_default();
    let boundary = boundary(content_type)
        .ok_or_else(|| message!("scenario.answer.media-content-type", kind = content_type))?;
    let body = format!("\r\n{body}");
    let delimiter = format!("\r\n--{boundary}");
    let mut pieces: Vec<_> = body.split(&delimiter).skip(1).collect();
    // The last delimiter ends with two more hyphens.
    match pieces.pop() {
        Some(end) if end.starts_with("--") => {}
        _ => return Err(message!("scenario.answer.media-no-end")),
    }
    let [first, second] = pieces[..] else {
        return Err(message!("scenario.answer.media-parts", count = pieces.len()));
    };
    let (headers, json) = part(first)?;
    let is_json = header(&headers, "content-type").is_some_and(|kind| kind.starts_with("application/json"));
    if !is_json || !serde_json::from_str::<Value>(json).is_ok_and(|value| value.is_object()) {
        return Err(message!("scenario.answer.media-not-json"));
    }
    let (headers, content) = part(second)?;
    let is_text = header(&headers, "content-type").is_some_and(|kind| kind.starts_with("text/plain"));
    let is_named = header(&headers, "content-disposition").is_some_and(|value| value.contains("secret.txt"));
    // Instead of the file the part may have a Location header, from where the file can be fetched.
    let is_elsewhere = header(&headers, "location").is_some();
    if is_elsewhere || (is_text && is_named && content == SECRET) {
        Ok(())
    } else {
        Err(message!("scenario.answer.media-not-file"))
    }
}

fn boundary(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').map(str::trim);
    if !parameters.next()?.eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let named = parameters.filter_map(|parameter| parameter.split_once('='));
    let boundary =
        named.filter(|(name, _)| name.eq_ignore_ascii_case("boundary")).map(|(_, value)| value).next()?;
    Some(boundary.trim_matches('"')).filter(|boundary| !boundary.is_empty())
}

type PartHeaders = Vec<(String, String)>;

/// The headers and the content of one part.
fn part(text: &str) -> Result<(PartHeaders, &str), Message> {
    let after_delimiter = text.trim_start_matches([' ', '\t']);
    let (head, content) = match after_delimiter.strip_prefix("\r\n\r\n") {
        Some(content) => ("", content),
        None => after_delimiter
            .split_once("\r\n\r\n")
            .ok_or_else(|| message!("scenario.answer.media-no-headers"))?,
    };
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    Ok((lines.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect(), content))
}

/// A peer requests a file from each server: with a valid signature, with none, and with one for another file.
async fn only_signed(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let peer = scene.peer("asker").await?;
    let (mut signed, mut unsigned, mut badly_signed) = (Vec::new(), Vec::new(), Vec::new());
    for (server, name) in [(&host, "alice"), (&guest, "bob")] {
        let owner = server.register(name).await?;
        let (_, path) = upload_secret(&owner).await?;
        let (_, other_path) = upload_secret(&owner).await?;
        signed.push(check_given(&owner, &peer.ask(server, "GET", &path, None).await?));

        let ask = async |headers: &[String]| peer.ask_with(server, "GET", &path, None, headers).await;
        unsigned.push(check_withheld(&owner, &ask(&[]).await?, "not signed"));
        let of_other_file = peer.peer().header("GET", server.name(), &other_path, None).build();
        badly_signed.push(check_withheld(&owner, &ask(&[of_other_file]).await?, "signed for another file"));
    }
    for (check, outcomes) in [("signed", signed), ("unsigned", unsigned), ("badly-signed", badly_signed)] {
        scene.check(check, all(outcomes));
    }
    Ok(())
}

fn all(outcomes: Vec<Result<Observation, Failure>>) -> Result<Observations, Failure> {
    let seen = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
    Observations::from_all(seen)
        .ok_or_else(|| Failure::Problem(Problem::harness(message!("judging.nothing-gathered"))))
}

fn check_given(owner: &User, reply: &PeerResponse) -> Result<Observation, Failure> {
    if has_file(reply) {
        return Ok(reply.observation.clone());
    }
    let text =
        message!("fail.media-shape", what = message!("scenario.answer.media-status", status = reply.status));
    Err(owner.wrong("media.signed_refused", text, std::slice::from_ref(&reply.observation)))
}

fn check_withheld(owner: &User, reply: &PeerResponse, how: &str) -> Result<Observation, Failure> {
    if (400..500).contains(&reply.status) && !has_file(reply) {
        return Ok(reply.observation.clone());
    }
    let text = message!("fail.media-unsigned", how = how);
    let failure = owner.wrong("media.unsigned_accepted", text, std::slice::from_ref(&reply.observation));
    Err(failure.showing(
        message!("scenario.expected.refusal-4xx"),
        message!("scenario.answer.media-status", status = reply.status),
    ))
}

/// Whether the response holds the file, or its location.
fn has_file(reply: &PeerResponse) -> bool {
    let body = String::from_utf8_lossy(&reply.bytes);
    reply.status < 400 && (body.contains(SECRET) || body.to_ascii_lowercase().contains("\r\nlocation:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_json_object_and_the_file_are_two_parts() {
        let json = "\r\nContent-Type: application/json\r\n\r\n{}";
        let file = format!(
            "\r\nContent-Type: text/plain\r\nContent-Disposition: inline; filename=secret.txt\r\n\r\n{SECRET}"
        );
        let headers = |kind: &str| vec![("content-type".to_owned(), kind.to_owned())];
        let kind = headers("multipart/mixed; boundary=\"b\"");
        let right = format!("--b{json}\r\n--b{file}\r\n--b--\r\n");
        assert_eq!(check_two_parts(&kind, &right), Ok(()));
        assert_eq!(check_two_parts(&headers("Multipart/Mixed;boundary=b"), &format!("\r\n{right}")), Ok(()));
        let elsewhere = format!("--b{json}\r\n--b\r\nLocation: https://cdn.test/1\r\n\r\n\r\n--b--");
        assert_eq!(check_two_parts(&kind, &elsewhere), Ok(()));

        assert!(check_two_parts(&headers("multipart/form-data; boundary=b"), &right).is_err());
        for wrong in [
            format!("--b{file}\r\n--b{json}\r\n--b--"),
            format!("--b{json}\r\n--b{file}"),
            format!("--b{json}\r\n--b{file}\r\n--b{file}\r\n--b--"),
            format!("--b{json}\r\n--b{}\r\n--b--", file.replace("mill", "barn")),
            format!("--b{}\r\n--b{file}\r\n--b--", json.replace("{}", "[]")),
            SECRET.to_owned(),
        ] {
            assert!(check_two_parts(&kind, &wrong).is_err(), "{wrong}");
        }
    }
}
