//! What `doorkey doctor` means by the name of a fault, for no server in particular.

use doorkey::doctor::{Fault, Step};
use serde::Serialize;

/// A fault as data.
#[derive(Serialize)]
pub(super) struct Meaning {
    id: &'static str,
    step: Step,
    title: String,
    means: String,
    mend: Mend,
    rule: &'static str,
    section: &'static str,
    help: String,
}

/// What mends it; empty where there is nothing of the kind.
#[derive(Serialize)]
struct Mend {
    text: String,
    command: Option<String>,
    config: Option<String>,
}

impl Meaning {
    pub(super) fn of(fault: &Fault) -> Self {
        let some = |text: &str| (!text.is_empty()).then(|| Fault::in_general(text));
        Self {
            id: fault.id,
            step: fault.step,
            title: Fault::in_general(fault.title),
            means: Fault::in_general(fault.means),
            mend: Mend {
                text: Fault::in_general(fault.mend),
                command: some(fault.command),
                config: some(fault.setting),
            },
            rule: fault.rule,
            section: fault.section,
            help: format!("docs/doctor.md#{}", fault.id),
        }
    }

    pub(super) fn in_words(&self) -> String {
        let mut lines = vec![
            format!("{}, found by doorkey doctor", self.id),
            String::new(),
            format!("{}. {}", self.title, self.means),
            String::new(),
            format!("step: {}", self.step.title()),
            format!("do: {}", self.mend.text),
        ];
        lines.extend(self.mend.command.iter().map(|line| format!("  $ {line}")));
        if let Some(config) = &self.mend.config {
            lines.push("in config.toml:".to_owned());
            lines.extend(config.lines().map(|line| format!("  {line}")));
        }
        let sources = [self.rule, self.section];
        let sources: Vec<_> = sources.into_iter().filter(|it| !it.is_empty()).collect();
        lines.push(format!("see: {}", sources.join(", ")));
        lines.join("\n")
    }
}
