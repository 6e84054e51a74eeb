//! Files (client-server API, content repository; server-server API, content repository).

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::{Request, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ruma::http_headers::ContentDisposition;
use samklang_matrix::is_server_name;
use serde_json::json;

use super::{Call, not_found};
use crate::{
    fault::Fault,
    homeserver::Homeserver,
    joining::segment,
    reply::{Refusal, Reply, Said, refuse},
    transport::Answer,
};

/// The largest file, in bytes.
const LARGEST: usize = 50 * 1024 * 1024;
/// What stands for itself in a header's extended value (RFC 8187).
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

/// The files that are kept, by server and id.
pub(crate) type Files = BTreeMap<(String, String), Arc<File>>;

/// A file.
#[derive(Debug)]
pub(crate) struct File {
    bytes: Bytes,
    content_type: String,
    name: Option<String>,
}

impl File {
    fn disposition(&self) -> String {
        let essence = self.content_type.split(';').next().unwrap_or_default().trim();
        let kind = if INLINE.contains(&essence) { "inline" } else { "attachment" };
        match &self.name {
            Some(name) => format!("{kind}; filename*=utf-8''{}", utf8_percent_encode(name, PLAIN)),
            None => kind.to_owned(),
        }
    }

    fn said(&self) -> Said {
        let mut said = Said::bytes(self.content_type.clone(), self.bytes.clone());
        said.headers.push(("content-disposition", self.disposition()));
        said.headers.push(("content-security-policy", "sandbox; default-src 'none'".to_owned()));
        said.headers.push(("cross-origin-resource-policy", "cross-origin".to_owned()));
        said
    }

    /// As other servers get it: a JSON object and the file, in two parts.
    fn in_parts(&self) -> Said {
        // Random, so that no file holds it.
        let boundary: String = std::iter::repeat_with(fastrand::alphanumeric).take(32).collect();
        let head = format!(
            "--{boundary}\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--{boundary}\r\nContent-Type: {}\r\n\
             Content-Disposition: {}\r\n\r\n",
            self.content_type,
            self.disposition(),
        );
        let end = format!("\r\n--{boundary}--\r\n");
        let body = [head.as_bytes(), &self.bytes, end.as_bytes()].concat();
        Said::bytes(format!("multipart/mixed; boundary={boundary}"), body)
    }

    /// The second part of another server's answer; none where it is not of that form.
    fn from_parts(answer: &Answer) -> Option<Self> {
        let (_, kind) = answer.headers.iter().find(|(name, _)| name == "content-type")?;
        let mut parameters = kind.split(';').map(str::trim);
        if !parameters.next()?.eq_ignore_ascii_case("multipart/mixed") {
            return None;
        }
        let boundary = parameters
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.eq_ignore_ascii_case("boundary"))
            .map(|(_, value)| value.trim_matches('"'))?;
        let delimiter = format!("\r\n--{boundary}");
        let body = [b"\r\n".as_slice(), &answer.body].concat();
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

impl Homeserver {
    pub(super) fn media_config() -> Reply {
        Ok(json!({ "m.upload.size": LARGEST }))
    }

    pub(super) fn store(&self, call: &Call<'_>, request: &Request<Bytes>) -> Reply {
        if self.has(Fault::UploadsRefused) {
            return refuse(403, "M_FORBIDDEN", "no file can be stored");
        }
        if request.body().len() > LARGEST {
            return refuse(413, "M_TOO_LARGE", format!("a file has {LARGEST} bytes at most"));
        }
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let mut file = File {
            bytes: request.body().clone(),
            content_type: content_type.unwrap_or("application/octet-stream").to_owned(),
            name: call.asked.value("filename").map(str::to_owned),
        };
        if self.has(Fault::MediaCut) {
            file.bytes.truncate(1024);
        } else if self.has(Fault::MediaTypesLost) {
            "application/octet-stream".clone_into(&mut file.content_type);
        } else if self.has(Fault::MediaNamesSimplified) {
            file.name =
                file.name.map(|name| name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "_"));
        }
        let mut id: String = std::iter::repeat_with(fastrand::alphanumeric).take(24).collect();
        if self.has(Fault::MediaIdsOdd) {
            id.push('.');
        }
        let address = format!("mxc://{}/{id}", self.name());
        self.known().files.insert((self.name().to_owned(), id), Arc::new(file));
        Ok(json!({ "content_uri": address }))
    }

    /// A file from wherever it is kept; `name` is what the client wants to call it.
    pub(super) async fn hand_out(&self, server: &str, id: &str, name: Option<&str>) -> Result<Said, Refusal> {
        let file = match self.held_file(server, id) {
            Some(file) => file,
            None if server == self.name() || !is_server_name(server) => {
                return not_found("there is no such file");
            }
            None => self.fetch_file(server, id).await?,
        };
        let renamed = name.map(|name| File {
            bytes: file.bytes.clone(),
            content_type: file.content_type.clone(),
            name: Some(name.to_owned()),
        });
        Ok(renamed.as_ref().unwrap_or(&file).said())
    }

    fn held_file(&self, server: &str, id: &str) -> Option<Arc<File>> {
        self.known().files.get(&(server.to_owned(), id.to_owned())).cloned()
    }

    async fn fetch_file(&self, server: &str, id: &str) -> Result<Arc<File>, Refusal> {
        let way = if self.has(Fault::MediaAskedAsThumbnail) { "thumbnail" } else { "download" };
        let target = format!("/_matrix/federation/v1/media/{way}/{}", segment(id));
        let answer = self.ask("GET", server, &target, None).await;
        match answer {
            Ok(answer) if answer.is_success() => match File::from_parts(&answer) {
                Some(file) => {
                    let file = Arc::new(file);
                    let place = (server.to_owned(), id.to_owned());
                    self.known().files.insert(place, Arc::clone(&file));
                    Ok(file)
                }
                None => refuse(502, "M_UNKNOWN", "the other server's answer has no file"),
            },
            Ok(answer) if answer.status == 404 => not_found("there is no such file"),
            _ => refuse(502, "M_UNKNOWN", format!("{server} did not give the file")),
        }
    }

    /// A file of this server's for another server. A thumbnail is the whole file.
    pub(crate) fn give_file(&self, id: &str) -> Result<Said, Refusal> {
        if self.has(Fault::MediaRefused) {
            return not_found("there is no such file");
        }
        let file = self.held_file(self.name(), id);
        let file = file.map_or_else(|| not_found("there is no such file"), Ok)?;
        Ok(if self.has(Fault::MediaNotInParts) { file.said() } else { file.in_parts() })
    }
}
