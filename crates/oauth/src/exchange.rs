//! `exchange()`: one request to the token endpoint, or to one that answers as it does, whatever the
//! grant (RFC 6749 §3.2, §5; RFC 9449 §5, §8).

use std::fmt;

use doorkey_http::{HttpClient, Leg, RedactedUrl};
use doorkey_store::ClientAuthMethod;
use http::{HeaderMap, Method};
use url::Url;

use crate::access_token::TokenType;
use crate::answer::Answer;
use crate::client::Client;
use crate::clock::Clock;
use crate::dpop::{Binding, DPOP, DpopKey, NONCE_RETRIES, Nonces, Proven};
use crate::error::Error;
use crate::form::Form;
use crate::random::Random;
use crate::token_response::{Shape, TokenResponse};

/// What every request to an authorization server is made with.
#[derive(Clone, Copy)]
pub(crate) struct Tools<'a> {
    pub(crate) http: &'a HttpClient,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) random: &'a dyn Random,
    /// The nonces of authorization servers; those of the resource are others (DP-14).
    pub(crate) nonces: &'a Nonces,
}

/// An endpoint as one client sees it.
#[derive(Clone, Copy)]
pub(crate) struct TokenEndpoint<'a> {
    pub(crate) tools: Tools<'a>,
    pub(crate) leg: Leg,
    pub(crate) url: &'a Url,
    pub(crate) client: &'a Client,
    /// The key that a token is to be bound to (DP-07).
    pub(crate) key: Option<&'a DpopKey>,
    /// What is odd about its token answers; `None`: nothing.
    pub(crate) shape: Option<&'a Shape>,
}

/// A successful exchange.
#[derive(Debug)]
pub(crate) struct Exchanged {
    pub(crate) tokens: TokenResponse,
    /// The method that worked, to be remembered.
    pub(crate) method: ClientAuthMethod,
}

/// Sends `form` and reads the tokens that come back.
///
/// # Errors
/// [`Error::TokenEndpoint`], [`Error::UnreadableResponse`], [`Error::Http`]. Nothing secret is in
/// any of them.
pub(crate) async fn exchange(endpoint: TokenEndpoint<'_>, form: Form) -> Result<Exchanged, Error> {
    let clock = endpoint.tools.clock;
    let read = |answer: &Answer| {
        let tokens = TokenResponse::read(answer, clock.now(), endpoint.shape)?;
        if tokens.token_type == TokenType::Dpop && endpoint.key.is_none() {
            return Err(answer.unreadable("its `access_token` is bound to a key nobody sent"));
        }
        Ok(tokens)
    };
    let (tokens, method) = ask(endpoint, form, read).await?;
    Ok(Exchanged { tokens, method })
}

impl Exchanged {
    /// Whether the token is bound as it was to be (DP-16).
    pub(crate) fn is_bound_as(&self, binding: Binding) -> bool {
        match (binding, self.tokens.token_type) {
            (Binding::Required, TokenType::Bearer) => false,
            (Binding::Preferred, TokenType::Bearer) => {
                tracing::info!("the authorization server gave a bearer token, not a bound one");
                true
            }
            _ => true,
        }
    }
}

/// Sends `form` and reads the answer.
///
/// When a server refuses the client itself (`invalid_client`) although it was named by
/// `client_secret_basic`, the same form goes once more with `client_secret_post`: some servers list
/// the one and accept only the other. Such a refusal comes before the grant is looked at
/// (RFC 6749 §5.2), so the grant is not used twice.
///
/// # Errors
/// As for [`exchange`].
pub(crate) async fn ask<T>(
    endpoint: TokenEndpoint<'_>,
    form: Form,
    read: impl Fn(&Answer) -> Result<T, Error>,
) -> Result<(T, ClientAuthMethod), Error> {
    let method = endpoint.client.method;
    let first = match send(endpoint, &form, method, &read).await {
        Err(error) if may_switch(endpoint.client, &error) => error,
        outcome => return outcome.map(|read| (read, method)),
    };
    tracing::debug!(url = %RedactedUrl::from(endpoint.url), "client_secret_basic refused, trying client_secret_post");
    match send(endpoint, &form, ClientAuthMethod::Post, &read).await {
        Err(error) if is_invalid_client(&error) => Err(first),
        outcome => outcome.map(|read| (read, ClientAuthMethod::Post)),
    }
}

/// Whether the authorization server refused the client itself.
pub(crate) fn is_invalid_client(error: &Error) -> bool {
    is_refusal(error, "invalid_client")
}

fn is_refusal(error: &Error, code: &str) -> bool {
    matches!(error, Error::TokenEndpoint { error, .. } if error.is(code))
}

fn may_switch(client: &Client, error: &Error) -> bool {
    client.method == ClientAuthMethod::Basic
        && client.secret.is_some()
        && !client.sticks
        && is_invalid_client(error)
}

/// One request; repeated when nothing but a nonce was missing, which is no use of a grant (DP-11).
async fn send<T>(
    endpoint: TokenEndpoint<'_>,
    form: &Form,
    method: ClientAuthMethod,
    read: &impl Fn(&Answer) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut retries = NONCE_RETRIES;
    loop {
        let answer = post(endpoint, form.clone(), method).await?;
        let has_nonce = endpoint.tools.nonces.note(endpoint.url, answer.headers());
        match read(&answer) {
            Err(error) if retries > 0 && has_nonce && endpoint.wants_nonce(&error) => retries -= 1,
            outcome => return outcome,
        }
    }
}

async fn post(
    endpoint: TokenEndpoint<'_>,
    form: Form,
    method: ClientAuthMethod,
) -> Result<Answer, Error> {
    let TokenEndpoint {
        tools,
        leg,
        url,
        client,
        ..
    } = endpoint;
    let mut secrets = form.secrets(client);
    let credential = client.credential(method, tools.clock, tools.random)?;
    secrets.extend(credential.secret().cloned());
    let mut request = form.request(url, leg, client, credential)?;
    endpoint.prove(request.headers_mut())?;
    let response = tools.http.send_collected(leg, request).await?;
    let now = tools.clock.now();
    Ok(Answer::new(leg, RedactedUrl::from(url), response, now).to(&secrets))
}

impl TokenEndpoint<'_> {
    /// Whether a refusal asks for nothing but a nonce; the code says so, not the header (DP-11).
    fn wants_nonce(&self, error: &Error) -> bool {
        self.key.is_some() && is_refusal(error, "use_dpop_nonce")
    }

    /// Adds a fresh proof, where there is a key.
    fn prove(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        let Some(key) = self.key else {
            return Ok(());
        };
        let nonce = self.tools.nonces.of(self.url);
        let proven = Proven {
            method: &Method::POST,
            url: self.url,
            token: None,
            nonce: nonce.as_deref(),
        };
        let proof = key.proof(proven, self.tools.clock.now(), self.tools.random)?;
        headers.insert(DPOP, proof);
        Ok(())
    }
}

impl fmt::Debug for TokenEndpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("leg", &self.leg)
            .field("url", &RedactedUrl::from(self.url))
            .field("client", self.client)
            .finish_non_exhaustive()
    }
}
