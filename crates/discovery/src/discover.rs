//! From a challenge to the authorization server (RFC 9728 §5; MCP "Authorization Server Location").

use doorkey_http::{HttpClient, Leg};
use url::Url;

use crate::address::{check_url, parse_url};
use crate::attempt::{Attempt, Attempts, Class, Failure};
use crate::document::DocumentError;
use crate::error::Error;
use crate::legacy::{legacy_base, legacy_defaults};
use crate::options::{ConfiguredServer, DiscoveryOptions};
use crate::resource::derived_resource;
use crate::text::Quoted;
use crate::well_known::{
    is_openid_place, legacy_metadata_candidate, located_resource_metadata, without_fragment,
};
use crate::{
    AuthorizationServerMetadata, Challenges, Issuer, ResourceId, ResourceMatchKind,
    ResourceMetadata, ResourceRule, Source, authorization_server_candidates, validate_resource,
};

mod ahead;
mod bounds;
mod fetch;

pub use ahead::Ahead;
use ahead::Kept;
pub use bounds::MAX_REQUESTS;
use bounds::{MAX_SERVERS, Requests};

/// Finds the authorization server of one MCP server. Keeps nothing between calls: each asks anew.
///
/// ```no_run
/// use doorkey_discovery::{Challenges, Discovery, DiscoveryOptions};
/// use doorkey_http::{HttpClient, HttpProfile};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let server: url::Url = "https://mcp.example/mcp".parse()?;
/// let http = HttpClient::new(&HttpProfile::new(server.clone()))?;
/// let discovery = Discovery::new(http, DiscoveryOptions::default());
/// let found = discovery.discover(&server, &Challenges::default()).await?;
/// let (resource, token_endpoint) = (found.resource, found.server.token_endpoint);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Discovery {
    http: HttpClient,
    options: DiscoveryOptions,
    ahead: Kept,
}

/// Resource metadata that speaks for the server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundResource {
    /// The document.
    pub metadata: ResourceMetadata,
    /// Where it was found.
    pub url: Url,
    /// How its `resource` relates to the server URL.
    pub match_kind: ResourceMatchKind,
    /// Which rule led there.
    pub source: Source,
}

/// All that an authorization needs to know about a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Discovered {
    /// The identifier to send as `resource` on every leg, exactly as published.
    pub resource: ResourceId,
    /// How it relates to the server URL.
    pub match_kind: ResourceMatchKind,
    /// The resource metadata, unless there is none.
    pub resource_metadata: Option<ResourceMetadata>,
    /// Where that was found.
    pub resource_metadata_url: Option<Url>,
    /// The chosen authorization server.
    pub server: AuthorizationServerMetadata,
    /// What named it.
    pub source: Source,
}

impl Discovery {
    /// Discovery through `http`, for a server with these settings.
    #[must_use]
    pub fn new(http: HttpClient, options: DiscoveryOptions) -> Self {
        Self {
            http,
            options,
            ahead: Kept::default(),
        }
    }

    /// The settings.
    #[must_use]
    pub const fn options(&self) -> &DiscoveryOptions {
        &self.options
    }

    /// Fetches and validates the resource metadata of `server`: from the URL the challenge names,
    /// and from nowhere else if it names one; otherwise from the well-known places.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::NotFound`] and [`Error::Unreachable`] list every place.
    pub async fn resource_metadata(
        &self,
        server: &Url,
        challenges: &Challenges,
    ) -> Result<FoundResource, Error> {
        let server = checked(server)?;
        let mut left = Requests::default();
        let found = self.find_resource(&server, challenges, &mut left).await?;
        found.map_err(|attempts| Error::nowhere(Leg::ResourceMetadata, attempts))
    }

    /// Fetches and validates the metadata of one issuer.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn authorization_server(
        &self,
        issuer: &Issuer,
    ) -> Result<AuthorizationServerMetadata, Error> {
        self.server_of(issuer, &mut Requests::default()).await
    }

    async fn server_of(
        &self,
        issuer: &Issuer,
        left: &mut Requests,
    ) -> Result<AuthorizationServerMetadata, Error> {
        let places = match authorization_server_candidates(issuer) {
            Ok(places) => places,
            Err(error) => {
                let mut attempts = Attempts::default();
                attempts.push(Attempt::without_place(issuer, error));
                return Err(Error::nowhere(Leg::AuthorizationServerMetadata, attempts));
            }
        };
        let attempts = match self.search(issuer, &places, left).await? {
            Ok(metadata) => return Ok(metadata),
            Err(attempts) => attempts,
        };
        Err(Error::nowhere(Leg::AuthorizationServerMetadata, attempts))
    }

    /// Finds the authorization server of `server`: two requests when the server is configured well.
    ///
    /// `challenges` are those of the response that asked for authorization; without any, the
    /// well-known places are asked. Documents are asked for [`MAX_REQUESTS`] times at most, whatever a
    /// server lists; each request follows as many redirects as the HTTP profile allows.
    ///
    /// # Errors
    /// See [`Error`]. A mismatch ends the search at once; trouble with one place or one of several
    /// authorization servers does not.
    pub async fn discover(
        &self,
        server: &Url,
        challenges: &Challenges,
    ) -> Result<Discovered, Error> {
        let server = checked(server)?;
        let mut left = Requests::default();
        match self.find_resource(&server, challenges, &mut left).await? {
            Ok(found) => self.guarded_by(found, left).await,
            Err(attempts)
                if challenges.resource_metadata().is_some() && !self.has_explicit_endpoints() =>
            {
                Err(Error::nowhere(Leg::ResourceMetadata, attempts))
            }
            Err(attempts) => {
                self.without_resource_metadata(&server, attempts, left)
                    .await
            }
        }
    }

    /// The inner error is a document that is nowhere; the outer one ends discovery.
    async fn find_resource(
        &self,
        server: &Url,
        challenges: &Challenges,
        left: &mut Requests,
    ) -> Result<Result<FoundResource, Attempts>, Error> {
        let places = match challenges.resource_metadata() {
            Some(text) => {
                let url = parse_url(text).map_err(|source| Error::MetadataUrl { source })?;
                vec![(Source::Challenge, without_fragment(&url))]
            }
            None => located_resource_metadata(server),
        };
        let mut attempts = Attempts::default();
        for (source, url) in places {
            match self.fetch_resource(&url, left).await {
                Ok(metadata) => return self.accept(metadata, url, source, server).map(Ok),
                Err(failure) => keep(&mut attempts, Leg::ResourceMetadata, &url, failure)?,
            }
        }
        Ok(Err(attempts))
    }

    fn accept(
        &self,
        metadata: ResourceMetadata,
        url: Url,
        source: Source,
        server: &Url,
    ) -> Result<FoundResource, Error> {
        let rule = ResourceRule::new(source, self.options.resource_match);
        let match_kind = match validate_resource(&metadata.resource, server, rule) {
            Ok(kind) => kind,
            Err(source) => {
                return Err(Error::ResourceMismatch {
                    url: (&url).into(),
                    source,
                });
            }
        };
        if !metadata.accepts_header() {
            return Err(Error::HeaderNotAccepted { url: (&url).into() });
        }
        Ok(FoundResource {
            metadata,
            url,
            match_kind,
            source,
        })
    }

    async fn guarded_by(&self, found: FoundResource, left: Requests) -> Result<Discovered, Error> {
        let (server, source) = self.choose(&found, left).await?;
        let resource = found.metadata.resource.clone();
        warn_if_unlisted(&server, &resource);
        Ok(Discovered {
            resource,
            match_kind: found.match_kind,
            resource_metadata: Some(found.metadata),
            resource_metadata_url: Some(found.url),
            server,
            source,
        })
    }

    /// The first of the listed servers that has metadata.
    async fn choose(
        &self,
        found: &FoundResource,
        mut left: Requests,
    ) -> Result<(AuthorizationServerMetadata, Source), Error> {
        let listed = &found.metadata.authorization_servers;
        if listed.is_empty() {
            return match &self.options.authorization_server {
                Some(server) => {
                    let metadata = self.configured(server, &mut left).await?;
                    Ok((metadata, Source::Configured))
                }
                None => Err(Error::NoAuthorizationServer {
                    url: (&found.url).into(),
                }),
            };
        }
        let chosen = self.options.order(listed);
        if chosen.is_empty() {
            return Err(Error::NoneAllowed {
                url: (&found.url).into(),
                listed: listed.clone(),
            });
        }
        let mut attempts = Attempts::default();
        for (index, issuer) in chosen.into_iter().enumerate() {
            // What the configuration says of this very issuer stands in for its document.
            if let Some(ConfiguredServer::Metadata(own)) = &self.options.authorization_server
                && own.listed == *issuer
            {
                return Ok((own.as_ref().clone(), found.source));
            }
            if index == MAX_SERVERS || left.is_none() {
                attempts.push(Attempt::not_made(issuer));
                break;
            }
            match self.server_of(issuer, &mut left).await {
                Ok(metadata) => return Ok((metadata, found.source)),
                Err(Error::NotFound { source, .. } | Error::Unreachable { source, .. }) => {
                    attempts.append(source);
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::nowhere(Leg::AuthorizationServerMetadata, attempts))
    }

    async fn configured(
        &self,
        server: &ConfiguredServer,
        left: &mut Requests,
    ) -> Result<AuthorizationServerMetadata, Error> {
        match server {
            ConfiguredServer::Issuer(issuer) => self.server_of(issuer, left).await,
            ConfiguredServer::Metadata(metadata) => Ok(metadata.as_ref().clone()),
        }
    }

    /// Whether the configuration says all there is to know of the authorization server: then no answer of the MCP
    /// server is needed, and none that is missing or broken keeps anybody out.
    const fn has_explicit_endpoints(&self) -> bool {
        matches!(
            self.options.authorization_server,
            Some(ConfiguredServer::Metadata(_))
        )
    }

    /// Pre-configured values, else the legacy mode, else the end. A configured issuer and the legacy mode are for a
    /// document that is known not to exist.
    async fn without_resource_metadata(
        &self,
        server: &Url,
        attempts: Attempts,
        mut left: Requests,
    ) -> Result<Discovered, Error> {
        if !attempts.prove_absence() && !self.has_explicit_endpoints() {
            return Err(Error::nowhere(Leg::ResourceMetadata, attempts));
        }
        let (metadata, source) = match &self.options.authorization_server {
            Some(configured) => {
                let metadata = self.configured(configured, &mut left).await?;
                (metadata, Source::Configured)
            }
            None if self.options.legacy => self.legacy(server, attempts, left).await?,
            None => return Err(Error::nowhere(Leg::ResourceMetadata, attempts)),
        };
        Ok(Discovered {
            resource: derived_resource(server),
            match_kind: ResourceMatchKind::Derived,
            resource_metadata: None,
            resource_metadata_url: None,
            server: metadata,
            source,
        })
    }

    /// `earlier` are the places without resource metadata, reported along with what fails here.
    async fn legacy(
        &self,
        server: &Url,
        mut earlier: Attempts,
        mut left: Requests,
    ) -> Result<(AuthorizationServerMetadata, Source), Error> {
        let attempts = match self
            .search(
                &legacy_base(server),
                &[legacy_metadata_candidate(server)],
                &mut left,
            )
            .await?
        {
            Ok(metadata) => return Ok((metadata, Source::LegacyMetadata)),
            Err(attempts) => attempts,
        };
        if attempts.prove_absence() {
            tracing::info!("no metadata anywhere; using the default endpoints of MCP 2025-03-26");
            return Ok((legacy_defaults(server), Source::LegacyDefaults));
        }
        earlier.append(attempts);
        Err(Error::nowhere(Leg::AuthorizationServerMetadata, earlier))
    }

    /// The inner error is a document that is nowhere; the outer one ends discovery.
    async fn search(
        &self,
        issuer: &Issuer,
        places: &[Url],
        left: &mut Requests,
    ) -> Result<Result<AuthorizationServerMetadata, Attempts>, Error> {
        let mut attempts = Attempts::default();
        for url in places {
            match self.fetch_authorization_server(url, issuer, left).await {
                Ok(mut metadata) => {
                    metadata.is_openid |= is_openid_place(url);
                    return Ok(Ok(metadata));
                }
                Err(failure) => {
                    keep(
                        &mut attempts,
                        Leg::AuthorizationServerMetadata,
                        url,
                        failure,
                    )?;
                }
            }
        }
        match mismatch(&attempts) {
            None => Ok(Err(attempts)),
            Some(published) => Err(Error::IssuerMismatch {
                issuer: issuer.clone(),
                published,
                source: attempts,
            }),
        }
    }
}

/// Remembers a failure, or ends discovery with it.
fn keep(attempts: &mut Attempts, leg: Leg, url: &Url, failure: Failure) -> Result<(), Error> {
    match (failure.class(), failure) {
        (Class::Permanent, Failure::Document(source)) => Err(Error::Invalid {
            leg,
            url: url.into(),
            source,
        }),
        (_, failure) => {
            attempts.push(Attempt::at(url, failure));
            Ok(())
        }
    }
}

fn mismatch(attempts: &Attempts) -> Option<Option<Issuer>> {
    attempts.iter().find_map(|attempt| match attempt.failure() {
        Failure::Document(DocumentError::IssuerMismatch { published, .. }) => {
            Some(published.clone())
        }
        _ => None,
    })
}

/// The server URL without its fragment, if it may be asked at all.
fn checked(server: &Url) -> Result<Url, Error> {
    check_url(server).map_err(|source| Error::ServerUrl { source })?;
    Ok(without_fragment(server))
}

/// RFC 9728 §4: the two documents should name each other.
fn warn_if_unlisted(server: &AuthorizationServerMetadata, resource: &ResourceId) {
    let listed = server.protected_resources.as_ref();
    if listed.is_some_and(|listed| !listed.iter().any(|own| own == resource.as_str())) {
        tracing::warn!(
            issuer = %Quoted(server.issuer.as_str()),
            resource = %Quoted(resource.as_str()),
            "the authorization server does not list this resource among its own"
        );
    }
}

#[cfg(test)]
mod tests;
