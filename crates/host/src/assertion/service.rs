//! A token that a service answers with, such as a cloud's metadata service.

use doorkey_http::{Body, HttpClient, Leg};
use doorkey_oauth::{AssertionError, AssertionSource, BoxFuture};
use http::{HeaderMap, Request};
use secrecy::{SecretSlice, SecretString};
use url::Url;

use super::{Reading, SourceError};

/// Asks the service with a GET each time, through the client of the server's own requests.
#[derive(Clone, Debug)]
pub(super) struct ServiceSource {
    pub(super) url: Url,
    /// Sensitive, every one of them.
    pub(super) headers: HeaderMap,
    pub(super) reading: Reading,
}

impl AssertionSource for ServiceSource {
    fn assertion<'a>(
        &'a self,
        http: &'a HttpClient,
    ) -> BoxFuture<'a, Result<SecretString, AssertionError>> {
        Box::pin(async move {
            let mut request = Request::get(self.url.as_str())
                .body(Body::empty())
                .map_err(AssertionError::new)?;
            *request.headers_mut() = self.headers.clone();
            let sent = http.send_collected(Leg::IdentityProvider, request).await;
            let (parts, body) = sent.map_err(SourceError::from)?.into_parts();
            if !parts.status.is_success() {
                let url = (&self.url).into();
                let status = parts.status;
                return Err(SourceError::Status { url, status }.into());
            }
            let bytes = SecretSlice::from(body.to_vec());
            Ok(self.reading.of_bytes(&bytes)?)
        })
    }
}
