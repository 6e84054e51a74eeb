//! Joins that another room's members are admitted to (rooms/v8, restricted rooms; client-server API, restricted rooms).

use samklang_matrix::Power;

use crate::{
    fault::Fault,
    held_room::HeldRoom,
    homeserver::{Homeserver, Rooms},
    reply::{Refusal, refuse},
};

impl Homeserver {
    /// The user of this server who authorises a join of `user`; none where the join needs nobody to.
    ///
    /// # Errors
    /// When the conditions are not met, cannot be judged here, or nobody here may authorise.
    pub(crate) fn authoriser_for(
        &self,
        rooms: &Rooms,
        held: &HeldRoom,
        user: &str,
    ) -> Result<Option<String>, Refusal> {
        let rules = held.state_content("m.room.join_rules");
        let restricted = matches!(rules["join_rule"].as_str(), Some("restricted" | "knock_restricted"));
        if restricted && self.has(Fault::LeftOut("restricted-join")) {
            return refuse(403, "M_FORBIDDEN", "the join rule is not known");
        }
        let expected = matches!(held.membership(user).as_str(), "invite" | "join");
        if !restricted || expected || !held.room.version().has_restricted_joins() {
            return Ok(None);
        }
        let allowed: Vec<_> = rules["allow"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|condition| condition["type"] == "m.room_membership")
            .filter_map(|condition| condition["room_id"].as_str())
            .collect();
        let admits = |room: &&str| {
            let is_in = rooms.get(*room).is_some_and(|held| held.membership(user) == "join");
            is_in != self.has(Fault::RestrictionReversed)
        };
        if !allowed.iter().any(admits) {
            let strange = |room: &&str| !rooms.get(*room).is_some_and(|held| held.has_server(self.name()));
            if allowed.iter().any(strange) {
                return refuse(
                    400,
                    "M_UNABLE_TO_AUTHORISE_JOIN",
                    "this server is not in the rooms that admit",
                );
            }
            return refuse(403, "M_FORBIDDEN", "the user is in none of the rooms that admit to this one");
        }
        let level = held.room.level("invite").unwrap_or_default();
        let may_invite = |member: &String| {
            let power = held.room.power_of(member);
            self.is_own(member) && power.is_some_and(|power| power >= Power::Level(level))
        };
        match held.members("join").into_iter().find(may_invite) {
            Some(authoriser) => Ok(Some(authoriser)),
            None => refuse(400, "M_UNABLE_TO_GRANT_JOIN", "nobody of this server may invite to the room"),
        }
    }
}
