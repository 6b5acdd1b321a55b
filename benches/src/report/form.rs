//! The form of the page: what the code says that it has, whatever was measured.

use std::path::Path;

use super::{FOLDER, PAGE};
use crate::section::Outline;

/// What of the page in `docs` is not as a run of these sections would write it, figures apart.
fn differences(docs: &Path, outlines: &[&Outline]) -> Vec<String> {
    let page = match std::fs::read_to_string(docs.join(PAGE)) {
        Ok(page) => page,
        Err(error) => return vec![format!("{PAGE}: {error}")],
    };
    let mut found = Vec::new();
    let expected: Vec<_> = outlines
        .iter()
        .flat_map(|outline| outline.goals.iter().map(|goal| (outline.title, *goal)))
        .collect();
    let goals = goals(&page);
    if goals != expected {
        found.push(format!("the goals are {goals:#?} and not {expected:#?}"));
    }
    let titles: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .skip(2)
        .collect();
    let expected: Vec<_> = outlines.iter().map(|outline| outline.title).collect();
    if titles != expected {
        found.push(format!("the sections are {titles:?} and not {expected:?}"));
    }
    for outline in outlines
        .iter()
        .filter(|outline| !page.contains(outline.how.trim()))
    {
        found.push(format!("how {} is measured is told otherwise", outline.id));
    }
    let drawn = drawings(&docs.join(FOLDER));
    let mut shown: Vec<_> = page
        .split(&format!("]({FOLDER}/"))
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect();
    shown.sort();
    if shown != drawn {
        found.push(format!("it shows {shown:?}, and there are {drawn:?}"));
    }
    found
}

/// The first two columns of the table of goals.
fn goals(page: &str) -> Vec<(&str, &str)> {
    let rows = page
        .split("\n## ")
        .find(|part| part.starts_with("The goals\n"))
        .unwrap_or_default();
    let cells = rows.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        Some((cells.next()?, cells.next()?))
    });
    cells.skip(2).collect()
}

fn drawings(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn the_page_has_the_form_that_a_run_would_write() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let outlines: Vec<_> = crate::sections::ALL
        .iter()
        .map(|(outline, _)| *outline)
        .collect();
    let found = differences(&docs, &outlines);
    assert!(
        found.is_empty(),
        "write it anew: cargo xtask bench\n{}",
        found.join("\n")
    );
}

#[test]
fn a_goal_a_section_a_drawing_or_a_word_that_differs_is_found() {
    let root = tempfile::tempdir().unwrap();
    let (machine, section) = super::tests::example();
    super::write(root.path(), &machine, std::slice::from_ref(&section)).unwrap();
    let docs = root.path().join("docs");
    assert_eq!(differences(&docs, &[section.outline]), Vec::<String>::new());
    static OTHER: Outline = Outline {
        id: "other",
        title: "Another",
        how: "By guessing.",
        goals: &["None."],
    };
    assert_eq!(differences(&docs, &[&OTHER]).len(), 3);
    std::fs::write(docs.join(FOLDER).join("left.svg"), "<svg/>").unwrap();
    assert_eq!(differences(&docs, &[section.outline]).len(), 1);
    std::fs::remove_file(docs.join(PAGE)).unwrap();
    assert_eq!(differences(&docs, &[section.outline]).len(), 1);
}
