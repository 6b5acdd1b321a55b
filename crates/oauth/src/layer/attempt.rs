//! One request through the authorization layer, with its budgets.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use doorkey_discovery::Challenges;
use doorkey_http::{Body, Leg, RedactedUrl};
use http::header::{AUTHORIZATION, LOCATION};
use http::{Request, Response, StatusCode, Uri};
use tower::{Service, ServiceExt as _};
use url::Url;

use crate::access_token::AccessToken;
use crate::dpop::{DPOP, NONCE_RETRIES};
use crate::error::Error;
use crate::layer::IdentityEpoch;
use crate::source::TokenSource;

/// How requests are sent.
pub(super) struct Sending<'a, S> {
    pub(super) service: S,
    /// The service was polled ready for one call.
    pub(super) is_ready: bool,
    pub(super) tokens: &'a TokenSource,
    pub(super) last: &'a LastUrl,
    /// For whom the request was begun.
    pub(super) begun: Option<IdentityEpoch>,
}

/// The URL that was asked last, as it was read.
#[derive(Default)]
pub(super) struct LastUrl(ArcSwapOption<(Uri, Arc<Url>)>);

impl LastUrl {
    fn of(&self, uri: &Uri) -> Result<Arc<Url>, Error> {
        if let Some(last) = self.0.load().as_ref()
            && last.0 == *uri
        {
            return Ok(Arc::clone(&last.1));
        }
        let url = Url::parse(&uri.to_string())
            .map_err(|cause| Error::invalid_url("request target", cause))?;
        let url = Arc::new(url);
        self.0
            .store(Some(Arc::new((uri.clone(), Arc::clone(&url)))));
        Ok(url)
    }
}

impl<'a, S> Sending<'a, S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = doorkey_http::Error>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    /// Sends `request`, recovering within the budgets of CH-04.
    ///
    /// What it is given is used in its place, since the future is made anew, and moved, for every request.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async function keeps its arguments twice"
    )]
    pub(super) fn send(
        mut self,
        mut request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Body>, Error>> + Send + 'a {
        async move {
            let url = self.last.of(request.uri())?;
            let mut attempt = Attempt::start(self.tokens, url, &request).await?;
            loop {
                let (mut sent, is_replayable) = match replay(&request) {
                    Some(copy) => (copy, true),
                    None => (std::mem::take(&mut request), false),
                };
                attempt.dress(&mut sent, self.begun)?;
                if !std::mem::take(&mut self.is_ready) {
                    self.service.ready().await?;
                }
                let response = self.service.call(sent).await?;
                let has_nonce = attempt.notes_nonce(&response);
                if attempt.is_answered(&response) {
                    return Ok(response);
                }
                let spare = is_replayable.then_some(&mut request);
                // Rare, so that it takes no room beside every request.
                if !Box::pin(attempt.recovers(&response, spare, has_nonce)).await? {
                    return Ok(response);
                }
            }
        }
    }
}

/// What is left to try for one request.
struct Attempt<'a> {
    tokens: &'a TokenSource,
    url: Arc<Url>,
    /// Whether this layer has a say at all: the URL is covered and the caller brought no credential.
    ours: bool,
    sent: Option<AccessToken>,
    recoveries: u8,
    step_ups: u8,
    redirects: u8,
    nonce_retries: u8,
}

impl<'a> Attempt<'a> {
    async fn start(
        tokens: &'a TokenSource,
        url: Arc<Url>,
        request: &Request<Body>,
    ) -> Result<Self, Error> {
        let ours = tokens.covers(&url) && !request.headers().contains_key(AUTHORIZATION);
        let sent = if ours {
            match tokens.token().await {
                Ok(token) => token,
                // The server's challenge says what the login needs, so it is fetched first.
                Err(error) if error.needs_login() && tokens.may_sign_in() => None,
                Err(error) => return Err(error),
            }
        } else {
            None
        };
        Ok(Self {
            recoveries: if tokens.may_sign_in() { 2 } else { 1 },
            step_ups: 2,
            redirects: 3,
            nonce_retries: NONCE_RETRIES,
            tokens,
            url,
            ours,
            sent,
        })
    }

    /// Gives a request its leg and its token, with the proof if it takes one.
    fn dress(
        &self,
        request: &mut Request<Body>,
        begun: Option<IdentityEpoch>,
    ) -> Result<(), Error> {
        // A request of no leg is one to the resource.
        if request
            .extensions()
            .get::<Leg>()
            .is_some_and(|leg| *leg != Leg::Resource)
        {
            request.extensions_mut().insert(Leg::Resource);
        }
        // After the token is in hand: with the token of another person the number is another one.
        if let Some(IdentityEpoch(begun)) = begun
            && self.ours
            && begun != self.tokens.identity_epoch()
        {
            return Err(Error::IdentityChanged {
                server: crate::resource::without_secrets(self.tokens.server()),
            });
        }
        if let Some(token) = &self.sent {
            let value = token.header_value()?;
            request.headers_mut().insert(AUTHORIZATION, value);
            if let Some(proof) = self.tokens.proof(token, request.method(), &self.url)? {
                request.headers_mut().insert(DPOP, proof);
            }
        }
        Ok(())
    }

    /// Keeps the nonce that a server gives a client whose token is bound to a key (RFC 9449 §8.2, §9). `true`: it gave one.
    fn notes_nonce(&self, response: &Response<Body>) -> bool {
        self.is_bound() && self.tokens.note_nonce(&self.url, response.headers())
    }

    fn is_bound(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.key().is_some())
    }

    /// Whether `response` is the answer, which nothing has to be done for.
    fn is_answered(&self, response: &Response<Body>) -> bool {
        let status = response.status();
        let is_refusal = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if is_refusal || is_redirect(status) {
            return false;
        }
        self.accepted(status);
        true
    }

    /// Whether there is something else to send in answer to `response`: `spare`, as it is left. `false`: that is the answer.
    async fn recovers(
        &mut self,
        response: &Response<Body>,
        spare: Option<&mut Request<Body>>,
        has_nonce: bool,
    ) -> Result<bool, Error> {
        match response.status() {
            StatusCode::UNAUTHORIZED if self.is_bound() && faults_proof(response) => {
                self.proof_refused(response, spare.is_some(), has_nonce)
            }
            StatusCode::UNAUTHORIZED if self.ours => {
                self.unauthorized(response, spare.is_some()).await
            }
            StatusCode::FORBIDDEN if self.ours => self.forbidden(response, spare.is_some()).await,
            status if is_redirect(status) => self.redirected(response, spare),
            status => {
                self.accepted(status);
                Ok(false)
            }
        }
    }

    fn accepted(&self, status: StatusCode) {
        // A gateway's failure says nothing about the token.
        if let Some(token) = self.sent.as_ref().filter(|_| !status.is_server_error()) {
            self.tokens.accepted(token);
        }
    }

    async fn unauthorized(
        &mut self,
        response: &Response<Body>,
        is_replayable: bool,
    ) -> Result<bool, Error> {
        let challenges = Challenges::from_answer(response.headers(), response.extensions());
        // Beyond the budget too, so that a token that never worked is marked as such.
        let token = self
            .tokens
            .rejected(self.sent.as_ref(), &challenges)
            .await?;
        if self.recoveries == 0 {
            return Err(Error::TokenRejectedByResource {
                server: crate::resource::without_secrets(self.tokens.server()),
                challenges,
            });
        }
        self.recoveries -= 1;
        self.again(token, response, is_replayable)
    }

    /// The token is good, its proof is not: a nonce was missing, which is no reason to obtain
    /// another token (CH-09, DP-12), or something that another proof would not mend (DP-17).
    fn proof_refused(
        &mut self,
        response: &Response<Body>,
        is_replayable: bool,
        has_nonce: bool,
    ) -> Result<bool, Error> {
        let challenges = Challenges::from_answer(response.headers(), response.extensions());
        if !has_nonce || self.nonce_retries == 0 || !says(&challenges, USE_NONCE) {
            return Err(Error::DpopProofRejected {
                server: crate::resource::without_secrets(self.tokens.server()),
                challenges,
            });
        }
        self.nonce_retries -= 1;
        self.replayed(is_replayable, response)
    }

    async fn forbidden(
        &mut self,
        response: &Response<Body>,
        is_replayable: bool,
    ) -> Result<bool, Error> {
        let challenges = Challenges::from_answer(response.headers(), response.extensions());
        let Some(sent) = self
            .sent
            .clone()
            .filter(|_| challenges.is_insufficient_scope())
        else {
            return Ok(false);
        };
        if self.step_ups == 0 {
            return Err(Error::InsufficientScope {
                required: challenges.scope().unwrap_or_default(),
                challenges,
            });
        }
        self.step_ups -= 1;
        self.tokens.accepted(&sent);
        let token = self.tokens.insufficient_scope(&sent, &challenges).await?;
        self.again(token, response, is_replayable)
    }

    fn again(
        &mut self,
        token: AccessToken,
        response: &Response<Body>,
        is_replayable: bool,
    ) -> Result<bool, Error> {
        self.sent = Some(token);
        self.replayed(is_replayable, response)
    }

    fn replayed(&self, is_replayable: bool, response: &Response<Body>) -> Result<bool, Error> {
        match is_replayable {
            true => Ok(true),
            false => Err(self.not_replayable(response.status())),
        }
    }

    /// Follows 307 and 308 within the origin, where the token may go (USE-05).
    fn redirected(
        &mut self,
        response: &Response<Body>,
        spare: Option<&mut Request<Body>>,
    ) -> Result<bool, Error> {
        let Some(location) = response.headers().get(LOCATION) else {
            return Ok(false);
        };
        let location = String::from_utf8_lossy(location.as_bytes());
        let refused = || Error::Redirect {
            status: response.status(),
            from: RedactedUrl::from(&*self.url),
            target: self.url.join(&location).map_or_else(
                |_| String::from("an unreadable place"),
                |target| RedactedUrl::of_target(&target).to_string(),
            ),
        };
        let target = self.url.join(&location).map_err(|_| refused())?;
        let keeps_method = [
            StatusCode::TEMPORARY_REDIRECT,
            StatusCode::PERMANENT_REDIRECT,
        ];
        if self.redirects == 0
            || !keeps_method.contains(&response.status())
            || !crate::resource::same_origin(&self.url, &target)
            || self.ours && !self.tokens.covers(&target)
        {
            return Err(refused());
        }
        let request = spare.ok_or_else(|| self.not_replayable(response.status()))?;
        *request.uri_mut() = crate::form::uri(&target)?;
        self.redirects -= 1;
        self.url = Arc::new(target);
        Ok(true)
    }

    fn not_replayable(&self, status: StatusCode) -> Error {
        Error::NotReplayable {
            url: RedactedUrl::from(&*self.url),
            status,
        }
    }
}

/// Whether a 401 is about the proof alone (RFC 9449 §7.1, §9).
fn faults_proof(response: &Response<Body>) -> bool {
    let challenges = Challenges::from_answer(response.headers(), response.extensions());
    says(&challenges, USE_NONCE) || says(&challenges, INVALID_PROOF)
}

fn says(challenges: &Challenges, error: &str) -> bool {
    challenges
        .iter()
        .any(|challenge| challenge.is_scheme("DPoP") && challenge.error() == Some(error))
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The same request for another try, if its body can be had twice.
fn replay(request: &Request<Body>) -> Option<Request<Body>> {
    let body = request.body().try_clone()?;
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
}

const USE_NONCE: &str = "use_dpop_nonce";
const INVALID_PROOF: &str = "invalid_dpop_proof";
