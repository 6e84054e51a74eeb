//! Queries that any server may make (server-server API, server implementation, querying keys through another server,
//! querying for information, OpenID, published room directory, retrieving events).

use std::fmt::Display;

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.questions",
        title: "The server answers requests for its version, other servers' keys, aliases and OpenID user info.",
        catalogue: &["FC-17"],
        requirements: &["SS-AUTH-034"],
        versions: Versions::Newest,
        checks: &[
            CheckPlan::new("version", "The server answers an unauthenticated request for its version.")
                .of(&["SS-AUTH-034", "SS-VERSION-001"]),
            CheckPlan::new(
                "notary",
                "The server answers a notary key query with the other server's key document, signed by both.",
            )
            .of(&["SS-KEYS-021", "SS-KEYS-022"]),
            CheckPlan::new(
                "notary-fetches",
                "The server answers a notary key query for a server with which it had no contact.",
            )
            .of(&["SS-KEYS-021"]),
            CheckPlan::new(
                "notary-for-many",
                "The server answers a batch notary key query with the key document, signed by both.",
            )
            .of(&["SS-KEYS-022", "SS-KEYS-028"]),
            CheckPlan::new(
                "alias",
                "The server answers GET /query/directory for its alias with the room ID and its own server name.",
            )
            .of(&["SS-DIR-011"]),
            CheckPlan::new(
                "unknown-alias",
                "The server answers GET /query/directory for an unknown alias with 404 M_NOT_FOUND.",
            )
            .of(&["SS-DIR-012"]),
            CheckPlan::new(
                "openid",
                "The server answers GET /openid/userinfo with the user who requested the token.",
            )
            .of(&["SS-OPENID-001", "SS-OPENID-003"]),
            CheckPlan::new(
                "unknown-openid",
                "The server answers GET /openid/userinfo with an unknown token with 401 M_UNKNOWN_TOKEN.",
            )
            .of(&["SS-OPENID-002"]),
        ],
        play: play!(questions),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.public-rooms",
        title: "The server lists only published rooms in its room directory for other servers.",
        catalogue: &["FC-17"],
        requirements: &["SS-DIR-001"],
        needs: &[Need::Wire, Need::Feature("public-rooms")],
        versions: Versions::Newest,
        checks: &[
            CheckPlan::new("published", "The server's room directory lists a published room to another server.").of(&["SS-DIR-001"]),
            CheckPlan::new("unpublished", "The server's room directory does not list an unpublished room to another server.")
                .of(&["SS-DIR-005"]),
            CheckPlan::new(
                "found",
                "The server returns the room whose name contains the search term to a room directory search.",
            )
            .of(&["SS-DIR-009"]),
            CheckPlan::new(
                "not-found",
                "The server does not return a room whose name lacks the search term to a room directory search.",
            )
            .of(&["SS-DIR-009"]),
        ],
        play: play!(public_rooms),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.event-by-time",
        title: "The server answers timestamp_to_event of a server in the room with the event closest to the timestamp.",
        catalogue: &["FC-17"],
        requirements: &["SS-TIMESTAMP-001"],
        needs: &[Need::Wire, Need::Feature("timestamp-to-event")],
        versions: Versions::Newest,
        checks: &[
            CheckPlan::new(
                "at",
                "The server answers timestamp_to_event for an event's own timestamp with that event's ID.",
            )
            .of(&["SS-TIMESTAMP-001"]),
            CheckPlan::new(
                "none-after",
                "The server answers timestamp_to_event for a time later than the last event with 404 M_NOT_FOUND.",
            )
            .of(&["SS-TIMESTAMP-002"]),
        ],
        play: play!(event_by_time),
        ..Scenario::PEER
    },
];

/// An hour, in milliseconds.
const HOUR_MS: u64 = 60 * 60 * 1000;

/// Mallory's server, which makes queries to Alice's server.
struct QueryingPeer {
    host: Host,
    alice: User,
    mallory: ScriptedPeer,
}

impl QueryingPeer {
    async fn at(scene: &Scene) -> Result<Self, Failure> {
        let [host] = scene.servers()?;
        let alice = host.register("alice").await?;
        let mallory = scene.peer("mallory").await?;
        Ok(Self { host, alice, mallory })
    }

    async fn get(&self, target: &str) -> Result<PeerResponse, Failure> {
        self.mallory.ask(&self.host, "GET", target, None).await
    }

    async fn post(&self, target: &str, body: &Value) -> Result<PeerResponse, Failure> {
        self.mallory.ask(&self.host, "POST", target, Some(body)).await
    }

    /// Passes if the response is `right`; `wanted` says in words what it should be.
    fn check(
        &self,
        reply: &PeerResponse,
        reason: &str,
        wanted: impl Display,
        right: bool,
    ) -> Result<Observations, Failure> {
        if right {
            return Ok(reply.observation.clone().into());
        }
        let text = message!("fail.answered-otherwise", what = reply.in_words());
        let failure = self.alice.wrong(reason, text, std::slice::from_ref(&reply.observation));
        Err(failure.showing(wanted, &reply.body))
    }

    /// Passes if the query is refused with this status and errcode.
    fn check_refused(
        &self,
        reply: &PeerResponse,
        reason: &str,
        status: u16,
        errcode: &str,
    ) -> Result<Observations, Failure> {
        let right = reply.status == status && reply.body["errcode"] == errcode;
        self.check(reply, reason, format!("{status} {errcode}"), right)
    }
}

async fn questions(scene: &Scene) -> Result<(), Failure> {
    let querier = QueryingPeer::at(scene).await?;
    let QueryingPeer { host, alice, mallory } = &querier;
    let target = endpoints::VERSION.template;
    let reply = mallory.ask_with(host, "GET", target, None, &[]).await?;
    let server = &reply.body["server"];
    let is_text = |key: &str| server[key].is_string() || server.get(key).is_none();
    let right = reply.status == 200 && server.is_object() && is_text("name") && is_text("version");
    scene.check(
        "version",
        querier.check(&reply, "version.not_told", message!("scenario.expected.server-object"), right),
    );

    let room = alice.create_room(Public).await?;
    let alias = |name: &str| format!("#{name}-{}:{}", localpart(alice), host.name());
    let path = client::alias(&alias("lage"));
    alice.asks("PUT", &path, &json!({ "room_id": room.id })).await?;
    let target = |name: &str| paths::query_directory(&alias(name));
    let reply = querier.get(&target("lage")).await?;
    let servers = reply.body["servers"].as_array();
    let right = reply.body["room_id"] == *room.id
        && servers.is_some_and(|servers| servers.iter().any(|server| *server == *host.name()));
    scene.check("alias", querier.check(&reply, "directory.other_room", &room.id, right));
    let reply = querier.get(&target("ingenstans")).await?;
    scene
        .check("unknown-alias", querier.check_refused(&reply, "directory.unknown_found", 404, "M_NOT_FOUND"));

    // The server has fetched the keys of Mallory's server to verify its requests. It has had no contact with Olof's.
    let olof = scene.peer("olof").await?;
    for (check, peer) in [("notary", mallory), ("notary-fetches", &olof)] {
        let reply = querier.get(&paths::key_query(peer.name())).await?;
        scene.check(check, querier.check_notarised(&reply, peer));
    }
    let wanted = json!({"server_keys": {mallory.name(): {}}});
    let reply = querier.post(endpoints::KEY_QUERIES.template, &wanted).await?;
    scene.check("notary-for-many", querier.check_notarised(&reply, mallory));

    let path = client::openid_token(alice.id());
    let token = alice.asks("POST", &path, &json!({})).await?;
    let token = token.value["access_token"].as_str().unwrap_or_default().to_owned();
    let reply = querier.get(&paths::openid(&token)).await?;
    scene.check(
        "openid",
        querier.check(&reply, "openid.other_user", alice.id(), reply.body["sub"] == *alice.id()),
    );
    let reply = querier.get(&paths::openid("nobody-was-given-this")).await?;
    scene.check(
        "unknown-openid",
        querier.check_refused(&reply, "openid.unknown_believed", 401, "M_UNKNOWN_TOKEN"),
    );
    Ok(())
}

impl QueryingPeer {
    /// Passes if the response holds the peer's key document, signed by the peer and by the server.
    fn check_notarised(&self, reply: &PeerResponse, peer: &ScriptedPeer) -> Result<Observations, Failure> {
        let signed_by_both = |document: &Value| {
            let by_notary = document["signatures"][self.host.name()].as_object();
            by_notary.is_some_and(|keys| !keys.is_empty())
                && samklang_matrix::KeyDocument::verify(document, peer.name()).is_ok()
        };
        let right = reply.body["server_keys"].as_array().is_some_and(|all| all.iter().any(signed_by_both));
        self.check(reply, "keys.not_notarised", message!("scenario.expected.key-document"), right)
    }
}

/// Alice has two rooms. First one of them is published; then both are, and a search finds one by its name.
async fn public_rooms(scene: &Scene) -> Result<(), Failure> {
    let querier = QueryingPeer::at(scene).await?;
    let alice = &querier.alice;
    let word = localpart(alice).to_owned();
    let open = alice.create_room(Public.named(&format!("Öppet {word}"))).await?;
    let other = alice.create_room(Public.named("Annat")).await?;
    let publish = async |room: &Room| {
        let path = client::visibility(&room.id);
        alice.asks("PUT", &path, &json!({"visibility": "public"})).await
    };
    let lists = |reply: &PeerResponse, room: &Room| {
        let rooms = reply.body["chunk"].as_array().into_iter().flatten();
        rooms.into_iter().any(|entry| entry["room_id"] == *room.id)
    };
    publish(&open).await?;
    let reply = querier.get(endpoints::PUBLIC_ROOMS.template).await?;
    scene.check("published", querier.check(&reply, "directory.not_listed", &open.id, lists(&reply, &open)));
    let right = lists(&reply, &open) && !lists(&reply, &other);
    scene.check(
        "unpublished",
        querier.check(
            &reply,
            "directory.unpublished_listed",
            message!("scenario.expected.only-the-match", room = other.id),
            right,
        ),
    );
    publish(&other).await?;
    let filter = json!({"limit": 100, "filter": {"generic_search_term": word}});
    let reply = querier.post(endpoints::PUBLIC_ROOMS_SEARCH.template, &filter).await?;
    scene.check("found", querier.check(&reply, "directory.not_found", &open.id, lists(&reply, &open)));
    let right = lists(&reply, &open) && !lists(&reply, &other);
    scene.check(
        "not-found",
        querier.check(
            &reply,
            "directory.filter_ignored",
            message!("scenario.expected.only-the-match", room = other.id),
            right,
        ),
    );
    Ok(())
}

async fn event_by_time(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let sent = setup.alice.send(&setup.room, "at this time").await?;
    let event = scene.event_on_wire(&sent).await?;
    let time = event.value["origin_server_ts"].as_u64().unwrap_or_default();
    let PeerSetup { host, alice, mallory, room, .. } = setup;
    let querier = QueryingPeer { host, alice, mallory };
    let target = |time: u64| paths::timestamp_to_event(&room.id, time, "f");
    let reply = querier.get(&target(time)).await?;
    scene
        .check("at", querier.check(&reply, "time.other_event", &sent.id, reply.body["event_id"] == *sent.id));
    let reply = querier.get(&target(time + HOUR_MS)).await?;
    scene.check("none-after", querier.check_refused(&reply, "time.event_found", 404, "M_NOT_FOUND"));
    Ok(())
}
