//! The `resource` of every leg and the URLs its token may go to (RFC 8707 §2, MCP authorization).

use doorkey_discovery::ResourceId;
use url::Url;

use crate::config::ResourceChoice;
use crate::error::Error;

/// What every leg sends as `resource`: the discovered string byte for byte, the value that
/// replaces it, or nothing.
pub(crate) fn choose(choice: &ResourceChoice, discovered: &ResourceId) -> Option<String> {
    match choice {
        ResourceChoice::Auto => Some(discovered.as_str().to_owned()),
        ResourceChoice::Value(value) => Some(value.clone()),
        ResourceChoice::Omit => None,
    }
}

/// Whether a grant bound to `granted` is what `choice` asks for.
pub(crate) fn is_wanted(choice: &ResourceChoice, granted: Option<&str>) -> bool {
    match choice {
        ResourceChoice::Auto => granted.is_some(),
        ResourceChoice::Value(value) => granted == Some(value),
        ResourceChoice::Omit => granted.is_none(),
    }
}

/// Checks a configured resource: an absolute URI without a fragment (RFC 8707 §2).
pub(crate) fn check_value(value: &str) -> Result<(), Error> {
    let wrong = |why: &str| {
        Err(Error::Configuration {
            setting: "resource",
            why: why.to_owned(),
        })
    };
    if value.contains('#') {
        return wrong("a resource has no fragment");
    }
    match Url::parse(value) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            wrong("a resource holds no user name or password")
        }
        Ok(_) => Ok(()),
        Err(_) => wrong("it is not an absolute URI"),
    }
}

/// Whether a token for the MCP server at `server`, bound to `resource`, may be sent to `url`:
/// the same origin, at or under the path of the server or of the resource (USE-03).
pub(crate) fn covers(server: &Url, resource: Option<&str>, url: &Url) -> bool {
    if !same_origin(server, url) || !url.username().is_empty() || url.password().is_some() {
        return false;
    }
    if is_under(server, url) {
        return true;
    }
    resource
        .and_then(|resource| Url::parse(resource).ok())
        .is_some_and(|resource| same_origin(&resource, url) && is_under(&resource, url))
}

/// Whether two http or https URLs share scheme, host and port.
pub(crate) fn same_origin(one: &Url, other: &Url) -> bool {
    matches!(one.scheme(), "http" | "https")
        && one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// A URL as errors may carry it: without user name, password, query and fragment.
pub(crate) fn without_secrets(url: &Url) -> Url {
    let mut url = url.clone();
    // Both fail only for URLs that cannot have either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url
}

fn is_under(base: &Url, url: &Url) -> bool {
    let base = base.path().trim_end_matches('/');
    url.path()
        .strip_prefix(base)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_token_goes_to_its_resource_and_what_lies_under_it_use_03() {
        let cases = [
            ("https://h/mcp", None, "https://h/mcp", true),
            ("https://h/mcp", None, "https://h/mcp/", true),
            ("https://h/mcp/", None, "https://h/mcp", true),
            ("https://h/mcp", None, "https://h/mcp/sub?x=1", true),
            ("https://h/mcp", None, "https://h/mcps", false),
            ("https://h/mcp", None, "https://h/", false),
            ("https://h/mcp", None, "https://h/mcp/../other", false),
            ("https://h/mcp", Some("https://h"), "https://h/other", true),
            ("https://h/mcp", Some("https://x/"), "https://x/mcp", false),
            (
                "https://h/mcp",
                Some("https://x/"),
                "https://h/other",
                false,
            ),
            ("https://h/mcp", Some("https://h/a"), "https://h/b", false),
            ("https://h/mcp", Some("urn:thing"), "https://h/mcp", true),
            ("https://h/mcp", None, "http://h/mcp", false),
            ("https://h/mcp", None, "https://h:8443/mcp", false),
            ("https://h/mcp", None, "https://h:443/mcp", true),
            ("https://h/mcp", None, "https://user@h/mcp", false),
            ("https://h/mcp", None, "https://h.evil/mcp", false),
        ];
        for (server, resource, target, expected) in cases {
            assert_eq!(
                covers(&url(server), resource, &url(target)),
                expected,
                "{server} bound to {resource:?} → {target}"
            );
        }
    }

    #[test]
    fn the_discovered_string_is_kept_byte_for_byte_disc_12() {
        let discovered = ResourceId::new("https://H.example");
        let choose = |choice| choose(&choice, &discovered);
        assert_eq!(
            choose(ResourceChoice::Auto).as_deref(),
            Some("https://H.example")
        );
        let value = ResourceChoice::Value(String::from("api://x"));
        assert_eq!(choose(value).as_deref(), Some("api://x"));
        assert_eq!(choose(ResourceChoice::Omit), None);
    }

    #[test]
    fn a_configured_resource_has_a_scheme_and_no_fragment_az_04() {
        for fine in [
            "https://h/mcp",
            "urn:example:api",
            "api://app-id",
            "https://h",
        ] {
            assert!(check_value(fine).is_ok(), "{fine}");
        }
        for wrong in [
            "",
            "/mcp",
            "h",
            "https://h/#x",
            "https://u:p@h/",
            "https://u@h/",
            "https://:p@h/",
        ] {
            assert!(check_value(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_grant_is_wanted_if_it_is_bound_as_was_chosen() {
        let value = ResourceChoice::Value(String::from("https://h/mcp"));
        let table = [
            (&ResourceChoice::Auto, Some("https://h/mcp"), true),
            (&ResourceChoice::Auto, None, false),
            (&value, Some("https://h/mcp"), true),
            (&value, Some("https://h/mcp/"), false),
            (&value, None, false),
            (&ResourceChoice::Omit, Some("https://h/mcp"), false),
            (&ResourceChoice::Omit, None, true),
        ];
        for (choice, granted, wanted) in table {
            assert_eq!(is_wanted(choice, granted), wanted, "{choice:?} {granted:?}");
        }
    }
}
