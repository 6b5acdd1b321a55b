//! An authorization server that repeats whatever it was sent, in every way a careless one does.

use std::sync::{Arc, Mutex, PoisonError};

use doorkey_testkit::{AuthorizationServer, CertificateAuthority, McpServer, Recorder};
use integration::World;
use serde_json::json;
use wiremock::{
    Mock, MockServer, Request, Respond, ResponseTemplate,
    matchers::{method, path},
};

use super::secrets::{Kind, Secret};

/// How the token and revocation endpoints refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// 400 with the request in `error_description` and `error_uri`.
    Json,
    /// 400 with the request as the error code.
    Code,
    /// 502 with a page that shows the request.
    Page,
    /// 200 with the request as a page.
    Success,
    /// 307 to another path with the request in the query.
    RedirectQuery,
    /// 307 with the request in the path.
    RedirectPath,
    /// 400 with JSON that is no OAuth error.
    OtherJson,
    /// 200 with an access token that cannot be sent, which holds the request.
    IllegalToken,
}

impl Manner {
    pub(super) const ALL: [Self; 8] = [
        Self::Json,
        Self::Code,
        Self::Page,
        Self::Success,
        Self::RedirectQuery,
        Self::RedirectPath,
        Self::OtherJson,
        Self::IllegalToken,
    ];

    pub(super) fn answer(self, sent: &str) -> ResponseTemplate {
        let encoded: String = url::form_urlencoded::byte_serialize(sent.as_bytes()).collect();
        match self {
            Self::Json => ResponseTemplate::new(400).set_body_json(json!({
                "error": "invalid_grant",
                "error_description": format!("cannot use {sent}"),
                "error_uri": format!("https://as.test/errors?{encoded}"),
            })),
            Self::Code => ResponseTemplate::new(400).set_body_json(json!({ "error": sent })),
            Self::Page => page(502, sent),
            Self::Success => page(200, sent),
            Self::RedirectQuery => redirect(&format!("/elsewhere?{encoded}#{encoded}")),
            Self::RedirectPath => redirect(&format!("/elsewhere/{encoded}")),
            Self::OtherJson => {
                ResponseTemplate::new(400).set_body_json(json!({ "message": sent, "sent": [sent] }))
            }
            Self::IllegalToken => ResponseTemplate::new(200)
                .set_body_json(json!({ "access_token": format!("é {sent}"), "token_type": sent })),
        }
    }
}

/// The server, and the MCP server that sends people to it.
pub(super) struct Echo {
    server: MockServer,
    pub(super) world: World,
}

/// Which way to repeat, shared with the running server.
#[derive(Clone)]
struct Repeat(Arc<Mutex<Vec<String>>>, Manner);

impl Respond for Repeat {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let mut sent = decoded(&body);
        if let Some(value) = request.headers.get("authorization") {
            let value = value.to_str().unwrap_or_default().to_owned();
            sent = format!("{value} {sent}");
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(body);
        self.1.answer(&sent)
    }
}

impl Echo {
    /// Servers that refuse every code in this manner.
    pub(super) async fn start(manner: Manner) -> (Self, Sent) {
        let server = MockServer::start().await;
        let sent = Sent(Arc::default());
        let issuer = server.uri();
        let metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "registration_endpoint": format!("{issuer}/register"),
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        });
        let registered = json!({
            "client_id": "echo",
            "client_secret": CLIENT_SECRET,
            "client_secret_expires_at": 0,
            "token_endpoint_auth_method": "client_secret_post",
            "registration_access_token": REGISTRATION_TOKEN,
            "registration_client_uri": format!("{issuer}/register/echo"),
        });
        let answers: [(&str, &str, ResponseTemplate); 2] = [
            (
                "GET",
                "/.well-known/oauth-authorization-server",
                ResponseTemplate::new(200).set_body_json(metadata),
            ),
            (
                "POST",
                "/register",
                ResponseTemplate::new(201).set_body_json(registered),
            ),
        ];
        for (verb, place, answer) in answers {
            mount(&server, verb, place, answer).await;
        }
        mount(&server, "GET", "/authorize", approve).await;
        let repeat = Repeat(Arc::clone(&sent.0), manner);
        mount(&server, "POST", "/token", repeat).await;
        let world = world(&server).await;
        (Self { server, world }, sent)
    }

    /// Keeps the servers until here.
    pub(super) fn stop(self) {
        drop(self.server);
    }
}

/// The bodies that the token endpoint got.
#[derive(Clone)]
pub(super) struct Sent(Arc<Mutex<Vec<String>>>);

impl Sent {
    /// The secrets of all requests to the token endpoint.
    ///
    /// # Panics
    /// When there is no code, verifier or client secret among them.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let bodies = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut secrets = Vec::new();
        for body in &bodies {
            for (name, value) in url::form_urlencoded::parse(body.as_bytes()) {
                let kind = match name.as_ref() {
                    "code" => Kind::AuthorizationCode,
                    "code_verifier" => Kind::Verifier,
                    "client_secret" => Kind::ClientSecret,
                    _ => continue,
                };
                secrets.push(Secret::new(kind, &value));
            }
        }
        for kind in [Kind::AuthorizationCode, Kind::Verifier, Kind::ClientSecret] {
            let count = secrets.iter().filter(|secret| secret.kind == kind).count();
            assert!(count > 0, "no {kind:?} reached the token endpoint");
        }
        secrets
    }
}

/// An MCP server that names the echoing server as its own.
async fn world(server: &MockServer) -> World {
    let ca = CertificateAuthority::new().expect("a certificate authority");
    let recorder = Recorder::new();
    let auth = AuthorizationServer::builder().tls(&ca).start().await;
    let auth = auth.expect("a free port");
    let mcp = McpServer::builder()
        .tls(&ca)
        .authorization(&auth)
        .authorization_servers([server.uri()])
        .recorder(&recorder)
        .start()
        .await
        .expect("a free port");
    World::of(ca, recorder, auth, mcp).await
}

async fn mount(server: &MockServer, verb: &str, place: &str, answer: impl Respond + 'static) {
    Mock::given(method(verb))
        .and(path(place))
        .respond_with(answer)
        .mount(server)
        .await;
}

/// Sends the browser back with a code.
fn approve(request: &Request) -> ResponseTemplate {
    let parameter = |wanted: &str| {
        let mut pairs = request.url.query_pairs();
        let found = pairs.find(|(name, _)| name == wanted);
        found
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    let mut target: url::Url = parameter("redirect_uri").parse().expect("a redirect URI");
    target
        .query_pairs_mut()
        .append_pair("code", CODE)
        .append_pair("state", &parameter("state"));
    ResponseTemplate::new(302).insert_header("location", target.as_str())
}

/// A form as a careless server shows it: decoded.
fn decoded(body: &str) -> String {
    let pairs: Vec<_> = url::form_urlencoded::parse(body.as_bytes())
        // What is long and public would push what is secret out of an excerpt.
        .filter(|(name, _)| !["redirect_uri", "resource", "grant_type"].contains(&name.as_ref()))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(" ")
}

fn page(status: u16, sent: &str) -> ResponseTemplate {
    let page = format!("<html><body><h1>Error</h1><pre>{sent}</pre></body></html>");
    ResponseTemplate::new(status).set_body_raw(page, "text/html")
}

fn redirect(target: &str) -> ResponseTemplate {
    ResponseTemplate::new(307).insert_header("location", target)
}

const CODE: &str = "code-Vq8zR3nLw5Tt0bYx";
const CLIENT_SECRET: &str = "client-secret-Jd83kQ0sPz7Rv2Wm";
const REGISTRATION_TOKEN: &str = "registration-token-Mx5cT9gUy1Ne4Hb";
