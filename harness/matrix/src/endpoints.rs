//! The endpoints of the Matrix APIs, in one table: method, path, section of the specification, query parameters, and the
//! fields of requests and responses.
//!
//! ```text
//!   server_server   the table of the server-server API       client   the endpoints of the client-server API in use
//!   fields          the fields of a JSON body                paths    builders of concrete paths
//! ```
//!
//! ```
//! use samklang_matrix::endpoints::{self, paths};
//!
//! let path = paths::state("!room:a.test", "$event");
//! assert_eq!(path, "/_matrix/federation/v1/state/%21room%3Aa%2Etest?event_id=%24event");
//! assert_eq!(endpoints::find("GET", &path), Some(&endpoints::STATE));
//! ```

pub mod client;
mod fields;
pub mod paths;
mod server_server;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, cmp::Ordering};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub use fields::{Field, FieldType, boolean, integer, object, objects, optional, string, strings, unfit};
pub use server_server::*;

/// The beginning of the paths of all Matrix APIs.
pub const ROOT: &str = "/_matrix/";
/// The beginning of the paths of the server-server API, without those of keys, policy servers and delegation.
pub const FEDERATION_ROOT: &str = "/_matrix/federation/";
/// The beginning of the paths about server keys.
pub const KEY_ROOT: &str = "/_matrix/key/v2/";

/// An endpoint of an API. Two endpoints are equal if they have the same method and path.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// A short name, such as `make-join`.
    pub name: &'static str,
    /// The HTTP method, in capitals.
    pub method: &'static str,
    /// The path as the specification writes it, with parameters in braces: `/_matrix/federation/v1/event/{eventId}`. It
    /// is the path of every request where it has no parameters.
    pub template: &'static str,
    /// The section of the specification that describes it.
    pub section: &'static str,
    /// The query parameters that a request must have.
    pub query: &'static [&'static str],
    /// The fields of the request's body.
    pub request: &'static [Field],
    /// The fields of a successful response's body.
    pub response: &'static [Field],
}

impl Endpoint {
    const fn get(name: &'static str, template: &'static str, section: &'static str) -> Self {
        Self::new("GET", name, template, section)
    }

    const fn put(name: &'static str, template: &'static str, section: &'static str) -> Self {
        Self::new("PUT", name, template, section)
    }

    const fn post(name: &'static str, template: &'static str, section: &'static str) -> Self {
        Self::new("POST", name, template, section)
    }

    const fn new(
        method: &'static str,
        name: &'static str,
        template: &'static str,
        section: &'static str,
    ) -> Self {
        Self { name, method, template, section, query: &[], request: &[], response: &[] }
    }

    const fn query(self, query: &'static [&'static str]) -> Self {
        Self { query, ..self }
    }

    const fn request(self, request: &'static [Field]) -> Self {
        Self { request, ..self }
    }

    const fn response(self, response: &'static [Field]) -> Self {
        Self { response, ..self }
    }

    /// The names of the parameters in the path.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.template.split('/').filter_map(parameter)
    }

    /// A concrete path: the values stand in place of the parameters, percent-encoded. A parameter without a value is left
    /// empty. The builders in [`paths`] and [`client`] take the right number of values.
    pub fn path(&self, values: &[&str]) -> String {
        let values: Vec<_> = values.iter().map(|value| encoded(value)).collect();
        self.raw_path(&values.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// As [`Endpoint::path`], but the values stand there as they are.
    pub fn raw_path(&self, values: &[&str]) -> String {
        let mut values = values.iter();
        let segments = self.template.split('/').map(|segment| match parameter(segment) {
            Some(_) => values.next().copied().unwrap_or_default(),
            None => segment,
        });
        segments.collect::<Vec<_>>().join("/")
    }

    /// Whether a request with this method and path is one to this endpoint. The path may have a query and a slash at its
    /// end.
    pub fn matches(&self, method: &str, path: &str) -> bool {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let (template, segments) = (self.template.split('/'), path.trim_end_matches('/').split('/'));
        self.method == method
            && template.clone().count() == segments.clone().count()
            && template.zip(segments).all(|(wanted, found)| parameter(wanted).is_some() || wanted == found)
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Endpoint {}

impl PartialOrd for Endpoint {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Endpoint {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.template, self.method).cmp(&(other.template, other.method))
    }
}

/// The endpoint of the server-server API that a request with this method and path goes to.
pub fn find(method: &str, path: &str) -> Option<&'static Endpoint> {
    ALL.iter().copied().find(|endpoint| endpoint.matches(method, path))
}

/// A value as a segment of a path or in a query: all but letters and digits is percent-encoded.
pub fn encoded(value: &str) -> String {
    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
}

/// An opaque id as a segment of a path: the characters that need no encoding in any place stay as they are (RFC 3986,
/// unreserved characters).
fn encoded_opaque(id: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(id, RESERVED).to_string()
}

/// A path with query parameters added, percent-encoded.
pub fn with_query<N: AsRef<str>, V: AsRef<str>>(
    path: &str,
    parameters: impl IntoIterator<Item = (N, V)>,
) -> String {
    parameters.into_iter().fold(path.to_owned(), |path, (name, value)| {
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{path}{separator}{}={}", name.as_ref(), encoded(value.as_ref()))
    })
}

/// The query parameters of a path, decoded, in order.
pub fn query(path: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(path.split_once('?').map_or("", |(_, query)| query).as_bytes())
}

/// The name of a parameter, if the segment of a template is one.
fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}
