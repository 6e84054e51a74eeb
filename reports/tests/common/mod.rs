//! A hand-made run with every verdict and disposition.

#![expect(unreachable_pub, reason = "shared by a test and an example, neither of which has a public side")]

use std::collections::BTreeMap;

use samklang_verdict::*;

/// Text that a hostile server might send.
pub const HOSTILE: &str =
    "<script>alert(1)</script> ]]> | & \" ' \u{0} \u{1b}[31m \u{202e}evil\u{2066} `x` \u{feff}\u{fffe}";

pub fn message(text: &str) -> Message {
    // A key that is not in the catalogue is shown as it is: a hand-made sentence.
    Message::new(text)
}

pub fn pass() -> Verdict {
    let seen = Observation { by: Role::B, exchange: ExchangeId(1) };
    Verdict::Pass { observations: Observations::new(seen, []) }
}

pub fn fail(reason: &str, blame: Option<Role>, text: &str, expected: &str, actual: &str) -> Verdict {
    let because = message("it answered x18 with 200 and left the event out of its room state.");
    let blame = match blame {
        Some(role) => Blame::Server { role, because },
        None => Blame::Undecided {
            because: message("both servers sent what they should, and still they differ."),
        },
    };
    let text_of = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Verdict::Fail(Box::new(Fail {
        reason: ReasonCode::new(reason).unwrap(),
        blame,
        message: message(text),
        expected: text_of(expected),
        actual: text_of(actual),
        evidence: vec![ExchangeId(17), ExchangeId(18), ExchangeId(19), ExchangeId(404)],
    }))
}

pub fn check(id: &str, title: &str, version: &str, host: Role, verdict: Verdict) -> CheckResult {
    let disposition = match verdict {
        Verdict::Pass { .. } | Verdict::NotApplicable { .. } => Disposition::AsExpected,
        _ => Disposition::Unexpected,
    };
    CheckResult {
        id: CheckId::new(id).unwrap(),
        title: title.into(),
        play: Play { room_version: version.into(), host },
        weight: Weight::Must,
        requirements: vec!["SS-INV-004".into()],
        spec: vec!["content/server-server-api.md#inviting-to-a-room".into()],
        catalogue: vec!["RM-03".into()],
        proven_by: vec!["invite-unsigned".into(), "invite-state-wrong".into()],
        verdict,
        disposition,
        deviation: None,
        attempts: vec![],
        duration_ms: 812,
        transcript: Some(format!("transcripts/{}.jsonl", id.replace('/', "."))),
    }
}

pub fn run_of(checks: Vec<CheckResult>) -> ResultFile {
    let participant = |role: Role, subject| Participant {
        role,
        subject,
        vendor: "synapse".into(),
        version: "1.163.2".into(),
        upgrade: None,
        server_name: format!("{}.test", role.as_str()),
        answered_name: Some("Synapse".into()),
        answered_version: Some("1.163.2".into()),
        verify_keys: BTreeMap::new(),
        image: Some("sha256:4f1c0f6d1f3f8f2c9b2e7a5d".into()),
        holds_ca_key: role == Role::A,
        room_versions: vec!["10".into(), "11".into(), "12".into()],
        features: vec![],
        cpu_ms: Some(41_000),
        log: Some(format!("logs/{}.log", role.as_str())),
    };
    let mut file = ResultFile {
        schema: RESULT_SCHEMA.into(),
        digest: String::new(),
        run: RunInfo {
            id: "r-7f3k2".into(),
            started: "2026-11-24T22:58:07Z".into(),
            ended: "2026-11-24T23:00:48Z".into(),
            duration_ms: 161_000,
            seed: 7,
            deployer: "container".into(),
            direct: false,
            termination: Termination::Complete,
            selection: vec![],
            samklang: "0.1.0".into(),
            phases_ms: BTreeMap::new(),
        },
        suite: SuiteInfo {
            version: "0.1.0".into(),
            expectations_sha256: "e".repeat(64),
            requirements_sha256: "f".repeat(64),
            kill_matrix_sha256: "d".repeat(64),
            profile: "esam-1".into(),
        },
        participants: vec![participant(Role::A, true), participant(Role::B, false)],
        checks,
        counts: Counts::default(),
        outcome: Outcome::NotProven,
        exit_code: 0,
        problems: vec![],
        evidence: vec![],
    };
    file.settle();
    file
}

/// `versions × hosts` passes of each of `names`.
pub fn passes(names: &[(&str, &str)]) -> Vec<CheckResult> {
    let mut checks = Vec::new();
    for (id, title) in names {
        for version in ["10", "11", "12"] {
            for host in [Role::A, Role::B] {
                checks.push(check(id, title, version, host, pass()));
            }
        }
    }
    checks
}

/// A run that passed.
pub fn good() -> ResultFile {
    run_of(passes(&[
        ("rooms.invite-accepted/flow", "Alice invites Bob, he joins, and both see it."),
        ("rooms.invite-accepted/invite-shown", "The invite as B shows it is as expected."),
        ("messages.order-200/order", "200 messages reach B in the order in which they were sent."),
    ]))
}

/// A run with every verdict and every disposition, hostile strings included.
pub fn mixed() -> ResultFile {
    let mut checks = good().checks;
    let expected = "content.membership: invite\nsender: @alice:a.test\nstate_key: @bob:b.test\ntype: m.room.member\nunsigned.invite_room_state: present\n";
    let actual = "content.membership: invite\nsender: @alice:a.test\nstate_key: @bob:b.test\ntype: m.room.member\nunsigned.invite_room_state: absent\nunsigned.note: \u{202e}moc.live\n";
    for (version, host) in [("11", Role::A), ("11", Role::B), ("12", Role::A), ("12", Role::B)] {
        checks.push(check(
            "rooms.invite-accepted/stripped-state",
            "An invited user is shown the room's name and join rule.",
            version,
            host,
            fail(
                "expectation.differs",
                Some(Role::B),
                "Bob's invite comes without the stripped state that A sent along.",
                expected,
                actual,
            ),
        ));
    }
    let title = "A redacted message loses its body on the other server.";
    let mut hostile = check(
        "messages.redaction/body-gone",
        title,
        "11",
        Role::A,
        fail("client.refused", None, HOSTILE, HOSTILE, ""),
    );
    hostile.weight = Weight::Should;
    checks.push(hostile);
    let mut add = |id, title, verdict, disposition, deviation: Option<&str>| {
        let mut made = check(id, title, "11", Role::A, verdict);
        made.disposition = disposition;
        made.deviation = deviation.map(Into::into);
        if disposition == Disposition::Flaky {
            let attempt = |verdict: &str, reason: Option<&str>| Attempt {
                verdict: verdict.into(),
                reason: reason.map(Into::into),
                transcript: Some("transcripts/again.jsonl".into()),
            };
            made.attempts = vec![attempt("fail", Some("delivery.not_seen")), attempt("pass", None)];
        }
        checks.push(made);
    };
    let some_fail =
        || fail("delivery.not_seen", Some(Role::A), "A never showed the receipt.", "seen", "not seen");
    let deviation = Some("Receipts are batched for a minute. (vendor; tracker#1; 2027-01-31)");
    let unsure = |blocked_by| Verdict::Inconclusive {
        message: message("The server did not answer within the time limit."),
        blocked_by,
        bound_ms: Some(30_000),
    };
    let flow = CheckId::new("messages.redaction/body-gone").unwrap();
    add(
        "messages.receipts/seen",
        "A read receipt reaches the other server.",
        some_fail(),
        Disposition::Deviation,
        deviation,
    );
    add(
        "messages.receipts/expired",
        "A receipt of another thread.",
        some_fail(),
        Disposition::DeviationExpired,
        deviation,
    );
    add(
        "messages.receipts/changed",
        "A receipt after a leave.",
        some_fail(),
        Disposition::ReasonChanged,
        deviation,
    );
    add("messages.receipts/stale", "A receipt for an edit.", pass(), Disposition::DeviationStale, deviation);
    add("messages.typing/flaky", "Typing is shown and ends.", some_fail(), Disposition::Flaky, None);
    add("media.download/late", "A picture is fetched from B.", unsure(None), Disposition::Unexpected, None);
    add(
        "media.download/blocked",
        "The picture is the same.",
        unsure(Some(flow)),
        Disposition::Unexpected,
        None,
    );
    let error = Verdict::Error { class: Class::Engine, message: message("The engine went away.") };
    add("media.thumbnail/made", "A thumbnail is made.", error, Disposition::Unexpected, None);
    add("media.thumbnail/sharp", "The thumbnail is sharp.", pass(), Disposition::Unproven, None);
    let skipped = Verdict::NotApplicable { message: message("Room version 11 is not declared.") };
    add("rooms.knock/knocked", "Carol knocks.", skipped, Disposition::AsExpected, None);
    let not_run = Verdict::NotRun { message: message("The run was stopped before.") };
    add("rooms.restricted/joined", "Carol joins by way of a space.", not_run, Disposition::Unexpected, None);
    let mut file = run_of(checks);
    file.participants[1].answered_version = Some("1.163.2 <b>x</b>\u{202e}".into());
    let problem = Problem::new(Class::Peer, message("The server b.test ended by itself."))
        .with_detail(["Traceback:".to_owned(), HOSTILE.to_owned()]);
    file.problems.push(problem);
    file.settle();
    file
}

/// The exchanges that the fails have as evidence.
pub fn transcript() -> Vec<Exchange> {
    let exchange = |id, path: &str, status, request: &str, answer: &str| Exchange {
        id: ExchangeId(id),
        wire: Wire::Federation,
        at_us: 12_345_678 + id * 1000,
        took_us: 8_412,
        from: Party::Server { role: Role::A },
        to: Party::Server { role: Role::B },
        method: "PUT".into(),
        path: path.into(),
        request_headers: vec![
            ("content-type".into(), "application/json".into()),
            ("x-odd".into(), HOSTILE.into()),
        ],
        request_body: Body::of(request.as_bytes()),
        status,
        response_headers: vec![("content-type".into(), "application/json".into())],
        response_body: Body::of(answer.as_bytes()),
        broken: status.is_none().then(|| "connection reset".into()),
        fault: None,
    };
    let invite = r#"{"event":{"type":"m.room.member","state_key":"@bob:b.test","content":{"membership":"invite"}},"room_version":"11","invite_room_state":[{"type":"m.room.name","content":{"name":"Tea"}}]}"#;
    let long = format!("[{}]", vec!["\"event\""; 3000].join(","));
    vec![
        exchange(17, "/_matrix/federation/v2/invite/!r:a.test/$e", Some(200), invite, r#"{"event":{}}"#),
        exchange(18, "/_matrix/federation/v1/state/!r:a.test?event_id=$e", Some(403), "", &long),
        exchange(19, "/_matrix/federation/v1/send/1", None, HOSTILE, ""),
    ]
}

/// Ten thousand different checks with long titles.
pub fn large(verdict: &dyn Fn(usize) -> Verdict) -> ResultFile {
    let title =
        "The server does what this sentence says, which is as long as the title of a check may well get.";
    let make = |i: usize| {
        let id = format!("area-{}.a-scenario-with-a-name-{}/a-check-of-its-own-{i}", i % 30, i % 1500);
        check(&id, title, ["10", "11", "12"][i % 3], [Role::A, Role::B][i % 2], verdict(i))
    };
    run_of((0..10_000).map(make).collect())
}

/// Ten thousand checks of a much larger suite: in three room versions and with both hosts, most of them passes that many faults
/// prove, some fails with a difference, and a few of every other kind.
pub fn realistic() -> ResultFile {
    const AREAS: [&str; 10] = [
        "authentication",
        "events",
        "federation",
        "media",
        "messages",
        "privacy",
        "rooms",
        "signals",
        "transactions",
        "wire",
    ];
    const WHO: [&str; 5] = [
        "A server",
        "The invited user's server",
        "A moderator",
        "The resident server",
        "The requesting server",
    ];
    const DOES: [&str; 6] = [
        "does not take an event whose signature does not hold, and takes the honest ones after it",
        "shows the message in the order in which the other server sent it, once and with its own sender",
        "answers a request that is not signed by its origin with 401 and M_UNAUTHORIZED",
        "brings what was said while the other server was away, in transactions of at most fifty events",
        "keeps the room's state as the resolution of its room version has it (rooms/v12)",
        "passes on a file's bytes, type and name, åäö among them, as they were stored",
    ];
    let lines = |odd: &str| -> String {
        let line = |i| format!("content.users.@user-{i}:a.test: {}\n", if i == 7 { odd } else { "50" });
        (0..24).map(line).collect()
    };
    let verdict = |i: usize| match i % 60 {
        0..=2 => fail(
            ["expectation.differs", "delivery.not_seen", "pdu.not_dropped", "client.refused"][i % 4],
            [Some(Role::A), Some(Role::B), None][i % 3],
            &format!("Bob was not shown m.room.message \"message {i}\" from alice within 30 s."),
            &lines("100"),
            &lines("0"),
        ),
        3 => Verdict::Inconclusive {
            message: message(
                "The server broke off a call of alice's: the connection was closed before the answer's end.",
            ),
            blocked_by: None,
            bound_ms: Some(30_000),
        },
        4..=6 => Verdict::NotApplicable {
            message: message("Synapse does not declare the feature knock-restricted."),
        },
        _ => pass(),
    };
    let make = |i: usize| {
        let row = i / 6;
        let (scenario, area) = (row / 4, AREAS[row / 4 % AREAS.len()]);
        let id = format!("{area}.a-story-of-two-servers-{scenario}/part-{}-of-it", row % 4);
        let title = format!("{} {} ({row}).", WHO[row % WHO.len()], DOES[row % DOES.len()]);
        let (version, host) = (["10", "11", "12"][i / 2 % 3], [Role::A, Role::B][i % 2]);
        let mut check = check(&id, &title, version, host, verdict(i * 7 % 9_973));
        check.proven_by =
            (0..row % 9 + 1).map(|fault| format!("a-fault-of-a-server-{}", row % 90 + fault)).collect();
        check
    };
    run_of((0..10_000).map(make).collect())
}
