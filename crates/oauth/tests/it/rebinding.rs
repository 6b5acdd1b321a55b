//! A name that is bound anew after the login: what was public then leads nowhere near now (SEC-05, SEC-07).

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorkey_http::{
    AddressClass, AddressPolicy, AddressRefused, Body, Error as HttpError, HttpClient, HttpProfile,
    Leg, NoProxy, Origin, ProxyRules, Resolver, RootCertificate, Roots,
};
use doorkey_oauth::{
    AuthorizationConfig, AuthorizationLayer, BoxFuture, Challenges, Channel, Error, Flow,
    Interaction, InteractionError, InteractionRequest, LoginReport, LogoutOptions, NextStep,
    TokenSource,
};
use doorkey_store::{Grant, Store, Stored};
use doorkey_testkit::{
    AuthorizationServer, CertificateAuthority, DeviceGrant, Document, Fault, FaultRule,
    Leg as Seen, Listen, McpServer, Proxy, Recorder,
};
use http::{Request, Response};
use serde_json::json;
use tower::{Layer as _, ServiceExt as _};
use url::Url;

use crate::referee::{Person, Shifted};

/// The addresses of the MCP server's name, which a test changes.
#[derive(Debug)]
struct Names(Mutex<Vec<IpAddr>>);

impl Resolver for Names {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let found = match host {
            "mcp.test" => Ok(self.0.lock().unwrap().clone()),
            _ => Err(io::Error::other("no such name")),
        };
        Box::pin(async move { found })
    }
}

/// An MCP server behind a real name, over TLS, and its authorization server on this machine.
struct World {
    ca: CertificateAuthority,
    recorder: Recorder,
    auth: AuthorizationServer,
    mcp: McpServer,
    names: Arc<Names>,
    store: Store,
    clock: Arc<Shifted>,
}

/// One process: a client, and a source over it.
struct Process {
    http: HttpClient,
    tokens: TokenSource,
}

impl World {
    async fn new() -> Self {
        let ca = CertificateAuthority::new().unwrap();
        let recorder = Recorder::new();
        let rules = DeviceGrant::new().interval(Duration::from_secs(1));
        let auth = AuthorizationServer::builder()
            .recorder(&recorder)
            .device_grant(rules);
        let auth = auth.start().await.unwrap();
        let mcp = McpServer::builder().listen(Listen::new().host("mcp.test").tls(&ca));
        let mcp = mcp.authorization(&auth).recorder(&recorder);
        let mcp = mcp.start().await.unwrap();
        Self {
            ca,
            recorder,
            auth,
            mcp,
            names: Arc::new(Names(Mutex::new(vec![LOOPBACK]))),
            store: Store::memory(),
            clock: Arc::default(),
        }
    }

    fn server(&self) -> Url {
        self.mcp.url().parse().unwrap()
    }

    fn profile(&self, allow: impl IntoIterator<Item = Origin>) -> HttpProfile {
        let mut profile = HttpProfile::new(self.server());
        let roots = RootCertificate::from_pem_bundle(self.ca.pem().as_bytes());
        profile.roots = Roots::Only(roots.unwrap());
        profile.addresses = AddressPolicy::allowing(allow);
        profile
    }

    fn http(&self, allow: impl IntoIterator<Item = Origin>) -> HttpClient {
        HttpClient::with_resolver(&self.profile(allow), self.names.clone()).unwrap()
    }

    /// Where nothing shows that the MCP server is near, as behind a proxy, it counts as public.
    fn http_through(&self, proxy: &Proxy, allow: impl IntoIterator<Item = Origin>) -> HttpClient {
        let mut profile = self.profile(allow);
        let proxy = Some(proxy.url().parse().unwrap());
        profile.proxy = ProxyRules::new(proxy, None, NoProxy::default());
        HttpClient::with_resolver(&profile, self.names.clone()).unwrap()
    }

    async fn proxy(&self) -> Proxy {
        let port = self.server().port().unwrap();
        let proxy = Proxy::builder().route(
            format!("mcp.test:{port}"),
            (std::net::Ipv4Addr::LOCALHOST, port).into(),
        );
        proxy.start().await.unwrap()
    }

    fn auth_origin(&self) -> Origin {
        Origin::from(&self.auth.issuer().parse::<Url>().unwrap())
    }

    fn plain(&self) -> Process {
        self.process(self.http([]), Flow::AuthorizationCode)
    }

    fn process(&self, http: HttpClient, flow: Flow) -> Process {
        let mut config = AuthorizationConfig::new(self.server());
        config.flow = flow;
        let tokens = TokenSource::builder(config, http.clone(), self.store.clone())
            .clock(self.clock.clone())
            .build();
        Process { http, tokens }
    }

    /// After a login whose server was public then. No test can connect to one, so that the record is
    /// made to say it, by which later processes go.
    async fn signed_in_and_rebound() -> Self {
        let world = Self::new().await;
        world.plain().login().await.unwrap();
        world.set_class(Some("public")).await;
        world.recorder.clear();
        world
    }

    async fn grant(&self) -> Stored<Grant> {
        let key = AuthorizationConfig::new(self.server()).grant_key();
        self.store.grant(&key).await.unwrap().unwrap()
    }

    async fn save(&self, stored: &Stored<Grant>) {
        let key = AuthorizationConfig::new(self.server()).grant_key();
        let saved = self
            .store
            .save_grant(&key, &stored.value, Some(stored.generation));
        saved.await.unwrap();
    }

    async fn set_class(&self, class: Option<&str>) {
        let mut stored = self.grant().await;
        stored.value.resource_class = class.map(str::to_owned);
        self.save(&stored).await;
    }

    async fn class(&self) -> Option<String> {
        self.grant().await.value.resource_class
    }

    fn expire(&self) {
        self.auth.advance(HOUR);
        self.mcp.advance(HOUR);
        self.clock.advance(HOUR);
    }
}

impl Process {
    async fn login(&self) -> Result<LoginReport, Error> {
        self.login_with(Person::at(3118)).await
    }

    async fn login_with(&self, person: Arc<Person>) -> Result<LoginReport, Error> {
        self.tokens.login(&Challenges::default(), person).await
    }

    async fn call(&self, world: &World) -> Result<Response<Body>, Error> {
        let message = json!({
            "jsonrpc": "2.0", "id": 1, "method": "server/discover",
            "params": { "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            } },
        });
        let request = Request::post(world.mcp.url())
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "server/discover")
            .body(Body::from(message.to_string()))
            .unwrap();
        let layer = AuthorizationLayer::new(self.tokens.clone());
        layer.layer(self.http.clone()).oneshot(request).await
    }
}

/// What the error refuses, in its whole text.
fn refused(error: &Error) -> (AddressRefused, String) {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    let why = match error {
        Error::PageRefused { source, .. } => source.downcast_ref(),
        _ => error.http().and_then(HttpError::refused_address),
    };
    let why = why.cloned().ok_or(&text).unwrap();
    (why, text)
}

#[track_caller]
fn assert_came_closer(error: &Error) {
    let (why, text) = refused(error);
    assert!(matches!(why, AddressRefused::CameCloser { .. }), "{text}");
    for word in [
        "mcp.test",
        "public at login",
        "VPN",
        "log in again",
        "`allow_origins`",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert_eq!(error.next_step(), Some(NextStep::CheckAddress), "{text}");
    assert!(!error.is_transient() && !error.needs_login(), "{text}");
}

#[tokio::test]
async fn a_server_that_was_public_at_login_is_not_followed_into_the_own_network_sec_05_sec_07() {
    let world = World::signed_in_and_rebound().await;
    // Processes that know the login from the store alone; nothing of it is in their memory.
    for process in [world.plain(), world.plain()] {
        assert_came_closer(&process.call(&world).await.unwrap_err());
        let metadata = format!(
            "{}/.well-known/oauth-protected-resource",
            world.mcp.origin()
        );
        let request = Request::get(metadata).body(Body::empty()).unwrap();
        let metadata = process.http.send(Leg::ResourceMetadata, request).await;
        assert_came_closer(&metadata.unwrap_err().into());
    }
    world.expire();
    let error = world.plain().tokens.token().await.unwrap_err();
    let (why, text) = refused(&error);
    assert!(!matches!(why, AddressRefused::CameCloser { .. }), "{text}");
    assert!(
        text.contains("token") && text.contains("127.0.0.1"),
        "{text}"
    );
    assert!(text.contains("`allow_origins`"), "{text}");
    assert_eq!(world.recorder.len(), 0, "nobody was asked");
}

#[tokio::test]
async fn a_login_that_a_person_asks_for_fixes_the_class_anew_sec_05() {
    let world = World::signed_in_and_rebound().await;
    let process = world.plain();
    assert_came_closer(&process.call(&world).await.unwrap_err());
    process.login().await.unwrap();
    assert_eq!(world.class().await.as_deref(), Some("loopback"));
    for process in [process, world.plain()] {
        let answer = process.call(&world).await.unwrap();
        assert_eq!(answer.status(), 200, "{:?}", world.mcp.refusals());
    }
    // Renewals keep it.
    world.expire();
    let later = world.plain();
    later.call(&world).await.unwrap();
    assert_eq!(world.auth.refreshes(), 1);
    assert_eq!(world.class().await.as_deref(), Some("loopback"));
}

#[tokio::test]
async fn a_login_that_a_challenge_leads_to_keeps_what_the_last_one_fixed_sec_05() {
    let world = World::signed_in_and_rebound().await;
    let person = Person::at(3118);
    let http = world.http([]);
    let config = AuthorizationConfig::new(world.server());
    let tokens = TokenSource::builder(config, http, world.store.clone())
        .clock(world.clock.clone())
        .interaction(person.clone())
        .build();
    // Nothing but a login can help.
    let mut stored = world.grant().await;
    stored.value.refresh_token = None;
    world.save(&stored).await;
    world.expire();
    let challenges = Challenges::parse(["Bearer error=\"invalid_token\""]);
    let error = tokens.rejected(None, &challenges).await.unwrap_err();
    assert_came_closer(&error);
    assert_eq!(person.asked(), 0);
    assert_eq!(world.recorder.len(), 0, "nobody was asked");
    assert_eq!(world.class().await.as_deref(), Some("public"));
}

#[tokio::test]
async fn a_login_that_fails_changes_nothing_about_it_sec_05() {
    let world = World::signed_in_and_rebound().await;
    let process = world.plain();
    world
        .auth
        .fault(FaultRule::on(Seen::Token).respond(Fault::status(500)));
    process.login().await.unwrap_err();
    assert_eq!(world.recorder.count(Seen::Token), 1, "it got that far");
    // At once, although this process had not read the grant before.
    assert_eq!(process.http.resource_class(), Some(AddressClass::Public));
    assert_came_closer(&process.call(&world).await.unwrap_err());
    assert_eq!(world.class().await.as_deref(), Some("public"));
}

#[tokio::test]
async fn of_a_login_in_two_processes_the_first_fixes_the_class_and_the_second_saves_it_sec_05() {
    let world = World::signed_in_and_rebound().await;
    let (first, second) = (world.plain(), world.plain());
    let started = first
        .tokens
        .start_login(&Challenges::default(), None)
        .await
        .unwrap();
    // Until it is finished, the grant that is there counts.
    assert_came_closer(&first.call(&world).await.unwrap_err());
    assert_came_closer(&second.call(&world).await.unwrap_err());
    let browser = doorkey_testkit::Browser::new().stop_before_callback();
    let visit = browser.open(started.url.as_str()).await.unwrap();
    second.tokens.finish_login(&visit.callback).await.unwrap();
    assert_eq!(world.class().await.as_deref(), Some("loopback"));
    assert_eq!(second.call(&world).await.unwrap().status(), 200);
    // The other one notices before long.
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(first.call(&world).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_grant_of_an_older_version_learns_the_class_with_its_next_refresh_sec_05() {
    let world = World::signed_in_and_rebound().await;
    for older in [None, Some("of a later version")] {
        world.set_class(older).await;
        let process = world.plain();
        assert_eq!(process.call(&world).await.unwrap().status(), 200);
        world.expire();
        process.call(&world).await.unwrap();
        assert_eq!(world.class().await.as_deref(), Some("loopback"));
    }
}

#[tokio::test]
async fn a_grant_that_is_noticed_during_a_login_does_not_hold_the_login_back_sec_05() {
    let world = World::signed_in_and_rebound().await;
    let process = world.plain();
    let person = Arc::new(Meanwhile {
        person: Person::at(3118),
        tokens: process.tokens.clone(),
    });
    let report = process.tokens.login(&Challenges::default(), person).await;
    report.unwrap();
    assert_eq!(world.class().await.as_deref(), Some("loopback"));
    assert_eq!(process.call(&world).await.unwrap().status(), 200);
}

/// Somebody who is shown a page while something else uses the grant that is there.
#[derive(Debug)]
struct Meanwhile {
    person: Arc<Person>,
    tokens: TokenSource,
}

impl Interaction for Meanwhile {
    fn open<'a>(
        &'a self,
        request: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        Box::pin(async move {
            self.tokens.token().await.unwrap();
            self.person.open(request).await
        })
    }
}

#[tokio::test]
async fn what_a_person_asks_first_is_not_held_to_the_last_login_and_others_are_again_after_it_sec_05()
 {
    let world = World::signed_in_and_rebound().await;
    let process = world.plain();
    assert_came_closer(&process.call(&world).await.unwrap_err());
    let asked = async {
        let request = Request::get(world.mcp.url()).body(Body::empty()).unwrap();
        process.http.send(Leg::Resource, request).await
    };
    let answer = process.tokens.asked_by_a_person(asked).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_came_closer(&process.call(&world).await.unwrap_err());
    process.login().await.unwrap();
    assert_eq!(process.call(&world).await.unwrap().status(), 200);
}

#[tokio::test]
async fn who_signed_out_is_held_to_nothing_any_more_sec_05() {
    let world = World::signed_in_and_rebound().await;
    let process = world.plain();
    assert_came_closer(&process.call(&world).await.unwrap_err());
    assert_eq!(process.http.resource_class(), Some(AddressClass::Public));
    process
        .tokens
        .logout(LogoutOptions::default())
        .await
        .unwrap();
    assert_eq!(process.http.resource_class(), None);
    let error = process.call(&world).await.unwrap_err();
    assert!(error.needs_login(), "{error}");
}

#[tokio::test]
async fn a_name_in_two_networks_stays_usable_after_the_login_and_a_restart_sec_05() {
    let world = World::new().await;
    // For documentation (RFC 5737): nobody is there. The one that answers comes first.
    let elsewhere = "203.0.113.9".parse().unwrap();
    *world.names.0.lock().unwrap() = vec![LOOPBACK, elsewhere];
    let first = world.plain();
    first.login().await.unwrap();
    assert_eq!(world.class().await.as_deref(), Some("loopback"));
    for process in [first, world.plain()] {
        assert_eq!(process.call(&world).await.unwrap().status(), 200);
    }
    world.expire();
    let later = world.plain();
    assert_eq!(later.call(&world).await.unwrap().status(), 200);
    assert_eq!(world.auth.refreshes(), 1);
}

#[tokio::test]
async fn a_public_server_whose_name_answers_with_this_machine_sends_no_code_to_it_sec_05_sec_07() {
    let world = World::new().await;
    let proxy = world.proxy().await;
    // Something of the user's own; the name of the MCP server leads to this machine as well.
    let near = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    near.set_nonblocking(true).unwrap();
    let token = format!("http://{}/token", near.local_addr().unwrap());
    let field = "token_endpoint";
    world
        .auth
        .set_field(Document::Metadata, field, json!(token));
    let process = world.process(
        world.http_through(&proxy, [world.auth_origin()]),
        Flow::AuthorizationCode,
    );
    let error = process.login().await.unwrap_err();
    let (why, text) = refused(&error);
    assert!(matches!(why, AddressRefused::Closer { .. }), "{text}");
    assert!(text.contains(&token), "{text}");
    let nobody = near.accept().unwrap_err();
    assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock, "a connection");
    assert_eq!(process.http.resource_class(), None);
}

#[tokio::test]
async fn a_public_server_has_no_browser_opened_on_this_machine_sec_07_dev_08() {
    let world = World::new().await;
    let page = "http://127.0.0.1:9/authorize";
    let field = "authorization_endpoint";
    world.auth.set_field(Document::Metadata, field, json!(page));
    let proxy = world.proxy().await;
    let process = world.process(
        world.http_through(&proxy, [world.auth_origin()]),
        Flow::AuthorizationCode,
    );
    let error = process.login().await.unwrap_err();
    let (_, text) = refused(&error);
    assert!(!text.contains("metadata request"), "{text}");
    assert!(
        matches!(error, Error::PageRefused { member, .. } if member == field),
        "{text}"
    );
    for word in [
        page,
        "`authorization_endpoint`",
        "`allow_origins`",
        &world.auth.issuer(),
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert_eq!(world.recorder.count(Seen::Authorization), 0);
    // Nor is anybody registered for a page that nobody sees.
    assert_eq!(world.recorder.count(Seen::Registration), 0);
    let error = process
        .tokens
        .start_login(&Challenges::default(), None)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::PageRefused { .. }), "{error}");
}

#[tokio::test]
async fn a_page_for_codes_is_judged_as_well_and_done_without_where_it_can_be_dev_08_sec_07() {
    let world = World::new().await;
    let answer = |page: &str, complete: &str| {
        let body = json!({
            "device_code": "d", "user_code": "WDJB-MJHT", "expires_in": 3600, "interval": 5,
            "verification_uri": page, "verification_uri_complete": complete,
        });
        FaultRule::on(Seen::DeviceAuthorization).respond(Fault::json(200, &body))
    };
    let public = "https://as.example/device";
    let proxy = world.proxy().await;
    let http = world.http_through(&proxy, [world.auth_origin()]);
    let process = world.process(http, Flow::Device);
    world
        .auth
        .fault(answer("http://127.0.0.1:9/device", public));
    let (person, mut prompts) = Person::with_codes(3118);
    let error = process.login_with(person).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::PageRefused {
                member: "verification_uri",
                ..
            }
        ),
        "{error}"
    );
    assert!(prompts.try_recv().is_err(), "nothing was shown");

    world.auth.clear_faults();
    world
        .auth
        .fault(answer(public, "http://127.0.0.1:9/device"));
    let (person, mut prompts) = Person::with_codes(3118);
    let (tokens, nothing) = (process.tokens.clone(), Challenges::default());
    let login = tokio::spawn(async move { tokens.login(&nothing, person).await });
    let shown = prompts.recv().await.unwrap();
    assert_eq!(shown.verification_uri.as_str(), public);
    assert_eq!(shown.verification_uri_complete, None);
    login.abort();
}

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// Longer than a token lives.
const HOUR: Duration = Duration::from_secs(3600 + 60);
