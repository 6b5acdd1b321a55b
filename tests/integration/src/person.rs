//! Somebody at a browser who approves, and counts the pages that were opened.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use doorkey::{Browser, CallbackSettings, LoopbackInteraction, PlatformBrowser, Silent};
use doorkey_oauth::{
    BoxFuture, Channel, DevicePrompt, Interaction, InteractionError, InteractionRequest,
};
use doorkey_testkit::{CertificateAuthority, Error, Visit};
use tokio::{io::AsyncReadExt as _, net::TcpListener, runtime::Handle, time::error::Elapsed};

use crate::LIMIT;

/// A person with a browser. Clones are the same person.
///
/// Pages come in two ways: from an interaction in this process, and over a loopback port from `integration-browser`,
/// which a program runs as its `$BROWSER`. Either way the browser follows the redirects into the real listener of whoever
/// wanted the login.
#[derive(Clone, Debug)]
pub struct Person {
    browser: doorkey_testkit::Browser,
    desk: SocketAddr,
    pages: Arc<Mutex<Vec<Page>>>,
}

#[derive(Clone, Debug)]
struct Page {
    url: String,
    outcome: Option<Result<String, String>>,
}

/// A person who types the code of a device into their browser, and opens no other page.
#[derive(Debug)]
pub struct Typing(Person);

impl Interaction for Typing {
    fn open<'a>(
        &'a self,
        _: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        Box::pin(async { Err(InteractionError::Denied) })
    }

    fn shows_codes(&self) -> Result<(), InteractionError> {
        Ok(())
    }

    fn present_code<'a>(
        &'a self,
        prompt: &'a DevicePrompt,
    ) -> BoxFuture<'a, Result<(), InteractionError>> {
        let (person, prompt) = (self.0.clone(), prompt.clone());
        Handle::current().spawn(async move {
            let page = prompt.verification_uri.as_str();
            person.type_code(page, &prompt.user_code).await;
        });
        Box::pin(async { Ok(()) })
    }
}

impl Person {
    /// Somebody whose browser trusts `authority`.
    ///
    /// # Panics
    /// When no port can be opened.
    pub async fn trusting(authority: &CertificateAuthority) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a free port");
        let person = Self {
            browser: doorkey_testkit::Browser::new().trusting(authority),
            desk: listener.local_addr().expect("an address"),
            pages: Arc::default(),
        };
        tokio::spawn(person.clone().serve(listener));
        person
    }

    /// The same person, who says no.
    #[must_use]
    pub fn denying(&self) -> Self {
        Self {
            browser: self.browser.clone().denying(),
            ..self.clone()
        }
    }

    /// A client certificate for the browser.
    #[must_use]
    pub fn with_identity(self, identity: &doorkey_testkit::Identity) -> Self {
        Self {
            browser: self.browser.identity(identity),
            ..self
        }
    }

    /// How many pages were opened.
    pub fn pages_opened(&self) -> usize {
        self.pages().len()
    }

    /// The addresses of the pages that were opened, in order.
    pub fn urls(&self) -> Vec<String> {
        self.pages().iter().map(|page| page.url.clone()).collect()
    }

    /// What the person saw at the end of each page, in order: the text of the last page, or why there was none.
    pub fn seen(&self) -> Vec<Option<Result<String, String>>> {
        let pages = self.pages();
        pages.iter().map(|page| page.outcome.clone()).collect()
    }

    /// A login in this process, through a real listener on loopback.
    pub fn interaction(&self) -> Arc<LoopbackInteraction> {
        let person = self.clone();
        let runtime = Handle::current();
        let browser = PlatformBrowser::new(move |url| {
            runtime.spawn(person.clone().open(url.to_owned()));
            Ok(())
        });
        let interaction = LoopbackInteraction::new(Browser::Platform(browser), Arc::new(Silent));
        Arc::new(interaction.with_callback(CallbackSettings::default()))
    }

    /// A login on another device in this process: the person types the code that is shown.
    pub fn typing(&self) -> Arc<Typing> {
        Arc::new(Typing(self.clone()))
    }

    /// Where `integration-browser` brings its page.
    pub(crate) fn desk(&self) -> SocketAddr {
        self.desk
    }

    async fn serve(self, listener: TcpListener) {
        // A port that fails is noticed by the login that nobody approves.
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut url = String::new();
            let read = tokio::time::timeout(LIMIT, stream.read_to_string(&mut url)).await;
            if let Ok(Ok(_)) = read {
                tokio::spawn(self.clone().open(url));
            }
        }
    }

    async fn open(self, url: String) {
        let at = self.note(&url);
        let visit = tokio::time::timeout(LIMIT, self.browser.open(&url)).await;
        let text = |visit: Visit| visit.page.map(|page| page.text()).unwrap_or_default();
        self.conclude(at, visit.map(|visit| visit.map(text)));
    }

    /// Writes down that a page was opened, and returns which one it is.
    fn note(&self, url: &str) -> usize {
        let mut pages = self.pages();
        pages.push(Page {
            url: url.to_owned(),
            outcome: None,
        });
        pages.len() - 1
    }

    fn conclude(&self, at: usize, outcome: Result<Result<String, Error>, Elapsed>) {
        let outcome = match outcome {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).to_string()),
        };
        self.pages()[at].outcome = Some(outcome);
    }

    /// Opens the page of a device authorization, types the code, and approves.
    pub async fn type_code(&self, page: &str, user_code: &str) {
        let at = self.note(page);
        let entered = tokio::time::timeout(LIMIT, self.browser.enter_code(page, user_code)).await;
        self.conclude(at, entered.map(|entered| entered.map(|reply| reply.text())));
    }

    /// Waits until every page that was opened came to its end.
    ///
    /// # Panics
    /// When one takes longer than [`LIMIT`].
    pub async fn done(&self) {
        let waiting = async {
            while self.pages().iter().any(|page| page.outcome.is_none()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let done = tokio::time::timeout(LIMIT, waiting).await;
        assert!(done.is_ok(), "a page is still open: {:?}", self.pages());
    }

    fn pages(&self) -> MutexGuard<'_, Vec<Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
