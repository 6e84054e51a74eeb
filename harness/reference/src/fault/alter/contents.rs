//! Faults in the events that a server writes by itself: rooms as they are created, and profiles.

use serde_json::{Value, json};

use super::remove;
use crate::fault::seams::Author;

pub(in crate::fault) fn creator_misplaced(author: &Author<'_>, content: &mut Value) {
    if author.names_creator {
        remove(content, "creator");
    } else {
        content["creator"] = json!(author.user);
    }
}

pub(in crate::fault) fn level_as_text(_: &Author<'_>, content: &mut Value) {
    content["kick"] = json!("50");
}

pub(in crate::fault) fn tombstone_for_administrators(_: &Author<'_>, content: &mut Value) {
    content["events"]["m.room.tombstone"] = json!(50);
}

pub(in crate::fault) fn with_creator(author: &Author<'_>, content: &mut Value) {
    content["users"][author.user] = json!(100);
}

pub(in crate::fault) fn without_predecessor(_: &Author<'_>, content: &mut Value) {
    remove(content, "predecessor");
}

pub(in crate::fault) fn no_profile(_: &Author<'_>, profile: &mut Value) {
    *profile = json!({});
}

pub(in crate::fault) fn no_avatar(_: &Author<'_>, profile: &mut Value) {
    remove(profile, "avatar_url");
}

pub(in crate::fault) fn with_authoriser(author: &Author<'_>, content: &mut Value) {
    content["join_authorised_via_users_server"] = json!(author.user);
}
