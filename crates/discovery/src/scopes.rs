//! Sets of scope tokens (RFC 6749 §3.3, RFC 6750 §3).

use std::fmt;

/// An ordered set of scope tokens, at most [`MAX_SCOPES`] of them.
///
/// Order is that of first appearance and is kept for display and for requests; it carries no
/// meaning, so two values are equal when they hold the same tokens. Tokens are case-sensitive.
///
/// ```
/// use doorkey_discovery::Scopes;
///
/// let asked = Scopes::parse("mcp:read  mcp:write mcp:read");
/// assert_eq!(asked.to_string(), "mcp:read mcp:write");
/// assert_eq!(asked, Scopes::parse("mcp:write mcp:read"));
/// ```
#[derive(Clone, Debug, Default, Eq)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// An empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Reads a space-separated list. Surplus blanks and repeated tokens are tolerated; a token with
    /// a character outside the alphabet of RFC 6749 §3.3 is dropped, because no server could have
    /// meant it. So is what comes after [`MAX_SCOPES`] tokens, and a token of more than 512 bytes.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut scopes = Self::new();
        scopes.add(text);
        scopes
    }

    /// The tokens of both sets, ours first.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other).collect()
    }

    /// The tokens of this set that `other` lacks.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.iter().filter(|token| !other.contains(token)).collect()
    }

    /// Whether `token` is in the set, letter case included.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        self.0.iter().any(|held| held == token)
    }

    /// Whether every token of `other` is in this set. No hierarchy between scopes is inferred.
    #[must_use]
    pub fn is_superset(&self, other: &Self) -> bool {
        other.iter().all(|token| self.contains(token))
    }

    /// Whether the set holds no token.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of tokens.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// The tokens in order of first appearance.
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.0.iter())
    }

    fn add(&mut self, text: &str) {
        for token in text.split_ascii_whitespace() {
            if self.0.len() >= MAX_SCOPES {
                return;
            }
            let is_token = token.len() <= LONGEST_TOKEN && token.bytes().all(is_scope_character);
            if is_token && !self.contains(token) {
                self.0.push(token.to_owned());
            }
        }
    }
}

impl PartialEq for Scopes {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.is_superset(other)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl<S: AsRef<str>> Extend<S> for Scopes {
    /// Adds the tokens of each item, read as by [`Scopes::parse`].
    fn extend<I: IntoIterator<Item = S>>(&mut self, items: I) {
        for item in items {
            self.add(item.as_ref());
        }
    }
}

impl<S: AsRef<str>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(items: I) -> Self {
        let mut scopes = Self::new();
        scopes.extend(items);
        scopes
    }
}

impl From<Scopes> for Vec<String> {
    fn from(scopes: Scopes) -> Self {
        scopes.0
    }
}

impl<'a> IntoIterator for &'a Scopes {
    type Item = &'a str;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The tokens of a [`Scopes`], in order; made by [`Scopes::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a>(std::slice::Iter<'a, String>);

impl<'a> Iterator for Iter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.0.next().map(String::as_str)
    }
}

/// The most tokens that a set holds: sets of servers are compared token by token.
pub const MAX_SCOPES: usize = 1000;
/// Bytes of one token.
const LONGEST_TOKEN: usize = 512;

/// `%x21 / %x23-5B / %x5D-7E` of RFC 6749 §3.3.
const fn is_scope_character(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsing_is_lenient_on_blanks_and_repeats_www_09() {
        let scopes = Scopes::parse("  b \t a  b ");
        assert_eq!(scopes.iter().collect::<Vec<_>>(), ["b", "a"]);
        assert!(Scopes::parse("   ").is_empty());
    }

    #[test]
    fn tokens_outside_the_alphabet_are_dropped_www_09() {
        let scopes =
            Scopes::parse("ok \"quoted\" back\\slash caf\u{e9} esc\u{1b}[0m mcp:read,write");
        assert_eq!(scopes.to_string(), "ok mcp:read,write");
    }

    #[test]
    fn a_set_is_bounded_in_number_and_length_sec_12() {
        let many: Vec<String> = (0..200_000).map(|n| n.to_string()).collect();
        assert_eq!(Scopes::parse(&many.join(" ")).len(), MAX_SCOPES);
        assert_eq!(many.iter().collect::<Scopes>().len(), MAX_SCOPES);
        let token = |length: usize| "x".repeat(length);
        assert_eq!(Scopes::parse(&token(LONGEST_TOKEN)).len(), 1);
        assert!(Scopes::parse(&token(LONGEST_TOKEN + 1)).is_empty());
    }

    #[test]
    fn equality_ignores_order_but_not_case_www_09() {
        assert_eq!(Scopes::parse("a b"), Scopes::parse("b a"));
        assert_ne!(Scopes::parse("a b"), Scopes::parse("a B"));
        assert_ne!(Scopes::parse("a b"), Scopes::parse("a"));
        assert_ne!(Scopes::parse("a"), Scopes::parse("a b"));
    }

    #[test]
    fn a_union_keeps_what_was_held_and_infers_no_hierarchy() {
        let held = Scopes::parse("mcp:admin mcp:read");
        let challenged = Scopes::parse("mcp:write mcp:read");
        let union = held.union(&challenged);
        assert_eq!(union.to_string(), "mcp:admin mcp:read mcp:write");
        assert!(union.is_superset(&held) && union.is_superset(&challenged));
        assert!(!held.is_superset(&challenged));
        assert_eq!(union.difference(&held).to_string(), "mcp:write");
    }

    #[test]
    fn items_of_an_iterator_may_hold_several_tokens() {
        let scopes: Scopes = vec!["a b".to_owned(), "c".to_owned()].into_iter().collect();
        assert_eq!(scopes, ["c", "b", "a"].into_iter().collect());
        assert_eq!(scopes.len(), 3);
        assert_eq!(Vec::from(scopes), ["a", "b", "c"]);
    }
}
