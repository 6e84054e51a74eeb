//! Signing keys whose private half is publicly known.

use super::server_keys::{entries, fetch_key_document, judge_key_document};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "authentication.known-bad-keys",
    title: "The server does not publish a signing key whose private half is public knowledge.",
    catalogue: &["SH-22"],
    versions: Versions::Only(&["11"]),
    checks: &[CheckPlan::new(
        "not-in-use",
        "No signing key in the server's verify_keys is known to be compromised.",
    )],
    play: play!(known_bad_keys),
    ..Scenario::PEER
}];

/// Public keys in unpadded base64, each with the reason why its private half is known.
const KNOWN_BAD: [(&str, &str); 3] = [
    ("XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI", "it is from the specification's test vectors"),
    ("O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik", "it was made from a seed of zeros"),
    ("l/O9hxMVKB6Lg+3Hqf0FQQZhVESQcMzbPN1Cz2nM3og", "ELEMENTSEC-2025-1670"),
];

async fn known_bad_keys(scene: &Scene) -> Result<(), Failure> {
    let (alice, reply) = fetch_key_document(scene).await?;
    let bad = entries(&reply.body, "verify_keys").find_map(|(id, key)| {
        let written = key["key"].as_str()?.trim_end_matches('=');
        let (_, why) = KNOWN_BAD.iter().find(|(bad, _)| *bad == written)?;
        Some(format!("the key {id}, which is known to be bad: {why}"))
    });
    scene.check("not-in-use", judge_key_document(&alice, &reply, "keys.known_bad", bad));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

    /// The seed is from the appendices, cryptographic test vectors, with its last letter in canonical base64.
    #[test]
    fn known_seeds_make_the_listed_keys() {
        let published = STANDARD_NO_PAD.decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA0").unwrap();
        for (seed, (key, _)) in [published.try_into().unwrap(), [0; 32]].iter().zip(KNOWN_BAD) {
            assert_eq!(SigningKey::from_seed(seed, "1").unwrap().public_base64(), key);
        }
        for (key, _) in KNOWN_BAD {
            assert_eq!(STANDARD_NO_PAD.decode(key).unwrap().len(), 32);
        }
    }
}
