//! The secrets of a test, and the proof that each was used: what the servers recorded.

use std::{collections::BTreeSet, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use doorkey_testkit::{Identity, Leg, RecordedRequest};
use url::form_urlencoded;

use super::search::Search;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    AccessToken,
    RefreshToken,
    ClientSecret,
    RegistrationAccessToken,
    AuthorizationCode,
    Verifier,
    State,
    /// Of `http_headers`.
    HeaderValue,
    /// Of `env_http_headers`.
    HeaderFromVariable,
    /// Of `bearer_token_env_var`.
    Bearer,
    ProxyPassword,
    ClientKey,
}

/// A secret that must be nowhere but where it is kept and sent.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Secret {
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
}

impl Secret {
    pub(super) fn new(kind: Kind, text: &str) -> Self {
        Self {
            kind,
            bytes: text.as_bytes().to_vec(),
        }
    }

    /// The private number of a client key: the same bytes in every form the key may take.
    ///
    /// # Panics
    /// When the key is not a P-256 key in PKCS #8, or the search does not see it in its own file.
    pub(super) fn of_client_key(identity: &Identity) -> Self {
        let base64: String = identity
            .key_pem()
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        let der = STANDARD.decode(base64).expect("base64");
        // OCTET STRING of 32 bytes (RFC 5915).
        let at = der.windows(2).position(|tag| tag == [0x04, 0x20]);
        let at = at.expect("a P-256 key") + 2;
        let secret = Self {
            kind: Kind::ClientKey,
            bytes: der[at..at + 32].to_vec(),
        };
        let found = Search::new(std::slice::from_ref(&secret))
            .find(identity.key_pem().as_bytes())
            .len();
        assert!(found > 0, "the key is not found in its own file");
        secret
    }
}

/// The secrets that crossed the wire, as the servers saw them.
#[derive(Debug, Default)]
pub(super) struct Crossed(BTreeSet<Secret>);

impl Crossed {
    /// Reads a record; `headers` says which request headers are secrets of which kind.
    pub(super) fn of(requests: &[RecordedRequest], headers: &[(&str, Kind)]) -> Self {
        let mut crossed = Self::default();
        for request in requests {
            crossed.read(request);
            for (name, kind) in headers {
                crossed.note(*kind, request.header(name).map(str::to_owned));
            }
        }
        crossed
    }

    /// A secret that crossed the wire in a way that the record does not hold: the caller has checked it.
    pub(super) fn and(mut self, secret: Secret) -> Self {
        self.0.insert(secret);
        self
    }

    /// All of them, each of these kinds among them.
    ///
    /// # Panics
    /// When there is none of one kind: then a search for it proves nothing.
    pub(super) fn proven(self, kinds: &[Kind]) -> Vec<Secret> {
        for kind in kinds {
            let count = self.0.iter().filter(|secret| secret.kind == *kind).count();
            assert!(count > 0, "no {kind:?} crossed the wire");
        }
        self.0.into_iter().collect()
    }

    pub(super) fn count(&self, kind: Kind) -> usize {
        self.0.iter().filter(|secret| secret.kind == kind).count()
    }

    fn read(&mut self, request: &RecordedRequest) {
        let bearer = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(str::to_owned);
        match request.leg {
            Leg::Resource => self.note(Kind::AccessToken, bearer),
            Leg::ClientConfiguration => self.note(Kind::RegistrationAccessToken, bearer),
            Leg::Authorization => self.note(Kind::State, request.query("state").pop()),
            Leg::Token => {
                self.note(Kind::RefreshToken, request.form("refresh_token").pop());
                self.note(Kind::AuthorizationCode, request.form("code").pop());
                self.note(Kind::Verifier, request.form("code_verifier").pop());
                self.client_secret(request);
            }
            Leg::Revocation => {
                let hint = request.form("token_type_hint");
                let kind = if hint == ["refresh_token"] {
                    Kind::RefreshToken
                } else {
                    Kind::AccessToken
                };
                self.note(kind, request.form("token").pop());
                self.client_secret(request);
            }
            _ => {}
        }
    }

    fn client_secret(&mut self, request: &RecordedRequest) {
        self.note(Kind::ClientSecret, request.form("client_secret").pop());
        self.note(Kind::ClientSecret, basic_password(request));
    }

    fn note(&mut self, kind: Kind, text: Option<String>) {
        if let Some(text) = text {
            self.0.insert(Secret::new(kind, &text));
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a {:?} of {} bytes", self.kind, self.bytes.len())
    }
}

/// The password of Basic credentials, form-decoded (RFC 6749 §2.3.1).
fn basic_password(request: &RecordedRequest) -> Option<String> {
    let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let query = format!("v={}", pair.split_once(':')?.1);
    let mut values = form_urlencoded::parse(query.as_bytes());
    values.next().map(|(_, value)| value.into_owned())
}
