//! What ends while somebody asks for a token: the runtime, the login, the wait for a browser.

use std::future::pending;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use doorkey_http::{Body, HttpClient, HttpProfile, Leg};
use doorkey_oauth::{
    AccessToken, BoxFuture, Challenges, Channel, Error, Interaction, InteractionError,
    InteractionRequest, LogoutOptions, NextStep, TokenSource,
};
use doorkey_store::Store;
use futures_util::FutureExt as _;
use http::{Request, Response, StatusCode};
use serde_json::json;
use tokio::sync::Notify;

use crate::browser::Browser;
use crate::stores::Fickle;
use crate::world::{LIMIT, SERVER, World, response, server};

type Asked = Option<Result<Option<AccessToken>, Error>>;

/// A source whose refresh is due, and the runtime in which it signed in.
fn due() -> (TokenSource, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = World::new();
    let source = world.source(&Store::memory());
    runtime.block_on(world.signed_in(&source));
    world.clock().advance(3600);
    (source, runtime)
}

/// What `act` sends, from a thread of its own: a deadlock there is a failure here.
fn in_a_thread(act: impl FnOnce(mpsc::Sender<Asked>) + Send + 'static) -> Asked {
    let (sender, answer) = mpsc::channel();
    thread::spawn(move || act(sender));
    answer.recv_timeout(LIMIT).unwrap()
}

#[test]
fn without_a_runtime_a_refresh_that_is_due_is_an_error_at_once_law_7() {
    let (source, _runtime) = due();
    for _ in 0..2 {
        let source = source.clone();
        let asked = in_a_thread(move |answer| {
            answer.send(source.token().now_or_never()).unwrap();
        });
        assert!(matches!(asked, Some(Err(Error::NoRuntime))), "{asked:?}");
    }
}

/// Asks for a token when the task that holds it is dropped with its runtime.
struct LastQuestion(TokenSource, mpsc::Sender<Asked>);

impl Drop for LastQuestion {
    fn drop(&mut self) {
        drop(self.1.send(self.0.token().now_or_never()));
    }
}

#[test]
fn a_runtime_that_shuts_down_keeps_nobody_waiting_law_7() {
    let (source, runtime) = due();
    let asked = in_a_thread(move |answer| {
        let question = LastQuestion(source, answer);
        runtime.spawn(async move {
            let _question = question;
            pending::<()>().await;
        });
        drop(runtime);
    });
    assert!(matches!(asked, Some(Err(Error::TaskLost))), "{asked:?}");
}

#[tokio::test]
async fn what_was_read_before_a_logout_does_not_come_back_after_it_rev_04() {
    let world = World::new();
    let backend = Fickle::default();
    let store = Store::new(backend.clone());
    world.signed_in(&world.source(&store)).await;
    let source = world.source(&store);
    let gate = backend.deliver_late();
    let late = {
        let source = source.clone();
        tokio::spawn(async move { source.token().await })
    };
    let reached = gate.reached.notified();
    tokio::time::timeout(LIMIT, reached).await.unwrap();
    let report = source.logout(LogoutOptions::default()).await.unwrap();
    assert!(report.is_complete());
    gate.open.notify_one();
    assert_eq!(late.await.unwrap().unwrap(), None);
    assert_eq!(source.token().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_during_a_logout_bring_nothing_back_rev_04() {
    let world = World::new();
    let backend = Fickle::default();
    backend.remove_slowly();
    let store = Store::new(backend);
    let source = world.source(&store);
    for _ in 0..5 {
        world.signed_in(&source).await;
        let callers: Vec<_> = (0..4)
            .map(|_| {
                let source = source.clone();
                tokio::spawn(async move {
                    while source.token().await.unwrap().is_some() {
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        source.logout(LogoutOptions::default()).await.unwrap();
        assert_eq!(source.token().await.unwrap(), None);
        let ended = futures_util::future::join_all(callers);
        tokio::time::timeout(LIMIT, ended).await.unwrap();
        assert_eq!(source.token().await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_refresh_that_outlasts_a_logout_brings_nothing_back_rev_04() {
    let world = World::new();
    let store = Store::memory();
    let mut config = world.config();
    config.refresh_lock_limit = Duration::from_millis(20);
    let source = world.source_with(config, &store);
    world.signed_in(&source).await;
    world.clock().advance(3600);
    world.script(Leg::Token, 503, "");
    let gate = Arc::new(Notify::new());
    let there = Arc::clone(&gate);
    world.set().before_token_answer = Some(Arc::new(Box::new(move || {
        let gate = Arc::clone(&there);
        Box::pin(async move { gate.notified().await })
    })));
    let refresh = {
        let source = source.clone();
        tokio::spawn(async move { source.token().await })
    };
    tokio::time::timeout(LIMIT, async {
        while world.seen(Leg::Token).is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    source.logout(LogoutOptions::default()).await.unwrap();
    gate.notify_one();
    assert!(refresh.await.unwrap().is_err());
    assert_eq!(source.token().await.unwrap(), None);
    assert!(source.grant().await.unwrap().is_none());
}

/// A host that never gets to show anything.
#[derive(Debug, Default)]
struct Stuck(Notify);

impl Interaction for Stuck {
    fn open<'a>(
        &'a self,
        _request: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        self.0.notify_one();
        Box::pin(pending())
    }
}

#[tokio::test]
async fn a_login_that_everybody_left_ends_also_before_the_browser_law_7() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let stuck = Arc::new(Stuck::default());
    let waiting = {
        let (source, stuck) = (source.clone(), Arc::clone(&stuck));
        tokio::spawn(async move { source.login(&Challenges::default(), stuck).await })
    };
    tokio::time::timeout(LIMIT, stuck.0.notified())
        .await
        .unwrap();
    waiting.abort();
    source.drain(LIMIT).await.unwrap();
    // The next login is one of its own.
    world.signed_in(&source).await;
}

/// Answers each request of discovery after most of the time that it has.
async fn sluggish(request: Request<Body>) -> Result<Response<Body>, std::io::Error> {
    tokio::time::sleep(Duration::from_secs(50)).await;
    let found = json!({"resource": SERVER, "authorization_servers": ["https://as.example/tenant"]});
    Ok(match request.extensions().get::<Leg>() {
        Some(Leg::ResourceMetadata) => response(StatusCode::OK, found.to_string()),
        _ => response(StatusCode::NOT_FOUND, String::new()),
    })
}

#[tokio::test(start_paused = true)]
async fn discovery_as_a_whole_has_a_limit_law_7() {
    let world = World::new();
    let mut profile = HttpProfile::new(server());
    profile.timeouts.total = Duration::from_secs(60);
    let http = HttpClient::with_service(&profile, tower::service_fn(sluggish)).unwrap();
    let source = TokenSource::builder(world.config(), http, Store::memory()).build();
    let browser = Arc::new(Browser::new(&world));
    let error = source
        .login(&Challenges::default(), browser)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::DiscoveryTimedOut { limit } if limit == Duration::from_secs(120)),
        "{error:?}"
    );
    assert!(error.is_transient());
    assert!(matches!(error.next_step(), Some(NextStep::Retry { .. })));
}
