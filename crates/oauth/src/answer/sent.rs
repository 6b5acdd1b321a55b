//! The secrets of a request: its answer may repeat them, and whatever is shown of it must not (ERR-11).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use url::form_urlencoded;
use zeroize::Zeroizing;

/// The secrets that one request carried.
#[derive(Clone, Default)]
pub(crate) struct Sent(Vec<SecretString>);

impl Sent {
    /// The same and another one.
    pub(crate) fn and(mut self, secret: &SecretString) -> Self {
        self.0.push(secret.clone());
        self
    }

    /// `text` as it may be shown: as it is, or a remark in its place if a good part of a secret is in
    /// it, as it was or as forms and credentials encode it.
    pub(crate) fn conceal(&self, text: String) -> String {
        if self.0.iter().any(|secret| repeats(&text, secret)) {
            String::from(CONCEALED)
        } else {
            text
        }
    }
}

/// Whether [`PART`] characters of the secret in a row are in `text`: an answer may cut it short.
fn repeats(text: &str, secret: &SecretString) -> bool {
    let secret = secret.expose_secret();
    let form: Zeroizing<String> =
        Zeroizing::new(form_urlencoded::byte_serialize(secret.as_bytes()).collect());
    let blanks = Zeroizing::new(form.replace('+', "%20"));
    [secret, &form, &blanks]
        .into_iter()
        .any(|written| has_part(text, written) || has_base64(text, written))
}

fn has_part(text: &str, written: &str) -> bool {
    let length = written.len().min(PART);
    length >= SHORTEST
        && written
            .as_bytes()
            .windows(length)
            .any(|part| has(text.as_bytes(), part))
}

/// Base64 depends on what stands before: for each of the three cases the characters that are the
/// secret's own, as in Basic credentials.
fn has_base64(text: &str, written: &str) -> bool {
    (0..3).any(|before| {
        let bytes = Zeroizing::new([&[0; 2][..before], written.as_bytes()].concat());
        let encoded = Zeroizing::new(STANDARD.encode(&bytes));
        let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        has_part(text, encoded.get(own).unwrap_or_default())
    })
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// How many characters of a secret in a row give it away.
const PART: usize = 12;
/// Anything shorter is no secret, and would be found in every sentence.
const SHORTEST: usize = 4;
const CONCEALED: &str = "[not shown: it repeats a secret of the request]";

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "rt:%+ 0123-example/and=more~of_it";

    fn sent(secret: &str) -> Sent {
        Sent::default().and(&SecretString::from(secret))
    }

    #[test]
    fn a_secret_is_concealed_however_it_is_repeated() {
        let form: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        for text in [
            format!("token {SECRET} is unknown"),
            format!("token {}… is unknown", &SECRET[..PART]),
            format!("…{}", &SECRET[SECRET.len() - PART..]),
            format!("refresh_token={form}&client_id=x"),
            form.replace('+', "%20"),
            format!("Basic {}", STANDARD.encode(format!("a:{form}"))),
            format!("Basic {}", STANDARD.encode(format!("ab:{form}"))),
            format!("Basic {}", STANDARD.encode(format!("abc:{SECRET}"))),
        ] {
            assert_eq!(sent(SECRET).conceal(text.clone()), CONCEALED, "{text}");
        }
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for text in ["", "the refresh token has expired", "rt:%+ 0123"] {
            assert_eq!(sent(SECRET).conceal(text.to_owned()), text);
        }
        assert_eq!(sent("").conceal("anything".to_owned()), "anything");
        assert_eq!(sent("abc").conceal("abc".to_owned()), "abc");
        assert_eq!(sent("short").conceal("a short one".to_owned()), CONCEALED);
        assert_eq!(Sent::default().conceal("anything".to_owned()), "anything");
    }
}
