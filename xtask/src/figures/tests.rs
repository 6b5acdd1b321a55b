use super::record::Figures;
use super::*;
use crate::fixture::Fixture;

fn figures(figures: &[(&str, u64)]) -> Figures {
    let owned = |(name, number): &(&str, u64)| ((*name).to_owned(), *number);
    figures.iter().map(owned).collect()
}

fn said(kind: Kind, was: &[(&str, u64)], is: &[(&str, u64)]) -> Vec<String> {
    let broken = judge::compare(kind, &figures(was), &figures(is));
    broken.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_as_on_record_passes() {
    for kind in Kind::ALL {
        let same = &[("a", 0), ("b", 12)];
        assert_eq!(said(kind, same, same), [""; 0], "{kind}");
        // The order in which they were counted is nobody's business.
        assert_eq!(said(kind, same, &[("b", 12), ("a", 0)]), [""; 0], "{kind}");
    }
}

#[test]
fn one_request_allocation_or_crate_more_fails_and_says_which_and_what_to_type() {
    for kind in [Kind::Requests, Kind::Allocations, Kind::Crates] {
        let said = said(
            kind,
            &[("login", 6), ("list", 0)],
            &[("login", 7), ("list", 0)],
        );
        let expected = format!(
            "{kind}: login: was 6, is 7: worse [what can be counted is on record]; instead: take back what added to it; \
             if it has to be, `cargo xtask figures --update` writes it into benches/figures.toml, and the commit says why"
        );
        assert_eq!(said, [expected]);
    }
    assert_eq!(
        said(Kind::Requests, &[("list", 0)], &[("list", 1)]).len(),
        1
    );
}

#[test]
fn a_figure_that_got_better_fails_as_well() {
    let said = said(Kind::Allocations, &[("a call", 6)], &[("a call", 5)]);
    assert_eq!(
        said,
        [
            "allocations: a call: was 6, is 5: better [what can be counted is on record]; \
             instead: keep what was won: `cargo xtask figures --update` writes it into benches/figures.toml"
        ]
    );
}

#[test]
fn a_figure_that_is_new_or_gone_fails() {
    let said = said(Kind::Requests, &[("login", 6)], &[("logout", 2)]);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("requests: logout: is 2, and not on record"),
        "{said:?}"
    );
    assert!(
        said[1].starts_with("requests: login: was 6, and is not counted any more"),
        "{said:?}"
    );
}

#[test]
fn instructions_and_bytes_may_differ_as_far_as_compilers_do() {
    let cases = [
        (Kind::Instructions, 100_000, 103_000, 103_001),
        (Kind::Instructions, 100_000, 97_000, 96_999),
        (Kind::Program, 10_000_000, 10_200_000, 10_200_001),
        (Kind::Program, 10_000_000, 9_800_000, 9_799_999),
    ];
    for (kind, was, within, beyond) in cases {
        assert_eq!(
            said(kind, &[("a", was)], &[("a", within)]),
            [""; 0],
            "{kind}"
        );
        let said = said(kind, &[("a", was)], &[("a", beyond)]);
        assert_eq!(said.len(), 1, "{said:?}");
        let command = format!("`cargo xtask {} --update`", kind.step());
        assert!(said[0].contains(&command), "{said:?}");
    }
}

#[test]
fn a_program_above_twelve_mebibytes_fails_whatever_is_on_record() {
    let most = 12 * 1024 * 1024;
    assert_eq!(
        said(Kind::Program, &[("bytes", most)], &[("bytes", most)]),
        [""; 0]
    );
    let above = &[("bytes", most + 1)];
    let said = said(Kind::Program, above, above);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with(
            "program: bytes: is 12,582,913, and 12,582,912 is the most [the program stays small]"
        ),
        "{said:?}"
    );
}

#[test]
fn what_is_written_is_read_again_and_other_kinds_stay() {
    let fixture = Fixture::small();
    fixture.write(record::FILE, "[requests]\nlist = 0\n");
    let workspace = fixture.workspace();
    let mut record = Record::read(&workspace).unwrap();
    let (requests, allocations) = (figures(&[("list", 0)]), figures(&[("a call, HTTP/1.1", 6)]));
    record.put(Kind::Allocations, &allocations);
    record.write(&workspace).unwrap();
    let record = Record::read(&workspace).unwrap();
    assert_eq!(record.figures(Kind::Requests), requests);
    assert_eq!(record.figures(Kind::Allocations), allocations);
    assert_eq!(record.figures(Kind::Instructions), []);
    let text = workspace.read(record::FILE).unwrap();
    assert!(text.starts_with("# What can be counted exactly."), "{text}");
    let first = format!("\n# {}\n[requests]\nlist = 0\n", Kind::Requests.about());
    let second = format!(
        "\n# {}\n[allocations]\n\"a call, HTTP/1.1\" = 6\n",
        Kind::Allocations.about()
    );
    assert!(text.ends_with(&format!("{first}{second}")), "{text}");
}

#[test]
fn a_figure_that_is_no_count_is_not_taken_for_one() {
    let fixture = Fixture::small();
    for wrong in [
        "requests = 6",
        "[requests]\nlogin = \"six\"",
        "[requests]\nlogin = -1",
    ] {
        fixture.write(record::FILE, wrong);
        let failure = Record::read(&fixture.workspace()).unwrap_err().report();
        assert!(failure.contains("[requests] holds no counts"), "{failure}");
    }
}

#[test]
fn a_dependency_that_is_added_is_counted() {
    let fixture = Fixture::small();
    fixture.write(record::FILE, "");
    let workspace = fixture.workspace();
    let crates = || {
        measure::measured(Kind::Crates, &workspace)
            .unwrap()
            .unwrap()
    };
    let alone = [
        ("doorkey-http".to_owned(), 0),
        ("doorkey-http, no features".to_owned(), 0),
    ];
    assert_eq!(crates(), alone);
    let line = "[dependencies]\nintegration = { path = \"../../tests/integration\" }\n";
    fixture.replace(
        "crates/http/Cargo.toml",
        "rust-version = \"1.89\"\n",
        &format!("rust-version = \"1.89\"\n{line}"),
    );
    let lock = workspace.cargo(&["generate-lockfile", "--offline"]);
    lock.capture().unwrap();
    let with = crates();
    assert_eq!(
        with.iter().map(|(_, count)| *count).collect::<Vec<_>>(),
        [1, 1]
    );
    let said = judge::compare(
        Kind::Crates,
        &figures(&[("doorkey-http", 0), ("doorkey-http, no features", 0)]),
        &with,
    );
    assert_eq!(said.len(), 2);
}
