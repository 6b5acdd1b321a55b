//! The program: arguments, one command per module, exit codes.

mod add;
mod arguments;
mod ask;
mod call;
mod check;
mod client_metadata;
mod columns;
mod completions;
mod content;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod enable;
mod examples;
mod exit;
mod explain;
mod format;
mod get;
mod import;
mod lines;
mod list;
mod listing;
mod login;
mod logout;
mod man;
mod manner;
mod offer;
mod output;
mod paint;
mod progress;
mod prompts;
mod remove;
mod report;
mod resources;
mod status;
mod store;
mod subject;
mod table;
mod token;
mod tools;
mod trace;
#[cfg(unix)]
mod unseen;
mod usage;
mod waiting;
mod when;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use doorkey::{Environment, Host, StoreKind, Target};
use tokio::runtime::Builder;

use exit::{Exit, Failure};
use manner::Wishes;
use output::Output;

/// Signs in to remote MCP servers and keeps the login.
#[derive(Debug, Parser)]
#[command(name = "doorkey", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    wishes: Wishes,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a server to the configuration
    Add(add::Add),
    /// Add the servers that other programs have; their files stay as they are
    Import(import::Import),
    /// Sign in to a server, and prove that it takes the token
    Login(login::Login),
    /// Sign out: revoke the tokens and remove every local copy
    Logout(logout::Logout),
    /// Sign out and take the server out of the configuration
    Remove(remove::Remove),
    /// Use servers again that were switched off
    Enable(enable::Switch),
    /// Switch servers off: they stay in the configuration, and their logins are kept
    Disable(enable::Switch),
    /// Show all servers and their logins; makes no request unless asked
    List(list::List),
    /// Show who is signed in, until when and with what; makes no request unless asked
    Status(status::Status),
    /// Show one server with its settings and its login
    Get(get::Get),
    /// Find out what is wrong with a server, and what mends it
    ///
    /// Changes nothing but a token that is due for a refresh or, for a flow without a person, obtained; --no-refresh
    /// leaves both out.
    Doctor(doctor::Doctor),
    /// Explain the code of an error: what it means and what to do
    Explain(explain::Explain),
    /// Show the tools of a server
    Tools(tools::Tools),
    /// Call a tool of a server
    Call(call::Call),
    /// Show the resources of a server, or read one
    Resources(resources::Resources),
    /// Show the prompts of a server, or get one
    Prompts(prompts::Prompts),
    /// Print an access token for a script, refreshed if it is due
    Token(token::Token),
    /// Show where logins are kept, or move them
    Store(store::Store),
    /// Print the metadata document of this client, to be published at a URL
    ClientMetadata(client_metadata::Metadata),
    /// Print what a shell needs to complete commands and servers
    Completions(completions::Completions),
    /// Print the manual page, or write all of them
    Man(man::Man),
    /// Go through everything against servers on this machine
    #[cfg(feature = "demo")]
    Demo(demo::Demo),
}

/// The whole of what can be typed, with examples.
fn command() -> clap::Command {
    examples::with_examples(Arguments::command())
}

/// Runs the program with these arguments in these surroundings.
pub(crate) fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: Environment,
) -> ExitCode {
    let given: Vec<_> = arguments.into_iter().collect();
    let read = matches(&given).and_then(|matches| {
        let arguments = Arguments::from_arg_matches(&matches)?;
        Ok((arguments, matches))
    });
    let (mut arguments, matches) = match read {
        Ok(read) => read,
        Err(error) => {
            let wishes = Wishes::about_colors(&given);
            let output = Output::new(wishes.in_surroundings(&environment));
            return usage::told(&error, &given, &output).into();
        }
    };
    let output = Output::new(arguments.wishes.in_surroundings(&environment));
    if let Err((kind, refusal)) = arguments.command.prepare(&output) {
        return usage::told(&command().error(kind, refusal), &given, &output).into();
    }
    trace::start(arguments.wishes.verbose, &environment, &output);
    let mut runtime = match arguments.command.is_busy() {
        true => Builder::new_multi_thread(),
        false => Builder::new_current_thread(),
    };
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report::failure(&output, false, None, &Failure::Output(error)).into(),
    };
    let json = wants_json(&matches, &output);
    let exit = runtime.block_on(dispatch(arguments.command, json, environment, &output));
    // A browser that runs in the foreground must not keep the program alive.
    runtime.shutdown_timeout(SHUTDOWN_LIMIT);
    exit.into()
}

/// What the arguments say. Examples are put together for those who ask for help.
fn matches(given: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let matches = Arguments::command().try_get_matches_from(given);
    match matches {
        Err(error) if HELP.contains(&error.kind()) => command().try_get_matches_from(given),
        matches => matches,
    }
}

/// Whether the command would write JSON, whichever it is, so that a failure is told as that, too: it was asked for, or the
/// command has the choice and no terminal to write to.
fn wants_json(matches: &ArgMatches, output: &Output) -> bool {
    let mut matches = Some(matches);
    while let Some(of_command) = matches {
        let is_set = |flag| of_command.try_get_one(flag).ok().flatten().copied();
        let goes_elsewhere = !output.terminal().stdout;
        if is_set("json") == Some(true) || (is_set("table") == Some(false) && goes_elsewhere) {
            return true;
        }
        matches = of_command.subcommand().map(|(_, inner)| inner);
    }
    false
}

async fn dispatch(command: Command, json: bool, environment: Environment, output: &Output) -> Exit {
    let (name, account) = match command.target() {
        Some(target) => (
            Some(target.server.to_owned()),
            target.account.map(str::to_owned),
        ),
        None => (None, None),
    };
    match Box::pin(execute(command, environment, output)).await {
        Ok(exit) => exit,
        Err(failure) => {
            let target = name
                .as_deref()
                .map(|name| Target::new(name).with_account(account.as_deref()));
            report::failure(output, json, target, &failure)
        }
    }
}

async fn execute(
    command: Command,
    environment: Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    if let Some(outcome) = before_a_host(&command, &environment, output).await {
        return outcome;
    }
    let opened = match (Host::open(environment), &command) {
        (Err(error), Command::Doctor(doctor)) => return doctor.without_host(&error, output),
        (opened, _) => opened?,
    };
    let mut host = opened
        .with_standalone_stream(false)
        .with_late_closing()
        .with_answer_limit(command.limit());
    if let Command::Login(login) = &command {
        host = host
            .with_device_logins(login.device)
            .with_login_hint(login.login_hint.clone());
    }
    if command.needs_store() {
        host.settle_store().await?;
    }
    for warning in host.config().warnings() {
        output.warn(&warning.to_string());
    }
    let before = match &command {
        Command::Login(login) => Some(login.before(&host).await),
        _ => None,
    };
    let mut outcome = tokio::select! {
        outcome = attempt(&command, &host, output) => outcome,
        () = interrupted() => Err(Failure::Interrupted { login: before.is_some() }),
    };
    for problem in host.store().problems() {
        output.warn(&problem.to_string());
    }
    if let (Err(Failure::Host(error)), Some(target)) = (&outcome, command.target())
        && error.needs_login()
    {
        tell_of_copies(host.copies_of(target).await, &host, output);
    }
    tokio::join!(
        drain(&outcome, before.is_some(), &host, output),
        closed(&host)
    );
    if let (Err(Failure::Interrupted { .. }), Some(before)) = (&outcome, before) {
        outcome = Err(before.interrupted(&host).await);
    }
    outcome.map_err(|failure| {
        let name = command.target().map_or("", |target| target.server);
        let failure = failure.explained(command.target(), &host);
        failure.at(host.config().server(name).ok())
    })
}

/// Runs a command that needs no configuration; `None` for the others.
async fn before_a_host(
    command: &Command,
    environment: &Environment,
    output: &Output,
) -> Option<Result<Exit, Failure>> {
    #[cfg(feature = "demo")]
    if let Command::Demo(demo) = command {
        return Some(tokio::select! {
            outcome = demo.run(output) => outcome,
            () = interrupted() => demo.interrupted(),
        });
    }
    if let Command::Doctor(doctor) = command
        && let Some(shown) = doctor.replayed(output)
    {
        return Some(shown);
    }
    command.without_host(environment, output)
}

/// Runs a command; one that talks to a server offers the login that it turns out to need.
async fn attempt(command: &Command, host: &Host, output: &Output) -> Result<Exit, Failure> {
    match command.target() {
        Some(target) if command.is_of_server() => {
            let run = async || with_host(command, host, output).await;
            offer::with_login(target, host, output, run).await
        }
        _ => with_host(command, host, output).await,
    }
}

async fn with_host(command: &Command, host: &Host, output: &Output) -> Result<Exit, Failure> {
    match command {
        Command::Import(import) => import.run(host, output).await,
        Command::Login(login) => login.run(host, output).await,
        Command::Logout(logout) => logout.run(host, output).await,
        Command::Remove(remove) => remove.run(host, output).await,
        Command::Get(get) => get.run(host, output).await,
        Command::Doctor(doctor) => doctor.run(host, output).await,
        Command::Enable(switch) => switch.run(host, true, output),
        Command::Disable(switch) => switch.run(host, false, output),
        Command::List(list) => list.run(host, output).await,
        Command::Status(status) => status.run(host, output).await,
        Command::Tools(tools) => tools.run(host, output).await,
        Command::Call(call) => call.run(host, output).await,
        Command::Resources(resources) => resources.run(host, output).await,
        Command::Prompts(prompts) => prompts.run(host, output).await,
        Command::Token(token) => token.run(host, output).await,
        Command::Store(store) => store.run(host, output).await,
        Command::ClientMetadata(metadata) => metadata.run(host, output),
        Command::Add(_) | Command::Completions(_) | Command::Man(_) | Command::Explain(_) => {
            let outcome = command.without_host(host.environment(), output);
            outcome.unwrap_or(Ok(Exit::Done))
        }
        #[cfg(feature = "demo")]
        Command::Demo(demo) => demo.run(output).await,
    }
}

impl Command {
    /// Runs a command that needs neither the configuration to be sound nor a store.
    fn without_host(
        &self,
        environment: &Environment,
        output: &Output,
    ) -> Option<Result<Exit, Failure>> {
        match self {
            Self::Add(add) => Some(add.run(environment, output)),
            Self::Completions(completions) => Some(completions.run(command(), environment, output)),
            Self::Man(man) => Some(man.run(command(), output)),
            Self::Explain(explain) => Some(explain.run(output)),
            _ => None,
        }
    }

    /// Whether it may keep something, so that there has to be a store to keep it in. Whoever only looks
    /// leaves the choice open.
    fn needs_store(&self) -> bool {
        match self {
            Self::Login(_) | Self::Token(_) => true,
            Self::List(list) => list.checking.check,
            Self::Status(status) => status.checking.check,
            _ => self.is_of_server(),
        }
    }

    /// Whether it has work for several threads: servers of its own, or many servers asked side by side. The others wait for
    /// one answer after another, and start faster with one.
    fn is_busy(&self) -> bool {
        match self {
            Self::List(list) => list.checking.check,
            Self::Status(status) => status.checking.check,
            Self::Doctor(_) => true,
            #[cfg(feature = "demo")]
            Self::Demo(_) => true,
            _ => false,
        }
    }

    /// Whether it asks an MCP server for something.
    fn is_of_server(&self) -> bool {
        matches!(
            self,
            Self::Tools(_) | Self::Call(_) | Self::Resources(_) | Self::Prompts(_)
        )
    }

    /// What is wrong with its arguments, where only more than each by itself shows it; what they name is read.
    fn prepare(&mut self, output: &Output) -> Result<(), (ErrorKind, String)> {
        let given = match self {
            Self::Add(add) => {
                let refusal = add.refusal();
                return refusal.map_or(Ok(()), |it| {
                    Err((ErrorKind::ArgumentConflict, it.to_string()))
                });
            }
            Self::Call(call) => Some(&mut call.given),
            Self::Prompts(prompts) => prompts.given(),
            _ => None,
        };
        let read = given.map_or(Ok(()), |given| given.read(output));
        read.map_err(|wrong| (ErrorKind::ValueValidation, wrong))
    }

    /// How long the server may take to answer, where the command says so.
    fn limit(&self) -> Option<Duration> {
        match self {
            Self::Tools(tools) => tools.patience.limit(),
            Self::Call(call) => call.patience.limit(),
            Self::Resources(resources) => resources.patience().limit(),
            Self::Prompts(prompts) => prompts.patience().limit(),
            _ => None,
        }
    }

    fn target(&self) -> Option<Target<'_>> {
        match self {
            Self::Add(add) => Some(Target::new(&add.name)),
            Self::Login(login) => Some(login.account.at(&login.name)),
            Self::Logout(logout) => logout.target(),
            Self::Remove(remove) => Some(Target::new(&remove.name)),
            Self::Get(get) => Some(get.account.at(&get.name)),
            Self::Tools(tools) => Some(tools.account.at(&tools.name)),
            Self::Call(call) => Some(call.account.at(&call.name)),
            Self::Resources(resources) => Some(resources.target()),
            Self::Prompts(prompts) => Some(prompts.target()),
            Self::Token(token) => Some(token.account.at(&token.name)),
            Self::Enable(switch) | Self::Disable(switch) => switch.target(),
            Self::Import(_)
            | Self::List(_)
            | Self::Status(_)
            | Self::Doctor(_)
            | Self::Explain(_)
            | Self::Store(_)
            | Self::ClientMetadata(_)
            | Self::Completions(_)
            | Self::Man(_) => None,
            #[cfg(feature = "demo")]
            Self::Demo(_) => None,
        }
    }
}

/// A login that lies in another store is not lost: it is moved with one command. Whoever was overtaken by a move is told to try again.
fn tell_of_copies(kinds: Vec<StoreKind>, host: &Host, output: &Output) {
    if host.store_was_changed() {
        output.note("the logins were moved to another store meanwhile: try again");
    }
    let to = host.store_choice().kind;
    for from in kinds {
        output.note(&format!(
            "there is a login for it in the {from} store; to use it: doorkey store migrate --from {from} --to {to}"
        ));
    }
}

/// Waits for the requests that are under way, though not past another Ctrl-C.
async fn drain(outcome: &Result<Exit, Failure>, is_login: bool, host: &Host, output: &Output) {
    let drained = tokio::select! {
        drained = host.drain(DRAIN_LIMIT) => drained,
        () = interrupted() => false,
        () = remark(outcome, is_login, output) => false,
    };
    match (drained, is_login) {
        (true, _) => {}
        (false, true) => output.warn(
            "a request to the authorization server was given up; what it would have brought is lost",
        ),
        (false, false) => output
            .warn("a refresh was still running; the next command picks up what became of it"),
    }
}

/// Lets connections end whose answers were told already, though not past another Ctrl-C.
async fn closed(host: &Host) {
    tokio::select! {
        () = host.closed() => {}
        () = interrupted() => {}
    }
}

/// Tells why the program goes on, if it does, although all seems said; never ends.
async fn remark(outcome: &Result<Exit, Failure>, is_login: bool, output: &Output) {
    tokio::time::sleep(REMARK_AFTER).await;
    match (outcome, is_login) {
        (Err(Failure::Interrupted { .. }), _) => output.insist(
            "A request is under way, and its answer is waited for. Press Ctrl-C again to end at once.",
        ),
        (_, false) => output.note(&format!(
            "a refresh is still under way; waiting at most {} s so that its new token is not lost",
            DRAIN_LIMIT.as_secs()
        )),
        (_, true) => {}
    }
    std::future::pending::<()>().await;
}

/// Ends when the person presses Ctrl-C or otherwise ends the program; never where that cannot be noticed. The terminal is then left as it was, whatever a login had done to it.
async fn interrupted() {
    let ended = tokio::select! {
        ended = tokio::signal::ctrl_c() => ended,
        ended = told_to_end() => ended,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "interruptions are not noticed");
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn told_to_end() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::terminate())?.recv().await;
    Ok(())
}

#[cfg(not(unix))]
async fn told_to_end() -> std::io::Result<()> {
    std::future::pending().await
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 2 usage, 3 login required, 4 login denied or abandoned, 5 forbidden,
6 temporary (network, server), 7 MCP error, 8 the tool answered an error, 9 configuration
or store, 1 anything else.";
const HELP: [ErrorKind; 2] = [
    ErrorKind::DisplayHelp,
    ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
];
const REMARK_AFTER: Duration = Duration::from_millis(500);
const DRAIN_LIMIT: Duration = Duration::from_secs(30);
const SHUTDOWN_LIMIT: Duration = Duration::from_millis(100);
