//! The texts that all reports share, in the catalogue's language.

use std::{collections::BTreeSet, ops::Deref};

use samklang_verdict::{
    Blame, Catalogue, CheckResult, Disposition, Fail, Message, Participant, Play, ResultFile, Role, TARGET,
    Verdict, Weight,
};

use crate::text::safe_line;

/// How reports mark a check: the one word that counts, tables and colours use. The division is the same as in
/// [`samklang_verdict::Counts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ReportMark {
    Fail,
    DeviationBroken,
    Error,
    Inconclusive,
    Flaky,
    NotRun,
    Deviation,
    NotApplicable,
    Unproven,
    Pass,
}

impl ReportMark {
    /// All marks, the most urgent ones first.
    pub(crate) const ALL: [Self; 10] = [
        Self::Fail,
        Self::DeviationBroken,
        Self::Error,
        Self::Inconclusive,
        Self::Flaky,
        Self::NotRun,
        Self::Deviation,
        Self::NotApplicable,
        Self::Unproven,
        Self::Pass,
    ];

    pub(crate) fn of(check: &CheckResult) -> Self {
        match (check.disposition, &check.verdict) {
            (Disposition::Flaky, _) => Self::Flaky,
            (Disposition::Unproven, _) => Self::Unproven,
            (Disposition::Deviation, _) => Self::Deviation,
            (Disposition::DeviationStale | Disposition::DeviationExpired | Disposition::ReasonChanged, _) => {
                Self::DeviationBroken
            }
            (_, Verdict::Pass { .. }) => Self::Pass,
            (_, Verdict::Fail(_)) => Self::Fail,
            (_, Verdict::Inconclusive { .. }) => Self::Inconclusive,
            (_, Verdict::NotApplicable { .. }) => Self::NotApplicable,
            (_, Verdict::Error { .. }) => Self::Error,
            (_, Verdict::NotRun { .. }) => Self::NotRun,
        }
    }

    /// All marks in the order of a tally: passes first.
    pub(crate) fn tally() -> impl Iterator<Item = Self> {
        let rest = Self::ALL.into_iter().filter(|mark| *mark != Self::Pass);
        [Self::Pass].into_iter().chain(rest)
    }

    /// Its name in message keys.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::DeviationBroken => "deviation-broken",
            Self::Error => "error",
            Self::Inconclusive => "inconclusive",
            Self::Flaky => "flaky",
            Self::NotRun => "not-run",
            Self::Deviation => "deviation",
            Self::NotApplicable => "not-applicable",
            Self::Unproven => "unproven",
            Self::Pass => "pass",
        }
    }

    /// A sign, always shown beside the word.
    pub(crate) fn sign(self) -> char {
        match self {
            Self::Fail => '✗',
            Self::DeviationBroken => '≠',
            Self::Error => '!',
            Self::Inconclusive => '?',
            Self::Flaky => '~',
            Self::NotRun => '○',
            Self::Deviation => '≈',
            Self::NotApplicable => '–',
            Self::Unproven => '·',
            Self::Pass => '✓',
        }
    }

    /// The number of a run's checks with this mark.
    pub(crate) fn count(self, result: &ResultFile) -> u64 {
        let counts = &result.counts;
        match self {
            Self::Fail => counts.fail,
            Self::DeviationBroken => counts.deviation_broken,
            Self::Error => counts.error,
            Self::Inconclusive => counts.inconclusive,
            Self::Flaky => counts.flaky,
            Self::NotRun => counts.not_run,
            Self::Deviation => counts.deviation,
            Self::NotApplicable => counts.not_applicable,
            Self::Unproven => counts.unproven,
            Self::Pass => counts.pass,
        }
    }
}

/// The catalogue's texts for reports.
#[derive(Clone, Copy)]
pub(crate) struct Phrases<'a> {
    pub(crate) catalogue: &'a Catalogue,
}

/// The catalogue's texts, and the run that they describe.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    pub(crate) phrases: Phrases<'a>,
    pub(crate) result: &'a ResultFile,
}

impl<'a> Deref for Words<'a> {
    type Target = Phrases<'a>;

    fn deref(&self) -> &Phrases<'a> {
        &self.phrases
    }
}

impl Phrases<'_> {
    /// The label at `report.<key>`.
    pub(crate) fn label(&self, key: &str) -> String {
        self.catalogue.label(&format!("report.{key}"))
    }

    /// The text at `report.<key>` with arguments.
    pub(crate) fn say(&self, key: &str, args: &[(&str, &str)]) -> String {
        let message = Message::new(format!("report.{key}"));
        let message = args.iter().fold(message, |message, (name, value)| message.with(*name, value));
        self.catalogue.render(&message).in_one_line()
    }

    /// The text at `report.<key>.one` or `.many`, with `{n}`.
    pub(crate) fn count(&self, key: &str, n: u64, args: &[(&str, &str)]) -> String {
        let n_text = n.to_string();
        let args: Vec<_> = [("n", n_text.as_str())].into_iter().chain(args.iter().copied()).collect();
        self.say(&format!("{key}.{}", if n == 1 { "one" } else { "many" }), &args)
    }

    /// Any message in one line. It may contain server text, so the caller has to make it safe.
    pub(crate) fn line(&self, message: &Message) -> String {
        self.catalogue.render(message).in_one_line()
    }

    pub(crate) fn mark(&self, mark: ReportMark) -> String {
        self.label(&format!("mark.{}", mark.key()))
    }

    pub(crate) fn weight(&self, weight: Weight) -> String {
        self.label(match weight {
            Weight::Must => "weight.must",
            Weight::Should => "weight.should",
            Weight::May => "weight.may",
        })
    }

    /// `a`, `a and b`, `a, b and c`.
    pub(crate) fn list(&self, items: &[String]) -> String {
        match items {
            [] => String::new(),
            [one] => one.clone(),
            [first @ .., last] => format!("{} {} {last}", first.join(", "), self.label("and")),
        }
    }

    /// `room version 11, host A`.
    pub(crate) fn play(&self, play: &Play) -> String {
        let version = safe_line(&play.room_version);
        self.say("play", &[("version", &version), ("host", &play.host.to_string())])
    }
}

impl<'a> Words<'a> {
    fn participant(&self, role: Role) -> Option<&'a Participant> {
        self.result.participants.iter().find(|participant| participant.role == role)
    }

    /// A server's product and version, as it announced them, otherwise as requested.
    pub(crate) fn product(&self, participant: &Participant) -> String {
        let name = participant.answered_name.as_deref().unwrap_or(&participant.vendor);
        let version = participant.answered_version.as_deref().unwrap_or(&participant.version);
        // An announced name may have any length, but headings are short.
        safe_line(&format!("{name} {version}")).chars().take(120).collect()
    }

    /// `B (Synapse 1.163.2)`.
    pub(crate) fn server_label(&self, role: Role) -> String {
        match self.participant(role) {
            Some(participant) => format!("{role} ({})", self.product(participant)),
            None => role.to_string(),
        }
    }

    /// The role to blame, and the sentence about it.
    pub(crate) fn blame(&self, fail: &Fail) -> (Option<Role>, String) {
        match &fail.blame {
            Blame::Server { role, because } => (
                Some(*role),
                self.say(
                    "blame.server",
                    &[("who", &self.server_label(*role)), ("because", &self.line(because))],
                ),
            ),
            Blame::Undecided { because } => {
                (None, self.say("blame.undecided", &[("because", &self.line(because))]))
            }
        }
    }

    /// The plays of several results of one check, as short as possible.
    pub(crate) fn plays(&self, checks: &[&CheckResult]) -> String {
        let mut versions: Vec<String> = Vec::new();
        let mut hosts = BTreeSet::new();
        for check in checks {
            let version = safe_line(&check.play.room_version);
            if !versions.contains(&version) {
                versions.push(version);
            }
            hosts.insert(check.play.host);
        }
        if versions.len() * hosts.len() == checks.len() {
            let hosts: Vec<_> = hosts.into_iter().map(|host| host.to_string()).collect();
            return self.say("play", &[("version", &self.list(&versions)), ("host", &self.list(&hosts))]);
        }
        checks.iter().map(|check| self.play(&check.play)).collect::<Vec<_>>().join("; ")
    }

    /// The command that plays a check's scenario again.
    pub(crate) fn replay_command(&self, check: &CheckResult) -> String {
        if self.result.run.deployer == TARGET {
            return self.say("again.command-target", &[("check", check.id.as_str())]);
        }
        let participants = &self.result.participants;
        let asked = |p: &Participant| safe_line(&format!("{}@{}", p.vendor, p.version));
        let first = participants.iter().find(|participant| participant.subject).or(participants.first());
        let subject = first.map(asked).unwrap_or_default();
        let other = participants.iter().map(asked).find(|other| *other != subject);
        let args = [("subject", subject.as_str()), ("scenario", check.id.scenario())];
        let command = match other {
            None => self.say("again.command", &args),
            Some(other) => self.say("again.command-vs", &[args[0], args[1], ("other", &other)]),
        };
        match first.and_then(|first| first.upgrade.as_ref()) {
            Some(upgrade) => {
                let (command, version) = (command.as_str(), safe_line(&upgrade.version));
                self.say("again.command-upgrade", &[("command", command), ("version", &version)])
            }
            None => command,
        }
    }

    /// The version to which a server was upgraded during the run, as the server announced it.
    pub(crate) fn upgrade(&self, participant: &Participant) -> Option<String> {
        let upgrade = participant.upgrade.as_ref()?;
        let version: String = safe_line(&upgrade.version).chars().take(120).collect();
        let role = participant.role.to_string();
        let args = [("role", role.as_str()), ("version", version.as_str())];
        if upgrade.answered_name.is_none() && upgrade.answered_version.is_none() {
            return Some(self.say("fact.not-upgraded", &args));
        }
        let (name, answered) = (upgrade.answered_name.clone(), upgrade.answered_version.clone());
        let later = Participant { answered_name: name, answered_version: answered, ..participant.clone() };
        let (before, after) = (self.product(participant), self.product(&later));
        Some(self.say("fact.upgraded", &[args[0], args[1], ("before", &before), ("after", &after)]))
    }
}
