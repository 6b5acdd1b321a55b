//! What to do next, in words and as a command that can be typed as it stands.

use std::error::Error as StdError;

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
            let end = rest.find([',', ';', ')']).unwrap_or(rest.len());
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

    /// The server, as it is typed and as it stands in `[mcp_servers.…]`.
    fn name(self) -> String {
        typed(self.target.server)
    }

    /// A command for the server and the account, where one was named.
    fn command(self, command: &str) -> String {
        let name = self.name();
        match self.target.account {
            Some(account) => format!("doorkey {command} {name} --account {}", typed(account)),
            None => format!("doorkey {command} {name}"),
        }
    }

    fn login(self) -> String {
        self.command("login")
    }

    fn doctor(self) -> String {
        format!("doorkey doctor {}", self.name())
    }
}

/// What a quirk knows to do, and the command that tries again.
pub(super) fn of_quirk(next: &str, target: Option<Target<'_>>) -> NextAction {
    let login = Asked::of(target).login();
    NextAction::with_command(&format!("{next}; then {login}"), &login)
}

/// A word as a shell takes it for one.
pub(crate) fn typed(word: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "-_.@+/:".contains(character);
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
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
        return Some(NextAction::command(&asked.command("tools")));
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
    let name = asked.name();
    match error {
        Error::Config(ConfigError::UnknownServer { .. }) => Some(NextAction::with_command(
            &format!("doorkey list, or doorkey add {name} --url URL"),
            "doorkey list",
        )),
        Error::Config(ConfigError::ServerExists { .. }) => {
            Some(NextAction::command(&format!("doorkey remove {name}")))
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
    Some(NextAction::in_words(
        &text.replace("doorkey login NAME", &asked.login()),
    ))
}

/// What the kind of failure calls for.
pub(super) fn by_code(
    code: ErrorCode,
    target: Option<Target<'_>>,
    origin: Option<String>,
) -> NextAction {
    let asked = Asked::of(target);
    let origin = origin.unwrap_or_else(|| "the server".to_owned());
    let words = [
        ("{name}", asked.name()),
        ("{login}", asked.login()),
        ("{doctor}", asked.doctor()),
        ("{origin}", origin),
    ];
    let text = words
        .iter()
        .fold(code.advice().to_owned(), |text, (word, meant)| {
            text.replace(word, meant)
        });
    NextAction::in_words(&text)
}

/// What a cause further down calls for.
fn by_cause(error: &doorkey_oauth::Error, asked: Asked<'_>) -> Option<NextAction> {
    let name = asked.name();
    if matches!(error, doorkey_oauth::Error::TokenNotBound { .. }) {
        return Some(NextAction::advice(&format!(
            "if a bearer token will do, write dpop = \"prefer\" in [mcp_servers.{name}.oauth]"
        )));
    }
    let first: &(dyn StdError + 'static) = error;
    let mut causes = std::iter::successors(Some(first), |&error| error.source());
    causes.any(<dyn StdError>::is::<Unattended>).then(|| {
        let login = asked.login();
        let text = format!("{login} at a terminal, or with BROWSER set");
        NextAction::with_command(&text, &login)
    })
}

/// The server that the error is about.
fn origin(error: &Error) -> Option<String> {
    let url = super::causes::place(error).url?;
    let url = url::Url::parse(&url).ok()?;
    url.has_host().then(|| url.origin().ascii_serialization())
}

fn word(step: &NextStep, asked: Asked<'_>) -> Option<NextAction> {
    let (name, login) = (asked.name(), asked.login());
    let then_login =
        |text: String| NextAction::with_command(&format!("{text}, then {login}"), &login);
    Some(match step {
        NextStep::Login => NextAction::command(&login),
        NextStep::StartLogin => NextAction::command(&format!("{login} --start")),
        NextStep::PasteAgain => NextAction::with_command(
            &format!("{login} --finish, with the whole address at which the browser ended"),
            &format!("{login} --finish"),
        ),
        NextStep::ConfigureClientId => then_login(format!(
            "register a client with the authorization server and set client_id in \
             [mcp_servers.{name}.oauth]"
        )),
        NextStep::CheckClient => then_login(format!(
            "check client_id, client_secret and token_endpoint_auth_method in \
             [mcp_servers.{name}.oauth]"
        )),
        NextStep::CheckScope { required } if required.is_empty() => {
            then_login(format!("set scopes in [mcp_servers.{name}]"))
        }
        NextStep::CheckScope { required } => {
            let list: Vec<_> = required.iter().map(|scope| format!("{scope:?}")).collect();
            let list = clean_text(&list.join(", "), SHOWN_SCOPES);
            let text = format!(
                "{login}, with an account that may have it; to ask for it every time \
                 write scopes = [{list}] in [mcp_servers.{name}]"
            );
            NextAction::with_command(&text, &login)
        }
        NextStep::CheckResource => then_login(format!(
            "see resource in doorkey get {name}, compare it with what the server expects, write \
             oauth_resource = \"URI\" or \"omit\" in [mcp_servers.{name}]"
        )),
        NextStep::NameIssuer { discovered } => NextAction::advice(&format!(
            "if that is the right one, write issuer = {:?} in [mcp_servers.{name}.oauth]",
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
            "see to what [mcp_servers.{name}.oauth] names as its source, then try again"
        )),
        NextStep::CheckSetting(setting) => NextAction::advice(&format!(
            "correct {} in [mcp_servers.{name}]",
            key_of(setting)
        )),
        NextStep::Retry { after: Some(after) } => {
            NextAction::advice(&format!("try again in {} s", after.as_secs().max(1)))
        }
        // Whom to tell what, and whether more helps than to try again, is said by the code.
        _ => return None,
    })
}

/// Whether a word of a command is one such as `PORT`; `NAME` is the server, which nobody named.
fn is_to_be_filled_in(word: &str) -> bool {
    word.len() > 2 && word != "NAME" && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// What a command stands behind; elsewhere the name of the program is a word like others.
const LEADS: &[&str] = &[": ", ", ", "; ", " or ", " then "];
const SHOWN_SCOPES: usize = 1_000;
