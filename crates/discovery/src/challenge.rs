//! What a `WWW-Authenticate` field says (RFC 9110 §11.6.1; RFC 6750 §3, RFC 9728 §5.1, RFC 9449
//! §7.1).

use std::fmt::Write as _;

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

use crate::Scopes;

mod parse;
#[cfg(test)]
mod tests;

/// One challenge: a scheme with parameters, with one token68 blob, or alone.
///
/// Scheme and parameter names are compared without regard to letter case. Values are the server's
/// words: they hold no control characters, but clean and bound them before they reach a person.
#[derive(Clone, Debug, PartialEq, Eq)]
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

    fn write_to(&self, out: &mut String) {
        out.push_str(&self.scheme);
        if let Some(blob) = &self.token68 {
            out.push(' ');
            out.push_str(blob);
        }
        for (index, (name, value)) in self.parameters.iter().enumerate() {
            let separator = if index == 0 { " " } else { ", " };
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            // Writing to a String cannot fail.
            let _ = write!(out, "{separator}{name}=\"{escaped}\"");
        }
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenges(Vec<Challenge>);

impl Challenges {
    /// Reads every `WWW-Authenticate` value of a response as one list (RFC 9110 §5.3).
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let values = headers.get_all(WWW_AUTHENTICATE).iter();
        let texts: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        Self::parse(texts.iter().map(AsRef::as_ref))
    }

    /// Reads field values in their order of appearance.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        Self(parse::challenges(values))
    }

    /// The challenges in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Challenge> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of challenges.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
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
    /// quoted strings did.
    #[must_use]
    pub fn to_header_value(&self) -> String {
        let mut out = String::new();
        for challenge in self {
            if !out.is_empty() {
                out.push_str(", ");
            }
            challenge.write_to(&mut out);
        }
        out
    }

    fn oauth(&self) -> impl Iterator<Item = &Challenge> {
        let (bearer, other) = (self.iter(), self.iter());
        bearer
            .filter(|challenge| challenge.is_scheme(BEARER))
            .chain(other.filter(|challenge| challenge.is_oauth() && !challenge.is_scheme(BEARER)))
    }
}

impl<'a> IntoIterator for &'a Challenges {
    type Item = &'a Challenge;
    type IntoIter = std::slice::Iter<'a, Challenge>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

const BEARER: &str = "Bearer";
const DPOP: &str = "DPoP";

/// The schemes under which OAuth parameters count (RFC 6750, RFC 9449 §7.1).
const OAUTH_SCHEMES: [&str; 2] = [BEARER, DPOP];
