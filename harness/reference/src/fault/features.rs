//! Features that a server may declare and lack all the same.

use super::{Fault, endpoints::fits};

/// A feature by its word in a vendor's descriptor, the section of the specification that describes it, and what belongs to it
/// alone: endpoints below `/_matrix/` and types of EDUs.
const FEATURES: [(&str, &str, &[&str]); 15] = [
    (
        "authenticated-media",
        "content/server-server-api.md#content-repository",
        &["federation/v1/media/download/{}", "client/v1/media/download/{}/{}"],
    ),
    ("device-lists", "content/server-server-api.md#device-management", &["federation/v1/user/devices/{}"]),
    ("knock", "content/server-server-api.md#knocking-upon-a-room", &["federation/v1/make_knock/{}/{}"]),
    // The join rule of that name is left out where templates are made.
    ("knock-restricted", "content/client-server-api/_index.md#restricted-rooms", &[]),
    ("presence", "content/server-server-api.md#presence", &["m.presence"]),
    ("public-rooms", "content/server-server-api.md#published-room-directory", &["federation/v1/publicRooms"]),
    ("receipts", "content/server-server-api.md#receipts", &["m.receipt"]),
    ("restricted-join", "content/server-server-api.md#restricted-rooms", &[]),
    ("room-summary", "content/client-server-api/_index.md#room-summary-api", &["client/v1/room_summary/{}"]),
    ("spaces", "content/server-server-api.md#spaces", &["federation/v1/hierarchy/{}"]),
    ("threads", "content/client-server-api/modules/threading.md", &["client/v1/rooms/{}/threads"]),
    (
        "timestamp-to-event",
        "content/server-server-api.md#retrieving-events",
        &["federation/v1/timestamp_to_event/{}"],
    ),
    ("to-device", "content/server-server-api.md#send-to-device-messaging", &["m.direct_to_device"]),
    ("typing", "content/server-server-api.md#typing-notifications", &["m.typing"]),
    ("uninvited-joins", "content/server-server-api.md#joining-rooms", &[]),
];

/// The words of all features that can be left out.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    FEATURES.iter().map(|(word, ..)| *word)
}

/// The section that describes the feature.
pub(super) fn section(feature: &str) -> &'static str {
    FEATURES.iter().find(|(word, ..)| *word == feature).map_or("", |(_, section, _)| section)
}

/// The faults of leaving out the features to which alone `what` belongs, a path or a type of EDUs.
pub(crate) fn left_out(what: &str) -> impl Iterator<Item = Fault> {
    let what = what.strip_prefix("/_matrix/").unwrap_or(what);
    let of = FEATURES.iter().filter(move |(.., parts)| parts.iter().any(|part| fits(part, what)));
    of.map(|(word, ..)| Fault::LeftOut(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_part_of(feature: &str, what: &str) -> bool {
        left_out(what).any(|fault| fault.name() == format!("left-out:{feature}"))
    }

    #[test]
    fn a_feature_is_left_out_where_it_is_and_nowhere_else() {
        assert!(is_part_of("threads", "/_matrix/client/v1/rooms/%21r/threads"));
        assert!(!is_part_of("threads", "/_matrix/client/v1/rooms/%21r/hierarchy"));
        assert!(!is_part_of("spaces", "/_matrix/client/v1/rooms/%21r/hierarchy"));
        assert!(!is_part_of("restricted-join", "/_matrix/federation/v1/make_join/%21r/%40u"));
        assert!(is_part_of("typing", "m.typing") && !is_part_of("typing", "m.receipt"));
        assert!(words().all(|word| section(word).starts_with("content/")));
    }
}
