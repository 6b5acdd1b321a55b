//! What must not be seen where it does not belong: secrets that hostile answers hold, and whose each is.

use doorkey_testkit::{Leg as Recorded, RecordedRequest};

use integration::IdentityProvider;

use super::stage::{ELSEWHERE, RESOURCE_HEADER, RESOURCE_SECRET, Stage};
use crate::sentinel::{Crossed, Kind, PART, Search, Secret};

/// Every secret of a stage: what crossed the wire, what hostile answers held, and what the client began with.
pub(super) fn of(stage: &Stage) -> Vec<Secret> {
    let headers = [(RESOURCE_HEADER, Kind::HeaderValue)];
    let mut crossed = Crossed::of(&stage.recorder.requests(), &headers)
        .and(Secret::new(Kind::HeaderValue, RESOURCE_SECRET));
    for (kind, text) in PLANTED {
        crossed = crossed.and(Secret::new(*kind, text));
    }
    let mut secrets = crossed.proven(&[]);
    // What a hostile callback made up may be too short to be told from other text.
    secrets.retain(|secret| secret.bytes.len() >= PART);
    secrets
}

/// Secrets that came to a server which has no business with them.
pub(super) fn astray(secrets: &[Secret], requests: &[RecordedRequest]) -> Vec<String> {
    let secrets: Vec<_> = secrets.iter().map(own_part).collect();
    let search = Search::new(&secrets);
    let mut astray = Vec::new();
    for request in requests {
        let mut text = request.url.clone().into_bytes();
        for (name, value) in &request.headers {
            text.extend_from_slice(format!("\n{name}: ").as_bytes());
            text.extend_from_slice(value.as_bytes());
        }
        text.push(b'\n');
        text.extend_from_slice(&request.body);
        for hit in search.find(&text) {
            if !belongs(hit.secret.kind, request) {
                astray.push(format!("{}: {request} got {hit:?}", request.server));
            }
        }
    }
    astray
}

/// Of a JWT what no other one has: its signature.
fn own_part(secret: &Secret) -> Secret {
    let text = String::from_utf8_lossy(&secret.bytes);
    match (secret.kind, text.rsplit_once('.')) {
        (Kind::IdToken | Kind::IdJag, Some((_, signature))) => Secret::new(secret.kind, signature),
        _ => secret.clone(),
    }
}

/// Whose a secret is.
fn belongs(kind: Kind, request: &RecordedRequest) -> bool {
    let (server, leg) = (request.server.as_str(), request.leg);
    if server == ELSEWHERE {
        return false;
    }
    match kind {
        Kind::HeaderValue => server == "mcp",
        Kind::AccessToken => {
            (server == "mcp" && leg == Recorded::Resource)
                || (server == "as" && leg == Recorded::Revocation)
        }
        Kind::RefreshToken => {
            server == "as" && matches!(leg, Recorded::Token | Recorded::Revocation)
        }
        Kind::AuthorizationCode
        | Kind::Verifier
        | Kind::DeviceCode
        | Kind::IdJag
        | Kind::WorkloadJwt => server == "as" && leg == Recorded::Token,
        Kind::ClientSecret => {
            // Where a client says who it is; what a registration answers with, nobody sends there.
            let authenticates = matches!(
                leg,
                Recorded::Token
                    | Recorded::PushedAuthorization
                    | Recorded::DeviceAuthorization
                    | Recorded::Revocation
            );
            server == "as" && authenticates
        }
        Kind::RegistrationAccessToken => server == "as" && leg == Recorded::ClientConfiguration,
        Kind::State | Kind::RequestUri => {
            server == "as" && matches!(leg, Recorded::Authorization | Recorded::PushedAuthorization)
        }
        Kind::IdToken => server == IdentityProvider::NAME && leg == Recorded::Token,
        _ => false,
    }
}

/// What hostile answers hold, and the grant of another time.
const PLANTED: &[(Kind, &str)] = &[
    (Kind::AccessToken, EARLIER_ACCESS),
    (Kind::RefreshToken, EARLIER_REFRESH),
    (Kind::AccessToken, HOSTILE_ACCESS),
    (Kind::RefreshToken, HOSTILE_REFRESH),
    (Kind::ClientSecret, HOSTILE_CLIENT_SECRET),
    (Kind::RegistrationAccessToken, HOSTILE_REGISTRATION_TOKEN),
    (Kind::DeviceCode, HOSTILE_DEVICE_CODE),
    (Kind::IdJag, HOSTILE_ID_JAG),
];

pub(super) const EARLIER_ACCESS: &str = "ea-7Gw2Ls9Qe4Rt6Yu1Zb5N";
pub(super) const EARLIER_REFRESH: &str = "er-3Hd8Fk5Jv0Bn2Mx7Qa4W";
pub(super) const HOSTILE_ACCESS: &str = "ha-1Pz4Xc7Vb0Nm3Qw6Ty9U";
pub(super) const HOSTILE_REFRESH: &str = "hr-9Er2Ty5Ui8Op1As4Fg7H";
pub(super) const HOSTILE_CLIENT_SECRET: &str = "hc-6Df9Gh2Jk5Lz8Xc1Vb3N";
pub(super) const HOSTILE_REGISTRATION_TOKEN: &str = "hg-4Vb7Nm0Qa3Ws6Ed9Rf2T";
pub(super) const HOSTILE_ID_JAG: &str = "hj-5Gt9Hy2Ju6Ki3Lo8Za1X";
pub(super) const HOSTILE_DEVICE_CODE: &str = "hd-2Rf5Tg8Yh1Uj4Ik7Ol0P";
