//! The secrets of a request, so that nothing of its answer is shown that repeats one (ERR-11).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use url::form_urlencoded;

use crate::headers::is_credential;

/// The secrets that one request carried. Servers put what they were sent into error texts and pages.
///
/// Every response of an [`HttpClient`](crate::HttpClient) has in its extensions those of its
/// request's headers: credentials, and whatever is marked sensitive. Whoever sends secrets in a body
/// adds them with [`and`](Self::and), and shows what an answer says only through
/// [`strike`](Self::strike).
#[derive(Clone, Default)]
pub struct SentSecrets(Vec<SecretString>);

impl SentSecrets {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let secret = headers
            .iter()
            .filter(|(name, value)| value.is_sensitive() || is_credential(name))
            .filter_map(|(_, value)| value.to_str().ok());
        Self(secret.map(without_scheme).map(SecretString::from).collect())
    }

    /// The same and another one.
    #[must_use]
    pub fn and(mut self, secret: &SecretString) -> Self {
        self.0.push(secret.clone());
        self
    }

    /// `text` with `…` in place of every part of a secret: as it was sent, as a form or URL encodes
    /// it, or in base64 as within Basic credentials.
    ///
    /// A part is [`PART`](Self::PART) bytes in a row or more, since answers cut things short.
    #[must_use]
    pub fn strike(&self, text: &str) -> String {
        let mut struck = vec![false; text.len()];
        for secret in &self.0 {
            mark(text, secret.expose_secret(), &mut struck);
        }
        if struck.iter().all(|struck| !struck) {
            return text.to_owned();
        }
        remaining(text, &struck)
    }

    /// How many bytes of a secret in a row give it away.
    pub const PART: usize = 12;

    /// `WWW-Authenticate` and the like, without the secrets: they are parsed, logged and handed on.
    pub(crate) fn strike_from(&self, value: &mut HeaderValue) {
        let text = String::from_utf8_lossy(value.as_bytes());
        let struck = self.strike(&text);
        if struck != text
            && let Ok(struck) = HeaderValue::from_bytes(struck.replace('…', "...").as_bytes())
        {
            *value = struck;
        }
    }
}

impl fmt::Debug for SentSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SentSecrets").field(&self.0.len()).finish()
    }
}

/// The credentials of `Authorization`: the scheme is no secret.
fn without_scheme(value: &str) -> &str {
    value.split_once(' ').map_or(value, |(_, rest)| rest)
}

/// Marks every byte of `text` that belongs to a part of `secret`, however it is written.
fn mark(text: &str, secret: &str, struck: &mut [bool]) {
    let form: Zeroizing<String> =
        Zeroizing::new(form_urlencoded::byte_serialize(secret.as_bytes()).collect());
    let blanks = Zeroizing::new(form.replace('+', "%20"));
    for written in [secret, &form, &blanks] {
        mark_parts(text, written, struck);
        // Base64 depends on what stands before: in each of three cases, what is the secret's own.
        for before in 0..3 {
            let bytes = Zeroizing::new([&[0; 2][..before], written.as_bytes()].concat());
            let encoded = Zeroizing::new(STANDARD.encode(&*bytes));
            let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
            mark_parts(text, encoded.get(own).unwrap_or_default(), struck);
        }
    }
}

fn mark_parts(text: &str, written: &str, struck: &mut [bool]) {
    let length = written.len().min(SentSecrets::PART);
    if length < SHORTEST || text.len() < length {
        return;
    }
    for part in written.as_bytes().windows(length) {
        for (at, window) in text.as_bytes().windows(length).enumerate() {
            if window == part {
                struck[at..at + length].fill(true);
            }
        }
    }
}

/// The text with each run of struck bytes as one `…`; a character that is struck in part goes whole.
fn remaining(text: &str, struck: &[bool]) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut within = false;
    for (at, character) in text.char_indices() {
        let hit = struck[at..at + character.len_utf8()].contains(&true);
        if !hit {
            shown.push(character);
        } else if !within {
            shown.push('…');
        }
        within = hit;
    }
    shown
}

/// Anything shorter is no secret, and would be found in every sentence.
const SHORTEST: usize = 4;

#[cfg(test)]
mod tests {
    use http::header::WWW_AUTHENTICATE;
    use http::{Request, Response};
    use proptest::prelude::*;

    use super::*;
    use crate::{Body, HttpClient, HttpProfile, Leg};

    const SECRET: &str = "rt:%+ 0123-example/and=more~of_it";

    fn sent(secret: &str) -> SentSecrets {
        SentSecrets::default().and(&SecretString::from(secret))
    }

    #[test]
    fn a_secret_is_struck_however_it_is_repeated() {
        let form: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        let part = &SECRET[3..3 + SentSecrets::PART];
        for (text, shown) in [
            (format!("token {SECRET} is gone"), "token … is gone"),
            (format!("token {part}... is gone"), "token …... is gone"),
            (format!("a={form}&b={SECRET}"), "a=…&b=…"),
            (form.replace('+', "%20"), "…"),
        ] {
            assert_eq!(sent(SECRET).strike(&text), shown, "{text}");
        }
    }

    #[test]
    fn a_secret_within_basic_credentials_is_struck() {
        let form: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        for client in ["a", "ab", "abc"] {
            for written in [SECRET, &form] {
                let credentials = STANDARD.encode(format!("{client}:{written}"));
                let struck = sent(SECRET).strike(&credentials);
                assert!(
                    struck.len() < SentSecrets::PART + 3,
                    "{credentials}: {struck}"
                );
            }
        }
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for text in ["", "the refresh token has expired", "rt:%+ 0123", "é…"] {
            assert_eq!(sent(SECRET).strike(text), text);
        }
        assert_eq!(sent("").strike("anything"), "anything");
        assert_eq!(sent("abc").strike("abc"), "abc");
        assert_eq!(sent("hunter2").strike("is hunter2?"), "is …?");
        assert_eq!(SentSecrets::default().strike("anything"), "anything");
    }

    #[test]
    fn the_secrets_of_a_request_are_its_credentials_and_what_is_marked() {
        let mut key = HeaderValue::from_static("key-0123456789");
        key.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (
                http::header::AUTHORIZATION,
                HeaderValue::from_static("Bearer token-0123456789"),
            ),
            (http::HeaderName::from_static("x-api-key"), key),
            (
                http::header::USER_AGENT,
                HeaderValue::from_static("agent-0123456789"),
            ),
        ]);
        let sent = SentSecrets::of(&headers);
        let mut value = HeaderValue::from_static(
            "Bearer realm=\"token-0123456789\", error_description=\"key-0123456789 by \
             agent-0123456789\"",
        );
        sent.strike_from(&mut value);
        assert_eq!(
            value,
            "Bearer realm=\"...\", error_description=\"... by agent-0123456789\""
        );
        assert_eq!(format!("{sent:?}"), "SentSecrets(2)");
    }

    #[tokio::test]
    async fn a_response_knows_the_secrets_of_its_request_and_its_challenges_lost_them() {
        let echo = tower::service_fn(|request: Request<Body>| async move {
            let sent = request.headers()["x-key"].to_str().unwrap().to_owned();
            let challenge = format!("Bearer scope=\"a\", error_description=\"no {sent}\"");
            let response = Response::builder().header(WWW_AUTHENTICATE, challenge);
            Ok::<_, std::convert::Infallible>(response.body(Body::from(sent)).unwrap())
        });
        let mut profile = HttpProfile::new("https://mcp.example/mcp".parse().unwrap());
        let key = HeaderValue::from_static("resource-key-0123");
        profile.resource_headers.insert("x-key", key);
        let client = HttpClient::with_service(&profile, echo).unwrap();
        let request = Request::get("https://mcp.example/mcp").body(Body::empty());
        let response = client.send(Leg::Resource, request.unwrap()).await.unwrap();
        assert_eq!(
            response.headers()[WWW_AUTHENTICATE],
            "Bearer scope=\"a\", error_description=\"no ...\""
        );
        let sent = response.extensions().get::<SentSecrets>().unwrap().clone();
        let body = response.into_body().collect_limited(99).await.unwrap();
        let body = std::str::from_utf8(&body).unwrap();
        assert_eq!(body, "resource-key-0123", "what is no error stays whole");
        assert_eq!(sent.strike(body), "…");
    }

    proptest! {
        #[test]
        fn no_part_of_a_secret_is_left(
            before in ".{0,20}", secret in "[a-zA-Z0-9 %+~/=._-]{12,60}", after in ".{0,20}",
        ) {
            let struck = sent(&secret).strike(&format!("{before}{secret}{after}"));
            for part in secret.as_bytes().windows(SentSecrets::PART) {
                let part = std::str::from_utf8(part).unwrap();
                prop_assert!(!struck.contains(part), "{struck}");
            }
        }
    }
}
