//! The terminal text of a recorded play, from hand-made exchanges.

use samklang_reports::{Colour, Recording, Reports};
use samklang_verdict::*;
use serde_json::{Value, json};

use crate::{
    assert_in_order,
    common::{self, HOSTILE, check, fail, pass, run_of},
};

/// An exchange between A and B with JSON bodies; `null` means no body.
fn exchange(id: u64, method: &str, path: &str, status: u16, request: &Value, answer: &Value) -> Exchange {
    let body = |value: &Value| match value {
        Value::Null => Body::Empty,
        value => Body::of(value.to_string().as_bytes()),
    };
    Exchange {
        id: ExchangeId(id),
        wire: Wire::Federation,
        at_us: 5_000_000 + id * 1000,
        took_us: 41_200,
        from: Party::Server { role: Role::A },
        to: Party::Server { role: Role::B },
        method: method.into(),
        path: path.into(),
        request_headers: vec![("authorization".into(), "X-Matrix origin=\"a.test\",sig=\"s\"".into())],
        request_body: body(request),
        status: Some(status),
        response_headers: vec![],
        response_body: body(answer),
        broken: None,
        fault: None,
    }
}

/// The id that an event of these tests declares.
fn own_id(event: &Value, _: &str) -> Option<String> {
    event["hashes"]["sha256"].as_str().map(|hash| format!("${hash}"))
}

fn shown(exchanges: &[Exchange], full: bool) -> String {
    sequence(&[], exchanges, full)
}

fn sequence(checks: &[&CheckResult], exchanges: &[Exchange], full: bool) -> String {
    let result = run_of(vec![]);
    let reports = Reports::new(&result, &|_| None, Catalogue::english());
    let recording = Recording {
        trial: "rooms.x::v11::host-a",
        room_version: "11",
        checks,
        exchanges,
        event_ids: &own_id,
        full,
    };
    reports.sequence(&recording, Colour::Never)
}

fn message(hash: &str) -> Value {
    json!({
        "type": "m.room.message", "sender": "@alice:a.test", "room_id": "!r:a.test",
        "content": {"body": "hej", "msgtype": "m.text"}, "hashes": {"sha256": hash},
    })
}

const SEND: &str = "/_matrix/federation/v1/send/";

#[test]
fn a_transaction_is_shown_with_its_contents_and_results() {
    let typing = json!({"edu_type": "m.typing", "content": {"user_id": "@alice:a.test", "typing": true}});
    let sent = json!({"origin": "a.test", "pdus": [message("one"), message("two")], "edus": [typing]});
    let answer = json!({"pdus": {"$one": {}, "$two": {"error": "bad signature"}}});
    let text = shown(&[exchange(17, "PUT", &format!("{SEND}1"), 200, &sent, &answer)], false);
    assert_in_order(
        &text,
        &[
            "rooms.x::v11::host-a: 1 exchange, 5.017 s after",
            "x17     +0.000 s  A → B  PUT /_matrix/federation/v1/send/1  200  41 ms\n",
            "→ EDU m.typing  typing=true user_id=@alice:a.test\n",
            "→ PDU m.room.message sender=@alice:a.test \"hej\" $one\n",
            "→ PDU m.room.message sender=@alice:a.test \"hej\" $two\n",
            "← $two: bad signature\n",
        ],
    );
    assert!(!text.contains("$one:"), "{text}");
}

#[test]
fn refusals_faults_and_broken_answers_are_shown_below_their_exchange() {
    let refusal = json!({"errcode": "M_FORBIDDEN", "error": "not in the room"});
    let refused = exchange(1, "GET", "/_matrix/federation/v1/event/$e", 403, &Value::Null, &refusal);
    let mut cut = exchange(2, "PUT", &format!("{SEND}2"), 200, &json!({"pdus": []}), &Value::Null);
    (cut.status, cut.broken, cut.fault) =
        (None, Some("connection closed".into()), Some("connection reset".into()));
    let mut odd = exchange(3, "GET", "/_matrix/key/v2/server", 200, &Value::Null, &Value::Null);
    odd.response_body = Body::of(b"<html>");
    let text = shown(&[refused, cut, odd], false);
    assert_in_order(
        &text,
        &[
            "403",
            "← M_FORBIDDEN: not in the room\n",
            "no answer",
            "! Samklang applied a network fault: connection reset\n",
            "! The exchange broke off: connection closed\n",
            "← 6 bytes that are not JSON: <html>\n",
        ],
    );
}

#[test]
fn a_repeated_event_is_compared_with_its_first_exchange() {
    let join = |more: &Value| {
        let mut event = json!({
            "type": "m.room.member", "sender": "@bob:b.test", "state_key": "@bob:b.test",
            "content": {"membership": "join"}, "depth": 7,
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let template = json!({"room_version": "11", "event": join(&json!({"origin_server_ts": 1}))});
    let filled = join(&json!({"origin_server_ts": 1, "depth": 9, "hashes": {"sha256": "join"}}));
    let signed =
        join(&json!({"origin_server_ts": 1, "depth": 9, "hashes": {"sha256": "join"}, "signatures": {}}));
    let made = "/_matrix/federation/v1/make_join/!r:a.test/@bob:b.test";
    let sent = "/_matrix/federation/v2/send_join/!r:a.test/$join";
    let pdu = json!({"pdus": [message("one")]});
    let other = json!({"pdus": [message("one"), message("two")]});
    let text = shown(
        &[
            exchange(1, "GET", made, 200, &Value::Null, &template),
            exchange(2, "PUT", sent, 200, &filled, &json!({"event": signed})),
            exchange(3, "PUT", &format!("{SEND}1"), 200, &pdu, &Value::Null),
            exchange(4, "PUT", &format!("{SEND}1"), 200, &pdu, &Value::Null),
            exchange(5, "PUT", &format!("{SEND}1"), 200, &other, &Value::Null),
        ],
        false,
    );
    assert_in_order(
        &text,
        &[
            "← template m.room.member membership=join sender=@bob:b.test state_key=@bob:b.test\n",
            "$join  (made from the template of x1:)\n",
            "~ depth: 7 → 9\n",
            "+ hashes: {\"sha256\":\"join\"}\n",
            "$join  (as in x2, but:)\n",
            "+ signatures: {}\n",
            "! The same transaction as x3, byte for byte.\n",
            "$one  (as in x3)\n",
            "! The same transaction as x4, but with another body:\n",
            "~ pdus: ",
        ],
    );
}

#[test]
fn a_failure_is_shown_first_and_its_exchanges_are_marked() {
    let exchanges = common::transcript();
    let verdict =
        fail("expectation.differs", Some(Role::B), "Bob is shown another name.", "name: x\n", "name: y\n");
    let failed = check("rooms.x/name-shown", "Bob is shown the name.", "11", Role::A, verdict);
    let text = sequence(&[&failed], &exchanges, false);
    assert_in_order(
        &text,
        &[
            "✗ Bob is shown the name.",
            "Fault of B",
            "- name: x",
            "+ name: y",
            "SS-INV-004",
            "► x17",
            "◄ name-shown",
        ],
    );
    assert_eq!(text.matches('►').count(), 3, "{text}");
    let passed = check("rooms.x/flow", "It goes.", "11", Role::A, pass());
    let text = sequence(&[&passed], &exchanges, false);
    assert!(text.starts_with("✓ It goes.") && !text.contains('►'), "{text}");
}

#[test]
fn long_lists_are_counted_and_shown_in_full_on_request() {
    let many: Vec<_> = (0..300).map(|i| message(&i.to_string())).collect();
    let answer = json!({"state": many, "pdus": many});
    let exchanges = [exchange(1, "GET", "/_matrix/federation/v1/x", 200, &Value::Null, &answer)];
    let text = shown(&exchanges, false);
    assert_in_order(&text, &["$7\n", "← pdus: 292 more, with --full\n", "← state: 300 × PDU\n"]);
    assert!(text.lines().count() < 20, "{text}");
    assert_eq!(shown(&exchanges, true).matches("$299").count(), 2);
}

/// No text of a server acts on the terminal, takes long, or makes a line or page without limit.
#[test]
fn hostile_exchanges_are_cut_and_made_safe() {
    let hostile: Value = json!({
        "type": HOSTILE, "sender": HOSTILE, "state_key": HOSTILE, "event_id": HOSTILE,
        "content": {"body": HOSTILE.repeat(100), "membership": HOSTILE}, "hashes": {"sha256": HOSTILE},
    });
    let edu = json!({"edu_type": HOSTILE, "content": {HOSTILE: {HOSTILE: [HOSTILE]}}});
    let mut first = exchange(
        1,
        HOSTILE,
        &format!("{SEND}{}", HOSTILE.repeat(90)),
        200,
        &json!({"pdus": [hostile], "edus": [edu], HOSTILE: [hostile]}),
        &json!({"pdus": {HOSTILE: {"error": HOSTILE.repeat(90)}}}),
    );
    (first.broken, first.fault) = (Some(HOSTILE.into()), Some(HOSTILE.into()));
    (first.from, first.to) = (Party::Stranger { name: HOSTILE.into() }, Party::Peer { name: HOSTILE.into() });
    first.request_headers.push((HOSTILE.into(), HOSTILE.into()));
    let mut again = first.clone();
    again.id = ExchangeId(2);
    again.request_body = Body::of(json!({"pdus": [], HOSTILE: HOSTILE}).to_string().as_bytes());
    let mut deep = exchange(3, "GET", "/x", 200, &Value::Null, &Value::Null);
    deep.request_body = Body::of("[".repeat(900_000).as_bytes());
    deep.response_body = Body::of(format!("{}{}", "{\"a\":".repeat(120), "1").repeat(9).as_bytes());
    let mut wide = exchange(4, "GET", "/x", 200, &Value::Null, &Value::Null);
    let keys: Value = (0..60_000).map(|i| (format!("k{i}\u{1b}"), json!({}))).collect();
    wide.response_body = Body::of(keys.to_string().as_bytes());
    let mut wire = first.clone();
    wire.wire = Wire::Client;
    let exchanges = [first, again, deep, wide, wire];
    let result = run_of(vec![]);
    let reports = Reports::new(&result, &|_| None, Catalogue::english());
    let mut texts = vec![shown(&exchanges, false), shown(&exchanges, true)];
    texts.extend(exchanges.iter().map(|exchange| reports.in_full(exchange, false, Colour::Never)));
    texts.extend(exchanges.iter().filter_map(|exchange| reports.curl(exchange).ok()).map(|line| {
        assert_eq!(line.trim_end().lines().filter(|line| !line.starts_with("# ")).count(), 1, "{line}");
        line
    }));
    assert_eq!(texts.len(), 2 + 5 + 4 + usize::from(reports.curl(&exchanges[2]).is_ok()));
    for text in &texts {
        let acting =
            |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{2066}\u{feff}\u{fffe}".contains(c);
        assert!(!text.contains(acting), "{text:?}");
    }
    for text in [&texts[0], &texts[2], &texts[3], &texts[4], &texts[5]] {
        assert!(text.len() < 64 * 1024, "{}", text.len());
    }
    assert!(texts[0].lines().all(|line| line.len() < 2000));
}

#[test]
fn one_exchange_is_shown_with_headers_and_formatted_bodies() {
    let exchange = exchange(17, "PUT", &format!("{SEND}1"), 200, &json!({"pdus": []}), &json!({"pdus": {}}));
    let result = run_of(vec![]);
    let reports = Reports::new(&result, &|_| None, Catalogue::english());
    let text = reports.in_full(&exchange, false, Colour::Never);
    assert_in_order(
        &text,
        &[
            "x17",
            "A → B",
            "federation",
            "Request",
            "authorization: X-Matrix",
            "  {\n    \"pdus\": []\n  }",
            "Answer",
            "{}",
        ],
    );
    let mut long = exchange;
    long.response_body = Body::of(format!("[{}]", vec!["1"; 100_000].join(",")).as_bytes());
    let text = reports.in_full(&long, false, Colour::Never);
    assert!(text.contains("of 200001 bytes; --full shows the rest") && text.len() < 64 * 1024);
    assert!(reports.in_full(&long, true, Colour::Never).matches("1,").count() >= 99_999);
}

#[test]
fn a_curl_command_is_the_recorded_request() {
    let mut sent =
        exchange(17, "PUT", &format!("{SEND}1?x=%2B"), 200, &json!({"pdus": ["it's"]}), &Value::Null);
    sent.request_headers.push(("host".into(), "b.test".into()));
    sent.request_headers.push(("content-length".into(), "17".into()));
    let result = run_of(vec![]);
    let reports = Reports::new(&result, &|_| None, Catalogue::english());
    let line = reports.curl(&sent).unwrap();
    assert_in_order(
        &line,
        &[
            "# The servers of run r-7f3k2 are gone",
            "# The recorded signature",
            "# The command has -k",
            "curl --include --globoff --path-as-is -k --resolve 'b.test:8448:127.0.0.1' -X 'PUT'",
            "-H 'authorization: X-Matrix origin=\"a.test\",sig=\"s\"' -H 'host: b.test'",
            "-H 'content-type:'",
            "--data-binary '{\"pdus\":[\"it'\\''s\"]}'",
            "'https://b.test:8448/_matrix/federation/v1/send/1?x=%2B'\n",
        ],
    );
    assert!(!line.contains("content-length"), "{line}");

    let mut client = exchange(
        18,
        "POST",
        "/_matrix/client/v3/x?access_token=<redacted>",
        200,
        &json!({"password": "<redacted>"}),
        &Value::Null,
    );
    client.wire = Wire::Client;
    client.request_headers = vec![("authorization".into(), "Bearer <redacted>".into())];
    let line = reports.curl(&client).unwrap();
    assert_in_order(
        &line,
        &[
            "# Set CLIENT_API",
            "'authorization: Bearer '\"$ACCESS_TOKEN\"''",
            "\"$SECRET\"",
            "\"$CLIENT_API\"'/_matrix",
            "\"$ACCESS_TOKEN\"",
        ],
    );
    assert!(!line.contains("-k ") && !line.contains("<redacted>"), "{line}");

    for (bytes, words) in
        [(vec![0xff_u8; 9], "was not recorded completely"), (b"a\0b".to_vec(), "a zero byte")]
    {
        sent.request_body = Body::of(&bytes);
        assert!(reports.curl(&sent).unwrap_err().to_string().contains(words));
    }
    sent.request_body = Body::of("x".repeat(200_000).as_bytes());
    assert!(reports.curl(&sent).unwrap().contains("printf %s 'xxx"));
}

/// A hostile server may have chosen names and paths; the command still reaches only this machine.
#[test]
fn a_curl_command_reaches_only_this_machine() {
    let result = run_of(vec![]);
    let reports = Reports::new(&result, &|_| None, Catalogue::english());
    let line = |name: &str, path: &str| {
        let mut sent = exchange(1, "GET", path, 200, &Value::Null, &Value::Null);
        sent.to = Party::Stranger { name: name.into() };
        reports.curl(&sent).unwrap()
    };
    let peer = line("evil.example", "/x");
    assert!(peer.contains("--resolve 'evil.example:8448:127.0.0.1'"), "{peer}");
    let address = line("192.0.2.1:443", "/x");
    assert!(address.contains("--connect-to '::127.0.0.1:'"), "{address}");
    let inner = line("a.test@evil.example", "/x");
    assert!(inner.contains("'https://localhost:8448/x'") && !inner.contains("evil"), "{inner}");
    let path = line("b.test", "@evil.example/x");
    assert!(path.contains("--request-target '@evil.example/x' 'https://b.test:8448/'"), "{path}");
}
