//! The files of the repository, and the messages and literals of a source file.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A source file without its tests.
pub(crate) struct Source {
    /// Its path in the repository.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The folder of the project.
pub(crate) fn project() -> &'static Path {
    Path::new(samklang_suites::BUILT_FROM)
}

/// Every file of the repository below `folder`, without build results and the output of runs.
pub(crate) fn below(folder: &Path) -> Vec<PathBuf> {
    const OTHERS: [&str; 4] = ["target", ".git", "samklang-out", "__pycache__"];
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            // In a further work tree `.git` is a file.
            if OTHERS.contains(&entry.file_name().to_string_lossy().as_ref()) {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The sources below `folder`.
pub(crate) fn read(folder: &Path) -> Vec<Source> {
    let is_source = |path: &PathBuf| {
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        path.extension().is_some_and(|extension| extension == "rs")
            && !parts.iter().any(|part| part == "tests" || part == "tests.rs")
    };
    let source = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let own = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
        let name = path.strip_prefix(project()).unwrap_or(&path).display().to_string();
        Source { name, text: own }
    };
    below(folder).into_iter().filter(is_source).map(source).collect()
}

/// The text behind each `mark` that is not in a comment.
fn after<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(mark).filter_map(move |(at, _)| {
        let line = text[..at].rsplit('\n').next().unwrap_or_default().trim_start();
        (!line.starts_with("//")).then(|| &text[at + mark.len()..])
    })
}

/// A string literal at the beginning of `text`, and the text behind it.
fn literal(text: &str) -> Option<(String, &str)> {
    let inner = text.trim_start().strip_prefix('"')?;
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            '"' if !escaped => return Some((inner[..at].to_owned(), &inner[at + 1..])),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

/// The key and the names of the arguments of each `message!` with a literal key.
pub(crate) fn messages(text: &str) -> Vec<(String, Vec<String>)> {
    let one = |call: &str| {
        let (key, mut rest) = literal(call)?;
        let mut names = Vec::new();
        let mut depth = 0_usize;
        loop {
            let next = rest.chars().next()?;
            if next == '"' {
                rest = literal(rest)?.1;
                continue;
            }
            rest = &rest[next.len_utf8()..];
            match next {
                '(' | '[' | '{' => depth += 1,
                ')' if depth == 0 => return Some((key, names)),
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                ',' if depth == 0 => {
                    let name: String =
                        rest.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    let is_name = rest.trim_start()[name.len()..].trim_start().starts_with("= ");
                    names.extend(Some(name).filter(|_| is_name));
                }
                _ => {}
            }
        }
    };
    after(text, "message!(").filter_map(one).collect()
}

/// The key of each `.label("…")`.
pub(crate) fn labels(text: &str) -> Vec<String> {
    after(text, ".label(").filter_map(|call| Some(literal(call)?.0)).collect()
}

/// Every string literal, and some text between literals, which does no harm.
pub(crate) fn literals(text: &str) -> Vec<String> {
    text.match_indices('"').filter_map(|(at, _)| Some(literal(&text[at..])?.0)).collect()
}
