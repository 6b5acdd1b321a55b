//! The quirks that there are, and which of them are used for a server.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use doorkey_oauth::{Quirk, QuirkMatch, Quirks};

use super::{QuirkSwitches, read};
use crate::bounded;
use crate::config::{ConfigError, ConfigWarning};
use crate::home::Home;

/// Every quirk that is known, those of the user's own file among them.
#[derive(Clone, Debug)]
pub(crate) struct QuirkRules {
    rules: Rules,
    pub(crate) warnings: Vec<ConfigWarning>,
    /// Those that are used where nothing is switched, as nearly everywhere.
    usual: Quirks,
}

/// Where the rules are.
#[derive(Clone, Debug)]
enum Rules {
    /// Those that come with the program, which are read when somebody asks for one.
    Builtin,
    /// Those that the user's own file made of them.
    Own(Arc<[Rule]>),
}

/// A quirk and what files say of its use.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) quirk: Quirk,
    /// Whether it is used only where somebody chose it.
    pub(crate) by_choice: bool,
    pub(crate) enabled: bool,
    /// Where it stands.
    pub(crate) from: String,
}

/// Whether a rule is used for a server that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    On,
    /// It is used whomever it is about.
    Chosen,
    /// By whom.
    Off(&'static str),
    ByChoice,
}

/// What the user's own file says of one rule.
#[derive(Debug)]
pub(super) enum Written {
    Rule(Box<Rule>),
    /// No more than whether a rule that comes with the program is used.
    Enabled(bool),
}

impl QuirkRules {
    /// Those that come with the program.
    pub(crate) fn builtin() -> Self {
        Self::of(Rules::Builtin, Vec::new())
    }

    fn of(rules: Rules, warnings: Vec<ConfigWarning>) -> Self {
        let of = rules.clone();
        Self {
            rules,
            warnings,
            usual: Quirks::when_needed(move || switched(of.all(), &QuirkSwitches::default())),
        }
    }

    pub(crate) fn all(&self) -> &[Rule] {
        self.rules.all()
    }

    /// Those with the user's own file on top, which need not be there.
    ///
    /// # Errors
    /// As for the configuration: the error names file, line and key.
    pub(crate) fn load(home: &Home) -> Result<Self, ConfigError> {
        let path = home.quirks_file();
        let text = match bounded::read_text(&path, FILE_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::builtin());
            }
            Err(source) => return Err(ConfigError::Read { path, source }),
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let from = path.display().to_string();
        let (written, warnings) = read::rules(&path, text, &from)?;
        let mut rules = builtin().to_vec();
        for (id, written) in written {
            take(&mut rules, &id, written);
        }
        Ok(Self::of(Rules::Own(rules.into()), warnings))
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.all().iter().map(|rule| rule.quirk.id.as_str())
    }

    /// The quirks that are used for a server, wherever its tokens come from.
    pub(crate) fn used(&self, switches: &QuirkSwitches) -> Quirks {
        let is_usual = switches.all && switches.on.is_empty() && switches.off.is_empty();
        match is_usual {
            true => self.usual.clone(),
            false => switched(self.all(), switches).into_iter().collect(),
        }
    }
}

impl Rules {
    fn all(&self) -> &[Rule] {
        match self {
            Self::Builtin => builtin(),
            Self::Own(rules) => rules,
        }
    }
}

/// Those that come with the program, read once.
fn builtin() -> &'static [Rule] {
    static BUILTIN: LazyLock<Vec<Rule>> = LazyLock::new(|| {
        let path = PathBuf::from("quirks.toml");
        let read = read::rules(&path, BUILTIN_TEXT, "built in").map(|(written, _)| written);
        let rules = read.unwrap_or_else(|error| {
            // A test reads the same text, so that this cannot be.
            tracing::error!(%error, "the quirks that come with the program cannot be read");
            Vec::new()
        });
        let rules = rules.into_iter().filter_map(|(_, written)| match written {
            Written::Rule(rule) => Some(*rule),
            Written::Enabled(_) => None,
        });
        rules.collect()
    });
    &BUILTIN
}

fn take(rules: &mut Vec<Rule>, id: &str, written: Written) {
    let known = rules.iter_mut().find(|rule| rule.quirk.id == id);
    match (known, written) {
        (Some(known), Written::Rule(rule)) => *known = *rule,
        (Some(known), Written::Enabled(enabled)) => {
            known.enabled = enabled;
            known.by_choice &= !enabled;
        }
        (None, Written::Rule(rule)) => rules.push(*rule),
        // The reader knows which ids there are.
        (None, Written::Enabled(_)) => {}
    }
}

/// The quirks that are used with these switches.
fn switched(rules: &[Rule], switches: &QuirkSwitches) -> Vec<Quirk> {
    let used = rules.iter().filter_map(|rule| {
        let mut quirk = rule.quirk.clone();
        match rule.switch(switches) {
            Switch::On => {}
            Switch::Chosen => quirk.matches = vec![QuirkMatch::Always],
            Switch::Off(_) | Switch::ByChoice => return None,
        }
        Some(quirk)
    });
    used.collect()
}

impl Rule {
    pub(super) fn switch(&self, switches: &QuirkSwitches) -> Switch {
        let named = |ids: &[String]| ids.contains(&self.quirk.id);
        if !switches.all {
            Switch::Off("quirks = false")
        } else if named(&switches.off) {
            Switch::Off("quirks_off names it")
        } else if named(&switches.on) {
            Switch::Chosen
        } else if !self.enabled {
            Switch::Off("quirks.toml has enabled = false")
        } else if self.by_choice {
            Switch::ByChoice
        } else {
            Switch::On
        }
    }
}

pub(super) const BUILTIN_TEXT: &str = include_str!("../../quirks.toml");
/// More than anybody writes.
const FILE_BYTES: u64 = 256 * 1024;
