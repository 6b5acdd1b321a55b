//! What ends discovery.

mod kind;

use std::time::Duration;

use doorkey_http::{Leg, RedactedUrl};

use crate::attempt::{Attempts, Class};
use crate::document::DocumentError;
use crate::resource::ResourceMismatch;
use crate::text::Quoted;
use crate::{Issuer, UrlError};

/// Why no authorization server was found. Nothing stored is touched by any of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The metadata speaks for another resource. Final: no other place was asked and the server it
    /// named was not contacted. The operator of the MCP server has to correct it, or the configured
    /// URL is not the right one.
    #[error("the resource metadata at {url} is not about this server")]
    ResourceMismatch {
        /// Where the document was found.
        url: RedactedUrl,
        /// What it said.
        source: ResourceMismatch,
    },
    /// The metadata of the authorization server declares another issuer. If that is known to be
    /// right for this server, name it as the trusted issuer in the configuration.
    #[error("no metadata of the authorization server {} declares that issuer", Quoted(issuer.as_str()))]
    IssuerMismatch {
        /// The issuer that was looked for.
        issuer: Issuer,
        /// The issuer that was found; `None` if the document names none.
        published: Option<Issuer>,
        /// Every place that was tried.
        source: Attempts,
    },
    /// The document is in none of its places, and every answer says so for good.
    #[error("{leg} not found")]
    NotFound {
        /// Which document.
        leg: Leg,
        /// Every place that was tried.
        source: Attempts,
    },
    /// The document could not be fetched; whether it exists is unknown. Try again later, not before
    /// [`retry_after`](Error::retry_after).
    #[error("{leg} could not be fetched")]
    Unreachable {
        /// Which document.
        leg: Leg,
        /// Every place that was tried.
        source: Attempts,
    },
    /// The document is there and cannot be used; its publisher has to correct it.
    #[error("the {leg} at {url} cannot be used")]
    Invalid {
        /// Which document.
        leg: Leg,
        /// Where it was found.
        url: RedactedUrl,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// The URL of the MCP server cannot be used; correct the configuration.
    #[error("the URL of the MCP server cannot be used")]
    ServerUrl {
        /// The rule it breaks.
        source: UrlError,
    },
    /// The challenge names a metadata URL that must not be used. Final: the well-known places are
    /// not asked instead.
    #[error("the `resource_metadata` URL of the challenge cannot be used")]
    MetadataUrl {
        /// The rule it breaks.
        source: UrlError,
    },
    /// The resource metadata names no authorization server, and none is configured.
    #[error(
        "the resource metadata at {url} names no authorization server; \
         configure one, if the operator names it"
    )]
    NoAuthorizationServer {
        /// Where the document was found.
        url: RedactedUrl,
    },
    /// The resource metadata names only authorization servers that the configuration does not
    /// allow.
    #[error("the resource metadata at {url} names no authorization server that is allowed here")]
    NoneAllowed {
        /// Where the document was found.
        url: RedactedUrl,
        /// The servers it names.
        listed: Vec<Issuer>,
    },
    /// The resource does not accept tokens in the `Authorization` header (RFC 9728 §2), the only
    /// way they are sent here.
    #[error(
        "the resource metadata at {url} does not list `header` in `bearer_methods_supported`, \
         and tokens are sent in no other way"
    )]
    HeaderNotAccepted {
        /// Where the document was found.
        url: RedactedUrl,
    },
    /// The MCP server could not be asked.
    #[error(transparent)]
    Http(#[from] doorkey_http::Error),
}

impl Error {
    /// Whether trying again later may help without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => source.is_transient(),
            Self::Http(error) => error.is_transient(),
            _ => false,
        }
    }

    /// How long the servers asked to wait before the next attempt, the longest of all places; for
    /// errors that are [transient](Self::is_transient).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unreachable { source, .. } => source.retry_after(),
            _ => None,
        }
    }

    /// Always false: no login cures a failed discovery.
    #[must_use]
    pub const fn needs_login(&self) -> bool {
        false
    }

    /// Every place that was tried, when the error is about places.
    #[must_use]
    pub const fn attempts(&self) -> Option<&Attempts> {
        match self {
            Self::NotFound { source, .. }
            | Self::Unreachable { source, .. }
            | Self::IssuerMismatch { source, .. } => Some(source),
            _ => None,
        }
    }

    /// The end of a search that found nothing to stop at: absent everywhere, or unknown.
    pub(crate) fn nowhere(leg: Leg, source: Attempts) -> Self {
        if source.gravest() >= Some(Class::Trouble) {
            Self::Unreachable { leg, source }
        } else {
            Self::NotFound { leg, source }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::attempt::{Attempt, Failure};

    /// Places that answered with these statuses, each asking to wait as many seconds as its place
    /// in the list.
    fn answered(codes: &[u16]) -> Attempts {
        let mut attempts = Attempts::default();
        for (code, seconds) in codes.iter().zip(1..) {
            let failure = Failure::Status {
                status: StatusCode::from_u16(*code).unwrap(),
                retry_after: Some(Duration::from_secs(seconds)),
            };
            let url = format!("https://h/{seconds}").parse().unwrap();
            attempts.push(Attempt::at(&url, failure));
        }
        attempts
    }

    fn nowhere(codes: &[u16]) -> Error {
        Error::nowhere(Leg::ResourceMetadata, answered(codes))
    }

    fn wrong_issuer() -> Error {
        Error::IssuerMismatch {
            issuer: Issuer::new("https://as.example"),
            published: None,
            source: answered(&[404, 503]),
        }
    }

    #[test]
    fn what_every_place_denies_is_not_found_and_all_else_unknown_disc_17_disc_25() {
        for codes in [&[404][..], &[404, 401, 410]] {
            let error = nowhere(codes);
            assert!(matches!(error, Error::NotFound { .. }), "{codes:?}");
            assert!(!error.is_transient(), "{codes:?}");
            assert_eq!(error.retry_after(), None, "{codes:?}");
        }
        for (codes, transient) in [
            (&[404, 503][..], true),
            (&[429, 404], true),
            (&[302], false),
        ] {
            let error = nowhere(codes);
            assert!(matches!(error, Error::Unreachable { .. }), "{codes:?}");
            assert_eq!(error.is_transient(), transient, "{codes:?}");
        }
        let waits = nowhere(&[404, 503, 429, 404]).retry_after();
        assert_eq!(waits, Some(Duration::from_secs(3)));
    }

    #[test]
    fn only_trouble_may_pass_by_itself_and_no_login_helps_err_09() {
        let unusable = doorkey_http::Error::HeaderRefused {
            name: "x".to_owned(),
        };
        for error in [wrong_issuer(), unusable.into(), nowhere(&[404])] {
            assert!(!error.is_transient(), "{error}");
            assert_eq!(error.retry_after(), None, "{error}");
            assert!(!error.needs_login(), "{error}");
        }
    }

    #[test]
    fn errors_about_places_name_them_all_as_13() {
        let count = |error: &Error| error.attempts().map(|attempts| attempts.iter().count());
        assert_eq!(count(&nowhere(&[404])), Some(1));
        assert_eq!(count(&nowhere(&[404, 500, 404])), Some(3));
        assert_eq!(count(&wrong_issuer()), Some(2));
        let source = UrlError::Insecure;
        assert_eq!(count(&Error::ServerUrl { source }), None);
    }
}
