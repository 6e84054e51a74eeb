//! The file in which a person takes responsibility for a server that lying peers may meet.

use std::path::Path;

use samklang_verdict::{Problem, message};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Consent {
    /// The server's name.
    server: String,
    /// The person who takes responsibility.
    by: String,
    /// The last day on which the consent is valid, `YYYY-MM-DD`.
    until: String,
}

/// The person who consents to hostile peers at `server_name`, and the last day, in words.
///
/// # Errors
/// Fails if the file cannot be read, has another shape, names another server, or has expired on the day `today`.
pub(super) fn read(path: &Path, server_name: &str, today: &str) -> Result<String, Problem> {
    let bad = |error: &dyn std::fmt::Display| {
        Problem::configuration(message!("target.bad-consent", path = path.display(), error = error))
    };
    let text = std::fs::read_to_string(path).map_err(|error| bad(&error))?;
    let consent: Consent = toml::from_str(&text).map_err(|error| bad(&error.message()))?;
    if consent.by.trim().is_empty() {
        return Err(bad(&"it does not say by whom"));
    }
    let day = |text: &str| text.parse::<jiff::civil::Date>();
    let until = day(&consent.until).map_err(|_| bad(&"until is no day written YYYY-MM-DD"))?;
    let today = day(today).map_err(|error| bad(&error))?;
    if consent.server != server_name {
        let text = message!(
            "target.consent-for-another",
            path = path.display(),
            named = consent.server,
            name = server_name
        );
        return Err(Problem::configuration(text));
    }
    if until < today {
        let text = message!("target.consent-expired", path = path.display(), until = until);
        return Err(Problem::configuration(text));
    }
    Ok(format!("{}, until {until}", consent.by.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<String, Problem> {
        let path = std::env::temp_dir().join(format!("samklang-consent-{:016x}", fastrand::u64(..)));
        std::fs::write(&path, text).unwrap();
        let read = read(&path, "a.test", "2026-11-25");
        let _ = std::fs::remove_file(&path);
        read
    }

    fn consent(server: &str, by: &str, until: &str) -> String {
        format!("server = {server:?}\nby = {by:?}\nuntil = {until:?}\n")
    }

    #[test]
    fn a_consent_names_the_server_a_person_and_a_day_that_has_not_passed() {
        assert_eq!(read_text(&consent("a.test", "Åsa", "2026-11-25")).unwrap(), "Åsa, until 2026-11-25");
        for (text, key) in [
            (consent("b.test", "Åsa", "2026-12-31"), "target.consent-for-another"),
            (consent("a.test.example", "Åsa", "2026-12-31"), "target.consent-for-another"),
            (consent("a.test", "Åsa", "2026-11-24"), "target.consent-expired"),
            (consent("a.test", " ", "2026-12-31"), "target.bad-consent"),
            (consent("a.test", "Åsa", "soon"), "target.bad-consent"),
            (consent("a.test", "Åsa", "2026-02-30"), "target.bad-consent"),
            ("server = \"a.test\"\n".to_owned(), "target.bad-consent"),
            (consent("a.test", "Åsa", "2026-12-31") + "all = true\n", "target.bad-consent"),
            (String::new(), "target.bad-consent"),
        ] {
            assert_eq!(read_text(&text).unwrap_err().message.key, key, "{text}");
        }
        let nowhere = read(Path::new("/nowhere/consent.toml"), "a.test", "2026-11-25");
        assert_eq!(nowhere.unwrap_err().message.key, "target.bad-consent");
    }
}
