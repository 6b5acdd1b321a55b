//! The library at TRACE: what every crate logs, and what errors and values show of themselves.

use std::{sync::Arc, time::Duration};

use doorkey::{Environment, Host, LoginOutcome, Silent};
use doorkey_oauth::{Interaction, LogoutOptions};
use doorkey_testkit::{ClientAuthMethod, Fault, FaultRule, Leg, Proxy};
use integration::{Home, LIMIT, World};

use super::{
    echo::{Echo, Manner},
    evidence::{Evidence, Place, leaks},
    log::{Log, runtime, shown},
    secrets::{Crossed, Kind, Secret},
    values,
};

#[test]
fn login_refresh_and_every_failure_log_and_show_no_secret() {
    let servers = runtime();
    let (world, proxy) = servers.block_on(async {
        let world = World::with(
            |auth| auth.registration_auth_method(ClientAuthMethod::Basic),
            |mcp| mcp,
        );
        let proxy = Proxy::builder()
            .credentials("person", PROXY_PASSWORD)
            .start();
        (world.await, proxy.await.expect("a free port"))
    });
    let settings = format!(
        "http_headers = {{ x-api-key = {HEADER:?} }}\n\
         env_http_headers = {{ x-env-key = \"API_KEY\" }}"
    );
    let home = Home::new(&world, &settings);
    let environment = Environment::new(home.variables())
        .with_variable("API_KEY", HEADER_FROM_VARIABLE)
        .with_variable(
            "HTTPS_PROXY",
            format!("http://person:{PROXY_PASSWORD}@{}", proxy.addr()),
        );

    let log = Log::default();
    let mut evidence = log.listen(|| {
        let person = {
            // The browser is no part of the library: it runs where the servers do.
            let _entered = servers.enter();
            world.person.interaction()
        };
        session(&world, &home, &environment, person)
    });
    evidence.push(log.evidence());

    let headers = [
        ("x-api-key", Kind::HeaderValue),
        ("x-env-key", Kind::HeaderFromVariable),
    ];
    assert!(proxy.requests().iter().any(|request| request.status == 200));
    let secrets = Crossed::of(&world.recorder.requests(), &headers)
        .and(Secret::new(Kind::ProxyPassword, PROXY_PASSWORD))
        .proven(&[
            Kind::AccessToken,
            Kind::RefreshToken,
            Kind::ClientSecret,
            Kind::RegistrationAccessToken,
            Kind::AuthorizationCode,
            Kind::Verifier,
            Kind::State,
            Kind::HeaderValue,
            Kind::HeaderFromVariable,
        ]);
    // rustls is built without its log.
    log.assert_from(&["doorkey", "h2", "hyper_util", "reqwest", "rmcp"]);
    let pages = world.person.urls();
    let evidence: Vec<_> = evidence
        .into_iter()
        .map(|said| match said.place {
            Place::Text => said.without_page(&pages),
            _ => said,
        })
        .collect();
    let leaks = leaks(&secrets, &evidence);
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

#[test]
fn a_token_endpoint_that_repeats_the_request_is_not_repeated_by_the_error() {
    let servers = runtime();
    for manner in Manner::ALL {
        let (echo, sent) = servers.block_on(Echo::start(manner));
        let home = Home::new(&echo.world, "");
        let log = Log::default();
        let mut evidence = log.listen(|| {
            let person = {
                let _entered = servers.enter();
                echo.world.person.interaction()
            };
            async {
                let host = home.host();
                let outcome = host.login(Home::SERVER, person, &Silent).await;
                let error = outcome.expect_err("a login that fails");
                shown(&format!("{manner:?}"), &error)
            }
        });
        evidence.push(log.evidence());
        let leaks = leaks(&sent.secrets(), &evidence);
        assert!(leaks.is_empty(), "{manner:?}:\n{}", leaks.join("\n"));
        echo.stop();
    }
}

/// A whole life: login, calls, refresh, failures of every kind, logout.
async fn session(
    world: &World,
    home: &Home,
    environment: &Environment,
    person: Arc<dyn Interaction>,
) -> Vec<Evidence> {
    let open = || Host::open(environment.clone()).expect("a home");
    let host = open();
    let overheard = Arc::new(values::Overheard::new(Arc::clone(&person)));
    let progress = values::Steps::default();
    let outcome = host.login(Home::SERVER, overheard.clone(), &progress).await;
    let outcome = outcome.expect("a login");
    assert!(matches!(outcome, LoginOutcome::SignedIn { .. }));
    let mut evidence = values::of_host(&host, Home::SERVER).await;
    evidence.push(values::debug("the outcome of a login", &outcome));
    evidence.push(values::debug("the loopback listener", &person));
    evidence.push(overheard.evidence());
    evidence.push(progress.evidence());

    let connection = host.connect(Home::SERVER).await.expect("a connection");
    evidence.push(values::debug("a connection", &connection));
    connection.list_tools().await.expect("tools");
    connection.close(Duration::from_secs(5)).await;
    home.expire().await;
    host.check(Home::SERVER).await.expect("a refresh");

    evidence.extend(failures(world, home, &open).await);
    let host = open();
    let outcome = host.login(Home::SERVER, person, &Silent).await;
    outcome.expect("another login");
    let options = LogoutOptions::default().forget_client(true);
    let report = host.logout(Home::SERVER, options).await;
    evidence.push(values::debug("a logout", &report.expect("a logout")));
    assert!(host.drain(LIMIT).await);
    evidence
}

/// Refreshes that fail in each way, and a resource that does, each with the secrets in what is said.
async fn failures(world: &World, home: &Home, open: &dyn Fn() -> Host) -> Vec<Evidence> {
    let grant = home.grant().await.expect("a login").value;
    let texts = [
        &grant.refresh_token,
        &grant.access_token,
        &grant.client_secret,
    ];
    let texts: Vec<_> = texts
        .into_iter()
        .flatten()
        .map(secrecy::ExposeSecret::expose_secret)
        .collect();
    let said = texts.join(" and ");
    let encoded: String = url::form_urlencoded::byte_serialize(said.as_bytes()).collect();
    let page = format!("<html><body>{said}</body></html>");
    let elsewhere = format!(
        "{}/elsewhere/{encoded}?{encoded}#{encoded}",
        world.auth.url()
    );
    let mut evidence = Vec::new();
    for fault in [
        Fault::oauth_error(503, "temporarily_unavailable", &said),
        Fault::Status(502, Vec::new(), page.clone()),
        Fault::Status(200, Vec::new(), page),
        Fault::Status(200, Vec::new(), said.clone()),
        Fault::Redirect(elsewhere),
        Fault::Truncated,
        Fault::Refuse,
        Fault::oauth_error(400, "invalid_grant", &said),
    ] {
        let name = format!("{fault:?}").chars().take(20).collect::<String>();
        home.expire().await;
        world.auth.fault(FaultRule::on(Leg::Token).respond(fault));
        let error = open().check(Home::SERVER).await;
        evidence.extend(shown(&name, &error.expect_err("a failure")));
        world.auth.clear_faults();
    }
    evidence
}

const HEADER: &str = "library-header-6Rf1Wc8Ka3Tz9Qp5";
const HEADER_FROM_VARIABLE: &str = "library-variable-2Hb7Ny4Ls0Xv6Gd";
const PROXY_PASSWORD: &str = "library-proxy-8Je3Mu5Fo1Ik7Bt";
