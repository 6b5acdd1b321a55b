//! Parameters, scopes, tokens and clients as Google, Auth0, Slack, GitHub and others have them.

use doorkey_testkit::{
    AuthorizationServer, CertificateAuthority, Document, Leg, McpServer, Oddity, Recorder,
    RefreshTokens, ResourceParameter, SigningAlgorithm, SigningKey,
};
use integration::{Home, World};
use secrecy::ExposeSecret as _;

use super::{Odd, told};
use crate::support::tools;

#[tokio::test]
async fn a_refresh_token_is_asked_for_as_google_gives_it() {
    let parameters = [("access_type", "offline"), ("prompt", "consent")];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let odd = Odd::new(
        "google-offline",
        |auth| auth.odd(Oddity::RefreshTokenFor(parameters.to_vec())),
        |mcp| mcp,
    )
    .await;
    assert!(!odd.signed_in(&odd.without()).await.refreshable);
    assert!(odd.signed_in(&odd.with_rule()).await.refreshable);
    // Settings win: nobody wants a refresh token, or another prompt.
    let odd = odd.with_settings("oauth.offline_access = false");
    assert!(!odd.signed_in(&odd.with_rule()).await.refreshable);
    let home = Home::new(
        &odd.world,
        "quirks_on = [\"google-offline\"]\noauth.authorize_params = { prompt = \"select_account\" }",
    );
    odd.world.recorder.clear();
    odd.signed_in(&home).await;
    let sent = &odd.world.recorder.of(Leg::Authorization)[0];
    assert_eq!(sent.query("prompt"), ["select_account"]);
    assert_eq!(sent.query("access_type"), ["offline"]);
}

#[tokio::test]
async fn a_scope_that_a_server_does_not_know_is_not_asked_for() {
    let odd = Odd::new(
        "google-scopes",
        |auth| auth.scopes_supported(["mcp:read"]),
        |mcp| mcp.scopes_supported(["mcp:read", "offline_access"]),
    )
    .await;
    let refused = odd.refused().await;
    assert!(
        refused.contains("there is no scope offline_access"),
        "{refused}"
    );
    let report = odd.signed_in(&odd.with_rule()).await;
    assert_eq!(report.scopes.to_string(), "mcp:read");

    let odd = Odd::new("google-scopes", |auth| auth, |mcp| mcp).await;
    let error = odd.login(&odd.with_rule()).await.expect_err("no scope");
    assert!(told(&error).contains("setting `scopes`"), "{error}");
}

#[tokio::test]
async fn the_resource_is_sent_as_audience_too() {
    let odd = Odd::new(
        "auth0-audience",
        |auth| {
            auth.odd(Oddity::AudienceParameter(
                "https://tenant.example/userinfo".to_owned(),
            ))
        },
        |mcp| mcp,
    )
    .await;
    let refused = odd.refused().await;
    assert!(
        refused.contains("refuses a token that was just issued"),
        "{refused}"
    );
    odd.world.recorder.clear();
    let home = odd.with_rule();
    odd.signed_in(&home).await;
    home.expire().await;
    tools(&home).await.expect("a refresh");
    let resource = odd.world.mcp.url();
    let page = &odd.world.recorder.of(Leg::Authorization)[0];
    assert_eq!(page.query("audience"), [resource.as_str()]);
    for request in odd.world.recorder.of(Leg::Token) {
        assert_eq!(request.form("audience"), [resource.as_str()]);
    }
}

#[tokio::test]
async fn a_resource_that_a_server_does_not_know_is_left_out_of_every_leg() {
    let ca = CertificateAuthority::new().expect("a certificate authority");
    let recorder = Recorder::new();
    let mcp = McpServer::builder().tls(&ca).recorder(&recorder);
    let mcp = mcp.start().await.expect("a free port");
    let rule = ResourceParameter::Refused(mcp.resource().to_owned());
    let auth = AuthorizationServer::builder().tls(&ca).recorder(&recorder);
    let auth = auth.resource_parameter(rule).start().await;
    let auth = auth.expect("a free port");
    mcp.set_authorization(&auth);
    let odd = Odd::of(
        "authentik-resource",
        World::of(ca, recorder, auth, mcp).await,
    );
    let refused = odd.refused().await;
    assert!(refused.contains("invalid_target"), "{refused}");
    let home = odd.with_rule();
    assert_eq!(odd.signed_in(&home).await.resource, None);
    home.expire().await;
    tools(&home).await.expect("a refresh");
    // A token that is refused before its time leads to a look at the metadata, which name a resource.
    odd.world.auth.expire_access_tokens();
    tools(&home).await.expect("a refresh");
    let status = home.host().status(Home::SERVER).await.expect("a status");
    assert_eq!(status.auth.status.as_str(), "logged_in");
}

#[tokio::test]
async fn tokens_inside_of_a_member_are_read_and_errors_with_status_200_are_errors() {
    let odd = Odd::new(
        "slack-answers",
        |auth| auth.odd(Oddity::NestedAnswers),
        |mcp| mcp.scopes_supported(["search:read", "chat:write"]),
    )
    .await;
    let refused = odd.refused().await;
    assert!(refused.contains("there is no `access_token`"), "{refused}");
    let home = odd.with_rule();
    let report = odd.signed_in(&home).await;
    assert_eq!(report.scopes.to_string(), "search:read chat:write");
    assert!(report.refreshable);
    home.expire().await;
    tools(&home).await.expect("a refresh");
    odd.world.auth.revoke_refresh_tokens();
    home.expire().await;
    let error = tools(&home).await.expect_err("a revoked refresh token");
    assert!(told(&error).contains("invalid_grant"), "{error}");
}

#[tokio::test]
async fn scopes_are_sent_in_the_parameter_that_a_server_reads() {
    let odd = Odd::new(
        "slack-scopes",
        |auth| auth.odd(Oddity::UserScopes),
        |mcp| mcp.required_scopes(["search:read", "chat:write"]),
    )
    .await;
    let refused = odd.refused().await;
    assert!(refused.contains("lacks scope"), "{refused}");
    odd.world.recorder.clear();
    odd.signed_in(&odd.with_rule()).await;
    let sent = &odd.world.recorder.of(Leg::Authorization)[0];
    assert_eq!(sent.query("user_scope"), ["search:read,chat:write"]);
    assert!(sent.query("scope").is_empty());
}

#[tokio::test]
async fn a_form_is_read_as_a_token_answer_and_as_an_error() {
    let odd = Odd::new(
        "github-answers",
        |auth| auth.odd(Oddity::FormAnswers),
        |mcp| mcp,
    )
    .await;
    let refused = odd.refused().await;
    assert!(refused.contains("the body is not JSON"), "{refused}");
    let home = odd.with_rule();
    odd.signed_in(&home).await;
    home.expire().await;
    tools(&home).await.expect("a refresh");
    odd.world.auth.revoke_refresh_tokens();
    home.expire().await;
    let error = tools(&home).await.expect_err("a revoked refresh token");
    assert!(told(&error).contains("invalid_grant"), "{error}");
}

#[tokio::test]
async fn no_registration_is_tried_where_only_clients_that_were_registered_by_hand_get_in() {
    for id in ["register-by-hand", "okta-registration"] {
        let odd = Odd::new(
            id,
            |auth| auth.initial_access_token("an-api-token"),
            |mcp| mcp,
        )
        .await;
        let refused = odd.refused().await;
        assert!(refused.contains("client registration"), "{refused}");
        assert_eq!(odd.world.recorder.count(Leg::Registration), 1);
        let error = odd.login(&odd.with_rule()).await.expect_err("no client");
        let said = told(&error);
        assert!(said.contains(&super::rule(id).what), "{said}");
        assert_eq!(error.code().as_str(), "client-id-needed");
        assert_eq!(odd.world.recorder.count(Leg::Registration), 1, "no other");
        assert_eq!(odd.world.person.pages_opened(), 0);
    }
}

#[tokio::test]
async fn the_identity_token_is_presented_and_refreshed_by_its_own_end() {
    let key = SigningKey::generate(SigningAlgorithm::Es256).expect("a key");
    let odd = Odd::new(
        "id-token-as-bearer",
        |auth| {
            auth.openid(&key)
                .refresh_tokens(RefreshTokens::Always)
                .id_token_lifetime(std::time::Duration::from_secs(600))
                .odd(Oddity::IdTokensOnly)
        },
        |mcp| mcp,
    )
    .await;
    let refused = odd.refused().await;
    assert!(
        refused.contains("refuses a token that was just issued"),
        "{refused}"
    );
    let home = odd.with_rule();
    odd.signed_in(&home).await;
    let grant = home.grant().await.expect("a grant").value;
    let expires_at = grant.expires_at.expect("an end");
    // Not the hour of the access token.
    assert!(
        (590..=601).contains(&(expires_at - grant.issued_at)),
        "{grant:?}"
    );
    home.expire().await;
    tools(&home).await.expect("a refresh");
    // A refresh may bring no other one (OpenID Connect Core §12.2); the rotated refresh token is kept all the same.
    let null = serde_json::Value::Null;
    odd.world.auth.set_field(Document::Token, "id_token", null);
    let before = home.grant().await.expect("a grant").value.refresh_token;
    home.expire().await;
    let error = tools(&home).await.expect_err("no identity token");
    assert!(told(&error).contains("identity token"), "{error}");
    let after = home.grant().await.expect("a grant").value.refresh_token;
    let (before, after) = (before.expect("one"), after.expect("another"));
    assert_ne!(before.expose_secret(), after.expose_secret());
    assert!(odd.world.auth.honours(after.expose_secret()));
}
