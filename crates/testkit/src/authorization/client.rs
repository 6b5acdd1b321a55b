//! Clients: known beforehand, registered, or named by a metadata document.

use std::{collections::HashMap, fmt, time::SystemTime};

use serde_json::{Value, json};
use url::{Host, Url};

use crate::PublicKey;

/// How a client proves itself at the token endpoint (RFC 7591 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientAuthMethod {
    /// `none`: a public client.
    None,
    /// `client_secret_basic`.
    Basic,
    /// `client_secret_post`.
    Post,
    /// `private_key_jwt`: an assertion signed with the client's key (RFC 7523 §2.2).
    PrivateKeyJwt,
}

/// A client that the server knows from the start.
#[derive(Clone)]
#[non_exhaustive]
pub struct StaticClient {
    /// The client id.
    pub id: String,
    /// The secret; `None` for a public client.
    pub secret: Option<String>,
    /// The only authentication method it may use.
    pub method: ClientAuthMethod,
    /// The key that its assertions are checked with.
    pub key: Option<PublicKey>,
    /// Its redirect URIs.
    pub redirect_uris: Vec<String>,
    /// The grants that it may use.
    pub grant_types: Vec<String>,
}

/// A client as the server sees it, however it became known.
#[derive(Clone)]
pub(crate) struct Client {
    pub(super) id: String,
    pub(super) secret: Option<String>,
    pub(super) secret_expires_at: Option<SystemTime>,
    pub(super) key: Option<PublicKey>,
    pub(super) method: ClientAuthMethod,
    pub(super) redirect_uris: Vec<String>,
    pub(super) grant_types: Vec<String>,
    /// Present for dynamically registered clients only (RFC 7592).
    pub(super) configuration_token: Option<String>,
    /// What a configuration request is answered with.
    pub(super) registration: Value,
}

/// The clients that are registered.
#[derive(Default)]
pub(crate) struct Clients {
    by_id: HashMap<String, Client>,
    order: Vec<String>,
}

impl ClientAuthMethod {
    /// Every method, in the order in which metadata lists them.
    pub const ALL: [Self; 4] = [Self::None, Self::Basic, Self::Post, Self::PrivateKeyJwt];

    /// The registered name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.as_str() == name)
    }
}

impl StaticClient {
    /// A public client.
    #[must_use]
    pub fn public(id: impl Into<String>) -> Self {
        Self::new(id.into(), ClientAuthMethod::None)
    }

    /// A client with a secret that it presents by `method`.
    #[must_use]
    pub fn confidential(
        id: impl Into<String>,
        secret: impl Into<String>,
        method: ClientAuthMethod,
    ) -> Self {
        Self {
            secret: Some(secret.into()),
            ..Self::new(id.into(), method)
        }
    }

    /// A client that signs assertions with the private half of `key`; see
    /// [`private_key_jwt`](crate::AuthorizationServerBuilder::private_key_jwt).
    #[must_use]
    pub fn with_key(id: impl Into<String>, key: &PublicKey) -> Self {
        Self {
            key: Some(key.clone()),
            ..Self::new(id.into(), ClientAuthMethod::PrivateKeyJwt)
        }
    }

    /// Adds a redirect URI.
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// The grants that it may use. Default: `authorization_code` and `refresh_token`.
    #[must_use]
    pub fn grant_types<S: Into<String>>(mut self, grants: impl IntoIterator<Item = S>) -> Self {
        self.grant_types = grants.into_iter().map(Into::into).collect();
        self
    }

    fn new(id: String, method: ClientAuthMethod) -> Self {
        Self {
            id,
            secret: None,
            method,
            key: None,
            redirect_uris: Vec::new(),
            grant_types: vec!["authorization_code".into(), "refresh_token".into()],
        }
    }
}

impl Client {
    /// The client that a metadata document describes, or why it describes none
    /// (draft-ietf-oauth-client-id-metadata-document §4.1).
    pub(super) fn from_document(url: &str, document: &Value) -> Result<Self, &'static str> {
        if document["client_id"] != url {
            return Err("the metadata document's client_id is not its URL");
        }
        if !document["client_name"].is_string() {
            return Err("the metadata document has no client_name");
        }
        let method = document["token_endpoint_auth_method"].as_str();
        if method.is_some_and(|m| m != "none") || document.get("client_secret").is_some() {
            return Err("the metadata document asks for a shared secret");
        }
        Ok(Self {
            id: url.to_owned(),
            secret: None,
            secret_expires_at: None,
            key: None,
            method: ClientAuthMethod::None,
            redirect_uris: texts(&document["redirect_uris"]),
            grant_types: grant_types(document),
            configuration_token: None,
            registration: Value::Null,
        })
    }

    pub(super) fn may_use(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|g| g == grant_type)
    }

    /// Whether it registered for bound tokens only (RFC 9449 §5.2).
    pub(super) fn wants_bound_tokens(&self) -> bool {
        self.registration["dpop_bound_access_tokens"] == true
    }

    /// Whether `uri` is registered: as a plain string, or but for the port on loopback.
    pub(super) fn redirects_to(&self, uri: &str, loopback_any_port: bool) -> bool {
        self.redirect_uris.iter().any(|registered| {
            registered == uri || (loopback_any_port && equal_but_for_port(registered, uri))
        })
    }
}

impl From<StaticClient> for Client {
    fn from(client: StaticClient) -> Self {
        Self {
            id: client.id,
            secret: client.secret,
            secret_expires_at: None,
            key: client.key,
            method: client.method,
            redirect_uris: client.redirect_uris,
            grant_types: client.grant_types,
            configuration_token: None,
            registration: Value::Null,
        }
    }
}

impl Clients {
    pub(super) fn add(&mut self, client: Client) {
        self.order.push(client.id.clone());
        self.by_id.insert(client.id.clone(), client);
    }

    /// Puts what is known about a client in place of what was.
    pub(super) fn replace(&mut self, client: Client) {
        self.by_id.insert(client.id.clone(), client);
    }

    pub(super) fn find(&self, id: &str) -> Option<&Client> {
        self.by_id.get(id)
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.by_id.remove(id);
        self.order.retain(|known| known != id);
    }

    pub(super) fn ids(&self) -> Vec<String> {
        self.order.clone()
    }

    pub(super) fn forget_dynamic(&mut self) {
        self.by_id.retain(|_, c| c.configuration_token.is_none());
        let known = &self.by_id;
        self.order.retain(|id| known.contains_key(id));
    }
}

impl From<&str> for ClientAuthMethod {
    /// The method of that name; text that names none means `client_secret_basic`, the default
    /// of RFC 7591 §2.
    fn from(name: &str) -> Self {
        Self::parse(name).unwrap_or(Self::Basic)
    }
}

impl fmt::Debug for StaticClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticClient")
            .field("id", &self.id)
            .field("method", &self.method)
            .field("redirect_uris", &self.redirect_uris)
            .finish_non_exhaustive()
    }
}

/// The strings of a JSON array; anything else is no string.
pub(super) fn texts(array: &Value) -> Vec<String> {
    let items = array.as_array().map_or(&[][..], Vec::as_slice);
    items
        .iter()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// `grant_types` with the default of RFC 7591 §2.
pub(super) fn grant_types(metadata: &Value) -> Vec<String> {
    match metadata.get("grant_types") {
        Some(listed) => texts(listed),
        None => texts(&json!(["authorization_code"])),
    }
}

/// Whether the host is this machine by name or address (RFC 8252 §7.3).
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn equal_but_for_port(registered: &str, used: &str) -> bool {
    let (Ok(mut registered), Ok(used)) = (Url::parse(registered), Url::parse(used)) else {
        return false;
    };
    let loopback = registered.scheme() == "http" && is_loopback(&registered);
    loopback && registered.set_port(used.port()).is_ok() && registered == used
}
