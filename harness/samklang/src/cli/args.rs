//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};
use samklang_verdict::Role;

use super::{log::LogLevel, target::TargetOptions};
use crate::setting::Deploy;

/// Shows, with proof, whether homeservers of different vendors federate.
#[derive(Debug, Parser)]
#[command(name = "samklang", version, about, propagate_version = true)]
pub(super) struct Args {
    /// Write the harness's own log to the standard error, from this level on
    #[arg(long, value_enum, value_name = "LEVEL", global = true)]
    pub(super) log: Option<LogLevel>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Bring servers up, play scenarios between them, judge, and write reports
    Run(Box<RunArgs>),
    /// Play every pair of vendors, and show the origin of each fail
    Matrix(Box<MatrixArgs>),
    /// Put the shards of a matrix together
    Merge(MergeArgs),
    /// List the changes from one result or matrix to another
    Diff(DiffArgs),
    /// Show the recorded traffic of a scenario, a check or an exchange of the last run
    Show(ShowArgs),
    /// Play a check of the last run again, and show the recorded traffic
    Repro(Box<ReproArgs>),
    /// Print a curl line that sends a recorded request again
    Curl(CurlArgs),
    /// Show the scenarios of the suite
    List(ListArgs),
    /// Explain a scenario or a check, with the sentences of the specification that it tests
    Explain {
        /// A scenario's or a check's id, a requirement's id, or a catalogue row
        id: String,
    },
    /// Check whether this machine can run everything, and say how to mend what is missing
    Doctor(DoctorArgs),
    /// Look at a running server from outside, as other servers meet it: discovery, certificate, keys, version
    Probe(ProbeArgs),
    /// Write the reports of a result file anew
    Report {
        /// A result.json, beside which its evidence lies, or a matrix.json
        result: PathBuf,
        /// The folder for the reports; by default that of the result
        #[arg(long, short = 'o', value_name = "DIR")]
        output: Option<PathBuf>,
        /// An earlier matrix to compare with: the report of a matrix then shows the changes
        #[arg(long, value_name = "DIR")]
        previous: Option<PathBuf>,
    },
    /// Look at the expectations that runs propose, and accept or reject them
    Review(ReviewArgs),
    /// Show that every check can fail: play the homeserver inside this program with each of its faults
    Selftest(SelftestArgs),
    /// Remove what runs left behind that ended without tidying up
    Sweep,
    /// Print the JSON Schema of result.json
    Schema {
        /// Print the schema of matrix.json instead
        #[arg(long)]
        matrix: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Show only these: scenario ids, areas, requirement ids or catalogue rows
    pub(super) names: Vec<String>,
    /// Print JSON
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
    /// The server name, as in the ids of its users: a.example, a.example:8448
    pub(super) server_name: String,
    /// Trust only the certificate authorities in this PEM file
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// Connect to this address instead of the one that a host and port resolve to; may be repeated
    #[arg(long, value_name = "HOST:PORT=ADDRESS:PORT", value_parser = route)]
    pub(super) connect_to: Vec<(String, SocketAddr)>,
    /// Ask this name server for service records, instead of the machine's own
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) dns: Option<SocketAddr>,
    /// The seconds that each step may take: a look-up, a connection, an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=60))]
    pub(super) timeout: u8,
    /// Print JSON
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
    /// Play only enough to turn each check red once, and to notice each fault once
    #[arg(long)]
    pub(super) quick: bool,
    /// The number of servers that play at a time; by default the number of cores
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) jobs: Option<u16>,
    /// The seed of all random choices
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Write the kill matrix, or the part of it for the faults and scenarios that are named
    #[arg(long, conflicts_with = "quick")]
    pub(super) write: bool,
}

/// The form of the progress of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressFormat {
    /// A moving line on a terminal, otherwise a line for each event
    Auto,
    /// A line for each event
    Plain,
    /// A JSON object for each event
    Jsonl,
}

#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// The vendor to judge, with a version if not its default: synapse, synapse@1.140.0. By default the homeserver inside
    /// this program. Name none for an image without a descriptor
    pub(super) vendor: Option<String>,
    /// Play only this: a scenario's id, an area, a requirement's id or a catalogue row; may be repeated
    #[arg(long = "scenario", short = 's', value_name = "NAME")]
    pub(super) scenarios: Vec<String>,
    #[command(flatten)]
    pub(super) options: RunOptions,
}

/// The options of a run that do not select scenarios.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RunOptions {
    /// The vendor in role B; by default the same one
    #[arg(long, value_name = "VENDOR")]
    pub(super) vs: Option<String>,
    /// A published image to run instead of the vendor's own; without a vendor, any image that keeps Complement's contract
    #[arg(long, value_name = "NAME")]
    pub(super) image: Option<String>,
    /// A newer version of the judged vendor; its server is upgraded to it in mid-run
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["image", "target"])]
    pub(super) upgrade_to: Option<String>,
    #[command(flatten)]
    pub(super) play: PlayOptions,
    #[command(flatten)]
    pub(super) target: TargetOptions,
}

/// The options for every run: how servers are brought up, and what they play.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct PlayOptions {
    /// How servers are brought up; by default auto
    #[arg(long, value_enum)]
    pub(super) deploy: Option<Deploy>,
    /// Let servers meet without the switchboard; the traffic between them is then not recorded
    #[arg(long)]
    pub(super) direct: bool,
    /// Play only in this room version; may be repeated
    #[arg(long = "room-version", value_name = "N")]
    pub(super) room_versions: Vec<String>,
    /// Let only this role host rooms
    #[arg(long, value_parser = role)]
    pub(super) host: Option<Role>,
    /// The folder for the files of the run; by default a new one below samklang-out
    #[arg(long, short = 'o', value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// The number of scenarios that are played at a time
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) jobs: u16,
    /// The seed of all random choices
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// The form of the progress on the standard output
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) format: ProgressFormat,
    /// A further folder of vendor descriptors; may be repeated
    #[arg(long = "vendors", value_name = "DIR", env = "SAMKLANG_VENDORS", value_delimiter = ':')]
    pub(super) vendors: Vec<PathBuf>,
    /// Do not write proposals for expectations that differ
    #[arg(long)]
    pub(super) no_proposals: bool,
}

/// The vendors that meet each other, and the options of their runs.
#[derive(Debug, clap::Args)]
pub(super) struct MatrixArgs {
    /// The vendors, each with a version if not its default; the first is the baseline that the others are compared with
    #[arg(required = true, value_name = "VENDOR")]
    pub(super) names: Vec<String>,
    /// Play only this: a scenario's id, an area, a requirement's id or a catalogue row; may be repeated
    #[arg(long = "scenario", short = 's', value_name = "NAME")]
    pub(super) scenarios: Vec<String>,
    /// Play only each nth pair, so that n machines share the work: 1/3, 2/3, 3/3
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub(super) shard: Option<Shard>,
    /// The number of pairs that are played at a time; by default as many as processors and free memory allow
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) at_once: Option<u16>,
    /// Go on with the matrix in this folder: pairs that have a whole result are not played again
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    pub(super) resume: Option<PathBuf>,
    /// An earlier matrix to compare with: the report then shows the changes
    #[arg(long, value_name = "DIR")]
    pub(super) previous: Option<PathBuf>,
    #[command(flatten)]
    pub(super) play: PlayOptions,
}

/// A part of the pairs: each pair whose place modulo `of` is `index`.
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
    /// A new folder for the whole matrix
    #[arg(long, short = 'o', value_name = "DIR")]
    pub(super) output: PathBuf,
    /// An earlier matrix to compare with: the report then shows the changes
    #[arg(long, value_name = "DIR")]
    pub(super) previous: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct DiffArgs {
    /// The earlier run or matrix: its folder, its result.json or its matrix.json
    pub(super) old: PathBuf,
    /// The later run or matrix
    pub(super) new: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// The play of a recorded run to show.
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// A scenario's or a check's id, a trial's name, or an exchange's number: rooms.invite-accepted, x17
    pub(super) id: String,
    /// One exchange of that scenario, by its number
    pub(super) exchange: Option<String>,
    /// The folder of the run; by default the newest below samklang-out
    #[arg(long, value_name = "DIR")]
    pub(super) run: Option<PathBuf>,
    /// Shorten nothing that is shown
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
    /// The folder of the run; by default the newest below samklang-out
    #[arg(long, value_name = "DIR")]
    pub(super) run: Option<PathBuf>,
    /// The vendor or version to judge instead of that in the run
    #[arg(long, value_name = "VENDOR")]
    pub(super) vendor: Option<String>,
    /// Shorten nothing that is shown
    #[arg(long)]
    pub(super) full: bool,
    #[command(flatten)]
    pub(super) options: RunOptions,
}

#[derive(Debug, clap::Args)]
pub(super) struct CurlArgs {
    /// The number of the exchange: x17
    pub(super) exchange: String,
    /// The folder of the run; by default the newest below samklang-out
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
    let is_host_and_port =
        |from: &str| from.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match parts {
        Some((from, to)) if is_host_and_port(from) => Ok((from.to_owned(), to)),
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
    fn a_shard_number_is_between_one_and_the_number_of_shards() {
        assert_eq!(shard("2/3"), Ok(Shard { index: 1, of: 3 }));
        assert_eq!(shard("2/3").unwrap().to_string(), "2/3");
        for bad in ["0/3", "4/3", "1/0", "1", "a/b", "-1/3", ""] {
            assert!(shard(bad).is_err(), "{bad}");
        }
    }
}
