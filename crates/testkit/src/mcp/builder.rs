//! Describing an MCP server before it starts.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{McpServer, handler::Handler};
use crate::{
    AuthorizationServer, CertificateAuthority, Distance, Dpop, DpopNonces, Error, Listen, Recorder,
    SigningAlgorithm, authorization,
};

/// The revisions of the protocol that the server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wire {
    /// 2025-11-25 and its forerunners: `initialize`, sessions, a GET stream.
    Stateful2025_11_25,
    /// 2026-07-28: every request stands alone.
    Stateless2026_07_28,
    /// Both, told apart by the request.
    #[default]
    Both,
    /// None but HTTP+SSE of 2024-11-05, which MCP has retired: GET opens a stream that begins with the event `endpoint`,
    /// and POST gets 405. Messages are not taken.
    RetiredSse2024_11_05,
}

/// The media type in which POST requests are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// `application/json`.
    #[default]
    Json,
    /// `text/event-stream` with one event.
    Sse,
}

/// Which MCP requests need a token. A token that is sent is checked in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protect {
    /// Every request: POST, GET and DELETE.
    #[default]
    Everything,
    /// Every request but `initialize`, `server/discover`, `ping`, notifications, GET and DELETE.
    FromToolsList,
    /// `tools/call` only.
    ToolCallsOnly,
}

/// Where the protected resource metadata is, and whether the challenge tells (RFC 9728).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prm {
    /// At the well-known place with the path inserted, and named by the challenge.
    #[default]
    Challenge,
    /// At the well-known place with the path inserted; the challenge is silent.
    PathWellKnown,
    /// At the well-known place of the origin; the challenge is silent. The resource is the bare
    /// origin unless said otherwise.
    RootWellKnown,
    /// At this path, and named by the challenge.
    Custom(String),
    /// Nowhere, as with servers of 2025-03-26.
    None,
}

/// What the server calls itself in its metadata, and which audience it accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResourceIdentifier {
    /// The URL of the MCP endpoint.
    #[default]
    OwnUrl,
    /// The URL of the MCP endpoint with a `/` at the end.
    OwnUrlWithSlash,
    /// Scheme, host and port without a final slash.
    Origin,
    /// Scheme, host and port with a final slash.
    OriginWithSlash,
    /// This text, and tokens for it are accepted.
    Exactly(String),
    /// This text is published, but only tokens for the server's own URL are accepted.
    Foreign(String),
}

/// How long clients may keep the answer to `server/discover` of the stateless wire, and for whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Caching {
    /// Not at all: `ttlMs` 0.
    #[default]
    Never,
    /// So many milliseconds, for who asked: `cacheScope` `private`.
    Private(u64),
    /// So many milliseconds, for everybody: `cacheScope` `public`.
    Public(u64),
}

/// What a GET on the MCP endpoint of the stateful wire gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum GetStream {
    /// An event stream that stays open; see [`McpServer::notify`].
    #[default]
    Open,
    /// 405, as the specification says when there is no stream.
    NotAllowed,
    /// 404 with a web page, as some servers do.
    NotFoundPage,
}

/// An MCP server in the making; see [`McpServer::builder`].
#[derive(Clone, Debug)]
pub struct McpServerBuilder {
    listen: Listen,
    config: Config,
    authorization: Option<Arc<authorization::Core>>,
    required_scopes: Vec<String>,
}

/// What stays the same while the server runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Config {
    pub(super) path: String,
    pub(super) wire: Wire,
    pub(super) sessions: bool,
    pub(super) answer: Answer,
    pub(super) get_stream: GetStream,
    pub(super) delete: bool,
    pub(super) protect: Protect,
    pub(super) prm: Prm,
    pub(super) resource: ResourceIdentifier,
    pub(super) challenges: Option<Vec<String>>,
    pub(super) scope_in_challenge: bool,
    pub(super) scopes_supported: Vec<String>,
    pub(super) issuers: Option<Vec<String>>,
    pub(super) metadata_fields: Vec<(String, Value)>,
    pub(super) tool_scopes: BTreeMap<String, String>,
    pub(super) same_origin_authorization: bool,
    pub(super) caching: Caching,
    pub(super) dpop: Dpop,
    pub(super) dpop_algorithms: Vec<SigningAlgorithm>,
    pub(super) dpop_nonces: DpopNonces,
}

impl McpServerBuilder {
    /// TLS with a certificate of `authority`; see [`Listen::tls`].
    #[must_use]
    pub fn tls(mut self, authority: &CertificateAuthority) -> Self {
        self.listen = self.listen.tls(authority);
        self
    }

    /// Refuses connections without a certificate of `authority`.
    #[must_use]
    pub fn require_client_certificate(mut self, authority: &CertificateAuthority) -> Self {
        self.listen = self.listen.require_client_certificate(authority);
        self
    }

    /// Where requests are recorded.
    #[must_use]
    pub fn recorder(mut self, recorder: &Recorder) -> Self {
        self.listen = self.listen.recorder(recorder);
        self
    }

    /// Is reached over `distance`; see [`Listen::behind`].
    #[must_use]
    pub fn behind(mut self, distance: &Arc<Distance>) -> Self {
        self.listen = self.listen.behind(distance);
        self
    }

    /// Everything else about the port; replaces what was said about it before.
    #[must_use]
    pub fn listen(mut self, listen: Listen) -> Self {
        self.listen = listen;
        self
    }

    /// The path of the MCP endpoint. Default: `/mcp`.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.config.path = format!("/{}", path.trim_start_matches('/'));
        self
    }

    /// Accepts only tokens of this authorization server and names it in the metadata. The
    /// authorization server in turn learns the resource.
    #[must_use]
    pub fn authorization(mut self, authorization: &AuthorizationServer) -> Self {
        self.authorization = Some(Arc::clone(authorization.core()));
        self
    }

    /// Also answers the authorization server's requests on this origin, which then is the
    /// issuer too: how servers of 2025-03-26 are laid out.
    #[must_use]
    pub fn same_origin_authorization(mut self, on: bool) -> Self {
        self.config.same_origin_authorization = on;
        self
    }

    /// Needs no token. This is the default until [`authorization`](Self::authorization).
    #[must_use]
    pub fn open(mut self) -> Self {
        self.authorization = None;
        self
    }

    /// The wires it speaks. Default: [`Wire::Both`].
    #[must_use]
    pub fn wire(mut self, wire: Wire) -> Self {
        self.config.wire = wire;
        self
    }

    /// Whether the stateful wire hands out session ids and insists on them. Default: yes.
    #[must_use]
    pub fn sessions(mut self, on: bool) -> Self {
        self.config.sessions = on;
        self
    }

    /// How POST requests are answered. Default: [`Answer::Json`].
    #[must_use]
    pub fn answer_with(mut self, answer: Answer) -> Self {
        self.config.answer = answer;
        self
    }

    /// What clients may do with the answer to `server/discover`. Default: [`Caching::Never`].
    #[must_use]
    pub fn caching(mut self, caching: Caching) -> Self {
        self.config.caching = caching;
        self
    }

    /// What a GET gets on the stateful wire. Default: [`GetStream::Open`].
    #[must_use]
    pub fn get_stream(mut self, get: GetStream) -> Self {
        self.config.get_stream = get;
        self
    }

    /// Whether a client may end its session with DELETE. Default: yes.
    #[must_use]
    pub fn delete(mut self, on: bool) -> Self {
        self.config.delete = on;
        self
    }

    /// Scopes that every protected request needs; the challenge names them.
    #[must_use]
    pub fn required_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.required_scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Lets a tool be called only with `scope`, and adds the tool if there is none of that name.
    #[must_use]
    pub fn tool_scope(mut self, tool: impl Into<String>, scope: impl Into<String>) -> Self {
        self.config.tool_scopes.insert(tool.into(), scope.into());
        self
    }

    /// Which requests need a token. Default: [`Protect::Everything`].
    #[must_use]
    pub fn protect(mut self, protect: Protect) -> Self {
        self.config.protect = protect;
        self
    }

    /// Where the protected resource metadata is. Default: [`Prm::Challenge`].
    #[must_use]
    pub fn resource_metadata(mut self, prm: Prm) -> Self {
        self.config.prm = prm;
        self
    }

    /// What the server calls itself. Default: [`ResourceIdentifier::OwnUrl`].
    #[must_use]
    pub fn resource(mut self, resource: ResourceIdentifier) -> Self {
        self.config.resource = resource;
        self
    }

    /// The `WWW-Authenticate` field lines of a 401, verbatim, one per entry.
    ///
    /// `{resource_metadata}` and `{scope}` are replaced; an empty list sends a bare 401.
    #[must_use]
    pub fn challenges<S: Into<String>>(mut self, lines: impl IntoIterator<Item = S>) -> Self {
        self.config.challenges = Some(lines.into_iter().map(Into::into).collect());
        self
    }

    /// Whether the 401 challenge names the required scopes. Default: yes.
    #[must_use]
    pub fn scope_in_challenge(mut self, on: bool) -> Self {
        self.config.scope_in_challenge = on;
        self
    }

    /// `scopes_supported` of the protected resource metadata. Default: left out.
    #[must_use]
    pub fn scopes_supported<S: Into<String>>(
        mut self,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.config.scopes_supported = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// `authorization_servers` of the protected resource metadata, instead of the one server
    /// whose tokens are accepted.
    #[must_use]
    pub fn authorization_servers<S: Into<String>>(
        mut self,
        issuers: impl IntoIterator<Item = S>,
    ) -> Self {
        self.config.issuers = Some(issuers.into_iter().map(Into::into).collect());
        self
    }

    /// What is made of DPoP (RFC 9449): challenges, metadata and checks. Default: [`Dpop::Off`].
    #[must_use]
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.config.dpop = dpop;
        self
    }

    /// The algorithms of DPoP proofs that are accepted and listed. Default: `ES256`.
    #[must_use]
    pub fn dpop_algorithms(
        mut self,
        algorithms: impl IntoIterator<Item = SigningAlgorithm>,
    ) -> Self {
        self.config.dpop_algorithms = algorithms.into_iter().collect();
        self
    }

    /// Whether DPoP proofs need a nonce: `true`, `false` or a [`DpopNonces`]. Default: no.
    #[must_use]
    pub fn dpop_nonces(mut self, nonces: impl Into<DpopNonces>) -> Self {
        self.config.dpop_nonces = nonces.into();
        self
    }

    /// Sets a member of the protected resource metadata; `Value::Null` removes it.
    #[must_use]
    pub fn metadata_field(mut self, name: &str, value: Value) -> Self {
        self.config.metadata_fields.push((name.to_owned(), value));
        self
    }

    /// Opens the port and starts to answer. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`Error::Listen`] if the port is taken, [`Error::Certificate`] or [`Error::Tls`] if TLS
    /// cannot be set up.
    pub async fn start(self) -> Result<McpServer, Error> {
        let bound = self.listen.bind("mcp server").await?;
        let handler = Handler::new(self.config, bound.origin.clone(), self.required_scopes);
        handler.guard(self.authorization);
        let handler = Arc::new(handler);
        let running = bound.serve(Arc::clone(&handler) as _);
        Ok(McpServer { running, handler })
    }
}

impl Default for McpServerBuilder {
    fn default() -> Self {
        Self {
            listen: Listen::default(),
            config: Config {
                path: "/mcp".to_owned(),
                sessions: true,
                delete: true,
                scope_in_challenge: true,
                dpop_algorithms: vec![SigningAlgorithm::Es256],
                ..Config::default()
            },
            authorization: None,
            required_scopes: Vec::new(),
        }
    }
}
