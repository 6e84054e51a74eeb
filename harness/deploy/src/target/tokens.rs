//! The file of access tokens. Its content is never shown.

use std::{
    fs,
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use samklang_verdict::{Problem, message};

use samklang_wire::certificates::Secret;

/// The largest file of tokens, in bytes.
const LARGEST: u64 = 64 * 1024;
/// The largest number of users. Every scenario manages with fewer.
const MOST: usize = 50;

/// A line of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TokenLine {
    /// Counted from 1.
    pub(super) number: usize,
    /// The user of the token, according to the file.
    pub(super) user: Option<String>,
    pub(super) token: Secret,
}

/// Reads the tokens. Each line has one token, either alone or after the user's ID. Empty lines and lines that begin
/// with `#` are skipped.
///
/// # Errors
/// Fails if the file cannot be read, if others than its owner can read it, or if it does not hold two tokens or more.
pub(super) fn read(path: &Path) -> Result<Vec<TokenLine>, Problem> {
    let text = private_text(path)?;
    let bad = |line: usize, wanted: &str| {
        let text = message!("target.bad-token-line", path = path.display(), line = line, wanted = wanted);
        Problem::configuration(text)
    };
    let mut lines: Vec<TokenLine> = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let words: Vec<_> = line.split_whitespace().collect();
        let number = place + 1;
        let (user, token) = match words[..] {
            [] => continue,
            [first, ..] if first.starts_with('#') => continue,
            [token] => (None, token),
            [user, token] if user.starts_with('@') => (Some(user.to_owned()), token),
            [_, _] => {
                return Err(bad(number, "the first of two words is a user's id, @alice:matrix.example"));
            }
            _ => return Err(bad(number, "a line is a token, or a user's id and a token")),
        };
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(bad(number, "a token is of visible ASCII characters"));
        }
        if lines.iter().any(|line| line.token.expose() == token) {
            return Err(bad(number, "each token stands there once"));
        }
        lines.push(TokenLine { number, user, token: Secret::new(token) });
    }
    if !(2..=MOST).contains(&lines.len()) {
        let (path, count) = (path.display(), lines.len());
        let text = message!("target.number-of-tokens", path = path, count = count, most = MOST);
        return Err(Problem::configuration(text));
    }
    Ok(lines)
}

/// The text of a file that only its owner can read.
///
/// # Errors
/// Fails if it cannot be read, is too long, or if others can read it.
pub(super) fn private_text(path: &Path) -> Result<String, Problem> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Problem::configuration(message!("target.unreadable", path = path.display(), error = error))
    };
    let file = fs::File::open(path).map_err(|error| unreadable(&error))?;
    let about = file.metadata().map_err(|error| unreadable(&error))?;
    if !about.is_file() {
        return Err(unreadable(&"it is no file"));
    }
    let mode = about.permissions().mode() & 0o777;
    let ours = [nix::unistd::geteuid().as_raw(), 0].contains(&about.uid());
    if mode & 0o077 != 0 || !ours {
        let text = message!("target.not-private", path = path.display(), mode = format!("{mode:03o}"));
        return Err(Problem::configuration(text));
    }
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
    if text.len() as u64 > LARGEST {
        return Err(unreadable(&format!("it is longer than {LARGEST} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A file that is removed at the end of the test.
    struct File(PathBuf);

    impl File {
        fn of(text: &str, mode: u32) -> Self {
            let path = std::env::temp_dir().join(format!("samklang-tokens-{:016x}", fastrand::u64(..)));
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Self(path)
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn of(text: &str) -> Result<Vec<TokenLine>, Problem> {
        read(&File::of(text, 0o600).0)
    }

    #[test]
    fn a_line_holds_a_token_with_or_without_its_user() {
        let lines = of("# accounts for tests\nsecret-1\n\n @bob:a.test\tsecret-2 \n").unwrap();
        let told: Vec<_> = lines.iter().map(|line| (line.number, line.user.as_deref())).collect();
        assert_eq!(told, [(2, None), (4, Some("@bob:a.test"))]);
        assert_eq!(lines[1].token.expose(), "secret-2");
        assert!(!format!("{lines:?}").contains("secret"));
    }

    #[test]
    fn a_wrong_line_is_reported_without_its_token() {
        for (text, key) in [
            ("", "target.number-of-tokens"),
            ("secret-1\n", "target.number-of-tokens"),
            ("secret-1\nbob secret-2\n", "target.bad-token-line"),
            ("secret-1\n@bob:a.test secret-2 3\n", "target.bad-token-line"),
            ("secret-1\nsecret-1\n", "target.bad-token-line"),
            ("secret-1\nsecret-å\n", "target.bad-token-line"),
        ] {
            let problem = of(text).unwrap_err();
            assert_eq!(problem.message.key, key, "{text:?}");
            assert!(!problem.to_string().contains("secret"), "{problem}");
        }
        assert_eq!(of(&"x".repeat(70_000)).unwrap_err().message.key, "target.unreadable");
        assert_eq!(read(Path::new("/nowhere/tokens")).unwrap_err().message.key, "target.unreadable");
        assert_eq!(read(Path::new("/")).unwrap_err().message.key, "target.unreadable");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        for mode in [0o640, 0o604, 0o620, 0o644] {
            let problem = read(&File::of("secret-1\nsecret-2\n", mode).0).unwrap_err();
            assert_eq!(problem.message.key, "target.not-private", "{mode:o}");
        }
        assert!(read(&File::of("secret-1\nsecret-2\n", 0o400).0).is_ok());
    }
}
