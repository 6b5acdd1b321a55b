//! The headless browser, from the authorization URL into a loopback listener.

use doorkey_testkit::{AuthorizationServer, Browser, Consent, Error, McpServer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::World;

/// A listener that answers one request with a page and returns its request line.
async fn listener() -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let read = stream.read(&mut request).await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndone";
        stream.write_all(answer).await.unwrap();
        let request = String::from_utf8_lossy(&request[..read]).into_owned();
        request.lines().next().unwrap_or_default().to_owned()
    });
    (format!("http://{address}/callback"), task)
}

async fn world() -> World {
    let auth = AuthorizationServer::builder()
        .consent(Consent::Page)
        .loopback_any_port(true);
    World::with(auth, McpServer::builder()).await
}

#[tokio::test]
async fn approving_on_the_page_leads_to_the_listener() {
    let world = world().await;
    let client = world.register().await;
    let (redirect_uri, listener) = listener().await;
    let url = world.authorization_url(&client.id, &[("redirect_uri", Some(&redirect_uri))]);
    let visit = Browser::approve(&url, None).await.unwrap();
    assert_eq!(visit.page.as_ref().unwrap().text(), "done");
    let line = listener.await.unwrap();
    assert!(
        line.contains("code=") && line.contains("state=the-state"),
        "{line}"
    );
    assert_eq!(world.auth.counters().approvals, 1);
}

#[tokio::test]
async fn denying_on_the_page_leads_there_too() {
    let world = world().await;
    let client = world.register().await;
    let url = world.authorization_url(&client.id, &[]);
    let browser = Browser::new().denying().stop_before_callback();
    let visit = browser.open(&url).await.unwrap();
    assert_eq!(visit.parameter("error").as_deref(), Some("access_denied"));
    assert!(visit.page.is_none());
    assert_eq!(world.auth.counters().approvals, 0);
}

#[tokio::test]
async fn an_error_page_is_a_dead_end() {
    let world = world().await;
    let url = world.authorization_url("nobody", &[]);
    let error = Browser::approve(&url, None).await.unwrap_err();
    assert!(
        matches!(error, Error::DeadEnd { status: 400, .. }),
        "{error}"
    );
    assert!(!error.to_string().contains("nobody"), "no query in errors");
}

#[tokio::test]
async fn a_page_can_be_decided_once() {
    let world = world().await;
    let client = world.register().await;
    let url = world.authorization_url(&client.id, &[]);
    let page = world.client.get(&url).await.unwrap().text();
    let (_, rest) = page.split_once("name=\"ticket\" value=\"").unwrap();
    let ticket = rest.split('"').next().unwrap();
    let fields = [("ticket", ticket), ("decision", "approve")];
    let first = world.client.post_form(&url, &fields).await.unwrap();
    assert_eq!(first.status, 302);
    let second = world.client.post_form(&url, &fields).await.unwrap();
    assert_eq!(second.status, 400);
}
