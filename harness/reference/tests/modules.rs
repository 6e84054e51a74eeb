//! Each module of this crate uses only the modules before it, and each fault is in the file that the table of faults
//! names.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use samklang_reference::Fault;

/// The modules in the order of `lib.rs`: each may use only the modules before it.
const ORDER: [&str; 22] = [
    "clock",
    "waiting",
    "transport",
    "response",
    "request",
    "edu_types",
    "room_versions",
    "transaction_limits",
    "media_file",
    "fault",
    "store",
    "homeserver",
    "key_documents",
    "requests",
    "outbox",
    "edus",
    "events",
    "memberships",
    "client",
    "federation",
    "restart",
    "peer",
];

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The sources, by path below `src`.
fn sources() -> BTreeMap<String, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let name = |path: &Path| path.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
    below(&src).iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// The top-level modules that a source uses: the name after each `crate::`, or each name of the list in braces.
fn used(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, mark) in text.match_indices("crate::") {
        let rest = &text[at + mark.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            used.extend(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned));
            continue;
        };
        let (mut depth, mut word, mut names) = (0, String::new(), Vec::new());
        for c in list.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => names.push(std::mem::take(&mut word)),
                c if depth == 0 && !c.is_whitespace() => word.push(c),
                _ => {}
            }
        }
        names.push(word);
        used.extend(names.iter().filter_map(|name| name.split(':').next()).map(str::to_owned));
    }
    used
}

#[test]
fn a_module_uses_only_modules_before_it() {
    let place = |module: &str| ORDER.iter().position(|name| *name == module);
    let mut wrong = Vec::new();
    for (file, text) in sources().iter().filter(|(file, _)| *file != "lib.rs") {
        let module = file.split(['/', '.']).next().unwrap();
        let own = place(module).unwrap_or_else(|| panic!("{module} has no place in the order"));
        let later = used(text).into_iter().filter(|name| place(name).is_some_and(|place| place > own));
        wrong.extend(later.map(|name| format!("{file} uses {name}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The file that the table of faults names for a fault contains the fault's name, if the fault is a branch.
#[test]
fn each_fault_is_in_the_file_that_the_table_names() {
    let sources = sources();
    let branches: Vec<_> =
        Fault::all().into_iter().filter_map(|fault| Some((fault, fault.branch()?))).collect();
    assert!(branches.len() > 50, "only {} faults are branches", branches.len());
    for (fault, file) in branches {
        let name = format!("{fault:?}");
        let variant = name.split('(').next().unwrap();
        let is_named = |text: &String| {
            text.match_indices(&format!("Fault::{variant}"))
                .any(|(at, found)| !text[at + found.len()..].starts_with(|c: char| c.is_alphanumeric()))
        };
        assert!(sources.get(file).is_some_and(is_named), "{variant} does not act in {file}");
    }
}
