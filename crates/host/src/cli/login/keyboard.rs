//! What a person types or pastes while a login waits.
//!
//! On Unix it is read key by key: what a code is pasted in is not shown, so that it stays in no scrollback; the line that
//! says what is waited for stays whole; and an address may be longer than the line of a terminal.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// The keyboard. It is nobody's until [`Keyboard::listen`], so that what is typed before goes where it would have gone.
#[derive(Debug)]
pub(crate) struct Keyboard {
    typed: Arc<AtomicUsize>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Waiting(mpsc::Sender<String>),
    Listening {
        mode: Option<mode::KeyByKey>,
        reading: Option<mode::Reading>,
    },
    Closed,
}

/// Lets go of the keyboard when dropped, whoever else still has it: the terminal is then as it was, and nobody reads
/// from it any more.
#[derive(Debug)]
pub(super) struct Held(pub(super) Arc<Keyboard>);

impl Keyboard {
    /// A keyboard and where its lines will come; `None` where it is not ours to read from.
    pub(super) fn new() -> Option<(Arc<Self>, mpsc::Receiver<String>)> {
        if !mode::is_ours() {
            return None;
        }
        let (sender, lines) = mpsc::channel(LINES);
        let keyboard = Self {
            typed: Arc::default(),
            state: Mutex::new(State::Waiting(sender)),
        };
        Some((Arc::new(keyboard), lines))
    }

    /// Begins to read.
    pub(crate) fn listen(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Waiting(sender) = &*state else {
            return;
        };
        let lines = Lines {
            line: Line::default(),
            typed: Arc::clone(&self.typed),
            sender: sender.clone(),
        };
        *state = State::Listening {
            mode: mode::KeyByKey::begin(),
            reading: mode::Reading::begin(lines),
        };
    }

    /// How many characters of a line were typed so far.
    pub(crate) fn typed(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.typed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let state = &self.0.state;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Listening { mode, reading } = std::mem::replace(&mut *state, State::Closed) {
            // Nobody reads any more when the terminal has its lines back.
            drop(reading);
            drop(mode);
        }
    }
}

/// Makes lines of what is read.
#[derive(Debug)]
struct Lines {
    line: Line,
    typed: Arc<AtomicUsize>,
    sender: mpsc::Sender<String>,
}

impl Lines {
    /// Takes what was read. `false`: nobody wants more.
    fn take(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if let Some(line) = self.line.take(*byte) {
                match self.sender.try_send(line) {
                    // Whoever pastes a whole text here gets told about its first lines.
                    Ok(()) | Err(TrySendError::Full(_)) => {}
                    Err(TrySendError::Closed(_)) => return false,
                }
            }
        }
        self.typed.store(self.line.length(), Ordering::Relaxed);
        true
    }
}

/// A line as it is being typed.
#[derive(Debug, Default)]
struct Line {
    bytes: Vec<u8>,
    /// Inside what a key other than a letter sends, such as an arrow.
    escape: Escape,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Begun,
    Sequence,
}

impl Line {
    /// Takes one more byte; the line, where that ended it.
    fn take(&mut self, byte: u8) -> Option<String> {
        match self.escape {
            Escape::Begun if matches!(byte, b'[' | b'O') => {
                self.escape = Escape::Sequence;
                return None;
            }
            Escape::Sequence => {
                if (0x40..=0x7e).contains(&byte) {
                    self.escape = Escape::None;
                }
                return None;
            }
            Escape::Begun | Escape::None => self.escape = Escape::None,
        }
        match byte {
            b'\n' | b'\r' => {
                let bytes = std::mem::take(&mut self.bytes);
                return Some(String::from_utf8_lossy(&bytes).into_owned());
            }
            ESCAPE => self.escape = Escape::Begun,
            BACKSPACE | DELETE => self.remove_character(),
            KILL_LINE | KILL_WORD => self.bytes.clear(),
            0..0x20 => {}
            _ if self.bytes.len() < LONGEST => self.bytes.push(byte),
            _ => {}
        }
        None
    }

    fn remove_character(&mut self) {
        while let Some(byte) = self.bytes.pop() {
            // The bytes after the first of a character in UTF-8 go with it.
            if !is_continuation(byte) {
                break;
            }
        }
    }

    /// In characters.
    fn length(&self) -> usize {
        let firsts = self.bytes.iter().filter(|byte| !is_continuation(**byte));
        firsts.count()
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

#[cfg(unix)]
mod mode {
    //! The terminal without lines and without echo.

    use std::io;
    use std::os::fd::{AsFd, OwnedFd};
    use std::thread::JoinHandle;

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;
    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
    };

    use crate::crash;

    /// `_POSIX_VDISABLE`.
    const NO_KEY: u8 = if cfg!(any(target_os = "linux", target_os = "android")) {
        0
    } else {
        0xff
    };

    /// Set back when dropped.
    #[derive(Debug)]
    pub(super) struct KeyByKey(Termios);

    /// A thread that reads; it has ended when this is dropped.
    #[derive(Debug)]
    pub(super) struct Reading {
        /// Its other end hears of it when this one is closed.
        end: Option<OwnedFd>,
        thread: Option<JoinHandle<()>>,
    }

    impl Reading {
        /// Reads standard input. `None`: this process has no more to spare for it.
        pub(super) fn begin(lines: super::Lines) -> Option<Self> {
            Self::of(io::stdin(), lines)
        }

        pub(super) fn of(
            input: impl AsFd + Send + 'static,
            mut lines: super::Lines,
        ) -> Option<Self> {
            let (over, end) = rustix::pipe::pipe().ok()?;
            let read = move || {
                let mut bytes = [0; 1024];
                while is_there_more(&input, &over) {
                    match rustix::io::read(&input, &mut bytes) {
                        Ok(0) => return,
                        Ok(count) if !lines.take(bytes.get(..count).unwrap_or_default()) => return,
                        Ok(_) | Err(Errno::INTR | Errno::AGAIN) => {}
                        Err(_) => return,
                    }
                }
            };
            Some(Self {
                end: Some(end),
                thread: std::thread::Builder::new().spawn(read).ok(),
            })
        }
    }

    /// Waits until there is something to be read; `false` where nobody wants it any more, or there never will be.
    fn is_there_more(input: &impl AsFd, over: &OwnedFd) -> bool {
        loop {
            let mut watched = [
                PollFd::new(over, PollFlags::IN),
                PollFd::new(input, PollFlags::IN),
            ];
            match poll(&mut watched, None) {
                Ok(_) if !watched[0].revents().is_empty() => return false,
                Ok(_) if !watched[1].revents().is_empty() => return true,
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    impl Drop for Reading {
        fn drop(&mut self) {
            drop(self.end.take());
            if let Some(thread) = self.thread.take() {
                // It has no result, and its own panic was told.
                let _ended = thread.join();
            }
        }
    }

    /// Whether reading is ours: a program in the background would be stopped.
    pub(super) fn is_ours() -> bool {
        tcgetpgrp(io::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
    }

    impl KeyByKey {
        /// `None`: the terminal stays as it is, and lines come all the same.
        pub(super) fn begin() -> Option<Self> {
            let before = tcgetattr(io::stdin()).ok()?;
            let mut changed = before.clone();
            // Ctrl-C still is a signal.
            changed
                .local_modes
                .remove(LocalModes::ICANON | LocalModes::ECHO);
            // A program that is stopped or ended by a key would leave the terminal so.
            for key in [SpecialCodeIndex::VSUSP, SpecialCodeIndex::VQUIT] {
                changed.special_codes[key] = NO_KEY;
            }
            changed.special_codes[SpecialCodeIndex::VMIN] = 1;
            changed.special_codes[SpecialCodeIndex::VTIME] = 0;
            // What was typed before anybody asked is no answer.
            crash::terminal_was(Some(&before));
            tcsetattr(io::stdin(), OptionalActions::Flush, &changed).ok()?;
            Some(Self(before))
        }
    }

    impl Drop for KeyByKey {
        fn drop(&mut self) {
            // What was typed and not read is nothing for the shell that comes next.
            let _unchanged = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
            crash::terminal_was(None);
        }
    }
}

#[cfg(not(unix))]
mod mode {
    //! The terminal as it is.

    use std::io::{self, BufRead as _};

    #[derive(Debug)]
    pub(super) struct KeyByKey;

    /// A thread that reads, until the line after the one that nobody wants any more.
    #[derive(Debug)]
    pub(super) struct Reading;

    impl Reading {
        pub(super) fn begin(mut lines: super::Lines) -> Option<Self> {
            std::thread::spawn(move || {
                for line in io::stdin().lines().map_while(Result::ok) {
                    if !lines.take(line.as_bytes()) || !lines.take(b"\n") {
                        return;
                    }
                }
            });
            Some(Self)
        }
    }

    pub(super) fn is_ours() -> bool {
        true
    }

    impl KeyByKey {
        pub(super) fn begin() -> Option<Self> {
            None
        }
    }
}

const ESCAPE: u8 = 0x1b;
const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;
const KILL_LINE: u8 = 0x15;
const KILL_WORD: u8 = 0x17;
/// How many lines wait for somebody to look at them.
const LINES: usize = 16;
/// Far more than an address has.
const LONGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> (Vec<String>, usize) {
        let mut line = Line::default();
        let lines = keys.bytes().filter_map(|byte| line.take(byte)).collect();
        (lines, line.length())
    }

    #[test]
    fn keys_make_lines_and_can_be_taken_back() {
        for (keys, lines, length) in [
            ("abc\rd", &["abc"][..], 1),
            ("a\nb\n", &["a", "b"], 0),
            ("abx\u{7f}c\n", &["abc"], 0),
            ("\u{8}\u{7f}a", &[], 1),
            ("wrong\u{15}right\n", &["right"], 0),
            ("\u{e9}\u{e9}\u{7f}", &[], 1),
            ("a\u{1b}[Ab\u{1b}[200~c\u{1b}OPd\n", &["abcd"], 0),
            ("a\u{1b}b\u{4}\u{0}\n", &["ab"], 0),
        ] {
            let (found, left) = typed(keys);
            assert_eq!(
                (found.as_slice(), left),
                (
                    lines
                        .iter()
                        .map(|it| (*it).to_owned())
                        .collect::<Vec<_>>()
                        .as_slice(),
                    length
                ),
                "{keys:?}"
            );
        }
        let long = "x".repeat(LONGEST + 9);
        assert_eq!(typed(&long).1, LONGEST);
    }

    #[cfg(unix)]
    #[test]
    fn whoever_reads_has_ended_when_the_keyboard_is_let_go_and_leaves_the_rest() {
        use std::io::Write as _;

        let (read, write) = rustix::pipe::pipe().expect("a pipe");
        let mut keys = std::fs::File::from(write);
        let (sender, mut lines) = mpsc::channel(LINES);
        let reading = mode::Reading::of(
            read.try_clone().expect("the same pipe"),
            Lines {
                line: Line::default(),
                typed: Arc::default(),
                sender,
            },
        );
        keys.write_all(b"for the login\n").expect("a reader");
        assert_eq!(lines.blocking_recv().as_deref(), Some("for the login"));
        drop(reading);
        keys.write_all(b"y").expect("a reader");
        let mut left = [0; 8];
        let count = rustix::io::read(&read, &mut left).expect("what is left");
        assert_eq!(&left[..count], b"y");
        assert_eq!(lines.blocking_recv(), None, "its thread has ended");
    }
}
