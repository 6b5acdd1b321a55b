//! Servers of revision 2025-03-26, and configured authorization servers.

use doorkey_discovery::{
    AuthorizationServerMetadata, ConfiguredServer, Error, Issuer, ResourceMatchKind, Source,
};
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::world::{OAUTH, OPENID, PRM, PRM_AT_PATH, World, bearer_with_metadata, told};

#[tokio::test]
async fn metadata_at_the_origin_is_used_leg_02_leg_03_leg_04_leg_08() {
    let world = World::new().await;
    let mut document = world.server_document(&world.origin());
    document["token_endpoint"] = json!(world.url("/oauth/token"));
    world.json(OAUTH, &document).await;
    let found = world.discover("Bearer").await.unwrap();
    assert_eq!(found.source, Source::LegacyMetadata);
    assert_eq!(found.server.token_endpoint.unwrap().path(), "/oauth/token");
    assert_eq!(found.resource.as_str(), world.url("/mcp"), "LEG-07");
    assert_eq!(found.match_kind, ResourceMatchKind::Derived);
    assert_eq!(
        (found.resource_metadata, found.resource_metadata_url),
        (None, None)
    );
    assert_eq!(world.asked().await, [PRM_AT_PATH, PRM, OAUTH]);
    let last = world.requests().await.pop().unwrap();
    assert!(last.headers.contains_key("mcp-protocol-version"), "LEG-08");
}

#[tokio::test]
async fn without_any_metadata_the_default_endpoints_are_used_leg_05_leg_09() {
    let world = World::new().await;
    let found = world
        .discover("Bearer error=\"invalid_token\"")
        .await
        .unwrap();
    assert_eq!(found.source, Source::LegacyDefaults);
    let endpoints = [
        found.server.authorization_endpoint,
        found.server.token_endpoint,
        found.server.registration_endpoint,
    ];
    let endpoints = endpoints.map(|url| url.unwrap().to_string());
    assert_eq!(
        endpoints,
        ["/authorize", "/token", "/register"].map(|path| world.url(path))
    );
    assert_eq!(found.server.issuer.as_str(), world.origin());
    assert_eq!(world.asked().await, [PRM_AT_PATH, PRM, OAUTH]);
}

#[tokio::test]
async fn a_web_page_for_every_path_is_no_metadata_disc_17_as_10() {
    let world = World::new().await;
    world
        .answer_everything_else(
            ResponseTemplate::new(200).set_body_raw("<!doctype html>", "text/html"),
        )
        .await;
    assert_eq!(
        world.discover("").await.unwrap().source,
        Source::LegacyDefaults
    );
}

#[tokio::test]
async fn legacy_mode_is_entered_only_for_absent_metadata_leg_01() {
    for (place, code) in [
        (PRM_AT_PATH, 500),
        (PRM, 503),
        (PRM_AT_PATH, 429),
        (PRM, 408),
    ] {
        let world = World::new().await;
        world.status(place, code).await;
        world
            .json(OAUTH, &world.server_document(&world.origin()))
            .await;
        let error = world.discover("").await.unwrap_err();
        assert!(error.is_transient(), "{place} {code}: {error}");
        assert!(
            told(&error).contains(&format!("{}: HTTP {code}", world.url(place))),
            "{}",
            told(&error)
        );
        assert_eq!(world.asked().await, [PRM_AT_PATH, PRM], "{place} {code}");
    }
}

#[tokio::test]
async fn legacy_mode_is_not_entered_when_the_challenge_named_metadata_leg_01_disc_18() {
    for code in [404, 401, 500] {
        let world = World::well_configured().await;
        world.status("/custom", code).await;
        let error = world
            .discover(&bearer_with_metadata(&world.url("/custom")))
            .await
            .unwrap_err();
        assert_eq!(error.is_transient(), code == 500, "{error}");
        assert!(matches!(
            error,
            Error::NotFound { .. } | Error::Unreachable { .. }
        ));
        assert_eq!(
            world.asked().await,
            ["/custom"],
            "DISC-18: no falling back either"
        );
    }
}

#[tokio::test]
async fn legacy_mode_can_be_forbidden_leg_01_disc_25() {
    let mut world = World::new().await;
    world.options.legacy = false;
    world
        .json(OAUTH, &world.server_document(&world.origin()))
        .await;
    let error = world.discover("").await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    assert!(!error.is_transient());
    assert_eq!(error.attempts().unwrap().iter().count(), 2);
    assert_eq!(world.asked().await, [PRM_AT_PATH, PRM]);
}

#[tokio::test]
async fn trouble_with_the_legacy_document_rules_the_defaults_out_leg_03_as_09() {
    for code in [500, 503, 429] {
        let world = World::new().await;
        world.status(OAUTH, code).await;
        let error = world.discover("").await.unwrap_err();
        assert!(error.is_transient(), "{code}: {error}");
        let listed: Vec<_> = error
            .attempts()
            .unwrap()
            .iter()
            .map(|attempt| attempt.place().to_owned())
            .collect();
        assert_eq!(
            listed,
            [PRM_AT_PATH, PRM, OAUTH].map(|place| world.url(place)),
            "every attempt, {code}"
        );
        assert!(told(&error).contains(&format!("{}: HTTP {code}", world.url(OAUTH))));
    }
    let world = World::new().await;
    world
        .json(
            OAUTH,
            &world.server_document("https://attacker.example.com"),
        )
        .await;
    assert!(matches!(
        world.discover("").await,
        Err(Error::IssuerMismatch { .. })
    ));
    assert!(!world.asked().await.contains(&OPENID.to_owned()));
}

#[tokio::test]
async fn a_configured_issuer_stands_in_for_missing_metadata_disc_25() {
    let mut world = World::new().await;
    let issuer = world.url("/own");
    world
        .json(&format!("{OAUTH}/own"), &world.server_document(&issuer))
        .await;
    world.options.authorization_server =
        Some(ConfiguredServer::Issuer(Issuer::new(issuer.as_str())));
    let found = world.discover("").await.unwrap();
    assert_eq!(
        (found.source, found.server.issuer.as_str()),
        (Source::Configured, issuer.as_str())
    );
    assert_eq!(found.resource.as_str(), world.url("/mcp"));
}

#[tokio::test]
async fn configured_metadata_needs_no_request_of_its_own_disc_13() {
    let mut world = World::new().await;
    let mut document = world.resource_document();
    document["authorization_servers"] = json!([]);
    world.json(PRM_AT_PATH, &document).await;
    let metadata = AuthorizationServerMetadata::new(Issuer::new("https://as.example"));
    world.options.authorization_server =
        Some(ConfiguredServer::Metadata(Box::new(metadata.clone())));
    let found = world.discover("").await.unwrap();
    assert_eq!((found.source, found.server), (Source::Configured, metadata));
    assert!(found.resource_metadata.is_some());
    assert_eq!(world.asked().await, [PRM_AT_PATH]);
}

#[tokio::test]
async fn configured_metadata_stands_in_for_the_document_of_a_listed_issuer_and_of_no_other_disc_01()
{
    let mut world = World::well_configured().await;
    let issuer = Issuer::new(world.origin());
    let mut metadata = AuthorizationServerMetadata::new(issuer);
    metadata.token_endpoint = Some("https://tokens.example/own".parse().unwrap());
    world.options.authorization_server =
        Some(ConfiguredServer::Metadata(Box::new(metadata.clone())));
    let found = world.discover("").await.unwrap();
    assert_eq!(
        (found.source, &found.server),
        (Source::PathWellKnown, &metadata)
    );
    assert_eq!(world.asked().await, [PRM_AT_PATH]);

    let other = AuthorizationServerMetadata::new(Issuer::new("https://as.example"));
    world.options.authorization_server = Some(ConfiguredServer::Metadata(Box::new(other)));
    let found = world.discover("").await.unwrap();
    assert_eq!(found.server.issuer.as_str(), world.origin());
    assert_ne!(found.server.token_endpoint, metadata.token_endpoint);
}

#[tokio::test]
async fn explicit_endpoints_need_no_place_that_answers_disc_25() {
    let metadata = AuthorizationServerMetadata::new(Issuer::new("https://as.example"));
    let explicit = ConfiguredServer::Metadata(Box::new(metadata));
    let issuer = ConfiguredServer::Issuer(Issuer::new("https://as.example"));
    for (place, status) in [("", 500), ("", 404), ("/lost", 404), ("/lost", 502)] {
        let mut world = World::new().await;
        world
            .answer_everything_else(ResponseTemplate::new(status))
            .await;
        let challenge = match place {
            "" => "Bearer".to_owned(),
            place => bearer_with_metadata(&world.url(place)),
        };
        world.options.authorization_server = Some(explicit.clone());
        let found = world.discover(&challenge).await.unwrap();
        assert_eq!(found.source, Source::Configured, "{place} {status}");
        assert_eq!(found.resource.as_str(), world.url("/mcp"));
        let most = if place.is_empty() { 2 } else { 1 };
        assert_eq!(world.asked().await.len(), most, "{place} {status}");
        // An issuer alone is no such word: what its server publishes is to be had as well.
        world.options.authorization_server = Some(issuer.clone());
        if !place.is_empty() || status >= 500 {
            world.discover(&challenge).await.unwrap_err();
            assert_eq!(world.asked().await.len(), 2 * most);
        }
    }
}

#[tokio::test]
async fn published_servers_come_before_a_configured_one_disc_01() {
    let mut world = World::well_configured().await;
    world.options.authorization_server =
        Some(ConfiguredServer::Issuer(Issuer::new("https://as.example")));
    assert_eq!(
        world.discover("").await.unwrap().server.issuer.as_str(),
        world.origin()
    );
}
