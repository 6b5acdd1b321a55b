//! The page: `docs/performance.md`, written whole from what a run found.

#[cfg(test)]
mod form;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::BoxError;
use crate::machine::Machine;
use crate::plot;
use crate::section::{Goal, Section, Table, Verdict};

/// Writes the page and its drawings below `docs` of the checkout at `root`; drawings of earlier runs go.
///
/// # Errors
/// If the disk refuses, or a plot cannot be drawn.
pub fn write(root: &Path, machine: &Machine, sections: &[Section]) -> Result<(), BoxError> {
    let docs = root.join("docs");
    let folder = docs.join(FOLDER);
    let mut drawings = Vec::new();
    for plot in sections.iter().flat_map(|section| &section.plots) {
        drawings.push((format!("{}.svg", plot.name), plot::svg(plot)?));
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    if !drawings.is_empty() {
        fs::create_dir_all(&folder)?;
    }
    for (name, drawing) in drawings {
        fs::write(folder.join(name), drawing)?;
    }
    fs::write(docs.join(PAGE), page(machine, sections))?;
    Ok(())
}

/// The whole page.
#[must_use]
pub fn page(machine: &Machine, sections: &[Section]) -> String {
    let mut facts = Table::new("", &["fact", "value"]);
    for (name, value) in &machine.facts {
        facts.row([*name, value.as_str()]);
    }
    let mut parts = vec![
        OPENING.trim().to_owned(),
        "## The machine".to_owned(),
        table(&facts),
        GOALS.trim().to_owned(),
        table(&goals(sections)),
    ];
    parts.extend(sections.iter().map(section));
    let mut page = parts.join("\n\n");
    page.push('\n');
    page
}

/// One section: how it is measured, what was found, what became of its goals.
#[must_use]
pub fn section(section: &Section) -> String {
    let mut parts = vec![
        format!("## {}", section.outline.title),
        section.outline.how.trim().to_owned(),
    ];
    parts.extend(section.tables.iter().map(captioned));
    parts.push(section.text.trim().to_owned());
    for plot in &section.plots {
        parts.push(format!("![{}]({FOLDER}/{}.svg)", plot.title, plot.name));
    }
    parts.extend(section.goals.iter().filter_map(explained));
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn goals(sections: &[Section]) -> Table {
    let mut goals = Table::new("", &["section", "goal", "measured", "verdict"]);
    for section in sections {
        for goal in &section.goals {
            let verdict = match goal.verdict {
                Verdict::Met => "met",
                Verdict::Missed { .. } => "**missed**",
                Verdict::NotMeasured { .. } => "not measured",
            };
            goals.row([section.outline.title, goal.text, &goal.measured, verdict]);
        }
    }
    goals
}

/// What is to be said of a goal that was not met.
fn explained(goal: &Goal) -> Option<String> {
    let text = goal.text.trim_end_matches('.');
    match &goal.verdict {
        Verdict::Met => None,
        Verdict::Missed { floor } => {
            let measured = &goal.measured;
            Some(format!(
                "**Missed: {text}.** Measured: {measured}. What prevents it: {}",
                floor.trim()
            ))
        }
        Verdict::NotMeasured { why } => Some(format!("**Not measured: {text}.** {}", why.trim())),
    }
}

fn captioned(shown: &Table) -> String {
    match shown.caption.as_str() {
        "" => table(shown),
        caption => format!("{caption}\n\n{}", table(shown)),
    }
}

/// A table in Markdown: the first column to the left, figures to the right.
fn table(table: &Table) -> String {
    let mut text = String::new();
    line(&mut text, &table.columns);
    let figures = |column: usize| {
        table
            .rows
            .iter()
            .all(|row| row.get(column).is_some_and(|cell| is_figure(cell)))
    };
    let rule = (0..table.columns.len()).map(|column| {
        if column > 0 && figures(column) {
            "--:"
        } else {
            "---"
        }
    });
    line(&mut text, &rule.map(str::to_owned).collect::<Vec<_>>());
    for row in &table.rows {
        line(&mut text, row);
    }
    text.trim_end().to_owned()
}

fn line(text: &mut String, cells: &[String]) {
    for cell in cells {
        let cell = cell.replace('|', "\\|").replace('\n', " ");
        // Writing to a string does not fail.
        let _written = write!(text, "| {cell} ");
    }
    text.push_str("|\n");
}

fn is_figure(cell: &str) -> bool {
    cell.is_empty()
        || cell == "—"
        || cell.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-')
}

/// The page, below `docs`.
pub const PAGE: &str = "performance.md";
/// The folder of its drawings, below `docs`.
pub const FOLDER: &str = "performance";

const OPENING: &str = "
# Performance

What the stack costs, measured beside its rivals. `cargo xtask bench` wrote this page whole, in one run on one machine; type it to have
the figures of yours. Contenders take turns (A B, B A, A B…), a table shows medians, and a ratio is ours divided by the rival's unless its
column says otherwise. Times of a machine that does other things as well are worth their ratios and no more; counts of requests,
instructions, allocations and bytes are exact, and `cargo xtask ci` guards those.
";

const GOALS: &str = "
## The goals

A verdict is of the figure as measured, before it is rounded. What prevents a goal that was missed stands in its section.
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::section::{Bound, Line, Outline, Plot};

    static OUTLINE: Outline = Outline {
        id: "example",
        title: "An example",
        how: "By counting.",
        goals: &[
            "At most 2.0 times.",
            "At most 5 requests.",
            "Faster than a rival.",
        ],
    };

    pub(super) fn example() -> (Machine, Section) {
        let mut section = Section::new(&OUTLINE);
        section.judge(1.5, "times", Bound::AtMost(2.0), String::new);
        section.judge(6.0, "requests", Bound::AtMost(5.0), || {
            "one is the proof.".to_owned()
        });
        section.not_measured("The rival is not installed.");
        let mut table = Table::new("Requests:", &["of", "ours", "by"]);
        table.row(["a | b", "1.50 ms", "us"]);
        section.tables.push(table);
        section.say("It is an example.");
        section.plots.push(Plot {
            name: "example-line".to_owned(),
            title: "A line".to_owned(),
            x: "x".to_owned(),
            y: "y".to_owned(),
            lines: vec![Line {
                name: "ours".to_owned(),
                points: vec![(1.0, 1.0), (10.0, 10.0)],
            }],
        });
        let machine = Machine {
            facts: vec![("cores", "2".to_owned())],
        };
        (machine, section.checked().unwrap())
    }

    #[test]
    fn a_page_has_facts_goals_with_verdicts_and_each_section_with_its_floors() {
        let (machine, section) = example();
        let page = page(&machine, &[section]);
        for expected in [
            "| fact | value |\n| --- | --: |\n| cores | 2 |",
            "| An example | At most 2.0 times. | 1.50 times | met |",
            "| An example | At most 5 requests. | 6.00 requests | **missed** |",
            "| An example | Faster than a rival. |  | not measured |",
            "## An example\n\nBy counting.\n\nRequests:\n\n| of | ours | by |\n| --- | --: | --- |\n| a \\| b | 1.50 ms | us |",
            "It is an example.\n\n![A line](performance/example-line.svg)",
            "**Missed: At most 5 requests.** Measured: 6.00 requests. What prevents it: one is the proof.",
            "**Not measured: Faster than a rival.** The rival is not installed.",
        ] {
            assert!(page.contains(expected), "{expected}\n---\n{page}");
        }
        assert!(page.ends_with("installed.\n") && !page.contains("\n\n\n"));
    }

    #[test]
    fn a_run_writes_the_page_with_its_drawings_and_takes_away_those_of_the_run_before() {
        let (machine, section) = example();
        let root = tempfile::tempdir().unwrap();
        let old = root.path().join("docs/performance/old.svg");
        fs::create_dir_all(old.parent().unwrap()).unwrap();
        fs::write(&old, "<svg/>").unwrap();
        write(root.path(), &machine, std::slice::from_ref(&section)).unwrap();
        assert!(!old.exists());
        assert!(
            root.path()
                .join("docs/performance/example-line.svg")
                .exists()
        );
        let written = fs::read_to_string(root.path().join("docs/performance.md")).unwrap();
        assert_eq!(written, page(&machine, &[section]));
    }
}
