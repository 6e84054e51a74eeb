//! Texts for users: the code has a key with arguments, the catalogue has the sentences.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A text for users, independent of the language.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// The text's key in the catalogue.
    pub key: String,
    /// The values for the text's `{name}` placeholders. They may contain anything that a server sent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, String>,
}

impl Message {
    /// A message without arguments. Prefer [`message!`](crate::message!), whose keys a test holds against the catalogue.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), args: BTreeMap::new() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.args.insert(name.into(), value.to_string());
        self
    }
}

impl fmt::Display for Message {
    /// The English text in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Catalogue::english().render(self).in_one_line())
    }
}

/// Makes a [`Message`]: `message!("engine.not-running", address = path)`.
#[macro_export]
macro_rules! message {
    ($key:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::Message::new($key)$(.with(stringify!($name), &$value))*
    };
}

/// A rendered message: what happened, why, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What happened, or the whole text.
    pub what: String,
    /// Why it happened, if that is known.
    pub why: Option<String>,
    /// What the reader can do next.
    pub next: Option<String>,
}

impl Text {
    /// All parts, one space between them.
    pub fn in_one_line(&self) -> String {
        let parts = [Some(&self.what), self.why.as_ref(), self.next.as_ref()];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// The texts of one language, by key.
#[derive(Debug)]
pub struct Catalogue {
    texts: BTreeMap<String, Template>,
}

#[derive(Debug, Clone, Default)]
struct Template {
    what: String,
    why: Option<String>,
    next: Option<String>,
}

impl Catalogue {
    /// The English catalogue, built into the program.
    pub fn english() -> &'static Self {
        static ENGLISH: LazyLock<Catalogue> = LazyLock::new(|| {
            let tables = [
                include_str!("../messages/en/engine.toml"),
                include_str!("../messages/en/judging.toml"),
                include_str!("../messages/en/reports.toml"),
                include_str!("../messages/en/cli.toml"),
                include_str!("../messages/en/matrix.toml"),
                include_str!("../messages/en/probe.toml"),
                include_str!("../messages/en/scenarios.toml"),
                include_str!("../messages/en/wire.toml"),
            ];
            let mut texts = BTreeMap::new();
            for table in tables {
                // This module's test finds a catalogue that does not parse, so no user does.
                let table = table.parse::<toml::Table>().unwrap_or_default();
                collect("", &table, &mut texts);
            }
            Catalogue { texts }
        });
        &ENGLISH
    }

    /// Every key of the catalogue with the argument names its text uses.
    pub fn keys(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        self.texts.iter().map(|(key, template)| (key.as_str(), template.places()))
    }

    /// The text of `message`. A missing key is shown as it is, with its arguments, so that no information is lost.
    pub fn render(&self, message: &Message) -> Text {
        match self.texts.get(&message.key) {
            Some(template) => Text {
                what: fill(&template.what, &message.args),
                why: template.why.as_ref().map(|text| fill(text, &message.args)),
                next: template.next.as_ref().map(|text| fill(text, &message.args)),
            },
            None => {
                let args: Vec<_> =
                    message.args.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect();
                Text {
                    what: format!("{} {}", message.key, args.join(" ")).trim_end().into(),
                    why: None,
                    next: None,
                }
            }
        }
    }

    /// The text of a key without arguments, for labels and headings.
    pub fn label(&self, key: &str) -> String {
        self.render(&Message::new(key)).what
    }
}

impl Template {
    fn places(&self) -> Vec<&str> {
        let texts = [Some(&self.what), self.why.as_ref(), self.next.as_ref()];
        let mut names: Vec<_> = texts.into_iter().flatten().flat_map(|text| places(text)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn collect(prefix: &str, table: &toml::Table, texts: &mut BTreeMap<String, Template>) {
    let part = |name: &str| table.get(name).and_then(toml::Value::as_str).map(str::to_owned);
    if let Some(what) = part("what") {
        texts.insert(prefix.to_owned(), Template { what, why: part("why"), next: part("next") });
        return;
    }
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::String(what) => {
                texts.insert(key, Template { what: what.clone(), ..Template::default() });
            }
            toml::Value::Table(inner) => collect(&key, inner, texts),
            _ => {}
        }
    }
}

fn places(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

fn fill(text: &str, args: &BTreeMap<String, String>) -> String {
    let mut pieces = text.split('{');
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once('}') {
            Some((name, rest)) => {
                match args.get(name) {
                    Some(value) => filled.push_str(&plain(value)),
                    None => filled.push_str(&format!("{{{name}}}")),
                }
                filled.push_str(rest);
            }
            None => {
                filled.push('{');
                filled.push_str(piece);
            }
        }
    }
    filled
}

/// Arguments may come from a server, which could use control characters to act on a terminal.
fn plain(value: &str) -> String {
    value.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_catalogue_parses() {
        for table in [
            include_str!("../messages/en/engine.toml"),
            include_str!("../messages/en/judging.toml"),
            include_str!("../messages/en/reports.toml"),
            include_str!("../messages/en/cli.toml"),
            include_str!("../messages/en/matrix.toml"),
            include_str!("../messages/en/probe.toml"),
            include_str!("../messages/en/scenarios.toml"),
            include_str!("../messages/en/wire.toml"),
        ] {
            assert!(table.parse::<toml::Table>().is_ok_and(|table| !table.is_empty()));
        }
    }

    #[test]
    fn arguments_fill_places_and_cannot_steer_a_terminal() {
        let args = BTreeMap::from([("name".to_owned(), "a\u{1b}[31m{name}".to_owned())]);
        assert_eq!(fill("<{name}> {other} {", &args), "<a\u{fffd}[31m{name}> {other} {");
    }

    #[test]
    fn a_missing_key_is_shown_with_its_arguments() {
        let text = Catalogue::english().render(&Message::new("no.such-key").with("port", 8448));
        assert_eq!(text.in_one_line(), "no.such-key port=8448");
    }
}
