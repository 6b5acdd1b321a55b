//! The token and revocation endpoints.

use std::{collections::HashSet, time::Duration};

use doorkey_testkit::{AuthorizationServer, McpServer, RefreshTokens, Reply, ResourceParameter};

use crate::support::{Change, REDIRECT, VERIFIER, World, refusal, text};

#[tokio::test]
async fn a_sound_exchange_gives_a_token_for_the_resource() {
    let world = World::new().await;
    let (id, tokens) = world.log_in(&[("scope", Some("mcp:read mcp:write"))]).await;
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["scope"], "mcp:read mcp:write");
    let facts = world.auth.inspect(text(&tokens, "access_token")).unwrap();
    assert_eq!(facts.audience, world.mcp.resource());
    assert_eq!(facts.client_id, id);
    assert!(facts.active);
    assert_eq!(world.auth.counters().code_exchanges, 1);
}

#[tokio::test]
async fn an_unsound_exchange_is_refused() {
    let other_verifier = "a".repeat(43);
    let table: [(&[Change<'_>], &str); 16] = [
        (&[("grant_type", None)], "invalid_request"),
        (
            &[("grant_type", Some("password"))],
            "unsupported_grant_type",
        ),
        (&[("client_id", None)], "invalid_request"),
        (&[("client_id", Some("nobody"))], "invalid_client"),
        (&[("client_secret", Some("x"))], "invalid_client"),
        (&[("code", None)], "invalid_request"),
        (&[("code", Some("guessed"))], "invalid_grant"),
        (&[("redirect_uri", None)], "invalid_request"),
        (
            &[("redirect_uri", Some("http://127.0.0.1:9/callback/"))],
            "invalid_grant",
        ),
        (&[("code_verifier", None)], "invalid_request"),
        (&[("code_verifier", Some("short"))], "invalid_request"),
        (&[("code_verifier", Some(&other_verifier))], "invalid_grant"),
        (&[("resource", None)], "invalid_target"),
        (
            &[("resource", Some("https://evil.example/mcp"))],
            "invalid_target",
        ),
        (
            &[
                ("code_verifier", Some(VERIFIER)),
                ("code_verifier", Some(VERIFIER)),
            ],
            "invalid_request",
        ),
        (&[("client_assertion", Some("x"))], "invalid_client"),
    ];
    let world = World::new().await;
    let client = world.register().await;
    for (changes, error) in table {
        let code = world.code(&client.id).await;
        let reply = world.exchange(&client.id, &code, changes).await;
        assert_eq!(refusal(&reply).1, error, "{changes:?}");
    }
    assert_eq!(world.auth.counters().code_exchanges, 0);
    assert_eq!(world.auth.token_requests(), 16);
}

#[tokio::test]
async fn resource_must_be_the_authorized_one_and_exactly_once() {
    let second = McpServer::builder().path("/other");
    let world = World::new().await;
    let second = second.authorization(&world.auth).start().await.unwrap();
    let client = world.register().await;
    let right = world.mcp.resource();
    let with_slash = format!("{right}/");
    let table: [&[Change<'_>]; 3] = [
        &[("resource", Some(second.resource()))],
        &[("resource", Some(&with_slash))],
        &[("resource", Some(right)), ("resource", Some(right))],
    ];
    for changes in table {
        let code = world.code(&client.id).await;
        let reply = world.exchange(&client.id, &code, changes).await;
        assert_eq!(
            refusal(&reply),
            (400, "invalid_target".into()),
            "{changes:?}"
        );
    }
    let (id, tokens) = world.log_in(&[]).await;
    let token = text(&tokens, "refresh_token");
    let none: &[Change<'_>] = &[("resource", None)];
    for changes in table.into_iter().chain([none]) {
        let reply = world.refresh(&id, token, changes).await;
        assert_eq!(
            refusal(&reply),
            (400, "invalid_target".into()),
            "{changes:?}"
        );
    }
    // A refused refresh has used nothing up.
    let reply = world.refresh(&id, token, &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn a_code_used_twice_kills_what_came_of_it() {
    let world = World::new().await;
    let client = world.register().await;
    let code = world.code(&client.id).await;
    let tokens = world.exchange(&client.id, &code, &[]).await.json();
    assert_eq!(world.ping(text(&tokens, "access_token")).await.status, 200);

    let again = world.exchange(&client.id, &code, &[]).await;
    assert_eq!(refusal(&again), (400, "invalid_grant".into()));
    assert_eq!(world.ping(text(&tokens, "access_token")).await.status, 401);
    let refresh = world
        .refresh(&client.id, text(&tokens, "refresh_token"), &[])
        .await;
    assert_eq!(refusal(&refresh), (400, "invalid_grant".into()));
}

#[tokio::test]
async fn a_code_is_for_its_client_and_for_a_minute() {
    let world = World::new().await;
    let (first, second) = (world.register().await, world.register().await);
    let code = world.code(&first.id).await;
    let stolen = world.exchange(&second.id, &code, &[]).await;
    assert_eq!(refusal(&stolen), (400, "invalid_grant".into()));
    world.auth.advance(Duration::from_secs(61));
    let late = world.exchange(&first.id, &code, &[]).await;
    assert_eq!(refusal(&late), (400, "invalid_grant".into()));
}

#[tokio::test]
async fn a_refresh_token_used_twice_kills_its_family() {
    let world = World::new().await;
    let (id, tokens) = world.log_in(&[]).await;
    let (_, bystander) = world.log_in(&[]).await;
    let first = text(&tokens, "refresh_token");
    let renewed = world.refresh(&id, first, &[]).await.json();
    let second = text(&renewed, "refresh_token");
    assert_ne!(first, second);
    assert_eq!(world.ping(text(&renewed, "access_token")).await.status, 200);

    let reuse = world.refresh(&id, first, &[]).await;
    assert_eq!(refusal(&reuse), (400, "invalid_grant".into()));
    let heir = world.refresh(&id, second, &[]).await;
    assert_eq!(refusal(&heir), (400, "invalid_grant".into()));
    assert_eq!(world.ping(text(&renewed, "access_token")).await.status, 401);
    assert_eq!(
        world.ping(text(&bystander, "access_token")).await.status,
        200
    );
    let counters = world.auth.counters();
    assert_eq!(
        (
            counters.refreshes,
            counters.reuses,
            counters.refresh_requests
        ),
        (1, 1, 3)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_parallel_refreshes_with_one_token_one_succeeds() {
    let world = World::new().await;
    let (id, tokens) = world.log_in(&[]).await;
    let token = text(&tokens, "refresh_token");
    let attempts = (0..8).map(|_| world.refresh(&id, token, &[]));
    let replies: Vec<Reply> = futures_util::future::join_all(attempts).await;
    let succeeded = replies.iter().filter(|r| r.status == 200).count();
    assert_eq!(succeeded, 1);
    assert_eq!(world.auth.refreshes(), 1);
}

#[tokio::test]
async fn without_rotation_a_refresh_token_stays() {
    let auth = AuthorizationServer::builder().rotate_refresh_tokens(false);
    let world = World::with(auth, McpServer::builder()).await;
    let (id, tokens) = world.log_in(&[]).await;
    for _ in 0..3 {
        let renewed = world
            .refresh(&id, text(&tokens, "refresh_token"), &[])
            .await;
        assert_eq!(renewed.status, 200);
        assert!(renewed.json().get("refresh_token").is_none());
    }
}

#[tokio::test]
async fn a_refresh_narrows_scopes_and_never_widens_them() {
    let world = World::new().await;
    let (id, tokens) = world.log_in(&[("scope", Some("a b"))]).await;
    let token = text(&tokens, "refresh_token");
    let wider = world.refresh(&id, token, &[("scope", Some("a c"))]).await;
    assert_eq!(refusal(&wider), (400, "invalid_scope".into()));
    let narrow = world
        .refresh(&id, token, &[("scope", Some("a"))])
        .await
        .json();
    assert_eq!(narrow["scope"], "a");
    let full = world
        .refresh(&id, text(&narrow, "refresh_token"), &[])
        .await
        .json();
    assert_eq!(full["scope"], "a b");
}

#[tokio::test]
async fn refresh_tokens_come_only_when_they_are_due() {
    let table = [
        (RefreshTokens::Always, None, true),
        (RefreshTokens::Never, None, false),
        (RefreshTokens::WithOfflineAccess, None, false),
        (
            RefreshTokens::WithOfflineAccess,
            Some("offline_access"),
            true,
        ),
    ];
    for (when, scope, expected) in table {
        let auth = AuthorizationServer::builder().refresh_tokens(when);
        let world = World::with(auth, McpServer::builder()).await;
        let (_, tokens) = world.log_in(&[("scope", scope)]).await;
        assert_eq!(
            tokens.get("refresh_token").is_some(),
            expected,
            "{when:?} {scope:?}"
        );
    }
}

#[tokio::test]
async fn access_tokens_end_by_age_by_order_and_by_revocation() {
    let auth = AuthorizationServer::builder().access_token_lifetime(Duration::from_secs(10));
    let world = World::with(auth.omit_expires_in(), McpServer::builder()).await;
    let (id, tokens) = world.log_in(&[]).await;
    assert!(tokens.get("expires_in").is_none());
    assert_eq!(world.ping(text(&tokens, "access_token")).await.status, 200);
    world.auth.advance(Duration::from_secs(11));
    assert_eq!(world.ping(text(&tokens, "access_token")).await.status, 401);

    let renewed = world
        .refresh(&id, text(&tokens, "refresh_token"), &[])
        .await
        .json();
    assert_eq!(world.ping(text(&renewed, "access_token")).await.status, 200);
    world.auth.expire_access_tokens();
    assert_eq!(world.ping(text(&renewed, "access_token")).await.status, 401);

    let renewed = world
        .refresh(&id, text(&renewed, "refresh_token"), &[])
        .await
        .json();
    world.auth.revoke_refresh_tokens();
    assert_eq!(world.ping(text(&renewed, "access_token")).await.status, 200);
    let refused = world
        .refresh(&id, text(&renewed, "refresh_token"), &[])
        .await;
    assert_eq!(refusal(&refused), (400, "invalid_grant".into()));
}

#[tokio::test]
async fn a_token_request_is_a_form_post_and_nothing_else() {
    let world = World::new().await;
    let url = world.at("token");
    let get = world.client.get(&url).await.unwrap();
    assert_eq!(get.status, 405);
    let json = world.client.post_json(&url, &serde_json::json!({})).await;
    assert_eq!(refusal(&json.unwrap()), (400, "invalid_request".into()));
    // A request that is sound but for the parameter in the URL.
    let client = world.register().await;
    let code = world.code(&client.id).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", client.id.as_str()),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("resource", world.mcp.resource()),
    ];
    let in_url = format!("{url}?audience=x");
    let query = world.client.post_form(&in_url, &fields).await.unwrap();
    assert_eq!(refusal(&query), (400, "invalid_request".into()));
    assert_eq!(world.token(&fields).await.status, 200);
}

#[tokio::test]
async fn servers_that_know_no_resource_parameter_can_be_played() {
    let assumed = "https://tenant.example/api";
    for (rule, with, without) in [
        (ResourceParameter::Optional(assumed.into()), true, true),
        (ResourceParameter::Refused(assumed.into()), false, true),
        (ResourceParameter::Required, true, false),
    ] {
        let auth = AuthorizationServer::builder().resource_parameter(rule.clone());
        let world = World::with(auth, McpServer::builder()).await;
        let client = world.register().await;
        let sent = world.visit(&client.id, &[]).await.parameter("code");
        assert_eq!(sent.is_some(), with, "{rule:?}");
        let omitted = world.visit(&client.id, &[("resource", None)]).await;
        let Some(code) = omitted.parameter("code") else {
            assert!(!without, "{rule:?}");
            continue;
        };
        let none = [("resource", None)];
        let tokens = world.exchange(&client.id, &code, &none).await.json();
        let facts = world.auth.inspect(text(&tokens, "access_token")).unwrap();
        assert_eq!(facts.audience, assumed);
        let renewed = world
            .refresh(&client.id, text(&tokens, "refresh_token"), &none)
            .await;
        assert_eq!(renewed.status, 200, "{rule:?}");
    }
}

#[tokio::test]
async fn what_was_authorized_with_a_resource_needs_it_to_the_end() {
    let rule = ResourceParameter::Optional("https://tenant.example/api".into());
    let auth = AuthorizationServer::builder().resource_parameter(rule);
    let world = World::with(auth, McpServer::builder()).await;
    let (id, tokens) = world.log_in(&[]).await;
    let token = text(&tokens, "refresh_token");
    let without = world.refresh(&id, token, &[("resource", None)]).await;
    assert_eq!(refusal(&without), (400, "invalid_target".into()));
    let omitted = world.visit(&id, &[("resource", None)]).await;
    let code = omitted.parameter("code").unwrap();
    let late = world.exchange(&id, &code, &[]).await;
    assert_eq!(refusal(&late), (400, "invalid_target".into()));
}

#[tokio::test]
async fn a_refresh_token_is_for_its_client() {
    let world = World::new().await;
    let (id, tokens) = world.log_in(&[]).await;
    let (other, _) = world.log_in(&[]).await;
    let token = text(&tokens, "refresh_token");
    let stolen = world.refresh(&other, token, &[]).await;
    assert_eq!(refusal(&stolen), (400, "invalid_grant".into()));
    assert_eq!(world.refresh(&id, token, &[]).await.status, 200);
}

#[tokio::test]
async fn a_client_revokes_its_own_tokens_and_no_others() {
    let world = World::new().await;
    let (id, tokens) = world.log_in(&[]).await;
    let (other, _) = world.log_in(&[]).await;
    let access = text(&tokens, "access_token");
    let refresh = text(&tokens, "refresh_token");
    let revoke = async |client: &str, token: &str| {
        let fields = [("client_id", client), ("token", token)];
        let url = world.at("revoke");
        world.client.post_form(&url, &fields).await.unwrap().status
    };
    assert_eq!(revoke(&other, refresh).await, 400);
    assert_eq!(revoke(&other, access).await, 400);
    assert_eq!(world.ping(access).await.status, 200);
    assert_eq!(revoke(&id, "unknown").await, 200);
    assert_eq!(revoke(&id, refresh).await, 200);
    assert_eq!(
        world.ping(access).await.status,
        401,
        "the family dies together"
    );
    let refused = world.refresh(&id, refresh, &[]).await;
    assert_eq!(refusal(&refused), (400, "invalid_grant".into()));
    assert_eq!(world.auth.counters().revocations, 2);
}

#[tokio::test]
async fn no_value_is_issued_twice() {
    let world = World::new().await;
    let mut seen = HashSet::new();
    for _ in 0..3 {
        let (id, tokens) = world.log_in(&[]).await;
        for value in [
            &id,
            text(&tokens, "access_token"),
            text(&tokens, "refresh_token"),
        ] {
            assert!(seen.insert(value.to_owned()));
        }
    }
}
