//! What the authorization server can do, and how this client gets an id there. Nothing is registered.

use doorkey_discovery::{AuthorizationServerMetadata, Discovered};
use doorkey_http::{Leg, Recorded};
use doorkey_oauth::{ClientSource, Error as OAuthError};

use super::diagnosis::Evidence;
use super::engine::{Doctor, Patient, told};
use super::fault::{Fault, Step};
use super::seen;
use super::table::server as table;

impl Doctor<'_> {
    pub(super) async fn capabilities(&mut self, patient: &Patient, found: &Discovered) {
        self.notes.begin(Step::Capabilities);
        let Some(config) = patient.tokens().config() else {
            return;
        };
        let evidence = self.metadata();
        if let Err(error) = config.check_server(found) {
            let (fault, value) = of_capability(&error, found);
            self.notes.find(fault, evidence, &[("value", value)]);
            let listed = Some(found.server.listed.as_str());
            let offer = self.host.offer(&patient.server, listed, &error);
            self.notes.offer(fault, offer, &patient.server);
        }
        if let Some(page) = &found.server.authorization_endpoint {
            let leg = Leg::AuthorizationServerMetadata;
            let judged = patient.session.http.judge(leg, page).await;
            if let Err(error) = judged {
                let refused = error.refused_address().map(ToString::to_string);
                let value = refused.unwrap_or_else(|| told(&error));
                let evidence = self.metadata();
                let page = page.origin().ascii_serialization();
                self.notes.find(
                    &table::PAGE_REFUSED,
                    evidence,
                    &[("value", value), ("page", page)],
                );
            }
        }
        self.notes.ok(can(&found.server));
    }

    pub(super) async fn client(&mut self, patient: &Patient, found: &Discovered) {
        self.notes.begin(Step::Registration);
        let Some(config) = patient.tokens().config() else {
            return;
        };
        let previous = patient.tokens().grant().await.ok().flatten();
        let previous = previous.map(|stored| stored.value);
        let source = match config.client_source(found, previous.as_ref()) {
            Ok(source) => source,
            Err(error) => {
                let (fault, value) = of_client(&error);
                let evidence = self.metadata();
                let issuer = found.server.listed.as_str();
                let issuer = doorkey_http::clean_text(issuer, 300);
                self.notes
                    .find(fault, evidence, &[("value", value), ("issuer", issuer)]);
                self.notes.ok("");
                return;
            }
        };
        let detail = match source {
            ClientSource::Configured => "the configured client id",
            ClientSource::Document => "the URL of its metadata document",
            ClientSource::NotNeeded => "none is needed",
            _ if previous.as_ref().is_some_and(|it| it.dynamic_registration) => {
                self.registration(patient).await;
                return;
            }
            _ => "registers itself at the first login",
        };
        self.notes.ok(detail);
    }

    /// Whether the server still knows the client that registered itself. A server may give a new token for that
    /// (RFC 7592 §3), which is saved before anything else is done; with `--no-refresh` it is not asked.
    async fn registration(&mut self, patient: &Patient) {
        let mut detail = "registered itself at an earlier login".to_owned();
        if !self.options.refresh {
            detail.push_str("; whether the server knows it was not asked: --no-refresh was given");
            self.notes.ok(detail);
            return;
        }
        let mark = self.recorder.len();
        let known = patient.tokens().client_is_known().await;
        let asked = self.since(mark).into_iter().next();
        match known {
            Ok(Some(true)) => detail.push_str("; the server still knows it"),
            Ok(Some(false)) => {
                let evidence = asked.as_ref().map(|it| self.notes.evidence(it));
                self.notes.find(&table::CLIENT_GONE, evidence, &[]);
            }
            Ok(None) => {}
            Err(error) => {
                detail.push_str("; whether the server knows it: ");
                detail.push_str(&told(&error));
            }
        }
        self.notes.ok(detail);
    }

    /// The document that the capabilities are from.
    fn metadata(&self) -> Option<Evidence> {
        let is_document = |it: &&Recorded| {
            it.leg == Leg::AuthorizationServerMetadata
                && seen::status(it).is_some_and(|status| status.is_success())
        };
        let all = self.since(0);
        let document = all.iter().rev().find(is_document)?;
        Some(Evidence {
            // The whole document is no excerpt of what is wrong with it.
            excerpt: None,
            ..self.notes.evidence(document)
        })
    }
}

fn of_capability(error: &OAuthError, found: &Discovered) -> (&'static Fault, String) {
    let issuer = doorkey_http::clean_text(found.server.listed.as_str(), 300);
    match error {
        OAuthError::PkceUnsupported { .. } => (&table::NO_PKCE, issuer),
        OAuthError::UnsupportedServer { member, why, .. } => {
            let value = format!("`{member}` {why}");
            match *member {
                "grant_types_supported" => (&table::GRANT_NOT_OFFERED, (*why).to_owned()),
                "response_types_supported" => (&table::NO_CODE, issuer),
                "pushed_authorization_request_endpoint" | "require_signed_request_object" => {
                    (&table::SIGNED_REQUESTS, value)
                }
                _ => (&table::ENDPOINT_MISSING, value),
            }
        }
        other => (&table::ENDPOINT_MISSING, told(other)),
    }
}

fn of_client(error: &OAuthError) -> (&'static Fault, String) {
    match error {
        OAuthError::NoClient { issuer, .. } => (
            &table::NO_REGISTRATION,
            doorkey_http::clean_text(issuer.as_str(), 300),
        ),
        OAuthError::UnboundCredentials { discovered } => (
            &table::CREDENTIALS_UNBOUND,
            doorkey_http::clean_text(discovered.as_str(), 300),
        ),
        other => (&table::OTHER_ISSUER_CONFIGURED, told(other)),
    }
}

/// In one line what counts for a login.
fn can(server: &AuthorizationServerMetadata) -> String {
    let offered = [
        (server.supports_s256(), "PKCE S256"),
        (server.authorization_response_iss_parameter_supported, "iss"),
        (server.registration_endpoint.is_some(), "registration"),
        (
            server.client_id_metadata_document_supported,
            "client metadata documents",
        ),
        (server.device_authorization_endpoint.is_some(), "device"),
        (
            server.pushed_authorization_request_endpoint.is_some(),
            "pushed requests",
        ),
        (server.revocation_endpoint.is_some(), "revocation"),
    ];
    let offered = offered
        .into_iter()
        .filter_map(|(is, what)| is.then_some(what));
    let mut parts: Vec<String> = offered.map(str::to_owned).collect();
    let list = |all: Vec<&str>| doorkey_http::clean_text(&all.join(" "), 200);
    parts.push(format!(
        "clients: {}",
        list(server.token_endpoint_auth_methods())
    ));
    parts.push(format!("grants: {}", list(server.grant_types())));
    parts.join(", ")
}
