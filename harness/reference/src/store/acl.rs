//! Server ACLs (client-server API, m.room.server_acl).

use samklang_matrix::RoomFault;
use serde_json::Value;
use wildmatch::WildMatch;

use super::held_room::HeldRoom;

/// Whether a room's ACL admits a server. A room without an ACL admits all servers.
pub(crate) fn admits(held: &HeldRoom, server: &str) -> bool {
    let content = held.state_content("m.room.server_acl");
    if content.is_null() || held.room.has(RoomFault::IgnoresAcl) {
        return true;
    }
    let glob = if held.room.has(RoomFault::AclCaseMatters) {
        WildMatch::new
    } else {
        WildMatch::new_case_insensitive
    };
    admitted_by(&content, server, glob)
}

fn admitted_by(acl: &Value, server: &str, glob: fn(&str) -> WildMatch) -> bool {
    // The port does not count.
    let host = host_of(server);
    if acl["allow_ip_literals"] == false && is_ip_literal(host) {
        return false;
    }
    let listed = |list: &str| {
        let globs = acl[list].as_array().into_iter().flatten().filter_map(Value::as_str);
        globs.into_iter().any(|pattern| glob(pattern).matches(host))
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// SS-ACL.
    #[test]
    fn deny_overrides_allow_and_case_and_port_do_not_count() {
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
            assert_eq!(admitted_by(&acl, server, WildMatch::new_case_insensitive), admitted, "{server}");
        }
        assert!(!admitted_by(&json!({}), "good.test", WildMatch::new_case_insensitive));
        assert!(admitted_by(&json!({"allow": ["10.0.0.*"]}), "10.0.0.1", WildMatch::new_case_insensitive));
        assert!(admitted_by(&acl, "Evil.Test", WildMatch::new), "unlike a faulty server's");
    }

    #[test]
    fn a_glob_with_many_stars_is_matched_in_no_time() {
        let acl = json!({ "allow": ["*a".repeat(500)] });
        assert!(!admitted_by(&acl, &"a".repeat(499), WildMatch::new_case_insensitive));
        assert!(admitted_by(&acl, &"a".repeat(501), WildMatch::new_case_insensitive));
    }
}
