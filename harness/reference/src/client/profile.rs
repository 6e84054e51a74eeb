//! Names, faces and what else users tell of themselves (client-server API, profiles).

use std::collections::BTreeSet;

use samklang_matrix::server_of;
use serde_json::{Map, Value, json};

use super::{Call, not_found};
use crate::{
    acting::Saying,
    fault::Fault,
    homeserver::Homeserver,
    joining::segment,
    reply::{Refusal, Reply, refuse},
};

/// The fields that member events show.
const SHOWN: [&str; 2] = ["displayname", "avatar_url"];

impl Homeserver {
    /// What of a user's profile member events show.
    pub(super) fn shown_profile(&self, user: &str) -> Value {
        if self.has(Fault::ProfileNotInRooms) {
            return json!({});
        }
        let known = self.known();
        let profile = known.users.accounts.get(user).map(|account| &account.profile);
        let field = |key: &str| Some((key.to_owned(), profile?.get(key)?.clone()));
        let shown = if self.has(Fault::ProfileWithoutPictures) { &SHOWN[..1] } else { &SHOWN[..] };
        Value::Object(shown.iter().copied().filter_map(field).collect())
    }

    /// A user's profile, or one field of it, from wherever it is kept.
    pub(super) async fn read_profile(&self, user: &str, field: Option<&str>) -> Reply {
        if self.is_own(user) {
            return self.own_profile(user, field);
        }
        let Some(server) = server_of(user) else { return not_found(format!("{user} is no user id")) };
        let field = field.map(|field| format!("&field={}", segment(field))).unwrap_or_default();
        let target = format!("/_matrix/federation/v1/query/profile?user_id={}{field}", segment(user));
        match self.ask("GET", server, &target, None).await {
            Ok(answer) if answer.is_success() => Ok(answer.json()),
            Ok(answer) if answer.status == 404 => not_found(format!("{user} has no such profile")),
            _ => refuse(502, "M_UNKNOWN", format!("{server} did not tell the profile of {user}")),
        }
    }

    /// The profile of a user of this server.
    pub(crate) fn own_profile(&self, user: &str, field: Option<&str>) -> Reply {
        let known = self.known();
        let Some(account) = known.users.accounts.get(user) else {
            return not_found(format!("{user} does not exist"));
        };
        match field {
            None => Ok(Value::Object(account.profile.clone())),
            Some(field) => match account.profile.get(field) {
                Some(value) => Ok(Value::Object(Map::from_iter([(field.to_owned(), value.clone())]))),
                None => not_found(format!("{user} has no {field}")),
            },
        }
    }

    /// Sets a field of the profile, or takes it away. What member events show is brought to the rooms that the user is
    /// in.
    pub(super) fn change_profile(&self, call: &Call<'_>, user: &str, field: &str) -> Reply {
        call.is_of(user)?;
        let value = &call.body()[field];
        if call.asked.method == "PUT" && call.body().get(field).is_none() {
            return refuse(400, "M_MISSING_PARAM", format!("the body has no {field}"));
        }
        if let Some(account) = self.known().users.account(user) {
            if value.is_null() || value == "" {
                account.profile.remove(field);
            } else {
                account.profile.insert(field.to_owned(), value.clone());
            }
        }
        if SHOWN.contains(&field) && !self.has(Fault::ProfileChangesNotShown) {
            self.show_profile_in_rooms(user);
        }
        Ok(json!({}))
    }

    fn show_profile_in_rooms(&self, user: &str) {
        let profile = self.shown_profile(user);
        for room in self.rooms_of(user) {
            let before = self.known().rooms.get(&room).and_then(|held| {
                held.room.state_event("m.room.member", user).map(|event| event.content().clone())
            });
            let mut content = before.unwrap_or_default();
            // Who is in needs nobody's authority to stay, and gives no reason anew.
            let gone: BTreeSet<_> =
                SHOWN.into_iter().chain(["join_authorised_via_users_server", "reason"]).collect();
            content.retain(|key, _| !gone.contains(key.as_str()));
            content.extend(profile.as_object().cloned().unwrap_or_default());
            if self.has(Fault::ProfileClaimsAuthority) {
                content.insert("join_authorised_via_users_server".to_owned(), json!(user));
            }
            // A room that does not let the user speak keeps the old profile.
            let _: Result<String, Refusal> =
                self.say(&room, user, Saying::state("m.room.member", user, Value::Object(content)));
        }
    }
}
