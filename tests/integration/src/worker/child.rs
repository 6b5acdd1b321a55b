//! The process itself: what `integration-worker` does.

use std::{
    error::Error,
    io::{self, BufRead as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use doorkey_http::{Body, HttpClient, HttpProfile, HttpService, Leg};
use doorkey_oauth::{AuthorizationConfig, Clock, TokenSource};
use doorkey_store::{
    Backend, BoxFuture, Defect, Error as StoreError, Generation, Listing, LockGuard, Problem,
    RawRecord, RecordId, RecordKind, Store, StoreDescription,
};
use http::{Request, Response};
use tower::{ServiceExt as _, layer::layer_fn, service_fn};
use url::Url;
use zeroize::Zeroizing;

use super::{Place, Step};

/// Works on a folder; see [`main`].
///
/// # Errors
/// As [`main`].
pub async fn on_a_folder(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let place = arguments.first().and_then(|place| Place::parse(place));
    let backend = place.ok_or("no place")?.backend();
    main(Arc::new(backend), &arguments[1..]).await
}

/// Says `ready`, waits for a line, asks for a token, says what came of it, waits for another line, saves what is left and ends.
/// `arguments`: the MCP server's URL, the [`Step`] to stop at or `-`, and how many seconds its clock is ahead.
///
/// # Errors
/// When it was started wrongly, or nobody is there to talk to.
pub async fn main(backend: Arc<dyn Backend>, arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [server, stop, ahead] = arguments else {
        return Err("expected a URL, a step and a number".into());
    };
    let server: Url = server.parse()?;
    let steps = Steps(Step::parse(stop));
    let http = HttpClient::new(&HttpProfile::new(server.clone()))?.layer(layer_fn(
        move |inner: HttpService| {
            service_fn(move |request| answered(inner.clone(), request, steps))
        },
    ));
    let saves = AtomicUsize::new(0);
    let store = Store::new(Stopping {
        backend,
        steps,
        saves,
    });
    let source = TokenSource::builder(AuthorizationConfig::new(server), http, store)
        .clock(Arc::new(Ahead(ahead.parse()?)))
        .build();
    say("ready")?;
    wait()?;
    let token = source.token().await;
    if token.is_ok() {
        steps.reach(Step::Published).await;
    }
    match token {
        Ok(Some(_)) => say("token")?,
        Ok(None) => say("login nothing is stored")?,
        Err(error) if error.needs_login() => say(&format!("login {}", chain(&error)))?,
        Err(error) => say(&format!("failed {}", chain(&error)))?,
    }
    wait()?;
    source.drain(Duration::from_secs(10)).await?;
    match source.store_problem() {
        Some(error) => say(&format!("unsaved {}", chain(&error)))?,
        None => say("ended")?,
    }
    Ok(())
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.replace('\n', " ")
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn wait() -> io::Result<()> {
    io::stdin().lock().read_line(&mut String::new())?;
    Ok(())
}

/// What it says once when it has waited for a lock for [`A_WHILE`]: another one holds it.
pub(super) const WAITS: &str = "waits";
const A_WHILE: Duration = Duration::from_millis(100);

/// Where to stop.
#[derive(Clone, Copy, Debug)]
struct Steps(Option<Step>);

impl Steps {
    /// Goes no further than the step to stop at.
    async fn reach(self, step: Step) {
        if self.0 == Some(step) {
            drop(say("stopped"));
            std::future::pending::<()>().await;
        }
    }
}

async fn answered(
    inner: HttpService,
    request: Request<Body>,
    steps: Steps,
) -> Result<Response<Body>, Box<dyn Error + Send + Sync>> {
    let leg = request.extensions().get::<Leg>().copied();
    let response = inner.oneshot(request).await?;
    if leg != Some(Leg::Token) {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = body.collect_limited(1 << 20).await?;
    steps.reach(Step::AnswerRead).await;
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// The machine's clock, wrong by so many seconds.
#[derive(Debug)]
struct Ahead(i64);

impl Clock for Ahead {
    fn now(&self) -> SystemTime {
        let by = Duration::from_secs(self.0.unsigned_abs());
        match self.0 {
            0.. => SystemTime::now() + by,
            _ => SystemTime::now() - by,
        }
    }
}

/// A store whose user may stop at a step.
#[derive(Debug)]
struct Stopping {
    backend: Arc<dyn Backend>,
    steps: Steps,
    /// Of grants: the first one of a refresh is the intent, the second one the outcome.
    saves: AtomicUsize,
}

impl Backend for Stopping {
    fn load<'a>(
        &'a self,
        id: &'a RecordId,
    ) -> BoxFuture<'a, Result<Option<RawRecord>, StoreError>> {
        self.backend.load(id)
    }

    fn save<'a>(
        &'a self,
        id: &'a RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> BoxFuture<'a, Result<Generation, StoreError>> {
        Box::pin(async move {
            if id.kind() != RecordKind::Grant {
                return self.backend.save(id, bytes, expected).await;
            }
            let is_intent = self.saves.fetch_add(1, Ordering::Relaxed) == 0;
            if !is_intent {
                self.steps.reach(Step::BeforeSave).await;
            }
            let saved = self.backend.save(id, bytes, expected).await;
            let step = match is_intent {
                true => Step::IntentSaved,
                false => Step::Saved,
            };
            self.steps.reach(step).await;
            saved
        })
    }

    fn remove<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.backend.remove(id, expected)
    }

    fn list(&self, kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, StoreError>> {
        self.backend.list(kind)
    }

    fn lock<'a>(
        &'a self,
        id: &'a RecordId,
        limit: Duration,
    ) -> BoxFuture<'a, Result<LockGuard, StoreError>> {
        Box::pin(async move {
            self.steps.reach(Step::BeforeLock).await;
            let mut locking = self.backend.lock(id, limit);
            let lock = match tokio::time::timeout(A_WHILE, &mut locking).await {
                Ok(lock) => lock,
                Err(_) => {
                    drop(say(WAITS));
                    locking.await
                }
            };
            self.steps.reach(Step::Locked).await;
            lock
        })
    }

    fn set_aside<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
        defect: Defect,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.backend.set_aside(id, expected, defect)
    }

    fn discard_set_aside<'a>(
        &'a self,
        id: &'a RecordId,
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        self.backend.discard_set_aside(id)
    }

    fn problems(&self) -> Vec<Problem> {
        self.backend.problems()
    }

    fn describe(&self) -> StoreDescription {
        self.backend.describe()
    }
}
