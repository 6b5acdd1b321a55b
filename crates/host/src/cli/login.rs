//! `doorkey login`: sign in, and prove the token.

mod halves;
mod interrupted;
pub(super) mod keyboard;
pub(super) mod qr;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use doorkey::{
    Browser, CallbackHost, CallbackPorts, CallbackSettings, Environment, FlowSettings, Host,
    Inside, LoginOutcome, LoopbackInteraction, OAuthSettings, Progress, Surroundings, Target,
};
use doorkey_discovery::Source;
use doorkey_oauth::{LoginReport, TokenType};

use super::exit::{Exit, Failure};
use super::list::note_plain;
use super::output::{Output, clean};
use super::progress::{Narrator, Opening, Scene};
use super::subject::{Account, shown};

#[derive(Args, Debug)]
pub(crate) struct Login {
    /// The server, as named in the configuration
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) account: Account,
    /// Tell the authorization server who is to sign in, such as an address
    #[arg(long, value_name = "WHO", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) login_hint: Option<String>,
    /// Open no browser: show the page to open anywhere, and take the address at which it ends, pasted here
    #[arg(long)]
    no_browser: bool,
    /// Open a browser also where there seems to be none, as over SSH
    #[arg(long, conflicts_with_all = ["no_browser", "device"])]
    browser: bool,
    /// Sign in on another device: shows a code to type there
    #[arg(long)]
    pub(crate) device: bool,
    /// Show no QR code
    #[arg(long)]
    no_qr: bool,
    /// The port that the browser comes back to, a range such as 3118-3127, or 0 for any, whatever the configuration says
    #[arg(long, value_name = "PORT")]
    callback_port: Option<CallbackPorts>,
    /// What the redirect URI calls this machine: 127.0.0.1, localhost or ::1
    #[arg(long, value_name = "HOST")]
    callback_host: Option<CallbackHost>,
    /// Print the page to open and end; any process with the same store can finish the login
    #[arg(long, conflicts_with_all = ["no_browser", "browser", "device", "finish"])]
    start: bool,
    /// With --start: print the page, when it ends and how to go on as JSON
    #[arg(long, requires = "start")]
    json: bool,
    /// Finish a login that --start began, with the address at which the browser ended: read from
    /// standard input, or given here, where other processes can see it
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, conflicts_with_all = ["no_browser", "browser", "device", "login_hint", "callback_port", "callback_host"])]
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
            browser: false,
            device: false,
            no_qr: false,
            callback_port: None,
            callback_host: None,
            json: false,
            start: false,
            finish: None,
        }
    }

    /// What is stored before it begins.
    pub(crate) async fn before(&self, host: &Host) -> interrupted::Before<'_> {
        interrupted::Before::of(self.account.at(&self.name), host).await
    }

    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let target = self.account.at(&self.name);
        if self.start {
            let settings = &host.config().server(&self.name)?.oauth;
            let callback = self.callback(settings, output);
            return halves::Start {
                target,
                callback: &callback,
                shows_qr: !self.no_qr,
                is_json: self.json,
            }
            .run(host, output)
            .await;
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
        let environment = host.environment();
        let surroundings = Surroundings::of(environment);
        let keyboard = match output.is_interactive() {
            true => keyboard::Keyboard::new(),
            false => None,
        };
        let opening = self.opening(&surroundings);
        let (keyboard, lines) = keyboard.unzip();
        let held = keyboard.clone().map(keyboard::Held);
        let callback = self.callback(oauth, output);
        let prefers_codes =
            opening == Opening::NoBrowserHere && !self.has_way_back(oauth, &surroundings);
        let scene = Scene {
            qr: self.room_for_qr(environment, output),
            opening,
            again: target.command("login"),
            keyboard,
            is_unattended: !self.no_browser && is_unattended(output, &surroundings),
            surroundings,
        };
        let (again, is_unattended) = (scene.again.clone(), scene.is_unattended);
        let narrator = Arc::new(Narrator::new(&self.name, output, scene));
        let progress: Arc<dyn Progress> = narrator.clone();
        let mut person = LoopbackInteraction::new(self.browser(environment, opening), progress)
            .with_callback(callback)
            .with_again(again)
            .preferring_codes(prefers_codes)
            .unattended(is_unattended);
        if let Some(lines) = lines {
            person = person.with_pasted(lines);
        }
        let person = Arc::new(person);
        let outcome = host.login(target, person.clone(), narrator.as_ref()).await;
        narrator.finish();
        drop(held);
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

    /// How the page gets before the person's eyes.
    fn opening(&self, surroundings: &Surroundings) -> Opening {
        if self.no_browser {
            Opening::ByHand
        } else if self.browser || surroundings.has_browser {
            Opening::Browser
        } else {
            Opening::NoBrowserHere
        }
    }

    fn browser(&self, environment: &Environment, opening: Opening) -> Browser {
        let browser = match (opening, environment.variable("BROWSER")) {
            (Opening::Browser, Some(value)) => Browser::from_variable(value),
            (Opening::Browser, None) => Browser::platform(),
            _ => Browser::Manual,
        };
        browser.withholding(environment)
    }

    /// Whether the person, or what they work in, has seen to it that a browser elsewhere gets back here: a code would only
    /// be a detour.
    fn has_way_back(&self, oauth: &OAuthSettings, surroundings: &Surroundings) -> bool {
        let is_hosted = |url: &url::Url| url.scheme() == "https";
        self.callback_port.is_some_and(|ports| !ports.is_any())
            || self.callback_host.is_some()
            || oauth.callback_url.as_ref().is_some_and(is_hosted)
            || surroundings.inside == Some(Inside::Editor)
    }

    /// The way back, as configured but for what the arguments say.
    fn callback(&self, oauth: &OAuthSettings, output: &Output) -> CallbackSettings {
        let mut callback = oauth.callback();
        if let Some(ports) = self.callback_port {
            callback = callback.at_ports(ports);
        }
        if let Some(host) = self.callback_host {
            let before = callback.clone();
            callback = callback.at_host(host);
            if callback == before && oauth.callback_url.is_some() && oauth.callback_host.is_none() {
                output.warn("--callback-host has no effect: callback_url names the host");
            }
        }
        callback
    }

    /// How large a QR code may be; `None` where there is to be none, or nothing to draw it on.
    fn room_for_qr(&self, environment: &Environment, output: &Output) -> Option<qr::Room> {
        let is_wanted = !self.no_qr && output.manner().can_move && qr::is_plausible(environment);
        is_wanted.then(qr::Room::of_terminal)
    }
}

/// Nobody sees the page's address, so that waiting for somebody to open it is in vain (AZ-24): nobody reads messages, or
/// nobody is to be asked.
fn is_unattended(output: &Output, surroundings: &Surroundings) -> bool {
    let terminal = output.terminal();
    let is_not_asked = terminal.stdin && !output.is_interactive();
    !terminal.stderr || surroundings.is_automation || is_not_asked
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
