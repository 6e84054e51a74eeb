//! Runs of the program with bad input and bad luck. Each of them ends with a plain sentence and the right exit code, and
//! leaves nothing behind.
//!
//! If no container engine answers, the trials that need one are ignored, with a line that says so.
//! `SAMKLANG_REQUIRE_ENGINE=1` makes them fail instead.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a trial that cannot go on has failed")]

#[path = "luck/bodies.rs"]
mod bodies;
mod common;
#[path = "luck/disk.rs"]
mod disk;
#[path = "luck/engine.rs"]
mod engine;
#[path = "luck/shown.rs"]
mod shown;
#[path = "luck/starting.rs"]
mod starting;
#[path = "luck/stopping.rs"]
mod stopping;
#[path = "luck/verdicts.rs"]
mod verdicts;
#[path = "luck/words.rs"]
mod words;
#[path = "luck/workplace.rs"]
mod workplace;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

type Play = fn();

const PLAIN: [(&str, Play); 24] = [
    ("verdicts::a_changed_expectation_and_its_deviations", verdicts::a_changed_expectation),
    ("verdicts::an_unusable_deviation_is_refused", verdicts::unusable_records),
    ("words::a_malformed_descriptor_is_reported_with_file_and_line", words::malformed_descriptors),
    ("words::an_unknown_name_is_reported_with_the_nearest_names", words::unknown_names),
    ("words::an_empty_selection_is_refused", words::empty_selections_and_the_list),
    ("words::a_foreign_result_file_is_refused", words::foreign_result_files),
    ("words::a_forced_update_is_refused", words::forced_updates),
    ("shown::a_failed_play_is_shown_and_sent_again", shown::failed_play),
    ("shown::a_missing_record_is_reported", shown::not_recorded),
    ("shown::a_check_is_played_again", shown::played_afresh),
    ("starting::without_an_engine", starting::no_engine),
    ("starting::an_installation_fails", starting::installation_fails),
    ("starting::a_process_exits", starting::server_exits),
    ("starting::a_process_never_becomes_ready", starting::never_ready),
    ("starting::taken_ports_do_not_break_a_process_run", starting::process_ports_taken),
    ("stopping::interrupted_with_processes", stopping::interrupted_processes),
    ("stopping::interrupted_with_stubborn_processes", stopping::interrupted_stubborn_processes),
    ("stopping::interrupted_at_start", stopping::interrupted_at_start),
    ("stopping::interrupted_twice", stopping::twice_processes),
    ("stopping::killed_with_processes", stopping::killed_processes),
    ("stopping::two_process_runs_at_once", stopping::two_process_runs),
    ("stopping::a_server_dies", stopping::server_dies),
    ("disk::an_output_folder_below_a_file", disk::output_below_a_file),
    ("disk::a_state_root_below_a_file", disk::home_below_a_file),
];

const CONTAINED: [(&str, Play); 10] = [
    ("starting::the_port_of_a_network_is_taken", starting::port_taken),
    ("starting::an_image_cannot_be_built", starting::build_fails),
    ("starting::a_container_exits", starting::container_exits),
    ("starting::a_container_never_becomes_ready", starting::container_never_ready),
    ("stopping::interrupted_with_containers", stopping::interrupted_containers),
    ("stopping::interrupted_while_containers_start", stopping::interrupted_while_containers_start),
    ("stopping::interrupted_twice_with_containers", stopping::twice_containers),
    ("stopping::killed_with_containers", stopping::killed_containers),
    ("stopping::two_container_runs_at_once", stopping::two_container_runs),
    ("stopping::the_engine_dies", stopping::engine_dies),
];

const MOUNTING: [(&str, Play); 2] =
    [("disk::a_read_only_output_folder", disk::read_only_output), ("disk::a_full_disk", disk::full_disk)];

type Shaped = fn(&str);

const BODIES: [(&str, &[&str], Shaped); 3] = [
    ("versions", &["huge", "endless", "drip", "wide", "garbage", "html", "deep"], bodies::at_versions),
    ("register", &["huge", "endless", "wide", "garbage", "html", "deep"], bodies::at_register),
    ("sync", &["huge", "endless", "wide", "garbage", "html", "deep"], bodies::at_sync),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The trials wait most of the time.
    arguments.test_threads.get_or_insert(4);
    let absent = engine::absent();
    let required = std::env::var_os("SAMKLANG_REQUIRE_ENGINE").is_some_and(|value| value == "1");
    let without_mounts = disk::no_mounts();
    for reason in [absent.as_ref().filter(|_| !required), without_mounts.as_ref()].into_iter().flatten() {
        eprintln!("luck: some trials are ignored. {reason}");
    }
    let trial = |name: &str, play: Play, absent: Option<String>, required: bool| {
        let ignored = absent.is_some() && !required;
        let play = move || match absent {
            Some(reason) => Err(Failed::from(reason)),
            None => {
                play();
                Ok(())
            }
        };
        Trial::test(format!("luck::{name}"), play).with_ignored_flag(ignored)
    };
    let mut trials = Vec::new();
    trials.extend(CONTAINED.map(|(name, play)| trial(name, play, absent.clone(), required)));
    trials.extend(PLAIN.map(|(name, play)| trial(name, play, None, false)));
    trials.extend(MOUNTING.map(|(name, play)| trial(name, play, without_mounts.clone(), false)));
    for (place, shapes, play) in BODIES {
        for &shape in shapes {
            let name = format!("luck::bodies::{shape}_at_{place}");
            trials.push(Trial::test(name, move || {
                play(shape);
                Ok(())
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
