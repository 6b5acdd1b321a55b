//! One GET for one document (RFC 8414 §3.1, RFC 9728 §3.1).

use std::time::Duration;

use doorkey_http::{Body, HttpClient, Leg};
use http::header::{ACCEPT, HeaderName, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode};
use url::Url;

use super::{Discovery, Requests};
use crate::attempt::Failure;
use crate::document::DocumentError;
use crate::{AuthorizationServerMetadata, DiscoveryOptions, Issuer, ResourceMetadata};

impl Discovery {
    pub(super) async fn fetch_resource(
        &self,
        url: &Url,
        left: &mut Requests,
    ) -> Result<ResourceMetadata, Failure> {
        left.take()?;
        if let Some(outcome) = self.ahead.take(url).await {
            return outcome;
        }
        let body = get(&self.http, &self.options, Leg::ResourceMetadata, url).await?;
        document(body.as_ref())
    }

    pub(super) async fn fetch_authorization_server(
        &self,
        url: &Url,
        issuer: &Issuer,
        left: &mut Requests,
    ) -> Result<AuthorizationServerMetadata, Failure> {
        left.take()?;
        let leg = Leg::AuthorizationServerMetadata;
        let body = get(&self.http, &self.options, leg, url).await?;
        let parse = |trusted| AuthorizationServerMetadata::parse(body.as_ref(), issuer, trusted);
        let mut outcome = parse(None);
        for trusted in self.options.trusted_for(issuer) {
            if !matches!(outcome, Err(DocumentError::IssuerMismatch { .. })) {
                break;
            }
            outcome = parse(Some(trusted));
        }
        outcome.map_err(Failure::Document)
    }
}

pub(super) fn document(body: &[u8]) -> Result<ResourceMetadata, Failure> {
    ResourceMetadata::parse(body).map_err(Failure::Document)
}

/// The body of a 200. It decides what was found; `Content-Type` does not, as deployed servers
/// get it wrong.
pub(super) async fn get(
    http: &HttpClient,
    options: &DiscoveryOptions,
    leg: Leg,
    url: &Url,
) -> Result<impl AsRef<[u8]> + use<>, Failure> {
    let mut request = Request::get(url.as_str()).header(ACCEPT, "application/json");
    if let Some(version) = &options.protocol_version {
        request = request.header(PROTOCOL_VERSION, version);
    }
    let request = request.body(Body::empty()).map_err(Failure::Request)?;
    let response = http.send_collected(leg, request).await;
    let response = response.map_err(Failure::Http)?;
    match response.status() {
        StatusCode::OK => Ok(response.into_body()),
        status => Err(Failure::Status {
            status,
            retry_after: retry_after(response.headers()),
        }),
    }
}

/// `Retry-After` in seconds, a day at most. A date is left out: there is no clock here to tell its distance.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u32 = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds.into()).min(LONGEST_WAIT))
}

const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
