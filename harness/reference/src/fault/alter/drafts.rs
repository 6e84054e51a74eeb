//! What is wrong with a server's own events before they are signed.

use samklang_matrix::{Draft, RoomGraph, Tamper};
use serde_json::{Value, json};

use super::remove;
use crate::fault::seams::Drafted;

fn with_auth_event(pdu: &mut Value, room: &RoomGraph, kind: &str) {
    if let (Some(listed), Some(event)) = (pdu["auth_events"].as_array_mut(), room.state_event(kind, "")) {
        listed.push(json!(event.id()));
    }
}

fn without_auth_event<'a>(
    event: &Drafted<'a>,
    draft: Draft<'a>,
    kind: &'static str,
    state_key: &str,
) -> Draft<'a> {
    let (room, state_key) = (event.room, state_key.to_owned());
    draft.tampered(Tamper::before_hash(move |pdu| {
        let state = room.state_event(kind, &state_key);
        if let (Some(listed), Some(event)) = (pdu["auth_events"].as_array_mut(), state) {
            listed.retain(|id| id != event.id());
        }
    }))
}

fn is_member(event: &Drafted<'_>) -> bool {
    event.kind == "m.room.member"
}

pub(in crate::fault) fn without_create<'a>(event: &Drafted<'a>, draft: Draft<'a>) -> Draft<'a> {
    without_auth_event(event, draft, "m.room.create", "")
}

pub(in crate::fault) fn without_power_levels<'a>(event: &Drafted<'a>, draft: Draft<'a>) -> Draft<'a> {
    if is_member(event) { draft } else { without_auth_event(event, draft, "m.room.power_levels", "") }
}

pub(in crate::fault) fn without_join_rules<'a>(event: &Drafted<'a>, draft: Draft<'a>) -> Draft<'a> {
    if is_member(event) { without_auth_event(event, draft, "m.room.join_rules", "") } else { draft }
}

pub(in crate::fault) fn without_target<'a>(event: &Drafted<'a>, draft: Draft<'a>) -> Draft<'a> {
    match event.state_key.filter(|_| is_member(event)) {
        Some(target) => without_auth_event(event, draft, "m.room.member", target),
        None => draft,
    }
}

pub(in crate::fault) fn without_authoriser<'a>(event: &Drafted<'a>, draft: Draft<'a>) -> Draft<'a> {
    match event.content["join_authorised_via_users_server"].as_str() {
        Some(authoriser) => without_auth_event(event, draft, "m.room.member", authoriser),
        None => draft,
    }
}

pub(in crate::fault) fn with_create<'a>(event: &Drafted<'a>, draft: Draft<'a>) -> Draft<'a> {
    let room = event.room;
    if !room.version().is_named_by_create() {
        return draft;
    }
    draft.tampered(Tamper::before_hash(move |pdu| with_auth_event(pdu, room, "m.room.create")))
}

pub(in crate::fault) fn with_history_visibility<'a>(event: &Drafted<'a>, draft: Draft<'a>) -> Draft<'a> {
    let room = event.room;
    draft.tampered(Tamper::before_hash(move |pdu| with_auth_event(pdu, room, "m.room.history_visibility")))
}

pub(in crate::fault) fn with_unknown_auth_event<'a>(_: &Drafted<'a>, draft: Draft<'a>) -> Draft<'a> {
    draft.tampered(Tamper::before_hash(|pdu| pdu["auth_events"] = json!(["$of-nothing"])))
}

pub(in crate::fault) fn with_wrong_hash<'a>(_: &Drafted<'a>, draft: Draft<'a>) -> Draft<'a> {
    draft.tampered(Tamper::before_signing(|pdu| pdu["hashes"]["sha256"] = json!("AAAA")))
}

pub(in crate::fault) fn with_padded_hash<'a>(_: &Drafted<'a>, draft: Draft<'a>) -> Draft<'a> {
    draft.tampered(Tamper::before_signing(|pdu| {
        let hash = pdu["hashes"]["sha256"].as_str().unwrap_or_default();
        pdu["hashes"]["sha256"] = json!(format!("{hash}="));
    }))
}

pub(in crate::fault) fn without_depth<'a>(_: &Drafted<'a>, draft: Draft<'a>) -> Draft<'a> {
    draft.tampered(Tamper::before_hash(|pdu| remove(pdu, "depth")))
}

pub(in crate::fault) fn with_constant_depth<'a>(_: &Drafted<'a>, draft: Draft<'a>) -> Draft<'a> {
    draft.tampered(Tamper::before_hash(|pdu| pdu["depth"] = json!(1)))
}

/// After a restart the newest forward extremity is the only prev event.
pub(in crate::fault) fn after_latest<'a>(event: &Drafted<'a>, draft: Draft<'a>) -> Draft<'a> {
    if !event.is_restarted {
        return draft;
    }
    let room = event.room;
    let age = |id: &String| room.event(id).map(|it| (it.depth(), it.origin_server_ts(), id.clone()));
    draft.after(room.extremities().into_iter().max_by_key(age))
}
