//! What to do next, in words and as a command that can be typed as it stands.

use std::error::Error as StdError;

use doorkey_discovery::Scopes;
use doorkey_http::clean_text;
use doorkey_oauth::NextStep;
use doorkey_rmcp::TransportError;
use serde::Serialize;

use super::line;
use super::names::key_of;
use crate::code::ErrorCode;
use crate::config::ConfigError;
use crate::error::Error;
use crate::loopback::Unattended;
use crate::target::Target;

/// What to do about an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NextAction {
    /// What to do, on one line.
    pub text: String,
    /// The command in it, as it is typed; `None` where there is none.
    pub command: Option<String>,
}

impl NextAction {
    /// Something to do for which there is no command.
    #[must_use]
    pub fn advice(text: &str) -> Self {
        Self {
            text: line(text),
            command: None,
        }
    }

    /// A command to type, and nothing else.
    #[must_use]
    pub fn command(command: &str) -> Self {
        Self::with_command(command, command)
    }

    /// Something to do; a command in it goes from the name of this program to the end of the clause.
    #[must_use]
    pub fn in_words(text: &str) -> Self {
        let starts = text.match_indices("doorkey ").map(|(start, _)| start);
        let mut commands = starts.filter_map(|start| {
            let (before, rest) = text.split_at_checked(start)?;
            let is_start = before.is_empty() || LEADS.iter().any(|lead| before.ends_with(lead));
            let end = end_of_clause(rest);
            let command = rest.get(..end)?.trim_end();
            // What is to be filled in first cannot be typed as it stands.
            let is_whole = !command.split(' ').any(is_to_be_filled_in);
            (is_start && is_whole).then_some(command)
        });
        let command = commands.next();
        match command {
            Some(command) => Self::with_command(text, command),
            None => Self::advice(text),
        }
    }

    /// Something to do in which that command stands.
    #[must_use]
    pub fn with_command(text: &str, command: &str) -> Self {
        Self {
            text: line(text),
            command: Some(line(command)),
        }
    }
}

/// What is known of the one who has to do it.
#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    target: Target<'a>,
}

impl<'a> Asked<'a> {
    fn of(target: Option<Target<'a>>) -> Self {
        let target = target.unwrap_or(Target::new("NAME"));
        Self { target }
    }

    /// A command for the server, whichever account it is about.
    fn of_server(self, command: &str) -> String {
        Target::new(self.target.server).command(command)
    }

    fn login(self) -> String {
        self.target.command("login")
    }

    fn doctor(self) -> String {
        self.of_server("doctor")
    }

    /// The table of the server in `config.toml`.
    fn table(self) -> String {
        self.target.table()
    }
}

/// What a quirk knows to do, and the command that tries again.
pub(super) fn of_quirk(next: &str, target: Option<Target<'_>>) -> NextAction {
    let login = Asked::of(target).login();
    NextAction::with_command(&format!("{next}; then {login}"), &login)
}

pub(super) fn of(error: &Error, target: Option<Target<'_>>) -> NextAction {
    specific(error, Asked::of(target))
        .unwrap_or_else(|| by_code(error.code(), target, origin(error)))
}

/// What this very error calls for.
fn specific(error: &Error, asked: Asked<'_>) -> Option<NextAction> {
    if let Error::Unproven { source, .. } = error
        && source.is_transient()
    {
        return Some(NextAction::command(&asked.target.command("tools")));
    }
    if let Some(authorization) = error.authorization() {
        if authorization
            .http()
            .is_some_and(doorkey_http::Error::is_tls)
        {
            // Trying again does not help, even where one of several places may get another certificate.
            return None;
        }
        return by_cause(authorization, asked)
            .or_else(|| {
                authorization
                    .next_step()
                    .and_then(|step| word(&step, asked))
            })
            .or_else(|| of_remedy(error, asked));
    }
    match error {
        Error::Config(unknown @ ConfigError::UnknownServer { .. }) => {
            let meant = unknown.meant().map(Target::new)?;
            Some(NextAction::command(&meant.command("get")))
        }
        Error::Config(ConfigError::ServerExists { .. }) => {
            Some(NextAction::command(&asked.of_server("remove")))
        }
        _ if error.is_transient() => of_remedy(error, asked).or_else(|| {
            let after = error.transport().and_then(TransportError::retry_after);
            word(&NextStep::Retry { after }, asked)
        }),
        _ => of_remedy(error, asked),
    }
}

/// What the error says itself.
fn of_remedy(error: &Error, asked: Asked<'_>) -> Option<NextAction> {
    let text = error.remedy()?;
    let text = text.replace("doorkey login NAME", &asked.login());
    let text = text.replace("mcp_servers.NAME", &asked.target.table());
    Some(NextAction::in_words(&text))
}

/// What the kind of failure calls for.
pub(super) fn by_code(
    code: ErrorCode,
    target: Option<Target<'_>>,
    origin: Option<String>,
) -> NextAction {
    let asked = Asked::of(target);
    let origin = origin.unwrap_or_else(|| "the server".to_owned());
    let commands = COMMANDS.iter().map(|command| {
        let of_name = format!("doorkey {command} {{name}}");
        (of_name, asked.of_server(command))
    });
    let words = [
        ("mcp_servers.{name}", asked.table()),
        ("{name}", asked.target.server.to_owned()),
        ("{login} --start", asked.target.command("login --start")),
        ("{login} --finish", asked.target.command("login --finish")),
        ("{login}", asked.login()),
        ("{doctor}", asked.doctor()),
        ("{origin}", origin),
    ];
    let words = words.map(|(word, meant)| (word.to_owned(), meant));
    let text = commands
        .chain(words)
        .fold(code.advice().to_owned(), |text, (word, meant)| {
            text.replace(&word, &meant)
        });
    NextAction::in_words(&text)
}

/// What a cause further down calls for.
fn by_cause(error: &doorkey_oauth::Error, asked: Asked<'_>) -> Option<NextAction> {
    let table = asked.table();
    if matches!(error, doorkey_oauth::Error::TokenNotBound { .. }) {
        return Some(NextAction::advice(&format!(
            "if a bearer token will do, write dpop = \"prefer\" in [{table}.oauth]"
        )));
    }
    let first: &(dyn StdError + 'static) = error;
    let mut causes = std::iter::successors(Some(first), |&error| error.source());
    causes.any(<dyn StdError>::is::<Unattended>).then(|| {
        let start = asked.target.command("login --start");
        let device = asked.target.command("login --device");
        let text = format!(
            "{start}, which prints the page and what finishes the login; or {device}, where the server offers it"
        );
        NextAction::with_command(&text, &start)
    })
}

/// The server that the error is about.
fn origin(error: &Error) -> Option<String> {
    let url = super::causes::place(error).url?;
    let url = url::Url::parse(&url).ok()?;
    url.has_host().then(|| url.origin().ascii_serialization())
}

fn word(step: &NextStep, asked: Asked<'_>) -> Option<NextAction> {
    let (table, login) = (asked.table(), asked.login());
    let then_login =
        |text: String| NextAction::with_command(&format!("{text}, then {login}"), &login);
    Some(match step {
        NextStep::Login => NextAction::command(&login),
        NextStep::StartLogin => NextAction::command(&asked.target.command("login --start")),
        NextStep::PasteAgain => {
            let finish = asked.target.command("login --finish");
            NextAction::with_command(
                &format!("{finish}, with the whole address at which the browser ended"),
                &finish,
            )
        }
        NextStep::ConfigureClientId => then_login(format!(
            "register a client with the authorization server and set client_id in \
             [{table}.oauth]"
        )),
        NextStep::CheckClient => then_login(format!(
            "check client_id, client_secret and token_endpoint_auth_method in \
             [{table}.oauth]"
        )),
        NextStep::CheckScope { required } => scopes(required, asked),
        NextStep::CheckResource => then_login(format!(
            "see resource in {}, compare it with what the server expects, write \
             oauth_resource = \"URI\" or \"omit\" in [{table}]",
            asked.of_server("get")
        )),
        NextStep::NameIssuer { discovered } => NextAction::advice(&format!(
            "if that is the right one, write issuer = {:?} in [{table}.oauth]",
            line(discovered.as_str())
        )),
        NextStep::CheckAddress => NextAction::with_command(
            &format!(
                "see whether the network has changed or a VPN is on or off, and try again; only if the \
                 server is meant to be there: {login}"
            ),
            &login,
        ),
        NextStep::CheckClock => NextAction::advice("set the clock of this machine, then try again"),
        NextStep::CheckAssertion => NextAction::advice(&format!(
            "see to what [{table}.oauth] names as its source, then try again"
        )),
        NextStep::CheckSetting(setting) => {
            NextAction::advice(&format!("correct {} in [{table}]", key_of(setting)))
        }
        NextStep::Retry { after: Some(after) } => {
            NextAction::advice(&format!("try again in {} s", after.as_secs().max(1)))
        }
        // Whom to tell what, and whether more helps than to try again, is said by the code.
        _ => return None,
    })
}

/// Scopes that a server wants; none where it refuses those that are asked for.
fn scopes(required: &Scopes, asked: Asked<'_>) -> NextAction {
    let (table, login) = (asked.table(), asked.login());
    let text = if required.is_empty() {
        format!("correct scopes in [{table}], then {login}")
    } else {
        let list: Vec<_> = required.iter().map(|scope| format!("{scope:?}")).collect();
        let list = clean_text(&list.join(", "), SHOWN_SCOPES);
        format!(
            "{login}, with an account that may have it; to ask for it every time \
             write scopes = [{list}] in [{table}]"
        )
    };
    NextAction::with_command(&text, &login)
}

/// Where a command ends that more words follow; what is quoted in it belongs to it.
fn end_of_clause(text: &str) -> usize {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let end = text.find(|character| {
        if std::mem::take(&mut is_escaped) {
            return false;
        }
        is_escaped = character == '\\' && !is_quoted;
        is_quoted ^= character == '\'';
        !is_quoted && [',', ';', ')'].contains(&character)
    });
    end.unwrap_or(text.len())
}

/// Whether a word of a command is one such as `PORT`; `NAME` is the server, which nobody named.
fn is_to_be_filled_in(word: &str) -> bool {
    word.len() > 2 && word != "NAME" && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// What a command stands behind; elsewhere the name of the program is a word like others.
const LEADS: &[&str] = &[": ", ", ", "; ", " or ", " then "];
/// The commands of a server that stand in the advice of a code.
const COMMANDS: &[&str] = &["add", "call", "enable", "get", "remove", "tools"];
const SHOWN_SCOPES: usize = 1_000;
