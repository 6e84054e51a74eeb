//! The table is held against ruma's endpoints and against the definitions of the specification.

use std::collections::{BTreeMap, BTreeSet};

use ruma::api::{
    Metadata, federation,
    path_builder::{PathBuilder, SinglePath},
};

use super::*;

/// Method, path, definition file and required query parameters of each endpoint, separated by tabs, as OpenAPI
/// definitions of version 1.19 of the specification have them.
const DEFINITIONS: &str = include_str!("../../../../fixtures/specification/endpoints.tsv");

/// Method and path.
type Place = (String, String);

fn definitions(api: &str) -> BTreeMap<Place, BTreeSet<String>> {
    let rows = DEFINITIONS.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    let rows = rows.filter(|row| row[2].starts_with(api));
    let query = |list: &str| list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    rows.map(|row| ((row[0].to_owned(), row[1].to_owned()), query(row[3]))).collect()
}

fn places(table: &[&Endpoint]) -> BTreeMap<Place, BTreeSet<String>> {
    let query = |endpoint: &Endpoint| endpoint.query.iter().map(|name| (*name).to_owned()).collect();
    let entry =
        |endpoint: &&Endpoint| ((endpoint.method.to_owned(), endpoint.template.to_owned()), query(endpoint));
    table.iter().map(entry).collect()
}

#[test]
fn the_tables_hold_what_the_specification_defines() {
    assert_eq!(places(ALL), definitions("server-server/"));
    assert_eq!(places(client::ALL), definitions("client-server/"));
}

/// A path without the names of its parameters, which ruma writes otherwise.
fn nameless(template: &str) -> String {
    let segments = template.split('/').map(|segment| parameter(segment).map_or(segment, |_| "{}"));
    segments.collect::<Vec<_>>().join("/")
}

fn of_ruma<T: Metadata<PathBuilder = SinglePath>>() -> Place {
    let path = T::PATH_BUILDER.all_paths().next().unwrap_or_default();
    (T::METHOD.to_string(), nameless(path))
}

#[test]
fn ruma_has_the_same_endpoints() {
    use federation::{
        authenticated_media, authorization, backfill, device, directory, discovery, event, keys, membership,
        openid, policy, query, space, thirdparty, transactions,
    };
    let theirs = BTreeSet::from([
        of_ruma::<backfill::get_backfill::v1::Request>(),
        of_ruma::<event::get_missing_events::v1::Request>(),
        of_ruma::<authorization::get_event_authorization::v1::Request>(),
        of_ruma::<event::get_event::v1::Request>(),
        of_ruma::<event::get_room_state::v1::Request>(),
        of_ruma::<event::get_room_state_ids::v1::Request>(),
        of_ruma::<event::get_event_by_timestamp::v1::Request>(),
        of_ruma::<membership::create_invite::v2::Request>(),
        of_ruma::<membership::create_invite::v1::Request>(),
        of_ruma::<membership::prepare_join_event::v1::Request>(),
        of_ruma::<membership::create_join_event::v2::Request>(),
        of_ruma::<membership::prepare_knock_event::v1::Request>(),
        of_ruma::<membership::create_knock_event::v1::Request>(),
        of_ruma::<membership::prepare_leave_event::v1::Request>(),
        of_ruma::<membership::create_leave_event::v2::Request>(),
        of_ruma::<discovery::get_remote_server_keys::v2::Request>(),
        of_ruma::<discovery::get_remote_server_keys_batch::v2::Request>(),
        of_ruma::<discovery::get_server_keys::v2::Request>(),
        of_ruma::<openid::get_openid_userinfo::v1::Request>(),
        of_ruma::<directory::get_public_rooms::v1::Request>(),
        of_ruma::<directory::get_public_rooms_filtered::v1::Request>(),
        of_ruma::<query::get_room_information::v1::Request>(),
        of_ruma::<query::get_profile_information::v1::Request>(),
        of_ruma::<query::get_custom_information::v1::Request>(),
        of_ruma::<policy::sign_event::v1::Request>(),
        of_ruma::<space::get_hierarchy::v1::Request>(),
        of_ruma::<thirdparty::bind_callback::v1::Request>(),
        of_ruma::<thirdparty::exchange_invite::v1::Request>(),
        of_ruma::<transactions::send_transaction_message::v1::Request>(),
        of_ruma::<device::get_devices::v1::Request>(),
        of_ruma::<keys::claim_keys::v1::Request>(),
        of_ruma::<keys::get_keys::v1::Request>(),
        of_ruma::<authenticated_media::get_content::v1::Request>(),
        of_ruma::<authenticated_media::get_content_thumbnail::v1::Request>(),
        of_ruma::<discovery::get_server_version::v1::Request>(),
        of_ruma::<discovery::discover_homeserver::Request>(),
    ]);
    let place = |endpoint: &&Endpoint| (endpoint.method.to_owned(), nameless(endpoint.template));
    let ours: BTreeSet<_> = ALL.iter().map(place).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn an_endpoint_is_found_by_method_and_path() {
    let name = |method, path| find(method, path).map(|endpoint| endpoint.name);
    assert_eq!(name("GET", "/_matrix/federation/v1/state/%21r?event_id=%24e"), Some("state"));
    assert_eq!(name("GET", "/_matrix/federation/v1/state/%21r/"), Some("state"));
    assert_eq!(name("GET", "/_matrix/key/v2/query/a.test"), Some("key-query"));
    assert_eq!(name("POST", "/_matrix/federation/v1/publicRooms"), Some("public-rooms-search"));
    assert_eq!(name("GET", "/_matrix/federation/v1/query/profile"), Some("query-profile"));
    assert_eq!(name("GET", "/_matrix/federation/v1/query/other"), Some("query-other"));
    assert_eq!(name("PUT", "/_matrix/federation/v1/state/%21r"), None);
    assert_eq!(name("GET", "/_matrix/federation/v1/state"), None);
    let names: BTreeSet<_> = ALL.iter().map(|endpoint| endpoint.name).collect();
    assert_eq!(names.len(), ALL.len());
}

/// The path that each endpoint makes of enough values leads back to it.
#[test]
fn each_path_leads_back_to_its_endpoint() {
    for endpoint in ALL {
        let values: Vec<_> = endpoint.parameters().map(|_| "a/b?c").collect();
        assert_eq!(find(endpoint.method, &endpoint.path(&values)), Some(*endpoint));
    }
}

#[test]
fn builders_fill_in_all_parameters_and_the_required_query() {
    let (room, event, user) = ("!r:a.test", "$e/+", "@u:a.test");
    let table = [
        (&BACKFILL, paths::backfill(room, [event, event], 5)),
        (&GET_MISSING_EVENTS, paths::get_missing_events(room)),
        (&EVENT_AUTH, paths::event_auth(room, event)),
        (&EVENT, paths::event(event)),
        (&STATE, paths::state(room, event)),
        (&STATE_IDS, paths::state_ids(room, event)),
        (&TIMESTAMP_TO_EVENT, paths::timestamp_to_event(room, 5, "f")),
        (&INVITE, paths::invite(room, event)),
        (&MAKE_JOIN, paths::make_member("join", room, user, &["11", "12"])),
        (&SEND_JOIN, paths::send_member("join", room, event)),
        (&MAKE_KNOCK, paths::make_member("knock", room, user, &["12"])),
        (&SEND_KNOCK, paths::send_member("knock", room, event)),
        (&MAKE_LEAVE, paths::make_member("leave", room, user, &["12"])),
        (&SEND_LEAVE, paths::send_member("leave", room, event)),
        (&KEY_QUERY, paths::key_query("a.test")),
        (&OPENID, paths::openid("t&")),
        (&QUERY_DIRECTORY, paths::query_directory("#a:a.test")),
        (&QUERY_PROFILE, paths::query_profile(user)),
        (&HIERARCHY, paths::hierarchy(room)),
        (&SEND, paths::send("1")),
        (&USER_DEVICES, paths::user_devices(user)),
        (&MEDIA_DOWNLOAD, paths::media_download("m")),
    ];
    for (endpoint, path) in &table {
        assert_eq!(find(endpoint.method, path), Some(*endpoint), "{path}");
        assert!(!path.contains("//") && !path.ends_with('/'), "{path}");
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let names: BTreeSet<_> = query.split('&').map(|pair| pair.split('=').next().unwrap()).collect();
        assert!(endpoint.query.iter().all(|name| names.contains(name)), "{path}");
    }
    let backfill = "/_matrix/federation/v1/backfill/%21r%3Aa%2Etest?v=%24e%2F%2B&v=%24e%2F%2B&limit=5";
    assert_eq!(table[0].1, backfill);
    assert_eq!(paths::send("t1-a_b/c"), "/_matrix/federation/v1/send/t1-a_b%2Fc");
}

#[test]
fn builders_of_the_client_server_api_lead_to_their_endpoints() {
    let table = [
        (&client::PROFILE, client::profile("@u:a.test")),
        (&client::SET_PROFILE_FIELD, client::profile_field("@u:a.test", "displayname")),
        (&client::LEAVE, client::leave("!r")),
        (&client::FORGET, client::forget("!r")),
        (&client::RENAME_DEVICE, client::device("A/B")),
        (&client::SEND_TO_DEVICE, client::send_to_device("m.x", "1")),
        (&client::SET_ALIAS, client::alias("#a:a.test")),
        (&client::SET_VISIBILITY, client::visibility("!r")),
        (&client::OPENID_TOKEN, client::openid_token("@u:a.test")),
        (&client::ROOM_SUMMARY, client::room_summary("!r")),
        (&client::THREADS, client::threads("!r")),
    ];
    for (endpoint, path) in table {
        assert!(endpoint.matches(endpoint.method, &path) && path.starts_with(client::ROOT), "{path}");
        assert!(!path.contains("//") && !path.ends_with('/'), "{path}");
    }
}
