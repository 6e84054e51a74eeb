//! Finds a server that already runs: its client API, the owners of its tokens, its address for other servers, and
//! whether peers may lie to it. Each step is bounded, and no step changes the server.

use std::{net::SocketAddr, path::PathBuf};

use reqwest::Url;
use samklang_matrix::{endpoints::client::WHOAMI, is_server_name};
use samklang_verdict::{Party, Problem, message};

use super::{Target, TargetTerms, all_loopback, client_api, consent, front, tokens};
use samklang_drivers::CallError;
use samklang_prober as probe;
use samklang_prober::{ProbeFinding, ProbeMark, ProbeSettings};
use samklang_wire::{
    certificates::Secret,
    recorder::Recorder,
    switchboard::{Doors, Naming},
    waiting::within,
};

/// The server to find, and the way it and the run reach one another.
#[derive(Debug)]
pub struct TargetRequest {
    /// The address of its client API, `https://matrix.example`.
    pub url: String,
    /// The file with an access token for each of its users.
    pub token_file: PathBuf,
    /// The server name that it must have, or `None` for the server name of its users.
    pub server_name: Option<String>,
    /// The address at which the run's own servers listen.
    pub listen: Option<SocketAddr>,
    /// The ending of their names, `peers.example` or `peers.example:8449`.
    pub name: Option<String>,
    /// The certificate and key that they present, PEM.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The file in which a person consents to hostile peers.
    pub consent: Option<PathBuf>,
    /// The settings for finding the server, with the trusted authorities.
    pub settings: ProbeSettings,
    /// Today's date, `YYYY-MM-DD`.
    pub today: String,
}

/// Finds the server.
///
/// # Errors
/// [`Class::Configuration`](samklang_verdict::Class::Configuration) if a file has wrong content, or if the server is
/// missing, is not trusted, or is not the server whose users own the tokens.
pub async fn find(ask: TargetRequest) -> Result<Target, Problem> {
    let lines = tokens::read(&ask.token_file)?;
    let (base, host, port) = address(&ask.url)?;
    let doors = front::doors(&ask)?;
    let at = within(ask.settings.bound, tokio::net::lookup_host((host.as_str(), port))).await;
    let at: Vec<_> = at.ok().and_then(Result::ok).into_iter().flatten().collect();
    if at.is_empty() {
        let why = format!("{host} has no address");
        return Err(Problem::configuration(message!("target.no-client-api", url = base, why = why)));
    }
    if base.starts_with("http:") && !all_loopback(&at) {
        return Err(Problem::configuration(message!("target.in-the-clear", url = base)));
    }
    let users = whose(&ask, &base, lines).await?;
    let server_name = common_name(&users, ask.server_name.as_deref())?;
    let (found, findings) = probe::look(&server_name, &ask.settings).await?;
    let found = found.ok_or_else(|| not_met(&server_name, &findings))?;
    let proof = |finding: &&ProbeFinding| ["certificate", "keys"].contains(&finding.check);
    if findings.iter().filter(proof).any(|finding| finding.mark >= ProbeMark::Unknown) {
        return Err(not_met(&server_name, &findings));
    }
    let is_here = all_loopback(&at) && all_loopback(&[found.address]);
    reachable(&doors, is_here, &server_name)?;
    let consent = match &ask.consent {
        Some(path) => Some(consent::read(path, &server_name, &ask.today)?),
        None => None,
    };
    let terms = TargetTerms { server_name, hostile: is_here || consent.is_some() };
    let users = users.into_iter().map(|(user, token, _)| (user, token)).collect();
    Ok(Target { terms, base, users, found, settings: ask.settings, doors, consent })
}

/// The address without a path, its host and its port.
fn address(text: &str) -> Result<(String, String, u16), Problem> {
    let bad = || Problem::configuration(message!("target.bad-url", url = text));
    let url = Url::parse(text).map_err(|_| bad())?;
    let plain = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !plain || !["http", "https"].contains(&url.scheme()) {
        return Err(bad());
    }
    let host = url.host_str().ok_or_else(bad)?.trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().ok_or_else(bad)?;
    Ok((text.trim_end_matches('/').to_owned(), host, port))
}

/// The user of each token, with the token's line.
async fn whose(
    ask: &TargetRequest,
    base: &str,
    lines: Vec<tokens::TokenLine>,
) -> Result<Vec<(String, Secret, usize)>, Problem> {
    let secrets: Vec<_> = lines.iter().map(|line| (String::new(), line.token.clone())).collect();
    // Requests before the run begins do not belong to its record.
    let api = client_api(base, Party::Harness, Recorder::new(), &ask.settings, &secrets)?;
    let mut users: Vec<(String, Secret, usize)> = Vec::new();
    for tokens::TokenLine { number, user: said, token } in lines {
        let file = ask.token_file.display();
        let request = api
            .json_request("GET", WHOAMI.template, Some(token.expose()), None)
            .map_err(|_| Problem::configuration(message!("target.bad-url", url = base)))?;
        let answer = api.call_well(Party::Harness, request, ask.settings.bound).await;
        let no_api = |why: String| {
            Problem::configuration(message!("target.no-client-api", url = base, why = probe::said(why)))
        };
        let reply = match answer {
            Ok(reply) => reply,
            Err(CallError::Refused(refusal)) if refusal.status == 401 || refusal.status == 403 => {
                let code = probe::said(refusal.errcode);
                let text = message!("target.token-refused", path = file, line = number, errcode = code);
                return Err(Problem::configuration(text));
            }
            Err(CallError::Refused(refusal)) => {
                return Err(no_api(format!("the status was {}", refusal.status)));
            }
            Err(CallError::Broken { what, .. } | CallError::Malformed { what, .. }) => {
                return Err(no_api(what));
            }
            Err(other) => return Err(no_api(format!("{other:?}"))),
        };
        let body = reply.json().map_err(|_| no_api("the answer is no JSON".to_owned()))?;
        let user = body["user_id"].as_str().unwrap_or_default().to_owned();
        if said.as_ref().is_some_and(|said| *said != user) {
            let (said, user) = (said.unwrap_or_default(), probe::said(user));
            let text =
                message!("target.token-of-another", path = file, line = number, said = said, user = user);
            return Err(Problem::configuration(text));
        }
        if let Some((.., other)) = users.iter().find(|(known, ..)| *known == user) {
            let text = message!(
                "target.user-twice",
                path = file,
                line = number,
                other = other,
                user = probe::said(user)
            );
            return Err(Problem::configuration(text));
        }
        users.push((user, token, number));
    }
    Ok(users)
}

/// The server of these users.
fn common_name(users: &[(String, Secret, usize)], wanted: Option<&str>) -> Result<String, Problem> {
    let server_of = |user: &str| {
        let (localpart, server) = user.split_once(':')?;
        (localpart.starts_with('@') && is_server_name(server)).then(|| server.to_owned())
    };
    let first = users.first().and_then(|(user, ..)| server_of(user));
    let name = wanted.map(str::to_owned).or(first).unwrap_or_default();
    match users.iter().find(|(user, ..)| server_of(user).as_deref() != Some(name.as_str())) {
        None => Ok(name),
        Some((user, _, line)) => Err(Problem::configuration(message!(
            "target.not-its-user",
            user = probe::said(user),
            line = line,
            name = probe::said(name)
        ))),
    }
}

/// The reason why other servers cannot reach it, or should not.
fn not_met(server_name: &str, findings: &[ProbeFinding]) -> Problem {
    let says = |finding: &&ProbeFinding| ["connection", "certificate", "keys"].contains(&finding.check);
    let worst = findings.iter().filter(says).max_by_key(|finding| finding.mark);
    let why = worst.map(|finding| finding.message.clone());
    let why = why.map_or_else(String::new, |why| why.to_string());
    let why = why.trim_end_matches('.');
    Problem::configuration(match worst.map(|finding| finding.check) {
        Some("certificate") => message!("target.distrusted", name = server_name, why = why),
        Some("keys") => message!("target.not-that-server", name = server_name, why = why),
        _ => message!("target.not-met", name = server_name, why = why),
    })
}

/// Fails if a server elsewhere would have to find listeners on this machine's loopback.
fn reachable(doors: &Doors, is_here: bool, server_name: &str) -> Result<(), Problem> {
    let right = match doors.naming {
        Naming::Loopback => is_here,
        Naming::Zone { .. } => is_here || doors.certificate.is_some(),
    };
    if right {
        return Ok(());
    }
    Err(Problem::configuration(message!("target.no-way-back", name = server_name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_client_api_is_its_origin() {
        let plain = |url: &str| address(url).ok();
        let https = ("https://a.test".to_owned(), "a.test".to_owned(), 443);
        assert_eq!(plain("https://a.test/"), Some(https.clone()));
        assert_eq!(plain("https://a.test"), Some(https));
        let local = ("http://[::1]:8008".to_owned(), "::1".to_owned(), 8008);
        assert_eq!(plain("http://[::1]:8008"), Some(local));
        for bad in [
            "a.test",
            "ftp://a.test",
            "https://a.test/_matrix",
            "https://u:p@a.test",
            "https://u@a.test",
            "https://a.test/?x",
            "https://a.test/#x",
            "",
        ] {
            assert_eq!(plain(bad), None, "{bad}");
        }
    }

    #[test]
    fn all_tokens_must_belong_to_users_of_one_server() {
        let user = |id: &str| (id.to_owned(), Secret::new("t"), 1);
        let two = [user("@a:a.test:8448"), user("@b:a.test:8448")];
        assert_eq!(common_name(&two, None).unwrap(), "a.test:8448");
        assert_eq!(common_name(&two, Some("a.test:8448")).unwrap(), "a.test:8448");
        for (users, wanted) in [
            (vec![user("@a:a.test"), user("@b:b.test")], None),
            (vec![user("@a:a.test"), user("@b:a.test")], Some("b.test")),
            (vec![user("a"), user("b")], None),
            (vec![user(""), user("@b:a.test")], None),
        ] {
            let problem = common_name(&users, wanted).unwrap_err();
            assert_eq!(problem.message.key, "target.not-its-user", "{users:?}");
        }
    }

    #[test]
    fn a_server_elsewhere_needs_doors_that_it_can_reach() {
        let doors = |naming| Doors { naming, certificate: None, mark: "x".into() };
        let zone =
            || Naming::Zone { listen: "0.0.0.0:8448".parse().unwrap(), zone: "p.example".into(), port: 8448 };
        assert!(reachable(&doors(Naming::Loopback), true, "a").is_ok());
        assert!(reachable(&doors(zone()), true, "a").is_ok());
        assert!(reachable(&doors(Naming::Loopback), false, "a").is_err());
        // Servers elsewhere do not trust certificates of the stage's own authority.
        assert!(reachable(&doors(zone()), false, "a").is_err());
    }

    #[test]
    fn only_loopback_addresses_count_as_loopback() {
        let all = |addresses: &[&str]| {
            all_loopback(&addresses.iter().map(|address| address.parse().unwrap()).collect::<Vec<_>>())
        };
        assert!(all(&["127.0.0.1:1", "[::1]:1", "127.9.9.9:1", "[::ffff:127.0.0.1]:1"]));
        for not in [&[][..], &["127.0.0.1:1", "192.0.2.1:1"], &["0.0.0.0:1"], &["[::]:1"], &["10.0.0.1:1"]] {
            assert!(!all(not), "{not:?}");
        }
    }
}
