//! Signatures and hashes of events (server-server API, checks performed on receipt of a PDU, steps 2 and 3).

use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "events.forged-signatures",
        title: "An event whose signature does not hold is dropped, and honest ones after it are not.",
        catalogue: &["SH-03"],
        requirements: &["SS-PDU-020"],
        checks: &[
            CheckPlan::new(
                "stranger-key",
                "An event signed with a key that its server never published is dropped.",
            ),
            CheckPlan::new("unsigned", "An event without its server's signature is dropped."),
            CheckPlan::new(
                "unknown-key",
                "An event signed under the id of a key that does not exist is dropped.",
            ),
            CheckPlan::new("altered", "An event that was changed after it was signed is dropped."),
            CheckPlan::new(
                "other-server",
                "An event in the name of another server's user, signed by the server that delivers it, is dropped.",
            ),
        ],
        play: play!(forged_signatures),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.changed-content",
        title: "An event whose content is not what its hash says is kept without that content.",
        catalogue: &["SH-04"],
        requirements: &["SS-PDU-021"],
        checks: &[
            CheckPlan::new("content", "Content that was changed before signing is redacted."),
            CheckPlan::new("hash", "Where the hash is not that of the content, the content is redacted."),
        ],
        play: play!(changed_content),
        ..Scenario::PEER
    },
];

/// Each lie goes out in a transaction of its own; then an honest message.
///
///   join ──┬── lie, lie, lie …   (each right after the join)
///          └── sentinel
async fn forged_signatures(scene: &Scene) -> Result<(), Failure> {
    let visit = visit(scene).await?;
    let stranger = stranger_key()?;
    let lies = [
        ("stranger-key", visit.forge_with("signed by a stranger", Tamper::Key(&stranger))?),
        ("unsigned", visit.forge_with("without a signature", Tamper::Unsigned)?),
        ("unknown-key", visit.forge_with("under an unknown key", Tamper::KeyId("ed25519:never".into()))?),
        ("altered", visit.forge_with("altered", Tamper::after_signing(|pdu| pdu["depth"] = json!(77)))?),
        ("other-server", visit.in_the_name_of_alice()?),
    ];
    for (_, lie) in &lies {
        visit.mallory.offer(&visit.host, &[lie]).await?;
    }
    let after = visit.sentinel("and this is true").await?;
    for (check, lie) in &lies {
        scene.check(check, visit.dropped(lie, &after).await);
    }
    Ok(())
}

/// Content and hash do not fit each other, while the signature fits what is left after redaction.
async fn changed_content(scene: &Scene) -> Result<(), Failure> {
    let visit = visit(scene).await?;
    let lies = [
        ("content", "changed", Tamper::before_signing(|pdu| pdu["content"]["body"] = json!("otherwise"))),
        (
            "hash",
            "with the hash of nothing",
            Tamper::before_signing(|pdu| pdu["hashes"]["sha256"] = json!(OF_NOTHING)),
        ),
    ];
    let lies = lies.map(|(check, what, tamper)| (check, visit.forge_with(what, tamper)));
    for (check, lie) in lies {
        let lie = lie?;
        visit.mallory.offer(&visit.host, &[&lie]).await?;
        scene.check(check, visit.redacted(&lie).await);
    }
    visit.sentinel("and this is true").await?;
    Ok(())
}

/// The hash of nothing.
const OF_NOTHING: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
