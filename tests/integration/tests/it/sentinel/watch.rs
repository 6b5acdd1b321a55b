//! Runs the program and keeps everything that it says, starts and leaves behind.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use integration::{Home, LIMIT, Run, World};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

use super::{
    evidence::{Evidence, Place, files, leaks},
    secrets::{Kind, Secret},
};

/// A home under watch. Every command runs at TRACE with backtraces, in the environment that `variables` add to.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    world: &'a World,
    home: &'a Home,
    variables: Vec<(String, String)>,
    folder: TempDir,
    evidence: Vec<Evidence>,
    commands: BTreeSet<String>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(world: &'a World, home: &'a Home, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let browser = browser(folder.path());
        let fixed = [
            ("DOORKEY_LOG", "trace"),
            ("RUST_BACKTRACE", "full"),
            ("RUST_LOG", "trace"),
            ("BROWSER", browser.to_str().expect("UTF-8")),
        ];
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            world,
            home,
            variables: fixed.iter().chain(variables).map(owned).collect(),
            folder,
            evidence: Vec::new(),
            commands: BTreeSet::new(),
        }
    }

    /// Runs a command that ends with `code`, and keeps what it said.
    ///
    /// # Panics
    /// When it ends otherwise.
    pub(super) async fn run(&mut self, code: i32, arguments: &[&str]) -> Run {
        let run = self.run_any(arguments).await;
        assert_eq!(run.code, code, "{arguments:?}: {}", messages(&run.stderr));
        run
    }

    /// Runs a command that ends however it does, and keeps what it said.
    pub(super) async fn run_any(&mut self, arguments: &[&str]) -> Run {
        let run = self.run_unkept(arguments).await;
        self.keep(arguments, &run);
        run
    }

    async fn run_unkept(&self, arguments: &[&str]) -> Run {
        let variables: Vec<_> = self
            .variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.home.run_with(arguments, &variables).await
    }

    /// Runs the one command that prints an access token, and keeps what it said but for that token, once.
    ///
    /// # Panics
    /// When it ends otherwise than with 0, or does not print the token.
    pub(super) async fn run_token(&mut self, arguments: &[&str], token: &str) {
        let mut run = self.run_unkept(arguments).await.succeeded();
        assert!(run.stdout.contains(token), "{arguments:?} prints no token");
        run.stdout = run.stdout.replacen(token, "(the token)", 1);
        self.keep(arguments, &run);
    }

    /// Runs the doctor so that it writes a record, and keeps what that says: the record, and what is told of it later.
    ///
    /// # Panics
    /// When there is no record of anything that was sent, or what is told of it later is something else.
    pub(super) async fn run_doctor(&mut self, name: &str) -> Run {
        let path = self.folder.path().join("seen.json");
        let path = path.to_str().expect("UTF-8");
        let recorded = ["doctor", name, "--json", "--force", "--record", path];
        let run = self.run_any(&recorded).await;
        let record = fs::read_to_string(path).expect("a record");
        assert!(record.contains("\"exchanges\""), "{record}");
        let from = format!("the record of {name}");
        let place = Place::File("seen.json".to_owned());
        self.note(Evidence::new(place, &from, record));
        let again = ["doctor", "--replay", path, "--json"];
        let again = self.run(run.code, &again).await;
        assert_eq!(again.json(), run.json(), "{name}");
        self.run(run.code, &["doctor", "--replay", path]).await;
        run
    }

    /// Signs in with no browser: whoever reads the address from the messages opens it.
    ///
    /// # Panics
    /// When there is no address, or the login does not succeed.
    pub(super) async fn login_by_hand(&mut self) -> Run {
        let arguments = ["login", Home::SERVER, "--no-browser"];
        let home = self.home;
        let run = self.run_reading(&arguments, shown_page, async |page| home.open(&page).await);
        run.await.succeeded()
    }

    /// Signs in on another device: whoever reads page and code from the messages types the code.
    ///
    /// # Panics
    /// When there is no code, or the login does not succeed.
    pub(super) async fn login_on_device(&mut self, arguments: &[&str]) -> Run {
        let person = &self.world.person;
        let run = self.run_reading(
            arguments,
            shown_code,
            async |(page, code): (String, String)| {
                person.type_code(&page, &code).await;
            },
        );
        run.await.succeeded()
    }

    /// Runs a command, and does something as soon as its messages hold what `find` looks for.
    async fn run_reading<T>(
        &mut self,
        arguments: &[&str],
        find: fn(&[u8]) -> Option<T>,
        act: impl AsyncFnOnce(T),
    ) -> Run {
        let mut command = self.home.command();
        command
            .args(arguments)
            .envs(self.variables.iter().cloned())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("a program that starts");
        let mut stderr = child.stderr.take().expect("a pipe");
        let mut said = Vec::new();
        let reading = async {
            let found = loop {
                let read = stderr.read_buf(&mut said).await.expect("a pipe");
                assert_ne!(read, 0, "{}", String::from_utf8_lossy(&said));
                if let Some(found) = find(&said) {
                    break found;
                }
            };
            act(found).await;
            stderr.read_to_end(&mut said).await.expect("a pipe");
            child.wait_with_output().await.expect("a program that ends")
        };
        let output = tokio::time::timeout(LIMIT, reading).await.expect("in time");
        let run = Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(said).expect("UTF-8"),
        };
        self.keep(arguments, &run);
        run
    }

    /// A program that writes down how it was started before it does anything: `make` gets the folder for it and the
    /// lines of a script that do so.
    pub(super) fn program(&self, make: impl FnOnce(&Path, &str) -> PathBuf) -> PathBuf {
        make(self.folder.path(), &written_down(self.folder.path()))
    }

    /// What was said by others, or of other values.
    pub(super) fn note(&mut self, evidence: Evidence) {
        self.evidence.push(evidence);
    }

    /// The commands that ran.
    pub(super) fn commands(&self) -> &BTreeSet<String> {
        &self.commands
    }

    /// Whether the log has a record of this crate.
    pub(super) fn logged(&self, target: &str) -> bool {
        let records = LEVELS.map(|level| format!("{level}{target}"));
        self.evidence.iter().any(|said| {
            let text = String::from_utf8_lossy(&said.bytes);
            said.place == Place::Stderr && records.iter().any(|record| text.contains(record))
        })
    }

    /// Asserts that none of the secrets is in anything that was kept, nor in the home.
    ///
    /// # Panics
    /// When one is.
    pub(super) fn assert_clean(mut self, secrets: &[Secret]) {
        self.collect_children();
        self.evidence.extend(files(self.home.path()));
        let pages = self.world.person.urls();
        let others: Vec<_> = secrets
            .iter()
            .filter(|secret| !Kind::OF_THE_PAGE.contains(&secret.kind))
            .cloned()
            .collect();
        let shown: Vec<_> = pages
            .iter()
            .map(|page| Evidence::new(Place::Text, "the address of the page", page.as_str()))
            .collect();
        assert_none(&leaks(&others, &shown));
        let variables = self.all_variables();
        let evidence: Vec<_> = self
            .evidence
            .into_iter()
            .map(|said| match said.place {
                Place::Stderr | Place::Arguments => said.without_page(&pages),
                Place::Environment => said.without_variables(&variables),
                _ => said,
            })
            .collect();
        assert_none(&leaks(secrets, &evidence));
    }

    fn keep(&mut self, arguments: &[&str], run: &Run) {
        let from = format!("doorkey {}", arguments.join(" "));
        self.commands.insert(arguments[0].to_owned());
        for (place, text) in [(Place::Stdout, &run.stdout), (Place::Stderr, &run.stderr)] {
            let evidence = Evidence::new(place, &from, text.as_str());
            self.evidence.push(evidence);
        }
    }

    /// Takes what the scripts wrote down of their arguments and their environment, and of the program's.
    fn collect_children(&mut self) {
        let mut written = 0;
        for entry in fs::read_dir(self.folder.path()).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let place = match name.split('.').next() {
                Some("arguments") => Place::Arguments,
                Some("environment") => Place::Environment,
                _ => continue,
            };
            written += 1;
            let bytes = fs::read(&path).expect("a readable file");
            self.evidence
                .push(Evidence::new(place, "what it started", bytes));
        }
        assert!(
            written >= 2 || self.world.person.pages_opened() == 0,
            "nothing that it started wrote anything down"
        );
    }

    fn all_variables(&self) -> Vec<(String, String)> {
        let fixed = self.home.variables().into_iter();
        fixed
            .map(|(name, value)| (name.to_owned(), value))
            .chain(self.variables.iter().cloned())
            .collect()
    }
}

/// What is not log.
fn messages(stderr: &str) -> String {
    let said = stderr
        .lines()
        .filter(|line| !LEVELS.iter().any(|level| line.contains(level)));
    said.collect::<Vec<_>>().join("\n")
}

fn assert_none(leaks: &[String]) {
    assert!(
        leaks.is_empty(),
        "{} leaks:\n{}",
        leaks.len(),
        leaks.join("\n")
    );
}

/// The address of a page to open.
fn shown_page(said: &[u8]) -> Option<String> {
    let mut shown = shown(said).into_iter();
    shown.find(|line| line.starts_with("https://"))
}

/// The address of the page for a device, and the code to type there.
fn shown_code(said: &[u8]) -> Option<(String, String)> {
    let mut shown = shown(said).into_iter();
    let page = shown.find(|line| line.starts_with("https://"))?;
    Some((page, shown.next()?))
}

/// What stands on lines of its own.
fn shown(said: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(said);
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    complete
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.is_empty() && !line.contains(' '))
        .map(str::to_owned)
        .collect()
}

/// A browser that writes down how it was started, and by whom, before it brings the page to the person.
fn browser(folder: &Path) -> PathBuf {
    let path = folder.join("browser");
    let script = format!(
        "#!/bin/sh\n{}\nexec '{}' \"$@\"\n",
        written_down(folder),
        Home::browser().display(),
    );
    fs::write(&path, script).expect("a writable folder");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("permissions");
    path
}

/// The lines of a script that write down how it was started, and by whom.
fn written_down(folder: &Path) -> String {
    format!(
        "{{ printf '%s\\n' \"$@\"; tr '\\0' '\\n' < /proc/$PPID/cmdline; }} > '{folder}'/arguments.$$\n\
         {{ env; tr '\\0' '\\n' < /proc/$PPID/environ; }} > '{folder}'/environment.$$",
        folder = folder.display(),
    )
}

const LEVELS: [&str; 3] = [" TRACE ", " DEBUG ", "  INFO "];
