//! How users get into rooms and out of them (client-server API, room membership).

use serde_json::{Value, json};

use super::{Call, not_found};
use crate::{
    acting::{Saying, merge},
    fault::Fault,
    homeserver::Homeserver,
    reply::{Refusal, Reply, refuse},
};

impl Homeserver {
    /// The ids of the rooms that a user is in.
    pub(super) fn rooms_of(&self, user: &str) -> Vec<String> {
        self.known().rooms_of(user).map(|held| held.room.id().to_owned()).collect()
    }

    /// The room that an id or an alias names, and the servers by way of which one may get there.
    pub(super) async fn room_named(
        &self,
        call: &Call<'_>,
        name: &str,
    ) -> Result<(String, Vec<String>), Refusal> {
        let via = call.asked.values("via").chain(call.asked.values("server_name"));
        let via: Vec<_> = via.map(str::to_owned).collect();
        match name.as_bytes().first() {
            Some(b'!') => Ok((name.to_owned(), via)),
            Some(b'#') => {
                let named = self.read_alias(name).await?;
                let servers = named["servers"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let via = via.into_iter().chain(servers.map(str::to_owned)).collect();
                Ok((named["room_id"].as_str().unwrap_or_default().to_owned(), via))
            }
            _ => not_found(format!("{name} names no room")),
        }
    }

    pub(super) async fn join_by_name(&self, call: &Call<'_>, name: &str) -> Reply {
        let (room, via) = self.room_named(call, name).await?;
        let is_in = self.known().rooms.get(&room).is_some_and(|held| held.membership(&call.user) == "join");
        if !is_in {
            self.join(&room, &call.user, &via, &self.profile_and_reason(call)).await?;
        }
        self.remember_again(call, &room);
        Ok(json!({ "room_id": room }))
    }

    pub(super) async fn knock_by_name(&self, call: &Call<'_>, name: &str) -> Reply {
        let (room, via) = self.room_named(call, name).await?;
        self.knock(&room, &call.user, &via, &self.profile_and_reason(call)).await?;
        self.remember_again(call, &room);
        Ok(json!({ "room_id": room }))
    }

    pub(super) async fn invite_to(&self, call: &Call<'_>, room: &str) -> Reply {
        let mut content = call.reason();
        let user = call.text("user_id")?;
        if self.is_own(user) {
            merge(&mut content, &self.shown_profile(user));
        }
        self.invite(room, &call.user, user, &content).await?;
        Ok(json!({}))
    }

    /// Kicks, bans or unbans.
    pub(super) fn set_member(&self, call: &Call<'_>, room: &str, verb: &str) -> Reply {
        let user = call.text("user_id")?;
        let now = self.known().rooms.get(room).map(|held| held.membership(user)).unwrap_or_default();
        let (membership, applies) = match verb {
            "kick" => ("leave", matches!(now.as_str(), "join" | "invite" | "knock")),
            "unban" => ("leave", now == "ban"),
            _ => ("ban", true),
        };
        if !applies {
            return refuse(403, "M_FORBIDDEN", format!("{user} cannot be subject to a {verb}: {now}"));
        }
        let mut content = json!({ "membership": membership });
        if !self.has(Fault::ReasonsDropped) {
            merge(&mut content, &call.reason());
        }
        self.say(room, &call.user, Saying::state("m.room.member", user, content))?;
        Ok(json!({}))
    }

    pub(super) fn forget(&self, call: &Call<'_>, room: &str) -> Reply {
        let mut known = self.known();
        let membership = known.rooms.get(room).map(|held| held.membership(&call.user)).unwrap_or_default();
        if matches!(membership.as_str(), "join" | "invite" | "knock") {
            return refuse(400, "M_UNKNOWN", "one has to leave a room before one can forget it");
        }
        if let Some(account) = known.users.account(&call.user) {
            account.forgotten.insert(room.to_owned());
        }
        Ok(json!({}))
    }

    fn remember_again(&self, call: &Call<'_>, room: &str) {
        if let Some(account) = self.known().users.account(&call.user) {
            account.forgotten.remove(room);
        }
    }

    /// A member event that a user sends as plain state is sent as what it is (client-server API, room membership).
    pub(super) async fn set_member_state(
        &self,
        call: &Call<'_>,
        room: &str,
        user: &str,
    ) -> Result<(), Refusal> {
        let more = without_membership(call.body());
        match call.body()["membership"].as_str() {
            Some("invite") => self.invite(room, &call.user, user, &more).await,
            Some("join") if user == call.user => self.join(room, user, &[], &more).await,
            _ => self
                .say(room, &call.user, Saying::state("m.room.member", user, call.body().clone()))
                .map(drop),
        }
    }
}

fn without_membership(content: &Value) -> Value {
    let mut content = content.clone();
    if let Some(content) = content.as_object_mut() {
        content.remove("membership");
    }
    content
}
