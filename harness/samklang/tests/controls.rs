//! Controls of the suite: servers that are not homeservers pass no check, and no server passes a check that no server can
//! pass.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeMap, path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use samklang::setting;
use samklang_actors::user::{Failure, Pattern, Private};
use samklang_deploy::{
    Cast, Deployer, Listening, Progress, ServerStart,
    embedded::{Embedded, EmbeddedDeployer},
};
use samklang_reference::Fault;
use samklang_runner::{
    play,
    scenario::{CheckPlan, Scenario},
    scene::Scene,
    selftest::{CheckState, Selftest, ServerResults},
};
use samklang_verdict::{Problem, Role};
use samklang_wire::switchboard::{FederationClient, Ground};
use serde_json::{Value, json};

/// The answer of a control to every request except those that every scenario begins with: the versions, and the
/// registration of users. Without these a control would fail before the scenarios begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Control {
    /// It answers 200 `{}`.
    Agrees,
    /// It answers 404.
    Denies,
    /// It never answers.
    Hangs,
    /// It answers with the body of the request.
    Echoes,
}

impl Control {
    async fn answer(self, request: Request<Bytes>) -> Response<Bytes> {
        let (status, body) = match self {
            Self::Agrees => (200, Bytes::from_static(b"{}")),
            Self::Denies => (404, Bytes::new()),
            Self::Hangs => std::future::pending().await,
            Self::Echoes => (200, request.into_body()),
        };
        let answer = Response::builder().status(status).header("content-type", "application/json");
        answer.body(body).unwrap()
    }
}

/// A control with a server name.
struct ControlServer {
    control: Control,
    name: String,
}

#[async_trait]
impl Embedded for ControlServer {
    async fn federation(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.control.answer(request).await
    }

    async fn client(&self, request: Request<Bytes>) -> Response<Bytes> {
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let answer = match request.uri().path() {
            "/_matrix/client/versions" => json!({"versions": ["v1.13"]}),
            "/_matrix/client/v3/register" => {
                let user = format!("@{}:{}", body["username"].as_str().unwrap_or_default(), self.name);
                json!({"user_id": user, "access_token": "token"})
            }
            _ => return self.control.answer(request).await,
        };
        Response::new(answer.to_string().into())
    }
}

/// Deploys a control in role A and an honest server in role B.
struct ControlDeployer(Control);

#[async_trait]
impl Deployer for ControlDeployer {
    fn name(&self) -> &'static str {
        "embedded"
    }

    async fn ground(&self) -> Result<Ground, Problem> {
        Ok(Ground::Memory)
    }

    async fn prepare(&self, _: &Cast, _: &Progress<'_>) -> Result<(), Problem> {
        Ok(())
    }

    fn claim_port(&self) -> Result<Option<u16>, Problem> {
        Ok(None)
    }

    async fn start(&self, start: ServerStart) -> Result<Arc<dyn Listening>, Problem> {
        EmbeddedDeployer::default().start(start).await
    }

    fn embed(&self, cast: &Cast, name: &str, way: FederationClient) -> Result<Arc<dyn Embedded>, Problem> {
        match cast.role {
            Role::A => Ok(Arc::new(ControlServer { control: self.0, name: name.to_owned() })),
            _ => EmbeddedDeployer::default().embed(cast, name, way),
        }
    }

    async fn clear(&self) -> Result<(), Problem> {
        Ok(())
    }
}

/// The whole suite or only `scenarios`, each in its newest room version.
fn test(scenarios: Option<Vec<&'static Scenario>>) -> Selftest {
    let root = Path::new(samklang_suites::BUILT_FROM).to_owned();
    let mut suite = samklang_suites::suite(&root).unwrap();
    suite.expectations = suite.expectations.without_proposals();
    suite.scenarios = scenarios.unwrap_or(suite.scenarios);
    let casts = setting::casts(&setting::shelf(&root, &[]), Some("reference"), None, None).unwrap();
    Selftest {
        suite: Arc::new(suite),
        casts,
        faults: vec![],
        scenarios: vec![],
        quick: true,
        jobs: 1,
        seed: 1,
    }
}

fn deployer(deployer: impl Deployer + 'static) -> Arc<dyn Deployer> {
    Arc::new(deployer)
}

fn hold(control: Control) {
    let test = test(None);
    let showing = test.show(&deployer(ControlDeployer(control))).unwrap();
    let green: Vec<_> = showing.green().collect();
    assert!(green.is_empty(), "{control:?} passes {green:#?}");
    // Every check of the suite was judged.
    let checks = test.suite.check_ids().len();
    let judged = showing.seen.keys().map(|(check, _)| check).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(judged.len(), checks);
}

#[test]
fn a_server_that_agrees_to_everything_passes_nothing() {
    hold(Control::Agrees);
}

#[test]
fn a_server_that_knows_nothing_passes_nothing() {
    hold(Control::Denies);
}

#[test]
fn a_server_that_hangs_passes_nothing() {
    hold(Control::Hangs);
}

#[test]
fn a_server_that_echoes_passes_nothing() {
    hold(Control::Echoes);
}

/// A scenario with one check that every server can pass and two that no server can pass.
static CANARY: Scenario = Scenario {
    id: "canary.miracle",
    title: "Bob is shown an event that nobody has sent.",
    catalogue: &["X"],
    checks: &[
        CheckPlan::new("said", "Bob is shown the event that Alice has sent."),
        CheckPlan::new("unsaid", "Bob is shown an event that Alice has not sent."),
        CheckPlan::new("unshown", "Bob is not shown the event that Alice has sent."),
    ],
    play: play!(canary),
    ..Scenario::PAIR
};

async fn canary(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let (alice, bob) = (host.register("alice").await?, guest.register("bob").await?);
    let room = alice.create_room(Private).await?;
    alice.invite(&room, &bob).await?;
    bob.sees(samklang_actors::user::invite(&room, &bob)).await?;
    bob.join(&room).await?;
    let (hello, later) = (alice.send(&room, "hello").await?, alice.send(&room, "later").await?);
    bob.sees(&hello).await?;
    let later = bob.sees(&later).await?;
    scene.check("said", bob.sees(&hello).await);
    scene.check("unsaid", bob.sees(Pattern::event_with_id("a miracle", &room.id, "$never")).await);
    scene.check("unshown", bob.never_saw(&hello, &later));
    Ok(())
}

#[test]
fn no_server_passes_a_check_that_no_server_can_pass() {
    let showing = test(Some(vec![&CANARY])).show(&deployer(EmbeddedDeployer::default())).unwrap();
    for (name, reason) in
        [("said", None), ("unsaid", Some("delivery.not_seen")), ("unshown", Some("delivery.leaked"))]
    {
        let came = came_to(&showing, name);
        assert!(!came.is_empty());
        for came in came {
            match (reason, came) {
                (None, came) => assert_eq!(came, &CheckState::Pass, "{name}"),
                (Some(reason), CheckState::Fail(found, _)) => assert_eq!(found.as_str(), reason, "{name}"),
                (Some(_), came) => panic!("{name}: {came:?}"),
            }
        }
    }
}

/// All random choices follow the seed, also for a server with a fault.
#[test]
fn the_same_seed_brings_the_same_verdicts() {
    let scenarios = samklang_suites::scenarios().into_iter();
    let chosen: Vec<_> =
        scenarios.filter(|scenario| matches!(scenario.area(), "rooms" | "signals")).collect();
    for fault in [None, Some(Fault::PdusSentToFormerMembers)] {
        let seen = || test(Some(chosen.clone())).show(&deployer(EmbeddedDeployer::new(fault))).unwrap().seen;
        let (first, second) = (seen(), seen());
        assert!(first.len() > 100, "{}", first.len());
        let red =
            |seen: &BTreeMap<_, CheckState>| seen.values().any(|came| matches!(came, CheckState::Fail(..)));
        assert_eq!((&first, red(&first)), (&second, fault.is_some()));
    }
}

fn came_to<'a>(showing: &'a ServerResults, name: &str) -> Vec<&'a CheckState> {
    showing.seen.iter().filter(|((check, _), _)| check.name() == name).map(|(_, came)| came).collect()
}
