//! Nothing is taken from the environment but what `Roots::System` says it takes.

use std::process::Command;

use doorkey_http::Leg;

use crate::ca::Ca;
use crate::server::{Server, get};
use crate::tls::{client, profile};

#[test]
fn proxies_in_the_environment_are_ignored() {
    let nowhere = "http://127.0.0.1:1";
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "environment::a_request_goes_to_its_server",
            "--nocapture",
        ])
        .envs(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, nowhere)))
        .envs(["http_proxy", "https_proxy", "all_proxy"].map(|name| (name, nowhere)))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

/// Run once more, in a process of its own, by the test above.
#[tokio::test]
async fn a_request_goes_to_its_server() {
    let ca = Ca::new();
    let (secure, plain) = (
        Server::ok(Some(ca.server(&["mcp.test"], None))).await,
        Server::ok(None).await,
    );
    let client = client(&profile(&secure, ca.roots()));
    client
        .send(Leg::Resource, get(&secure.url("mcp.test", "/")))
        .await
        .unwrap();
    client
        .send(Leg::Token, get(&plain.url("127.0.0.1", "/")))
        .await
        .unwrap();
    assert_eq!((secure.seen().len(), plain.seen().len()), (1, 1));
}
