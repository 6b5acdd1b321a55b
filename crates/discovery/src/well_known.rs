//! Where metadata documents are looked for (RFC 9728 §3.1; RFC 8414 §3.1; OpenID Connect Discovery
//! §4.1; MCP "Authorization Server Metadata Discovery").

use url::Url;

use crate::address::{UrlError, parse_issuer};
use crate::{Issuer, Source};

/// The well-known places of the protected resource metadata of `server`, in the order to try them:
/// with the path and query of the server inserted, then at the root. A server URL without either
/// yields one place.
///
/// ```
/// let server = "https://mcp.example/public/mcp".parse()?;
/// let places = doorkey_discovery::resource_metadata_candidates(&server);
/// assert_eq!(places[0].path(), "/.well-known/oauth-protected-resource/public/mcp");
/// assert_eq!(places[1].path(), "/.well-known/oauth-protected-resource");
/// # Ok::<(), url::ParseError>(())
/// ```
#[must_use]
pub fn resource_metadata_candidates(server: &Url) -> Vec<Url> {
    located_resource_metadata(server)
        .into_iter()
        .map(|(_, url)| url)
        .collect()
}

/// The same, each with the source it stands for.
pub(crate) fn located_resource_metadata(server: &Url) -> Vec<(Source, Url)> {
    let root = at_root(server, RESOURCE_SUFFIX);
    let mut inserted = at_root(server, &format!("{RESOURCE_SUFFIX}{}", path_of(server)));
    inserted.set_query(server.query());
    if inserted == root {
        return vec![(Source::RootWellKnown, root)];
    }
    vec![
        (Source::PathWellKnown, inserted),
        (Source::RootWellKnown, root),
    ]
}

/// The places of the metadata of `issuer`, in the order to try them: three for an issuer with a
/// path, two for one without. An issuer with a path never yields the root places, which may belong
/// to another issuer.
///
/// # Errors
/// The issuer is not an absolute https URL (or http on loopback), or has a query, a fragment or
/// userinfo: there is no place to look, and the entry cannot be used.
///
/// ```
/// use doorkey_discovery::{Issuer, authorization_server_candidates};
///
/// let places = authorization_server_candidates(&Issuer::new("https://as.example/tenant1"))?;
/// assert_eq!(
///     places.iter().map(|url| url.path()).collect::<Vec<_>>(),
///     [
///         "/.well-known/oauth-authorization-server/tenant1",
///         "/.well-known/openid-configuration/tenant1",
///         "/tenant1/.well-known/openid-configuration",
///     ]
/// );
/// # Ok::<(), doorkey_discovery::UrlError>(())
/// ```
pub fn authorization_server_candidates(issuer: &Issuer) -> Result<Vec<Url>, UrlError> {
    let url = parse_issuer(issuer.as_str())?;
    let path = url.path().strip_suffix('/').unwrap_or(url.path());
    let mut places = vec![
        format!("{OAUTH_SUFFIX}{path}"),
        format!("{OPENID_SUFFIX}{path}"),
    ];
    if !path.is_empty() {
        places.push(format!("{path}{OPENID_SUFFIX}"));
    }
    Ok(places.iter().map(|place| at_root(&url, place)).collect())
}

/// The one place of the authorization server metadata of an MCP server of revision 2025-03-26: at
/// its origin, whatever its path. The issuer it has to declare is
/// [`legacy_base`](crate::legacy_base).
#[must_use]
pub fn legacy_metadata_candidate(server: &Url) -> Url {
    at_root(server, OAUTH_SUFFIX)
}

/// Whether a document at `url` is an OpenID provider configuration by its place.
#[cfg(any(feature = "fetch", test))]
pub(crate) fn is_openid_place(url: &Url) -> bool {
    url.path().starts_with(OPENID_SUFFIX) || url.path().ends_with(OPENID_SUFFIX)
}

/// `url` with its path replaced, and neither query, fragment nor userinfo.
pub(crate) fn at_root(url: &Url, path: &str) -> Url {
    let mut place = url.clone();
    place.set_path(path);
    place.set_query(None);
    place.set_fragment(None);
    // Both fail only for URLs that have no host, and those have no userinfo to remove.
    let _ = place.set_username("");
    let _ = place.set_password(None);
    place
}

/// The same URL as far as a server sees it.
pub(crate) fn without_fragment(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    url
}

/// The path, less a lone slash after the host.
fn path_of(url: &Url) -> &str {
    match url.path() {
        "/" => "",
        path => path,
    }
}

const RESOURCE_SUFFIX: &str = "/.well-known/oauth-protected-resource";
const OAUTH_SUFFIX: &str = "/.well-known/oauth-authorization-server";
const OPENID_SUFFIX: &str = "/.well-known/openid-configuration";

#[cfg(test)]
mod tests {
    use super::*;

    fn resource_places(server: &str) -> Vec<String> {
        let places = resource_metadata_candidates(&server.parse().unwrap());
        places.into_iter().map(String::from).collect()
    }

    #[test]
    fn the_path_and_query_of_the_server_are_inserted_disc_02_disc_03() {
        const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
        for (server, first, origin) in [
            // RFC 9728 §3.1, example
            (
                "https://resource.example.com/resource1",
                "/resource1",
                "https://resource.example.com",
            ),
            ("https://h/public/mcp", "/public/mcp", "https://h"),
            ("https://h/mcp/", "/mcp/", "https://h"),
            (
                "https://h:8443/mcp?tenant=1#part",
                "/mcp?tenant=1",
                "https://h:8443",
            ),
            ("https://h/?tenant=1", "?tenant=1", "https://h"),
            ("https://h/a%2Fb/%7Ec", "/a%2Fb/%7Ec", "https://h"),
            ("http://[::1]:7/mcp", "/mcp", "http://[::1]:7"),
        ] {
            let expected = [
                format!("{origin}{WELL_KNOWN}{first}"),
                format!("{origin}{WELL_KNOWN}"),
            ];
            assert_eq!(resource_places(server), expected, "{server}");
        }
    }

    #[test]
    fn a_server_without_a_path_has_one_place_disc_04() {
        for server in ["https://h", "https://h/", "https://h/#x"] {
            assert_eq!(
                resource_places(server),
                ["https://h/.well-known/oauth-protected-resource"]
            );
        }
    }

    #[test]
    fn userinfo_takes_no_part_sec_11() {
        for place in resource_places("https://user:pw@h/mcp") {
            assert!(place.starts_with("https://h/"), "{place}");
        }
    }

    #[test]
    fn an_issuer_with_a_path_has_three_places_and_never_the_root_as_02_as_04_as_05() {
        for issuer in ["https://as.example/tenant1", "https://as.example/tenant1/"] {
            let places = authorization_server_candidates(&Issuer::new(issuer)).unwrap();
            let expected = [
                "https://as.example/.well-known/oauth-authorization-server/tenant1",
                "https://as.example/.well-known/openid-configuration/tenant1",
                "https://as.example/tenant1/.well-known/openid-configuration",
            ];
            assert_eq!(
                places.iter().map(Url::as_str).collect::<Vec<_>>(),
                expected,
                "{issuer}"
            );
        }
    }

    #[test]
    fn an_issuer_without_a_path_has_two_places_as_03() {
        for issuer in ["https://as.example", "https://as.example/"] {
            let places = authorization_server_candidates(&Issuer::new(issuer)).unwrap();
            let expected = [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration",
            ];
            assert_eq!(
                places.iter().map(Url::as_str).collect::<Vec<_>>(),
                expected,
                "{issuer}"
            );
        }
    }

    #[test]
    fn an_unusable_issuer_has_no_place_disc_15() {
        for (issuer, why) in [
            ("http://as.example", UrlError::Insecure),
            ("https://as.example/?x", UrlError::Query),
            ("https://as.example/#x", UrlError::Fragment),
            ("https://u@as.example/", UrlError::UserInfo),
            (
                "as.example",
                UrlError::Invalid(url::ParseError::RelativeUrlWithoutBase),
            ),
            (
                "",
                UrlError::Invalid(url::ParseError::RelativeUrlWithoutBase),
            ),
        ] {
            assert_eq!(
                authorization_server_candidates(&Issuer::new(issuer)),
                Err(why),
                "{issuer}"
            );
        }
    }

    #[test]
    fn openid_documents_are_told_by_their_place_as_01() {
        let places = authorization_server_candidates(&Issuer::new("https://as.example/t")).unwrap();
        assert_eq!(
            places.iter().map(is_openid_place).collect::<Vec<_>>(),
            [false, true, true]
        );
    }

    proptest::proptest! {
        #[test]
        fn places_stay_on_the_origin_and_carry_no_secrets(rest in "[a-z0-9/?#%.:@~-]{0,30}") {
            let server = format!("https://user:pw@h:8443/{rest}");
            if let Ok(server) = server.parse::<Url>() {
                let places = resource_metadata_candidates(&server);
                proptest::prop_assert!((1..=2).contains(&places.len()));
                for place in places {
                    proptest::prop_assert_eq!(place.origin(), server.origin());
                    proptest::prop_assert!(place.path().starts_with(RESOURCE_SUFFIX));
                    proptest::prop_assert!(place.username().is_empty() && place.password().is_none());
                    proptest::prop_assert_eq!(place.fragment(), None);
                }
            }
        }
    }
}
