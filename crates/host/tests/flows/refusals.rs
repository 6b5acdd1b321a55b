//! What servers say no with, and what is made of it.

use doorkey_testkit::{
    AuthorizationServer, CertificateAuthority, ClientAuthMethod, Fault, FaultRule, Leg, McpServer,
    StaticClient,
};
use serde_json::json;

use crate::world::World;

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_an_error_is_shown_and_never_opened_err_08() {
    use std::os::unix::fs::PermissionsExt as _;
    let client = StaticClient::confidential("nightly", "s3cret", ClientAuthMethod::Basic);
    let authorization = AuthorizationServer::builder()
        .client_credentials(true)
        .static_client(client.grant_types(["client_credentials"]));
    let world = World::start(
        CertificateAuthority::new().unwrap(),
        authorization,
        McpServer::builder(),
    );
    let world = world.await;
    world.configure(
        "flow = \"client_credentials\"\nclient_id = \"nightly\"\nclient_secret = \"s3cret\"\n\
         issuer = \"ISSUER\"",
    );
    let (script, log) = (
        world.folder.path().join("browser"),
        world.folder.path().join("opened"),
    );
    world.write(
        "browser",
        &format!("#!/bin/sh\necho \"$1\" >> '{}'\n", log.display()),
    );
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    let world = world.with("BROWSER", script.to_str().unwrap());
    let error = json!({
        "error": "unauthorized_client",
        "error_description": "not today\u{1b}[31m",
        "error_uri": "https://as.example/why",
    });
    let rule = FaultRule::on(Leg::Token).respond(Fault::json(400, &error));
    world.authorization.fault(rule);
    for command in [&["login", "one"][..], &["tools", "one"]] {
        let ran = world.run(command).await;
        assert_ne!(ran.code, 0);
        ran.without("\u{1b}[31m").expect(
            1,
            &[
                "unauthorized_client",
                "not today",
                "(see https://as.example/why)",
                "400",
            ],
        );
    }
    assert!(!log.exists(), "{:?}", std::fs::read_to_string(&log));
}
