//! Redirect URIs and clients that a server insists on.

use doorkey::{Silent, oauth::StartedLogin};
use doorkey_testkit::{Browser, Leg, StaticClient};
use integration::Home;

use super::Odd;

async fn started(home: &Home) -> StartedLogin {
    let started = home.host().start_login(Home::SERVER, None, &Silent).await;
    started.expect("a started login").expect("one is needed")
}

#[tokio::test]
async fn the_redirect_uri_is_the_one_that_a_server_takes() {
    let taken = "http://localhost:3118/callback";
    let odd = Odd::new(
        "slack-redirect",
        |auth| auth.static_client(StaticClient::public("by-hand").redirect_uri(taken)),
        |mcp| mcp,
    )
    .await
    .with_settings("oauth.client_id = \"by-hand\"");
    let browser = Browser::new()
        .trusting(&odd.world.ca)
        .stop_before_callback();

    let elsewhere = started(&odd.without()).await;
    assert_ne!(elsewhere.redirect_uri, taken);
    assert!(browser.open(elsewhere.url.as_str()).await.is_err());
    let refusals = odd.world.auth.refusals();
    assert!(
        refusals[0].contains("not one of this client's"),
        "{refusals:?}"
    );

    let home = odd.with_rule();
    let there = started(&home).await;
    assert_eq!(there.redirect_uri, taken);
    let visit = browser.open(there.url.as_str()).await.expect("a callback");
    let host = home.host();
    let finished = host
        .finish_login(Home::SERVER, &visit.callback, &Silent)
        .await;
    finished.expect("signed in");

    // A setting wins.
    let own = "quirks_on = [\"slack-redirect\"]\noauth = { client_id = \"by-hand\", callback_port = 4000 }";
    let own = started(&Home::new(&odd.world, own)).await;
    assert_eq!(own.redirect_uri, "http://127.0.0.1:4000/callback");
}

#[tokio::test]
async fn a_login_comes_back_to_localhost_where_a_server_takes_nothing_else() {
    for id in ["salesforce-localhost", "localhost-redirect"] {
        let odd = Odd::new(
            id,
            |auth| {
                let client = StaticClient::public("by-hand");
                auth.static_client(client.redirect_uri("http://localhost/callback"))
                    .loopback_any_port(true)
            },
            |mcp| mcp,
        )
        .await
        .with_settings("oauth.client_id = \"by-hand\"");
        let elsewhere = started(&odd.without()).await;
        assert!(elsewhere.redirect_uri.starts_with("http://127.0.0.1:"));
        let browser = Browser::new()
            .trusting(&odd.world.ca)
            .stop_before_callback();
        assert!(browser.open(elsewhere.url.as_str()).await.is_err());

        let there = started(&odd.with_rule()).await;
        assert!(there.redirect_uri.starts_with("http://localhost:"), "{id}");
        // The same through a listener.
        odd.world.recorder.clear();
        odd.signed_in(&odd.with_rule()).await;
        let sent = &odd.world.recorder.of(Leg::Authorization)[0];
        assert!(sent.query("redirect_uri")[0].starts_with("http://localhost:"));
    }
}

#[tokio::test]
async fn no_metadata_document_is_named_where_a_server_cannot_read_it() {
    let document = "https://client.example/doorkey.json";
    let odd = Odd::new(
        "home-assistant-documents",
        |auth| auth.metadata_document_clients(true),
        |mcp| mcp,
    )
    .await
    .with_settings(&format!("oauth.client_metadata_url = {document:?}"));
    let refused = started(&odd.without()).await;
    let browser = Browser::new()
        .trusting(&odd.world.ca)
        .stop_before_callback();
    assert!(browser.open(refused.url.as_str()).await.is_err());
    let refusals = odd.world.auth.refusals();
    assert!(refusals[0].contains("no metadata document"), "{refusals:?}");
    odd.signed_in(&odd.with_rule()).await;
    assert_eq!(odd.world.recorder.count(Leg::Registration), 1);
}
