//! Which quirks hold for a server: those that come with the program, those of the user's own file, and what the
//! configuration switches on and off.

mod read;
mod rules;

use std::sync::OnceLock;

use doorkey_oauth::{Place, Quirk, QuirkExplanation, QuirkMatch, Quirks};
use serde::Serialize;

use crate::config::ServerConfig;
use crate::error::Error;
use crate::host::{Host, grant_key};
use crate::target::Target;

pub(crate) use rules::QuirkRules;
use rules::{Rule, Switch};

/// The quirks that come with this version, as data: for programs that use `doorkey-oauth` without a [`Host`]. Those
/// that a person has to choose are not among them: [`quirks_by_choice`].
#[must_use]
pub fn builtin_quirks() -> Quirks {
    static QUIRKS: OnceLock<Quirks> = OnceLock::new();
    QUIRKS.get_or_init(|| builtin(false)).clone()
}

/// The quirks that come with this version and hold only where a person chose them.
#[must_use]
pub fn quirks_by_choice() -> Quirks {
    static QUIRKS: OnceLock<Quirks> = OnceLock::new();
    QUIRKS.get_or_init(|| builtin(true)).clone()
}

fn builtin(by_choice: bool) -> Quirks {
    let rules = QuirkRules::builtin();
    let rules = rules.all().iter();
    let such = rules.filter(|rule| rule.by_choice == by_choice);
    such.map(|rule| rule.quirk.clone()).collect()
}

/// A quirk that is known of a server, and whether it is used there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QuirkInForce {
    /// Its name.
    pub id: String,
    /// Whether it is used.
    pub state: QuirkState,
    /// What the server does, in one sentence.
    pub what: String,
    /// Why it is about this server, or who switched it on or off.
    pub because: String,
    /// Where it is known from.
    pub source: Vec<String>,
    /// When that was looked at.
    pub date: String,
    /// Where the rule is: `built in`, or the path of the user's own file.
    pub from: String,
}

/// Whether a quirk is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QuirkState {
    /// It is used.
    On,
    /// It was switched off.
    Off,
    /// It is used where `quirks_on` names it, and there it is not named.
    ByChoice,
}

impl QuirkState {
    /// The word used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::ByChoice => "by_choice",
        }
    }
}

/// What was made of the quirks of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QuirkSwitches {
    /// Whether any is used.
    pub(crate) all: bool,
    /// Those that are used whatever they say of whom they are about.
    pub(crate) on: Vec<String>,
    /// Those that are not used.
    pub(crate) off: Vec<String>,
    /// What comes of it with the rules that there are.
    pub(crate) used: Quirks,
}

impl Default for QuirkSwitches {
    fn default() -> Self {
        Self {
            all: true,
            on: Vec::new(),
            off: Vec::new(),
            used: Quirks::default(),
        }
    }
}

impl QuirkSwitches {
    /// The line of the configuration that chooses one more.
    pub(crate) fn choosing(&self, id: &str) -> String {
        let all = self.on.iter().map(String::as_str).chain([id]);
        let all: Vec<_> = all.map(|id| format!("{id:?}")).collect();
        format!("quirks_on = [{}]", all.join(", "))
    }
}

impl Host {
    /// What is known of a server as odd, and whether that is used: by its URL, and by its authorization server as the
    /// configuration or the stored login names it. No request is made. What only explains the refusals of any
    /// server is not among it.
    ///
    /// # Errors
    /// There is no such server, or the store cannot be read.
    pub async fn quirks_of(
        &self,
        target: impl Into<Target<'_>>,
    ) -> Result<Vec<QuirkInForce>, Error> {
        let server = self.server(target.into())?;
        if server.bearer_key().is_some() {
            return Ok(Vec::new());
        }
        let issuer = match server.oauth.bound_issuer() {
            Some(issuer) => Some(issuer.as_str().to_owned()),
            None => {
                match self.store().grant(&grant_key(&server)).await {
                    Ok(stored) => stored.map(|stored| stored.value.issuer),
                    // Nobody knows whose it is; what goes by the URL is known all the same.
                    Err(error) if self.is_of_one_record(&error) => None,
                    Err(error) => return Err(error.into()),
                }
            }
        };
        Ok(self.quirks_at(&server, issuer.as_deref()))
    }

    /// What is known of a failure: what the words of the server mean, if a quirk explains them, else which quirk
    /// would have helped that a person has to choose, with the line to write.
    #[must_use]
    pub fn explanation<'a>(
        &self,
        target: impl Into<Target<'a>>,
        error: &Error,
    ) -> Option<QuirkExplanation> {
        let target = target.into();
        let tokens = self.session(target).ok()?.tokens;
        let error = error.authorization()?;
        tokens.explain(error).or_else(|| {
            let server = self.server(target).ok()?;
            self.offer(&server, tokens.issuer().as_deref(), error)
        })
    }

    /// The quirk that would have kept this error from happening, if there is one that is known of the server and not
    /// used because nobody chose it.
    pub(crate) fn offer(
        &self,
        server: &ServerConfig,
        issuer: Option<&str>,
        error: &doorkey_oauth::Error,
    ) -> Option<QuirkExplanation> {
        let rules = self.config().quirk_rules();
        let rule = rules.all().iter().find(|rule| {
            let quirk = &rule.quirk;
            rule.switch(&server.quirks) == Switch::ByChoice
                && quirk.reason(&server.url, issuer).is_some()
                && quirk.would_prevent(error)
        })?;
        let Quirk { id, what, .. } = &rule.quirk;
        let line = server.quirks.choosing(id);
        Some(QuirkExplanation::new(
            id,
            format!("{what} The rule about that is off until you choose it."),
            format!("write {line} in [mcp_servers.{}]", server.name),
        ))
    }

    /// The same as [`Host::quirks_of`] where the authorization server is known already.
    pub(crate) fn quirks_at(
        &self,
        server: &ServerConfig,
        issuer: Option<&str>,
    ) -> Vec<QuirkInForce> {
        let rules = self.config().quirk_rules();
        let place = Place::new(&server.url, issuer);
        let all = rules.all().iter();
        all.filter_map(|rule| in_force(rule, server, &place))
            .collect()
    }
}

fn in_force(rule: &Rule, server: &ServerConfig, place: &Place<'_>) -> Option<QuirkInForce> {
    let quirk = &rule.quirk;
    let switch = rule.switch(&server.quirks);
    let because = match (switch, quirk.reason_at(place)) {
        (Switch::Chosen, _) => "quirks_on names it".to_owned(),
        // What explains refusals only is about nobody in particular.
        (_, Some(QuirkMatch::Always) | None) => return None,
        (Switch::Off(by), _) => by.to_owned(),
        (_, Some(QuirkMatch::Server(pattern))) => format!("the server is {pattern}"),
        (_, Some(QuirkMatch::Issuer(pattern))) => {
            format!("the authorization server is {pattern}")
        }
        (_, Some(_)) => return None,
    };
    Some(QuirkInForce {
        id: quirk.id.clone(),
        state: match switch {
            Switch::On | Switch::Chosen => QuirkState::On,
            Switch::Off(_) => QuirkState::Off,
            Switch::ByChoice => QuirkState::ByChoice,
        },
        what: quirk.what.clone(),
        because,
        source: quirk.source.clone(),
        date: quirk.date.clone(),
        from: rule.from.clone(),
    })
}

#[cfg(test)]
mod tests;
