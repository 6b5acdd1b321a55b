//! An origin (RFC 6454): scheme, host and port, the unit that headers and permissions belong to.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// Scheme, host and port of an absolute URL.
///
/// Hosts are compared in the URL parser's normal form (lower case, punycode) and default ports
/// are filled in, so `https://As.example` and `https://as.example:443` are the same origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// The scheme, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The host as it stands in a URL: a name, or an address literal (IPv6 in brackets).
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own when the URL named none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl From<&Url> for Origin {
    /// A URL without a host (`data:`, `urn:`) has an origin with an empty host, which no request
    /// can be sent to.
    fn from(url: &Url) -> Self {
        Self {
            scheme: url.scheme().to_owned(),
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match (self.scheme.as_str(), self.port) {
            ("https", 443) | ("http", 80) => Ok(()),
            (_, port) => write!(f, ":{port}"),
        }
    }
}

/// Why a text is not an origin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// The text is no absolute URL at all.
    #[error("not an origin: expected something like `https://as.example:8443`")]
    Url(#[from] url::ParseError),
    /// The scheme is neither `https` nor `http`.
    #[error("the scheme of an origin is https or http, not `{0}`")]
    Scheme(String),
    /// The text holds more than scheme, host and port.
    #[error("an origin has no user name, path, query or fragment: write only `{0}`")]
    More(Origin),
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text.trim())?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(OriginError::Scheme(url.scheme().to_owned()));
        }
        let origin = Self::from(&url);
        let bare = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if bare {
            Ok(origin)
        } else {
            Err(OriginError::More(origin))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_ports_and_letter_case_do_not_make_another_origin() {
        for (left, right, same) in [
            ("https://as.example", "https://AS.example:443/", true),
            ("https://as.example", "http://as.example", false),
            ("https://as.example", "https://as.example:8443", false),
            ("http://[::1]:8080", "http://[0:0::1]:8080", true),
        ] {
            let (left, right): (Origin, Origin) = (left.parse().unwrap(), right.parse().unwrap());
            assert_eq!(left == right, same, "{left} and {right}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (text, scheme, host, port) in [
            ("HTTPS://As.Example", "https", "as.example", 443),
            ("http://127.0.0.1", "http", "127.0.0.1", 80),
            ("https://[::1]:8443/", "https", "[::1]", 8443),
        ] {
            let origin: Origin = text.parse().unwrap();
            assert_eq!(
                (origin.scheme(), origin.host(), origin.port()),
                (scheme, host, port),
                "{text}"
            );
        }
        let nowhere = Origin::from(&Url::parse("urn:example:as").unwrap());
        assert_eq!((nowhere.host(), nowhere.port()), ("", 0));
    }

    #[test]
    fn an_origin_is_shown_as_it_is_written() {
        for text in [
            "https://as.example",
            "http://127.0.0.1:8080",
            "https://[::1]:8443",
            "http://as.example",
            "http://as.example:443",
            "https://as.example:80",
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn less_than_an_origin_is_refused() {
        for text in ["as.example", "//as.example", ""] {
            let refused = text.parse::<Origin>();
            assert!(matches!(refused, Err(OriginError::Url(_))), "{text}");
        }
        for (text, found) in [("urn:example:as", "urn"), ("ftp://as.example", "ftp")] {
            let refused = text.parse::<Origin>();
            assert!(
                matches!(&refused, Err(OriginError::Scheme(scheme)) if scheme == found),
                "{text}: {refused:?}"
            );
        }
    }

    #[test]
    fn more_than_an_origin_is_refused_and_what_is_left_of_it_told() {
        for text in [
            "https://as.example/token",
            "https://as.example?x",
            "https://as.example#x",
            "https://user@as.example",
            "https://:password@as.example",
        ] {
            let refused = text.parse::<Origin>();
            assert!(
                matches!(&refused, Err(OriginError::More(origin)) if origin.to_string() == "https://as.example"),
                "{text}: {refused:?}"
            );
        }
    }
}
