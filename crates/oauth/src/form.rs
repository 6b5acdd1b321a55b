//! The form of a request to the token or revocation endpoint, one constructor for each grant
//! (RFC 6749 §4.1.3 and §6, RFC 7009 §2.1, RFC 8707 §2.2).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use doorkey_discovery::Scopes;
use doorkey_http::{Body, Leg, RedactedUrl, check_endpoint};
use doorkey_store::ClientAuthMethod;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::authorize::without_parameters;
use crate::client::Client;
use crate::error::Error;
use crate::shared::Shared;

/// Form parameters in order. Each name is set at most once. Holds secrets: no `Debug` of values.
#[derive(Clone, Default)]
pub(crate) struct Form {
    parameters: Vec<(&'static str, SecretString)>,
    /// Secrets that are not sent, but that the server knows and its answer may show.
    known: Vec<SecretString>,
}

impl Form {
    /// The exchange of an authorization code (TOK-02, TOK-03).
    pub(crate) fn authorization_code(
        code: &SecretString,
        redirect_uri: &str,
        verifier: &SecretString,
    ) -> Self {
        Self::default()
            .with("grant_type", "authorization_code")
            .with("code", code.expose_secret())
            .with("redirect_uri", redirect_uri)
            .with("code_verifier", verifier.expose_secret())
    }

    /// A refresh (REF-01).
    pub(crate) fn refresh_token(token: &SecretString) -> Self {
        Self::default()
            .with("grant_type", "refresh_token")
            .with("refresh_token", token.expose_secret())
    }

    /// A revocation (REV-02).
    pub(crate) fn revocation(token: &SecretString, hint: &str) -> Self {
        Self::default()
            .with("token", token.expose_secret())
            .with("token_type_hint", hint)
    }

    /// Binds the request to a resource; `None` sends none.
    pub(crate) fn resource(self, resource: Option<&str>) -> Self {
        match resource {
            Some(resource) => self.with("resource", resource),
            None => self,
        }
    }

    /// Asks for these scopes; an empty set is left out.
    pub(crate) fn scopes(self, scopes: &Scopes) -> Self {
        if scopes.is_empty() {
            self
        } else {
            self.with("scope", &scopes.to_string())
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.parameters.retain(|(known, _)| *known != name);
        self.parameters.push((name, SecretString::from(value)));
        self
    }

    /// A secret that no answer may be shown to tell, although it is not sent.
    pub(crate) fn knowing(mut self, secret: Option<&SecretString>) -> Self {
        self.known.extend(secret.cloned());
        self
    }

    /// What of it, and of the client's credentials, no answer may be shown to repeat.
    pub(crate) fn secrets(&self, client: &Client) -> Vec<SecretString> {
        self.parameters
            .iter()
            .filter(|(name, _)| SECRET.contains(name))
            .map(|(_, value)| value)
            .chain(&self.known)
            .chain(&client.secret)
            .cloned()
            .collect()
    }

    /// The POST to `endpoint` with exactly one way of client authentication (TOK-01, TOK-04).
    ///
    /// A `resource` in the endpoint's own query is removed: it is sent once or not at all.
    pub(crate) fn request(
        self,
        endpoint: &Url,
        leg: Leg,
        client: &Client,
        method: ClientAuthMethod,
    ) -> Result<Request<Body>, Error> {
        check_endpoint(endpoint).map_err(|source| Error::Endpoint {
            leg,
            url: RedactedUrl::from(endpoint),
            source: Shared::new(source),
        })?;
        let (form, authorization) = self.authenticated(client, method)?;
        let mut body = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &form.parameters {
            body.append_pair(name, value.expose_secret());
        }
        let mut request = Request::new(Body::from(body.finish()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri(&without_parameters(endpoint, &["resource"]))?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    fn authenticated(
        self,
        client: &Client,
        method: ClientAuthMethod,
    ) -> Result<(Self, Option<HeaderValue>), Error> {
        match (method, &client.secret) {
            (ClientAuthMethod::Basic, Some(secret)) => Ok((self, Some(basic(&client.id, secret)?))),
            (ClientAuthMethod::Post, Some(secret)) => Ok((
                self.with("client_id", &client.id)
                    .with("client_secret", secret.expose_secret()),
                None,
            )),
            (ClientAuthMethod::PrivateKeyJwt, _) => Err(Error::Configuration {
                setting: "auth_method",
                why: String::from("private_key_jwt is not supported"),
            }),
            // A client without a secret is a public one whatever method was agreed on (TOK-08).
            _ => Ok((self.with("client_id", &client.id), None)),
        }
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.parameters.iter().map(|(name, _)| name))
            .finish()
    }
}

/// `client_secret_basic`: both parts form-encoded before they are joined (RFC 6749 §2.3.1, TOK-06).
fn basic(id: &str, secret: &SecretString) -> Result<HeaderValue, Error> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Zeroizing::new(format!("{}:{}", encode(id), encode(secret.expose_secret())));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&text).map_err(|_| Error::Configuration {
        setting: "client_secret",
        why: String::from("it cannot be sent in a header"),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// A checked endpoint as a request target.
pub(crate) fn uri(url: &Url) -> Result<http::Uri, Error> {
    url.as_str()
        .parse()
        .map_err(|cause: http::uri::InvalidUri| Error::invalid_url("endpoint", cause))
}

/// The parameters that are secrets.
const SECRET: [&str; 4] = ["code", "code_verifier", "refresh_token", "token"];

#[cfg(test)]
mod tests;
