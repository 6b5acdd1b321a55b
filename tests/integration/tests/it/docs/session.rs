//! A shell on a machine with doorkey and nothing in its home, beside servers that answer by the names of the pages.

use std::{path::PathBuf, time::Duration};

use integration::{Home, World};
use snapbox::IntoData as _;
use tempfile::TempDir;
use tokio::process::Command;

use super::blocks::{self, Block};

/// What the commands of a page find, one after the other.
pub(super) struct Session {
    world: World,
    /// The person's home; doorkey keeps to the platform's folders in it.
    folder: TempDir,
    /// Knows the programs and variables of a test.
    tools: Home,
    /// The page that the last command asked to open.
    page: Option<String>,
}

struct Outcome {
    code: i32,
    text: String,
}

impl Session {
    /// A new home and new servers. `signed_in`: with `work` added and signed in to.
    pub(super) async fn start(signed_in: bool) -> Self {
        let world = World::with(|auth| auth.issuer_path(""), |mcp| mcp).await;
        let session = Self {
            tools: Home::new(&world, ""),
            folder: tempfile::tempdir().expect("a temporary folder"),
            world,
            page: None,
        };
        if signed_in {
            for command in [
                "doorkey add work --url https://mcp.example.com/mcp",
                "doorkey login work",
            ] {
                let outcome = session.shell(command).await;
                assert_eq!(outcome.code, 0, "{command}: {}", outcome.text);
            }
        }
        session
    }

    /// Runs the commands of a block in turn. `Err`: which did something else than the page says, and what.
    pub(super) async fn run(&mut self, block: &Block) -> Result<(), String> {
        let commands = block.commands();
        let last = commands.len().saturating_sub(1);
        for (at, command) in commands.iter().enumerate() {
            let outcome = match block.has("terminal") {
                true => self.terminal(&command.typed).await,
                false => {
                    let typed = self.with_callback(&command.typed).await;
                    self.shell(&typed).await
                }
            };
            self.page = page_of(&outcome.text);
            let shown = self.anonymous(&outcome.text);
            println!("$ {}\n{shown}", command.typed);
            let expected = if at == last { block.exit() } else { 0 };
            if outcome.code != expected {
                let code = outcome.code;
                return Err(format!("`{}` ended with {code}:\n{shown}", command.typed));
            }
            compare(command, shown)?;
        }
        Ok(())
    }

    /// Runs one line of a shell to its end.
    async fn shell(&self, line: &str) -> Outcome {
        let mut shell = Command::new("sh");
        let line = self.real(line);
        // What is written to either stream is what a person sees.
        shell.args(["-c", &format!("exec 2>&1\n{line}")]);
        shell.env_clear();
        for (name, value) in self.variables() {
            shell.env(name, value);
        }
        shell.stdin(std::process::Stdio::null()).kill_on_drop(true);
        shell.current_dir(self.folder.path());
        let output = tokio::time::timeout(LIMIT, shell.output()).await;
        let output = output.unwrap_or_else(|_| panic!("`{line}` takes longer than {LIMIT:?}"));
        let output = output.expect("a shell that starts");
        Outcome {
            code: output.status.code().unwrap_or(-1),
            text: String::from_utf8(output.stdout).expect("UTF-8"),
        }
    }

    /// Runs one command of the program at a terminal.
    async fn terminal(&self, line: &str) -> Outcome {
        let line = self.real(line);
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            words.first(),
            Some(&"doorkey"),
            "a command at a terminal: {line}"
        );
        let mut program = self.tools.at_terminal(&words[1..]).sized(100, 50);
        program = program.without("DOORKEY_HOME");
        for (name, value) in self.variables() {
            program = program.with(&name, &value);
        }
        let mut terminal = program.start();
        let code = terminal.ended().await;
        let text = terminal.text() + "\n";
        Outcome { code, text }
    }

    fn variables(&self) -> Vec<(String, String)> {
        let command = self.tools.command();
        let own = command.as_std().get_envs().filter_map(|(name, value)| {
            let text = |os: &std::ffi::OsStr| os.to_string_lossy().into_owned();
            Some((text(name), text(value?)))
        });
        let mut variables: Vec<_> = own.filter(|(name, _)| name != "DOORKEY_HOME").collect();
        variables.retain(|(name, _)| name != "HOME");
        let program = PathBuf::from(command.as_std().get_program());
        let folder = program.parent().expect("a folder").display().to_string();
        variables.push(("HOME".to_owned(), self.folder.path().display().to_string()));
        variables.push((
            "PATH".to_owned(),
            format!("{folder}:/usr/local/bin:/usr/bin:/bin"),
        ));
        variables
    }

    /// The command with the servers' addresses in place of the names on the page.
    fn real(&self, line: &str) -> String {
        let ca = self.tools.path().join("ca.pem").display().to_string();
        line.replace(MCP, &self.world.mcp.addr().to_string())
            .replace(LOGIN, &self.world.auth.addr().to_string())
            .replace(AUTHORITY, &ca)
    }

    /// The command with the address at which a browser ends, where the page shows a part of one.
    async fn with_callback(&self, line: &str) -> String {
        let Some((before, rest)) = line.split_once("http://127.0.0.1:") else {
            return line.to_owned();
        };
        let Some((_, after)) = rest
            .split_once('\'')
            .filter(|(shown, _)| shown.contains('…'))
        else {
            return line.to_owned();
        };
        let page = self.page.as_deref();
        let page = page.unwrap_or_else(|| panic!("no page was to be opened before `{line}`"));
        let browser = doorkey_testkit::Browser::new().trusting(&self.world.ca);
        let visit = browser.stop_before_callback().open(page).await;
        format!("{before}{}'{after}", visit.expect("a page").callback)
    }

    /// The output as the page has it.
    fn anonymous(&self, text: &str) -> String {
        let home = self.folder.path().display().to_string();
        let ca = self.tools.path().join("ca.pem").display().to_string();
        let servers = [
            (self.world.mcp.addr(), MCP),
            (self.world.auth.addr(), LOGIN),
        ];
        let text = text.replace(&ca, AUTHORITY).replace(&home, "~");
        servers.iter().fold(text, |text, (address, name)| {
            let address = address.to_string();
            text.replace(&address, name)
                .replace(&address.replace(':', "%3A"), name)
        })
    }
}

/// The first page of an authorization server in a text.
fn page_of(text: &str) -> Option<String> {
    let mut words = text.split([' ', '\n', '"', '\'']);
    let page = words.find(|word| word.starts_with("https://") && word.contains("/authorize?"))?;
    Some(page.to_owned())
}

fn compare(command: &blocks::Command, shown: String) -> Result<(), String> {
    if command.shown.is_empty() {
        return Ok(());
    }
    let compared = snapbox::Assert::new().try_eq(
        Some(&command.typed),
        shown.into_data(),
        command.shown.as_str().into_data(),
    );
    compared.map_err(|difference| format!("`{}`:\n{difference}", command.typed))
}

/// The names of the pages.
const MCP: &str = "mcp.example.com";
const LOGIN: &str = "login.example.com";
const AUTHORITY: &str = "/etc/ssl/company-ca.pem";
const LIMIT: Duration = Duration::from_secs(60);
