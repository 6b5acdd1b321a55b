//! The way to the servers: each half of an exchange with the token or revocation endpoint waits for its turn.

use std::fmt;
use std::io;

use doorkey_http::{Body, HttpClient, HttpProfile, Leg};
use doorkey_oauth::{
    BoxFuture, Callback, Channel, Interaction, InteractionError, InteractionRequest, Prompt,
};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::server::{Done, Token};
use crate::stage::{Go, Op, Process, Stage};

pub(crate) const SERVER: &str = "https://mcp.example/mcp";
const ISSUER: &str = "https://as.example";

pub(crate) fn client(stage: &Stage, process: Process) -> HttpClient {
    let stage = stage.clone();
    let service = tower::service_fn(move |request| {
        let stage = stage.clone();
        async move { answer(&stage, process, request).await }
    });
    HttpClient::with_service(&HttpProfile::new(SERVER.parse().unwrap()), service).unwrap()
}

async fn answer(
    stage: &Stage,
    process: Process,
    request: Request<Body>,
) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let leg = parts.extensions.get::<Leg>().copied().unwrap();
    let body = body.collect_limited(1 << 16).await;
    let body = body.map_err(io::Error::other)?;
    let form = |name: &str| parameter(&body, name);
    if !matches!(leg, Leg::Token | Leg::Revocation) {
        return Ok(document(stage, leg));
    }
    let spends = (form("grant_type") == "refresh_token")
        .then(|| Token::parse(&form("refresh_token")))
        .flatten();
    if let Some(token) = spends {
        stage.sends(process, token);
    }
    match stage.turn(process, Op::Send).await {
        Go::Well => {}
        Go::Fails => {
            stage.unsent(process);
            return Ok(response(503, String::new()));
        }
        Go::Lost => {
            stage.unsent(process);
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
    }
    let answer = decide(stage, process, leg, &body);
    match stage.turn(process, Op::Answer).await {
        Go::Well => Ok(answer),
        _ => {
            stage.state().law.answer_lost(process);
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
}

/// What the server makes of a request.
fn decide(stage: &Stage, process: Process, leg: Leg, body: &[u8]) -> Response<Body> {
    let form = |name: &str| parameter(body, name);
    let mut state = stage.state();
    if leg == Leg::Revocation {
        state.server.revoke(Token::parse(&form("token")));
        return response(200, String::new());
    }
    let done = match form("grant_type").as_str() {
        "refresh_token" => state.server.refresh(Token::parse(&form("refresh_token"))),
        _ => state.server.sign_in(&form("code"), process),
    };
    state.law.decided(process, &done);
    let now = state.now();
    match done {
        Done::SignedIn(token) | Done::Refreshed { new: token, .. } => {
            response(200, state.server.answer(token, now).to_string())
        }
        Done::Refused | Done::BadRequest => {
            response(400, json!({"error": "invalid_grant"}).to_string())
        }
    }
}

fn parameter(form: &[u8], name: &str) -> String {
    url::form_urlencoded::parse(form)
        .find(|(n, _)| n == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// What nobody races for.
fn document(stage: &Stage, leg: Leg) -> Response<Body> {
    let body: Value = match leg {
        Leg::ResourceMetadata => json!({"resource": SERVER, "authorization_servers": [ISSUER]}),
        Leg::AuthorizationServerMetadata => json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://as.example/authorize",
            "token_endpoint": "https://as.example/token",
            "registration_endpoint": "https://as.example/register",
            "revocation_endpoint": "https://as.example/revoke",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
        }),
        Leg::Registration => {
            stage.state().server.registrations += 1;
            return response(201, json!({"client_id": "client-1"}).to_string());
        }
        _ => json!({}),
    };
    response(200, body.to_string())
}

fn response(status: u16, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// A person who approves at once.
#[derive(Clone)]
pub(crate) struct Person(pub(crate) Stage);

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person")
    }
}

impl Interaction for Person {
    fn open<'a>(
        &'a self,
        _: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        let window = Window(self.0.clone(), None);
        Box::pin(async { Ok(Box::new(window) as Box<dyn Channel>) })
    }
}

struct Window(Stage, Option<String>);

impl Channel for Window {
    fn redirect_uri(&self) -> &str {
        "http://127.0.0.1:3118/callback"
    }

    fn present<'a>(
        &'a mut self,
        prompt: &'a Prompt,
    ) -> BoxFuture<'a, Result<(), InteractionError>> {
        let state = value(&prompt.url, "state");
        let code = self.0.state().server.code();
        self.1 = Some(format!("code={code}&state={state}"));
        Box::pin(async { Ok(()) })
    }

    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Callback, InteractionError>> {
        let query = self.1.take();
        Box::pin(async {
            match query {
                Some(query) => Ok(Callback::new(query)),
                None => std::future::pending().await,
            }
        })
    }
}

fn value(url: &Url, name: &str) -> String {
    url.query_pairs()
        .find(|(n, _)| n == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
