//! The authorization layer: attaches the token, answers 401, 403 and redirects (MCP authorization,
//! RFC 6750 §3). It knows no MCP.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use doorkey_http::Body;
use http::{Request, Response};
use tower::{Layer, Service};

use crate::error::Error;
use crate::interaction::BoxFuture;
use crate::source::TokenSource;

mod attempt;

use attempt::{LastUrl, Sending};

/// Wraps a service with the tokens of one [`TokenSource`].
#[derive(Clone, Debug)]
pub struct AuthorizationLayer {
    tokens: TokenSource,
}

impl AuthorizationLayer {
    /// A layer that sends the tokens of `tokens`.
    #[must_use]
    pub fn new(tokens: TokenSource) -> Self {
        Self { tokens }
    }
}

impl<S> Layer<S> for AuthorizationLayer {
    type Service = AuthorizationService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthorizationService {
            inner,
            tokens: self.tokens.clone(),
            last: Arc::default(),
        }
    }
}

/// The service made by [`AuthorizationLayer`].
///
/// - The token goes only to URLs the [`TokenSource`] covers, in exactly one `Authorization` header.
///   A request that brings its own is passed on untouched (USE-09).
/// - 401: one recovery through [`TokenSource::rejected`], then the same request again, byte for
///   byte (CH-13). A second recovery happens only when the source may sign in by itself.
/// - 403 with `insufficient_scope`: at most two step-ups for a request (UP-04). Any other 403 is
///   the caller's answer.
/// - A token that is bound to a key goes with a fresh proof in each attempt (RFC 9449 §7.1). A 401 that
///   asks for a nonce is answered with it, twice at most, and leads to no recovery.
/// - 307 and 308 within the origin are followed, three at most; other redirects are an error
///   naming the target (USE-05).
/// - A request whose body is a stream is sent once; if it would have to be repeated, the error
///   says so.
#[derive(Clone)]
pub struct AuthorizationService<S> {
    inner: S,
    tokens: TokenSource,
    /// Nearly every request goes where the last one went.
    last: Arc<LastUrl>,
}

/// Says, as an extension of a request, for whom the request was begun: the
/// [`identity_epoch`](TokenSource::identity_epoch) of that time. When somebody else is signed in by the
/// time of sending, or of sending again after a 401, it is not sent, and the answer is
/// [`Error::IdentityChanged`] (USE-12). Without it a request goes out for whoever is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentityEpoch(pub u64);

impl<S> AuthorizationService<S> {
    /// The token source behind it.
    pub fn tokens(&self) -> &TokenSource {
        &self.tokens
    }
}

impl<S> AuthorizationService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = doorkey_http::Error>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    /// Sends a request, as [`call`](Service::call) does, for whom it was begun: as if `begun` were among its extensions.
    ///
    /// # Errors
    /// [`Error`]; [`Error::IdentityChanged`] when somebody else is signed in by then.
    pub fn send(
        &self,
        request: Request<Body>,
        begun: Option<IdentityEpoch>,
    ) -> impl Future<Output = Result<Response<Body>, Error>> + Send + '_ {
        let sending = Sending {
            service: self.inner.clone(),
            is_ready: false,
            tokens: &self.tokens,
            last: &self.last,
            begun,
        };
        sending.send(request)
    }
}

impl<S> Service<Request<Body>> for AuthorizationService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = doorkey_http::Error>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx).map_err(Error::from)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The service that was polled ready takes the first request; a clone stays for the next.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        let (tokens, last) = (self.tokens.clone(), Arc::clone(&self.last));
        Box::pin(async move {
            let sending = Sending {
                service: ready,
                is_ready: true,
                tokens: &tokens,
                last: &last,
                begun: request.extensions().get().copied(),
            };
            sending.send(request).await
        })
    }
}

impl<S> fmt::Debug for AuthorizationService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationService")
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}
