//! One login at a time for an account, in whatever process (AZ-22).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use doorkey_http::Leg;
use doorkey_oauth::{
    BoxFuture, Challenges, Channel, Error, Interaction, InteractionError, InteractionRequest,
    LoginWait,
};
use doorkey_store::Store;
use futures_util::future::join_all;

use crate::browser::{Act, Browser};
use crate::world::{LIMIT, World};

/// A person at a browser, who is told when they wait for another login.
#[derive(Clone, Debug)]
struct Told {
    browser: Browser,
    waits: Arc<AtomicUsize>,
}

impl Told {
    fn new(browser: Browser) -> Self {
        Self {
            browser,
            waits: Arc::default(),
        }
    }

    fn waits(&self) -> usize {
        self.waits.load(Ordering::SeqCst)
    }
}

impl Interaction for Told {
    fn open<'a>(
        &'a self,
        request: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        self.browser.open(request)
    }

    fn waiting(&self, wait: &LoginWait) {
        assert_eq!(wait.account, "default");
        self.waits.fetch_add(1, Ordering::SeqCst);
    }
}

async fn until(condition: impl Fn() -> bool) {
    tokio::time::timeout(LIMIT, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_processes_that_sign_in_together_open_one_page_az_22() {
    let world = World::new();
    let store = Store::memory();
    world.set().token_delay = Duration::from_millis(20);
    let person = Told::new(Browser::new(&world));
    let logins = (0..8).map(|_| {
        let (source, person) = (world.source(&store), Arc::new(person.clone()));
        async move {
            let report = source.login(&Challenges::default(), person).await.unwrap();
            (report.adopted, source.token().await.unwrap().unwrap())
        }
    });
    let outcomes = join_all(logins).await;
    assert_eq!(outcomes.iter().filter(|(adopted, _)| !adopted).count(), 1);
    assert!(outcomes.windows(2).all(|pair| pair[0].1 == pair[1].1));
    assert_eq!(person.browser.prompts().len(), 1);
    assert_eq!(person.waits(), 7);
    assert_eq!(world.seen(Leg::Token).len(), 1);
    assert_eq!(world.seen(Leg::Registration).len(), 1);
}

#[tokio::test]
async fn a_login_whose_process_died_is_taken_over_az_22() {
    let world = World::new();
    let store = Store::memory();
    let first = Told::new(Browser::acting(&world, vec![Act::Stay]));
    let (dying, there) = (world.source(&store), Arc::new(first.clone()));
    let died = tokio::spawn(async move { dying.login(&Challenges::default(), there).await });
    until(|| first.browser.prompts().len() == 1).await;

    let second = Told::new(Browser::new(&world));
    let (source, here) = (world.source(&store), Arc::new(second.clone()));
    let waiting = tokio::spawn(async move {
        let report = source.login(&Challenges::default(), here).await;
        report.map(|report| (report, source))
    });
    until(|| second.waits() == 1).await;
    assert!(second.browser.prompts().is_empty());
    died.abort();
    let (report, source) = waiting.await.unwrap().unwrap();
    assert!(!report.adopted);
    assert_eq!(second.browser.prompts().len(), 1);
    assert!(source.token().await.unwrap().is_some());
}

#[tokio::test]
async fn a_login_for_other_scopes_is_not_taken_over_up_02() {
    let world = World::new();
    let store = Store::memory();
    let key = world.config().grant_key();
    let held = store.lock_login(&key, LIMIT).await.unwrap();
    let person = Told::new(Browser::new(&world));
    let (source, there) = (world.source(&store), Arc::new(person.clone()));
    let wants_more = Challenges::parse([r#"Bearer scope="files:write""#]);
    let waiting = tokio::spawn(async move { source.login(&wants_more, there).await });
    until(|| person.waits() == 1).await;
    // Whoever has the lock signs in for less.
    let other = World::new();
    let elsewhere = other.source(&Store::memory());
    other.signed_in(&elsewhere).await;
    let grant = elsewhere.grant().await.unwrap().unwrap().value;
    store.save_grant(&key, &grant, None).await.unwrap();
    drop(held);
    let report = waiting.await.unwrap().unwrap();
    assert!(!report.adopted && report.scopes.contains("files:write"));
    assert_eq!(person.browser.prompts().len(), 1);
}

#[tokio::test]
async fn a_refresh_meanwhile_is_no_login_and_is_not_taken_for_one() {
    let world = World::new();
    let store = Store::memory();
    let other = world.source(&store);
    world.signed_in(&other).await;
    let key = world.config().grant_key();
    let held = store.lock_login(&key, LIMIT).await.unwrap();
    let person = Told::new(Browser::new(&world));
    let (source, there) = (world.source(&store), Arc::new(person.clone()));
    let waiting = tokio::spawn(async move { source.login(&Challenges::default(), there).await });
    until(|| person.waits() == 1).await;
    // The lock of a login keeps no refresh out.
    world.clock().advance(3600);
    other.token().await.unwrap().unwrap();
    drop(held);
    assert!(!waiting.await.unwrap().unwrap().adopted);
    assert_eq!(person.browser.prompts().len(), 1);
}

#[tokio::test]
async fn who_goes_away_while_waiting_leaves_the_turn_to_others() {
    let world = World::new();
    let store = Store::memory();
    let key = world.config().grant_key();
    let held = store.lock_login(&key, LIMIT).await.unwrap();
    let person = Told::new(Browser::new(&world));
    let source = world.source(&store);
    let (there, own) = (Arc::new(person.clone()), source.clone());
    let waiting = tokio::spawn(async move { own.login(&Challenges::default(), there).await });
    until(|| person.waits() == 1).await;
    waiting.abort();
    source.drain(LIMIT).await.unwrap();
    drop(held);
    assert!(person.browser.prompts().is_empty());
    world.signed_in(&source).await;
}

#[tokio::test]
async fn too_many_logins_within_a_minute_are_stopped_in_every_process() {
    let world = World::new();
    let store = Store::memory();
    let login = |count: usize| {
        let (world, store) = (world.clone(), store.clone());
        async move {
            let mut outcome = None;
            for _ in 0..count {
                let source = world.source(&store);
                let browser = Arc::new(Browser::new(&world));
                outcome = Some(source.login(&Challenges::default(), browser).await);
            }
            outcome.unwrap()
        }
    };
    login(10).await.unwrap();
    world.start_over();
    let error = login(1).await.unwrap_err();
    assert!(
        matches!(&error, Error::TooManyAttempts { limit: 10, .. }),
        "{error:?}"
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
    assert!(error.is_transient() && !error.needs_login());
    assert_eq!(
        error.to_string(),
        "10 logins within a minute are enough; the next one may be in 60 s"
    );
    let (source, nothing) = (world.source(&store), Challenges::default());
    let started = source.start_login(&nothing, None).await;
    assert!(matches!(started, Err(Error::TooManyAttempts { .. })));
    assert!(world.all().is_empty());
    world.clock().advance(60);
    login(1).await.unwrap();
}
