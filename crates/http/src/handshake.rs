//! What went wrong in a TLS handshake, as far as it decides what a person does next.

use std::fmt;

/// Why there is no secure connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsFault {
    /// The server's certificate comes from an authority that is not trusted.
    UnknownAuthority,
    /// The server's certificate is not valid: another name, expired, revoked, malformed.
    ServerCertificate,
    /// The server demands a client certificate, or did not accept ours.
    ClientCertificate,
    /// Anything else.
    Handshake,
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownAuthority => {
                "the server's certificate comes from an authority that is not trusted; if it is \
                 a private one, add its certificate to the configured roots (CA bundle)"
            }
            Self::ServerCertificate => {
                "the server's certificate is not valid; check the URL, and the clock here"
            }
            Self::ClientCertificate => {
                "the server did not accept our certificate or demands one; \
                 check the setting `client_identity`"
            }
            Self::Handshake => "the TLS handshake failed",
        })
    }
}

#[cfg(feature = "client")]
pub(crate) use found::{find, is_about_our_certificate};

#[cfg(feature = "client")]
mod found {
    use std::error::Error as StdError;
    use std::io;

    use rustls::{AlertDescription, CertificateError, Error};

    use super::TlsFault;
    use crate::cause;

    /// The TLS error among the causes of `err`, if there is one.
    pub(crate) fn find(err: &(dyn StdError + 'static)) -> Option<(TlsFault, Error)> {
        let error = match cause::find::<Error>(err) {
            Some(error) => error.clone(),
            None => Error::AlertReceived(lost_alert(err)?),
        };
        Some((fault(&error), error))
    }

    fn fault(error: &Error) -> TlsFault {
        match error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                TlsFault::UnknownAuthority
            }
            Error::InvalidCertificate(_) => TlsFault::ServerCertificate,
            Error::AlertReceived(alert) if CERTIFICATE_ALERTS.contains(alert) => {
                TlsFault::ClientCertificate
            }
            _ => TlsFault::Handshake,
        }
    }

    /// In TLS 1.3 the server judges the client's certificate after the client is done, so that
    /// its alert is met by HTTP/2, which keeps of such an error no more than kind and text.
    fn lost_alert(err: &(dyn StdError + 'static)) -> Option<AlertDescription> {
        let io = cause::find::<io::Error>(err)?;
        let text = io.to_string();
        CERTIFICATE_ALERTS.into_iter().find(|alert| {
            io.kind() == io::ErrorKind::InvalidData
                && text == Error::AlertReceived(*alert).to_string()
        })
    }

    /// Whether a server says so of a client's certificate.
    pub(crate) fn is_about_our_certificate(alert: AlertDescription) -> bool {
        CERTIFICATE_ALERTS.contains(&alert)
    }

    /// What a server says about a client's certificate (RFC 8446 §6.2).
    const CERTIFICATE_ALERTS: [AlertDescription; 9] = [
        AlertDescription::CertificateRequired,
        AlertDescription::BadCertificate,
        AlertDescription::UnsupportedCertificate,
        AlertDescription::CertificateRevoked,
        AlertDescription::CertificateExpired,
        AlertDescription::CertificateUnknown,
        AlertDescription::UnknownCA,
        AlertDescription::NoCertificate,
        AlertDescription::AccessDenied,
    ];

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn an_alert_is_recognised_by_type_and_by_text() {
            let error = Error::AlertReceived(AlertDescription::CertificateRequired);
            let text = io::Error::new(io::ErrorKind::InvalidData, error.to_string());
            let typed = io::Error::other(error.clone());
            for io in [text, typed] {
                assert_eq!(
                    find(&io),
                    Some((TlsFault::ClientCertificate, error.clone()))
                );
            }
            assert_eq!(
                find(&io::Error::other(
                    "received fatal alert: CertificateRequired"
                )),
                None
            );
        }

        #[test]
        fn faults_are_told_apart() {
            for (error, expected) in [
                (
                    Error::InvalidCertificate(CertificateError::UnknownIssuer),
                    TlsFault::UnknownAuthority,
                ),
                (
                    Error::InvalidCertificate(CertificateError::Expired),
                    TlsFault::ServerCertificate,
                ),
                (
                    Error::AlertReceived(AlertDescription::ProtocolVersion),
                    TlsFault::Handshake,
                ),
                (Error::HandshakeNotComplete, TlsFault::Handshake),
            ] {
                assert_eq!(fault(&error), expected, "{error}");
            }
        }
    }
}
