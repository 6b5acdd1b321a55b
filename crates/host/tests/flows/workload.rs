//! The JWT of a platform stands for this workload.

use doorkey_testkit::{
    AuthorizationServer, CertificateAuthority, Leg, McpServer, SigningAlgorithm, SigningKey,
    TrustedIssuer,
};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::world::{PLATFORM, World, key, workload_jwt};

struct Scene {
    world: World,
    platform: SigningKey,
}

impl Scene {
    async fn new() -> Self {
        let platform = key(SigningAlgorithm::Rs256);
        let trusted = TrustedIssuer::workload(PLATFORM, platform.public_key());
        let world = World::start(
            CertificateAuthority::new().unwrap(),
            AuthorizationServer::builder().jwt_bearer(trusted),
            McpServer::builder(),
        );
        Self {
            world: world.await,
            platform,
        }
    }

    fn jwt(&self, lives: i64) -> String {
        workload_jwt(&self.platform, &self.world.authorization.issuer(), lives)
    }

    fn configure(&self, source: &str) {
        self.world.configure(&format!(
            "flow = \"workload_identity\"\nissuer = \"ISSUER\"\n\
             [mcp_servers.one.oauth.workload]\n{source}"
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projected_file_signs_in_and_is_read_anew_for_each_token_wif_06_wif_07() {
    let scene = Scene::new().await;
    let world = &scene.world;
    scene.configure("file = \"token\"");
    let first = scene.jwt(3600);
    world.write("token", &first);
    assert_eq!(world.status().await["status"], "unattended");
    let ran = world.run(&["login", "one", "-vv"]).await;
    ran.expect(0, &["signed in to one by workload identity"])
        .without(first.rsplit('.').next().unwrap());

    let second = scene.jwt(3601);
    world.write("token", &second);
    world.authorization.expire_access_tokens();
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    let asked = world.recorder.of(Leg::Token);
    let assertions: Vec<_> = asked
        .iter()
        .flat_map(|asked| asked.form("assertion"))
        .collect();
    assert_eq!(assertions, [first, second]);
    for asked in asked {
        assert_eq!(asked.form("resource"), [world.mcp.resource()]);
        assert_eq!(asked.form("client_id"), [] as [String; 0]);
    }
    assert_eq!(world.recorder.count(Leg::Registration), 0);
    world.spotless();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_variable_and_a_program_sign_in_wif_06() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new().await;
    let jwt = scene.jwt(3600);
    let world = scene.world.with("PLATFORM_JWT", &jwt);
    let scene = Scene { world, ..scene };
    let world = &scene.world;
    world.write("print-jwt", "#!/bin/sh\necho \"$PLATFORM_JWT\"\n");
    let script = world.folder.path().join("print-jwt");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    for source in ["env = \"PLATFORM_JWT\"", "command = [\"./print-jwt\"]"] {
        scene.configure(source);
        world.run(&["login", "one"]).await.expect(0, &[]);
        world.run(&["logout", "one"]).await.expect(0, &[]);
    }
    assert_eq!(world.recorder.count(Leg::Token), 2);
    // A workload is no client, and this server revokes for clients only.
    let refusals = world.authorization.refusals();
    let is_revocation = |refusal: &String| refusal.starts_with("revocation");
    assert!(refusals.iter().all(is_revocation), "{refusals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_the_user_named_is_asked_over_plain_http_wif_06() {
    let scene = Scene::new().await;
    let service = MockServer::start().await;
    let answer = format!(r#"{{"access_token":"{}"}}"#, scene.jwt(3600));
    Mock::given(method("GET"))
        .and(path("/identity"))
        .and(header("metadata", "true"))
        .respond_with(ResponseTemplate::new(200).set_body_string(answer))
        .mount(&service)
        .await;
    scene.configure(&format!(
        "url = \"{}/identity\"\nheaders = {{ Metadata = \"true\" }}\njson_member = \"access_token\"",
        service.uri()
    ));
    scene.world.run(&["login", "one"]).await.expect(0, &[]);
    let shown = scene.world.shown().await;
    let workload = &shown["workload"];
    assert_eq!(workload["url"], format!("{}/identity", service.uri()));
    assert_eq!(workload["headers"], serde_json::json!(["metadata"]));
    scene.world.spotless();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jwt_goes_to_the_named_issuer_and_to_no_other_wif_08() {
    let scene = Scene::new().await;
    let world = &scene.world;
    world.write("token", &scene.jwt(3600));
    let table = "[mcp_servers.one.oauth.workload]\nfile = \"token\"";
    let unbound = format!("flow = \"workload_identity\"\n{table}");
    world.configure(&unbound);
    let ran = world.run(&["login", "one"]).await;
    ran.expect(9, &["name no issuer", "write issuer = "]);
    world.configure(&format!("{unbound}\nissuer = \"https://other.example\""));
    assert_ne!(world.run(&["login", "one"]).await.code, 0);
    assert_eq!(world.recorder.count(Leg::Token), 0);

    world.configure(&format!("{unbound}\nissuer = \"ISSUER\""));
    world.run(&["login", "one"]).await.expect(0, &[]);
    assert_eq!(world.recorder.count(Leg::Token), 1);

    // The login there is belongs to an issuer that is not named any more.
    world.authorization.expire_access_tokens();
    world.configure(&format!("{unbound}\nissuer = \"https://other.example\""));
    assert_ne!(world.run(&["tools", "one"]).await.code, 0);
    assert_eq!(world.recorder.count(Leg::Token), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_without_a_good_jwt_is_told_with_what_to_see_to_wif_06() {
    let scene = Scene::new().await;
    let world = &scene.world;
    scene.configure("file = \"token\"");
    let next = "next: see to what [mcp_servers.one.oauth] names as its source";
    let ran = world.run(&["login", "one"]).await;
    ran.expect(9, &["could not be had", "cannot read", next]);
    world.write("token", &scene.jwt(-120));
    let ran = world.run(&["tools", "one"]).await;
    ran.expect(9, &["has expired", next]);
    scene.configure("env = \"UNSET_JWT\"");
    let ran = world.run(&["tools", "one"]).await;
    ran.expect(9, &["UNSET_JWT is not set", next]);
    scene.configure("url = \"http://127.0.0.1:9/\"");
    let ran = world.run(&["tools", "one"]).await;
    ran.expect(6, &["could not be had", "next: try again"]);
    assert_eq!(world.recorder.count(Leg::Token), 0);
}
