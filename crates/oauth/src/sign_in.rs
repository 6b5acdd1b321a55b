//! A login from discovery to tokens, whatever the flow (MCP authorization; OAuth 2.1 §4).

pub(crate) mod ahead;
mod client;
mod device;
pub(crate) mod enterprise;
pub(crate) mod outlook;
mod pushed;
mod redirect;
pub(crate) mod started;
pub(crate) mod unattended;
pub(crate) mod wait;

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorkey_discovery::{
    AuthorizationServerMetadata, Challenges, Discovered, Issuer, ResourceMatchKind, Scopes, Source,
};
use doorkey_http::{HttpClient, Leg};
use doorkey_store::{Grant, Store};
use secrecy::SecretString;
use url::Url;

use self::ahead::AskedAhead;
use crate::client::Client;
use crate::clock::Clock;
use crate::config::{AuthorizationConfig, ResourceChoice};
use crate::dpop::{Binding, DpopKey, Nonces, decide};
use crate::error::{Error, LoginReason};
use crate::exchange::{Exchanged, TokenEndpoint, Tools};
use crate::flow::Flow;
use crate::interaction::Interaction;
use crate::key::SigningAlgorithm;
use crate::member::MAX_SCOPE_BYTES;
use crate::quirk::InForce;
use crate::random::Random;
use crate::registration::kept::Kept;
use crate::resource;
use crate::scope::{ScopeSources, select};
use crate::shared::{Shared, lock};
use crate::token_response::Shape;

/// What a login works with: the source's own parts.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) config: &'a AuthorizationConfig,
    pub(crate) http: &'a HttpClient,
    pub(crate) store: &'a Store,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) random: &'a dyn Random,
    pub(crate) nonces: &'a Nonces,
    /// The JWT that an authorization server refused, and what it said (WIF-05).
    pub(crate) refused_assertion: &'a Mutex<Option<Box<(SecretString, Error)>>>,
    /// A sign-on at an identity provider that the store did not take.
    pub(crate) unsaved_identity: &'a Mutex<Option<Box<Grant>>>,
    /// The authorization server that the last login went to, whatever came of it.
    pub(crate) last_issuer: &'a Mutex<Option<Issuer>>,
    pub(crate) ahead: &'a AskedAhead,
}

impl<'a> Parts<'a> {
    /// What requests to an authorization server are made with.
    pub(crate) fn tools(self) -> Tools<'a> {
        Tools {
            http: self.http,
            clock: self.clock,
            random: self.random,
            nonces: self.nonces,
        }
    }

    pub(crate) fn login_required(self, reason: LoginReason) -> Error {
        Error::LoginRequired {
            server: Box::new(resource::without_secrets(&self.config.server)),
            reason,
            challenges: Challenges::default(),
            cause: None,
        }
    }
}

/// What this login is for.
pub(crate) struct Wish {
    pub(crate) challenges: Challenges,
    /// The issuer, resource and scopes of the grant that is there already.
    pub(crate) previous: Option<Previous>,
    /// The scopes of a step-up, to be asked for exactly so (UP-02).
    pub(crate) step_up: Option<Scopes>,
    pub(crate) interaction: Arc<dyn Interaction>,
}

/// What a new login keeps of the grant before it.
pub(crate) struct Previous {
    pub(crate) issuer: Issuer,
    pub(crate) client_id: String,
    pub(crate) resource: Option<String>,
    pub(crate) requested: Scopes,
    pub(crate) dpop_key: Option<SecretString>,
    pub(crate) flow: Option<String>,
}

/// A completed login; nothing of it is saved yet.
pub(crate) struct SignedIn {
    /// The grant, without its tokens.
    pub(crate) draft: Grant,
    /// The issuer as its own metadata name it: who an identity token has to be of.
    pub(crate) published: Issuer,
    /// The record of the client's registration, where it registered itself.
    pub(crate) kept: Option<Kept>,
    /// Whether it registered itself in this login.
    pub(crate) registered: bool,
    pub(crate) exchanged: Exchanged,
    /// How the resource and the authorization server were found; `None` where another process did.
    pub(crate) found: Option<(ResourceMatchKind, Source)>,
}

/// A flow that failed, with the client it used and the scopes it asked for, so that the caller can
/// judge a registration.
pub(crate) struct Failed {
    pub(crate) error: Error,
    pub(crate) client: Option<Client>,
    pub(crate) scopes: Scopes,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self {
            error,
            client: None,
            scopes: Scopes::default(),
        }
    }
}

/// What discovery and the configuration settle before anybody is asked anything.
struct Settled {
    found: Discovered,
    token_endpoint: Url,
    resource: Option<String>,
    scopes: Scopes,
    binding: Binding,
    /// The key that tokens are to be bound to.
    key: Option<DpopKey>,
    /// What is odd about the token answers of this server.
    shape: Shape,
}

/// What a flow came to.
struct Obtained {
    client: Client,
    redirect_uri: Option<String>,
    exchanged: Exchanged,
}

/// Completes when nobody waits for the login any more.
type Gone<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

/// Runs the flow once. `gone` completes when nobody waits for it any more; it is heeded from the
/// start until a code has arrived.
///
/// A redirect flow with dynamic registration makes exactly four requests, without it three.
pub(crate) async fn sign_in(
    parts: Parts<'_>,
    wish: &Wish,
    gone: impl Future<Output = ()> + Send,
) -> Result<SignedIn, Failed> {
    let mut gone = pin!(gone);
    let settled = tokio::select! {
        biased;
        settled = settle_in_time(parts, wish) => settled?,
        () = gone.as_mut() => return Err(Error::LoginAbandoned.into()),
    };
    let (obtained, flow) = match &parts.config.flow {
        Flow::AuthorizationCode => by_page_or_code(parts, wish, &settled, gone).await?,
        flow @ Flow::Device => (device::run(parts, wish, &settled, gone).await?, flow),
        flow @ (Flow::ClientCredentials
        | Flow::WorkloadIdentity(_)
        | Flow::EnterpriseManaged(_)) => {
            (unattended::run(parts, wish, &settled, gone).await?, flow)
        }
    };
    if !obtained.exchanged.is_bound_as(settled.binding) {
        let url = (&settled.token_endpoint).into();
        return Err(Error::TokenNotBound { url }.into());
    }
    settled
        .quirks(parts)
        .note_shape(&settled.shape, &obtained.exchanged);
    check_flaw(&obtained.exchanged, &settled.found.server.listed)?;
    let Obtained {
        client,
        redirect_uri,
        exchanged,
    } = obtained;
    Ok(SignedIn {
        draft: settled.draft(&client, redirect_uri, flow),
        found: Some((settled.found.match_kind, settled.found.source)),
        published: settled.found.server.issuer,
        kept: client.kept().cloned(),
        registered: client.is_new(),
        exchanged,
    })
}

/// A page in a browser; or a code for another device, where there is no browser and the server offers that. Says
/// which one it was.
async fn by_page_or_code(
    parts: Parts<'_>,
    wish: &Wish,
    settled: &Settled,
    mut gone: Gone<'_>,
) -> Result<(Obtained, &'static Flow), Failed> {
    if device::is_preferred(wish, settled)
        && let Some(obtained) =
            device::run_in_place_of_page(parts, wish, settled, gone.as_mut()).await?
    {
        return Ok((obtained, &Flow::Device));
    }
    let obtained = redirect::run(parts, wish, settled, gone).await?;
    Ok((obtained, &Flow::AuthorizationCode))
}

/// Whether the answer has what the MCP server wants to see.
pub(crate) fn check_flaw(exchanged: &Exchanged, issuer: &Issuer) -> Result<(), Error> {
    match exchanged.tokens.flaw {
        None => Ok(()),
        Some(why) => Err(Error::InvalidIdToken {
            issuer: issuer.clone(),
            why,
        }),
    }
}

impl Settled {
    /// The quirks of the authorization server and the MCP server.
    fn quirks<'a>(&'a self, parts: Parts<'a>) -> InForce<'a> {
        parts.config.quirks_of(self.found.server.listed.as_str())
    }

    /// The grant that this login is to bring, without its tokens.
    fn draft(&self, client: &Client, redirect_uri: Option<String>, flow: &Flow) -> Grant {
        let server = &self.found.server;
        let text = |url: &Url| url.as_str().to_owned();
        let mut grant = Grant::new(
            server.listed.as_str(),
            client.id.as_str(),
            self.token_endpoint.as_str(),
        );
        grant.resource.clone_from(&self.resource);
        grant.revocation_endpoint = server.revocation_endpoint.as_ref().map(text);
        grant.authorization_endpoint = server.authorization_endpoint.as_ref().map(text);
        grant.client_auth_method = client.method;
        grant.client_secret.clone_from(&client.secret);
        grant.client_secret_expires_at = client.secret_expires_at;
        grant.redirect_uri = redirect_uri;
        grant.dpop_key = self.key.as_ref().map(|key| key.stored().clone());
        grant.assertion_audience =
            (server.issuer != server.listed).then(|| server.issuer.as_str().to_owned());
        grant.requested_scopes = self.scopes.iter().map(str::to_owned).collect();
        let algorithm = client.algorithm.map(SigningAlgorithm::as_str);
        grant.assertion_algorithm = algorithm.map(str::to_owned);
        grant.flow = Some(flow.as_str().to_owned());
        grant.dynamic_registration = client.is_dynamic();
        grant
    }

    /// The token endpoint as `client` sees it.
    fn token_endpoint<'a>(&'a self, parts: Parts<'a>, client: &'a Client) -> TokenEndpoint<'a> {
        TokenEndpoint {
            tools: parts.tools(),
            leg: Leg::Token,
            url: &self.token_endpoint,
            client,
            key: self.key.as_ref(),
            shape: Some(&self.shape).filter(|shape| shape.is_odd()),
        }
    }

    /// The failure of a flow that got as far as to have a client.
    fn failed(&self, client: Client, error: Error) -> Failed {
        Failed {
            error,
            client: Some(client),
            scopes: self.scopes.clone(),
        }
    }

    /// An endpoint that this flow cannot do without.
    fn needed<'a>(
        &self,
        endpoint: Option<&'a Url>,
        member: &'static str,
    ) -> Result<&'a Url, Error> {
        needed(&self.found, endpoint, member)
    }
}

/// Whether a page may be shown to a person (DEV-08, SEC-07).
async fn judge_page(
    parts: Parts<'_>,
    leg: Leg,
    issuer: &Issuer,
    (member, page): (&'static str, &Url),
) -> Result<(), Error> {
    let judged = parts.http.judge(leg, page).await;
    let source = match judged {
        Ok(()) => return Ok(()),
        Err(doorkey_http::Error::AddressRefused { source, .. }) => Shared::of(source),
        Err(doorkey_http::Error::Endpoint { source, .. }) => Shared::of(source),
        // Nothing was judged.
        Err(other) => return Err(other.into()),
    };
    Err(Error::PageRefused {
        issuer: issuer.clone(),
        member,
        page: page.into(),
        source,
    })
}

async fn settle_in_time(parts: Parts<'_>, wish: &Wish) -> Result<Settled, Error> {
    tokio::time::timeout(DISCOVERY_LIMIT, settle(parts, wish))
        .await
        .unwrap_or(Err(Error::DiscoveryTimedOut {
            limit: DISCOVERY_LIMIT,
        }))
}

async fn settle(parts: Parts<'_>, wish: &Wish) -> Result<Settled, Error> {
    let options = client::preferring_known_issuers(parts, wish).await?;
    let discovery = parts.ahead.discovery(parts.http, options);
    let found = discovery
        .discover(&parts.config.server, &wish.challenges)
        .await?;
    let listed = found.server.listed.clone();
    *lock(parts.last_issuer) = Some(listed.clone());
    let quirks = parts.config.quirks_of(listed.as_str());
    quirks.note_trust(&found.server);
    check_metadata(&parts.config.flow, &found, &quirks)?;
    let token_endpoint = needed(
        &found,
        found.server.token_endpoint.as_ref(),
        "token_endpoint",
    )?;
    let token_endpoint = token_endpoint.clone();
    let resource = match parts.config.resource {
        ResourceChoice::Auto if quirks.omits_resource() => None,
        ref choice => resource::choose(choice, &found.resource),
    };
    let scopes = scopes(parts.config, wish, &found, resource.as_deref());
    let scopes = quirks.adjust(scopes, &parts.config.scopes);
    if let Some(why) = quirks.needs_scopes(&scopes) {
        return Err(Error::Configuration {
            setting: "scopes",
            why: format!("there is none to ask {listed} for: {why}"),
        });
    }
    if scopes.to_string().len() > MAX_SCOPE_BYTES {
        return Err(Error::TooManyScopes {
            issuer: found.server.listed,
            limit: MAX_SCOPE_BYTES,
        });
    }
    let binding = decide(parts.config.dpop, &found, &wish.challenges)?;
    Ok(Settled {
        found,
        token_endpoint,
        resource,
        scopes,
        binding,
        key: binding.is_on().then(|| key(wish)).transpose()?,
        shape: quirks.shape(),
    })
}

/// The key of this server: the one there is, else a new one.
fn key(wish: &Wish) -> Result<DpopKey, Error> {
    let stored = wish
        .previous
        .as_ref()
        .and_then(|previous| previous.dpop_key.as_ref());
    match stored.map(DpopKey::of_stored) {
        Some(Ok(key)) => Ok(key),
        Some(Err(_)) | None => DpopKey::generate(),
    }
}

/// The scopes to ask for. Those asked for before are kept as long as issuer and resource are the
/// same (CH-11).
fn scopes(
    config: &AuthorizationConfig,
    wish: &Wish,
    found: &Discovered,
    resource: Option<&str>,
) -> Scopes {
    let previous = wish
        .previous
        .as_ref()
        .filter(|previous| {
            previous.issuer == found.server.listed && previous.resource.as_deref() == resource
        })
        .map(|previous| crate::scope::without_offline_access(&previous.requested));
    let challenged = wish.step_up.clone().or_else(|| wish.challenges.scope());
    select(ScopeSources {
        challenged: challenged.as_ref(),
        resource: found
            .resource_metadata
            .as_ref()
            .and_then(|metadata| metadata.scopes_supported.as_ref()),
        configured: Some(&config.scopes),
        previous: previous.as_ref(),
        server: found.server.scopes_supported.as_ref(),
        // Who needs no person to get a token needs no refresh token either (CC-08).
        offline: config.offline_access && !config.flow.is_unattended(),
    })
}

/// What rules out the flow before a browser opens (AS-16, AS-20, AS-22, CC-06, WIF-10).
fn check_metadata(flow: &Flow, found: &Discovered, quirks: &InForce<'_>) -> Result<(), Error> {
    let server = &found.server;
    let refuse = |member, why| Err(Error::unsupported(&server.listed, member, why));
    if !server.supports_grant(flow.grant_type()) {
        let why = match flow {
            Flow::AuthorizationCode => "does not list `authorization_code`",
            Flow::Device => "does not list the device code grant",
            Flow::ClientCredentials => "does not list `client_credentials`",
            Flow::WorkloadIdentity(_) | Flow::EnterpriseManaged(_) => {
                "does not list the JWT bearer grant"
            }
        };
        return refuse("grant_types_supported", why);
    }
    if !matches!(flow, Flow::AuthorizationCode) {
        return Ok(());
    }
    check_redirect(server)?;
    // Default endpoints come without metadata, so there PKCE cannot be checked (LEG-06).
    let is_silent = server.code_challenge_methods_supported.is_none();
    let is_promised = server.supports_s256() || (is_silent && quirks.assumes_pkce());
    if found.source != Source::LegacyDefaults && !is_promised {
        return Err(Error::PkceUnsupported {
            issuer: server.listed.clone(),
            silent: is_silent,
        });
    }
    Ok(())
}

/// What rules out a page, at whatever server (AS-16, AS-22).
fn check_redirect(server: &AuthorizationServerMetadata) -> Result<(), Error> {
    let refuse = |member, why| Err(Error::unsupported(&server.listed, member, why));
    if server.require_pushed_authorization_requests
        && server.pushed_authorization_request_endpoint.is_none()
    {
        return refuse(
            "pushed_authorization_request_endpoint",
            "is missing, and authorization requests have to be pushed",
        );
    }
    if server.require_signed_request_object {
        return refuse(
            "require_signed_request_object",
            "asks for signed request objects, which this client does not send",
        );
    }
    if !server.supports_code() {
        return refuse("response_types_supported", "does not list `code`");
    }
    Ok(())
}

fn needed<'a>(
    found: &Discovered,
    endpoint: Option<&'a Url>,
    member: &'static str,
) -> Result<&'a Url, Error> {
    endpoint.ok_or_else(|| Error::unsupported(&found.server.listed, member, "is missing"))
}

/// Each request of discovery has its own limits, but there may be a dozen places to ask: together
/// they take no longer than somebody who waits for a page to open would.
pub(crate) const DISCOVERY_LIMIT: Duration = Duration::from_secs(2 * 60);
