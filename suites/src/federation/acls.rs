//! Server ACLs (client-server API, server access control lists; server-server API, the same).
//!
//! Two rooms of Alice's, and Mallory's server in both: the ACL of one denies it, that of the other denies somebody else.
//! Whatever it does in the one it does in the other as well. Ports do not count, so in a run where all servers have one
//! host name the ACL denies that name.

use samklang_matrix::Event;
use samklang_reference::send_target;
use samklang_runner::peer::Transaction;

use crate::{
    peer_answers::{check_refused_with, check_success},
    peer_setup::{PeerSetup, invite_if_required, peer_joins},
    prelude::*,
    signals::edu::{read, types},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.denied-server",
        title: "A server that a room's ACL denies gets nothing into the room and nothing out of it.",
        catalogue: &["CF-12"],
        requirements: &["SS-ACL-030"],
        checks: &[
            CheckPlan::new(
                "event",
                "An event that it sends is ignored; one for another room beside it is not.",
            )
            .of(&["SS-ACL-022", "SS-ACL-023"]),
            CheckPlan::new("make-join", "It gets no template for a join.").of(&["SS-ACL-010"]),
            CheckPlan::new("make-leave", "It gets no template for a leave.").of(&["SS-ACL-011"]),
            CheckPlan::new("send-join", "It cannot bring a join, though it got the template before.")
                .of(&["SS-ACL-012"]),
            CheckPlan::new("state", "It is not given the state.").of(&["SS-ACL-017"]),
            CheckPlan::new("state-ids", "It is not given the ids of the state.").of(&["SS-ACL-018"]),
            CheckPlan::new("backfill", "It is not given the history.").of(&["SS-ACL-019"]),
            CheckPlan::new("event-auth", "It is not given an auth chain.").of(&["SS-ACL-020"]),
            CheckPlan::new("missing-events", "It is not given missing events.").of(&["SS-ACL-021"]),
        ],
        play: play!(denied_server),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.denied-signals",
        title: "Typing and receipts of a server that a room's ACL denies are ignored there, and taken elsewhere.",
        catalogue: &["CF-12"],
        requirements: &["SS-ACL-026"],
        needs: &[Need::Wire, Need::Feature("typing"), Need::Feature("receipts")],
        checks: &[
            CheckPlan::new("typing", "Typing is ignored.").of(&["SS-ACL-026"]),
            CheckPlan::new("receipts", "Receipts are ignored.").of(&["SS-ACL-027"]),
        ],
        play: play!(denied_signals),
        ..Scenario::PEER
    },
];

/// A server name without its port.
pub(super) fn host_name(server: &str) -> &str {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    server.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(server, |(host, _)| host)
}

pub(super) async fn set_acl(alice: &User, room: &Room, allow: Value, deny: Value) -> Result<Sent, Failure> {
    let acl = json!({"allow": allow, "deny": deny, "allow_ip_literals": true});
    alice.set_state(room, "m.room.server_acl", "", acl).await
}

async fn deny(alice: &User, room: &Room, name: &str) -> Result<Sent, Failure> {
    set_acl(alice, room, json!(["*"]), json!([name])).await
}

/// A room that stays open, with Mallory in it; the visit is to the one that will be closed.
pub(super) async fn open_room(setup: &PeerSetup<'_>) -> Result<(Room, RoomCopy), Failure> {
    let open = setup.alice.create_room(Public).await?;
    let copy = peer_joins(&setup.alice, &setup.host, &open, &setup.mallory, "mallory").await?;
    setup.alice.sees(state(&open, "m.room.member", &copy.user)).await?;
    Ok((open, copy))
}

/// Who is in the closed room and not denied.
pub(super) struct Bystanders {
    /// Of Alice's server.
    carol: User,
    /// Of a server of his own, where servers have host names of their own.
    trent: Option<RoomCopy>,
}

/// Carol and Trent come into the room that will be closed.
pub(super) async fn bystanders(setup: &PeerSetup<'_>) -> Result<Bystanders, Failure> {
    let carol = setup.host.register("carol").await?;
    carol.join(&setup.room).await?;
    setup.alice.sees(join(&setup.room, &carol)).await?;
    let share_a_name = host_name(setup.mallory.name()) == host_name(setup.host.name());
    let trent = if share_a_name { None } else { Some(setup.another_peer_joins("trent").await?) };
    Ok(Bystanders { carol, trent })
}

/// Sets both ACLs.
async fn close(setup: &PeerSetup<'_>, open: &Room) -> Result<Bystanders, Failure> {
    let bystanders = bystanders(setup).await?;
    deny(&setup.alice, open, "elsewhere.example.org").await?;
    deny(&setup.alice, &setup.room, host_name(setup.mallory.name())).await?;
    Ok(bystanders)
}

/// What Alice is shown of the closed room, once she has seen in the open one what came with or after the lie. Trent's word
/// comes the way that the lie came: a server may still be busy with what others sent it when it shows Carol's.
pub(super) async fn later(setup: &PeerSetup<'_>, bystanders: &Bystanders) -> Result<Sighting, Failure> {
    let said = bystanders.carol.send(&setup.room, "only we are here").await?;
    let seen = setup.alice.sees(&said).await?;
    let Some(trent) = &bystanders.trent else { return Ok(seen) };
    let said = trent.message("and so am I")?;
    trent.peer.transmit(&setup.host, &[&said]).await?;
    setup.alice.sees(&said).await
}

async fn denied_server(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let (alice, host, mallory) = (&setup.alice, &setup.host, &setup.mallory);
    let (open, open_copy) = open_room(&setup).await?;
    let last = [alice.send(&setup.room, "last words").await?, alice.send(&open, "first words").await?];
    let [eve, frida] = ["eve", "frida"].map(|name| mallory.user(name));
    let mut joins = Vec::new();
    for room in [&setup.room, &open] {
        for user in [&eve, &frida] {
            invite_if_required(alice, host, room, user).await?;
        }
        joins.push(join_of(&setup, room, &frida).await?);
    }
    let bystanders = close(&setup, &open).await?;

    let (denied, neighbour) = (setup.copy.message("denied")?, open_copy.message("neighbour")?);
    let reply = mallory.transmit(host, &[&denied, &neighbour]).await?;
    alice.sees(&neighbour).await?;
    let unseen = alice.never_saw(&denied, &later(&setup, &bystanders).await?);
    scene.check("event", ignored(alice, &denied, &reply, unseen));

    for way in ["make-join", "make-leave", "state", "state-ids", "backfill", "event-auth", "missing-events"] {
        let user = if way == "make-leave" { &setup.copy.user } else { &eve };
        let (method, target, body) = question(way, &setup.room, &last[0], user);
        let refused = mallory.ask(host, method, &target, body.as_ref()).await?;
        let (method, target, body) = question(way, &open, &last[1], user);
        check_success(alice, way, &mallory.ask(host, method, &target, body.as_ref()).await?)?;
        scene.check(way, check_refused_with(alice, way, &refused, (403, "M_FORBIDDEN")));
    }
    let mut replies = Vec::new();
    for (target, event) in &joins {
        replies.push(mallory.ask(host, "PUT", target, Some(event)).await?);
    }
    check_success(alice, "send_join", &replies[1])?;
    scene.check("send-join", check_refused_with(alice, "send_join", &replies[0], (403, "M_FORBIDDEN")));
    Ok(())
}

/// A finished join of `user`, and where it goes.
async fn join_of(setup: &PeerSetup<'_>, room: &Room, user: &str) -> Result<(String, Value), Failure> {
    let (host, peer) = (&setup.host, setup.mallory.peer());
    let template = peer.template_for("join", host.name(), &room.id, user).await;
    let (version, template) = template.map_err(|obstacle| setup.mallory.failure(host, "make", obstacle))?;
    let event = peer.finished(&template, &version);
    let id = Event::read(&event, &version).map(|event| event.id().to_owned()).unwrap_or_default();
    Ok((send_target("join", &room.id, &id), event))
}

/// The result of an ignored event holds an error, where there is one.
fn ignored(
    alice: &User,
    denied: &Planted,
    reply: &Reply,
    unseen: Result<impl Into<Observations>, Failure>,
) -> Result<Observations, Failure> {
    let unseen = unseen?;
    let result = &reply.body["pdus"][&denied.id];
    if result.is_null() || result["error"].is_string() {
        return Ok(merge_observations(unseen, reply.clone()));
    }
    let text = message!("fail.not-refused", what = denied.what);
    let failure = alice.wrong("acl.no_error", text, std::slice::from_ref(&reply.observation));
    Err(failure.showing("an error, or no result", result))
}

/// What a server in the room may ask that the ACL closes to it.
fn question(way: &str, room: &Room, at: &Sent, user: &str) -> (&'static str, String, Option<Value>) {
    let (room, id, user) = (segment(&room.id), segment(&at.id), segment(user));
    let get = |rest: String| ("GET", format!("/_matrix/federation/v1/{rest}"), None);
    match way {
        "make-join" => get(format!("make_join/{room}/{user}?ver=10&ver=11&ver=12")),
        "make-leave" => get(format!("make_leave/{room}/{user}")),
        "state" => get(format!("state/{room}?event_id={id}")),
        "state-ids" => get(format!("state_ids/{room}?event_id={id}")),
        "backfill" => get(format!("backfill/{room}?v={id}&limit=5")),
        "event-auth" => get(format!("event_auth/{room}/{id}")),
        _ => {
            let latest = json!({"earliest_events": [], "latest_events": [at.id], "limit": 5});
            ("POST", format!("/_matrix/federation/v1/get_missing_events/{room}"), Some(latest))
        }
    }
}

async fn denied_signals(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let (open, _) = open_room(&setup).await?;
    let words =
        [setup.alice.send(&setup.room, "to be read").await?, setup.alice.send(&open, "as well").await?];
    for sent in &words {
        scene.event_on_wire(sent).await?;
    }
    let bystanders = close(&setup, &open).await?;
    let user = setup.copy.user.as_str();
    let typing = setup.tell(&setup.mallory, types(&setup.room, user)).await?;
    let twin = setup.tell(&setup.mallory, types(&open, user)).await?;
    setup.alice.sees(twin).await?;
    scene.check("typing", setup.alice.never_saw(typing, &later(&setup, &bystanders).await?));

    // Both receipts come in one signal.
    let (closed, open) = (read(&setup.room, user, &words[0]), read(&open, user, &words[1]));
    let mut edu = open.edu.clone();
    for (room, receipts) in closed.edu["content"].as_object().into_iter().flatten() {
        edu["content"][room] = receipts.clone();
    }
    let transaction = Transaction { signals: &[edu], ..Transaction::default() };
    let exchange = setup.mallory.deliver(&setup.host, &transaction).await?.observation.exchange;
    let tick = scene.ledger().tick();
    setup.alice.sees(open.shown.taken_in(exchange, tick)).await?;
    let closed = closed.shown.taken_in(exchange, tick);
    scene.check("receipts", setup.alice.never_saw(closed, &later(&setup, &bystanders).await?));
    Ok(())
}
