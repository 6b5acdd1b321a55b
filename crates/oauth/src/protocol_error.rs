//! An OAuth error response as data (RFC 6749 §4.1.2.1, §5.2).

use std::fmt;

use doorkey_http::clean_text;
use serde_json::Value;

/// What an authorization server said went wrong, cleaned of control characters and bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProtocolError {
    /// The `error` code, such as `invalid_grant`.
    pub code: String,
    /// The `error_description`, for people.
    pub description: Option<String>,
    /// The `error_uri`: shown, never opened.
    pub uri: Option<String>,
}

impl ProtocolError {
    /// Cleans and bounds the three members.
    #[must_use]
    pub fn new(code: &str, description: Option<&str>, uri: Option<&str>) -> Self {
        let member = |text: &str, limit| Some(clean_text(text, limit)).filter(|t| !t.is_empty());
        Self {
            code: clean_text(code, CODE_LIMIT),
            description: description.and_then(|text| member(text, TEXT_LIMIT)),
            uri: uri.and_then(|text| member(text, TEXT_LIMIT)),
        }
    }

    /// Reads an error out of a JSON object: the standard members, Slack's `{"ok":false,"error":…}`,
    /// and `{"error":{"code":…,"message":…}}` as API gateways send it.
    #[must_use]
    pub fn from_json(object: &serde_json::Map<String, Value>) -> Option<Self> {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        match object.get("error") {
            Some(Value::String(code)) if !code.is_empty() => Some(Self::new(
                code,
                text("error_description").or_else(|| text("message")),
                text("error_uri"),
            )),
            Some(Value::Object(inner)) => Some(Self::from_gateway(inner)),
            _ if object.get("ok") == Some(&Value::Bool(false)) => {
                Some(Self::new("unspecified", text("message"), None))
            }
            _ => None,
        }
    }

    fn from_gateway(inner: &serde_json::Map<String, Value>) -> Self {
        let code = ["code", "status", "type"]
            .iter()
            .find_map(|name| match inner.get(*name) {
                Some(Value::String(code)) => Some(code.clone()),
                Some(Value::Number(code)) => Some(code.to_string()),
                _ => None,
            })
            .unwrap_or_else(|| String::from("unspecified"));
        Self::new(&code, inner.get("message").and_then(Value::as_str), None)
    }

    /// Whether this is the code `code`.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// Whether trying again later may help: `server_error`, `temporarily_unavailable`, `slow_down`.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        ["server_error", "temporarily_unavailable", "slow_down"].contains(&self.code.as_str())
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        if let Some(description) = &self.description {
            write!(f, ": {description}")?;
        }
        if let Some(uri) = &self.uri {
            write!(f, " (see {uri})")?;
        }
        Ok(())
    }
}

const CODE_LIMIT: usize = 100;
const TEXT_LIMIT: usize = 500;
