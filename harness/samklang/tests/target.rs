//! `samklang run --target`, by the real program, at a homeserver that runs already: the reference, served on loopback by
//! this test under a certificate authority that nobody else has.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "target/place.rs"]
mod place;

use std::{collections::BTreeMap, fs, net::TcpListener, path::Path, sync::Arc};

use samklang::setting;
use samklang_deploy::{Deployer, Terms, embedded::EmbeddedDeployer};
use samklang_runner::{
    event::{Event, Observer},
    order::Order,
    plan::Selection,
    run,
    scenario::Need,
};
use samklang_suites::BUILT_FROM;
use samklang_verdict::{Role, Verdict, exit};
use samklang_wire::waiting::runtime_of_its_own_time;
use serde_json::json;
use tokio::sync::watch;

use self::place::Place;

const FIVE: [&str; 5] = ["anna", "bertil", "cecilia", "david", "erik"];

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_runs_already_is_judged_and_left_as_it_was_found() {
    let place = Place::new(&FIVE).await;
    let anna = place.tokens().remove(0);
    let id = format!("@anna:{}", place.name);
    place.ask("PUT", &format!("profile/{id}/displayname"), &anna, &json!({"displayname": "Anna"})).await;
    let own = place.ask("POST", "createRoom", &anna, &json!({})).await["room_id"].clone();

    let more =
        ["-s", "rooms", "-s", "federation.gap-filled", "-s", "events", "-s", "wire", "--room-version=11"];
    let ended = place.run(Some("reference"), &place.right(), &more).await;
    ended.assert(0, &["runs already and is on loopback; 5 users"]);
    assert!(ended.count("pass") > 300, "{}", ended.text);
    for verdict in ["fail", "inconclusive", "error", "not_run"] {
        assert_eq!(ended.count(verdict), 0, "{}", ended.text);
    }
    // Nobody is certified by a server of one's own.
    assert_eq!(ended.result["outcome"], "not_proven");
    assert_eq!(ended.result["run"]["deployer"], "target");
    let subject = &ended.result["participants"][0];
    assert_eq!((&subject["server_name"], &subject["subject"]), (&json!(place.name), &json!(true)));

    // What is not played says why.
    let because = |key: &str| {
        let not_played = ended.checks("not_applicable").filter(|check| check["message"]["key"] == key);
        not_played.count()
    };
    assert!(because("plan.not-to-be-disturbed") > 0, "{}", ended.text);
    assert_eq!((because("plan.no-consent"), because("judging.no-further-user")), (0, 0));

    // Neither the rooms nor the names of plays are left, and what was there is.
    let rooms = place.ask("GET", "joined_rooms", &anna, &json!({})).await;
    assert_eq!(rooms["joined_rooms"], json!([own]));
    let profile = place.ask("GET", &format!("profile/{id}"), &anna, &json!({})).await;
    assert_eq!(profile["displayname"], "Anna");

    let (tokens, written) = (place.tokens(), place.written());
    assert!(written.len() > 20);
    for token in tokens {
        assert!(!ended.text.contains(&token));
        for (path, text) in &written {
            assert!(!text.contains(&token), "{}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_more_users_than_there_are_does_not_apply() {
    let place = Place::new(&FIVE[..2]).await;
    let more = ["-s", "events.no-state-reset", "-s", "rooms.invite-accepted", "--room-version=12"];
    let ended = place.run(Some("reference"), &place.right(), &more).await;
    ended.assert(0, &["2 users"]);
    let short: Vec<_> = ended.checks("not_applicable").collect();
    assert!(!short.is_empty(), "{}", ended.text);
    assert!(
        short.iter().all(|check| check["id"].as_str().unwrap().starts_with("events.no-state-reset/")),
        "{short:?}"
    );
    assert!(short.iter().all(|check| check["message"]["key"] == "judging.no-further-user"), "{short:?}");
    assert!(ended.count("pass") > 2);
}

struct Deaf;

impl Observer for Deaf {
    fn hear(&self, _: &Event) {}
}

/// A server that is not on loopback cannot be had in a test; what its terms keep from it is the same inside the program.
#[test]
fn without_consent_no_peer_meets_the_server_and_nothing_disturbs_it() {
    let root = Path::new(BUILT_FROM);
    let mut suite = samklang_suites::suite(root).unwrap();
    suite.expectations = suite.expectations.without_proposals();
    let mut casts = setting::casts(&setting::shelf(root, &[]), Some("reference"), None, None).unwrap();
    casts[0].target = Some(Terms { server_name: "a.test".to_owned(), hostile: false });
    let output = std::env::temp_dir().join(format!("samklang-terms-{:016x}", fastrand::u64(..)));
    let selection = Selection { room_versions: vec!["12".to_owned()], ..Selection::default() };
    let order = Order {
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
    let result = runtime.block_on(run::run(&order, Arc::clone(&suite), &deployer, &Deaf, stop)).unwrap();
    let evidence = fs::read_dir(output.join("evidence")).unwrap().flatten();
    let exchanges: String = evidence.map(|file| fs::read_to_string(file.path()).unwrap()).collect();
    let _ = fs::remove_dir_all(&output);
    assert!(exchanges.lines().count() > 1_000);
    assert!(exchanges.contains(r#""kind":"server""#) && !exchanges.contains(r#""kind":"peer""#));

    let mut kept_away = 0;
    for check in &result.checks {
        let scenario = suite.scenarios.iter().find(|one| one.id == check.id.scenario()).unwrap();
        let disturbs = scenario.needs.iter().any(|need| matches!(need, Need::WholeStage | Need::LastOfAll));
        if scenario.is_hostile() {
            kept_away += 1;
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
    assert!(kept_away > 100, "{kept_away}");
    assert!(result.counts.pass > 100, "{:?}", result.counts);
    assert_eq!(result.exit_code, exit::NOT_PROVEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_whose_port_is_taken_is_named_and_nothing_is_played() {
    let place = Place::new(&FIVE[..2]).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let own = [&format!("--listen={address}"), "--name=peers.test", "--certificate=", "--key="];
    let ended = place.run(None, &place.but(&own), &["-s", "rooms.invite-accepted"]).await;
    let port = format!("Port {} of 127.0.0.1 is taken", address.port());
    ended.assert(64, &[&port, "samklang sweep", "ss -tlnp"]);
    let checks = ended.result["checks"].as_array().unwrap().len();
    assert!(checks > 0 && ended.count("not_run") == checks, "{}", ended.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_played_is_refused_before_anything_is() {
    let place = Place::new(&FIVE[..2]).await;
    let refused = async |others: &[&str], words: &[&str]| {
        let ended = place.run(None, &place.but(others), &["-s", "rooms.invite-accepted"]).await;
        ended.assert(64, words);
        assert!(ended.result.is_null());
        for token in place.tokens() {
            assert!(!ended.text.contains(&token), "{}", ended.text);
        }
    };
    refused(&["--token-file="], &["--token-file"]).await;
    refused(&["--token-file=nowhere"], &["nowhere cannot be read"]).await;
    refused(&["--target=http://127.0.0.1:1"], &["No client API answers", "Look whether"]).await;
    refused(&["--target=https://user@a.test"], &["is no address of a client API"]).await;
    refused(&["--target=ftp://127.0.0.1"], &["is no address of a client API"]).await;
    refused(&["--server-name=other.test"], &["no user of other.test", "--server-name"]).await;
    // Who answers in its place has a certificate for the same host, and other keys.
    let other = place.other_server().await;
    let detour = format!("--connect-to={}={other}", place.name);
    refused(&[&detour], &["does not prove to be it", "--connect-to"]).await;
    // Without --ca only what this machine trusts is believed.
    refused(&["--ca="], &["Other servers do not trust", "nobody who is trusted here signed it", "--ca"])
        .await;
    refused(&["--key=cert.pem"], &["holds secrets", "chmod 600"]).await;
    refused(&["--certificate=ca.pem"], &["ca.pem cannot be presented"]).await;
    refused(&["--key="], &["--key"]).await;
    refused(&["--listen=127.0.0.1:8448"], &["--name"]).await;

    let tokens = place.tokens();
    let wrong = |text: &str, mode: u32| place.write("wrong", text, mode);
    wrong("one-token\n", 0o600);
    refused(&["--token-file=wrong"], &["holds 1 access tokens", "2 to 50"]).await;
    wrong(&format!("{}\nno-such-token\n", tokens[0]), 0o600);
    refused(&["--token-file=wrong"], &["does not take the token on line 2", "M_UNKNOWN_TOKEN"]).await;
    wrong(&tokens.join("\n"), 0o644);
    refused(&["--token-file=wrong"], &["can be read by others", "mode 644", "chmod 600"]).await;
    wrong(&format!("@bertil:{} {}\n{}\n", place.name, tokens[0], tokens[1]), 0o600);
    refused(&["--token-file=wrong"], &["line 1", "is said to be @bertil", "is @anna"]).await;

    let consent = |server: &str, until: &str| {
        wrong(&format!("server = {server:?}\nby = \"Åsa\"\nuntil = {until:?}\n"), 0o644);
    };
    consent(&place.name, "2020-12-31");
    refused(&["--consent=wrong"], &["held until 2020-12-31"]).await;
    consent("other.test", "2999-12-31");
    refused(&["--consent=wrong"], &["is for other.test and not for"]).await;

    let ended = place.run(Some("rocketchat"), &place.right(), &[]).await;
    ended.assert(64, &["no Matrix client API"]);
    let ended = place.run(None, &place.right(), &["--vs=synapse"]).await;
    ended.assert(64, &["has to be brought up"]);
    let ended = place.run(None, &place.right(), &["--direct"]).await;
    ended.assert(64, &["--direct"]);
}
