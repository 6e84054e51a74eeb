//! Runs `samklang run --target` with a homeserver that runs already: the reference, which this test serves on loopback
//! under a certificate authority of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;
#[path = "target/server.rs"]
mod server;

use std::{collections::BTreeMap, fs, net::TcpListener, path::Path, sync::Arc};

use samklang::setting;
use samklang_deploy::{Deployer, TargetTerms, embedded::EmbeddedDeployer};
use samklang_runner::{
    run,
    run::order::RunOrder,
    run::progress::{Observer, RunEvent},
    scenario::Need,
    schedule::plan::Selection,
};
use samklang_suites::BUILT_FROM;
use samklang_verdict::{Role, Verdict, exit};
use samklang_wire::waiting::runtime_of_its_own_time;
use serde_json::json;
use tokio::sync::watch;

use self::server::TargetTest;

const FIVE: [&str; 5] = ["anna", "bertil", "cecilia", "david", "erik"];

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_runs_already_is_judged_and_left_as_it_was_found() {
    let test = TargetTest::new(&FIVE).await;
    let anna = test.tokens().remove(0);
    let id = format!("@anna:{}", test.name);
    test.ask("PUT", &format!("profile/{id}/displayname"), &anna, &json!({"displayname": "Anna"})).await;
    let own = test.ask("POST", "createRoom", &anna, &json!({})).await["room_id"].clone();

    let more =
        ["-s", "rooms", "-s", "federation.gap-filled", "-s", "events", "-s", "wire", "--room-version=11"];
    let ended = test.run(Some("reference"), &test.right(), &more).await;
    ended.end.assert(0, &["runs already and is on loopback; 5 users"]);
    assert!(ended.count("pass") > 300, "{}", ended.end.text);
    for verdict in ["fail", "inconclusive", "error", "not_run"] {
        assert_eq!(ended.count(verdict), 0, "{}", ended.end.text);
    }
    // A run with one's own server certifies nothing.
    assert_eq!(ended.result["outcome"], "not_proven");
    assert_eq!(ended.result["run"]["deployer"], "target");
    let subject = &ended.result["participants"][0];
    assert_eq!((&subject["server_name"], &subject["subject"]), (&json!(test.name), &json!(true)));

    // A check that is not played has a reason.
    let because = |key: &str| {
        let not_played = ended.checks("not_applicable").filter(|check| check["message"]["key"] == key);
        not_played.count()
    };
    assert!(because("plan.not-to-be-disturbed") > 0, "{}", ended.end.text);
    assert_eq!((because("plan.no-consent"), because("judging.no-further-user")), (0, 0));

    // The user has left the rooms of the run, and has the same rooms and the same display name as before.
    let rooms = test.ask("GET", "joined_rooms", &anna, &json!({})).await;
    assert_eq!(rooms["joined_rooms"], json!([own]));
    let profile = test.ask("GET", &format!("profile/{id}"), &anna, &json!({})).await;
    assert_eq!(profile["displayname"], "Anna");

    let (tokens, written) = (test.tokens(), test.written());
    assert!(written.len() > 20);
    for token in tokens {
        assert!(!ended.end.text.contains(&token));
        for (path, text) in &written {
            assert!(!text.contains(&token), "{}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_that_needs_more_users_than_there_are_does_not_apply() {
    let test = TargetTest::new(&FIVE[..2]).await;
    let more = ["-s", "events.no-state-reset", "-s", "rooms.invite-accepted", "--room-version=12"];
    let ended = test.run(Some("reference"), &test.right(), &more).await;
    ended.end.assert(0, &["2 users"]);
    let short: Vec<_> = ended.checks("not_applicable").collect();
    assert!(!short.is_empty(), "{}", ended.end.text);
    assert!(
        short.iter().all(|check| check["id"].as_str().unwrap().starts_with("events.no-state-reset/")),
        "{short:?}"
    );
    assert!(short.iter().all(|check| check["message"]["key"] == "judging.no-further-user"), "{short:?}");
    assert!(ended.count("pass") > 2);
}

struct SilentObserver;

impl Observer for SilentObserver {
    fn hear(&self, _: &RunEvent) {}
}

/// A test has no server outside loopback, so it gives the terms of such a server to one inside the program.
#[test]
fn without_consent_no_peer_meets_the_server_and_nothing_disturbs_it() {
    let root = Path::new(BUILT_FROM);
    let mut suite = samklang_suites::suite(root).unwrap();
    suite.expectations = suite.expectations.without_proposals();
    let mut casts = setting::casts(&setting::shelf(root, &[]), Some("reference"), None, None).unwrap();
    casts[0].target = Some(TargetTerms { server_name: "a.test".to_owned(), hostile: false });
    let output = std::env::temp_dir().join(format!("samklang-terms-{:016x}", fastrand::u64(..)));
    let selection = Selection { room_versions: vec!["12".to_owned()], ..Selection::default() };
    let order = RunOrder {
        id: "terms".to_owned(),
        casts,
        subjects: vec![Role::A],
        selection,
        direct: false,
        side_by_side: 6,
        seed: 1,
        output: output.clone(),
        deployer_line: String::new(),
        deviations: BTreeMap::new(),
        today: "2026-01-01".to_owned(),
    };
    let suite = Arc::new(suite);
    let (_, stop) = watch::channel(false);
    let deployer: Arc<dyn Deployer> = Arc::new(EmbeddedDeployer::default());
    let runtime = runtime_of_its_own_time().unwrap();
    let result =
        runtime.block_on(run::run(&order, Arc::clone(&suite), &deployer, &SilentObserver, stop)).unwrap();
    let evidence = fs::read_dir(output.join("evidence")).unwrap().flatten();
    let exchanges: String = evidence.map(|file| fs::read_to_string(file.path()).unwrap()).collect();
    let _ = fs::remove_dir_all(&output);
    assert!(exchanges.lines().count() > 1_000);
    assert!(exchanges.contains(r#""kind":"server""#) && !exchanges.contains(r#""kind":"peer""#));

    let mut not_met = 0;
    for check in &result.checks {
        let scenario = suite.scenarios.iter().find(|one| one.id == check.id.scenario()).unwrap();
        let disturbs = scenario.needs.iter().any(|need| matches!(need, Need::WholeStage | Need::LastOfAll));
        if scenario.is_hostile() {
            not_met += 1;
            assert!(
                matches!(&check.verdict, Verdict::NotRun { message } if message.key == "plan.no-consent")
            );
        } else if disturbs {
            let key = "plan.not-to-be-disturbed";
            assert!(matches!(&check.verdict, Verdict::NotApplicable { message } if message.key == key));
        } else {
            assert!(!matches!(check.verdict, Verdict::Fail(_) | Verdict::Error { .. }), "{check:?}");
        }
    }
    assert!(not_met > 100, "{not_met}");
    assert!(result.counts.pass > 100, "{:?}", result.counts);
    assert_eq!(result.exit_code, exit::NOT_PROVEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_whose_port_is_taken_is_named_and_nothing_is_played() {
    let test = TargetTest::new(&FIVE[..2]).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let own = [&format!("--listen={address}"), "--name=peers.test", "--certificate=", "--key="];
    let ended = test.run(None, &test.but(&own), &["-s", "rooms.invite-accepted"]).await;
    let port = format!("Port {} of 127.0.0.1 is taken", address.port());
    ended.end.assert(64, &[&port, "samklang sweep", "ss -tlnp"]);
    let checks = ended.result["checks"].as_array().unwrap().len();
    // What does not apply to a server that runs already is not run, whatever becomes of the listener.
    let [not_run, not_applicable] = ["not_run", "not_applicable"].map(|word| ended.count(word));
    assert!(not_run > 0 && not_run + not_applicable == checks, "{}", ended.end.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_are_refused_before_anything_is_played() {
    let test = TargetTest::new(&FIVE[..2]).await;
    let refused = async |others: &[&str], words: &[&str]| {
        let ended = test.run(None, &test.but(others), &["-s", "rooms.invite-accepted"]).await;
        ended.end.assert(64, words);
        assert!(ended.result.is_null());
        for token in test.tokens() {
            assert!(!ended.end.text.contains(&token), "{}", ended.end.text);
        }
    };
    refused(&["--token-file="], &["--token-file"]).await;
    refused(&["--token-file=nowhere"], &["nowhere cannot be read"]).await;
    refused(&["--target=http://127.0.0.1:1"], &["No client API answers", "Look whether"]).await;
    refused(&["--target=https://user@a.test"], &["is no address of a client API"]).await;
    refused(&["--target=ftp://127.0.0.1"], &["is no address of a client API"]).await;
    refused(&["--server-name=other.test"], &["no user of other.test", "--server-name"]).await;
    // Another server answers at its address, with a certificate for the same host and other keys.
    let other = test.other_server().await;
    let detour = format!("--connect-to={}={other}", test.name);
    refused(&[&detour], &["does not prove to be it", "--connect-to"]).await;
    // Without --ca only the authorities of this machine are trusted.
    refused(&["--ca="], &["Other servers do not trust", "nobody who is trusted here signed it", "--ca"])
        .await;
    refused(&["--key=cert.pem"], &["holds secrets", "chmod 600"]).await;
    refused(&["--certificate=ca.pem"], &["ca.pem cannot be presented"]).await;
    refused(&["--key="], &["--key"]).await;
    refused(&["--listen=127.0.0.1:8448"], &["--name"]).await;

    let tokens = test.tokens();
    let wrong = |text: &str, mode: u32| test.write("wrong", text, mode);
    wrong("one-token\n", 0o600);
    refused(&["--token-file=wrong"], &["holds 1 access tokens", "2 to 50"]).await;
    wrong(&format!("{}\nno-such-token\n", tokens[0]), 0o600);
    refused(&["--token-file=wrong"], &["does not take the token on line 2", "M_UNKNOWN_TOKEN"]).await;
    wrong(&tokens.join("\n"), 0o644);
    refused(&["--token-file=wrong"], &["can be read by others", "mode 644", "chmod 600"]).await;
    wrong(&format!("@bertil:{} {}\n{}\n", test.name, tokens[0], tokens[1]), 0o600);
    refused(&["--token-file=wrong"], &["line 1", "is said to be @bertil", "is @anna"]).await;

    let consent = |server: &str, until: &str| {
        wrong(&format!("server = {server:?}\nby = \"Åsa\"\nuntil = {until:?}\n"), 0o644);
    };
    consent(&test.name, "2020-12-31");
    refused(&["--consent=wrong"], &["held until 2020-12-31"]).await;
    consent("other.test", "2999-12-31");
    refused(&["--consent=wrong"], &["is for other.test and not for"]).await;

    let ended = test.run(Some("rocketchat"), &test.right(), &[]).await;
    ended.end.assert(64, &["no Matrix client API"]);
    let ended = test.run(None, &test.right(), &["--vs=synapse"]).await;
    ended.end.assert(64, &["has to be brought up"]);
    let ended = test.run(None, &test.right(), &["--direct"]).await;
    ended.end.assert(64, &["--direct"]);
}
