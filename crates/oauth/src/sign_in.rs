//! The authorization code flow from discovery to tokens (MCP authorization; OAuth 2.1 §4.1).

mod client;
mod wait;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use doorkey_discovery::{
    AuthorizationServerMetadata, Challenges, Discovered, Discovery, ResourceMatchKind, Scopes,
    Source,
};
use doorkey_http::HttpClient;
use doorkey_store::{ClientAuthMethod, Store};
use url::Url;

use crate::authorize::{AuthorizationPlan, AuthorizationRecord};
use crate::client::Client;
use crate::clock::Clock;
use crate::config::AuthorizationConfig;
use crate::error::Error;
use crate::exchange::{Exchanged, TokenEndpoint, exchange};
use crate::form::Form;
use crate::interaction::{Channel, Interaction, InteractionRequest, Prompt};
use crate::random::Random;
use crate::registration::check_redirect_uri;
use crate::resource;
use crate::scope::{ScopeSources, select};
use crate::token_response::TokenResponse;

use self::wait::{Waiting, wait_for_code};

/// What a login works with: the source's own parts.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) config: &'a AuthorizationConfig,
    pub(crate) http: &'a HttpClient,
    pub(crate) store: &'a Store,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) random: &'a dyn Random,
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
    pub(crate) issuer: doorkey_discovery::Issuer,
    pub(crate) client_id: String,
    pub(crate) resource: Option<String>,
    pub(crate) requested: Scopes,
}

/// A completed authorization code flow; nothing of it is saved yet.
pub(crate) struct SignedIn {
    pub(crate) server: AuthorizationServerMetadata,
    pub(crate) token_endpoint: Url,
    pub(crate) source: Source,
    pub(crate) match_kind: ResourceMatchKind,
    pub(crate) client: Client,
    pub(crate) method: ClientAuthMethod,
    pub(crate) record: AuthorizationRecord,
    pub(crate) tokens: TokenResponse,
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
    authorization_endpoint: Url,
    token_endpoint: Url,
    resource: Option<String>,
    scopes: Scopes,
}

/// Runs the flow once. `gone` completes when nobody waits for it any more; it is heeded from the
/// start until a code has arrived.
///
/// With dynamic registration it makes exactly four requests, without it three.
pub(crate) async fn sign_in(
    parts: Parts<'_>,
    wish: &Wish,
    gone: impl Future<Output = ()>,
) -> Result<SignedIn, Failed> {
    let mut gone = pin!(gone);
    let (settled, mut channel, client) = tokio::select! {
        biased;
        prepared = prepare(parts, wish) => prepared?,
        () = gone.as_mut() => return Err(Error::LoginAbandoned.into()),
    };
    let outcome = authorize(parts, &settled, &client, channel.as_mut(), gone).await;
    drop(channel);
    match outcome {
        Ok((record, exchanged)) => Ok(SignedIn {
            server: settled.found.server,
            token_endpoint: settled.token_endpoint,
            source: settled.found.source,
            match_kind: settled.found.match_kind,
            method: exchanged.method,
            tokens: exchanged.tokens,
            client,
            record,
        }),
        Err(error) => Err(Failed {
            error,
            client: Some(client),
            scopes: settled.scopes,
        }),
    }
}

/// Everything before the browser.
async fn prepare(
    parts: Parts<'_>,
    wish: &Wish,
) -> Result<(Settled, Box<dyn Channel>, Client), Error> {
    let settled = tokio::time::timeout(DISCOVERY_LIMIT, settle(parts, wish))
        .await
        .unwrap_or(Err(Error::DiscoveryTimedOut {
            limit: DISCOVERY_LIMIT,
        }))?;
    let channel = open(parts, wish, &settled).await?;
    check_redirect_uri(channel.redirect_uri())?;
    let client = client::obtain(parts, wish, &settled, channel.redirect_uri()).await?;
    Ok((settled, channel, client))
}

async fn settle(parts: Parts<'_>, wish: &Wish) -> Result<Settled, Error> {
    let options = client::preferring_known_issuers(parts, wish).await?;
    let discovery = Discovery::new(parts.http.clone(), options);
    let found = discovery
        .discover(&parts.config.server, &wish.challenges)
        .await?;
    check_metadata(&found)?;
    let endpoint = |url: &Option<Url>, member| {
        url.clone()
            .ok_or_else(|| unsupported(&found, member, "is missing"))
    };
    let authorization_endpoint = endpoint(
        &found.server.authorization_endpoint,
        "authorization_endpoint",
    )?;
    let token_endpoint = endpoint(&found.server.token_endpoint, "token_endpoint")?;
    let resource = resource::choose(&parts.config.resource, &found.resource);
    let scopes = scopes(parts.config, wish, &found, resource.as_deref());
    Ok(Settled {
        found,
        authorization_endpoint,
        token_endpoint,
        resource,
        scopes,
    })
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
        offline: config.offline_access,
    })
}

/// What rules out the flow before a browser opens (AS-16, AS-20, AS-22, DISC-23).
fn check_metadata(found: &Discovered) -> Result<(), Error> {
    let server = &found.server;
    let refuse = |member, why| Err(unsupported(found, member, why));
    if found
        .resource_metadata
        .as_ref()
        .is_some_and(|metadata| metadata.dpop_bound_access_tokens_required)
    {
        return refuse(
            "dpop_bound_access_tokens_required",
            "asks for DPoP, which this client does not speak",
        );
    }
    if server.require_pushed_authorization_requests {
        return refuse(
            "require_pushed_authorization_requests",
            "asks for pushed authorization requests, which this client does not send",
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
    if !server.supports_grant("authorization_code") {
        return refuse(
            "grant_types_supported",
            "does not list `authorization_code`",
        );
    }
    // Default endpoints come without metadata, so there PKCE cannot be checked (LEG-06).
    if found.source != Source::LegacyDefaults && !server.supports_s256() {
        return Err(Error::PkceUnsupported {
            issuer: server.listed.clone(),
        });
    }
    Ok(())
}

fn unsupported(found: &Discovered, member: &'static str, why: &'static str) -> Error {
    Error::UnsupportedServer {
        issuer: found.server.listed.clone(),
        member,
        why,
    }
}

async fn open(parts: Parts<'_>, wish: &Wish, settled: &Settled) -> Result<Box<dyn Channel>, Error> {
    let request = InteractionRequest {
        server: parts.config.server.clone(),
        issuer: settled.found.server.listed.clone(),
        redirect_hint: client::redirect_hint(parts, wish, settled).await?,
    };
    Ok(wish.interaction.open(request).await?)
}

async fn authorize(
    parts: Parts<'_>,
    settled: &Settled,
    client: &Client,
    channel: &mut dyn Channel,
    gone: impl Future<Output = ()>,
) -> Result<(AuthorizationRecord, Exchanged), Error> {
    let plan = AuthorizationPlan {
        server: &settled.found.server,
        trusted_issuer: parts.config.discovery.trusted_issuer.as_ref(),
        client_id: &client.id,
        redirect_uri: channel.redirect_uri(),
        resource: settled.resource.as_deref(),
        scopes: &settled.scopes,
    };
    let record = AuthorizationRecord::new(&plan, parts.random, parts.clock.now())?;
    let limit = wait::limit(parts.config);
    let prompt = Prompt {
        url: record.url(
            &settled.authorization_endpoint,
            settled.found.server.is_openid,
            &parts.config.extra_authorize_params,
        )?,
        issuer: settled.found.server.listed.clone(),
        server: parts.config.server.clone(),
        scopes: record.scopes.clone(),
        expires_in: limit,
    };
    let waiting = Waiting {
        record: &record,
        clock: parts.clock,
        limit,
    };
    let code = wait_for_code(waiting, channel, &prompt, gone).await?;
    let form = Form::authorization_code(&code, &record.redirect_uri, &record.verifier)
        .resource(record.resource.as_deref());
    let endpoint = TokenEndpoint {
        http: parts.http,
        clock: parts.clock,
        url: &settled.token_endpoint,
        client,
    };
    let exchanged = exchange(endpoint, form).await?;
    Ok((record, exchanged))
}

impl SignedIn {
    /// When the tokens arrived.
    pub(crate) fn received_at(&self) -> SystemTime {
        self.tokens.received_at
    }
}

/// Each request of discovery has its own limits, but there may be a dozen places to ask: together
/// they take no longer than somebody who waits for a page to open would.
const DISCOVERY_LIMIT: Duration = Duration::from_secs(2 * 60);
