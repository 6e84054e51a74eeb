//! Vendors: products that speak Matrix federation, each described by `<folder>/<vendor>/vendor.toml`.
//!
//! Nothing in the engine knows a vendor by name. What a descriptor does not say, or says wrongly, is told with file and
//! line, since the reader is somebody who writes their first descriptor.

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
/// The script beside the vendors' folders that makes [`BASE_IMAGE`] where no registry answers.
const BASE_IMAGE_SCRIPT: &str = "base-image";
/// The image that the script beside the vendors' folders can make.
pub const BASE_IMAGE: &str = "debian:bookworm-slim";
/// A vendor as its descriptor says.
#[derive(Debug, Clone)]
pub struct Vendor {
    /// The name it is called by, which is its folder's name too.
    pub name: String,
    /// Its name for readers.
    pub title: String,
    /// The version that plays when none is asked for.
    pub default_version: String,
    /// The product's licence, as an SPDX expression where there is one.
    pub licence: String,
    /// The driver through which its users act.
    pub client_api: ClientApi,
    /// The room versions it declares to support.
    pub room_versions: Vec<String>,
    /// The room version it gives a room when none is asked for; one of `room_versions`.
    pub default_room_version: String,
    /// The room versions in which its users can make rooms; some of `room_versions`.
    pub creates_room_versions: Vec<String>,
    /// Checks, scenarios and areas about something that an adapter around the product makes, and not the product.
    pub adapter_made: Vec<String>,
    /// What it declares to be capable of, in the words of the contract.
    pub features: Vec<String>,
    /// The vendor's folder.
    pub folder: PathBuf,
    /// The script that makes [`BASE_IMAGE`], where the shelf has one.
    pub base_image_script: Option<PathBuf>,
    /// How long a server may take from its start until it is ready.
    pub ready: Duration,
    versions: Regex,
    container: Option<ContainerSpec>,
    process: Option<ProcessSpec>,
    embedded: Option<EmbeddedSpec>,
}

/// The words in which a product says what it can do beyond the obligatory; `docker/CONTRACT.md` explains each.
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

/// The API through which users act at a server.
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

/// How a vendor runs as a container.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    /// Where its image comes from.
    pub source: ImageSource,
    /// Whether the image signs its own certificate and so has to be given the key of the stage's authority.
    pub needs_ca_key: bool,
    /// The capabilities it keeps; all others are dropped.
    pub capabilities: Vec<String>,
    /// The variables of the caller's environment that it is handed and that nobody else may see.
    pub secrets: Vec<String>,
    /// What runs beside it.
    pub beside: Vec<BesideSpec>,
    /// Where its storage lies, when that is told.
    pub storage: Option<String>,
    /// The bound on its memory, in MiB; swap is none.
    pub memory_mb: u32,
    /// The bound on its processors, in whole ones.
    pub cpus: f64,
    /// The bound on its processes and threads together.
    pub pids: u32,
}

/// A container beside a server's own, which it reaches on loopback: they share one place in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BesideSpec {
    /// A published image, with its tag.
    pub image: String,
    /// What it runs, in place of what the image says.
    pub command: Vec<String>,
    /// The bound on its memory, in MiB; swap is none.
    pub memory_mb: u32,
}

impl ContainerSpec {
    /// The first of its secrets that the caller's environment does not hold.
    pub fn missing_secret(&self) -> Option<&str> {
        let is_there =
            |name: &&String| std::env::var_os(name.as_str()).is_some_and(|value| !value.is_empty());
        self.secrets.iter().find(|name| !is_there(name)).map(String::as_str)
    }
}

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// Built from this file of the vendor's folder.
    Dockerfile(PathBuf),
    /// Published under this name; the version is its tag where the name has none.
    Published(String),
}

/// How a vendor runs as a process: programs of its folder, absolute.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// Fetches what the server needs into `SAMKLANG_CACHE`; quick when that is there.
    pub install: PathBuf,
    /// Becomes the server.
    pub start: PathBuf,
}

/// How a vendor is the homeserver inside this program.
#[derive(Debug, Clone, Copy)]
struct EmbeddedSpec {
    fault: Option<Fault>,
}

impl Vendor {
    /// How much memory it may take, in MiB; where nothing is said about that, what a small server takes.
    pub fn memory_mb(&self) -> u32 {
        const SMALL: u32 = 256;
        let of = |container: &ContainerSpec| {
            let beside: u32 = container.beside.iter().map(|beside| beside.memory_mb).sum();
            container.memory_mb.saturating_add(beside)
        };
        self.container.as_ref().map_or(SMALL, of)
    }

    /// The name of a vendor that is nothing but an image.
    pub const IMAGE: &str = "image";
    /// The name of a vendor that is nothing but a running server.
    pub const SERVER: &str = "server";

    /// The vendor of a published image that keeps Complement's contract and of which nothing more is known.
    ///
    /// # Errors
    /// When `name` is no name of an image.
    pub fn of_image(name: &str) -> Result<Self, Problem> {
        const ANY: &str = include_str!("vendor/any_image.toml");
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(Problem::configuration(message!("vendor.no-image-name", name = name)));
        }
        Self::of_nobody(ANY, Self::IMAGE, name)
    }

    /// The vendor of the running server of this name, of which nothing more is known.
    ///
    /// # Errors
    /// Never: what is taken to hold is part of this program.
    pub fn of_server(name: &str) -> Result<Self, Problem> {
        Self::of_nobody(include_str!("vendor/any_server.toml"), Self::SERVER, name)
    }

    /// A vendor who has no folder and is described by `any`.
    fn of_nobody(any: &str, name: &str, title: &str) -> Result<Self, Problem> {
        let mut vendor = Descriptor::parse(any, Path::new(name))?.check(any, name, PathBuf::new(), None)?;
        vendor.title = title.to_owned();
        Ok(vendor)
    }

    /// Whether somebody has described it, in a folder of its own.
    pub fn is_described(&self) -> bool {
        !self.folder.as_os_str().is_empty()
    }

    /// Splits `acme@2.4.0` into a name and, where one is asked for, a version.
    pub fn parse_spec(spec: &str) -> (&str, Option<&str>) {
        match spec.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (spec, None),
        }
    }

    /// The version to play: the one asked for, or the default.
    ///
    /// # Errors
    /// When no version of this vendor is written like that.
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

    /// How it runs as a container.
    ///
    /// # Errors
    /// When its descriptor has no such section.
    pub fn container(&self) -> Result<&ContainerSpec, Problem> {
        self.container.as_ref().ok_or_else(|| self.cannot_run_as("container"))
    }

    /// How it runs as a process.
    ///
    /// # Errors
    /// When its descriptor has no such section.
    pub fn process(&self) -> Result<&ProcessSpec, Problem> {
        self.process.as_ref().ok_or_else(|| self.cannot_run_as("process"))
    }

    /// Whether it is no product but the homeserver inside this program.
    pub fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// The mistake that it makes on purpose, where it is the homeserver inside this program.
    pub fn fault(&self) -> Option<Fault> {
        self.embedded.and_then(|spec| spec.fault)
    }

    /// Whether an adapter around the product makes what this check of `scenario` looks at.
    pub fn is_adapters(&self, scenario: &str, check: &str) -> bool {
        let whole = format!("{scenario}/{check}");
        self.is_all_adapters(scenario) || self.adapter_made.contains(&whole)
    }

    /// Whether an adapter around the product makes whatever `scenario` looks at.
    pub fn is_all_adapters(&self, scenario: &str) -> bool {
        let area = scenario.split_once('.').map_or(scenario, |(area, _)| area);
        self.adapter_made.iter().any(|name| [area, scenario].contains(&name.as_str()))
    }

    /// Says that its users make no rooms of this version.
    pub fn creates_no(&self, room_version: &str) -> Message {
        message!("plan.version-not-created", vendor = self.title, version = room_version)
    }

    /// What keeps it from being run in a container: a secret that nobody has brought, such as a licence.
    ///
    /// # Errors
    /// That it is blocked, where it is.
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
    /// When a folder of the shelf cannot be read, or is a vendor's own.
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
    /// When there is none (the nearest names are told), there are several, or its descriptor is malformed (file, line, what
    /// was expected).
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
        // Scripts are run and folders are sent to the engine from wherever the harness was called.
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

/// Up to three of `names` that somebody who wrote `name` may have meant, the nearest first: names that have what was
/// written as a word of theirs, then names that are spelled alike or that hold it elsewhere.
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

/// Names and versions become parts of paths, image tags and labels.
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
