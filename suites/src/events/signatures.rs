//! Signatures and hashes of events (server-server API, checks performed on receipt of a PDU, steps 2 and 3).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "events.forged-signatures",
        title: "The server drops an event with a bad signature, and accepts later honest events.",
        catalogue: &["SH-03"],
        requirements: &["SS-PDU-020"],
        checks: &[
            CheckPlan::new(
                "stranger-key",
                "The server drops an event that is signed with a key that the sender's server never published.",
            ),
            CheckPlan::new(
                "unsigned",
                "The server drops an event that lacks the signature of its sender's server.",
            ),
            CheckPlan::new(
                "unknown-key",
                "The server drops an event whose signature names a signing key that does not exist.",
            ),
            CheckPlan::new("altered", "The server drops an event that was changed after it was signed."),
            CheckPlan::new(
                "other-server",
                "The server drops an event of its own user that only another server has signed.",
            ),
        ],
        play: play!(forged_signatures),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.changed-content",
        title: "The server redacts an event whose content hash does not match.",
        catalogue: &["SH-04"],
        requirements: &["SS-PDU-021"],
        checks: &[
            CheckPlan::new(
                "content",
                "The server redacts an event whose content was changed after hashing and before signing.",
            ),
            CheckPlan::new(
                "hash",
                "The server redacts an event that contains the hash of an empty text as its content hash.",
            ),
        ],
        play: play!(changed_content),
        ..Scenario::PEER
    },
];

/// Mallory's server sends each lie in a transaction of its own, and then an honest message.
///
///   join ──┬── lie, lie, lie …   (each right after the join)
///          └── sentinel
async fn forged_signatures(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let unpublished = unpublished_key()?;
    let lies = [
        ("stranger-key", setup.forge_with("signed with an unpublished key", Tamper::Key(&unpublished))?),
        ("unsigned", setup.forge_with("without a signature", Tamper::Unsigned)?),
        ("unknown-key", setup.forge_with("with an unknown key ID", Tamper::KeyId("ed25519:never".into()))?),
        (
            "altered",
            setup
                .forge_with("changed after signing", Tamper::after_signing(|pdu| pdu["depth"] = json!(77)))?,
        ),
        ("other-server", setup.forged_in_alices_name()?),
    ];
    for (_, lie) in &lies {
        setup.mallory.offer(&setup.host, &[lie]).await?;
    }
    let after = setup.send_sentinel("an honest message").await?;
    for (check, lie) in &lies {
        scene.check(check, setup.check_dropped(lie, &after).await);
    }
    Ok(())
}

/// The content hash does not match the content, while the signature matches the redacted event.
async fn changed_content(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let lies = [
        (
            "content",
            "content changed before signing",
            Tamper::before_signing(|pdu| pdu["content"]["body"] = json!("otherwise")),
        ),
        (
            "hash",
            "with the hash of an empty text",
            Tamper::before_signing(|pdu| pdu["hashes"]["sha256"] = json!(HASH_OF_EMPTY)),
        ),
    ];
    let lies = lies.map(|(check, what, tamper)| (check, setup.forge_with(what, tamper)));
    for (check, lie) in lies {
        let lie = lie?;
        setup.mallory.offer(&setup.host, &[&lie]).await?;
        scene.check(check, setup.check_redacted(&lie).await);
    }
    setup.send_sentinel("an honest message").await?;
    Ok(())
}

/// The SHA-256 hash of an empty text.
const HASH_OF_EMPTY: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
