//! Questions that every server may ask (server-server API, server implementation, querying keys through another server,
//! querying for information, OpenID, published room directory, retrieving events).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.questions",
        title: "Whoever asks is told a server's version, the keys of others, where an alias leads and whose a token is.",
        catalogue: &["FC-17"],
        requirements: &["SS-AUTH-034"],
        versions: Versions::Newest,
        checks: &[
            CheckPlan::new("version", "The version is told to who asks without credentials.")
                .of(&["SS-AUTH-034", "SS-VERSION-001"]),
            CheckPlan::new(
                "notary",
                "The keys of another server are given as it signed them, and signed once more.",
            )
            .of(&["SS-KEYS-021", "SS-KEYS-022"]),
            CheckPlan::new(
                "notary-fetches",
                "The keys of a server that nobody has asked before are fetched.",
            )
            .of(&["SS-KEYS-021"]),
            CheckPlan::new("notary-for-many", "So they are to who asks for those of many servers.")
                .of(&["SS-KEYS-022", "SS-KEYS-028"]),
            CheckPlan::new("alias", "An alias leads to its room and to servers that are in it.")
                .of(&["SS-DIR-011"]),
            CheckPlan::new("unknown-alias", "An alias that leads nowhere is not found.").of(&["SS-DIR-012"]),
            CheckPlan::new("openid", "An OpenID token names the user who asked for it.")
                .of(&["SS-OPENID-001", "SS-OPENID-003"]),
            CheckPlan::new("unknown-openid", "A token that nobody was given names nobody.")
                .of(&["SS-OPENID-002"]),
        ],
        play: play!(questions),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.public-rooms",
        title: "The rooms that a server publishes are listed to other servers, and no others.",
        catalogue: &["FC-17"],
        requirements: &["SS-DIR-001"],
        needs: &[Need::Wire, Need::Feature("public-rooms")],
        versions: Versions::Newest,
        checks: &[
            CheckPlan::new("published", "A room that was published is listed.").of(&["SS-DIR-001"]),
            CheckPlan::new("unpublished", "A room that was not published is not listed.").of(&["SS-DIR-005"]),
            CheckPlan::new("found", "A search finds the room whose name holds the word.").of(&["SS-DIR-009"]),
            CheckPlan::new("not-found", "A search does not find rooms that have not the word.")
                .of(&["SS-DIR-009"]),
        ],
        play: play!(public_rooms),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.event-by-time",
        title: "A server in the room is told which event is closest to a time.",
        catalogue: &["FC-17"],
        requirements: &["SS-TIMESTAMP-001"],
        needs: &[Need::Wire, Need::Feature("timestamp-to-event")],
        versions: Versions::Newest,
        checks: &[
            CheckPlan::new("at", "Asked for an event's own time, its id is told.").of(&["SS-TIMESTAMP-001"]),
            CheckPlan::new("none-after", "Where no event is later, none is found.").of(&["SS-TIMESTAMP-002"]),
        ],
        play: play!(event_by_time),
        ..Scenario::PEER
    },
];

/// An hour, in milliseconds.
const HOUR_MS: u64 = 60 * 60 * 1000;

/// Mallory, who asks Alice's server.
struct Asking {
    host: Host,
    alice: User,
    mallory: ScriptedPeer,
}

impl Asking {
    async fn at(scene: &Scene) -> Result<Self, Failure> {
        let [host] = scene.servers()?;
        let alice = host.register("alice").await?;
        let mallory = scene.peer("mallory").await?;
        Ok(Self { host, alice, mallory })
    }

    async fn get(&self, target: &str) -> Result<Reply, Failure> {
        self.mallory.ask(&self.host, "GET", &format!("/_matrix{target}"), None).await
    }

    async fn post(&self, target: &str, body: &Value) -> Result<Reply, Failure> {
        self.mallory.ask(&self.host, "POST", &format!("/_matrix{target}"), Some(body)).await
    }

    /// Green where the answer is `right`; `wanted` says in words what it should be.
    fn judged(
        &self,
        reply: &Reply,
        reason: &str,
        wanted: &str,
        right: bool,
    ) -> Result<Observations, Failure> {
        if right {
            return Ok(reply.observation.clone().into());
        }
        let text = message!("fail.answered-otherwise", what = reply.in_words());
        let failure = self.alice.wrong(reason, text, std::slice::from_ref(&reply.observation));
        Err(failure.showing(wanted, &reply.body))
    }

    /// Green where the question is refused with this status and errcode.
    fn refused(
        &self,
        reply: &Reply,
        reason: &str,
        status: u16,
        errcode: &str,
    ) -> Result<Observations, Failure> {
        let right = reply.status == status && reply.body["errcode"] == errcode;
        self.judged(reply, reason, &format!("{status} {errcode}"), right)
    }
}

async fn questions(scene: &Scene) -> Result<(), Failure> {
    let asking = Asking::at(scene).await?;
    let Asking { host, alice, mallory } = &asking;
    let target = "/_matrix/federation/v1/version";
    let reply = mallory.ask_with(host, "GET", target, None, &[]).await?;
    let server = &reply.body["server"];
    let is_text = |key: &str| server[key].is_string() || server.get(key).is_none();
    let right = reply.status == 200 && server.is_object() && is_text("name") && is_text("version");
    scene.check("version", asking.judged(&reply, "version.not_told", "a server object", right));

    let room = alice.create_room(Public).await?;
    let alias = |name: &str| format!("#{name}-{}:{}", localpart(alice), host.name());
    let path = format!("/v3/directory/room/{}", segment(&alias("lage")));
    alice.asks("PUT", &path, &json!({ "room_id": room.id })).await?;
    let target = |name: &str| format!("/federation/v1/query/directory?room_alias={}", segment(&alias(name)));
    let reply = asking.get(&target("lage")).await?;
    let servers = reply.body["servers"].as_array();
    let right = reply.body["room_id"] == *room.id
        && servers.is_some_and(|servers| servers.iter().any(|server| *server == *host.name()));
    scene.check("alias", asking.judged(&reply, "directory.other_room", &room.id, right));
    let reply = asking.get(&target("ingenstans")).await?;
    scene.check("unknown-alias", asking.refused(&reply, "directory.unknown_found", 404, "M_NOT_FOUND"));

    // By now the server has fetched Mallory's keys, to believe him; Olof it has never heard of.
    let olof = scene.peer("olof").await?;
    for (check, peer) in [("notary", mallory), ("notary-fetches", &olof)] {
        let reply = asking.get(&format!("/key/v2/query/{}", segment(peer.name()))).await?;
        scene.check(check, asking.notarised(&reply, peer));
    }
    let wanted = json!({"server_keys": {mallory.name(): {}}});
    let reply = asking.post("/key/v2/query", &wanted).await?;
    scene.check("notary-for-many", asking.notarised(&reply, mallory));

    let path = format!("/v3/user/{}/openid/request_token", segment(alice.id()));
    let token = alice.asks("POST", &path, &json!({})).await?;
    let token = token.value["access_token"].as_str().unwrap_or_default().to_owned();
    let target = |token: &str| format!("/federation/v1/openid/userinfo?access_token={}", segment(token));
    let reply = asking.get(&target(&token)).await?;
    scene.check(
        "openid",
        asking.judged(&reply, "openid.other_user", alice.id(), reply.body["sub"] == *alice.id()),
    );
    let reply = asking.get(&target("nobody-was-given-this")).await?;
    scene.check("unknown-openid", asking.refused(&reply, "openid.unknown_believed", 401, "M_UNKNOWN_TOKEN"));
    Ok(())
}

impl Asking {
    /// Green where an answer holds the peer's key document with the signatures of both servers.
    fn notarised(&self, reply: &Reply, peer: &ScriptedPeer) -> Result<Observations, Failure> {
        let vouched_for = |document: &Value| {
            let by_notary = document["signatures"][self.host.name()].as_object();
            by_notary.is_some_and(|keys| !keys.is_empty())
                && samklang_matrix::KeyDocument::verify(document, peer.name()).is_ok()
        };
        let right = reply.body["server_keys"].as_array().is_some_and(|all| all.iter().any(vouched_for));
        self.judged(reply, "keys.not_notarised", "the peer's keys, signed by both", right)
    }
}

/// Two rooms of Alice's of which one is published; then both are, and their names tell them apart.
async fn public_rooms(scene: &Scene) -> Result<(), Failure> {
    let asking = Asking::at(scene).await?;
    let alice = &asking.alice;
    let word = localpart(alice).to_owned();
    let open = alice.create_room(Public.named(&format!("Öppet {word}"))).await?;
    let other = alice.create_room(Public.named("Annat")).await?;
    let publish = async |room: &Room| {
        let path = format!("/v3/directory/list/room/{}", segment(&room.id));
        alice.asks("PUT", &path, &json!({"visibility": "public"})).await
    };
    let lists = |reply: &Reply, room: &Room| {
        let rooms = reply.body["chunk"].as_array().into_iter().flatten();
        rooms.into_iter().any(|entry| entry["room_id"] == *room.id)
    };
    publish(&open).await?;
    let reply = asking.get("/federation/v1/publicRooms").await?;
    scene.check("published", asking.judged(&reply, "directory.not_listed", &open.id, lists(&reply, &open)));
    let right = lists(&reply, &open) && !lists(&reply, &other);
    scene.check("unpublished", asking.judged(&reply, "directory.unpublished_listed", "without it", right));
    publish(&other).await?;
    let filter = json!({"limit": 100, "filter": {"generic_search_term": word}});
    let reply = asking.post("/federation/v1/publicRooms", &filter).await?;
    scene.check("found", asking.judged(&reply, "directory.not_found", &open.id, lists(&reply, &open)));
    let right = lists(&reply, &open) && !lists(&reply, &other);
    scene.check("not-found", asking.judged(&reply, "directory.filter_ignored", "without it", right));
    Ok(())
}

async fn event_by_time(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let sent = setup.alice.send(&setup.room, "at this time").await?;
    let event = scene.event_on_wire(&sent).await?;
    let time = event.value["origin_server_ts"].as_u64().unwrap_or_default();
    let PeerSetup { host, alice, mallory, room, .. } = setup;
    let asking = Asking { host, alice, mallory };
    let target = |time: u64, dir: &str| {
        format!("/federation/v1/timestamp_to_event/{}?ts={time}&dir={dir}", segment(&room.id))
    };
    let reply = asking.get(&target(time, "f")).await?;
    scene
        .check("at", asking.judged(&reply, "time.other_event", &sent.id, reply.body["event_id"] == *sent.id));
    let reply = asking.get(&target(time + HOUR_MS, "f")).await?;
    scene.check("none-after", asking.refused(&reply, "time.event_found", 404, "M_NOT_FOUND"));
    Ok(())
}
