//! The setting of a run: the servers that play, how they are brought up, and their recorded deviations. The program and
//! the conformance tests share it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::ValueEnum;
use samklang_deploy::{
    Cast, Deployer,
    container::ContainerDeployer,
    embedded::EmbeddedDeployer,
    engine::Engine,
    housekeeping::{RunFolder, StateRoot, SweepReport, run_id, sweep},
    process::ProcessDeployer,
    target::{Target, TargetDeployer},
    vendor::{Vendor, VendorShelf},
};
use samklang_runner::suite::Suite;
use samklang_verdict::{Catalogue, Deviation, DeviationFile, Problem, Role, message};
use samklang_wire::waiting;

/// How servers are brought up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Deploy {
    /// As containers if an engine answers, else as processes
    Auto,
    /// As containers
    Container,
    /// As processes on loopback
    Process,
}

/// A way to bring servers up for one run.
pub struct Deployment {
    /// The run's id.
    pub id: String,
    /// Brings servers up.
    pub deployer: Arc<dyn Deployer>,
    /// The line that says how servers are brought up, and why.
    pub line: String,
    /// What the sweep before the run removed.
    pub swept: SweepReport,
    folder: Option<RunFolder>,
}

impl Deployment {
    /// Chooses a deployer, sweeps what dead runs left behind, and makes the run's folder. If all servers are inside this
    /// program, none of that is needed.
    ///
    /// # Errors
    /// When containers are asked for and no engine answers, when the state root cannot be used, or when a server inside this
    /// program would have to meet others without the switchboard.
    pub async fn choose(casts: &[Cast], deploy: Deploy, direct: bool) -> Result<Self, Problem> {
        can_meet(casts, direct)?;
        if all_embedded(casts) {
            let deployer = Arc::new(EmbeddedDeployer::default());
            let (id, swept) = (run_id(), SweepReport::default());
            return Ok(Self { id, deployer, line: label("run.embedded"), swept, folder: None });
        }
        let state = StateRoot::by_environment()?;
        let engine = if deploy == Deploy::Process { None } else { engine(deploy).await? };
        let swept = sweep(&state, engine.as_ref()).await?;
        let folder = RunFolder::create(&state).await?;
        let mark = folder.mark().clone();
        let id = mark.id().to_owned();
        let (deployer, line): (Arc<dyn Deployer>, _) = match (&engine, deploy) {
            (Some(_), Deploy::Auto) => (Arc::new(ContainerDeployer::new(mark, direct)), "run.auto-container"),
            (Some(_), _) => (Arc::new(ContainerDeployer::new(mark, direct)), "run.container"),
            (None, Deploy::Auto) => (Arc::new(ProcessDeployer::new(mark)), "run.auto-process"),
            (None, _) => (Arc::new(ProcessDeployer::new(mark)), "run.process"),
        };
        Ok(Self { id, deployer, line: label(line), swept, folder: Some(folder) })
    }

    /// For a server that runs already: there is nothing to bring up and nothing to sweep.
    pub fn around(target: Target) -> Self {
        let (name, users) = (target.server_name(), target.users());
        let line = match target.consent() {
            Some(by) => message!("run.target-by-consent", name = name, users = users, by = by),
            None if target.terms().hostile => message!("run.target", name = name, users = users),
            None => message!("run.target-gently", name = name, users = users),
        };
        let line = Catalogue::english().render(&line).in_one_line();
        let (id, swept) = (run_id(), SweepReport::default());
        Self { id, deployer: Arc::new(TargetDeployer::new(target)), line, swept, folder: None }
    }

    /// Removes the run's folder. Call it after the deployer has cleared.
    ///
    /// # Errors
    /// When a part of it cannot be removed.
    pub fn close(self) -> Result<(), Problem> {
        self.folder.map_or(Ok(()), RunFolder::close)
    }
}

fn label(key: &str) -> String {
    Catalogue::english().label(key)
}

/// Checks that these servers can meet, with or without the switchboard.
///
/// # Errors
/// When a server inside this program would have to meet others without the switchboard.
pub fn can_meet(casts: &[Cast], direct: bool) -> Result<(), Problem> {
    match casts.iter().find(|cast| direct && cast.vendor.is_embedded()) {
        Some(cast) => {
            Err(Problem::configuration(message!("vendor.embedded-direct", vendor = cast.vendor.title)))
        }
        None => Ok(()),
    }
}

/// Whether all servers are inside this program.
pub fn all_embedded(casts: &[Cast]) -> bool {
    casts.iter().all(|cast| cast.vendor.is_embedded() && cast.target.is_none())
}

/// A runtime for a run of `casts`. If all servers are inside this program, the runtime has a time of its own, which jumps
/// forward whenever all tasks wait: a bound of thirty seconds then takes no real time.
///
/// # Errors
/// When the program cannot start its threads.
pub fn runtime(casts: &[Cast]) -> Result<tokio::runtime::Runtime, Problem> {
    let built = if all_embedded(casts) {
        waiting::runtime_of_its_own_time()
    } else {
        tokio::runtime::Builder::new_multi_thread().enable_all().build()
    };
    built.map_err(|error| Problem::harness(message!("run.no-runtime", error = error)))
}

/// The engine, if one is wanted and answers. It is an error that none answers only if containers were asked for.
async fn engine(deploy: Deploy) -> Result<Option<Engine>, Problem> {
    match (Engine::connect().await, deploy) {
        (Ok(engine), _) => Ok(Some(engine)),
        (Err(problem), Deploy::Container) => Err(problem),
        (Err(_), _) => Ok(None),
    }
}

/// The vendors of the project and of `further` folders.
pub fn shelf(root: &Path, further: &[PathBuf]) -> VendorShelf {
    VendorShelf::new(std::iter::once(root.join("docker")).chain(further.iter().cloned()))
}

/// Casts the vendor `subject` in role A, and `other` or the same vendor in role B. Both are `name` or `name@version`.
/// Without `subject`, the `image` itself is the subject.
///
/// # Errors
/// When a vendor or a version is not known.
pub fn casts(
    shelf: &VendorShelf,
    subject: Option<&str>,
    other: Option<&str>,
    image: Option<&str>,
) -> Result<Vec<Cast>, Problem> {
    let cast = |role: Role, spec: Option<&str>, image: Option<&str>| {
        let (name, version) = spec.map_or((Vendor::IMAGE, None), Vendor::parse_spec);
        let vendor = match (spec, image) {
            (None, Some(image)) => Vendor::of_image(image)?,
            _ => shelf.load(name)?,
        };
        let version = vendor.version(version)?;
        if image.is_some() && vendor.is_embedded() {
            let text = message!("vendor.embedded-image", vendor = vendor.title);
            return Err(Problem::configuration(text));
        }
        Ok::<_, Problem>(Cast {
            role,
            vendor: Arc::new(vendor),
            version,
            image: image.map(str::to_owned),
            upgrade_to: None,
            target: None,
        })
    };
    let other_image = image.filter(|_| other.is_none());
    Ok(vec![cast(Role::A, subject, image)?, cast(Role::B, other.or(subject), other_image)?])
}

/// Casts the server in role A to be upgraded to the version `to` in mid-run, if one is named.
///
/// # Errors
/// When `to` is not a version of the vendor, or not a newer one.
pub fn upgraded(mut casts: Vec<Cast>, to: Option<&str>) -> Result<Vec<Cast>, Problem> {
    if let (Some(to), Some(cast)) = (to, casts.iter_mut().find(|cast| cast.role == Role::A)) {
        let (title, from) = (&cast.vendor.title, &cast.version);
        let to = cast.vendor.version(Some(to))?;
        if to == *from {
            return Err(Problem::configuration(message!(
                "upgrade.same-version",
                vendor = title,
                version = to
            )));
        }
        if numbers(&to) < numbers(from) {
            let text = message!("upgrade.older-version", vendor = title, from = from, to = to);
            return Err(Problem::configuration(text));
        }
        cast.upgrade_to = Some(to);
    }
    Ok(casts)
}

/// The numbers of a version, in their order.
fn numbers(version: &str) -> Vec<u64> {
    let runs = version.split(|c: char| !c.is_ascii_digit());
    runs.filter_map(|run| run.parse().ok()).collect()
}

/// The roles that are judged: both if a vendor meets itself, otherwise only role A.
pub fn subjects(against_itself: bool) -> Vec<Role> {
    if against_itself { vec![Role::A, Role::B] } else { vec![Role::A] }
}

/// Checks that each name that a vendor lists under `adapter_made` is an area, a scenario or a check of the suite.
///
/// # Errors
/// When one is unknown.
pub fn adapter_made_is_known(suite: &Suite, vendor: &Vendor) -> Result<(), Problem> {
    let known = |name: &String| {
        let is = |area: &str, id: &str| name == area || name == id;
        suite.scenarios.iter().any(|scenario| {
            is(scenario.area(), scenario.id)
                || scenario.all_checks().any(|(check, ..)| *name == format!("{}/{check}", scenario.id))
        })
    };
    match vendor.adapter_made.iter().find(|name| !known(name)) {
        Some(name) => {
            Err(Problem::configuration(message!("run.bad-adapter-made", vendor = vendor.name, name = name)))
        }
        None => Ok(()),
    }
}

/// The recorded deviations of the vendors that take part, by vendor.
///
/// # Errors
/// When a file of deviations cannot be used, or names a check that the suite does not have.
pub fn deviations(suite: &Suite, casts: &[Cast]) -> Result<BTreeMap<String, Vec<Deviation>>, Problem> {
    let known = suite.check_ids();
    let mut all = BTreeMap::new();
    for cast in casts {
        adapter_made_is_known(suite, &cast.vendor)?;
        let path = cast.vendor.folder.join("deviations.toml");
        // An --image vendor has no descriptor and no folder; do not read deviations from here.
        if !cast.vendor.is_described() || !path.exists() {
            continue;
        }
        let bad = |error: &dyn std::fmt::Display| {
            Problem::configuration(message!("run.bad-deviations", path = path.display(), error = error))
        };
        let text = std::fs::read_to_string(&path).map_err(|error| bad(&error))?;
        let file: DeviationFile = toml::from_str(&text).map_err(|error| bad(&error))?;
        if let Some(orphan) = file.orphans(&known).first() {
            let unknown = message!("run.no-such-check", check = orphan.check);
            return Err(bad(&Catalogue::english().render(&unknown).what));
        }
        all.insert(cast.vendor.name.clone(), file.deviations);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use samklang_verdict::Class;

    use super::*;

    fn upgrade(from: &str, to: &str) -> Result<Option<String>, Problem> {
        let shelf = shelf(Path::new(samklang_suites::BUILT_FROM), &[]);
        let casts = casts(&shelf, Some(&format!("synapse@{from}")), None, None)?;
        let casts = upgraded(casts, Some(to))?;
        assert_eq!(casts[1].upgrade_to, None, "only the judged server is upgraded");
        Ok(casts[0].upgrade_to.clone())
    }

    #[test]
    fn an_upgrade_leads_to_a_newer_version() {
        assert_eq!(upgrade("1.99.0", "1.140.0").unwrap().as_deref(), Some("1.140.0"));
        for (from, to) in [("1.140.0", "1.140.0"), ("1.140.0", "1.99.0"), ("1.140.0", "newest")] {
            let problem = upgrade(from, to).unwrap_err();
            assert_eq!(problem.class, Class::Configuration, "{from} to {to}: {problem}");
            assert!(problem.to_string().contains(to), "{problem}");
        }
    }
}
