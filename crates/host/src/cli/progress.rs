//! A login as the person sees it: a spinner on a terminal, plain lines elsewhere.

use std::time::Duration;

use doorkey::{LoginStep, PasteProblem, Progress};
use doorkey_http::clean_text;
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::output::{Output, clean};

/// Tells the steps of a login on standard error.
#[derive(Debug)]
pub(crate) struct Narrator {
    server: String,
    spinner: Option<ProgressBar>,
    output: Output,
}

impl Narrator {
    pub(crate) fn new(server: &str, output: &Output) -> Self {
        let spinner = (output.manner().can_move && !output.manner().is_quiet).then(|| {
            let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            spinner.enable_steady_tick(TICK);
            spinner
        });
        let output = output.clone();
        Self {
            server: server.to_owned(),
            spinner,
            output,
        }
    }

    /// Takes the spinner away before anything else is written.
    pub(crate) fn finish(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }

    /// Named before anything is opened: the server chose it.
    pub(crate) fn lead_to(&self, issuer: &str) {
        let (server, host) = (&self.server, host_of(issuer));
        self.say(&format!("{server} sends you to {host} to sign in."));
    }

    fn page(&self, url: &url::Url) {
        let url = clean_url(url);
        self.say(&format!("Open this page if no browser does:\n\n  {url}\n"));
        if self.output.terminal().stdin {
            self.say("From another machine: paste the address its browser ends at.");
        }
    }

    /// The code is shown beside the page that has it filled in, to be compared (DEV-04).
    fn code(&self, page: &url::Url, filled_in: Option<&url::Url>, code: &str) {
        let (page, code) = (clean_url(page), clean(code));
        self.say(&format!(
            "On any device, open\n\n  {page}\n\nand type the code\n\n  {code}\n"
        ));
        if let Some(filled_in) = filled_in {
            let url = clean_url(filled_in);
            self.say(&format!("Or open this, and compare the code:\n\n  {url}\n"));
        }
    }

    /// What is going on now: it passes by on a terminal.
    fn state(&self, text: &str) {
        match &self.spinner {
            Some(spinner) => spinner.set_message(clean(text)),
            None => self.output.note(text),
        }
    }

    /// What stays to be read: without it a login does not come to its end.
    fn say(&self, text: &str) {
        match &self.spinner {
            Some(spinner) => spinner.suspend(|| self.output.insist(text)),
            None => self.output.insist(text),
        }
    }
}

impl Progress for Narrator {
    fn report(&self, step: &LoginStep) {
        match step {
            LoginStep::Probing { server } => {
                self.state(&format!(
                    "asking {} whether it wants a login",
                    host_of(server.as_str())
                ));
            }
            LoginStep::Challenged => {
                self.state(&format!("{} wants a login; finding out where", self.server));
            }
            LoginStep::Listening { .. } => self.state("preparing the login"),
            LoginStep::Prompt {
                url,
                issuer,
                expires_in,
            } => {
                self.lead_to(issuer);
                self.page(url);
                let limit = minutes(*expires_in);
                self.state(&format!("waiting for the browser, at most {limit}"));
            }
            LoginStep::Code {
                page,
                filled_in,
                code,
                issuer,
                expires_in,
            } => {
                self.lead_to(issuer);
                self.code(page, filled_in.as_ref(), code);
                let limit = minutes(*expires_in);
                self.state(&format!("waiting for you, at most {limit}"));
            }
            LoginStep::OtherProcess { limit } => {
                self.say("Another process is signing in to the same account; waiting for it.");
                let limit = minutes(*limit);
                self.state(&format!("waiting for the other login, at most {limit}"));
            }
            LoginStep::NoBrowser { cause: Some(cause) } => {
                let cause = clean(&cause.to_string());
                self.say(&format!("No browser was opened: {cause}."));
            }
            LoginStep::Embedded => {
                self.say(
                    "An answer came inside another page, as in the browser of an editor, and was not used; \
                     open the page above in a tab of its own.",
                );
            }
            LoginStep::Paste(PasteProblem::OtherLogin) => {
                self.say("That address belongs to another login; this one goes on waiting.");
            }
            LoginStep::Paste(_) => {
                self.say("That is not the address that the browser ended at; paste it whole.");
            }
            LoginStep::Proving => {
                self.state(&format!("signed in; trying the token on {}", self.server));
            }
            _ => {}
        }
    }
}

/// The host of a URL, or the text itself where it is none.
fn host_of(url: &str) -> String {
    let host = url::Url::parse(url).ok().and_then(|url| {
        let host = url.host_str()?.to_owned();
        Some(
            url.port()
                .map_or(host.clone(), |port| format!("{host}:{port}")),
        )
    });
    host.unwrap_or_else(|| clean(url))
}

/// Whole, since a URL cut short is useless; a parsed URL has no control characters to lose.
fn clean_url(url: &url::Url) -> String {
    clean_text(url.as_str(), usize::MAX)
}

fn minutes(limit: Duration) -> String {
    match limit.as_secs() {
        60 => "1 minute".to_owned(),
        seconds if seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} seconds"),
    }
}

const TICK: Duration = Duration::from_millis(120);
