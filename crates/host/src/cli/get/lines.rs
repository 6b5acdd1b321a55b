//! What a person reads of a server: groups of lines, each with a label.

/// Lines of one group.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<(String, String)>);

impl Lines {
    pub(super) fn add(&mut self, label: &str, value: String) {
        self.0.push((label.to_owned(), value));
    }

    /// Adds a line if there is something to say.
    pub(super) fn add_some(&mut self, label: &str, value: Option<String>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.add(label, value);
        }
    }

    pub(super) fn extend(&mut self, lines: Vec<(&'static str, String)>) {
        for (label, value) in lines {
            self.add(label, value);
        }
    }

    /// The group under its heading; nothing if it is empty. A label that says the same as the one
    /// above is left out.
    pub(super) fn under(&self, heading: &str) -> Vec<String> {
        let mut shown = Vec::new();
        let mut above = "";
        for (label, value) in &self.0 {
            let repeated = if label == above { "" } else { label.as_str() };
            shown.push(format!("  {repeated:<22} {}", super::clean(value)));
            above = label;
        }
        if !shown.is_empty() {
            shown.insert(0, heading.to_owned());
        }
        shown
    }
}
