//! What is shown of a server: its settings, and what is known of its login.

use doorkey::{AuthStatus, ServerConfig, ServerStatus, Target};
use doorkey_oauth::ResourceChoice;
use serde::Serialize;

use super::credentials::Obtaining;
use crate::cli::subject::typed;

/// What is shown of the settings: names of headers and variables, never a value that may be secret.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    #[serde(flatten)]
    status: &'a ServerStatus,
    protocol: &'a str,
    scopes: &'a [String],
    oauth_resource: &'a str,
    #[serde(flatten)]
    obtaining: Obtaining<'a>,
    bearer_token_env_var: Option<&'a str>,
    http_headers: Vec<&'a str>,
    env_http_headers: Vec<&'a str>,
    startup_timeout_sec: f64,
    tool_timeout_sec: f64,
}

impl<'a> Shown<'a> {
    pub(super) fn new(server: &'a ServerConfig, status: &'a ServerStatus) -> Self {
        Self {
            status,
            protocol: server.protocol.as_str(),
            scopes: &server.scopes,
            oauth_resource: match &server.resource {
                ResourceChoice::Omit => "omit",
                ResourceChoice::Value(value) => value,
                _ => "auto",
            },
            obtaining: Obtaining::of(&server.oauth),
            bearer_token_env_var: server.bearer_token_env_var.as_deref(),
            http_headers: server
                .http_headers
                .keys()
                .map(http::HeaderName::as_str)
                .collect(),
            env_http_headers: server
                .env_http_headers
                .iter()
                .map(|(name, _)| name.as_str())
                .collect(),
            startup_timeout_sec: server.startup_timeout.as_secs_f64(),
            tool_timeout_sec: server.tool_timeout.as_secs_f64(),
        }
    }

    fn started(&self) -> Option<String> {
        let auth = &self.status.auth;
        let until = auth.started_until.as_ref()?;
        let target = Target::new(&self.status.name);
        let target = match auth.is_default {
            true => target,
            false => target.with_account(auth.account.as_str()),
        };
        let finish = format!("doorkey login {} --finish", typed(target));
        Some(format!("until {until}; to finish it: {finish}"))
    }

    fn other_accounts(&self) -> String {
        let others = self.status.other_accounts.iter().map(|auth| {
            let label = auth.account_label.as_ref();
            let label = label.map_or(String::new(), |label| format!(" as {label}"));
            format!("{}{label} ({})", account(auth), auth.status.as_str())
        });
        others.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let auth = &self.status.auth;
        let optional = [
            ("signed in as", auth.account_label.clone()),
            (
                "other accounts",
                Some(self.other_accounts()).filter(|names| !names.is_empty()),
            ),
            ("login started", self.started()),
            ("reason", auth.reason.clone()),
            ("expires_at", auth.expires_at.clone()),
            ("issuer", auth.issuer.clone()),
            ("resource", auth.resource.clone()),
            ("resource_match", auth.resource_match.map(str::to_owned)),
            (
                "granted scopes",
                Some(auth.scopes.join(" ")).filter(|scopes| !scopes.is_empty()),
            ),
            ("client", auth.client_id.clone()),
            ("token", auth.token_type.clone()),
            ("proof", auth.proof.map(str::to_owned)),
            ("last_error", auth.last_error.clone()),
            (
                "bearer_token_env_var",
                self.bearer_token_env_var.map(str::to_owned),
            ),
            (
                "http_headers",
                Some(self.http_headers.join(" ")).filter(|names| !names.is_empty()),
            ),
            (
                "env_http_headers",
                Some(self.env_http_headers.join(" ")).filter(|names| !names.is_empty()),
            ),
        ];
        let mut lines = vec![
            ("name", self.status.name.clone()),
            ("url", self.status.url.clone()),
            ("enabled", self.status.enabled.to_string()),
            ("login", auth.status.as_str().to_owned()),
            ("account", account(auth)),
            (
                "store",
                format!("{} {}", auth.store.kind, auth.store.location),
            ),
            ("protocol", self.protocol.to_owned()),
            ("oauth_resource", self.oauth_resource.to_owned()),
        ];
        if self.bearer_token_env_var.is_none() {
            lines.extend(self.obtaining.lines());
        }
        lines.extend(
            optional
                .into_iter()
                .filter_map(|(label, value)| Some((label, value?))),
        );
        lines
    }
}

/// The name, marked where it is not the one that is used by default.
fn account(auth: &AuthStatus) -> String {
    match auth.is_default {
        true => auth.account.clone(),
        false => format!("{} (not the default)", auth.account),
    }
}
