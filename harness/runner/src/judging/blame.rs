//! Makes verdicts of failures, and finds out from the wire which server is to blame for a fail.

use samklang_actors::user::{Actor, EduPattern, Failure};
use samklang_drivers::CallError;
use samklang_verdict::{Blame, Class, ExchangeId, Fail, Message, ReasonCode, Role, Verdict, message};

use crate::traffic::wire_view::{Delivery, MissingPrevEvent, WireView, role_of};

/// The verdict that a failure amounts to. `wire` is none where nothing between the servers was recorded.
pub fn verdict_of(failure: &Failure, wire: Option<&WireView>) -> Verdict {
    match failure {
        Failure::Call { who, verb, error, .. } => call(who, verb, error, wire),
        Failure::Accepted { who, verb, exchange } => fail(
            "client.accepted",
            Blame::Server { role: who.role, because: message!("blame.accepted", exchange = exchange) },
            message!("fail.accepted", user = who.name, verb = verb),
            vec![*exchange],
        ),
        Failure::NotSeen { who, what, origin, about, taken, signal, bound, seen, last } => {
            let (blame, mut evidence) = match taken {
                Some(exchange) => delivered(who.role, *exchange),
                None => not_seen(who, *origin, (about, signal.as_ref()), wire),
            };
            evidence.extend(*last);
            let text = message!("fail.not-seen", user = who.name, what = what, seconds = bound.as_secs());
            let verdict = fail("delivery.not_seen", blame, text, evidence);
            with_texts(verdict, Some(what.clone()), Some(seen.join("\n")).filter(|text| !text.is_empty()))
        }
        Failure::Seen { who, what, exchange, taken: None } => fail(
            "delivery.leaked",
            leaked(*exchange),
            message!("fail.seen", user = who.name, what = what),
            vec![*exchange],
        ),
        Failure::Seen { who, what, exchange, taken: Some(taken) } => fail(
            "pdu.shown",
            Blame::Server {
                role: who.role,
                because: message!("blame.let-in", exchange = taken, role = who.role),
            },
            message!("fail.seen", user = who.name, what = what),
            vec![*taken, *exchange],
        ),
        Failure::Wrong(wrong) => Verdict::Fail(Box::new(Fail {
            reason: wrong.reason.clone(),
            blame: Blame::Server { role: wrong.by, because: message!("blame.shown") },
            message: wrong.message.clone(),
            expected: wrong.expected.clone(),
            actual: wrong.actual.clone(),
            evidence: wrong.evidence.clone(),
        })),
        Failure::Inconclusive(message) => {
            Verdict::Inconclusive { message: message.clone(), blocked_by: None, bound_ms: None }
        }
        Failure::NotApplicable(message) => Verdict::NotApplicable { message: message.clone() },
        Failure::Problem(problem) => {
            Verdict::Error { class: problem.class, message: problem.message.clone() }
        }
    }
}

/// A fail with this reason. A reason that does not follow the grammar is an error of the harness.
pub fn fail(reason: &str, blame: Blame, message: Message, evidence: Vec<ExchangeId>) -> Verdict {
    match ReasonCode::new(reason) {
        Ok(reason) => {
            Verdict::Fail(Box::new(Fail { reason, blame, message, expected: None, actual: None, evidence }))
        }
        Err(error) => {
            Verdict::Error { class: Class::Harness, message: message!("judging.bad-id", error = error) }
        }
    }
}

/// The same verdict with the expected text and the actual text.
pub fn with_texts(verdict: Verdict, expected: Option<String>, actual: Option<String>) -> Verdict {
    match verdict {
        Verdict::Fail(mut fail) => {
            fail.expected = expected;
            fail.actual = actual;
            Verdict::Fail(fail)
        }
        other => other,
    }
}

fn call(who: &Actor, verb: &str, error: &CallError, wire: Option<&WireView>) -> Verdict {
    match error {
        CallError::Refused(refusal) if refusal.status == 429 => Verdict::Inconclusive {
            message: message!(
                "judging.too-often",
                user = who.name,
                verb = verb,
                role = who.role,
                exchange = refusal.exchange
            ),
            blocked_by: None,
            bound_ms: None,
        },
        CallError::Refused(refusal) => {
            let (blame, mut evidence) = refused(who.role, refusal.exchange, wire);
            evidence.insert(0, refusal.exchange);
            let text = message!(
                "fail.refused",
                user = who.name,
                verb = verb,
                status = refusal.status,
                errcode = refusal.errcode,
                error = refusal.error
            );
            fail("client.refused", blame, text, evidence)
        }
        CallError::Malformed { what, exchange } => fail(
            "client.malformed_answer",
            Blame::Server { role: who.role, because: message!("blame.malformed", exchange = exchange) },
            message!("fail.malformed", user = who.name, verb = verb, what = what),
            vec![*exchange],
        ),
        CallError::Broken { what, exchange } => Verdict::Inconclusive {
            message: message!(
                "judging.broken-call",
                user = who.name,
                verb = verb,
                what = what,
                exchange = exchange
            ),
            blocked_by: None,
            bound_ms: None,
        },
        CallError::NoFurtherUser { users } => Verdict::NotApplicable {
            message: message!("judging.no-further-user", role = who.role, users = users),
        },
        CallError::NotOffered { verb } => Verdict::NotApplicable {
            message: message!("judging.verb-not-offered", verb = verb, role = who.role),
        },
    }
}

/// The server to blame for a refusal: another server whose answer the refusing server needed and did not get, else the
/// refusing server itself.
fn refused(role: Role, exchange: ExchangeId, wire: Option<&WireView>) -> (Blame, Vec<ExchangeId>) {
    let Some(wire) = wire else {
        return (Blame::Undecided { because: message!("blame.no-wire") }, vec![]);
    };
    let Some(cause) = wire.unanswered_during(exchange, role) else {
        return (Blame::Server { role, because: message!("blame.refused-itself") }, vec![]);
    };
    let status = cause.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    let because = message!(
        "blame.remote-answer",
        exchange = cause.id,
        method = cause.method,
        path = cause.path_only(),
        status = status
    );
    let other = role_of(&cause.to);
    let blame = match (other, cause.status) {
        // The other server is to blame if it did not answer or had an internal error. A refusal may have been right.
        (Some(other), None | Some(500..)) => Blame::Server { role: other, because },
        _ => Blame::Undecided { because },
    };
    (blame, vec![cause.id])
}

/// The server accepted it and does not show it.
fn delivered(role: Role, exchange: ExchangeId) -> (Blame, Vec<ExchangeId>) {
    let because = message!("blame.delivered", exchange = exchange, role = role);
    (Blame::Server { role, because }, vec![exchange])
}

fn not_seen(
    who: &Actor,
    origin: Option<Role>,
    (about, signal): (&[String], Option<&EduPattern>),
    wire: Option<&WireView>,
) -> (Blame, Vec<ExchangeId>) {
    let Some(origin) = origin else {
        return (Blame::Undecided { because: message!("blame.origin-unknown") }, vec![]);
    };
    if origin == who.role {
        return (Blame::Server { role: who.role, because: message!("blame.own-server") }, vec![]);
    }
    let Some(wire) = wire else {
        return (Blame::Undecided { because: message!("blame.no-wire") }, vec![]);
    };
    let event = about.iter().find(|id| id.starts_with('$'));
    let delivery = match (signal, event) {
        (Some(signal), _) => wire.edu_delivery(signal, origin, who.role),
        (None, Some(id)) => wire.event_delivery(id, origin, who.role),
        (None, None) => wire.mention_delivery(about, origin, who.role),
    };
    match delivery {
        Delivery::Delivered { exchange } => {
            let because = match event.and_then(|id| wire.missing_prev_event(id, origin, who.role)) {
                None => return delivered(who.role, exchange),
                Some(MissingPrevEvent::NeverSent(before)) => {
                    message!("blame.never-sent-before", exchange = exchange, event = before, origin = origin)
                }
                Some(MissingPrevEvent::Unsigned(before)) => {
                    message!("blame.unsigned-before", exchange = exchange, event = before)
                }
            };
            (Blame::Server { role: origin, because }, vec![exchange])
        }
        Delivery::Refused { exchange, answer } => (
            Blame::Undecided {
                because: message!(
                    "blame.transaction-refused",
                    exchange = exchange,
                    role = who.role,
                    answer = answer
                ),
            },
            vec![exchange],
        ),
        Delivery::NotSent => (
            Blame::Server {
                role: origin,
                because: message!("blame.never-sent", origin = origin, role = who.role),
            },
            vec![],
        ),
    }
}

/// A sighting alone does not tell which server let it out.
fn leaked(exchange: ExchangeId) -> Blame {
    Blame::Undecided { because: message!("blame.leaked", exchange = exchange) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::wire_view::tests::{exchange, pdu};
    use samklang_drivers::ApiRefusal;
    use serde_json::json;
    use std::time::Duration;

    fn who() -> Actor {
        Actor { name: "bob".into(), role: Role::B }
    }

    #[test]
    fn a_broken_call_is_inconclusive_and_a_refusal_is_a_fail() {
        let error = CallError::Broken { what: "reset".into(), exchange: ExchangeId(3) };
        let broken = Failure::Call { who: who(), verb: "join", error, about: vec![] };
        assert_eq!(verdict_of(&broken, None).name(), "inconclusive");

        let refused = |status, errcode: &str| {
            let (errcode, error) = (errcode.to_owned(), String::new());
            let error = CallError::Refused(ApiRefusal { status, errcode, error, exchange: ExchangeId(3) });
            verdict_of(&Failure::Call { who: who(), verb: "join", error, about: vec![] }, None)
        };
        let verdict = refused(403, "M_FORBIDDEN");
        assert_eq!(verdict.reason().map(ReasonCode::as_str), Some("client.refused"));
        // A rate limit does not tell whether the server would have accepted the request.
        assert_eq!(refused(429, "M_LIMIT_EXCEEDED").name(), "inconclusive");
    }

    #[test]
    fn a_server_is_to_blame_if_it_does_not_show_an_event_of_its_own_user() {
        let failure = |origin| Failure::NotSeen {
            who: who(),
            what: "x".into(),
            origin,
            about: vec![],
            taken: None,
            signal: None,
            bound: Duration::from_secs(1),
            seen: vec![],
            last: Some(ExchangeId(9)),
        };
        let blame = |origin| match verdict_of(&failure(origin), None) {
            Verdict::Fail(fail) => (fail.blame, fail.evidence),
            other => panic!("{other:?}"),
        };
        assert!(matches!(blame(Some(Role::B)).0, Blame::Server { role: Role::B, .. }));
        assert!(matches!(blame(Some(Role::A)).0, Blame::Undecided { .. }));
        assert_eq!(blame(None).1, [ExchangeId(9)]);
    }

    fn blamed(about: Vec<String>, signal: Option<EduPattern>, sent: &serde_json::Value) -> Role {
        let failure = Failure::NotSeen {
            who: who(),
            what: "x".into(),
            origin: Some(Role::A),
            about,
            taken: None,
            signal,
            bound: Duration::from_secs(1),
            seen: vec![],
            last: None,
        };
        let wire = WireView::of_exchanges(vec![exchange(1, Some(200), sent, &json!({}))]);
        match verdict_of(&failure, Some(&wire)) {
            Verdict::Fail(fail) => match fail.blame {
                Blame::Server { role, .. } => role,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    /// An event that mentions the user does not mean that the EDU was sent.
    #[test]
    fn the_sending_server_is_to_blame_for_an_edu_that_it_did_not_send() {
        let about = vec!["!room".to_owned(), "@a:a.test".to_owned()];
        let signal = || Some(EduPattern::new("m.receipt", |content| content["!room"].is_object()));
        let (pdu, _) = pdu();
        assert_eq!(blamed(about.clone(), signal(), &json!({"pdus": [pdu]})), Role::A);
        let receipt = json!({"edu_type": "m.receipt", "content": {"!room": {}}});
        assert_eq!(blamed(about.clone(), signal(), &json!({"edus": [receipt]})), Role::B);
        assert_eq!(blamed(about, None, &json!({"pdus": [pdu]})), Role::B);
    }

    /// The receiving server cannot judge an event whose prev event it was never sent.
    #[test]
    fn the_sending_server_is_to_blame_for_an_event_whose_prev_event_it_did_not_send() {
        let (first, first_id) = pdu();
        let mut second = first.clone();
        second["prev_events"] = json!([first_id]);
        let id = samklang_matrix::Event::parse(&second, "11").unwrap().id().to_owned();
        assert_eq!(blamed(vec![id.clone()], None, &json!({"pdus": [second]})), Role::A);
        assert_eq!(blamed(vec![id], None, &json!({"pdus": [first, second]})), Role::B);
    }
}
