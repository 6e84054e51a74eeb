//! Joins, leaves, knocks and invites from the resident's and the invited server's side (server-server API, joining
//! rooms, leaving rooms, knocking upon a room, inviting to a room).

use samklang_matrix::{
    Draft, Event, EventOutcome, ReceivedPdu, RoomGraph, RoomVersion, Verified, server_of, sign_event,
    verify_event,
};
use serde_json::{Value, json};

use super::Asked;
use crate::{
    acl,
    fault::Fault,
    held_room::HeldRoom,
    homeserver::{Homeserver, Invite},
    joining::VERSIONS,
    reply::{Refusal, Reply, refusal, refuse},
};

/// What a room shows of itself to who is invited or knocks (client-server API, stripped state).
const SHOWN: [&str; 8] = [
    "m.room.create",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.encryption",
    "m.room.history_visibility",
];

impl Homeserver {
    /// A room that the asking server may deal with.
    fn open_room<'a>(
        &self,
        rooms: &'a crate::homeserver::Rooms,
        room: &str,
        asked: &Asked<'_>,
    ) -> Result<&'a HeldRoom, Refusal> {
        if self.has(Fault::TemplateUnknownAsForbidden) && !rooms.contains_key(room) {
            return refuse(403, "M_FORBIDDEN", "the room is not for the asking server");
        }
        let held = rooms.get(room).ok_or_else(|| refusal(404, "M_NOT_FOUND", "the room is not known"))?;
        if !held.has_server(self.name()) {
            return refuse(404, "M_NOT_FOUND", "this server is not in the room any more");
        }
        if !acl::admits(held, &asked.origin) {
            return refuse(403, "M_FORBIDDEN", "the room's server ACL denies the asking server");
        }
        Ok(held)
    }

    /// A template for a member event of a user of the asking server.
    pub(super) fn template(&self, asked: &Asked<'_>, room: &str, user: &str, membership: &str) -> Reply {
        let foreign = server_of(user) != Some(asked.origin.as_str());
        if foreign && !self.has(Fault::TemplateForForeigners) {
            return refuse(403, "M_FORBIDDEN", format!("{user} is not a user of the asking server"));
        }
        let known = self.known();
        let held = self.open_room(&known.rooms, room, asked)?;
        let version = held.room.version();
        // The parameter is there for joins and knocks; without it, version 1 is meant.
        let is_known = || asked.values("ver").any(|known| known == version.id());
        if membership != "leave" && !is_known() && !self.has(Fault::TemplateOfAnyVersion) {
            let error = format!("the room is of version {}", version.id());
            if self.has(Fault::TemplateVersionUnnamed) {
                return refuse(400, "M_INCOMPATIBLE_ROOM_VERSION", error);
            }
            return Err(refusal(400, "M_INCOMPATIBLE_ROOM_VERSION", error).with("room_version", version.id()));
        }
        let rule = held.state_content("m.room.join_rules");
        if rule["join_rule"] == "knock_restricted" && self.has(Fault::LeftOut("knock-restricted")) {
            return refuse(403, "M_FORBIDDEN", "the join rule is not known");
        }
        let uninvited = membership == "join" && held.membership(user) != "invite";
        if uninvited && self.has(Fault::LeftOut("uninvited-joins")) {
            return refuse(403, "M_FORBIDDEN", format!("{user} is not invited"));
        }
        let mut content = json!({ "membership": membership });
        if membership == "join"
            && let Some(authoriser) = self.authoriser_for(&known.rooms, held, user)?
        {
            content["join_authorised_via_users_server"] = json!(authoriser);
        }
        let mut event = member_draft(&held.room, user).content(content).sign(self.key()).json;
        let drafted =
            Event::read(&event, version).map_err(|error| refusal(500, "M_UNKNOWN", error.to_string()))?;
        if let Ok(Err(rule)) = held.room.check(&drafted)
            && !self.has(Fault::TemplateUnjudged)
        {
            return refuse(403, "M_FORBIDDEN", rule.to_string());
        }
        if membership == "leave"
            && held.membership(user) == "invite"
            && self.has(Fault::TemplateRefusedToInvited)
        {
            return refuse(403, "M_FORBIDDEN", format!("{user} is not in the room"));
        }
        if let Some(event) = event.as_object_mut() {
            event.remove("hashes");
            event.remove("signatures");
            if self.has(Fault::TemplateBare) {
                event.remove("type");
            }
        }
        Ok(json!({"room_version": version.id(), "event": event}))
    }

    /// Takes a member event into the room, in which it has to be authorised.
    async fn take_member(
        &self,
        asked: &Asked<'_>,
        room: &str,
        id: &str,
        membership: &str,
    ) -> Result<(Value, String), Refusal> {
        let mut pdu = asked.body.clone();
        let own = pdu["sender"].as_str().and_then(server_of) == Some(asked.origin.as_str());
        let named = asked.body["room_id"].as_str().filter(|_| self.has(Fault::SubmittedRoomUnchecked));
        let room = named.unwrap_or(room);
        let is_one = pdu["type"] == "m.room.member" && pdu["content"]["membership"] == membership;
        if !own || !is_one || pdu["sender"] != pdu["state_key"] || pdu["room_id"] != room {
            return refuse(400, "M_BAD_JSON", format!("no {membership} of a user of the sending server"));
        }
        let version = {
            let known = self.known();
            let held = self.open_room(&known.rooms, room, asked)?;
            if membership == "join" {
                self.vouch(&known.rooms, held, &mut pdu)?;
            }
            held.room.version().clone()
        };
        match Event::read(&pdu, &version) {
            Ok(event) if event.id() == id || self.has(Fault::SubmittedIdUnchecked) => {}
            Ok(_) => return refuse(400, "M_INVALID_PARAM", "the event has another id than the path says"),
            Err(error) => return refuse(400, "M_BAD_JSON", error.to_string()),
        }
        match self.take_event(room, &pdu, &asked.origin).await {
            Ok(ReceivedPdu::Held { id, outcome: EventOutcome::Accepted, .. }) => {
                if !self.has(Fault::JoinNotPassedOn) {
                    self.pass_on(room, &pdu, &asked.origin);
                }
                Ok((pdu, id))
            }
            Ok(other) => refuse(403, "M_FORBIDDEN", format!("the event is not accepted: {other:?}")),
            Err(error) => refuse(400, "M_BAD_JSON", error.to_string()),
        }
    }

    /// Signs a join that one of this server's users authorises, after a look at whether that still holds.
    fn vouch(
        &self,
        rooms: &crate::homeserver::Rooms,
        held: &HeldRoom,
        pdu: &mut Value,
    ) -> Result<(), Refusal> {
        let Some(user) = pdu["sender"].as_str().map(str::to_owned) else { return Ok(()) };
        let named = pdu["content"]["join_authorised_via_users_server"].as_str();
        if named.is_some_and(|authoriser| self.is_own(authoriser)) {
            self.authoriser_for(rooms, held, &user)?;
            if let Some(object) = pdu.as_object_mut() {
                sign_event(object, self.name(), self.key(), held.room.version());
            }
        }
        Ok(())
    }

    pub(super) async fn take_join(&self, asked: &Asked<'_>, room: &str, id: &str) -> Reply {
        let (event, id) = self.take_member(asked, room, id, "join").await?;
        let known = self.known();
        let held = known.rooms.get(event["room_id"].as_str().unwrap_or(room));
        let answer = held.and_then(|held| held.room.state_and_auth_chain(&id).map(|lists| (held, lists)));
        let Some((held, (state, auth_chain))) = answer else {
            return refuse(500, "M_UNKNOWN", "the state before the join is not known");
        };
        let servers: Vec<_> = held.servers().into_iter().collect();
        let (mut state, mut auth_chain) = (state, auth_chain);
        if self.has(Fault::JoinStateIncomplete) {
            state.retain(|event| event["type"] != "m.room.member");
        }
        if self.has(Fault::JoinBystandersLeftOut) {
            state.retain(|event| event["type"] != "m.room.member" || auth_chain.contains(event));
        }
        if self.has(Fault::CreatorMisnamed) {
            let creates =
                state.iter_mut().chain(&mut auth_chain).filter(|event| event["type"] == "m.room.create");
            for event in creates.filter(|event| event["content"]["creator"].is_string()) {
                event["content"]["creator"] = json!(format!("@nobody:{}", self.name()));
            }
        }
        if self.has(Fault::JoinChainIncomplete) {
            auth_chain.clear();
        }
        Ok(json!({
            "origin": self.name(), "event": event, "state": state, "auth_chain": auth_chain, "members_omitted": false,
            "servers_in_room": servers,
        }))
    }

    pub(super) async fn take_leave(&self, asked: &Asked<'_>, room: &str, id: &str) -> Reply {
        self.take_member(asked, room, id, "leave").await.map(|_| json!({}))
    }

    pub(super) async fn take_knock(&self, asked: &Asked<'_>, room: &str, id: &str) -> Reply {
        self.take_member(asked, room, id, "knock").await?;
        let known = self.known();
        let shown = known.rooms.get(room).map(|held| shown_to(held, None)).unwrap_or_default();
        let shown = if self.has(Fault::KnockStateHidden) { vec![] } else { shown };
        Ok(json!({ "knock_room_state": shown }))
    }

    /// Signs an invite of one of its users.
    pub(super) fn take_invite(&self, asked: &Asked<'_>, room: &str, id: &str) -> Reply {
        let signed = self.sign_invite(asked, room, id);
        if self.has(Fault::InviteRefusedVaguely) {
            return signed.map_err(|_| refusal(500, "M_UNKNOWN", "something is wrong"));
        }
        signed
    }

    fn sign_invite(&self, asked: &Asked<'_>, room: &str, id: &str) -> Reply {
        let event = &asked.body["event"];
        let named = asked.body["room_version"].as_str().unwrap_or_default();
        let careless = if self.has(Fault::InviteVersionUnchecked) { "11" } else { named };
        let Some(version) = RoomVersion::new(careless).ok().filter(|_| VERSIONS.contains(&careless)) else {
            let error = format!("room version {named} is not known");
            return Err(refusal(400, "M_INCOMPATIBLE_ROOM_VERSION", error).with("room_version", named));
        };
        let user = event["state_key"].as_str().unwrap_or_default();
        let named_so = |id: &str, known: &str, careless| id == known || self.has(careless);
        let read = Event::read(event, &version).ok();
        let read = read.filter(|read| named_so(read.id(), id, Fault::SubmittedIdUnchecked));
        let right = (event["type"] == "m.room.member" || self.has(Fault::InviteTypeUnchecked))
            && (event["content"]["membership"] == "invite" || self.has(Fault::InviteMembershipUnchecked))
            && (self.is_own(user) || self.has(Fault::InviteTargetUnchecked))
            && named_so(event["room_id"].as_str().unwrap_or_default(), room, Fault::SubmittedRoomUnchecked);
        let Some(read) = read.filter(|_| right) else {
            return refuse(400, "M_INVALID_PARAM", "no invite of a user of this server");
        };
        self.may_be_invited(asked, &read, user)?;
        let room_state = asked.body["invite_room_state"].as_array().cloned().unwrap_or_default();
        if self.is_live() && !self.has(Fault::InviteStateUnchecked) {
            self.shows_the_room(&room_state, room, &version)?;
        }
        let mut signed = event.clone();
        if let Some(object) = signed.as_object_mut()
            && !self.has(Fault::InviteUnsigned)
        {
            sign_event(object, self.name(), self.key(), &version);
        }
        let mut known = self.known();
        let position = known.next_position();
        let invite =
            Invite { room_version: version.id().to_owned(), event: event.clone(), room_state, position };
        known.invites.insert((room.to_owned(), user.to_owned()), invite);
        drop(known);
        self.announce();
        Ok(json!({ "event": signed }))
    }

    /// Whether an invite is the sender's own, and of somebody who can be invited.
    fn may_be_invited(&self, asked: &Asked<'_>, invite: &Event, user: &str) -> Result<(), Refusal> {
        if !self.is_live() {
            return Ok(());
        }
        let foreign = server_of(invite.sender()) != Some(asked.origin.as_str());
        if foreign && !self.has(Fault::InviteSenderUnchecked) {
            return refuse(400, "M_INVALID_PARAM", "the invite is of another server's user");
        }
        match verify_event(invite, &self.known().ring) {
            Ok(Verified::All) => {}
            _ if foreign || self.has(Fault::InviteSignatureUnchecked) => {}
            Ok(Verified::ContentHashMismatch) => {
                return refuse(400, "M_INVALID_PARAM", "the invite's content is not what its hash says");
            }
            Err(fault) => return refuse(400, "M_INVALID_PARAM", fault.to_string()),
        }
        if !self.has_user(user) && self.is_own(user) {
            return refuse(404, "M_NOT_FOUND", format!("{user} does not exist"));
        }
        let known = self.known();
        let room = invite.room_id().and_then(|room| known.rooms.get(room));
        if room.is_some_and(|held| !acl::admits(held, &asked.origin)) {
            return refuse(403, "M_FORBIDDEN", "the room's server ACL denies the inviting server");
        }
        Ok(())
    }

    /// From version 12 on an invite has to show the create event that the room is named after, and nothing of other
    /// rooms (rooms/v12; server-server API, inviting to a room).
    fn shows_the_room(&self, state: &[Value], room: &str, version: &RoomVersion) -> Result<(), Refusal> {
        if !version.is_named_by_create() {
            return Ok(());
        }
        let known = self.known();
        let holds = |pdu: &Value| {
            let event = Event::read(pdu, version).ok().filter(|_| pdu["hashes"].is_object())?;
            // The keys of others than the inviting server may not be known yet.
            let strange = server_of(event.sender()).is_none_or(|server| !known.ring.knows(server));
            let signed = strange || verify_event(&event, &known.ring).is_ok();
            (event.room_id() == Some(room) && signed).then_some(())
        };
        if !state.iter().any(|pdu| pdu["type"] == "m.room.create") {
            return refuse(400, "M_MISSING_PARAM", "invite_room_state does not show the room's create event");
        }
        if !state.iter().all(|pdu| holds(pdu).is_some()) {
            return refuse(400, "M_MISSING_PARAM", "invite_room_state shows what is no event of the room");
        }
        Ok(())
    }
}

/// A member event of a user about himself.
fn member_draft<'a>(room: &'a RoomGraph, user: &str) -> Draft<'a> {
    room.draft("m.room.member", user).state_key(user).at(crate::homeserver::now_ms() as i64)
}

/// What a room shows of itself from outside: complete events, as version 12 asks for and those before allow. With
/// `member`, that user's membership too.
pub(crate) fn shown_to(held: &HeldRoom, member: Option<&str>) -> Vec<Value> {
    let general = SHOWN.iter().filter_map(|kind| held.room.state_event(kind, ""));
    let member = member.and_then(|user| held.room.state_event("m.room.member", user));
    general.chain(member).map(|event| Value::Object(event.json().clone())).collect()
}
