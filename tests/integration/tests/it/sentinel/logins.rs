//! A home with a server for every way to sign in but the plain one, all of them the same MCP server.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use doorkey::Host;
use doorkey_testkit::{
    DeviceGrant, Dpop, Fault, FaultRule, Listen, PushedRequests, RecordedRequest, SigningAlgorithm,
    SigningKey, StaticClient, TrustedIssuer,
};
use integration::{Home, IdentityProvider, World};
use serde_json::json;

use super::secrets::{Crossed, Kind, Secret};

/// Who has to be there for a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Somebody at a browser.
    Browser,
    /// Somebody at another device.
    Device,
    Nobody,
}

/// The servers of the configuration.
pub(super) const LOGINS: [(&str, Who); 9] = [
    ("key-in-file", Who::Browser),
    ("key-in-configuration", Who::Nobody),
    ("device", Who::Device),
    (FROM_FILE, Who::Nobody),
    (FROM_VARIABLE, Who::Nobody),
    (FROM_COMMAND, Who::Nobody),
    (FROM_SERVICE, Who::Nobody),
    ("sign-on", Who::Browser),
    ("handed", Who::Nobody),
];

/// The servers, and the keys that only clients and platforms hold.
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) provider: IdentityProvider,
    client: SigningKey,
    /// One for each place that a workload's JWT may come from.
    jwts: Vec<(&'static str, String)>,
}

impl Scene {
    pub(super) async fn new() -> Self {
        let key = || SigningKey::generate(SigningAlgorithm::Es256).expect("a key");
        let (client, platform) = (key(), key());
        let by_key = StaticClient::with_key("by-key", client.public_key())
            .redirect_uri("http://127.0.0.1/callback")
            .grant_types(["authorization_code", "refresh_token", "client_credentials"]);
        let world = World::with(
            |auth| {
                auth.pushed_requests(PushedRequests::Required)
                    .device_grant(DeviceGrant::new().interval(Duration::from_secs(1)))
                    .client_credentials(true)
                    .private_key_jwt([SigningAlgorithm::Es256])
                    .dpop(Dpop::Supported)
                    .dpop_nonces(true)
                    .loopback_any_port(true)
                    .static_client(by_key)
                    .static_client(IdentityProvider::client_there())
            },
            |mcp| mcp.dpop(Dpop::Supported).dpop_nonces(true),
        )
        .await;
        let listen = Listen::new().tls(&world.ca).recorder(&world.recorder);
        let provider = IdentityProvider::start(listen).await;
        provider.introduce(&world.auth);
        // Each use of the identity renews it.
        provider
            .server
            .set_id_token_lifetime(Duration::from_secs(25));
        let workload = TrustedIssuer::workload(PLATFORM, platform.public_key());
        world.auth.trust(workload);
        let places = [FROM_FILE, FROM_VARIABLE, FROM_COMMAND, FROM_SERVICE];
        let issuer = world.auth.issuer();
        let jwts = places.map(|place| (place, jwt(&platform, &issuer, place)));
        let scene = Self {
            world,
            provider,
            client,
            jwts: jwts.into(),
        };
        let served = Fault::json(200, &json!({ "jwt": scene.jwt(FROM_SERVICE) }));
        scene
            .provider
            .server
            .fault(FaultRule::on(SERVICE).respond(served));
        scene
    }

    /// The JWT of a workload from there.
    pub(super) fn jwt(&self, place: &str) -> &str {
        let mut jwts = self.jwts.iter();
        jwts.find(|(name, _)| *name == place)
            .map_or("", |(_, jwt)| jwt)
    }

    /// What the environment has to hold.
    pub(super) fn variables(&self) -> [(&'static str, &str); 1] {
        [("WORKLOAD_JWT", self.jwt(FROM_VARIABLE))]
    }

    /// Writes the configuration, and what it names beside it.
    pub(super) fn furnish(&self, home: &Home, program: &Path) {
        home.write("signing-key.pem", self.client.pem().as_bytes());
        home.write("workload.jwt", self.jwt(FROM_FILE).as_bytes());
        home.write("identity.jwt", self.provider.identity_token().as_bytes());
        home.configure(&self.configuration(program));
    }

    /// A program that prints a workload's JWT; `before` is what it does first.
    pub(super) fn program(&self, folder: &Path, before: &str) -> PathBuf {
        let path = folder.join("print-jwt");
        let jwt = self.jwt(FROM_COMMAND);
        let script = format!("#!/bin/sh\n{before}\nprintf %s '{jwt}'\n");
        fs::write(&path, script).expect("a writable folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("permissions");
        path
    }

    fn configuration(&self, program: &Path) -> String {
        let (there, secret) = IdentityProvider::CLIENT_THERE;
        let issuer = self.world.auth.issuer();
        let provider = self.provider.server.issuer();
        let enterprise = format!(
            "flow = \"enterprise_managed\"\nclient_id = {there:?}\nclient_secret = {secret:?}\n\
             identity_provider.issuer = {provider:?}\n\
             identity_provider.client_id = {:?}\n",
            IdentityProvider::CLIENT
        );
        let workload = "flow = \"workload_identity\"\nworkload";
        let oauth = [
            "client_id = \"by-key\"\nprivate_key_file = \"signing-key.pem\"\n".to_owned(),
            format!(
                "flow = \"client_credentials\"\nclient_id = \"by-key\"\nprivate_key = \"\"\"\n{}\"\"\"\n",
                self.client.pem()
            ),
            "flow = \"device\"\n".to_owned(),
            format!("{workload}.file = \"workload.jwt\"\n"),
            format!("{workload}.env = \"WORKLOAD_JWT\"\n"),
            format!(
                "{workload}.command = [{:?}]\n",
                program.display().to_string()
            ),
            format!(
                "{workload} = {{ url = \"{}{SERVICE}\", json_member = \"jwt\", headers = {{ x-cloud = {CLOUD:?} }} }}\n",
                self.provider.server.url()
            ),
            enterprise.clone(),
            format!("{enterprise}identity_provider.id_token.file = \"identity.jwt\"\n"),
        ];
        let mut text = String::new();
        for ((name, _), oauth) in LOGINS.iter().zip(oauth) {
            let url = self.world.mcp.url();
            let bound = match oauth.contains("flow = \"device\"") {
                true => String::new(),
                false => format!("issuer = {issuer:?}\n"),
            };
            text += &format!(
                "[mcp_servers.{name}]\nurl = {url:?}\naccount = {name:?}\n\
                 [mcp_servers.{name}.oauth]\ndpop = \"require\"\n{bound}{oauth}"
            );
        }
        text
    }

    /// The secrets of all these logins, each shown to have been used; `keys` are the stored keys of bound tokens.
    pub(super) fn secrets(&self, requests: &[RecordedRequest], keys: &[String]) -> Vec<Secret> {
        let headers = [("x-cloud", Kind::HeaderValue)];
        let mut secrets = Crossed::of(requests, &headers).proven(&[
            Kind::AccessToken,
            Kind::RefreshToken,
            Kind::ClientSecret,
            Kind::AuthorizationCode,
            Kind::Verifier,
            Kind::State,
            Kind::HeaderValue,
            Kind::ClientAssertion,
            Kind::DpopProof,
            Kind::WorkloadJwt,
            Kind::IdToken,
            Kind::IdentityRefreshToken,
            Kind::IdJag,
            Kind::Nonce,
            Kind::DeviceCode,
            Kind::RequestUri,
        ]);
        for (place, jwt) in &self.jwts {
            let used = secrets.contains(&Secret::new(Kind::WorkloadJwt, jwt));
            assert!(used, "the JWT {place} was not used");
        }
        assert!(keys.len() >= LOGINS.len(), "a key for each login");
        let bound: Vec<_> = keys
            .iter()
            .map(|key| Secret::of_dpop_key(key, &secrets))
            .collect();
        secrets.extend(bound);
        // The authorization server checked the assertions with the public half.
        secrets.push(Secret::of_key(Kind::SigningKey, self.client.pem()));
        secrets
    }
}

/// The stored keys of bound tokens.
pub(super) async fn stored_keys(host: &Host) -> Vec<String> {
    use secrecy::ExposeSecret as _;
    let grants = host.store().grants().await.expect("a store").entries;
    let keys = grants
        .iter()
        .filter_map(|(_, grant)| grant.value.dpop_key.as_ref());
    keys.map(|key| key.expose_secret().to_owned()).collect()
}

/// Lets every stored access token be expired.
pub(super) async fn expire(host: &Host) {
    let store = host.store();
    for (key, stored) in store.grants().await.expect("a store").entries {
        let mut grant = stored.value;
        if grant.access_token.is_some() {
            grant.expires_at = Some(1);
            let saved = store.save_grant(&key, &grant, Some(stored.generation));
            saved.await.expect("a writable store");
        }
    }
}

/// The JWT that a platform gives to the workload in that place.
fn jwt(platform: &SigningKey, issuer: &str, place: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("a clock").as_secs();
    let claims = json!({
        "iss": PLATFORM, "sub": format!("pod {place}"), "aud": issuer,
        "iat": now, "exp": now + 3600, "jti": format!("jti of {place}"),
    });
    platform.sign(&json!({}), &claims).expect("a JWT")
}

const FROM_FILE: &str = "from-file";
const FROM_VARIABLE: &str = "from-variable";
const FROM_COMMAND: &str = "from-command";
const FROM_SERVICE: &str = "from-service";
const PLATFORM: &str = "https://platform.test";
const SERVICE: &str = "/workload";
const CLOUD: &str = "cloud-header-Hq3Zt8Wn1Kx6Vb5M";
