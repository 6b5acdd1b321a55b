//! `doorkey login`: sign in, and prove the token.

mod halves;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use doorkey::{
    Browser, CallbackSettings, Environment, FlowSettings, Host, LoginOutcome, LoopbackInteraction,
    OAuthSettings, Progress, Target,
};
use doorkey_discovery::Source;
use doorkey_oauth::{LoginReport, TokenType};
use tokio::sync::mpsc;

use super::exit::{Exit, Failure};
use super::list::note_plain;
use super::output::{Output, clean};
use super::progress::Narrator;
use super::subject::{Account, shown, typed};

#[derive(Args, Debug)]
pub(crate) struct Login {
    /// The server, as named in the configuration
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) account: Account,
    /// Tell the authorization server who is to sign in, such as an address
    #[arg(long, value_name = "WHO", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) login_hint: Option<String>,
    /// Show the page to open and wait; open no browser
    #[arg(long)]
    no_browser: bool,
    /// Sign in on another device: shows a code to type there
    #[arg(long)]
    pub(crate) device: bool,
    /// Print the page to open and end; any process with the same store can finish the login
    #[arg(long, conflicts_with_all = ["no_browser", "device", "finish"])]
    start: bool,
    /// Finish a login that --start began, with the address at which the browser ended: read from
    /// standard input, or given here, where other processes can see it
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, conflicts_with_all = ["no_browser", "device", "login_hint"])]
    finish: Option<Option<String>>,
}

impl Login {
    /// `doorkey login` for a target, without any option.
    pub(crate) fn of(target: Target<'_>) -> Self {
        Self {
            name: target.server.to_owned(),
            account: Account::of(target),
            login_hint: None,
            no_browser: false,
            device: false,
            start: false,
            finish: None,
        }
    }

    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let target = self.account.at(&self.name);
        if self.start {
            return halves::start(target, host, output).await;
        }
        if let Some(given) = &self.finish {
            let outcome = halves::finish(target, given.as_deref(), host, output).await?;
            return self.tell(&outcome, host, output);
        }
        self.run_whole(host, output).await
    }

    async fn run_whole(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let target = self.account.at(&self.name);
        let oauth = &host.config().server(&self.name)?.oauth;
        if self.device && oauth.flow.is_unattended() {
            output.warn(&format!(
                "--device has no effect: {} has flow = {:?}",
                self.name,
                oauth.flow.as_str()
            ));
        }
        let callback = CallbackSettings::new(oauth.callback_port, oauth.callback_url.clone());
        let narrator = Arc::new(Narrator::new(&self.name, output));
        let progress: Arc<dyn Progress> = narrator.clone();
        let mut person = LoopbackInteraction::new(self.browser(host.environment()), progress)
            .with_callback(callback)
            .with_again(format!("doorkey login {}", typed(target)))
            .unattended(!self.no_browser && is_unattended(host.environment()));
        if output.terminal().stdin {
            person = person.with_pasted(typed_lines());
        }
        let person = Arc::new(person);
        let outcome = host.login(target, person.clone(), narrator.as_ref()).await;
        narrator.finish();
        person.drain(PAGE_LIMIT).await;
        self.tell(&outcome?, host, output)
    }

    fn tell(&self, outcome: &LoginOutcome, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let target = self.account.at(&self.name);
        let oauth = &host.config().server(&self.name)?.oauth;
        match outcome {
            LoginOutcome::NotRequired => {
                output.note(&format!("{} needs no login", self.name));
            }
            LoginOutcome::SignedIn { report, tools, .. } => {
                let whom = match &report.account_label {
                    Some(label) => format!(" ({})", clean(label)),
                    None => as_whom(oauth),
                };
                let how = match report.adopted {
                    true => ", by another process",
                    false => "",
                };
                output.note(&format!(
                    "signed in to {}{whom}{how}; the server takes the token",
                    shown(target)
                ));
                describe(report, *tools, oauth.flow.is_unattended(), output);
                note_plain(host, output);
            }
            _ => {}
        }
        Ok(Exit::Done)
    }

    fn browser(&self, environment: &Environment) -> Browser {
        if self.no_browser {
            return Browser::Manual;
        }
        let browser = match environment.variable("BROWSER") {
            Some(value) => Browser::from_variable(value),
            None if has_display(environment) => Browser::platform(),
            None => Browser::Manual,
        };
        browser.withholding(environment)
    }
}

/// On Linux a platform's opener without a display starts a text browser on the terminal, or nothing.
fn has_display(environment: &Environment) -> bool {
    let variables = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"];
    !cfg!(target_os = "linux")
        || variables
            .iter()
            .any(|name| environment.variable(name).is_some())
}

/// What is typed or pasted, line by line. The thread ends with the program.
fn typed_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Nobody sees the page's address, so that waiting for somebody to open it is in vain (AZ-24).
fn is_unattended(environment: &Environment) -> bool {
    let terminal = environment.terminal();
    !terminal.stdin && !terminal.stderr
}

/// Who signed in, where no person did.
fn as_whom(oauth: &OAuthSettings) -> String {
    let client = match &oauth.client_id {
        Some(client_id) => format!(" as client {}", clean(client_id)),
        None => String::new(),
    };
    match &oauth.flow {
        FlowSettings::ClientCredentials => format!("{client} by client credentials"),
        FlowSettings::WorkloadIdentity(_) => format!("{client} by workload identity"),
        FlowSettings::EnterpriseManaged(provider) => format!(
            "{client} by the identity provider {}",
            clean(provider.issuer.as_str())
        ),
        _ => String::new(),
    }
}

fn describe(report: &LoginReport, tools: Option<usize>, unattended: bool, output: &Output) {
    output.note(&format!("  issuer    {}", clean(report.issuer.as_str())));
    let resource = report
        .resource
        .as_deref()
        .map_or_else(|| "(omitted)".to_owned(), clean);
    output.note(&format!("  resource  {resource}"));
    if !report.scopes.is_empty() {
        output.note(&format!(
            "  scopes    {}",
            clean(&report.scopes.to_string())
        ));
    }
    if matches!(
        report.source,
        Some(Source::LegacyMetadata | Source::LegacyDefaults)
    ) {
        output.warn(
            "the server publishes no resource metadata; its own origin was taken for the \
             authorization server (set legacy = false to refuse that)",
        );
    }
    if report.token_type == TokenType::Dpop {
        output.note("  token     DPoP, bound to a key of this machine");
    }
    if let Some(tools) = tools {
        output.note(&format!("  tools     {tools}"));
    }
    if unattended {
        output.note("  when the token expires, another one is asked for");
    } else if !report.refreshable {
        output.note("  there is no refresh token: when the token expires, sign in again");
    }
}

/// How long the browser has to take the last page.
const PAGE_LIMIT: Duration = Duration::from_secs(2);
