//! The named events: each comes where it says that it comes, with its level and fields, and nothing secret in it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use doorkey_http::{Body, BoxError, HttpClient, HttpProfile, Leg, ProfileSource};
use doorkey_oauth::events::{ALL, EventKind};
use doorkey_oauth::{
    BoxFuture, Challenges, Effect, LogoutOptions, Pattern, Quirk, QuirkMatch, TokenSource,
};
use doorkey_store::{Backend as _, MemoryBackend, Store};
use tracing::field::{Field, Visit};
use tracing::{Dispatch, span};
use zeroize::Zeroizing;

use crate::browser::{Act, Browser};
use crate::stores::Fickle;
use crate::world::{ISSUER, LIMIT, SERVER, World};

/// One event with a name.
#[derive(Clone, Debug)]
struct Told {
    kind: EventKind,
    values: BTreeMap<&'static str, String>,
}

impl Told {
    fn value(&self, field: &str) -> &str {
        self.values.get(field).map_or("", String::as_str)
    }
}

/// Listens to everything that is told on this thread.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    told: Vec<Told>,
    /// Every value of every event and span, with and without a name.
    everything: Vec<String>,
    spans: Vec<&'static str>,
}

impl Ear {
    fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        // While there is one listener only, what another test reaches first is heard by nobody ever after.
        static OTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Ear::default()));
        LazyLock::force(&OTHER);
        let ear = Self::default();
        let guard = tracing::subscriber::set_default(ear.clone());
        (ear, guard)
    }

    /// What was told since the last time, beside how long locks were waited for.
    fn names(&self) -> Vec<&'static str> {
        let told = std::mem::take(&mut self.0.lock().unwrap().told);
        let names = told.iter().map(|told| told.kind.name);
        names.filter(|name| *name != "lock.waited").collect()
    }

    fn the(&self, name: &str) -> Told {
        let heard = self.0.lock().unwrap();
        let mut found = heard.told.iter().filter(|told| told.kind.name == name);
        let one = found.next().cloned();
        assert!(found.next().is_none(), "{name} was told twice");
        drop(heard);
        one.unwrap()
    }
}

impl tracing::Subscriber for Ear {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let mut values = Values::default();
        span.record(&mut values);
        let mut heard = self.0.lock().unwrap();
        heard.everything.extend(values.0.into_values());
        heard.spans.push(span.metadata().name());
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut values = Values::default();
        event.record(&mut values);
        let mut heard = self.0.lock().unwrap();
        heard.everything.extend(values.0.values().cloned());
        let Some(name) = values.0.get("event").cloned() else {
            return;
        };
        let listed = ALL.iter().find(|kind| kind.name == name).copied();
        assert!(listed.is_some(), "{name} is not on the list");
        let kind = listed.unwrap();
        let about = event.metadata();
        assert_eq!(
            (about.target(), *about.level()),
            (kind.target, kind.level),
            "{name}"
        );
        let fields = about.fields().iter().map(|field| field.name());
        let own = fields.filter(|field| !["event", "message"].contains(field));
        assert_eq!(own.collect::<Vec<_>>(), kind.fields, "{name}");
        assert!(values.0.get("server").is_none_or(|server| server == SERVER));
        heard.told.push(Told {
            kind,
            values: values.0,
        });
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Values(BTreeMap<&'static str, String>);

impl Visit for Values {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

async fn signed_in(world: &World, store: &Store) -> TokenSource {
    let source = world.source(store);
    world.signed_in(&source).await;
    source
}

/// A source of another process that looks for changes only when it has to.
fn unobservant(world: &World, store: &Store) -> TokenSource {
    let mut config = world.config();
    config.notice_interval = Duration::MAX;
    world.source_with(config, store)
}

#[tokio::test]
async fn a_login_and_a_refresh_are_told_with_who_and_where_and_nothing_secret() {
    let (ear, _guard) = Ear::listen();
    let world = World::new();
    let source = signed_in(&world, &Store::memory()).await;
    let finished = ear.the("login.finished");
    assert_eq!(finished.value("account"), "default");
    assert_eq!(finished.value("issuer"), ISSUER);
    assert_eq!(finished.value("registered"), "true");
    assert_eq!(ear.the("login.started").value("cause"), "asked");
    assert_eq!(ear.names(), ["login.started", "login.finished"]);

    world.clock().advance(3600);
    source.token().await.unwrap().unwrap();
    assert_eq!(ear.the("refresh.attempted").value("interrupted"), "false");
    assert_eq!(ear.the("refresh.succeeded").value("saved"), "true");
    let waited = ear.the("lock.waited");
    assert_eq!(
        (waited.value("lock"), waited.value("outcome")),
        ("grant", "taken")
    );
    assert!(waited.value("waited_ms").parse::<u64>().is_ok());
    assert_eq!(ear.names(), ["refresh.attempted", "refresh.succeeded"]);

    let heard = ear.0.lock().unwrap();
    assert!(heard.spans.contains(&"login") && heard.spans.contains(&"refresh"));
    assert!(heard.spans.contains(&"http"));
    for secret in ["access-", "refresh-", "code-"] {
        let leak = heard.everything.iter().find(|value| value.contains(secret));
        assert_eq!(leak, None, "{secret}");
    }
}

#[tokio::test]
async fn what_another_process_refreshed_is_told_as_adopted() {
    let (ear, _guard) = Ear::listen();
    let world = World::new();
    let store = Store::memory();
    let first = signed_in(&world, &store).await;
    let (second, third) = (unobservant(&world, &store), world.source(&store));
    for source in [&second, &third] {
        source.token().await.unwrap().unwrap();
    }
    world.clock().advance(3600);
    first.token().await.unwrap().unwrap();
    ear.names();
    second.token().await.unwrap().unwrap();
    assert_eq!(ear.names(), ["refresh.adopted"]);
    third.token().await.unwrap().unwrap();
    assert_eq!(ear.names(), ["grant.adopted"]);
    assert_eq!(world.seen(Leg::Token).len(), 1);

    first.logout(LogoutOptions::default()).await.unwrap();
    let logout = ear.the("logout.finished");
    assert_eq!(
        (logout.value("revoked"), logout.value("removed")),
        ("true", "true")
    );
    world.clock().advance(60);
    assert!(third.token().await.unwrap().is_none());
    assert_eq!(ear.names(), ["logout.finished", "grant.gone"]);
}

#[tokio::test]
async fn how_a_refresh_ended_badly_is_told_apart() {
    let (ear, _guard) = Ear::listen();
    let world = World::new();
    let source = signed_in(&world, &Store::memory()).await;
    ear.names();
    world.clock().advance(3600);
    let busy = r#"{"error":"temporarily_unavailable"}"#;
    world.script(Leg::Token, 503, busy);
    source.token().await.unwrap_err();
    assert!(
        ear.the("refresh.failed")
            .value("error")
            .contains("temporarily_unavailable")
    );
    assert_eq!(ear.names(), ["refresh.attempted", "refresh.failed"]);
    source.token().await.unwrap_err();
    assert_eq!(ear.names(), ["refresh.delayed"]);

    world.clock().advance(600);
    // The connection ends before an answer came.
    world.script(Leg::Token, 418, "");
    source.token().await.unwrap_err();
    assert_eq!(ear.names(), ["refresh.attempted", "refresh.unknown"]);

    world.clock().advance(600);
    world.script(Leg::Token, 400, r#"{"error":"invalid_grant"}"#);
    assert!(source.token().await.unwrap_err().needs_login());
    assert_eq!(ear.the("refresh.attempted").value("interrupted"), "true");
    let rejected = ear.the("refresh.rejected");
    assert_eq!(rejected.value("code"), "invalid_grant");
    assert!(rejected.value("reason").contains("interrupted"));
    assert_eq!(ear.names(), ["refresh.attempted", "refresh.rejected"]);
}

#[tokio::test]
async fn a_token_that_the_server_refuses_is_told_before_it_is_refreshed() {
    let (ear, _guard) = Ear::listen();
    let world = World::new();
    let source = signed_in(&world, &Store::memory()).await;
    let token = source.token().await.unwrap().unwrap();
    source.accepted(&token);
    ear.names();
    let challenges = Challenges::parse([r#"Bearer error="invalid_token""#]);
    source.rejected(Some(&token), &challenges).await.unwrap();
    assert_eq!(ear.the("token.rejected").value("expired"), "false");
    assert_eq!(
        ear.names(),
        ["token.rejected", "refresh.attempted", "refresh.succeeded"]
    );
}

#[tokio::test]
async fn a_step_up_is_told_from_the_question_to_its_end() {
    let (ear, _guard) = Ear::listen();
    let world = World::new();
    let source = world.interactive(&Store::memory(), Browser::new(&world));
    world.signed_in(&source).await;
    ear.names();
    let lacking = |scope: &str| {
        let value = format!(r#"Bearer error="insufficient_scope", scope="{scope}""#);
        Challenges::parse([value.as_str()])
    };
    let sent = source.token().await.unwrap().unwrap();
    let more = source
        .insufficient_scope(&sent, &lacking("files:write"))
        .await;
    assert_eq!(ear.the("step_up.asked").value("scopes"), "files:write");
    assert_eq!(ear.the("login.started").value("cause"), "step-up");
    assert_eq!(
        ear.names(),
        [
            "step_up.asked",
            "login.started",
            "login.finished",
            "step_up.granted"
        ]
    );
    let lacking = lacking("files:write");
    source
        .insufficient_scope(&more.unwrap(), &lacking)
        .await
        .unwrap_err();
    assert_eq!(ear.names(), ["step_up.asked", "step_up.refused"]);
}

#[tokio::test]
async fn a_login_that_waits_for_another_one_is_told_and_what_it_takes_over() {
    let (ear, _guard) = Ear::listen();
    let world = World::new();
    let store = Store::memory();
    world.set().token_delay = Duration::from_millis(20);
    let logins = (0..2).map(|_| {
        let (source, browser) = (world.source(&store), Arc::new(Browser::new(&world)));
        async move { source.login(&Challenges::default(), browser).await.unwrap() }
    });
    futures_util::future::join_all(logins).await;
    let waited = ear.the("lock.waited");
    // The other lock that was waited for is that of the grant, at the end of the login that took place.
    assert!(["login", "grant"].contains(&waited.value("lock")));
    assert!(
        ear.the("login.waiting")
            .value("limit_ms")
            .parse::<u64>()
            .unwrap()
            > 60_000
    );
    let names = ear.names();
    for name in ["login.waiting", "login.adopted", "login.finished"] {
        assert_eq!(
            names.iter().filter(|told| **told == name).count(),
            1,
            "{names:?}"
        );
    }
}

#[tokio::test]
async fn the_halves_of_a_login_and_one_that_comes_to_nothing_are_told() {
    let (ear, _guard) = Ear::listen();
    let world = World::new();
    let source = world.source(&Store::memory());
    let started = source
        .start_login(&Challenges::default(), None)
        .await
        .unwrap();
    assert_eq!(ear.the("login.started").value("cause"), "halves");
    assert_eq!(ear.names(), ["login.started", "login.pending"]);
    let query = world.approve(&started.url);
    let callback = format!("{}?{query}", started.redirect_uri);
    source.finish_login(&callback).await.unwrap();
    assert_eq!(ear.names(), ["login.finished"]);

    let no = vec![Act::Answer("error=access_denied&state=STATE")];
    let browser = Arc::new(Browser::acting(&world, no));
    source
        .login(&Challenges::default(), browser)
        .await
        .unwrap_err();
    assert!(
        ear.the("login.failed")
            .value("error")
            .contains("access_denied")
    );
    assert_eq!(ear.names(), ["login.started", "login.failed"]);
}

#[tokio::test]
async fn a_token_that_cannot_be_saved_is_told_as_an_error() {
    let (ear, _guard) = Ear::listen();
    let world = World::new();
    let fickle = Fickle::default();
    let source = signed_in(&world, &Store::new(fickle.clone())).await;
    world.clock().advance(3600);
    ear.names();
    // The intent is saved, what came of it is not.
    fickle.fail_after(1);
    source.token().await.unwrap().unwrap();
    assert!(
        ear.the("grant.unsaved")
            .value("error")
            .contains("the disk is full")
    );
    assert_eq!(ear.the("refresh.succeeded").value("saved"), "false");
}

#[tokio::test]
async fn a_quirk_that_made_a_difference_is_told_by_its_name() {
    let rule = |id: &str, issuer: &str| {
        let mut quirk = Quirk::new(id);
        quirk.matches = vec![QuirkMatch::Issuer(Pattern::parse(issuer).unwrap())];
        quirk.effects = vec![Effect::TokenParameter {
            name: String::from("tenant"),
            value: String::from("seven"),
        }];
        quirk
    };
    let (ear, _guard) = Ear::listen();
    let world = World::new();
    let mut config = world.config();
    let rules = [rule("theirs", "other.example"), rule("ours", "as.example")];
    config.quirks = rules.into_iter().collect();
    let source = world.source_with(config, &Store::memory());
    world.signed_in(&source).await;
    let at_login = ear.names();
    let uses = at_login.iter().filter(|name| **name == "quirk.used");
    assert_eq!(uses.count(), 1, "{at_login:?}");
    world.clock().advance(3600);
    source.token().await.unwrap();
    let told = ear.the("quirk.used");
    assert_eq!(told.value("quirk"), "ours");
    assert_eq!(told.value("issuer"), ISSUER);
    assert_eq!(world.seen(Leg::Token)[0].form("tenant"), ["seven"]);
}

#[tokio::test]
async fn a_record_that_cannot_be_used_is_told() {
    let (ear, _guard) = Ear::listen();
    let world = World::new();
    let memory = MemoryBackend::new();
    let id = world.config().grant_key().record_id();
    let broken = Zeroizing::new(b"{".to_vec());
    memory.save(&id, broken, None).await.unwrap();
    let source = world.source(&Store::new(memory));
    assert!(source.token().await.unwrap().is_none());
    assert!(
        ear.the("store.problem")
            .value("problem")
            .contains("set aside")
    );
}

/// Has the same profile again whenever it is asked, as after a change.
#[derive(Debug)]
struct Changing(HttpProfile);

impl ProfileSource for Changing {
    fn is_due(&self) -> bool {
        true
    }

    fn changed(&self) -> BoxFuture<'_, Result<Option<HttpProfile>, BoxError>> {
        Box::pin(async { Ok(Some(self.0.clone())) })
    }
}

#[tokio::test]
async fn network_settings_that_changed_are_told_once_for_each_change() {
    let (ear, _guard) = Ear::listen();
    let profile = HttpProfile::new(crate::world::server());
    let source = Arc::new(Changing(profile.clone()));
    let http = HttpClient::reloading(profile, source).unwrap();
    for told in [0, 1] {
        let request = http::Request::get("https://127.0.0.1:9/")
            .body(Body::empty())
            .unwrap();
        let outcome = tokio::time::timeout(LIMIT, http.send(Leg::Resource, request)).await;
        assert!(outcome.unwrap().is_err());
        assert_eq!(ear.names(), vec!["network.reloaded"; told]);
    }
}

/// The row of an event in the table for operators, without the last cell, which is for people.
fn row(kind: &EventKind) -> String {
    let own = kind.fields.iter();
    let own = own.filter(|field| !["server", "account"].contains(field));
    let fields: Vec<_> = own.map(|field| format!("`{field}`")).collect();
    let fields = match fields.as_slice() {
        [] => String::from(" "),
        fields => format!(" {} ", fields.join(" ")),
    };
    let level = kind.level.as_str().to_lowercase();
    format!(
        "| `{}` | {level} | `{}` |{fields}| ",
        kind.name, kind.target
    )
}

#[test]
fn the_page_for_operators_lists_every_named_event_as_it_is() {
    // Absent where this crate is built on its own.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operators.md");
    let Ok(page) = std::fs::read_to_string(path) else {
        return;
    };
    let (_, rest) = page.split_once("<!-- begin: the named events -->").unwrap();
    let (table, _) = rest.split_once("<!-- end -->").unwrap();
    let rows: Vec<_> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(rows.len(), ALL.len());
    for (kind, row_of_page) in ALL.iter().zip(rows) {
        assert!(
            row_of_page.starts_with(&row(kind)),
            "{row_of_page}\n{}",
            row(kind)
        );
    }
}
