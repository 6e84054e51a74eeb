//! What a peer answers to other servers, honestly unless a lie concerns the answer.

mod keys;
mod membership;
mod queries;
mod rooms;
mod transactions;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use percent_encoding::percent_decode_str;
use samklang_matrix::{RequestAuthError, verify_request};
use samklang_verdict::ExchangeId;
use serde_json::{Value, json};

use crate::peer::{Peer, Unexpected, now_ms};

/// Something that a peer says otherwise than it is: its answers to requests whose path holds `path`, bent by `tell`.
pub struct Lie {
    path: String,
    tell: Box<dyn Fn(Value) -> Value + Send + Sync>,
}

/// A refusal in the standard form (server-server API, API standards).
pub(crate) struct Refusal {
    status: u16,
    errcode: &'static str,
    error: String,
}

pub(crate) type Reply = Result<Value, Refusal>;

pub(crate) fn refuse<T>(status: u16, errcode: &'static str, error: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { status, errcode, error: error.into() })
}

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
fn read<'a>(request: &'a Request<Bytes>) -> Result<Asked<'a>, Refusal> {
    let body = if request.body().is_empty() {
        Value::Null
    } else {
        let parsed = serde_json::from_slice(request.body());
        parsed.or_else(|error| refuse(400, "M_NOT_JSON", error.to_string()))?
    };
    let segments = request.uri().path().trim_start_matches('/').split('/').map(decoded);
    let query = request.uri().query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
    };
    Ok(Asked {
        method: request.method().as_str(),
        path: segments.collect(),
        query: query.map(pair).collect(),
        body,
        origin: String::new(),
        exchange: request.extensions().get::<ExchangeId>().copied(),
    })
}

impl Peer {
    /// Has it tell a lie: its answers to requests whose path holds `path` are bent by `tell`.
    pub fn lie(&self, path: &str, tell: impl Fn(Value) -> Value + Send + Sync + 'static) {
        self.inner().lies.push(Lie { path: path.to_owned(), tell: Box::new(tell) });
    }

    /// Answers a request that reached this peer. Its URI is path and query as sent; its extensions may hold the
    /// [`ExchangeId`].
    pub async fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let reply = match read(request) {
            Ok(asked) => self.reply(asked, request).await,
            Err(refusal) => Err(refusal),
        };
        let (status, body) = match reply {
            Ok(body) => (StatusCode::OK, body),
            Err(Refusal { status, errcode, error }) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, json!({"errcode": errcode, "error": error}))
            }
        };
        let mut inner = self.inner();
        let lies = inner.lies.iter().filter(|lie| request.uri().path().contains(&lie.path));
        let (body, lied) = lies.fold((body, false), |(body, _), lie| ((lie.tell)(body), true));
        if let Some(exchange) = request.extensions().get::<ExchangeId>().filter(|_| lied) {
            inner.forged.insert(exchange.to_string());
        }
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    async fn reply(&self, mut asked: Asked<'_>, request: &Request<Bytes>) -> Reply {
        let path = std::mem::take(&mut asked.path);
        let segments: Vec<_> = path.iter().map(String::as_str).collect();
        let segments = match segments.as_slice() {
            ["_matrix", rest @ ..] => rest,
            // Nothing is delegated: names of a run are found by themselves.
            _ => return refuse(404, "M_NOT_FOUND", "nothing is here"),
        };
        match (asked.method, segments) {
            ("GET", ["key", "v2", "server", ..]) => return Ok(self.key_document()),
            ("GET", ["key", "v2", "query", server]) => return self.notarise(&[server]),
            ("POST", ["key", "v2", "query"]) => return self.notarise_many(&asked.body),
            ("GET", ["federation", "v1", "version"]) => return Ok(version()),
            _ => {}
        }
        match self.authenticate(request, &asked.body).await {
            Ok(origin) => asked.origin = origin,
            Err(error) => {
                self.complain(&asked, request, &error.to_string());
                return refuse(401, "M_UNAUTHORIZED", error.to_string());
            }
        }
        if let ["federation", "v1", "send", _] = segments {
            self.learn_senders(&asked.body).await;
        }
        let reply = self.route(&asked, segments);
        // To ask for what is not there is no breach; to ask in a way that nobody can answer is.
        if let Err(refusal) = &reply
            && refusal.status == 400
        {
            self.complain(&asked, request, &refusal.error);
        }
        reply
    }

    fn route(&self, asked: &Asked<'_>, segments: &[&str]) -> Reply {
        match (asked.method, segments) {
            ("PUT", ["federation", "v1", "send", transaction]) => self.take_transaction(asked, transaction),
            ("GET", ["federation", "v1", "make_join", room, user]) => {
                self.template(asked, room, user, "join")
            }
            ("GET", ["federation", "v1", "make_leave", room, user]) => {
                self.template(asked, room, user, "leave")
            }
            ("GET", ["federation", "v1", "make_knock", room, user]) => {
                self.template(asked, room, user, "knock")
            }
            ("PUT", ["federation", "v2", "send_join", room, _]) => self.take_join(asked, room),
            ("PUT", ["federation", "v2", "send_leave", room, _]) => self.take_leave(asked, room),
            ("PUT", ["federation", "v1", "send_knock", room, _]) => self.take_knock(asked, room),
            ("PUT", ["federation", "v2", "invite", room, _]) => self.take_invite(asked, room),
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
        let content = (!request.body().is_empty()).then_some(body);
        let verify = || {
            let ring = &self.inner().ring;
            verify_request(header, request.method().as_str(), target, content, self.name(), ring, now_ms())
        };
        let claims = match verify() {
            Err(RequestAuthError::NoUsableKey { origin, .. }) => {
                self.learn_keys(&origin).await;
                verify()?
            }
            other => other?,
        };
        Ok(claims.origin)
    }

    fn complain(&self, asked: &Asked<'_>, request: &Request<Bytes>, why: &str) {
        let what = format!("{} {}", asked.method, request.uri().path());
        self.inner().unexpected.push(Unexpected { what, why: why.to_owned(), exchange: asked.exchange });
    }
}

fn version() -> Value {
    json!({"server": {"name": "Samklang peer", "version": env!("CARGO_PKG_VERSION")}})
}
