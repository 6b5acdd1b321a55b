//! Pushed authorization requests (RFC 9126): what the request says goes to the authorization server
//! directly, and the browser carries a reference.

use doorkey_http::{Leg, RedactedUrl, check_endpoint};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::Parts;
use crate::answer::Answer;
use crate::authorize::without_parameters;
use crate::client::Client;
use crate::error::Error;
use crate::exchange::{TokenEndpoint, ask};
use crate::form::Form;
use crate::member::identifier;
use crate::shared::Shared;

/// An authorization request to push.
pub(super) struct Pushing<'a> {
    pub(super) parts: Parts<'a>,
    pub(super) par: &'a Url,
    pub(super) client: &'a Client,
    /// A URL whose query is the request.
    pub(super) parameters: &'a Url,
}

impl Pushing<'_> {
    /// Pushes the request, with the client authentication of the token endpoint (RFC 9126 §2.1).
    /// Returns the reference to it, which is good for one use (§2.2).
    pub(super) async fn push(&self) -> Result<SecretString, Error> {
        let endpoint = TokenEndpoint {
            tools: self.parts.tools(),
            leg: Leg::PushedAuthorization,
            url: self.par,
            client: self.client,
            // The request names the key by its thumbprint (RFC 9449 §10.1).
            key: None,
            shape: None,
        };
        let form = Form::pushed(self.parameters.query_pairs());
        ask(endpoint, form, request_uri).await.map(|(uri, _)| uri)
    }
}

fn request_uri(answer: &Answer) -> Result<SecretString, Error> {
    let mut object = answer.success()?;
    let uri = identifier(answer, &mut object, "request_uri")?;
    uri.map(SecretString::from)
        .ok_or_else(|| answer.unreadable("there is no `request_uri` in it"))
}

/// The page to open for a pushed request (RFC 9126 §4).
pub(super) fn page(
    endpoint: &Url,
    client_id: &str,
    request_uri: &SecretString,
) -> Result<Url, Error> {
    check_endpoint(endpoint).map_err(|source| Error::Endpoint {
        leg: Leg::AuthorizationServerMetadata,
        url: RedactedUrl::from(endpoint),
        source: Shared::new(source),
    })?;
    let mut page = without_parameters(endpoint, &["client_id", "request_uri"]);
    page.set_fragment(None);
    page.query_pairs_mut()
        .append_pair("client_id", client_id)
        .append_pair("request_uri", request_uri.expose_secret());
    Ok(page)
}
