//! Recorded runs: finds one, and finds plays and exchanges in it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use samklang_deploy::vendor::nearest;
use samklang_reports::safe_line;
use samklang_verdict::{
    CheckResult, Disposition, Exchange, ExchangeId, Play, Problem, ResultFile, Role, Verdict, message,
};

use super::{play::OUT as RUNS, report};

/// A run's folder and its result.
pub(super) struct RecordedRun {
    pub(super) folder: PathBuf,
    pub(super) result: ResultFile,
}

/// A play or an exchange that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RecordQuery {
    /// One exchange.
    Exchange(ExchangeId),
    /// The plays of a scenario.
    Plays(PlayQuery),
}

/// The terms that select plays of a recorded run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PlayQuery {
    /// A scenario's or a check's id.
    pub(super) id: String,
    pub(super) room_version: Option<String>,
    pub(super) host: Option<Role>,
}

/// A play with the results of its checks.
pub(super) struct RecordedPlay<'a> {
    pub(super) scenario: &'a str,
    pub(super) play: &'a Play,
    /// The checks that were asked for; never empty.
    pub(super) checks: Vec<&'a CheckResult>,
}

/// The number in `17`, `x17` or `#17`.
pub(super) fn exchange_id(text: &str) -> Option<ExchangeId> {
    text.strip_prefix(['x', '#']).unwrap_or(text).parse().ok().map(ExchangeId)
}

impl RecordQuery {
    /// Reads `rooms.x`, `rooms.x/check`, either with `::v11::host-a` behind it, or an exchange's number.
    pub(super) fn parse(text: &str) -> Self {
        if let Some(id) = exchange_id(text) {
            return Self::Exchange(id);
        }
        let mut parts = text.split("::");
        let mut wanted =
            PlayQuery { id: parts.next().unwrap_or_default().to_owned(), ..PlayQuery::default() };
        for part in parts {
            match (part.strip_prefix("host-"), part.strip_prefix('v')) {
                (Some("a"), _) => wanted.host = Some(Role::A),
                (Some("b"), _) => wanted.host = Some(Role::B),
                (None, Some(version)) => wanted.room_version = Some(version.to_owned()),
                // No trial has such a name. The error for the whole text lists the nearest names.
                _ => wanted.id = text.to_owned(),
            }
        }
        Self::Plays(wanted)
    }
}

impl RecordedPlay<'_> {
    /// `rooms.invite-accepted::v11::host-a`
    pub(super) fn trial(&self) -> String {
        let version = safe_line(&self.play.room_version);
        format!("{}::v{version}::host-{}", self.scenario, self.play.host.as_str())
    }

    /// The rank by which plays are shown, failed ones first.
    fn rank(&self) -> u8 {
        let rank = |check: &&CheckResult| match (&check.verdict, check.disposition) {
            (Verdict::Fail(_), Disposition::Deviation) => 1,
            (Verdict::Fail(_), _) => 0,
            (Verdict::Pass { .. } | Verdict::NotApplicable { .. }, _) => 3,
            _ => 2,
        };
        self.checks.iter().map(rank).min().unwrap_or(u8::MAX)
    }

    /// Whether one of its checks failed.
    pub(super) fn failed(&self) -> bool {
        self.rank() < 2
    }
}

impl RecordedRun {
    /// The run in `folder`, or of the result file `folder`; without one, the newest run.
    ///
    /// # Errors
    /// When there is none, or its result cannot be read.
    pub(super) fn open(folder: Option<&Path>) -> Result<Self, Problem> {
        let folder = match folder {
            Some(path) if path.is_file() => path.parent().unwrap_or(Path::new(".")).to_owned(),
            Some(path) => path.to_owned(),
            None => newest().ok_or_else(|| Problem::configuration(message!("record.none", folder = RUNS)))?,
        };
        let result = report::read(&folder.join("result.json"))?;
        Ok(Self { folder, result })
    }

    /// The plays that `wanted` names, the failed ones first.
    ///
    /// # Errors
    /// When the run has no such play. The error lists the nearest names.
    pub(super) fn plays(&self, wanted: &PlayQuery) -> Result<Vec<RecordedPlay<'_>>, Problem> {
        let named = |check: &&CheckResult| check.id.as_str() == wanted.id || check.id.scenario() == wanted.id;
        let mut all: Vec<RecordedPlay<'_>> = Vec::new();
        for check in self.result.checks.iter().filter(named) {
            match all.iter_mut().find(|played| *played.play == check.play) {
                Some(played) => played.checks.push(check),
                None => {
                    all.push(RecordedPlay {
                        scenario: check.id.scenario(),
                        play: &check.play,
                        checks: vec![check],
                    });
                }
            }
        }
        if all.is_empty() {
            return Err(self.unknown(&wanted.id));
        }
        let trials: Vec<_> = all.iter().map(RecordedPlay::trial).collect();
        all.retain(|played| {
            wanted.room_version.as_ref().is_none_or(|version| *version == played.play.room_version)
                && wanted.host.is_none_or(|host| host == played.play.host)
        });
        if all.is_empty() {
            let trials = trials.join(", ");
            return Err(Problem::configuration(message!("record.no-play", id = wanted.id, plays = trials)));
        }
        all.sort_by_key(RecordedPlay::rank);
        Ok(all)
    }

    fn unknown(&self, id: &str) -> Problem {
        let mut names: Vec<_> = self.result.checks.iter().map(|check| check.id.to_string()).collect();
        names.extend(self.result.checks.iter().map(|check| check.id.scenario().to_owned()));
        names.sort();
        names.dedup();
        let run = safe_line(&self.result.run.id);
        let near = nearest(id, &names);
        let scenario = id.split_once('/').map_or(id, |(scenario, _)| scenario);
        Problem::configuration(
            if samklang_suites::scenarios().iter().any(|known| known.id == scenario) && near.is_empty() {
                message!("record.not-played", run = run, id = id)
            } else {
                let near = if near.is_empty() { names.into_iter().take(3).collect() } else { near };
                message!("record.unknown", run = run, id = id, nearest = near.join(", "))
            },
        )
    }

    /// The transcript of a play: its path and its exchanges.
    ///
    /// # Errors
    /// When the play has none, or its file is not there.
    pub(super) fn transcript(&self, played: &RecordedPlay<'_>) -> Result<(String, Vec<Exchange>), Problem> {
        let trial = played.trial();
        let path = played.checks.iter().find_map(|check| check.transcript.clone());
        let path =
            path.ok_or_else(|| Problem::configuration(message!("record.not-recorded", trial = trial)))?;
        match samklang_reports::transcripts_in(&self.folder)(&path) {
            Some(exchanges) => Ok((path, exchanges)),
            None => Err(Problem::configuration(message!(
                "record.no-transcript",
                path = safe_line(&path),
                folder = self.folder.display(),
                trial = trial
            ))),
        }
    }

    /// The exchange `id` and the path of its transcript: in `played`, or in the whole run.
    ///
    /// # Errors
    /// When no transcript holds it.
    pub(super) fn exchange(
        &self,
        id: ExchangeId,
        played: Option<&RecordedPlay<'_>>,
    ) -> Result<(String, Exchange), Problem> {
        let own = match played {
            Some(played) => Some(self.transcript(played)?.0),
            None => None,
        };
        let all = self.result.evidence.iter().map(|file| file.path.as_str());
        let all = all.filter(|path| path.ends_with(".jsonl"));
        let paths: Vec<_> = own.as_deref().map_or_else(|| all.collect(), |path| vec![path]);
        match samklang_reports::exchange_in(&self.folder, paths, id) {
            Some((path, exchange)) => Ok((path.to_owned(), exchange)),
            None => {
                let run = safe_line(&self.result.run.id);
                let place = own.as_deref().map_or(run, safe_line);
                Err(Problem::configuration(message!("record.no-exchange", id = id, place = place)))
            }
        }
    }
}

/// The folder of the run whose result was written last.
fn newest() -> Option<PathBuf> {
    let written = |folder: &PathBuf| -> Option<SystemTime> {
        folder.join("result.json").metadata().ok()?.modified().ok()
    };
    let folders = fs::read_dir(RUNS).ok()?.flatten().map(|entry| entry.path());
    folders.filter(|folder| written(folder).is_some()).max_by_key(|folder| (written(folder), folder.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_parsed_in_each_of_its_forms() {
        for text in ["17", "x17", "#17"] {
            assert_eq!(RecordQuery::parse(text), RecordQuery::Exchange(ExchangeId(17)));
        }
        let plays = |id: &str, version: Option<&str>, host| {
            RecordQuery::Plays(PlayQuery { id: id.into(), room_version: version.map(Into::into), host })
        };
        assert_eq!(RecordQuery::parse("rooms.x"), plays("rooms.x", None, None));
        assert_eq!(RecordQuery::parse("rooms.x/seen"), plays("rooms.x/seen", None, None));
        assert_eq!(RecordQuery::parse("rooms.x::v11::host-b"), plays("rooms.x", Some("11"), Some(Role::B)));
        assert_eq!(RecordQuery::parse("rooms.x/seen::host-a"), plays("rooms.x/seen", None, Some(Role::A)));
        assert_eq!(RecordQuery::parse("rooms.x::host-z"), plays("rooms.x::host-z", None, None));
        assert_eq!(RecordQuery::parse("x"), plays("x", None, None));
    }
}
