//! Names of settings, from those of the libraries to those a person can write into `config.toml`.

/// A message in which every setting has the name it has in the configuration. Limits that cannot be
/// configured are not called settings.
pub(super) fn in_configured_names(message: &str) -> String {
    let mut text = message.to_owned();
    if text.starts_with(MCP_LEG) {
        // Requests of a session may take as long as a tool; the first probe has the general limits.
        text = replaced(text, MCP_LIMITS);
    }
    replaced(text, NAMES)
}

/// The key of the configuration behind a setting of the authorization library.
pub(super) fn key_of(setting: &str) -> &str {
    match setting {
        "extra_authorize_params" => "oauth.authorize_params",
        "metadata_url" => "oauth.client_metadata_url",
        "auth_method" => "oauth.token_endpoint_auth_method",
        "client_secret" => "oauth.client_secret",
        "dpop" => "oauth.dpop",
        "signing_key" => "oauth.private_key",
        "identity_provider.signing_key" => "oauth.identity_provider.private_key",
        "resource" => "oauth_resource",
        other => other,
    }
}

fn replaced(text: String, names: &[(&str, &str)]) -> String {
    names
        .iter()
        .fold(text, |text, (from, to)| text.replace(from, to))
}

const MCP_LEG: &str = "resource request ";

const MCP_LIMITS: &[(&str, &str)] = &[
    (
        "setting `timeouts.total`",
        "settings `tool_timeout_sec` and `total_timeout_sec`",
    ),
    (
        "setting `timeouts.read`",
        "settings `tool_timeout_sec` and `read_timeout_sec`",
    ),
];

const NAMES: &[(&str, &str)] = &[
    ("`timeouts.connect`", "`connect_timeout_sec`"),
    ("`timeouts.read`", "`read_timeout_sec`"),
    ("`timeouts.total`", "`total_timeout_sec`"),
    (" (setting `limits.headers`)", ""),
    (" (setting `limits.redirects`)", ""),
    (" (setting `limits`)", ""),
    ("`addresses.allow`", "`allow_origins`"),
    ("`resource_headers`", "`http_headers`"),
    ("setting `roots`", "setting `ca_certificates`"),
    ("setting `client_identity`", "setting `client_certificate`"),
    (
        "setting `extra_authorize_params`",
        "setting `authorize_params`",
    ),
    ("setting `metadata_url`", "setting `client_metadata_url`"),
    (
        "setting `auth_method`",
        "setting `token_endpoint_auth_method`",
    ),
    ("setting `resource`", "setting `oauth_resource`"),
    ("setting `signing_key`", "setting `private_key`"),
    (
        "setting `identity_provider.signing_key`",
        "setting `identity_provider.private_key`",
    ),
];

#[cfg(test)]
mod tests {
    use doorkey_http::Phase;

    use super::*;

    #[test]
    fn limits_have_the_names_that_can_be_configured() {
        for (leg, phase, named) in [
            ("token", Phase::Connect, "(setting `connect_timeout_sec`)"),
            ("token", Phase::Read, "(setting `read_timeout_sec`)"),
            ("token", Phase::Body, "(setting `total_timeout_sec`)"),
            (
                "resource",
                Phase::Connect,
                "(setting `connect_timeout_sec`)",
            ),
            (
                "resource",
                Phase::Response,
                "(settings `tool_timeout_sec` and `total_timeout_sec`)",
            ),
            (
                "resource",
                Phase::Read,
                "(settings `tool_timeout_sec` and `read_timeout_sec`)",
            ),
        ] {
            let setting = phase.setting();
            let message =
                format!("{leg} request GET https://a.example: late (setting `{setting}`)");
            let told = in_configured_names(&message);
            assert!(told.ends_with(named), "{told}");
        }
    }

    #[test]
    fn limits_that_cannot_be_configured_are_no_settings() {
        for limit in ["limits", "limits.headers", "limits.redirects"] {
            let told = in_configured_names(&format!("longer than 5 bytes (setting `{limit}`)"));
            assert_eq!(told, "longer than 5 bytes");
        }
    }

    #[test]
    fn an_address_that_is_meant_is_allowed_by_a_key_there_is() {
        let refused = doorkey_http::AddressRefused::Closer {
            host: "as.example".to_owned(),
            address: [10, 0, 0, 1].into(),
            class: doorkey_http::AddressClass::of([10, 0, 0, 1].into()),
            user: doorkey_http::AddressClass::of([9, 9, 9, 9].into()),
        };
        let told = in_configured_names(&refused.to_string());
        assert!(told.contains("the setting `allow_origins`"), "{told}");
    }
}
