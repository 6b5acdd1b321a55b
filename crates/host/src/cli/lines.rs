//! What a person reads of a server: groups of lines, each with a label.

use super::columns::{padded, wrapped};
use super::output::clean;

/// Lines of one group.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<(String, String)>);

impl Lines {
    pub(crate) fn add(&mut self, label: &str, value: String) {
        self.0.push((label.to_owned(), value));
    }

    /// Adds a line if there is something to say.
    pub(crate) fn add_some(&mut self, label: &str, value: Option<String>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.add(label, value);
        }
    }

    pub(crate) fn extend(&mut self, lines: Vec<(&'static str, String)>) {
        for (label, value) in lines {
            self.add(label, value);
        }
    }

    /// The group under its heading, at most so many columns wide where that is known; nothing if it is empty. A
    /// label that says the same as the one above is left out.
    pub(crate) fn under(&self, heading: &str, width: Option<u16>) -> Vec<String> {
        let room = width.map_or(usize::MAX, |width| {
            usize::from(width).saturating_sub(VALUES_AT)
        });
        let mut shown = Vec::new();
        let mut above = "";
        for (label, value) in &self.0 {
            let mut beside = if label == above {
                String::new()
            } else {
                clean(label)
            };
            for part in wrapped(&clean(value), room.max(LEAST_ROOM)) {
                shown.push(format!("  {} {part}", padded(&beside, LABEL)));
                beside.clear();
            }
            above = label;
        }
        if !shown.is_empty() {
            shown.insert(0, clean(heading));
        }
        shown
    }
}

/// Columns of a label.
const LABEL: usize = 22;
/// Where values begin.
const VALUES_AT: usize = LABEL + 3;
/// Columns that a value has in any case.
const LEAST_ROOM: usize = 20;
