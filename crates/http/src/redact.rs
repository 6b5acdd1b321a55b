//! Text and URLs made safe to show: no credentials, no terminal control, bounded length.

use std::fmt;

use url::Url;

/// A URL as it may be shown and logged: without userinfo, query and fragment, at most 512
/// characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RedactedUrl(String);

impl RedactedUrl {
    /// The text that is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RedactedUrl {
    /// The same for a URL that a server gave in answer to credentials: long segments of its path may
    /// repeat one, and are shown as `…`.
    #[must_use]
    pub fn of_target(url: &Url) -> Self {
        let mut shown = url.clone();
        if let (Some(given), Ok(mut segments)) = (url.path_segments(), shown.path_segments_mut()) {
            segments.clear();
            segments.extend(given.map(|segment| {
                if segment.len() > SEGMENT_LIMIT {
                    ELIDED
                } else {
                    segment
                }
            }));
        }
        let Self(text) = Self::from(&shown);
        Self(text.replace(ELIDED, "…"))
    }
}

impl From<&Url> for RedactedUrl {
    fn from(url: &Url) -> Self {
        let shown = match url.host_str() {
            Some(host) => {
                let port = url
                    .port()
                    .map(|port| format!(":{port}"))
                    .unwrap_or_default();
                format!("{}://{host}{port}{}", url.scheme(), url.path())
            }
            // `javascript:` and `data:` URLs are all content: the scheme says enough.
            None => format!("{}:…", url.scheme()),
        };
        Self(clean_text(&shown, URL_LIMIT))
    }
}

impl fmt::Display for RedactedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RedactedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Text from a server made fit for a terminal and a log line (SEC-13): escape sequences removed
/// whole, runs of control characters and blanks turned into one blank, direction overrides
/// dropped, cut after `limit` characters with `…` in place of the rest.
#[must_use]
pub fn clean_text(text: &str, limit: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(limit));
    let mut length = 0;
    let mut blank = false;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if let Some(escape) = Escape::of(c, &mut rest) {
            escape.skip(&mut rest);
            continue;
        }
        if is_invisible(c) {
            continue;
        }
        if c.is_control() || c.is_whitespace() {
            blank = length > 0;
            continue;
        }
        let wanted = 1 + usize::from(blank);
        if length + wanted > limit {
            clean.push('…');
            return clean;
        }
        if blank {
            clean.push(' ');
        }
        clean.push(c);
        length += wanted;
        blank = false;
    }
    clean
}

/// A terminal control function (ECMA-48), by how it ends.
enum Escape {
    /// Already complete.
    Done,
    /// `CSI`: ends with a character of `@` to `~`.
    Csi,
    /// `OSC`, `DCS`, `SOS`, `PM`, `APC`: ends with `BEL` or `ST`.
    Text,
}

impl Escape {
    fn of(c: char, rest: &mut std::str::Chars<'_>) -> Option<Self> {
        match c {
            '\u{1b}' => Some(match rest.next() {
                Some('[') => Self::Csi,
                Some(']' | 'P' | 'X' | '^' | '_') => Self::Text,
                _ => Self::Done,
            }),
            '\u{9b}' => Some(Self::Csi),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => Some(Self::Text),
            _ => None,
        }
    }

    fn skip(self, rest: &mut std::str::Chars<'_>) {
        match self {
            Self::Done => {}
            Self::Csi => {
                let _: Option<char> = rest.find(|c| ('@'..='~').contains(c));
            }
            Self::Text => {
                while let Some(c) = rest.next() {
                    match c {
                        '\u{7}' | '\u{9c}' => return,
                        '\u{1b}' => {
                            // `ESC \` ends the string; any other escape cuts it short.
                            let _: Option<char> = rest.next();
                            return;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

/// Characters that reorder or hide what follows, without a glyph of their own.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

const URL_LIMIT: usize = 512;
/// Longer than any word, shorter than any token.
const SEGMENT_LIMIT: usize = 16;
/// Stands for a segment until the URL is text: a URL would encode the sign itself.
const ELIDED: &str = "~elided~";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_target_is_shown_without_what_may_repeat_a_secret() {
        for (target, shown) in [
            (
                "https://as.example/login?t=secret#secret",
                "https://as.example/login",
            ),
            ("https://as.example", "https://as.example/"),
            ("https://as.example/a/", "https://as.example/a/"),
            (
                "https://as.example/a/rt-0123456789abcdef/b",
                "https://as.example/a/…/b",
            ),
            ("data:text/html,secret", "data:…"),
        ] {
            let target = Url::parse(target).unwrap();
            assert_eq!(RedactedUrl::of_target(&target).to_string(), shown);
        }
    }

    #[test]
    fn a_shown_url_has_no_credentials_query_or_fragment() {
        for (url, shown) in [
            (
                "https://user:secret@as.example/token?code=secret#secret",
                "https://as.example/token",
            ),
            ("http://127.0.0.1:8080/a", "http://127.0.0.1:8080/a"),
            ("javascript:alert('secret')", "javascript:…"),
        ] {
            let redacted = RedactedUrl::from(&Url::parse(url).unwrap());
            assert_eq!(redacted.to_string(), shown);
            assert!(!format!("{redacted:?}").contains("secret"));
        }
    }

    #[test]
    fn server_text_loses_controls_and_escapes_and_is_bounded() {
        for (text, limit, clean) in [
            ("plain", 10, "plain"),
            ("  two\r\n\tlines  ", 20, "two lines"),
            ("\u{1b}[31mred\u{1b}[0m", 20, "red"),
            ("a\u{1b}]0;title\u{7}b", 20, "ab"),
            ("a\u{1b}]8;;https://evil.example\u{1b}\\link", 20, "alink"),
            ("a\u{9b}2Jb", 20, "ab"),
            ("safe\u{202e}gnp.exe", 20, "safegnp.exe"),
            ("nul\0bell\u{7}", 20, "nul bell"),
            ("abcdef", 3, "abc…"),
            ("äöü", 3, "äöü"),
            ("", 3, ""),
        ] {
            assert_eq!(clean_text(text, limit), clean, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn clean_text_is_printable_and_within_its_limit(text in ".{0,300}", limit in 0_usize..200) {
            let clean = clean_text(&text, limit);
            prop_assert!(clean.chars().count() <= limit + 1);
            prop_assert!(!clean.chars().any(char::is_control));
        }

        #[test]
        fn escapes_never_survive(parts in proptest::collection::vec("[a-z]{0,4}|\u{1b}[\\[\\]P^_]?|\u{9b}|\u{7}|;|[0-9]m", 0..40)) {
            let clean = clean_text(&parts.concat(), 400);
            let hidden = clean.contains('\u{1b}') || clean.contains('\u{9b}') || clean.contains('\u{7}');
            prop_assert!(!hidden);
        }
    }
}
