//! The grammar of server names and user ids (appendices, identifier grammar).

/// The server name in an id: the part after its first colon.
pub fn server_of(id: &str) -> Option<&str> {
    id.split_once(':').map(|(_, server)| server)
}

/// Whether a text is a server name: a DNS name, an IPv4 or a bracketed IPv6 address, and perhaps a port.
pub fn is_server_name(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, rest)) if address.parse::<std::net::Ipv6Addr>().is_ok() => match rest {
                "" => return true,
                _ => ("", rest.strip_prefix(':')),
            },
            _ => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => return is_host(text),
        },
    };
    let is_port =
        |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    (text.starts_with('[') || is_host(host)) && port.is_some_and(is_port)
}

fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 255
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

/// Whether a text is a user id that a server has to accept in events: `@localpart:server`, where the local part may be
/// empty or hold any character but a colon and NUL (appendices, historical user ids).
pub fn is_user_id(text: &str) -> bool {
    let Some((localpart, server)) = text.strip_prefix('@').and_then(|rest| rest.split_once(':')) else {
        return false;
    };
    text.len() <= 255 && !localpart.contains('\0') && is_server_name(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SS-IDENT-001.
    #[test]
    fn server_names_follow_the_grammar() {
        for good in ["a.test", "a.test:8448", "1.2.3.4", "1.2.3.4:1", "[::1]", "[1234:5678::abcd]:5678", "A"]
        {
            assert!(is_server_name(good), "{good}");
        }
        for bad in [
            "",
            "a_b",
            "a.test:",
            "a.test:123456",
            "a.test:8448x",
            "[::1",
            "[::1]8448",
            "[::g]",
            "a b",
            "å.test",
        ] {
            assert!(!is_server_name(bad), "{bad}");
        }
    }

    /// SS-IDENT-005 and 006.
    #[test]
    fn historical_and_empty_local_parts_are_user_ids() {
        for good in ["@a:b.test", "@:b.test", "@Foo Bar!:b.test", "@blåbär:b.test:8448", "@a:[::1]"] {
            assert!(is_user_id(good), "{good}");
        }
        for bad in ["a:b.test", "@a", "@a:", "@a\0:b.test", "@a:b_c", "", "@"] {
            assert!(!is_user_id(bad), "{bad}");
        }
        assert!(!is_user_id(&format!("@{}:b.test", "a".repeat(248))));
        assert_eq!(server_of("@a:b.test:8448"), Some("b.test:8448"));
        assert_eq!(server_of("!opaque"), None);
    }
}
