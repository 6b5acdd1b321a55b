//! Settings that change while a session lives: files that somebody replaces, programs that are run again.

mod files;
mod programs;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use doorkey_http::{BoxError, HttpClient, HttpProfile, ProfileSource};
use futures_util::future::BoxFuture;
use http::HeaderValue;
use tokio::sync::Mutex;

use super::stamp::Watched;
use super::{NetworkError, NetworkInForce};
use crate::child::Withheld;
use crate::environment::Environment;
use crate::program;
use files::{Files, Look};
use programs::Run;

/// The files and programs of a session's settings.
///
/// A file that cannot be used, such as one that is only half written, or not be read in time leaves
/// what was in use: it is told once and tried again. A program that fails keeps requests from being
/// sent, because a request without its header would be another one.
pub(super) struct Reload {
    network: Arc<NetworkInForce>,
    withheld: Withheld,
    pauses: Pauses,
    began: Instant,
    /// When there is something to do again, in milliseconds from `began`.
    due: AtomicU64,
    /// When a value is too old to be sent, likewise.
    expired: AtomicU64,
    state: Mutex<State>,
}

/// How long is waited, and between what.
#[derive(Clone, Copy)]
struct Pauses {
    /// Between two looks at the files.
    look: Duration,
    /// For one look: after that the request goes on without it.
    patience: Duration,
    /// Between two looks where the first one took longer than that.
    slow: Duration,
    /// Before files that could not be used are read again though they are the same.
    again: Duration,
    /// Before a program that failed is run again: what locks an account after some failures must not
    /// be asked as fast as requests come.
    failed: Duration,
}

struct State {
    /// What is in use, or what is about to be: see `is_new`.
    profile: HttpProfile,
    values: Vec<Option<HeaderValue>>,
    /// Whether the client does not have the profile yet.
    is_new: bool,
    /// Whether nobody has tried yet to make a client of it.
    is_untried: bool,
    files: Files,
    programs: Vec<Run>,
}

/// The profile of these settings as their files are now, and what has to be watched of them: `None`
/// where nothing can change.
pub(crate) fn open(
    network: NetworkInForce,
    environment: &Environment,
) -> Result<(HttpProfile, Option<Arc<dyn ProfileSource>>), NetworkError> {
    let (profile, reload) = opened(network, environment, PAUSES)?;
    Ok((profile, reload.map(|reload| Arc::new(reload) as _)))
}

fn opened(
    network: NetworkInForce,
    environment: &Environment,
    pauses: Pauses,
) -> Result<(HttpProfile, Option<Reload>), NetworkError> {
    let watched = network.watched();
    // Before anything is read: what changes in between is seen to have changed.
    let seen = Watched::stamps(&watched);
    let values = network.known_values(environment)?;
    let profile = network.profile(&values)?;
    let programs = Run::all(&network.headers);
    if watched.is_empty() && programs.is_empty() {
        return Ok((profile, None));
    }
    let began = Instant::now();
    let state = State {
        profile: profile.clone(),
        values,
        is_new: false,
        is_untried: false,
        files: Files::new(watched, seen, began + pauses.look),
        programs,
    };
    let reload = Reload {
        network: Arc::new(network),
        withheld: environment.withheld().clone(),
        pauses,
        began,
        due: AtomicU64::new(0),
        expired: AtomicU64::new(0),
        state: Mutex::new(state),
    };
    Ok((profile, Some(reload)))
}

impl ProfileSource for Reload {
    fn is_due(&self) -> bool {
        self.is_past(&self.due)
    }

    fn must_wait(&self) -> bool {
        self.is_past(&self.expired)
    }

    fn changed(&self) -> BoxFuture<'_, Result<Option<HttpProfile>, BoxError>> {
        Box::pin(async move { Ok(self.renewed().await?) })
    }

    /// What programs may take, and a look at the files.
    fn limit(&self) -> Option<Duration> {
        Some(program::LIMIT + 2 * self.pauses.patience)
    }
}

impl Reload {
    async fn renewed(&self) -> Result<Option<HttpProfile>, NetworkError> {
        let mut state = self.state.lock().await;
        self.run_programs(&mut state).await?;
        if state.files.is_due() {
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

    /// Runs what is due, all at once.
    async fn run_programs(&self, state: &mut State) -> Result<(), NetworkError> {
        for run in &mut state.programs {
            let header = &self.network.headers[run.header];
            run.start(header, &self.withheld)
                .map_err(|problem| header.trouble(problem))?;
        }
        for run in &mut state.programs {
            let header = &self.network.headers[run.header];
            let ended = run.end(self.pauses.failed).await;
            let Some(printed) = ended.map_err(|problem| header.trouble(problem))? else {
                continue;
            };
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

    /// Takes over what the files hold if one of them is another one than it was, and can be used.
    async fn look(&self, state: &mut State) {
        let State { files, values, .. } = &mut *state;
        let Some(Look { stamps, read }) = files.look(&self.network, values, self.pauses).await
        else {
            return;
        };
        let read = match read {
            None => return files.unchanged(&stamps),
            Some(Ok((from_files, mut profile))) => {
                // What programs printed meanwhile is newer than what the look began with.
                let values = self.network.with_files(values, from_files);
                self.network.put_headers(&mut profile, &values);
                check(profile.clone()).await.map(|()| (values, profile))
            }
            Some(Err(error)) => Err(error),
        };
        match read {
            Ok((values, profile)) => {
                tracing::info!("files of the network settings changed and were read again");
                state.files.taken(stamps);
                (state.values, state.profile) = (values, profile);
                (state.is_new, state.is_untried) = (true, false);
            }
            Err(error) => state.files.refused(stamps, &error, self.pauses),
        }
    }

    /// Nothing is due before the first of what is.
    fn sleep(&self, state: &State) {
        let expired = state.programs.iter().map(|run| run.due).min();
        let look = state.files.next_look();
        let at = |time: Option<Instant>| {
            let after = time.map(|time| millis(time.saturating_duration_since(self.began)));
            after.unwrap_or(u64::MAX)
        };
        let first = expired.into_iter().chain(look).min();
        self.expired.store(at(expired), Ordering::Relaxed);
        self.due.store(at(first), Ordering::Relaxed);
    }

    fn is_past(&self, time: &AtomicU64) -> bool {
        millis(self.began.elapsed()) >= time.load(Ordering::Relaxed)
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

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload")
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}

const PAUSES: Pauses = Pauses {
    look: Duration::from_secs(1),
    patience: Duration::from_secs(1),
    slow: Duration::from_secs(10),
    again: Duration::from_secs(30),
    failed: Duration::from_secs(5),
};

#[cfg(test)]
mod tests;
