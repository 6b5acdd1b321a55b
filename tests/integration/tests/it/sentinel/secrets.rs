//! The secrets of a test, and the proof that each was used: what the servers recorded.

use std::{collections::BTreeSet, fmt};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use doorkey_testkit::{Leg, RecordedRequest};
use integration::IdentityProvider;
use serde_json::Value;
use url::form_urlencoded;

use super::search::Search;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
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
    /// Of a header whose value is in a file.
    HeaderFromFile,
    /// Of a header whose value a program prints.
    HeaderFromProgram,
    /// Of `bearer_token_env_var`.
    Bearer,
    ProxyPassword,
    /// Of a client certificate.
    ClientKey,
    /// What client assertions are signed with.
    SigningKey,
    ClientAssertion,
    /// What tokens are bound to.
    DpopKey,
    DpopProof,
    WorkloadJwt,
    IdToken,
    /// Of a sign-on.
    IdentityRefreshToken,
    IdJag,
    Nonce,
    DeviceCode,
    /// Of a pushed authorization request.
    RequestUri,
}

impl Kind {
    /// Those that the browser carries: they are in the address of the authorization page, and only tie an answer to its
    /// question.
    pub(crate) const OF_THE_PAGE: [Self; 3] = [Self::State, Self::Nonce, Self::RequestUri];

    /// What a parameter of a request holds; `None` if it is no secret.
    fn of(name: &str, value: &str) -> Option<Self> {
        Some(match name {
            "code" => Self::AuthorizationCode,
            "code_verifier" => Self::Verifier,
            "client_secret" => Self::ClientSecret,
            "client_assertion" => Self::ClientAssertion,
            "device_code" => Self::DeviceCode,
            "refresh_token" => Self::RefreshToken,
            "request_uri" => Self::RequestUri,
            "state" => Self::State,
            "nonce" => Self::Nonce,
            "assertion" if is_id_jag(value) => Self::IdJag,
            "assertion" => Self::WorkloadJwt,
            _ => return None,
        })
    }
}

/// A secret that must be nowhere but where it is kept and sent.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Secret {
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
}

impl Secret {
    pub(crate) fn new(kind: Kind, text: &str) -> Self {
        Self {
            kind,
            bytes: text.as_bytes().to_vec(),
        }
    }

    /// The private number of a key: the same bytes in every form the key may take.
    ///
    /// # Panics
    /// When the key is not a P-256 key in PKCS #8, or the search does not see it in its own file.
    pub(crate) fn of_key(kind: Kind, pem: &str) -> Self {
        let der = der(pem);
        // OCTET STRING of 32 bytes (RFC 5915).
        let at = der.windows(2).position(|tag| tag == [0x04, 0x20]);
        let at = at.expect("a P-256 key") + 2;
        let secret = Self {
            kind,
            bytes: der[at..at + 32].to_vec(),
        };
        let found = Search::new(std::slice::from_ref(&secret))
            .find(pem.as_bytes())
            .len();
        assert!(found > 0, "the key is not found in its own file");
        secret
    }

    /// The private number of a key that tokens are bound to.
    ///
    /// # Panics
    /// When none of the proofs was made with it.
    pub(crate) fn of_dpop_key(pem: &str, proofs: &[Self]) -> Self {
        let der = der(pem);
        // The point in full ends the key (RFC 5480 §2.2).
        let x = URL_SAFE_NO_PAD.encode(&der[der.len() - 64..der.len() - 32]);
        let made = proofs.iter().any(|proof| {
            let text = String::from_utf8_lossy(&proof.bytes);
            proof.kind == Kind::DpopProof && header_of(&text)["jwk"]["x"] == x.as_str()
        });
        assert!(made, "no proof was made with this key");
        Self::of_key(Kind::DpopKey, pem)
    }
}

/// The secrets that crossed the wire, as the servers saw them.
#[derive(Debug, Default)]
pub(crate) struct Crossed(BTreeSet<Secret>);

impl Crossed {
    /// Reads a record; `headers` says which request headers are secrets of which kind.
    pub(crate) fn of(requests: &[RecordedRequest], headers: &[(&str, Kind)]) -> Self {
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
    pub(crate) fn and(mut self, secret: Secret) -> Self {
        self.0.insert(secret);
        self
    }

    /// All of them, each of these kinds among them.
    ///
    /// # Panics
    /// When there is none of one kind: then a search for it proves nothing.
    pub(crate) fn proven(self, kinds: &[Kind]) -> Vec<Secret> {
        for kind in kinds {
            let count = self.0.iter().filter(|secret| secret.kind == *kind).count();
            assert!(count > 0, "no {kind:?} crossed the wire");
        }
        self.0.into_iter().collect()
    }

    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.0.iter().filter(|secret| secret.kind == kind).count()
    }

    fn read(&mut self, request: &RecordedRequest) {
        let of_provider = IdentityProvider::saw(request);
        let authorization = request.header("authorization");
        let token = authorization
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| ["Bearer", "DPoP"].contains(scheme))
            .map(|(_, token)| token.to_owned());
        match request.leg {
            Leg::Resource => self.note(Kind::AccessToken, token),
            Leg::ClientConfiguration => self.note(Kind::RegistrationAccessToken, token),
            Leg::Revocation => {
                let hint = request.form("token_type_hint");
                let kind = match hint.first().map(String::as_str) {
                    Some("refresh_token") if of_provider => Kind::IdentityRefreshToken,
                    Some("refresh_token") => Kind::RefreshToken,
                    _ => Kind::AccessToken,
                };
                self.note(kind, request.form("token").pop());
            }
            _ => {}
        }
        self.proof(request.header("dpop"));
        self.note(Kind::ClientSecret, authorization.and_then(basic_password));
        if request.leg != Leg::Resource {
            self.parameters(&request.body, of_provider);
            let query = request.url.split_once('?').map_or("", |(_, query)| query);
            self.parameters(query.as_bytes(), of_provider);
        }
    }

    /// The secrets among form-encoded parameters; an identity provider has refresh tokens of its own.
    pub(crate) fn parameters(&mut self, encoded: &[u8], of_provider: bool) {
        let pairs: Vec<_> = form_urlencoded::parse(encoded).collect();
        let value_of = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted);
        for (name, value) in &pairs {
            let kind = match Kind::of(name, value) {
                Some(Kind::RefreshToken) if of_provider => Kind::IdentityRefreshToken,
                Some(kind) => kind,
                None if name == "subject_token" => match value_of("subject_token_type") {
                    Some((_, kind)) if kind.ends_with(":refresh_token") => {
                        Kind::IdentityRefreshToken
                    }
                    _ => Kind::IdToken,
                },
                None => continue,
            };
            // What comes before is the same for everybody (RFC 9126 §2.2).
            let value = value.strip_prefix(REQUEST_URI).unwrap_or(value);
            self.note(kind, Some(value.to_owned()));
        }
    }

    /// What all proofs of a key have in common, and what makes each of them one. There is another for each request: the
    /// search for all that is between would take long.
    pub(crate) fn proof(&mut self, proof: Option<&str>) {
        let parts =
            proof.and_then(|proof| Some((proof.split_once('.')?.0, proof.rsplit_once('.')?.1)));
        if let Some((header, signature)) = parts {
            self.note(Kind::DpopProof, Some(header.to_owned()));
            self.note(Kind::DpopProof, Some(signature.to_owned()));
        }
    }

    pub(crate) fn note(&mut self, kind: Kind, text: Option<String>) {
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
fn basic_password(authorization: &str) -> Option<String> {
    let encoded = authorization.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let query = format!("v={}", pair.split_once(':')?.1);
    let mut values = form_urlencoded::parse(query.as_bytes());
    values.next().map(|(_, value)| value.into_owned())
}

/// draft-ietf-oauth-identity-assertion-authz-grant §3.
fn is_id_jag(jwt: &str) -> bool {
    header_of(jwt)["typ"] == "oauth-id-jag+jwt"
}

/// The header of a JWT; `null` if it is none.
fn header_of(jwt: &str) -> Value {
    let header = jwt.split('.').next().unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn der(pem: &str) -> Vec<u8> {
    let base64: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    STANDARD.decode(base64).expect("base64")
}

const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";
