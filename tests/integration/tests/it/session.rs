//! Whole ways through: sessions whose tokens go bad, servers that challenge in odd places, and resources of every spelling.

use doorkey::Silent;
use doorkey_oauth::{Error as AuthorizationError, LoginReason, TokenSource};
use doorkey_rmcp::rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, Implementation,
};
use doorkey_rmcp::{ConnectOptions, Connected, Protocol};
use doorkey_store::Store;
use doorkey_testkit::{
    Answer, AuthorizationServer, CertificateAuthority, Document, Leg, McpServer, Prm, Protect,
    Recorder, ResourceIdentifier, ResourceParameter, Wire,
};
use integration::{Home, World};

use crate::support::{close, login, tools};

const WIRES: [Wire; 2] = [Wire::Stateful2025_11_25, Wire::Stateless2026_07_28];

#[tokio::test]
async fn a_token_that_is_rejected_in_mid_session_is_refreshed_and_the_request_replayed() {
    for wire in WIRES {
        let world = World::with(|auth| auth, |mcp| mcp.wire(wire)).await;
        let home = Home::new(&world, "");
        login(&world, &home).await;
        let host = home.host().with_standalone_stream(false);
        let connection = host.connect(Home::SERVER).await.expect("a connection");
        connection.list_tools().await.expect("tools");

        world.auth.expire_access_tokens();
        world.recorder.clear();
        connection
            .list_tools()
            .await
            .expect("tools after a refresh");
        // The token was not due: the authorization server may have moved, so the metadata is asked once (REF-06).
        let legs: Vec<_> = world.recorder.requests().iter().map(|it| it.leg).collect();
        let expected = [
            Leg::Resource,
            Leg::ResourceMetadata,
            Leg::Token,
            Leg::Resource,
        ];
        assert_eq!(legs, expected, "{:#?}", world.story());
        assert_eq!(world.person.pages_opened(), 1);
        close(&host, connection).await;
    }
}

#[tokio::test]
async fn a_token_is_refreshed_though_its_metadata_cannot_be_reached() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    login(&world, &home).await;
    world.auth.expire_access_tokens();
    let fault = doorkey_testkit::Fault::status(503);
    let rule = doorkey_testkit::FaultRule::on(Leg::ResourceMetadata).respond(fault);
    world.mcp.fault(rule);
    tools(&home).await.expect("tools after a refresh");
    assert_eq!(world.auth.refreshes(), 1);
}

#[tokio::test]
async fn a_server_that_moved_to_another_authorization_server_needs_a_login_and_gets_no_old_token() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    login(&world, &home).await;
    let successor = AuthorizationServer::builder()
        .tls(&world.ca)
        .recorder(&world.recorder)
        .start()
        .await
        .expect("a free port");
    successor.allow_resource(world.mcp.resource());
    world.mcp.set_authorization(&successor);
    world.recorder.clear();

    let error = tools(&home).await.expect_err("a login is needed");
    assert!(
        matches!(
            error.authorization(),
            Some(AuthorizationError::LoginRequired {
                reason: LoginReason::IssuerChanged,
                ..
            })
        ),
        "{error:?}"
    );
    assert_eq!(world.recorder.count(Leg::Token), 0, "{:#?}", world.story());
    assert_eq!(world.person.pages_opened(), 1);

    login(&world, &home).await;
    tools(&home).await.expect("tools of the new login");
    assert_eq!(successor.registrations(), 1);
    assert_eq!(world.auth.registrations(), 1);
}

#[tokio::test]
async fn a_fresh_token_that_is_rejected_is_said_to_be_so_and_not_refreshed_again() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    login(&world, &home).await;
    world.mcp.reject_tokens(true);
    let error = tools(&home).await.expect_err("the token is rejected");
    assert!(
        matches!(
            error.authorization(),
            Some(AuthorizationError::TokenRejectedByResource { .. })
        ),
        "{error:?}"
    );
    assert_eq!(world.auth.refreshes(), 1, "{:#?}", world.story());
    assert_eq!(world.person.pages_opened(), 1);
    world.mcp.reject_tokens(false);
    tools(&home).await.expect("tools once the server is well");
}

#[tokio::test]
async fn a_missing_scope_is_named_and_the_program_opens_no_browser_for_it() {
    for wire in WIRES {
        let world = World::with(
            |auth| auth,
            |mcp| mcp.wire(wire).tool_scope("publish", "docs:write"),
        )
        .await;
        let home = Home::new(&world, "");
        login(&world, &home).await;
        let call = home.run(&["call", Home::SERVER, "publish"]).await;
        let call = call.ended_with(5);
        assert!(call.stderr.contains("docs:write"), "{call}");
        assert_eq!(world.person.pages_opened(), 1);
        tools(&home).await.expect("the grant is as good as before");

        home.configure("scopes = [\"docs:write\"]");
        login(&world, &home).await;
        home.run(&["call", Home::SERVER, "publish"])
            .await
            .succeeded();
    }
}

#[tokio::test]
async fn with_a_person_at_hand_a_missing_scope_is_asked_for_and_the_call_repeated() {
    for (wire, protocol) in [
        (Wire::Stateful2025_11_25, Protocol::V2025_11_25),
        (Wire::Stateless2026_07_28, Protocol::V2026_07_28),
    ] {
        let world = World::with(
            |auth| auth,
            |mcp| {
                mcp.wire(wire)
                    .required_scopes(["docs:read"])
                    .tool_scope("publish", "docs:write")
            },
        )
        .await;
        let tokens = world
            .tokens(&Store::memory(), |_| {})
            .interaction(world.person.interaction())
            .build();
        let connected = connect(&world, &tokens, protocol).await;
        assert_eq!(world.person.pages_opened(), 1, "{:#?}", world.story());
        let publish = CallToolRequestParams::new("publish");
        let called = connected.service.call_tool(publish).await;
        called.expect("the call, after the step-up");
        assert_eq!(world.person.pages_opened(), 2);
        let asked = world.recorder.of(Leg::Authorization);
        let asked = asked[1].query("scope").join(" ");
        assert!(
            asked.contains("docs:read") && asked.contains("docs:write"),
            "the union is asked for (UP-02): {asked}"
        );
        assert_eq!(world.mcp.tool_calls(), 1);
    }
}

#[tokio::test]
async fn a_server_that_challenges_only_the_list_of_tools_is_signed_in_to() {
    for wire in WIRES {
        let world = World::with(
            |auth| auth,
            |mcp| mcp.wire(wire).protect(Protect::FromToolsList),
        )
        .await;
        let home = Home::new(&world, "");
        home.run(&["login", Home::SERVER]).await.succeeded();
        home.run(&["tools", Home::SERVER]).await.succeeded();
        assert_eq!(world.mcp.sessions(), 0, "no session is left behind");
    }
}

/// A probe cannot know of it: calling a tool to find out could do something.
#[tokio::test]
async fn a_server_that_challenges_only_calls_is_signed_in_to() {
    let world = World::with(|auth| auth, |mcp| mcp.protect(Protect::ToolCallsOnly)).await;
    let home = Home::new(&world, "");
    home.run(&["tools", Home::SERVER]).await.succeeded();
    let call = [
        "call",
        Home::SERVER,
        "echo",
        "--args",
        "{\"text\":\"hello\"}",
    ];
    let refused = home.run(&call).await.ended_with(3);
    assert!(refused.stderr.contains("doorkey login it"), "{refused}");
    home.run(&["login", Home::SERVER]).await.succeeded();
    let called = home.run(&call).await.succeeded();
    assert_eq!(called.stdout, "hello\n", "{called}");
}

#[tokio::test]
async fn a_server_that_needs_no_login_is_used_without_one() {
    let world = World::with(|auth| auth, doorkey_testkit::McpServerBuilder::open).await;
    let home = Home::new(&world, "");
    let login = home.run(&["login", Home::SERVER]).await.succeeded();
    assert!(login.stderr.contains("needs no login"), "{login}");
    home.run(&["tools", Home::SERVER]).await.succeeded();
    assert_eq!(world.person.pages_opened(), 0);
}

#[tokio::test]
async fn answers_may_come_as_event_streams() {
    for wire in WIRES {
        let world = World::with(|auth| auth, |mcp| mcp.wire(wire).answer_with(Answer::Sse)).await;
        let home = Home::new(&world, "");
        home.run(&["login", Home::SERVER]).await.succeeded();
        let call = [
            "call",
            Home::SERVER,
            "echo",
            "--args",
            "{\"text\":\"hello\"}",
        ];
        let call = home.run(&call).await.succeeded();
        assert_eq!(call.stdout, "hello\n", "{call}");
    }
}

#[tokio::test]
async fn several_challenges_in_several_lines_do_not_hide_the_one_that_counts() {
    let lines = [
        "Negotiate, Basic realm=\"a, \\\"b\\\"\"",
        "Newer x=y, Bearer resource_metadata=\"{resource_metadata}\", scope=\"docs:read\"",
    ];
    let world = World::with(|auth| auth, |mcp| mcp.challenges(lines)).await;
    let home = Home::new(&world, "");
    let report = login(&world, &home).await;
    assert!(report.scopes.contains("docs:read"), "{report:?}");
    assert_eq!(world.recorder.count(Leg::ResourceMetadata), 1);
}

#[tokio::test]
async fn a_bare_401_leads_to_the_well_known_places() {
    for prm in [Prm::PathWellKnown, Prm::RootWellKnown] {
        let knobs = prm.clone();
        let world = World::with(
            |auth| auth,
            |mcp| {
                mcp.challenges(<[&str; 0]>::default())
                    .resource_metadata(knobs)
            },
        )
        .await;
        let home = Home::new(&world, "");
        login(&world, &home).await;
        assert_one_resource(&world, Some(world.mcp.resource()));
    }
}

/// MCP 2025-03-26: no resource metadata, and the authorization server is the MCP server's own origin.
#[tokio::test]
async fn a_server_of_2025_03_26_is_signed_in_to() {
    let world = World::with(
        |auth| auth.issuer_path(""),
        |mcp| {
            mcp.wire(Wire::Stateful2025_11_25)
                .resource_metadata(Prm::None)
                .same_origin_authorization(true)
        },
    )
    .await;
    let home = Home::new(&world, "");
    let report = login(&world, &home).await;
    assert_eq!(report.issuer.as_str(), world.mcp.origin());
    tools(&home).await.expect("tools");
    assert_one_resource(&world, Some(&world.mcp.url()));

    home.configure("legacy = false");
    let refused = home.host();
    let refused = refused.login(Home::SERVER, world.person.interaction(), &Silent);
    assert!(refused.await.is_err(), "the host may forbid it (LEG-01)");
}

#[tokio::test]
async fn metadata_for_another_resource_ends_the_login_before_anybody_else_is_asked() {
    let foreign = ResourceIdentifier::Foreign("https://elsewhere.example/mcp".to_owned());
    let world = World::with(|auth| auth, |mcp| mcp.resource(foreign)).await;
    let home = Home::new(&world, "");
    let run = home.run(&["login", Home::SERVER]).await;
    assert_ne!(run.code, 0, "{run}");
    assert!(
        run.stderr.contains("https://elsewhere.example/mcp"),
        "{run}"
    );
    assert_eq!(
        world.counts(),
        [(Leg::Resource, 1), (Leg::ResourceMetadata, 1)],
        "{:#?}",
        world.story()
    );
    assert_eq!(world.person.pages_opened(), 0);
    assert!(home.records().is_empty());
}

#[tokio::test]
async fn one_resource_byte_for_byte_on_every_leg() {
    let spellings = [
        ResourceIdentifier::OwnUrl,
        ResourceIdentifier::Origin,
        ResourceIdentifier::OriginWithSlash,
    ];
    for resource in spellings {
        let world = World::with(|auth| auth, |mcp| mcp.resource(resource.clone())).await;
        let home = Home::new(&world, "");
        let report = login(&world, &home).await;
        assert_eq!(report.resource.as_deref(), Some(world.mcp.resource()));
        refresh(&world, &home).await;
        assert_one_resource(&world, Some(world.mcp.resource()));
    }
}

#[tokio::test]
async fn the_endpoints_own_resource_parameter_does_not_make_two() {
    let world = World::new().await;
    let issuer = world.auth.issuer();
    for (endpoint, path) in [
        (
            "authorization_endpoint",
            "authorize?resource=https://other.example&keep=1",
        ),
        ("token_endpoint", "token?resource=https://other.example"),
    ] {
        let url = format!("{issuer}/{path}");
        world
            .auth
            .set_field(Document::Metadata, endpoint, url.into());
    }
    let home = Home::new(&world, "");
    login(&world, &home).await;
    refresh(&world, &home).await;
    assert_one_resource(&world, Some(world.mcp.resource()));
    for request in world.recorder.of(Leg::Authorization) {
        assert_eq!(request.query("keep"), ["1"]);
    }
}

#[tokio::test]
async fn a_configured_resource_replaces_the_published_one_on_every_leg() {
    let wanted = "urn:example:audience";
    let world = World::with(|auth| auth.allowed_resources([wanted]), |mcp| mcp).await;
    let home = Home::new(&world, &format!("oauth_resource = {wanted:?}"));
    // The server takes tokens for itself alone: the login is completed, kept, and its proof fails.
    let run = home.run(&["login", Home::SERVER]).await.ended_with(3);
    assert!(run.stderr.contains("does not accept the token"), "{run}");
    assert_one_resource(&world, Some(wanted));
    let grant = home.grant().await.expect("the grant is kept").value;
    assert_eq!(grant.resource.as_deref(), Some(wanted));
}

#[tokio::test]
async fn an_omitted_resource_is_on_no_leg() {
    // The audience is known once the MCP server has its port, so that server comes first.
    let ca = CertificateAuthority::new().expect("a certificate authority");
    let recorder = Recorder::new();
    let mcp = McpServer::builder().tls(&ca).recorder(&recorder);
    let mcp = mcp.start().await.expect("a free port");
    let auth = AuthorizationServer::builder()
        .tls(&ca)
        .recorder(&recorder)
        .resource_parameter(ResourceParameter::Refused(mcp.resource().to_owned()))
        .start()
        .await
        .expect("a free port");
    mcp.set_authorization(&auth);
    let world = World::of(ca, recorder, auth, mcp).await;
    let home = Home::new(&world, "");
    let refused = home.run(&["login", Home::SERVER]).await;
    assert_ne!(refused.code, 0, "{refused}");
    world.recorder.clear();

    home.configure("oauth_resource = \"omit\"");
    let report = login(&world, &home).await;
    assert_eq!(report.resource, None);
    refresh(&world, &home).await;
    assert_one_resource(&world, None);
}

/// A connection of the library, which may ask its person.
async fn connect(
    world: &World,
    tokens: &TokenSource,
    protocol: Protocol,
) -> Connected<ClientConfig> {
    let implementation = Implementation::new("integration", "1.0");
    let handler = ClientConfig::new(ClientCapabilities::default(), implementation);
    let options = ConnectOptions::default().with_protocol(protocol);
    let url = world.url();
    let connected = doorkey_rmcp::connect(world.client(tokens), &url, options, handler);
    Box::pin(connected).await.expect("a connection")
}

/// Lets a day pass and uses the server.
async fn refresh(world: &World, home: &Home) {
    let refreshes = world.auth.refreshes();
    world.auth.expire_access_tokens();
    home.expire().await;
    tools(home).await.expect("tools");
    assert_eq!(world.auth.refreshes(), refreshes + 1);
}

/// Every authorization, token and refresh request names `resource`, exactly once, or does not name any.
fn assert_one_resource(world: &World, resource: Option<&str>) {
    let expected: Vec<&str> = resource.into_iter().collect();
    let authorize = world.recorder.of(Leg::Authorization);
    let token = world.recorder.of(Leg::Token);
    assert!(!authorize.is_empty() && !token.is_empty());
    for request in &authorize {
        assert_eq!(request.query("resource"), expected, "{request}");
    }
    for request in &token {
        let everywhere = [request.query("resource"), request.form("resource")].concat();
        assert_eq!(everywhere, expected, "{request}");
    }
}
