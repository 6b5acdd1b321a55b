//! The library inside another program: configuration and logins in memory, a person at hand or not.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its scene has failed"
)]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use doorkey::store::Store;
use doorkey::{
    Browser, Config, Environment, Home, Host, LoopbackInteraction, PlatformBrowser, Silent, Target,
};
use doorkey_testkit::{AuthorizationServer, McpServer, RecordedRequest, Recorder};
use errors::Button;
use hesitant::Hesitant;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::watch;

#[path = "../examples/errors.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the program in it is not run here"
)]
mod errors;
#[path = "embedding/hesitant.rs"]
mod hesitant;

/// A server that needs the scope `basic`, and `write` beside it for its tool `echo`.
async fn servers() -> (AuthorizationServer, McpServer) {
    let authorization = AuthorizationServer::builder().start().await.unwrap();
    let mcp = McpServer::builder()
        .authorization(&authorization)
        .required_scopes(["basic"])
        .tool_scope("echo", "write")
        .scopes_supported(["basic", "write"])
        .start()
        .await
        .unwrap();
    (authorization, mcp)
}

fn host(mcp: &McpServer) -> Host {
    host_with(mcp, Store::memory())
}

fn host_with(mcp: &McpServer, store: Store) -> Host {
    let home = Home::at("unused");
    let text = format!("[mcp_servers.one]\nurl = \"{}\"\n", mcp.url());
    let config = Config::parse(&home, &text).unwrap();
    Host::new(Environment::default(), home, config, store)
}

fn person() -> Arc<LoopbackInteraction> {
    let runtime = Handle::current();
    let browser = PlatformBrowser::new(move |url| {
        let visit = doorkey_testkit::Browser::new();
        let visited = runtime.block_on(visit.open(url));
        visited.map(drop).map_err(io::Error::other)
    });
    Arc::new(LoopbackInteraction::new(
        Browser::Platform(browser),
        Arc::new(Silent),
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_person_at_hand_requests_sign_in_and_step_up_by_themselves() {
    let (authorization, mcp) = servers().await;
    let host = host(&mcp).with_interaction(person());

    let connection = host.connect("one").await.unwrap();
    let before = host.session("one").unwrap().tokens.grant().await.unwrap();
    assert_eq!(before.unwrap().value.requested_scopes, ["basic"]);

    let arguments = json!({"text": "hello"}).as_object().cloned();
    connection.call_tool("echo", arguments).await.unwrap();
    assert_eq!(mcp.tool_calls(), 1);
    let after = host.session("one").unwrap().tokens.grant().await.unwrap();
    let mut scopes = after.unwrap().value.requested_scopes;
    scopes.sort();
    assert_eq!(scopes, ["basic", "write"]);
    assert_eq!(authorization.registrations(), 1);
    assert_eq!(authorization.refusals(), [] as [String; 0]);
    connection.close(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_one_nobody_is_asked_and_the_error_says_what_is_needed() {
    let (authorization, mcp) = servers().await;
    let host = host(&mcp);
    let error = host.connect("one").await.err().unwrap();
    assert!(error.needs_login(), "{error}");

    host.login("one", person(), &Silent).await.unwrap();
    let logins = authorization.token_requests();
    let connection = host.connect("one").await.unwrap();
    let error = connection.call_tool("echo", None).await.unwrap_err();
    assert!(
        matches!(
            error.authorization(),
            Some(doorkey::oauth::Error::InsufficientScope { required, .. }) if required.contains("write")
        ),
        "{error}"
    );
    assert_eq!(authorization.token_requests(), logins);
    connection.close(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_of_a_host_shows_each_failure_with_its_code_its_causes_and_what_a_click_does() {
    let (authorization, mcp) = servers().await;
    let host = host(&mcp);
    let target = Target::new("one");
    let error = host.connect("one").await.err().unwrap();
    let shown = errors::dialog(&error, target);
    assert_eq!(shown.code.as_str(), "login-required");
    assert_eq!(shown.button, Button::SignIn);
    assert!(shown.advice.contains("doorkey login one"), "{shown:?}");
    assert!(shown.lines.len() > 1, "{shown:?}");

    host.login("one", person(), &Silent).await.unwrap();
    let connection = host.connect("one").await.unwrap();
    let error = connection.call_tool("echo", None).await.unwrap_err();
    let shown = errors::dialog(&error, target);
    assert_eq!(shown.code.as_str(), "insufficient-scope");
    assert_eq!(shown.button, Button::Close);
    connection.close(Duration::from_secs(5)).await;

    mcp.stop().await;
    authorization.stop().await;
    let mut error = host.connect("one").await.err().unwrap();
    for _ in 0..3 {
        if errors::dialog(&error, target).code.as_str() == "answer-broken-off" {
            // It went over one of the few connections whose end had not been noticed yet.
            error = host.connect("one").await.err().unwrap();
        }
    }
    let shown = errors::dialog(&error, target);
    assert_eq!(
        (shown.code.as_str(), shown.button),
        ("connection-failed", Button::TryAgain)
    );
    let found = errors::found(&host, "one").await;
    let likeliest = found.first().unwrap();
    assert!(
        likeliest.starts_with("there is no connection to the server: "),
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_login_nor_its_proof_waits_until_the_server_is_remembered() {
    let authorization = AuthorizationServer::builder().start().await.unwrap();
    let recorder = Recorder::new();
    let builder = McpServer::builder().authorization(&authorization);
    let mcp = builder.recorder(&recorder).start().await.unwrap();
    let allowed = watch::Sender::new(0);
    let host = host_with(&mcp, Store::new(Hesitant::new(allowed.clone())));
    let login = host.login("one", person(), &Silent);
    // Each time it may remember what it would have waited for.
    let seen = async {
        while authorization.token_requests() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        allowed.send_replace(1);
        let is_list = |sent: &RecordedRequest| sent.rpc_method.as_deref() == Some("tools/list");
        while !recorder.requests().iter().any(is_list) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        allowed.send_replace(2);
    };
    let both = Box::pin(async { tokio::join!(login, seen).0 });
    tokio::time::timeout(LIMIT, both).await.unwrap().unwrap();
    let server = host.config().server("one").unwrap();
    let facts = host.store().facts(server.url.as_str()).await.unwrap();
    let facts = facts.unwrap().value;
    assert_eq!(facts.needs_login, Some(true));
    assert!(facts.wire.is_some());
}

const LIMIT: Duration = Duration::from_secs(20);
