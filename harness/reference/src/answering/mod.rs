//! What a homeserver answers to other servers.

mod keys;
mod membership;
mod queries;
mod rooms;
mod transactions;

pub(crate) use membership::shown_to;

use bytes::Bytes;
use http::{Request, Response, header};
use percent_encoding::percent_decode_str;
use samklang_matrix::{Credentials, HeaderError, RequestAuthError, claimed_origin, verify_request};
use samklang_verdict::ExchangeId;
use serde_json::{Value, json};

use crate::{
    fault::{Fault, misshapen},
    homeserver::{Homeserver, now_ms},
    reply::{Refusal, Reply, Said, refuse},
};

/// A request that was authenticated, where it has to be.
pub(crate) struct Asked<'a> {
    /// The method.
    pub(crate) method: &'a str,
    /// The path's segments below `/_matrix`, decoded.
    pub(crate) path: Vec<String>,
    /// The query, decoded, in order.
    pub(crate) query: Vec<(String, String)>,
    /// The body; null where there is none.
    pub(crate) body: Value,
    /// The server that asks; empty where it need not say.
    pub(crate) origin: String,
    /// Where the transcript has it.
    pub(crate) exchange: Option<ExchangeId>,
}

impl Asked<'_> {
    /// The first value of a query parameter.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a query parameter.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A path or a part of it, its percent-encoding undone.
pub fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Reads method, path, query and body; authentication comes later.
pub(crate) fn read<'a>(request: &'a Request<Bytes>) -> Result<Asked<'a>, Refusal> {
    let mut asked = read_head(request);
    if !request.body().is_empty() {
        let parsed = serde_json::from_slice(request.body());
        asked.body = parsed.or_else(|error| refuse(400, "M_NOT_JSON", error.to_string()))?;
    }
    Ok(asked)
}

/// As [`read`], for a body that is no JSON.
pub(crate) fn read_head<'a>(request: &'a Request<Bytes>) -> Asked<'a> {
    let segments = request.uri().path().trim_start_matches('/').split('/').map(decoded);
    let query = request.uri().query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
    };
    Asked {
        method: request.method().as_str(),
        path: segments.collect(),
        query: query.map(pair).collect(),
        body: Value::Null,
        origin: String::new(),
        exchange: request.extensions().get::<ExchangeId>().copied(),
    }
}

impl Homeserver {
    /// Answers what another server asks. The request's URI is path and query as sent; its extensions may hold the
    /// [`ExchangeId`].
    pub async fn federation(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let said = match read(request) {
            Ok(_) if self.leaves_out(request.uri().path()) => {
                refuse(404, "M_UNRECOGNIZED", "no such endpoint")
            }
            Ok(asked) => self.reply(asked, request).await,
            Err(refusal) => Err(refusal),
        };
        let is_misshapen =
            self.has_form_of(Fault::AnswerMisshapen, request.method().as_str(), request.uri().path());
        match said {
            Ok(said) if is_misshapen => {
                let body = serde_json::from_slice(&said.body).unwrap_or_default();
                Said::from(misshapen(&body)).into()
            }
            said => self.put(said).into(),
        }
    }

    /// An answer as it goes out.
    fn put(&self, said: Result<Said, Refusal>) -> Said {
        let said = match said {
            Ok(said) if self.has(Fault::AnswersNoObject) && said.is_json() => {
                Said { body: [b"[".as_slice(), &said.body, b"]"].concat().into(), ..said }
            }
            Ok(said) => said,
            Err(mut refusal) if self.has(Fault::ErrorsOutOfNamespace) => {
                refusal.errcode = "REFUSED".into();
                refusal.into()
            }
            Err(refusal) if self.has(Fault::ErrorsBare) => {
                Said { body: Bytes::from_static(b"{}"), ..refusal.into() }
            }
            Err(refusal) => refusal.into(),
        };
        if self.has(Fault::AnswersWithoutType) && said.is_json() {
            return Said { headers: vec![], ..said };
        }
        said
    }

    async fn reply(&self, mut asked: Asked<'_>, request: &Request<Bytes>) -> Result<Said, Refusal> {
        let path = std::mem::take(&mut asked.path);
        let segments: Vec<_> = path.iter().map(String::as_str).collect();
        let segments = match segments.as_slice() {
            ["_matrix", rest @ ..] => rest,
            // Nothing is delegated: names of a run are found by themselves.
            _ => return refuse(404, "M_NOT_FOUND", "nothing is here"),
        };
        match (asked.method, segments) {
            ("GET", ["key", "v2", "server", ..]) => return Ok(self.key_document().into()),
            ("GET", ["key", "v2", "query", server]) => return self.notarise(&[server]).await.map(Said::from),
            ("POST", ["key", "v2", "query"]) => return self.notarise_many(&asked.body).await.map(Said::from),
            ("GET", ["federation", "v1", "version"])
                if !self.has(Fault::VersionNeedsCredentials)
                    || request.headers().contains_key(header::AUTHORIZATION) =>
            {
                return Ok(self.version().into());
            }
            ("GET", ["federation", "v1", "openid", "userinfo"]) => {
                return self.openid_user(asked.value("access_token").unwrap_or_default()).map(Said::from);
            }
            _ => {}
        }
        if self.has(Fault::RequestBodySignedAsWritten)
            && !asked.body.is_null()
            && asked.body.to_string().as_bytes() != &request.body()[..]
        {
            return refuse(401, "M_UNAUTHORIZED", "the body is not the one that was signed");
        }
        match self.authenticate(request, &asked.body).await {
            Ok(origin) => asked.origin = origin,
            Err(error) => return refuse(401, "M_UNAUTHORIZED", error.to_string()),
        }
        self.outbox.hear_from(&asked.origin);
        match (asked.method, segments) {
            ("PUT", ["federation", "v1", "send", transaction]) => {
                self.take_transaction(&asked, transaction).await.map(Said::from)
            }
            ("PUT", ["federation", "v2", "send_join", room, id]) => {
                self.take_join(&asked, room, id).await.map(Said::from)
            }
            // The answers of the first versions are wrapped (joining rooms, leaving rooms).
            ("PUT", ["federation", "v1", "send_join", room, id]) => {
                self.take_join(&asked, room, id).await.map(|answer| json!([200, answer]).into())
            }
            ("PUT", ["federation", "v1", "send_leave", room, id]) => {
                self.take_leave(&asked, room, id).await.map(|answer| json!([200, answer]).into())
            }
            ("PUT", ["federation", "v2", "send_leave", room, id]) => {
                self.take_leave(&asked, room, id).await.map(Said::from)
            }
            ("PUT", ["federation", "v1", "send_knock", room, id]) => {
                self.take_knock(&asked, room, id).await.map(Said::from)
            }
            ("GET", ["federation", "v1", "media", "download" | "thumbnail", id]) => self.give_file(id),
            _ => self.route(&asked, segments).map(Said::from),
        }
    }

    fn route(&self, asked: &Asked<'_>, segments: &[&str]) -> Reply {
        match (asked.method, segments) {
            ("GET", ["federation", "v1", "make_join", room, user]) => {
                self.template(asked, room, user, "join")
            }
            ("GET", ["federation", "v1", "make_leave", room, user]) => {
                self.template(asked, room, user, "leave")
            }
            ("GET", ["federation", "v1", "make_knock", room, user]) => {
                self.template(asked, room, user, "knock")
            }
            ("PUT", ["federation", "v2", "invite", room, id]) => self.take_invite(asked, room, id),
            ("GET", ["federation", "v1", "event", id]) => self.give_event(asked, id),
            ("GET", ["federation", "v1", "state", room]) => self.give_state(asked, room, false),
            ("GET", ["federation", "v1", "state_ids", room]) => self.give_state(asked, room, true),
            ("GET", ["federation", "v1", "event_auth", room, id]) => self.give_auth_chain(asked, room, id),
            ("GET", ["federation", "v1", "backfill", room]) => self.give_history(asked, room),
            ("POST", ["federation", "v1", "get_missing_events", room]) => self.give_missing(asked, room),
            (method, ["federation", "v1", rest @ ..]) => self.answer_query(asked, method, rest),
            _ => refuse(404, "M_UNRECOGNIZED", "no such endpoint"),
        }
    }

    /// The server that signed a request (server-server API, request authentication). Keys that are not known are fetched
    /// from it.
    async fn authenticate(&self, request: &Request<Bytes>, body: &Value) -> Result<String, RequestAuthError> {
        let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let header = header.unwrap_or_default();
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let bent = if self.has(Fault::RequestPathDecoded) {
            decoded(target)
        } else if self.has(Fault::RequestPathEncoded) {
            target.replace('@', "%40").replace(':', "%3A")
        } else {
            target.to_owned()
        };
        let target = bent.as_str();
        let content = (!request.body().is_empty()).then_some(body);
        self.is_readable(header)?;
        let verify = || {
            let ring = &self.known().ring;
            verify_request(header, request.method().as_str(), target, content, self.name(), ring, now_ms())
        };
        let verified = match verify() {
            Err(RequestAuthError::NoUsableKey { origin, .. }) => {
                self.learn_keys(&origin).await;
                verify()
            }
            other => other,
        };
        match verified {
            Ok(claims) => Ok(claims.origin),
            Err(error) if self.passes_over(&error) => Ok(claimed_origin(header).unwrap_or_default()),
            Err(error) => Err(error),
        }
    }

    /// What a server may not be able to read, though the specification lets it be written so.
    fn is_readable(&self, header: &str) -> Result<(), RequestAuthError> {
        let credentials = || Credentials::parse(header).ok();
        let unreadable = (self.has(Fault::CredentialsInOneOrder) && !header.starts_with("X-Matrix origin"))
            || (self.has(Fault::CredentialsInOneCase) && header.contains("ORIGIN"))
            || (self.has(Fault::CredentialsWithoutBlanks) && header.contains(" ,"))
            || (self.has(Fault::CredentialsWithoutEscapes) && header.contains('\\'))
            || (self.has(Fault::CredentialsNeedQuotes) && !header.contains('"'))
            || (self.has(Fault::CredentialsWithoutStrangers)
                && credentials().is_some_and(|credentials| !credentials.others.is_empty()))
            || (self.has(Fault::CredentialsNeedDestination)
                && credentials().is_some_and(|credentials| credentials.destination.is_none()));
        if unreadable { Err(HeaderError::Malformed(0).into()) } else { Ok(()) }
    }

    /// Whether a server overlooks why a request is not authenticated.
    fn passes_over(&self, error: &RequestAuthError) -> bool {
        match error {
            RequestAuthError::Header(HeaderError::Missing(_)) => self.has(Fault::RequestHeaderGapsTaken),
            RequestAuthError::Header(_) => self.has(Fault::RequestsUnsignedTaken),
            RequestAuthError::BadOrigin(_) => self.has(Fault::RequestOriginFormUnchecked),
            RequestAuthError::OtherDestination(_) => self.has(Fault::RequestDestinationIgnored),
            RequestAuthError::UnknownAlgorithm(_) => self.has(Fault::RequestAlgorithmIgnored),
            RequestAuthError::NoUsableKey { .. } => self.has(Fault::RequestKeyUnknownTaken),
            RequestAuthError::BadSignature => self.has(Fault::RequestSignatureUnchecked),
        }
    }

    fn version(&self) -> Value {
        let own = if self.is_live() { "Samklang reference" } else { "Samklang peer" };
        let presented = self.presented.get();
        let (name, version) = presented
            .map_or((own, env!("CARGO_PKG_VERSION")), |[name, version]| (name.as_str(), version.as_str()));
        json!({"server": {"name": name, "version": version}})
    }
}
