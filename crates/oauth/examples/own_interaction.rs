//! A host with a user interface of its own: the host shows the page, hears where the browser ended, and says what became of it.
//!
//! `cargo run -p doorkey-oauth --example own_interaction -- https://mcp.example.com/mcp` plays the host's window in a terminal.

use std::sync::Arc;

use doorkey_http::{HttpClient, HttpProfile};
use doorkey_oauth::{
    AuthorizationConfig, BoxFuture, Callback, CallbackVerdict, Challenges, Channel, Interaction,
    InteractionError, InteractionRequest, LoginReport, LoginWait, Prompt, TokenSource,
};
use doorkey_store::Store;
use tokio::sync::{Mutex, mpsc, oneshot};
use url::Url;

/// What the window is to show.
#[derive(Debug)]
pub enum Shown {
    /// Open this page, and name who asks: `prompt.issuer` for `prompt.server`.
    Page(Prompt),
    /// Another window, or another process, is signing this account in already.
    Waiting(LoginWait),
    /// What became of an address that the window brought.
    Answered(CallbackVerdict),
}

/// The window as a login sees it: one way in, one way out.
#[derive(Clone, Debug)]
pub struct Window {
    shown: mpsc::UnboundedSender<Shown>,
    /// The queries of the addresses at which the browser ended.
    answers: Arc<Mutex<mpsc::UnboundedReceiver<String>>>,
}

impl Window {
    /// Over the two queues of the window.
    pub fn new(
        shown: mpsc::UnboundedSender<Shown>,
        answers: mpsc::UnboundedReceiver<String>,
    ) -> Self {
        let answers = Arc::new(Mutex::new(answers));
        Self { shown, answers }
    }

    fn show(&self, what: Shown) -> Result<(), InteractionError> {
        let closed = |_| InteractionError::Abandoned;
        self.shown.send(what).map_err(closed)
    }
}

impl Interaction for Window {
    fn open<'a>(
        &'a self,
        request: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        Box::pin(async move {
            // An address that was registered before saves the server a registration.
            let known = request.redirect_hint.into_iter().next();
            Ok(Box::new(Page {
                redirect_uri: known.unwrap_or_else(|| REDIRECT_URI.to_owned()),
                window: self.clone(),
            }) as Box<dyn Channel>)
        })
    }

    fn waiting(&self, wait: &LoginWait) {
        // A window that has gone has nothing to be told.
        drop(self.show(Shown::Waiting(wait.clone())));
    }
}

/// One page that is open. Dropping it is the end of the login.
struct Page {
    redirect_uri: String,
    window: Window,
}

impl Channel for Page {
    fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    fn present<'a>(
        &'a mut self,
        prompt: &'a Prompt,
    ) -> BoxFuture<'a, Result<(), InteractionError>> {
        Box::pin(async move { self.window.show(Shown::Page(prompt.clone())) })
    }

    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Callback, InteractionError>> {
        Box::pin(async move {
            let mut answers = self.window.answers.lock().await;
            let query = answers.recv().await.ok_or(InteractionError::Abandoned)?;
            // The login judges it: a wrong one is told here, and the next one is waited for.
            let (reply, verdict) = oneshot::channel();
            let window = self.window.clone();
            tokio::spawn(async move {
                if let Ok(verdict) = verdict.await {
                    drop(window.show(Shown::Answered(verdict)));
                }
            });
            Ok(Callback::with_reply(query, reply))
        })
    }
}

/// Signs in to `server` through the window.
pub async fn sign_in(server: Url, window: Window) -> Result<LoginReport, doorkey_oauth::Error> {
    let http = HttpClient::new(&HttpProfile::new(server.clone()))?;
    let tokens =
        TokenSource::builder(AuthorizationConfig::new(server), http, Store::memory()).build();
    tokens.login(&Challenges::default(), Arc::new(window)).await
}

/// Where the window sees the browser end. Nobody listens there: a window of a browser engine sees the address itself.
const REDIRECT_URI: &str = "http://127.0.0.1:47113/callback";

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the terminal is the window here")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::args().nth(1).ok_or("expected a URL")?.parse()?;
    let (shown, mut window) = mpsc::unbounded_channel();
    let (browser, answers) = mpsc::unbounded_channel();
    let login = tokio::spawn(sign_in(server, Window::new(shown, answers)));
    // A thread, because nothing can end a read of standard input.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let query = line.split_once('?').map_or("", |(_, query)| query.trim());
            if browser.send(query.to_owned()).is_err() {
                return;
            }
        }
    });
    while let Some(shown) = window.recv().await {
        match shown {
            Shown::Page(prompt) => println!(
                "open {}\nand paste the address at which the browser ends:",
                prompt.url
            ),
            Shown::Waiting(wait) => println!("waiting for another login of {}", wait.account),
            Shown::Answered(verdict) => println!("{verdict:?}"),
        }
    }
    let report = login.await??;
    println!("signed in at {}", report.issuer);
    Ok(())
}
