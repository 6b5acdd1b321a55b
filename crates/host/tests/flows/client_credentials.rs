//! The client signs in itself, by secret or key.

use doorkey_testkit::{
    AuthorizationServer, CertificateAuthority, ClientAuthMethod, Dpop, Leg, McpServer,
    RecordedRequest, SigningAlgorithm, StaticClient,
};
use serde_json::{Value, json};

use crate::world::{World, key};

async fn by_secret() -> World {
    let client = StaticClient::confidential("nightly", "s3cret", ClientAuthMethod::Basic);
    let authorization = AuthorizationServer::builder()
        .client_credentials(true)
        .static_client(client.grant_types(["client_credentials"]));
    let world = World::start(
        CertificateAuthority::new().unwrap(),
        authorization,
        McpServer::builder(),
    );
    let world = world.await.with("NIGHTLY_SECRET", "s3cret");
    world.configure(BY_SECRET);
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_signs_in_itself_without_a_person_or_a_terminal_cc_01_cc_07() {
    let world = by_secret().await;
    assert_eq!(world.status().await["status"], "unattended");
    let ran = world.run(&["login", "one"]).await;
    ran.expect(
        0,
        &[
            "signed in to one as client nightly by client credentials",
            "takes the token",
            "another one is asked for",
        ],
    )
    .without("s3cret");
    let recorder = &world.recorder;
    assert_eq!(recorder.count(Leg::Authorization), 0);
    assert_eq!(recorder.count(Leg::Registration), 0);
    let asked = recorder.of(Leg::Token).pop().unwrap();
    assert_eq!(asked.form("grant_type"), ["client_credentials"]);
    assert_eq!(asked.form("resource"), [world.mcp.resource()]);
    assert_eq!(asked.form("client_secret"), [] as [String; 0]);

    let status = world.status().await;
    assert_eq!(status["status"], "logged_in");
    assert_eq!(status["flow"], "client_credentials");
    assert_eq!(status["client_id"], "nightly");
    assert_eq!(status["proof"], "accepted");
    world.spotless();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_request_signs_in_and_an_expired_token_is_no_login_required_cc_08() {
    let world = by_secret().await;
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    assert_eq!(world.recorder.count(Leg::Token), 1);
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    assert_eq!(world.recorder.count(Leg::Token), 1, "the token is kept");

    world.authorization.expire_access_tokens();
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    assert_eq!(world.recorder.count(Leg::Token), 2);
    world.spotless();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_told_which_extension_is_in_use_cc_10() {
    let world = by_secret().await;
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    let told: Vec<_> = world
        .recorder
        .of(Leg::Resource)
        .iter()
        .filter_map(capabilities)
        .collect();
    assert!(!told.is_empty());
    for capabilities in told {
        let extensions = json!({ "io.modelcontextprotocol/oauth-client-credentials": {} });
        assert_eq!(capabilities["extensions"], extensions);
    }
}

/// What a request tells of the client.
fn capabilities(request: &RecordedRequest) -> Option<Value> {
    let params = &request.json()?["params"];
    let meta = &params["_meta"]["io.modelcontextprotocol/clientCapabilities"];
    let told = [&params["capabilities"], meta]
        .into_iter()
        .find(|told| told.is_object());
    told.cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_revokes_and_says_that_the_next_request_signs_in_again() {
    let world = by_secret().await;
    world.run(&["login", "one"]).await.expect(0, &[]);
    let ran = world.run(&["logout", "one"]).await;
    ran.expect(
        0,
        &["access token at the server: removed", "signs in again"],
    );
    assert_eq!(world.recorder.count(Leg::Revocation), 1);
    assert_eq!(world.status().await["status"], "unattended");
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    world
        .run(&["remove", "one"])
        .await
        .expect(0, &["removed one"]);
    assert_eq!(world.recorder.count(Leg::Revocation), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_without_an_issuer_go_nowhere_until_it_is_named_cc_07() {
    let world = by_secret().await;
    let unbound = BY_SECRET.replace("issuer = \"ISSUER\"", "");
    world.configure(&unbound);
    let issuer = world.authorization.issuer();
    for command in [&["login", "one"][..], &["tools", "one"]] {
        let next = format!("write issuer = {issuer:?} in [mcp_servers.one.oauth]");
        let ran = world.run(command).await;
        ran.expect(9, &["the credentials name no issuer", &next]);
    }
    assert_eq!(world.recorder.count(Leg::Token), 0);

    world.configure(&unbound.replace("flow", "accept_discovered_issuer = true\nflow"));
    world.run(&["login", "one"]).await.expect(0, &[]);
    assert_eq!(world.recorder.count(Leg::Token), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_another_issuer_are_not_sent_cc_07() {
    let world = by_secret().await;
    world.configure(&BY_SECRET.replace("ISSUER", "https://other.example"));
    let ran = world.run(&["login", "one"]).await;
    ran.expect(9, &["belongs to https://other.example"]);
    assert_eq!(world.recorder.count(Leg::Token), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_signs_with_its_key_and_get_shows_where_that_is_cc_03_cc_05() {
    let key = key(SigningAlgorithm::Es256);
    let client = StaticClient::with_key("nightly", key.public_key());
    let authorization = AuthorizationServer::builder()
        .client_credentials(true)
        .private_key_jwt([SigningAlgorithm::Es256])
        .static_client(client.grant_types(["client_credentials"]));
    let world = World::start(
        CertificateAuthority::new().unwrap(),
        authorization,
        McpServer::builder(),
    );
    let world = world.await;
    world.write("nightly.pem", key.pem());
    world.configure(
        "flow = \"client_credentials\"\nclient_id = \"nightly\"\nissuer = \"ISSUER\"\n\
         private_key_file = \"nightly.pem\"\nprivate_key_id = \"2026\"",
    );
    let ran = world.run(&["login", "one"]).await;
    ran.expect(0, &["as client nightly"]);
    let asked = world.recorder.of(Leg::Token).pop().unwrap();
    assert_eq!(asked.form("client_assertion").len(), 1);
    world.spotless();

    let shown = world.shown().await;
    assert_eq!(shown["flow"], "client_credentials");
    assert_eq!(shown["dpop"], "auto");
    let path = world.folder.path().join("nightly.pem");
    assert_eq!(shown["private_key"], format!("file {}", path.display()));
    assert_eq!(shown["private_key_id"], "2026");
    assert_eq!(shown["client_secret"], Value::Null);
    assert_eq!(shown["issuer"], world.authorization.issuer());
    let get = world.run(&["get", "one", "--table"]).await;
    get.expect(0, &["private_key", "nightly.pem", "client_credentials"])
        .without("PRIVATE KEY");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_none_is_told_and_does_not_keep_a_logout_from_removing() {
    let world = by_secret().await;
    world.run(&["login", "one"]).await.expect(0, &[]);
    world.write("nightly.pem", "s3cret-key");
    world.configure(
        "flow = \"client_credentials\"\nclient_id = \"nightly\"\nissuer = \"ISSUER\"\n\
         private_key_file = \"nightly.pem\"",
    );
    let next = "next: correct oauth.private_key in [mcp_servers.one]";
    let ran = world.run(&["tools", "one"]).await;
    ran.expect(9, &["the setting `private_key`", "neither a PEM", next])
        .without("s3cret-key");
    let ran = world.run(&["logout", "one"]).await;
    ran.expect(0, &["removed the login", "nothing was revoked"]);
    assert_eq!(world.status().await["status"], "unattended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_bound_to_a_key_is_shown_so_dp_01() {
    let client = StaticClient::confidential("nightly", "s3cret", ClientAuthMethod::Basic);
    let authorization = AuthorizationServer::builder()
        .client_credentials(true)
        .dpop(Dpop::Supported)
        .static_client(client.grant_types(["client_credentials"]));
    let mcp = McpServer::builder().dpop(Dpop::Required);
    let world = World::start(CertificateAuthority::new().unwrap(), authorization, mcp).await;
    let world = world.with("NIGHTLY_SECRET", "s3cret");
    world.configure(BY_SECRET);
    let ran = world.run(&["login", "one"]).await;
    ran.expect(0, &["DPoP, bound to a key of this machine"]);
    assert_eq!(world.status().await["token_type"], "DPoP");
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    let ran = world.run(&["token", "one"]).await;
    let ran = ran.expect(
        9,
        &["each request needs a proof", "next: doorkey call one TOOL"],
    );
    assert!(ran.out.is_empty(), "{}", ran.out);
    world.spotless();

    world.configure(&format!("{BY_SECRET}\ndpop = \"off\""));
    world.run(&["logout", "one"]).await.expect(0, &[]);
    let ran = world.run(&["login", "one"]).await;
    let next = "correct oauth.dpop in [mcp_servers.one]";
    ran.expect(9, &["takes no token without DPoP", next]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_gets_a_token_of_a_client_that_has_not_signed_in_yet() {
    let world = by_secret().await;
    let ran = world.run(&["token", "one", "--header"]).await;
    let ran = ran.expect(0, &[]);
    assert!(ran.out.starts_with("Authorization: Bearer "), "{}", ran.out);
    let again = world.run(&["token", "one", "--header"]).await;
    assert_eq!(again.out, ran.out);
    world.spotless();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_to_be_bound_and_is_not_is_a_matter_of_configuration_dp_16() {
    let world = by_secret().await;
    world.configure(&format!("{BY_SECRET}\ndpop = \"require\""));
    let ran = world.run(&["login", "one"]).await;
    ran.expect(
        9,
        &["gave a bearer token", "next: if a bearer token will do"],
    );
}

const BY_SECRET: &str = "flow = \"client_credentials\"\nclient_id = \"nightly\"\n\
                         client_secret_env = \"NIGHTLY_SECRET\"\nissuer = \"ISSUER\"";
