//! Protected resource metadata (RFC 9728 §2, §3.3): what it says, and whether it speaks for our
//! server.

use url::Url;

use crate::document::{DocumentError, Members};
use crate::text::{Quoted, display_name};
use crate::{Issuer, ResourceId, Scopes, Source};

/// The members of a protected resource metadata document that a client acts upon. `signed_metadata`
/// is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceMetadata {
    /// The resource identifier, exactly as published.
    pub resource: ResourceId,
    /// The issuers that guard it, in the server's order, exactly as published and not yet checked;
    /// may be empty.
    pub authorization_servers: Vec<Issuer>,
    /// Scopes the server likes to name; related to the challenged ones in no way that may be relied
    /// upon.
    pub scopes_supported: Option<Scopes>,
    /// How a bearer token may be presented: `header`, `body`, `query`.
    pub bearer_methods_supported: Option<Vec<String>>,
    /// Whether only DPoP-bound tokens are accepted (RFC 9449).
    pub dpop_bound_access_tokens_required: bool,
    /// The signature algorithms of DPoP proofs the server accepts.
    pub dpop_signing_alg_values_supported: Option<Vec<String>>,
    /// A name to show to people: printable characters only, at most 200.
    pub resource_name: Option<String>,
}

impl ResourceMetadata {
    /// A document that says no more than this.
    #[must_use]
    pub const fn new(resource: ResourceId, authorization_servers: Vec<Issuer>) -> Self {
        Self {
            resource,
            authorization_servers,
            scopes_supported: None,
            bearer_methods_supported: None,
            dpop_bound_access_tokens_required: false,
            dpop_signing_alg_values_supported: None,
            resource_name: None,
        }
    }

    /// Reads a document. Unknown members are ignored, a `null` member counts as absent.
    ///
    /// # Errors
    /// [`DocumentError::NotJsonObject`] means that the document is not here; anything else that it
    /// is here and cannot be used. Whether it speaks for a given server is the question of
    /// [`validate_resource`].
    pub fn parse(body: &[u8]) -> Result<Self, DocumentError> {
        let members = Members::parse(body)?;
        let resource = members
            .string("resource")?
            .ok_or(DocumentError::Missing { member: "resource" })?;
        let issuers = members
            .strings("authorization_servers")?
            .unwrap_or_default();
        Ok(Self {
            resource: ResourceId::new(resource),
            authorization_servers: issuers.into_iter().map(Issuer::new).collect(),
            scopes_supported: members.scopes("scopes_supported")?,
            bearer_methods_supported: members.strings("bearer_methods_supported")?,
            dpop_bound_access_tokens_required: members.flag("dpop_bound_access_tokens_required")?,
            dpop_signing_alg_values_supported: members
                .strings("dpop_signing_alg_values_supported")?,
            // Only shown, so a wrong type is no reason to stop.
            resource_name: members
                .string("resource_name")
                .ok()
                .flatten()
                .and_then(display_name),
        })
    }

    /// Whether a token may be presented in the `Authorization` header, the only way we do it (RFC
    /// 6750 §2.1).
    #[must_use]
    pub fn accepts_header(&self) -> bool {
        let methods = self.bearer_methods_supported.as_ref();
        methods.is_none_or(|methods| methods.iter().any(|method| method == "header"))
    }
}

/// Which published identifiers are accepted for a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResourceMatch {
    /// Also a same-origin parent of the server URL, as many deployed servers publish their origin.
    #[default]
    Parent,
    /// Only what RFC 9728 §3.3 asks for: identity.
    Exact,
}

/// How a published identifier relates to the server URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResourceMatchKind {
    /// It is the server URL, or, in the root document, the server's origin.
    Exact,
    /// It is a same-origin parent: tokens for it may serve other servers of that origin too.
    Parent,
    /// Nothing was published; the identifier was derived from the server URL.
    Derived,
}

impl ResourceMatchKind {
    /// A stable name for machine-readable output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Parent => "parent",
            Self::Derived => "derived",
        }
    }
}

/// The rule a published identifier is held to: where its document was found, and what the host
/// accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceRule {
    /// Where the document was found; [`Source::RootWellKnown`] makes the bare origin the required
    /// identifier.
    pub source: Source,
    /// What the host accepts beside the required identifier.
    pub resource_match: ResourceMatch,
}

impl ResourceRule {
    /// The rule for a document found at `source`.
    #[must_use]
    pub const fn new(source: Source, resource_match: ResourceMatch) -> Self {
        Self {
            source,
            resource_match,
        }
    }
}

/// A document that speaks for another resource. It has to be discarded whole, and discovery ends
/// (RFC 9728 §3.3): a token for that resource would be handed to somebody else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the resource is {}, not {}", Quoted(published.as_str()), Quoted(server.as_str()))]
#[non_exhaustive]
pub struct ResourceMismatch {
    /// What the document said.
    pub published: ResourceId,
    /// The server it was asked for, as a URL without a fragment.
    pub server: ResourceId,
}

/// Holds a published identifier to the server URL, character by character.
///
/// Only two things are tolerated: the letter case of scheme and host, and an origin with or without
/// its final slash. Another path, port, query or percent-encoding names another resource.
/// [`ResourceMatch::Parent`] also accepts a same-origin identifier whose path is a prefix on a
/// segment boundary, and the server URL less its query.
///
/// # Errors
/// The identifier names another resource: discard the document and stop.
///
/// ```
/// use doorkey_discovery::{
///     ResourceId, ResourceMatch, ResourceMatchKind, ResourceRule, Source, validate_resource,
/// };
///
/// let server = "https://mcp.example/api/v1".parse()?;
/// let rule = ResourceRule::new(Source::PathWellKnown, ResourceMatch::Parent);
/// let parent = validate_resource(&ResourceId::new("https://mcp.example/api"), &server, rule);
/// assert_eq!(parent, Ok(ResourceMatchKind::Parent));
/// assert!(validate_resource(&ResourceId::new("https://mcp.example/ap"), &server, rule).is_err());
/// # Ok::<(), url::ParseError>(())
/// ```
pub fn validate_resource(
    published: &ResourceId,
    server: &Url,
    rule: ResourceRule,
) -> Result<ResourceMatchKind, ResourceMismatch> {
    let kind = match (Parts::published(published.as_str()), Parts::of(server)) {
        (Some(published), Some(server)) => published.relation(&server, rule),
        _ => None,
    };
    kind.ok_or_else(|| ResourceMismatch {
        published: published.clone(),
        server: ResourceId::new(crate::well_known::without_fragment(server)),
    })
}

/// An absolute URL cut into the parts that are compared, nothing unescaped and nothing normalised.
struct Parts<'a> {
    scheme: &'a str,
    authority: &'a str,
    /// Empty and `/` are the same path.
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// `None` for what is no URL with an authority, or has a fragment (RFC 9728 §1.2) or userinfo.
    fn published(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.is_empty() || authority.contains('@') || path.contains('#') {
            return None;
        }
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(p, q)| (p, Some(q)));
        Some(Self {
            scheme,
            authority,
            path,
            query,
        })
    }

    /// The server URL was parsed, so its scheme and host are in lower case and its default port is
    /// gone.
    fn of(server: &'a Url) -> Option<Self> {
        let text = server.as_str();
        let text = text.split_once('#').map_or(text, |(text, _)| text);
        Self::published(text)
    }

    fn relation(&self, server: &Parts<'_>, rule: ResourceRule) -> Option<ResourceMatchKind> {
        let same_origin = self.scheme.eq_ignore_ascii_case(server.scheme)
            && self.authority.eq_ignore_ascii_case(server.authority);
        if !same_origin {
            return None;
        }
        let is_origin = self.is_bare_path() && self.query.is_none();
        let is_server = self.same_path(server) && self.query == server.query;
        let at_root = rule.source == Source::RootWellKnown;
        match rule.resource_match {
            ResourceMatch::Exact if at_root => is_origin.then_some(ResourceMatchKind::Exact),
            ResourceMatch::Exact => is_server.then_some(ResourceMatchKind::Exact),
            ResourceMatch::Parent if is_server || (at_root && is_origin) => {
                Some(ResourceMatchKind::Exact)
            }
            ResourceMatch::Parent => {
                let is_parent = self.query.is_none() && self.is_parent_of(server);
                is_parent.then_some(ResourceMatchKind::Parent)
            }
        }
    }

    fn same_path(&self, server: &Parts<'_>) -> bool {
        self.path == server.path || (self.is_bare_path() && server.is_bare_path())
    }

    /// The same path or a prefix of it that ends where a segment ends.
    fn is_parent_of(&self, server: &Parts<'_>) -> bool {
        if self.is_bare_path() {
            return true;
        }
        let rest = server.path.strip_prefix(self.path);
        rest.is_some_and(|rest| {
            rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/')
        })
    }

    fn is_bare_path(&self) -> bool {
        matches!(self.path, "" | "/")
    }
}

/// The identifier to send when none was published: the server URL, less its fragment and a lone
/// slash after the host (MCP "Canonical Server URI").
#[must_use]
pub fn derived_resource(server: &Url) -> ResourceId {
    let url = crate::well_known::without_fragment(server);
    let text = url.as_str();
    match url.query() {
        None if url.path() == "/" => ResourceId::new(text.trim_end_matches('/')),
        _ => ResourceId::new(text),
    }
}

#[cfg(test)]
mod tests;
