//! The seams: the few places at which a homeserver's data passes on its way in or out, and at which its fault may alter
//! it. [`Change`] names them, and the table of faults lists what each fault changes at which of them.
//!
//! While a self-test wants to know which faults an honest server comes by, each seam notes the faults that would have
//! altered what passed.

use samklang_matrix::{
    Draft, Event, HeaderForge, RequestSignature, RoomFault, RoomGraph, SigningKey,
    endpoints::{self, Endpoint},
};
use serde_json::Value;

use super::{
    Fault,
    alter::misshapen,
    endpoints::fits,
    reach::{is_recording, note},
};
use crate::{
    edu_types::{EDU_TYPES, OutgoingEdu, is_well_formed},
    media_file::MediaFile,
    request::ParsedRequest,
    response::{ErrorResponse, FullResponse, JsonResult, error_response},
};

/// A server, as far as a seam needs to know it.
#[derive(Clone, Copy)]
pub(crate) struct Identity<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// The key it signs with.
    pub(crate) key: &'a SigningKey,
    /// Its fault.
    pub(crate) fault: Option<Fault>,
}

/// A request that a server sends to another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OutgoingRequest {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) body: Option<Value>,
}

/// The event that a draft is for.
#[derive(Clone, Copy)]
pub(crate) struct Drafted<'a> {
    pub(crate) room: &'a RoomGraph,
    pub(crate) kind: &'a str,
    pub(crate) state_key: Option<&'a str>,
    pub(crate) content: &'a Value,
    /// Whether the server was restarted.
    pub(crate) is_restarted: bool,
}

/// The reason for which a server writes the content of an event by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The create event of a new room.
    Creation,
    /// The first power levels of a new room.
    FirstPowerLevels,
    /// The power levels that a new room has from the one it replaces.
    CopiedPowerLevels,
    /// The create event of the room that replaces another.
    Upgrade,
    /// What member events show of a user's profile.
    Profile,
    /// A member event after a change of the profile.
    ProfileChange,
}

/// What a seam needs to know of an event whose content the server writes.
#[derive(Clone, Copy)]
pub(crate) struct Author<'a> {
    pub(crate) user: &'a str,
    /// Whether the create event has to name the creator in its content.
    pub(crate) names_creator: bool,
}

/// A function that alters a request, or answers it in place of the server.
type OnRequest = fn(&Identity<'_>, &mut ParsedRequest) -> Option<JsonResult>;

/// What a fault changes, and where.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    /// A rule is applied otherwise: it is a branch in the rule's own function, in this file.
    Branch(&'static str),
    /// Rooms judge events otherwise.
    Judgement(RoomFault),
    /// A request of another server, before it is handled.
    Request(&'static [Endpoint], OnRequest),
    /// The path and query of a request, before its signature is verified.
    SignedTarget(fn(&str) -> String),
    /// The credentials of a request: whether the server cannot read them.
    Credentials(fn(&str) -> bool),
    /// The response to another server, after it was made.
    Response(&'static [Endpoint], fn(&Identity<'_>, &ParsedRequest, &mut JsonResult)),
    /// Any successful response to another server, as it goes out.
    Success(fn(&mut FullResponse)),
    /// Any error response to another server.
    Error(fn(ErrorResponse) -> FullResponse),
    /// Any response to another server.
    AnyResponse(fn(&mut FullResponse)),
    /// The server's key document.
    KeyDocument(fn(&Identity<'_>, &mut Value)),
    /// A PDU that another server requested.
    ServedPdu(fn(&mut Value)),
    /// A PDU in a transaction that was received: whether the server refuses it.
    IncomingPdu(fn(&str, &Event) -> bool),
    /// The result of a PDU that was checked, in the response to a transaction.
    PduResult(fn(&mut Value)),
    /// The ID under which the response to a transaction states the result of a PDU.
    PduResultId(fn(&mut String)),
    /// An EDU of this type in a transaction that was received.
    IncomingEdu(&'static str, fn(&mut Value)),
    /// Any EDU in a transaction that was received: whether the server refuses the transaction.
    AnyIncomingEdu(fn(&Value) -> bool),
    /// A request to another server, before it is signed.
    OutgoingRequest(&'static [Endpoint], fn(&mut OutgoingRequest)),
    /// Any request to another server, before it is signed.
    AnyOutgoingRequest(fn(&mut OutgoingRequest)),
    /// The credentials of a request to another server; `None` for no credentials.
    OutgoingCredentials(fn(&RequestSignature<'_>, HeaderForge) -> Option<HeaderForge>),
    /// A transaction to another server.
    OutgoingTransaction(fn(&mut Value)),
    /// A PDU to other servers; without a PDU nothing is sent.
    OutgoingPdu(fn(&Identity<'_>, &mut Option<Value>)),
    /// The content of an EDU to other servers; without content nothing is sent.
    OutgoingEdu(OutgoingEdu, fn(&mut Option<Value>)),
    /// Any EDU to other servers.
    AnyOutgoingEdu(fn(&mut Value)),
    /// An event of the server's own, before it is signed.
    Draft(for<'a> fn(&Drafted<'a>, Draft<'a>) -> Draft<'a>),
    /// A create event, before it is signed.
    DraftOfCreate(for<'a> fn(&Drafted<'a>, Draft<'a>) -> Draft<'a>),
    /// The content of an event that the server writes by itself.
    Content(&'static [Occasion], fn(&Author<'_>, &mut Value)),
    /// A request of a client: its method, patterns of its path below `/_matrix/`, and what is altered.
    ClientRequest(&'static str, &'static [&'static str], OnRequest),
    /// The response to a client, by the request's method and path.
    ClientResponse(&'static str, &'static [&'static str], fn(&mut JsonResult)),
    /// An event as clients are shown it.
    ClientEvent(fn(&mut Value)),
    /// An event as clients are shown it, together with the events that relate to it.
    BundledEvent(fn(&mut Value)),
    /// A state event as clients read it; with the room's creator.
    StateEvent(fn(&mut Value, &str)),
    /// A room's timeline as clients are shown it.
    Timeline(fn(&mut Vec<Value>)),
    /// A file that a client uploads.
    Upload(fn(&mut MediaFile)),
}

impl Identity<'_> {
    /// Whether the server has this fault.
    pub(crate) fn has(&self, fault: Fault) -> bool {
        note(fault);
        self.fault == Some(fault)
    }

    /// Alters a value by the server's fault, if that acts at the seam that `pick` chooses.
    fn alter<T: Clone + PartialEq, F>(
        &self,
        value: &mut T,
        pick: impl Fn(Change) -> Option<F>,
        apply: impl Fn(F, &mut T),
    ) {
        if is_recording() {
            for fault in Fault::OWN {
                let Some(act) = pick(fault.change()) else { continue };
                let mut altered = value.clone();
                apply(act, &mut altered);
                if altered != *value {
                    note(*fault);
                }
            }
        }
        if let Some(act) = self.fault.and_then(|fault| pick(fault.change())) {
            apply(act, value);
        }
    }

    /// Whether the server's fault, at the seam that `pick` chooses, says yes.
    fn any<F>(&self, pick: impl Fn(Change) -> Option<F>, says_yes: impl Fn(F) -> bool) -> bool {
        if is_recording() {
            let acting = |fault: &&Fault| pick(fault.change()).is_some_and(&says_yes);
            Fault::OWN.iter().filter(acting).for_each(|fault| note(*fault));
        }
        self.fault.and_then(|fault| pick(fault.change())).is_some_and(says_yes)
    }

    /// Alters a request, or answers it in place of the server.
    fn on_request(
        &self,
        request: &mut ParsedRequest,
        pick: impl Fn(Change) -> Option<OnRequest>,
    ) -> Option<JsonResult> {
        let mut passing = (request.clone(), None);
        self.alter(&mut passing, pick, |act, (request, answer)| *answer = act(self, request));
        let answer;
        (*request, answer) = passing;
        answer
    }

    /// A request of another server, before it is handled; a faulty server may answer it at once.
    pub(crate) fn request(
        &self,
        endpoint: Option<Endpoint>,
        request: &mut ParsedRequest,
    ) -> Option<JsonResult> {
        let endpoint = endpoint?;
        self.on_request(request, |change| match change {
            Change::Request(endpoints, act) if endpoints.contains(&endpoint) => Some(act),
            _ => None,
        })
    }

    /// The path and query of a request, as the server verifies their signature.
    pub(crate) fn signed_target(&self, target: &str) -> String {
        let mut target = target.to_owned();
        let pick = |change| if let Change::SignedTarget(act) = change { Some(act) } else { None };
        self.alter(&mut target, pick, |act, target| *target = act(target));
        target
    }

    /// Whether the server cannot read the credentials of a request.
    pub(crate) fn cannot_read(&self, credentials: &str) -> bool {
        let pick = |change| if let Change::Credentials(act) = change { Some(act) } else { None };
        self.any(pick, |act| act(credentials))
    }

    /// The response to another server, before it goes out.
    pub(crate) fn response(
        &self,
        endpoint: Option<Endpoint>,
        request: &ParsedRequest,
        response: &mut JsonResult,
    ) {
        let Some(endpoint) = endpoint else { return };
        let pick = |change| match change {
            Change::Response(endpoints, act) if endpoints.contains(&endpoint) => Some(act),
            _ => None,
        };
        self.alter(response, pick, |act, response| act(self, request, response));
    }

    /// A response as it goes out to another server.
    pub(crate) fn full_response(
        &self,
        endpoint: Option<Endpoint>,
        response: Result<FullResponse, ErrorResponse>,
    ) -> FullResponse {
        let mut full = match response {
            Ok(mut full) => {
                if endpoint.is_some_and(|endpoint| self.has(Fault::ResponseMisshapen(endpoint))) {
                    let body = serde_json::from_slice(&full.body).unwrap_or_default();
                    return misshapen(&body).into();
                }
                let pick = |change| if let Change::Success(act) = change { Some(act) } else { None };
                self.alter(&mut full, pick, |act, full| act(full));
                full
            }
            Err(error) => {
                let mut full = error.clone().into();
                let pick = |change| if let Change::Error(act) = change { Some(act) } else { None };
                self.alter(&mut full, pick, |act, full| *full = act(error.clone()));
                full
            }
        };
        let pick = |change| if let Change::AnyResponse(act) = change { Some(act) } else { None };
        self.alter(&mut full, pick, |act, full| act(full));
        full
    }

    /// The server's key document.
    pub(crate) fn key_document(&self, mut document: Value) -> Value {
        let pick = |change| if let Change::KeyDocument(act) = change { Some(act) } else { None };
        self.alter(&mut document, pick, |act, document| act(self, document));
        document
    }

    /// A PDU that another server requested.
    pub(crate) fn served_pdu(&self, mut pdu: Value) -> Value {
        let pick = |change| if let Change::ServedPdu(act) = change { Some(act) } else { None };
        self.alter(&mut pdu, pick, |act, pdu| act(pdu));
        pdu
    }

    /// Whether the server refuses an event that `origin` sent, though it should not.
    pub(crate) fn refuses_pdu(&self, origin: &str, event: &Event) -> bool {
        let pick = |change| if let Change::IncomingPdu(act) = change { Some(act) } else { None };
        self.any(pick, |act| act(origin, event))
    }

    /// The result of a PDU that was checked.
    pub(crate) fn pdu_result(&self, mut result: Value) -> Value {
        let pick = |change| if let Change::PduResult(act) = change { Some(act) } else { None };
        self.alter(&mut result, pick, |act, result| act(result));
        result
    }

    /// The ID under which the result of a PDU is stated.
    pub(crate) fn pdu_result_id(&self, mut id: String) -> String {
        let pick = |change| if let Change::PduResultId(act) = change { Some(act) } else { None };
        self.alter(&mut id, pick, |act, id| act(id));
        id
    }

    /// An EDU that was received.
    ///
    /// # Errors
    /// When a faulty server refuses the whole transaction because of it.
    pub(crate) fn incoming_edu(&self, edu: &mut Value) -> Result<(), ErrorResponse> {
        let kind = EDU_TYPES.into_iter().find(|kind| edu["edu_type"] == **kind);
        let pick = |change| if let Change::AnyIncomingEdu(act) = change { Some(act) } else { None };
        if self.any(pick, |act| act(edu)) {
            return Err(error_response(400, "M_UNRECOGNIZED", "the type of an EDU is not known"));
        }
        if kind.is_some_and(|kind| self.has(Fault::EduRefusesTransaction(kind))) && !is_well_formed(edu) {
            return Err(error_response(400, "M_BAD_JSON", "an EDU of the transaction is malformed"));
        }
        let pick = |change| match change {
            Change::IncomingEdu(of, act) if kind == Some(of) => Some(act),
            _ => None,
        };
        self.alter(edu, pick, |act, edu| act(edu));
        Ok(())
    }

    /// A request to another server, before it is signed.
    pub(crate) fn outgoing_request(&self, request: &mut OutgoingRequest) {
        let endpoint = endpoints::find(&request.method, &request.target).copied();
        let pick = |change| match change {
            Change::OutgoingRequest(endpoints, act) => {
                endpoint.is_some_and(|endpoint| endpoints.contains(&endpoint)).then_some(act)
            }
            Change::AnyOutgoingRequest(act) => Some(act),
            _ => None,
        };
        self.alter(request, pick, |act, request| act(request));
        if endpoint.is_some_and(|endpoint| self.has(Fault::RequestMisshapen(endpoint))) {
            request.body = request.body.as_ref().map(misshapen);
            // All parameters have other names.
            request.target = request.target.replace('?', "?x-").replace('&', "&x-");
        }
    }

    /// The credentials of a request to another server.
    pub(crate) fn outgoing_credentials(
        &self,
        request: &RequestSignature<'_>,
        forge: impl Fn() -> HeaderForge,
    ) -> Option<String> {
        let mut credentials = Some(forge().build());
        let pick = |change| if let Change::OutgoingCredentials(act) = change { Some(act) } else { None };
        self.alter(&mut credentials, pick, |act, credentials| {
            *credentials = act(request, forge()).map(|header| header.build());
        });
        credentials
    }

    /// A transaction to another server.
    pub(crate) fn outgoing_transaction(&self, mut transaction: Value) -> Value {
        let pick = |change| if let Change::OutgoingTransaction(act) = change { Some(act) } else { None };
        self.alter(&mut transaction, pick, |act, transaction| act(transaction));
        transaction
    }

    /// A PDU to other servers, if it is sent at all.
    pub(crate) fn outgoing_pdu(&self, pdu: &Value) -> Option<Value> {
        let mut pdu = Some(pdu.clone());
        let pick = |change| if let Change::OutgoingPdu(act) = change { Some(act) } else { None };
        self.alter(&mut pdu, pick, |act, pdu| act(self, pdu));
        pdu
    }

    /// An EDU to other servers, if it is sent at all.
    pub(crate) fn outgoing_edu(&self, kind: OutgoingEdu, content: Value) -> Option<Value> {
        let mut content = Some(content);
        let pick = |change| match change {
            Change::OutgoingEdu(of, act) if of == kind => Some(act),
            _ => None,
        };
        self.alter(&mut content, pick, |act, content| act(content));
        let mut content = content?;
        if self.has(Fault::EduMisshapen(kind.edu_type())) {
            content = misshapen(&content);
        }
        let mut edu = serde_json::json!({"edu_type": kind.edu_type(), "content": content});
        let pick = |change| if let Change::AnyOutgoingEdu(act) = change { Some(act) } else { None };
        self.alter(&mut edu, pick, |act, edu| act(edu));
        Some(edu)
    }

    /// An event of the server's own, before it is signed.
    pub(crate) fn draft<'a>(&self, event: &Drafted<'a>, draft: Draft<'a>) -> Draft<'a> {
        let pick = |change| match change {
            Change::Draft(act) if event.kind != "m.room.create" => Some(act),
            Change::DraftOfCreate(act) if event.kind == "m.room.create" => Some(act),
            _ => None,
        };
        if is_recording() {
            Fault::OWN.iter().filter(|fault| pick(fault.change()).is_some()).for_each(|fault| note(*fault));
        }
        match self.fault.and_then(|fault| pick(fault.change())) {
            Some(act) => act(event, draft),
            None => draft,
        }
    }

    /// The content of an event that the server writes by itself.
    pub(crate) fn content(&self, occasion: Occasion, author: &Author<'_>, content: &mut Value) {
        let pick = |change| match change {
            Change::Content(occasions, act) if occasions.contains(&occasion) => Some(act),
            _ => None,
        };
        self.alter(content, pick, |act, content| act(author, content));
    }

    /// A request of a client, before it is handled; a faulty server may answer it at once.
    pub(crate) fn client_request(&self, path: &str, request: &mut ParsedRequest) -> Option<JsonResult> {
        let method = request.method.clone();
        self.on_request(request, |change| match change {
            Change::ClientRequest(of, paths, act) if of == method && fit(paths, path) => Some(act),
            _ => None,
        })
    }

    /// The response to a client, before it goes out.
    pub(crate) fn client_response(&self, path: &str, method: &str, response: &mut JsonResult) {
        let pick = |change| match change {
            Change::ClientResponse(of, paths, act) if of == method && fit(paths, path) => Some(act),
            _ => None,
        };
        self.alter(response, pick, |act, response| act(response));
    }

    /// A file that a client uploads.
    pub(crate) fn upload(&self, file: &mut MediaFile) {
        let pick = |change| if let Change::Upload(act) = change { Some(act) } else { None };
        self.alter(file, pick, |act, file| act(file));
    }
}

/// What users are shown needs no more than the server's fault.
impl Identity<'_> {
    /// An event as clients are shown it, without the events that relate to it.
    pub(crate) fn client_event(&self, event: &mut Value) {
        let pick = |change| if let Change::ClientEvent(act) = change { Some(act) } else { None };
        self.alter(event, pick, |act, event| act(event));
    }

    /// An event as clients are shown it, together with the events that relate to it.
    pub(crate) fn bundled_event(&self, event: &mut Value) {
        let pick = |change| if let Change::BundledEvent(act) = change { Some(act) } else { None };
        self.alter(event, pick, |act, event| act(event));
    }

    /// A state event as clients read it.
    pub(crate) fn state_event(&self, event: &mut Value, creator: &str) {
        let pick = |change| if let Change::StateEvent(act) = change { Some(act) } else { None };
        self.alter(event, pick, |act, event| act(event, creator));
    }

    /// A room's timeline as clients are shown it.
    pub(crate) fn timeline(&self, events: &mut Vec<Value>) {
        let pick = |change| if let Change::Timeline(act) = change { Some(act) } else { None };
        self.alter(events, pick, |act, events| act(events));
    }
}

fn fit(patterns: &[&str], path: &str) -> bool {
    let path = path.trim_start_matches("/_matrix/");
    patterns.iter().any(|pattern| fits(pattern, path))
}
