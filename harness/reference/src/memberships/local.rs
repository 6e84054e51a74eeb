//! Joins, knocks, leaves and invites of this server's users.

use samklang_matrix::{Event, EventOutcome, ReceivedPdu, endpoints::paths, server_of, verify_event};
use serde_json::{Value, json};

use super::{
    leaves::record_leave,
    remote::{HandshakeError, change_membership, success},
    restricted::authoriser_for,
};
use crate::{
    events::{
        history::other_servers,
        receive::receive_event,
        send::{NewEvent, draft, internal_error, merge, relay, send_as_any_user, send_event},
    },
    fault::Fault,
    homeserver::Homeserver,
    requests,
    response::{ErrorResponse, error_response, refuse},
};

/// The error for a client when another server stood in the way.
fn for_client(error: HandshakeError) -> ErrorResponse {
    match error {
        HandshakeError::NoResponse(error) => {
            error_response(502, "M_UNKNOWN", format!("the other server did not respond: {error}"))
        }
        HandshakeError::Refused(response) => {
            let body = response.json();
            let text = |key: &str, or: &str| body[key].as_str().unwrap_or(or).to_owned();
            let status = if response.status >= 500 { 502 } else { response.status };
            error_response(status, &text("errcode", "M_UNKNOWN"), text("error", "the other server refused"))
        }
        HandshakeError::Malformed { what, .. } => {
            error_response(502, "M_UNKNOWN", format!("the other server's response is invalid: {what}"))
        }
    }
}

fn member_content(membership: &str, more: &Value) -> Value {
    let mut content = json!({ "membership": membership });
    merge(&mut content, more);
    content
}

/// Has a user join a room, here or by way of one of `via`.
///
/// # Errors
/// When the rules forbid it, or no resident server accepts the join.
pub(crate) async fn join(
    home: &Homeserver,
    room: &str,
    user: &str,
    via: &[String],
    more: &Value,
) -> Result<(), ErrorResponse> {
    // An invite may have been received before the room's other servers have sent it on.
    if is_in(home, room) && !is_invite_missing_in_copy(home, room, user) {
        let authorised = {
            let store = home.store();
            store.rooms.get(room).map(|held| authoriser_for(home, &store.rooms, held, user))
        };
        match authorised {
            Some(Ok(authoriser)) => {
                let mut content = member_content("join", more);
                if let Some(authoriser) = authoriser {
                    content["join_authorised_via_users_server"] = json!(authoriser);
                }
                return send_as_any_user(home, room, user, &NewEvent::member(user, content)).map(drop);
            }
            // Another server may be able to authorise the join.
            Some(Err(error)) if error.status == 400 && !other_servers(home, room).is_empty() => {}
            Some(Err(error)) => return Err(error),
            None => {}
        }
    }
    change_remotely(home, "join", room, user, via, more).await
}

/// Has a user knock on a room, here or by way of one of `via`.
///
/// # Errors
/// As for a join.
pub(crate) async fn knock(
    home: &Homeserver,
    room: &str,
    user: &str,
    via: &[String],
    more: &Value,
) -> Result<(), ErrorResponse> {
    if is_in(home, room) {
        let event = NewEvent::member(user, member_content("knock", more));
        return send_as_any_user(home, room, user, &event).map(drop);
    }
    change_remotely(home, "knock", room, user, via, more).await
}

/// Tries the servers by way of which a user may join or knock in turn; returns the last one's error.
async fn change_remotely(
    home: &Homeserver,
    membership: &str,
    room: &str,
    user: &str,
    via: &[String],
    more: &Value,
) -> Result<(), ErrorResponse> {
    let mut last = error_response(404, "M_NOT_FOUND", "no server of the room is known");
    for server in servers_to_try(home, room, user, via) {
        match change_membership(home, membership, &server, room, user, more).await {
            Ok(_) => return Ok(()),
            Err(error) => last = for_client(error),
        }
    }
    Err(last)
}

/// Has a user leave a room, reject its invite or withdraw a knock.
///
/// # Errors
/// When the user has nothing to leave.
pub(crate) async fn leave(
    home: &Homeserver,
    room: &str,
    user: &str,
    more: &Value,
) -> Result<(), ErrorResponse> {
    if is_in(home, room) {
        let event = NewEvent::member(user, member_content("leave", more));
        return send_as_any_user(home, room, user, &event).map(drop);
    }
    let key = (room.to_owned(), user.to_owned());
    let (event, via) = {
        let store = home.store();
        let invite = store.rooms.invites.get(&key).map(|invite| {
            (invite.event.clone(), invite.event["sender"].as_str().and_then(server_of).map(str::to_owned))
        });
        let knock =
            || store.rooms.knocks.get(&key).map(|knock| (knock.event.clone(), Some(knock.via.clone())));
        let left = || error_response(403, "M_FORBIDDEN", format!("{user} has nothing to leave there"));
        invite.or_else(knock).ok_or_else(left)?
    };
    let is_accepted = match via.filter(|_| sends_leaves(home)) {
        Some(server) => change_membership(home, "leave", &server, room, user, more).await.is_ok(),
        None => false,
    };
    // The user has left, whatever the other server says.
    if !is_accepted {
        let mut event = event;
        event["content"] = json!({ "membership": "leave" });
        event["sender"] = json!(user);
        record_leave(home, room, user, &event);
    }
    Ok(())
}

fn sends_leaves(home: &Homeserver) -> bool {
    !home.has(Fault::LeaveNotSent)
}

/// Invites a user to a room of which `sender` is a member.
///
/// # Errors
/// When the rules forbid it, or the invited user's server does not sign the invite.
pub(crate) async fn invite(
    home: &Homeserver,
    room: &str,
    sender: &str,
    user: &str,
    more: &Value,
) -> Result<(), ErrorResponse> {
    let new = NewEvent::member(user, member_content("invite", more));
    let Some(server) = server_of(user).filter(|server| *server != home.name()) else {
        return send_event(home, room, sender, &new).map(drop);
    };
    let (event, pdu, body) = {
        let store = home.store();
        let held = store.rooms.get(room).filter(|held| held.membership(sender) == "join");
        let held =
            held.ok_or_else(|| error_response(403, "M_FORBIDDEN", format!("{sender} is not in the room")))?;
        let (event, pdu) = draft(home, held, sender, &new, false)?;
        let body = json!({
            "room_version": held.room.version().id(), "event": pdu,
            "invite_room_state": held.invite_state(Some(sender)),
        });
        (event, pdu, body)
    };
    if !sends_invites(home) {
        receive_event(home, room, &pdu, home.name()).await.map_err(|error| internal_error(&error))?;
        return Ok(());
    }
    let target = paths::invite(room, event.id());
    let response = requests::request(home, "PUT", server, &target, Some(&body)).await;
    let response = response.map_err(HandshakeError::from).and_then(success).map_err(for_client)?;
    let signed = signed_invite(home, &event, &pdu, &response.json()["event"]);
    let receipt =
        receive_event(home, room, &signed, home.name()).await.map_err(|error| internal_error(&error))?;
    if !matches!(receipt, ReceivedPdu::Held { outcome: EventOutcome::Accepted, .. }) {
        return refuse(403, "M_FORBIDDEN", format!("the invite was not accepted: {receipt:?}"));
    }
    relay(home, room, &signed, home.name());
    Ok(())
}

fn sends_invites(home: &Homeserver) -> bool {
    !home.has(Fault::InviteNotSent)
}

/// The invite as the invited user's server signed it, if that is the same event; else as it was sent.
fn signed_invite(home: &Homeserver, event: &Event, pdu: &Value, signed: &Value) -> Value {
    let is_same = Event::read(signed, event.version()).is_ok_and(|signed| {
        signed.id() == event.id() && verify_event(&signed, &home.store().keys.ring).is_ok()
    });
    if is_same { signed.clone() } else { pdu.clone() }
}

/// Whether this server has a member in the room.
pub(crate) fn is_in(home: &Homeserver, room: &str) -> bool {
    home.store().rooms.get(room).is_some_and(|held| held.has_server(home.name()))
}

/// Whether a user holds an invite that the server's copy of the room lacks.
fn is_invite_missing_in_copy(home: &Homeserver, room: &str, user: &str) -> bool {
    let store = home.store();
    let is_invited = store.rooms.invites.contains_key(&(room.to_owned(), user.to_owned()));
    is_invited && store.rooms.get(room).is_some_and(|held| held.membership(user) != "invite")
}

/// The servers by way of which a user may join or knock: those named, the inviting server, those in the room, and the one
/// that the room's ID names.
fn servers_to_try(home: &Homeserver, room: &str, user: &str, via: &[String]) -> Vec<String> {
    let inviter = {
        let store = home.store();
        let invite = store.rooms.invites.get(&(room.to_owned(), user.to_owned()));
        invite.and_then(|invite| invite.event["sender"].as_str().and_then(server_of).map(str::to_owned))
    };
    let mut servers = Vec::new();
    let named = via.iter().cloned().chain(inviter).chain(other_servers(home, room));
    for server in named.chain(server_of(room).map(str::to_owned)) {
        if server != home.name() && !servers.contains(&server) {
            servers.push(server);
        }
    }
    servers
}
