//! The table of `docs/hostile.md`, made of the cases, and that the page shows it.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use super::{attacks, case::Verdict, class::Class, leg::Leg};

#[test]
fn the_page_shows_the_table_of_the_cases() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/hostile.md");
    let page = fs::read_to_string(&path).expect("docs/hostile.md");
    let fresh = into_page(&page).expect("a page with markers");
    if is_to_be_written() {
        fs::write(&path, fresh).expect("a writable page");
        return;
    }
    assert!(
        page == fresh,
        "docs/hostile.md shows another table. Write it anew: \
         HOSTILE_PAGE=write cargo test -p integration hostile::page"
    );
}

/// A page of Markdown with the table between its markers replaced by this one.
fn into_page(page: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}{END}{after}", table()))
}

fn table() -> String {
    let mut rows: BTreeMap<(Leg, Class), BTreeMap<Verdict, usize>> = BTreeMap::new();
    let mut open = 0;
    for case in attacks::all() {
        let row = rows.entry((case.leg, case.class)).or_default();
        *row.entry(case.verdict).or_default() += 1;
        open += usize::from(!case.open.is_empty());
    }
    let mut table = format!(
        "{} cases, {open} of them open.\n\n| leg | class | cases | what comes of it |\n|---|---|---|---|\n",
        attacks::all().len()
    );
    for ((leg, class), verdicts) in rows {
        let count: usize = verdicts.values().sum();
        let verdicts: Vec<_> = match verdicts.len() {
            1 => verdicts.keys().map(ToString::to_string).collect(),
            _ => verdicts
                .iter()
                .map(|(verdict, count)| format!("{verdict} {count}"))
                .collect(),
        };
        let verdicts = verdicts.join(", ");
        writeln!(table, "| {leg} | {class} | {count} | {verdicts} |").expect("text");
    }
    table
}

#[expect(
    clippy::disallowed_methods,
    reason = "a developer says that the page is to be written"
)]
fn is_to_be_written() -> bool {
    std::env::var("HOSTILE_PAGE").is_ok_and(|value| value == "write")
}

const BEGIN: &str = "<!-- begin: the cases of the integration tests -->";
const END: &str = "<!-- end -->";
