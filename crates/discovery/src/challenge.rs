//! What a `WWW-Authenticate` field says (RFC 9110 §11.6.1; RFC 6750 §3, RFC 9728 §5.1, RFC 9449
//! §7.1).

use std::fmt::{self, Write as _};

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

use crate::Scopes;
use crate::text::is_printable;

mod parse;
#[cfg(test)]
mod tests;

/// One challenge: a scheme with parameters, with one token68 blob, or alone.
///
/// Scheme and parameter names are compared without regard to letter case. Values are the server's
/// words: they hold no control characters, but clean and bound them before they reach a person. As
/// they may repeat a secret of the request, `Debug` shows the names alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    token68: Option<String>,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The scheme as the server wrote it.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether the scheme is `scheme`, whatever the letter case.
    #[must_use]
    pub fn is_scheme(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The value of the parameter called `name`, whatever the letter case of the name.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(held, _)| held.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The parameters in the order the server gave them, names as it wrote them.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The blob of a challenge such as `Negotiate YII=`.
    #[must_use]
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// The protection space (RFC 9110 §11.5).
    #[must_use]
    pub fn realm(&self) -> Option<&str> {
        self.param("realm")
    }

    /// The scopes the request needed (RFC 6750 §3); `None` when the parameter is absent or names no
    /// scope.
    #[must_use]
    pub fn scope(&self) -> Option<Scopes> {
        self.param("scope")
            .map(Scopes::parse)
            .filter(|scopes| !scopes.is_empty())
    }

    /// The error code (RFC 6750 §3.1). A first 401 may carry `invalid_token` although no token was
    /// sent; that means "authorization needed", and only the sender knows which of the two it is.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.param("error")
    }

    /// What the server adds for a developer (RFC 6750 §3).
    #[must_use]
    pub fn error_description(&self) -> Option<&str> {
        self.param("error_description")
    }

    /// A page about the error (RFC 6750 §3): to be shown, never opened.
    #[must_use]
    pub fn error_uri(&self) -> Option<&str> {
        self.param("error_uri")
    }

    /// The URL of the protected resource metadata (RFC 9728 §5.1), as written: not checked, not
    /// trusted.
    #[must_use]
    pub fn resource_metadata(&self) -> Option<&str> {
        self.param("resource_metadata")
    }

    /// The signature algorithms a DPoP proof may use (RFC 9449 §7.1), in the server's order.
    pub fn algs(&self) -> impl Iterator<Item = &str> {
        self.param("algs")
            .unwrap_or_default()
            .split_ascii_whitespace()
    }

    fn is_oauth(&self) -> bool {
        OAUTH_SCHEMES.iter().any(|scheme| self.is_scheme(scheme))
    }

    /// The server's words, in order.
    fn words(&self) -> impl Iterator<Item = &str> {
        let parameters = self.params().flat_map(|(name, value)| [name, value]);
        [self.scheme()]
            .into_iter()
            .chain(self.token68())
            .chain(parameters)
    }

    /// As a field value, with these words in place of its own.
    fn write_to<'a>(&self, out: &mut String, mut words: impl Iterator<Item = &'a str>) {
        let mut next = || words.next().unwrap_or("…");
        out.push_str(next());
        if self.token68.is_some() {
            out.push(' ');
            out.push_str(next());
        }
        for index in 0..self.parameters.len() {
            let separator = if index == 0 { " " } else { ", " };
            let (name, value) = (next(), next());
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            // Writing to a String cannot fail.
            let _ = write!(out, "{separator}{name}=\"{escaped}\"");
        }
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.params().map(|(name, _)| name).collect();
        f.debug_struct("Challenge")
            .field("scheme", &self.scheme)
            .field("parameters", &names)
            .finish_non_exhaustive()
    }
}

/// All challenges of one response, in order of appearance.
///
/// Reading never fails: a challenge that breaks the grammar, repeats a parameter or is over-long is
/// left out, and what remains is still the answer of a response that said 401.
///
/// ```
/// use doorkey_discovery::Challenges;
///
/// let challenges = Challenges::parse([
///     r#"Negotiate, Bearer error="invalid_token", resource_metadata="https://mcp.example/meta""#,
/// ]);
/// let bearer = challenges.select(false).expect("there is a Bearer challenge");
/// assert_eq!(bearer.error(), Some("invalid_token"));
/// assert_eq!(challenges.resource_metadata(), Some("https://mcp.example/meta"));
/// ```
///
/// Servers put what they were sent into challenges. What they say is read as it came; `Debug` and
/// [`shown`](Self::shown) give it as [`shown_through`](Self::shown_through) says, and without that
/// show nothing of a field value that is marked sensitive but its names.
#[derive(Clone, Default)]
pub struct Challenges {
    all: Box<[Challenge]>,
    /// What is shown, when that is not what was said.
    shown: Option<Box<Shown>>,
}

/// Boxed, so that the errors that carry challenges stay small.
#[derive(Clone)]
struct Shown(String);

impl Challenges {
    /// Reads every `WWW-Authenticate` value of a response as one list (RFC 9110 §5.3).
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let values = headers.get_all(WWW_AUTHENTICATE).iter();
        let texts: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        let challenges = Self::parse(texts.iter().map(AsRef::as_ref));
        let mut values = headers.get_all(WWW_AUTHENTICATE).iter();
        if values.any(http::HeaderValue::is_sensitive) {
            return Self {
                shown: Some(Box::new(Shown(challenges.names()))),
                ..challenges
            };
        }
        challenges
    }

    /// Reads the challenges of an answer. None of the secrets that it says its request carried is
    /// shown.
    #[cfg(feature = "fetch")]
    #[must_use]
    pub fn from_answer(headers: &HeaderMap, extensions: &http::Extensions) -> Self {
        let challenges = Self::from_headers(headers);
        match extensions.get::<doorkey_http::SentSecrets>() {
            Some(sent) => challenges.shown_through(|text| sent.strike(text)),
            None => challenges,
        }
    }

    /// Reads field values in their order of appearance.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            all: parse::challenges(values).into(),
            shown: None,
        }
    }

    /// The same challenges, shown as `strike` leaves their words: it is called once, with every
    /// word on a line of its own, without what nobody would see. What they say to a program does
    /// not change.
    #[must_use]
    pub fn shown_through(self, strike: impl FnOnce(&str) -> String) -> Self {
        // What is taken out after striking would put a secret together again.
        let visible = |word: &str| word.chars().filter(|c| is_printable(*c)).collect();
        let words: Vec<String> = self
            .iter()
            .flat_map(Challenge::words)
            .map(visible)
            .collect();
        let struck = strike(&words.join("\n"));
        // Not one by one any more: whatever was struck, it is not known where.
        let shown = if struck.split('\n').count() == words.len().max(1) {
            self.written(struck.split('\n'))
        } else {
            self.names()
        };
        Self {
            shown: Some(Box::new(Shown(shown))),
            ..self
        }
    }

    /// The challenges as an error or a log may say them: as one field value, without secrets, without what nobody would
    /// see, and cut where it goes on for too long.
    #[must_use]
    pub fn shown(&self) -> String {
        let text = match &self.shown {
            Some(shown) => &shown.0,
            None => &self.to_header_value(),
        };
        let mut visible = text.chars().filter(|c| is_printable(*c));
        let mut shown: String = visible.by_ref().take(SHOWN).collect();
        if visible.next().is_some() {
            shown.push('…');
        }
        shown
    }

    /// The challenges in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Challenge> {
        self.all.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The number of challenges.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.all.len()
    }

    /// The challenge to answer: the first `DPoP` one if DPoP is on for this resource, else the
    /// first `Bearer` one. Other schemes are passed over.
    #[must_use]
    pub fn select(&self, dpop: bool) -> Option<&Challenge> {
        let first = |scheme| self.iter().find(|challenge| challenge.is_scheme(scheme));
        dpop.then(|| first(DPOP))
            .flatten()
            .or_else(|| first(BEARER))
    }

    /// Whether an OAuth challenge says `error="insufficient_scope"` (RFC 6750 §3.1).
    #[must_use]
    pub fn is_insufficient_scope(&self) -> bool {
        self.oauth()
            .any(|challenge| challenge.error() == Some("insufficient_scope"))
    }

    /// The scopes of the first OAuth challenge that names any, `Bearer` before `DPoP`.
    #[must_use]
    pub fn scope(&self) -> Option<Scopes> {
        self.oauth().find_map(Challenge::scope)
    }

    /// The metadata URL of the first OAuth challenge that names one, `Bearer` before `DPoP`; as
    /// written.
    #[must_use]
    pub fn resource_metadata(&self) -> Option<&str> {
        self.oauth().find_map(Challenge::resource_metadata)
    }

    /// All challenges as one field value (RFC 9110 §11.6.1), parameter values quoted. Reading it
    /// back gives the same challenges. It may hold characters outside ASCII when the server's
    /// quoted strings did, and repeat secrets: errors and logs say [`shown`](Self::shown).
    #[must_use]
    pub fn to_header_value(&self) -> String {
        self.written(self.iter().flat_map(Challenge::words))
    }

    fn written<'a>(&self, mut words: impl Iterator<Item = &'a str>) -> String {
        let mut out = String::new();
        for challenge in self {
            if !out.is_empty() {
                out.push_str(", ");
            }
            challenge.write_to(&mut out, &mut words);
        }
        out
    }

    /// Schemes and names of parameters, with nothing of their values.
    fn names(&self) -> String {
        self.written(self.iter().flat_map(|challenge| {
            let parameters = challenge.params().flat_map(|(name, _)| [name, "…"]);
            [challenge.scheme()]
                .into_iter()
                .chain(challenge.token68().map(|_| "…"))
                .chain(parameters)
        }))
    }

    fn oauth(&self) -> impl Iterator<Item = &Challenge> {
        let (bearer, other) = (self.iter(), self.iter());
        bearer
            .filter(|challenge| challenge.is_scheme(BEARER))
            .chain(other.filter(|challenge| challenge.is_oauth() && !challenge.is_scheme(BEARER)))
    }
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Challenges").field(&self.shown()).finish()
    }
}

/// What the server said counts, not what is shown of it.
impl PartialEq for Challenges {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

impl Eq for Challenges {}

impl<'a> IntoIterator for &'a Challenges {
    type Item = &'a Challenge;
    type IntoIter = std::slice::Iter<'a, Challenge>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Characters of all challenges of an answer that are shown.
const SHOWN: usize = 4096;

const BEARER: &str = "Bearer";
const DPOP: &str = "DPoP";

/// The schemes under which OAuth parameters count (RFC 6750, RFC 9449 §7.1).
const OAUTH_SCHEMES: [&str; 2] = [BEARER, DPOP];
