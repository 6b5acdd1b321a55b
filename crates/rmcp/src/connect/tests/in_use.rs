//! The extensions that the tokens are obtained and bound by, told on every request that tells capabilities.

use doorkey_http::{HttpClient, HttpProfile};
use doorkey_oauth::{
    AssertionError, AssertionSource, AuthorizationConfig, BoxFuture, ClientChoice, DpopChoice,
    EnterpriseManaged, Flow, Issuer, TokenSource,
};
use doorkey_store::{Grant, Store};
use rmcp::model::{ClientCapabilities, ClientConfig, Implementation};
use secrecy::SecretString;
use serde_json::Value;

use super::*;

const CLIENT_CREDENTIALS: &str = "io.modelcontextprotocol/oauth-client-credentials";
const WORKLOAD: &str = "io.modelcontextprotocol/auth/wif";
const ENTERPRISE: &str = "io.modelcontextprotocol/enterprise-managed-authorization";
const DPOP: &str = "io.modelcontextprotocol/auth/dpop";

#[derive(Debug)]
struct Platform;

impl AssertionSource for Platform {
    fn assertion<'a>(
        &'a self,
        _: &'a HttpClient,
    ) -> BoxFuture<'a, Result<SecretString, AssertionError>> {
        Box::pin(async { Err(AssertionError::new("the token at hand is fresh")) })
    }
}

fn enterprise() -> Flow {
    let provider = EnterpriseManaged::new(Issuer::new("https://sso.example"), "desk");
    Flow::EnterpriseManaged(Arc::new(provider))
}

/// Tokens of that flow, signed in to before; `key` is what they are bound to.
async fn signed_in(flow: Flow, dpop: DpopChoice, key: Option<&str>) -> (TokenSource, Store) {
    let mut config = AuthorizationConfig::new(server_url());
    config.flow = flow;
    config.dpop = dpop;
    config.client = ClientChoice::Static {
        client_id: "client".to_owned(),
        client_secret: None,
        signing_key: None,
        issuer: None,
        auth_method: None,
    };
    let mut grant = Grant::new("https://as.example", "client", "https://as.example/token");
    grant.flow = Some(config.flow.as_str().to_owned());
    grant.access_token = Some("t0ken".into());
    grant.resource = Some("https://mcp.example/mcp".to_owned());
    if let Some(key) = key {
        grant.dpop_key = Some(key.into());
        grant.token_type = "DPoP".to_owned();
    }
    let store = Store::memory();
    let saved = store.save_grant(&config.grant_key(), &grant, None).await;
    saved.unwrap();
    let http = HttpClient::with_service(&HttpProfile::new(server_url()), unreachable()).unwrap();
    let tokens = TokenSource::builder(config, http, store.clone()).build();
    (tokens, store)
}

/// Nobody asks for another token here.
fn unreachable() -> Script {
    Script::new(|seen, _| panic!("{seen:?}"))
}

/// What the server is told in each request, on either wire.
async fn told(tokens: &TokenSource, protocol: Protocol, host: ClientConfig) -> Vec<Value> {
    let server: Server = match protocol {
        Protocol::V2025_11_25 => stateful,
        _ => stateless,
    };
    let script = Script::new(move |seen, _| server(seen));
    let http = HttpClient::with_service(&HttpProfile::new(server_url()), script.clone()).unwrap();
    let options = ClientOptions::default().with_standalone_stream(false);
    let client = AuthorizedClient::new(http, tokens.clone(), options);
    let options = ConnectOptions::default().with_protocol(protocol);
    let connection = connect(client, &server_url(), options, host).await.unwrap();
    connection.service.list_all_tools().await.unwrap();
    let in_request = |seen: &Seen| {
        let params = &seen.body["params"];
        let meta = &params["_meta"]["io.modelcontextprotocol/clientCapabilities"];
        match seen.name() {
            "initialize" => Some(params["capabilities"].clone()),
            _ => Some(meta.clone()).filter(Value::is_object),
        }
    };
    script.seen().iter().filter_map(in_request).collect()
}

fn host(capabilities: ClientCapabilities) -> ClientConfig {
    ClientConfig::new(capabilities, Implementation::new("host", "1.0"))
}

/// The names that are declared the same in every request.
async fn declared(tokens: &TokenSource) -> Vec<String> {
    let mut all = Vec::new();
    for (protocol, times) in [(Protocol::V2025_11_25, 1), (Protocol::V2026_07_28, 2)] {
        let told = told(tokens, protocol, host(ClientCapabilities::default())).await;
        assert_eq!(told.len(), times, "{protocol:?}: {told:?}");
        all.extend(told);
    }
    let names = |capabilities: &Value| -> Vec<String> {
        let extensions = capabilities["extensions"].as_object().into_iter().flatten();
        let empty = |(name, settings): (&String, &Value)| {
            assert_eq!(*settings, json!({}), "{name}");
            name.clone()
        };
        extensions.map(empty).collect()
    };
    let first = names(&all[0]);
    for capabilities in &all {
        assert_eq!(names(capabilities), first, "{all:?}");
    }
    first
}

#[tokio::test]
async fn the_flow_in_use_is_declared_on_either_wire_and_no_other_cc_10_ema_15() {
    for (flow, expected) in [
        (Flow::AuthorizationCode, &[][..]),
        (Flow::Device, &[]),
        (Flow::ClientCredentials, &[CLIENT_CREDENTIALS]),
        (Flow::WorkloadIdentity(Arc::new(Platform)), &[WORKLOAD]),
        (enterprise(), &[ENTERPRISE]),
    ] {
        let (tokens, _store) = signed_in(flow.clone(), DpopChoice::Auto, None).await;
        assert_eq!(declared(&tokens).await, expected, "{flow:?}");
    }
    let configured = TokenSource::fixed(server_url(), "t0ken".into());
    assert_eq!(declared(&configured).await, [] as [&str; 0]);
}

#[tokio::test]
async fn dpop_is_declared_while_it_is_on_or_the_token_is_bound() {
    for (choice, key, expected) in [
        (DpopChoice::Auto, None, &[][..]),
        (DpopChoice::Auto, Some(KEY), &[DPOP]),
        (DpopChoice::Prefer, None, &[DPOP]),
        (DpopChoice::Require, Some(KEY), &[DPOP]),
        (DpopChoice::Off, None, &[]),
    ] {
        let (tokens, _store) = signed_in(Flow::AuthorizationCode, choice, key).await;
        assert_eq!(declared(&tokens).await, expected, "{choice:?}");
    }
    let (tokens, _store) = signed_in(Flow::ClientCredentials, DpopChoice::Auto, Some(KEY)).await;
    assert_eq!(declared(&tokens).await, [DPOP, CLIENT_CREDENTIALS]);
}

#[tokio::test]
async fn what_a_host_declares_itself_stays_beside_it_cc_10() {
    let (tokens, _store) = signed_in(Flow::ClientCredentials, DpopChoice::Auto, None).await;
    let mut capabilities = ClientCapabilities::default();
    let settings = json!({ "a": 1 });
    let own = [
        ("example.com/own", settings.clone()),
        (CLIENT_CREDENTIALS, settings.clone()),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value.as_object().unwrap().clone()));
    capabilities.extensions = Some(own.into_iter().collect());
    for protocol in [Protocol::V2025_11_25, Protocol::V2026_07_28] {
        for told in told(&tokens, protocol, host(capabilities.clone())).await {
            assert_eq!(told["extensions"]["example.com/own"], settings);
            assert_eq!(told["extensions"][CLIENT_CREDENTIALS], settings);
        }
    }
}

/// Of no use anywhere else.
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg6tWyDTTOq1Jv1eW9
HMmiATXTrumR0P9V4H5Q9BSG85ihRANCAAR9SC7muvYsgLdpu2l8gdGYsr4BlFO+
/DnLvFKKI2hiAzN8nukEi79HagDgbTHlvslk3gguZtJeO9hZtvaAnxuy
-----END PRIVATE KEY-----
";
