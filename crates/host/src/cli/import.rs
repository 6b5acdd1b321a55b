//! `doorkey import`: the servers of other programs, added to ours. Their files are read and never written.

mod document;
mod places;
mod plan;
mod server;
mod text;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum as _};
use doorkey::{Config, Environment, Host, Target};
use serde::Serialize;

use super::ask::{Enter, is_yes};
use super::exit::{Exit, Failure};
use super::format::Format;
use super::lines::Lines;
use super::output::{Output, clean};
use super::paint;
use super::report;
use super::table::{Fit, Table};
use document::Unusable;
use places::Source;
use plan::{Plan, Planned, Step};

#[derive(Args, Debug)]
#[command(after_help = REMARK)]
pub(crate) struct Import {
    /// Whose servers; all that can be found where none is named
    #[arg(value_enum)]
    from: Vec<Source>,
    /// A file to read in place of those that are found
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Add them without being asked
    #[arg(long, short)]
    yes: bool,
    /// Only show what would be added
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    #[command(flatten)]
    format: Format,
}

/// What was found, and what came of it.
#[derive(Serialize)]
struct Found {
    files: Vec<Looked>,
    servers: Vec<Planned>,
    /// The names of those that were added.
    added: Vec<String>,
}

/// A file that was read, or should have been.
#[derive(Serialize)]
struct Looked {
    from: Source,
    path: PathBuf,
    servers: usize,
    /// Why it could not be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Import {
    /// A file that cannot be used keeps no other from being read; it is told, and ends the command with its code.
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        if self.file.is_some() && self.from.len() > 1 {
            return Err(Failure::Unfit {
                why: "a file has the form of one program, and several were named".to_owned(),
                next: "doorkey import --file PATH with one of them, or with none".to_owned(),
            });
        }
        let here = std::path::absolute(".").map_err(Failure::Input)?;
        let (files, planned) = self.look(host.config(), host.environment(), &here, output);
        let is_bad = files.iter().any(|file| file.error.is_some());
        let mut found = Found {
            files,
            servers: planned,
            added: Vec::new(),
        };
        let is_json = self.format.is_json(output);
        if !is_json {
            found.show(host.environment(), &here, output)?;
        }
        let mut exit = match is_bad {
            true => Exit::Configuration,
            false => Exit::Done,
        };
        if found.servers.iter().any(|planned| planned.server.is_some()) && !self.dry_run {
            // Who wants data is shown no table that could be agreed to.
            let can_ask = !is_json && output.is_interactive();
            if self.agreed(&found, can_ask, host, output).await {
                exit = found.add(host, output).worse(exit);
            } else if !can_ask {
                exit = Exit::Usage;
            }
        }
        if is_json {
            output.json(&found)?;
        }
        Ok(exit)
    }

    fn look(
        &self,
        config: &Config,
        environment: &Environment,
        here: &Path,
        output: &Output,
    ) -> (Vec<Looked>, Vec<Planned>) {
        let mut files = Vec::new();
        let mut plan = Plan::new(config, environment);
        for (from, path) in self.places(environment, here) {
            let (servers, error) = match document::read(from, &path) {
                Ok(entries) => {
                    let count = entries.len();
                    for entry in entries {
                        plan.take(from, &path, entry);
                    }
                    (count, None)
                }
                // Most people do not use all of these programs.
                Err(Unusable::Missing) if self.file.is_none() => continue,
                Err(error) => {
                    output.warn(&format!("{}: {error}", error.at(&path)));
                    (0, Some(format!("{}: {error}", error.at(&path))))
                }
            };
            files.push(Looked {
                from,
                path,
                servers,
                error,
            });
        }
        (files, plan.planned)
    }

    /// The files to be read, and whose they are.
    fn places(&self, environment: &Environment, here: &Path) -> Vec<(Source, PathBuf)> {
        if let Some(file) = &self.file {
            let path = here.join(file);
            let from = self.from.first().copied();
            let from = from.or_else(|| Source::of_file(&path));
            return vec![(from.unwrap_or_else(|| document::guess(&path)), path)];
        }
        let sources = match self.from.as_slice() {
            [] => Source::value_variants(),
            named => named,
        };
        let all = sources.iter().flat_map(|source| {
            let files = source.files(environment, here).into_iter();
            files.map(|file| (*source, file))
        });
        all.collect()
    }

    async fn agreed(&self, found: &Found, can_ask: bool, host: &Host, output: &Output) -> bool {
        if self.yes {
            return true;
        }
        let file = host.home().config_file().display();
        if !can_ask {
            output.insist("nothing was added, for nobody can be asked here");
            output.insist("next: the same command with --yes");
            return false;
        }
        let count = found.servers.iter();
        let count = count.filter(|planned| planned.server.is_some()).count();
        let servers = match count {
            1 => "1 server".to_owned(),
            count => format!("{count} servers"),
        };
        let is_agreed = is_yes(&format!("Add {servers} to {file}?"), Enter::Yes, output).await;
        if !is_agreed {
            output.note("nothing was added");
        }
        is_agreed
    }
}

impl Found {
    fn show(&self, environment: &Environment, here: &Path, output: &Output) -> Result<(), Failure> {
        if self.servers.is_empty() {
            output.note(
                "no MCP servers were found; doorkey import --help says where they are looked for",
            );
            return Ok(());
        }
        let folders = environment.folders();
        let home = folders.map(|folders| folders.home.as_path());
        let mut table = Table::new(&[
            ("NAME", Fit::Whole),
            ("FROM", Fit::Address),
            ("URL", Fit::Address),
            ("ACTION", Fit::Whole),
        ]);
        for planned in &self.servers {
            table.add(&[
                planned.name_here().to_owned(),
                planned.origin(here, home),
                planned.url.clone().unwrap_or_default(),
                planned.in_words(),
            ]);
        }
        paint::table(&table.text(output.width()), output)?;
        let (mut left_out, mut to_know) = (Lines::default(), Lines::default());
        for planned in &self.servers {
            if let Step::LeaveOut { reason } = &planned.step {
                left_out.add(&planned.name, reason.clone());
            }
            if !planned.settings.is_empty() {
                let with = planned.settings.join(", ");
                to_know.add(planned.name_here(), format!("with {with}"));
            }
            for note in &planned.notes {
                to_know.add(planned.name_here(), note.clone());
            }
        }
        for (heading, lines) in [("left out", left_out), ("to know", to_know)] {
            let lines = lines.under(heading, output.width());
            if !lines.is_empty() {
                output.note(&format!("\n{}", lines.join("\n")));
            }
        }
        let files = self.files.iter().filter(|file| file.error.is_none());
        let files: Vec<_> = files.map(|file| file.path.display().to_string()).collect();
        output.note(&format!("\nread: {}", clean(&files.join(", "))));
        Ok(())
    }

    /// One after the other: a server that the configuration does not take keeps no other from being added.
    fn add(&mut self, host: &Host, output: &Output) -> Exit {
        let mut exit = Exit::Done;
        for planned in &mut self.servers {
            let Some(server) = &planned.server else {
                continue;
            };
            match Config::add_server(host.home(), server) {
                Ok(_) => {
                    output.note(&format!("added {}", server.name));
                    self.added.push(server.name.clone());
                }
                Err(error) => {
                    let error = error.into();
                    let reason = report::causes(&error).join(": ");
                    output.warn(&format!("{} was not added: {reason}", server.name));
                    planned.step = Step::LeaveOut { reason };
                    exit = exit.worse(Exit::Configuration);
                }
            }
        }
        let logins = self.servers.iter().filter_map(|planned| {
            let server = planned.server.as_ref()?;
            let is_login = server.enabled
                && server.bearer_token_env_var.is_none()
                && self.added.contains(&server.name);
            is_login.then(|| Target::new(&server.name).command("login"))
        });
        let logins: Vec<_> = logins.collect();
        if !logins.is_empty() {
            output.note(&format!("next: {}", logins.join("; ")));
        }
        exit
    }
}

const REMARK: &str = "\
Looked for, here and at home: .codex/config.toml, .mcp.json, ~/.claude.json, .vscode/mcp.json and VS Code's
own mcp.json, .cursor/mcp.json, .gemini/settings.json. These files are read and never written. Secrets that
stand in them are not copied: the configuration names a variable for each.";
