//! The `X-Matrix` scheme (server-server API, request authentication).

use samklang_matrix::{HeaderForge, Quoting, RequestSignature};

use super::{alice_at, check_acted_on, check_answered, check_refused};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "authentication.forgeries",
        title: "The server accepts a request only if its origin signed it, as sent, for this server.",
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
                "The server refuses a request whose Authorization header names a signing key that does not exist.",
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
                "The server refuses a request signed for another server whose Authorization header names no destination.",
            )
            .of(&["SS-AUTH-011"]),
            CheckPlan::new(
                "no-server-name",
                "The server refuses a request whose Authorization header names an origin that is not a valid server name.",
            )
            .of(&["SS-AUTH-033"]),
            CheckPlan::new(
                "no-signature",
                "The server refuses a request whose Authorization header contains no signature.",
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
        title: "The server answers 401 to a request whose Authorization header names another destination.",
        catalogue: &["FC-07", "FC-08"],
        requirements: &["SS-AUTH-018"],
        versions: Versions::Only(&["11"]),
        checks: &[CheckPlan::new("refused", "The server answers a request with another destination in its Authorization header with status 401.")],
        play: play!(other_destination),
        ..Scenario::PEER
    },
    Scenario {
        id: "authentication.changed-body",
        title: "The server refuses a request body that was changed after signing, and accepts the same JSON written differently.",
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
                "The server accepts a signed request whose body is sent with other white space, key order and escapes.",
            )
            .of(&["SS-AUTH-014"]),
        ],
        play: play!(changed_body),
        ..Scenario::PEER
    },
    Scenario {
        id: "authentication.ways-to-write-it",
        title: "The server accepts an X-Matrix header in every notation that the specification allows.",
        catalogue: &["FC-07"],
        requirements: &["SS-AUTH-022"],
        versions: Versions::Only(&["11"]),
        checks: &[
            CheckPlan::new("reversed", "The server accepts an X-Matrix header whose parameters are in another order.")
                .of(&["SS-AUTH-022"]),
            CheckPlan::new("upper-case", "The server accepts an X-Matrix header whose parameter names are in upper case.")
                .of(&["SS-AUTH-021"]),
            CheckPlan::new("spaced", "The server accepts an X-Matrix header with white space around commas.").of(&["SS-AUTH-023"]),
            CheckPlan::new("escaped", "The server accepts an X-Matrix header with backslash escapes in quoted values.")
                .of(&["SS-AUTH-024"]),
            CheckPlan::new("unknown-parameter", "The server ignores an unknown parameter in an X-Matrix header.")
                .of(&["SS-AUTH-027"]),
            CheckPlan::new("raw-path", "The server accepts a request whose query is not percent-encoded.")
                .of(&["SS-AUTH-007"]),
        ],
        play: play!(allowed_notations),
        ..Scenario::PEER
    },
    Scenario {
        id: "authentication.older-ways",
        title: "The server accepts an X-Matrix header in the form that older servers send.",
        catalogue: &["FC-07"],
        requirements: &["SS-AUTH-017"],
        weight: Weight::Should,
        versions: Versions::Only(&["11"]),
        checks: &[
            CheckPlan::new("no-destination", "The server accepts an X-Matrix header without a destination.")
                .of(&["SS-AUTH-017"]),
            CheckPlan::new(
                "unquoted",
                "The server accepts an X-Matrix header with values without quotes, even if they contain colons.",
            )
            .of(&["SS-AUTH-026"]),
        ],
        play: play!(older_notations),
        ..Scenario::PEER
    },
];

/// A peer that asks for Alice's profile: the request needs credentials, and the response shows whether they were accepted.
struct ProfileAsker {
    host: Host,
    alice: User,
    peer: ScriptedPeer,
    target: String,
}

async fn profile_asker(scene: &Scene) -> Result<ProfileAsker, Failure> {
    let [host] = scene.servers()?;
    let alice = alice_at(&host).await?;
    let peer = scene.peer("asker").await?;
    let target = paths::query_profile(alice.id());
    let asker = ProfileAsker { host, alice, peer, target };
    // The honest request is the twin of all that follow.
    let honest = asker.header().build();
    asker.check_answered(&asker.ask(&[honest]).await?)?;
    Ok(asker)
}

impl ProfileAsker {
    fn header(&self) -> HeaderForge {
        self.peer.peer().header("GET", self.host.name(), &self.target, None)
    }

    /// Credentials that the peer signs for another request than the one it sends.
    fn signed_over<'a>(&'a self, change: impl FnOnce(&mut RequestSignature<'a>)) -> HeaderForge {
        let (origin, destination) = (self.peer.name(), self.host.name());
        let mut request =
            RequestSignature { origin, destination, method: "GET", uri: &self.target, content: None };
        change(&mut request);
        HeaderForge::honest(&request, self.peer.peer().key())
    }

    async fn ask(&self, authorization: &[String]) -> Result<PeerResponse, Failure> {
        self.peer.ask_with(&self.host, "GET", &self.target, None, authorization).await
    }

    fn check_answered(&self, reply: &PeerResponse) -> Result<Observations, Failure> {
        check_answered(&self.alice, reply)
    }

    fn check_refused(&self, reply: &PeerResponse) -> Result<Observations, Failure> {
        check_refused(&self.alice, reply, "request.forgery_accepted")
    }
}

async fn forgeries(scene: &Scene) -> Result<(), Failure> {
    let victim = scene.peer("victim").await?;
    let asker = profile_asker(scene).await?;
    let unpublished = unpublished_key()?;
    let other_target = asker.target.replace("profile?", "profile?a=b&");
    let honest_with = |key: &SigningKey| {
        let (origin, destination) = (asker.peer.name(), asker.host.name());
        let uri = asker.target.as_str();
        HeaderForge::honest(&RequestSignature { origin, destination, method: "GET", uri, content: None }, key)
    };
    let forgeries = [
        ("stranger-key", honest_with(&unpublished)),
        ("unknown-key", asker.header().set("key", "ed25519:never")),
        ("other-origin", asker.signed_over(|request| request.origin = victim.name())),
        ("other-path", asker.signed_over(|request| request.uri = endpoints::QUERY_DIRECTORY.template)),
        ("other-query", asker.signed_over(|request| request.uri = &other_target)),
        ("other-method", asker.signed_over(|request| request.method = "PUT")),
        ("replayed", asker.signed_over(|request| request.destination = victim.name()).without("destination")),
        ("no-server-name", asker.signed_over(|request| request.origin = "no server name")),
        ("no-signature", asker.header().without("sig")),
        ("other-algorithm", asker.header().set("key", "rsa:peer")),
    ];
    scene.check("unsigned", asker.ask(&[]).await.and_then(|reply| asker.check_refused(&reply)));
    for (check, forgery) in forgeries {
        let outcome = asker.ask(&[forgery.build()]).await;
        scene.check(check, outcome.and_then(|reply| asker.check_refused(&reply)));
    }
    // The server accepts the victim's own request.
    let own = victim.ask(&asker.host, "GET", &asker.target, None).await?;
    asker.check_answered(&own)?;
    Ok(())
}

async fn other_destination(scene: &Scene) -> Result<(), Failure> {
    let asker = profile_asker(scene).await?;
    // The signature is for the host; only the header names another destination.
    let other = asker.header().set("destination", "elsewhere.example.org");
    let reply = asker.ask(&[other.build()]).await?;
    let outcome = if reply.status == 401 {
        Ok(Observations::from(reply))
    } else {
        let text = message!("fail.believed", answer = reply.in_words());
        let failure =
            asker.alice.wrong("request.other_destination", text, std::slice::from_ref(&reply.observation));
        Err(failure.showing("401", reply.in_words()))
    };
    scene.check("refused", outcome);
    Ok(())
}

/// Sends an empty transaction, which changes nothing and needs credentials.
async fn changed_body(scene: &Scene) -> Result<(), Failure> {
    let asker = profile_asker(scene).await?;
    let (host, peer) = (&asker.host, &asker.peer);
    let body = json!({"origin": peer.name(), "origin_server_ts": 1, "pdus": [], "edus": []});
    let send = async |signed: Option<&Value>, sent: String| {
        let target = paths::send(&peer.peer().transaction_id());
        let header = peer.peer().header("PUT", host.name(), &target, signed).build();
        peer.put_text(host, &target, sent, &[header]).await
    };
    let mut changed = body.clone();
    changed["origin_server_ts"] = json!(2);
    for (check, signed) in [("changed", Some(&changed)), ("unsigned-body", None)] {
        let outcome = send(signed, body.to_string()).await;
        scene.check(check, outcome.and_then(|reply| asker.check_refused(&reply)));
    }
    let name = peer.name();
    let rewritten = format!(
        "{{ \"pdus\" : [ ],\n\t\"edus\":[], \"origin_server_ts\": 1, \"\\u006frigin\": \"{name}\" }}"
    );
    let outcome = send(Some(&body), rewritten).await;
    let accepted = |reply: PeerResponse| check_acted_on(&asker.alice, &reply, reply.body["pdus"].is_object());
    scene.check("rewritten", outcome.and_then(accepted));
    Ok(())
}

async fn allowed_notations(scene: &Scene) -> Result<(), Failure> {
    let asker = profile_asker(scene).await?;
    let notations = [
        ("reversed", asker.header().reversed()),
        ("upper-case", asker.header().names(str::to_uppercase)),
        ("spaced", asker.header().separator(" ,\t ")),
        ("escaped", asker.header().quoting(Quoting::Escaped)),
        ("unknown-parameter", asker.header().set("colour", "blue")),
    ];
    for (check, notation) in notations {
        let outcome = asker.ask(&[notation.build()]).await;
        scene.check(check, outcome.and_then(|reply| asker.check_answered(&reply)));
    }
    let raw = format!("{}?user_id={}", endpoints::QUERY_PROFILE.template, asker.alice.id());
    let outcome = asker.peer.ask(&asker.host, "GET", &raw, None).await;
    scene.check("raw-path", outcome.and_then(|reply| asker.check_answered(&reply)));
    Ok(())
}

async fn older_notations(scene: &Scene) -> Result<(), Failure> {
    let asker = profile_asker(scene).await?;
    let notations = [
        ("no-destination", asker.header().without("destination")),
        ("unquoted", asker.header().quoting(Quoting::Bare)),
    ];
    for (check, notation) in notations {
        let outcome = asker.ask(&[notation.build()]).await;
        scene.check(check, outcome.and_then(|reply| asker.check_answered(&reply)));
    }
    Ok(())
}
