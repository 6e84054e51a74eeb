//! Writes `Authorization` headers, honest and false ones.

use super::RequestSignature;
use crate::SigningKey;

/// The ways to write the values of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quoting {
    /// `"value"`, as servers have to write it.
    #[default]
    Quoted,
    /// `value`, as old servers write it.
    Bare,
    /// `"\v\a\l\u\e"`: a backslash before each letter, which means the same.
    Escaped,
}

/// A header in the making. It can differ from what was signed:
///
/// ```text
///   RequestSignature ──▶ signed bytes ──▶ sig ─┐
///                                              ├─▶ X-Matrix origin=…,destination=…,key=…,sig=…
///   origin, destination, key ──────────────────┘
///              ▲ each can be replaced or left out
/// ```
///
/// To sign another method, path or body than the request has, use another [`RequestSignature`]. For two headers, use two
/// forges.
#[derive(Debug, Clone)]
pub struct HeaderForge {
    scheme: String,
    parameters: Vec<(String, String)>,
    quoting: Quoting,
    separator: String,
}

impl HeaderForge {
    /// The honest header of a request.
    pub fn honest(request: &RequestSignature<'_>, key: &SigningKey) -> Self {
        let sig = key.sign(request.signed_form().as_bytes());
        let parameters = [
            ("origin", request.origin),
            ("destination", request.destination),
            ("key", key.id()),
            ("sig", sig.as_str()),
        ];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { scheme: "X-Matrix".into(), parameters, quoting: Quoting::Quoted, separator: ",".into() }
    }

    /// Writes the scheme in another way, for instance `x-matrix`.
    #[must_use]
    pub fn scheme(mut self, scheme: &str) -> Self {
        scheme.clone_into(&mut self.scheme);
        self
    }

    /// Gives a parameter another value, such as another `destination`, or adds a parameter.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        match self.parameters.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.parameters.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Leaves a parameter out: `destination`, `sig`.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(known, _)| known != name);
        self
    }

    /// Writes the names of the parameters in another way, for instance in upper case.
    #[must_use]
    pub fn names(mut self, rename: fn(&str) -> String) -> Self {
        for (name, _) in &mut self.parameters {
            *name = rename(name);
        }
        self
    }

    /// Reverses the order of the parameters.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.parameters.reverse();
        self
    }

    /// Writes the values in another way.
    #[must_use]
    pub fn quoting(mut self, quoting: Quoting) -> Self {
        self.quoting = quoting;
        self
    }

    /// Puts another text than a comma between the parameters, such as a comma with white space.
    #[must_use]
    pub fn separator(mut self, separator: &str) -> Self {
        separator.clone_into(&mut self.separator);
        self
    }

    /// The value of the header.
    pub fn build(&self) -> String {
        let write = |value: &str| match self.quoting {
            Quoting::Quoted => format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")),
            Quoting::Bare => value.to_owned(),
            Quoting::Escaped => {
                format!("\"{}\"", value.chars().flat_map(|it| ['\\', it]).collect::<String>())
            }
        };
        let parameters: Vec<_> =
            self.parameters.iter().map(|(name, value)| format!("{name}={}", write(value))).collect();
        format!("{} {}", self.scheme, parameters.join(&self.separator))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyPublication, KeyRing, request_auth::verify_request};
    use serde_json::{Value, json};

    const URI: &str = "/_matrix/federation/v1/send/1?a=%21b";

    fn outcome(header: &str, body: Option<&Value>, keys: &KeyRing) -> &'static str {
        match verify_request(header, "PUT", URI, body, "a.test", keys, 5) {
            Ok(claims) => {
                assert_eq!((claims.origin.as_str(), claims.key_id.as_str()), ("peer.test", "ed25519:1"));
                "good"
            }
            Err(error) => error.code(),
        }
    }

    /// SS-AUTH-003, 004, 008 to 018, 021 to 027, 031 to 033.
    #[test]
    fn each_variant_is_verified_or_refused() {
        let [key, stranger] = [1, 2].map(|seed| SigningKey::from_seed(&[seed; 32], "1").unwrap());
        let keys = KeyRing::new().with("peer.test", &key).with("victim.test", &stranger);
        let body = json!({"b": [1.5, "å"], "a": {}});
        let honest = RequestSignature {
            origin: "peer.test",
            destination: "a.test",
            method: "PUT",
            uri: URI,
            content: Some(&body),
        };
        let forge = || HeaderForge::honest(&honest, &key);
        let signed = |request: RequestSignature<'_>| HeaderForge::honest(&request, &key);
        let other_uri = "/_matrix/federation/v1/send/1?a=!b";
        let table = [
            (forge(), "good"),
            (forge().without("destination"), "good"),
            (forge().quoting(Quoting::Bare), "good"),
            (forge().quoting(Quoting::Escaped), "good"),
            (forge().scheme("x-matrix").names(str::to_uppercase).reversed().separator(" \t,  "), "good"),
            (forge().set("foo", "b\"ar"), "good"),
            (forge().set("destination", "b.test"), "request.other-destination"),
            (forge().set("origin", "victim.test"), "request.bad-signature"),
            (forge().set("origin", "no server"), "request.bad-origin"),
            (forge().set("key", "ed25519:2"), "request.no-usable-key"),
            (forge().set("key", "rsa:1"), "request.unknown-algorithm"),
            (forge().without("sig"), "request.parameter-missing"),
            (forge().set("sig", "!!"), "request.bad-signature"),
            (forge().scheme("Bearer"), "request.other-scheme"),
            (HeaderForge::honest(&honest, &stranger), "request.bad-signature"),
            (signed(RequestSignature { method: "GET", ..honest.clone() }), "request.bad-signature"),
            (signed(RequestSignature { uri: other_uri, ..honest.clone() }), "request.bad-signature"),
            (signed(RequestSignature { content: None, ..honest.clone() }), "request.bad-signature"),
            (
                signed(RequestSignature { destination: "third.test", ..honest.clone() })
                    .without("destination"),
                "request.bad-signature",
            ),
        ];
        for (forge, verdict) in table {
            assert_eq!(outcome(&forge.build(), Some(&body), &keys), verdict, "{}", forge.build());
        }
        assert_eq!(outcome(&forge().build(), None, &keys), "request.bad-signature");
        assert_eq!(outcome(&forge().build(), Some(&json!({})), &keys), "request.bad-signature");
    }

    /// SS-AUTH-012 and 013: no body is not the empty object. SS-KEYS-012: an old key does not authenticate.
    #[test]
    fn an_empty_object_is_a_body_and_an_old_key_is_not_valid() {
        let [key, new] = [1, 2].map(|seed| SigningKey::from_seed(&[seed; 32], &seed.to_string()).unwrap());
        let empty = json!({});
        let request = RequestSignature {
            origin: "peer.test",
            destination: "a.test",
            method: "PUT",
            uri: URI,
            content: Some(&empty),
        };
        let header = HeaderForge::honest(&request, &key).build();
        let mut keys = KeyRing::new().with("peer.test", &key);
        assert_eq!(outcome(&header, Some(&empty), &keys), "good");
        assert_eq!(outcome(&header, None, &keys), "request.bad-signature");
        let rotated = KeyPublication::new("peer.test", 100).current(&new).old(&key, 4).build();
        keys.learn(&crate::KeyDocument::verify(&rotated, "peer.test").unwrap(), 5);
        assert_eq!(outcome(&header, Some(&empty), &keys), "request.no-usable-key");
    }
}
