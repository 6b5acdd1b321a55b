//! Where a token goes, what outlives it, whose it is, and where it is given back.

use std::sync::Arc;

use doorkey_oauth::{Challenges, LogoutOptions, StepOutcome, TokenSource};
use doorkey_rmcp::rmcp::{
    ClientHandler, RoleClient, model::CallToolRequestParams, service::NotificationContext,
};
use doorkey_rmcp::{AuthorizedClient, ClientOptions, ConnectOptions, Connected, Protocol};
use doorkey_store::Store;
use doorkey_testkit::{AuthorizationServer, Document, Leg, RecordedRequest, Recorder, Wire};
use http::Method;
use integration::{Home, LIMIT, World};
use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio::sync::Notify;

use crate::support::login;

#[tokio::test]
async fn an_access_token_is_in_one_header_and_in_no_url_or_body_use_02() {
    for wire in [Wire::Stateful2025_11_25, Wire::Stateless2026_07_28] {
        let world = World::with(|auth| auth, |mcp| mcp.wire(wire)).await;
        let home = Home::new(&world, "");
        login(&world, &home).await;
        let mut issued = vec![access_token(&home).await];
        let call = ["call", Home::SERVER, "echo", "--args", "{\"text\":\"hi\"}"];
        home.run(&call).await.succeeded();
        world.auth.expire_access_tokens();
        home.run(&call).await.succeeded();
        issued.push(access_token(&home).await);
        assert_ne!(issued[0], issued[1]);

        let sent = world.recorder.of(Leg::Resource);
        for token in &issued {
            let bearer = format!("Bearer {token}");
            let carrying = sent
                .iter()
                .filter(|it| it.header("authorization") == Some(&bearer));
            assert!(carrying.count() > 0, "{wire:?}: {:#?}", world.story());
        }
        for request in &sent {
            let beside = beside_the_header(request);
            for token in &issued {
                assert!(!beside.contains(token.as_str()), "{wire:?}: {request}");
            }
            let headers = request.headers.get_all("authorization");
            assert!(headers.iter().count() <= 1, "{wire:?}: {request}");
        }
    }
}

#[tokio::test]
async fn a_stream_outlives_the_token_it_was_opened_with_use_11() {
    let world = World::with(|auth| auth, |mcp| mcp.wire(Wire::Stateful2025_11_25)).await;
    let tokens = world
        .tokens(&Store::memory(), |_| {})
        .interaction(world.person.interaction())
        .build();
    let told = Arc::new(Notify::new());
    let connected = listening(&world, &tokens, Listener(Arc::clone(&told))).await;
    let streams = |requests: &[RecordedRequest]| {
        let opened = |it: &&RecordedRequest| it.method == Method::GET && it.leg == Leg::Resource;
        requests.iter().filter(opened).count()
    };
    until(|| world.mcp.open_streams() == 1).await;

    world.auth.expire_access_tokens();
    connected
        .service
        .list_all_tools()
        .await
        .expect("tools after a refresh");
    assert_eq!(world.auth.refreshes(), 1);
    let sent = world.recorder.of(Leg::Resource);
    let bearers: Vec<_> = sent
        .iter()
        .filter_map(|it| it.header("authorization"))
        .collect();
    assert_ne!(
        bearers.first(),
        bearers.last(),
        "the request took the new one"
    );

    assert_eq!(
        (world.mcp.open_streams(), streams(&sent)),
        (1, 1),
        "{:#?}",
        world.story()
    );
    assert_eq!(
        world
            .mcp
            .notify("notifications/tools/list_changed", &json!({})),
        1
    );
    let heard = tokio::time::timeout(LIMIT, told.notified()).await;
    heard.expect("the stream carries what the server says");
    connected.service.cancel().await.expect("an end");
}

#[tokio::test]
async fn a_session_ends_with_the_person_it_was_given_to_use_12() {
    let world = World::with(|auth| auth, |mcp| mcp.wire(Wire::Stateful2025_11_25)).await;
    let store = Store::memory();
    let tokens = world
        .tokens(&store, |_| {})
        .interaction(world.person.interaction())
        .build();
    let connected = listening(&world, &tokens, Listener::default()).await;
    let before = whoami(&connected).await;

    // In another process somebody else signs in, and the first person's tokens end.
    let hint = vec![("login_hint".to_owned(), "bob".to_owned())];
    let other = world
        .tokens(&store, |config| config.extra_authorize_params = hint)
        .build();
    let first = tokens.token().await.expect("a token").expect("a login");
    world.auth.expire_access_tokens();
    sign_in(&world, &other).await;
    world.recorder.clear();
    let after = whoami(&connected).await;
    assert!(
        after.contains("bob") && !before.contains("bob"),
        "{before} {after}"
    );

    let first = first.header_value().expect("a header");
    let sent = world.recorder.of(Leg::Resource);
    let posts: Vec<_> = sent.iter().filter(|it| it.method == Method::POST).collect();
    let session = |request: &RecordedRequest| request.header("mcp-session-id").map(str::to_owned);
    let (old, new) = (session(posts[0]), session(posts[posts.len() - 1]));
    assert!(
        old.is_some() && new.is_some() && old != new,
        "{:#?}",
        world.story()
    );
    for request in posts {
        let of_first = request.headers.get("authorization") == Some(&first);
        let served = request.status.is_some_and(|status| status < 400);
        // Neither person was served in the session of the other.
        assert!(
            !served || (session(request) != old && !of_first),
            "{:#?}",
            world.story()
        );
        assert!(
            request.header("authorization").is_some(),
            "a session alone proves nothing"
        );
    }
    connected.service.cancel().await.expect("an end");
}

#[tokio::test]
async fn a_login_of_another_person_elsewhere_ends_the_session_before_it_is_used_again_use_12() {
    let key = doorkey_testkit::SigningKey::generate(doorkey_testkit::SigningAlgorithm::Es256);
    let key = key.expect("a key");
    let world = World::with(
        |auth| auth.openid(&key),
        |mcp| mcp.wire(Wire::Stateful2025_11_25),
    )
    .await;
    let store = Store::memory();
    let tokens = |person: &str| {
        world.tokens(&store, |config| {
            config.scopes = doorkey_oauth::Scopes::parse("openid");
            config.login_hint = Some(person.to_owned());
            // It looks with each request.
            config.notice_interval = std::time::Duration::ZERO;
        })
    };
    let ada = tokens("ada").build();
    sign_in(&world, &ada).await;
    let connected = listening(&world, &ada, Listener::default()).await;
    assert!(whoami(&connected).await.contains("ada"));
    let first = ada.token().await.expect("a token").expect("a login");
    let first = first.header_value().expect("a header");

    // In another process bob signs in; nothing of ada's ends at the servers.
    let epoch = ada.identity_epoch();
    sign_in(&world, &tokens("bob").build()).await;
    world.recorder.clear();
    assert!(whoami(&connected).await.contains("bob"));
    assert_eq!(ada.identity_epoch(), epoch + 1);
    let session = |request: &RecordedRequest| request.header("mcp-session-id").map(str::to_owned);
    let sent = world.recorder.of(Leg::Resource);
    let sessions: Vec<_> = sent.iter().filter_map(session).collect();
    assert!(!sessions.is_empty(), "{:#?}", world.story());
    for request in &sent {
        assert_ne!(request.headers.get("authorization"), Some(&first));
        let refused = request.status.is_some_and(|status| status >= 400);
        assert!(
            !refused,
            "bob was nowhere in the session of ada: {:#?}",
            world.story()
        );
    }
    connected.service.cancel().await.expect("an end");
}

#[tokio::test]
async fn a_logout_revokes_at_the_server_that_gave_the_tokens_rev_05() {
    let world = World::new().await;
    let store = Store::memory();
    let tokens = world.tokens(&store, |_| {}).build();
    sign_in(&world, &tokens).await;
    // Since then the resource names another server.
    let elsewhere = Recorder::new();
    let successor = AuthorizationServer::builder()
        .tls(&world.ca)
        .recorder(&elsewhere)
        .start()
        .await
        .expect("a free port");
    world.mcp.set_authorization(&successor);

    // And another process signs out.
    let later = world.tokens(&store, |_| {}).build();
    let report = later
        .logout(LogoutOptions::default())
        .await
        .expect("a report");
    assert!(
        matches!(report.revoked_refresh, StepOutcome::Done),
        "{report:?}"
    );
    assert!(
        matches!(report.revoked_access, StepOutcome::Done),
        "{report:?}"
    );
    let revoked = world.recorder.of(Leg::Revocation);
    assert_eq!(revoked.len(), 2);
    for request in revoked {
        assert!(request.url.starts_with("https://"), "{request}");
        assert_eq!(request.status, Some(200), "{request}");
    }
    assert!(
        elsewhere.is_empty(),
        "nothing of it is anybody else's business"
    );
}

#[tokio::test]
async fn an_identity_token_that_nobody_asked_for_is_kept_nowhere_tok_22() {
    const ID_TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJub2JvZHkifQ.c2lnbmF0dXJl";
    let world = World::new().await;
    world
        .auth
        .set_field(Document::Token, "id_token", ID_TOKEN.into());
    let home = Home::new(&world, "");
    login(&world, &home).await;
    home.expire().await;
    home.run(&["tools", Home::SERVER]).await.succeeded();
    let grant = home.grant().await.expect("a login").value;
    assert!(
        grant.id_token.is_none() && grant.extra.is_empty(),
        "{grant:?}"
    );
    let records = home.records();
    assert!(!records.is_empty());
    for (name, bytes) in records {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains(ID_TOKEN), "{name}");
    }
}

async fn sign_in(world: &World, tokens: &TokenSource) {
    let challenges = Challenges::default();
    let signed_in = tokens.login(&challenges, world.person.interaction());
    signed_in.await.expect("a login");
}

/// Everything of a request but its `Authorization` header.
fn beside_the_header(request: &RecordedRequest) -> String {
    let mut headers = request.headers.clone();
    headers.remove("authorization");
    let body = String::from_utf8_lossy(&request.body);
    format!("{} {headers:?} {body}", request.url)
}

async fn access_token(home: &Home) -> String {
    let grant = home.grant().await.expect("a login").value;
    let token = grant.access_token.expect("an access token");
    token.expose_secret().to_owned()
}

/// Tells when the server says that its tools changed.
#[derive(Clone, Default)]
struct Listener(Arc<Notify>);

impl ClientHandler for Listener {
    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.0.notify_one();
    }
}

/// A connection with its standalone stream.
async fn listening(world: &World, tokens: &TokenSource, handler: Listener) -> Connected<Listener> {
    let options = ClientOptions::default();
    let client = AuthorizedClient::new(world.http(), tokens.clone(), options);
    let options = ConnectOptions::default().with_protocol(Protocol::V2025_11_25);
    let url = world.url();
    let connected = Box::pin(doorkey_rmcp::connect(client, &url, options, handler));
    connected.await.expect("a connection")
}

/// Whom the server takes the caller for.
async fn whoami(connected: &Connected<Listener>) -> String {
    let called = connected
        .service
        .call_tool(CallToolRequestParams::new("whoami"))
        .await;
    let said = serde_json::to_value(called.expect("an answer")).expect("JSON");
    said["content"][0]["text"].to_string()
}

async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.expect("in time");
}
