//! `exchange()`: one request to the token endpoint, whatever the grant (RFC 6749 §3.2, §5).

use std::fmt;

use doorkey_http::{HttpClient, Leg, RedactedUrl};
use doorkey_store::ClientAuthMethod;
use url::Url;

use crate::answer::Answer;
use crate::client::Client;
use crate::clock::Clock;
use crate::error::Error;
use crate::form::Form;
use crate::token_response::TokenResponse;

/// The token endpoint as one client sees it.
#[derive(Clone, Copy)]
pub(crate) struct TokenEndpoint<'a> {
    pub(crate) http: &'a HttpClient,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) url: &'a Url,
    pub(crate) client: &'a Client,
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
/// When a server refuses the client itself (`invalid_client`) although it was named by
/// `client_secret_basic`, the same form goes once more with `client_secret_post`: some servers list
/// the one and accept only the other. Such a refusal comes before the grant is looked at
/// (RFC 6749 §5.2), so the grant is not used twice.
///
/// # Errors
/// [`Error::TokenEndpoint`], [`Error::UnreadableResponse`], [`Error::Http`]. Nothing secret is in
/// any of them.
pub(crate) async fn exchange(endpoint: TokenEndpoint<'_>, form: Form) -> Result<Exchanged, Error> {
    let method = endpoint.client.method;
    let first = match send(endpoint, form.clone(), method).await {
        Err(error) if may_switch(endpoint.client, &error) => error,
        outcome => return outcome,
    };
    tracing::debug!(url = %RedactedUrl::from(endpoint.url), "client_secret_basic refused, trying client_secret_post");
    match send(endpoint, form, ClientAuthMethod::Post).await {
        Err(error) if is_invalid_client(&error) => Err(first),
        outcome => outcome,
    }
}

/// Whether the authorization server refused the client itself.
pub(crate) fn is_invalid_client(error: &Error) -> bool {
    matches!(error, Error::TokenEndpoint { error, .. } if error.is("invalid_client"))
}

fn may_switch(client: &Client, error: &Error) -> bool {
    client.method == ClientAuthMethod::Basic && client.secret.is_some() && is_invalid_client(error)
}

async fn send(
    endpoint: TokenEndpoint<'_>,
    form: Form,
    method: ClientAuthMethod,
) -> Result<Exchanged, Error> {
    let secrets = form.secrets(endpoint.client);
    let request = form.request(endpoint.url, Leg::Token, endpoint.client, method)?;
    let response = endpoint.http.send_collected(Leg::Token, request).await?;
    let now = endpoint.clock.now();
    let answer =
        Answer::new(Leg::Token, RedactedUrl::from(endpoint.url), response, now).to(&secrets);
    let tokens = TokenResponse::read(&answer, now)?;
    Ok(Exchanged { tokens, method })
}

impl fmt::Debug for TokenEndpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("url", &RedactedUrl::from(self.url))
            .field("client", self.client)
            .finish_non_exhaustive()
    }
}
