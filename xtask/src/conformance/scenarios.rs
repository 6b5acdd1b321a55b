//! A scenario, the revisions it applies to, and the checks that make a pass of it.
//!
//! The suite's own list is compared with ours, so that neither a new scenario nor a new revision goes unnoticed.

mod table;

use super::checks::Required;
use crate::failure::Violation;

pub(super) use table::{OUT_OF_SCOPE, SCENARIOS};

/// One scenario.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// The binary that plays it.
    pub(super) client: &'static str,
    /// What the suite lists it for; [`EXTENSION`] for what belongs to no revision.
    versions: &'static [&'static str],
    /// The checks that it shares with others of its kind, and its own.
    stages: &'static [&'static [Required]],
    own: &'static [Required],
    required_at_newest: &'static [Required],
}

/// A scenario at one revision.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) scenario: &'static Scenario,
    pub(super) version: &'static str,
}

/// A scenario as the suite lists it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) versions: Vec<String>,
}

/// Everything there is to run.
pub(super) fn runs() -> Vec<Run> {
    let of = |scenario: &'static Scenario| {
        let versions = scenario.revisions().iter();
        versions.map(move |version| Run { scenario, version })
    };
    SCENARIOS.iter().flat_map(of).collect()
}

/// Where this list and the suite's disagree.
pub(super) fn disagreements(
    scenarios: &[Scenario],
    out_of_scope: &[(&str, &str)],
    listed: &[Listed],
) -> Vec<Violation> {
    let mut broken = Vec::new();
    let mut found = |name: &str, problem: String, instead| {
        broken.push(Violation::new(LAW, name, problem, instead));
    };
    for suite in listed {
        let name = suite.name.as_str();
        if out_of_scope.iter().any(|(known, _)| *known == name) {
            continue;
        }
        match scenarios.iter().find(|ours| ours.name == name) {
            None => found(name, "is new".to_owned(), "say what makes a pass of it"),
            Some(ours) if ours.versions != suite.versions => {
                let problem = format!("is for {:?}, not {:?}", suite.versions, ours.versions);
                found(name, problem, "correct its revisions");
            }
            Some(_) => {}
        }
    }
    let ours = scenarios.iter().map(|ours| ours.name);
    for name in ours.chain(out_of_scope.iter().map(|(name, _)| *name)) {
        if !listed.iter().any(|suite| suite.name == name) {
            found(name, "is not in the suite".to_owned(), "remove it");
        }
    }
    broken
}

impl Scenario {
    /// One that is about authorization and takes a client through these stages.
    const fn auth(
        name: &'static str,
        versions: &'static [&'static str],
        stages: &'static [&'static [Required]],
        own: &'static [Required],
    ) -> Self {
        Self {
            name,
            client: "conformance-client",
            versions,
            stages,
            own,
            required_at_newest: &[],
        }
    }

    /// One that is about the wire alone.
    const fn wire(
        name: &'static str,
        versions: &'static [&'static str],
        own: &'static [Required],
    ) -> Self {
        Self {
            client: "conformance-wire",
            ..Self::auth(name, versions, &[], own)
        }
    }

    /// With more checks at the newest revision.
    const fn at_newest(mut self, required: &'static [Required]) -> Self {
        self.required_at_newest = required;
        self
    }

    /// An extension belongs to no revision and holds on both wires.
    fn revisions(&self) -> &'static [&'static str] {
        if self.is_extension() {
            BOTH
        } else {
            self.versions
        }
    }

    pub(super) fn is_extension(&self) -> bool {
        self.versions == EXTENSION
    }
}

impl Run {
    /// The checks that have to pass.
    pub(super) fn required(&self) -> impl Iterator<Item = &'static Required> {
        let newest = if self.version == NEWEST {
            self.scenario.required_at_newest
        } else {
            &[]
        };
        let stages = self.scenario.stages.iter().copied().flatten();
        stages.chain(self.scenario.own).chain(newest)
    }
}

const LAW: &str = "every client scenario of the suite is known";

const BOTH: &[&str] = &["2025-11-25", NEWEST];
const EXTENSION: &[&str] = &["extension"];
const NEWEST: &str = "2026-07-28";

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Vec<Listed> {
        let ours = SCENARIOS.iter().map(|ours| Listed {
            name: ours.name.to_owned(),
            versions: ours.versions.iter().map(|v| (*v).to_owned()).collect(),
        });
        let others = OUT_OF_SCOPE.iter().map(|(name, _)| Listed {
            name: (*name).to_owned(),
            versions: vec!["extension".to_owned()],
        });
        ours.chain(others).collect()
    }

    fn against(listed: &[Listed]) -> Vec<String> {
        let broken = disagreements(SCENARIOS, OUT_OF_SCOPE, listed);
        broken.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_suite_and_this_list_agree_or_it_is_said_where_not() {
        assert_eq!(against(&listed()), [] as [String; 0]);

        let mut gone = listed();
        gone.retain(|suite| suite.name != "sse-retry");
        assert!(against(&gone)[0].starts_with("sse-retry: is not in the suite"));

        let mut unscoped = listed();
        unscoped.pop();
        assert!(against(&unscoped)[0].contains("is not in the suite"));

        let mut new = listed();
        new.push(Listed {
            name: "auth/par".to_owned(),
            versions: vec![NEWEST.to_owned()],
        });
        assert!(against(&new)[0].starts_with("auth/par: is new"));

        let mut wider = listed();
        wider[0].versions.push("2027-01-01".to_owned());
        let said = against(&wider);
        assert!(said[0].contains("2027-01-01"), "{said:?}");
    }

    #[test]
    fn every_scenario_asks_for_a_check_and_runs_at_every_revision() {
        for run in runs() {
            assert!(run.required().count() > 0, "{}", run.scenario.name);
        }
        let at = |version: &str| {
            let runs = runs();
            let auth = |run: &&Run| run.scenario.client == "conformance-client";
            let extension = |run: &&Run| run.scenario.is_extension();
            let here = || runs.iter().filter(|run| run.version == version);
            (
                here().filter(|run| !extension(run)).count(),
                here().filter(|run| auth(run) && !extension(run)).count(),
                here().filter(extension).count(),
            )
        };
        assert_eq!(at("2025-03-26"), (2, 2, 0));
        assert_eq!(at("2025-06-18"), (5, 3, 0));
        assert_eq!(at("2025-11-25"), (19, 14, 6));
        assert_eq!(at("2026-07-28"), (33, 25, 6));
    }

    #[test]
    fn the_newest_revision_asks_for_more() {
        let at = |version| Run {
            scenario: &SCENARIOS[0],
            version,
        };
        let newest = at(NEWEST).required().count();
        assert_eq!(newest, at("2025-11-25").required().count() + 1);
    }
}
