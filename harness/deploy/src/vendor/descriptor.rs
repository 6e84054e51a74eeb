//! A vendor's descriptor as it is written, and the conditions for making a [`Vendor`] of it.

use std::{
    fmt,
    ops::Range,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use regex_lite::Regex;
use samklang_matrix::RoomVersion;
use samklang_verdict::{Message, Problem, message};
use serde::Deserialize;
use toml::Spanned;

use super::{
    BesideSpec, ClientApi, ContainerSpec, DESCRIPTOR, EmbeddedSpec, FEATURES, ImageSource, ProcessSpec,
    Vendor, is_plain, nearest,
};

/// Capabilities that a vendor may request. None of them opens a way out of the run's network or into the machine.
const CAPABILITIES: [&str; 12] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Descriptor {
    name: Spanned<String>,
    title: String,
    default_version: Spanned<String>,
    licence: String,
    client_api: ClientApi,
    room_versions: Spanned<Vec<String>>,
    default_room_version: Spanned<String>,
    creates_room_versions: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    features: Vec<Spanned<String>>,
    #[serde(default)]
    adapter_made: Vec<String>,
    versions: VersionsSection,
    container: Option<Spanned<ContainerSection>>,
    process: Option<ProcessSection>,
    embedded: Option<Spanned<EmbeddedSection>>,
    ready: ReadySection,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionsSection {
    pattern: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContainerSection {
    dockerfile: Option<Spanned<String>>,
    image: Option<Spanned<String>>,
    #[serde(default)]
    needs_ca_key: bool,
    #[serde(default)]
    capabilities: Vec<Spanned<String>>,
    storage: Option<Spanned<String>>,
    #[serde(default)]
    secrets: Vec<Spanned<String>>,
    #[serde(default)]
    beside: Vec<BesideSection>,
    memory_mb: Spanned<u32>,
    cpus: Spanned<f64>,
    pids: Spanned<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BesideSection {
    image: Spanned<String>,
    command: Vec<String>,
    memory_mb: Spanned<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProcessSection {
    install: Spanned<String>,
    start: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmbeddedSection {
    fault: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadySection {
    seconds: Spanned<u32>,
}

/// The file under check, for reporting where in it something is wrong.
struct Source<'a> {
    text: &'a str,
    file: PathBuf,
}

impl Source<'_> {
    fn wrong(&self, span: Range<usize>, problem: impl fmt::Display) -> Problem {
        let line = self.text.get(..span.start).unwrap_or_default().matches('\n').count() + 1;
        Problem::configuration(message!(
            "vendor.malformed",
            file = self.file.display(),
            line = line,
            problem = problem.to_string().trim_end_matches('.'),
        ))
    }

    fn hold(&self, right: bool, span: Range<usize>, problem: Message) -> Result<(), Problem> {
        if right { Ok(()) } else { Err(self.wrong(span, problem)) }
    }

    /// A file of the vendor's own folder.
    fn file_of(&self, folder: &Path, name: &Spanned<String>) -> Result<PathBuf, Problem> {
        let relative = Path::new(name.get_ref());
        let inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
        let path = folder.join(relative);
        // A link could still lead out of the folder, so the resolved path counts.
        let real = path.canonicalize().ok().filter(|real| real.starts_with(folder) && real.is_file());
        match real {
            Some(_) if inside => Ok(path),
            _ => Err(self.wrong(name.span(), message!("vendor.expected.file", name = name.get_ref()))),
        }
    }
}

impl Descriptor {
    /// The descriptor as it is written.
    pub(super) fn parse(text: &str, file: &Path) -> Result<Self, Problem> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let source = Source { text, file: file.to_owned() };
            source.wrong(error.span().unwrap_or_default(), error.message())
        })
    }

    /// The vendor of that name, if everything in its descriptor is valid.
    pub(super) fn check(
        self,
        text: &str,
        name: &str,
        folder: PathBuf,
        script: Option<PathBuf>,
    ) -> Result<Vendor, Problem> {
        let source = Source { text, file: folder.join(DESCRIPTOR) };
        let expected = message!("vendor.expected.folder-name", name = name);
        source.hold(self.name.get_ref() == name, self.name.span(), expected)?;
        let pattern = self.versions.pattern;
        let versions = Regex::new(pattern.get_ref()).map_err(|error| {
            source.wrong(pattern.span(), message!("vendor.expected.pattern", error = error))
        })?;
        let default = &self.default_version;
        let fits = versions.is_match(default.get_ref()) && is_plain(default.get_ref());
        source.hold(fits, default.span(), message!("vendor.expected.version"))?;
        let versions_of_rooms = self.room_versions.get_ref();
        let span = self.room_versions.span();
        source.hold(!versions_of_rooms.is_empty(), span.clone(), message!("vendor.expected.room-version"))?;
        let unknown = versions_of_rooms.iter().find(|version| RoomVersion::new(version).is_err());
        let expected = message!("vendor.expected.known-room-version", version = unknown.map_or("", |id| id));
        source.hold(unknown.is_none(), span, expected)?;
        let is_one = versions_of_rooms.contains(self.default_room_version.get_ref());
        source.hold(
            is_one,
            self.default_room_version.span(),
            message!("vendor.expected.one-of-room-versions"),
        )?;
        for word in &self.features {
            let known = FEATURES.map(str::to_owned);
            let near = nearest(word.get_ref(), &known);
            let near = if near.is_empty() { &known[..] } else { &near[..] };
            let expected = message!("vendor.expected.feature", near = near.join(", "));
            source.hold(FEATURES.contains(&word.get_ref().as_str()), word.span(), expected)?;
        }
        if let Some(creates) = &self.creates_room_versions {
            let some = creates.get_ref().iter().all(|version| self.room_versions.get_ref().contains(version));
            source.hold(
                some && creates.get_ref().contains(self.default_room_version.get_ref()),
                creates.span(),
                message!("vendor.expected.created-room-versions"),
            )?;
        }
        let seconds = self.ready.seconds;
        source.hold(
            (1..=600).contains(seconds.get_ref()),
            seconds.span(),
            message!("vendor.expected.seconds"),
        )?;
        let container = self.container.map(|section| container(section, &source, &folder)).transpose()?;
        let process = self.process.map(|section| section.checked(&source, &folder)).transpose()?;
        let alone = container.is_none() && process.is_none();
        let embedded = self.embedded.map(|section| embedded(section, &source, alone)).transpose()?;
        Ok(Vendor {
            name: name.to_owned(),
            title: self.title,
            default_version: self.default_version.into_inner(),
            licence: self.licence,
            client_api: self.client_api,
            creates_room_versions: match self.creates_room_versions {
                Some(creates) => creates.into_inner(),
                None => self.room_versions.get_ref().clone(),
            },
            adapter_made: self.adapter_made,
            room_versions: self.room_versions.into_inner(),
            default_room_version: self.default_room_version.into_inner(),
            features: self.features.into_iter().map(Spanned::into_inner).collect(),
            folder,
            base_image_script: script,
            ready: Duration::from_secs(u64::from(seconds.into_inner())),
            versions,
            container,
            process,
            embedded,
        })
    }
}

impl BesideSection {
    fn checked(self, source: &Source<'_>) -> Result<BesideSpec, Problem> {
        let (image, memory) = (&self.image, &self.memory_mb);
        // The image must not depend on the day of the run.
        let tagged = image.get_ref().rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
        let shaped = tagged && !image.get_ref().contains(char::is_whitespace);
        source.hold(shaped, image.span(), message!("vendor.expected.tagged-image"))?;
        source.hold(
            (16..=65_536).contains(memory.get_ref()),
            memory.span(),
            message!("vendor.expected.memory"),
        )?;
        Ok(BesideSpec {
            image: self.image.into_inner(),
            command: self.command,
            memory_mb: self.memory_mb.into_inner(),
        })
    }
}

impl ProcessSection {
    fn checked(&self, source: &Source<'_>, folder: &Path) -> Result<ProcessSpec, Problem> {
        let install = source.file_of(folder, &self.install)?;
        Ok(ProcessSpec { install, start: source.file_of(folder, &self.start)? })
    }
}

fn embedded(
    section: Spanned<EmbeddedSection>,
    source: &Source<'_>,
    alone: bool,
) -> Result<EmbeddedSpec, Problem> {
    source.hold(alone, section.span(), message!("vendor.expected.embedded-alone"))?;
    let fault = section.into_inner().fault.map(|name| {
        let known = name.get_ref().parse();
        known.map_err(|_: String| source.wrong(name.span(), message!("vendor.expected.fault")))
    });
    Ok(EmbeddedSpec { fault: fault.transpose()? })
}

fn container(
    section: Spanned<ContainerSection>,
    source: &Source<'_>,
    folder: &Path,
) -> Result<ContainerSpec, Problem> {
    let span = section.span();
    let section = section.into_inner();
    let image_from = match (&section.dockerfile, &section.image) {
        (Some(name), None) => {
            source.file_of(folder, name)?;
            ImageSource::Dockerfile(name.get_ref().into())
        }
        (None, Some(name)) => {
            let shaped = !name.get_ref().is_empty() && !name.get_ref().contains(char::is_whitespace);
            source.hold(shaped, name.span(), message!("vendor.expected.image"))?;
            let last = name.get_ref().rsplit('/').next().unwrap_or_default();
            let expected = message!("vendor.expected.image-without-tag");
            source.hold(!last.contains([':', '@']), name.span(), expected)?;
            ImageSource::Published(name.get_ref().clone())
        }
        (None, None) => return Err(source.wrong(span, message!("vendor.expected.image-source"))),
        (Some(_), Some(_)) => {
            return Err(source.wrong(span, message!("vendor.expected.one-image-source")));
        }
    };
    for capability in &section.capabilities {
        let allowed = CAPABILITIES.contains(&capability.get_ref().as_str());
        let expected = message!("vendor.expected.capability", known = CAPABILITIES.join(", "));
        source.hold(allowed, capability.span(), expected)?;
    }
    if let Some(storage) = &section.storage {
        let path = storage.get_ref();
        let plain =
            path.strip_prefix('/').is_some_and(|rest| !rest.is_empty() && rest.split('/').all(is_plain));
        source.hold(plain, storage.span(), message!("vendor.expected.folder"))?;
    }
    for secret in &section.secrets {
        let name = secret.get_ref();
        let is_word = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let shaped = name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(is_word);
        source.hold(shaped, secret.span(), message!("vendor.expected.variable"))?;
    }
    let beside = section.beside.into_iter().map(|beside| beside.checked(source)).collect::<Result<_, _>>()?;
    let (memory, cpus, pids) = (&section.memory_mb, &section.cpus, &section.pids);
    source.hold(
        (16..=65_536).contains(memory.get_ref()),
        memory.span(),
        message!("vendor.expected.memory"),
    )?;
    source.hold(
        (0.1..=64.0).contains(cpus.get_ref()),
        cpus.span(),
        message!("vendor.expected.processors"),
    )?;
    source.hold((8..=32_768).contains(pids.get_ref()), pids.span(), message!("vendor.expected.processes"))?;
    Ok(ContainerSpec {
        source: image_from,
        needs_ca_key: section.needs_ca_key,
        capabilities: section.capabilities.into_iter().map(Spanned::into_inner).collect(),
        secrets: section.secrets.into_iter().map(Spanned::into_inner).collect(),
        beside,
        storage: section.storage.map(Spanned::into_inner),
        memory_mb: section.memory_mb.into_inner(),
        cpus: section.cpus.into_inner(),
        pids: section.pids.into_inner(),
    })
}
