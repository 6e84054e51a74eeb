//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};
use samklang_verdict::Role;

use super::target::TargetOptions;
use crate::setting::Deploy;

/// Shows, with proof, whether homeservers of different vendors federate.
#[derive(Debug, Parser)]
#[command(name = "samklang", version, about, propagate_version = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Bring servers up, play scenarios between them, judge, and write reports
    Run(Box<RunArgs>),
    /// Play every pair of vendors, and show where fails come from
    Matrix(Box<MatrixArgs>),
    /// Put the shards of a matrix together
    Merge(MergeArgs),
    /// Tell what changed from one result or matrix to another
    Diff(DiffArgs),
    /// Show what was recorded of a scenario, a check or an exchange of the last run
    Show(ShowArgs),
    /// Play a check of the last run afresh, and show what was recorded
    Repro(Box<ReproArgs>),
    /// Print a curl line that sends a recorded request again
    Curl(CurlArgs),
    /// Show the scenarios of the suite
    List(ListArgs),
    /// Tell what a scenario or a check asks for, and which sentences of the specification it rests on
    Explain {
        /// A scenario's or a check's id, a requirement's id, or a catalogue row
        id: String,
    },
    /// Look whether this machine can run everything, and say what to mend
    Doctor(DoctorArgs),
    /// Look at a running server from outside, as other servers meet it: discovery, certificate, keys, version
    Probe(ProbeArgs),
    /// Write the reports of a result file anew
    Report {
        /// A result.json, beside which its evidence lies, or a matrix.json
        result: PathBuf,
        /// Where reports go; beside the result, when nothing is named
        #[arg(long, short = 'o', value_name = "DIR")]
        output: Option<PathBuf>,
        /// An earlier matrix, whose differences the report of a matrix then shows
        #[arg(long, value_name = "DIR")]
        previous: Option<PathBuf>,
    },
    /// Look at the expectations that runs propose, and accept or reject them
    Review(ReviewArgs),
    /// Show that every check can fail: play the homeserver inside this program with one fault after another
    Selftest(SelftestArgs),
    /// Remove what runs that ended without tidying have left
    Sweep,
    /// Print the JSON Schema of result.json
    Schema {
        /// That of matrix.json in its place
        #[arg(long)]
        matrix: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Only these: scenario ids, areas, requirement ids or catalogue rows
    pub(super) names: Vec<String>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    /// A further folder of vendor descriptors; may be repeated
    #[arg(long = "vendors", value_name = "DIR", env = "SAMKLANG_VENDORS", value_delimiter = ':')]
    pub(super) vendors: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ProbeArgs {
    /// The server's name, as it stands in the ids of its users: a.example, a.example:8448
    pub(super) server_name: String,
    /// Believe the authorities in this file of PEM, and no others
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// Connect to this address in place of what a host and port resolve to; may be repeated
    #[arg(long, value_name = "HOST:PORT=ADDRESS:PORT", value_parser = route)]
    pub(super) connect_to: Vec<(String, SocketAddr)>,
    /// Ask this name server for service records, in place of the machine's own
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) dns: Option<SocketAddr>,
    /// How many seconds each step may take: a look-up, a connection, an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=60))]
    pub(super) timeout: u8,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReviewArgs {
    /// Accept all proposals without asking
    #[arg(long, conflicts_with = "reject")]
    pub(super) accept: bool,
    /// Reject all proposals without asking
    #[arg(long)]
    pub(super) reject: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct SelftestArgs {
    /// Play only this fault; may be repeated
    #[arg(long = "fault", value_name = "NAME")]
    pub(super) faults: Vec<String>,
    /// Play only this: a scenario's id, an area, a requirement's id or a catalogue row; may be repeated
    #[arg(long = "scenario", short = 's', value_name = "NAME")]
    pub(super) scenarios: Vec<String>,
    /// Play only so much that each check turns red once again, and each fault is noticed once again
    #[arg(long)]
    pub(super) quick: bool,
    /// How many servers play at a time; as many as there are cores, when nothing is said
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) jobs: Option<u16>,
    /// The seed of everything random
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Write the kill matrix anew, or what it says of the faults and scenarios that are named
    #[arg(long, conflicts_with = "quick")]
    pub(super) write: bool,
}

/// How a run is told while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A moving line on a terminal, else a line for each event
    Auto,
    /// A line for each event
    Plain,
    /// A JSON object for each event
    Jsonl,
}

#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// The vendor to judge, with a version if not its default: synapse, synapse@1.140.0. The homeserver inside this
    /// program, when none is named; none, too, for an image without a descriptor
    pub(super) vendor: Option<String>,
    /// Play only this: a scenario's id, an area, a requirement's id or a catalogue row; may be repeated
    #[arg(long = "scenario", short = 's', value_name = "NAME")]
    pub(super) scenarios: Vec<String>,
    #[command(flatten)]
    pub(super) options: RunOptions,
}

/// How a run is played, whatever it plays.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RunOptions {
    /// The vendor that it is paired with; the same one, when none is named
    #[arg(long, value_name = "VENDOR")]
    pub(super) vs: Option<String>,
    /// A published image of the vendor to run instead of its own; any that keeps Complement's contract, without a vendor
    #[arg(long, value_name = "NAME")]
    pub(super) image: Option<String>,
    /// A newer version of the vendor that is judged, which takes over from its server in mid-run
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["image", "target"])]
    pub(super) upgrade_to: Option<String>,
    #[command(flatten)]
    pub(super) play: PlayOptions,
    #[command(flatten)]
    pub(super) target: TargetOptions,
}

/// How servers are brought up and what they play, whoever they are.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct PlayOptions {
    /// How servers are brought up; auto, when nothing is said
    #[arg(long, value_enum)]
    pub(super) deploy: Option<Deploy>,
    /// Let servers meet without the switchboard; nothing between them is then recorded
    #[arg(long)]
    pub(super) direct: bool,
    /// Play only in this room version; may be repeated
    #[arg(long = "room-version", value_name = "N")]
    pub(super) room_versions: Vec<String>,
    /// Let only this role host rooms
    #[arg(long, value_parser = role)]
    pub(super) host: Option<Role>,
    /// Where files go; a new folder below samklang-out, when none is named
    #[arg(long, short = 'o', value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// How many scenarios are played side by side
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) jobs: u16,
    /// The seed of everything random
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// How the run is told while it goes on
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) format: Format,
    /// A further folder of vendor descriptors; may be repeated
    #[arg(long = "vendors", value_name = "DIR", env = "SAMKLANG_VENDORS", value_delimiter = ':')]
    pub(super) vendors: Vec<PathBuf>,
    /// Do not write proposals for expectations that differ
    #[arg(long)]
    pub(super) no_proposals: bool,
}

/// Which vendors meet, and how.
#[derive(Debug, clap::Args)]
pub(super) struct MatrixArgs {
    /// The vendors, each with a version if not its default; the first is the baseline that the others are held against
    #[arg(required = true, value_name = "VENDOR")]
    pub(super) names: Vec<String>,
    /// Play only this: a scenario's id, an area, a requirement's id or a catalogue row; may be repeated
    #[arg(long = "scenario", short = 's', value_name = "NAME")]
    pub(super) scenarios: Vec<String>,
    /// Play only each nth pair, so that n machines share the work: 1/3, 2/3, 3/3
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub(super) shard: Option<Shard>,
    /// How many pairs are played at a time; as many as processors and free memory allow, when nothing is said
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) at_once: Option<u16>,
    /// Go on with the matrix in this folder: pairs whose result is whole are not played again
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    pub(super) resume: Option<PathBuf>,
    /// An earlier matrix, whose differences the report then shows
    #[arg(long, value_name = "DIR")]
    pub(super) previous: Option<PathBuf>,
    #[command(flatten)]
    pub(super) play: PlayOptions,
}

/// A part of the pairs: all whose place, divided by `of`, leaves `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    /// Counted from 0.
    pub(super) index: usize,
    pub(super) of: usize,
}

#[derive(Debug, clap::Args)]
pub(super) struct MergeArgs {
    /// The folders of the shards
    #[arg(required = true, value_name = "OUT")]
    pub(super) parts: Vec<PathBuf>,
    /// Where the whole goes; a new folder
    #[arg(long, short = 'o', value_name = "DIR")]
    pub(super) output: PathBuf,
    /// An earlier matrix, whose differences the report then shows
    #[arg(long, value_name = "DIR")]
    pub(super) previous: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct DiffArgs {
    /// The earlier one: the folder of a run or of a matrix, or its result.json or matrix.json
    pub(super) old: PathBuf,
    /// The later one
    pub(super) new: PathBuf,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Which play of a recorded run.
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// A scenario's or a check's id, a trial's name, or an exchange's number: rooms.invite-accepted, x17
    pub(super) id: String,
    /// One exchange of that scenario, by its number
    pub(super) exchange: Option<String>,
    /// The folder of the run; the newest below samklang-out, when none is named
    #[arg(long, value_name = "DIR")]
    pub(super) run: Option<PathBuf>,
    /// Shorten nothing
    #[arg(long)]
    pub(super) full: bool,
    /// The play in this room version
    #[arg(long, value_name = "N")]
    pub(super) room_version: Option<String>,
    /// The play with this host
    #[arg(long, value_parser = role)]
    pub(super) host: Option<Role>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReproArgs {
    /// A check's or a scenario's id, or a trial's name
    pub(super) check: String,
    /// The folder of the run; the newest below samklang-out, when none is named
    #[arg(long, value_name = "DIR")]
    pub(super) run: Option<PathBuf>,
    /// Another vendor or version to judge than in that run
    #[arg(long, value_name = "VENDOR")]
    pub(super) vendor: Option<String>,
    /// Shorten nothing of what is shown
    #[arg(long)]
    pub(super) full: bool,
    #[command(flatten)]
    pub(super) options: RunOptions,
}

#[derive(Debug, clap::Args)]
pub(super) struct CurlArgs {
    /// The exchange's number: x17
    pub(super) exchange: String,
    /// The folder of the run; the newest below samklang-out, when none is named
    #[arg(long, value_name = "DIR")]
    pub(super) run: Option<PathBuf>,
}

fn shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parts {
        Some((i, of)) if (1..=of).contains(&i) => Ok(Shard { index: i - 1, of }),
        _ => Err("1/N to N/N".to_owned()),
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.of)
    }
}

pub(super) fn route(text: &str) -> Result<(String, SocketAddr), String> {
    let parts = text.split_once('=').and_then(|(from, to)| Some((from, to.parse().ok()?)));
    let is_place = |from: &str| from.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match parts {
        Some((from, to)) if is_place(from) => Ok((from.to_owned(), to)),
        _ => Err("HOST:PORT=ADDRESS:PORT".to_owned()),
    }
}

fn role(text: &str) -> Result<Role, String> {
    match text {
        "a" | "A" => Ok(Role::A),
        "b" | "B" => Ok(Role::B),
        _ => Err("a or b".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_route_leads_from_a_host_and_port_to_an_address_and_port() {
        let to = "127.0.0.1:1".parse().unwrap();
        assert_eq!(route("a.test:443=127.0.0.1:1"), Ok(("a.test:443".to_owned(), to)));
        for bad in ["a.test=127.0.0.1:1", "a.test:443=127.0.0.1", "a.test:443", ""] {
            assert!(route(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_shard_is_one_of_as_many_as_there_are() {
        assert_eq!(shard("2/3"), Ok(Shard { index: 1, of: 3 }));
        assert_eq!(shard("2/3").unwrap().to_string(), "2/3");
        for bad in ["0/3", "4/3", "1/0", "1", "a/b", "-1/3", ""] {
            assert!(shard(bad).is_err(), "{bad}");
        }
    }
}
