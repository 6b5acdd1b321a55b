//! Reaches the person at this machine: a browser, and a listener on loopback for the way back
//! (RFC 8252 section 7.3).

mod address;
mod connections;
mod error;
mod holder;
mod listener;
mod page;
mod paste;
mod request;
mod settings;

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use doorkey_http::RedactedUrl;
use doorkey_oauth::{
    BoxFuture, Callback, Channel, DevicePrompt, Interaction, InteractionError, InteractionRequest,
    LoginWait, Prompt, RedirectRule,
};
use tokio::sync::mpsc;
use url::Url;

use crate::browser::{Browser, BrowserError, check_page};
use crate::progress::{LoginStep, Progress};

use connections::Connections;
pub use error::LoopbackError;
pub use holder::PortHolder;
use listener::{Desk, Listener};
use page::Login;
pub use settings::{CallbackHost, CallbackPorts, CallbackSettings, NoCallbackHost, NoPorts};

/// An [`Interaction`] for a person at this machine.
///
/// It listens on loopback only while a login runs, takes nothing but a GET of the exact path with the
/// expected `Host` to which a browser navigates, and shows a fixed page that repeats nothing of the
/// request and says what happened and what to do. Connections that hang keep no callback out.
/// What happens is told to a [`Progress`]; the URL to open is always among it, so that a person can
/// copy it, and so is the code of a login on another device (RFC 8628).
pub struct LoopbackInteraction {
    browser: Browser,
    callback: CallbackSettings,
    unattended: bool,
    prefers_codes: bool,
    pasted: Mutex<Option<mpsc::Receiver<String>>>,
    progress: Arc<dyn Progress>,
    again: Option<String>,
    connections: Arc<Connections>,
}

/// The page could not be shown to anybody. Its address is not told: the login that it belongs to has ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error("no browser could be opened, and nobody is at a terminal to open the page")]
pub struct Unattended {
    /// Why no browser was opened, unless none was to be.
    #[source]
    pub source: Option<BrowserError>,
}

enum Event {
    Callback(Callback),
    NoBrowser(Option<BrowserError>),
}

struct LoopbackChannel {
    redirect_uri: String,
    browser: Browser,
    unattended: bool,
    progress: Arc<dyn Progress>,
    sender: mpsc::Sender<Event>,
    events: mpsc::Receiver<Event>,
    pasted: Option<mpsc::Receiver<String>>,
    url: Option<Url>,
    _listeners: Vec<Listener>,
}

impl LoopbackInteraction {
    /// An interaction that opens pages with `browser` and tells `progress` what happens.
    pub fn new(browser: Browser, progress: Arc<dyn Progress>) -> Self {
        Self {
            browser,
            callback: CallbackSettings::default(),
            unattended: false,
            prefers_codes: false,
            pasted: Mutex::default(),
            progress,
            again: None,
            connections: Arc::new(Connections::new()),
        }
    }

    /// The same with a fixed port or redirect URI.
    #[must_use]
    pub fn with_callback(mut self, callback: CallbackSettings) -> Self {
        self.callback = callback;
        self
    }

    /// The same for a place where nobody reads messages: when no browser opens, the login ends with
    /// [`Unattended`] instead of waiting for nobody (AZ-24).
    #[must_use]
    pub fn unattended(mut self, unattended: bool) -> Self {
        self.unattended = unattended;
        self
    }

    /// The same for a place without a browser: where the authorization server lets people sign in on another device,
    /// a code for that is shown in place of a page whose answer would have to be carried here by hand.
    #[must_use]
    pub fn preferring_codes(mut self, prefers_codes: bool) -> Self {
        self.prefers_codes = prefers_codes;
        self
    }

    /// The same with lines that a person may paste: the address that a browser on another machine
    /// ended at, its query, or a code that the page showed to be copied. They serve one login; a line that is of no use does not end it.
    #[must_use]
    pub fn with_pasted(mut self, lines: mpsc::Receiver<String>) -> Self {
        self.pasted = Mutex::new(Some(lines));
        self
    }

    /// The same with what a person types to start the login again, such as `doorkey login NAME`: the
    /// page of a login that ended without success shows it.
    #[must_use]
    pub fn with_again(mut self, command: impl Into<String>) -> Self {
        self.again = Some(command.into());
        self
    }

    /// Waits until the page of every callback has been sent, at most `limit`. A program calls it before
    /// it ends, so that the person does not look at a broken connection.
    pub async fn drain(&self, limit: Duration) {
        if tokio::time::timeout(limit, self.connections.answered())
            .await
            .is_err()
        {
            tracing::debug!("a browser was still reading its page");
        }
    }

    /// Opens the page of a code where there is a browser to open it with. The code can be typed
    /// anywhere, so that the login goes on whatever becomes of that.
    fn open_beside(&self, url: Url) {
        let (browser, progress) = (self.browser.clone(), Arc::clone(&self.progress));
        tokio::spawn(async move {
            let failure = match browser.open(&url).await {
                Ok(true) => return,
                Ok(false) => None,
                Err(error) => Some(error),
            };
            progress.report(&LoginStep::NoBrowser { cause: failure });
        });
    }

    /// Opens the way back of a login to `server`.
    async fn listen(
        &self,
        hints: &[String],
        rule: Option<&RedirectRule>,
        server: Option<&Url>,
    ) -> Result<LoopbackChannel, LoopbackError> {
        // A redirect URI that somebody fixed is known to the server, and no other is.
        let may_move = self.callback.url.is_none() && rule.is_none_or(|rule| rule.port.is_none());
        let bound = address::bind(&self.callback.within(rule), hints, may_move).await?;
        self.progress.report(&LoginStep::Listening {
            redirect_uri: bound.redirect_uri.clone(),
        });
        let (sender, events) = mpsc::channel(CALLBACKS_WAITING);
        let desk = Arc::new(Desk {
            endpoint: bound.endpoint,
            login: Login {
                server: server.map(|url| RedactedUrl::of_target(url).to_string()),
                again: self.again.clone(),
            },
            events: sender.clone(),
            progress: Arc::clone(&self.progress),
            embedded: AtomicBool::new(false),
        });
        let listeners = bound
            .sockets
            .into_iter()
            .map(|socket| Listener::start(socket, Arc::clone(&desk), Arc::clone(&self.connections)))
            .collect();
        Ok(LoopbackChannel {
            redirect_uri: bound.redirect_uri,
            browser: self.browser.clone(),
            unattended: self.unattended,
            progress: Arc::clone(&self.progress),
            sender,
            events,
            pasted: self
                .pasted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
            url: None,
            _listeners: listeners,
        })
    }
}

impl Interaction for LoopbackInteraction {
    fn open<'a>(
        &'a self,
        request: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        Box::pin(async move {
            let channel = self
                .listen(
                    &request.redirect_hint,
                    request.redirect_rule.as_ref(),
                    Some(&request.server),
                )
                .await
                .map_err(InteractionError::other)?;
            Ok(Box::new(channel) as Box<dyn Channel>)
        })
    }

    fn waiting(&self, wait: &LoginWait) {
        let limit = wait.limit;
        self.progress.report(&LoginStep::OtherProcess { limit });
    }

    fn prefers_codes(&self) -> bool {
        // Nobody would read the code.
        self.prefers_codes && !self.unattended
    }

    fn shows_codes(&self) -> Result<(), InteractionError> {
        Ok(())
    }

    fn present_code<'a>(
        &'a self,
        prompt: &'a DevicePrompt,
    ) -> BoxFuture<'a, Result<(), InteractionError>> {
        Box::pin(async move {
            let page = &prompt.verification_uri;
            may_be_shown(page)?;
            // The code can be typed all the same: one that must not be opened is as none.
            let filled_in = prompt.verification_uri_complete.as_ref();
            let filled_in = filled_in.filter(|page| check_page(page).is_ok());
            self.progress.report(&LoginStep::Code {
                page: page.clone(),
                filled_in: filled_in.cloned(),
                code: prompt.user_code.clone(),
                issuer: prompt.issuer.as_str().to_owned(),
                expires_in: prompt.expires_in,
                in_place_of_page: prompt.in_place_of_page,
            });
            self.open_beside(filled_in.unwrap_or(page).clone());
            Ok(())
        })
    }
}

impl Channel for LoopbackChannel {
    fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    fn present<'a>(
        &'a mut self,
        prompt: &'a Prompt,
    ) -> BoxFuture<'a, Result<(), InteractionError>> {
        Box::pin(async move {
            may_be_shown(&prompt.url)?;
            // What was typed before there was a page is no answer to it.
            if let Some(lines) = &mut self.pasted {
                while lines.try_recv().is_ok() {}
            }
            self.progress.report(&LoginStep::Prompt {
                url: prompt.url.clone(),
                issuer: prompt.issuer.as_str().to_owned(),
                expires_in: prompt.expires_in,
            });
            self.show(prompt.url.clone());
            Ok(())
        })
    }

    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Callback, InteractionError>> {
        Box::pin(async move {
            loop {
                let event = tokio::select! {
                    event = self.events.recv() => event,
                    line = pasted_line(&mut self.pasted) => {
                        let expected = paste::Expected {
                            redirect_uri: &self.redirect_uri,
                            page: self.url.as_ref(),
                        };
                        match paste::callback(&line, expected, &self.progress) {
                            Some(callback) => Some(Event::Callback(callback)),
                            None => continue,
                        }
                    }
                };
                match event {
                    Some(Event::Callback(callback)) => return Ok(callback),
                    Some(Event::NoBrowser(source)) => self.no_browser(source)?,
                    None => return Err(InteractionError::Abandoned),
                }
            }
        })
    }
}

impl LoopbackChannel {
    /// Opens the browser beside the login: a browser that stays in the foreground must not hold up
    /// the callback it brings.
    fn show(&mut self, url: Url) {
        self.url = Some(url.clone());
        let (browser, sender) = (self.browser.clone(), self.sender.clone());
        tokio::spawn(async move {
            let failure = match browser.open(&url).await {
                Ok(true) => return,
                Ok(false) => None,
                Err(error) => Some(error),
            };
            // Nobody listens any more when the login is over.
            drop(sender.send(Event::NoBrowser(failure)).await);
        });
    }

    fn no_browser(&self, source: Option<BrowserError>) -> Result<(), InteractionError> {
        if let Some(error @ BrowserError::Refused(_)) = source {
            return Err(InteractionError::other(error));
        }
        if self.unattended {
            return Err(InteractionError::other(Unattended { source }));
        }
        self.progress
            .report(&LoginStep::NoBrowser { cause: source });
        Ok(())
    }
}

/// What must not be opened is not shown to be opened either.
fn may_be_shown(page: &Url) -> Result<(), InteractionError> {
    check_page(page).map_err(|refused| InteractionError::other(BrowserError::from(refused)))
}

/// The next line that a person pastes; never, where there is nobody to.
async fn pasted_line(pasted: &mut Option<mpsc::Receiver<String>>) -> String {
    if let Some(lines) = pasted {
        if let Some(line) = lines.recv().await {
            return line;
        }
        *pasted = None;
    }
    std::future::pending().await
}

impl fmt::Debug for LoopbackInteraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopbackInteraction")
            .field("browser", &self.browser)
            .field("callback", &self.callback)
            .finish_non_exhaustive()
    }
}

const CALLBACKS_WAITING: usize = 4;

#[cfg(test)]
mod tests;
