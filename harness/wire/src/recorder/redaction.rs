//! Removes secrets from what is recorded. Everything else stays byte for byte.

use std::borrow::Cow;

/// The text that replaces a secret.
pub const REDACTED: &str = "<redacted>";

/// JSON members whose values are secrets, in any body.
const SECRET: [&str; 9] = [
    "access_token",
    "authToken",
    "login_token",
    "mac",
    "new_password",
    "nonce",
    "password",
    "refresh_token",
    "registration_shared_secret",
];

/// The headers as they may be recorded, without bearer tokens and cookies. An `X-Matrix` authorisation is evidence and
/// not a secret: it is valid for one request only.
pub fn redact_headers(headers: &[(String, String)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.clone(), redact_header(name, value).into_owned())).collect()
}

fn redact_header<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    match name.to_ascii_lowercase().as_str() {
        "cookie" | "set-cookie" | "x-auth-token" => REDACTED.into(),
        "authorization" | "proxy-authorization" => {
            let scheme = value.split_whitespace().next().unwrap_or_default();
            if scheme.eq_ignore_ascii_case("x-matrix") {
                value.into()
            } else if scheme.len() == value.len() {
                // The value has no scheme: the whole value may be the token.
                REDACTED.into()
            } else {
                format!("{scheme} {REDACTED}").into()
            }
        }
        _ => value.into(),
    }
}

/// Path and query as they may be recorded, without the value of `access_token`.
pub fn redact_path(path: &str) -> Cow<'_, str> {
    let Some((path_only, query)) = path.split_once('?') else { return path.into() };
    let is_secret = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        percent_encoding::percent_decode_str(name).decode_utf8_lossy() == "access_token"
    };
    if !query.split('&').any(is_secret) {
        return path.into();
    }
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret(pair) => format!("{name}={REDACTED}"),
        _ => pair.to_owned(),
    });
    format!("{path_only}?{}", pairs.collect::<Vec<_>>().join("&")).into()
}

/// A client-API body as it may be recorded: the values of secret members, at any depth, become `"<redacted>"`. `path`
/// is the path of the request. A `token` is a secret at `/login`, `/register` and `/openid`; elsewhere it is a position
/// in a timeline.
///
/// It works on the text, so that it also removes the secrets from invalid JSON and from JSON of any depth.
pub fn redact_json_body<'a>(path: &str, body: &'a [u8]) -> Cow<'a, [u8]> {
    let path = path.split('?').next().unwrap_or_default();
    let token_too = path.split('/').any(|segment| matches!(segment, "login" | "register" | "openid"));
    let is_secret = |key: &str| SECRET.contains(&key) || (token_too && key == "token");

    let mut out = Vec::new();
    let mut kept = 0;
    let mut at = 0;
    while let Some(start) = next_quote(body, at) {
        let end = string_end(body, start);
        at = end;
        let colon = skip_space(body, end);
        if body.get(colon) != Some(&b':') || !is_secret(&unquote(&body[start..end])) {
            continue;
        }
        let value = skip_space(body, colon + 1);
        out.extend_from_slice(&body[kept..value]);
        out.extend_from_slice(format!("\"{REDACTED}\"").as_bytes());
        kept = value_end(body, value);
        at = kept;
    }
    if kept == 0 {
        return body.into();
    }
    out.extend_from_slice(&body[kept..]);
    out.into()
}

/// The first `"` at or after `at`.
pub(super) fn next_quote(body: &[u8], at: usize) -> Option<usize> {
    body.get(at..)?.iter().position(|byte| *byte == b'"').map(|found| at + found)
}

/// The index after the string that begins with the quote at `start`, or the end of the body if the string does not end.
pub(super) fn string_end(body: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    body.len()
}

/// The text of a quoted string, or nothing if it is not a string.
pub(super) fn unquote(quoted: &[u8]) -> Cow<'_, str> {
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if inner.contains(&b'\\') {
        serde_json::from_slice::<String>(quoted).unwrap_or_default().into()
    } else {
        std::str::from_utf8(inner).unwrap_or_default().into()
    }
}

fn skip_space(body: &[u8], at: usize) -> usize {
    let rest = body.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The index after the value that begins at `start`.
fn value_end(body: &[u8], start: usize) -> usize {
    match body.get(start) {
        Some(b'"') => string_end(body, start),
        Some(b'{' | b'[') => {
            let mut depth = 0_usize;
            let mut at = start;
            while let Some(byte) = body.get(at) {
                match byte {
                    b'"' => {
                        at = string_end(body, at);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return at;
                }
            }
            body.len()
        }
        _ => {
            let rest = body.get(start..).unwrap_or_default();
            start + rest.iter().take_while(|byte| !matches!(byte, b',' | b'}' | b']')).count()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(path: &str, body: &str) -> String {
        String::from_utf8(redact_json_body(path, body.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn redaction_of_headers_removes_tokens_and_keeps_signatures() {
        let headers = [
            ("authorization", "Bearer syt_secret", "Bearer <redacted>"),
            ("Authorization", "syt_secret", "<redacted>"),
            ("authorization", "X-Matrix origin=\"a.test\",sig=\"s\"", "X-Matrix origin=\"a.test\",sig=\"s\""),
            ("set-cookie", "sid=1", "<redacted>"),
            ("content-type", "application/json", "application/json"),
        ];
        for (name, value, expected) in headers {
            let got = redact_headers(&[(name.to_owned(), value.to_owned())]);
            assert_eq!(got, [(name.to_owned(), expected.to_owned())]);
        }
    }

    #[test]
    fn redaction_of_paths_removes_only_the_access_token() {
        assert_eq!(redact_path("/x?a=%21r&access_token=s&b"), "/x?a=%21r&access_token=<redacted>&b");
        assert_eq!(redact_path("/x?access%5Ftoken=s"), "/x?access%5Ftoken=<redacted>");
        assert_eq!(redact_path("/access_token=1?user=%2B"), "/access_token=1?user=%2B");
    }

    #[test]
    fn redaction_of_bodies_removes_secrets_at_any_depth_and_keeps_the_rest() {
        assert_eq!(
            redacted("/login", r#"{ "user" : "a", "x":[{"password" : {"a":["]",1]} }], "token":"t" }"#),
            r#"{ "user" : "a", "x":[{"password" : "<redacted>" }], "token":"<redacted>" }"#
        );
        assert_eq!(redacted("/x", r#"{"mac":12,"b":true}"#), r#"{"mac":"<redacted>","b":true}"#);
        assert_eq!(redacted("/x", r#"{"pass\u0077ord":"s\"s"}"#), r#"{"pass\u0077ord":"<redacted>"}"#);
        for same in [r#"{"token":"t1_2", "body":"my password: x"}"#, "", "[1,\u{7f}", r#"["password","x"]"#] {
            assert!(
                matches!(redact_json_body("/messages", same.as_bytes()), Cow::Borrowed(b) if b == same.as_bytes())
            );
        }
    }

    #[test]
    fn redaction_also_removes_secrets_from_malformed_and_deep_bodies() {
        assert_eq!(redacted("/x", r#"{"password":"never ends"#), r#"{"password":"<redacted>""#);
        assert_eq!(redacted("/x", r#"{"password""#), r#"{"password""#);
        assert_eq!(redacted("/x", r#"{"password":[[["#), r#"{"password":"<redacted>""#);
        let deep = format!("{}{}{}", "[".repeat(100_000), r#"{"access_token":"s"}"#, "]".repeat(100_000));
        assert_eq!(redacted("/x", &deep), deep.replace("\"s\"", "\"<redacted>\""));
    }
}
