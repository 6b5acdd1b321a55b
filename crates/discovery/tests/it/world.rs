//! A loopback origin with whatever documents a test puts on it, and a client to discover them with.

use std::time::Duration;

use doorkey_discovery::{Challenges, Discovered, Discovery, DiscoveryOptions, Error};
use doorkey_http::{HttpClient, HttpProfile, Timeouts};
use serde_json::{Value, json};
use url::Url;
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

pub(crate) const PRM: &str = "/.well-known/oauth-protected-resource";
pub(crate) const PRM_AT_PATH: &str = "/.well-known/oauth-protected-resource/mcp";
pub(crate) const OAUTH: &str = "/.well-known/oauth-authorization-server";
pub(crate) const OPENID: &str = "/.well-known/openid-configuration";

/// One origin that answers 404 wherever a test has put nothing.
pub(crate) struct World {
    pub(crate) server: MockServer,
    pub(crate) options: DiscoveryOptions,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self {
            server: MockServer::start().await,
            options: DiscoveryOptions::default(),
        }
    }

    /// Resource metadata at its path and authorization server metadata at the same origin.
    pub(crate) async fn well_configured() -> Self {
        let world = Self::new().await;
        world.json(PRM_AT_PATH, &world.resource_document()).await;
        world
            .json(OAUTH, &world.server_document(&world.origin()))
            .await;
        world
    }

    /// Without a slash at its end.
    pub(crate) fn origin(&self) -> String {
        self.server.uri()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    pub(crate) fn mcp(&self) -> Url {
        self.url("/mcp").parse().unwrap()
    }

    pub(crate) fn resource_document(&self) -> Value {
        self.resource_document_for(&self.url("/mcp"), &[self.origin()])
    }

    pub(crate) fn resource_document_for(
        &self,
        resource: &str,
        issuers: &[impl AsRef<str>],
    ) -> Value {
        let issuers: Vec<_> = issuers.iter().map(AsRef::as_ref).collect();
        json!({ "resource": resource, "authorization_servers": issuers })
    }

    pub(crate) fn server_document(&self, issuer: &str) -> Value {
        json!({
            "issuer": issuer,
            "authorization_endpoint": self.url("/authorize"),
            "token_endpoint": self.url("/token"),
            "code_challenge_methods_supported": ["S256"],
        })
    }

    pub(crate) async fn json(&self, place: &str, document: &Value) {
        self.answer(place, ResponseTemplate::new(200).set_body_json(document))
            .await;
    }

    pub(crate) async fn status(&self, place: &str, code: u16) {
        self.answer(place, ResponseTemplate::new(code)).await;
    }

    pub(crate) async fn answer(&self, place: &str, answer: ResponseTemplate) {
        Mock::given(method("GET"))
            .and(path(place))
            .respond_with(answer)
            .mount(&self.server)
            .await;
    }

    pub(crate) async fn answer_everything_else(&self, answer: ResponseTemplate) {
        Mock::given(path_regex(".*"))
            .respond_with(answer)
            .with_priority(200)
            .mount(&self.server)
            .await;
    }

    pub(crate) fn http(&self) -> HttpClient {
        client(&self.mcp())
    }

    pub(crate) fn discovery(&self) -> Discovery {
        Discovery::new(self.http(), self.options.clone())
    }

    pub(crate) async fn discover(&self, challenge: &str) -> Result<Discovered, Error> {
        self.discovery()
            .discover(&self.mcp(), &Challenges::parse([challenge]))
            .await
    }

    pub(crate) async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap()
    }

    /// The paths that were asked for, in order.
    pub(crate) async fn asked(&self) -> Vec<String> {
        let path_of = |request: &Request| request.url.path().to_owned();
        self.requests().await.iter().map(path_of).collect()
    }
}

/// A client of the MCP server at `server` that does not wait long.
pub(crate) fn client(server: &Url) -> HttpClient {
    let mut profile = HttpProfile::new(server.clone());
    profile.timeouts = Timeouts::new(Duration::from_secs(5), Duration::from_secs(2), SLOW / 2);
    profile.limits.metadata = 64 * 1024;
    HttpClient::new(&profile).unwrap()
}

/// Longer than the client waits, and no longer than a test may take.
pub(crate) const SLOW: Duration = Duration::from_secs(3);

pub(crate) fn bearer_with_metadata(url: &str) -> String {
    format!(r#"Bearer error="invalid_token", resource_metadata="{url}""#)
}

/// The error and all its causes, as a person reads them.
pub(crate) fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
