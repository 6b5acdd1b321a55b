//! Refreshes, scopes and PKCE as Entra ID has them, and others with it.

use doorkey_testkit::{Document, Leg, Oddity};
use serde_json::Value;

use super::Odd;
use crate::support::tools;

#[tokio::test]
async fn scopes_are_repeated_as_they_were_asked_for_when_refreshing() {
    let scopes = ["mcp:read", "mcp:call"];
    let odd = Odd::new(
        "entra-refresh-scopes",
        |auth| auth.odd(Oddity::WantsScopesAgain),
        |mcp| mcp.scopes_supported(scopes),
    )
    .await;
    let home = odd.without();
    odd.signed_in(&home).await;
    home.expire().await;
    let error = tools(&home).await.expect_err("a refresh without scopes");
    assert!(super::told(&error).contains("AADSTS90009"), "{error}");

    let home = odd.with_rule();
    odd.signed_in(&home).await;
    odd.world.recorder.clear();
    for _ in 0..2 {
        home.expire().await;
        tools(&home).await.expect("a refresh");
    }
    let sent = odd.world.recorder.of(Leg::Token);
    assert_eq!(sent.len(), 2);
    for request in sent {
        assert_eq!(request.form("scope"), ["mcp:read mcp:call"]);
    }
}

#[tokio::test]
async fn nobody_is_sent_to_a_page_that_refuses_who_asks_for_no_scope() {
    for scope in [
        "",
        "oauth.offline_access = true\nscopes = [\"offline_access\"]",
    ] {
        let odd = Odd::new(
            "entra-needs-scopes",
            |auth| auth.odd(Oddity::WantsScope),
            |mcp| mcp,
        )
        .await
        .with_settings(scope);
        let refused = odd.refused().await;
        assert!(refused.contains("AADSTS900144"), "{refused}");
        assert_eq!(odd.world.person.pages_opened(), 1);

        let error = odd.login(&odd.with_rule()).await.expect_err("no scope");
        let said = super::told(&error);
        assert!(said.contains("setting `scopes`"), "{said}");
        assert!(said.contains("It shows an error page"), "{said}");
        assert_eq!(odd.world.person.pages_opened(), 1, "no other page");
    }
    let odd = Odd::new(
        "entra-needs-scopes",
        |auth| auth.odd(Oddity::WantsScope),
        |mcp| mcp.scopes_supported(["mcp:read"]),
    )
    .await;
    odd.signed_in(&odd.with_rule()).await;
}

#[tokio::test]
async fn metadata_that_are_silent_about_pkce_will_do_for_servers_that_are_known_to_have_it() {
    let silent = Value::Null;
    let without_s256 = serde_json::json!(["plain"]);
    for id in ["entra-pkce", "cognito-pkce", "salesforce-pkce"] {
        for (methods, enough) in [(&silent, true), (&without_s256, false)] {
            let methods = methods.clone();
            let member = "code_challenge_methods_supported";
            let odd = Odd::new(
                id,
                |auth| auth.field(Document::Metadata, member, methods),
                |mcp| mcp,
            )
            .await;
            let refused = odd.refused().await;
            assert!(
                refused.contains("does not support PKCE with S256"),
                "{refused}"
            );
            let outcome = odd.login(&odd.with_rule()).await;
            assert_eq!(outcome.is_ok(), enough, "{id}: {outcome:?}");
            if enough {
                // It is used in any case: the server checked the verifier.
                let sent = &odd.world.recorder.of(Leg::Authorization)[0];
                assert_eq!(sent.query("code_challenge_method"), ["S256"]);
            }
        }
    }
}
