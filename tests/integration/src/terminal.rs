//! The program on a pseudo-terminal: what a person sees on the screen, and what they type.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use pty_process::{Command, OwnedWritePty, Size};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Child,
    sync::watch,
    task::JoinHandle,
};

use crate::{Home, LIMIT, World, program::beside_the_test, text};

/// The program to be started on a terminal.
#[derive(Clone, Debug)]
pub struct AtTerminal {
    program: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    columns: u16,
    rows: u16,
}

/// A running program and its terminal. The program is killed when this is dropped.
pub struct Terminal {
    child: Child,
    keyboard: OwnedWritePty,
    screen: Arc<Mutex<vt100::Parser>>,
    drawn: watch::Receiver<u64>,
    reader: JoinHandle<()>,
}

impl Home {
    /// The program on this home at a terminal of 80 columns and 24 rows, with the same environment as
    /// [`Home::command`] and what every terminal sets.
    ///
    /// # Panics
    /// When the program is not built.
    pub fn at_terminal(&self, arguments: &[&str]) -> AtTerminal {
        let mut variables: Vec<_> = self
            .variables()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let mut set = |name: &str, value: String| variables.push((name.to_owned(), value));
        set("HOME", self.path().display().to_string());
        set("BROWSER", Self::browser().display().to_string());
        set("INTEGRATION_BROWSER", self.desk.to_string());
        set("TERM", "xterm-256color".to_owned());
        set("LANG", "C.UTF-8".to_owned());
        AtTerminal {
            program: beside_the_test("doorkey", "cargo build -p doorkey"),
            arguments: arguments.iter().map(|&it| it.to_owned()).collect(),
            variables,
            columns: 80,
            rows: 24,
        }
    }
}

impl AtTerminal {
    /// The same on a terminal of that size.
    #[must_use]
    pub fn sized(self, columns: u16, rows: u16) -> Self {
        Self {
            columns,
            rows,
            ..self
        }
    }

    /// The same with a variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same without a variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    /// The same in a shell that runs `command` on the same terminal when the program has ended, and ends with the code of
    /// the program.
    #[must_use]
    pub fn and_then(mut self, command: &str) -> Self {
        let script = format!("trap : INT; \"$@\"; code=$?; {command}; exit $code");
        let program = std::mem::replace(&mut self.program, PathBuf::from("/bin/sh"));
        let shell = [
            "-c".to_owned(),
            script,
            "sh".to_owned(),
            program.display().to_string(),
        ];
        self.arguments.splice(0..0, shell);
        self.with("PATH", "/usr/bin:/bin")
    }

    /// Starts the program.
    ///
    /// # Panics
    /// When there is no pseudo-terminal to be had, or the program does not start.
    pub fn start(&self) -> Terminal {
        let (pty, pts) = pty_process::open().expect("a pseudo-terminal");
        let size = Size::new(self.rows, self.columns);
        pty.resize(size).expect("a terminal of that size");
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true)
            .spawn(pts)
            .expect("a program that starts");
        let (mut output, keyboard) = pty.into_split();
        let screen = vt100::Parser::new(self.rows, self.columns, SCROLLBACK);
        let screen = Arc::new(Mutex::new(screen));
        let (changed, drawn) = watch::channel(0);
        let seen = Arc::clone(&screen);
        let reader = tokio::spawn(async move {
            let mut bytes = [0; 4096];
            // The other end of a terminal that nobody has open any more is an error, not an end.
            while let Ok(count @ 1..) = output.read(&mut bytes).await {
                lock(&seen).process(&bytes[..count]);
                changed.send_modify(|times| *times += 1);
            }
        });
        Terminal {
            child,
            keyboard,
            screen,
            drawn,
            reader,
        }
    }
}

impl Terminal {
    /// What is on the screen now: its rows from the top, without blank ones below the last.
    pub fn screen(&self) -> String {
        let parser = lock(&self.screen);
        let screen = parser.screen();
        let (_, columns) = screen.size();
        let rows: Vec<_> = screen.rows(0, columns).collect();
        let text = rows.join("\n");
        text.trim_end().to_owned()
    }

    /// All that was written, also what has left the screen at its top; lines that the screen was too narrow for in one
    /// piece.
    pub fn text(&self) -> String {
        let mut parser = lock(&self.screen);
        let screen = parser.screen_mut();
        let (rows, columns) = screen.size();
        let mut text = String::new();
        let mut take = |screen: &vt100::Screen, row: u16| {
            let line = screen.rows(0, columns).nth(row.into());
            text.push_str(&line.unwrap_or_default());
            if !screen.row_wrapped(row) {
                text.push('\n');
            }
        };
        screen.set_scrollback(usize::MAX);
        for offset in (1..=screen.scrollback()).rev() {
            screen.set_scrollback(offset);
            take(screen, 0);
        }
        screen.set_scrollback(0);
        for row in 0..rows {
            take(screen, row);
        }
        text.trim_end().to_owned()
    }

    /// Whether the program has hidden the cursor.
    pub fn hides_cursor(&self) -> bool {
        lock(&self.screen).screen().hide_cursor()
    }

    /// Waits until `wanted` stands in [`Self::text`], which is returned.
    ///
    /// # Panics
    /// When that takes longer than [`LIMIT`], with the screen.
    pub async fn wait_for(&mut self, wanted: &str) -> String {
        self.wait_until(wanted, |text| text.contains(wanted)).await
    }

    /// Waits until `is_there` holds of [`Self::text`], which is returned; `what` names it when it does not.
    ///
    /// # Panics
    /// When that takes longer than [`LIMIT`], with the screen.
    pub async fn wait_until(&mut self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let waiting = async {
            loop {
                let text = self.text();
                if is_there(&text) {
                    return Some(text);
                }
                if self.drawn.changed().await.is_err() {
                    // The program has ended, and everything it wrote was read.
                    return Some(self.text()).filter(|text| is_there(text));
                }
            }
        };
        let text = tokio::time::timeout(LIMIT, waiting).await;
        let text = text.ok().flatten();
        text.unwrap_or_else(|| panic!("no {what:?} on the screen:\n{}", self.text()))
    }

    /// Types, as from a keyboard or out of a clipboard. A line ends with [`Self::enter`].
    ///
    /// # Panics
    /// When the program has gone.
    pub async fn type_text(&mut self, text: &str) {
        let typed = self.keyboard.write_all(text.as_bytes()).await;
        typed.expect("a program that reads");
    }

    /// Types a line.
    ///
    /// # Panics
    /// When the program has gone.
    pub async fn enter(&mut self, line: &str) {
        self.type_text(&format!("{line}\r")).await;
    }

    /// Presses Ctrl-C.
    ///
    /// # Panics
    /// When the program has gone.
    pub async fn interrupt(&mut self) {
        self.type_text("\u{3}").await;
    }

    /// The identifier of the process, while it runs.
    pub fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the program has ended and all it wrote is on the screen. Its exit code; -1 where a signal ended it.
    ///
    /// # Panics
    /// When that takes longer than [`LIMIT`], with the screen.
    pub async fn ended(&mut self) -> i32 {
        let status = tokio::time::timeout(LIMIT, self.child.wait()).await;
        let Ok(status) = status else {
            panic!("still running:\n{}", self.text());
        };
        let status = status.expect("a program that can be waited for");
        // What a program that it started keeps open is none of its own.
        drop(tokio::time::timeout(Duration::from_secs(5), &mut self.reader).await);
        status.code().unwrap_or(-1)
    }

    /// The screen for a snapshot: the same in every run, without ports, paths and random values. What is random should
    /// not be wrapped, or its rows differ: choose a width.
    pub fn shown(&self, world: &World, home: &Home) -> String {
        settled(&self.screen(), world, home)
    }

    /// [`Self::text`] for a snapshot.
    pub fn told(&self, world: &World, home: &Home) -> String {
        settled(&self.text(), world, home)
    }
}

/// `text` without what differs from run to run.
fn settled(text: &str, world: &World, home: &Home) -> String {
    let text = world.anonymous(text);
    let text = text.replace(&home.path().display().to_string(), "$DOORKEY_HOME");
    let text = text::settled(&text);
    // The servers have their names by now; what is left is where the browser comes back to.
    let ports = text.split("127.0.0.1:").skip(1).map(|after| {
        let digits = after.len()
            - after
                .trim_start_matches(|it: char| it.is_ascii_digit())
                .len();
        after[..digits].to_owned()
    });
    let ports: Vec<_> = ports.filter(|port| !port.is_empty()).collect();
    let text = ports
        .iter()
        .fold(text.clone(), |text, port| text.replace(port, "PORT"));
    let text = text::replace_runs(&text, "process ", "ID", |next| next.is_ascii_digit());
    let mut lines: Vec<_> = text.lines().map(settled_line).collect();
    lines.dedup_by(|line, before| line == QR && before == QR);
    lines.join("\n")
}

/// A line without the codes of devices and cameras, the time, and the spinner, which stands where the moment finds it.
fn settled_line(line: &str) -> String {
    let mut line = line.trim_end().to_owned();
    if line.starts_with(|first| ('\u{2800}'..='\u{28ff}').contains(&first)) {
        line.replace_range(..line.chars().next().map_or(0, char::len_utf8), "*");
    }
    if line.chars().count() > 20 && line.chars().all(|it| BLOCKS.contains(&it)) {
        return QR.to_owned();
    }
    if let (Some(start), true) = (line.rfind('('), line.ends_with(" left)")) {
        line.replace_range(start.., "(M:SS left)");
    }
    let line = text::replace_runs(&line, "user_code=", "CODE", |next| !next.is_whitespace());
    let is_code = |text: &str| {
        let parts: Vec<_> = text.split('-').collect();
        parts.len() == 2
            && parts.iter().all(|part| {
                part.len() == 4
                    && part
                        .bytes()
                        .all(|it| it.is_ascii_uppercase() || it.is_ascii_digit())
            })
    };
    match line.trim() {
        text if is_code(text) => line.replace(text, "CODE"),
        _ => line,
    }
}

fn lock(screen: &Mutex<vt100::Parser>) -> MutexGuard<'_, vt100::Parser> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal")
            .field("child", &self.child)
            .field("screen", &self.screen())
            .finish_non_exhaustive()
    }
}

const SCROLLBACK: usize = 2000;
const QR: &str = "[QR code]";
const BLOCKS: [char; 4] = ['█', '▀', '▄', ' '];
