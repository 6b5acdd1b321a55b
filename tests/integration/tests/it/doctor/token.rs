//! What the store has of a login, and its refresh.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use doorkey_store::Proof;
use doorkey_testkit::{
    AuthorizationServerBuilder, ClientAuthMethod, Fault, FaultRule, Leg, SigningAlgorithm,
    SigningKey, StaticClient, TrustedIssuer,
};

use super::bench::Bench;

/// Somebody signed in, and the refresh that is due is answered like this.
async fn refreshing(fault: Fault) -> Bench {
    let bench = Bench::signed_in().await;
    bench.home.expire().await;
    bench
        .world
        .auth
        .fault(FaultRule::on(Leg::Token).respond(fault));
    bench
}

/// Somebody signed in, and the login was changed like this.
async fn changed(change: impl FnOnce(&mut doorkey_store::Grant)) -> Bench {
    let bench = Bench::signed_in().await;
    bench.home.change(change).await;
    bench
}

/// An authorization server that gives tokens to `app` by its secret.
fn by_secret(auth: AuthorizationServerBuilder) -> AuthorizationServerBuilder {
    let app = StaticClient::confidential("app", "s3cr3t-of-the-app", ClientAuthMethod::Basic)
        .redirect_uri("http://127.0.0.1/callback")
        .grant_types(["client_credentials"]);
    auth.client_credentials(true).static_client(app)
}

fn with_secret(secret: &str) -> String {
    format!(
        "[mcp_servers.it.oauth]\nflow = \"client_credentials\"\nclient_id = \"app\"\n\
         client_secret = \"{secret}\"\naccept_discovered_issuer = true"
    )
}

/// A program signs in by itself, and its first request for a token is answered like this.
async fn by_itself(fault: Fault) -> Bench {
    let bench = Bench::with(by_secret, |mcp| mcp).await;
    let rule = FaultRule::on(Leg::Token).respond(fault);
    bench.world.auth.fault(rule);
    bench.settings(&with_secret("s3cr3t-of-the-app"))
}

#[tokio::test]
async fn who_signs_in_by_itself_gets_a_token_from_the_doctor_unless_told_not_to() {
    let bench = Bench::with(by_secret, |mcp| mcp).await;
    let bench = bench.settings(&with_secret("s3cr3t-of-the-app"));
    let left = bench.run(&["--no-refresh"]).await.succeeded();
    assert!(!left.stdout.contains("Nothing is wrong."), "{left}");
    assert!(left.stdout.contains("No session was opened"), "{left}");
    assert!(bench.home.grant().await.is_none(), "{left}");
    let run = bench.run(&[]).await.succeeded();
    assert!(run.stdout.contains("Nothing is wrong."), "{run}");
    assert!(bench.home.grant().await.is_some(), "{run}");
}

fn in_an_hour() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    (now + Duration::from_secs(3600)).as_secs()
}

/// Somebody signed in with a newer version of the program.
fn from_the_future(bench: &Bench) {
    let records = bench.home.records();
    let (name, bytes) = records
        .iter()
        .find(|(name, _)| name.starts_with("grant"))
        .expect("a grant");
    let text = String::from_utf8(bytes.clone()).expect("text");
    let newer = text.replacen("\"version\":1", "\"version\":99", 1);
    assert_ne!(newer, text);
    let mut folders = vec![bench.home.path().join("state")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name().to_string_lossy() == *name {
                std::fs::write(entry.path(), &newer).expect("a file");
            }
        }
    }
}

cases! {
    not_signed_in: None, async || Bench::new().await;
    login_waiting: None, async || {
        let bench = Bench::new().await;
        bench.home.run(&["login", "it", "--start"]).await.succeeded();
        bench
    };
    token_expired: None, async || {
        changed(|grant| (grant.refresh_token, grant.expires_at) = (None, Some(1))).await
    };
    token_rejected_before: None, async || changed(|grant| grant.proof = Proof::Rejected).await;
    token_other_issuer: None, async || changed(|grant| grant.issuer = "https://old.example".to_owned()).await;
    token_other_resource: None, async || {
        changed(|grant| grant.resource = Some("https://other.example/mcp".to_owned())).await
    };
    login_other_settings: None, async || {
        Bench::signed_in().await.settings("[mcp_servers.it.oauth]\nclient_id = \"another\"")
    };
    record_unreadable: None, async || {
        let bench = Bench::signed_in().await;
        from_the_future(&bench);
        bench
    };
    client_refused: Some("token"), async || {
        let bench = Bench::with(by_secret, |mcp| mcp).await;
        bench.settings(&with_secret("not-the-secret"))
    };
    assertion_missing: None, async || {
        let table = "[mcp_servers.it.oauth]\nflow = \"workload_identity\"\naccept_discovered_issuer = true\n\
                     workload.env = \"NOT_SET_ANYWHERE\"";
        let key = SigningKey::generate(SigningAlgorithm::Es256).expect("a key");
        let platform = TrustedIssuer::workload("https://platform.test", key.public_key());
        Bench::with(|auth| auth.jwt_bearer(platform), |mcp| mcp).await.settings(table)
    };
    token_refused: Some("token"), async || by_itself(Fault::oauth_error(400, "unauthorized_client", "not you")).await;
    token_unobtainable: Some("token"), async || by_itself(Fault::status(503)).await;
    brake_on: None, async || {
        let later = in_an_hour();
        changed(|grant| (grant.expires_at, grant.refresh_not_before) = (Some(1), Some(later))).await
    };
    refresh_token_refused: Some("token"), async || {
        let bench = Bench::signed_in().await;
        bench.home.expire().await;
        bench.world.auth.revoke_refresh_tokens();
        bench
    };
    refresh_client_refused: Some("token"), async || {
        refreshing(Fault::oauth_error(401, "invalid_client", "no such client")).await
    };
    refresh_request_refused: Some("token"), async || {
        refreshing(Fault::oauth_error(400, "invalid_scope", "not that one")).await
    };
    entra_resource: Some("token"), async || {
        let said = "AADSTS9010010: The resource parameter doesn't match with the requested scopes";
        refreshing(Fault::oauth_error(400, "invalid_target", said)).await
    };
    entra_scope: Some("token"), async || {
        let said = "AADSTS70011: The provided value for the input parameter 'scope' is not valid";
        refreshing(Fault::oauth_error(400, "invalid_scope", said)).await
    };
    refresh_server_error: Some("token"), async || refreshing(Fault::status(503)).await;
    refresh_unreachable: Some("token"), async || {
        changed(|grant| {
            grant.expires_at = Some(1);
            grant.token_endpoint = "https://127.0.0.1:1/token".to_owned();
        })
        .await
    };
    refresh_unreadable: Some("token"), async || refreshing(Fault::Html).await;
    refresh_error_other: Some("token"), async || {
        refreshing(Fault::oauth_error(200, "bad_verification_code", "not today")).await
    };
}
