//! `Interaction`: how a human is reached, and how the browser's answer comes back.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use doorkey_discovery::{Issuer, Scopes};
use doorkey_http::RedactedUrl;
use tokio::sync::oneshot;
use url::Url;
use zeroize::Zeroizing;

use crate::quirk::RedirectRule;

/// A boxed future, as the object-safe traits of this crate return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A way to reach a human: a browser and a loopback listener, a pasted callback, a host's own UI.
pub trait Interaction: Send + Sync + fmt::Debug {
    /// Prepares to receive a callback, for instance by binding a loopback listener.
    fn open<'a>(
        &'a self,
        request: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>>;

    /// Told that somebody else, usually another process, is signing the same account in, and that this
    /// login waits for that. By default nothing is done with it.
    fn waiting(&self, wait: &LoginWait) {
        let _ = wait;
    }

    /// Whether [`present_code`](Self::present_code) can do it: asked before a server is. By default it
    /// cannot.
    ///
    /// # Errors
    /// Why no code can be shown.
    fn shows_codes(&self) -> Result<(), InteractionError> {
        Err(InteractionError::NoCode)
    }

    /// Whether the person is better served with a code for another device than with a page, because no browser is at
    /// hand here. Asked in a login by the authorization code flow alone, and heeded where the authorization server
    /// offers codes; otherwise a page is shown all the same. By default a page is.
    fn prefers_codes(&self) -> bool {
        false
    }

    /// Shows a code that the person types on another device (RFC 8628 §3.3), and returns: the login
    /// then asks the authorization server whether they did.
    fn present_code<'a>(
        &'a self,
        prompt: &'a DevicePrompt,
    ) -> BoxFuture<'a, Result<(), InteractionError>> {
        let _ = prompt;
        Box::pin(async { Err(InteractionError::NoCode) })
    }
}

/// What an [`Interaction`] is told before it opens.
#[derive(Clone)]
#[non_exhaustive]
pub struct InteractionRequest {
    /// The MCP server the login is for.
    pub server: Url,
    /// The authorization server the person will be sent to.
    pub issuer: Issuer,
    /// Redirect URIs already registered. Using one of them again avoids a new registration.
    pub redirect_hint: Vec<String>,
    /// What of the redirect URI the authorization server fixes, as far as a quirk knows. A setting of the host wins.
    pub redirect_rule: Option<RedirectRule>,
}

impl InteractionRequest {
    /// A request without hints.
    #[must_use]
    pub fn new(server: Url, issuer: Issuer) -> Self {
        Self {
            server,
            issuer,
            redirect_hint: Vec::new(),
            redirect_rule: None,
        }
    }
}

impl fmt::Debug for InteractionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InteractionRequest")
            .field("server", &RedactedUrl::from(&self.server))
            .field("issuer", &self.issuer)
            .field("redirect_hint", &self.redirect_hint)
            .field("redirect_rule", &self.redirect_rule)
            .finish()
    }
}

/// A login that waits for another one of the same account.
#[derive(Clone)]
#[non_exhaustive]
pub struct LoginWait {
    /// The MCP server the login is for.
    pub server: Url,
    /// Which of the user's accounts there.
    pub account: String,
    /// How long the wait is at most.
    pub limit: Duration,
}

impl LoginWait {
    /// A wait of at most `limit`.
    pub fn new(server: Url, account: impl Into<String>, limit: Duration) -> Self {
        Self {
            server,
            account: account.into(),
            limit,
        }
    }
}

impl fmt::Debug for LoginWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginWait")
            .field("server", &RedactedUrl::from(&self.server))
            .field("account", &self.account)
            .field("limit", &self.limit)
            .finish()
    }
}

/// One open way back from the browser. It is closed by being dropped.
pub trait Channel: Send {
    /// The redirect URI the authorization server has to send the browser to: loopback or https.
    fn redirect_uri(&self) -> &str;

    /// Shows the prompt to the person, usually by opening a browser.
    fn present<'a>(&'a mut self, prompt: &'a Prompt)
    -> BoxFuture<'a, Result<(), InteractionError>>;

    /// The next callback. It may be foreign: the login compares `state` and asks again.
    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Callback, InteractionError>>;
}

/// What a person is asked to do.
#[derive(Clone)]
#[non_exhaustive]
pub struct Prompt {
    /// The page to open: https, or http on loopback, as [`for_opener`](doorkey_http::for_opener) writes it.
    pub url: Url,
    /// The authorization server behind it, to be shown before going there (DISC-29).
    pub issuer: Issuer,
    /// The MCP server the login is for.
    pub server: Url,
    /// The scopes asked for; empty when the server decides.
    pub scopes: Scopes,
    /// How long the login waits.
    pub expires_in: Duration,
}

impl Prompt {
    /// A prompt without scopes that waits for five minutes.
    #[must_use]
    pub fn new(url: Url, issuer: Issuer, server: Url) -> Self {
        Self {
            url,
            issuer,
            server,
            scopes: Scopes::default(),
            expires_in: Duration::from_secs(5 * 60),
        }
    }
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prompt")
            .field("url", &RedactedUrl::from(&self.url))
            .field("issuer", &self.issuer)
            .field("server", &RedactedUrl::from(&self.server))
            .field("scopes", &self.scopes)
            .field("expires_in", &self.expires_in)
            .finish()
    }
}

/// What a person is asked to do on another device (RFC 8628 §3.2). Its texts are the server's: they
/// are cleaned, and the URLs are https, or http on loopback (DEV-08), as
/// [`for_opener`](doorkey_http::for_opener) writes them.
#[derive(Clone)]
#[non_exhaustive]
pub struct DevicePrompt {
    /// The page to open there.
    pub verification_uri: Url,
    /// The same page with the code filled in, for a link or a QR code; the code is shown all the
    /// same, to be compared (DEV-04).
    pub verification_uri_complete: Option<Url>,
    /// The code to type.
    pub user_code: String,
    /// The authorization server behind it.
    pub issuer: Issuer,
    /// The MCP server the login is for.
    pub server: Url,
    /// The scopes asked for; empty when the server decides.
    pub scopes: Scopes,
    /// How long the login waits.
    pub expires_in: Duration,
    /// Whether a page would have been shown, had the interaction not [preferred codes](Interaction::prefers_codes).
    pub in_place_of_page: bool,
}

impl fmt::Debug for DevicePrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevicePrompt")
            .field(
                "verification_uri",
                &RedactedUrl::from(&self.verification_uri),
            )
            .field("issuer", &self.issuer)
            .field("server", &RedactedUrl::from(&self.server))
            .field("scopes", &self.scopes)
            .field("expires_in", &self.expires_in)
            .field("in_place_of_page", &self.in_place_of_page)
            .finish_non_exhaustive()
    }
}

/// One answer that arrived at the redirect URI.
pub struct Callback {
    query: Zeroizing<String>,
    is_code_alone: bool,
    reply: Option<oneshot::Sender<CallbackVerdict>>,
}

impl Callback {
    /// A callback with this query (without `?`), whose sender wants no verdict.
    #[must_use]
    pub fn new(query: String) -> Self {
        Self {
            query: Zeroizing::new(query),
            is_code_alone: false,
            reply: None,
        }
    }

    /// A callback whose sender waits for the verdict, to show the right page.
    #[must_use]
    pub fn with_reply(query: String, reply: oneshot::Sender<CallbackVerdict>) -> Self {
        Self {
            query: Zeroizing::new(query),
            is_code_alone: false,
            reply: Some(reply),
        }
    }

    /// A code that a person typed where this very login waits, alone or with its `state`, as some authorization
    /// servers show it to be copied. Nothing that a browser brings by itself may be made one of these.
    ///
    /// What stands in for a missing `state` is PKCE: a code that belongs to the request of somebody else does not go
    /// with our verifier (RFC 9700 §2.1, §4.5.3.1). So such a code is taken only where the authorization server says
    /// that it does PKCE, and not where it names itself in every response (RFC 9207), which cannot be checked then. The
    /// verdict is otherwise [`CallbackVerdict::Insufficient`]; one that the token endpoint does not take is answered with
    /// [`CallbackVerdict::Refused`]. Either way the login goes on waiting.
    #[must_use]
    pub fn of_code(
        code: &str,
        state: Option<&str>,
        reply: oneshot::Sender<CallbackVerdict>,
    ) -> Self {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("code", code);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        Self {
            query: Zeroizing::new(query.finish()),
            is_code_alone: true,
            reply: Some(reply),
        }
    }

    /// Whether it is no more than what [`Callback::of_code`] says.
    pub(crate) fn is_code_alone(&self) -> bool {
        self.is_code_alone
    }

    /// The query as it arrived. It holds the authorization code: never log it.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Tells the sender what became of its callback.
    pub fn answer(self, verdict: CallbackVerdict) {
        if let Some(reply) = self.reply {
            // A sender that no longer listens has nothing to be told.
            drop(reply.send(verdict));
        }
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").finish_non_exhaustive()
    }
}

/// What became of a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallbackVerdict {
    /// It belongs to this login and carries a code.
    Accepted,
    /// It does not belong to this login; the login goes on waiting (RSP-02).
    Ignored,
    /// A [code alone](Callback::of_code), where the whole address is needed; the login goes on waiting.
    Insufficient,
    /// It ends the login.
    Refused {
        /// Why, fit to be shown to the person.
        message: String,
    },
}

/// Why no human could be reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InteractionError {
    /// Policy: no login may be started from here.
    #[error("no login may be started from here")]
    Denied,
    /// This way to a person shows no codes for another device.
    #[error("no code for another device can be shown from here")]
    NoCode,
    /// The person gave up.
    #[error("the login was abandoned")]
    Abandoned,
    /// A failure on the way, such as a busy port or a browser that does not start.
    #[error("the person could not be reached")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl InteractionError {
    /// Whether policy, not a person, said no.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied)
    }

    /// Wraps any other cause.
    pub fn other(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(cause.into())
    }
}

/// An [`Interaction`] that always refuses: what a background process uses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deny;

impl Interaction for Deny {
    fn open<'a>(
        &'a self,
        _: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        Box::pin(async { Err(InteractionError::Denied) })
    }

    fn shows_codes(&self) -> Result<(), InteractionError> {
        Err(InteractionError::Denied)
    }
}
