//! Removes the things that dead runs left behind, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    sync::{Mutex, PoisonError},
};

use samklang_verdict::{Problem, message};

use super::{
    Dead, OWNER_LABEL, OWNER_MARK, RUN_LABEL, RUN_MARK, StateRoot, is_run_id, not_removed, not_writable,
    processes,
};
use crate::engine::{Engine, Labelled};

/// The things that a sweep removed.
#[derive(Debug, Default)]
pub struct SweepReport {
    /// The dead runs of which it found something.
    pub runs: BTreeSet<String>,
    /// How many containers were removed.
    pub containers: usize,
    /// How many networks were removed.
    pub networks: usize,
    /// How many volumes were removed.
    pub volumes: usize,
    /// How many processes were killed.
    pub processes: usize,
    /// How many folders of runs were removed.
    pub folders: usize,
    /// The problems of the things that could not be removed.
    pub left: Vec<Problem>,
}

impl SweepReport {
    /// Whether there was nothing to sweep.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.left.is_empty()
    }
}

/// Removes the things that dead runs of this owner left behind: containers, networks and volumes if there is an engine,
/// processes, and folders. Things of a run that lives, of another owner, or without an owner stay.
///
/// # Errors
/// Fails if the state root cannot be looked through. The report lists things that could not be removed.
pub async fn sweep(root: &StateRoot, engine: Option<&Engine>) -> Result<SweepReport, Problem> {
    let mut sweep = Sweep { root, held: BTreeMap::new(), report: SweepReport::default() };
    sweep.hold_dead_folders().await?;
    if let Some(engine) = engine
        && let Err(problem) = sweep.engine(engine).await
    {
        sweep.report.left.push(problem);
    }
    sweep.processes().await;
    sweep.folders();
    Ok(sweep.report)
}

struct Sweep<'a> {
    root: &'a StateRoot,
    /// Dead runs with their locks, which keep other sweeps away until this one is done.
    held: BTreeMap<String, Option<File>>,
    report: SweepReport,
}

impl Sweep<'_> {
    async fn hold_dead_folders(&mut self) -> Result<(), Problem> {
        let _turn = self.root.turn().await?;
        let runs = self.root.runs();
        for entry in fs::read_dir(&runs).map_err(|error| not_writable(&runs, &error))?.flatten() {
            if let Ok(run) = entry.file_name().into_string() {
                self.is_dead(&run);
            }
        }
        Ok(())
    }

    /// Whether the run is dead. Callers have already seen things of the run: a run that is just beginning has none yet.
    fn is_dead(&mut self, run: &str) -> bool {
        if self.held.contains_key(run) {
            return true;
        }
        if !is_run_id(run) {
            return false;
        }
        let lock = match self.root.hold_if_dead(run) {
            Dead::No => return false,
            Dead::Held(lock) => Some(lock),
            Dead::WithoutLock => None,
        };
        self.held.insert(run.to_owned(), lock);
        true
    }

    /// The things in `found` that belong to dead runs of this owner.
    fn dead_of(&mut self, found: Vec<Labelled>) -> Vec<Labelled> {
        let mut dead = Vec::new();
        for one in found {
            let run = one.labels.get(RUN_LABEL).cloned().unwrap_or_default();
            if one.labels.get(OWNER_LABEL).map(String::as_str) == Some(self.root.owner())
                && self.is_dead(&run)
            {
                self.report.runs.insert(run);
                dead.push(one);
            }
        }
        dead
    }

    async fn engine(&mut self, engine: &Engine) -> Result<(), Problem> {
        let label = format!("{OWNER_LABEL}={}", self.root.owner());
        let containers = engine.containers(&label).await?;
        for container in self.dead_of(containers) {
            engine.remove_container(&container.id).await?;
            self.report.containers += 1;
        }
        let networks = engine.networks(&label).await?;
        for network in self.dead_of(networks) {
            engine.remove_network(&network.id).await?;
            self.report.networks += 1;
        }
        let volumes = engine.volumes(&label).await?;
        for volume in self.dead_of(volumes) {
            engine.remove_volume(&volume.id).await?;
            self.report.volumes += 1;
        }
        Ok(())
    }

    async fn processes(&mut self) {
        let (root, seen) = (self.root, Mutex::new(BTreeSet::new()));
        let held = &self.held;
        let killed = processes::kill_all(|environment| {
            let run = environment.value(RUN_MARK).unwrap_or_default();
            let ours = environment.value(OWNER_MARK) == Some(root.owner()) && is_run_id(run);
            let dead = ours && (held.contains_key(run) || !matches!(root.hold_if_dead(run), Dead::No));
            if dead {
                seen.lock().unwrap_or_else(PoisonError::into_inner).insert(run.to_owned());
            }
            dead
        });
        let killed = killed.await;
        self.report.processes += killed.gone;
        self.report.runs.extend(seen.into_inner().unwrap_or_else(PoisonError::into_inner));
        if !killed.left.is_empty() {
            let processes = processes::list(&killed.left);
            self.report.left.push(Problem::engine(message!("process.not-ended", processes = processes)));
        }
    }

    /// Removes the folders of dead runs. This comes last, and the locks are still held: a run is known as long as its
    /// folder is there.
    fn folders(&mut self) {
        for run in self.held.keys() {
            let folder = self.root.runs().join(run);
            if !fs::symlink_metadata(&folder).is_ok_and(|metadata| metadata.is_dir()) {
                continue;
            }
            self.report.runs.insert(run.clone());
            match fs::remove_dir_all(&folder) {
                Ok(()) => self.report.folders += 1,
                Err(error) => self.report.left.push(not_removed(&folder, &error)),
            }
        }
    }
}
