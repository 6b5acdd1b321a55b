//! A login as the person sees it: a line that moves on a terminal, plain lines elsewhere.

mod line;
mod words;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use doorkey::{Advice, LoginStep, Progress, Surroundings};
use doorkey_http::clean_text;
use url::Url;

use super::login::keyboard::Keyboard;
use super::login::qr::{self, Room};
use super::output::{Output, clean};
use line::Line;

/// Tells the steps of a login on standard error.
#[derive(Debug)]
pub(crate) struct Narrator {
    server: String,
    scene: Scene,
    line: Line,
    output: Output,
    columns: usize,
    seen: Mutex<Seen>,
}

/// What a login is told in view of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scene {
    pub(crate) surroundings: Surroundings,
    pub(crate) opening: Opening,
    /// How large a QR code may be, if there is to be one.
    pub(crate) qr: Option<Room>,
    /// What starts the login again.
    pub(crate) again: String,
    /// What a person types is read from there, once there is something to answer.
    pub(crate) keyboard: Option<Arc<Keyboard>>,
    /// Nobody sees this: where no browser opens, the login ends with an error that says all.
    pub(crate) is_unattended: bool,
}

/// How a page gets before the person's eyes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Opening {
    /// A browser is started.
    Browser,
    /// The person opens it, as they wished.
    #[default]
    ByHand,
    /// The person opens it, for want of a browser.
    NoBrowserHere,
}

/// What was told of the login so far.
#[derive(Debug, Default)]
struct Seen {
    redirect_uri: String,
    issuer: String,
}

impl Narrator {
    pub(crate) fn new(server: &str, output: &Output, scene: Scene) -> Self {
        let moves = output.manner().can_move && !output.manner().is_quiet;
        Self {
            server: server.to_owned(),
            line: Line::new(
                output,
                moves,
                scene.keyboard.as_ref().map(|keyboard| keyboard.typed()),
            ),
            scene,
            output: output.clone(),
            columns: Room::of_terminal().columns(),
            seen: Mutex::default(),
        }
    }

    /// Takes the line away before anything else is written.
    pub(crate) fn finish(&self) {
        self.line.end();
    }

    /// Named before anything is opened: the server chose it.
    pub(crate) fn lead_to(&self, issuer: &str) {
        let (server, host) = (&self.server, host_of(issuer));
        self.say(&format!("{server} sends you to {host} to sign in."));
        self.seen().issuer = host;
    }

    /// The page of a login that comes back to `redirect_uri`, to be read by a camera; `finish` is the command that takes
    /// the answer, where this process does not.
    pub(crate) fn qr_of_page(&self, url: &Url, redirect_uri: &str, finish: Option<&str>) {
        self.qr(url, &words::scan(redirect_uri, finish));
    }

    /// The same address to be read by a camera, where there is room for it.
    fn qr(&self, url: &Url, caption: &str) {
        let rows = self.scene.qr.and_then(|room| qr::drawn(url.as_str(), room));
        if let Some(rows) = rows {
            self.say(caption);
            self.line.over(|| self.output.drawing(qr::STYLE, &rows));
            self.say("");
        }
    }

    fn page(&self, url: &Url, limit: Duration) {
        if let Some(keyboard) = &self.scene.keyboard {
            keyboard.listen();
        }
        let Scene {
            opening,
            surroundings,
            ..
        } = &self.scene;
        let before = words::before_page(*opening, surroundings.why_no_browser());
        self.say(&format!("{before}\n\n  {}\n", clean_url(url)));
        if *opening != Opening::Browser {
            let redirect_uri = self.seen().redirect_uri.clone();
            self.qr_of_page(url, &redirect_uri, None);
        }
        self.way_back(*opening);
        let text = words::waiting(*opening, self.scene.keyboard.is_some());
        self.state(text, Some(limit));
    }

    /// How the answer gets here from where the page was opened.
    fn way_back(&self, opening: Opening) {
        let redirect_uri = self.seen().redirect_uri.clone();
        let advice = self.scene.surroundings.advice(&redirect_uri);
        let back = words::Back {
            opening,
            begins: words::beginning(&redirect_uri),
            // A browser that is started here gets back by itself, but where it is elsewhere in truth.
            advice: advice.filter(|advice| {
                let is_apart = matches!(
                    advice,
                    Advice::ForwardByEditor { .. } | Advice::WindowsForwards
                );
                is_apart || opening != Opening::Browser
            }),
            can_paste: self.scene.keyboard.is_some(),
        };
        for paragraph in back.paragraphs() {
            self.say(&paragraph);
        }
    }

    fn other_process(&self, limit: Duration) {
        self.say("Another process is signing in to the same account; waiting for it.");
        self.state("waiting for the other login", Some(limit));
    }

    /// A browser that was to open did not: somebody has to open the page elsewhere.
    fn no_browser(&self, cause: &str) {
        self.say(&format!("No browser was opened: {}.\n", clean(cause)));
        let is_page = !self.seen().redirect_uri.is_empty();
        if is_page && self.scene.opening == Opening::Browser && !self.scene.is_unattended {
            self.way_back(Opening::NoBrowserHere);
        }
    }

    /// The code is shown beside the page that has it filled in, to be compared (DEV-04).
    fn code(&self, page: &Url, filled_in: Option<&Url>, code: &str, in_place_of_page: bool) {
        if in_place_of_page {
            let why = self.scene.surroundings.why_no_browser();
            self.say(&words::why_code(why));
        }
        let (shown, code) = (clean_url(page), clean(code));
        self.say(&format!(
            "On any device, such as your phone, open\n\n  {shown}\n\nand type the code\n\n  {code}\n"
        ));
        if let Some(filled_in) = filled_in {
            let url = clean_url(filled_in);
            self.say(&format!("Or open this, and compare the code:\n\n  {url}\n"));
        }
        match filled_in {
            Some(filled_in) => self.qr(filled_in, "Or scan this, and compare the code:"),
            None => self.qr(page, "Or scan this to get to the page:"),
        }
        if in_place_of_page && self.scene.keyboard.is_some() {
            let again = &self.scene.again;
            self.say(&format!(
                "To use a browser on any machine instead, and paste here what it ends at, press Ctrl-C and run\n\n  \
                 {again} --no-browser\n"
            ));
        }
    }

    /// What is going on now, with the time it may take: it passes by on a terminal.
    fn state(&self, text: &str, limit: Option<Duration>) {
        self.line.set(&clean(text), limit);
    }

    /// What stays to be read: without it a login does not come to its end.
    fn say(&self, text: &str) {
        let text = match self.output.terminal().stderr {
            true => words::filled(text, self.columns),
            false => text.to_owned(),
        };
        self.line.over(|| self.output.insist(&text));
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Narrator {
    fn report(&self, step: &LoginStep) {
        match step {
            LoginStep::Probing { server } => {
                let host = host_of(server.as_str());
                self.state(&format!("asking {host} whether it wants a login"), None);
            }
            LoginStep::Challenged => {
                let server = &self.server;
                self.state(&format!("{server} wants a login; finding out where"), None);
            }
            LoginStep::Listening { redirect_uri } => {
                self.seen().redirect_uri.clone_from(redirect_uri);
                self.state("preparing the login", None);
            }
            LoginStep::Prompt { issuer, .. }
                if self.scene.is_unattended && self.scene.opening != Opening::Browser =>
            {
                self.lead_to(issuer);
            }
            LoginStep::Prompt {
                url,
                issuer,
                expires_in,
            } => {
                self.lead_to(issuer);
                self.page(url, *expires_in);
            }
            LoginStep::Code {
                page,
                filled_in,
                code,
                issuer,
                expires_in,
                in_place_of_page,
            } => {
                self.lead_to(issuer);
                self.code(page, filled_in.as_ref(), code, *in_place_of_page);
                self.state("waiting for you to sign in there", Some(*expires_in));
            }
            LoginStep::OtherProcess { limit } => self.other_process(*limit),
            LoginStep::NoBrowser { cause: Some(cause) } => self.no_browser(&cause.to_string()),
            LoginStep::Embedded => {
                self.say(
                    "An answer came inside another page, as in the browser of an editor, and was not used; \
                     open the page above in a tab of its own.",
                );
            }
            LoginStep::Paste(problem) => {
                let text = {
                    let seen = self.seen();
                    let begins = words::beginning(&seen.redirect_uri);
                    words::paste(*problem, &seen.issuer, &begins)
                };
                self.say(&text);
            }
            LoginStep::Proving => {
                let server = &self.server;
                self.state(&format!("signed in; trying the token on {server}"), None);
            }
            _ => {}
        }
    }
}

/// The host of a URL, or the text itself where it is none.
fn host_of(url: &str) -> String {
    let host = Url::parse(url).ok().and_then(|url| {
        let host = url.host_str()?.to_owned();
        Some(
            url.port()
                .map_or(host.clone(), |port| format!("{host}:{port}")),
        )
    });
    host.unwrap_or_else(|| clean(url))
}

/// Whole, since a URL cut short is useless; a parsed URL has no control characters to lose.
fn clean_url(url: &Url) -> String {
    clean_text(url.as_str(), usize::MAX)
}
