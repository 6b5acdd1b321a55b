//! What may be shown: errors with their causes, `Debug`, and never the marked secret.

use std::error::Error;
use std::fmt::Debug;

/// Stands for a secret: inputs that hold it hold it where a secret would be.
pub(crate) const SECRET: &str = "s3cr3t-0123456789-abcdef";

/// An error and each of its causes are fit for a terminal, of bounded length, and repeat nothing of `secrets`.
pub(crate) fn assert_fit(error: &(dyn Error + 'static), secrets: &[&str]) {
    let mut next = Some(error);
    while let Some(cause) = next {
        assert_fit_text(&cause.to_string());
        assert_without(&cause.to_string(), secrets);
        assert_without(&format!("{cause:?}"), secrets);
        next = cause.source();
    }
}

/// A text is fit for a terminal and of bounded length.
pub(crate) fn assert_fit_text(text: &str) {
    assert_printable(text);
    let length = text.chars().count();
    assert!(length <= LONGEST, "{length} characters: {text:?}");
}

/// A terminal obeys nothing of a text.
pub(crate) fn assert_printable(text: &str) {
    let obeyed = |c: char| c.is_control() && c != '\n';
    assert!(!text.contains(obeyed), "control characters: {text:?}");
    let overrides = ['\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}'];
    let isolates = ['\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}'];
    assert!(!text.contains(overrides), "direction: {text:?}");
    assert!(!text.contains(isolates), "direction: {text:?}");
}

/// Nothing of `secrets` is in the text.
pub(crate) fn assert_without(text: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} is in {text:?}");
    }
}

/// The same of how a value shows itself to a developer.
pub(crate) fn assert_hidden(value: &impl Debug, secrets: &[&str]) {
    assert_without(&format!("{value:?}"), secrets);
    assert_without(&format!("{value:#?}"), secrets);
}

/// A few server texts of a few hundred characters each.
const LONGEST: usize = 2000;
