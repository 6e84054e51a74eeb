//! The room versions that homeservers here take part in.

pub(crate) const ROOM_VERSIONS: [&str; 10] = ["3", "4", "5", "6", "7", "8", "9", "10", "11", "12"];
/// The version of rooms whose creators name none.
pub(crate) const DEFAULT_ROOM_VERSION: &str = "12";
