//! Text measured as a terminal shows it: in columns, of which some characters take two and some none.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How many columns it takes.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// As much of its beginning as so many columns hold.
pub(crate) fn beginning(text: &str, most: usize) -> &str {
    let mut taken = 0;
    for (at, character) in text.char_indices() {
        taken += character.width().unwrap_or_default();
        if taken > most {
            return &text[..at];
        }
    }
    text
}

/// As much of its end as so many columns hold.
pub(crate) fn end(text: &str, most: usize) -> &str {
    let mut taken = 0;
    for (at, character) in text.char_indices().rev() {
        taken += character.width().unwrap_or_default();
        if taken > most {
            return &text[at + character.len_utf8()..];
        }
    }
    text
}

/// The text with blanks behind it, so that it takes so many columns.
pub(crate) fn padded(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(columns(text));
    format!("{text}{}", " ".repeat(missing))
}

/// Lines of at most so many columns, broken between words; a word that is longer stays whole, for it may be something to
/// copy.
pub(crate) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut taken = 0;
    for word in text.split(' ') {
        let width = columns(word);
        if let Some(line) = lines.last_mut()
            && (line.is_empty() || taken + 1 + width <= room)
        {
            if !line.is_empty() {
                line.push(' ');
                taken += 1;
            }
            line.push_str(word);
            taken += width;
        } else {
            lines.push(word.to_owned());
            taken = width;
        }
    }
    lines
}

/// The same, except that a word with no room for all of it is broken, too.
pub(crate) fn broken(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in wrapped(text, room) {
        let mut rest = line.as_str();
        while columns(rest) > room {
            let start = match beginning(rest, room) {
                // Not even one character has room, and each has to go somewhere.
                "" => &rest[..rest.chars().next().map_or(0, char::len_utf8)],
                start => start,
            };
            lines.push(start.to_owned());
            rest = &rest[start.len()..];
        }
        lines.push(rest.to_owned());
    }
    lines
}

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

    #[test]
    fn characters_count_as_wide_as_a_terminal_shows_them() {
        assert_eq!(columns("日本語 e\u{301}"), 8);
        assert_eq!((beginning("日本語", 5), end("日本語", 5)), ("日本", "本語"));
        assert_eq!((beginning("ab", 5), end("ab", 0)), ("ab", ""));
        assert_eq!(padded("日本", 6), "日本  ");
        assert_eq!(wrapped("日本 語の サーバー", 9), ["日本 語の", "サーバー"]);
        assert_eq!(broken("日本語の x", 4), ["日本", "語の", "x"]);
        assert_eq!(broken("日", 1), ["日", ""]);
    }
}
