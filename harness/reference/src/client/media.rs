//! Files (client-server API, content repository; server-server API, content repository).

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, header};
use samklang_matrix::{endpoints::paths, is_server_name};
use serde_json::{Value, json};

use super::{ClientRequest, not_found};
use crate::{
    fault::Fault,
    homeserver::Homeserver,
    media_file::MediaFile,
    requests,
    response::{ErrorResponse, FullResponse, JsonResult, refuse},
};

/// The largest file, in bytes.
const LARGEST: usize = 50 * 1024 * 1024;

pub(super) fn config() -> Value {
    json!({ "m.upload.size": LARGEST })
}

pub(super) fn upload(home: &Homeserver, call: &ClientRequest, raw: &Request<Bytes>) -> JsonResult {
    if raw.body().len() > LARGEST {
        return refuse(413, "M_TOO_LARGE", format!("a file has {LARGEST} bytes at most"));
    }
    let content_type = raw.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut file = MediaFile {
        bytes: raw.body().clone(),
        content_type: content_type.unwrap_or("application/octet-stream").to_owned(),
        name: call.request.value("filename").map(str::to_owned),
    };
    home.identity().upload(&mut file);
    let id = new_media_id(home);
    let address = format!("mxc://{}/{id}", home.name());
    home.store().files.insert((home.name().to_owned(), id), Arc::new(file));
    Ok(json!({ "content_uri": address }))
}

fn new_media_id(home: &Homeserver) -> String {
    let id: String = std::iter::repeat_with(fastrand::alphanumeric).take(24).collect();
    if home.has(Fault::MediaIdsInvalid) { format!("{id}.") } else { id }
}

/// A file of this or another server; `name` is the name that the client wants it to have.
pub(super) async fn download(
    home: &Homeserver,
    server: &str,
    id: &str,
    name: Option<&str>,
) -> Result<FullResponse, ErrorResponse> {
    let file = match stored_file(home, server, id) {
        Some(file) => file,
        None if server == home.name() || !is_server_name(server) => {
            return not_found("there is no such file");
        }
        None => fetch_file(home, server, id).await?,
    };
    let renamed = name.map(|name| MediaFile { name: Some(name.to_owned()), ..MediaFile::clone(&file) });
    Ok(renamed.as_ref().unwrap_or(&file).as_it_is())
}

fn stored_file(home: &Homeserver, server: &str, id: &str) -> Option<Arc<MediaFile>> {
    home.store().files.get(&(server.to_owned(), id.to_owned())).cloned()
}

async fn fetch_file(home: &Homeserver, server: &str, id: &str) -> Result<Arc<MediaFile>, ErrorResponse> {
    let target = paths::media_download(id);
    let response = requests::request(home, "GET", server, &target, None).await;
    match response {
        Ok(response) if response.is_success() => match MediaFile::from_parts(&response) {
            Some(file) => {
                let file = Arc::new(file);
                home.store().files.insert((server.to_owned(), id.to_owned()), Arc::clone(&file));
                Ok(file)
            }
            None => refuse(502, "M_UNKNOWN", "the other server's response holds no file"),
        },
        Ok(response) if response.status == 404 => not_found("there is no such file"),
        _ => refuse(502, "M_UNKNOWN", format!("{server} did not return the file")),
    }
}

/// A file of this server, for another server. A thumbnail is the whole file.
pub(crate) fn serve(home: &Homeserver, id: &str) -> Result<FullResponse, ErrorResponse> {
    match stored_file(home, home.name(), id) {
        Some(file) => Ok(as_served(home, &file)),
        None => not_found("there is no such file"),
    }
}

fn as_served(home: &Homeserver, file: &MediaFile) -> FullResponse {
    if home.has(Fault::MediaNotInParts) { file.as_it_is() } else { file.in_parts() }
}
