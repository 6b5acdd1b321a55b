//! The state of an authorization server, and which endpoint answers what.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use http::{Method, StatusCode, header};
use serde_json::json;

use super::{
    authorize::{self, Pending},
    client::{Client, Clients},
    config::{Config, Settings},
    configuration,
    counters::Counters,
    device::{self, Devices},
    metadata, openid,
    options::PushedRequests,
    pushed::{self, Pushed},
    registration, revocation, token,
    vault::{Grant, TokenFacts, Vault},
};
use crate::{
    Error, Leg,
    clock::Clock,
    connection::Service,
    dpop::{NONCE_FIELD, Proofs},
    jws::Replays,
    refusals::Refusals,
    reply::{self, Reply},
    request::{FORM, Parameters, Received},
};

/// An authorization server apart from its port.
pub(crate) struct Core {
    pub(super) config: Config,
    pub(super) clock: Clock,
    origin: String,
    settings: Mutex<Settings>,
    clients: Mutex<Clients>,
    vault: Mutex<Vault>,
    pending: Mutex<HashMap<String, Pending>>,
    pushed: Mutex<HashMap<String, Pushed>>,
    devices: Mutex<Devices>,
    resources: Mutex<BTreeSet<String>>,
    counters: Mutex<Counters>,
    /// Client assertions that were used.
    pub(super) assertions: Replays,
    /// Assertions that were used as grants.
    pub(super) grants: Replays,
    pub(super) proofs: Proofs,
    refusals: Refusals,
}

/// A protocol error (RFC 6749 §5.2, RFC 7591 §3.2.2).
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: &'static str,
    pub(super) description: String,
    /// The nonce that the next DPoP proof needs.
    pub(super) nonce: Option<String>,
}

impl Refusal {
    /// Status 400, or 401 for `invalid_client`.
    pub(super) fn new(error: &'static str, description: impl Into<String>) -> Self {
        let status = match error {
            "invalid_client" | "invalid_token" => StatusCode::UNAUTHORIZED,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        Self {
            status,
            error,
            description: description.into(),
            nonce: None,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new("server_error", error.to_string())
    }
}

impl Core {
    pub(crate) fn new(mut config: Config, origin: String) -> Self {
        let mut clients = Clients::default();
        for client in std::mem::take(&mut config.static_clients) {
            clients.add(Client::from(client));
        }
        let vault = Mutex::new(Vault::with_grace(config.reuse_grace));
        Self {
            settings: Mutex::new(config.settings.clone()),
            resources: Mutex::new(config.resources.iter().cloned().collect()),
            config,
            clock: Clock::default(),
            origin,
            clients: Mutex::new(clients),
            vault,
            pending: Mutex::default(),
            pushed: Mutex::default(),
            devices: Mutex::default(),
            counters: Mutex::default(),
            assertions: Replays::default(),
            grants: Replays::default(),
            proofs: Proofs::default(),
            refusals: Refusals::default(),
        }
    }

    /// The issuer identifier when the server is reached at `origin`.
    pub(crate) fn issuer(&self, origin: &str) -> String {
        format!("{origin}{}", self.config.issuer_path)
    }

    /// The issuer identifier on the server's own port.
    pub(crate) fn own_issuer(&self) -> String {
        self.issuer(&self.origin)
    }

    pub(crate) fn allow_resource(&self, resource: String) {
        lock(&self.resources).insert(resource);
    }

    pub(super) fn knows_resource(&self, resource: &str) -> bool {
        lock(&self.resources).contains(resource)
    }

    /// What is known about an access token of this server.
    pub(crate) fn inspect(&self, access_token: &str) -> Option<TokenFacts> {
        let now = self.clock.now();
        self.vault().facts(access_token, now)
    }

    /// Which endpoint a path is, `Leg::Other` if none.
    pub(crate) fn endpoint(&self, path: &str) -> Leg {
        // A candidate place without a document is the same leg: tests want to see the probe.
        if metadata::is_well_known(path) {
            return Leg::AuthorizationServerMetadata;
        }
        let Some(rest) = path.strip_prefix(&self.config.issuer_path) else {
            return Leg::Other;
        };
        match rest {
            "/authorize" => Leg::Authorization,
            _ if rest == self.token_path() => Leg::Token,
            "/revoke" => Leg::Revocation,
            "/jwks" => Leg::Keys,
            "/par" if self.settings().pushed != PushedRequests::Off => Leg::PushedAuthorization,
            "/device_authorization" if self.config.device.is_some() => Leg::DeviceAuthorization,
            "/device" if self.config.device.is_some() => Leg::DeviceVerification,
            "/register" if self.config.dynamic_registration => Leg::Registration,
            _ if rest.starts_with("/register/") => Leg::ClientConfiguration,
            _ => Leg::Other,
        }
    }

    /// Answers a request that came in at `origin`.
    pub(crate) fn answer_at(&self, origin: &str, request: &Received) -> Reply {
        match self.endpoint(&request.path) {
            Leg::AuthorizationServerMetadata => metadata::answer(self, origin, request),
            Leg::Registration => registration::register(self, origin, request),
            Leg::ClientConfiguration => configuration::answer(self, origin, request),
            Leg::Authorization => authorize::answer(self, origin, request),
            Leg::Token => token::answer(self, origin, request),
            Leg::PushedAuthorization => pushed::answer(self, origin, request),
            Leg::DeviceAuthorization => device::authorize(self, origin, request),
            Leg::DeviceVerification => device::page(self, request),
            Leg::Revocation => revocation::answer(self, origin, request),
            Leg::Keys => openid::keys(self, request),
            _ => reply::text(StatusCode::NOT_FOUND, "nothing here\n"),
        }
    }

    /// The error answer, also noted for the test to read.
    pub(super) fn refuse(&self, endpoint: Leg, refusal: &Refusal) -> Reply {
        self.note_refusal(endpoint, refusal);
        let body = json!({
            "error": refusal.error,
            "error_description": refusal.description,
        });
        let mut reply = reply::json(refusal.status, &body);
        if let Some(nonce) = &refusal.nonce {
            reply::append(&mut reply, NONCE_FIELD, nonce);
        }
        if refusal.status == StatusCode::UNAUTHORIZED {
            let scheme = match endpoint {
                Leg::Registration | Leg::ClientConfiguration => "Bearer",
                _ => "Basic",
            };
            let challenge = format!("{scheme} realm=\"{endpoint}\"");
            reply::append(&mut reply, header::WWW_AUTHENTICATE, &challenge);
        }
        uncached(reply)
    }

    pub(super) fn note_refusal(&self, endpoint: Leg, refusal: &Refusal) {
        let line = format!("{endpoint}: {}: {}", refusal.error, refusal.description);
        self.refusals.note(line);
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut lock(&self.counters));
    }

    pub(super) fn counters(&self) -> Counters {
        *lock(&self.counters)
    }

    pub(super) fn refusals(&self) -> Vec<String> {
        self.refusals.list()
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        lock(&self.settings)
    }

    pub(super) fn clients(&self) -> MutexGuard<'_, Clients> {
        lock(&self.clients)
    }

    pub(super) fn vault(&self) -> MutexGuard<'_, Vault> {
        lock(&self.vault)
    }

    pub(super) fn pending(&self) -> MutexGuard<'_, HashMap<String, Pending>> {
        lock(&self.pending)
    }

    pub(super) fn pushed(&self) -> MutexGuard<'_, HashMap<String, Pushed>> {
        lock(&self.pushed)
    }

    pub(super) fn devices(&self) -> MutexGuard<'_, Devices> {
        lock(&self.devices)
    }

    /// A grant to be filled in: what was approved just now, bound to nothing.
    pub(super) fn new_grant(&self, issuer: String, client_id: String, subject: String) -> Grant {
        Grant {
            client_id,
            subject,
            scopes: Vec::new(),
            audience: String::new(),
            issuer,
            approved_at: self.clock.now(),
            bound_to: None,
            family: self.vault().new_family(),
        }
    }

    /// The client of that id: registered, or described by a metadata document.
    pub(super) fn client(&self, id: &str) -> Result<Client, Refusal> {
        if let Some(client) = self.clients().find(id) {
            return Ok(client.clone());
        }
        let unknown = |why: &str| Refusal::new("invalid_client", why);
        if !id.starts_with("https://") || !self.config.metadata_document_clients {
            return Err(unknown("nobody registered this client_id"));
        }
        let document = self.config.documents.get(id);
        let document = document.ok_or_else(|| unknown("no metadata document at this URL"))?;
        Client::from_document(id, document).map_err(unknown)
    }
}

impl Service for Core {
    fn leg(&self, request: &Received) -> Leg {
        self.endpoint(&request.path)
    }

    fn answer(&self, request: &Received) -> Reply {
        self.answer_at(&self.origin, request)
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// The parameters of a form POST: nothing in the URL, nothing twice (RFC 6749 §3.2).
pub(super) fn form(request: &Received) -> Result<Parameters, Refusal> {
    let invalid = |why: &str| Refusal::new("invalid_request", why);
    if request.method != Method::POST {
        let mut refusal = invalid("only POST is allowed");
        refusal.status = StatusCode::METHOD_NOT_ALLOWED;
        return Err(refusal);
    }
    if request.query.is_some() {
        return Err(invalid("the endpoint takes no parameters in the URL"));
    }
    if !request.has_content_type(FORM) {
        return Err(invalid("the body is not form-encoded by its media type"));
    }
    let parameters = request.form_parameters();
    match parameters.repeated() {
        Some(name) => Err(invalid(&format!("{name} occurs more than once"))),
        None => Ok(parameters),
    }
}

/// Keeps an answer with secrets out of caches (RFC 6749 §5.1).
pub(super) fn uncached(mut reply: Reply) -> Reply {
    reply::append(&mut reply, header::CACHE_CONTROL, "no-store");
    reply
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
