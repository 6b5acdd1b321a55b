//! The authorization request: its record and its URL (OAuth 2.1 §4.1.1, RFC 7636, RFC 8707 §2.1).

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use doorkey_discovery::{AuthorizationServerMetadata, Issuer, Scopes};
use doorkey_http::{Leg, RedactedUrl, SentSecrets, check_endpoint};
use oauth2::basic::BasicClient;
use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::config::RESERVED_PARAMETERS;
use crate::error::Error;
use crate::quirk::ScopeParameter;
use crate::random::{Random, unguessable};
use crate::scope::OFFLINE_ACCESS;
use crate::shared::Shared;

/// What one authorization request was, kept until its answer was judged or the login ended (AZ-14).
pub(crate) struct AuthorizationRecord {
    pub(crate) issuer: Issuer,
    /// A second issuer string that the user trusts for this server (AS-07).
    pub(crate) trusted_issuer: Option<Issuer>,
    pub(crate) iss_advertised: bool,
    /// Whether the server is known to hold a code to its request by PKCE.
    pub(crate) pkce_advertised: bool,
    pub(crate) verifier: SecretString,
    pub(crate) state: SecretString,
    pub(crate) redirect_uri: String,
    pub(crate) client_id: String,
    pub(crate) resource: Option<String>,
    pub(crate) scopes: Scopes,
    pub(crate) created_at: SystemTime,
    /// The reference to the request, where it was pushed.
    pub(crate) request_uri: Option<SecretString>,
    /// What no answer may be shown to repeat.
    pub(crate) sent: SentSecrets,
}

/// What the caller settled before the record is made.
pub(crate) struct AuthorizationPlan<'a> {
    pub(crate) server: &'a AuthorizationServerMetadata,
    pub(crate) trusted_issuer: Option<&'a Issuer>,
    pub(crate) client_id: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) resource: Option<&'a str>,
    pub(crate) scopes: &'a Scopes,
}

impl AuthorizationRecord {
    /// Makes a fresh verifier and state for `plan`.
    pub(crate) fn new(
        plan: &AuthorizationPlan<'_>,
        random: &dyn Random,
        now: SystemTime,
    ) -> Result<Self, Error> {
        let state = unguessable(random)?;
        Ok(Self {
            issuer: plan.server.issuer.clone(),
            trusted_issuer: plan.trusted_issuer.cloned(),
            iss_advertised: plan.server.authorization_response_iss_parameter_supported,
            pkce_advertised: plan.server.supports_s256(),
            verifier: unguessable(random)?,
            sent: SentSecrets::default().and(&state),
            request_uri: None,
            state,
            redirect_uri: plan.redirect_uri.to_owned(),
            client_id: plan.client_id.to_owned(),
            resource: plan.resource.map(str::to_owned),
            scopes: plan.scopes.clone(),
            created_at: now,
        })
    }

    /// Notes another secret that goes with the request.
    pub(crate) fn note_sent(&mut self, secret: &SecretString) {
        self.sent = std::mem::take(&mut self.sent).and(secret);
    }

    /// The URL to send the browser to. Parameters the endpoint already has are kept, except those
    /// that are ours: none occurs twice (AZ-21).
    pub(crate) fn url(
        &self,
        endpoint: &Url,
        is_openid: bool,
        extra: &[(String, String)],
        scope_parameter: Option<&ScopeParameter>,
    ) -> Result<Url, Error> {
        check_endpoint(endpoint).map_err(|source| Error::Endpoint {
            leg: Leg::AuthorizationServerMetadata,
            url: RedactedUrl::from(endpoint),
            source: Shared::new(source),
        })?;
        let ours: Vec<&str> = RESERVED_PARAMETERS
            .into_iter()
            .filter(|name| *name != "prompt" || self.prompt(is_openid, extra).is_some())
            .chain(extra.iter().map(|(name, _)| name.as_str()))
            .chain(scope_parameter.map(|parameter| parameter.name.as_str()))
            .collect();
        let mut endpoint = without_parameters(endpoint, &ours);
        endpoint.set_fragment(None);
        let client = BasicClient::new(ClientId::new(self.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(endpoint));
        let redirect = RedirectUrl::new(self.redirect_uri.clone())
            .map_err(|_| Error::RedirectUri(doorkey_http::clean_text(&self.redirect_uri, 200)))?;
        let verifier = PkceCodeVerifier::new(self.verifier.expose_secret().to_owned());
        let state = self.state.expose_secret().to_owned();
        let mut request = client
            .authorize_url(move || CsrfToken::new(state))
            .set_redirect_uri(Cow::Owned(redirect))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        match scope_parameter.filter(|_| !self.scopes.is_empty()) {
            None => {
                let scopes = self.scopes.iter();
                request = request.add_scopes(scopes.map(|scope| Scope::new(scope.to_owned())));
            }
            Some(ScopeParameter { name, separator }) => {
                let scopes: Vec<&str> = self.scopes.iter().collect();
                request = request.add_extra_param(name, scopes.join(separator));
            }
        }
        if let Some(resource) = &self.resource {
            request = request.add_extra_param("resource", resource);
        }
        if let Some(prompt) = self.prompt(is_openid, extra).filter(|p| !p.is_empty()) {
            request = request.add_extra_param("prompt", prompt);
        }
        for (name, value) in extra.iter().filter(|(name, _)| name != "prompt") {
            request = request.add_extra_param(name, value);
        }
        Ok(request.url().0)
    }

    /// What `prompt` is set to: the host's word, else `consent` where OpenID Connect wants it with
    /// `offline_access` (OIDC Core §11).
    fn prompt<'a>(&self, is_openid: bool, extra: &'a [(String, String)]) -> Option<&'a str> {
        extra
            .iter()
            .find(|(name, _)| name == "prompt")
            .map(|(_, value)| value.as_str())
            .or_else(|| (is_openid && self.scopes.contains(OFFLINE_ACCESS)).then_some("consent"))
    }
}

impl fmt::Debug for AuthorizationRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationRecord")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

/// `url` without the query parameters of these names; every other byte of it stays.
pub(crate) fn without_parameters(url: &Url, names: &[&str]) -> Url {
    let Some(query) = url.query() else {
        return url.clone();
    };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            url::form_urlencoded::parse(pair.as_bytes())
                .next()
                .is_none_or(|(name, _)| !names.contains(&name.as_ref()))
        })
        .collect();
    let mut url = url.clone();
    if kept.iter().all(|pair| pair.is_empty()) {
        url.set_query(None);
    } else {
        url.set_query(Some(&kept.join("&")));
    }
    url
}

#[cfg(test)]
mod tests;
