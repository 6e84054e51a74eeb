//! The `X-Matrix` scheme (server-server API, request authentication).

use samklang_matrix::{HeaderForge, Quoting, RequestSignature};

use super::{acted_on, alice_at, believed, disbelieved};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "authentication.forgeries",
        title: "The server refuses a request that its origin did not sign, as sent, for this server.",
        catalogue: &["FC-08"],
        requirements: &["SS-AUTH-003"],
        versions: Versions::Only(&["11"]),
        checks: &[
            CheckPlan::new("unsigned", "The server refuses a request without an Authorization header.")
                .of(&["SS-AUTH-002"]),
            CheckPlan::new(
                "stranger-key",
                "The server refuses a request signed with a key that was never published.",
            )
            .of(&["SS-AUTH-003"]),
            CheckPlan::new(
                "unknown-key",
                "The server refuses a request whose credentials name a key that does not exist.",
            )
            .of(&["SS-AUTH-003", "SS-AUTH-020"]),
            CheckPlan::new(
                "other-origin",
                "The server refuses a request that one server signs in the name of another.",
            )
            .of(&["SS-AUTH-004"]),
            CheckPlan::new("other-path", "The server refuses a request whose signature is for another path.")
                .of(&["SS-AUTH-009"]),
            CheckPlan::new(
                "other-query",
                "The server refuses a request whose signature is for another query.",
            )
            .of(&["SS-AUTH-009"]),
            CheckPlan::new(
                "other-method",
                "The server refuses a request whose signature is for another method.",
            )
            .of(&["SS-AUTH-010"]),
            CheckPlan::new(
                "replayed",
                "The server refuses a request that is signed for another server and names no destination.",
            )
            .of(&["SS-AUTH-011"]),
            CheckPlan::new(
                "no-server-name",
                "The server refuses a request whose origin is not a valid server name.",
            )
            .of(&["SS-AUTH-033"]),
            CheckPlan::new(
                "no-signature",
                "The server refuses a request whose credentials have no signature.",
            )
            .of(&["SS-AUTH-003"]),
            CheckPlan::new(
                "other-algorithm",
                "The server refuses a request signed with an unknown algorithm.",
            )
            .of(&["SS-AUTH-032"]),
        ],
        play: play!(forgeries),
        ..Scenario::PEER
    },
    Scenario {
        id: "authentication.other-destination",
        title: "The server answers 401 to a request whose header names another destination.",
        catalogue: &["FC-07", "FC-08"],
        requirements: &["SS-AUTH-018"],
        versions: Versions::Only(&["11"]),
        checks: &[CheckPlan::new("refused", "A request whose header names another destination gets 401.")],
        play: play!(other_destination),
        ..Scenario::PEER
    },
    Scenario {
        id: "authentication.changed-body",
        title: "The server refuses a body that was changed after signing, and accepts the same JSON written differently.",
        catalogue: &["FC-08", "FC-09"],
        requirements: &["SS-AUTH-008"],
        versions: Versions::Only(&["11"]),
        checks: &[
            CheckPlan::new("changed", "The server refuses a request whose body was changed after signing.")
                .of(&["SS-AUTH-008"]),
            CheckPlan::new(
                "unsigned-body",
                "The server refuses a request whose body is not part of the signature.",
            )
            .of(&["SS-AUTH-005"]),
            CheckPlan::new(
                "rewritten",
                "The server accepts the signed body with other white space, key order and escapes.",
            )
            .of(&["SS-AUTH-014"]),
        ],
        play: play!(changed_body),
        ..Scenario::PEER
    },
    Scenario {
        id: "authentication.ways-to-write-it",
        title: "The server accepts credentials in every notation that the specification allows.",
        catalogue: &["FC-07"],
        requirements: &["SS-AUTH-022"],
        versions: Versions::Only(&["11"]),
        checks: &[
            CheckPlan::new("reversed", "The server accepts the parameters in another order.")
                .of(&["SS-AUTH-022"]),
            CheckPlan::new("upper-case", "The server accepts parameter names in upper case.")
                .of(&["SS-AUTH-021"]),
            CheckPlan::new("spaced", "The server accepts white space around commas.").of(&["SS-AUTH-023"]),
            CheckPlan::new("escaped", "The server accepts backslash escapes in quoted values.")
                .of(&["SS-AUTH-024"]),
            CheckPlan::new("unknown-parameter", "The server ignores an unknown parameter.")
                .of(&["SS-AUTH-027"]),
            CheckPlan::new("raw-path", "The server accepts a request whose query is not percent-encoded.")
                .of(&["SS-AUTH-007"]),
        ],
        play: play!(ways_to_write_it),
        ..Scenario::PEER
    },
    Scenario {
        id: "authentication.older-ways",
        title: "The server accepts credentials as older servers write them.",
        catalogue: &["FC-07"],
        requirements: &["SS-AUTH-017"],
        weight: Weight::Should,
        versions: Versions::Only(&["11"]),
        checks: &[
            CheckPlan::new("no-destination", "The server accepts credentials without a destination.")
                .of(&["SS-AUTH-017"]),
            CheckPlan::new(
                "unquoted",
                "The server accepts values without quotes, even if they contain colons.",
            )
            .of(&["SS-AUTH-026"]),
        ],
        play: play!(older_ways),
        ..Scenario::PEER
    },
];

/// A peer that asks for Alice's profile, which takes credentials and tells whether they were believed.
struct Asking {
    host: Host,
    alice: User,
    peer: ScriptedPeer,
    target: String,
}

async fn asking(scene: &Scene) -> Result<Asking, Failure> {
    let [host] = scene.servers()?;
    let alice = alice_at(&host).await?;
    let peer = scene.peer("asker").await?;
    let target = format!("/_matrix/federation/v1/query/profile?user_id={}", segment(alice.id()));
    let asking = Asking { host, alice, peer, target };
    // The twin of everything that follows.
    let honest = asking.header().build();
    asking.believed(&asking.ask(&[honest]).await?)?;
    Ok(asking)
}

impl Asking {
    fn header(&self) -> HeaderForge {
        self.peer.peer().header("GET", self.host.name(), &self.target, None)
    }

    /// Credentials over something else than what is sent, signed by the peer.
    fn signed_over<'a>(&'a self, change: impl FnOnce(&mut RequestSignature<'a>)) -> HeaderForge {
        let (origin, destination) = (self.peer.name(), self.host.name());
        let mut request =
            RequestSignature { origin, destination, method: "GET", uri: &self.target, content: None };
        change(&mut request);
        HeaderForge::honest(&request, self.peer.peer().key())
    }

    async fn ask(&self, authorization: &[String]) -> Result<Reply, Failure> {
        self.peer.ask_with(&self.host, "GET", &self.target, None, authorization).await
    }

    fn believed(&self, reply: &Reply) -> Result<Observations, Failure> {
        believed(&self.alice, reply)
    }

    fn refused(&self, reply: &Reply) -> Result<Observations, Failure> {
        disbelieved(&self.alice, reply, "request.forgery_accepted")
    }
}

async fn forgeries(scene: &Scene) -> Result<(), Failure> {
    let victim = scene.peer("victim").await?;
    let asking = asking(scene).await?;
    let stranger = unpublished_key()?;
    let other_target = asking.target.replace("profile?", "profile?a=b&");
    let over_other = |key: &SigningKey| {
        let (origin, destination) = (asking.peer.name(), asking.host.name());
        let uri = asking.target.as_str();
        HeaderForge::honest(&RequestSignature { origin, destination, method: "GET", uri, content: None }, key)
    };
    let forgeries = [
        ("stranger-key", over_other(&stranger)),
        ("unknown-key", asking.header().set("key", "ed25519:never")),
        ("other-origin", asking.signed_over(|request| request.origin = victim.name())),
        ("other-path", asking.signed_over(|request| request.uri = "/_matrix/federation/v1/query/directory")),
        ("other-query", asking.signed_over(|request| request.uri = &other_target)),
        ("other-method", asking.signed_over(|request| request.method = "PUT")),
        (
            "replayed",
            asking.signed_over(|request| request.destination = victim.name()).without("destination"),
        ),
        ("no-server-name", asking.signed_over(|request| request.origin = "no server name")),
        ("no-signature", asking.header().without("sig")),
        ("other-algorithm", asking.header().set("key", "rsa:peer")),
    ];
    scene.check("unsigned", asking.ask(&[]).await.and_then(|reply| asking.refused(&reply)));
    for (check, forgery) in forgeries {
        let outcome = asking.ask(&[forgery.build()]).await;
        scene.check(check, outcome.and_then(|reply| asking.refused(&reply)));
    }
    // The victim is believed where it speaks for itself.
    let own = victim.ask(&asking.host, "GET", &asking.target, None).await?;
    asking.believed(&own)?;
    Ok(())
}

async fn other_destination(scene: &Scene) -> Result<(), Failure> {
    let asking = asking(scene).await?;
    // Signed for the host: nothing but the header says otherwise.
    let other = asking.header().set("destination", "elsewhere.example.org");
    let reply = asking.ask(&[other.build()]).await?;
    let outcome = if reply.status == 401 {
        Ok(Observations::from(reply))
    } else {
        let text = message!("fail.believed", answer = reply.in_words());
        let failure =
            asking.alice.wrong("request.other_destination", text, std::slice::from_ref(&reply.observation));
        Err(failure.showing("401", reply.in_words()))
    };
    scene.check("refused", outcome);
    Ok(())
}

/// An empty transaction, which changes nothing and takes credentials.
async fn changed_body(scene: &Scene) -> Result<(), Failure> {
    let asking = asking(scene).await?;
    let (host, peer) = (&asking.host, &asking.peer);
    let body = json!({"origin": peer.name(), "origin_server_ts": 1, "pdus": [], "edus": []});
    let send = async |signed: Option<&Value>, sent: String| {
        let target = format!("/_matrix/federation/v1/send/{}", peer.peer().transaction_id());
        let header = peer.peer().header("PUT", host.name(), &target, signed).build();
        peer.put_text(host, &target, sent, &[header]).await
    };
    let mut changed = body.clone();
    changed["origin_server_ts"] = json!(2);
    for (check, signed) in [("changed", Some(&changed)), ("unsigned-body", None)] {
        let outcome = send(signed, body.to_string()).await;
        scene.check(check, outcome.and_then(|reply| asking.refused(&reply)));
    }
    let name = peer.name();
    let rewritten = format!(
        "{{ \"pdus\" : [ ],\n\t\"edus\":[], \"origin_server_ts\": 1, \"\\u006frigin\": \"{name}\" }}"
    );
    let outcome = send(Some(&body), rewritten).await;
    let taken = |reply: Reply| acted_on(&asking.alice, &reply, reply.body["pdus"].is_object());
    scene.check("rewritten", outcome.and_then(taken));
    Ok(())
}

async fn ways_to_write_it(scene: &Scene) -> Result<(), Failure> {
    let asking = asking(scene).await?;
    let ways = [
        ("reversed", asking.header().reversed()),
        ("upper-case", asking.header().names(str::to_uppercase)),
        ("spaced", asking.header().separator(" ,\t ")),
        ("escaped", asking.header().quoting(Quoting::Escaped)),
        ("unknown-parameter", asking.header().set("colour", "blue")),
    ];
    for (check, way) in ways {
        let outcome = asking.ask(&[way.build()]).await;
        scene.check(check, outcome.and_then(|reply| asking.believed(&reply)));
    }
    let raw = format!("/_matrix/federation/v1/query/profile?user_id={}", asking.alice.id());
    let outcome = asking.peer.ask(&asking.host, "GET", &raw, None).await;
    scene.check("raw-path", outcome.and_then(|reply| asking.believed(&reply)));
    Ok(())
}

async fn older_ways(scene: &Scene) -> Result<(), Failure> {
    let asking = asking(scene).await?;
    let ways = [
        ("no-destination", asking.header().without("destination")),
        ("unquoted", asking.header().quoting(Quoting::Bare)),
    ];
    for (check, way) in ways {
        let outcome = asking.ask(&[way.build()]).await;
        scene.check(check, outcome.and_then(|reply| asking.believed(&reply)));
    }
    Ok(())
}
