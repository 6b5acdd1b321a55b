//! The server that answers well but for one spot.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use integration::Home;
use serde_json::{Value, json};
use url::form_urlencoded;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use super::super::{
    echo::Manner,
    secrets::{Crossed, Kind, Secret},
};
use super::{
    answers::{at_resource, exchanged, header, id_jag, jwt, parameter, rpc_error, sent, tokens},
    spot::{SERVER, Spot},
};

/// The server, and what it is to do.
pub(super) struct Mirror {
    server: MockServer,
    spot: Spot,
}

/// How to answer, shared with the running server.
#[derive(Clone)]
struct Answers {
    spot: Spot,
    manner: Manner,
    origin: Arc<OnceLock<String>>,
    /// The last authorization request, which a redirect back and an identity token need.
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Mirror {
    pub(super) async fn start(spot: Spot, manner: Manner) -> Self {
        let server = MockServer::start().await;
        let answers = Answers {
            spot,
            manner,
            origin: Arc::default(),
            asked: Arc::default(),
        };
        let known = answers.origin.set(server.uri());
        assert!(known.is_ok(), "the origin is set once");
        Mock::given(any())
            .respond_with(answers)
            .mount(&server)
            .await;
        Self { server, spot }
    }

    /// Writes the configuration, and what it names beside it.
    pub(super) fn furnish(&self, home: &Home) {
        let origin = self.server.uri();
        let login = self.spot.login(&origin);
        for (file, subject) in [("workload.jwt", "pod"), ("identity.jwt", "alice")] {
            if login.contains(file) {
                home.write(file, jwt("JWT", &json!({ "sub": subject })).as_bytes());
            }
        }
        home.configure(&format!(
            "[mcp_servers.{SERVER}]\nurl = \"{origin}/mcp\"\n\
             [mcp_servers.{SERVER}.oauth]\ndpop = \"require\"\n{login}"
        ));
    }

    /// The secrets of all requests, those of the spot shown to have been sent to it.
    pub(super) async fn secrets(&self) -> Vec<Secret> {
        let requests = self.server.received_requests().await.expect("a record");
        let mut all = Crossed::default();
        let mut here = Crossed::default();
        for request in &requests {
            read(request, &mut all);
            if self.spot.is(request) {
                read(request, &mut here);
            }
        }
        here.proven(self.spot.sent());
        all.proven(self.spot.sent())
    }
}

fn read(request: &Request, crossed: &mut Crossed) {
    let of_provider = request.url.path().starts_with("/idp/");
    let query = request.url.query().unwrap_or_default();
    for encoded in [query.as_bytes(), &request.body] {
        crossed.parameters(encoded, of_provider);
    }
    crossed.proof(header(request, "dpop").as_deref());
    if request.url.path() == "/mcp" {
        let token = header(request, "authorization");
        let token = token.and_then(|value| Some(value.split_once(' ')?.1.to_owned()));
        crossed.note(Kind::AccessToken, token);
    }
    if request.url.path().ends_with("/revoke") {
        let kind = match parameter(&request.body, "token_type_hint").as_deref() {
            Some("refresh_token") if of_provider => Kind::IdentityRefreshToken,
            Some("refresh_token") => Kind::RefreshToken,
            _ => Kind::AccessToken,
        };
        crossed.note(kind, parameter(&request.body, "token"));
    }
}

impl Spot {
    fn is(self, request: &Request) -> bool {
        let spot = Self::of(request);
        spot == Some(self) || (spot == Some(Self::Resource) && self == Self::Rpc)
    }

    /// What a request is, if it is one of those that may be repeated.
    fn of(request: &Request) -> Option<Self> {
        let grant = parameter(&request.body, "grant_type").unwrap_or_default();
        let grant = grant.rsplit(':').next().unwrap_or_default();
        Some(match (request.url.path(), grant) {
            ("/par", _) => Self::Push,
            ("/authorize", _) => Self::Page,
            ("/token", "authorization_code") => Self::Code,
            ("/token", "refresh_token") => Self::Refresh,
            ("/token", "client_credentials") => Self::Credentials,
            ("/token", "device_code") => Self::Poll,
            ("/token", _) => match parameter(&request.body, "assertion") {
                Some(jwt) if jwt == id_jag() => Self::Grant,
                _ => Self::Workload,
            },
            ("/revoke", _) => Self::Revocation,
            ("/device", _) => Self::Device,
            ("/idp/par", _) => Self::IdentityPush,
            ("/idp/authorize", _) => Self::IdentityPage,
            ("/idp/token", "authorization_code") => Self::SignOn,
            ("/idp/token", "refresh_token") => Self::Renewal,
            ("/idp/token", _) => Self::Exchange,
            ("/idp/revoke", _) => Self::SignOff,
            ("/mcp", _) if request.headers.contains_key("authorization") => Self::Resource,
            _ => return None,
        })
    }
}

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let spot = Spot::of(request);
        if self.spot.is(request) {
            let sent = sent(request);
            return match self.spot {
                Spot::Page | Spot::IdentityPage => self.redirect_back(request, Some(&sent)),
                Spot::Resource => at_resource(self.manner, &sent),
                Spot::Rpc => rpc_error(self.manner, &sent),
                _ => self.manner.answer(&sent),
            };
        }
        match (spot, request.url.path()) {
            (Some(Spot::Push | Spot::IdentityPush), _) => {
                self.remember(&request.body);
                ok(&json!({ "request_uri": REQUEST_URI, "expires_in": 60 }))
            }
            (Some(Spot::Page | Spot::IdentityPage), _) => self.redirect_back(request, None),
            (Some(Spot::Device), _) => ok(&self.device()),
            (Some(Spot::SignOn | Spot::Renewal), _) => ok(&self.identity()),
            (Some(Spot::Exchange), _) => ok(&exchanged()),
            (Some(Spot::Revocation | Spot::SignOff), _) => ResponseTemplate::new(200),
            (Some(Spot::Resource), _) => ResponseTemplate::new(500),
            (Some(_), _) => ok(&tokens(request)),
            (None, "/mcp") => ResponseTemplate::new(401).insert_header(
                "www-authenticate",
                format!(
                    "DPoP resource_metadata=\"{}{PRM}\", algs=\"ES256\"",
                    self.origin()
                ),
            ),
            (None, PRM) => ok(&json!({
                "resource": format!("{}/mcp", self.origin()),
                "authorization_servers": [self.origin()],
            })),
            (None, "/.well-known/oauth-authorization-server") => ok(&self.metadata("")),
            (None, "/idp/.well-known/openid-configuration") => ok(&self.metadata("/idp")),
            _ => ResponseTemplate::new(404),
        }
    }
}

impl Answers {
    fn origin(&self) -> &str {
        self.origin.get().map_or("", String::as_str)
    }

    fn metadata(&self, path: &str) -> Value {
        let issuer = format!("{}{path}", self.origin());
        let mut metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "revocation_endpoint": format!("{issuer}/revoke"),
            "response_types_supported": ["code"],
            "grant_types_supported": [
                "authorization_code", "refresh_token", "client_credentials", JWT_BEARER, DEVICE_CODE,
            ],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
            "dpop_signing_alg_values_supported": ["ES256"],
        });
        let member = |name: &str| json!(format!("{issuer}/{name}"));
        // Where the page itself is asked for, it is asked for everything.
        if self.spot != Spot::IdentityPage {
            metadata["pushed_authorization_request_endpoint"] = member("par");
        }
        if path.is_empty() {
            metadata["device_authorization_endpoint"] = member("device");
        }
        metadata
    }

    fn asked(&self) -> MutexGuard<'_, Vec<(String, String)>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, encoded: &[u8]) {
        *self.asked() = form_urlencoded::parse(encoded).into_owned().collect();
    }

    fn of_request(&self, name: &str) -> String {
        let asked = self.asked();
        let found = asked.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// Sends the browser back: with a code, or with what the page was asked.
    fn redirect_back(&self, request: &Request, repeated: Option<&str>) -> ResponseTemplate {
        let query = request.url.query().unwrap_or_default();
        if query.contains("redirect_uri=") {
            self.remember(query.as_bytes());
        }
        let target = self.of_request("redirect_uri");
        let mut target: url::Url = target.parse().expect("a redirect URI");
        let state = self.of_request("state");
        let mut pairs = target.query_pairs_mut();
        match repeated {
            None => pairs.append_pair("code", CODE),
            Some(sent) => {
                let said = format!("{sent} and state={state}");
                let code = match self.manner {
                    Manner::Code => said.as_str(),
                    _ => "invalid_request",
                };
                pairs
                    .append_pair("error", code)
                    .append_pair("error_description", &said)
                    .append_pair("error_uri", &format!("https://as.test/errors?{said}"))
            }
        };
        pairs.append_pair("state", &state);
        drop(pairs);
        ResponseTemplate::new(302).insert_header("location", target.as_str())
    }

    fn device(&self) -> Value {
        json!({
            "device_code": DEVICE, "user_code": "WDJB-MJHT", "interval": 1, "expires_in": 3,
            "verification_uri": format!("{}/nowhere", self.origin()),
        })
    }

    /// A sign-on whose identity token has to be renewed before it is used.
    fn identity(&self) -> Value {
        let claims = json!({
            "iss": format!("{}/idp", self.origin()), "sub": "alice", "aud": "mirror",
            "nonce": self.of_request("nonce"), "exp": now() + 20, "iat": now(),
        });
        json!({
            "access_token": "provider-access-token-Wk4Jd9Xs", "token_type": "Bearer",
            "id_token": jwt("JWT", &claims), "refresh_token": IDENTITY_REFRESH,
        })
    }
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a clock").as_secs()
}

const PRM: &str = "/.well-known/oauth-protected-resource/mcp";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const CODE: &str = "mirror-code-Ks7Vn2Lq9Xw4Tz6B";
const DEVICE: &str = "mirror-device-Fn4Zc7Wr1Tp6Jm9H";
const IDENTITY_REFRESH: &str = "mirror-identity-Xb2Ny5Vk8Qd1Ls7G";
const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:mirror-Rc9Wt4Hz6Pm2Kv8Q";
