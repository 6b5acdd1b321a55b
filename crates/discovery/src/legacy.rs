//! Servers of the MCP revision 2025-03-26, which published no resource metadata: the authorization
//! server is the origin of the MCP server itself ("Authorization Base URL", "Fallbacks for Servers
//! without Metadata Discovery").

use url::Url;

use crate::well_known::at_root;
use crate::{AuthorizationServerMetadata, Issuer};

/// The authorization base URL: the MCP URL without path, query and fragment, and without a final
/// slash. It is the issuer that legacy metadata must declare and a legacy callback may name.
#[must_use]
pub fn legacy_base(server: &Url) -> Issuer {
    let root = at_root(server, "/");
    Issuer::new(root.as_str().trim_end_matches('/'))
}

/// What such a server offers when it has no metadata either: `/authorize`, `/token` and `/register`
/// at the base. They advertise nothing, so PKCE support cannot be checked here (and is used
/// nevertheless).
#[must_use]
pub fn legacy_defaults(server: &Url) -> AuthorizationServerMetadata {
    let mut metadata = AuthorizationServerMetadata::new(legacy_base(server));
    metadata.authorization_endpoint = Some(at_root(server, "/authorize"));
    metadata.token_endpoint = Some(at_root(server, "/token"));
    metadata.registration_endpoint = Some(at_root(server, "/register"));
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_the_url_without_its_path_leg_02() {
        for (server, base) in [
            ("https://h:8443/v1/mcp?x=1#y", "https://h:8443"),
            ("https://h/", "https://h"),
            ("http://localhost:3000/mcp", "http://localhost:3000"),
            ("http://[::1]:3000/mcp", "http://[::1]:3000"),
        ] {
            assert_eq!(legacy_base(&server.parse().unwrap()).as_str(), base);
        }
    }

    #[test]
    fn the_default_endpoints_stand_at_the_base_leg_05_leg_07() {
        let metadata = legacy_defaults(&"https://h:1/v1/mcp?x#y".parse().unwrap());
        let urls = [
            metadata.authorization_endpoint.as_ref(),
            metadata.token_endpoint.as_ref(),
            metadata.registration_endpoint.as_ref(),
        ];
        let expected = [
            "https://h:1/authorize",
            "https://h:1/token",
            "https://h:1/register",
        ];
        assert_eq!(urls.map(|url| url.unwrap().as_str()), expected);
        assert_eq!(metadata.issuer.as_str(), "https://h:1");
        assert!(!metadata.supports_s256(), "nothing is advertised, LEG-06");
    }
}
