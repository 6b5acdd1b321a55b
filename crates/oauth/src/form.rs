//! The form of a request to the token endpoint and its neighbours, one constructor for each grant
//! (RFC 6749 §4.1.3, §4.4.2 and §6, RFC 7009 §2.1, RFC 7523 §2, RFC 8628 §3, RFC 8693 §2.1, RFC 8707
//! §2.2).

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
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
use crate::client::{Client, Credential};
use crate::error::Error;
use crate::flow::{DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE};
use crate::shared::Shared;

/// Form parameters in order. Each name is set at most once. Holds secrets: no `Debug` of values.
#[derive(Clone, Default)]
pub(crate) struct Form {
    parameters: Vec<(Cow<'static, str>, SecretString)>,
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

    /// The client's own grant (CC-01).
    pub(crate) fn client_credentials() -> Self {
        Self::default().with("grant_type", "client_credentials")
    }

    /// A grant by a JWT that vouches for who asks (EMA-07, WIF-01, WIF-02).
    pub(crate) fn jwt_bearer(assertion: &SecretString) -> Self {
        Self::default()
            .with("grant_type", JWT_BEARER)
            .with("assertion", assertion.expose_secret())
    }

    /// The start of a device authorization (DEV-02).
    pub(crate) fn device_authorization() -> Self {
        Self::default()
    }

    /// A question whether the person has decided on the other device (DEV-05).
    pub(crate) fn device_code(code: &SecretString) -> Self {
        Self::default()
            .with("grant_type", DEVICE_CODE)
            .with("device_code", code.expose_secret())
    }

    /// An exchange of one token for another at an identity provider (RFC 8693 §2.1).
    pub(crate) fn token_exchange(subject: &SecretString, kind: &str, wanted: &str) -> Self {
        Self::default()
            .with("grant_type", TOKEN_EXCHANGE)
            .with("subject_token", subject.expose_secret())
            .with("subject_token_type", kind)
            .with("requested_token_type", wanted)
    }

    /// A pushed authorization request: the parameters that a browser would carry (RFC 9126 §2.1).
    pub(crate) fn pushed<'a>(
        parameters: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
    ) -> Self {
        let mut form = Self::default();
        for (name, value) in parameters {
            form.parameters.push((
                Cow::Owned(name.into_owned()),
                SecretString::from(value.as_ref()),
            ));
        }
        form
    }

    /// Names the authorization server that an exchanged token is for (EMA-02).
    pub(crate) fn audience(self, audience: &str) -> Self {
        self.with("audience", audience)
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

    /// Adds parameters that nobody has set yet.
    pub(crate) fn extended(mut self, parameters: Vec<(String, String)>) -> Self {
        for (name, value) in parameters {
            if self.parameters.iter().all(|(known, _)| *known != name) {
                let value = SecretString::from(value);
                self.parameters.push((Cow::Owned(name), value));
            }
        }
        self
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.parameters.retain(|(known, _)| *known != name);
        self.parameters
            .push((Cow::Borrowed(name), SecretString::from(value)));
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
            .filter(|(name, _)| SECRET.contains(&name.as_ref()))
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
        credential: impl Into<Credential>,
    ) -> Result<Request<Body>, Error> {
        check_endpoint(endpoint).map_err(|source| Error::Endpoint {
            leg,
            url: RedactedUrl::from(endpoint),
            source: Shared::new(source),
        })?;
        let (form, authorization) = self.authenticated(client, credential.into())?;
        let mut request = Request::new(form.body());
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

    /// The encoded form, wiped when the last copy of it goes.
    fn body(&self) -> Body {
        // A text that grows leaves copies of what it held behind.
        let mut body = form_urlencoded::Serializer::new(String::with_capacity(self.room()));
        for (name, value) in &self.parameters {
            body.append_pair(name, value.expose_secret());
        }
        let body = Zeroizing::new(body.finish().into_bytes());
        Body::from(Bytes::from_owner(body))
    }

    /// More than the encoded form takes: three bytes stand for one at most.
    fn room(&self) -> usize {
        let size = |text: &str| 3 * text.len() + 1;
        let sizes = self.parameters.iter();
        sizes
            .map(|(name, value)| size(name) + size(value.expose_secret()))
            .sum()
    }

    fn authenticated(
        self,
        client: &Client,
        credential: Credential,
    ) -> Result<(Self, Option<HeaderValue>), Error> {
        match (credential, &client.secret) {
            (Credential::Assertion(assertion), _) => Ok((
                self.with("client_assertion_type", CLIENT_ASSERTION)
                    .with("client_assertion", assertion.expose_secret())
                    .with("client_id", &client.id),
                None,
            )),
            (Credential::Method(ClientAuthMethod::Basic), Some(secret)) => {
                Ok((self, Some(basic(&client.id, secret)?)))
            }
            (Credential::Method(ClientAuthMethod::Post), Some(secret)) => Ok((
                self.with("client_id", &client.id)
                    .with("client_secret", secret.expose_secret()),
                None,
            )),
            // Whoever vouches for the request names no client (WIF-04).
            _ if client.id.is_empty() => Ok((self, None)),
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
    let encode = |text: &str| {
        let parts = form_urlencoded::byte_serialize(text.as_bytes());
        Zeroizing::new(parts.collect::<String>())
    };
    let (id, secret) = (encode(id), encode(secret.expose_secret()));
    let pair = Zeroizing::new(format!("{}:{}", *id, *secret));
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
const SECRET: [&str; 9] = [
    "assertion",
    "code",
    "code_verifier",
    "device_code",
    "nonce",
    "refresh_token",
    "state",
    "subject_token",
    "token",
];
/// RFC 7523 §2.2.
const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[cfg(test)]
mod tests;
