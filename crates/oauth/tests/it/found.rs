//! Discovery as a login meets it: which server is chosen, and what ends the login before anybody is
//! asked anything (DISC-14, DISC-17, DISC-18, AS-04 to AS-12, AS-20, LEG-01, REG-06, REG-07).

use std::sync::Arc;
use std::time::Duration;

use doorkey_discovery::Error as DiscoveryError;
use doorkey_http::Leg;
use doorkey_oauth::{Challenges, ClientChoice, Error, Issuer, LoginReport, NextStep, TokenSource};
use doorkey_store::Store;
use http::HeaderMap;
use http::header::RETRY_AFTER;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::world::World;

const FIRST: &str = "https://first.example";
const SECOND: &str = "https://second.example";

/// A resource that lists these servers, one of which publishes its metadata.
fn guarded_by(world: &World, listed: &[&str], publishing: &str) {
    world.set().issuers = listed.iter().map(|issuer| (*issuer).to_owned()).collect();
    let document = json!({
        "issuer": publishing,
        "authorization_endpoint": format!("{publishing}/authorize"),
        "token_endpoint": format!("{publishing}/token"),
        "registration_endpoint": format!("{publishing}/register"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
    });
    world.set().metadata = document;
}

async fn login(world: &World, source: &TokenSource) -> Result<LoginReport, Error> {
    let browser = Arc::new(Browser::new(world));
    source.login(&Challenges::default(), browser).await
}

/// The hosts that were asked for their metadata.
fn asked(world: &World) -> Vec<String> {
    let requests = world.seen(Leg::AuthorizationServerMetadata);
    let hosts = requests.iter().map(|seen| seen.url.host_str().unwrap());
    hosts.map(str::to_owned).collect()
}

fn of_client(world: &World, issuer: Option<&str>) -> doorkey_oauth::AuthorizationConfig {
    let mut config = world.config();
    config.client = ClientChoice::Static {
        client_id: String::from("mine"),
        client_secret: None,
        signing_key: None,
        issuer: issuer.map(Issuer::new),
        auth_method: None,
    };
    config
}

#[tokio::test]
async fn of_several_servers_the_one_that_knows_us_is_gone_to_and_else_the_first_disc_14() {
    // A stranger goes to the first.
    let world = World::new();
    guarded_by(&world, &[FIRST, SECOND], FIRST);
    let report = login(&world, &world.source(&Store::memory())).await;
    assert_eq!(report.unwrap().issuer.as_str(), FIRST);
    assert_eq!(asked(&world), ["first.example"]);

    // A registration that another account made at the second is reason enough to go there.
    let world = World::new();
    let store = Store::memory();
    guarded_by(&world, &[SECOND], SECOND);
    let mut config = world.config();
    config.account = String::from("work");
    world.signed_in(&world.source_with(config, &store)).await;
    guarded_by(&world, &[FIRST, SECOND], SECOND);
    let report = login(&world, &world.source(&store)).await.unwrap();
    assert_eq!(report.issuer.as_str(), SECOND);
    assert!(!report.registered);
    assert_eq!(asked(&world), ["second.example"]);

    // So is a grant of a client that never registered.
    let world = World::new();
    let store = Store::memory();
    let source = world.source_with(of_client(&world, None), &store);
    guarded_by(&world, &[SECOND], SECOND);
    world.signed_in(&source).await;
    guarded_by(&world, &[FIRST, SECOND], SECOND);
    let report = login(&world, &source).await.unwrap();
    assert_eq!(report.issuer.as_str(), SECOND);
    assert_eq!(asked(&world), ["second.example"]);

    // And a client that was registered there by hand.
    let world = World::new();
    guarded_by(&world, &[FIRST, SECOND], SECOND);
    let source = world.source_with(of_client(&world, Some(SECOND)), &Store::memory());
    let report = login(&world, &source).await.unwrap();
    assert_eq!(report.issuer.as_str(), SECOND);
    assert_eq!(asked(&world), ["second.example"]);
}

#[tokio::test]
async fn a_server_that_knows_us_and_is_not_listed_is_not_gone_to_disc_14_reg_06_reg_04() {
    let world = World::new();
    world.set().numbers_clients = true;
    let store = Store::memory();
    let source = world.source(&store);
    guarded_by(&world, &[FIRST], FIRST);
    world.signed_in(&source).await;

    guarded_by(&world, &[SECOND], SECOND);
    let browser = Arc::new(Browser::new(&world));
    let report = source
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap();
    assert!(report.registered);
    assert_eq!(asked(&world), ["second.example"]);
    // Registered there before anything was asked, and nothing of the first was shown to it.
    assert_eq!(browser.asked("client_id"), [["client-2"]]);
    for seen in world.all() {
        assert!(!String::from_utf8_lossy(&seen.body).contains("client-1"));
        assert_ne!(seen.url.host_str(), Some("first.example"));
    }

    // Each keeps its own: back at the first, nothing is registered.
    guarded_by(&world, &[FIRST], FIRST);
    world.start_over();
    let report = login(&world, &source).await.unwrap();
    assert!(!report.registered);
    let grant = source.grant().await.unwrap().unwrap().value;
    assert_eq!(
        (grant.issuer.as_str(), grant.client_id.as_str()),
        (FIRST, "client-1")
    );
}

#[tokio::test]
async fn a_metadata_document_goes_along_to_another_server_reg_07() {
    let world = World::new();
    let mut config = world.config();
    let url = "https://client.example/metadata.json";
    config.client = ClientChoice::Auto {
        metadata_url: Some(url.parse().unwrap()),
    };
    let source = world.source_with(config, &Store::memory());
    for issuer in [FIRST, SECOND] {
        guarded_by(&world, &[issuer], issuer);
        world.set().metadata["client_id_metadata_document_supported"] = json!(true);
        let browser = Arc::new(Browser::new(&world));
        let report = source
            .login(&Challenges::default(), browser.clone())
            .await
            .unwrap();
        assert_eq!(report.issuer.as_str(), issuer);
        assert_eq!(browser.asked("client_id"), [[url]]);
    }
    assert!(world.seen(Leg::Registration).is_empty());
}

/// What a login that failed in discovery is: passing, or for somebody to correct.
async fn fails_before_the_page(world: &World, challenges: &Challenges, case: &str) -> Error {
    let browser = Arc::new(Browser::new(world));
    let source = world.source(&Store::memory());
    let error = source.login(challenges, browser.clone()).await.unwrap_err();
    assert!(browser.hints().is_empty(), "{case}: {error:?}");
    assert!(world.seen(Leg::Registration).is_empty(), "{case}");
    assert!(world.seen(Leg::Token).is_empty(), "{case}");
    assert!(!error.needs_login(), "{case}");
    let retry = matches!(error.next_step(), Some(NextStep::Retry { .. }));
    assert_eq!(retry, error.is_transient(), "{case}");
    error
}

fn discovery(error: &Error) -> Option<&DiscoveryError> {
    match error {
        Error::Discovery(cause) => Some(cause),
        _ => None,
    }
}

/// Answers that say nothing about where a document is. 418 stands for a reset connection.
const TROUBLE: [(u16, &str); 6] = [
    (500, "<html>Internal</html>"),
    (502, ""),
    (503, "{}"),
    (429, ""),
    (408, ""),
    (418, ""),
];
/// Answers that say it is not here.
const ABSENT: [(u16, &str); 8] = [
    (404, ""),
    (405, ""),
    (401, ""),
    (403, "<html>Forbidden</html>"),
    (200, "<html>Home</html>"),
    (200, ""),
    (200, r#"{"issuer":"https://as.exa"#),
    (200, r#"["x"]"#),
];

#[tokio::test]
async fn trouble_with_a_document_ends_the_login_for_now_disc_17_as_11_leg_01() {
    for leg in [Leg::ResourceMetadata, Leg::AuthorizationServerMetadata] {
        for (status, body) in TROUBLE {
            for second in [(status, body), (404, "")] {
                let world = World::new();
                world.script(leg, status, body);
                world.script(leg, second.0, second.1);
                let case = format!("{leg} {status} {body}");
                let none = Challenges::default();
                let error = fails_before_the_page(&world, &none, &case).await;
                assert!(error.is_transient(), "{case}: {error:?}");
                let cause = discovery(&error);
                assert!(
                    matches!(cause, Some(DiscoveryError::Unreachable { .. })),
                    "{error:?}"
                );
                // Both places were asked, and nobody guesses endpoints.
                assert_eq!(world.seen(leg).len(), 2, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_is_busy_says_when_to_come_again_err_09_as_11() {
    let after = Some(Duration::from_secs(30));
    for leg in [
        Leg::ResourceMetadata,
        Leg::AuthorizationServerMetadata,
        Leg::Registration,
    ] {
        for (status, body) in [(503, ""), (429, r#"{"error":"slow_down"}"#)] {
            let world = World::new();
            for _ in 0..2 {
                let headers = HeaderMap::from_iter([(RETRY_AFTER, "30".parse().unwrap())]);
                world.script_with(leg, status, body, headers);
            }
            let error = login(&world, &world.source(&Store::memory())).await;
            let error = error.unwrap_err();
            assert!(error.is_transient(), "{leg} {status}");
            let step = Some(NextStep::Retry { after });
            assert_eq!(error.next_step(), step, "{leg} {status}: {error:?}");
        }
    }
}

#[tokio::test]
async fn trouble_at_one_place_is_no_matter_where_the_next_has_the_document_disc_17_as_10_as_11() {
    for leg in [Leg::ResourceMetadata, Leg::AuthorizationServerMetadata] {
        for (status, body) in TROUBLE.into_iter().chain(ABSENT) {
            let world = World::new();
            // The root document speaks for the origin (DISC-06).
            world.set().resource = String::from("https://mcp.example");
            if leg == Leg::AuthorizationServerMetadata {
                world.set().resource = crate::world::SERVER.to_owned();
            }
            world.script(leg, status, body);
            let report = login(&world, &world.source(&Store::memory())).await;
            assert!(report.is_ok(), "{leg} {status} {body}: {report:?}");
            assert_eq!(world.seen(leg).len(), 2, "{leg} {status} {body}");
        }
    }
}

#[tokio::test]
async fn a_server_without_a_document_ends_the_login_for_good_as_10_as_12() {
    let leg = Leg::AuthorizationServerMetadata;
    for (status, body) in ABSENT {
        let world = World::new();
        world.script(leg, status, body);
        world.script(leg, status, body);
        let case = format!("{status} {body}");
        let error = fails_before_the_page(&world, &Challenges::default(), &case).await;
        assert!(!error.is_transient(), "{case}: {error:?}");
        let cause = discovery(&error);
        assert!(
            matches!(cause, Some(DiscoveryError::NotFound { .. })),
            "{error:?}"
        );
        assert_eq!(world.seen(leg).len(), 2, "{case}");
    }
}

#[tokio::test]
async fn documents_that_cannot_be_right_end_the_login_for_good_as_07_as_12_as_14_disc_11_disc_13() {
    type Change = fn(&World);
    fn member(world: &World, name: &str, value: Value) {
        world.set().metadata[name] = value;
    }
    let cases: [(&str, Change); 10] = [
        ("another resource", |world| {
            world.set().resource = String::from("https://evil.example/mcp");
        }),
        ("a sibling", |world| {
            world.set().resource = String::from("https://mcp.example/other");
        }),
        ("nobody listed", |world| world.set().issuers = Vec::new()),
        ("another issuer", |world| {
            member(world, "issuer", json!("https://evil.example"));
        }),
        ("an issuer with a slash", |world| {
            member(world, "issuer", json!("https://as.example/"));
        }),
        ("no issuer", |world| member(world, "issuer", json!(null))),
        ("no token endpoint", |world| {
            member(world, "token_endpoint", json!(null));
        }),
        ("a token endpoint of no URL", |world| {
            member(world, "token_endpoint", json!(7));
        }),
        ("a token endpoint in the clear", |world| {
            member(world, "token_endpoint", json!("http://as.example/token"));
        }),
        ("a page in the clear", |world| {
            member(
                world,
                "authorization_endpoint",
                json!("http://as.example/authorize"),
            );
        }),
    ];
    for (case, change) in cases {
        let world = World::new();
        change(&world);
        let error = fails_before_the_page(&world, &Challenges::default(), case).await;
        assert!(!error.is_transient(), "{case}: {error:?}");
        assert!(
            matches!(error, Error::Discovery(_) | Error::UnsupportedServer { .. }),
            "{case}: {error:?}"
        );
    }
}

#[tokio::test]
async fn the_url_of_the_challenge_is_all_that_is_asked_disc_18() {
    let challenge = r#"Bearer resource_metadata="https://mcp.example/custom/metadata.json""#;
    let challenges = Challenges::parse([challenge]);
    for (status, body) in TROUBLE.into_iter().chain(ABSENT) {
        let world = World::new();
        world.script(Leg::ResourceMetadata, status, body);
        let case = format!("{status} {body}");
        let error = fails_before_the_page(&world, &challenges, &case).await;
        assert!(discovery(&error).is_some(), "{case}: {error:?}");
        let places = world.seen(Leg::ResourceMetadata);
        assert_eq!(places.len(), 1, "{case}");
        assert_eq!(places[0].url.path(), "/custom/metadata.json");
        assert!(asked(&world).is_empty(), "{case}");
    }
}

#[tokio::test]
async fn without_s256_nobody_is_asked_wherever_the_document_was_as_20_con_08() {
    let methods = [
        json!(null),
        json!([]),
        json!(["plain"]),
        json!(["s256"]),
        json!(["S384"]),
    ];
    for methods in methods {
        for place in ["oauth", "openid", "2025-03-26"] {
            let world = World::new();
            world.set().metadata["code_challenge_methods_supported"] = methods.clone();
            match place {
                "openid" => world.script(Leg::AuthorizationServerMetadata, 404, ""),
                "2025-03-26" => {
                    for _ in 0..2 {
                        world.script(Leg::ResourceMetadata, 404, "");
                    }
                    world.set().metadata["issuer"] = json!("https://mcp.example");
                }
                _ => {}
            }
            let case = format!("{methods} {place}");
            let error = fails_before_the_page(&world, &Challenges::default(), &case).await;
            assert!(
                matches!(error, Error::PkceUnsupported { silent, .. } if silent == methods.is_null()),
                "{case}: {error:?}"
            );
        }
    }
}
