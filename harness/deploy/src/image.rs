//! Images. They are built from a vendor's folder and cached by content, or fetched by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs, io,
    path::Path,
    time::Duration,
};

use bollard::{
    errors::Error,
    query_parameters::{BuildImageOptionsBuilder, BuilderVersion, CreateImageOptionsBuilder},
};
use futures_util::StreamExt;
use samklang_verdict::{Problem, message};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::{
    Progress,
    engine::Engine,
    script::{self, Tail},
};
use crate::vendor::{BASE_IMAGE, Vendor};
use samklang_wire::waiting;

/// The bound on a build: it may fetch the packages of a whole product over a slow line.
const BUILD: Duration = Duration::from_secs(1200);
/// The bound on fetching an image.
const PULL: Duration = Duration::from_secs(300);
/// The bound on making the base image.
const BASE: Duration = Duration::from_secs(900);
/// The bound on a vendor's folder, in bytes: the folder is held in memory and sent to the engine.
const CONTEXT: u64 = 64 << 20;
/// The file name, in the build's context, of the certificate authorities of a machine that intercepts TLS.
const HOST_CA: &str = "host-ca.crt";

/// A vendor's folder in the form in which it is sent to the engine.
struct Context {
    files: BTreeMap<String, ContextFile>,
}

struct ContextFile {
    mode: u32,
    content: Vec<u8>,
}

/// Makes the engine hold the image built from `dockerfile` for `version`, and returns the image's name.
pub(super) async fn built(
    engine: &Engine,
    vendor: &Vendor,
    dockerfile: &Path,
    version: &str,
    progress: &Progress<'_>,
) -> Result<String, Problem> {
    let context = Context::read(&vendor.folder)?;
    let dockerfile = dockerfile.display().to_string();
    let recipe =
        context.files.get(&dockerfile).map(|file| String::from_utf8_lossy(&file.content).into_owned());
    let mut bases = Vec::new();
    for base in bases_of(&recipe.unwrap_or_default()) {
        if base == BASE_IMAGE && engine.image_id(&base).await?.is_none() {
            make_base_image(vendor, progress).await?;
        }
        bases.push((engine.image_id(&base).await?, base));
    }
    let name =
        format!("samklang/{}:{}-{}", vendor.name, version.replace('+', "_"), context.digest(version, &bases));
    if engine.image_id(&name).await?.is_none() {
        progress(&format!("docker build {name}"));
        build(engine, context, &dockerfile, version, &name, progress).await.map_err(|(reason, lines)| {
            let problem = message!(
                "engine.image-build-failed",
                vendor = vendor.title,
                version = version,
                reason = reason.trim_end_matches('.')
            );
            Problem::engine(problem).with_detail(lines)
        })?;
    }
    Ok(name)
}

/// Makes the engine hold a published image.
pub(super) async fn published(engine: &Engine, name: &str, progress: &Progress<'_>) -> Result<(), Problem> {
    if engine.image_id(name).await?.is_some() {
        return Ok(());
    }
    progress(&format!("docker pull {name}"));
    let failed = |reason: String| {
        let reason = reason.trim_end_matches('.');
        Problem::engine(message!("engine.image-not-had", image = name, reason = reason))
    };
    let options = CreateImageOptionsBuilder::new().from_image(name).build();
    let pull = async {
        let mut answers = engine.api().create_image(Some(options), None, None);
        while let Some(answer) = answers.next().await {
            let answer = answer?;
            // A line without an ID is about the whole image. Lines with an ID report the progress of one layer.
            if let (Some(status), None) = (answer.status, answer.id) {
                progress(&status);
            }
        }
        Ok::<_, Error>(())
    };
    match waiting::within(PULL, pull).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(failed(reason(&error))),
        Err(passed) => Err(failed(format!("no end within {} s", passed.bound.as_secs()))),
    }
}

/// The name with a tag. The version is the tag if the descriptor states none.
pub(super) fn tagged(name: &str, version: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:{version}") }
}

async fn make_base_image(vendor: &Vendor, progress: &Progress<'_>) -> Result<(), Problem> {
    let Some(path) = &vendor.base_image_script else {
        // The builder then asks the engine's registry, and its own output shows a failure of that.
        return Ok(());
    };
    progress(&path.display().to_string());
    script::run(Command::new(path), BASE, progress).await.map_err(|failure| {
        let problem = message!(
            "engine.base-image-failed",
            image = BASE_IMAGE,
            script = path.display(),
            how = failure.how
        );
        Problem::engine(problem).with_detail(failure.lines)
    })
}

/// Builds with the classic builder. It uses the host's network, since it has to fetch the vendor's packages.
async fn build(
    engine: &Engine,
    mut context: Context,
    dockerfile: &str,
    version: &str,
    name: &str,
    progress: &Progress<'_>,
) -> Result<(), (String, Vec<String>)> {
    let authority = ["SSL_CERT_FILE", "PIP_CERT"].iter().find_map(|name| fs::read(env::var_os(name)?).ok());
    if let Some(content) = authority {
        context.files.insert(HOST_CA.to_owned(), ContextFile { mode: 0o644, content });
    }
    let tar = context.tar().map_err(|error| (error.to_string(), Vec::new()))?;
    let args = [("VERSION".to_owned(), version.to_owned())].into_iter().collect();
    let options = BuildImageOptionsBuilder::new()
        .dockerfile(dockerfile)
        .t(name)
        .buildargs(&args)
        .networkmode("host")
        .rm(true)
        .forcerm(true)
        .version(BuilderVersion::BuilderV1)
        .build();
    let mut tail = Tail::default();
    let work = async {
        let mut answers = engine.api().build_image(options, None, Some(bollard::body_full(tar.into())));
        while let Some(answer) = answers.next().await {
            let output = answer.map(|answer| answer.stream.unwrap_or_default())?;
            for line in output.lines().map(without_colour).filter(|line| !line.is_empty()) {
                tail.push(&line);
                if line.starts_with("Step ") {
                    progress(&shortened(&line));
                }
            }
        }
        Ok::<_, Error>(())
    };
    match waiting::within(BUILD, work).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err((reason(&error), tail.into_lines())),
        Err(passed) => Err((format!("no end within {} s", passed.bound.as_secs()), tail.into_lines())),
    }
}

/// The engine's own words, if there are some.
fn reason(error: &Error) -> String {
    match error {
        Error::DockerStreamError { error: words }
        | Error::DockerResponseServerError { message: words, .. } => shortened(words.trim_end()),
        other => other.to_string(),
    }
}

/// The line without colours: the classic builder colours the standard error of a step.
fn without_colour(line: &str) -> String {
    let mut pieces = line.split("\u{1b}[");
    let first = pieces.next().unwrap_or_default();
    let rest = pieces.map(|piece| piece.split_once('m').map_or(piece, |(_, text)| text));
    std::iter::once(first).chain(rest).collect::<String>().trim_end().to_owned()
}

/// One line that fits a terminal, since a step's command may be a page long.
fn shortened(line: &str) -> String {
    const WIDTH: usize = 160;
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= WIDTH {
        return line;
    }
    line.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// The images that a recipe starts from, without its own stages.
fn bases_of(recipe: &str) -> BTreeSet<String> {
    let (mut bases, mut stages) = (BTreeSet::new(), BTreeSet::new());
    for line in recipe.lines() {
        let mut words = line.split_whitespace().filter(|word| !word.starts_with("--"));
        if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("FROM")) {
            continue;
        }
        let Some(base) = words.next() else { continue };
        // Only the builder can resolve a name that contains a variable.
        if !stages.contains(base) && base != "scratch" && !base.contains('$') {
            bases.insert(base.to_owned());
        }
        if words.next().is_some_and(|word| word.eq_ignore_ascii_case("AS")) {
            stages.extend(words.next().map(str::to_owned));
        }
    }
    bases
}

impl Context {
    /// Reads everything in the folder.
    fn read(folder: &Path) -> Result<Self, Problem> {
        let mut context = Self { files: BTreeMap::new() };
        let mut room = CONTEXT;
        context.add(folder, "", &mut room).map_err(|(path, reason)| {
            Problem::configuration(message!("vendor.folder-unfit", path = path, reason = reason))
        })?;
        Ok(context)
    }

    fn add(&mut self, folder: &Path, prefix: &str, room: &mut u64) -> Result<(), (String, String)> {
        let at = |path: &Path| path.display().to_string();
        let told = |error: io::Error| (at(folder), error.to_string());
        for entry in fs::read_dir(folder).map_err(told)? {
            let entry = entry.map_err(told)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(told)?);
            let Ok(name) = entry.file_name().into_string() else {
                return Err((at(&path), "its name is not UTF-8".to_owned()));
            };
            let name = format!("{prefix}{name}");
            if kind.is_dir() {
                self.add(&path, &format!("{name}/"), room)?;
                continue;
            }
            if !kind.is_file() {
                return Err((at(&path), "only files and folders can be sent to the engine".to_owned()));
            }
            let size = entry.metadata().map_err(told)?.len();
            *room =
                room.checked_sub(size).ok_or_else(|| (at(folder), format!("over {} MiB", CONTEXT >> 20)))?;
            let content = fs::read(&path).map_err(|error| (at(&path), error.to_string()))?;
            let mode = if is_executable(&path) { 0o755 } else { 0o644 };
            self.files.insert(name, ContextFile { mode, content });
        }
        Ok(())
    }

    /// The first twelve hexadecimal digits of the digest over everything that determines the image.
    fn digest(&self, version: &str, bases: &[(Option<String>, String)]) -> String {
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        };
        add(version.as_bytes());
        for (id, base) in bases {
            add(base.as_bytes());
            add(id.as_deref().unwrap_or_default().as_bytes());
        }
        for (name, file) in &self.files {
            add(name.as_bytes());
            add(&file.mode.to_be_bytes());
            add(&file.content);
        }
        hex::encode(&digest.finalize()[..6])
    }

    /// The folder as an archive. The same content gives the same archive: it is sorted, without owners and times.
    fn tar(&self) -> io::Result<Vec<u8>> {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, file) in &self.files {
            let mut header = tar::Header::new_gnu();
            header.set_mode(file.mode);
            header.set_size(file.content.len() as u64);
            archive.append_data(&mut header, name, file.content.as_slice())?;
        }
        archive.into_inner()
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_images_of_a_recipe_are_found() {
        let recipe = "# FROM nothing\nARG X\nFROM --platform=linux/amd64 debian:bookworm-slim AS made\n\
            from golang:1.22 as tools\nFROM made\nFROM scratch\nFROM ${BASE}\nCOPY --from=tools a b\n";
        let bases: Vec<_> = bases_of(recipe).into_iter().collect();
        assert_eq!(bases, ["debian:bookworm-slim", "golang:1.22"]);
    }

    #[test]
    fn a_name_without_tag_gets_the_version_as_tag() {
        assert_eq!(tagged("vendor/server", "1.2"), "vendor/server:1.2");
        assert_eq!(tagged("registry:5000/server", "1.2"), "registry:5000/server:1.2");
        assert_eq!(tagged("vendor/server:edge", "1.2"), "vendor/server:edge");
        assert_eq!(tagged("vendor/server@sha256:00", "1.2"), "vendor/server@sha256:00");
    }

    #[test]
    fn the_digest_depends_only_on_content_mode_version_and_base() {
        let context = |content: &str, mode| {
            let files = BTreeMap::from([("a".to_owned(), ContextFile { mode, content: content.into() })]);
            Context { files }
        };
        let base = vec![(Some("sha256:1".to_owned()), "debian".to_owned())];
        let digest = context("x", 0o644).digest("1", &base);
        assert_eq!(digest.len(), 12);
        assert_eq!(digest, context("x", 0o644).digest("1", &base));
        assert_ne!(digest, context("y", 0o644).digest("1", &base));
        assert_ne!(digest, context("x", 0o755).digest("1", &base));
        assert_ne!(digest, context("x", 0o644).digest("2", &base));
        assert_ne!(digest, context("x", 0o644).digest("1", &[(None, "debian".to_owned())]));
        assert_eq!(context("x", 0o644).tar().unwrap(), context("x", 0o644).tar().unwrap());
    }

    #[test]
    fn colours_are_removed_from_a_line() {
        assert_eq!(without_colour("\u{1b}[91mno such version\r"), "no such version");
        assert_eq!(without_colour("\u{1b}[0m"), "");
        assert_eq!(without_colour("Step 1/2 : [m"), "Step 1/2 : [m");
    }

    #[test]
    fn a_long_step_is_shortened_to_a_line() {
        let line = shortened(&format!("Step 1/2 : RUN \t {}", "x".repeat(500)));
        assert!(line.starts_with("Step 1/2 : RUN x") && line.ends_with('…') && line.chars().count() == 160);
    }
}
