//! What an examination found, as plain data that a file can keep.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fault::{Class, Severity, Step};
use crate::quirks::QuirkInForce;

/// The way to one server, step by step, and what is wrong on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The server as it was named: a name of `config.toml`, or a URL.
    pub server: String,
    /// Its URL, without what may be secret.
    #[serde(default)]
    pub url: Option<String>,
    /// Which account there.
    #[serde(default)]
    pub account: Option<String>,
    /// When it was examined (RFC 3339, UTC).
    pub examined_at: String,
    /// How long that took, in milliseconds.
    pub took_ms: u64,
    /// Every step, in order.
    pub steps: Vec<StepReport>,
    /// What is wrong, the most likely cause first. Nothing: the server can be used.
    pub findings: Vec<Finding>,
    /// What is known of the servers as odd, and whether it is heeded.
    #[serde(default)]
    pub quirks: Vec<KnownQuirk>,
}

/// What is known of a server as odd.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KnownQuirk {
    /// Its name.
    pub id: String,
    /// Whether it is heeded: `on`, `off`, `by_choice`.
    pub state: String,
    /// What the server does.
    pub what: String,
    /// Why it is about this server.
    pub because: String,
    /// Where it is known from.
    #[serde(default)]
    pub source: Vec<String>,
    /// When that was looked at.
    #[serde(default)]
    pub date: String,
}

impl From<QuirkInForce> for KnownQuirk {
    fn from(quirk: QuirkInForce) -> Self {
        Self {
            state: quirk.state.as_str().to_owned(),
            id: quirk.id,
            what: quirk.what,
            because: quirk.because,
            source: quirk.source,
            date: quirk.date,
        }
    }
}

impl Diagnosis {
    /// What decides the exit code: the class of the first fault that keeps the server from being used.
    #[must_use]
    pub fn class(&self) -> Option<Class> {
        let mut errors = self.findings.iter();
        let first = errors.find(|finding| finding.severity == Severity::Error)?;
        Some(first.class)
    }
}

/// One step, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepReport {
    /// Which.
    pub step: Step,
    /// How it went.
    pub status: Status,
    /// What was found, or why it was not done.
    pub detail: String,
    /// Each place that was asked in it, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// How long it took, in milliseconds; nothing for what was skipped.
    #[serde(default)]
    pub took_ms: Option<u64>,
    /// The rules that it goes by.
    #[serde(default)]
    pub rules: Vec<String>,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// As it should.
    Ok,
    /// It did, and something is not as it should be.
    Warning,
    /// It did not.
    Failed,
    /// It was not done; the detail says why.
    Skipped,
}

/// One fault that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// Its name in the table of faults.
    pub id: String,
    /// Where it shows.
    pub step: Step,
    /// What kind it is.
    pub class: Class,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub title: String,
    /// What that means here.
    pub means: String,
    /// The answer, or the failure, that shows it.
    #[serde(default)]
    pub evidence: Option<Evidence>,
    /// What the texts are filled in with, by the names of their places.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// The rule.
    #[serde(default)]
    pub rule: String,
    /// The specification.
    #[serde(default)]
    pub section: Option<String>,
    /// What to do.
    pub mend: Mend,
    /// The known deviation of the server behind it.
    #[serde(default)]
    pub quirk: Option<String>,
    /// The code of the error as other commands print it.
    #[serde(default)]
    pub code: Option<String>,
}

/// What shows a fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Evidence {
    /// What the request was for; nothing where none was made.
    #[serde(default)]
    pub leg: Option<String>,
    /// Its method.
    #[serde(default)]
    pub method: Option<String>,
    /// Its URL, without what may be secret.
    #[serde(default)]
    pub url: Option<String>,
    /// The status of the answer.
    #[serde(default)]
    pub status: Option<u16>,
    /// The beginning of the answer, or the first cause of the failure, cleaned.
    #[serde(default)]
    pub excerpt: Option<String>,
}

/// What mends a fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mend {
    /// In words.
    pub text: String,
    /// What to type.
    #[serde(default)]
    pub command: Option<String>,
    /// What to write into `config.toml`.
    #[serde(default)]
    pub config: Option<String>,
    /// Whom to tell: an origin.
    #[serde(default)]
    pub operator: Option<String>,
    /// What to tell them.
    #[serde(default)]
    pub message: Option<String>,
}

/// What the texts of a fault are filled in with.
pub(super) type Values = BTreeMap<&'static str, String>;

/// A text of the table with its values.
pub(super) fn filled(text: &str, values: &Values) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let known = after.split_once('}').and_then(|(key, after)| {
            let value = values.get(key)?;
            Some((value, after))
        });
        match known {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_filled_in_once_and_braces_of_its_own_stay() {
        let values = Values::from([
            ("at", "https://h/{url}".to_owned()),
            ("status", "403".into()),
        ]);
        assert_eq!(
            filled(
                "{at} answered {status}: headers = { A = 1 } {other}",
                &values
            ),
            "https://h/{url} answered 403: headers = { A = 1 } {other}"
        );
    }
}
