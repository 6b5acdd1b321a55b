//! Quirks: what is known of authorization servers and MCP servers that behave oddly, as data.
//!
//! A quirk names whom it is about, says in one sentence what they do, and lists what a client does about it. No
//! quirk weakens a check of security but by naming an exact pair of issuers or an exact vendor; which of
//! them hold is the host's decision, and a setting of its own always wins over one.

mod effect;
mod explain;
mod in_force;
mod pattern;

use std::cell::OnceCell;
use std::fmt;
use std::sync::{Arc, LazyLock};

use url::Url;

pub use effect::{Effect, Explanation, RedirectRule, ScopeParameter};
pub(crate) use in_force::{InForce, discover_with};
pub use pattern::{Pattern, PatternError};

/// One thing that some server does in its own way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quirk {
    /// A stable name, such as `google-offline`.
    pub id: String,
    /// Whom it is about: it holds where any of these does.
    pub matches: Vec<QuirkMatch>,
    /// What a client does about it.
    pub effects: Vec<Effect>,
    /// What the server does, in one sentence for people.
    pub what: String,
    /// Where that is known from: public issues such as `owner/repository#1`, or documents.
    pub source: Vec<String>,
    /// When that was looked at, such as `2026-08`.
    pub date: String,
}

/// Whom a quirk is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QuirkMatch {
    /// An authorization server whose issuer is like this.
    Issuer(Pattern),
    /// An MCP server whose URL is like this.
    Server(Pattern),
    /// Everybody: for what only explains, and for what a person chose for one server.
    Always,
}

impl Quirk {
    /// A quirk of this name that matches nobody and does nothing yet.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            matches: Vec::new(),
            effects: Vec::new(),
            what: String::new(),
            source: Vec::new(),
            date: String::new(),
        }
    }

    /// Why it holds at the MCP server `server` whose tokens come from `issuer`, if it does. Without an
    /// issuer nothing is known of it yet.
    #[must_use]
    pub fn reason(&self, server: &Url, issuer: Option<&str>) -> Option<&QuirkMatch> {
        self.reason_at(&Place::new(server, issuer))
    }

    /// The same, for many quirks at one place.
    #[must_use]
    pub fn reason_at(&self, place: &Place<'_>) -> Option<&QuirkMatch> {
        self.matches.iter().find(|matched| match matched {
            QuirkMatch::Issuer(pattern) => {
                let is_like = |issuer| pattern.matches_read(issuer, &place.read);
                place.issuer.is_some_and(is_like)
            }
            QuirkMatch::Server(pattern) => pattern.matches_server(place.server),
            QuirkMatch::Always => true,
        })
    }
}

/// Where a quirk may hold: an MCP server and the issuer of its tokens, read once however many quirks are asked.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    server: &'a Url,
    issuer: Option<&'a str>,
    read: OnceCell<Option<Url>>,
}

impl<'a> Place<'a> {
    /// The MCP server `server` whose tokens come from `issuer`, so far as that is known.
    #[must_use]
    pub fn new(server: &'a Url, issuer: Option<&'a str>) -> Self {
        Self {
            server,
            issuer,
            read: OnceCell::new(),
        }
    }
}

/// What a quirk knows of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuirkExplanation {
    /// The name of the quirk.
    pub quirk: String,
    /// What the refusal means.
    pub means: String,
    /// What to do about it; empty where there is nothing better than what the error itself calls for.
    pub next: String,
}

impl QuirkExplanation {
    /// What a quirk of that name knows.
    #[must_use]
    pub fn new(
        quirk: impl Into<String>,
        means: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            quirk: quirk.into(),
            means: means.into(),
            next: next.into(),
        }
    }
}

/// The quirks that may be used, in the order in which they are asked. Cheap to clone.
#[derive(Clone)]
pub struct Quirks(Arc<Made>);

type Made = LazyLock<Vec<Quirk>, Box<dyn FnOnce() -> Vec<Quirk> + Send>>;

impl Quirks {
    /// What `make` makes, when the first of them is asked for: most programs run without ever asking.
    pub fn when_needed(make: impl FnOnce() -> Vec<Quirk> + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(make))))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Quirk> {
        self.0.iter()
    }

    /// The one of that name.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Quirk> {
        self.0.iter().find(|quirk| quirk.id == id)
    }

    /// Those that hold at the MCP server `server` whose tokens come from `issuer`, so far as that is known.
    pub fn at<'a>(
        &'a self,
        server: &'a Url,
        issuer: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Quirk> {
        let place = Place::new(server, issuer);
        self.0
            .iter()
            .filter(move |quirk| quirk.reason_at(&place).is_some())
    }

    /// What a refusal of a server means and what to do about it, where a quirk that holds there knows. The words
    /// of the server are looked for in the whole of `error`, causes included.
    #[must_use]
    pub fn explain(
        &self,
        server: &Url,
        issuer: Option<&str>,
        error: &crate::Error,
    ) -> Option<(&Quirk, &Explanation)> {
        let said = explain::said(error);
        let place = Place::new(server, issuer);
        self.iter()
            .filter(|quirk| quirk.reason_at(&place).is_some())
            .find_map(|quirk| Some((quirk, explain::of(quirk, &said)?)))
    }

    /// The same where only what a server said is at hand.
    #[must_use]
    pub fn explain_text(
        &self,
        server: &Url,
        issuer: Option<&str>,
        said: &str,
    ) -> Option<(&Quirk, &Explanation)> {
        let said = [said.to_lowercase()];
        let place = Place::new(server, issuer);
        self.iter()
            .filter(|quirk| quirk.reason_at(&place).is_some())
            .find_map(|quirk| Some((quirk, explain::of(quirk, &said)?)))
    }
}

impl FromIterator<Quirk> for Quirks {
    fn from_iter<T: IntoIterator<Item = Quirk>>(quirks: T) -> Self {
        let quirks: Vec<_> = quirks.into_iter().collect();
        Self::when_needed(move || quirks)
    }
}

impl Default for Quirks {
    fn default() -> Self {
        Self::when_needed(Vec::new)
    }
}

impl fmt::Debug for Quirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Quirks {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.iter().eq(other.iter())
    }
}

impl Eq for Quirks {}

#[cfg(test)]
mod tests;
