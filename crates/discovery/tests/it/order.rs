//! Which places are asked, in which order, and with which headers.

use doorkey_discovery::{Challenges, Error, ResourceMatchKind, Source};
use serde_json::json;
use wiremock::matchers::{path, query_param};
use wiremock::{Mock, ResponseTemplate};

use crate::world::{OAUTH, OPENID, PRM, PRM_AT_PATH, World, bearer_with_metadata};

#[tokio::test]
async fn a_well_configured_server_takes_two_requests() {
    let world = World::well_configured().await;
    let challenge = bearer_with_metadata(&world.url(PRM_AT_PATH));
    for (challenge, source) in [
        (challenge.as_str(), Source::Challenge),
        ("Bearer", Source::PathWellKnown),
        ("", Source::PathWellKnown),
    ] {
        world.server.reset().await;
        world.json(PRM_AT_PATH, &world.resource_document()).await;
        world
            .json(OAUTH, &world.server_document(&world.origin()))
            .await;
        let found = world.discover(challenge).await.unwrap();
        assert_eq!(found.source, source);
        assert_eq!(found.resource.as_str(), world.url("/mcp"));
        assert_eq!(found.match_kind, ResourceMatchKind::Exact);
        assert_eq!(found.server.token_endpoint.unwrap().path(), "/token");
        assert_eq!(found.resource_metadata_url.unwrap().path(), PRM_AT_PATH);
        assert_eq!(world.asked().await, [PRM_AT_PATH, OAUTH]);
    }
}

#[tokio::test]
async fn requests_are_plain_gets_without_credentials_disc_05_disc_28_use_04() {
    let world = World::well_configured().await;
    world.discover("").await.unwrap();
    for request in world.requests().await {
        assert_eq!(request.method.as_str(), "GET");
        assert_eq!(request.headers["accept"], "application/json");
        assert_eq!(request.headers["mcp-protocol-version"], "2025-11-25");
        assert!(request.headers.contains_key("user-agent"));
        assert!(!request.headers.contains_key("authorization"));
        assert!(!request.headers.contains_key("cookie"));
    }
}

#[tokio::test]
async fn the_version_header_can_be_left_out_disc_28() {
    let mut world = World::well_configured().await;
    world.options.protocol_version = None;
    world.discover("").await.unwrap();
    assert!(
        world
            .requests()
            .await
            .iter()
            .all(|request| !request.headers.contains_key("mcp-protocol-version"))
    );
}

#[tokio::test]
async fn the_url_of_the_challenge_is_asked_alone_disc_02_disc_18() {
    let world = World::well_configured().await;
    world
        .json("/custom/metadata.json", &world.resource_document())
        .await;
    let found = world
        .discover(&bearer_with_metadata(
            &world.url("/custom/metadata.json#part"),
        ))
        .await
        .unwrap();
    assert_eq!(found.source, Source::Challenge);
    assert_eq!(world.asked().await, ["/custom/metadata.json", OAUTH]);
}

#[tokio::test]
async fn a_dpop_challenge_names_the_metadata_as_well_www_10() {
    let world = World::well_configured().await;
    world.json("/custom", &world.resource_document()).await;
    let challenge = format!(
        "DPoP algs=\"ES256\", resource_metadata=\"{}\"",
        world.url("/custom")
    );
    assert_eq!(
        world.discover(&challenge).await.unwrap().source,
        Source::Challenge
    );
}

#[tokio::test]
async fn a_broken_challenge_leads_to_the_well_known_places_www_12() {
    let world = World::well_configured().await;
    let custom = world.url("/custom");
    for challenge in [
        format!("Bearer resource_metadata=\"{custom}"),
        format!("Bearer resource_metadata=\"{custom}\", resource_metadata=\"{custom}\""),
        format!(
            "Bearer realm=\"{}\", resource_metadata=\"{custom}\"",
            "x".repeat(20_000)
        ),
        format!("Basic resource_metadata=\"{custom}\""),
    ] {
        assert_eq!(
            world.discover(&challenge).await.unwrap().source,
            Source::PathWellKnown
        );
    }
    assert!(!world.asked().await.contains(&"/custom".to_owned()));
}

#[tokio::test]
async fn the_root_document_of_the_bare_origin_comes_second_disc_02_disc_12() {
    let world = World::new().await;
    let issuer = world.url("/tenant1");
    world
        .json(
            PRM,
            &world.resource_document_for(&world.origin(), &[&issuer]),
        )
        .await;
    world
        .json(&format!("{OAUTH}/tenant1"), &world.server_document(&issuer))
        .await;
    let found = world.discover("Bearer").await.unwrap();
    assert_eq!(found.source, Source::RootWellKnown);
    assert_eq!(
        found.resource.as_str(),
        world.origin(),
        "without a slash at its end"
    );
    assert_eq!(
        world.asked().await,
        [PRM_AT_PATH, PRM, &format!("{OAUTH}/tenant1")]
    );
}

#[tokio::test]
async fn an_issuer_with_a_path_is_never_looked_for_at_the_root_as_02_as_04() {
    let world = World::new().await;
    let issuer = world.url("/tenant1");
    world
        .json(
            PRM_AT_PATH,
            &world.resource_document_for(&world.url("/mcp"), &[&issuer]),
        )
        .await;
    world
        .json(
            &format!("/tenant1{OPENID}"),
            &world.server_document(&issuer),
        )
        .await;
    world.json(OAUTH, &world.server_document(&issuer)).await;
    let found = world.discover("").await.unwrap();
    assert!(found.server.is_openid, "by its place, AS-01");
    let (oauth, openid) = (format!("{OAUTH}/tenant1"), format!("{OPENID}/tenant1"));
    assert_eq!(
        world.asked().await,
        [PRM_AT_PATH, &oauth, &openid, &format!("/tenant1{OPENID}")]
    );
}

#[tokio::test]
async fn an_issuer_without_a_path_has_an_openid_document_second_as_03() {
    let world = World::new().await;
    world.json(PRM_AT_PATH, &world.resource_document()).await;
    world
        .json(OPENID, &world.server_document(&world.origin()))
        .await;
    assert!(world.discover("").await.unwrap().server.is_openid);
    assert_eq!(world.asked().await, [PRM_AT_PATH, OAUTH, OPENID]);
}

#[tokio::test]
async fn a_server_without_a_path_has_one_place_disc_04() {
    let world = World::new().await;
    let server = world.origin().parse().unwrap();
    let error = world
        .discovery()
        .resource_metadata(&server, &Challenges::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }));
    assert_eq!(world.asked().await, [PRM]);
}

#[tokio::test]
async fn the_query_of_the_server_is_kept_in_its_place_disc_03() {
    let world = World::new().await;
    let server = world.url("/mcp?tenant=1#part");
    let document = world.resource_document_for(&world.url("/mcp?tenant=1"), &[world.origin()]);
    Mock::given(path(PRM_AT_PATH))
        .and(query_param("tenant", "1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(document))
        .mount(&world.server)
        .await;
    let found = world
        .discovery()
        .resource_metadata(&server.parse().unwrap(), &Challenges::default())
        .await
        .unwrap();
    assert_eq!(found.match_kind, ResourceMatchKind::Exact);
    assert_eq!(found.metadata.resource.as_str(), world.url("/mcp?tenant=1"));
}

#[tokio::test]
async fn every_call_asks_anew_disc_19_disc_27() {
    let world = World::well_configured().await;
    let discovery = world.discovery();
    let challenges = Challenges::default();
    discovery.discover(&world.mcp(), &challenges).await.unwrap();
    world.server.reset().await;
    let moved = world.url("/moved");
    world
        .json(
            PRM_AT_PATH,
            &world.resource_document_for(&world.url("/mcp"), &[&moved]),
        )
        .await;
    world
        .json(&format!("{OAUTH}/moved"), &world.server_document(&moved))
        .await;
    let found = discovery.discover(&world.mcp(), &challenges).await.unwrap();
    assert_eq!(found.server.issuer.as_str(), moved);
}

#[tokio::test]
async fn the_content_type_does_not_decide() {
    let world = World::new().await;
    let wrong_type = |document: &serde_json::Value| {
        ResponseTemplate::new(200).set_body_raw(document.to_string(), "text/html; charset=utf-8")
    };
    world
        .answer(PRM_AT_PATH, wrong_type(&world.resource_document()))
        .await;
    world
        .answer(OAUTH, wrong_type(&world.server_document(&world.origin())))
        .await;
    assert!(world.discover("").await.is_ok());
}

#[tokio::test]
async fn a_redirect_on_the_same_origin_is_followed_sec_06() {
    let world = World::new().await;
    world
        .answer(
            PRM_AT_PATH,
            ResponseTemplate::new(301).insert_header("location", "/elsewhere.json"),
        )
        .await;
    world
        .json("/elsewhere.json", &world.resource_document())
        .await;
    world
        .json(OAUTH, &world.server_document(&world.origin()))
        .await;
    assert_eq!(
        world.discover("").await.unwrap().source,
        Source::PathWellKnown
    );
}

#[tokio::test]
async fn signed_metadata_is_ignored_disc_21_as_17() {
    let world = World::new().await;
    let mut document = world.resource_document();
    document["signed_metadata"] =
        json!("eyJhbGciOiJub25lIn0.eyJyZXNvdXJjZSI6Imh0dHBzOi8vZXZpbCJ9.");
    world.json(PRM_AT_PATH, &document).await;
    let mut document = world.server_document(&world.origin());
    document["signed_metadata"] = json!("eyJhbGciOiJub25lIn0.eyJpc3N1ZXIiOiJodHRwczovL2V2aWwifQ.");
    world.json(OAUTH, &document).await;
    assert_eq!(
        world.discover("").await.unwrap().server.issuer.as_str(),
        world.origin()
    );
}

#[tokio::test]
async fn metadata_is_not_kept_whatever_its_headers_allow_disc_20() {
    let world = World::new().await;
    let documents = [
        (PRM_AT_PATH, world.resource_document()),
        (OAUTH, world.server_document(&world.origin())),
    ];
    for (place, document) in documents {
        let answer = ResponseTemplate::new(200)
            .set_body_json(document)
            .insert_header("cache-control", "public, max-age=86400, immutable")
            .insert_header("etag", "\"1\"");
        world.answer(place, answer).await;
    }
    let discovery = world.discovery();
    for _ in 0..2 {
        let none = Challenges::default();
        discovery.discover(&world.mcp(), &none).await.unwrap();
    }
    assert_eq!(
        world.asked().await,
        [PRM_AT_PATH, OAUTH, PRM_AT_PATH, OAUTH]
    );
    let requests = world.requests().await;
    assert!(
        requests
            .iter()
            .all(|request| !request.headers.contains_key("if-none-match"))
    );
}
