//! `checks.json`: what a run of the suite leaves behind.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use serde_json::Value;

/// One check of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) id: String,
    pub(super) status: Status,
    /// What went wrong, or what was looked at.
    pub(super) says: String,
}

/// What the suite thinks of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Success,
    Failure,
    Warning,
    /// Of what was seen on the wire, or of what this run could not show: no judgement.
    Neutral,
}

/// A check that has to be there and passed, so that a client that did nothing fails.
#[derive(Debug, Clone, Copy)]
pub(super) struct Required {
    id: &'static str,
    times: usize,
}

/// How many checks passed, failed and were warnings.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) warned: usize,
}

/// A check that has to pass once or more.
pub(super) const fn once(id: &'static str) -> Required {
    times(1, id)
}

/// A check that has to pass so many times or more.
pub(super) const fn times(times: usize, id: &'static str) -> Required {
    Required { id, times }
}

/// Reads the file.
pub(super) fn parse(text: &str) -> Result<Vec<Check>, String> {
    let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let checks = json.as_array().ok_or("not an array of checks")?;
    checks.iter().map(check).collect()
}

fn check(json: &Value) -> Result<Check, String> {
    let text = |key: &str| json[key].as_str();
    let id = text("id").ok_or_else(|| format!("a check without an id: {json}"))?;
    let status = match text("status") {
        Some("SUCCESS") => Status::Success,
        Some("FAILURE") => Status::Failure,
        Some("WARNING") => Status::Warning,
        Some("INFO" | "SKIPPED") => Status::Neutral,
        other => return Err(format!("{id} has the status {other:?}")),
    };
    let says = text("errorMessage").or_else(|| text("description"));
    Ok(Check {
        id: id.to_owned(),
        status,
        says: says.unwrap_or_default().to_owned(),
    })
}

/// Everything that speaks against a run, by its checks alone.
pub(super) fn objections<'a>(
    checks: &[Check],
    required: impl Iterator<Item = &'a Required>,
) -> Vec<String> {
    let bad = checks.iter().filter_map(|check| {
        let word = match check.status {
            Status::Failure => "FAILURE",
            Status::Warning => "WARNING",
            Status::Success | Status::Neutral => return None,
        };
        Some(format!("{word} {}: {}", check.id, check.says))
    });
    let mut objections: Vec<String> = bad.collect();
    let mut passed: BTreeMap<&str, usize> = BTreeMap::new();
    for check in checks {
        if check.status == Status::Success {
            *passed.entry(&check.id).or_default() += 1;
        }
    }
    for Required { id, times } in required {
        let seen = passed.get(id).copied().unwrap_or_default();
        if seen < *times {
            objections.push(format!("MISSING {id}: passed {seen} of {times} times"));
        }
    }
    objections
}

impl Tally {
    pub(super) fn of(checks: &[Check]) -> Self {
        let count = |status| checks.iter().filter(|check| check.status == status).count();
        Self {
            passed: count(Status::Success),
            failed: count(Status::Failure),
            warned: count(Status::Warning),
        }
    }

    /// Whether nothing failed and nothing was a warning.
    pub(super) fn is_clean(self) -> bool {
        self.failed == 0 && self.warned == 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.warned += other.warned;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            warned,
        } = self;
        write!(
            f,
            "{passed:>3} passed {failed:>2} failed {warned:>2} warned"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED: &[Required] = &[once("pkce"), times(2, "bearer")];

    const GOOD: &str = r#"[
        {"id": "incoming", "status": "INFO", "description": "POST"},
        {"id": "pkce", "status": "SUCCESS", "description": "sent"},
        {"id": "bearer", "status": "SUCCESS"},
        {"id": "bearer", "status": "SUCCESS"},
        {"id": "roots", "status": "SKIPPED"}
    ]"#;

    fn objected(text: &str) -> Vec<String> {
        objections(&parse(text).unwrap(), REQUIRED.iter())
    }

    #[test]
    fn a_run_whose_required_checks_passed_has_nothing_against_it() {
        assert_eq!(objected(GOOD), [] as [String; 0]);
        let tally = Tally::of(&parse(GOOD).unwrap());
        assert_eq!(tally.to_string(), "  3 passed  0 failed  0 warned");
    }

    #[test]
    fn a_run_without_checks_is_no_pass() {
        let expected = [
            "MISSING pkce: passed 0 of 1 times",
            "MISSING bearer: passed 0 of 2 times",
        ];
        assert_eq!(objected("[]"), expected);
    }

    #[test]
    fn failures_warnings_and_what_is_missing_are_each_objected_to() {
        let cases = [
            (
                (
                    r#""pkce", "status": "SUCCESS""#,
                    r#""pkce", "status": "SKIPPED""#,
                ),
                "MISSING pkce: passed 0 of 1 times",
            ),
            (
                (
                    r#""INFO", "description": "POST""#,
                    r#""WARNING", "errorMessage": "odd""#,
                ),
                "WARNING incoming: odd",
            ),
            (
                (r#""INFO", "description""#, r#""FAILURE", "description""#),
                "FAILURE incoming: POST",
            ),
            (
                (r#"{"id": "bearer", "status": "SUCCESS"},"#, ""),
                "MISSING bearer: passed 1 of 2 times",
            ),
        ];
        for ((from, to), expected) in cases {
            assert!(GOOD.contains(from), "{from}");
            assert_eq!(objected(&GOOD.replacen(from, to, 1)), [expected], "{to}");
        }
    }

    #[test]
    fn a_status_that_is_not_known_is_not_taken_for_a_pass() {
        let renamed = GOOD.replacen("SUCCESS", "PASSED", 1);
        assert!(parse(&renamed).unwrap_err().contains("PASSED"));
        assert!(parse("{}").is_err());
        assert!(parse("nonsense").is_err());
        assert!(parse(r#"[{"status": "SUCCESS"}]"#).is_err());
    }
}
