//! What a person reads of a server: groups of lines, each with a label.

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

    /// The group under its heading, at most so many characters wide where that is known; nothing if it is empty. A
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
                shown.push(format!("  {beside:<22} {part}"));
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

/// Lines of at most so many characters, broken between words; a word that is longer stays whole, for it may be something to
/// copy.
pub(crate) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split(' ') {
        let letters = word.chars().count();
        if let Some(line) = lines.last_mut()
            && (line.is_empty() || length + 1 + letters <= room)
        {
            if !line.is_empty() {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += letters;
        } else {
            lines.push(word.to_owned());
            length = letters;
        }
    }
    lines
}

/// Where values begin.
const VALUES_AT: usize = 25;
/// Characters that a value has in any case.
const LEAST_ROOM: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_broken_between_words_and_a_long_word_stays_whole() {
        assert_eq!(wrapped("", 10), [""]);
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(
            wrapped("a https://mcp.example.com/mcp b", 10),
            ["a", "https://mcp.example.com/mcp", "b"]
        );
    }
}
