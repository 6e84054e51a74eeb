//! Reading the `Authorization` header (RFC 9110, section 11.4, with the leniencies of the server-server API).

use std::collections::BTreeMap;

/// The parameters of an `X-Matrix` header. Nothing is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The sending server.
    pub origin: String,
    /// The receiving server, which old servers leave out.
    pub destination: Option<String>,
    /// The id of the key.
    pub key: String,
    /// The signature, unpadded base64.
    pub sig: String,
    /// Unknown parameters, by lower-case name.
    pub others: BTreeMap<String, String>,
}

/// Why a header cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It has another scheme than `X-Matrix`.
    #[error("the scheme is not X-Matrix")]
    OtherScheme,
    /// It does not follow the grammar.
    #[error("it is not well-formed at byte {0}")]
    Malformed(usize),
    /// A parameter comes twice.
    #[error("the parameter {0} comes twice")]
    Duplicate(String),
    /// A parameter is missing.
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
}

impl Credentials {
    /// Reads a header: the scheme and the names of parameters in any case, values quoted or not, optional white space
    /// around commas and after the scheme, parameters in any order, unknown ones kept (SS-AUTH-021 to 027, 031).
    ///
    /// # Errors
    /// If it has another scheme, is not well-formed, or lacks a parameter other than `destination`.
    pub fn parse(header: &str) -> Result<Self, HeaderError> {
        let (scheme, rest) = header.split_once([' ', '\t']).ok_or(HeaderError::OtherScheme)?;
        if !scheme.eq_ignore_ascii_case("X-Matrix") {
            return Err(HeaderError::OtherScheme);
        }
        let mut parameters = parameters(rest, header.len() - rest.len())?;
        let mut take = |name: &'static str| parameters.remove(name).ok_or(HeaderError::Missing(name));
        let (origin, key, sig) = (take("origin")?, take("key")?, take("sig")?);
        let destination = take("destination").ok();
        Ok(Self { origin, destination, key, sig, others: parameters })
    }
}

/// Reads the parameters; `start` is their offset in the header, for errors.
fn parameters(rest: &str, start: usize) -> Result<BTreeMap<String, String>, HeaderError> {
    let mut found = BTreeMap::new();
    let mut left = rest.trim_start_matches([' ', '\t', ',']);
    while !left.is_empty() {
        let malformed = HeaderError::Malformed(start + rest.len() - left.len());
        let (name, value) = left.split_once('=').ok_or(malformed.clone())?;
        let name = name.trim_end_matches([' ', '\t']).to_ascii_lowercase();
        let is_token = !name.is_empty() && name.bytes().all(is_token_byte);
        let (value, after) = value_of(value.trim_start_matches([' ', '\t'])).ok_or(malformed.clone())?;
        let after = after.trim_start_matches([' ', '\t']);
        if !is_token || !(after.is_empty() || after.starts_with(',')) {
            return Err(malformed);
        }
        if found.insert(name.clone(), value).is_some() {
            return Err(HeaderError::Duplicate(name));
        }
        // A list may have empty elements (RFC 9110, section 5.6.1).
        left = after.trim_start_matches([' ', '\t', ',']);
    }
    Ok(found)
}

/// A value and the rest after it. An unquoted value may hold more than a token does: key ids and ports have colons
/// (SS-AUTH-026), and base64 has slashes, plus signs and equals signs.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t', '"']).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(letters.next()?.1),
            _ => value.push(letter),
        }
    }
    None
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenient_forms_are_read() {
        let good = Credentials {
            origin: "a.test:8448".into(),
            destination: Some("b.test".into()),
            key: "ed25519:1".into(),
            sig: "a/+b=".into(),
            others: BTreeMap::new(),
        };
        for header in [
            r#"X-Matrix origin="a.test:8448",destination="b.test",key="ed25519:1",sig="a/+b=""#,
            "X-Matrix origin=a.test:8448,destination=b.test,key=ed25519:1,sig=a/+b=",
            "x-matrix   sig=\"a/+b=\" \t, KEY=\"ed25519:1\",\tOrigin = a.test:8448 ,, destination=\"b\\.t\\est\" ,",
        ] {
            assert_eq!(Credentials::parse(header).as_ref(), Ok(&good), "{header}");
        }
        let old = Credentials::parse(r#"X-Matrix origin=a.test,key=k,sig=s,foo="b,a\"r""#).unwrap();
        assert_eq!(old.destination, None);
        assert_eq!(old.others, BTreeMap::from([("foo".into(), "b,a\"r".into())]));
    }

    #[test]
    fn each_malformed_header_has_its_error() {
        let table = [
            ("", HeaderError::OtherScheme),
            ("X-Matrix", HeaderError::OtherScheme),
            ("Bearer x", HeaderError::OtherScheme),
            ("X-Matrix ", HeaderError::Missing("origin")),
            ("X-Matrix origin=a,key=k", HeaderError::Missing("sig")),
            ("X-Matrix origin=a,origin=b,key=k,sig=s", HeaderError::Duplicate("origin".into())),
            ("X-Matrix origin", HeaderError::Malformed(9)),
            ("X-Matrix origin=", HeaderError::Malformed(9)),
            ("X-Matrix origin=\"a", HeaderError::Malformed(9)),
            ("X-Matrix origin=\"a\\", HeaderError::Malformed(9)),
            ("X-Matrix origin=a b,key=k,sig=s", HeaderError::Malformed(9)),
            ("X-Matrix origin=a,å=k,sig=s", HeaderError::Malformed(18)),
            ("X-Matrix origin=\"å\"ö", HeaderError::Malformed(9)),
        ];
        for (header, error) in table {
            assert_eq!(Credentials::parse(header), Err(error), "{header}");
        }
    }
}
