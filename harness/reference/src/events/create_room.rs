//! How a room begins (server-server API, room versions; client-server API, creation).

use samklang_matrix::{EventOutcome, RoomGraph, RoomVersion, WireEvent};
use serde_json::{Value, json};

use super::{
    publish::publish,
    send::{NewEvent, internal_error, merge, send_as_any_user},
};
use crate::{
    clock::timestamp,
    fault::{Author, Drafted, Fault, Occasion},
    homeserver::Homeserver,
    response::{ErrorResponse, error_response, refuse},
    room_versions::ROOM_VERSIONS,
    store::held_room::HeldRoom,
};

/// Creates a room with its create event and the creator's join; returns its ID. `create` is the content of the create event
/// beside what the room version demands.
///
/// # Errors
/// When the version is not known.
pub(crate) fn create_room(
    home: &Homeserver,
    version: &str,
    creator: &str,
    create: Value,
    profile: &Value,
) -> Result<String, ErrorResponse> {
    let known_version = RoomVersion::new(version).ok().filter(|_| ROOM_VERSIONS.contains(&version));
    let unknown =
        || error_response(400, "M_UNSUPPORTED_ROOM_VERSION", format!("room version {version} is not known"));
    let version = known_version.ok_or_else(unknown)?;
    let content = create_content(home, &version, creator, create);
    let opaque: String = std::iter::repeat_with(fastrand::alphanumeric).take(18).collect();
    let mut room = home.empty_room(&version, &format!("!{opaque}:{}", domain(home)));
    let mut at = timestamp();
    let mut create = create_event(home, &room, creator, &content, at);
    if version.is_named_by_create() {
        let id = |create: &WireEvent| create.id.replacen('$', "!", 1);
        // Rooms that are created alike in the same millisecond would have the same ID (rooms/v12, room IDs).
        while home.store().rooms.contains(&id(&create)) {
            at += 1;
            create = create_event(home, &room, creator, &content, at);
        }
        room = home.empty_room(&version, &id(&create));
    }
    let id = room.id().to_owned();
    if room.add(&create.json).map_err(|error| internal_error(&error))? != EventOutcome::Accepted {
        return refuse(400, "M_BAD_STATE", "the room cannot be created so");
    }
    home.store().rooms.insert(HeldRoom::new(room));
    publish(home, &id);
    let mut content = json!({ "membership": "join" });
    merge(&mut content, profile);
    send_as_any_user(home, &id, creator, &NewEvent::member(creator, content))?;
    Ok(id)
}

fn create_content(home: &Homeserver, version: &RoomVersion, creator: &str, create: Value) -> Value {
    let mut content = create;
    content["room_version"] = json!(version.id());
    let names_creator = !version.names_creator_by_sender();
    if names_creator {
        content["creator"] = json!(creator);
    }
    let author = Author { user: creator, names_creator };
    home.identity().content(Occasion::Creation, &author, &mut content);
    content
}

/// The server that a room's ID names before version 12.
fn domain(home: &Homeserver) -> &str {
    if home.has(Fault::RoomIdsOfAnotherServer) { "elsewhere.test" } else { home.name() }
}

fn create_event(home: &Homeserver, room: &RoomGraph, creator: &str, content: &Value, at: i64) -> WireEvent {
    let kind = "m.room.create";
    let draft = room.draft(kind, creator).state_key("").content(content.clone()).at(at);
    let drafted = Drafted { room, kind, state_key: Some(""), content, is_restarted: false };
    home.identity().draft(&drafted, draft).sign(home.key())
}
