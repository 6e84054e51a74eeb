//! Server ACLs (client-server API, server access control lists; server-server API, the same).
//!
//! Mallory's server is in two rooms of Alice's. The closed room's ACL denies it; the open room's ACL denies another server.
//! Mallory's server sends and requests the same things in both. An ACL does not look at ports, so in a run where all
//! servers have one host name the ACL denies that name.

use samklang_actors::peer::Transaction;
use samklang_matrix::Event;

use crate::{
    peer_answers::{check_refused_with, check_success},
    peer_setup::{PeerSetup, invite_if_required, peer_joins},
    prelude::*,
    signals::edu::{receipt_edu, typing_edu},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.denied-server",
        title: "The server ignores the events and refuses the requests of a server that the room's ACL denies.",
        catalogue: &["CF-12"],
        requirements: &["SS-ACL-030"],
        checks: &[
            CheckPlan::new(
                "event",
                "The server ignores a denied server's event only in the room whose ACL denies it.",
            )
            .of(&["SS-ACL-022", "SS-ACL-023"]),
            CheckPlan::new(
                "make-join",
                "The server answers a denied server's GET /make_join with 403 M_FORBIDDEN.",
            )
            .of(&["SS-ACL-010"]),
            CheckPlan::new(
                "make-leave",
                "The server answers a denied server's GET /make_leave with 403 M_FORBIDDEN.",
            )
            .of(&["SS-ACL-011"]),
            CheckPlan::new(
                "send-join",
                "The server answers a denied server's PUT /send_join with 403 M_FORBIDDEN.",
            )
            .of(&["SS-ACL-012"]),
            CheckPlan::new("state", "The server answers a denied server's GET /state with 403 M_FORBIDDEN.")
                .of(&["SS-ACL-017"]),
            CheckPlan::new(
                "state-ids",
                "The server answers a denied server's GET /state_ids with 403 M_FORBIDDEN.",
            )
            .of(&["SS-ACL-018"]),
            CheckPlan::new(
                "backfill",
                "The server answers a denied server's GET /backfill with 403 M_FORBIDDEN.",
            )
            .of(&["SS-ACL-019"]),
            CheckPlan::new(
                "event-auth",
                "The server answers a denied server's GET /event_auth with 403 M_FORBIDDEN.",
            )
            .of(&["SS-ACL-020"]),
            CheckPlan::new(
                "missing-events",
                "The server answers a denied server's POST /get_missing_events with 403 M_FORBIDDEN.",
            )
            .of(&["SS-ACL-021"]),
        ],
        play: play!(denied_server),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.denied-signals",
        title: "The server ignores typing and receipts of a denied server only in the room whose ACL denies it.",
        catalogue: &["CF-12"],
        requirements: &["SS-ACL-026"],
        needs: &[Need::Wire, Need::Feature("typing"), Need::Feature("receipts")],
        checks: &[
            CheckPlan::new(
                "typing",
                "A user is not shown that a user of a server denied by the room's ACL is typing.",
            )
            .of(&["SS-ACL-026"]),
            CheckPlan::new(
                "receipts",
                "A user is not shown the receipt of a user of a server denied by the room's ACL.",
            )
            .of(&["SS-ACL-027"]),
        ],
        play: play!(denied_signals),
        ..Scenario::PEER
    },
];

/// The server name without its port.
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

/// The open room, with Mallory in it; the setup's room is the one that will be closed.
pub(super) async fn open_room(setup: &PeerSetup<'_>) -> Result<(Room, RoomCopy), Failure> {
    let open = setup.alice.create_room(Public).await?;
    let copy = peer_joins(&setup.alice, &setup.host, &open, &setup.mallory, "mallory").await?;
    setup.alice.sees(state(&open, "m.room.member", &copy.user)).await?;
    Ok((open, copy))
}

/// Members of the closed room whose servers are not denied.
pub(super) struct AllowedMembers {
    /// A user of Alice's server.
    carol: User,
    /// A user of a third server, where servers have host names of their own.
    trent: Option<RoomCopy>,
}

/// Carol and Trent join the room that will be closed.
pub(super) async fn allowed_members(setup: &PeerSetup<'_>) -> Result<AllowedMembers, Failure> {
    let carol = setup.host.register("carol").await?;
    carol.join(&setup.room).await?;
    setup.alice.sees(join(&setup.room, &carol)).await?;
    let share_a_name = host_name(setup.mallory.name()) == host_name(setup.host.name());
    let trent = if share_a_name { None } else { Some(setup.another_peer_joins("trent").await?) };
    Ok(AllowedMembers { carol, trent })
}

/// Sets the ACLs of both rooms.
async fn set_acls(setup: &PeerSetup<'_>, open: &Room) -> Result<AllowedMembers, Failure> {
    let members = allowed_members(setup).await?;
    deny(&setup.alice, open, "elsewhere.example.org").await?;
    deny(&setup.alice, &setup.room, host_name(setup.mallory.name())).await?;
    Ok(members)
}

/// The sentinel in the closed room: Alice sees Carol's message there, and then Trent's. Trent's comes in a transaction, as
/// the denied event did: the server may show Carol's while it still processes other servers' transactions.
pub(super) async fn sentinel_in_closed_room(
    setup: &PeerSetup<'_>,
    members: &AllowedMembers,
) -> Result<Sighting, Failure> {
    let message = members.carol.send(&setup.room, "only we are here").await?;
    let seen = setup.alice.sees(&message).await?;
    let Some(trent) = &members.trent else { return Ok(seen) };
    let message = trent.message("and so am I")?;
    trent.peer.transmit(&setup.host, &[&message]).await?;
    setup.alice.sees(&message).await
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
        joins.push(signed_join(&setup, room, &frida).await?);
    }
    let members = set_acls(&setup, &open).await?;

    let (denied, neighbour) = (setup.copy.message("denied")?, open_copy.message("neighbour")?);
    let reply = mallory.transmit(host, &[&denied, &neighbour]).await?;
    alice.sees(&neighbour).await?;
    let unseen = alice.never_saw(&denied, &sentinel_in_closed_room(&setup, &members).await?);
    scene.check("event", result_has_error(alice, &denied, &reply, unseen));

    for kind in ["make-join", "make-leave", "state", "state-ids", "backfill", "event-auth", "missing-events"]
    {
        let user = if kind == "make-leave" { &setup.copy.user } else { &eve };
        let (method, target, body) = room_request(kind, &setup.room, &last[0], user);
        let refused = mallory.ask(host, method, &target, body.as_ref()).await?;
        let (method, target, body) = room_request(kind, &open, &last[1], user);
        check_success(alice, kind, &mallory.ask(host, method, &target, body.as_ref()).await?)?;
        scene.check(kind, check_refused_with(alice, kind, &refused, (403, "M_FORBIDDEN")));
    }
    let mut replies = Vec::new();
    for (target, event) in &joins {
        replies.push(mallory.ask(host, "PUT", target, Some(event)).await?);
    }
    check_success(alice, "send_join", &replies[1])?;
    scene.check("send-join", check_refused_with(alice, "send_join", &replies[0], (403, "M_FORBIDDEN")));
    Ok(())
}

/// A signed join of `user`, and the path that it is sent to.
async fn signed_join(setup: &PeerSetup<'_>, room: &Room, user: &str) -> Result<(String, Value), Failure> {
    let (host, peer) = (&setup.host, setup.mallory.peer());
    let template = peer.template_for("join", host.name(), &room.id, user).await;
    let (version, template) = template.map_err(|obstacle| setup.mallory.failure(host, "make", obstacle))?;
    let event = peer.finished(&template, &version);
    let id = Event::read(&event, &version).map(|event| event.id().to_owned()).unwrap_or_default();
    Ok((paths::send_member("join", &room.id, &id), event))
}

/// Passes if the denied event was not shown, and its result in the transaction's answer is absent or an error.
fn result_has_error(
    alice: &User,
    denied: &Planted,
    reply: &PeerResponse,
    unseen: Result<impl Into<Observations>, Failure>,
) -> Result<Observations, Failure> {
    let unseen = unseen?;
    let result = &reply.body["pdus"][&denied.id];
    if result.is_null() || result["error"].is_string() {
        return Ok(merge_observations(unseen, reply.clone()));
    }
    let text = message!("fail.not-refused", what = denied.what);
    let failure = alice.wrong("acl.no_error", text, std::slice::from_ref(&reply.observation));
    Err(failure.showing(message!("scenario.expected.error-or-no-result"), result))
}

/// A request about the room that a server in the room may make unless the ACL denies it.
fn room_request(kind: &str, room: &Room, at: &Sent, user: &str) -> (&'static str, String, Option<Value>) {
    let (room, id) = (room.id.as_str(), at.id.as_str());
    let get = |path: String| ("GET", path, None);
    match kind {
        "make-join" => get(paths::make_join(room, user, &["10", "11", "12"])),
        "make-leave" => get(paths::make_leave(room, user)),
        "state" => get(paths::state(room, id)),
        "state-ids" => get(paths::state_ids(room, id)),
        "backfill" => get(paths::backfill(room, [id], 5)),
        "event-auth" => get(paths::event_auth(room, id)),
        _ => {
            let latest = json!({"earliest_events": [], "latest_events": [at.id], "limit": 5});
            ("POST", paths::get_missing_events(room), Some(latest))
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
    let members = set_acls(&setup, &open).await?;
    let user = setup.copy.user.as_str();
    let typing = setup.send_edu(&setup.mallory, typing_edu(&setup.room, user)).await?;
    let twin = setup.send_edu(&setup.mallory, typing_edu(&open, user)).await?;
    setup.alice.sees(twin).await?;
    scene.check("typing", setup.alice.never_saw(typing, &sentinel_in_closed_room(&setup, &members).await?));

    // Both receipts are in one EDU.
    let (closed, open) = (receipt_edu(&setup.room, user, &words[0]), receipt_edu(&open, user, &words[1]));
    let mut edu = open.edu.clone();
    for (room, receipts) in closed.edu["content"].as_object().into_iter().flatten() {
        edu["content"][room] = receipts.clone();
    }
    let transaction = Transaction { signals: &[edu], ..Transaction::default() };
    let exchange = setup.mallory.deliver(&setup.host, &transaction).await?.observation.exchange;
    let tick = scene.ledger().tick();
    setup.alice.sees(open.shown.taken_in(exchange, tick)).await?;
    let closed = closed.shown.taken_in(exchange, tick);
    scene.check("receipts", setup.alice.never_saw(closed, &sentinel_in_closed_room(&setup, &members).await?));
    Ok(())
}
