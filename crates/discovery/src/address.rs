//! Which URLs that a server hands out may be used at all: https, or http on loopback, and no
//! userinfo (OAuth 2.1 §1.5; MCP, "Communication Security").

use url::{Host, Url};

use crate::text::is_printable;

/// Why a URL that a server or a configuration gave cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It is no absolute URL.
    #[error("it is not an absolute URL")]
    Invalid(#[source] url::ParseError),
    /// It holds a blank or a control character, which URL parsers drop silently.
    #[error("it contains a blank or a control character")]
    Blank,
    /// It holds a character that no URL has (RFC 3986 §2): a backslash, in which parsers see different hosts, or one that
    /// nobody would see.
    #[error("it contains a character that no URL may have")]
    Character,
    /// It is longer than [`MAX_URL_BYTES`].
    #[error("it is longer than {MAX_URL_BYTES} bytes")]
    TooLong,
    /// It is neither https nor http on loopback.
    #[error("it is neither https nor http on a loopback address")]
    Insecure,
    /// It names a user or a password.
    #[error("it contains a user name or password")]
    UserInfo,
    /// It has a query where none is allowed (issuer identifiers, RFC 8414 §2).
    #[error("it has a query, which an issuer must not have")]
    Query,
    /// It has a fragment where none is allowed (RFC 8414 §2, RFC 6749 §3.1 and §3.2).
    #[error("it has a fragment")]
    Fragment,
}

/// A URL out of a document, a challenge or an answer, say of a page that a person may be shown: https, or http on loopback,
/// without userinfo. It may have a fragment.
///
/// # Errors
/// The rule that it breaks: do not use it, and say which member of what had it.
pub fn url_of_server(text: &str) -> Result<Url, UrlError> {
    parse_url(text)
}

/// The same for an endpoint, which has no fragment (RFC 6749 §3.1, §3.2).
///
/// # Errors
/// As [`url_of_server`].
pub fn endpoint_of_server(text: &str) -> Result<Url, UrlError> {
    parse_endpoint(text)
}

/// Parses `text` and applies the rule; a fragment is tolerated.
pub(crate) fn parse_url(text: &str) -> Result<Url, UrlError> {
    if text.len() > MAX_URL_BYTES {
        return Err(UrlError::TooLong);
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(UrlError::Blank);
    }
    if text.chars().any(|c| c == '\\' || !is_printable(c)) {
        return Err(UrlError::Character);
    }
    let url = Url::parse(text).map_err(UrlError::Invalid)?;
    if url.has_host() && !has_authority(text) {
        return Err(UrlError::Invalid(url::ParseError::RelativeUrlWithoutBase));
    }
    check_url(&url)?;
    Ok(url)
}

/// Parses an endpoint, which has no fragment either.
pub(crate) fn parse_endpoint(text: &str) -> Result<Url, UrlError> {
    let url = parse_url(text)?;
    if url.fragment().is_some() {
        return Err(UrlError::Fragment);
    }
    Ok(url)
}

/// Parses an issuer identifier, which has neither query nor fragment.
pub(crate) fn parse_issuer(text: &str) -> Result<Url, UrlError> {
    let url = parse_endpoint(text)?;
    if url.query().is_some() {
        return Err(UrlError::Query);
    }
    Ok(url)
}

/// https, or http on loopback; no userinfo.
pub(crate) fn check_url(url: &Url) -> Result<(), UrlError> {
    let loopback = || url.scheme() == "http" && url.host().is_some_and(|host| is_loopback(&host));
    if url.scheme() != "https" && !loopback() {
        return Err(UrlError::Insecure);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::UserInfo);
    }
    Ok(())
}

/// Whether a host follows `://`, as RFC 3986 §3 has it. Browsers and their parsers need neither slash.
fn has_authority(text: &str) -> bool {
    let rest = text.split_once(':').map(|(_, rest)| rest);
    let rest = rest.and_then(|rest| rest.strip_prefix("//"));
    rest.is_some_and(|rest| !rest.starts_with('/'))
}

/// The longest URL that a server may name, in bytes.
pub const MAX_URL_BYTES: usize = 4096;

/// Decided on the parsed host alone: a name that merely resolves to loopback is not loopback.
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_and_loopback_http_pass_sec_01_sec_02() {
        for text in [
            "https://as.example/token?tenant=1",
            "http://localhost:1/x",
            "http://LOCALHOST/x",
            "http://127.0.0.1:8080",
            "http://127.9.9.9/",
            "http://2130706433/",
            "http://[::1]:9/",
        ] {
            assert_eq!(parse_url(text).err(), None, "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_sec_01_sec_02_sec_11() {
        for (text, why) in [
            ("http://as.example/token", UrlError::Insecure),
            ("http://localhost.example/", UrlError::Insecure),
            ("http://localhost./", UrlError::Insecure),
            ("http://10.0.0.1/", UrlError::Insecure),
            ("http://[::ffff:10.0.0.1]/", UrlError::Insecure),
            ("javascript:alert(1)", UrlError::Insecure),
            ("file:///etc/passwd", UrlError::Insecure),
            ("data:text/html,x", UrlError::Insecure),
            ("https://user@as.example/", UrlError::UserInfo),
            ("https://:secret@as.example/", UrlError::UserInfo),
            ("https://evil.example\\@as.example/", UrlError::Character),
            ("https:\\\\as.example/", UrlError::Character),
            ("https://as.example/\u{202e}", UrlError::Character),
            ("https://as.\u{200b}example/", UrlError::Character),
            (
                "https:as.example/token",
                UrlError::Invalid(url::ParseError::RelativeUrlWithoutBase),
            ),
            (
                "https:///as.example/token",
                UrlError::Invalid(url::ParseError::RelativeUrlWithoutBase),
            ),
            ("vbscript:x", UrlError::Insecure),
            ("blob:https://as.example/x", UrlError::Insecure),
            ("ms-settings:about", UrlError::Insecure),
            ("ftp://as.example/", UrlError::Insecure),
            ("wss://as.example/", UrlError::Insecure),
            ("view-source:https://as.example/", UrlError::Insecure),
            ("https://as.example/\nx", UrlError::Blank),
            (" https://as.example/", UrlError::Blank),
            (
                "/token",
                UrlError::Invalid(url::ParseError::RelativeUrlWithoutBase),
            ),
            ("https://", UrlError::Invalid(url::ParseError::EmptyHost)),
        ] {
            assert_eq!(parse_url(text), Err(why), "{text}");
        }
    }

    #[test]
    fn a_url_has_a_length_and_an_endpoint_no_fragment_sec_12() {
        let long = |bytes: usize| format!("https://h/{}", "x".repeat(bytes - 10));
        assert!(url_of_server(&long(MAX_URL_BYTES)).is_ok());
        assert_eq!(
            url_of_server(&long(MAX_URL_BYTES + 1)),
            Err(UrlError::TooLong)
        );
        assert!(url_of_server("https://as.example/#/device").is_ok());
        let endpoint = endpoint_of_server("https://as.example/token#x");
        assert_eq!(endpoint, Err(UrlError::Fragment));
    }

    #[test]
    fn an_issuer_has_neither_query_nor_fragment_disc_15() {
        assert_eq!(parse_issuer("https://as.example/t?x"), Err(UrlError::Query));
        assert_eq!(parse_issuer("https://as.example/t?"), Err(UrlError::Query));
        assert_eq!(
            parse_issuer("https://as.example/t#x"),
            Err(UrlError::Fragment)
        );
        assert!(parse_issuer("https://as.example/t/").is_ok());
    }
}
