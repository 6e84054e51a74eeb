//! Finds the Matrix identifiers that an exchange mentions.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use samklang_verdict::{Exchange, Party};

use super::redaction::{next_quote, string_end, unquote};

/// At most this many identifiers of one exchange are indexed.
const MOST: usize = 10_000;

/// The maximum length of an identifier, in bytes (Matrix specification, appendices, "Common Namespace Format").
const LONGEST: usize = 255;

/// Every text in the path, the query and the JSON bodies of `exchange` that looks like a room ID, user ID, event ID,
/// alias or content URI. Also the bare media ID of a download, and the names of the peers at both ends.
pub(super) fn mentioned(exchange: &Exchange) -> BTreeSet<String> {
    let ends = [&exchange.from, &exchange.to].into_iter().filter_map(|party| match party {
        Party::Peer { name } => Some(name.clone()),
        _ => None,
    });
    let mut found: BTreeSet<_> = ends.collect();
    in_path(&exchange.path, &mut found);
    for body in [&exchange.request_body, &exchange.response_body] {
        if let Some(text) = body.text() {
            in_json(text.as_bytes(), &mut found);
        }
    }
    found
}

fn is_identifier(text: &str) -> bool {
    text.len() <= LONGEST
        && text.len() > 1
        && (text.starts_with(['!', '@', '$', '#']) || text.starts_with("mxc://"))
}

fn in_path(path: &str, found: &mut BTreeSet<String>) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let values = query.split('&').filter_map(|pair| pair.split_once('=').map(|(_, value)| value));
    for piece in path.split('/').chain(values).take(MOST) {
        let text = percent_decode_str(piece).decode_utf8_lossy();
        if is_identifier(&text) {
            found.insert(text.into_owned());
        }
    }
    // A download names a media ID without `mxc://`: alone over federation, after the server name in the client API.
    let segments: Vec<_> = path.split('/').collect();
    let Some(media) = segments.iter().position(|segment| *segment == "media") else { return };
    let after = segments[media..].iter().position(|segment| matches!(*segment, "download" | "thumbnail"));
    let id = match after.map_or(&[][..], |at| &segments[media + at + 1..]) {
        [id] => id,
        [_server, id, ..] => id,
        [] => return,
    };
    let id = percent_decode_str(id).decode_utf8_lossy();
    if !id.is_empty() && id.len() <= LONGEST {
        found.insert(id.into_owned());
    }
}

/// Searches the strings of the text, both keys and values, without parsing it. So no depth exhausts the stack, and
/// identifiers in malformed JSON are found as well.
fn in_json(body: &[u8], found: &mut BTreeSet<String>) {
    if !matches!(body.trim_ascii_start().first(), Some(b'{' | b'[' | b'"')) {
        return;
    }
    let mut at = 0;
    while let Some(start) = next_quote(body, at) {
        if found.len() >= MOST {
            return;
        }
        let end = string_end(body, start);
        at = end;
        let quoted = &body[start..end];
        // An escaped identifier is at most six times as long as a plain one.
        let may_be = matches!(quoted.get(1), Some(b'!' | b'@' | b'$' | b'#' | b'm' | b'\\'));
        if !may_be || quoted.len() > 6 * LONGEST + 2 {
            continue;
        }
        let text = unquote(quoted);
        if is_identifier(&text) {
            found.insert(text.into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> Vec<String> {
        let mut found = BTreeSet::new();
        in_path(path, &mut found);
        found.into_iter().collect()
    }

    fn json(text: &str) -> Vec<String> {
        let mut found = BTreeSet::new();
        in_json(text.as_bytes(), &mut found);
        found.into_iter().collect()
    }

    #[test]
    fn paths_are_decoded_segment_by_segment() {
        assert_eq!(path("/v2/invite/%21r%3Aa.test/%24e%2Ff?x=%23al:b&y=1"), ["!r:a.test", "#al:b", "$e/f"]);
        assert_eq!(path("/_matrix/federation/v1/media/download/AbC"), ["AbC"]);
        assert_eq!(path("/_matrix/client/v1/media/thumbnail/a.test/AbC?width=1"), ["AbC"]);
        assert_eq!(path("/_matrix/federation/v1/version"), [""; 0]);
    }

    #[test]
    fn json_is_searched_in_keys_and_values_at_any_depth() {
        let text = r#"{"$k":{"a":["@u:a","plain",1,"\u0021r:a"]},"url":"mxc:\/\/a\/m","s":"$","m":"mxx"}"#;
        assert_eq!(json(text), ["!r:a", "$k", "@u:a", "mxc://a/m"]);
        let deep = format!("{}\"@deep:a\"", "[".repeat(100_000));
        assert_eq!(json(&deep), ["@deep:a"]);
        assert_eq!(json("no json: \"@u:a\""), [""; 0]);
    }

    #[test]
    fn the_search_is_bounded() {
        assert_eq!(json(&format!("[\"@{}\"]", "x".repeat(LONGEST))), [""; 0]);
        let many: Vec<_> = (0..MOST + 5).map(|n| format!("\"@{n}\"")).collect();
        assert_eq!(json(&format!("[{}]", many.join(","))).len(), MOST);
    }
}
