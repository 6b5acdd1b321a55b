//! What is shown of a server: its settings, and what is known of its login.

use doorkey::{
    AuthStatus, Environment, NetworkInForce, QuirkState, ServerConfig, ServerStatus, Target,
};
use doorkey_oauth::{Issuer, ResourceChoice};
use serde::Serialize;
use serde_json::Value;

use super::credentials::Obtaining;
use super::network;
use crate::cli::lines::Lines;
use crate::cli::list;

/// What is shown of the settings: names of headers and variables, never a value that may be secret.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    #[serde(flatten)]
    status: &'a ServerStatus,
    protocol: &'a str,
    scopes: &'a [String],
    oauth_resource: &'a str,
    trusted_issuer: Option<&'a str>,
    #[serde(flatten)]
    obtaining: Obtaining<'a>,
    bearer_token_env_var: Option<&'a str>,
    http_headers: Vec<&'a str>,
    env_http_headers: Vec<&'a str>,
    startup_timeout_sec: f64,
    tool_timeout_sec: f64,
    network: Value,
    #[serde(skip)]
    bearer_key: Option<&'static str>,
    #[serde(skip)]
    in_force: &'a NetworkInForce,
    #[serde(skip)]
    environment: &'a Environment,
}

impl<'a> Shown<'a> {
    pub(super) fn new(
        server: &'a ServerConfig,
        status: &'a ServerStatus,
        in_force: &'a NetworkInForce,
        environment: &'a Environment,
    ) -> Self {
        Self {
            status,
            protocol: server.protocol.as_str(),
            scopes: &server.scopes,
            oauth_resource: match &server.resource {
                ResourceChoice::Omit => "omit",
                ResourceChoice::Value(value) => value,
                _ => "auto",
            },
            trusted_issuer: server.trusted_issuer.as_ref().map(Issuer::as_str),
            obtaining: Obtaining::of(&server.oauth),
            bearer_token_env_var: server.bearer_token_env_var.as_deref(),
            http_headers: server
                .http_headers
                .names()
                .map(http::HeaderName::as_str)
                .collect(),
            env_http_headers: server
                .env_http_headers
                .iter()
                .map(|(name, _)| name.as_str())
                .collect(),
            startup_timeout_sec: server.startup_timeout.as_secs_f64(),
            tool_timeout_sec: server.tool_timeout.as_secs_f64(),
            network: network::in_json(in_force, environment),
            bearer_key: server.bearer_key(),
            in_force,
            environment,
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
        let finish = target.command("login --finish");
        Some(format!("until {until}; to finish it: {finish}"))
    }

    fn other_accounts(&self) -> String {
        let others = self.status.other_accounts.iter().map(|auth| {
            let label = auth.account_label.as_ref();
            let label = label.map_or(String::new(), |label| format!(" as {label}"));
            format!("{}{label} ({})", account(auth), auth.status.in_words())
        });
        others.collect::<Vec<_>>().join(", ")
    }

    /// The page for a person: one group after the other.
    pub(super) fn page(&self, width: Option<u16>) -> Vec<String> {
        let groups = [
            ("server", self.of_server()),
            ("login", self.of_login()),
            ("tokens", self.of_tokens()),
            ("quirks", self.of_quirks()),
            ("network", network::in_lines(self.in_force)),
            (
                "headers",
                network::header_lines(self.in_force, self.environment),
            ),
        ];
        let mut page = Vec::new();
        for (heading, lines) in groups {
            page.extend(lines.under(heading, width));
        }
        page
    }

    fn of_server(&self) -> Lines {
        let mut lines = Lines::default();
        lines.add("name", self.status.name.clone());
        lines.add("url", self.status.url.clone());
        lines.add("enabled", self.status.enabled.to_string());
        lines.add("protocol", self.protocol.to_owned());
        lines.add("startup_timeout_sec", self.startup_timeout_sec.to_string());
        lines.add("tool_timeout_sec", self.tool_timeout_sec.to_string());
        lines
    }

    fn of_login(&self) -> Lines {
        let auth = &self.status.auth;
        let mut lines = Lines::default();
        lines.add("status", list::login(self.status, auth));
        lines.add("account", account(auth));
        lines.add_some("signed in as", auth.account_label.clone());
        lines.add_some("other accounts", Some(self.other_accounts()));
        lines.add_some("login started", self.started());
        lines.add_some("reason", auth.reason.clone());
        lines.add_some("expires_at", auth.expires_at.clone());
        lines.add_some("issuer", auth.issuer.clone());
        lines.add_some("resource", auth.resource.clone());
        lines.add_some("resource_match", auth.resource_match.map(str::to_owned));
        lines.add_some("granted scopes", Some(auth.scopes.join(" ")));
        lines.add_some("client", auth.client_id.clone());
        lines.add_some("token", auth.token_type.clone());
        lines.add_some("proof", auth.proof.map(str::to_owned));
        lines.add_some("last_error", auth.last_error.clone());
        let store = format!("{} {}", auth.store.kind, auth.store.location);
        lines.add("store", store);
        lines
    }

    /// What each is about, and how it is switched; what is not used says so first.
    fn of_quirks(&self) -> Lines {
        let mut lines = Lines::default();
        let mut used = Vec::new();
        for quirk in &self.status.quirks {
            let state = match quirk.state {
                QuirkState::Off => "(off) ",
                QuirkState::ByChoice => "(not used unless quirks_on names it) ",
                _ => "",
            };
            if quirk.state == QuirkState::On {
                used.push(quirk.id.as_str());
            }
            let said = format!("{state}{} ({})", quirk.what, quirk.because);
            lines.add(&quirk.id, said);
        }
        if !used.is_empty() {
            let name = &self.status.name;
            let text = format!("quirks_off = {used:?} in [mcp_servers.{name}]");
            lines.add("to switch off", text);
        }
        lines
    }

    fn of_tokens(&self) -> Lines {
        let mut lines = Lines::default();
        if let Some(variable) = self.bearer_token_env_var {
            lines.add("bearer_token_env_var", variable.to_owned());
            return lines;
        }
        if let Some(key) = self.bearer_key {
            let text = format!("{key}, in place of a login");
            lines.add("Authorization", text);
            return lines;
        }
        lines.add("oauth_resource", self.oauth_resource.to_owned());
        lines.add_some("trusted_issuer", self.trusted_issuer.map(str::to_owned));
        lines.add_some("scopes", Some(self.scopes.join(" ")));
        lines.extend(self.obtaining.lines());
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
