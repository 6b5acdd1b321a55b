//! TLS: the private authority, wrong certificates, client certificates, HTTP/2.

use doorkey_testkit::{
    AuthorizationServer, Browser, CertificateAuthority, Client, Error, Listen, McpServer, Recorder,
};
use serde_json::json;

async fn status(client: &Client, auth: &AuthorizationServer) -> Result<u16, Error> {
    let url = format!("{}/.well-known/oauth-authorization-server", auth.url());
    client.get(&url).await.map(|reply| reply.status.as_u16())
}

#[tokio::test]
async fn a_client_needs_the_authority_and_the_name() {
    let (ca, other) = (
        CertificateAuthority::new().unwrap(),
        CertificateAuthority::new().unwrap(),
    );
    let auth = AuthorizationServer::builder()
        .tls(&ca)
        .start()
        .await
        .unwrap();
    assert!(auth.url().starts_with("https://127.0.0.1:"));
    let trusting = Client::new().trusting(&ca);
    assert_eq!(status(&trusting, &auth).await.unwrap(), 200);
    for stranger in [Client::new(), Client::new().trusting(&other)] {
        let error = status(&stranger, &auth).await.unwrap_err();
        assert!(matches!(error, Error::Connect { .. }), "{error}");
    }
    // The same port under its other name.
    let by_name = format!("https://localhost:{}/authorize", auth.addr().port());
    assert_eq!(trusting.get(&by_name).await.unwrap().status, 400);
}

#[tokio::test]
async fn expired_and_foreign_certificates_are_what_they_say() {
    let ca = CertificateAuthority::new().unwrap();
    let client = Client::new().trusting(&ca);
    for identity in [
        ca.issue_expired_server(&["127.0.0.1"]).unwrap(),
        ca.issue_server(&["elsewhere.example"]).unwrap(),
        ca.issue_client("a client's").unwrap(),
    ] {
        let listen = Listen::new().identity(identity);
        let auth = AuthorizationServer::builder()
            .listen(listen)
            .start()
            .await
            .unwrap();
        let error = status(&client, &auth).await.unwrap_err();
        assert!(matches!(error, Error::Connect { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_required_client_certificate_keeps_others_out() {
    let (ca, clients) = (
        CertificateAuthority::new().unwrap(),
        CertificateAuthority::new().unwrap(),
    );
    let recorder = Recorder::new();
    let auth = AuthorizationServer::builder()
        .tls(&ca)
        .require_client_certificate(&clients)
        .recorder(&recorder)
        .start()
        .await
        .unwrap();
    let right = clients.issue_client("right").unwrap();
    let wrong = ca.issue_client("wrong").unwrap();
    let client = Client::new().trusting(&ca);
    assert!(status(&client, &auth).await.is_err());
    assert!(
        status(&client.clone().identity(&wrong), &auth)
            .await
            .is_err()
    );
    assert_eq!(
        status(&client.clone().identity(&right), &auth)
            .await
            .unwrap(),
        200
    );
    let requests = recorder.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].client_certificate);
}

#[tokio::test]
async fn a_requested_client_certificate_is_noted() {
    let ca = CertificateAuthority::new().unwrap();
    let recorder = Recorder::new();
    let listen = Listen::new()
        .tls(&ca)
        .request_client_certificate(&ca)
        .recorder(&recorder)
        .named("as");
    let auth = AuthorizationServer::builder()
        .listen(listen)
        .start()
        .await
        .unwrap();
    let client = Client::new().trusting(&ca);
    status(&client, &auth).await.unwrap();
    let identity = ca.issue_client("me").unwrap();
    status(&client.identity(&identity), &auth).await.unwrap();
    let seen: Vec<bool> = recorder
        .requests()
        .iter()
        .map(|r| r.client_certificate)
        .collect();
    assert_eq!(seen, [false, true]);
    assert_eq!(recorder.requests()[0].server, "as");
}

#[tokio::test]
async fn a_login_works_with_everything_behind_tls() {
    let ca = CertificateAuthority::new().unwrap();
    let auth = AuthorizationServer::builder()
        .tls(&ca)
        .start()
        .await
        .unwrap();
    let listen = Listen::new().tls(&ca).host("localhost");
    let mcp = McpServer::builder().listen(listen).authorization(&auth);
    let mcp = mcp.start().await.unwrap();
    assert!(mcp.url().starts_with("https://localhost:"));
    let client = Client::new().trusting(&ca);
    let asked = json!({
        "redirect_uris": ["http://127.0.0.1:9/callback"],
        "token_endpoint_auth_method": "none",
    });
    let url = format!("{}/register", auth.issuer());
    let registered = client.post_json(&url, &asked).await.unwrap().json();
    let mut url = url::Url::parse(&format!("{}/authorize", auth.issuer())).unwrap();
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", registered["client_id"].as_str().unwrap()),
        ("redirect_uri", "http://127.0.0.1:9/callback"),
        ("state", "s"),
        ("code_challenge", crate::support::CHALLENGE),
        ("code_challenge_method", "S256"),
        ("resource", mcp.resource()),
    ]);
    let browser = Browser::new().trusting(&ca).stop_before_callback();
    let visit = browser.open(url.as_str()).await.unwrap();
    assert!(visit.parameter("code").is_some(), "{:?}", auth.refusals());
}
