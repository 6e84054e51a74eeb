//! What has a form on the wire, and can be out of shape: endpoints and signals.

use serde_json::{Value, json};

macro_rules! endpoints {
    ($($name:ident, $kebab:literal, $method:literal, $path:literal, $section:literal;)+) => {
        /// An endpoint between servers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Endpoint {
            $(#[doc = concat!("`", $method, " /_matrix/", $path, "`")] $name,)+
        }

        impl Endpoint {
            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $kebab,)+ }
            }

            /// The section of the specification that gives its form.
            pub(super) fn section(self) -> &'static str {
                match self { $(Self::$name => concat!("content/server-server-api.md#", $section),)+ }
            }

            /// The endpoint that is asked.
            pub(crate) fn of(method: &str, path: &str) -> Option<Self> {
                let path = path.strip_prefix("/_matrix/")?;
                $(if method == $method && fits($path, path) { return Some(Self::$name); })+
                None
            }
        }
    };
}

endpoints! {
    Backfill, "backfill", "GET", "federation/v1/backfill/{}", "backfilling-and-retrieving-missing-events";
    MissingEvents, "get-missing-events", "POST", "federation/v1/get_missing_events/{}", "backfilling-and-retrieving-missing-events";
    EventAuth, "event-auth", "GET", "federation/v1/event_auth/{}/{}", "retrieving-event-authorization-information";
    Event, "event", "GET", "federation/v1/event/{}", "retrieving-events";
    State, "state", "GET", "federation/v1/state/{}", "retrieving-events";
    StateIds, "state-ids", "GET", "federation/v1/state_ids/{}", "retrieving-events";
    Timestamp, "timestamp-to-event", "GET", "federation/v1/timestamp_to_event/{}", "retrieving-events";
    Invite, "invite", "PUT", "federation/v2/invite/{}/{}", "inviting-to-a-room";
    MakeJoin, "make-join", "GET", "federation/v1/make_join/{}/{}", "joining-rooms";
    SendJoin, "send-join", "PUT", "federation/v2/send_join/{}/{}", "joining-rooms";
    MakeKnock, "make-knock", "GET", "federation/v1/make_knock/{}/{}", "knocking-upon-a-room";
    SendKnock, "send-knock", "PUT", "federation/v1/send_knock/{}/{}", "knocking-upon-a-room";
    MakeLeave, "make-leave", "GET", "federation/v1/make_leave/{}/{}", "leaving-rooms-rejecting-invites";
    SendLeave, "send-leave", "PUT", "federation/v2/send_leave/{}/{}", "leaving-rooms-rejecting-invites";
    ServerKeys, "server-keys", "GET", "key/v2/server", "publishing-keys";
    KeyQuery, "key-query", "GET", "key/v2/query/{}", "querying-keys-through-another-server";
    KeyQueries, "key-queries", "POST", "key/v2/query", "querying-keys-through-another-server";
    PublicRooms, "public-rooms", "GET", "federation/v1/publicRooms", "published-room-directory";
    PublicRoomsSearch, "public-rooms-search", "POST", "federation/v1/publicRooms", "published-room-directory";
    Directory, "query-directory", "GET", "federation/v1/query/directory", "querying-for-information";
    Profile, "query-profile", "GET", "federation/v1/query/profile", "querying-for-information";
    Hierarchy, "hierarchy", "GET", "federation/v1/hierarchy/{}", "spaces";
    Send, "send", "PUT", "federation/v1/send/{}", "transactions";
    UserDevices, "user-devices", "GET", "federation/v1/user/devices/{}", "device-management";
    KeysClaim, "user-keys-claim", "POST", "federation/v1/user/keys/claim", "end-to-end-encryption";
    KeysQuery, "user-keys-query", "POST", "federation/v1/user/keys/query", "end-to-end-encryption";
    Version, "version", "GET", "federation/v1/version", "server-implementation";
    OpenId, "openid", "GET", "federation/v1/openid/userinfo", "openid";
}

impl Endpoint {
    /// Those that the suite has a server ask with a query or a body.
    pub(super) const ASKED: &[Self] = &[
        Self::Backfill,
        Self::MissingEvents,
        Self::State,
        Self::Invite,
        Self::MakeJoin,
        Self::SendJoin,
        Self::MakeKnock,
        Self::SendKnock,
        Self::SendLeave,
        Self::Profile,
        Self::Send,
        Self::KeysClaim,
        Self::KeysQuery,
        Self::Directory,
    ];
    /// Those that the suite has a server answer.
    pub(super) const ANSWERED: &[Self] = &[
        Self::Backfill,
        Self::MissingEvents,
        Self::EventAuth,
        Self::Event,
        Self::State,
        Self::StateIds,
        Self::Invite,
        Self::MakeJoin,
        Self::SendJoin,
        Self::MakeKnock,
        Self::SendKnock,
        Self::MakeLeave,
        Self::ServerKeys,
        Self::Profile,
        Self::Hierarchy,
        Self::Send,
        Self::UserDevices,
        Self::KeysQuery,
        Self::KeysClaim,
        Self::KeyQuery,
        Self::KeyQueries,
        Self::PublicRooms,
        Self::PublicRoomsSearch,
        Self::Directory,
        Self::Timestamp,
        Self::Version,
        Self::OpenId,
    ];
}

pub(super) fn fits(pattern: &str, path: &str) -> bool {
    let (wanted, segments) = (pattern.split('/'), path.split('/'));
    wanted.clone().count() == segments.clone().count()
        && wanted.zip(segments).all(|(wanted, segment)| wanted == "{}" || wanted == segment)
}

/// An object all of whose fields have another type than theirs. What they hold is there, so that it is known what it is
/// about.
pub(crate) fn misshapen(value: &Value) -> Value {
    let odd = |value: &Value| match value {
        Value::Number(number) => json!(number.to_string()),
        Value::Array(_) => json!({ "list": value }),
        _ => json!([value]),
    };
    let fields = value.as_object().into_iter().flatten();
    Value::Object(fields.map(|(key, value)| (key.clone(), odd(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_known_by_its_method_and_path() {
        let of = |method, path| Endpoint::of(method, path).map(Endpoint::name);
        assert_eq!(of("GET", "/_matrix/federation/v1/state/%21r"), Some("state"));
        assert_eq!(of("GET", "/_matrix/key/v2/query/a.test"), Some("key-query"));
        assert_eq!(of("POST", "/_matrix/federation/v1/publicRooms"), Some("public-rooms-search"));
        assert_eq!(of("PUT", "/_matrix/federation/v1/state/%21r"), None);
        assert_eq!(of("GET", "/_matrix/federation/v1/state"), None);
        let bent = json!({"a": "1", "b": {"list": [2]}, "c": ["d"]});
        assert_eq!(misshapen(&json!({"a": 1, "b": [2], "c": "d"})), bent);
    }
}
