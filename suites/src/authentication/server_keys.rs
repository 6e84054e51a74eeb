//! Server keys: the key document that a server publishes, and the key documents of other servers that it accepts
//! (server-server API, retrieving server keys).

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use samklang_matrix::{HeaderForge, KeyDocument, KeyPublication, RequestSignature};

use super::{alice_at, check_answered, check_refused};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "authentication.published-keys",
        title: "The server publishes its keys in a key document that it has signed itself.",
        catalogue: &["FC-04"],
        requirements: &["SS-KEYS-001"],
        versions: Versions::Only(&["11"]),
        checks: &[
            CheckPlan::new(
                "complete",
                "The server's key document contains its server name, keys, signatures and valid_until_ts.",
            )
            .of(&["SS-KEYS-001", "SS-KEYS-002"]),
            CheckPlan::new("key-ids", "Every signing key ID in verify_keys has the form algorithm:version.")
                .of(&["SS-KEYS-003"]),
            CheckPlan::new("encoding", "Every Ed25519 key in verify_keys is unpadded base64 of 32 bytes.")
                .of(&["SS-KEYS-004"]),
            CheckPlan::new("self-signed", "A key in verify_keys has signed the key document.")
                .of(&["SS-KEYS-005"]),
            CheckPlan::new(
                "old-keys",
                "Every entry of old_verify_keys contains a key and the time at which it expired.",
            )
            .of(&["SS-KEYS-008"]),
        ],
        play: play!(published_keys),
        ..Scenario::PEER
    },
    Scenario {
        id: "authentication.good-key-manners",
        title: "Every key in verify_keys signs the key document, and the document is valid for at least one hour.",
        catalogue: &["FC-04"],
        requirements: &["SS-KEYS-006"],
        weight: Weight::Should,
        versions: Versions::Only(&["11"]),
        checks: &[
            CheckPlan::new("all-sign", "The key document contains a signature by every key in verify_keys.")
                .of(&["SS-KEYS-006"]),
            CheckPlan::new("valid-long-enough", "The server's key document is valid for at least one more hour.")
                .of(&["SS-KEYS-007"]),
        ],
        play: play!(recommended_key_document),
        ..Scenario::PEER
    },
    Scenario {
        id: "authentication.forged-keys",
        title: "The server does not accept requests signed with keys from a forged key document.",
        catalogue: &["FC-08"],
        requirements: &["SS-KEYS-009"],
        versions: Versions::Only(&["11"]),
        checks: &[
            CheckPlan::new(
                "not-self-signed",
                "The server accepts no keys of another server from a key document that none of those keys has signed.",
            )
            .of(&["SS-KEYS-009"]),
            CheckPlan::new("unsigned", "The server accepts no keys of another server from a key document without a signature.")
                .of(&["SS-KEYS-009"]),
            CheckPlan::new(
                "altered",
                "The server accepts no keys of another server from a key document that was changed after signing.",
            )
            .of(&["SS-KEYS-009"]),
            CheckPlan::new(
                "other-name",
                "The server accepts no keys from a key document that contains a different server name.",
            )
            .of(&["SS-KEYS-010"]),
        ],
        play: play!(forged_keys),
        ..Scenario::PEER
    },
    Scenario {
        id: "authentication.retired-keys",
        title: "The server refuses requests signed with a retired key, and accepts those signed with its successor.",
        catalogue: &["FC-05", "FC-08"],
        requirements: &["SS-KEYS-012"],
        versions: Versions::Only(&["11"]),
        checks: &[CheckPlan::new(
            "refused",
            "The server refuses a request signed with a key that is only in old_verify_keys.",
        )],
        play: play!(retired_keys),
        ..Scenario::PEER
    },
];

const DOCUMENT: &str = endpoints::SERVER_KEYS.template;
pub(super) const HOUR_MS: u64 = 60 * 60 * 1000;

/// Fetches the host's key document, and registers Alice there.
pub(super) async fn fetch_key_document(scene: &Scene) -> Result<(User, PeerResponse), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let peer = scene.peer("asker").await?;
    let reply = peer.ask_with(&host, "GET", DOCUMENT, None, &[]).await?;
    if reply.is_success() && entries(&reply.body, "verify_keys").next().is_some() {
        return Ok((alice, reply));
    }
    let what = format!("no verify_keys, but {}", reply.in_words());
    let text = message!("fail.key-document", what = what);
    Err(alice.wrong("keys.no_document", text, std::slice::from_ref(&reply.observation)))
}

/// Passes if nothing is wrong with the key document.
pub(super) fn judge_key_document(
    alice: &User,
    reply: &PeerResponse,
    reason: &str,
    wrong: Option<String>,
) -> Result<Observations, Failure> {
    match wrong {
        None => Ok(reply.clone().into()),
        Some(what) => {
            let text = message!("fail.key-document", what = what);
            Err(alice.wrong(reason, text, std::slice::from_ref(&reply.observation)))
        }
    }
}

pub(super) fn entries<'a>(document: &'a Value, list: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    document[list].as_object().into_iter().flatten()
}

async fn published_keys(scene: &Scene) -> Result<(), Failure> {
    let (alice, reply) = fetch_key_document(scene).await?;
    let document = &reply.body;
    let judge = |check: &str, reason: &str, wrong: Option<String>| {
        scene.check(check, judge_key_document(&alice, &reply, reason, wrong));
    };
    let fields = [
        ("server_name", document["server_name"] == *alice.server_name()),
        ("signatures", document["signatures"].is_object()),
        ("valid_until_ts", document["valid_until_ts"].is_u64()),
    ];
    let wrong = fields
        .into_iter()
        .find(|(_, right)| !right)
        .map(|(name, _)| format!("field `{name}` is missing or wrong"));
    judge("complete", "keys.incomplete_document", wrong);

    let is_id = |id: &str| {
        let is_version = |version: &str| {
            !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        id.split_once(':').is_some_and(|(algorithm, version)| !algorithm.is_empty() && is_version(version))
    };
    let odd = entries(document, "verify_keys").map(|(id, _)| id).find(|id| !is_id(id));
    judge("key-ids", "keys.bad_key_id", odd.map(|id| format!("the key id {id}")));

    let is_key = |key: &Value| {
        let bytes = key["key"].as_str().and_then(|key| STANDARD_NO_PAD.decode(key).ok());
        bytes.is_some_and(|bytes| bytes.len() == 32)
    };
    let mut keys = entries(document, "verify_keys").filter(|(id, _)| id.starts_with("ed25519:"));
    let odd = keys.find(|(_, key)| !is_key(key));
    judge("encoding", "keys.bad_encoding", odd.map(|(id, key)| format!("{id} is {key}")));

    let unproven = KeyDocument::verify(document, alice.server_name()).err().map(|error| error.to_string());
    judge("self-signed", "keys.not_self_signed", unproven);

    let is_old = |key: &Value| key["key"].is_string() && key["expired_ts"].is_u64();
    let odd = entries(document, "old_verify_keys").find(|(_, key)| !is_old(key));
    judge("old-keys", "keys.bad_old_key", odd.map(|(id, key)| format!("the old key {id} is {key}")));
    Ok(())
}

async fn recommended_key_document(scene: &Scene) -> Result<(), Failure> {
    let (alice, reply) = fetch_key_document(scene).await?;
    let signatures = &reply.body["signatures"][alice.server_name()];
    let unsigned =
        entries(&reply.body, "verify_keys").map(|(id, _)| id).find(|id| !signatures[id.as_str()].is_string());
    let unsigned = unsigned.map(|id| format!("the key {id} has not signed it"));
    scene.check("all-sign", judge_key_document(&alice, &reply, "keys.key_did_not_sign", unsigned));

    let until = reply.body["valid_until_ts"].as_u64().unwrap_or_default();
    let short = (until < now_ms().saturating_add(HOUR_MS))
        .then(|| format!("valid_until_ts {until} is less than an hour away"));
    scene.check("valid-long-enough", judge_key_document(&alice, &reply, "keys.short_validity", short));
    Ok(())
}

/// The response to a signed request of `peer` for Alice's profile.
pub(super) async fn ask_for_profile(
    peer: &ScriptedPeer,
    host: &Host,
    alice: &User,
) -> Result<PeerResponse, Failure> {
    let target = paths::query_profile(alice.id());
    peer.ask(host, "GET", &target, None).await
}

fn check_not_believed(alice: &User, reply: &PeerResponse) -> Result<Observations, Failure> {
    check_refused(alice, reply, "keys.forged_key_believed")
}

/// The twin of the forged requests: the server answers a peer with an honest key document.
pub(super) async fn check_honest_peer(scene: &Scene, host: &Host, alice: &User) -> Result<(), Failure> {
    check_answered(alice, &ask_for_profile(&scene.peer("honest").await?, host, alice).await?)?;
    Ok(())
}

/// Each forged key document is published by a new peer, whose keys the server has not fetched before.
async fn forged_keys(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = alice_at(&host).await?;
    check_honest_peer(scene, &host, &alice).await?;
    let unpublished = unpublished_key()?;
    let until = now_ms() + HOUR_MS;
    for check in ["not-self-signed", "unsigned", "altered", "other-name"] {
        let peer = scene.peer("forger").await?;
        let key = peer.peer().key();
        let honest = KeyPublication::new(peer.name(), until).current(key);
        let document = match check {
            "not-self-signed" => honest.signed_by(&[&unpublished]).build(),
            "unsigned" => honest.signed_by(&[]).build(),
            "altered" => {
                let mut document = honest.build();
                document["valid_until_ts"] = json!(until + 1);
                document
            }
            _ => KeyPublication::new("elsewhere.example.org", until).current(key).build(),
        };
        peer.peer().publish(document);
        let outcome = ask_for_profile(&peer, &host, &alice).await;
        scene.check(check, outcome.and_then(|reply| check_not_believed(&alice, &reply)));
    }
    Ok(())
}

/// The peer's first key is retired before the server has fetched it; another key is in use.
async fn retired_keys(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = alice_at(&host).await?;
    let peer = scene.peer("rotated").await?;
    let fresh = generate_key("fresh")?;
    let document = KeyPublication::new(peer.name(), now_ms() + HOUR_MS).current(&fresh);
    peer.peer().publish(document.old(peer.peer().key(), now_ms() - HOUR_MS).build());
    let retired = ask_for_profile(&peer, &host, &alice).await;

    let target = paths::query_profile(alice.id());
    let (origin, destination) = (peer.name(), host.name());
    let request = RequestSignature { origin, destination, method: "GET", uri: &target, content: None };
    let header = HeaderForge::honest(&request, &fresh).build();
    check_answered(&alice, &peer.ask_with(&host, "GET", &target, None, &[header]).await?)?;
    scene.check("refused", retired.and_then(|reply| check_not_believed(&alice, &reply)));
    Ok(())
}
