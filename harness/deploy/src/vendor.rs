//! Vendors: products that speak Matrix federation, each described by `<folder>/<vendor>/vendor.toml`.
//!
//! The engine knows no vendor by name. If a descriptor lacks something or is wrong, the problem names file and line,
//! since its author may be writing a first descriptor.

mod descriptor;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use regex_lite::Regex;
use samklang_reference::Fault;
use samklang_verdict::{Class, Message, Problem, message};

use self::descriptor::Descriptor;

/// The descriptor's file name in a vendor's folder.
const DESCRIPTOR: &str = "vendor.toml";
/// The script beside the vendors' folders that makes [`BASE_IMAGE`] if no registry answers.
const BASE_IMAGE_SCRIPT: &str = "base-image";
/// The image that the script beside the vendors' folders can make.
pub const BASE_IMAGE: &str = "debian:bookworm-slim";
/// A vendor as its descriptor describes it.
#[derive(Debug, Clone)]
pub struct Vendor {
    /// Its name in commands, which is also the name of its folder.
    pub name: String,
    /// Its name for readers.
    pub title: String,
    /// The version that is used if none is requested.
    pub default_version: String,
    /// The product's licence, as an SPDX expression if there is one.
    pub licence: String,
    /// The driver through which its users act.
    pub client_api: ClientApi,
    /// The room versions it declares to support.
    pub room_versions: Vec<String>,
    /// The room version of a room if none is requested; one of `room_versions`.
    pub default_room_version: String,
    /// The room versions in which its users can create rooms; some of `room_versions`.
    pub creates_room_versions: Vec<String>,
    /// Checks, scenarios and areas whose subject is made by an adapter around the product, and not by the product.
    pub adapter_made: Vec<String>,
    /// The features that it declares, in the words of the contract.
    pub features: Vec<String>,
    /// The vendor's folder.
    pub folder: PathBuf,
    /// The script that makes [`BASE_IMAGE`], where the shelf has one.
    pub base_image_script: Option<PathBuf>,
    /// The bound on the time between a server's start and its readiness.
    pub ready: Duration,
    versions: Regex,
    container: Option<ContainerSpec>,
    process: Option<ProcessSpec>,
    embedded: Option<EmbeddedSpec>,
}

/// The words for features of a product beyond the obligatory ones; `docker/CONTRACT.md` explains each.
pub const FEATURES: [&str; 16] = [
    "admin-registration",
    "authenticated-media",
    "device-lists",
    "knock",
    "knock-restricted",
    "presence",
    "public-rooms",
    "receipts",
    "restricted-join",
    "room-summary",
    "spaces",
    "threads",
    "timestamp-to-event",
    "to-device",
    "typing",
    "uninvited-joins",
];

/// The API through which users of a server act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientApi {
    /// The Matrix client-server API.
    Matrix,
    /// The harness's own driver protocol, `docker/DRIVER.md`.
    Driver,
    /// The REST API of a chat product, see [`chat_rest`](samklang_drivers::chat_rest).
    #[serde(rename = "chat-rest")]
    ChatRest,
}

/// The settings for running a vendor as a container.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    /// The source of its image.
    pub source: ImageSource,
    /// Whether the image signs its own certificate and so needs the key of the stage's authority.
    pub needs_ca_key: bool,
    /// The capabilities it keeps; all others are dropped.
    pub capabilities: Vec<String>,
    /// The variables of the caller's environment that only this server gets. Their values are kept secret.
    pub secrets: Vec<String>,
    /// The containers that run beside it.
    pub beside: Vec<BesideSpec>,
    /// The place of its storage, if the descriptor states one.
    pub storage: Option<String>,
    /// The bound on its memory, in MiB. It gets no swap.
    pub memory_mb: u32,
    /// The bound on its processors, in whole processors.
    pub cpus: f64,
    /// The bound on its processes and threads together.
    pub pids: u32,
}

/// A container beside a server's own. The server reaches it on loopback: they share one network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BesideSpec {
    /// A published image, with its tag.
    pub image: String,
    /// The command that it runs, in place of the image's own.
    pub command: Vec<String>,
    /// The bound on its memory, in MiB. It gets no swap.
    pub memory_mb: u32,
}

impl ContainerSpec {
    /// The first of its secrets that is missing in the caller's environment.
    pub fn missing_secret(&self) -> Option<&str> {
        let is_there =
            |name: &&String| std::env::var_os(name.as_str()).is_some_and(|value| !value.is_empty());
        self.secrets.iter().find(|name| !is_there(name)).map(String::as_str)
    }
}

/// The source of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// Built from this file of the vendor's folder.
    Dockerfile(PathBuf),
    /// Published under this name. The version is the tag if the name has none.
    Published(String),
}

/// The settings for running a vendor as a process: programs of its folder, as absolute paths.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// The program that fetches the server's software into `SAMKLANG_CACHE`. It is quick if the software is there.
    pub install: PathBuf,
    /// The program that becomes the server.
    pub start: PathBuf,
}

/// The settings of a vendor that is the homeserver inside this program.
#[derive(Debug, Clone, Copy)]
struct EmbeddedSpec {
    fault: Option<Fault>,
}

impl Vendor {
    /// The bound on its memory, with the containers beside it, in MiB. Without a container section it is the amount
    /// for a small server.
    pub fn memory_mb(&self) -> u32 {
        const SMALL: u32 = 256;
        let of = |container: &ContainerSpec| {
            let beside: u32 = container.beside.iter().map(|beside| beside.memory_mb).sum();
            container.memory_mb.saturating_add(beside)
        };
        self.container.as_ref().map_or(SMALL, of)
    }

    /// The name of a vendor that is only an image.
    pub const IMAGE: &str = "image";
    /// The name of a vendor that is only a running server.
    pub const SERVER: &str = "server";

    /// The vendor of a published image that follows Complement's contract. Nothing more is known about it.
    ///
    /// # Errors
    /// Fails if `name` is not the name of an image.
    pub fn of_image(name: &str) -> Result<Self, Problem> {
        const ANY: &str = include_str!("vendor/any_image.toml");
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(Problem::configuration(message!("vendor.no-image-name", name = name)));
        }
        Self::of_nobody(ANY, Self::IMAGE, name)
    }

    /// The vendor of the running server of this name. Nothing more is known about it.
    ///
    /// # Errors
    /// Never fails: its descriptor is part of this program.
    pub fn of_server(name: &str) -> Result<Self, Problem> {
        Self::of_nobody(include_str!("vendor/any_server.toml"), Self::SERVER, name)
    }

    /// A vendor without a folder, described by the text `any`.
    fn of_nobody(any: &str, name: &str, title: &str) -> Result<Self, Problem> {
        let mut vendor = Descriptor::parse(any, Path::new(name))?.check(any, name, PathBuf::new(), None)?;
        vendor.title = title.to_owned();
        Ok(vendor)
    }

    /// Whether it has a descriptor, in a folder of its own.
    pub fn is_described(&self) -> bool {
        !self.folder.as_os_str().is_empty()
    }

    /// Splits `acme@2.4.0` into a name and the requested version, if there is one.
    pub fn parse_spec(spec: &str) -> (&str, Option<&str>) {
        match spec.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (spec, None),
        }
    }

    /// The version to use: the requested one, or the default.
    ///
    /// # Errors
    /// Fails if this vendor's versions have another form.
    pub fn version(&self, asked: Option<&str>) -> Result<String, Problem> {
        let version = asked.unwrap_or(&self.default_version);
        if self.versions.is_match(version) && is_plain(version) {
            return Ok(version.to_owned());
        }
        Err(Problem::configuration(message!(
            "vendor.version-shape",
            vendor = self.name,
            version = version,
            pattern = self.versions,
            default = self.default_version,
        )))
    }

    /// The settings for running it as a container.
    ///
    /// # Errors
    /// Fails if its descriptor has no such section.
    pub fn container(&self) -> Result<&ContainerSpec, Problem> {
        self.container.as_ref().ok_or_else(|| self.cannot_run_as("container"))
    }

    /// The settings for running it as a process.
    ///
    /// # Errors
    /// Fails if its descriptor has no such section.
    pub fn process(&self) -> Result<&ProcessSpec, Problem> {
        self.process.as_ref().ok_or_else(|| self.cannot_run_as("process"))
    }

    /// Whether it is the homeserver inside this program and not a product.
    pub fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// The fault that it has, if it is the homeserver inside this program with a fault.
    pub fn fault(&self) -> Option<Fault> {
        self.embedded.and_then(|spec| spec.fault)
    }

    /// Whether an adapter around the product makes the subject of this check of `scenario`.
    pub fn is_adapters(&self, scenario: &str, check: &str) -> bool {
        let whole = format!("{scenario}/{check}");
        self.is_all_adapters(scenario) || self.adapter_made.contains(&whole)
    }

    /// Whether an adapter around the product makes the whole subject of `scenario`.
    pub fn is_all_adapters(&self, scenario: &str) -> bool {
        let area = scenario.split_once('.').map_or(scenario, |(area, _)| area);
        self.adapter_made.iter().any(|name| [area, scenario].contains(&name.as_str()))
    }

    /// The message that its users create no rooms of this version.
    pub fn creates_no(&self, room_version: &str) -> Message {
        message!("plan.version-not-created", vendor = self.title, version = room_version)
    }

    /// Checks that it can run in a container: no secret, such as a licence, is missing.
    ///
    /// # Errors
    /// Fails with the missing secret.
    pub fn is_not_blocked(&self) -> Result<(), Problem> {
        let missing = self.container.as_ref().and_then(ContainerSpec::missing_secret);
        missing.map_or(Ok(()), |variable| {
            let text = message!("vendor.no-secret", vendor = self.title, variable = variable);
            Err(Problem::new(Class::Blocked, text))
        })
    }

    pub(crate) fn cannot_run_as(&self, section: &str) -> Problem {
        let file = self.folder.join(DESCRIPTOR);
        Problem::configuration(message!(
            "vendor.no-section",
            vendor = self.name,
            section = section,
            file = file.display(),
        ))
    }
}

/// The folders that hold vendors' folders.
#[derive(Debug, Clone)]
pub struct VendorShelf {
    folders: Vec<PathBuf>,
}

impl VendorShelf {
    /// A shelf over `folders`.
    pub fn new(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { folders: folders.into_iter().collect() }
    }

    /// The names of all vendors, sorted.
    ///
    /// # Errors
    /// Fails if a folder of the shelf cannot be read, or is itself a vendor's folder.
    pub fn names(&self) -> Result<Vec<String>, Problem> {
        let mut names = Vec::new();
        for folder in &self.folders {
            if folder.join(DESCRIPTOR).is_file() {
                let above = folder.parent().unwrap_or(folder).display();
                let text = message!("vendor.own-folder", folder = folder.display(), above = above);
                return Err(Problem::configuration(text));
            }
            for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?.flatten() {
                if let Ok(name) = entry.file_name().into_string()
                    && is_plain(&name)
                    && entry.path().join(DESCRIPTOR).is_file()
                {
                    names.push(name);
                }
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The vendor of that name.
    ///
    /// # Errors
    /// Fails if there is none (the problem names the nearest ones), if there are several, or if its descriptor is
    /// malformed (the problem names file, line, and what was expected).
    pub fn load(&self, name: &str) -> Result<Vendor, Problem> {
        let folders = self.folders.iter().map(|folder| folder.join(name));
        let mut folders = folders.filter(|folder| is_plain(name) && folder.join(DESCRIPTOR).is_file());
        let Some(folder) = folders.next() else {
            let names = self.names()?;
            let near = nearest(name, &names);
            let near = if near.is_empty() { names } else { near };
            return Err(Problem::configuration(message!(
                "vendor.unknown",
                name = name,
                near = if near.is_empty() { "none".to_owned() } else { near.join(", ") },
            )));
        };
        if let Some(other) = folders.next() {
            let (one, other) = (folder.display(), other.display());
            let text = message!("vendor.named-twice", name = name, one = one, other = other);
            return Err(Problem::configuration(text));
        }
        // The harness may be called from any folder, so paths of scripts and folders must be absolute.
        let folder = folder.canonicalize().map_err(|error| unreadable(&folder, &error))?;
        let file = folder.join(DESCRIPTOR);
        let text = fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
        let script =
            self.folders.iter().map(|folder| folder.join(BASE_IMAGE_SCRIPT)).find(|script| script.is_file());
        Descriptor::parse(&text, &file)?.check(
            &text,
            name,
            folder,
            script.and_then(|path| path.canonicalize().ok()),
        )
    }
}

/// Up to three of `names` that the user may have meant with `name`, the nearest first. Names that contain `name` as a
/// whole word come first, then names with a similar spelling or that contain it elsewhere.
pub fn nearest(name: &str, names: &[String]) -> Vec<String> {
    let written = name.to_lowercase();
    let mut near: Vec<_> = names
        .iter()
        .map(|known| {
            let lower = known.to_lowercase();
            let is_word = lower.split(['.', '-', '/']).any(|word| word == written);
            (is_word, strsim::normalized_damerau_levenshtein(&written, &lower), known)
        })
        .filter(|(is_word, likeness, known)| {
            *is_word || *likeness >= 0.5 || (written.len() > 2 && known.to_lowercase().contains(&written))
        })
        .collect();
    near.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)));
    near.into_iter().take(3).map(|(.., known)| known.clone()).collect()
}

/// Whether a name or version is plain. They become parts of paths, image tags and labels.
fn is_plain(name: &str) -> bool {
    let first = name.chars().next();
    first.is_some_and(|c| c.is_ascii_alphanumeric())
        && name.len() <= 80
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::configuration(message!("vendor.unreadable", path = path.display(), error = error))
}

#[cfg(test)]
mod tests;
