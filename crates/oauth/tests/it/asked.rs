//! What an authorization request asks for, as it stands in the URL that a person opens (AZ-01, AZ-07 to
//! AZ-13, AZ-21, AZ-25), and by which client (REG-02, REG-03).

use std::sync::Arc;

use doorkey_http::Leg;
use doorkey_oauth::{AuthorizationConfig, Challenges, ClientChoice, Scopes};
use doorkey_store::Store;
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use crate::browser::Browser;
use crate::world::{SERVER, World};

/// The page that a login opens.
async fn page(world: &World, config: AuthorizationConfig, challenge: &str) -> Url {
    let source = world.source_with(config, &Store::memory());
    let browser = Arc::new(Browser::new(world));
    let challenges = Challenges::parse([challenge]);
    source.login(&challenges, browser.clone()).await.unwrap();
    let [prompt]: [_; 1] = browser.prompts().try_into().unwrap();
    prompt.url
}

fn parameters(url: &Url) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = url.query_pairs().into_owned().collect();
    pairs.sort();
    pairs
}

fn value(url: &Url, name: &str) -> Option<String> {
    let mut found = url.query_pairs().filter(|(known, _)| known == name);
    let value = found.next().map(|(_, value)| value.into_owned());
    assert!(found.next().is_none(), "{name} comes twice: {url}");
    value
}

#[tokio::test]
async fn the_page_has_these_parameters_and_no_other_az_01_az_21() {
    let world = World::new();
    world.set().metadata["authorization_endpoint"] =
        json!("https://as.example/authorize?tenant=a%20b&state=theirs&scope=theirs");
    let mut config = world.config();
    config.client = ClientChoice::Static {
        client_id: String::from("mine"),
        client_secret: Some(SecretString::from("sentinel")),
        signing_key: None,
        issuer: None,
        auth_method: None,
    };
    config.extra_authorize_params = vec![(String::from("audience"), String::from("urn:x"))];
    let url = page(&world, config, "Bearer").await;
    let names: Vec<_> = parameters(&url).into_iter().map(|(name, _)| name).collect();
    let expected = [
        "audience",
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "redirect_uri",
        "resource",
        "response_type",
        "scope",
        "state",
        "tenant",
    ];
    assert_eq!(names, expected, "{url}");
    assert_eq!(value(&url, "tenant").as_deref(), Some("a b"));
    assert_eq!(value(&url, "scope").as_deref(), Some("files:read"));
    assert_eq!(value(&url, "client_id").as_deref(), Some("mine"));
    assert_eq!(value(&url, "resource").as_deref(), Some(SERVER));
    assert_ne!(value(&url, "state").as_deref(), Some("theirs"));
    assert_eq!(url.fragment(), None);
    assert!(!url.as_str().contains("sentinel"), "{url}");
    // The secret is for the token endpoint.
    assert!(
        world.seen(Leg::Token)[0]
            .headers
            .contains_key("authorization")
    );
}

#[tokio::test]
async fn the_scopes_are_those_of_the_challenge_else_of_the_resource_else_none_az_07_to_az_12() {
    // The challenge's, the resource's, the authorization server's, the host's; what is asked for.
    const CASES: [[Option<&str>; 5]; 12] = [
        [Some("a"), Some("x y"), None, None, Some("a")],
        [Some("b a b"), Some("x"), None, None, Some("a b")],
        [None, Some("x y z"), None, None, Some("x y z")],
        [Some(""), Some("x y"), None, None, Some("x y")],
        [None, Some(""), None, None, None],
        [None, None, None, None, None],
        [None, None, Some("s t"), None, None],
        [Some("a"), None, None, Some("own"), Some("a own")],
        [None, None, None, Some("own"), Some("own")],
        [
            Some("a"),
            None,
            Some("a offline_access"),
            None,
            Some("a offline_access"),
        ],
        [
            None,
            Some("x"),
            Some("offline_access"),
            None,
            Some("x offline_access"),
        ],
        [None, None, Some("offline_access"), None, None],
    ];
    let list = |scopes: &'static str| scopes.split_whitespace().collect::<Vec<_>>();
    for [challenged, resource, server, own, expected] in CASES {
        let world = World::new();
        world.set().resource_scopes = resource.map(list);
        world.set().metadata["scopes_supported"] = json!(server.map(list));
        let mut config = world.config();
        config.scopes = Scopes::parse(own.unwrap_or_default());
        let scope = challenged.map(|scopes| format!(r#" scope="{scopes}""#));
        let challenge = format!("Bearer{}", scope.unwrap_or_default());
        let url = page(&world, config, &challenge).await;
        let asked = value(&url, "scope");
        let case = format!("{challenged:?}, {resource:?}, {server:?}, {own:?}: {asked:?}");
        assert_eq!(
            asked.as_deref().map(Scopes::parse),
            expected.map(Scopes::parse),
            "{case}"
        );
        assert_ne!(asked.as_deref(), Some(""), "{case}");
    }
}

#[tokio::test]
async fn who_wants_no_refresh_token_asks_for_no_offline_access_az_12() {
    let world = World::new();
    world.set().metadata["scopes_supported"] = json!(["files:read", "offline_access"]);
    let mut config = world.config();
    config.offline_access = false;
    let url = page(&world, config, "Bearer").await;
    assert_eq!(value(&url, "scope").as_deref(), Some("files:read"));
}

#[tokio::test]
async fn consent_is_asked_for_with_offline_access_at_an_openid_server_alone_az_13() {
    for (openid, offline, expected) in [
        (true, true, Some("consent")),
        (true, false, None),
        (false, true, None),
    ] {
        let world = World::new();
        if openid {
            world.script(Leg::AuthorizationServerMetadata, 404, "");
        }
        let listed: Value = if offline {
            json!(["offline_access"])
        } else {
            json!([])
        };
        world.set().metadata["scopes_supported"] = listed;
        let config = world.config();
        let url = page(&world, config, "Bearer").await;
        let case = format!("{openid} {offline} {url}");
        assert_eq!(value(&url, "prompt").as_deref(), expected, "{case}");
        // The host has the last word, and may leave it out.
        for (own, expected) in [("login", Some("login")), ("", None)] {
            if openid {
                world.script(Leg::AuthorizationServerMetadata, 404, "");
            }
            let mut config = world.config();
            config.extra_authorize_params = vec![(String::from("prompt"), own.to_owned())];
            let url = page(&world, config, "Bearer").await;
            assert_eq!(value(&url, "prompt").as_deref(), expected, "{case}");
        }
    }
}

#[tokio::test]
async fn a_configured_client_comes_first_then_a_document_then_a_registration_reg_02_reg_03() {
    let document = "https://client.example/metadata.json";
    let by_hand = ClientChoice::Static {
        client_id: String::from("mine"),
        client_secret: None,
        signing_key: None,
        issuer: None,
        auth_method: None,
    };
    let published = ClientChoice::Auto {
        metadata_url: Some(document.parse().unwrap()),
    };
    // The client that is configured, whether the server takes documents, and who asks.
    for (choice, takes_documents, expected) in [
        (by_hand.clone(), true, "mine"),
        (by_hand, false, "mine"),
        (published.clone(), true, document),
        (published, false, "client-1"),
        (ClientChoice::default(), true, "client-1"),
    ] {
        let world = World::new();
        world.set().metadata["client_id_metadata_document_supported"] = json!(takes_documents);
        let mut config = world.config();
        config.client = choice;
        let url = page(&world, config, "Bearer").await;
        assert_eq!(value(&url, "client_id").as_deref(), Some(expected));
        let registered = world.seen(Leg::Registration).len();
        assert_eq!(
            registered,
            usize::from(expected == "client-1"),
            "{expected}"
        );
        assert_eq!(world.seen(Leg::Token)[0].form("client_id"), [expected]);
    }
}

#[tokio::test]
async fn an_authorization_page_on_another_origin_than_its_issuer_is_gone_to_though_no_iss_is_promised()
 {
    let world = World::new();
    let elsewhere = "https://login.elsewhere.example/authorize";
    world.set().metadata["authorization_endpoint"] = json!(elsewhere);
    let url = page(&world, world.config(), "Bearer").await;
    assert!(url.as_str().starts_with(elsewhere), "{url}");
    assert_eq!(world.seen(Leg::Token).len(), 1);
}
