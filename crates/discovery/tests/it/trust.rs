//! Documents that speak for somebody else, and URLs that must not be used.

use doorkey_discovery::{
    Challenges, DocumentError, Error, Issuer, ResourceMatch, ResourceMatchKind, UrlError,
};
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::world::{OAUTH, OPENID, PRM, PRM_AT_PATH, World, bearer_with_metadata, told};

#[tokio::test]
async fn a_resource_mismatch_ends_discovery_at_once_disc_11() {
    let world = World::new().await;
    let foreign = world.resource_document_for("https://evil.example.com/mcp", &[world.origin()]);
    world.json(PRM_AT_PATH, &foreign).await;
    world.json("/custom", &foreign).await;
    world
        .json(
            PRM,
            &world.resource_document_for(&world.origin(), &[world.origin()]),
        )
        .await;
    world
        .json(OAUTH, &world.server_document(&world.origin()))
        .await;
    for (challenge, place) in [
        (String::new(), PRM_AT_PATH),
        (bearer_with_metadata(&world.url("/custom")), "/custom"),
    ] {
        let before = world.asked().await.len();
        let error = world.discover(&challenge).await.unwrap_err();
        let Error::ResourceMismatch { url, source } = &error else {
            panic!("{error}")
        };
        assert_eq!(
            (url.as_str(), source.published.as_str()),
            (world.url(place).as_str(), "https://evil.example.com/mcp")
        );
        assert!(!error.is_transient() && !error.needs_login());
        assert!(
            told(&error).contains("\"https://evil.example.com/mcp\""),
            "{}",
            told(&error)
        );
        assert_eq!(
            world.asked().await[before..],
            [place],
            "no other place, no legacy mode, no authorization server"
        );
    }
}

#[tokio::test]
async fn the_root_document_does_not_speak_for_another_path_disc_06() {
    let world = World::new().await;
    world
        .json(
            PRM,
            &world.resource_document_for(&world.url("/other"), &[world.origin()]),
        )
        .await;
    assert!(matches!(
        world.discover("").await,
        Err(Error::ResourceMismatch { .. })
    ));
    assert_eq!(world.asked().await, [PRM_AT_PATH, PRM]);
}

#[tokio::test]
async fn a_parent_is_accepted_by_default_and_refused_on_demand_disc_10() {
    let mut world = World::new().await;
    world
        .json(
            PRM_AT_PATH,
            &world.resource_document_for(&world.url("/"), &[world.origin()]),
        )
        .await;
    world
        .json(OAUTH, &world.server_document(&world.origin()))
        .await;
    let found = world.discover("").await.unwrap();
    assert_eq!(found.match_kind, ResourceMatchKind::Parent);
    assert_eq!(
        found.resource.as_str(),
        world.url("/"),
        "the exact string, DISC-12"
    );
    world.options.resource_match = ResourceMatch::Exact;
    assert!(matches!(
        world.discover("").await,
        Err(Error::ResourceMismatch { .. })
    ));
}

#[tokio::test]
async fn a_bad_member_of_the_right_document_is_permanent_disc_13_as_12() {
    let world = World::new().await;
    let mut document = world.resource_document();
    document["authorization_servers"] = json!("not a list");
    world.json(PRM_AT_PATH, &document).await;
    let error = world.discover("").await.unwrap_err();
    assert!(matches!(
        &error,
        Error::Invalid {
            source: DocumentError::WrongType {
                member: "authorization_servers",
                ..
            },
            ..
        }
    ));
    assert!(told(&error).starts_with(&format!(
        "the resource metadata at {} cannot be used",
        world.url(PRM_AT_PATH)
    )));
    assert!(told(&error).ends_with("`authorization_servers` is not an array of strings"));
    assert_eq!(world.asked().await, [PRM_AT_PATH]);
}

#[tokio::test]
async fn an_object_without_resource_is_passed_over_but_rules_legacy_mode_out_disc_05_leg_01() {
    let world = World::new().await;
    world
        .json(PRM_AT_PATH, &json!({"error": "not found"}))
        .await;
    let error = world.discover("").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(!error.is_transient());
    assert_eq!(world.asked().await, [PRM_AT_PATH, PRM]);
    world
        .json(
            PRM,
            &world.resource_document_for(&world.origin(), &[world.origin()]),
        )
        .await;
    world
        .json(OAUTH, &world.server_document(&world.origin()))
        .await;
    assert!(world.discover("").await.is_ok());
}

#[tokio::test]
async fn no_authorization_server_is_never_replaced_by_the_mcp_origin_disc_13() {
    for servers in [json!(null), json!([])] {
        let world = World::new().await;
        let mut document = world.resource_document();
        document["authorization_servers"] = servers;
        world.json(PRM_AT_PATH, &document).await;
        world
            .json(OAUTH, &world.server_document(&world.origin()))
            .await;
        assert!(matches!(
            world.discover("").await,
            Err(Error::NoAuthorizationServer { .. })
        ));
        assert_eq!(world.asked().await, [PRM_AT_PATH]);
    }
}

#[tokio::test]
async fn a_resource_that_takes_no_header_is_refused_disc_22() {
    let world = World::new().await;
    let mut document = world.resource_document();
    document["bearer_methods_supported"] = json!(["body"]);
    world.json(PRM_AT_PATH, &document).await;
    let error = world.discover("").await.unwrap_err();
    assert!(matches!(error, Error::HeaderNotAccepted { .. }));
    assert!(
        error.to_string().contains("bearer_methods_supported"),
        "{error}"
    );
    assert_eq!(world.asked().await, [PRM_AT_PATH]);
}

#[tokio::test]
async fn a_document_of_another_issuer_contributes_nothing_as_07_as_08_as_09() {
    let world = World::new().await;
    world.json(PRM_AT_PATH, &world.resource_document()).await;
    world
        .json(
            OAUTH,
            &world.server_document("https://attacker.example.com"),
        )
        .await;
    let error = world.discover("").await.unwrap_err();
    let Error::IssuerMismatch {
        issuer,
        published,
        source,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(issuer.as_str(), world.origin());
    assert_eq!(
        published.as_ref().unwrap().as_str(),
        "https://attacker.example.com"
    );
    assert_eq!(source.iter().count(), 2);
    assert!(!error.is_transient());
    assert!(
        told(&error).contains("\"https://attacker.example.com\""),
        "{}",
        told(&error)
    );
    assert_eq!(world.asked().await, [PRM_AT_PATH, OAUTH, OPENID]);
}

#[tokio::test]
async fn after_a_mismatch_the_next_place_may_have_the_right_document_as_09() {
    let world = World::new().await;
    world.json(PRM_AT_PATH, &world.resource_document()).await;
    let mut wrong = world.server_document("https://attacker.example.com");
    wrong["registration_endpoint"] = json!("https://attacker.example.com/register");
    world.json(OAUTH, &wrong).await;
    world
        .json(OPENID, &world.server_document(&world.origin()))
        .await;
    let found = world.discover("").await.unwrap();
    assert_eq!(found.server.issuer.as_str(), world.origin());
    assert_eq!(
        found.server.registration_endpoint, None,
        "nothing of the wrong document survives"
    );
}

#[tokio::test]
async fn a_mismatch_is_reported_rather_than_trouble_elsewhere_as_09() {
    let world = World::new().await;
    world.json(PRM_AT_PATH, &world.resource_document()).await;
    world.status(OAUTH, 500).await;
    world
        .json(
            OPENID,
            &world.server_document("https://attacker.example.com"),
        )
        .await;
    assert!(matches!(
        world.discover("").await,
        Err(Error::IssuerMismatch { .. })
    ));
}

#[tokio::test]
async fn issuers_are_not_normalised_and_one_can_be_trusted_as_07_con_16() {
    let mut world = World::new().await;
    world.json(PRM_AT_PATH, &world.resource_document()).await;
    let slash = world.url("/");
    world.json(OAUTH, &world.server_document(&slash)).await;
    assert!(matches!(
        world.discover("").await,
        Err(Error::IssuerMismatch { .. })
    ));
    world.options.trusted_issuer = Some(Issuer::new(slash.as_str()));
    assert_eq!(
        world.discover("").await.unwrap().server.issuer.as_str(),
        slash
    );
}

#[tokio::test]
async fn a_metadata_url_that_must_not_be_used_stops_www_14_disc_18() {
    let world = World::well_configured().await;
    for (url, why) in [
        ("http://mcp.example/metadata", UrlError::Insecure),
        ("file:///etc/passwd", UrlError::Insecure),
        ("https://user:pw@mcp.example/metadata", UrlError::UserInfo),
        (
            "/metadata",
            UrlError::Invalid(url::ParseError::RelativeUrlWithoutBase),
        ),
        (
            "",
            UrlError::Invalid(url::ParseError::RelativeUrlWithoutBase),
        ),
    ] {
        match world.discover(&bearer_with_metadata(url)).await {
            Err(Error::MetadataUrl { source }) => assert_eq!(source, why, "{url}"),
            other => panic!("{url}: {other:?}"),
        }
    }
    assert_eq!(world.asked().await, [""; 0], "nothing was requested");
}

#[tokio::test]
async fn a_server_url_that_must_not_be_used_is_not_asked_sec_01_sec_11() {
    let world = World::new().await;
    for url in [
        "http://mcp.example/mcp",
        "https://user@mcp.example/mcp",
        "ftp://mcp.example/",
    ] {
        let error = world
            .discovery()
            .discover(&url.parse().unwrap(), &Challenges::default())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::ServerUrl { .. }), "{url}: {error}");
    }
}

#[tokio::test]
async fn an_endpoint_in_plain_http_spoils_the_document_as_14() {
    let world = World::new().await;
    world.json(PRM_AT_PATH, &world.resource_document()).await;
    let mut document = world.server_document(&world.origin());
    document["token_endpoint"] = json!("http://as.example/token");
    world.json(OAUTH, &document).await;
    let error = world.discover("").await.unwrap_err();
    assert!(
        matches!(
            &error,
            Error::Invalid {
                source: DocumentError::Url {
                    member: "token_endpoint",
                    ..
                },
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(
        world.asked().await,
        [PRM_AT_PATH, OAUTH],
        "AS-12: permanent"
    );
}

#[tokio::test]
async fn a_member_that_two_parsers_read_differently_is_named_and_spoils_the_document() {
    for (place, body, member) in [
        (
            PRM_AT_PATH,
            r#"{"resource":"x","resource":"ORIGIN/mcp","authorization_servers":["ORIGIN"]}"#,
            "resource",
        ),
        (
            PRM_AT_PATH,
            r#"{"resource":"ORIGIN/mcp","authorization_servers":["https://evil.example"],"authorization_servers":["ORIGIN"]}"#,
            "authorization_servers",
        ),
        (
            OAUTH,
            r#"{"issuer":"https://evil.example","issuer":"ORIGIN","token_endpoint":"ORIGIN/token"}"#,
            "issuer",
        ),
        (
            OAUTH,
            r#"{"issuer":"ORIGIN","token_endpoint":"https://evil.example/","token\u005fendpoint":"ORIGIN/token"}"#,
            "token_endpoint",
        ),
        (
            OAUTH,
            r#"{"issuer":"ORIGIN","token_endpoint":"ORIGIN/token","code_challenge_methods_supported":[],"code_challenge_methods_supported":["S256"]}"#,
            "code_challenge_methods_supported",
        ),
    ] {
        let world = World::new().await;
        if place == OAUTH {
            world.json(PRM_AT_PATH, &world.resource_document()).await;
        }
        let body = body.replace("ORIGIN", &world.origin());
        world
            .answer(
                place,
                ResponseTemplate::new(200).set_body_raw(body, "application/json"),
            )
            .await;
        let error = world.discover("").await.unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
        let told = told(&error);
        assert!(told.contains(&world.url(place)), "{told}");
        assert!(
            told.ends_with(&format!("`{member}` occurs more than once")),
            "{told}"
        );
        let before_the_document = usize::from(place == OAUTH);
        assert_eq!(world.asked().await.len(), 1 + before_the_document);
    }
}

#[tokio::test]
async fn an_endpoint_that_must_not_be_used_is_told_with_document_member_and_rule_as_14() {
    for (member, url, rule) in BAD_ENDPOINTS {
        let world = World::new().await;
        world.json(PRM_AT_PATH, &world.resource_document()).await;
        let mut document = world.server_document(&world.origin());
        document[member] = json!(url);
        world.json(OAUTH, &document).await;
        let told = told(&world.discover("").await.unwrap_err());
        let document = format!(
            "the authorization server metadata at {} cannot",
            world.url(OAUTH)
        );
        assert!(told.starts_with(&document), "{told}");
        assert!(
            told.contains(&format!("`{member}` cannot be used: it ")),
            "{told}"
        );
        assert!(told.contains(rule), "{url}: {told}");
    }
}

/// Member, URL and the rule that it breaks.
const BAD_ENDPOINTS: [(&str, &str, &str); 11] = [
    (
        "authorization_endpoint",
        "javascript:alert(1)",
        "neither https nor http",
    ),
    (
        "authorization_endpoint",
        "file:///etc/passwd",
        "neither https nor http",
    ),
    (
        "authorization_endpoint",
        "data:text/html,x",
        "neither https nor http",
    ),
    (
        "authorization_endpoint",
        "https://as.example/#x",
        "a fragment",
    ),
    (
        "authorization_endpoint",
        "https://as.example\\@evil.example/",
        "no URL may have",
    ),
    ("token_endpoint", "https://as.example/token#x", "a fragment"),
    (
        "token_endpoint",
        "http://as.example/token",
        "neither https nor http",
    ),
    (
        "registration_endpoint",
        "https://u:p@as.example/",
        "a user name or password",
    ),
    ("revocation_endpoint", "/revoke", "not an absolute URL"),
    (
        "device_authorization_endpoint",
        "https:as.example",
        "not an absolute URL",
    ),
    (
        "pushed_authorization_request_endpoint",
        "https://as.example/ x",
        "a blank",
    ),
];
