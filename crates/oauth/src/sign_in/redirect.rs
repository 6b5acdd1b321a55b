//! The authorization code flow through a browser (OAuth 2.1 §4.1, RFC 7636, RFC 9126).

use doorkey_discovery::{AuthorizationServerMetadata, Issuer, Scopes};
use doorkey_http::{Leg, for_opener};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::ahead::{warm_resource, while_deciding};
use super::pushed::{self, Pushing};
use super::wait::{self, Waiting};
use super::{Failed, Gone, Obtained, Parts, Settled, Wish, client, judge_page};
use crate::authorize::{AuthorizationPlan, AuthorizationRecord};
use crate::client::Client;
use crate::config::LOGIN_HINT;
use crate::error::Error;
use crate::exchange::{Exchanged, TokenEndpoint, exchange};
use crate::form::Form;
use crate::interaction::{CallbackVerdict, Channel, InteractionRequest, Prompt};
use crate::quirk::InForce;
use crate::registration::check_redirect_uri;

pub(super) async fn run(
    parts: Parts<'_>,
    wish: &Wish,
    settled: &Settled,
    mut gone: Gone<'_>,
) -> Result<Obtained, Failed> {
    let (mut channel, client) = tokio::select! {
        biased;
        prepared = prepare(parts, wish, settled) => prepared?,
        () = gone.as_mut() => return Err(Error::LoginAbandoned.into()),
    };
    let may_push = may_push(parts, wish, settled)?;
    match authorize(parts, settled, &client, may_push, channel.as_mut(), gone).await {
        Ok((redirect_uri, exchanged)) => Ok(Obtained {
            client,
            redirect_uri: Some(redirect_uri),
            exchanged,
        }),
        Err(error) => Err(settled.failed(client, error)),
    }
}

/// Whether the client's credentials may go to the server before the person has seen its page.
///
/// # Errors
/// [`Error::UnboundCredentials`] where they would have to.
pub(super) fn may_push(parts: Parts<'_>, wish: &Wish, settled: &Settled) -> Result<bool, Error> {
    let may_push = !client::is_unmeant(parts, wish, settled);
    if !may_push && settled.found.server.require_pushed_authorization_requests {
        let discovered = settled.found.server.listed.clone();
        return Err(Error::UnboundCredentials { discovered });
    }
    Ok(may_push)
}

/// Everything before the browser.
async fn prepare(
    parts: Parts<'_>,
    wish: &Wish,
    settled: &Settled,
) -> Result<(Box<dyn Channel>, Client), Error> {
    let request = InteractionRequest {
        server: parts.config.server.clone(),
        issuer: settled.found.server.listed.clone(),
        redirect_hint: client::redirect_hint(parts, wish, settled).await?,
        redirect_rule: settled.quirks(parts).redirect().cloned(),
    };
    let endpoint = &settled.found.server.authorization_endpoint;
    let page = settled.needed(endpoint.as_ref(), AUTHORIZATION_ENDPOINT)?;
    // Before anything is registered for a page that nobody will see.
    judge_authorization_page(parts, &settled.found.server.listed, page).await?;
    let channel = wish.interaction.open(request).await?;
    check_redirect_uri(channel.redirect_uri())?;
    let client = client::obtain(parts, wish, settled, Some(channel.redirect_uri())).await?;
    Ok((channel, client))
}

/// Whether the authorization page that a server names may be shown to a person (SEC-07).
pub(super) async fn judge_authorization_page(
    parts: Parts<'_>,
    issuer: &Issuer,
    page: &Url,
) -> Result<(), Error> {
    let named = (AUTHORIZATION_ENDPOINT, page);
    judge_page(parts, Leg::AuthorizationServerMetadata, issuer, named).await
}

async fn authorize(
    parts: Parts<'_>,
    settled: &Settled,
    client: &Client,
    may_push: bool,
    channel: &mut dyn Channel,
    gone: Gone<'_>,
) -> Result<(String, Exchanged), Error> {
    let asking = asking(parts, settled, client, may_push)?;
    let endpoint = settled.token_endpoint(parts, client);
    let (record, exchanged) = asking.through(channel, gone, endpoint).await?;
    Ok((record.redirect_uri, exchanged))
}

/// What `client` asks the authorization server of the MCP server for.
pub(super) fn asking<'a>(
    parts: Parts<'a>,
    settled: &'a Settled,
    client: &'a Client,
    may_push: bool,
) -> Result<Asking<'a>, Error> {
    let server = &settled.found.server;
    Ok(Asking {
        parts,
        server,
        trusted_issuer: parts.config.discovery.trusted_issuer.as_ref(),
        endpoint: settled.needed(
            server.authorization_endpoint.as_ref(),
            AUTHORIZATION_ENDPOINT,
        )?,
        client,
        resource: settled.resource.as_deref(),
        scopes: &settled.scopes,
        quirks: Some(parts.config.quirks_of(server.listed.as_str())),
        thumbprint: settled.key.as_ref().map(crate::dpop::DpopKey::thumbprint),
        nonce: None,
        may_push,
    })
}

/// One authorization request and its code, at an MCP server's authorization server or at an identity
/// provider.
#[derive(Clone)]
pub(super) struct Asking<'a> {
    pub(super) parts: Parts<'a>,
    pub(super) server: &'a AuthorizationServerMetadata,
    pub(super) trusted_issuer: Option<&'a Issuer>,
    pub(super) endpoint: &'a Url,
    pub(super) client: &'a Client,
    pub(super) resource: Option<&'a str>,
    pub(super) scopes: &'a Scopes,
    /// What is known of the authorization server of the MCP server; none of an identity provider.
    pub(super) quirks: Option<InForce<'a>>,
    /// The key that the tokens will be bound to (AZ-23).
    pub(super) thumbprint: Option<&'a str>,
    /// What the identity token has to repeat (EMA-14).
    pub(super) nonce: Option<&'a SecretString>,
    /// Whether the client's credentials may go to this server before the person has seen its page.
    pub(super) may_push: bool,
}

impl Asking<'_> {
    /// Sends the person to the page, waits for the code, and exchanges it at `token_endpoint`.
    pub(super) async fn through(
        self,
        channel: &mut dyn Channel,
        mut gone: Gone<'_>,
        token_endpoint: TokenEndpoint<'_>,
    ) -> Result<(AuthorizationRecord, Exchanged), Error> {
        let parts = self.parts;
        let added = self.token_parameters();
        let issuer = self.server.listed.clone();
        let (record, url) = self.request(channel.redirect_uri()).await?;
        let limit = wait::limit(parts.config);
        let prompt = Prompt {
            url,
            issuer,
            server: parts.config.server.clone(),
            scopes: record.scopes.clone(),
            expires_in: limit,
        };
        let waiting = Waiting::new(&record, parts.clock, limit);
        let next = (token_endpoint.leg, token_endpoint.url);
        let first = async {
            waiting.present(channel, &prompt, &mut gone).await?;
            waiting.for_code(channel, &mut gone).await
        };
        let mut arrived = while_deciding(parts, next, first).await?;
        loop {
            warm_resource(parts.http, parts.config);
            let form = form(&record, &arrived.code).extended(added.clone());
            let exchanged = exchange(token_endpoint, form).await;
            match (exchanged, arrived.typed) {
                // Whoever mistyped a code may type it again.
                (Err(error), Some(typed)) if is_refused_code(&error) => {
                    let message = error.to_string();
                    typed.answer(CallbackVerdict::Refused { message });
                    let another = waiting.for_code(channel, &mut gone);
                    arrived = while_deciding(parts, next, another).await?;
                }
                (Ok(exchanged), typed) => {
                    if let Some(typed) = typed {
                        typed.answer(CallbackVerdict::Accepted);
                    }
                    return Ok((record, exchanged));
                }
                (Err(error), _) => return Err(error),
            }
        }
    }

    fn token_parameters(&self) -> Vec<(String, String)> {
        let quirks = self.quirks.as_ref();
        quirks.map_or_else(Vec::new, |quirks| quirks.token_parameters(self.resource))
    }

    /// One request whose answer goes to `redirect_uri`, and the page to open for it.
    pub(super) async fn request(
        self,
        redirect_uri: &str,
    ) -> Result<(AuthorizationRecord, Url), Error> {
        let plan = AuthorizationPlan {
            server: self.server,
            trusted_issuer: self.trusted_issuer,
            client_id: &self.client.id,
            redirect_uri,
            resource: self.resource,
            scopes: self.scopes,
        };
        let now = self.parts.clock.now();
        let mut record = AuthorizationRecord::new(&plan, self.parts.random, now)?;
        let url = self.page(&mut record).await?;
        Ok((record, for_opener(&url)))
    }

    /// The page to open, with the request in it or pushed beforehand.
    async fn page(&self, record: &mut AuthorizationRecord) -> Result<Url, Error> {
        let mut extra = match self.nonce {
            // The host's own parameters are for the authorization server of the MCP server.
            Some(nonce) => {
                record.note_sent(nonce);
                vec![("nonce".to_owned(), nonce.expose_secret().to_owned())]
            }
            None => self.parts.config.extra_authorize_params.clone(),
        };
        let hint = self.parts.config.login_hint.clone();
        extra.extend(hint.map(|hint| (LOGIN_HINT.to_owned(), hint)));
        let quirks = self.quirks.as_ref();
        if let Some(quirks) = quirks {
            let offline = self.parts.config.offline_access;
            extra.extend(quirks.authorize_parameters(&extra, self.resource, offline));
        }
        let scope_parameter = quirks.and_then(InForce::scope_parameter);
        let thumbprint = self.thumbprint.map(str::to_owned);
        extra.extend(thumbprint.map(|thumbprint| ("dpop_jkt".to_owned(), thumbprint)));
        let is_openid = self.server.is_openid;
        let offered = self.server.pushed_authorization_request_endpoint.as_ref();
        let Some(par) = offered.filter(|_| self.may_push) else {
            return record.url(self.endpoint, is_openid, &extra, scope_parameter);
        };
        let mut bare = self.endpoint.clone();
        bare.set_query(None);
        let pushing = Pushing {
            parts: self.parts,
            par,
            client: self.client,
            parameters: &record.url(&bare, is_openid, &extra, scope_parameter)?,
        };
        match pushing.push().await {
            Ok(request_uri) => {
                record.note_sent(&request_uri);
                let page = pushed::page(self.endpoint, &self.client.id, &request_uri);
                record.request_uri = Some(request_uri);
                page
            }
            Err(error) if self.must_push(&error) => Err(error),
            Err(error) => {
                // It was an offer, and the browser can carry the request as well.
                tracing::warn!(%error, "the authorization request could not be pushed");
                record.url(self.endpoint, is_openid, &extra, scope_parameter)
            }
        }
    }

    /// Whether the page would be of no use: the server takes pushed requests alone, or it does not know
    /// the client, which a person would only see on the page (REG-23).
    fn must_push(&self, error: &Error) -> bool {
        self.server.require_pushed_authorization_requests
            || crate::exchange::is_invalid_client(error)
    }
}

/// Whether the server refuses a code that was typed, in whatever words (RFC 6749 §5.2 has `invalid_grant`); a client that
/// it does not know is another matter.
fn is_refused_code(error: &Error) -> bool {
    matches!(error, Error::TokenEndpoint { error: said, .. }
        if !said.is("invalid_client") && !said.is("unauthorized_client"))
        && !error.is_transient()
}

/// The exchange of `code` for the request that it answers (OAuth 2.1 §4.1.3, RFC 8707 §2.2).
pub(super) fn form(record: &AuthorizationRecord, code: &SecretString) -> Form {
    Form::authorization_code(code, &record.redirect_uri, &record.verifier)
        .resource(record.resource.as_deref())
}

pub(super) const AUTHORIZATION_ENDPOINT: &str = "authorization_endpoint";
