//! What a section of the page is made of: text, tables, goals with their verdicts, plots.

use crate::BoxError;
use crate::format;

/// What is known of a section before anything is measured; the page's form follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline {
    /// The word by which the command line names the section, and the start of its files' names.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// How it is measured, in Markdown.
    pub how: &'static str,
    /// Its goals, each a sentence.
    pub goals: &'static [&'static str],
}

/// A section with its figures.
#[derive(Debug, Clone)]
pub struct Section {
    /// What it set out to measure.
    pub outline: &'static Outline,
    /// What is to be said beside the figures, in Markdown; may be empty.
    pub text: String,
    /// The figures.
    pub tables: Vec<Table>,
    /// One for each goal of the outline, in its order.
    pub goals: Vec<Goal>,
    /// Drawings of the figures.
    pub plots: Vec<Plot>,
}

/// A table: the first column names the row, the others hold figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// What stands above it; may be empty.
    pub caption: String,
    /// The heads of its columns.
    pub columns: Vec<String>,
    /// Its rows, each as long as the heads.
    pub rows: Vec<Vec<String>>,
}

/// A goal and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// The goal, as the outline has it.
    pub text: &'static str,
    /// What was measured, with its unit.
    pub measured: String,
    /// Whether that meets the goal.
    pub verdict: Verdict,
}

/// What became of a goal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The figure is within the goal, without rounding.
    Met,
    /// It is not.
    Missed {
        /// What prevents it: where the time, the instructions or the bytes go, in Markdown.
        floor: String,
    },
    /// It could not be measured here.
    NotMeasured {
        /// What was missing.
        why: String,
    },
}

/// The figure that a goal allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

/// Lines over points, drawn with both axes logarithmic.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// The name of its file, without folder and ending.
    pub name: String,
    /// What stands above it.
    pub title: String,
    /// What its horizontal axis counts.
    pub x: String,
    /// What its vertical axis measures, with the unit.
    pub y: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// One line of a plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What the legend calls it.
    pub name: String,
    /// Its points, from left to right; all numbers are above zero.
    pub points: Vec<(f64, f64)>,
}

impl Section {
    /// A section without figures.
    #[must_use]
    pub fn new(outline: &'static Outline) -> Self {
        Self {
            outline,
            text: String::new(),
            tables: Vec::new(),
            goals: Vec::new(),
            plots: Vec::new(),
        }
    }

    /// Adds a paragraph of Markdown.
    pub fn say(&mut self, paragraph: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(paragraph.trim());
    }

    /// Judges the goal that comes next by a figure. `floor` is asked for what prevents it, if it is missed.
    pub fn judge(
        &mut self,
        measured: f64,
        unit: &str,
        bound: Bound,
        floor: impl FnOnce() -> String,
    ) {
        let shown = format::beside(measured, bound.limit());
        let shown = if unit.is_empty() {
            shown
        } else {
            format!("{shown} {unit}")
        };
        self.conclude(shown, bound.is_met(measured), floor);
    }

    /// Judges the goal that comes next by more than one figure: `measured` says what they are.
    pub fn conclude(
        &mut self,
        measured: impl Into<String>,
        met: bool,
        floor: impl FnOnce() -> String,
    ) {
        let verdict = if met {
            Verdict::Met
        } else {
            Verdict::Missed { floor: floor() }
        };
        self.push(measured.into(), verdict);
    }

    /// The goal that comes next could not be measured.
    pub fn not_measured(&mut self, why: impl Into<String>) {
        self.push(String::new(), Verdict::NotMeasured { why: why.into() });
    }

    fn push(&mut self, measured: String, verdict: Verdict) {
        // One too many is told by `checked`.
        let text = self
            .outline
            .goals
            .get(self.goals.len())
            .copied()
            .unwrap_or_default();
        self.goals.push(Goal {
            text,
            measured,
            verdict,
        });
    }

    /// The section, if it holds what its outline promises and its tables have rows of one length.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn checked(self) -> Result<Self, BoxError> {
        let id = self.outline.id;
        let judged: Vec<_> = self.goals.iter().map(|goal| goal.text).collect();
        if judged != self.outline.goals {
            return Err(format!(
                "section {id}: it judged {judged:?} of {:?}",
                self.outline.goals
            )
            .into());
        }
        let ragged = |table: &&Table| {
            table
                .rows
                .iter()
                .any(|row| row.len() != table.columns.len())
        };
        if let Some(table) = self.tables.iter().find(ragged) {
            return Err(format!("section {id}: rows of different lengths in {table:?}").into());
        }
        Ok(self)
    }
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(caption: &str, columns: &[&str]) -> Self {
        Self {
            caption: caption.to_owned(),
            columns: columns.iter().map(ToString::to_string).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

impl Bound {
    /// Whether the figure, unrounded, is within it. A figure that is no number is not.
    #[must_use]
    pub fn is_met(self, measured: f64) -> bool {
        match self {
            Self::AtMost(limit) => measured <= limit,
            Self::AtLeast(limit) => measured >= limit,
        }
    }

    /// The figure that just meets it.
    #[must_use]
    pub fn limit(self) -> f64 {
        match self {
            Self::AtMost(limit) | Self::AtLeast(limit) => limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static OUTLINE: Outline = Outline {
        id: "example",
        title: "Example",
        how: "By counting.",
        goals: &["At most 2.0 times.", "At least 1.2 times."],
    };

    #[test]
    fn a_figure_at_its_limit_is_met_and_one_beyond_it_is_not() {
        for (bound, within, beyond) in [
            (Bound::AtMost(2.0), 2.0, 2.000_001),
            (Bound::AtLeast(1.0), 1.0, 0.999_999),
        ] {
            assert!(bound.is_met(within) && !bound.is_met(beyond), "{bound:?}");
            assert!(!bound.is_met(f64::NAN), "{bound:?}");
        }
    }

    #[test]
    fn a_missed_goal_is_not_shown_as_its_limit_and_carries_its_floor() {
        let mut section = Section::new(&OUTLINE);
        section.judge(2.000_4, "times", Bound::AtMost(2.0), || {
            "the disk".to_owned()
        });
        section.not_measured("no rival here");
        let section = section.checked().unwrap();
        assert_eq!(section.goals[0].measured, "2.0004 times");
        assert_eq!(
            section.goals[0].verdict,
            Verdict::Missed {
                floor: "the disk".to_owned()
            }
        );
        assert_eq!(
            section.goals[1].verdict,
            Verdict::NotMeasured {
                why: "no rival here".to_owned()
            }
        );
    }

    #[test]
    fn a_section_that_leaves_a_goal_out_or_adds_one_is_refused() {
        let mut section = Section::new(&OUTLINE);
        section.judge(1.0, "", Bound::AtMost(2.0), String::new);
        assert!(
            section
                .clone()
                .checked()
                .unwrap_err()
                .to_string()
                .contains("example")
        );
        section.conclude("1.3", true, String::new);
        assert!(section.clone().checked().is_ok());
        section.conclude("1.4", true, String::new);
        assert!(section.checked().is_err());
    }

    #[test]
    fn a_table_with_a_short_row_is_refused() {
        let mut section = Section::new(&OUTLINE);
        section.conclude("", true, String::new);
        section.conclude("", true, String::new);
        let mut table = Table::new("", &["a", "b"]);
        table.row(["1"]);
        section.tables.push(table);
        assert!(section.checked().is_err());
    }
}
