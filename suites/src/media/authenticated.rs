//! Authenticated media between servers (server-server API, content repository).

use samklang_runner::peer::Reply;
use samklang_verdict::{Exchange, Observation, Observations, Party, Problem};

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "media.download-on-wire",
        title: "A user's download of another server's file is a signed request to that server, answered in two parts.",
        catalogue: &["MD-02"],
        needs: &[Need::Wire, Need::Feature("authenticated-media")],
        checks: &[
            CheckPlan::new(
                "asked-signed",
                "The guest asks the host for the file, by its id alone, and signs the request.",
            )
            .of(&["SS-MEDIA-016"]),
            CheckPlan::new(
                "answered-in-parts",
                "The host answers with a JSON object and the file, as two parts.",
            )
            .of(&["SS-MEDIA-001", "SS-MEDIA-002", "SS-MEDIA-003"]),
        ],
        play: play!(download_on_wire),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
    Scenario {
        id: "media.only-signed",
        title: "A file is handed to a server that signs its request, and to nobody else.",
        catalogue: &["MD-02"],
        requirements: &["SS-MEDIA-006"],
        needs: &[Need::Wire, Need::Feature("authenticated-media")],
        checks: &[
            CheckPlan::new("signed", "A request with a good signature gets the file.").of(&["SS-MEDIA-001"]),
            CheckPlan::new("unsigned", "A request without a signature does not get the file."),
            CheckPlan::new(
                "badly-signed",
                "A request with a signature made for another file does not get the file.",
            )
            .of(&["SS-MEDIA-006", "SS-AUTH-009"]),
        ],
        play: play!(only_signed),
        versions: Versions::Newest,
        ..Scenario::PAIR
    },
];

/// ASCII, so that the answer on the wire is text as a whole.
const SECRET: &str = "The password is hunter2, and the meeting point is the old mill.";

async fn store(user: &User) -> Result<(samklang_stage::user::Media, String), Failure> {
    let bytes = SECRET.as_bytes().to_vec();
    let file = File { bytes, content_type: Some("text/plain".into()), name: Some("secret.txt".into()) };
    let media = user.upload(&file).await?;
    let id = media.address.rsplit('/').next().unwrap_or_default().to_owned();
    Ok((media, format!("/_matrix/federation/v1/media/download/{id}")))
}

/// Alice stores a file, and Bob fetches it through his server.
async fn download_on_wire(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let alice = host.register("alice").await?;
    let bob = guest.register("bob").await?;
    let (media, path) = store(&alice).await?;
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
    let rightly = exchange.method == "GET" && exchange.path_only() == path;
    scene.check(
        "asked-signed",
        if rightly && signer.as_deref() == Some(guest.name()) {
            Ok(Observations::new(seen(guest.role()), []))
        } else {
            let signer = signer.unwrap_or_else(|| "nobody".to_owned());
            let what = format!("{} {}, signed by {signer}", exchange.method, exchange.path);
            let text = message!("fail.media-not-asked", what = what);
            Err(bob.wrong("media.request_unsigned", text, &[seen(guest.role())]))
        },
    );
    let body = exchange.response_body.text().unwrap_or_default();
    scene.check(
        "answered-in-parts",
        match two_parts(&exchange.response_headers, body) {
            Ok(()) => Ok(Observations::new(seen(host.role()), [])),
            Err(what) => {
                let text = message!("fail.media-shape", what = what);
                Err(alice.wrong("media.not_two_parts", text, &[seen(host.role())]).showing("two parts", body))
            }
        },
    );
    Ok(())
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Whether an answer is `multipart/mixed` (RFC 2046) of a JSON object and the file, or what it is instead.
fn two_parts(headers: &[(String, String)], body: &str) -> Result<(), String> {
    let content_type = header(headers, "content-type").unwrap_or_default();
    let boundary = boundary(content_type).ok_or_else(|| format!("the content type is {content_type:?}"))?;
    let body = format!("\r\n{body}");
    let delimiter = format!("\r\n--{boundary}");
    let mut pieces: Vec<_> = body.split(&delimiter).skip(1).collect();
    // The last delimiter ends with two more hyphens.
    match pieces.pop() {
        Some(end) if end.starts_with("--") => {}
        _ => return Err("it has no end".to_owned()),
    }
    let [first, second] = pieces[..] else { return Err(format!("it has {} parts", pieces.len())) };
    let (headers, json) = part(first)?;
    let is_json = header(&headers, "content-type").is_some_and(|kind| kind.starts_with("application/json"));
    if !is_json || !serde_json::from_str::<Value>(json).is_ok_and(|value| value.is_object()) {
        return Err("its first part is no JSON object".to_owned());
    }
    let (headers, content) = part(second)?;
    let is_text = header(&headers, "content-type").is_some_and(|kind| kind.starts_with("text/plain"));
    let is_named = header(&headers, "content-disposition").is_some_and(|value| value.contains("secret.txt"));
    // The other way is a Location, where the file then is.
    let is_elsewhere = header(&headers, "location").is_some();
    if is_elsewhere || (is_text && is_named && content == SECRET) {
        Ok(())
    } else {
        Err("its second part is not the file with its type and name, nor says where that is".to_owned())
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

type Headers = Vec<(String, String)>;

/// The headers and the content of one part.
fn part(text: &str) -> Result<(Headers, &str), String> {
    let after_delimiter = text.trim_start_matches([' ', '\t']);
    let (head, content) = match after_delimiter.strip_prefix("\r\n\r\n") {
        Some(content) => ("", content),
        None => after_delimiter.split_once("\r\n\r\n").ok_or("a part has no end of its headers")?,
    };
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    Ok((lines.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect(), content))
}

/// A peer of the harness's asks each server for a file: with its signature, with none, and with one for another file.
async fn only_signed(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let peer = scene.peer("asker").await?;
    let (mut signed, mut unsigned, mut badly_signed) = (Vec::new(), Vec::new(), Vec::new());
    for (server, name) in [(&host, "alice"), (&guest, "bob")] {
        let owner = server.register(name).await?;
        let (_, path) = store(&owner).await?;
        let (_, other_path) = store(&owner).await?;
        signed.push(handed_out(&owner, &peer.ask(server, "GET", &path, None).await?));

        let ask = async |headers: &[String]| peer.ask_with(server, "GET", &path, None, headers).await;
        unsigned.push(kept_back(&owner, &ask(&[]).await?, "not signed"));
        let of_other_file = peer.peer().header("GET", server.name(), &other_path, None).build();
        badly_signed.push(kept_back(&owner, &ask(&[of_other_file]).await?, "signed for another file"));
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

fn handed_out(owner: &User, reply: &Reply) -> Result<Observation, Failure> {
    if hands_out(reply) {
        return Ok(reply.observation.clone());
    }
    let text = message!("fail.media-shape", what = format!("the status is {}", reply.status));
    Err(owner.wrong("media.signed_refused", text, std::slice::from_ref(&reply.observation)))
}

fn kept_back(owner: &User, reply: &Reply, how: &str) -> Result<Observation, Failure> {
    if (400..500).contains(&reply.status) && !hands_out(reply) {
        return Ok(reply.observation.clone());
    }
    let text = message!("fail.media-unsigned", how = how);
    let failure = owner.wrong("media.unsigned_accepted", text, std::slice::from_ref(&reply.observation));
    Err(failure.showing("a refusal (4xx)", format!("status {}", reply.status)))
}

/// Whether an answer holds the file, or says where it is.
fn hands_out(reply: &Reply) -> bool {
    let body = String::from_utf8_lossy(&reply.bytes);
    reply.status < 400 && (body.contains(SECRET) || body.to_ascii_lowercase().contains("\r\nlocation:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_parts_are_two_and_in_their_order() {
        let json = "\r\nContent-Type: application/json\r\n\r\n{}";
        let file = format!(
            "\r\nContent-Type: text/plain\r\nContent-Disposition: inline; filename=secret.txt\r\n\r\n{SECRET}"
        );
        let headers = |kind: &str| vec![("content-type".to_owned(), kind.to_owned())];
        let kind = headers("multipart/mixed; boundary=\"b\"");
        let right = format!("--b{json}\r\n--b{file}\r\n--b--\r\n");
        assert_eq!(two_parts(&kind, &right), Ok(()));
        assert_eq!(two_parts(&headers("Multipart/Mixed;boundary=b"), &format!("\r\n{right}")), Ok(()));
        let elsewhere = format!("--b{json}\r\n--b\r\nLocation: https://cdn.test/1\r\n\r\n\r\n--b--");
        assert_eq!(two_parts(&kind, &elsewhere), Ok(()));

        assert!(two_parts(&headers("multipart/form-data; boundary=b"), &right).is_err());
        for wrong in [
            format!("--b{file}\r\n--b{json}\r\n--b--"),
            format!("--b{json}\r\n--b{file}"),
            format!("--b{json}\r\n--b{file}\r\n--b{file}\r\n--b--"),
            format!("--b{json}\r\n--b{}\r\n--b--", file.replace("mill", "barn")),
            format!("--b{}\r\n--b{file}\r\n--b--", json.replace("{}", "[]")),
            SECRET.to_owned(),
        ] {
            assert!(two_parts(&kind, &wrong).is_err(), "{wrong}");
        }
    }
}
