//! What a token answer grants: its scopes, its lifetime and its type, at login and at refresh
//! (TOK-13 to TOK-15, REF-03, REF-04, REF-16, USE-07).

use std::sync::Arc;

use doorkey_http::Leg;
use doorkey_oauth::{Challenges, Error, LoginReport, Scopes, TokenSource, TokenType};
use doorkey_store::Store;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::world::World;

/// Signs in for `files:read files:write`; the token endpoint answers with these members besides.
async fn signed_in(world: &World, members: &Value) -> (TokenSource, LoginReport) {
    world.set().resource_scopes = Some(vec!["files:read", "files:write"]);
    let source = world.source(&Store::memory());
    answer(world, "first", members);
    let browser = Arc::new(Browser::new(world));
    let report = source.login(&Challenges::default(), browser).await.unwrap();
    (source, report)
}

/// The next answer of the token endpoint: a Bearer token of an hour, unless `members` say otherwise;
/// `null` leaves a member out.
fn answer(world: &World, token: &str, members: &Value) {
    let mut body = json!({
        "access_token": token, "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r",
    });
    for (name, value) in members.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    world.script(Leg::Token, 200, body.to_string().leak());
}

async fn refreshed(world: &World, source: &TokenSource, members: &Value) {
    answer(world, "next", members);
    world.clock().advance(3600);
    let before = world.seen(Leg::Token).len();
    source.token().await.unwrap().unwrap();
    assert_eq!(world.seen(Leg::Token).len(), before + 1);
}

async fn granted(source: &TokenSource) -> Option<Scopes> {
    let grant = source.grant().await.unwrap().unwrap().value;
    let requested: Scopes = grant.requested_scopes.into_iter().collect();
    assert_eq!(requested, Scopes::parse("files:read files:write"));
    let granted = grant.granted_scopes?;
    Some(granted.into_iter().collect())
}

#[tokio::test]
async fn the_scopes_of_the_answer_are_what_is_granted_and_without_any_what_was_asked_tok_14_ref_16()
{
    let cases = [
        (json!({}), None, "files:read files:write"),
        (json!({"scope": ""}), None, "files:read files:write"),
        (json!({"scope": 7}), None, "files:read files:write"),
        (
            json!({"scope": "files:read"}),
            Some("files:read"),
            "files:read",
        ),
        (
            json!({"scope": "files:write files:read"}),
            Some("files:read files:write"),
            "files:read files:write",
        ),
        (
            json!({"scope": "files:read files:write admin"}),
            Some("files:read files:write admin"),
            "files:read files:write admin",
        ),
        (json!({"scope": "other"}), Some("other"), "other"),
    ];
    for (members, kept, reported) in cases {
        let world = World::new();
        let (source, report) = signed_in(&world, &members).await;
        assert_eq!(report.scopes, Scopes::parse(reported), "{members}");
        let kept = kept.map(Scopes::parse);
        assert_eq!(granted(&source).await, kept, "{members}");

        // A refresh whose answer is silent leaves it so; one that speaks is what counts from then on.
        refreshed(&world, &source, &json!({})).await;
        assert_eq!(granted(&source).await, kept, "{members}, then silence");
        for scope in ["files:read", "files:read files:write admin"] {
            refreshed(&world, &source, &json!({"scope": scope})).await;
            let now = Some(Scopes::parse(scope));
            assert_eq!(granted(&source).await, now, "{members}, then {scope}");
            refreshed(&world, &source, &json!({})).await;
            assert_eq!(granted(&source).await, now, "{members}, {scope}, silence");
        }
        // None of it is asked for: the parameter is left out, whatever was granted (REF-03).
        for request in &world.seen(Leg::Token)[1..] {
            assert!(request.form("scope").is_empty(), "{members}");
        }
    }
}

#[tokio::test]
async fn scopes_on_refresh_are_the_requested_ones_as_far_as_they_were_granted_ref_03() {
    let world = World::new();
    let mut config = world.config();
    config.scopes_on_refresh = true;
    let source = world.source_with(config, &Store::memory());
    answer(&world, "first", &json!({"scope": "files:read admin"}));
    let browser = Arc::new(Browser::new(&world));
    source.login(&Challenges::default(), browser).await.unwrap();
    // A scope that was never asked for is not repeated; one that was not granted is not asked again.
    refreshed(&world, &source, &json!({"scope": "admin"})).await;
    refreshed(&world, &source, &json!({})).await;
    let requests = world.seen(Leg::Token);
    assert_eq!(requests[1].form("scope"), ["files:read"]);
    assert_eq!(requests[2].form("scope"), [] as [String; 0]);
}

#[tokio::test]
async fn each_answer_has_a_lifetime_of_its_own_in_whatever_form_tok_15() {
    const NOW: u64 = 1_700_003_600;
    let cases = [
        (json!(60), Some(NOW + 60)),
        (json!("60"), Some(NOW + 60)),
        (json!(" 60 "), Some(NOW + 60)),
        (json!(60.0), Some(NOW + 60)),
        (json!(1), Some(NOW + 1)),
        // The end of the token before says nothing about this one.
        (json!(null), None),
        (json!(0), None),
        (json!(-5), None),
        (json!("soon"), None),
        (json!([60]), None),
        (json!(true), None),
        (json!({"seconds": 60}), None),
    ];
    for (lifetime, expected) in cases {
        let world = World::new();
        let (source, _) = signed_in(&world, &json!({})).await;
        refreshed(&world, &source, &json!({ "expires_in": lifetime })).await;
        let grant = source.grant().await.unwrap().unwrap().value;
        assert_eq!(grant.expires_at, expected, "{lifetime}");
        world.start_over();
        if expected.is_none() {
            // Without an end it is used until it is refused.
            world.clock().advance(365 * 86_400);
            source.token().await.unwrap().unwrap();
            assert!(world.all().is_empty(), "{lifetime}");
        } else {
            answer(&world, "third", &json!({}));
            world.clock().advance(60);
            source.token().await.unwrap().unwrap();
            assert_eq!(world.legs(), [Leg::Token], "{lifetime}");
        }
    }
}

#[tokio::test]
async fn the_scheme_is_that_of_the_token_type_in_whatever_letters_use_07_tok_13() {
    for written in ["Bearer", "bearer", "BEARER"] {
        let world = World::new();
        let (source, report) = signed_in(&world, &json!({ "token_type": written })).await;
        assert_eq!(report.token_type, TokenType::Bearer, "{written}");
        let token = source.token().await.unwrap().unwrap();
        assert_eq!(token.header_value().unwrap(), "Bearer first", "{written}");
    }
}

#[tokio::test]
async fn a_stored_token_of_a_type_that_nobody_knows_is_not_sent_use_07() {
    for (refreshable, kind) in [(true, "mac"), (true, ""), (false, "mac"), (false, "N_A")] {
        let world = World::new();
        world.set().issues_refresh_tokens = refreshable;
        let store = Store::memory();
        world.signed_in(&world.source(&store)).await;
        let key = world.config().grant_key();
        let stored = store.grant(&key).await.unwrap().unwrap();
        let mut grant = stored.value;
        grant.token_type = kind.to_owned();
        let generation = Some(stored.generation);
        store.save_grant(&key, &grant, generation).await.unwrap();

        let outcome = world.source(&store).token().await;
        if refreshable {
            let token = outcome.unwrap().unwrap();
            assert_eq!(token.header_value().unwrap(), "Bearer access-3", "{kind}");
            assert_eq!(world.legs(), [Leg::Token], "{kind}");
        } else {
            let error = outcome.unwrap_err();
            assert!(matches!(error, Error::LoginRequired { .. }), "{error:?}");
            assert!(world.all().is_empty(), "{kind}");
        }
    }
}
