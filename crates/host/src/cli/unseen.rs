//! A line that a person types or pastes at a terminal and that the terminal does not show.

use std::io::{self, Read as _};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use secrecy::zeroize::Zeroizing;

use crate::crash;

/// Reads a line from the terminal on standard input, at most `limit` bytes and one more, while `ask` has told what to type.
/// Keys come one by one meanwhile, Ctrl-C among them, so that the terminal is as before however this ends.
///
/// # Errors
/// [`io::ErrorKind::Interrupted`] by Ctrl-C; the terminal cannot be set, or not be read.
pub(super) fn read_line(limit: u64, ask: impl FnOnce()) -> io::Result<Zeroizing<String>> {
    let _unseen = Unseen::begin()?;
    ask();
    let read = line(&mut io::stdin().lock().bytes(), limit);
    // The end of the line was not shown either.
    drop(io::Write::write_all(&mut anstream::stderr(), b"\n"));
    read
}

/// The terminal, until dropped: it shows no key and acts on none.
struct Unseen(Termios);

impl Unseen {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut unseen = before.clone();
        unseen.local_modes -=
            LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        // A read returns with the first key.
        unseen.special_codes[SpecialCodeIndex::VMIN] = 1;
        unseen.special_codes[SpecialCodeIndex::VTIME] = 0;
        crash::terminal_was(Some(&before));
        tcsetattr(io::stdin(), OptionalActions::Now, &unseen)?;
        Ok(Self(before))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // A terminal that is gone needs it no more.
        let _gone = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
        crash::terminal_was(None);
    }
}

/// A line of keys, of which some correct it as on any terminal.
fn line(
    keys: &mut impl Iterator<Item = io::Result<u8>>,
    limit: u64,
) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(Vec::new());
    while line.len() as u64 <= limit {
        match keys.next().transpose()? {
            None | Some(b'\r' | b'\n' | END) => break,
            Some(INTERRUPT) => return Err(io::ErrorKind::Interrupted.into()),
            Some(KILL) => line.clear(),
            Some(BACKSPACE | DELETE) => {
                // All bytes of a character.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            Some(byte) => line.push(byte),
        }
    }
    let text = std::str::from_utf8(&line);
    text.map(|text| Zeroizing::new(text.to_owned()))
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "what was typed is not UTF-8"))
}

const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const KILL: u8 = 0x15;
const DELETE: u8 = 0x7f;

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> io::Result<String> {
        let mut keys = keys.iter().copied().map(Ok);
        line(&mut keys, 8).map(|line| line.to_string())
    }

    #[test]
    fn a_line_of_keys_ends_is_corrected_and_is_given_up_as_on_any_terminal() {
        for (keys, expected) in [
            (&b"abc\nd"[..], "abc"),
            (b"abc\rd", "abc"),
            (b"abc\x04", "abc"),
            (b"abc", "abc"),
            (b"ab\x7f\x08\x08c\n", "c"),
            ("aé\u{7f}b\n".as_bytes(), "ab"),
            (b"ab\x15c\n", "c"),
            (b"0123456789\n", "012345678"),
        ] {
            assert_eq!(typed(keys).expect("a line"), expected, "{keys:?}");
        }
        let interrupted = typed(b"ab\x03c\n").expect_err("Ctrl-C");
        assert_eq!(interrupted.kind(), io::ErrorKind::Interrupted);
        assert!(typed(b"\xff\n").is_err());
    }
}
