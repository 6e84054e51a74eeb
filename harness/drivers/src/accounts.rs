//! The driver for a server that does not belong to the run, where it cannot register users. It lends existing accounts,
//! each to one play at a time. Afterwards the account leaves the rooms that it joined.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use samklang_matrix::endpoints::client as endpoints;
use samklang_verdict::Party;
use serde_json::{Value, json};

use super::{
    Answered, CallError, CallResult, Driver, Session,
    http::{ApiClient, ApiResponse, CALL_BOUND},
    matrix::MatrixSession,
};
use samklang_wire::{certificates::Secret, waiting};

/// The time limit for the previous play's users to hand back their accounts.
const HANDING_BACK: Duration = Duration::from_secs(20);
/// The time limit of a call that tidies up.
const TIDYING: Duration = Duration::from_secs(10);
/// The fields of a profile that scenarios change.
const FIELDS: [&str; 2] = ["displayname", "avatar_url"];

/// An existing user, and an access token of that user.
#[derive(Debug)]
pub struct TargetAccount {
    user_id: String,
    token: Secret,
    state: Mutex<AccountState>,
}

#[derive(Debug, Default)]
struct AccountState {
    /// The play that has the account.
    play: Option<String>,
    /// The rooms that the account joined and has not left yet.
    rooms: BTreeSet<String>,
    /// The original profile; `None` before a play changes it.
    profile: Option<Value>,
}

/// A lent account. Dropping it hands the account back.
#[derive(Debug)]
pub(super) struct Lease {
    account: Arc<TargetAccount>,
    found: Value,
}

impl TargetAccount {
    /// The account of this user, with this access token.
    pub fn new(user_id: String, token: Secret) -> Self {
        Self { user_id, token, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, AccountState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    pub(super) fn was_in(&self, room: &str) {
        self.account.state().rooms.insert(room.to_owned());
    }

    pub(super) fn changes_profile(&self) {
        self.account.state().profile.get_or_insert_with(|| self.found.clone());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.account.state().play = None;
    }
}

/// Lends accounts as users.
pub struct AccountDriver {
    api: ApiClient,
    accounts: Vec<Arc<TargetAccount>>,
}

impl AccountDriver {
    /// A driver of the client API behind `api` with these accounts.
    pub fn new(api: ApiClient, accounts: Vec<TargetAccount>) -> Self {
        Self { api, accounts: accounts.into_iter().map(Arc::new).collect() }
    }

    /// Takes a free account. Returns `None` if another play may hand one back, and an error if this play has all of
    /// them.
    fn free(&self, play: &str) -> Option<Result<Arc<TargetAccount>, CallError>> {
        let mut others = false;
        for account in &self.accounts {
            let mut state = account.state();
            match &state.play {
                None => {
                    state.play = Some(play.to_owned());
                    return Some(Ok(Arc::clone(account)));
                }
                Some(holder) => others |= holder != play,
            }
        }
        (!others).then_some(Err(CallError::NoFurtherUser { users: self.accounts.len() }))
    }

    async fn ask(
        &self,
        account: &TargetAccount,
        (method, path): (&str, &str),
        body: Option<Value>,
        bound: Duration,
    ) -> Result<ApiResponse, CallError> {
        let token = Some(account.token.expose());
        let request = self.api.json_request(method, path, token, body.as_ref())?;
        self.api.call_well(Party::Harness, request, bound).await
    }

    /// Makes the account leave the rooms of the previous play. Refusals of the server are ignored.
    async fn take_out(&self, account: &TargetAccount) {
        let rooms = std::mem::take(&mut account.state().rooms);
        for room in rooms {
            for path in [endpoints::leave(&room), endpoints::forget(&room)] {
                let _ = self.ask(account, ("POST", &path), Some(json!({})), TIDYING).await;
            }
        }
    }

    async fn restore_profile(&self, account: &TargetAccount) {
        let Some(found) = account.state().profile.take() else { return };
        for field in FIELDS {
            let value = found[field].as_str().unwrap_or_default();
            let path = endpoints::profile_field(&account.user_id, field);
            let _ = self.ask(account, ("PUT", &path), Some(json!({field: value})), TIDYING).await;
        }
    }

    async fn profile(&self, account: &TargetAccount) -> Value {
        let path = endpoints::profile(&account.user_id);
        // A server may answer 404 for a user without a profile.
        match self.ask(account, ("GET", &path), None, CALL_BOUND).await {
            Ok(reply) => reply.json().unwrap_or_default(),
            Err(_) => Value::Null,
        }
    }
}

#[async_trait]
impl Driver for AccountDriver {
    async fn register(&self, localpart: &str, name: &str) -> CallResult<Box<dyn Session>> {
        // The localpart ends with the nonce of the play.
        let play = localpart.rsplit_once('-').map_or(localpart, |(_, nonce)| nonce);
        let free = waiting::until_send(HANDING_BACK, || std::future::ready(self.free(play))).await;
        let account = match free {
            Ok(free) => free?,
            Err(_) => return Err(CallError::NoFurtherUser { users: self.accounts.len() }),
        };
        let mut lease = Lease { account, found: Value::Null };
        let account = Arc::clone(&lease.account);
        self.take_out(&account).await;
        if account.state().profile.is_none() {
            lease.found = self.profile(&account).await;
        }
        let reply = self.ask(&account, ("GET", endpoints::WHOAMI.template), None, CALL_BOUND).await?;
        if reply.json()?["user_id"] != *account.user_id {
            let what = "the token is another user's by now".to_owned();
            return Err(CallError::Malformed { what, exchange: reply.exchange });
        }
        let session = MatrixSession {
            api: self.api.clone(),
            me: Party::User { name: name.to_owned() },
            user_id: account.user_id.clone(),
            token: account.token.expose().to_owned(),
            lent: Some(lease),
            password: None,
        };
        Ok(Answered { value: Box::new(session), exchange: reply.exchange })
    }

    async fn tidy(&self) {
        for account in &self.accounts {
            self.take_out(account).await;
            self.restore_profile(account).await;
        }
    }
}
