//! How often one request is repeated and a person asked, when nothing helps (CH-04, UP-04, UP-05).

use doorkey_http::{Body, Leg};
use doorkey_oauth::{AuthorizationLayer, Error};
use doorkey_store::Store;
use http::Request;
use http::header::WWW_AUTHENTICATE;
use tower::{Layer as _, ServiceExt as _};

use crate::browser::Browser;
use crate::in_use::{call, header, send};
use crate::world::World;

#[tokio::test]
async fn with_a_person_at_hand_a_resource_that_refuses_everything_opens_one_page_ch_04() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = world.interactive(&Store::memory(), browser.clone());
    world.signed_in(&source).await;
    send(&world, &source, call()).await.unwrap();
    world.set().rejects_everything = true;
    world.start_over();
    let error = send(&world, &source, call()).await.unwrap_err();
    assert!(
        matches!(error, Error::TokenRejectedByResource { .. }),
        "{error:?}"
    );
    // The token, one from a refresh, one from a login.
    assert_eq!(world.seen(Leg::Resource).len(), 3);
    assert_eq!(world.seen(Leg::Token).len(), 2);
    assert_eq!(browser.prompts().len(), 1);
}

#[tokio::test]
async fn a_resource_that_takes_its_time_to_refuse_everything_is_given_up_too_ch_04() {
    for with_a_person in [false, true] {
        let world = World::new();
        let browser = Browser::new(&world);
        let store = Store::memory();
        let source = if with_a_person {
            world.interactive(&store, browser.clone())
        } else {
            world.source(&store)
        };
        world.signed_in(&source).await;
        send(&world, &source, call()).await.unwrap();
        world.set().rejects_everything = true;
        world.start_over();
        let slow = world.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            // No token is fresh any more when the answer comes; and there is an end to this test.
            slow.clock().advance(61);
            slow.set().rejects_everything = slow.seen(Leg::Resource).len() < 10;
            slow.http().oneshot(request)
        });
        let layer = AuthorizationLayer::new(source.clone()).layer(service);
        let error = layer.oneshot(call()).await.unwrap_err();
        assert!(
            matches!(error, Error::TokenRejectedByResource { .. }),
            "{error:?}"
        );
        let tries = 2 + usize::from(with_a_person);
        assert_eq!(world.seen(Leg::Resource).len(), tries);
    }
}

#[tokio::test]
async fn refusals_of_both_kinds_in_turn_have_an_end_ch_04_up_04() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = world.interactive(&Store::memory(), browser.clone());
    world.signed_in(&source).await;
    send(&world, &source, call()).await.unwrap();
    for scope in 0..20 {
        let invalid = header(WWW_AUTHENTICATE, r#"Bearer error="invalid_token""#);
        world.script_with(Leg::Resource, 401, "", invalid);
        let lacking = format!(r#"Bearer error="insufficient_scope", scope="s{scope}""#);
        world.script_with(Leg::Resource, 403, "", header(WWW_AUTHENTICATE, &lacking));
    }
    world.start_over();
    let error = send(&world, &source, call()).await.unwrap_err();
    assert!(!error.is_transient(), "{error:?}");
    // The first try, two recoveries and two step-ups at most; the suite allows three pages.
    assert!(world.seen(Leg::Resource).len() <= 5);
    assert!(browser.prompts().len() <= 3, "{}", browser.prompts().len());
}

#[tokio::test]
async fn a_step_up_that_is_granted_less_is_not_tried_again_up_05_tok_14() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = world.interactive(&Store::memory(), browser.clone());
    world.signed_in(&source).await;
    world.set().required_scope = Some("files:write");
    let mut narrower = world.set().issue("files:read");
    narrower["scope"] = serde_json::json!("files:read");
    world.script(Leg::Token, 200, narrower.to_string().leak());
    let error = send(&world, &source, call()).await.unwrap_err();
    assert!(
        matches!(error, Error::InsufficientScope { .. }),
        "{error:?}"
    );
    assert_eq!(browser.prompts().len(), 1);
    let grant = source.grant().await.unwrap().unwrap().value;
    assert_eq!(grant.granted_scopes.unwrap(), ["files:read"]);
    assert_eq!(grant.requested_scopes, ["files:read", "files:write"]);
    // Nor by the next request.
    assert!(send(&world, &source, call()).await.is_err());
    assert_eq!(browser.prompts().len(), 1);
}
