//! An OAuth error response as data (RFC 6749 §4.1.2.1, §5.2).

use std::fmt;

use doorkey_discovery::url_of_server;
use doorkey_http::{SentSecrets, clean_text};
use serde_json::Value;

/// What an authorization server said went wrong, cleaned of control characters and bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProtocolError {
    /// The `error` code, such as `invalid_grant`.
    pub code: String,
    /// The `error_description`, for people.
    pub description: Option<String>,
    /// The `error_uri`, an https page (or http on loopback): shown, never opened. Any other is left out.
    pub uri: Option<String>,
}

impl ProtocolError {
    /// Cleans and bounds the three members. A code that only becomes one that the protocol knows by what
    /// is taken out is `unspecified`: nothing that hides in a text decides about a grant.
    #[must_use]
    pub fn new(code: &str, description: Option<&str>, uri: Option<&str>) -> Self {
        let member = |text: &str, limit| Some(clean_text(text, limit)).filter(|t| !t.is_empty());
        let shown = clean_text(code, CODE_LIMIT);
        let is_disguised = shown != code.trim() && CODES.contains(&shown.as_str());
        Self {
            code: match is_disguised {
                true => String::from("unspecified"),
                false => shown,
            },
            description: description.and_then(|text| member(text, TEXT_LIMIT)),
            uri: uri
                .filter(|text| url_of_server(text).is_ok())
                .and_then(|text| member(text, TEXT_LIMIT)),
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

    /// The same without the secrets of a request, which servers repeat. The code tells what to do, so one
    /// that the protocol knows stays as it came, whatever a secret happens to be.
    pub(crate) fn without(self, sent: &SentSecrets) -> Self {
        let Self {
            code,
            description,
            uri,
        } = self;
        Self {
            code: match CODES.contains(&code.as_str()) {
                true => code,
                false => sent.strike(&code),
            },
            description: description.map(|text| sent.strike(&text)),
            uri: uri.map(|text| sent.strike(&text)),
        }
    }

    /// Whether this is the code `code`.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// Whether it is the client that is refused, at whichever endpoint (RFC 6749 sections 4.1.2.1 and 5.2).
    pub(crate) fn is_about_client(&self) -> bool {
        ["invalid_client", "unauthorized_client"].contains(&self.code.as_str())
    }

    /// Whether it is the person who is refused, or has something to do in the browser first (RFC 6749 section 4.1.2.1,
    /// OpenID Connect Core section 3.1.2.6).
    pub(crate) fn is_about_person(&self) -> bool {
        [
            "access_denied",
            "login_required",
            "consent_required",
            "interaction_required",
            "account_selection_required",
        ]
        .contains(&self.code.as_str())
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

/// The error codes of RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 7009 §2.2.1, RFC 7591 §3.2.2,
/// RFC 8628 §3.5, RFC 8707 §2, RFC 9396 §5 and RFC 9449 §5 and §8, those of OpenID Connect Core
/// §3.1.2.6 that may come without a person, and what [`ProtocolError`] says when there is none.
const CODES: [&str; 28] = [
    "access_denied",
    "authorization_pending",
    "consent_required",
    "expired_token",
    "insufficient_scope",
    "interaction_required",
    "invalid_authorization_details",
    "invalid_client",
    "invalid_client_metadata",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_redirect_uri",
    "invalid_request",
    "invalid_scope",
    "invalid_software_statement",
    "invalid_target",
    "invalid_token",
    "login_required",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unapproved_software_statement",
    "unauthorized_client",
    "unspecified",
    "unsupported_grant_type",
    "unsupported_response_type",
    "unsupported_token_type",
    "use_dpop_nonce",
];

const CODE_LIMIT: usize = 100;
const TEXT_LIMIT: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_about_an_error_is_a_page_or_nothing_err_08_sec_13() {
        let uri = |uri| ProtocolError::new("server_error", None, Some(uri)).uri;
        for page in ["https://as.example/help", "http://127.0.0.1:9/help"] {
            assert_eq!(uri(page).as_deref(), Some(page));
        }
        for other in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "data:text/html,x",
            "http://as.example/help",
            "https://user:password@as.example/",
            "https://as.example/\u{202e}",
            "https://as.example/\u{1b}[31m",
            "help",
        ] {
            assert_eq!(uri(other), None, "{other}");
        }
    }

    #[test]
    fn a_code_in_disguise_is_none_of_the_protocol_sec_13() {
        let code = |code| ProtocolError::new(code, None, None).code;
        assert_eq!(code("invalid_grant"), "invalid_grant");
        // Some servers end it with a line break.
        assert_eq!(code(" invalid_grant\n"), "invalid_grant");
        for disguised in [
            "invalid_\u{200b}grant",
            "\u{feff}invalid_grant",
            "invalid_\u{1b}[31mgrant",
            "\u{202e}access_denied",
        ] {
            assert_eq!(code(disguised), "unspecified", "{disguised:?}");
        }
        assert_eq!(code("vendor_\u{200b}code"), "vendor_code");
    }

    #[test]
    fn a_code_of_the_protocol_is_never_struck_err_11() {
        let secrets = [
            "client",
            "invalid_grant",
            "invalid_client_metadata_and_more",
            "error",
        ];
        let sent = secrets.iter().fold(SentSecrets::default(), |sent, secret| {
            sent.and(&(*secret).into())
        });
        let error = |code: &str| ProtocolError::new(code, Some(code), None).without(&sent);
        for code in CODES {
            assert!(error(code).is(code), "{code}");
        }
        let grant = error("invalid_grant");
        assert_eq!(grant.description.as_deref(), Some("…"));
        let client = error("invalid_client").description.unwrap();
        assert!(!client.contains("invalid_clie"), "{client}");
        assert_eq!(error("no invalid_grant").code, "no …");
    }
}
