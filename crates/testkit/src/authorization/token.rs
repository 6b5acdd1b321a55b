//! The token endpoint (RFC 6749 §4.1.3, §5, §6; RFC 7636 §4.6; RFC 8707 §2.2).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    authenticate::{Posted, authenticate},
    binding,
    client::{Client, ClientAuthMethod},
    client_credentials, device,
    grant_type::GrantType,
    issue::{Issue, issue, refresh_refused, unusable, wants_refresh},
    jwt_bearer, odd,
    server::{Core, Refusal, uncached},
    target::check_resource,
    token_exchange,
    vault::Grant,
};
use crate::{
    Leg,
    reply::{self, Reply},
    request::{Parameters, Received},
};

/// A token request whose client is known.
pub(super) struct TokenRequest<'a> {
    pub(super) core: &'a Core,
    pub(super) origin: &'a str,
    pub(super) client: Client,
    pub(super) parameters: &'a Parameters,
    /// The key that a DPoP proof was made with.
    pub(super) thumbprint: Option<String>,
}

pub(super) fn answer(core: &Core, origin: &str, request: &Received) -> Reply {
    core.count(|c| c.token_requests += 1);
    match try_token(core, origin, request) {
        Ok(answer) => {
            let reply = odd::answer(core, &answer)
                .unwrap_or_else(|| uncached(reply::json(StatusCode::OK, &answer)));
            binding::renew_nonce(core, reply)
        }
        Err(refusal) => {
            let usual = core.refuse(Leg::Token, &refusal);
            odd::refusal(core, &refusal).unwrap_or(usual)
        }
    }
}

fn try_token(core: &Core, origin: &str, request: &Received) -> Result<Value, Refusal> {
    let posted = Posted::read(origin, request)?;
    let named = required(&posted.parameters, "grant_type")?;
    let Some(grant_type) = GrantType::taken(core, named) else {
        let why = "the server does not offer this grant";
        return Err(Refusal::new("unsupported_grant_type", why));
    };
    let authenticated = || TokenRequest::read(core, &posted, grant_type);
    match grant_type {
        GrantType::AuthorizationCode => exchange_code(&authenticated()?),
        GrantType::RefreshToken => refresh(&authenticated()?),
        GrantType::ClientCredentials => client_credentials::grant(&authenticated()?),
        GrantType::DeviceCode => device::grant(&authenticated()?),
        GrantType::TokenExchange => token_exchange::grant(&authenticated()?),
        // The only grant that may need no client.
        GrantType::JwtBearer => jwt_bearer::grant(core, &posted),
    }
}

fn exchange_code(request: &TokenRequest<'_>) -> Result<Value, Refusal> {
    let (core, client) = (request.core, &request.client);
    let code = request.required("code")?;
    let redirect_uri = request.required("redirect_uri")?;
    let verifier = request.required("code_verifier")?;
    let now = core.clock.now();
    let bound = core.vault().take_code(code, &client.id, now);
    let bound = bound.map_err(|why| unusable("code", why))?;
    if redirect_uri != bound.redirect_uri {
        let why = "redirect_uri is not the one of the authorization request";
        return Err(Refusal::new("invalid_grant", why));
    }
    check_verifier(verifier, &bound.challenge)?;
    let used = request.thumbprint.as_ref();
    binding::check_key(core, bound.dpop_jkt.as_ref(), used, "authorization")?;
    check_resource(
        core,
        request.parameters,
        &bound.grant.audience,
        bound.resource_sent,
    )?;
    let answer = issue(
        core,
        Issue {
            refreshable: client.may_use("refresh_token")
                && bound.may_refresh
                && wants_refresh(core, &bound.grant),
            scopes: bound.grant.scopes.clone(),
            grant: request.bound(bound.grant),
            resource_sent: bound.resource_sent,
            nonce: bound.nonce,
            thumbprint: request.thumbprint.clone(),
            spent: None,
        },
    )?;
    core.count(|c| c.code_exchanges += 1);
    Ok(answer)
}

fn refresh(request: &TokenRequest<'_>) -> Result<Value, Refusal> {
    let (core, client) = (request.core, &request.client);
    let token = request.required("refresh_token")?;
    let now = core.clock.now();
    let known = core.vault().refresh_token(token, &client.id, now);
    let known = known.map_err(|why| refresh_refused(core, why))?;
    let used = request.thumbprint.as_ref();
    binding::check_key(core, known.grant.bound_to.as_ref(), used, "refresh token")?;
    check_resource(
        core,
        request.parameters,
        &known.grant.audience,
        known.resource_sent,
    )?;
    let sent = request.parameters.first("scope");
    odd::check_refresh_scopes(core, sent, &known.grant.scopes)?;
    let scopes = match sent {
        None => known.grant.scopes.clone(),
        Some(scope) => narrowed(scope, &known.grant.scopes)?,
    };
    let answer = issue(
        core,
        Issue {
            refreshable: true,
            scopes,
            grant: request.bound(known.grant),
            resource_sent: known.resource_sent,
            // OpenID Connect Core §12.2.
            nonce: None,
            thumbprint: request.thumbprint.clone(),
            spent: Some(token),
        },
    )?;
    core.count(|c| c.refreshes += 1);
    Ok(answer)
}

impl<'a> TokenRequest<'a> {
    /// Authenticates the client, checks that the grant is its own, and looks for a proof.
    fn read(
        core: &'a Core,
        posted: &'a Posted<'_>,
        grant_type: GrantType,
    ) -> Result<Self, Refusal> {
        let client = authenticate(core, posted)?;
        if grant_type == GrantType::RefreshToken {
            core.count(|c| c.refresh_requests += 1);
        }
        if !client.may_use(grant_type.as_str()) {
            let why = "the client did not register this grant";
            return Err(Refusal::new("unauthorized_client", why));
        }
        Ok(Self {
            core,
            origin: posted.origin,
            thumbprint: binding::demanded(core, posted, Some(&client))?,
            client,
            parameters: &posted.parameters,
        })
    }

    /// The issuer identifier by which the client knows the server.
    pub(super) fn issuer(&self) -> String {
        self.core.issuer(self.origin)
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        required(self.parameters, name)
    }

    /// The grant as its refresh token keeps it: that of a public client is bound to the key,
    /// others are by the client's authentication already (RFC 9449 §5).
    pub(super) fn bound(&self, grant: Grant) -> Grant {
        match &self.thumbprint {
            Some(key) if self.client.method == ClientAuthMethod::None => Grant {
                bound_to: Some(key.clone()),
                ..grant
            },
            _ => grant,
        }
    }
}

/// The scopes of a refresh request, which cannot exceed the granted ones (RFC 6749 §6).
fn narrowed(scope: &str, granted: &[String]) -> Result<Vec<String>, Refusal> {
    let asked: Vec<String> = scope.split(' ').map(str::to_owned).collect();
    if asked.iter().all(|scope| granted.contains(scope)) {
        return Ok(asked);
    }
    let why = "a refresh cannot widen the granted scopes";
    Err(Refusal::new("invalid_scope", why))
}

/// RFC 7636 §4.1 and §4.6.
fn check_verifier(verifier: &str, challenge: &str) -> Result<(), Refusal> {
    let legal = |c: u8| c.is_ascii_alphanumeric() || b"-._~".contains(&c);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(legal) {
        let why = "code_verifier is not 43 to 128 unreserved characters";
        return Err(Refusal::new("invalid_request", why));
    }
    let hash = Sha256::digest(verifier.as_bytes());
    if URL_SAFE_NO_PAD.encode(hash) == challenge {
        Ok(())
    } else {
        let why = "code_verifier does not match the challenge";
        Err(Refusal::new("invalid_grant", why))
    }
}

fn required<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a str, Refusal> {
    parameters
        .first(name)
        .ok_or_else(|| Refusal::new("invalid_request", format!("{name} is missing")))
}
