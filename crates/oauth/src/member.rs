//! Members of an answer that a request will carry later: each is there once, of a bounded length and of the characters
//! that its RFC gives it (RFC 6749 appendix A), or the answer is not believed.

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::error::Error;

/// A token, code or other secret, taken out of the answer. `None`: there is none, or an empty one.
///
/// # Errors
/// [`Error::UnreadableResponse`] that names the member and the rule.
pub(crate) fn secret(
    answer: &Answer,
    object: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<SecretString>, Error> {
    let text = take_text(object, name);
    text.map(|text| check(answer, name, &text, MAX_TOKEN_BYTES).map(|()| SecretString::from(text)))
        .transpose()
}

/// An identifier or a secret that a person could type, taken out of the answer.
///
/// # Errors
/// As [`secret`].
pub(crate) fn identifier(
    answer: &Answer,
    object: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, Error> {
    let text = take_text(object, name);
    text.map(|text| check(answer, name, &text, MAX_IDENTIFIER_BYTES).map(|()| text))
        .transpose()
}

/// A text that is there and not empty, taken out of the answer.
pub(crate) fn take_text(object: &mut Map<String, Value>, name: &str) -> Option<String> {
    match object.remove(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// `VSCHAR`, of which RFC 6749 appendix A makes client identifiers, secrets, codes and tokens: what goes into headers and
/// forms, and nothing that ends a line.
fn check(answer: &Answer, name: &str, text: &str, limit: usize) -> Result<(), Error> {
    if text.len() > limit {
        return Err(answer.unreadable(&format!("its `{name}` is longer than {limit} bytes")));
    }
    if !text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        let why = format!("its `{name}` has characters other than printable ASCII");
        return Err(answer.unreadable(&why));
    }
    Ok(())
}

/// The longest token. Servers refuse requests with longer headers.
pub(crate) const MAX_TOKEN_BYTES: usize = 64 * 1024;
/// The longest client identifier or secret.
pub(crate) const MAX_IDENTIFIER_BYTES: usize = 4 * 1024;
/// The longest list of scopes, as one text.
pub(crate) const MAX_SCOPE_BYTES: usize = 16 * 1024;
