//! How a room begins (server-server API, room versions; client-server API, creation).

use samklang_matrix::{EventOutcome, RoomGraph, RoomVersion, Tamper, WireEvent};
use serde_json::{Value, json};

use crate::{
    acting::{Saying, broken, merge, stamp},
    fault::Fault,
    held_room::HeldRoom,
    homeserver::Homeserver,
    joining::VERSIONS,
    reply::{Refusal, refusal, refuse},
};

impl Homeserver {
    /// Founds a room with its create event and the creator's join; answers with its id. `create` is what the create
    /// event's content holds beside what the version asks for.
    ///
    /// # Errors
    /// When the version is not known.
    pub(crate) fn found_room(
        &self,
        version: &str,
        creator: &str,
        create: Value,
        profile: &Value,
    ) -> Result<String, Refusal> {
        let known_version = RoomVersion::new(version).ok().filter(|_| VERSIONS.contains(&version));
        let unknown =
            || refusal(400, "M_UNSUPPORTED_ROOM_VERSION", format!("room version {version} is not known"));
        let version = known_version.ok_or_else(unknown)?;
        let mut content = create;
        content["room_version"] = json!(version.id());
        let names_creator = version.names_creator_by_sender() == self.has(Fault::CreatorNamedOddly);
        if names_creator {
            content["creator"] = json!(creator);
        }
        let opaque: String = std::iter::repeat_with(fastrand::alphanumeric).take(18).collect();
        let domain = if self.has(Fault::RoomIdsOfAnother) { "elsewhere.test" } else { self.name() };
        let mut room = self.empty_room(&version, &format!("!{opaque}:{domain}"));
        let draft = |room: &RoomGraph, at| {
            let draft = room.draft("m.room.create", creator).state_key("").content(content.clone()).at(at);
            let cites = self.has(Fault::CreateCites);
            let bent = Tamper::before_hash(move |pdu| {
                if cites {
                    pdu["auth_events"] = json!(["$of-nothing"]);
                }
            });
            draft.tampered(bent).sign(self.key())
        };
        let mut at = stamp();
        let mut create = draft(&room, at);
        if version.is_named_by_create() {
            let id = |create: &WireEvent| create.id.replacen('$', "!", 1);
            // Rooms that are made alike in the same millisecond would be one room (rooms/v12, room IDs).
            while self.known().rooms.contains_key(&id(&create)) {
                at += 1;
                create = draft(&room, at);
            }
            room = self.empty_room(&version, &id(&create));
        }
        let id = room.id().to_owned();
        if room.add(&create.json).map_err(|error| broken(&error))? != EventOutcome::Accepted {
            return refuse(400, "M_BAD_STATE", "the room cannot be created so");
        }
        self.known().rooms.insert(id.clone(), HeldRoom::new(room));
        self.publish(&id);
        let mut content = json!({ "membership": "join" });
        merge(&mut content, profile);
        self.say_unchecked(&id, creator, Saying::state("m.room.member", creator, content))?;
        Ok(id)
    }
}
