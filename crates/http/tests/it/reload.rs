//! A profile that changes while the client lives, over real TLS.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorkey_http::{
    AddressClass, Body, BoxError, Error, HttpClient, HttpProfile, Leg, Phase, ProfileSource, Roots,
    Timeouts,
};
use futures_util::FutureExt as _;
use http::{HeaderValue, Request, Response};
use tokio::sync::{Notify, Semaphore};

use crate::ca::Ca;
use crate::server::{Names, Server, chain, get};
use crate::tls::profile;

type Answer = Result<Option<HttpProfile>, &'static str>;

/// Gives one answer after the other, and then that nothing changed.
#[derive(Debug)]
struct Source {
    due: AtomicBool,
    must_wait: AtomicBool,
    limit: Mutex<Option<Duration>>,
    answers: Mutex<VecDeque<Answer>>,
    asked: AtomicUsize,
    /// Told when it is asked.
    begun: Notify,
    /// One permit for each answer that it may give.
    gate: Semaphore,
}

impl Source {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        Arc::new(Self {
            due: AtomicBool::new(false),
            must_wait: AtomicBool::new(false),
            limit: Mutex::default(),
            answers: Mutex::new(answers.into_iter().collect()),
            asked: AtomicUsize::new(0),
            begun: Notify::new(),
            gate: Semaphore::new(1000),
        })
    }

    /// From now on `answer` is due.
    fn offer(&self, answer: Answer) {
        self.answers.lock().unwrap().push_back(answer);
        self.due.store(true, Ordering::SeqCst);
    }

    /// From now on it answers only where the gate is opened again.
    fn shut(&self) {
        self.gate.forget_permits(self.gate.available_permits());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl ProfileSource for Source {
    fn is_due(&self) -> bool {
        self.due.load(Ordering::SeqCst)
    }

    fn must_wait(&self) -> bool {
        self.must_wait.load(Ordering::SeqCst)
    }

    fn limit(&self) -> Option<Duration> {
        *self.limit.lock().unwrap()
    }

    fn changed(
        &self,
    ) -> Pin<Box<dyn Future<Output = Result<Option<HttpProfile>, BoxError>> + Send + '_>> {
        Box::pin(async {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.begun.notify_one();
            self.gate.acquire().await.unwrap().forget();
            self.due.store(false, Ordering::SeqCst);
            let answer = self.answers.lock().unwrap().pop_front();
            answer.unwrap_or(Ok(None)).map_err(BoxError::from)
        })
    }
}

fn reloading(profile: &HttpProfile, source: &Arc<Source>) -> HttpClient {
    let source = Arc::clone(source) as Arc<dyn ProfileSource>;
    HttpClient::reloading_with_resolver(profile, source, Arc::new(Names::default())).unwrap()
}

fn with_header(profile: &HttpProfile, value: &'static str) -> HttpProfile {
    let mut profile = profile.clone();
    let value = HeaderValue::from_static(value);
    profile.resource_headers.insert("x-key", value);
    profile
}

async fn plain() -> (Server, HttpProfile) {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["mcp.test"], None))).await;
    let profile = profile(&server, ca.roots());
    (server, profile)
}

async fn ask(client: &HttpClient, server: &Server) -> Result<Response<Body>, Error> {
    let url = server.url("mcp.test", "/mcp");
    client.send(Leg::Resource, get(&url)).await
}

#[tokio::test]
async fn the_first_request_waits_for_the_source_even_if_it_says_nothing_is_due() {
    let (server, profile) = plain().await;
    let source = Source::new([Ok(Some(with_header(&profile, "from a command")))]);
    let client = reloading(&profile, &source);
    for _ in 0..3 {
        ask(&client, &server).await.unwrap();
    }
    assert_eq!(source.asked(), 1);
    for seen in server.seen() {
        assert_eq!(seen.header("x-key"), Some("from a command"));
    }
    let names: Vec<_> = client.profile().resource_headers.keys().cloned().collect();
    assert_eq!(names, ["x-key"]);
}

#[tokio::test]
async fn of_several_first_requests_one_asks_and_all_are_sent_by_what_it_brought() {
    let (server, profile) = plain().await;
    let source = Source::new([Ok(Some(with_header(&profile, "new")))]);
    let client = reloading(&profile, &source);
    let asked = (0..8).map(|_| ask(&client, &server));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    assert_eq!(source.asked(), 1);
    let seen = server.seen();
    assert_eq!(seen.len(), 8);
    assert!(seen.iter().all(|seen| seen.header("x-key") == Some("new")));
}

#[tokio::test]
async fn a_replaced_authority_is_picked_up_and_the_old_one_not_trusted_any_more() {
    let (old, new) = (Ca::new(), Ca::new());
    let server = Server::ok(Some(old.server(&["mcp.test"], None))).await;
    let first = profile(&server, old.roots());
    let source = Source::new([]);
    let client = reloading(&first, &source);
    ask(&client, &server).await.unwrap();
    server.replace(new.server(&["mcp.test"], None));
    let stale = HttpClient::with_resolver(&first, Arc::new(Names::default())).unwrap();
    assert!(ask(&stale, &server).await.unwrap_err().is_tls());

    source.offer(Ok(Some(profile(&server, new.roots()))));
    ask(&client, &server).await.unwrap();
    server.replace(old.server(&["mcp.test"], None));
    let without_old = trusting(&profile(&server, new.roots()), &Ca::new());
    source.offer(Ok(Some(without_old)));
    assert!(ask(&client, &server).await.unwrap_err().is_tls());
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_renewed_client_certificate_is_shown() {
    let (ca, clients) = (Ca::new(), Ca::new());
    let server = Server::ok(Some(ca.server(&["mcp.test"], Some(&clients)))).await;
    let mut profile = profile(&server, ca.roots());
    let source = Source::new([]);
    let identities = [clients.identity(), clients.identity(), clients.identity()];
    profile.client_identity = Some(identities[0].clone());
    let client = reloading(&profile, &source);
    ask(&client, &server).await.unwrap();
    for identity in &identities[1..] {
        profile.client_identity = Some(identity.clone());
        source.offer(Ok(Some(profile.clone())));
        ask(&client, &server).await.unwrap();
        ask(&client, &server).await.unwrap();
    }
    let shown: Vec<_> = server.seen().into_iter().map(|seen| seen.client).collect();
    let leaf = |position: usize| identities[position].chain().next().map(<[u8]>::to_vec);
    assert_eq!(shown, [0, 1, 1, 2, 2].map(leaf));
}

/// The same trust, and in one more authority.
fn trusting(profile: &HttpProfile, more: &Ca) -> HttpProfile {
    let mut profile = profile.clone();
    if let (Roots::Only(roots), Roots::Only(more)) = (&mut profile.roots, more.roots()) {
        roots.extend(more);
    }
    profile
}

#[tokio::test]
async fn connections_from_before_a_change_are_not_used_after_it() {
    let (server, profile) = plain().await;
    let source = Source::new([]);
    let client = reloading(&profile, &source);
    let mut identified = profile.clone();
    identified.client_identity = Some(Ca::new().identity());
    // The last one is what it was at first.
    for profile in [trusting(&profile, &Ca::new()), identified, profile] {
        ask(&client, &server).await.unwrap();
        source.offer(Ok(Some(profile)));
        ask(&client, &server).await.unwrap();
    }
    let seen: Vec<_> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(seen, [0, 1, 1, 2, 2, 3]);
}

#[tokio::test]
async fn a_change_of_headers_alone_keeps_the_connections() {
    let (server, profile) = plain().await;
    let source = Source::new([]);
    let client = reloading(&profile, &source);
    ask(&client, &server).await.unwrap();
    source.offer(Ok(Some(with_header(&profile, "one"))));
    ask(&client, &server).await.unwrap();
    let seen = server.seen().into_iter();
    let seen = seen.map(|seen| (seen.connection, seen.header("x-key").map(str::to_owned)));
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [(0, None), (0, Some("one".to_owned()))]
    );
}

#[tokio::test]
async fn a_request_under_way_ends_over_the_old_connection() {
    let (ca, reached) = (Ca::new(), Arc::new(Notify::new()));
    let release = Arc::new(Notify::new());
    let (told, held) = (Arc::clone(&reached), Arc::clone(&release));
    let server = Server::start(Some(ca.server(&["mcp.test"], None)), move |seen| {
        let (told, held) = (Arc::clone(&told), Arc::clone(&held));
        async move {
            if seen.path == "/slow" {
                told.notify_one();
                held.notified().await;
            }
            Response::new(Body::from(format!("connection {}", seen.connection)))
        }
    })
    .await;
    let profile = profile(&server, ca.roots());
    let source = Source::new([]);
    let client = reloading(&profile, &source);
    let (url, slow) = (server.url("mcp.test", "/"), server.url("mcp.test", "/slow"));
    let waiting = client.clone();
    let task = tokio::spawn(async move {
        waiting
            .send_collected(Leg::Token, get(&slow))
            .await
            .unwrap()
    });
    reached.notified().await;
    source.offer(Ok(Some(trusting(&profile, &Ca::new()))));
    let answer = client.send_collected(Leg::Token, get(&url)).await.unwrap();
    assert_eq!(answer.body(), "connection 1");
    release.notify_one();
    assert_eq!(task.await.unwrap().body(), "connection 0");
    let answer = client.send_collected(Leg::Token, get(&url)).await.unwrap();
    assert_eq!(answer.body(), "connection 1");
}

#[tokio::test]
async fn an_error_fails_the_request_that_met_it_and_no_other() {
    let (server, profile) = plain().await;
    let source = Source::new([]);
    let client = reloading(&profile, &source);
    ask(&client, &server).await.unwrap();
    let mut broken = profile.clone();
    broken.user_agent = String::new();
    for (answer, told) in [
        (
            Err("`ca_files`: /ca.pem is gone"),
            "`ca_files`: /ca.pem is gone",
        ),
        (
            Ok(Some(broken)),
            "the HTTP setting `user_agent` is unusable",
        ),
    ] {
        source.offer(answer);
        let err = ask(&client, &server).await.unwrap_err();
        assert!(matches!(err, Error::Reload { .. }), "{err:?}");
        assert!(err.is_connect(), "nothing was sent");
        let text = chain(&err);
        assert!(
            text.starts_with("resource request GET https://mcp.test"),
            "{text}"
        );
        assert!(text.contains(told), "{text}");
        assert_eq!(server.seen().pop().unwrap().connection, 0);
        ask(&client, &server).await.unwrap();
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|seen| seen.connection == 0), "{seen:?}");
}

#[tokio::test]
async fn without_a_first_answer_nothing_is_sent() {
    let (server, profile) = plain().await;
    let source = Source::new([Err("no key"), Err("no key"), Ok(None)]);
    let client = reloading(&profile, &source);
    for _ in 0..2 {
        assert!(chain(&ask(&client, &server).await.unwrap_err()).ends_with(": no key"));
    }
    assert_eq!(server.seen().len(), 0);
    ask(&client, &server).await.unwrap();
    assert_eq!((server.seen().len(), source.asked()), (1, 3));
}

#[tokio::test]
async fn while_one_request_waits_for_the_source_others_go_on_with_what_there_is() {
    let (server, profile) = plain().await;
    let source = Source::new([]);
    let client = reloading(&profile, &source);
    ask(&client, &server).await.unwrap();
    source.begun.notified().await;

    source.shut();
    source.offer(Ok(Some(with_header(&profile, "new"))));
    let (waiting, url) = (client.clone(), server.url("mcp.test", "/mcp"));
    let task = tokio::spawn(async move { waiting.send(Leg::Resource, get(&url)).await });
    source.begun.notified().await;
    ask(&client, &server).await.unwrap();
    assert_eq!(server.seen().len(), 2);
    assert_eq!(server.seen()[1].header("x-key"), None);

    source.gate.add_permits(1);
    task.await.unwrap().unwrap();
    assert_eq!(server.seen()[2].header("x-key"), Some("new"));
    assert_eq!(source.asked(), 2);
}

#[tokio::test]
async fn where_the_old_profile_must_not_be_used_the_others_wait_and_ask_in_their_turn() {
    let (server, profile) = plain().await;
    let source = Source::new([]);
    let client = reloading(&profile, &source);
    ask(&client, &server).await.unwrap();
    source.begun.notified().await;

    source.must_wait.store(true, Ordering::SeqCst);
    source.shut();
    source.offer(Err("expired"));
    source.offer(Ok(Some(with_header(&profile, "new"))));
    let (first, url) = (client.clone(), server.url("mcp.test", "/mcp"));
    let first = tokio::spawn(async move { first.send(Leg::Resource, get(&url)).await });
    source.begun.notified().await;
    let mut others = std::pin::pin!(ask(&client, &server));
    assert!(others.as_mut().now_or_never().is_none(), "it waits");

    // The answer to the first is an error: it is still due, and the other one asks.
    source.gate.add_permits(1);
    assert!(chain(&first.await.unwrap().unwrap_err()).ends_with(": expired"));
    source.due.store(true, Ordering::SeqCst);
    source.gate.add_permits(1);
    others.await.unwrap();
    let seen = server.seen();
    assert_eq!((seen.len(), source.asked()), (2, 3));
    assert_eq!(seen[1].header("x-key"), Some("new"));
}

#[tokio::test]
async fn a_source_may_say_itself_how_long_it_takes() {
    let (server, mut profile) = plain().await;
    let short = Duration::from_millis(50);
    profile.timeouts = Timeouts::new(short, Duration::from_secs(60), Duration::from_secs(60));
    let source = Source::new([]);
    *source.limit.lock().unwrap() = Some(Duration::from_millis(120));
    source.shut();
    let client = reloading(&profile, &source);
    let err = ask(&client, &server).await.unwrap_err();
    let told = chain(&err);
    assert!(matches!(err, Error::Reload { .. }), "{err:?}");
    assert!(told.ends_with("were not read within 0.12 s"), "{told}");
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_source_that_does_not_answer_ends_in_a_time_out() {
    let (server, mut profile) = plain().await;
    profile.timeouts = Timeouts::new(
        Duration::from_millis(50),
        Duration::from_secs(60),
        Duration::from_secs(60),
    );
    let source = Source::new([]);
    source.shut();
    let client = reloading(&profile, &source);
    let err = ask(&client, &server).await.unwrap_err();
    let phase = match &err {
        Error::Timeout { phase, .. } => *phase,
        other => panic!("{other:?}"),
    };
    assert_eq!(phase, Phase::Reload);
    assert!(
        err.is_connect() && chain(&err).contains("`timeouts.connect`"),
        "{err}"
    );
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn the_pin_and_the_layers_on_top_stay() {
    let (server, profile) = plain().await;
    let source = Source::new([]);
    let counted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&counted);
    let client = reloading(&profile, &source).layer(tower::util::MapRequestLayer::new(
        move |request: Request<Body>| {
            count.fetch_add(1, Ordering::SeqCst);
            request
        },
    ));
    client.pin_resource_class(Some(AddressClass::Public));
    for turn in 1..=2 {
        source.offer(Ok(Some(profile.clone())));
        let err = ask(&client, &server).await.unwrap_err();
        assert!(matches!(err, Error::AddressRefused { .. }), "{err:?}");
        assert_eq!(client.resource_class(), Some(AddressClass::Public));
        assert_eq!(counted.load(Ordering::SeqCst), turn);
    }
    let mut elsewhere = profile.clone();
    elsewhere.resource = Some(server.url("other.test", "/mcp").parse().unwrap());
    source.offer(Ok(Some(elsewhere)));
    let err = client
        .send(Leg::Resource, get(&server.url("other.test", "/")))
        .await;
    assert!(
        err.unwrap_err().is_tls(),
        "the certificate is for another name"
    );
    assert_eq!(client.resource_class(), None, "it belongs to one host");
}

#[tokio::test]
async fn a_request_under_way_to_the_old_host_teaches_nothing_of_the_new_one() {
    let ca = Ca::new();
    let (begun, gate) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let (told, opened) = (Arc::clone(&begun), Arc::clone(&gate));
    let tls = ca.server(&["mcp.test", "other.test"], None);
    let server = Server::start(Some(tls), move |seen| {
        let (told, opened) = (Arc::clone(&told), Arc::clone(&opened));
        async move {
            if seen.path == "/slow" {
                told.notify_one();
                opened.acquire().await.unwrap().forget();
            }
            Response::new(Body::from("ok"))
        }
    })
    .await;
    let old = profile(&server, ca.roots());
    let mut new = old.clone();
    new.resource = Some("https://other.example/mcp".parse().unwrap());
    let source = Source::new([]);
    let client = reloading(&old, &source);
    let (slow, sender) = (server.url("mcp.test", "/slow"), client.clone());
    let under_way = tokio::spawn(async move { sender.send(Leg::Resource, get(&slow)).await });
    begun.notified().await;
    source.offer(Ok(Some(new)));
    let other = server.url("other.test", "/");
    let err = client.send(Leg::Token, get(&other)).await.unwrap_err();
    assert!(matches!(err, Error::AddressRefused { .. }), "{err:?}");
    gate.add_permits(1);
    under_way.await.unwrap().unwrap();
    assert_eq!(client.resource_class(), None);
    let err = client.send(Leg::Token, get(&other)).await.unwrap_err();
    assert!(matches!(err, Error::AddressRefused { .. }), "{err:?}");
}
