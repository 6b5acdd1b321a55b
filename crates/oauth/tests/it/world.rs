//! An authorization server and a resource in one scripted service, with a log of every request.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use doorkey_http::{Body, HttpClient, HttpProfile, Leg};
use doorkey_oauth::{
    AuthorizationConfig, Challenges, Clock, Interaction, LoginReport, TokenSource,
};
use doorkey_store::Store;
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

pub(crate) const SERVER: &str = "https://mcp.example/mcp";
pub(crate) const ISSUER: &str = "https://as.example";
/// Everything a wait in a test may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// One request as it was seen at the bottom of the stack.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) leg: Leg,
    pub(crate) method: String,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    /// The values of a form parameter.
    pub(crate) fn form(&self, name: &str) -> Vec<String> {
        url::form_urlencoded::parse(&self.body)
            .filter(|(n, _)| n == name)
            .map(|(_, value)| value.into_owned())
            .collect()
    }
}

type Hook = Box<dyn Fn() -> futures_util::future::BoxFuture<'static, ()> + Send + Sync>;

/// What the servers do; tests change it before and between requests.
pub(crate) struct Behaviour {
    pub(crate) resource: String,
    pub(crate) issuers: Vec<String>,
    pub(crate) resource_scopes: Option<Vec<&'static str>>,
    pub(crate) metadata: Value,
    pub(crate) registered: Value,
    /// Whether each registration is a client of its own, with an address to delete it at.
    pub(crate) numbers_clients: bool,
    pub(crate) lifetime: Option<u64>,
    pub(crate) issues_refresh_tokens: bool,
    pub(crate) required_scope: Option<&'static str>,
    pub(crate) rejects_everything: bool,
    /// Answers that come before the usual ones, for each leg.
    pub(crate) scripted: HashMap<Leg, VecDeque<(StatusCode, &'static str, HeaderMap)>>,
    /// How long the token endpoint thinks.
    pub(crate) token_delay: Duration,
    pub(crate) before_token_answer: Option<Arc<Hook>>,
    issued: u32,
    registrations: u32,
    refresh_tokens: HashSet<String>,
    access_tokens: HashMap<String, String>,
    codes: HashMap<String, String>,
}

#[derive(Clone)]
pub(crate) struct World(Arc<Inner>);

struct Inner {
    behaviour: Mutex<Behaviour>,
    seen: Mutex<Vec<Seen>>,
    clock: ManualClock,
}

impl World {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            behaviour: Mutex::new(Behaviour {
                resource: SERVER.to_owned(),
                issuers: vec![ISSUER.to_owned()],
                resource_scopes: Some(vec!["files:read"]),
                metadata: json!({
                    "issuer": ISSUER,
                    "authorization_endpoint": "https://as.example/authorize",
                    "token_endpoint": "https://as.example/token",
                    "registration_endpoint": "https://as.example/register",
                    "revocation_endpoint": "https://as.example/revoke",
                    "response_types_supported": ["code"],
                    "code_challenge_methods_supported": ["S256"],
                    "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
                }),
                registered: json!({"client_id": "client-1"}),
                numbers_clients: false,
                registrations: 0,
                lifetime: Some(3600),
                issues_refresh_tokens: true,
                required_scope: None,
                rejects_everything: false,
                scripted: HashMap::new(),
                token_delay: Duration::ZERO,
                before_token_answer: None,
                issued: 0,
                refresh_tokens: HashSet::new(),
                access_tokens: HashMap::new(),
                codes: HashMap::new(),
            }),
            seen: Mutex::new(Vec::new()),
            clock: ManualClock::default(),
        }))
    }

    pub(crate) fn set(&self) -> MutexGuard<'_, Behaviour> {
        self.0.behaviour.lock().unwrap()
    }

    /// The next answer of a leg, before the usual ones.
    pub(crate) fn script(&self, leg: Leg, status: u16, body: &'static str) {
        self.script_with(leg, status, body, HeaderMap::new());
    }

    pub(crate) fn script_with(
        &self,
        leg: Leg,
        status: u16,
        body: &'static str,
        headers: HeaderMap,
    ) {
        let status = StatusCode::from_u16(status).unwrap();
        self.set()
            .scripted
            .entry(leg)
            .or_default()
            .push_back((status, body, headers));
    }

    /// All requests of a leg so far.
    pub(crate) fn seen(&self, leg: Leg) -> Vec<Seen> {
        let mut seen = self.all();
        seen.retain(|request| request.leg == leg);
        seen
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.0.seen.lock().unwrap().clone()
    }

    /// Forgets the log.
    pub(crate) fn start_over(&self) {
        self.0.seen.lock().unwrap().clear();
    }

    pub(crate) fn legs(&self) -> Vec<Leg> {
        self.all().into_iter().map(|seen| seen.leg).collect()
    }

    pub(crate) fn clock(&self) -> &ManualClock {
        &self.0.clock
    }

    pub(crate) fn http(&self) -> HttpClient {
        let world = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let world = world.clone();
            async move { world.answer(request).await }
        });
        HttpClient::with_service(&HttpProfile::new(server()), service).unwrap()
    }

    pub(crate) fn config(&self) -> AuthorizationConfig {
        AuthorizationConfig::new(server())
    }

    pub(crate) fn source(&self, store: &Store) -> TokenSource {
        self.source_with(self.config(), store)
    }

    pub(crate) fn source_with(&self, config: AuthorizationConfig, store: &Store) -> TokenSource {
        TokenSource::builder(config, self.http(), store.clone())
            .clock(Arc::new(self.clock().clone()))
            .build()
    }

    pub(crate) fn interactive(
        &self,
        store: &Store,
        interaction: impl Interaction + 'static,
    ) -> TokenSource {
        TokenSource::builder(self.config(), self.http(), store.clone())
            .clock(Arc::new(self.clock().clone()))
            .interaction(Arc::new(interaction))
            .build()
    }

    /// Signs in and forgets the requests it took.
    pub(crate) async fn signed_in(&self, source: &TokenSource) -> LoginReport {
        let browser = Arc::new(crate::browser::Browser::new(self));
        let report = source.login(&Challenges::default(), browser).await.unwrap();
        self.start_over();
        report
    }

    /// What the authorization endpoint answers a willing person: the callback's query.
    pub(crate) fn approve(&self, url: &Url) -> String {
        let pair = |name: &str| {
            url.query_pairs()
                .find(|(n, _)| n == name)
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default()
        };
        let mut behaviour = self.set();
        behaviour.issued += 1;
        let code = format!("code-{}", behaviour.issued);
        behaviour.codes.insert(code.clone(), pair("scope"));
        format!("code={code}&state={}", pair("state"))
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, std::io::Error> {
        let (parts, body) = request.into_parts();
        let body = body
            .collect_limited(1 << 20)
            .await
            .map_err(std::io::Error::other)?;
        let seen = Seen {
            leg: parts.extensions.get::<Leg>().copied().unwrap(),
            method: parts.method.to_string(),
            url: parts.uri.to_string().parse().unwrap(),
            headers: parts.headers,
            body,
        };
        self.0.seen.lock().unwrap().push(seen.clone());
        if seen.leg == Leg::Token {
            let (delay, hook) = {
                let behaviour = self.set();
                (behaviour.token_delay, behaviour.before_token_answer.clone())
            };
            tokio::time::sleep(delay).await;
            if let Some(hook) = hook {
                hook().await;
            }
        }
        let mut behaviour = self.set();
        let scripted = behaviour
            .scripted
            .get_mut(&seen.leg)
            .and_then(VecDeque::pop_front);
        if let Some((status, body, headers)) = scripted {
            if status == StatusCode::IM_A_TEAPOT {
                return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
            }
            let mut response = response(status, body.to_owned());
            response.headers_mut().extend(headers);
            return Ok(response);
        }
        Ok(behaviour.usual(&seen))
    }
}

impl Behaviour {
    fn usual(&mut self, seen: &Seen) -> Response<Body> {
        match seen.leg {
            Leg::ResourceMetadata => ok(&json!({
                "resource": self.resource,
                "authorization_servers": self.issuers,
                "scopes_supported": self.resource_scopes,
            })),
            Leg::AuthorizationServerMetadata => ok(&self.metadata),
            // Most servers that hand out an address to manage a client at only ever delete there.
            Leg::Registration if seen.method == "PUT" || seen.method == "GET" => {
                response(StatusCode::METHOD_NOT_ALLOWED, String::new())
            }
            Leg::Registration if seen.method == "DELETE" => {
                response(StatusCode::NO_CONTENT, String::new())
            }
            Leg::Registration => {
                self.registrations += 1;
                if self.numbers_clients {
                    let id = format!("client-{}", self.registrations);
                    self.registered = json!({
                        "client_id": id,
                        "registration_access_token": format!("manage-{id}"),
                        "registration_client_uri": format!("https://as.example/register/{id}"),
                    });
                }
                response(StatusCode::CREATED, self.registered.to_string())
            }
            Leg::Token => self.token(seen),
            Leg::Resource => self.resource(seen),
            _ => response(StatusCode::OK, String::new()),
        }
    }

    fn token(&mut self, seen: &Seen) -> Response<Body> {
        let scope = match seen.form("grant_type").concat().as_str() {
            "authorization_code" => self.codes.remove(&seen.form("code").concat()),
            "refresh_token" => self
                .refresh_tokens
                .remove(&seen.form("refresh_token").concat())
                .then(|| String::from("files:read")),
            _ => None,
        };
        let Some(scope) = scope else {
            return response(
                StatusCode::BAD_REQUEST,
                json!({"error": "invalid_grant"}).to_string(),
            );
        };
        ok(&self.issue(&scope))
    }

    /// Issues a token set; the refresh token is spent by its first use.
    pub(crate) fn issue(&mut self, scope: &str) -> Value {
        self.issued += 1;
        let access = format!("access-{}", self.issued);
        self.access_tokens.insert(access.clone(), scope.to_owned());
        let mut tokens = json!({"access_token": access, "token_type": "Bearer"});
        if let Some(seconds) = self.lifetime {
            tokens["expires_in"] = json!(seconds);
        }
        if self.issues_refresh_tokens {
            let refresh = format!("refresh-{}", self.issued);
            tokens["refresh_token"] = json!(refresh);
            self.refresh_tokens.insert(refresh);
        }
        tokens
    }

    /// Ends every access token, as a restarted resource does.
    pub(crate) fn forget_access_tokens(&mut self) {
        self.access_tokens.clear();
    }

    fn resource(&self, seen: &Seen) -> Response<Body> {
        let bearer = seen
            .headers
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let scope = bearer
            .and_then(|token| self.access_tokens.get(token))
            .filter(|_| !self.rejects_everything);
        let Some(scope) = scope else {
            return challenged(StatusCode::UNAUTHORIZED, r#"Bearer error="invalid_token""#);
        };
        match self.required_scope {
            Some(required) if !scope.split(' ').any(|held| held == required) => challenged(
                StatusCode::FORBIDDEN,
                &format!(r#"Bearer error="insufficient_scope", scope="{required}""#),
            ),
            _ => response(
                StatusCode::OK,
                String::from_utf8_lossy(&seen.body).into_owned(),
            ),
        }
    }
}

pub(crate) fn server() -> Url {
    Url::parse(SERVER).unwrap()
}

pub(crate) fn response(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}

fn challenged(status: StatusCode, challenge: &str) -> Response<Body> {
    let mut response = response(status, String::new());
    let value = challenge.parse().unwrap();
    response.headers_mut().insert("www-authenticate", value);
    response
}

fn ok(body: &Value) -> Response<Body> {
    response(StatusCode::OK, body.to_string())
}

/// A clock that stands until a test moves it.
#[derive(Clone, Debug)]
pub(crate) struct ManualClock(Arc<Mutex<SystemTime>>);

impl Default for ManualClock {
    fn default() -> Self {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        Self(Arc::new(Mutex::new(start)))
    }
}

impl ManualClock {
    pub(crate) fn advance(&self, seconds: u64) {
        self.advance_by(Duration::from_secs(seconds));
    }

    pub(crate) fn advance_by(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }

    pub(crate) fn set_back(&self, seconds: u64) {
        *self.0.lock().unwrap() -= Duration::from_secs(seconds);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}
