//! Restricted joins (rooms/v8, restricted rooms; client-server API, restricted rooms).

use samklang_matrix::Power;

use crate::{
    fault::Fault,
    homeserver::Homeserver,
    response::{ErrorResponse, refuse},
    store::{Rooms, held_room::HeldRoom},
};

/// The user of this server who authorises a join of `user`; `None` where the join needs no authorising user.
///
/// # Errors
/// When the conditions are not met or cannot be judged here, or no user of this server may authorise the join.
pub(crate) fn authoriser_for(
    home: &Homeserver,
    rooms: &Rooms,
    held: &HeldRoom,
    user: &str,
) -> Result<Option<String>, ErrorResponse> {
    let rules = held.state_content("m.room.join_rules");
    let is_restricted = matches!(rules["join_rule"].as_str(), Some("restricted" | "knock_restricted"));
    if is_restricted && lacks_restricted_joins(home) {
        return refuse(403, "M_FORBIDDEN", "the join rule is not known");
    }
    let is_expected = matches!(held.membership(user).as_str(), "invite" | "join");
    if !is_restricted || is_expected || !held.room.version().has_restricted_joins() {
        return Ok(None);
    }
    let allowed: Vec<_> = rules["allow"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|condition| condition["type"] == "m.room_membership")
        .filter_map(|condition| condition["room_id"].as_str())
        .collect();
    if !allowed.iter().any(|room| admits(home, rooms, room, user)) {
        let is_unknown = |room: &&str| !rooms.get(room).is_some_and(|held| held.has_server(home.name()));
        if allowed.iter().any(is_unknown) {
            return refuse(400, "M_UNABLE_TO_AUTHORISE_JOIN", "this server is not in the allowed rooms");
        }
        return refuse(403, "M_FORBIDDEN", "the user is in none of the allowed rooms");
    }
    let level = held.room.level("invite").unwrap_or_default();
    let may_invite = |member: &String| {
        let power = held.room.power_of(member);
        home.is_own(member) && power.is_some_and(|power| power >= Power::Level(level))
    };
    match held.members("join").into_iter().find(may_invite) {
        Some(authoriser) => Ok(Some(authoriser)),
        None => refuse(400, "M_UNABLE_TO_GRANT_JOIN", "no user of this server may invite to the room"),
    }
}

fn lacks_restricted_joins(home: &Homeserver) -> bool {
    home.has(Fault::LeftOut("restricted-join"))
}

/// Whether an allowed room admits a user: the user is a member of it.
fn admits(home: &Homeserver, rooms: &Rooms, room: &str, user: &str) -> bool {
    let is_member = rooms.get(room).is_some_and(|held| held.membership(user) == "join");
    is_member != home.has(Fault::RestrictionReversed)
}
