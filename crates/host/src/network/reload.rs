//! Settings that change while a session lives: files that somebody replaces, programs that are run again.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use doorkey_http::{BoxError, HttpClient, HttpProfile, ProfileSource};
use futures_util::future::BoxFuture;
use http::HeaderValue;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::error::HeaderProblem;
use super::stamp::{Stamp, Watched};
use super::{NetworkError, NetworkInForce};
use crate::child::Withheld;
use crate::config::{HeaderCommand, HeaderSource};
use crate::environment::Environment;
use crate::program;

/// The files and programs of a session's settings.
///
/// A file that cannot be used, such as one that is only half written, leaves what was in use: it is
/// told once and tried again. A program that fails keeps the request from being sent, because a
/// request without its header would be another one.
pub(super) struct Reload {
    network: Arc<NetworkInForce>,
    watched: Arc<[Watched]>,
    withheld: Withheld,
    pause: Duration,
    began: Instant,
    /// When there is something to do again, in milliseconds from `began`.
    due: AtomicU64,
    state: Mutex<State>,
}

struct State {
    /// What is in use, or what is about to be: see `is_new`.
    profile: HttpProfile,
    values: Vec<Option<HeaderValue>>,
    /// Whether the client does not have the profile yet.
    is_new: bool,
    /// Whether nobody has tried yet to make a client of it.
    is_untried: bool,
    /// The files that the profile was made of.
    seen: Vec<Stamp>,
    next_look: Instant,
    /// What was last told of files that cannot be used.
    told: Option<String>,
    commands: Vec<Run>,
}

/// The program of one header.
struct Run {
    header: usize,
    command: HeaderCommand,
    due: Instant,
    /// It goes on when the request that waited for it is gone: the next one finds it done.
    running: Option<JoinHandle<Result<HeaderValue, NetworkError>>>,
}

/// The profile of these settings as their files are now, and what has to be watched of them: `None`
/// where nothing can change.
pub(crate) fn open(
    network: NetworkInForce,
    environment: &Environment,
) -> Result<(HttpProfile, Option<Arc<dyn ProfileSource>>), NetworkError> {
    let (profile, reload) = opened(network, environment, LOOK)?;
    Ok((profile, reload.map(|reload| Arc::new(reload) as _)))
}

/// Files are looked at once in every `pause`.
fn opened(
    network: NetworkInForce,
    environment: &Environment,
    pause: Duration,
) -> Result<(HttpProfile, Option<Reload>), NetworkError> {
    let watched = network.watched();
    // Before anything is read: what changes in between is seen to have changed.
    let seen = Watched::stamps(&watched);
    let values = network.known_values(environment)?;
    let profile = network.profile(&values)?;
    let now = Instant::now();
    let commands: Vec<_> = network
        .headers
        .iter()
        .enumerate()
        .filter_map(|(header, known)| match &known.source {
            HeaderSource::Command(command) => Some(Run {
                header,
                command: command.clone(),
                due: now,
                running: None,
            }),
            _ => None,
        })
        .collect();
    if watched.is_empty() && commands.is_empty() {
        return Ok((profile, None));
    }
    let state = State {
        profile: profile.clone(),
        values,
        is_new: false,
        is_untried: false,
        seen,
        next_look: now + pause,
        told: None,
        commands,
    };
    let reload = Reload {
        network: Arc::new(network),
        watched: watched.into(),
        withheld: environment.withheld().clone(),
        pause,
        began: now,
        due: AtomicU64::new(0),
        state: Mutex::new(state),
    };
    Ok((profile, Some(reload)))
}

impl ProfileSource for Reload {
    fn is_due(&self) -> bool {
        millis(self.began.elapsed()) >= self.due.load(Ordering::Relaxed)
    }

    fn changed(&self) -> BoxFuture<'_, Result<Option<HttpProfile>, BoxError>> {
        Box::pin(async move { Ok(self.renewed().await?) })
    }
}

impl Reload {
    async fn renewed(&self) -> Result<Option<HttpProfile>, NetworkError> {
        let mut state = self.state.lock().await;
        self.run_commands(&mut state).await?;
        if Instant::now() >= state.next_look {
            self.look(&mut state).await;
        }
        if state.is_untried {
            // Whatever is wrong with it is told now, and again before the next request.
            check(state.profile.clone()).await?;
            state.is_untried = false;
        }
        self.sleep(&state);
        let is_new = std::mem::take(&mut state.is_new);
        Ok(is_new.then(|| state.profile.clone()))
    }

    /// Runs what is due, all at once, and waits a little less than the request has for it.
    async fn run_commands(&self, state: &mut State) -> Result<(), NetworkError> {
        let now = Instant::now();
        for run in &mut state.commands {
            if run.due <= now && run.running.is_none() {
                let (network, header) = (Arc::clone(&self.network), run.header);
                let (command, withheld) = (run.command.clone(), self.withheld.clone());
                let printed = async move {
                    let header = &network.headers[header];
                    header.printed(&command, &withheld).await
                };
                run.running = Some(tokio::spawn(printed));
            }
        }
        let connect = self.network.connect_timeout.value;
        let patience = program::LIMIT.min(connect - connect / 10);
        let until = tokio::time::Instant::now() + patience;
        for run in &mut state.commands {
            let Some(running) = &mut run.running else {
                continue;
            };
            let header = &self.network.headers[run.header];
            let Ok(ended) = tokio::time::timeout_at(until, running).await else {
                return Err(header.trouble(HeaderProblem::Slow {
                    program: run.command.program.clone(),
                    waited: patience,
                }));
            };
            run.running = None;
            let printed = ended.unwrap_or_else(|lost| {
                let source = std::io::Error::other(lost);
                Err(
                    header.trouble(HeaderProblem::Program(program::ProgramError::Run {
                        program: run.command.program.clone(),
                        source,
                    })),
                )
            })?;
            run.due = Instant::now() + run.command.refresh;
            let value = &mut state.values[run.header];
            if value.as_ref() != Some(&printed) {
                *value = Some(printed);
                (state.is_new, state.is_untried) = (true, true);
            }
        }
        if state.is_untried {
            self.network.put_headers(&mut state.profile, &state.values);
        }
        Ok(())
    }

    /// Looks whether a file is another one than it was; reads all of them if one is.
    async fn look(&self, state: &mut State) {
        let watched = Arc::clone(&self.watched);
        // A share that hangs must not hold up the runtime.
        let stamps = tokio::task::spawn_blocking(move || Watched::stamps(&watched)).await;
        state.next_look = Instant::now() + self.pause;
        let Ok(stamps) = stamps else { return };
        if stamps == state.seen {
            state.told = None;
            return;
        }
        let (network, values) = (Arc::clone(&self.network), state.values.clone());
        let read = tokio::task::spawn_blocking(move || {
            let values = network.reread_values(values)?;
            let profile = network.profile(&values)?;
            Ok((values, profile))
        });
        let read = match read.await {
            Ok(Ok((values, profile))) => check(profile.clone()).await.map(|()| (values, profile)),
            Ok(Err(error)) => Err(error),
            Err(_) => return,
        };
        match read {
            Ok((values, profile)) => {
                tracing::info!("files of the network settings changed and were read again");
                (state.values, state.profile, state.seen) = (values, profile, stamps);
                (state.is_new, state.is_untried) = (true, false);
                state.told = None;
            }
            Err(error) => {
                let told = causes(&error);
                if state.told.as_ref() != Some(&told) {
                    tracing::warn!(
                        "changed files of the network settings cannot be used, what they held before is used on: {told}"
                    );
                }
                state.told = Some(told);
            }
        }
    }

    /// Nothing is due before the first of what is.
    fn sleep(&self, state: &State) {
        let commands = state.commands.iter().map(|run| run.due);
        let look = (!self.watched.is_empty()).then_some(state.next_look);
        if let Some(first) = commands.chain(look).min() {
            let due = millis(first.saturating_duration_since(self.began));
            self.due.store(due, Ordering::Relaxed);
        }
    }
}

/// Whether a client can be made of a profile: that a key belongs to its certificate, for one, shows
/// only then.
async fn check(profile: HttpProfile) -> Result<(), NetworkError> {
    let built = tokio::task::spawn_blocking(move || HttpClient::new(&profile).map(drop));
    match built.await {
        Ok(Ok(())) | Err(_) => Ok(()),
        Ok(Err(error)) => Err(NetworkError::Client(Box::new(error))),
    }
}

fn causes(error: &NetworkError) -> String {
    let first: &(dyn std::error::Error + 'static) = error;
    let all = std::iter::successors(Some(first), |&error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Nothing of a header's value.
impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload")
            .field("network", &self.network)
            .field("watched", &self.watched)
            .finish_non_exhaustive()
    }
}

/// How often files are looked at, at most.
const LOOK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
