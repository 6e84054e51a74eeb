//! The verbs of users.

use serde_json::{Map, Value, json};

use super::{
    Failure, User,
    failure::Done,
    things::{Media, Observed, Room, RoomPlan, Sent},
};
use samklang_drivers::{MediaFile, NewRoom, ReceiptKind};

/// The number of characters of a body that messages for people show.
const TOLD: usize = 40;

/// Rooms and membership.
impl User {
    /// Creates a room of the scenario's room version.
    ///
    /// # Errors
    /// When the server refuses; not applicable if its users cannot create rooms of that version.
    pub async fn create_room(&self, plan: RoomPlan) -> Result<Room, Failure> {
        let version = self.ledger().room_version.clone();
        self.create_room_of(&version, plan).await
    }

    /// Creates a room of another version.
    ///
    /// # Errors
    /// As [`Self::create_room`].
    pub async fn create_room_of(&self, version: &str, plan: RoomPlan) -> Result<Room, Failure> {
        let version = version.to_owned();
        if !self.inner.vendor.creates_room_versions.contains(&version) {
            return Err(Failure::NotApplicable(self.inner.vendor.creates_no(&version)));
        }
        let room = NewRoom {
            version: version.clone(),
            join_rule: plan.join_rule,
            history_visibility: plan.history_visibility,
            name: plan.name,
            topic: plan.topic,
            power_levels: plan.power_levels,
        };
        let (id, done) = self.settle("create_room", &[], self.session().create_room(&room).await)?;
        self.ledger().call(&id, "!room");
        Ok(Room { name: "the room".into(), version, via: vec![self.server_name().to_owned()], id, done })
    }

    /// Upgrades a room to another version.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn upgrade(&self, room: &Room, version: &str) -> Result<Room, Failure> {
        let (id, done) =
            self.settle("upgrade", &[&room.id], self.session().upgrade(&room.id, version).await)?;
        self.ledger().call(&id, "!upgraded");
        let via = vec![self.server_name().to_owned()];
        Ok(Room { name: "the upgraded room".into(), version: version.to_owned(), via, id, done })
    }

    /// Invites `user`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn invite(&self, room: &Room, user: &User) -> Result<Done, Failure> {
        let call = self.session().invite(&room.id, user.id()).await;
        Ok(self.settle("invite", &[&room.id, user.id()], call)?.1)
    }

    /// Invites a user outside the constellation, by the full id.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn invite_by_id(&self, room: &Room, user: &str) -> Result<Done, Failure> {
        let call = self.session().invite(&room.id, user).await;
        Ok(self.settle("invite", &[&room.id, user], call)?.1)
    }

    /// Joins the room through the server that created it.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn join(&self, room: &Room) -> Result<Done, Failure> {
        let call = self.session().join(&room.id, &room.via).await;
        Ok(self.settle("join", &[&room.id, self.id()], call)?.1)
    }

    /// Knocks on the room through the server that created it.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn knock(&self, room: &Room) -> Result<Done, Failure> {
        let call = self.session().knock(&room.id, &room.via).await;
        Ok(self.settle("knock", &[&room.id, self.id()], call)?.1)
    }

    /// Leaves the room or rejects an invite to it.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn leave(&self, room: &Room) -> Result<Done, Failure> {
        let call = self.session().leave(&room.id).await;
        Ok(self.settle("leave", &[&room.id, self.id()], call)?.1)
    }

    /// Kicks `user` from the room or withdraws the user's invite.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn kick(&self, room: &Room, user: &User, reason: &str) -> Result<Done, Failure> {
        let call = self.session().kick(&room.id, user.id(), Some(reason)).await;
        Ok(self.settle("kick", &[&room.id, user.id()], call)?.1)
    }

    /// Bans `user`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn ban(&self, room: &Room, user: &User, reason: &str) -> Result<Done, Failure> {
        let call = self.session().ban(&room.id, user.id(), Some(reason)).await;
        Ok(self.settle("ban", &[&room.id, user.id()], call)?.1)
    }

    /// Unbans `user`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn unban(&self, room: &Room, user: &User) -> Result<Done, Failure> {
        let call = self.session().unban(&room.id, user.id()).await;
        Ok(self.settle("unban", &[&room.id, user.id()], call)?.1)
    }
}

/// Messages, events and state.
impl User {
    /// Sends plain text.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn send(&self, room: &Room, body: &str) -> Result<Sent, Failure> {
        self.send_content(room, "m.room.message", json!({"msgtype": "m.text", "body": body})).await
    }

    /// Sends an event that is not a state event.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn send_content(&self, room: &Room, kind: &str, content: Value) -> Result<Sent, Failure> {
        self.send_to(&room.id, kind, content).await
    }

    async fn send_to(&self, room: &str, kind: &str, content: Value) -> Result<Sent, Failure> {
        let (id, done) = self.settle("send", &[room], self.session().send(room, kind, &content).await)?;
        Ok(self.sent(id, room, kind, &content, done))
    }

    fn sent(&self, id: String, room: &str, kind: &str, content: &Value, done: Done) -> Sent {
        let body = content["body"].as_str();
        self.ledger().call_event(&id, kind, body);
        let told: String = body.unwrap_or_default().chars().take(TOLD).collect();
        let what = format!("{kind} {told:?} from {}", self.name());
        Sent { id, room: room.to_owned(), what, done }
    }

    /// Replaces the text of the user's own message (client-server API, event replacements).
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn edit(&self, original: &Sent, body: &str) -> Result<Sent, Failure> {
        let content = json!({
            "msgtype": "m.text", "body": format!("* {body}"),
            "m.new_content": {"msgtype": "m.text", "body": body},
            "m.relates_to": {"rel_type": "m.replace", "event_id": original.id},
        });
        self.send_to(&original.room, "m.room.message", content).await
    }

    /// Replies to a message (client-server API, rich replies).
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn reply(&self, to: &Sent, body: &str) -> Result<Sent, Failure> {
        let content = json!({
            "msgtype": "m.text", "body": body, "m.relates_to": {"m.in_reply_to": {"event_id": to.id}},
        });
        self.send_to(&to.room, "m.room.message", content).await
    }

    /// Continues the thread with the root `root` (client-server API, threading).
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn reply_in_thread(&self, root: &Sent, body: &str) -> Result<Sent, Failure> {
        let thread = json!({"rel_type": "m.thread", "event_id": root.id});
        let content = json!({"msgtype": "m.text", "body": body, "m.relates_to": thread});
        self.send_to(&root.room, "m.room.message", content).await
    }

    /// Reacts to a message (client-server API, event annotations and reactions).
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn react(&self, to: &Sent, key: &str) -> Result<Sent, Failure> {
        let content = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": to.id, "key": key}});
        self.send_to(&to.room, "m.reaction", content).await
    }

    /// Redacts an event.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn redact(&self, target: &Sent, reason: &str) -> Result<Sent, Failure> {
        let call = self.session().redact(&target.room, &target.id, Some(reason)).await;
        let (id, done) = self.settle("redact", &[&target.room, &target.id], call)?;
        self.ledger().call_event(&id, "redaction", None);
        let what = format!("{}'s redaction of {}", self.name(), target.what);
        Ok(Sent { id, room: target.room.clone(), what, done })
    }

    /// Sends a state event.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn set_state(
        &self,
        room: &Room,
        kind: &str,
        state_key: &str,
        content: Value,
    ) -> Result<Sent, Failure> {
        let call = self.session().set_state(&room.id, kind, state_key, &content).await;
        let (id, done) = self.settle("set_state", &[&room.id], call)?;
        Ok(self.sent(id, &room.id, kind, &Value::Null, done))
    }

    /// Sets the room's name.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn set_name(&self, room: &Room, name: &str) -> Result<Sent, Failure> {
        self.set_state(room, "m.room.name", "", json!({ "name": name })).await
    }

    /// Sets the room's topic.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn set_topic(&self, room: &Room, topic: &str) -> Result<Sent, Failure> {
        self.set_state(room, "m.room.topic", "", json!({ "topic": topic })).await
    }

    /// Sets the power level of `user` and leaves all others as they are.
    ///
    /// # Errors
    /// When the user cannot read the power levels, or the server refuses.
    pub async fn set_power_level(&self, room: &Room, user: &User, level: i64) -> Result<Sent, Failure> {
        let mut levels = self.state_of(room, "m.room.power_levels", "").await?.value["content"].clone();
        levels["users"][user.id()] = json!(level);
        self.set_state(room, "m.room.power_levels", "", levels).await
    }
}

/// Typing, receipts, presence, profiles, device keys and media.
impl User {
    /// Starts or stops typing.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn types(&self, room: &Room, on: bool) -> Result<Done, Failure> {
        Ok(self.settle("typing", &[&room.id], self.session().typing(&room.id, on).await)?.1)
    }

    /// Sends a receipt for `event`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn reads(
        &self,
        event: &Sent,
        kind: ReceiptKind,
        thread: Option<&str>,
    ) -> Result<Done, Failure> {
        let call = self.session().receipt(&event.room, &event.id, kind, thread).await;
        Ok(self.settle("receipt", &[&event.room, &event.id], call)?.1)
    }

    /// Sets the user's presence.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn set_presence(&self, presence: &str, status: Option<&str>) -> Result<Done, Failure> {
        Ok(self.settle("presence", &[], self.session().set_presence(presence, status).await)?.1)
    }

    /// Sets the user's display name.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn set_display_name(&self, name: &str) -> Result<Done, Failure> {
        Ok(self.settle("set_profile", &[], self.session().set_profile("displayname", name).await)?.1)
    }

    /// Sets the user's avatar.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn set_avatar(&self, avatar: &Media) -> Result<Done, Failure> {
        let call = self.session().set_profile("avatar_url", &avatar.address).await;
        Ok(self.settle("set_profile", &[&avatar.address], call)?.1)
    }

    /// Reads a user's profile.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn profile_of(&self, user: &User) -> Result<Observed, Failure> {
        let call = self.session().profile(user.id()).await;
        let (profile, done) = self.settle("profile", &[user.id()], call)?;
        Ok(Observed::new(profile, done.observations))
    }

    /// Queries the device keys and cross-signing keys of the user with this id.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn device_keys_of(&self, user: &str) -> Result<Observed, Failure> {
        let (keys, done) = self.settle("device_keys", &[user], self.session().device_keys(user).await)?;
        Ok(Observed::new(keys, done.observations))
    }

    /// Queries the server's capabilities.
    ///
    /// # Errors
    /// When the server refuses; not applicable if its API has no such request.
    pub async fn capabilities(&self) -> Result<Observed, Failure> {
        let (said, done) = self.settle("capabilities", &[], self.session().capabilities().await)?;
        Ok(Observed::new(said, done.observations))
    }

    /// Reads an event by its id, as the user's server holds it.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn fetch_by_id(&self, room: &Room, id: &str) -> Result<Observed, Failure> {
        let (event, done) =
            self.settle("event", &[&room.id, id], self.session().event(&room.id, id).await)?;
        Ok(Observed::new(event, done.observations))
    }

    /// Uploads a file to the user's server.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn upload(&self, file: &MediaFile) -> Result<Media, Failure> {
        let (address, done) = self.settle("upload", &[], self.session().upload(file).await)?;
        self.ledger().call(&address, "mxc://media");
        if let Some((_, media_id)) = address.trim_start_matches("mxc://").split_once('/') {
            self.ledger().call(media_id, "media");
        }
        Ok(Media { address, done })
    }

    /// Downloads a file through the user's server.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn download(&self, media: &Media) -> Result<(MediaFile, Done), Failure> {
        let call = self.session().download(&media.address).await;
        self.settle("download", &[&media.address], call)
    }
}

/// Reading events, state and history.
impl User {
    /// Reads one event, as the user's server holds it.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn fetch(&self, event: &Sent) -> Result<Observed, Failure> {
        let call = self.session().event(&event.room, &event.id).await;
        let (event, done) = self.settle("event", &[&event.room, &event.id], call)?;
        Ok(Observed::new(event, done.observations))
    }

    /// Reads the room's current state, sorted by type and state key.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn state(&self, room: &Room) -> Result<Observed, Failure> {
        let (mut events, done) = self.settle("state", &[&room.id], self.session().state(&room.id).await)?;
        let key = |event: &Value| (event["type"].to_string(), event["state_key"].to_string());
        events.sort_by_key(key);
        Ok(Observed::new(Value::Array(events), done.observations))
    }

    /// Reads one event of the room's current state.
    ///
    /// # Errors
    /// When the server refuses, or there is no such state event.
    pub async fn state_of(&self, room: &Room, kind: &str, state_key: &str) -> Result<Observed, Failure> {
        let (events, done) = self.settle("state", &[&room.id], self.session().state(&room.id).await)?;
        let found =
            events.into_iter().find(|event| event["type"] == *kind && event["state_key"] == *state_key);
        match found {
            Some(event) => Ok(Observed::new(event, done.observations)),
            None => {
                Err(self.malformed("state", &format!("the room's state has no {kind} {state_key:?}"), &done))
            }
        }
    }

    /// Reads the memberships of the room: user id to membership, as `{"@alice:a.test": "join"}`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn members(&self, room: &Room) -> Result<Observed, Failure> {
        let state = self.state(room).await?;
        Ok(state.map(|events| {
            let members =
                events.as_array().into_iter().flatten().filter(|event| event["type"] == "m.room.member");
            let entry = |event: &Value| {
                Some((event["state_key"].as_str()?.to_owned(), event["content"]["membership"].clone()))
            };
            Value::Object(members.filter_map(entry).collect::<Map<_, _>>())
        }))
    }

    /// Reads the room's history page by page from its end backwards: at most `limit` events, oldest first.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn history(&self, room: &Room, limit: usize) -> Result<Observed, Failure> {
        const PAGE: u32 = 100;
        let mut events = Vec::new();
        let mut from: Option<String> = None;
        loop {
            let call = self.session().history(&room.id, from.as_deref(), PAGE).await;
            let (page, done) = self.settle("history", &[&room.id], call)?;
            events.extend(page.events);
            // A server may return the same token again and again; the history ends there, too.
            let ended = page.end.is_none() || page.end == from || events.len() >= limit;
            from = page.end;
            if ended {
                events.truncate(limit);
                events.reverse();
                return Ok(Observed::new(Value::Array(events), done.observations));
            }
        }
    }
}
