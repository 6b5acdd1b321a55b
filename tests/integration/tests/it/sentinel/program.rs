//! Every command of the program, at TRACE, in good days and bad ones.

use doorkey_testkit::{
    AuthorizationServer, CertificateAuthority, ClientAuthMethod, Fault, FaultRule, Identity, Leg,
    Listen, McpServer, Proxy, Recorder, StaticClient,
};
use integration::{Home, World};
use secrecy::ExposeSecret as _;

use super::{
    echo::{Echo, Manner},
    evidence::{Evidence, Place, secret_records},
    secrets::{Crossed, Kind, Secret},
    watch::Watch,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registered_client_with_everything_configured_leaves_no_secret_anywhere() {
    let (world, identity) = servers(|auth| auth, |mcp| mcp).await;
    let proxy = proxy().await;
    let home = configured(&world, &identity);
    let proxy_url = format!("http://person:{PROXY_PASSWORD}@{}", proxy.addr());
    let variables = [
        ("API_KEY", HEADER_FROM_VARIABLE),
        ("HTTPS_PROXY", &proxy_url),
    ];
    let mut watch = Watch::new(&world, &home, &variables);

    good_days(&mut watch, &home).await;
    refreshes_refused(&mut watch, &world, &home).await;
    resource_refuses(&mut watch, &world, &home).await;
    farewell(&mut watch, &world, &home).await;

    assert!(secret_records(home.path()).is_empty(), "logged out");
    assert!(proxy.requests().iter().any(|request| request.status == 200));
    let secrets = crossed(&world, &identity);
    for target in ["h2", "hyper_util", "rmcp"] {
        assert!(watch.logged(target), "nothing of {target} is in the log");
    }
    let commands = [
        "add",
        "call",
        "doctor",
        "get",
        "list",
        "login",
        "logout",
        "remove",
        "resources",
        "token",
        "tools",
    ];
    assert!(
        commands
            .iter()
            .all(|command| watch.commands().contains(*command))
    );
    watch.assert_clean(&secrets);
}

/// What the challenge says is what is signed in to, whatever the headers happen to be (WWW-08, DISC-18).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_that_repeats_configured_headers_is_signed_in_to_all_the_same() {
    let said = format!(
        "Bearer resource_metadata=\"{{resource_metadata}}\", scope=\"docs:read\", \
         error_description=\"docs do not know {HEADER}\""
    );
    let world = World::with(|auth| auth, |mcp| mcp.challenges([said])).await;
    let origin = "https://mcp.test/.well-known/";
    let headers = format!(
        "http_headers = {{ x-api-key = {HEADER:?}, x-tenant = \"docs\", x-from = {origin:?} }}"
    );
    let home = Home::new(&world, &headers);
    let mut watch = Watch::new(&world, &home, &[]);
    watch.run(3, &["tools", "it"]).await;
    watch.run(0, &["login", "it"]).await;
    watch.run(0, &["tools", "it"]).await;
    let pages = world.person.urls();
    assert!(
        pages
            .iter()
            .any(|page| page.as_str().contains("docs%3Aread")),
        "{pages:?}"
    );
    let headers = [("x-api-key", Kind::HeaderValue)];
    let secrets = Crossed::of(&world.recorder.requests(), &headers);
    watch.assert_clean(&secrets.proven(&[Kind::AccessToken, Kind::HeaderValue]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_a_configured_secret_leaves_it_nowhere() {
    let client = StaticClient::confidential("by-hand", CLIENT_SECRET, ClientAuthMethod::Post)
        .redirect_uri("http://127.0.0.1/callback");
    let (world, _) = servers(
        |auth| auth.static_client(client).loopback_any_port(true),
        |mcp| mcp,
    )
    .await;
    let proxy = proxy().await;
    let settings = |secret: &str| {
        format!(
            "[network]\nproxy = \"http://person:{PROXY_PASSWORD}@{}\"\n\
             [mcp_servers.it.oauth]\nclient_id = \"by-hand\"\nclient_secret = {secret:?}\n\
             token_endpoint_auth_method = \"client_secret_post\"",
            proxy.addr()
        )
    };
    let home = Home::new(&world, &settings(CLIENT_SECRET));
    let mut watch = Watch::new(&world, &home, &[]);
    watch.run(0, &["login", "it", "-vv"]).await;
    home.expire().await;
    watch.run(0, &["tools", "it"]).await;
    watch.run(0, &["get", "it"]).await;
    let refused = format!("the client by-hand with {CLIENT_SECRET} is gone");
    world
        .auth
        .fault(FaultRule::on(Leg::Token).respond(Fault::oauth_error(
            401,
            "invalid_client",
            &refused,
        )));
    home.expire().await;
    watch.run(3, &["tools", "it"]).await;
    watch.run(1, &["login", "it"]).await;
    world.auth.clear_faults();
    world
        .auth
        .fault(FaultRule::on(Leg::Revocation).respond(Fault::oauth_error(
            400,
            "invalid_request",
            &refused,
        )));
    watch.run(0, &["logout", "it"]).await;

    let secrets = Crossed::of(&world.recorder.requests(), &[])
        .and(Secret::new(Kind::ProxyPassword, PROXY_PASSWORD))
        .proven(&[Kind::ClientSecret, Kind::RefreshToken, Kind::AccessToken]);
    assert!(secrets.contains(&Secret::new(Kind::ClientSecret, CLIENT_SECRET)));
    assert!(proxy.requests().iter().any(|request| request.status == 200));
    watch.assert_clean(&secrets);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configured_bearer_token_is_sent_and_shown_nowhere() {
    let world = World::new().await;
    let home = Home::new(&world, "bearer_token_env_var = \"TOKEN\"");
    let mut watch = Watch::new(&world, &home, &[("TOKEN", BEARER)]);
    echo_at_resource(&world, 401, "text/plain", BEARER);
    watch.run(3, &["tools", "it"]).await;
    world.mcp.clear_faults();
    watch.run(3, &["call", "it", "echo"]).await;
    watch.run(0, &["list", "--json", "--check"]).await;
    watch.run(0, &["get", "it", "--json"]).await;
    watch.run(9, &["login", "it"]).await;
    watch.run(9, &["logout", "it"]).await;
    watch.run(0, &["remove", "it"]).await;
    let variable = ["--bearer-token-env-var", "TOKEN"];
    let mut add = vec!["add", "again", "--url", "https://mcp.test/mcp"];
    add.extend(variable);
    watch.run(0, &add).await;
    let requests = world.recorder.requests();
    let secret = Secret::new(Kind::AccessToken, BEARER);
    let secrets = Crossed::of(&requests, &[]).proven(&[Kind::AccessToken]);
    assert!(secrets.contains(&secret), "the bearer token was sent");
    watch.assert_clean(&secrets);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_for_another_audience_is_refused_without_being_shown() {
    let other = "https://127.0.0.1/other";
    let (world, _) = servers(|auth| auth.allowed_resources([other]), |mcp| mcp).await;
    let home = Home::new(&world, &format!("oauth_resource = {other:?}"));
    let mut watch = Watch::new(&world, &home, &[]);
    watch.run(3, &["login", "it"]).await;
    watch.run(3, &["tools", "it"]).await;
    watch.run(0, &["list", "--json"]).await;
    watch.run(0, &["get", "it"]).await;
    let requests = world.recorder.requests();
    let secrets = Crossed::of(&requests, &[]).proven(&[Kind::AccessToken, Kind::ClientSecret]);
    watch.assert_clean(&secrets);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_the_server_repeats_in_its_refusal_is_not_repeated_by_the_program() {
    for manner in [Manner::Json, Manner::Page, Manner::RedirectQuery] {
        let (echo, sent) = Echo::start(manner).await;
        let home = Home::new(&echo.world, "");
        let mut watch = Watch::new(&echo.world, &home, &[]);
        let login = watch.run_any(&["login", "it"]).await;
        assert_ne!(login.code, 0, "{login}");
        watch.run(0, &["list", "--json"]).await;
        watch.assert_clean(&sent.secrets());
        echo.stop();
    }
}

/// Its servers are its own, so that what crossed their wires cannot be known; their secrets have prefixes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demonstration_shows_no_secret_of_its_own_servers() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let run = home
        .run_with(&["demo", "-vv"], &[("RUST_BACKTRACE", "full")])
        .await
        .succeeded();
    assert!(run.stderr.contains(" TRACE "), "{run}");
    for prefix in ["at-", "rt-", "code-", "secret:", "configure-"] {
        for text in [&run.stdout, &run.stderr] {
            let shown = text.match_indices(prefix).find(|(at, _)| {
                let rest = text[at + prefix.len()..].chars().take(OPAQUE);
                rest.filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
                    .count()
                    == OPAQUE
            });
            assert!(shown.is_none(), "{prefix}: {shown:?}");
        }
    }
}

fn configured(world: &World, identity: &Identity) -> Home {
    let home = Home::new(world, "");
    let printed = home.write("printed-key", HEADER_FROM_PROGRAM.as_bytes());
    home.write("file-key", HEADER_FROM_FILE.as_bytes());
    home.configure(&format!(
        "http_headers = {{ x-api-key = {HEADER:?}, x-file-key = {{ file = \"file-key\" }}, \
         x-printed-key = {{ command = [\"/bin/cat\", {printed:?}] }} }}\n\
         env_http_headers = {{ x-env-key = \"API_KEY\" }}\n\
         [network]\nclient_certificate = \"client.pem\"\nclient_key = \"client-key.pem\""
    ));
    home.write("client.pem", identity.certificate_pem().as_bytes());
    home.write("client-key.pem", identity.key_pem().as_bytes());
    home
}

/// The secrets of the whole life, each shown to have been used.
fn crossed(world: &World, identity: &Identity) -> Vec<Secret> {
    let requests = world.recorder.requests();
    assert!(requests.iter().any(|request| request.client_certificate));
    let headers = [
        ("x-api-key", Kind::HeaderValue),
        ("x-env-key", Kind::HeaderFromVariable),
        ("x-file-key", Kind::HeaderFromFile),
        ("x-printed-key", Kind::HeaderFromProgram),
    ];
    let crossed = Crossed::of(&requests, &headers)
        .and(Secret::new(Kind::ProxyPassword, PROXY_PASSWORD))
        .and(Secret::of_key(Kind::ClientKey, identity.key_pem()));
    let count = crossed.count(Kind::RefreshToken);
    assert!(count >= 4, "rotation: {crossed:?}");
    crossed.proven(&[
        Kind::AccessToken,
        Kind::RefreshToken,
        Kind::ClientSecret,
        Kind::RegistrationAccessToken,
        Kind::AuthorizationCode,
        Kind::Verifier,
        Kind::State,
        Kind::HeaderValue,
        Kind::HeaderFromVariable,
        Kind::HeaderFromFile,
        Kind::HeaderFromProgram,
    ])
}

/// Login, every command that reads or calls, expiry, refresh and rotation.
async fn good_days(watch: &mut Watch<'_>, home: &Home) {
    watch.run(0, &["login", "it"]).await;
    for arguments in [
        ["list"].as_slice(),
        &["list", "--json"],
        &["list", "--check", "-vv"],
        &["get", "it"],
        &["get", "it", "--json"],
        &["tools", "it", "--json"],
        &["tools", "it", "-v"],
        &["call", "it", "echo", "--args", "{\"text\":\"hi\"}"],
        &["call", "it", "echo", "--arg", "text=hi", "-vv"],
        &["completions", "--names"],
    ] {
        watch.run(0, arguments).await;
    }
    for (arguments, code) in [
        (["resources", "it"].as_slice(), 0),
        (&["resources", "read", "it", "file:///a", "-vv"], 7),
        (&["prompts", "it"], 0),
    ] {
        watch.run(code, arguments).await;
    }
    let run = watch.run_doctor("it").await;
    assert_eq!(run.code, 0, "{run}");
    watch.run(0, &["doctor", "it", "-vv"]).await;
    let grant = home.grant().await.expect("a login").value;
    let token = grant.access_token.expect("a token");
    for arguments in [
        ["token", "it"].as_slice(),
        &["token", "it", "--header"],
        &["token", "it", "--json", "-vv"],
    ] {
        watch.run_token(arguments, token.expose_secret()).await;
    }
    for _ in 0..2 {
        home.expire().await;
        watch.run(0, &["tools", "it"]).await;
    }
    watch.login_by_hand().await;
}

/// Each way in which a refresh fails, with the secrets in what the server says.
async fn refreshes_refused(watch: &mut Watch<'_>, world: &World, home: &Home) {
    let said = held(home).await;
    let encoded: String = url::form_urlencoded::byte_serialize(said.as_bytes()).collect();
    let html = ("content-type".to_owned(), "text/html".to_owned());
    let page = format!("<html><body><h1>Bad gateway</h1><pre>{said}</pre></body></html>");
    let elsewhere = format!("{}/elsewhere", world.auth.url());
    for fault in [
        Fault::oauth_error(503, "temporarily_unavailable", &said),
        Fault::Status(502, vec![html.clone()], page.clone()),
        Fault::Status(200, vec![html], page),
        Fault::Redirect(format!("{elsewhere}?token={encoded}#{encoded}")),
        Fault::Redirect(format!("{elsewhere}/{encoded}")),
        Fault::oauth_error(400, "invalid_grant", &said),
    ] {
        home.expire().await;
        world.auth.fault(FaultRule::on(Leg::Token).respond(fault));
        let run = watch.run_any(&["tools", "it"]).await;
        assert_ne!(run.code, 0, "{run}");
        watch.run_doctor("it").await;
        world.auth.clear_faults();
    }
    watch.run(3, &["tools", "it"]).await;
    watch.run(0, &["get", "it", "--json"]).await;
    watch.run(0, &["list"]).await;
    watch.run(0, &["login", "it"]).await;
}

/// Each way in which the MCP server refuses, with what it was sent in what it says.
async fn resource_refuses(watch: &mut Watch<'_>, world: &World, home: &Home) {
    for (status, media) in [
        (403, "text/plain"),
        (500, "text/plain"),
        (500, "application/json"),
        (404, "text/plain"),
        (404, "application/json"),
        (400, "application/json"),
        (200, "application/json"),
        (307, "text/plain"),
        (401, "text/plain"),
    ] {
        let grant = home.grant().await.expect("a login").value;
        let token = grant.access_token.expect("a token");
        let sent = [token.expose_secret(), HEADER, HEADER_FROM_VARIABLE].join(" and ");
        echo_at_resource(world, status, media, &sent);
        let run = watch.run_any(&["tools", "it"]).await;
        assert_ne!(run.code, 0, "{status} {media}");
        watch.run(0, &["list", "--check"]).await;
        world.mcp.clear_faults();
    }
    watch.run(0, &["get", "it"]).await;
    watch.run(0, &["login", "it"]).await;
}

async fn farewell(watch: &mut Watch<'_>, world: &World, home: &Home) {
    let grant = home.grant().await.expect("a login").value;
    let token = grant.refresh_token.expect("a refresh token");
    let said = format!("nobody knows {}", token.expose_secret());
    world.auth.fault(
        FaultRule::on(Leg::Revocation)
            .times(1)
            .respond(Fault::oauth_error(400, "invalid_request", &said)),
    );
    let header = ["--header", "x-team=search", "--scopes", "a,b"];
    let mut add = vec!["add", "other", "--url", "https://mcp.test/mcp"];
    add.extend(header);
    watch.run(0, &add).await;
    watch.run(0, &["remove", "other"]).await;
    watch.run(0, &["logout", "it", "--forget-client"]).await;
    watch.run(3, &["tools", "it"]).await;
    watch.note(Evidence::new(
        Place::Text,
        "the recorder",
        format!("{:?}", world.recorder),
    ));
}

/// The secrets that are stored now, as a server might say them.
async fn held(home: &Home) -> String {
    let grant = home.grant().await.expect("a login").value;
    let secrets = [
        &grant.refresh_token,
        &grant.access_token,
        &grant.client_secret,
    ];
    let texts: Vec<_> = secrets
        .into_iter()
        .flatten()
        .map(|secret| secret.expose_secret().to_owned())
        .collect();
    texts.join(" and ")
}

/// The MCP server answers every request with this status and the secrets in each place that people read.
fn echo_at_resource(world: &World, status: u16, media: &str, said: &str) {
    let quoted = said.replace('"', "'");
    let challenge = format!(
        "Bearer realm=\"{quoted}\", error=\"invalid_token\", error_description=\"{quoted}\""
    );
    let encoded: String = url::form_urlencoded::byte_serialize(said.as_bytes()).collect();
    let location = format!("https://elsewhere.test/{encoded}?token={encoded}");
    let headers = vec![
        ("www-authenticate".to_owned(), challenge),
        ("location".to_owned(), location),
        ("content-type".to_owned(), media.to_owned()),
    ];
    let body = match media {
        "application/json" => serde_json::json!({ "message": said }).to_string(),
        _ => format!("no use for {said}"),
    };
    let fault = Fault::Status(status, headers, body);
    world.mcp.fault(FaultRule::on(Leg::Resource).respond(fault));
}

/// Servers on TLS that ask for a client certificate; the authorization server registers clients with a secret.
async fn servers(
    auth: impl FnOnce(
        doorkey_testkit::AuthorizationServerBuilder,
    ) -> doorkey_testkit::AuthorizationServerBuilder,
    mcp: impl FnOnce(doorkey_testkit::McpServerBuilder) -> doorkey_testkit::McpServerBuilder,
) -> (World, Identity) {
    let ca = CertificateAuthority::new().expect("a certificate authority");
    let clients = CertificateAuthority::named("clients").expect("a certificate authority");
    let identity = clients.issue_client("somebody").expect("a certificate");
    let recorder = Recorder::new();
    let listen = Listen::new()
        .tls(&ca)
        .request_client_certificate(&clients)
        .recorder(&recorder);
    let base = AuthorizationServer::builder()
        .listen(listen.clone())
        .registration_auth_method(ClientAuthMethod::Basic);
    let auth = auth(base).start().await.expect("a free port");
    let base = McpServer::builder().listen(listen).authorization(&auth);
    let mcp = mcp(base).start().await.expect("a free port");
    (World::of(ca, recorder, auth, mcp).await, identity)
}

async fn proxy() -> Proxy {
    let proxy = Proxy::builder().credentials("person", PROXY_PASSWORD);
    proxy.start().await.expect("a free port")
}

const HEADER: &str = "header-value-4Wq9LsZt7Yk2Bn6P";
const HEADER_FROM_FILE: &str = "file-value-Lq3Zt8Wk5Bn1Yc7R";
const HEADER_FROM_PROGRAM: &str = "printed-value-Pd9Us2Xe6Hg4Om0T";
const HEADER_FROM_VARIABLE: &str = "variable-value-Xr5Gh1Dv8Mc3Jf0S";
const PROXY_PASSWORD: &str = "proxy-password-Uy2Ek9Tb6Ra1Qo7L";
const CLIENT_SECRET: &str = "configured-secret-Zp4Nw8Vs3Hx6Fi1K";
const BEARER: &str = "bearer-token-Cg7Ld0Js5Pm9Yt2E";
/// How many random characters the secrets of the kit's servers have.
const OPAQUE: usize = 43;
