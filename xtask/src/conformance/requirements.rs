//! The frozen requirement sets of each revision: the figures that the suite itself publishes.

use super::checks::Tally;

/// The requirement set of one revision.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) revision: &'static str,
    /// How many client scenarios it scores.
    scored: usize,
}

/// The revisions that have one.
pub(super) const SETS: &[Set] = &[
    Set {
        revision: "2025-11-25",
        scored: 18,
    },
    Set {
        revision: "2026-07-28",
        scored: 32,
    },
];

impl Set {
    /// What speaks against a run, by the summary that the suite printed, and the sum over what it scores.
    ///
    /// What it runs beside that, such as the extensions, is neither judged nor summed.
    pub(super) fn judge(&self, printed: &str) -> (Vec<String>, Tally) {
        let (summary, others) = printed
            .split_once("Not scored for ")
            .unwrap_or((printed, ""));
        let others: Vec<&str> = others
            .lines()
            .filter_map(|line| line.trim().split(' ').nth(1))
            .collect();
        let summary = summary.split_once(HEADING).map_or("", |(_, rows)| rows);
        let scored: Vec<(&str, Tally)> = summary
            .lines()
            .filter_map(row)
            .filter(|(name, _)| !others.contains(name))
            .collect();

        let failing = scored.iter().filter(|(_, tally)| !tally.is_clean());
        let mut objections: Vec<String> = failing
            .map(|(name, tally)| format!("{name}: {tally}"))
            .collect();
        if scored.len() != self.scored {
            objections.push(format!(
                "{} scenarios were scored instead of {}",
                scored.len(),
                self.scored
            ));
        }
        let mut sum = Tally::default();
        scored.iter().for_each(|(_, tally)| sum += *tally);
        (objections, sum)
    }
}

/// Reads `✓ auth/metadata-default: 18 passed, 0 failed, 1 warnings`.
fn row(line: &str) -> Option<(&str, Tally)> {
    let line = line.strip_prefix(['✓', '✗'])?.trim_start();
    let (name, figures) = line.split_once(": ")?;
    let mut tally = Tally::default();
    for figure in figures.split(", ") {
        let (number, what) = figure.split_once(' ')?;
        let number = number.parse().ok()?;
        match what {
            "passed" => tally.passed = number,
            "failed" => tally.failed = number,
            "warnings" => tally.warned = number,
            _ => return None,
        }
    }
    Some((name, tally))
}

const HEADING: &str = "=== SUITE SUMMARY ===";

#[cfg(test)]
mod tests {
    use super::*;

    const SET: Set = Set {
        revision: "2025-11-25",
        scored: 2,
    };

    const PRINTED: &str = "✗ is what a failure looks like: 0 passed, 1 failed
=== SUITE SUMMARY ===

✓ initialize: 1 passed, 0 failed
✓ tools_call: 2 passed, 0 failed
✗ auth/dpop: 9 passed, 3 failed

Total: 12 passed, 3 failed, 0 warnings

Not scored for 2025-11-25: 1 scenario(s) run, 1 failing. These do not affect conformance.
  ✗ auth/dpop (extension)
";

    #[test]
    fn only_what_is_scored_is_judged_and_summed() {
        let (objections, sum) = SET.judge(PRINTED);
        assert_eq!(objections, [] as [String; 0]);
        assert_eq!(sum.to_string(), "  3 passed  0 failed  0 warned");
    }

    #[test]
    fn a_failure_a_warning_and_a_scenario_too_few_are_objected_to() {
        let cases = [
            (
                "✓ initialize: 1 passed, 0 failed",
                "✗ initialize: 0 passed, 1 failed",
                "initialize: ",
            ),
            (
                "2 passed, 0 failed",
                "2 passed, 0 failed, 1 warnings",
                "tools_call: ",
            ),
            (
                "✓ tools_call: 2 passed, 0 failed\n",
                "",
                "1 scenarios were scored",
            ),
            ("=== SUITE SUMMARY ===", "", "0 scenarios were scored"),
        ];
        for (from, to, expected) in cases {
            assert!(PRINTED.contains(from));
            let (objections, _) = SET.judge(&PRINTED.replacen(from, to, 1));
            assert_eq!(objections.len(), 1, "{objections:?}");
            assert!(objections[0].starts_with(expected), "{objections:?}");
        }
    }
}
