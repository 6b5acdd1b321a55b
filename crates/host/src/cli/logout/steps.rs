//! What a logout did, step by step: as data, and in the words of each step.

use doorkey::{Error, Logout, LogoutOutcome, RemovedCopy, Target};
use doorkey_oauth::{LogoutReport, StepOutcome};
use serde::Serialize;

use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, clean};
use crate::cli::report;
use crate::cli::subject::shown;

/// The logout of one account.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    server: String,
    /// None is the default one.
    account: Option<String>,
    /// The exit code of this logout alone.
    exit_code: u8,
    #[serde(flatten)]
    login: Steps,
    /// The same account in other stores of this machine.
    copies: Vec<Copy>,
    /// Other servers that had the same login, and are signed out too.
    also: Vec<String>,
    #[serde(skip)]
    exit: Exit,
}

/// What became of one record of a login.
#[derive(Debug, Default, Serialize)]
struct Steps {
    /// Whether there was a login.
    found: bool,
    /// Whether the server took every token back; where it did not, one is good there until it expires. None where there was
    /// no token.
    revoked: Option<bool>,
    steps: Vec<Step>,
    /// Why nothing was tried, or not all: what failed, then each cause.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    error: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// In words, where no step says it.
    #[serde(skip)]
    told: Vec<String>,
    #[serde(skip)]
    warning: Option<String>,
    #[serde(skip)]
    exit: Option<Exit>,
}

#[derive(Debug, Serialize)]
struct Copy {
    store: &'static str,
    location: String,
    #[serde(flatten)]
    steps: Steps,
}

#[derive(Debug, Serialize)]
struct Step {
    /// `refresh_token`, `access_token`, `login`, `sign_on`, `registration`.
    step: &'static str,
    /// `ok`, `failed`, `nothing_to_do`, `in_use`, `unsupported`, `local_only`.
    outcome: &'static str,
    text: String,
}

impl Done {
    pub(crate) fn new(target: Target<'_>, outcome: &Result<Logout, Error>, also: &[&str]) -> Self {
        let (login, copies) = match outcome {
            Ok(logout) => (
                Steps::of(&logout.login),
                logout.copies.iter().map(Copy::of).collect(),
            ),
            // A token of the configuration is no login, and there is none beside it.
            Err(Error::BearerConfigured { .. }) => (Steps::default(), Vec::new()),
            Err(error) => (Steps::failed(error), Vec::new()),
        };
        let exits = copies.iter().filter_map(|copy: &Copy| copy.steps.exit);
        let exit = exits.fold(login.exit.unwrap_or(Exit::Done), Exit::worse);
        let found = login.found || copies.iter().any(|copy| copy.steps.found);
        Self {
            server: target.server.to_owned(),
            account: target.account.map(str::to_owned),
            exit_code: exit as u8,
            login,
            copies,
            also: match found {
                true => also.iter().map(|&name| name.to_owned()).collect(),
                false => Vec::new(),
            },
            exit,
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether there was a login, here or in another store.
    pub(crate) fn found(&self) -> bool {
        self.login.found || self.copies.iter().any(|copy| copy.steps.found)
    }

    /// Whether a person is to be told: of accounts without a login there is nothing to say.
    pub(crate) fn has_something_to_say(&self) -> bool {
        self.found() || self.exit != Exit::Done
    }

    /// Says it, under a heading where there is more than one thing to say.
    pub(crate) fn tell(&self, under_heading: bool, output: &Output) {
        let target = Target::new(&self.server).with_account(self.account.as_deref());
        let name = shown(target);
        if (under_heading || !self.copies.is_empty()) && self.login.told.is_empty() {
            output.note(&format!("{name}:"));
        }
        self.login.tell(&name, output);
        for copy in &self.copies {
            let name = format!(
                "{name}, copy in the {} store {}",
                copy.store,
                clean(&copy.location)
            );
            if copy.steps.error.is_empty() && copy.steps.told.is_empty() {
                output.note(&format!("{name}:"));
            }
            copy.steps.tell(&name, output);
        }
        for other in &self.also {
            output.note(&format!(
                "{other}: had the same login, and is signed out too"
            ));
        }
    }
}

impl Copy {
    fn of(copy: &RemovedCopy) -> Self {
        Self {
            store: copy.kind.as_str(),
            location: copy.location.clone(),
            steps: match &copy.outcome {
                Ok(outcome) => Steps::of(outcome),
                Err(error) => Steps {
                    warning: Some("not looked into".to_owned()),
                    next: error
                        .remedy()
                        .map(|remedy| format!("{remedy}, then log out again")),
                    error: report::causes(error),
                    exit: Some(Exit::Configuration),
                    ..Steps::default()
                },
            },
        }
    }
}

impl Steps {
    fn of(outcome: &LogoutOutcome) -> Self {
        match outcome {
            LogoutOutcome::Complete(report) => Self::of_report(report),
            LogoutOutcome::LocalOnly { removed, cause } => Self {
                found: *removed,
                revoked: removed.then_some(false),
                told: vec![
                    match removed {
                        true => "removed the login",
                        false => "there was no login",
                    }
                    .to_owned(),
                ],
                warning: Some("nothing was revoked".to_owned()),
                error: report::causes(cause),
                ..Self::default()
            },
            LogoutOutcome::LinkRemoved { link } => Self {
                found: true,
                revoked: Some(false),
                told: vec![format!("removed the link {}", link.display())],
                warning: Some(
                    "nothing was revoked, and what the link pointed to is as it was".to_owned(),
                ),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }

    /// A local copy that stays is a failure; what only the server could do is not.
    fn of_report(report: &LogoutReport) -> Self {
        let found = !matches!(report.removed_local, StepOutcome::NothingToDo);
        let all = [
            (&report.revoked_refresh, REFRESH),
            (&report.revoked_access, ACCESS),
            (&report.removed_local, LOGIN),
            (&report.identity, SIGN_ON),
            (&report.registration, REGISTRATION),
        ];
        let steps = all.into_iter().filter_map(|(outcome, step)| {
            let is_usual = matches!(step, REFRESH | ACCESS | LOGIN);
            match outcome {
                StepOutcome::NotRequested => None,
                // Nobody misses what few have, nor is told five times that there was no login.
                StepOutcome::NothingToDo if step == SIGN_ON || (is_usual && !found) => None,
                outcome => Some(Step::of(step, outcome)),
            }
        });
        let failed = matches!(report.removed_local, StepOutcome::Failed(_));
        let tokens = [&report.revoked_refresh, &report.revoked_access];
        let is = |which: fn(&StepOutcome) -> bool| tokens.iter().any(|outcome| which(outcome));
        let is_left = is(|outcome| {
            matches!(
                outcome,
                StepOutcome::Failed(_) | StepOutcome::LocalOnly(_) | StepOutcome::Unsupported
            )
        });
        let was_refused = is(|outcome| matches!(outcome, StepOutcome::Failed(_)));
        Self {
            found,
            revoked: match is_left {
                true => Some(false),
                false => is(|outcome| matches!(outcome, StepOutcome::Done)).then_some(true),
            },
            warning: was_refused.then(|| STILL_GOOD.to_owned()),
            steps: steps.collect(),
            told: match found {
                true => Vec::new(),
                false => vec!["there was no login".to_owned()],
            },
            exit: failed.then_some(Exit::Configuration),
            ..Self::default()
        }
    }

    fn failed(error: &Error) -> Self {
        Self {
            warning: Some("not signed out".to_owned()),
            error: report::causes(error),
            next: error.remedy(),
            exit: Some(Exit::of_error(error)),
            ..Self::default()
        }
    }

    fn tell(&self, name: &str, output: &Output) {
        for line in &self.told {
            output.note(&format!("{name}: {}", clean(line)));
        }
        for step in &self.steps {
            output.note(&format!("  {}: {}", in_words(step.step), clean(&step.text)));
        }
        if let Some(warning) = &self.warning {
            let prefix = match self.told.is_empty() {
                true => format!("{name}: {warning}"),
                false => warning.clone(),
            };
            match self.error.as_slice() {
                [] => output.warn(&prefix),
                causes => output.warn(&format!("{prefix}: {}", causes.join(": "))),
            }
        }
        if let Some(next) = &self.next {
            output.note(&format!("  next: {next}"));
        }
    }
}

impl Step {
    fn of(step: &'static str, outcome: &StepOutcome) -> Self {
        let (outcome, text) = match outcome {
            StepOutcome::Done => ("ok", "removed".to_owned()),
            StepOutcome::InUse => ("in_use", "kept, another login uses it".to_owned()),
            StepOutcome::Unsupported if step == REGISTRATION => (
                "unsupported",
                format!("{FORGOTTEN}: the authorization server offers no way to delete it"),
            ),
            StepOutcome::Unsupported => (
                "unsupported",
                "the authorization server offers no way to revoke it".to_owned(),
            ),
            StepOutcome::LocalOnly(error) if step == REGISTRATION => {
                ("local_only", format!("{FORGOTTEN}: {}", chain(error)))
            }
            StepOutcome::LocalOnly(error) => (
                "local_only",
                format!("removed here, not there: {}", chain(error)),
            ),
            StepOutcome::Failed(error) => ("failed", format!("not removed: {}", chain(error))),
            _ if step == REGISTRATION => (
                "nothing_to_do",
                "nothing to do, there is none of this program's".to_owned(),
            ),
            _ => ("nothing_to_do", "nothing to do, there was none".to_owned()),
        };
        Self {
            step,
            outcome,
            text,
        }
    }
}

fn in_words(step: &str) -> &'static str {
    match step {
        REFRESH => "refresh token at the server",
        ACCESS => "access token at the server",
        LOGIN => "login on this machine",
        SIGN_ON => "sign-on at the identity provider",
        _ => "client registration",
    }
}

fn chain(error: &doorkey_oauth::Error) -> String {
    doorkey::causes(error).join(": ")
}

/// As [`Done::new`], but a store that fails as a whole is a failure of the command.
pub(crate) fn done(
    target: Target<'_>,
    outcome: Result<Logout, Error>,
    also: &[&str],
) -> Result<Done, Failure> {
    Ok(Done::new(target, &Ok(outcome?), also))
}

const STILL_GOOD: &str =
    "a token could not be revoked: it is gone here, and good at the server until it expires";
const REFRESH: &str = "refresh_token";
const ACCESS: &str = "access_token";
const LOGIN: &str = "login";
const SIGN_ON: &str = "sign_on";
const REGISTRATION: &str = "registration";
const FORGOTTEN: &str = "forgotten here, still registered there";
