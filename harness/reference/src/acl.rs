//! Server ACLs (client-server API, m.room.server_acl): which servers have no say in a room.

use samklang_matrix::RoomFault;
use serde_json::Value;

use crate::held_room::HeldRoom;

/// Whether a room's ACL admits a server. A room without one admits all.
pub(crate) fn admits(held: &HeldRoom, server: &str) -> bool {
    let content = held.state_content("m.room.server_acl");
    if content.is_null() || held.room.has(RoomFault::IgnoresAcl) {
        return true;
    }
    let fold = if held.room.has(RoomFault::AclCaseMatters) { str::to_owned } else { str::to_ascii_lowercase };
    admitted_by(&content, server, fold)
}

/// `fold` makes texts alike that differ in case alone.
fn admitted_by(acl: &Value, server: &str, fold: fn(&str) -> String) -> bool {
    // The port has no say.
    let host = fold(host_of(server));
    if acl["allow_ip_literals"] == false && is_ip_literal(&host) {
        return false;
    }
    let listed = |list: &str| {
        let globs = acl[list].as_array().into_iter().flatten().filter_map(Value::as_str);
        globs.into_iter().any(|glob| matches(fold(glob).as_bytes(), host.as_bytes()))
    };
    !listed("deny") && listed("allow")
}

fn host_of(server: &str) -> &str {
    match server.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => server,
    }
}

fn is_ip_literal(host: &str) -> bool {
    host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok()
}

/// Whether a glob describes all of a text: `*` stands for any run of characters, `?` for one. Takes time in proportion
/// to the lengths' product, whatever the glob.
fn matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while place < text.len() {
        match glob.get(at) {
            Some(b'*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[place] => (at, place) = (at + 1, place + 1),
            // Let the last star take one more.
            _ => match star {
                Some((from, taken)) => {
                    star = Some((from, taken + 1));
                    (at, place) = (from + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    glob[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// SS-ACL.
    #[test]
    fn deny_goes_before_allow_and_case_and_port_have_no_say() {
        let acl = json!({"allow": ["*"], "deny": ["*.evil.test", "EVIL.test", "?.test"], "allow_ip_literals": false});
        for (server, admitted) in [
            ("good.test", true),
            ("evil.test", false),
            ("Evil.Test:8448", false),
            ("a.b.evil.test", false),
            ("notevil.test", true),
            ("a.test", false),
            ("10.0.0.1:8448", false),
            ("[::1]", false),
        ] {
            assert_eq!(admitted_by(&acl, server, str::to_ascii_lowercase), admitted, "{server}");
        }
        assert!(!admitted_by(&json!({}), "good.test", str::to_ascii_lowercase));
        assert!(admitted_by(&json!({"allow": ["10.0.0.*"]}), "10.0.0.1", str::to_ascii_lowercase));
    }

    #[test]
    fn a_pathological_glob_takes_no_time_to_speak_of() {
        let glob = "*a".repeat(500);
        assert!(!matches(glob.as_bytes(), "a".repeat(499).as_bytes()));
        assert!(matches(glob.as_bytes(), "a".repeat(501).as_bytes()));
    }
}
