//! A workspace that keeps the law, broken in one place at a time.

use super::*;
use crate::fixture::Fixture;

const PAGE_TEXT: &str = "# Rules\n\n\
     | id | level | rule | tests |\n|---|---|---|---|\n\
     | AS-07 | MUST | One. | `http::tests::holds`, `conformance: auth/iss-supported` |\n\
     | AS-08 | SHOULD | Two. | — |\n\
     | CON-01 | — | Three. | `integration::tests::holds` |\n";

const PROMISES: &str = "# Security\n\n## What we promise\n\n\
     | promise | held by |\n|---|---|\n| Nothing leaks. | `http::tests::holds` |\n";

const SYMPTOMS: &str = "# Troubleshooting\n\n\
     | no. | what you meet | what happens | held by |\n|---|---|---|---|\n| 1–106 | It fails. | It works. | `http::tests::holds` |\n";

const CUSTOMS: &str = "# Quirks\n\n## What needs no rule\n\n\
     | what | held by |\n|---|---|\n| They do. | `http::tests::holds` |\n";

/// What each step of the fixture ran.
const RAN: [(&str, &str); 3] = [
    (
        "test",
        "passed http::tests::holds\nignored http::tests::waits\n",
    ),
    ("integration", "passed integration::tests::holds\n"),
    (
        "conformance",
        "passed auth/iss-supported\npassed auth/dpop\n",
    ),
];

fn fixture() -> Fixture {
    let fixture = Fixture::small();
    fixture.in_git();
    fixture.write(".gitignore", "/target\n");
    fixture.write(PAGE, PAGE_TEXT);
    fixture.write(promises::PAGE, PROMISES);
    fixture.write(symptoms::PAGE, SYMPTOMS);
    fixture.write(customs::PAGE, CUSTOMS);
    for (step, verdicts) in RAN {
        record(&fixture, step, verdicts);
    }
    fixture
}

/// Writes what a step ran, as if that were long after every source was.
fn record(fixture: &Fixture, step: &str, verdicts: &str) {
    let text = format!("99999999999999\n{verdicts}");
    fixture.write(&format!("target/xtask/ran-{step}.txt"), &text);
}

fn told(fixture: &Fixture) -> String {
    run(&fixture.workspace()).unwrap_err().report()
}

#[test]
fn a_page_whose_tests_ran_passes_and_says_what_it_looked_at() {
    let notes = run(&fixture().workspace()).unwrap().notes;
    assert_eq!(
        notes,
        [
            "1 MUST, 1 SHOULD, 0 MAY, 1 decisions, 1 promises, 1 symptoms, 1 customs; 6 tests and scenarios are named",
            "without a test: AS-08",
            "conformance: 2 ran",
            "integration: 1 ran",
            "test: 2 ran",
        ]
    );
}

#[test]
fn every_way_to_break_the_law_is_told() {
    let cases = [
        (
            "`http::tests::holds`",
            "`http::tests::hold`",
            "AS-07: there is no test `http::tests::hold`",
        ),
        (
            "`http::tests::holds`",
            "`http::holds`",
            "AS-07: `http::holds` did not run, and `http::tests::holds` did",
        ),
        (
            "`http::tests::holds`",
            "`http::tests::waits`",
            "AS-07: `http::tests::waits` is ignored",
        ),
        (
            "`http::tests::holds`, ",
            "",
            "AS-07: has to hold and names no test",
        ),
        (
            "`http::tests::holds`, `conformance: auth/iss-supported`",
            "—",
            "AS-07: has to hold and names no test",
        ),
        (
            "`http::tests::holds`, ",
            "`http::tests::holds`, `http::tests::holds`, ",
            "AS-07: names `http::tests::holds` twice",
        ),
        (
            "auth/iss-supported",
            "auth/iss",
            "AS-07: there is no scenario `auth/iss`",
        ),
        ("AS-08", "AS-07", "AS-07: stands in two rows"),
        ("| SHOULD |", "| OUGHT |", "AS-08: has the level `OUGHT`"),
        ("One. |", "One.", "AS-07: has 3 cells"),
    ];
    for (from, to, expected) in cases {
        let fixture = fixture();
        fixture.replace(PAGE, from, to);
        let told = told(&fixture);
        assert!(told.contains(expected), "{to}: {told}");
        assert!(told.contains("1 broken rule(s)"), "{to}: {told}");
    }
}

#[test]
fn a_promise_without_a_test_and_one_whose_test_is_none_or_did_not_run_are_told() {
    let cases = [
        ("`http::tests::holds`", "—", "has to hold and names no test"),
        ("`http::tests::holds`", "`http::tests::waits`", "is ignored"),
        (
            "`http::tests::holds`",
            "`http::tests::hols`",
            "there is no test",
        ),
        ("| Nothing leaks. |", "- ", "stands in no table"),
    ];
    for (from, to, expected) in cases {
        let fixture = fixture();
        fixture.replace(promises::PAGE, from, to);
        let told = told(&fixture);
        assert!(told.contains(expected), "{to}: {told}");
        assert!(told.contains("SECURITY.md"), "{to}: {told}");
    }
}

#[test]
fn a_test_that_exists_and_did_not_run_is_told_from_one_that_does_not_exist() {
    let fixture = fixture();
    fixture.write("crates/http/src/windows.rs", "fn only_on_windows() {}\n");
    fixture.replace(
        PAGE,
        "`http::tests::holds`",
        "`http::windows::only_on_windows`",
    );
    let told = told(&fixture);
    let expected = "AS-07: `http::windows::only_on_windows` did not run [";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_test_that_names_a_rule_which_is_none_is_told_with_its_place() {
    let fixture = fixture();
    // Other numbers in names are nobody's business.
    fixture.write("crates/http/src/more.rs", "fn a_as_08_rfc_91() {}\n");
    assert!(run(&fixture.workspace()).is_ok());
    fixture.write("crates/http/src/more.rs", "\nfn a_as_08_as_09() {}\n");
    let told = told(&fixture);
    let expected = "crates/http/src/more.rs:2: `a_as_08_as_09` names AS-09, which is no rule";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn without_a_record_the_step_to_run_is_named() {
    for (step, _) in RAN {
        let fixture = fixture();
        fixture.remove(&format!("target/xtask/ran-{step}.txt"));
        let told = told(&fixture);
        assert!(
            told.contains(&format!("run `cargo xtask {step}` first")),
            "{told}"
        );
    }
}

#[test]
fn what_a_step_that_is_left_out_would_run_is_not_looked_for() {
    let fixture = fixture();
    fixture.remove("target/xtask/ran-conformance.txt");
    let workspace = fixture.workspace().without(&["conformance"]);
    let notes = run(&workspace).unwrap().notes;
    assert!(
        notes
            .iter()
            .any(|note| note.starts_with("conformance is left out")),
        "{notes:?}"
    );
    // All else still is.
    record(&fixture, "test", "passed http::tests::other\n");
    assert!(run(&workspace).is_err());
}
