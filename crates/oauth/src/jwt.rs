//! What this client reads of JWTs made by others, and the assertions it makes itself (RFC 7523 §2.2).
//!
//! Nothing here verifies a signature: a workload's JWT is passed on, and an identity token came
//! straight from its issuer over TLS (OpenID Connect Core §3.1.3.7).

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorkey_discovery::JsonObject;
use doorkey_store::ClientAuthMethod;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::clock::{Clock, from_unix_seconds, unix_seconds};
use crate::error::Error;
use crate::random::{Random, unguessable};
use crate::shared::Shared;

/// A client assertion for one request: another one is made for each attempt (TOK-09 to TOK-11).
pub(crate) fn client_assertion(
    client: &Client,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<SecretString, Error> {
    let (Some(key), Some(algorithm)) = (&client.key, client.algorithm) else {
        return Err(Error::Configuration {
            setting: "signing_key",
            why: format!("{} needs a private key", ClientAuthMethod::PrivateKeyJwt),
        });
    };
    let now = unix_seconds(clock.now());
    let claims = json!({
        "iss": client.id,
        "sub": client.id,
        "aud": client.audience,
        "iat": now,
        "exp": now + ASSERTION_LIFETIME.as_secs(),
        "jti": unguessable(random)?.expose_secret(),
    });
    let jwt = key.sign(algorithm, None, None, &claims);
    Ok(SecretString::from(
        jwt.map_err(|cause| Error::Signing(Shared::new(cause)))?,
    ))
}

/// The claims of a JWT, unverified; `None` if it is none that can be read, such as an encrypted one.
pub(crate) fn claims(jwt: &SecretString) -> Option<Map<String, Value>> {
    let mut parts = jwt.expose_secret().split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims = JsonObject::parse(&bytes).ok()?;
    match claims.repeated(&CLAIMS) {
        // RFC 7519 §4: each name is there once.
        Some(_) => None,
        None => Some(claims.into_members()),
    }
}

/// When a JWT expires, as far as it says.
pub(crate) fn expiry(jwt: &SecretString) -> Option<SystemTime> {
    let seconds = claims(jwt)?.get("exp")?.as_f64()?;
    // Whole seconds are all that counts here, and no date is beyond what they hold.
    (seconds >= 0.0).then(|| from_unix_seconds(seconds as u64))?
}

/// Whether a JWT has clearly expired: it says so, and not by so little that clocks may differ.
pub(crate) fn has_expired(jwt: &SecretString, now: SystemTime) -> bool {
    expiry(jwt)
        .and_then(|end| end.checked_add(LEEWAY))
        .is_some_and(|end| end <= now)
}

/// The claims that anything depends on.
const CLAIMS: [&str; 9] = [
    "aud",
    "azp",
    "email",
    "exp",
    "iss",
    "name",
    "nonce",
    "preferred_username",
    "sub",
];
/// How long a client assertion may be used (TOK-11).
const ASSERTION_LIFETIME: Duration = Duration::from_secs(60);
/// By how much two clocks may differ.
const LEEWAY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> SecretString {
        SecretString::from(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload)))
    }

    #[test]
    fn a_jwt_that_clearly_expired_is_found_out_before_it_is_sent_wif_06() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000);
        for (payload, expired) in [
            (r#"{"exp":9000}"#, true),
            (r#"{"exp":9939.5}"#, true),
            (r#"{"exp":9941}"#, false),
            (r#"{"exp":10001}"#, false),
            (r#"{"exp":"soon"}"#, false),
            (r#"{"exp":-1}"#, false),
            (r#"{"exp":1e300}"#, false),
            (r#"{"exp":9223372036854774784}"#, false),
            (r#"{"exp":9000,"exp":9000}"#, false),
            ("{}", false),
            ("[]", false),
            ("no json", false),
        ] {
            assert_eq!(has_expired(&jwt(payload), now), expired, "{payload}");
        }
        for text in ["", "a.b", "a.b.c.d", "a.!.c", "opaque"] {
            assert!(!has_expired(&SecretString::from(text), now), "{text}");
        }
    }
}
