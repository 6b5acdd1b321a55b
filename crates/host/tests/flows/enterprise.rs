//! An enterprise's identity provider vouches for the person.

use doorkey_testkit::{
    AuthorizationServer, Browser, CertificateAuthority, ClientAuthMethod, Leg, McpServer, Recorder,
    SigningAlgorithm, StaticClient, TrustedIssuer,
};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::world::{LIMIT, Ran, World, key};

/// The servers of the MCP side, and the identity provider that its authorization server trusts.
struct Scene {
    world: World,
    provider: AuthorizationServer,
    /// What the identity provider was asked.
    asked: Recorder,
}

impl Scene {
    async fn new() -> Self {
        let authority = CertificateAuthority::new().unwrap();
        let key = key(SigningAlgorithm::Es256);
        let desk = StaticClient::public("desk").redirect_uri("http://127.0.0.1/callback");
        let grants = ["authorization_code", "refresh_token", EXCHANGE];
        let asked = Recorder::new();
        let provider = AuthorizationServer::builder()
            .openid(&key)
            .token_exchange(true)
            .dynamic_registration(false)
            .loopback_any_port(true)
            .static_client(desk.grant_types(grants))
            .tls(&authority)
            .recorder(&asked);
        let provider = provider.start().await.unwrap();
        let trusted = TrustedIssuer::id_jag(provider.issuer(), key.public_key());
        let agent = StaticClient::confidential("agent", "s3cret", ClientAuthMethod::Basic);
        let authorization = AuthorizationServer::builder()
            .jwt_bearer(trusted)
            .static_client(agent.grant_types([JWT_BEARER]));
        let world = World::start(authority, authorization, McpServer::builder()).await;
        provider.know_client_at(&world.authorization.issuer(), "desk", "agent");
        Self {
            world: world.with("AGENT_SECRET", "s3cret"),
            provider,
            asked,
        }
    }

    fn configure(&self, identity: &str) {
        self.world.configure(&format!(
            "flow = \"enterprise_managed\"\nclient_id = \"agent\"\nissuer = \"ISSUER\"\n\
             client_secret_env = \"AGENT_SECRET\"\n[mcp_servers.one.oauth.identity_provider]\n\
             issuer = \"{}\"\nclient_id = \"desk\"\n{identity}",
            self.provider.issuer()
        ));
    }

    /// Logs in as a person does who copies the page's address from the terminal.
    async fn login(&self) -> Ran {
        let person = Browser::new().trusting(&self.world.authority);
        let login = async {
            let mut child = self.world.command(&["login", "one", "--no-browser"]);
            let mut child = child.spawn().unwrap();
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
            let mut err = String::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(url) = line.strip_prefix("  https://") {
                    person.open(&format!("https://{url}")).await.unwrap();
                }
                err.push_str(&line);
                err.push('\n');
            }
            let code = child.wait().await.unwrap().code().unwrap();
            let out = String::new();
            Ran { code, out, err }
        };
        tokio::time::timeout(LIMIT, login).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_on_once_and_the_rest_goes_by_itself_ema_11_ema_14() {
    let scene = Scene::new().await;
    let world = &scene.world;
    scene.configure("");
    assert_eq!(world.status().await["status"], "unknown");
    let tools = world.run(&["tools", "one"]).await;
    let needed = format!("a sign-on at {} is needed", scene.provider.issuer());
    tools.expect(3, &[&needed, "next: doorkey login one"]);
    assert_eq!(world.status().await["status"], "login_required");

    let ran = scene.login().await;
    let provider = scene
        .provider
        .url()
        .trim_start_matches("https://")
        .to_owned();
    ran.expect(
        0,
        &[
            &format!("sends you to {provider}"),
            "as client agent by the identity provider",
            "takes the token",
        ],
    );
    let recorder = &world.recorder;
    assert_eq!(
        recorder.count(Leg::Authorization),
        0,
        "never the server's own page"
    );
    let sign_on = scene.asked.of(Leg::Authorization);
    assert!(sign_on[0].query("nonce").len() == 1 && sign_on[0].query("state").len() == 1);

    scene.asked.clear();
    recorder.clear();
    world.authorization.expire_access_tokens();
    assert_eq!(world.status().await["status"], "logged_in");
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    assert_eq!(scene.asked.count(Leg::Authorization), 0);
    let granted = recorder.of(Leg::Token).pop().unwrap();
    assert_eq!(granted.form("grant_type"), [JWT_BEARER]);
    assert_eq!(granted.form("resource"), [world.mcp.resource()]);
    world.spotless();
    assert!(
        scene.provider.refusals().is_empty(),
        "{:?}",
        scene.provider.refusals()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_ends_the_sign_on_too_also_when_the_settings_are_of_no_use_any_more() {
    let scene = Scene::new().await;
    let world = &scene.world;
    scene.configure("");
    scene.login().await.expect(0, &[]);
    let ran = world.run(&["logout", "one"]).await;
    ran.expect(0, &["sign-on at the identity provider: removed"]);
    assert_eq!(scene.asked.count(Leg::Revocation), 1);
    assert_eq!(world.status().await["status"], "login_required");
    let ran = world.run(&["tools", "one"]).await;
    ran.expect(3, &["doorkey login one"]);

    scene.login().await.expect(0, &[]);
    scene.configure("client_secret_env = \"UNSET_SECRET\"");
    let ran = world.run(&["logout", "one"]).await;
    ran.expect(0, &["removed the login", "UNSET_SECRET"]);
    scene.configure("");
    assert_eq!(world.status().await["status"], "login_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_is_handed_over_needs_no_person_ema_04() {
    let scene = Scene::new().await;
    scene.provider.register_saml_assertion("<saml/>", "alice");
    let id_token = scene.provider.issue_id_token("desk", "alice").unwrap();
    let scene = Scene {
        world: scene
            .world
            .with("ID_TOKEN", &id_token)
            .with("SAML", "<saml/>"),
        ..scene
    };
    let world = &scene.world;
    for source in [
        "id_token = { env = \"ID_TOKEN\" }",
        "saml_assertion = { env = \"SAML\" }",
    ] {
        scene.configure(source);
        assert_eq!(world.status().await["status"], "unattended", "{source}");
        let ran = world.run(&["login", "one"]).await;
        ran.expect(0, &["by the identity provider"])
            .without(&id_token);
        world.run(&["logout", "one"]).await.expect(0, &[]);
    }
    assert_eq!(scene.asked.count(Leg::Authorization), 0);
    let shown = world.shown().await;
    let provider = &shown["identity_provider"];
    assert_eq!(provider["issuer"], scene.provider.issuer());
    assert_eq!(provider["client_id"], "desk");
    assert_eq!(provider["saml_assertion"]["env"], "SAML");
    world.spotless();
}

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
