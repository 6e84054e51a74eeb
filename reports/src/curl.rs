//! A recorded request as a shell command that sends it again with curl.

use samklang_verdict::{Body, Exchange, Message, Party, Wire, message};

use crate::{
    text::{is_hidden, safe_line},
    words::Words,
};

/// The text that replaces a secret in a transcript.
const REDACTED: &str = "<redacted>";
/// Longer bodies do not fit into one argument on Linux (128 KiB) and go through a pipe.
const ARGUMENT: usize = 96 * 1024;
/// Headers that belong to the connection or that curl works out itself.
const CURLS_OWN: [&str; 6] =
    ["connection", "content-length", "expect", "keep-alive", "transfer-encoding", "upgrade"];
/// Headers that curl adds by default.
const ADDED: [&str; 3] = ["accept", "content-type", "user-agent"];

/// The command, below remarks as shell comments.
pub(crate) fn line(words: Words<'_>, exchange: &Exchange) -> Result<String, Message> {
    let id = exchange.id;
    let body = match &exchange.request_body {
        Body::Empty => None,
        Body::Text { text } if text.contains('\0') => return Err(message!("curl.binary", id = id)),
        Body::Text { text } => Some(text.as_str()),
        Body::Bytes { length, sha256, .. } => {
            return Err(message!("curl.not-kept", id = id, length = length, sha256 = sha256));
        }
    };
    let target = CurlTarget::of(words, exchange);
    let mut text = String::new();
    for remark in remarks(words, exchange, &target) {
        text.push_str(&format!("# {}\n", safe_line(&remark)));
    }
    let secret = |text: &str, name| match exchange.wire {
        Wire::Client => with_secret(text, name),
        Wire::Federation => quoted(text),
    };
    let mut command = vec!["curl --include --globoff --path-as-is".to_owned()];
    if has(exchange, "accept-encoding") {
        // The header is sent as recorded; this flag makes curl decompress the answer.
        command.push("--compressed".to_owned());
    }
    command.extend(target.flags.iter().cloned());
    command.push(match exchange.method.as_str() {
        // With -X HEAD curl would wait for a body.
        "HEAD" => "--head".to_owned(),
        method => format!("-X {}", quoted(method)),
    });
    command.extend(headers(exchange));
    if let Some(body) = body {
        let body = secret(body, "SECRET");
        if body.len() > ARGUMENT {
            command[0].insert_str(0, &format!("printf %s {body} | "));
            command.push("--data-binary @-".to_owned());
        } else {
            // curl reads a leading @ as a file name.
            let flag = if body.trim_start_matches(['$', '\'']).starts_with('@') { "raw" } else { "binary" };
            command.push(format!("--data-{flag} {body}"));
        }
    }
    // A path without a leading slash would become part of the server name.
    let path = if exchange.path.starts_with('/') { &exchange.path } else { "/" };
    if path != exchange.path {
        command.push(format!("--request-target {}", secret(&exchange.path, "ACCESS_TOKEN")));
    }
    command.push(match &target.base {
        Some(base) => quoted(&format!("{base}{path}")),
        None => format!("\"$CLIENT_API\"{}", secret(path, "ACCESS_TOKEN")),
    });
    Ok(text + &command.join(" ") + "\n")
}

/// The destination of a request.
struct CurlTarget {
    /// The beginning of the address; `None` for a client API, whose address is not recorded.
    base: Option<String>,
    /// The flags that lead curl to the server.
    flags: Vec<String>,
    /// The server name.
    name: String,
}

impl CurlTarget {
    fn of(words: Words<'_>, exchange: &Exchange) -> Self {
        let host = exchange.request_headers.iter().find(|(name, _)| name == "host").map(|(_, value)| value);
        let name = match &exchange.to {
            Party::Server { role } => {
                let server = words.result.participants.iter().find(|participant| participant.role == *role);
                server.map(|participant| participant.server_name.clone())
            }
            Party::Peer { name } | Party::Stranger { name } => Some(name.clone()),
            Party::User { .. } | Party::Harness => None,
        };
        // A hostile server may have chosen the name; an @ in it would lead elsewhere.
        let is_tame =
            |name: &String| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
        let name = name.or_else(|| host.cloned()).filter(is_tame).unwrap_or_else(|| "localhost".to_owned());
        if exchange.wire == Wire::Client {
            return Self { base: None, flags: Vec::new(), name };
        }
        let (host, port) = match name.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => (host, port),
            // A name without a port uses 8448 by default (server discovery).
            _ => (name.as_str(), "8448"),
        };
        let mut flags = vec!["-k".to_owned()];
        match host.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
            Ok(address) if address.is_loopback() => {}
            // The request goes to this machine only, whatever address was recorded.
            Ok(_) => flags.push("--connect-to '::127.0.0.1:'".to_owned()),
            Err(_) => flags.push(format!("--resolve {}", quoted(&format!("{host}:{port}:127.0.0.1")))),
        }
        Self { base: Some(format!("https://{host}:{port}")), flags, name }
    }
}

fn remarks(words: Words<'_>, exchange: &Exchange, target: &CurlTarget) -> Vec<String> {
    let say = |message: &Message| words.line(message);
    let (run, name) = (&words.result.run.id, &target.name);
    let mut remarks = vec![say(&message!("curl.stage-gone", run = run, name = name))];
    match exchange.wire {
        Wire::Client => remarks.push(say(&message!("curl.client", name = name))),
        Wire::Federation => {
            let signed = exchange.request_headers.iter().any(|(name, value)| {
                name == "authorization" && value.to_ascii_lowercase().starts_with("x-matrix")
            });
            if signed {
                remarks.push(say(&message!("curl.signed", name = name)));
            }
            remarks.push(say(&message!("curl.insecure")));
        }
    }
    if exchange.fault.is_some() {
        remarks.push(say(&message!("curl.fault")));
    }
    if exchange.wire == Wire::Client && exchange.request_body.text().is_some_and(|b| b.contains(REDACTED)) {
        remarks.push(say(&message!("curl.secret")));
    }
    remarks
}

fn has(exchange: &Exchange, header: &str) -> bool {
    exchange.request_headers.iter().any(|(name, _)| name == header)
}

/// Exactly the recorded headers.
fn headers(exchange: &Exchange) -> Vec<String> {
    let sent = exchange.request_headers.iter().filter(|(name, _)| !CURLS_OWN.contains(&name.as_str()));
    let sent = sent.map(|(name, value)| {
        // curl omits a header with nothing after the colon, but sends one that ends in a semicolon.
        let text = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        format!("-H {}", with_secret(&text, "ACCESS_TOKEN"))
    });
    let without = ADDED
        .into_iter()
        .filter(|name| !has(exchange, name))
        .map(|name| format!("-H {}", quoted(&format!("{name}:"))));
    sent.chain(without).collect()
}

/// `text` for a shell, with the variable `name` in place of a redacted secret.
fn with_secret(text: &str, name: &str) -> String {
    text.split(REDACTED).map(quoted).collect::<Vec<_>>().join(&format!("\"${name}\""))
}

/// `text` as one word for a shell: in plain quotes, or as `$'…'` if it contains characters that are invisible or act on a
/// terminal.
fn quoted(text: &str) -> String {
    if !text.chars().any(is_hidden) {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    let mut out = String::from("$'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            c if is_hidden(c) => {
                let mut bytes = [0; 4];
                // Octal: always three digits, so that the next character cannot become part of it.
                c.encode_utf8(&mut bytes).bytes().for_each(|byte| out.push_str(&format!("\\{byte:03o}")));
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// The text that a shell reads from a quoted word.
    fn shell_reads(word: &str) -> Option<Vec<u8>> {
        let output = Command::new("bash").args(["-c", &format!("printf %s {word}")]).output().ok()?;
        assert!(output.status.success(), "{word}");
        Some(output.stdout)
    }

    #[test]
    fn a_shell_reads_the_recorded_text() {
        let hostile = "'; touch /tmp/x; $(id) `id` \\ \"q\" \u{1b}[31m1 \u{202e}å\n\\'\t!";
        for text in ["plain", "it's", "", hostile, "$HOME", "\u{7}7"] {
            let word = quoted(text);
            assert!(!word.chars().any(is_hidden), "{word:?}");
            if let Some(read) = shell_reads(&word) {
                assert_eq!(String::from_utf8(read).unwrap(), text);
            }
        }
    }

    #[test]
    fn secrets_become_variables() {
        assert_eq!(with_secret("authorization: Bearer <redacted>", "T"), "'authorization: Bearer '\"$T\"''");
        assert_eq!(with_secret("/x?a=1", "T"), "'/x?a=1'");
    }
}
