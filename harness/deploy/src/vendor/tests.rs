use std::{fs, path::PathBuf};

use samklang_verdict::Class;

use super::*;

const GOOD: &str = r#"
name = "fake"
title = "Fake"
default_version = "1.2.3"
licence = "Apache-2.0"
client_api = "matrix"
room_versions = ["10", "11"]
default_room_version = "11"
features = ["knock"]
[versions]
pattern = '^\d+\.\d+\.\d+(rc\d+)?$'
[container]
dockerfile = "Dockerfile"
capabilities = ["SETUID"]
memory_mb = 128
cpus = 0.5
pids = 64
[process]
install = "install"
start = "start"
[ready]
seconds = 5
"#;

/// A shelf of its own, removed at the end of the test.
struct Scratch(PathBuf);

impl Scratch {
    fn with(descriptor: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("samklang-vendor-{:016x}", fastrand::u64(..)));
        fs::create_dir_all(folder.join("fake")).unwrap();
        fs::write(folder.join("fake/vendor.toml"), descriptor).unwrap();
        for file in ["Dockerfile", "install", "start"] {
            fs::write(folder.join("fake").join(file), "").unwrap();
        }
        fs::write(folder.join("outside"), "").unwrap();
        Self(folder)
    }

    fn shelf(&self) -> VendorShelf {
        VendorShelf::new([self.0.clone()])
    }

    fn load(&self) -> Result<Vendor, Problem> {
        self.shelf().load("fake")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The problem's text for the good descriptor with `from` replaced by `to`.
fn told(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from} is not in the descriptor");
    let problem = Scratch::with(&GOOD.replacen(from, to, 1)).load().unwrap_err();
    assert_eq!(problem.class, Class::Configuration);
    problem.to_string()
}

#[test]
fn a_good_descriptor_is_read_in_full() {
    let scratch = Scratch::with(GOOD);
    let vendor = scratch.load().unwrap();
    assert_eq!((vendor.name.as_str(), vendor.default_room_version.as_str()), ("fake", "11"));
    assert_eq!(vendor.ready, Duration::from_secs(5));
    let container = vendor.container().unwrap();
    assert_eq!(container.source, ImageSource::Dockerfile("Dockerfile".into()));
    assert_eq!((container.memory_mb, container.cpus, container.pids), (128, 0.5, 64));
    assert!(!container.needs_ca_key);
    assert!(vendor.process().unwrap().start.is_absolute());
    assert_eq!(scratch.shelf().names().unwrap(), ["fake"]);
    assert_eq!((vendor.client_api, vendor.creates_room_versions.len()), (ClientApi::Matrix, 2));
}

#[test]
fn the_secrets_of_a_server_and_the_containers_beside_it_are_read() {
    let more = "secrets = [\"PATH\", \"SAMKLANG_NO_SUCH_LICENCE\"]\nstorage = \"/var/lib/fake\"\nmemory_mb =";
    let beside =
        "\n[[container.beside]]\nimage = \"mongo:8.0\"\ncommand = [\"mongod\"]\nmemory_mb = 64\n\n[ready]";
    let with = GOOD.replacen("memory_mb =", more, 1).replacen("\n[ready]", beside, 1);
    let vendor = Scratch::with(&with).load().unwrap();
    let container = vendor.container().unwrap();
    assert_eq!((container.storage.as_deref(), container.beside.len()), (Some("/var/lib/fake"), 1));
    assert_eq!(container.beside[0].command, ["mongod"]);
    let blocked = vendor.is_not_blocked().unwrap_err();
    assert_eq!((blocked.class, blocked.exit_code()), (Class::Blocked, 2));
    assert!(blocked.to_string().contains("SAMKLANG_NO_SUCH_LICENCE"), "{blocked}");
    for (right, wrong) in [("mongo:8.0", "mongo"), ("/var/lib/fake", "data"), ("\"PATH\"", "\"a b\"")] {
        let problem = Scratch::with(&with.replacen(right, wrong, 1)).load().unwrap_err();
        assert_eq!(problem.class, Class::Configuration, "{wrong}: {problem}");
    }
}

#[test]
fn an_image_alone_is_a_vendor_with_the_obligatory_declarations() {
    let vendor = Vendor::of_image("acme/complement-homeserver:2.4.0").unwrap();
    assert_eq!(
        (vendor.title.as_str(), vendor.client_api),
        ("acme/complement-homeserver:2.4.0", ClientApi::Matrix)
    );
    assert!(vendor.container().unwrap().needs_ca_key && vendor.process().is_err());
    assert_eq!(vendor.features, ["uninvited-joins"]);
    for odd in ["", "two words"] {
        assert_eq!(Vendor::of_image(odd).unwrap_err().class, Class::Configuration, "{odd:?}");
    }
}

#[test]
fn an_area_a_scenario_or_a_check_may_be_declared_as_adapter_made() {
    let with = GOOD.replace("features =", "adapter_made = [\"one\", \"two.a\", \"three.a/b\"]\nfeatures =");
    let vendor = Scratch::with(&with).load().unwrap();
    for (scenario, check) in [("one.a", "flow"), ("two.a", "b"), ("three.a", "b")] {
        assert!(vendor.is_adapters(scenario, check), "{scenario}/{check}");
    }
    for (scenario, check) in [("two.b", "flow"), ("three.a", "flow"), ("four.a", "b"), ("oner.a", "b")] {
        assert!(!vendor.is_adapters(scenario, check), "{scenario}/{check}");
    }
    let all = ["one.a", "two.a", "three.a", "four.a"].map(|scenario| vendor.is_all_adapters(scenario));
    assert_eq!(all, [true, true, false, false]);
}

#[test]
fn a_malformed_descriptor_is_reported_with_file_line_and_expectation() {
    for (from, to, line, expected) in [
        ("name = \"fake\"", "name = \"other\"", 2, "the name of its folder, \"fake\""),
        ("memory_mb = 128", "memory_mb = \"128\"", 15, "u32"),
        ("memory_mb = 128", "memory = 128", 15, "unknown field `memory`"),
        ("cpus = 0.5", "cpus = 0.0", 16, "0.1 to 64"),
        ("default_version = \"1.2.3\"", "default_version = \"latest\"", 4, "versions.pattern"),
        ("default_room_version = \"11\"", "default_room_version = \"12\"", 8, "room_versions"),
        ("pattern = '^", "pattern = '^(", 11, "regular expression"),
        ("dockerfile = \"Dockerfile\"", "", 12, "expected `dockerfile` or `image` in it"),
        ("dockerfile =", "image = \"a/b\"\ndockerfile =", 12, "and not both"),
        ("dockerfile = \"Dockerfile\"", "image = \"acme/server:next\"", 13, "without a tag"),
        ("\"10\", \"11\"]", "\"10\", \"11\", \"99\"]", 7, "\"99\" is not one"),
        ("[\"knock\"]", "[\"typings\"]", 9, "such as typing"),
        ("\"SETUID\"", "\"NET_ADMIN\"", 14, "SETUID"),
        ("start = \"start\"", "start = \"../outside\"", 20, "in the vendor's folder"),
        ("start = \"start\"", "start = \"/bin/sh\"", 20, "in the vendor's folder"),
        ("install = \"install\"", "install = \"absent\"", 19, "\"absent\" is not one"),
        ("seconds = 5", "seconds = ", 22, ""),
        ("\"matrix\"", "\"telepathy\"", 6, "`driver`"),
        ("features = [\"knock\"]", "creates_room_versions = [\"9\"]", 9, "some of `room_versions`"),
        (
            "features = [\"knock\"]",
            "creates_room_versions = [\"10\"]",
            9,
            "`default_room_version` among them",
        ),
    ] {
        let text = told(from, to);
        assert!(text.contains(&format!("vendor.toml, line {line}:")), "{to}: {text}");
        assert!(text.contains(expected), "{to}: {text}");
    }
}

#[test]
fn the_words_for_features_are_those_of_the_contract() {
    let contract = include_str!("../../../../docker/CONTRACT.md");
    let table = contract.split_once("### Words for `features`").unwrap().1.split("\n## ").next().unwrap();
    let words = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    assert_eq!(words.map(|(word, _)| word).collect::<Vec<_>>(), FEATURES);
}

#[test]
fn two_vendors_of_one_name_and_a_vendors_own_folder_are_refused() {
    let (one, other) = (Scratch::with(GOOD), Scratch::with(GOOD));
    let text = VendorShelf::new([one.0.clone(), other.0.clone()]).load("fake").unwrap_err().to_string();
    assert!(text.contains("Two vendors are called fake"), "{text}");
    let text = VendorShelf::new([one.0.join("fake")]).load("fake").unwrap_err().to_string();
    assert!(text.contains("name the folder above"), "{text}");
}

#[test]
fn an_unknown_vendor_is_answered_with_the_nearest_names() {
    let scratch = Scratch::with(GOOD);
    let text = scratch.shelf().load("fkae").unwrap_err().to_string();
    assert!(text.contains("fkae") && text.contains("fake"), "{text}");
    // A name is never used as a path, even if the path leads to a vendor.
    assert!(scratch.shelf().load("../x/fake").is_err());
    assert!(scratch.shelf().load("").is_err());
}

#[test]
fn a_name_with_the_word_is_nearer_than_one_with_a_similar_spelling() {
    let names = ["events.uninvited", "privacy.invited-asks", "rooms.invite-accepted", "wire.invites"];
    let names = names.map(str::to_owned);
    assert_eq!(nearest("invite", &names)[..2], ["rooms.invite-accepted", "wire.invites"]);
    assert_eq!(nearest("wire.invite", &names)[0], "wire.invites");
    assert_eq!(nearest("vite", &names).len(), 3);
    assert!(nearest("xyzzy", &names).is_empty());
}

#[test]
fn a_version_of_another_form_is_refused() {
    let vendor = Scratch::with(GOOD).load().unwrap();
    assert_eq!(Vendor::parse_spec("fake@1.140.0rc1"), ("fake", Some("1.140.0rc1")));
    assert_eq!(Vendor::parse_spec("fake"), ("fake", None));
    assert_eq!(vendor.version(None).unwrap(), "1.2.3");
    assert_eq!(vendor.version(Some("1.140.0rc1")).unwrap(), "1.140.0rc1");
    for odd in ["latest", "", "1.2.3; rm -rf /", "../1.2.3", "1.2.3\n"] {
        let text = vendor.version(Some(odd)).unwrap_err().to_string();
        assert!(text.contains("fake") && text.contains("1.2.3"), "{odd}: {text}");
    }
}

#[test]
fn a_missing_section_is_reported_by_name() {
    let without = GOOD.replace("[process]\ninstall = \"install\"\nstart = \"start\"\n", "");
    let text = Scratch::with(&without).load().unwrap().process().unwrap_err().to_string();
    assert!(text.contains("[process]"), "{text}");
}

#[test]
fn a_server_inside_the_program_has_no_other_section() {
    let (head, rest) = GOOD.split_once("[container]").unwrap();
    let ready = &rest[rest.find("[ready]").unwrap()..];
    let vendor = Scratch::with(&format!("{head}[embedded]\n{ready}")).load().unwrap();
    assert!(vendor.is_embedded() && vendor.container().is_err() && vendor.process().is_err());
    assert!(!Scratch::with(GOOD).load().unwrap().is_embedded());
    let text = told("[ready]", "[embedded]\n[ready]");
    assert!(text.contains("line 21: expected neither `[container]` nor `[process]`"), "{text}");
    let text = told("[ready]", "[embedded]\nseed = 7\n[ready]");
    assert!(text.contains("seed"), "{text}");
}

#[test]
fn a_server_inside_the_program_may_have_a_fault_that_exists() {
    let (head, rest) = GOOD.split_once("[container]").unwrap();
    let ready = &rest[rest.find("[ready]").unwrap()..];
    let with = |fault: &str| Scratch::with(&format!("{head}[embedded]\n{fault}\n{ready}")).load();
    assert_eq!(with("").unwrap().fault(), None);
    let faulty = with("fault = \"soft-failure-skipped\"").unwrap();
    assert_eq!(faulty.fault().map(Fault::name).as_deref(), Some("soft-failure-skipped"));
    let text = with("fault = \"no-such-fault\"").unwrap_err().to_string();
    assert!(text.contains("expected the name of a fault"), "{text}");
}
