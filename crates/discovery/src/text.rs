//! Text from servers, made fit for a message: bounded, and with nothing in it that a terminal would
//! obey.

use std::fmt;

/// Prints an identifier between quotes, escaped as by `Debug` (control, bidirectional and other
/// invisible characters become `\u{…}`), cut after [`LIMIT`] characters and, since queries hold
/// keys, at its query.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.char_indices().nth(LIMIT).map(|(end, _)| end);
        let query = self.0.find('?').map(|mark| mark + 1);
        match query.into_iter().chain(end).min() {
            None => write!(f, "{:?}", self.0),
            Some(cut) => write!(f, "{:?}", format!("{}…", &self.0[..cut])),
        }
    }
}

/// The printable characters of a display name, at most [`LIMIT`] of them; `None` when none is left.
pub(crate) fn display_name(text: &str) -> Option<String> {
    let name: String = text
        .chars()
        .filter(|c| is_printable(*c))
        .take(LIMIT)
        .collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// `escape_debug` leaves exactly the printable characters alone, but for quotes and the backslash.
pub(crate) fn is_printable(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().count() == 1
}

/// Characters, not bytes.
const LIMIT: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_escapes_are_shown_not_obeyed_sec_13() {
        let shown = Quoted("https://h/\u{1b}[31mred\u{202e}\r\n").to_string();
        assert_eq!(shown, "\"https://h/\\u{1b}[31mred\\u{202e}\\r\\n\"");
    }

    #[test]
    fn long_text_is_cut_sec_13() {
        let shown = Quoted(&"\u{e9}".repeat(5000)).to_string();
        assert_eq!(shown.chars().count(), LIMIT + 3);
    }

    #[test]
    fn a_query_is_not_shown() {
        assert_eq!(
            Quoted("https://h/mcp?key=secret").to_string(),
            "\"https://h/mcp?…\""
        );
    }

    #[test]
    fn a_display_name_keeps_only_what_can_be_shown_sec_13() {
        assert_eq!(
            display_name(" Caf\u{e9} \u{1b}\u{202e}\"MCP\" ").as_deref(),
            Some("Caf\u{e9} \"MCP\"")
        );
        assert_eq!(display_name("\u{7}\u{0}"), None);
    }
}
