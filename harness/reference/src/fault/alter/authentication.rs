//! How a server misreads the signature and the credentials of a request.

use samklang_matrix::Credentials;

use crate::request::decoded;

pub(in crate::fault) fn decoded_target(target: &str) -> String {
    decoded(target)
}

pub(in crate::fault) fn encoded_target(target: &str) -> String {
    target.replace('@', "%40").replace(':', "%3A")
}

pub(in crate::fault) fn in_other_order(header: &str) -> bool {
    !header.starts_with("X-Matrix origin")
}

pub(in crate::fault) fn in_upper_case(header: &str) -> bool {
    header.contains("ORIGIN")
}

pub(in crate::fault) fn with_spaces(header: &str) -> bool {
    header.contains(" ,")
}

pub(in crate::fault) fn with_escapes(header: &str) -> bool {
    header.contains('\\')
}

pub(in crate::fault) fn without_quotes(header: &str) -> bool {
    !header.contains('"')
}

pub(in crate::fault) fn with_unknown_parameters(header: &str) -> bool {
    Credentials::parse(header).is_ok_and(|credentials| !credentials.others.is_empty())
}

pub(in crate::fault) fn without_destination(header: &str) -> bool {
    Credentials::parse(header).is_ok_and(|credentials| credentials.destination.is_none())
}
