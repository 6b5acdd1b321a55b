//! The browser, which knows the names of the test, and what a hostile page makes it do on the way back.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use doorkey::{Browser, LoopbackInteraction, PlatformBrowser, Silent};
use doorkey_oauth::{
    BoxFuture, Channel, DevicePrompt, Interaction, InteractionError, InteractionRequest,
};
use doorkey_testkit::{AuthorizationServer, CertificateAuthority};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use url::Url;

use super::stage::servers;

/// Makes of the address that the browser would open at the end what somebody else sends there first.
pub(super) type Forgery = Arc<dyn Fn(&Url) -> Vec<u8> + Send + Sync>;

/// Somebody with a browser; clones are the same.
#[derive(Clone)]
pub(super) struct Visitor {
    browser: doorkey_testkit::Browser,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    opened: Vec<String>,
    seen: Vec<Vec<u8>>,
    forgeries: Vec<Forgery>,
    answers_after: bool,
    /// How many of the forged requests, and of what followed them, were answered.
    delivered: usize,
    open: usize,
}

impl Visitor {
    pub(super) fn new(authority: &CertificateAuthority) -> Self {
        let shared = Shared {
            answers_after: true,
            ..Shared::default()
        };
        Self {
            browser: doorkey_testkit::Browser::new()
                .trusting(authority)
                .stop_before_callback(),
            shared: Arc::new(Mutex::new(shared)),
        }
    }

    /// Sends these before the proper answer, or in place of it.
    pub(super) fn forge(&self, forgery: Forgery, then_answers: bool) {
        let mut shared = self.shared();
        shared.forgeries.push(forgery);
        shared.answers_after = then_answers;
    }

    /// The addresses that were to be opened.
    pub(super) fn opened(&self) -> Vec<String> {
        self.shared().opened.clone()
    }

    /// How many requests were to come to the listener, and how many of them it answered.
    pub(super) fn delivered(&self) -> (usize, usize) {
        let shared = self.shared();
        let forged = shared.forgeries.len();
        let proper = usize::from(forged > 0 && shared.answers_after);
        (forged + proper, shared.delivered)
    }

    /// What the listener answered.
    pub(super) fn seen(&self) -> Vec<Vec<u8>> {
        self.shared().seen.clone()
    }

    /// Notes what the listener answered.
    pub(super) fn see(&self, answer: Vec<u8>) {
        self.shared().seen.push(answer);
    }

    /// Whether every page came to its end.
    pub(super) fn is_done(&self) -> bool {
        self.shared().open == 0
    }

    /// A login in this process, through the real listener.
    pub(super) fn interaction(&self) -> Arc<dyn Interaction> {
        let visitor = self.clone();
        let browser = PlatformBrowser::new(move |url| {
            let mut shared = visitor.shared();
            shared.opened.push(url.to_owned());
            shared.open += 1;
            drop(shared);
            servers().spawn(visitor.clone().visit(url.to_owned()));
            Ok(())
        });
        let silent = Arc::new(Silent);
        Arc::new(LoopbackInteraction::new(Browser::Platform(browser), silent))
    }

    async fn visit(self, url: String) {
        // The names are the resolver's alone. A page that is none of ours is not visited.
        let here = url.replacen("https://as.test:", "https://127.0.0.1:", 1);
        if here != url
            && let Ok(visit) = self.browser.open(&here).await
            && let Ok(callback) = Url::parse(&visit.callback)
        {
            let (forgeries, answers) = {
                let shared = self.shared();
                (shared.forgeries.clone(), shared.answers_after)
            };
            let is_forged = !forgeries.is_empty();
            let mut requests: Vec<_> = forgeries.iter().map(|forged| forged(&callback)).collect();
            requests.extend(answers.then(|| get(&callback)));
            for request in requests {
                let is_answered = self.send(&callback, request).await;
                self.shared().delivered += usize::from(is_forged && is_answered);
            }
        }
        self.shared().open -= 1;
    }

    /// Whether it was answered.
    async fn send(&self, callback: &Url, request: Vec<u8>) -> bool {
        let answer = tokio::time::timeout(LIMIT, exchange(callback, request)).await;
        let answer = answer.ok().and_then(Result::ok).unwrap_or_default();
        let is_answered = !answer.is_empty();
        self.see(answer);
        is_answered
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The request of a browser that was redirected there.
pub(super) fn get(callback: &Url) -> Vec<u8> {
    request("GET", callback, callback.query().unwrap_or_default())
}

pub(super) fn request(method: &str, callback: &Url, query: &str) -> Vec<u8> {
    let (path, host) = (callback.path(), authority(callback));
    format!("{method} {path}?{query} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into()
}

pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or(host.to_owned(), |port| format!("{host}:{port}"))
}

async fn exchange(callback: &Url, request: Vec<u8>) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(authority(callback)).await?;
    // A listener that has seen enough closes in the middle: what it answered still counts.
    let sent = stream.write_all(&request).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    if answer.is_empty() {
        sent?;
        read?;
    }
    Ok(answer)
}

/// A person who types the code that is shown, at once.
pub(super) struct Typist {
    auth: Arc<AuthorizationServer>,
    shown: Mutex<Vec<String>>,
}

impl Typist {
    pub(super) fn new(auth: &Arc<AuthorizationServer>) -> Self {
        Self {
            auth: Arc::clone(auth),
            shown: Mutex::default(),
        }
    }

    /// Page and code, as they were shown.
    pub(super) fn shown(&self) -> Vec<String> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.clone()
    }
}

impl std::fmt::Debug for Typist {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Typist")
    }
}

impl Interaction for Typist {
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
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.push(prompt.user_code.clone());
        shown.push(prompt.verification_uri.to_string());
        shown.extend(
            prompt
                .verification_uri_complete
                .as_ref()
                .map(Url::to_string),
        );
        drop(shown);
        // A code that a hostile answer made up is nobody's.
        let _known = self.auth.approve_device(&prompt.user_code);
        Box::pin(async { Ok(()) })
    }
}

const LIMIT: Duration = Duration::from_secs(20);
