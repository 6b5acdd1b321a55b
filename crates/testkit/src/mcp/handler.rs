//! The state of an MCP server, and which path answers what.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    builder::{Answer, Config, Prm, ResourceIdentifier, Wire},
    gate,
    rpc::{self, Kind, Message},
    stateful, stateless,
};
use crate::{
    AuthorizationServer, Dpop, DpopNonces, Leg, SigningAlgorithm, TokenFacts,
    authorization::{self, is_authorization_metadata},
    clock::Clock,
    connection::Service,
    dpop::Proofs,
    refusals::Refusals,
    reply::{self, Reply},
    request::Received,
};

/// An MCP server apart from its port.
pub(super) struct Handler {
    pub(super) config: Config,
    pub(super) origin: String,
    /// The audience that tokens need.
    audience: String,
    /// What the metadata says, usually the same.
    published: String,
    pub(super) clock: Clock,
    pub(super) proofs: Proofs,
    state: Mutex<State>,
    pub(super) refusals: Refusals,
}

/// What changes while the server runs.
#[derive(Default)]
pub(super) struct State {
    pub(super) authorization: Option<Arc<authorization::Core>>,
    pub(super) required_scopes: Vec<String>,
    pub(super) reject_tokens: bool,
    pub(super) dpop: Dpop,
    pub(super) dpop_nonces: DpopNonces,
    pub(super) dpop_proofs: usize,
    pub(super) nonce_challenges: usize,
    pub(super) sessions: HashMap<String, Session>,
    pub(super) streams: Vec<Stream>,
    pub(super) tool_calls: usize,
}

/// A session of the stateful wire.
pub(super) struct Session {
    /// The negotiated revision.
    pub(super) version: String,
    /// Whose it is; a session does not outlive a change of person.
    pub(super) subject: Option<String>,
}

/// An open GET stream.
pub(super) struct Stream {
    pub(super) session: Option<String>,
    pub(super) events: UnboundedSender<Bytes>,
}

impl Handler {
    pub(super) fn new(config: Config, origin: String, required_scopes: Vec<String>) -> Self {
        let own = format!("{origin}{}", config.path);
        let (published, audience) = match &config.resource {
            ResourceIdentifier::OwnUrl if config.prm == Prm::RootWellKnown => same(origin.clone()),
            ResourceIdentifier::OwnUrl => same(own),
            ResourceIdentifier::OwnUrlWithSlash => same(format!("{own}/")),
            ResourceIdentifier::Origin => same(origin.clone()),
            ResourceIdentifier::OriginWithSlash => same(format!("{origin}/")),
            ResourceIdentifier::Exactly(resource) => same(resource.clone()),
            ResourceIdentifier::Foreign(resource) => (resource.clone(), own),
        };
        let state = State {
            required_scopes,
            dpop: config.dpop,
            dpop_nonces: config.dpop_nonces,
            ..State::default()
        };
        Self {
            config,
            origin,
            audience,
            published,
            clock: Clock::default(),
            proofs: Proofs::default(),
            state: Mutex::new(state),
            refusals: Refusals::default(),
        }
    }

    /// Accepts only the tokens of this authorization server, which learns the resource.
    pub(super) fn guard(&self, authorization: Option<Arc<authorization::Core>>) {
        if let Some(core) = &authorization {
            core.allow_resource(self.audience.clone());
        }
        self.state().authorization = authorization;
    }

    pub(super) fn set_authorization(&self, authorization: &AuthorizationServer) {
        self.guard(Some(Arc::clone(authorization.core())));
    }

    pub(super) fn url(&self) -> String {
        format!("{}{}", self.origin, self.config.path)
    }

    pub(super) fn audience(&self) -> &str {
        &self.audience
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn notify(&self, method: &str, params: &Value) -> usize {
        let message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        let event = event(&message);
        let mut state = self.state();
        state
            .streams
            .retain(|stream| stream.events.send(event.clone()).is_ok());
        state.streams.len()
    }

    pub(super) fn open_streams(&self) -> usize {
        let mut state = self.state();
        state.streams.retain(|stream| !stream.events.is_closed());
        state.streams.len()
    }

    pub(super) fn end_sessions(&self) {
        let mut state = self.state();
        state.sessions.clear();
        state.streams.clear();
    }

    pub(super) fn note_refusal(&self, why: String) {
        self.refusals.note(why);
    }

    /// A JSON-RPC answer in the media type that the test chose; errors of the transport, which
    /// have another status than 200, are always JSON.
    pub(super) fn answer_with(&self, status: StatusCode, message: &Value) -> Reply {
        if status == StatusCode::OK && self.config.answer == Answer::Sse {
            return reply::typed(status, "text/event-stream", event(message));
        }
        if status != StatusCode::OK {
            self.note_refusal(format!("{status}: {}", message["error"]["message"]));
        }
        reply::json(status, message)
    }

    fn metadata_path(&self) -> Option<String> {
        match &self.config.prm {
            Prm::Challenge | Prm::PathWellKnown if self.config.path == "/" => {
                Some(WELL_KNOWN.to_owned())
            }
            Prm::Challenge | Prm::PathWellKnown => {
                Some(format!("{WELL_KNOWN}{}", self.config.path))
            }
            Prm::RootWellKnown => Some(WELL_KNOWN.to_owned()),
            Prm::Custom(path) => Some(path.clone()),
            Prm::None => None,
        }
    }

    /// The URL that a challenge names, if it names one.
    pub(super) fn metadata_url(&self) -> Option<String> {
        let path = self.metadata_path()?;
        Some(format!("{}{path}", self.origin))
    }

    fn metadata(&self, request: &Received) -> Reply {
        if request.method != Method::GET {
            return reply::empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        let config = &self.config;
        let issuers = config.issuers.clone().unwrap_or_else(|| self.issuers());
        let mut document = json!({
            "resource": self.published,
            "authorization_servers": issuers,
            "bearer_methods_supported": ["header"],
        });
        if !config.scopes_supported.is_empty() {
            document["scopes_supported"] = json!(config.scopes_supported);
        }
        let dpop = self.state().dpop;
        if dpop.is_checked() {
            let algorithms = json!(SigningAlgorithm::names(&config.dpop_algorithms));
            document["dpop_signing_alg_values_supported"] = algorithms;
        }
        if dpop == Dpop::Required {
            document["dpop_bound_access_tokens_required"] = json!(true);
        }
        for (name, value) in &config.metadata_fields {
            document[name] = value.clone();
        }
        if let Some(members) = document.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        reply::json(StatusCode::OK, &document)
    }

    fn issuers(&self) -> Vec<String> {
        let state = self.state();
        let issuer = state.authorization.as_ref().map(|core| {
            if self.config.same_origin_authorization {
                core.issuer(&self.origin)
            } else {
                core.own_issuer()
            }
        });
        issuer.into_iter().collect()
    }

    fn endpoint(&self, request: &Received) -> Reply {
        let mut reply = self.admitted(request);
        // Nobody gets as far as this without a sound proof.
        let proved = reply.status().is_success() && gate::is_dpop(self, request);
        if proved && self.state().dpop_nonces == DpopNonces::OnEveryAnswer {
            self.proofs.renew(&mut reply);
        }
        reply
    }

    fn admitted(&self, request: &Received) -> Reply {
        match request.method {
            Method::POST => self.post(request),
            Method::GET | Method::DELETE => {
                let caller = match gate::admit(self, request, None) {
                    Ok(caller) => caller,
                    Err(reply) => return *reply,
                };
                if self.config.wire == Wire::Stateless2026_07_28 {
                    return stateless::post_only();
                }
                if self.config.wire == Wire::RetiredSse2024_11_05 {
                    return stateful::open_retired(self, request);
                }
                if request.method == Method::GET {
                    stateful::open_stream(self, request, caller.as_ref())
                } else {
                    stateful::end_session(self, request, caller.as_ref())
                }
            }
            _ => reply::empty(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    fn post(&self, request: &Received) -> Reply {
        let message = Message::parse(&request.body);
        // Authorization comes before anything else is said about the request.
        let caller = match gate::admit(self, request, message.as_ref().ok()) {
            Ok(caller) => caller,
            Err(reply) => return *reply,
        };
        if self.config.wire == Wire::RetiredSse2024_11_05 {
            return stateful::not_allowed("GET");
        }
        if !request.has_content_type("application/json") {
            self.note_refusal("415: the body is not application/json".to_owned());
            return reply::empty(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        if !request.accepts("application/json") || !request.accepts("text/event-stream") {
            let why = "Accept must list application/json and text/event-stream";
            let refused = rpc::error(&Value::Null, rpc::SERVER_ERROR, why);
            return self.answer_with(StatusCode::NOT_ACCEPTABLE, &refused);
        }
        let message = match message {
            Ok(message) => message,
            Err(error) => return self.answer_with(StatusCode::BAD_REQUEST, &error),
        };
        if self.is_stateless(request, &message) {
            stateless::answer(self, request, &message, caller.as_ref())
        } else {
            stateful::answer(self, request, &message, caller.as_ref())
        }
    }

    fn is_stateless(&self, request: &Received, message: &Message) -> bool {
        match self.config.wire {
            Wire::Stateful2025_11_25 | Wire::RetiredSse2024_11_05 => false,
            Wire::Stateless2026_07_28 => true,
            Wire::Both => {
                message.method() != Some("initialize")
                    && (request.header(stateless::VERSION_HEADER) == Some(stateless::VERSION)
                        || message.params["_meta"][stateless::META_VERSION].is_string()
                        || message.method() == Some("server/discover"))
            }
        }
    }

    /// What both wires answer in the same way; `None` for an unknown method.
    pub(super) fn common(
        &self,
        message: &Message,
        caller: Option<&TokenFacts>,
    ) -> Option<Result<Value, Value>> {
        let Kind::Request { id, method } = &message.kind else {
            return None;
        };
        let scoped = &self.config.tool_scopes;
        match method.as_str() {
            "tools/list" => Some(Ok(super::tools::list(scoped))),
            "tools/call" => {
                let outcome = super::tools::call(id, &message.params, scoped, caller);
                self.state().tool_calls += usize::from(outcome.is_ok());
                Some(outcome)
            }
            _ => None,
        }
    }
}

impl Service for Handler {
    fn leg(&self, request: &Received) -> Leg {
        let path = request.path.as_str();
        if path == self.config.path {
            return Leg::Resource;
        }
        if path.starts_with(WELL_KNOWN) || self.metadata_path().as_deref() == Some(path) {
            return Leg::ResourceMetadata;
        }
        let core = self.state().authorization.clone();
        match core {
            Some(core) if self.config.same_origin_authorization => core.endpoint(path),
            _ if is_authorization_metadata(path) => Leg::AuthorizationServerMetadata,
            _ => Leg::Other,
        }
    }

    fn answer(&self, request: &Received) -> Reply {
        if request.path == self.config.path {
            return self.endpoint(request);
        }
        if self.metadata_path().as_ref() == Some(&request.path) {
            return self.metadata(request);
        }
        let core = self.state().authorization.clone();
        match core {
            Some(core) if self.config.same_origin_authorization => {
                core.answer_at(&self.origin, request)
            }
            _ => reply::text(StatusCode::NOT_FOUND, "nothing here\n"),
        }
    }
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handler")
            .field("origin", &self.origin)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

/// One server-sent event with a JSON-RPC message.
pub(super) fn event(message: &Value) -> Bytes {
    Bytes::from(format!("event: message\ndata: {message}\n\n"))
}

fn same(resource: String) -> (String, String) {
    (resource.clone(), resource)
}

/// RFC 9728 §3.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
