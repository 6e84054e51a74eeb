//! Files, and how servers pass them on (server-server API, content repository).

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ruma::http_headers::ContentDisposition;

use crate::{response::FullResponse, transport::ServerResponse};

/// The characters that stand for themselves in a header's extended value (RFC 8187).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The types that browsers may show as they are (client-server API, serving inline content).
const INLINE: [&str; 18] = [
    "text/css",
    "text/plain",
    "text/csv",
    "application/json",
    "application/ld+json",
    "image/jpeg",
    "image/gif",
    "image/png",
    "image/apng",
    "image/webp",
    "image/avif",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "video/quicktime",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
];

/// A file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MediaFile {
    pub(crate) bytes: Bytes,
    pub(crate) content_type: String,
    pub(crate) name: Option<String>,
}

impl MediaFile {
    fn disposition(&self) -> String {
        let essence = self.content_type.split(';').next().unwrap_or_default().trim();
        let kind = if INLINE.contains(&essence) { "inline" } else { "attachment" };
        match &self.name {
            Some(name) => format!("{kind}; filename*=utf-8''{}", utf8_percent_encode(name, PLAIN)),
            None => kind.to_owned(),
        }
    }

    /// As clients get it.
    pub(crate) fn as_it_is(&self) -> FullResponse {
        let mut response = FullResponse::bytes(self.content_type.clone(), self.bytes.clone());
        response.headers.push(("content-disposition", self.disposition()));
        response.headers.push(("content-security-policy", "sandbox; default-src 'none'".to_owned()));
        response.headers.push(("cross-origin-resource-policy", "cross-origin".to_owned()));
        response
    }

    /// As other servers get it: a JSON object and the file, in two parts.
    pub(crate) fn in_parts(&self) -> FullResponse {
        // The boundary is random, so that no file holds it.
        let boundary: String = std::iter::repeat_with(fastrand::alphanumeric).take(32).collect();
        let head = format!(
            "--{boundary}\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--{boundary}\r\nContent-Type: {}\r\n\
             Content-Disposition: {}\r\n\r\n",
            self.content_type,
            self.disposition(),
        );
        let end = format!("\r\n--{boundary}--\r\n");
        let body = [head.as_bytes(), &self.bytes, end.as_bytes()].concat();
        FullResponse::bytes(format!("multipart/mixed; boundary={boundary}"), body)
    }

    /// The second part of another server's response; `None` where the response has another form.
    pub(crate) fn from_parts(response: &ServerResponse) -> Option<Self> {
        let (_, kind) = response.headers.iter().find(|(name, _)| name == "content-type")?;
        let mut parameters = kind.split(';').map(str::trim);
        if !parameters.next()?.eq_ignore_ascii_case("multipart/mixed") {
            return None;
        }
        let boundary = parameters
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.eq_ignore_ascii_case("boundary"))
            .map(|(_, value)| value.trim_matches('"'))?;
        let delimiter = format!("\r\n--{boundary}");
        let body = [b"\r\n".as_slice(), &response.body].concat();
        let (_, rest) = split(&body, delimiter.as_bytes())?;
        let (_, rest) = split(rest, delimiter.as_bytes())?;
        let (part, _) = split(rest, delimiter.as_bytes())?;
        let (head, bytes) = split(part, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(head);
        let value = |wanted: &str| {
            let headers = head.lines().filter_map(|line| line.split_once(':'));
            let mut values = headers.filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
            values.next().map(|(_, value)| value.trim().to_owned())
        };
        let disposition = value("content-disposition");
        let disposition = disposition.and_then(|text| ContentDisposition::try_from(text.as_bytes()).ok());
        Some(Self {
            bytes: Bytes::copy_from_slice(bytes),
            content_type: value("content-type").unwrap_or_else(|| "application/octet-stream".to_owned()),
            name: disposition.and_then(|disposition| disposition.filename),
        })
    }
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..place], &bytes[place + at.len()..]))
}
