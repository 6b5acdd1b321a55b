//! Issuers that are published under another name, or not at all.

use doorkey::Silent;
use doorkey_oauth::{Challenges, Effect, Error, Issuer, Pattern, Quirk, QuirkMatch, Quirks};
use doorkey_store::Store;
use doorkey_testkit::{Document, IssParameter, Leg, MetadataKind, Oddity, Prm};
use integration::{Home, World};
use serde_json::json;

use super::{Odd, rule};

/// Signs in with these rules and no others.
async fn login(world: &World, quirks: Quirks) -> Result<(), Error> {
    let tokens = world.tokens(&Store::memory(), |config| config.quirks = quirks);
    let person = world.person.interaction();
    let login = tokens.build().login(&Challenges::default(), person).await;
    login.map(drop)
}

/// The rule as it would be if its vendor had this issuer.
fn retargeted(mut quirk: Quirk, issuer: &str) -> Quirk {
    let place = issuer.strip_prefix("https://").expect("an issuer");
    let pattern = Pattern::parse(place).expect("a pattern");
    quirk.matches = vec![QuirkMatch::Issuer(pattern)];
    quirk
}

#[tokio::test]
async fn an_issuer_may_publish_the_name_that_a_rule_pairs_it_with_and_no_other() {
    for id in [
        "google-slash",
        "slack-issuer",
        "atlassian-issuer",
        "meta-ads-issuer",
        "pagerduty-issuer",
        "context7-issuer",
        "zephyr-issuer",
    ] {
        let quirk = rule(id);
        let pairs: Vec<_> = quirk
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::TrustIssuer { published, .. } => Some(published.clone()),
                _ => None,
            })
            .collect();
        assert!(!pairs.is_empty(), "{id}");
        for published in pairs {
            check_pair(&quirk, published.as_str()).await;
        }
    }
}

async fn check_pair(quirk: &Quirk, published: &str) {
    let named = |name: &str| {
        let (member, iss) = (json!(name), IssParameter::Wrong(name.to_owned()));
        World::with(
            |auth| {
                auth.field(Document::Metadata, "issuer", member)
                    .iss_parameter(iss)
            },
            |mcp| mcp,
        )
    };
    let world = named(published).await;
    let error = login(&world, Quirks::default()).await;
    assert!(
        matches!(error, Err(Error::Discovery(_))),
        "{}: {error:?}",
        quirk.id
    );

    let listed = Issuer::new(world.auth.issuer());
    let pair = |listed: &Issuer| {
        let mut quirk = retargeted(quirk.clone(), &world.auth.issuer());
        quirk.effects = vec![Effect::TrustIssuer {
            listed: listed.clone(),
            published: Issuer::new(published),
        }];
        quirk
    };
    let outcome = login(&world, [pair(&listed)].into_iter().collect()).await;
    assert!(outcome.is_ok(), "{}: {outcome:?}", quirk.id);
    // Nobody else may call himself so.
    let other = Issuer::new("https://other.example");
    let outcome = login(&world, [pair(&other)].into_iter().collect()).await;
    assert!(matches!(outcome, Err(Error::Discovery(_))), "{outcome:?}");

    // And nobody may call himself otherwise.
    let world = named(&format!("{published}/other")).await;
    let listed = Issuer::new(world.auth.issuer());
    let mut quirk = retargeted(quirk.clone(), listed.as_str());
    quirk.effects = vec![Effect::TrustIssuer {
        listed,
        published: Issuer::new(published),
    }];
    let outcome = login(&world, [quirk].into_iter().collect()).await;
    assert!(matches!(outcome, Err(Error::Discovery(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_names_no_authorization_server_has_the_one_of_its_vendor() {
    let id = "google-cloud-servers";
    let world = World::with(|auth| auth, |mcp| mcp.resource_metadata(Prm::None)).await;
    let error = login(&world, Quirks::default()).await;
    assert!(error.is_err(), "{error:?}");
    let mut quirk = rule(id);
    let place = world.mcp.url();
    let place = place.strip_prefix("https://").expect("a URL");
    quirk.matches = vec![QuirkMatch::Server(
        Pattern::parse(place).expect("a pattern"),
    )];
    for effect in &mut quirk.effects {
        if let Effect::AuthorizationServer(issuer) = effect {
            *issuer = Issuer::new(world.auth.issuer());
        }
    }
    let outcome = login(&world, [quirk].into_iter().collect()).await;
    assert!(outcome.is_ok(), "{outcome:?}\n{:#?}", world.story());
}

#[tokio::test]
async fn endpoints_at_the_servers_own_origin_stand_in_for_metadata_that_nobody_publishes() {
    for prm in [Prm::None, Prm::Challenge] {
        let odd = Odd::new(
            "snowflake-endpoints",
            |auth| {
                auth.issuer_path("/oauth")
                    .metadata(MetadataKind::None)
                    .odd(Oddity::TokenPath("/token-request".to_owned()))
                    .dynamic_registration(false)
                    .static_client(
                        doorkey_testkit::StaticClient::public("by-hand")
                            .redirect_uri("http://127.0.0.1/callback"),
                    )
                    .loopback_any_port(true)
            },
            |mcp| mcp.same_origin_authorization(true).resource_metadata(prm),
        )
        .await
        .with_settings("oauth.client_id = \"by-hand\"");
        // Where nothing is published, the page of MCP 2025-03-26 is a guess that nobody answers.
        let home = odd.without();
        let host = home.host();
        match host.start_login(Home::SERVER, None, &Silent).await {
            Ok(started) => {
                let page = started.expect("a login").url;
                assert_eq!(page.path(), "/authorize");
            }
            Err(error) => assert_eq!(error.code().as_str(), "server-metadata-missing"),
        }
        odd.world.recorder.clear();
        odd.signed_in(&odd.with_rule()).await;
        let metadata = Leg::AuthorizationServerMetadata;
        assert_eq!(odd.world.recorder.count(metadata), 0, "none is asked for");
    }
}
