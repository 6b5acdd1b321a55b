//! A client by hand that is right by default and wrong where a test says so.

use bytes::Bytes;
use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, Browser, Client, McpServer, McpServerBuilder,
    Recorder, Reply, Visit,
};
use http::Request;
use serde_json::{Value, json};
use url::Url;

/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:9/callback";

/// One change of a request: a parameter set, or left out.
pub(crate) type Change<'a> = (&'a str, Option<&'a str>);

pub(crate) struct World {
    pub(crate) auth: AuthorizationServer,
    pub(crate) mcp: McpServer,
    pub(crate) recorder: Recorder,
    pub(crate) client: Client,
}

pub(crate) struct Registered {
    pub(crate) id: String,
    pub(crate) answer: Value,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(AuthorizationServer::builder(), McpServer::builder()).await
    }

    pub(crate) async fn with(auth: AuthorizationServerBuilder, mcp: McpServerBuilder) -> Self {
        let recorder = Recorder::new();
        let auth = auth.recorder(&recorder).start().await.unwrap();
        let mcp = mcp.authorization(&auth).recorder(&recorder);
        let mcp = mcp.start().await.unwrap();
        Self {
            auth,
            mcp,
            recorder,
            client: Client::new(),
        }
    }

    pub(crate) fn at(&self, endpoint: &str) -> String {
        format!("{}/{endpoint}", self.auth.issuer())
    }

    /// The metadata document at the first of its places.
    pub(crate) async fn metadata(&self) -> Value {
        let path = self.auth.issuer().replace(self.auth.url(), "");
        let place = format!(
            "{}/.well-known/oauth-authorization-server{path}",
            self.auth.url()
        );
        self.client.get(&place).await.unwrap().json()
    }

    pub(crate) async fn register(&self) -> Registered {
        self.register_with("none").await
    }

    pub(crate) async fn register_with(&self, method: &str) -> Registered {
        let asked = json!({
            "client_name": "test",
            "application_type": "native",
            "redirect_uris": [REDIRECT],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": method,
        });
        let reply = self.client.post_json(&self.at("register"), &asked).await;
        let reply = reply.unwrap();
        assert_eq!(reply.status, 201, "{}", reply.text());
        let answer = reply.json();
        let id = answer["client_id"].as_str().unwrap().to_owned();
        Registered { id, answer }
    }

    pub(crate) fn authorization_url(&self, client_id: &str, changes: &[Change<'_>]) -> String {
        let right = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", REDIRECT),
            ("state", "the-state"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("resource", self.mcp.resource()),
        ];
        let mut url = Url::parse(&self.at("authorize")).unwrap();
        url.query_pairs_mut().extend_pairs(changed(&right, changes));
        url.into()
    }

    pub(crate) async fn visit(&self, client_id: &str, changes: &[Change<'_>]) -> Visit {
        let url = self.authorization_url(client_id, changes);
        let browser = Browser::new().stop_before_callback();
        browser.open(&url).await.unwrap()
    }

    pub(crate) async fn code(&self, client_id: &str) -> String {
        let visit = self.visit(client_id, &[]).await;
        visit.parameter("code").expect("a code")
    }

    /// The code exchange of a public client.
    pub(crate) async fn exchange(
        &self,
        client_id: &str,
        code: &str,
        changes: &[Change<'_>],
    ) -> Reply {
        let right = self.exchange_fields(client_id, code);
        self.token(&changed(&right, changes)).await
    }

    pub(crate) fn exchange_fields<'a>(
        &'a self,
        client_id: &'a str,
        code: &'a str,
    ) -> [(&'a str, &'a str); 6] {
        [
            ("grant_type", "authorization_code"),
            ("client_id", client_id),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("resource", self.mcp.resource()),
        ]
    }

    /// The refresh of a public client.
    pub(crate) async fn refresh(
        &self,
        client_id: &str,
        token: &str,
        changes: &[Change<'_>],
    ) -> Reply {
        let right = [
            ("grant_type", "refresh_token"),
            ("client_id", client_id),
            ("refresh_token", token),
            ("resource", self.mcp.resource()),
        ];
        self.token(&changed(&right, changes)).await
    }

    pub(crate) async fn token(&self, fields: &[(&str, &str)]) -> Reply {
        self.client
            .post_form(&self.at("token"), fields)
            .await
            .unwrap()
    }

    /// Registers, authorizes and exchanges; returns the client id and the token answer.
    pub(crate) async fn log_in(&self, changes: &[Change<'_>]) -> (String, Value) {
        let client = self.register().await;
        let visit = self.visit(&client.id, changes).await;
        let code = visit.parameter("code").expect("a code");
        let reply = self.exchange(&client.id, &code, &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        (client.id, reply.json())
    }

    /// A `ping` on the stateless wire with this token.
    pub(crate) async fn ping(&self, token: &str) -> Reply {
        let message = stateless("ping", json!({}));
        self.post(&self.mcp.url(), Some(token), &message).await
    }

    /// A request on the stateless wire, header fields and all.
    pub(crate) async fn post(&self, url: &str, token: Option<&str>, message: &Value) -> Reply {
        let mut request = Request::post(url)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", message["method"].as_str().unwrap());
        if let Some(name) = message["params"]["name"].as_str() {
            request = request.header("mcp-name", name);
        }
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = Bytes::from(message.to_string());
        self.client.send(request.body(body).unwrap()).await.unwrap()
    }
}

/// A request of the stateless wire.
pub(crate) fn stateless(method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "0" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

/// `right` with some parameters replaced or left out. A change of a parameter that is given
/// twice appears twice.
pub(crate) fn changed<'a>(
    right: &[(&'a str, &'a str)],
    changes: &[Change<'a>],
) -> Vec<(&'a str, &'a str)> {
    let kept = |name: &str| !changes.iter().any(|(changed, _)| *changed == name);
    let mut fields: Vec<_> = right
        .iter()
        .copied()
        .filter(|(name, _)| kept(name))
        .collect();
    fields.extend(
        changes
            .iter()
            .filter_map(|(name, value)| Some((*name, (*value)?))),
    );
    fields
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect(name)
}

/// Status and `error` of a refusal.
pub(crate) fn refusal(reply: &Reply) -> (u16, String) {
    let error = reply.json()["error"].as_str().unwrap_or("none").to_owned();
    (reply.status.as_u16(), error)
}

/// A world with this MCP server, and a token for it with the scope `mcp:basic`.
pub(crate) async fn world_with_token(mcp: McpServerBuilder) -> (World, String) {
    let world = World::with(AuthorizationServer::builder(), mcp).await;
    let (_, tokens) = world.log_in(&[("scope", Some("mcp:basic"))]).await;
    let token = text(&tokens, "access_token").to_owned();
    (world, token)
}
