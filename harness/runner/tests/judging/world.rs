//! Two servers that are nothing but a list of events in memory, and can be told to misbehave.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use samklang_deploy::{
    Cast, Running,
    vendor::{Vendor, VendorShelf},
};
use samklang_drivers::{
    Answered, ApiRefusal, CallError, CallResult, Driver, HistoryPage, MediaFile, NewRoom, ReceiptKind,
    Session, SyncBatch, SyncEntry, SyncSection,
};
use samklang_stage::{ServerIdentity, Stage, StageServer};
use samklang_verdict::{Body, Exchange, ExchangeId, Party, Problem, Role, Wire};
use samklang_wire::recorder::Recorder;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// How a world misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Nothing crosses from one server to the other.
    Deaf,
    /// What crosses is changed on the way.
    Alters,
    /// Everybody is let in.
    LetsIn,
    /// The second server answers with something that is no answer.
    Babbles,
}

struct World {
    fault: Fault,
    recorder: Recorder,
    events: Mutex<Vec<(Role, Value)>>,
    news: Notify,
}

struct FakeDriver {
    world: Arc<World>,
    role: Role,
}

struct FakeSession {
    world: Arc<World>,
    role: Role,
    id: String,
}

/// A stage on which A and B are in this world.
pub(crate) fn stage(fault: Fault) -> Arc<Stage> {
    stage_with(fault, &[])
}

/// As [`stage`], with servers behind an adapter that makes what these names are about.
pub(crate) fn stage_with(fault: Fault, adapter_made: &[&str]) -> Arc<Stage> {
    let recorder = Recorder::new();
    let world =
        Arc::new(World { fault, recorder: recorder.clone(), events: Mutex::default(), news: Notify::new() });
    let server = |role: Role| StageServer {
        role,
        name: format!("{}.fake", role.as_str()),
        cast: behind(adapter_made, cast(role)),
        driver: Arc::new(FakeDriver { world: Arc::clone(&world), role }),
        identity: ServerIdentity::default(),
        holds_ca_key: false,
        running: Arc::new(NotRunning),
    };
    Arc::new(Stage::embedded(vec![server(Role::A), server(Role::B)], recorder).unwrap())
}

fn behind(adapter_made: &[&str], cast: Cast) -> Cast {
    let mut vendor = Vendor::clone(&cast.vendor);
    vendor.adapter_made = adapter_made.iter().map(|&name| name.to_owned()).collect();
    Cast { vendor: Arc::new(vendor), ..cast }
}

pub(crate) fn cast(role: Role) -> Cast {
    let shelf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vendors");
    let vendor = VendorShelf::new([shelf]).load("pebble").unwrap();
    Cast {
        role,
        version: vendor.default_version.clone(),
        vendor: Arc::new(vendor),
        image: None,
        upgrade_to: None,
        target: None,
    }
}

struct NotRunning;

#[async_trait]
impl Running for NotRunning {
    async fn stop(&self) -> Result<(), Problem> {
        Ok(())
    }
}

#[async_trait]
impl Driver for FakeDriver {
    async fn register(&self, localpart: &str, _: &str) -> CallResult<Box<dyn Session>> {
        let id = format!("@{localpart}:{}.fake", self.role.as_str());
        let session = FakeSession { world: Arc::clone(&self.world), role: self.role, id: id.clone() };
        Ok(Answered { exchange: session.exchange(&json!({ "user_id": id })), value: Box::new(session) })
    }
}

impl FakeSession {
    fn exchange(&self, answer: &Value) -> ExchangeId {
        let begun = self.world.recorder.begin();
        self.world.recorder.finish(Exchange {
            id: begun.id,
            wire: Wire::Client,
            at_us: begun.at_us,
            took_us: 1,
            from: Party::User { name: self.id.clone() },
            to: Party::Server { role: self.role },
            method: "POST".into(),
            path: "/fake".into(),
            request_headers: vec![],
            request_body: Body::Empty,
            status: Some(200),
            response_headers: vec![],
            response_body: Body::of(answer.to_string().as_bytes()),
            broken: None,
            fault: None,
        });
        begun.id
    }

    fn add(&self, room: &str, mut event: Value) -> CallResult<String> {
        let mut events = self.world.events.lock().unwrap();
        let id = format!("$event-{}", events.len());
        event["event_id"] = json!(id);
        event["sender"] = json!(self.id);
        event["room"] = json!(room);
        events.push((self.role, event));
        drop(events);
        self.world.news.notify_waiters();
        Ok(Answered { exchange: self.exchange(&json!({ "event_id": id })), value: id })
    }

    fn visible(&self) -> Vec<Value> {
        let events = self.world.events.lock().unwrap();
        let shown = events.iter().filter_map(|(role, event)| match (self.world.fault, *role == self.role) {
            (Fault::Deaf, false) => None,
            (Fault::Alters, false) => {
                let mut other = event.clone();
                other["content"]["body"] = json!("something else");
                Some(other)
            }
            _ => Some(event.clone()),
        });
        shown.collect()
    }

    fn not_offered<T>(verb: &'static str) -> CallResult<T> {
        Err(CallError::NotOffered { verb })
    }

    fn done(&self) -> CallResult<()> {
        Ok(Answered { value: (), exchange: self.exchange(&json!({})) })
    }
}

#[async_trait]
impl Session for FakeSession {
    fn user_id(&self) -> &str {
        &self.id
    }
    async fn create_room(&self, _: &NewRoom) -> CallResult<String> {
        let id = format!("!room-of-{}", self.id);
        Ok(Answered { exchange: self.exchange(&json!({ "room_id": id })), value: id })
    }
    async fn invite(&self, _: &str, _: &str) -> CallResult<()> {
        self.done()
    }
    async fn join(&self, room: &str, _: &[String]) -> CallResult<()> {
        let content = json!({"membership": "join"});
        self.add(room, json!({"type": "m.room.member", "state_key": self.id, "content": content}))?;
        self.done()
    }
    /// Nobody may knock, unless the world lets everybody in.
    async fn knock(&self, _: &str, _: &[String]) -> CallResult<()> {
        if self.world.fault == Fault::LetsIn {
            return self.done();
        }
        let exchange = self.exchange(&json!({"errcode": "M_FORBIDDEN"}));
        let refusal =
            ApiRefusal { status: 403, errcode: "M_FORBIDDEN".into(), error: String::new(), exchange };
        Err(CallError::Refused(refusal))
    }
    async fn leave(&self, _: &str) -> CallResult<()> {
        Self::not_offered("leave")
    }
    async fn kick(&self, _: &str, _: &str, _: Option<&str>) -> CallResult<()> {
        Self::not_offered("kick")
    }
    async fn ban(&self, _: &str, _: &str, _: Option<&str>) -> CallResult<()> {
        Self::not_offered("ban")
    }
    async fn unban(&self, _: &str, _: &str) -> CallResult<()> {
        Self::not_offered("unban")
    }
    async fn send(&self, room: &str, kind: &str, content: &Value) -> CallResult<String> {
        self.add(room, json!({"type": kind, "content": content}))
    }
    async fn set_state(&self, _: &str, _: &str, _: &str, _: &Value) -> CallResult<String> {
        Self::not_offered("set_state")
    }
    async fn redact(&self, _: &str, _: &str, _: Option<&str>) -> CallResult<String> {
        Self::not_offered("redact")
    }
    async fn upgrade(&self, _: &str, _: &str) -> CallResult<String> {
        Self::not_offered("upgrade")
    }
    async fn typing(&self, _: &str, _: bool) -> CallResult<()> {
        Self::not_offered("typing")
    }
    async fn receipt(&self, _: &str, _: &str, _: ReceiptKind, _: Option<&str>) -> CallResult<()> {
        Self::not_offered("receipt")
    }
    async fn set_presence(&self, _: &str, _: Option<&str>) -> CallResult<()> {
        Self::not_offered("presence")
    }
    async fn set_profile(&self, _: &str, _: &str) -> CallResult<()> {
        Self::not_offered("set_profile")
    }
    async fn profile(&self, _: &str) -> CallResult<Value> {
        Self::not_offered("profile")
    }
    async fn upload(&self, _: &MediaFile) -> CallResult<String> {
        Self::not_offered("upload")
    }
    async fn download(&self, _: &str) -> CallResult<MediaFile> {
        Self::not_offered("download")
    }
    async fn state(&self, _: &str) -> CallResult<Vec<Value>> {
        if self.world.fault == Fault::Babbles && self.role == Role::B {
            let exchange = self.exchange(&json!("bla"));
            return Err(CallError::Malformed { what: "bla".into(), exchange });
        }
        Ok(Answered { value: vec![], exchange: self.exchange(&json!([])) })
    }
    async fn event(&self, _: &str, event: &str) -> CallResult<Value> {
        let found = self.visible().into_iter().find(|seen| seen["event_id"] == *event);
        let exchange = self.exchange(&json!(found));
        found
            .map(|value| Answered { value, exchange })
            .ok_or(CallError::Broken { what: "gone".into(), exchange })
    }
    async fn history(&self, _: &str, _: Option<&str>, _: u32) -> CallResult<HistoryPage> {
        Self::not_offered("history")
    }
    async fn sync(&self, since: Option<&str>, _: u64) -> CallResult<SyncBatch> {
        let seen: usize = since.and_then(|since| since.parse().ok()).unwrap_or(0);
        let news = loop {
            // Listening begins before looking, so that nothing is missed in between.
            let mut told = std::pin::pin!(self.world.news.notified());
            told.as_mut().enable();
            let visible = self.visible();
            if visible.len() > seen || since.is_none() {
                break visible;
            }
            told.await;
        };
        let exchange = self.exchange(&json!({ "events": news.len() }));
        let happenings = news[seen..].iter().map(|event| SyncEntry {
            place: SyncSection::Timeline,
            room: event["room"].as_str().map(str::to_owned),
            event: event.clone(),
            exchange,
        });
        Ok(Answered {
            value: SyncBatch { next: news.len().to_string(), happenings: happenings.collect() },
            exchange,
        })
    }
}
