//! The sign-on at an identity provider: once for all, kept through failures, renewed, ended.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorkey_discovery::Issuer;
use doorkey_oauth::{Error, Identity, LoginReason, LogoutOptions, StepOutcome};
use doorkey_store::Store;
use doorkey_testkit::{Document, Fault, FaultRule, Leg};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::provider::{EXCHANGE, Handed, Scene};
use crate::referee::{Person, login};
use crate::stores::Fickle;

#[tokio::test]
async fn the_person_signs_on_once_for_all_servers_of_the_provider_ema_05_ema_13_ema_14() {
    let scene = Scene::new().await;
    let person = Person::at(3118);
    let tokens = scene.referee.source(scene.config(|_| {}));
    // Nobody is asked from the background.
    let error = scene.referee.call(&tokens).await.unwrap_err();
    let needed = LoginReason::SignOn(Issuer::new(scene.provider.issuer()));
    assert!(
        matches!(&error, Error::LoginRequired { reason, .. } if *reason == needed),
        "{error}"
    );
    login(&scene.referee, &tokens, &person).await.unwrap();
    scene.referee.calls(&tokens).await;
    assert_eq!(person.asked(), 1);
    let identity = scene.identity().await.unwrap();
    assert!(identity.id_token.is_some() && identity.refresh_token.is_some());
    assert!(identity.access_token.is_none(), "it is of no use here");
    assert_eq!(identity.account_label.as_deref(), Some("alice"));

    // Another login, as for another server, is silent.
    login(&scene.referee, &tokens, &person).await.unwrap();
    assert_eq!(person.asked(), 1);

    // When the identity has expired as well, the provider renews it.
    scene.provider.advance(Duration::from_secs(7200));
    scene.referee.advance(Duration::from_secs(7200));
    let later = scene.referee.source(scene.config(|_| {}));
    scene.referee.calls(&later).await;
    assert_eq!(scene.provider.refreshes(), 1);
    let renewed = scene.identity().await.unwrap();
    assert_ne!(
        renewed.id_token.unwrap().expose_secret(),
        identity.id_token.unwrap().expose_secret()
    );
    scene.spotless();
}

#[tokio::test]
async fn a_sign_on_is_only_believed_with_the_right_claims_ema_14() {
    for (claim, wrong) in [
        ("nonce", json!("another")),
        ("nonce", json!(null)),
        ("iss", json!("https://idp.example")),
        ("aud", json!("another-client")),
        ("exp", json!(1_000_000)),
    ] {
        let scene = Scene::new().await;
        scene.provider.set_field(Document::IdToken, claim, wrong);
        let tokens = scene.referee.source(scene.config(|_| {}));
        let error = login(&scene.referee, &tokens, &Person::at(3118))
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::InvalidIdToken { .. }),
            "{claim}: {error}"
        );
        assert!(scene.identity().await.is_none());
        assert_eq!(scene.bearer_grants().len(), 0);
    }
}

#[tokio::test]
async fn a_provider_that_refuses_the_refresh_wants_the_person_again_and_one_that_is_down_does_not_ema_13()
 {
    let scene = Scene::new().await;
    let person = Person::at(3118);
    let tokens = scene.referee.source(scene.config(|_| {}));
    login(&scene.referee, &tokens, &person).await.unwrap();
    scene.provider.advance(Duration::from_secs(7200));
    scene.referee.advance(Duration::from_secs(7200));
    let outage = FaultRule::on(Leg::Token)
        .times(1)
        .respond(Fault::status(503));
    scene.provider.fault(outage);
    let error = scene.referee.call(&tokens).await.unwrap_err();
    assert!(error.is_transient() && !error.needs_login(), "{error}");
    assert!(scene.identity().await.unwrap().refresh_token.is_some());

    scene.referee.clock.advance(Duration::from_secs(120));
    scene.provider.revoke_refresh_tokens();
    let error = scene.referee.call(&tokens).await.unwrap_err();
    assert!(error.needs_login(), "{error}");
    assert!(scene.identity().await.unwrap().refresh_token.is_none());
    login(&scene.referee, &tokens, &person).await.unwrap();
    assert_eq!(person.asked(), 2);
    scene.referee.calls(&tokens).await;
}

#[tokio::test]
async fn a_saml_sign_on_is_traded_once_for_a_refresh_token_ema_04() {
    let scene = Scene::new().await;
    scene.provider.register_saml_assertion("<saml/>", "alice");
    let handed = Arc::new(Handed(Mutex::new("<saml/>".to_owned())));
    let config = scene.config(|enterprise| enterprise.identity = Identity::Saml(handed));
    let tokens = scene.referee.source(config.clone());
    scene.referee.calls(&tokens).await;
    let identity = scene.identity().await.unwrap();
    assert!(identity.refresh_token.is_some() && identity.id_token.is_none());
    // Once traded it is not looked at again.
    scene.referee.advance(Duration::from_secs(3600));
    scene.provider.advance(Duration::from_secs(3600));
    scene.referee.calls(&scene.referee.source(config)).await;
    assert_eq!(scene.bearer_grants().len(), 2);
    assert_eq!(scene.provider.counters().token_exchanges, 3);
    scene.spotless();
}

#[tokio::test]
async fn a_logout_ends_the_sign_on_unless_another_server_lives_on_it_rev_04_rev_06() {
    let scene = Scene::new().await;
    let person = Person::at(3118);
    let one = scene.referee.source(scene.config(|_| {}));
    login(&scene.referee, &one, &person).await.unwrap();
    let mut other = scene.config(|_| {});
    other.server.set_query(Some("again"));
    let two = scene.referee.source(other);
    two.login(&Default::default(), person.clone())
        .await
        .unwrap();

    let report = one.logout(LogoutOptions::default()).await.unwrap();
    assert!(matches!(report.identity, StepOutcome::InUse), "{report:?}");
    assert!(scene.identity().await.is_some());
    let report = two.logout(LogoutOptions::default()).await.unwrap();
    assert!(matches!(report.identity, StepOutcome::Done), "{report:?}");
    assert!(scene.identity().await.is_none());
    assert_eq!(scene.provider.counters().revocations, 1);
}

#[tokio::test]
async fn a_refused_exchange_ends_the_identity_only_where_the_identity_is_meant_ema_13() {
    for (code, ends) in [
        ("invalid_grant", true),
        ("invalid_request", false),
        ("invalid_target", false),
        ("invalid_client", false),
    ] {
        let scene = signed_on().await;
        let refusal = Fault::oauth_error(400, code, "not so");
        let rule = FaultRule::on(Leg::Token).grant(EXCHANGE).times(1);
        scene.provider.fault(rule.respond(refusal));
        scene.referee.advance(Duration::from_secs(3600));
        scene.provider.advance(Duration::from_secs(3600));
        let tokens = scene.referee.source(scene.config(|_| {}));
        let error = scene.referee.call(&tokens).await.unwrap_err();
        assert!(error.to_string().contains(code), "{error}");
        let kept = scene.identity().await.unwrap();
        assert_eq!(kept.id_token.is_none(), ends, "{code}");
        assert!(kept.refresh_token.is_some(), "{code}");
        scene.referee.clock.advance(Duration::from_secs(120));
        scene.referee.calls(&tokens).await;
        assert_eq!(scene.provider.refreshes(), usize::from(ends), "{code}");
    }
}

/// A scene whose person has signed on for a day.
async fn signed_on() -> Scene {
    let scene = Scene::new().await;
    let day = Duration::from_secs(24 * 3600);
    scene.provider.set_id_token_lifetime(day);
    let tokens = scene.referee.source(scene.config(|_| {}));
    login(&scene.referee, &tokens, &Person::at(3118))
        .await
        .unwrap();
    scene
}

/// Beyond the life of every token but a refresh token.
fn next_day(scene: &Scene) {
    let time = Duration::from_secs(25 * 3600);
    scene.referee.advance(time);
    scene.provider.advance(time);
}

#[tokio::test]
async fn what_an_administrator_can_mend_costs_nobody_a_sign_on_ema_13_ref_07() {
    for code in ["invalid_client", "invalid_scope", "unsupported_grant_type"] {
        let scene = signed_on().await;
        next_day(&scene);
        let refusal = Fault::oauth_error(401, code, "not so");
        let rule = FaultRule::on(Leg::Token).grant("refresh_token").times(1);
        scene.provider.fault(rule.respond(refusal));
        let tokens = scene.referee.source(scene.config(|_| {}));
        let error = scene.referee.call(&tokens).await.unwrap_err();
        assert!(!error.needs_login(), "{code}: {error}");
        assert!(scene.identity().await.unwrap().refresh_token.is_some());
        scene.referee.clock.advance(Duration::from_secs(120));
        scene.referee.calls(&tokens).await;
    }
}

#[tokio::test]
async fn a_rotated_token_of_the_provider_outlives_a_store_that_fails_ref_04_ema_13() {
    let mut scene = Scene::new().await;
    let fickle = Fickle::default();
    scene.referee.store = Store::new(fickle.clone());
    let tokens = scene.referee.source(scene.config(|_| {}));
    login(&scene.referee, &tokens, &Person::at(3118))
        .await
        .unwrap();
    next_day(&scene);
    // The intent is saved, what came of it is not.
    fickle.fail_after(1);
    scene.referee.calls(&tokens).await;
    assert_eq!(scene.provider.refreshes(), 1);
    fickle.heal();
    next_day(&scene);
    scene.referee.calls(&tokens).await;
    assert_eq!(scene.provider.refreshes(), 2);
    assert_eq!(scene.provider.counters().reuses, 0);
    // By now it is in the store.
    next_day(&scene);
    let later = scene.referee.source(scene.config(|_| {}));
    scene.referee.calls(&later).await;
    assert_eq!(scene.provider.counters().reuses, 0);

    // With a store that takes nothing at all, nothing is sent that could rotate.
    next_day(&scene);
    fickle.fail_after(0);
    let refreshes = scene.provider.refreshes();
    let fresh = scene.referee.source(scene.config(|_| {}));
    assert!(scene.referee.call(&fresh).await.is_err());
    assert_eq!(scene.provider.refreshes(), refreshes);
}

#[tokio::test]
async fn a_completed_sign_on_is_kept_though_somebody_holds_its_lock_tok_21() {
    let scene = Scene::new().await;
    let mut config = scene.config(|_| {});
    config.refresh_lock_limit = Duration::from_millis(200);
    let tokens = scene.referee.source(config);
    let busy = scene.referee.store.clone();
    let key = scene.identity_key();
    let person = Person::at(3118);
    // Somebody takes the lock while the person is at the page and keeps it.
    let holding = async {
        while person.asked() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let lock = busy.lock_grant(&key, Duration::from_secs(5)).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        drop(lock);
    };
    let (outcome, ()) = tokio::join!(login(&scene.referee, &tokens, &person), holding);
    drop(outcome);
    login(&scene.referee, &tokens, &person).await.unwrap();
    assert!(scene.identity().await.unwrap().refresh_token.is_some());
}

#[tokio::test]
async fn two_clients_of_one_provider_keep_a_sign_on_each_st_01() {
    let scene = Scene::new().await;
    let person = Person::at(3118);
    for _ in 0..2 {
        for client in ["agent", "other"] {
            let config = scene.config(|enterprise| enterprise.client.client_id = client.to_owned());
            let tokens = scene.referee.source(config);
            login(&scene.referee, &tokens, &person).await.unwrap();
        }
    }
    assert_eq!(person.asked(), 2, "once each");
}

#[tokio::test]
async fn servers_that_need_the_same_sign_on_at_once_open_one_page_az_22() {
    let scene = Scene::new().await;
    let person = Person::at(3118);
    let sources: Vec<_> = (0..4)
        .map(|number| {
            let mut config = scene.config(|_| {});
            config.server.set_query(Some(&format!("server={number}")));
            scene.referee.source(config)
        })
        .collect();
    let challenges = doorkey_oauth::Challenges::default();
    let logins = sources
        .iter()
        .map(|tokens| tokens.login(&challenges, person.clone()));
    for outcome in futures_util::future::join_all(logins).await {
        outcome.unwrap();
    }
    assert_eq!(scene.provider.counters().approvals, 1);
}

#[tokio::test]
async fn without_a_person_there_is_no_storm_of_requests_up_06_ch_04() {
    let scene = Scene::new().await;
    let tokens = scene.referee.source(scene.config(|_| {}));
    for _ in 0..5 {
        let error = scene.referee.call(&tokens).await.unwrap_err();
        assert!(error.needs_login(), "{error}");
    }
    assert!(scene.referee.recorder.count(Leg::ResourceMetadata) <= 1);
    assert_eq!(scene.asked.len(), 0, "the provider is asked nothing");
    // Whoever is there is asked at once all the same.
    let person = Person::at(3118);
    let attended = scene.referee.attended(scene.config(|_| {}), &person);
    scene.referee.calls(&attended).await;
    assert_eq!(person.asked(), 1);
}

#[tokio::test]
async fn a_renewal_that_tells_of_somebody_else_is_not_used_ema_13() {
    for (claim, wrong, word) in [
        ("sub", json!("mallory"), "another person"),
        ("aud", json!("stranger"), "another client"),
        ("aud", json!(["agent", "stranger"]), "azp"),
        ("azp", json!("stranger"), "azp"),
        ("exp", json!(null), "exp"),
    ] {
        let scene = signed_on().await;
        next_day(&scene);
        scene.provider.set_field(Document::IdToken, claim, wrong);
        let tokens = scene.referee.source(scene.config(|_| {}));
        let error = scene.referee.call(&tokens).await.unwrap_err();
        assert!(error.to_string().contains(word), "{claim}: {error}");
        assert_eq!(scene.bearer_grants().len(), 1, "{claim}");
        let kept = scene.identity().await.unwrap();
        assert!(kept.id_token.is_none() && kept.refresh_token.is_some());
    }
}

#[tokio::test]
async fn a_renewal_asks_the_provider_for_nothing_but_tokens() {
    let scene = signed_on().await;
    next_day(&scene);
    scene.asked.clear();
    let later = scene.referee.source(scene.config(|_| {}));
    scene.referee.calls(&later).await;
    assert_eq!(scene.asked.len(), scene.asked.count(Leg::Token));
    assert_eq!(scene.asked.len(), 2, "a refresh and an exchange");
}

#[tokio::test]
async fn a_logout_tells_whether_the_sign_on_of_a_saml_assertion_was_revoked_rev_04() {
    let scene = Scene::new().await;
    scene.provider.register_saml_assertion("<saml/>", "alice");
    let handed = Arc::new(Handed(Mutex::new("<saml/>".to_owned())));
    let config = scene.config(|enterprise| enterprise.identity = Identity::Saml(handed));
    let tokens = scene.referee.source(config);
    scene.referee.calls(&tokens).await;
    let report = tokens.logout(LogoutOptions::default()).await.unwrap();
    assert!(matches!(report.identity, StepOutcome::Done), "{report:?}");
    assert_eq!(scene.provider.counters().revocations, 1);
}
