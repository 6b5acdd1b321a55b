//! Step-up: the union of scopes, once, and nothing lost on the way (UP-01 to UP-10).

use std::sync::Arc;

use doorkey_http::Leg;
use doorkey_oauth::{Challenges, Error, NextStep, Scopes, TokenSource};
use doorkey_store::Store;

use crate::browser::{Act, Browser};
use crate::world::World;

fn lacking(scope: &str) -> Challenges {
    let value = format!(r#"Bearer error="insufficient_scope", scope="{scope}""#);
    Challenges::parse([value.as_str()])
}

async fn signed_in(world: &World, browser: &Browser) -> TokenSource {
    let source = world.interactive(&Store::memory(), browser.clone());
    world.signed_in(&source).await;
    source
}

#[tokio::test]
async fn requested_and_challenged_scopes_are_asked_for_together_and_stored_up_02_up_10() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = signed_in(&world, &browser).await;
    let sent = source.token().await.unwrap().unwrap();
    let token = source
        .insufficient_scope(&sent, &lacking("files:write"))
        .await
        .unwrap();
    assert_ne!(token, sent);
    let asked = Scopes::parse(&browser.asked("scope").concat().concat());
    assert_eq!(asked, Scopes::parse("files:read files:write"));
    let grant = source.grant().await.unwrap().unwrap().value;
    assert_eq!(
        grant.requested_scopes.into_iter().collect::<Scopes>(),
        asked
    );
    // Never a refresh (REF-12).
    assert_eq!(
        world.seen(Leg::Token)[0].form("grant_type"),
        ["authorization_code"]
    );
}

#[tokio::test]
async fn a_union_that_adds_nothing_ends_it_up_05() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = signed_in(&world, &browser).await;
    let sent = source.token().await.unwrap().unwrap();
    let error = source
        .insufficient_scope(&sent, &lacking("files:read"))
        .await
        .unwrap_err();
    let required = Scopes::parse("files:read");
    assert_eq!(error.next_step(), Some(NextStep::CheckScope { required }));
    assert!(browser.prompts().is_empty() && world.all().is_empty());
}

#[tokio::test]
async fn without_anybody_to_ask_the_missing_scopes_are_reported_law_11() {
    let world = World::new();
    let source = world.source(&Store::memory());
    world.signed_in(&source).await;
    let sent = source.token().await.unwrap().unwrap();
    let error = source
        .insufficient_scope(&sent, &lacking("files:write"))
        .await
        .unwrap_err();
    let Error::InsufficientScope {
        required,
        challenges,
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(required, Scopes::parse("files:write"));
    assert!(challenges.is_insufficient_scope());
    assert!(world.all().is_empty());
}

#[tokio::test]
async fn a_refused_step_up_keeps_the_old_token_and_is_not_repeated_up_06_up_07() {
    let world = World::new();
    let browser = Browser::acting(&world, vec![Act::Answer("error=access_denied&state=STATE")]);
    let source = signed_in(&world, &browser).await;
    let sent = source.token().await.unwrap().unwrap();
    let error = source
        .insufficient_scope(&sent, &lacking("files:write"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Denied(_)));
    assert_eq!(source.token().await.unwrap(), Some(sent.clone()));
    let error = source
        .insufficient_scope(&sent, &lacking("files:write"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::InsufficientScope { .. }));
    assert_eq!(browser.prompts().len(), 1);
    // Ten minutes later a person may be asked again.
    world.clock().advance(600);
    let error = source
        .insufficient_scope(&sent, &lacking("files:write"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Denied(_)));
}

#[tokio::test]
async fn a_challenge_without_scopes_falls_back_to_what_the_resource_offers_up_08() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = signed_in(&world, &browser).await;
    let sent = source.token().await.unwrap().unwrap();
    let challenge = Challenges::parse([r#"Bearer error="insufficient_scope""#]);
    let error = source
        .insufficient_scope(&sent, &challenge)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::InsufficientScope { .. }));
    assert!(browser.prompts().is_empty());
    world.set().resource_scopes = Some(vec!["files:read", "files:write"]);
    source.insufficient_scope(&sent, &challenge).await.unwrap();
    let asked = Scopes::parse(&browser.asked("scope").concat().concat());
    assert_eq!(asked, Scopes::parse("files:read files:write"));
}

#[tokio::test]
async fn the_metadata_url_of_the_403_is_the_one_that_is_asked_up_09() {
    const ELSEWHERE: &str = "https://mcp.example/custom/metadata.json";
    for scope in ["", r#", scope="files:write""#] {
        let world = World::new();
        let browser = Browser::new(&world);
        let source = signed_in(&world, &browser).await;
        world.set().resource_scopes = Some(vec!["files:read", "files:write"]);
        let sent = source.token().await.unwrap().unwrap();
        let value =
            format!(r#"Bearer error="insufficient_scope", resource_metadata="{ELSEWHERE}"{scope}"#);
        let challenge = Challenges::parse([value.as_str()]);
        source.insufficient_scope(&sent, &challenge).await.unwrap();
        let places = world.seen(Leg::ResourceMetadata);
        assert!(!places.is_empty(), "{value}");
        for place in places {
            assert_eq!(place.url.as_str(), ELSEWHERE, "{value}");
        }
        let asked = Scopes::parse(&browser.asked("scope").concat().concat());
        assert_eq!(asked, Scopes::parse("files:read files:write"), "{value}");
    }
}

#[tokio::test]
async fn whatever_a_step_up_fails_with_the_old_token_serves_up_07() {
    let at_the_page = [
        "error=access_denied&state=STATE",
        "error=invalid_scope&state=STATE",
        "error=server_error&state=STATE",
        "code=c&state=STATE&iss=https://evil.example",
        "code=c&code=d&state=STATE",
        "code=unknown&state=STATE",
    ];
    let at_the_token_endpoint = [
        (400, r#"{"error":"invalid_scope"}"#),
        (401, r#"{"error":"invalid_client"}"#),
        (500, ""),
        (200, "<html></html>"),
        (418, ""),
    ];
    let pages = at_the_page.map(|answer| (Act::Answer(answer), None));
    let tokens = at_the_token_endpoint.map(|answer| (Act::Approve, Some(answer)));
    for (act, answer) in pages.into_iter().chain(tokens) {
        let case = format!("{act:?} {answer:?}");
        let world = World::new();
        let browser = Browser::acting(&world, vec![act]);
        let source = signed_in(&world, &browser).await;
        let sent = source.token().await.unwrap().unwrap();
        let before = source.grant().await.unwrap().unwrap().value;
        if let Some((status, body)) = answer {
            world.script(Leg::Token, status, body);
        }
        let outcome = source
            .insufficient_scope(&sent, &lacking("files:write"))
            .await;
        if answer.is_some_and(|(_, body)| body.contains("invalid_client")) {
            // The client registers anew, and the person is asked by its new name.
            assert!(outcome.is_ok(), "{case}: {outcome:?}");
            continue;
        }
        assert!(outcome.is_err(), "{case}");
        assert_eq!(source.token().await.unwrap(), Some(sent), "{case}");
        let after = source.grant().await.unwrap().unwrap().value;
        assert_eq!(after.requested_scopes, before.requested_scopes, "{case}");
        // Nor is its refresh token lost.
        world.clock().advance(3600);
        assert!(source.token().await.unwrap().is_some(), "{case}");
    }
}

#[tokio::test]
async fn callers_that_lack_the_same_share_one_step_up_and_late_ones_get_its_token_ch_10() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = signed_in(&world, &browser).await;
    let sent = source.token().await.unwrap().unwrap();
    let challenge = lacking("files:write");
    let calls = (0..16).map(|_| source.insufficient_scope(&sent, &challenge));
    for token in futures_util::future::join_all(calls).await {
        assert_ne!(token.unwrap(), sent);
    }
    source.insufficient_scope(&sent, &challenge).await.unwrap();
    assert_eq!(browser.prompts().len(), 1);
}

#[tokio::test]
async fn callers_that_lack_different_scopes_both_get_theirs() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = signed_in(&world, &browser).await;
    let sent = source.token().await.unwrap().unwrap();
    let (mail, write) = (lacking("mail"), lacking("files:write"));
    let (one, other) = tokio::join!(
        source.insufficient_scope(&sent, &mail),
        source.insufficient_scope(&sent, &write),
    );
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(browser.prompts().len(), 2);
    let grant = source.grant().await.unwrap().unwrap().value;
    let requested: Scopes = grant.requested_scopes.into_iter().collect();
    assert_eq!(requested, Scopes::parse("files:read mail files:write"));
}

#[tokio::test]
async fn a_login_asks_for_the_scopes_of_an_earlier_step_up_again_ch_11() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = signed_in(&world, &browser).await;
    let sent = source.token().await.unwrap().unwrap();
    source
        .insufficient_scope(&sent, &lacking("files:write"))
        .await
        .unwrap();
    let again = Arc::new(Browser::new(&world));
    source
        .login(&Challenges::default(), again.clone())
        .await
        .unwrap();
    let asked = Scopes::parse(&again.asked("scope").concat().concat());
    assert_eq!(asked, Scopes::parse("files:read files:write"));
}
