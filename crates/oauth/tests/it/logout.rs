//! Logout: what is revoked, what is removed, what is reported (REV-01 to REV-07).

use std::time::Duration;

use doorkey_http::Leg;
use doorkey_oauth::{Challenges, LogoutOptions, StepOutcome, TokenSource};
use doorkey_store::{Backend as _, RegistrationKey, Store};
use serde_json::json;

use crate::stores::Fickle;
use crate::world::{ISSUER, LIMIT, World};

fn forget() -> LogoutOptions {
    LogoutOptions::default().forget_client(true)
}

#[tokio::test]
async fn the_refresh_token_is_revoked_first_then_the_access_token_rev_01_rev_02() {
    let world = World::new();
    world.set().registered = json!({
        "client_id": "c", "client_secret": "s", "token_endpoint_auth_method": "client_secret_post",
    });
    let store = Store::memory();
    let source = world.source(&store);
    world.signed_in(&source).await;
    let report = source.logout(LogoutOptions::default()).await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert!(matches!(report.registration, StepOutcome::NotRequested));
    let requests = world.seen(Leg::Revocation);
    let sent: Vec<_> = requests
        .iter()
        .map(|seen| {
            [
                seen.form("token"),
                seen.form("token_type_hint"),
                seen.form("client_secret"),
            ]
            .concat()
        })
        .collect();
    assert_eq!(
        sent,
        [
            ["refresh-2", "refresh_token", "s"],
            ["access-2", "access_token", "s"]
        ]
    );
    assert!(source.grant().await.unwrap().is_none());
    assert!(source.token().await.unwrap().is_none());
    // The registration is left for the next login (REV-06).
    assert!(
        store
            .registration(&RegistrationKey::shared(ISSUER))
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_client_revokes_with_what_it_refreshes_with_rev_02() {
    for (method, header, body) in [
        ("none", false, false),
        ("client_secret_basic", true, false),
        ("client_secret_post", false, true),
    ] {
        let world = World::new();
        world.set().registered = json!({
            "client_id": "c", "client_secret": "s", "token_endpoint_auth_method": method,
        });
        let source = world.source(&Store::memory());
        world.signed_in(&source).await;
        world.clock().advance(3600);
        source.token().await.unwrap().unwrap();
        source.logout(LogoutOptions::default()).await.unwrap();
        assert_eq!(world.legs(), [Leg::Token, Leg::Revocation, Leg::Revocation]);
        let refresh = world.seen(Leg::Token).remove(0);
        for seen in world.all() {
            let credential = seen.headers.get("authorization");
            assert_eq!(credential, refresh.headers.get("authorization"), "{method}");
            assert_eq!(credential.is_some(), header, "{method}");
            assert_eq!(
                seen.form("client_secret").len(),
                usize::from(body),
                "{method}"
            );
            assert_eq!(
                seen.form("client_id").len(),
                usize::from(!header),
                "{method}"
            );
            assert_eq!(seen.method, "POST", "{method}");
            assert_eq!(seen.url.query(), None, "{method}");
        }
    }
}

#[tokio::test]
async fn a_token_is_given_back_where_it_came_from_and_over_tls_rev_05() {
    // What is published by now counts for nothing: the tokens are of the issuer on record.
    let world = World::new();
    let source = world.source(&Store::memory());
    world.signed_in(&source).await;
    world.set().issuers = vec![String::from("https://evil.example")];
    world.set().metadata["issuer"] = json!("https://evil.example");
    world.set().metadata["revocation_endpoint"] = json!("https://evil.example/revoke");
    let report = source.logout(LogoutOptions::default()).await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(world.legs(), [Leg::Revocation; 2]);
    for seen in world.all() {
        assert_eq!(seen.url.as_str(), "https://as.example/revoke");
    }

    for endpoint in [
        "http://as.example/revoke",
        "https://user:pass@as.example/revoke",
        "ftp://as.example/revoke",
        "not a URL",
    ] {
        let world = World::new();
        let store = Store::memory();
        world.signed_in(&world.source(&store)).await;
        let key = world.config().grant_key();
        let stored = store.grant(&key).await.unwrap().unwrap();
        let mut grant = stored.value;
        grant.revocation_endpoint = Some(endpoint.to_owned());
        let generation = Some(stored.generation);
        store.save_grant(&key, &grant, generation).await.unwrap();
        let report = world
            .source(&store)
            .logout(LogoutOptions::default())
            .await
            .unwrap();
        assert!(
            matches!(report.revoked_refresh, StepOutcome::Failed(_)),
            "{endpoint}: {report:?}"
        );
        assert!(world.all().is_empty(), "{endpoint}");
        assert!(store.grant(&key).await.unwrap().is_none(), "{endpoint}");
    }
}

#[tokio::test]
async fn a_revocation_that_may_be_tried_later_says_when_rev_03() {
    for (status, body) in [
        (503, r#"{"error":"temporarily_unavailable"}"#),
        (503, ""),
        (429, "<html>Slow down</html>"),
    ] {
        let world = World::new();
        let source = world.source(&Store::memory());
        world.signed_in(&source).await;
        let headers =
            http::HeaderMap::from_iter([(http::header::RETRY_AFTER, "30".parse().unwrap())]);
        world.script_with(Leg::Revocation, status, body, headers);
        let report = source.logout(LogoutOptions::default()).await.unwrap();
        assert!(
            matches!(&report.revoked_refresh, StepOutcome::Failed(error)
                if error.is_transient() && error.retry_after() == Some(Duration::from_secs(30))),
            "{status} {body}: {report:?}"
        );
        assert!(matches!(report.revoked_access, StepOutcome::Done));
        assert!(source.grant().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn local_copies_go_whatever_the_network_said_rev_04() {
    for (status, body) in [
        (503, "down"),
        (418, ""),
        (400, r#"{"error":"invalid_request"}"#),
    ] {
        let world = World::new();
        let source = world.source(&Store::memory());
        world.signed_in(&source).await;
        world.script(Leg::Revocation, status, body);
        world.script(Leg::Revocation, status, body);
        let report = source.logout(LogoutOptions::default()).await.unwrap();
        assert!(!report.is_complete());
        assert!(
            matches!(report.revoked_refresh, StepOutcome::Failed(_)),
            "{report:?}"
        );
        assert!(matches!(report.revoked_access, StepOutcome::Failed(_)));
        assert!(matches!(report.removed_local, StepOutcome::Done));
        assert!(source.grant().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn an_unsupported_token_type_is_no_failure_and_no_endpoint_is_said_rev_03() {
    let world = World::new();
    let source = world.source(&Store::memory());
    world.signed_in(&source).await;
    world.script(
        Leg::Revocation,
        400,
        r#"{"error":"unsupported_token_type"}"#,
    );
    let report = source.logout(LogoutOptions::default()).await.unwrap();
    assert!(matches!(report.revoked_refresh, StepOutcome::Done));

    let world = World::new();
    world.set().metadata["revocation_endpoint"] = json!(null);
    let source = world.source(&Store::memory());
    world.signed_in(&source).await;
    let report = source.logout(LogoutOptions::default()).await.unwrap();
    assert!(matches!(report.revoked_refresh, StepOutcome::Unsupported));
    assert!(matches!(report.removed_local, StepOutcome::Done));
    assert!(world.all().is_empty());
}

#[tokio::test]
async fn copies_that_were_set_aside_go_also_when_another_process_removed_the_record_first_rev_04() {
    let world = World::new();
    let backend = Fickle::default();
    let store = Store::new(backend.clone());
    let key = world.config().grant_key();
    let damaged = b"{\"version\":1,\"refresh_token\":\"a secret\"".to_vec();
    let id = key.record_id();
    let saved = backend.save(&id, damaged.into(), None);
    saved.await.unwrap();
    assert!(store.grant(&key).await.unwrap().is_none(), "set aside");
    let source = world.source(&store);
    world.signed_in(&source).await;
    backend.lose_removes();
    let report = source.logout(LogoutOptions::default()).await.unwrap();
    assert!(matches!(report.removed_local, StepOutcome::Done));
    assert_eq!(store.discard_set_aside_grants(&key).await.unwrap(), 0);
}

#[tokio::test]
async fn without_a_login_there_is_nothing_to_do() {
    let world = World::new();
    let report = world
        .source(&Store::memory())
        .logout(forget())
        .await
        .unwrap();
    assert!(report.is_complete());
    assert!(matches!(report.removed_local, StepOutcome::NothingToDo));
    assert!(world.all().is_empty());
}

#[tokio::test]
async fn a_registration_is_deleted_only_when_nobody_else_uses_it_rev_06_rev_07() {
    let world = World::new();
    world.set().registered = json!({
        "client_id": "c",
        "registration_access_token": "manage",
        "registration_client_uri": "https://as.example/register/c",
    });
    let store = Store::memory();
    let source = world.source(&store);
    world.signed_in(&source).await;
    let mut config = world.config();
    config.account = String::from("work");
    let work = world.source_with(config, &store);
    world.signed_in(&work).await;

    let report = work.logout(forget()).await.unwrap();
    assert!(
        matches!(report.registration, StepOutcome::InUse),
        "{report:?}"
    );
    world.start_over();
    let report = source.logout(forget()).await.unwrap();
    assert!(
        matches!(report.registration, StepOutcome::Done),
        "{report:?}"
    );
    let request = world.seen(Leg::Registration).remove(0);
    assert_eq!(request.method, "DELETE");
    assert_eq!(request.url.as_str(), "https://as.example/register/c");
    assert_eq!(request.headers["authorization"], "Bearer manage");
    assert!(
        store
            .registration(&RegistrationKey::shared(ISSUER))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn logout_ends_what_memory_holds_also_after_a_second_login() {
    let world = World::new();
    let source = world.source(&Store::memory());
    for _ in 0..2 {
        world.signed_in(&source).await;
        source.token().await.unwrap().unwrap();
        source.logout(LogoutOptions::default()).await.unwrap();
        assert!(source.token().await.unwrap().is_none());
        let error = source
            .rejected(None, &Challenges::default())
            .await
            .unwrap_err();
        assert!(error.needs_login());
    }
}

#[tokio::test]
async fn a_revocation_is_done_whatever_the_body_says_rev_03() {
    // More than any answer may have.
    let oversized = "x".repeat(4 << 20).leak();
    for body in [
        "<html>Bye</html>",
        r#"{"error":"invalid_request"}"#,
        oversized,
    ] {
        let world = World::new();
        let source = world.source(&Store::memory());
        world.signed_in(&source).await;
        world.script(Leg::Revocation, 200, body);
        let report = source.logout(LogoutOptions::default()).await.unwrap();
        let shown = &body[..body.len().min(40)];
        assert!(
            matches!(report.revoked_refresh, StepOutcome::Done),
            "{shown}"
        );
        assert!(report.is_complete());
    }
}

/// Signed in with a registration that the server can delete.
async fn deletable(world: &World, store: &Store) -> TokenSource {
    world.set().registered = json!({
        "client_id": "c",
        "registration_access_token": "manage-secret",
        "registration_client_uri": "https://as.example/register/c",
    });
    let source = world.source(store);
    world.signed_in(&source).await;
    source
}

#[tokio::test]
async fn a_registration_that_the_server_keeps_is_forgotten_here_with_the_servers_words_rev_07() {
    for (body, words) in [
        (
            r#"{"error":"access_denied","error_description":"ask\u001b[31m Ada"}"#,
            "Ada",
        ),
        ("<html>not manage-secret\u{1b}[31m here</html>", "here"),
        ("", "no reason given"),
    ] {
        let world = World::new();
        let store = Store::memory();
        let source = deletable(&world, &store).await;
        world.script(Leg::Registration, 403, body);
        let report = source.logout(forget()).await.unwrap();
        let StepOutcome::LocalOnly(error) = &report.registration else {
            panic!("{report:?}");
        };
        let text = error.to_string();
        assert!(text.contains("403") && text.contains(words), "{text}");
        assert!(
            !text.contains("manage-secret") && !text.contains('\u{1b}'),
            "{text}"
        );
        assert!(!report.is_complete());
        let registrations = store.registrations().await.unwrap();
        assert!(registrations.entries.is_empty());
    }
}

#[tokio::test]
async fn nobody_registers_while_the_server_is_asked_to_forget_rev_07() {
    let world = World::new();
    let store = Store::memory();
    let source = deletable(&world, &store).await;
    let issuer = RegistrationKey::shared(ISSUER);
    let lock = store.lock_registration(&issuer, LIMIT).await.unwrap();
    let leaving = {
        let source = source.clone();
        tokio::spawn(async move { source.logout(forget()).await.unwrap() })
    };
    tokio::time::timeout(LIMIT, async {
        while source.grant().await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    // Under the lock another login finds the registration and is given a grant.
    let mut config = world.config();
    config.account = String::from("work");
    let mut grant = doorkey_store::Grant::new(ISSUER, "c", "https://as.example/token");
    grant.dynamic_registration = true;
    let key = config.grant_key();
    store.save_grant(&key, &grant, None).await.unwrap();
    assert!(world.seen(Leg::Registration).is_empty());
    drop(lock);
    let report = leaving.await.unwrap();
    assert!(
        matches!(report.registration, StepOutcome::InUse),
        "{report:?}"
    );
    assert!(world.seen(Leg::Registration).is_empty());
}
