//! From rmcp's own `auth` feature to the crates of this workspace, as `docs/migrating.md` tells it: before, moved, after.

use std::sync::Arc;

use doorkey_oauth::Deny;
use doorkey_store::Store;
use doorkey_testkit::{AuthorizationServer, Browser, Leg, McpServer, Recorder};
use secrecy::ExposeSecret as _;

#[path = "../../../../crates/rmcp/examples/own_rmcp.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the program in it is not run here"
)]
mod after;
#[expect(unreachable_pub, reason = "a host would have it in a library")]
mod before;
#[expect(unreachable_pub, reason = "a host would have it in a library")]
mod moved;

#[tokio::test]
async fn a_login_of_rmcps_own_client_is_taken_over_used_and_refreshed_without_a_person() {
    let recorder = Recorder::new();
    let auth = AuthorizationServer::builder().recorder(&recorder);
    let auth = auth.start().await.expect("a free port");
    let mcp = McpServer::builder().authorization(&auth);
    let mcp = mcp.recorder(&recorder).start().await.expect("a free port");
    let (tools, stored) = before::tools(&mcp.url(), async |page: String| {
        let browser = Browser::new().stop_before_callback();
        browser.open(&page).await.expect("a page").callback
    })
    .await
    .expect("a login");
    let stored = serde_json::to_value(&stored).expect("JSON");
    assert_eq!(recorder.count(Leg::Token), 1);

    let store = Store::memory();
    let server = mcp.url().parse().expect("a URL");
    let (http, tokens) = after::tokens(server, store.clone()).expect("a client");
    moved::take_over(&stored, &tokens, &http, &store)
        .await
        .expect("a grant");
    let nobody = Arc::new(Deny);
    let same = after::tools(http.clone(), tokens.clone(), nobody.clone()).await;
    assert_eq!(same.expect("tools"), tools);
    assert_eq!(recorder.count(Leg::Token), 1, "nobody signed in again");

    // The day after: the token has ended, and the refresh token serves.
    let key = tokens.config().expect("a configuration").grant_key();
    let mut grant = store.grant(&key).await.expect("a store").expect("a grant");
    grant.value.expires_at = Some(1);
    let saved = store.save_grant(&key, &grant.value, Some(grant.generation));
    saved.await.expect("a store");
    let server = mcp.url().parse().expect("a URL");
    let (http, tokens) = after::tokens(server, store.clone()).expect("a client");
    let same = after::tools(http, tokens, nobody).await;
    assert_eq!(same.expect("tools"), tools);
    assert_eq!(auth.refreshes(), 1);
    let refreshed = store.grant(&key).await.expect("a store").expect("a grant");
    let token = refreshed.value.access_token.expect("a token");
    assert_ne!(
        stored["token_response"]["access_token"],
        token.expose_secret()
    );

    // Who is there already is not overwritten.
    let again = after::tokens(mcp.url().parse().expect("a URL"), store.clone());
    let (http, tokens) = again.expect("a client");
    let refused = moved::take_over(&stored, &tokens, &http, &store).await;
    assert!(refused.is_err());
}
