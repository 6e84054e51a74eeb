//! Accounts, and who is logged in with which device (client-server API, account registration, login).

use std::collections::{BTreeMap, BTreeSet};

use samklang_matrix::is_user_id;
use serde_json::{Map, Value, json};

use super::Call;
use crate::{
    fault::Fault,
    homeserver::{Homeserver, Position},
    reply::{Refusal, Reply, Said, refuse},
    signals::to_device::Note,
};

/// The users of a server.
#[derive(Default)]
pub(crate) struct Users {
    /// By user id.
    pub(crate) accounts: BTreeMap<String, Account>,
    /// By access token.
    logins: BTreeMap<String, Login>,
    /// The registrations that have been begun.
    sessions: BTreeSet<String>,
    /// Who is behind the tokens that were given out to prove it to others (OpenID).
    openid: BTreeMap<String, String>,
}

/// A user.
#[derive(Debug, Default)]
pub(crate) struct Account {
    password: String,
    /// The profile's fields.
    pub(crate) profile: Map<String, Value>,
    /// By device id.
    pub(crate) devices: BTreeMap<String, Device>,
    /// The rooms that the user has left and wants to hear no more of.
    pub(crate) forgotten: BTreeSet<String>,
    /// What clients keep here, by room (empty for all) and type, and since when.
    pub(crate) data: BTreeMap<(String, String), (Value, Position)>,
    /// The cross-signing keys, by `master_key`, `self_signing_key` and `user_signing_key`.
    pub(crate) signing: BTreeMap<String, Value>,
    /// The number of the latest change of a device.
    pub(crate) device_stream: i64,
}

/// A device of a user's.
#[derive(Debug, Default)]
pub(crate) struct Device {
    pub(crate) display_name: Option<String>,
    /// What each transaction of the client's came to, by what was asked and the transaction's id.
    pub(crate) sent: BTreeMap<(String, String), String>,
    /// The device keys, signed by the device; null where there are none.
    pub(crate) keys: Value,
    /// Each is given out once, by id.
    pub(crate) one_time_keys: BTreeMap<String, Value>,
    /// What is given out when no one-time key is left, by id.
    pub(crate) fallback_keys: BTreeMap<String, Value>,
    /// The algorithms whose key of that kind was given out.
    pub(crate) used_fallback_keys: BTreeSet<String>,
    /// What was sent to it alone and is not known to have arrived.
    pub(crate) inbox: Vec<Note>,
}

impl Device {
    /// The algorithms for which there is a key for when no one-time key is left, and which was not given out yet.
    pub(crate) fn unused_fallback_keys(&self) -> BTreeSet<&str> {
        let algorithms = self.fallback_keys.keys().map(|id| id.split(':').next().unwrap_or_default());
        algorithms.filter(|algorithm| !self.used_fallback_keys.contains(*algorithm)).collect()
    }
}

/// A user and the device that is used.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) device: String,
}

fn random(length: usize) -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(length).collect()
}

impl Users {
    /// Who a token was given to.
    pub(crate) fn login(&self, token: &str) -> Option<Login> {
        self.logins.get(token).cloned()
    }

    pub(crate) fn account(&mut self, user: &str) -> Option<&mut Account> {
        self.accounts.get_mut(user)
    }

    pub(crate) fn device(&self, user: &str, device: &str) -> Option<&Device> {
        self.accounts.get(user)?.devices.get(device)
    }

    pub(crate) fn device_mut(&mut self, user: &str, device: &str) -> Option<&mut Device> {
        self.accounts.get_mut(user)?.devices.get_mut(device)
    }

    /// Takes all tokens for strangers' from now on.
    pub(crate) fn forget_logins(&mut self) {
        self.logins.clear();
    }

    /// Takes a device away; whether there was one.
    pub(crate) fn remove_device(&mut self, user: &str, device: &str) -> bool {
        self.logins.retain(|_, login| login.user != user || login.device != device);
        self.accounts.get_mut(user).is_some_and(|account| account.devices.remove(device).is_some())
    }

    /// Has a user use a device, a new one where none is named; what the client is told.
    fn enter(&mut self, user: &str, body: &Value) -> Value {
        let device = body["device_id"].as_str().map_or_else(|| random(10).to_uppercase(), str::to_owned);
        let token = random(32);
        let account = self.accounts.entry(user.to_owned()).or_default();
        let held = account.devices.entry(device.clone()).or_default();
        if let Some(name) = body["initial_device_display_name"].as_str() {
            held.display_name = Some(name.to_owned());
        }
        let answer = json!({"user_id": user, "access_token": token, "device_id": device});
        self.logins.retain(|_, login| login.user != user || login.device != device);
        self.logins.insert(token, Login { user: user.to_owned(), device });
        answer
    }
}

impl Homeserver {
    /// Whether this server has this user. Every localpart is one of a scripted server's.
    pub(crate) fn has_user(&self, user: &str) -> bool {
        !self.is_live() || self.known().users.accounts.contains_key(user)
    }

    /// Registers a user, once the one stage of the only flow is passed (user-interactive authentication).
    pub(super) fn register(&self, body: &Value) -> Said {
        let mut known = self.known();
        let session = body["auth"]["session"].as_str().unwrap_or_default();
        let passed = body["auth"]["type"] == "m.login.dummy" && known.users.sessions.remove(session);
        if !passed {
            let session = random(16);
            known.users.sessions.insert(session.clone());
            let flows = json!([{ "stages": ["m.login.dummy"] }]);
            let challenge = json!({"flows": flows, "params": {}, "session": session});
            return Said { status: 401, ..Said::from(challenge) };
        }
        let localpart = body["username"].as_str().map_or_else(|| random(8).to_lowercase(), str::to_owned);
        let odd = self.has(Fault::UserIdsOdd);
        let shown = if odd { localpart.to_uppercase() } else { localpart.clone() };
        let user = format!("@{shown}:{}", self.name());
        // User ids that are made today keep to fewer characters than servers have to put up with (appendices, user
        // identifiers).
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._=-/+".contains(&byte);
        let answer = if localpart.is_empty() || !localpart.bytes().all(allowed) || !is_user_id(&user) {
            refuse(400, "M_INVALID_USERNAME", format!("{user} is no user id"))
        } else if self.has(Fault::RegistrationRefused) {
            refuse(403, "M_FORBIDDEN", "nobody can register")
        } else if known.users.accounts.contains_key(&user) {
            refuse(400, "M_USER_IN_USE", format!("{user} exists"))
        } else {
            let password = body["password"].as_str().unwrap_or_default().to_owned();
            let profile = Map::from_iter([("displayname".to_owned(), json!(localpart))]);
            let account = Account { password, profile, ..Account::default() };
            known.users.accounts.insert(user.clone(), account);
            Ok(known.users.enter(&user, body))
        };
        answer.map_or_else(|refusal: Refusal| Said::from(refusal), Said::from)
    }

    pub(super) fn log_in(&self, body: &Value) -> Reply {
        let named = body["identifier"]["user"].as_str().or(body["user"].as_str()).unwrap_or_default();
        let user =
            if named.starts_with('@') { named.to_owned() } else { format!("@{named}:{}", self.name()) };
        let mut known = self.known();
        let account = known.users.accounts.get(&user);
        if account.is_none_or(|account| body["password"] != *account.password) {
            return refuse(403, "M_FORBIDDEN", "no such user, or another password");
        }
        let answer = known.users.enter(&user, body);
        drop(known);
        self.device_changed(&user, answer["device_id"].as_str().unwrap_or_default());
        Ok(answer)
    }

    /// Ends the use of a device, or of all of the user's.
    pub(super) fn log_out(&self, call: &Call<'_>, everywhere: bool) -> Reply {
        let devices: Vec<_> = {
            let known = self.known();
            let account = known.users.accounts.get(&call.user);
            account.into_iter().flat_map(|account| account.devices.keys().cloned()).collect()
        };
        let ends = |id: &String| everywhere || *id == call.device;
        self.delete_devices(call, &devices.into_iter().filter(ends).collect::<Vec<_>>())
    }

    pub(super) fn give_openid_token(&self, call: &Call<'_>, user: &str) -> Reply {
        call.is_of(user)?;
        let token = random(32);
        self.known().users.openid.insert(token.clone(), user.to_owned());
        let name = self.name();
        Ok(
            json!({"access_token": token, "token_type": "Bearer", "matrix_server_name": name, "expires_in": 3600}),
        )
    }

    /// Who was given a token to prove it to others (server-server API, OpenID).
    pub(crate) fn openid_user(&self, token: &str) -> Reply {
        match self.known().users.openid.get(token) {
            Some(user) => Ok(json!({ "sub": user })),
            None if self.has(Fault::OpenidTokensBelieved) => {
                Ok(json!({ "sub": format!("@anybody:{}", self.name()) }))
            }
            None => refuse(401, "M_UNKNOWN_TOKEN", "the token was not given out"),
        }
    }
}
