//! The container engine's API. Each call is bounded: an engine that dies during a run must not hang it.

use std::{collections::BTreeMap, env, net::Ipv4Addr, path::Path, time::Duration};

use bollard::{
    Docker,
    errors::Error,
    models::ContainerInspectResponse,
    query_parameters::{
        ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
        RemoveContainerOptionsBuilder, RemoveVolumeOptions, StatsOptionsBuilder, StopContainerOptionsBuilder,
    },
};
use futures_util::StreamExt;
use samklang_verdict::{Problem, message};

use samklang_wire::waiting;

/// The bound on the first response of the engine.
const GREETING: Duration = Duration::from_secs(5);
/// The bound on a response that needs little work.
pub(super) const ANSWER: Duration = Duration::from_secs(15);
/// The time that a server gets to end after it was told to.
const GRACE: Duration = Duration::from_secs(5);
/// The key of the problem if the engine answered with a refusal.
pub(super) const REFUSED: &str = "engine.refused";
/// The place where an engine listens if `DOCKER_HOST` is not set.
const SOCKET: &str = "/var/run/docker.sock";

/// A connection to the container engine.
#[derive(Debug, Clone)]
pub struct Engine {
    docker: Docker,
    address: String,
    version: String,
}

/// A container, network or volume that carries labels of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labelled {
    /// The engine's id.
    pub(crate) id: String,
    /// Its labels.
    pub(crate) labels: BTreeMap<String, String>,
}

/// A container as the engine sees it now.
#[derive(Debug, Clone)]
pub(crate) struct ContainerState {
    /// Its address on the requested network, or `None` once it has ended.
    pub(crate) address: Option<Ipv4Addr>,
    /// The digest of its image.
    pub(crate) image: Option<String>,
    /// The way it ended, if it has.
    pub(crate) ended: Option<String>,
}

impl Engine {
    /// The address from the environment: `DOCKER_HOST`, else the first socket found where engines listen.
    pub fn address_by_environment() -> String {
        if let Some(address) = env::var("DOCKER_HOST").ok().filter(|address| !address.is_empty()) {
            return address;
        }
        let rootless = env::var("XDG_RUNTIME_DIR").map(|folder| format!("{folder}/.docker/run/docker.sock"));
        let found = [Some(SOCKET.to_owned()), rootless.ok()]
            .into_iter()
            .flatten()
            .find(|path| Path::new(path).exists());
        format!("unix://{}", found.as_deref().unwrap_or(SOCKET))
    }

    /// Connects to the engine that the environment names.
    ///
    /// # Errors
    /// Fails if no engine answers there within five seconds.
    pub async fn connect() -> Result<Self, Problem> {
        Self::connect_to(&Self::address_by_environment()).await
    }

    /// Connects to the engine at `address` (`unix://…` or `tcp://…`).
    ///
    /// # Errors
    /// Fails if no engine answers there within five seconds.
    pub async fn connect_to(address: &str) -> Result<Self, Problem> {
        let absent = |reason: String| {
            Problem::configuration(message!("engine.not-running", address = address, reason = reason))
        };
        let docker = Docker::connect_with_host(address).map_err(|error| absent(chain(&error)))?;
        let greeting = async {
            let docker = docker.negotiate_version().await?;
            let version = docker.version().await?.version.unwrap_or_default();
            Ok::<_, Error>((docker, version))
        };
        let (docker, version) = waiting::within(GREETING, greeting)
            .await
            .map_err(|passed| absent(no_answer(passed.bound)))?
            .map_err(|error| absent(chain(&error)))?;
        Ok(Self { docker, address: address.to_owned(), version })
    }

    /// The address at which the engine listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The engine's version in its own words.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The raw API, for calls with streamed responses.
    pub(super) fn api(&self) -> &Docker {
        &self.docker
    }

    /// Waits for the response to `call` (named as on the engine's command line) for at most `bound`.
    pub(super) async fn ask<T>(
        &self,
        call: &str,
        bound: Duration,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Problem> {
        match waiting::within(bound, answer).await {
            Ok(answer) => answer.map_err(|error| self.failed(call, &error)),
            Err(passed) => Err(self.lost(call, &no_answer(passed.bound))),
        }
    }

    /// The problem for a failed call: the engine refused it, or the engine is gone.
    pub(super) fn failed(&self, call: &str, error: &Error) -> Problem {
        match error {
            Error::DockerResponseServerError { message, .. }
            | Error::DockerStreamError { error: message } => self.refused(call, message),
            other => self.lost(call, &chain(other)),
        }
    }

    /// The problem for a response that is a refusal.
    pub(super) fn refused(&self, call: &str, reason: &str) -> Problem {
        Problem::engine(message!(
            "engine.refused",
            call = call,
            address = self.address,
            reason = reason.trim_end()
        ))
    }

    /// The problem for an engine that no longer answers.
    pub(super) fn lost(&self, call: &str, reason: &str) -> Problem {
        Problem::engine(message!("engine.lost", call = call, address = self.address, reason = reason))
    }

    /// Every container, running or not, that carries `label` (`name=value`).
    pub(crate) async fn containers(&self, label: &str) -> Result<Vec<Labelled>, Problem> {
        let filters = [("label".to_owned(), vec![label.to_owned()])].into_iter().collect();
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = self.ask("container ls", ANSWER, self.docker.list_containers(Some(options))).await?;
        Ok(found.into_iter().filter_map(|one| Some(labelled(one.id?, one.labels))).collect())
    }

    /// Every network that carries `label` (`name=value`).
    pub(crate) async fn networks(&self, label: &str) -> Result<Vec<Labelled>, Problem> {
        let filters = [("label".to_owned(), vec![label.to_owned()])].into_iter().collect();
        let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
        let found = self.ask("network ls", ANSWER, self.docker.list_networks(Some(options))).await?;
        Ok(found.into_iter().filter_map(|one| Some(labelled(one.id?, one.labels))).collect())
    }

    /// Every volume that carries `label` (`name=value`); its id is its name.
    pub(crate) async fn volumes(&self, label: &str) -> Result<Vec<Labelled>, Problem> {
        let filters = [("label".to_owned(), vec![label.to_owned()])].into_iter().collect();
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let found = self.ask("volume ls", ANSWER, self.docker.list_volumes(Some(options))).await?;
        let found = found.volumes.unwrap_or_default().into_iter();
        Ok(found.map(|one| labelled(one.name, Some(one.labels))).collect())
    }

    /// Processor time a container has used so far, or `None` if the engine does not report it.
    pub(crate) async fn cpu(&self, id: &str) -> Option<Duration> {
        let once = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let mut answers = std::pin::pin!(self.docker.stats(id, Some(once)));
        let answer = waiting::within(ANSWER, answers.next()).await.ok()??.ok()?;
        Some(Duration::from_nanos(answer.cpu_stats?.cpu_usage?.total_usage?))
    }

    /// The engine's data about a container, or `None` if it does not know the container.
    pub(crate) async fn look(&self, id: &str, network: &str) -> Result<Option<ContainerState>, Problem> {
        match waiting::within(ANSWER, self.docker.inspect_container(id, None)).await {
            Ok(Ok(answer)) => Ok(Some(seen(answer, network))),
            Ok(Err(Error::DockerResponseServerError { status_code: 404, .. })) => Ok(None),
            Ok(Err(error)) => Err(self.failed("container inspect", &error)),
            Err(passed) => Err(self.lost("container inspect", &no_answer(passed.bound))),
        }
    }

    /// Tells a container's first process to end, and kills it after five seconds. It does nothing if the process has
    /// ended already.
    pub(crate) async fn stop_container(&self, id: &str) -> Result<(), Problem> {
        let seconds = i32::try_from(GRACE.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let answer = self.docker.stop_container(id, Some(options));
        let done = self.ask("container stop", GRACE + ANSWER, allow(answer, &[304, 404]));
        done.await
    }

    /// Removes a container with its volumes, and waits until the engine no longer knows it.
    pub(crate) async fn remove_container(&self, id: &str) -> Result<(), Problem> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let answer = self.docker.remove_container(id, Some(options));
        // 409: another client is removing it at this moment.
        self.ask("container rm", ANSWER, allow(answer, &[404, 409])).await?;
        let gone = waiting::until_send(ANSWER, || async {
            match self.look(id, "").await {
                Ok(Some(_)) => None,
                Ok(None) => Some(Ok(())),
                Err(problem) => Some(Err(problem)),
            }
        });
        gone.await.unwrap_or_else(|passed| Err(self.refused("container rm", &no_answer(passed.bound))))
    }

    /// Removes a network.
    pub(crate) async fn remove_network(&self, id: &str) -> Result<(), Problem> {
        self.ask("network rm", ANSWER, allow(self.docker.remove_network(id), &[404])).await
    }

    /// Removes a volume with its content.
    pub(crate) async fn remove_volume(&self, name: &str) -> Result<(), Problem> {
        let answer = self.docker.remove_volume(name, None::<RemoveVolumeOptions>);
        self.ask("volume rm", ANSWER, allow(answer, &[404])).await
    }

    /// The ID of an image that the engine holds, or `None` if it holds none of that name.
    pub(crate) async fn image_id(&self, name: &str) -> Result<Option<String>, Problem> {
        match waiting::within(ANSWER, self.docker.inspect_image(name)).await {
            Ok(Ok(image)) => Ok(image.id),
            Ok(Err(Error::DockerResponseServerError { status_code: 404, .. })) => Ok(None),
            Ok(Err(error)) => Err(self.failed("image inspect", &error)),
            Err(passed) => Err(self.lost("image inspect", &no_answer(passed.bound))),
        }
    }
}

/// Treats a response with one of `codes` as success.
async fn allow(answer: impl Future<Output = Result<(), Error>>, codes: &[u16]) -> Result<(), Error> {
    match answer.await {
        Err(Error::DockerResponseServerError { status_code, .. }) if codes.contains(&status_code) => Ok(()),
        other => other,
    }
}

fn labelled(id: String, labels: Option<impl IntoIterator<Item = (String, String)>>) -> Labelled {
    Labelled { id, labels: labels.into_iter().flatten().collect() }
}

fn seen(answer: ContainerInspectResponse, network: &str) -> ContainerState {
    let networks = answer.network_settings.and_then(|settings| settings.networks);
    let endpoint = networks.and_then(|mut networks| networks.remove(network));
    let state = answer.state.unwrap_or_default();
    let ended = (state.running == Some(false)).then(|| {
        let code = state.exit_code.unwrap_or_default();
        let memory = if state.oom_killed == Some(true) { ", out of memory" } else { "" };
        format!("exit status {code}{memory}")
    });
    ContainerState {
        address: endpoint.and_then(|endpoint| endpoint.ip_address).and_then(|address| address.parse().ok()),
        image: answer.image,
        ended,
    }
}

pub(super) fn no_answer(bound: Duration) -> String {
    format!("no answer within {} s", bound.as_secs())
}

/// An error with its causes: the innermost cause is the one that helps.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use samklang_verdict::Class;

    use super::*;

    #[tokio::test]
    async fn a_missing_engine_is_reported_with_its_address_and_the_remedy() {
        let problem = Engine::connect_to("unix:///nonexistent/samklang.sock").await.unwrap_err();
        assert_eq!(problem.class, Class::Configuration);
        let text = problem.to_string();
        assert!(text.contains("/nonexistent/samklang.sock") && text.contains("docker/engine up"), "{text}");
        let text = Engine::connect_to("ssh://somewhere").await.unwrap_err().to_string();
        assert!(text.contains("ssh://somewhere"), "{text}");
    }
}
