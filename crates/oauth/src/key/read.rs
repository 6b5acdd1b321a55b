//! Reads a private key from PEM or from a JSON Web Key (RFC 7468, RFC 7517, RFC 7518 §6, RFC 8037).

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{KeyError, Kind, in_pem};

type Key = (Kind, EncodingKey, Option<String>);

pub(super) fn key(text: &SecretString) -> Result<Key, KeyError> {
    let text = text.expose_secret().trim();
    if text.starts_with('{') {
        return of_jwk(text);
    }
    if !text.contains("-----BEGIN ") {
        return Err(KeyError::Format);
    }
    if text.contains("ENCRYPTED") {
        return Err(KeyError::Encrypted);
    }
    let (kind, key) = match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
        Ok(PrivateKeyDer::Pkcs1(der)) => rsa(der.secret_pkcs1_der())?,
        Ok(PrivateKeyDer::Sec1(der)) => p256(der.secret_sec1_der())?,
        Ok(PrivateKeyDer::Pkcs8(der)) => of_pkcs8(der.secret_pkcs8_der(), text)?,
        Ok(_) => return Err(KeyError::Kind),
        Err(_) if text.contains("PUBLIC KEY") || text.contains("CERTIFICATE") => {
            return Err(KeyError::Public);
        }
        Err(_) => return Err(KeyError::Format),
    };
    Ok((kind, key, None))
}

/// PKCS#8 says what kind of key it holds (RFC 5208 §5).
fn of_pkcs8(der: &[u8], pem: &str) -> Result<(Kind, EncodingKey), KeyError> {
    if RsaKeyPair::from_pkcs8(der).is_ok() {
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| KeyError::Broken)?;
        return checked_rsa(key);
    }
    if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
        return ed25519(&pair);
    }
    p256(der).map_err(|_| KeyError::Kind)
}

fn rsa(pkcs1: &[u8]) -> Result<(Kind, EncodingKey), KeyError> {
    checked_rsa(EncodingKey::from_rsa_der(pkcs1))
}

fn checked_rsa(key: EncodingKey) -> Result<(Kind, EncodingKey), KeyError> {
    let pair = RsaKeyPair::from_der(key.as_bytes()).map_err(|_| KeyError::Broken)?;
    if pair.public_modulus_len() * 8 < LEAST_RSA_BITS {
        return Err(KeyError::Broken);
    }
    Ok((Kind::Rsa, key))
}

/// PKCS#8 or SEC 1, written anew as the PKCS#8 that signing reads.
fn p256(der: &[u8]) -> Result<(Kind, EncodingKey), KeyError> {
    let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
        .map_err(|_| KeyError::Broken)?;
    of_pair(&pair)
}

fn of_pair(pair: &EcdsaKeyPair) -> Result<(Kind, EncodingKey), KeyError> {
    let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::Broken)?;
    Ok((Kind::P256, EncodingKey::from_ec_der(pkcs8.as_ref())))
}

fn ed25519(pair: &Ed25519KeyPair) -> Result<(Kind, EncodingKey), KeyError> {
    let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::Broken)?;
    Ok((Kind::Ed25519, EncodingKey::from_ed_der(pkcs8.as_ref())))
}

fn of_jwk(text: &str) -> Result<Key, KeyError> {
    let Ok(Value::Object(jwk)) = serde_json::from_str(text) else {
        return Err(KeyError::Format);
    };
    let member = |name: &str| jwk.get(name).and_then(Value::as_str);
    let (kind, key) = match (member("kty"), member("crv")) {
        (Some("RSA"), _) => rsa_of(&jwk)?,
        (Some("EC"), Some("P-256")) => p256_of(&jwk)?,
        (Some("OKP"), Some("Ed25519")) => {
            let seed = number(&jwk, "d")?;
            let public = number(&jwk, "x")?;
            let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &public);
            ed25519(&pair.map_err(|_| KeyError::Broken)?)?
        }
        (Some(_), _) => return Err(KeyError::Kind),
        (None, _) => return Err(KeyError::Format),
    };
    Ok((kind, key, member("kid").map(str::to_owned)))
}

fn p256_of(jwk: &Map<String, Value>) -> Result<(Kind, EncodingKey), KeyError> {
    let d = number(jwk, "d")?;
    let (x, y) = (number(jwk, "x")?, number(jwk, "y")?);
    // An uncompressed point (SEC 1 §2.3.3).
    let point = [&[4][..], &x[..], &y[..]].concat();
    let pair =
        EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &d, &point);
    of_pair(&pair.map_err(|_| KeyError::Broken)?)
}

/// Keys with more than two primes are as rare as they are unsupported.
fn rsa_of(jwk: &Map<String, Value>) -> Result<(Kind, EncodingKey), KeyError> {
    if jwk.contains_key("oth") {
        return Err(KeyError::Kind);
    }
    let components = KeyPairComponents {
        public_key: PublicKeyComponents {
            n: number(jwk, "n")?,
            e: number(jwk, "e")?,
        },
        d: number(jwk, "d")?,
        p: number(jwk, "p")?,
        q: number(jwk, "q")?,
        dP: number(jwk, "dp")?,
        dQ: number(jwk, "dq")?,
        qInv: number(jwk, "qi")?,
    };
    let pair = RsaKeyPair::from_components(&components).map_err(|_| KeyError::Broken)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Broken)?;
    let pem = Zeroizing::new(in_pem(der.as_ref()));
    checked_rsa(EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| KeyError::Broken)?)
}

/// A number of a JSON Web Key; without `d` it is a public one.
fn number(jwk: &Map<String, Value>, name: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let Some(text) = jwk.get(name).and_then(Value::as_str) else {
        return Err(match jwk.contains_key("d") {
            true => KeyError::Broken,
            false => KeyError::Public,
        });
    };
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
    bytes.map(Zeroizing::new).map_err(|_| KeyError::Broken)
}

/// RFC 7518 §3.3.
const LEAST_RSA_BITS: usize = 2048;
