//! The real client over loopback: each leg × what can go wrong, and what a person reads.

use std::error::Error as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorkey_http::{HttpClient, HttpProfile, Leg};
use doorkey_oauth::{
    AuthorizationConfig, Challenges, Error, LogoutOptions, StepOutcome, TokenSource,
};
use doorkey_store::Store;
use serde_json::{Value, json};
use url::Url;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::browser::{Act, Browser};
use crate::world::World;

/// What an endpoint does instead of answering well.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Status(u16),
    Empty,
    Html,
    WrongType,
    Truncated,
    Oversized,
    Slow,
}

const FAULTS: [Fault; 14] = [
    Fault::Status(301),
    Fault::Status(400),
    Fault::Status(401),
    Fault::Status(403),
    Fault::Status(404),
    Fault::Status(429),
    Fault::Status(500),
    Fault::Status(503),
    Fault::Empty,
    Fault::Html,
    Fault::WrongType,
    Fault::Truncated,
    Fault::Oversized,
    Fault::Slow,
];

impl Fault {
    fn answer(self) -> ResponseTemplate {
        match self {
            Self::Status(301) => ResponseTemplate::new(301).insert_header("location", "/elsewhere"),
            Self::Status(status) => ResponseTemplate::new(status),
            Self::Empty => ResponseTemplate::new(200),
            Self::Html => {
                ResponseTemplate::new(200).set_body_raw("<html>Portal</html>", "text/html")
            }
            Self::WrongType => ResponseTemplate::new(200).set_body_json(json!(["x"])),
            Self::Truncated => ResponseTemplate::new(200)
                .set_body_raw(r#"{"access_token":"sec"#, "application/json"),
            Self::Oversized => {
                ResponseTemplate::new(200).set_body_raw(vec![b' '; 5000], "application/json")
            }
            Self::Slow => ResponseTemplate::new(200).set_delay(Duration::from_secs(30)),
        }
    }
}

struct Stand {
    server: MockServer,
    http: HttpClient,
    url: Url,
    fault: Arc<Mutex<Option<(&'static str, Fault)>>>,
}

/// Answers well, except where a fault is set.
struct Endpoints {
    documents: Vec<(&'static str, Value)>,
    fault: Arc<Mutex<Option<(&'static str, Fault)>>>,
}

impl Respond for Endpoints {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let path = request.url.path();
        if let Some((place, fault)) = *self.fault.lock().unwrap()
            && place == path
        {
            return fault.answer();
        }
        match self.documents.iter().find(|(place, _)| *place == path) {
            Some((_, body)) => ResponseTemplate::new(200).set_body_json(body),
            None => ResponseTemplate::new(404),
        }
    }
}

impl Stand {
    async fn new() -> Self {
        let server = MockServer::builder().start().await;
        let origin = server.uri();
        let url: Url = format!("{origin}/mcp").parse().unwrap();
        let mut profile = HttpProfile::new(url.clone());
        profile.timeouts.total = Duration::from_millis(500);
        profile.limits.metadata = 4096;
        profile.limits.endpoint = 4096;
        let fault = Arc::new(Mutex::new(None));
        let endpoints = Endpoints {
            documents: documents(&origin),
            fault: Arc::clone(&fault),
        };
        Mock::given(any())
            .respond_with(endpoints)
            .mount(&server)
            .await;
        Self {
            http: HttpClient::new(&profile).unwrap(),
            server,
            url,
            fault,
        }
    }

    fn fail_at(&self, place: &'static str, fault: Fault) {
        *self.fault.lock().unwrap() = Some((place, fault));
    }

    fn heal(&self) {
        *self.fault.lock().unwrap() = None;
    }

    fn source(&self, world: &World, store: &Store) -> TokenSource {
        TokenSource::builder(
            AuthorizationConfig::new(self.url.clone()),
            self.http.clone(),
            store.clone(),
        )
        .clock(Arc::new(world.clock().clone()))
        .build()
    }
}

fn documents(origin: &str) -> Vec<(&'static str, Value)> {
    let at = |place: &str| format!("{origin}{place}");
    vec![
        (
            "/.well-known/oauth-protected-resource/mcp",
            json!({"resource": at("/mcp"), "authorization_servers": [origin]}),
        ),
        (
            "/.well-known/oauth-authorization-server",
            json!({
                "issuer": origin,
                "authorization_endpoint": at("/authorize"),
                "token_endpoint": at("/token"),
                "registration_endpoint": at("/register"),
                "revocation_endpoint": at("/revoke"),
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
            }),
        ),
        ("/register", json!({"client_id": "c"})),
        (
            "/token",
            json!({
                "access_token": "access",
                "token_type": "Bearer",
                "expires_in": 3600,
                "refresh_token": "refresh",
            }),
        ),
        ("/revoke", json!({})),
    ]
}

/// The browser leg plays no part here: any code will do.
fn browser(world: &World) -> Arc<Browser> {
    Arc::new(Browser::acting(
        world,
        vec![Act::Answer("code=c&state=STATE")],
    ))
}

/// What a person reads: the error and its causes.
fn shown(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn check(error: &Error, place: &str, fault: Fault) {
    let text = shown(error);
    let context = format!("{place} {fault:?}: {text}");
    assert!(!error.needs_login(), "{context}");
    assert!(text.contains(place), "the URL is not named. {context}");
    assert!(
        !text.contains("sec") || text.contains("seconds"),
        "{context}"
    );
    assert!(!text.contains(['<', '\u{1b}']), "{context}");
    match fault {
        Fault::Status(status) => assert!(text.contains(&status.to_string()), "{context}"),
        Fault::Slow => assert!(error.is_transient(), "{context}"),
        _ => {}
    }
    if matches!(fault, Fault::Status(429 | 500 | 503)) {
        assert!(error.is_transient(), "{context}");
    }
}

#[tokio::test]
async fn every_fault_of_registration_and_code_exchange_is_named_and_saves_nothing_half() {
    let world = World::new();
    for place in ["/register", "/token"] {
        let stand = Stand::new().await;
        for fault in FAULTS {
            let store = Store::memory();
            let source = stand.source(&world, &store);
            stand.fail_at(place, fault);
            let outcome = source.login(&Challenges::default(), browser(&world)).await;
            check(&outcome.unwrap_err(), place, fault);
            assert!(source.grant().await.unwrap().is_none(), "{place} {fault:?}");
            stand.heal();
            let report = source.login(&Challenges::default(), browser(&world)).await;
            assert!(report.is_ok(), "after {place} {fault:?}: {report:?}");
        }
    }
}

#[tokio::test]
async fn every_fault_of_a_refresh_is_named_and_keeps_the_grant() {
    let world = World::new();
    let stand = Stand::new().await;
    for fault in FAULTS {
        let store = Store::memory();
        let source = stand.source(&world, &store);
        source
            .login(&Challenges::default(), browser(&world))
            .await
            .unwrap();
        world.clock().advance(3600);
        stand.fail_at("/token", fault);
        check(&source.token().await.unwrap_err(), "/token", fault);
        let grant = source.grant().await.unwrap().unwrap().value;
        assert!(grant.refresh_token.is_some() && grant.access_token.is_some());
        stand.heal();
        world.clock().advance(120);
        assert!(source.token().await.unwrap().is_some(), "after {fault:?}");
    }
}

#[tokio::test]
async fn every_fault_of_a_revocation_is_reported_and_the_local_copy_goes() {
    let world = World::new();
    let stand = Stand::new().await;
    for fault in FAULTS {
        let source = stand.source(&world, &Store::memory());
        source
            .login(&Challenges::default(), browser(&world))
            .await
            .unwrap();
        stand.fail_at("/revoke", fault);
        let report = source.logout(LogoutOptions::default()).await.unwrap();
        match (&report.revoked_refresh, fault) {
            (StepOutcome::Failed(error), _) => check(error, "/revoke", fault),
            // The body of a success says nothing and is not read (RFC 7009 §2.2).
            (
                StepOutcome::Done,
                Fault::Empty | Fault::Html | Fault::WrongType | Fault::Truncated | Fault::Oversized,
            ) => {}
            (outcome, fault) => panic!("{fault:?}: {outcome:?}"),
        }
        assert!(source.grant().await.unwrap().is_none(), "{fault:?}");
        stand.heal();
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_on_every_leg() {
    let world = World::new();
    let store = Store::memory();
    let stand = Stand::new().await;
    let source = stand.source(&world, &store);
    source
        .login(&Challenges::default(), browser(&world))
        .await
        .unwrap();
    world.clock().advance(3600);
    let Stand { server, .. } = stand;
    drop(server);
    let error = source.token().await.unwrap_err();
    let Error::Http(cause) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(cause.leg(), Some(Leg::Token));
    // It is shown as its cause, once, and the cause is at hand (ERR-06, ERR-10).
    assert_eq!(error.to_string(), cause.to_string());
    assert_eq!(shown(&error).matches("/token").count(), 1);
    assert!(error.http().is_some_and(doorkey_http::Error::is_transient));
    assert!(
        error.is_transient() && shown(&error).contains("/token"),
        "{}",
        shown(&error)
    );
    let error = source
        .login(&Challenges::default(), browser(&world))
        .await
        .unwrap_err();
    assert!(
        error.is_transient() && matches!(error, Error::Discovery(_)) && error.http().is_some(),
        "{error:?}"
    );
    let report = source.logout(LogoutOptions::default()).await.unwrap();
    assert!(matches!(report.removed_local, StepOutcome::Done));
}
