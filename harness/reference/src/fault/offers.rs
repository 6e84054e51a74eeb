//! What a server may be declared to offer, and leave out all the same.

use super::forms::fits;

/// A feature by its word in a vendor's descriptor, the section of the specification that it is in, and the endpoints below
/// `/_matrix/` that nobody needs for anything else.
const OFFERS: [(&str, &str, &[&str]); 10] = [
    (
        "authenticated-media",
        "content/server-server-api.md#content-repository",
        &["federation/v1/media/download/{}", "client/v1/media/download/{}/{}"],
    ),
    ("device-lists", "content/server-server-api.md#device-management", &["federation/v1/user/devices/{}"]),
    ("knock", "content/server-server-api.md#knocking-upon-a-room", &["federation/v1/make_knock/{}/{}"]),
    // What the join rule of that name stands for is left out where a room is looked at.
    ("knock-restricted", "content/client-server-api/_index.md#restricted-rooms", &[]),
    ("public-rooms", "content/server-server-api.md#published-room-directory", &["federation/v1/publicRooms"]),
    ("restricted-join", "content/server-server-api.md#restricted-rooms", &[]),
    ("room-summary", "content/client-server-api/_index.md#room-summary-api", &["client/v1/room_summary/{}"]),
    ("spaces", "content/server-server-api.md#spaces", &["federation/v1/hierarchy/{}"]),
    ("threads", "content/client-server-api/modules/threading.md", &["client/v1/rooms/{}/threads"]),
    (
        "timestamp-to-event",
        "content/server-server-api.md#retrieving-events",
        &["federation/v1/timestamp_to_event/{}"],
    ),
];

/// The words of all features that can be left out.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    OFFERS.iter().map(|(word, ..)| *word)
}

/// The section that says what the feature is.
pub(super) fn section(feature: &str) -> &'static str {
    OFFERS.iter().find(|(word, ..)| *word == feature).map_or("", |(_, section, _)| section)
}

/// Whether nothing but this feature answers at `path`.
pub(crate) fn is_at(feature: &str, path: &str) -> bool {
    let Some(path) = path.strip_prefix("/_matrix/") else { return false };
    let mut endpoints = OFFERS.iter().filter(|(word, ..)| *word == feature).flat_map(|(.., paths)| *paths);
    endpoints.any(|pattern| fits(pattern, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_left_out_where_it_is_and_nowhere_else() {
        assert!(is_at("threads", "/_matrix/client/v1/rooms/%21r/threads"));
        assert!(!is_at("threads", "/_matrix/client/v1/rooms/%21r/hierarchy"));
        assert!(!is_at("spaces", "/_matrix/client/v1/rooms/%21r/hierarchy"));
        assert!(!is_at("restricted-join", "/_matrix/federation/v1/make_join/%21r/%40u"));
        assert!(words().all(|word| section(word).starts_with("content/")));
    }
}
