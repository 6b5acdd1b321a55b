//! How tokens are obtained, without a secret: where a key or a JWT is, never what it is.

use doorkey::{
    AssertionPlace, AssertionSettings, ClientCredentials, EndpointSettings, FlowSettings,
    IdentityProviderSettings, IdentitySettings, OAuthSettings, WorkloadSettings,
};
use doorkey_oauth::{ClientAuthMethod, DpopChoice, Issuer};
use serde::Serialize;
use serde_json::{Value, json};

/// What `oauth` says of flow and client.
#[derive(Serialize)]
pub(super) struct Obtaining<'a> {
    flow: &'static str,
    dpop: &'static str,
    client_id: Option<&'a str>,
    /// Where it is.
    client_secret: Option<String>,
    /// Where it is.
    private_key: Option<String>,
    private_key_id: Option<&'a str>,
    token_endpoint_auth_method: Option<&'static str>,
    issuer: Option<&'a str>,
    accept_discovered_issuer: bool,
    assertion_audience: Option<&'a str>,
    client_metadata_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoints: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workload: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_provider: Option<Value>,
}

impl<'a> Obtaining<'a> {
    pub(super) fn of(oauth: &'a OAuthSettings) -> Self {
        let ClientCredentials {
            secret,
            private_key,
            private_key_id,
            auth_method,
            ..
        } = &oauth.credentials;
        let (workload, identity_provider) = match &oauth.flow {
            FlowSettings::WorkloadIdentity(workload) => (Some(of_workload(workload)), None),
            FlowSettings::EnterpriseManaged(provider) => (None, Some(of_provider(provider))),
            _ => (None, None),
        };
        Self {
            flow: oauth.flow.as_str(),
            dpop: match oauth.dpop {
                DpopChoice::Prefer => "prefer",
                DpopChoice::Require => "require",
                DpopChoice::Off => "off",
                _ => "auto",
            },
            client_id: oauth.client_id.as_deref(),
            client_secret: secret.as_ref().map(ToString::to_string),
            private_key: private_key.as_ref().map(ToString::to_string),
            private_key_id: private_key_id.as_deref(),
            token_endpoint_auth_method: auth_method.map(ClientAuthMethod::as_str),
            issuer: oauth.bound_issuer().map(Issuer::as_str),
            accept_discovered_issuer: oauth.accept_discovered_issuer,
            assertion_audience: oauth.assertion_audience.as_deref(),
            client_metadata_url: oauth.client_metadata_url.as_ref().map(url::Url::as_str),
            endpoints: oauth.endpoints.as_deref().map(of_endpoints),
            workload,
            identity_provider,
        }
    }

    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let optional = [
            ("client_id", self.client_id.map(str::to_owned)),
            ("client_secret", self.client_secret.clone()),
            ("private_key", self.private_key.clone()),
            ("private_key_id", self.private_key_id.map(str::to_owned)),
            (
                "auth_method",
                self.token_endpoint_auth_method.map(str::to_owned),
            ),
            ("configured issuer", self.issuer.map(str::to_owned)),
            (
                "assertion_audience",
                self.assertion_audience.map(str::to_owned),
            ),
            (
                "client_metadata_url",
                self.client_metadata_url.map(str::to_owned),
            ),
            ("workload", self.workload.as_ref().map(in_words)),
            (
                "identity_provider",
                self.identity_provider.as_ref().map(in_words),
            ),
        ];
        let mut lines = vec![
            ("flow", self.flow.to_owned()),
            ("dpop", self.dpop.to_owned()),
        ];
        if self.accept_discovered_issuer {
            lines.push(("accept_discovered_issuer", "true".to_owned()));
        }
        let there = optional.into_iter();
        lines.extend(there.filter_map(|(label, value)| Some((label, value?))));
        for (key, url) in self.endpoints.iter().flat_map(Value::as_object).flatten() {
            let url = url.as_str().unwrap_or_default();
            lines.push(("endpoints", format!("{key} {url}")));
        }
        lines
    }
}

fn of_endpoints(endpoints: &EndpointSettings) -> Value {
    let urls = endpoints.urls();
    let shown = urls.map(|(key, url)| {
        let url = doorkey_http::RedactedUrl::from(url).to_string();
        (key.to_owned(), Value::from(url))
    });
    Value::Object(shown.collect())
}

fn of_workload(workload: &WorkloadSettings) -> Value {
    of_source(&workload.assertion)
}

fn of_provider(provider: &IdentityProviderSettings) -> Value {
    let credentials = &provider.credentials;
    let mut shown = json!({
        "issuer": provider.issuer.as_str(),
        "client_id": provider.client_id,
    });
    let mut add = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            shown[key] = value;
        }
    };
    let endpoint = provider.token_endpoint.as_ref();
    add("token_endpoint", endpoint.map(|url| url.as_str().into()));
    let place = |source: &doorkey::SecretSource| Value::from(source.to_string());
    add("client_secret", credentials.secret.as_ref().map(place));
    add("private_key", credentials.private_key.as_ref().map(place));
    let id = credentials.private_key_id.as_deref();
    add("private_key_id", id.map(Value::from));
    let method = credentials.auth_method;
    add(
        "token_endpoint_auth_method",
        method.map(|method| method.as_str().into()),
    );
    let scopes = Some(&provider.scopes).filter(|scopes| !scopes.is_empty());
    add("scopes", scopes.map(|scopes| json!(scopes)));
    match &provider.identity {
        IdentitySettings::IdToken(from) => add("id_token", Some(of_source(from))),
        IdentitySettings::SamlAssertion(from) => add("saml_assertion", Some(of_source(from))),
        _ => {}
    }
    shown
}

/// The keys as in the configuration; of headers the names, of a URL no query.
fn of_source(source: &AssertionSettings) -> Value {
    let mut shown = match &source.place {
        AssertionPlace::File(path) => json!({ "file": path.display().to_string() }),
        AssertionPlace::Variable(name) => json!({ "env": name }),
        AssertionPlace::Url {
            url,
            headers,
            env_headers,
        } => {
            let names = headers
                .keys()
                .chain(env_headers.iter().map(|(name, _)| name));
            json!({
                "url": doorkey_http::RedactedUrl::from(url).to_string(),
                "headers": names.map(http::HeaderName::as_str).collect::<Vec<_>>(),
            })
        }
        AssertionPlace::Command { program, arguments } => json!({
            "command": program.display().to_string(),
            "arguments": arguments.len(),
        }),
        _ => json!({}),
    };
    if let Some(member) = &source.json_member {
        shown["json_member"] = member.as_str().into();
    }
    shown
}

/// The members of an object on one line.
fn in_words(value: &Value) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Object(_) => format!("({})", in_words(value)),
        other => other.to_string(),
    };
    let members = value.as_object().into_iter().flatten();
    let words: Vec<_> = members
        .map(|(key, value)| format!("{key} {}", text(value)))
        .collect();
    words.join(", ")
}
