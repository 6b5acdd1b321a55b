//! rmcp's HTTP client, spoken over the authorization layer.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
};

use doorkey_http::{Body, HttpClient, RedactedUrl, Timeouts};
use doorkey_oauth::{AuthorizationLayer, AuthorizationService, IdentityEpoch, TokenSource};
use futures_core::{Stream, stream::BoxStream};
use futures_util::{StreamExt as _, TryFutureExt as _, future::Either};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri,
    header::{ACCEPT, CONTENT_TYPE},
    uri::InvalidUri,
};
use http_body_util::BodyDataStream;
use rmcp::{
    model::ClientJsonRpcMessage,
    transport::streamable_http_client::{
        SseError, StreamableHttpError, StreamableHttpPostResponse,
    },
};
use sse_stream::Sse;
use tower::{Layer, ServiceExt, util::BoxCloneSyncService};
use url::Url;

use crate::{
    ClientError, ClientOptions, Event, EventStream, Exchange, Limits,
    answer::{Answer, Question, request_id},
    connection::{Connection, MessageKey},
    declared::declaring,
    event::Listeners,
    refusal::{Cause, Place},
    reply::{Failure, Reply, SESSION_ID, auth_required, insufficient_scope},
    sse::{Answering, bounded_events},
    stream,
};

/// An rmcp `StreamableHttpClient` whose every request is authorized by a [`TokenSource`].
///
/// A cheap handle. [`connect`](crate::connect) is the usual way to use it; for a transport built by hand there is
/// [`AuthorizedTransport`](crate::AuthorizedTransport).
///
/// A 401 is answered below this type: the request is replayed with a renewed token where there is one. What comes
/// up here are requests that need a person (`AuthRequired`, `InsufficientScope`), each with all the challenges of the
/// response as one list (RFC 9110 §11.6.1).
///
/// The MCP extension that the tokens are obtained by, and DPoP while they are bound to a key, are declared in the capabilities
/// of the client, on top of what the handler declares.
#[derive(Clone)]
pub struct AuthorizedClient {
    inner: Arc<Inner>,
}

struct Inner {
    service: ResourceService,
    /// Whose flow is declared; `None` for a probe, which asks as nobody.
    tokens: Option<TokenSource>,
    options: ClientOptions,
    /// What holds where the options say nothing.
    general: Timeouts,
    events: Listeners,
    connection: Arc<Connection>,
    /// Where the first request went; a connection has no other address.
    address: OnceLock<Arc<Address>>,
}

/// An address as it is sent to, and as it may be shown.
struct Address {
    text: Arc<str>,
    uri: Uri,
    shown: Arc<str>,
}

/// A POST as rmcp asks for it.
#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) uri: Arc<str>,
    pub(crate) message: ClientJsonRpcMessage,
    pub(crate) session: Option<Arc<str>>,
    pub(crate) headers: HashMap<HeaderName, HeaderValue>,
    pub(crate) limits: Limits,
}

/// Whatever answers the requests.
#[derive(Clone)]
enum ResourceService {
    /// The authorization layer over the network.
    Authorized(Box<AuthorizationService<HttpClient>>),
    /// For a probe nothing but the network, and for tests what they like.
    Other(AnyService),
}

/// Any service that answers requests.
pub(crate) type AnyService =
    BoxCloneSyncService<Request<Body>, Response<Body>, doorkey_oauth::Error>;

pub(crate) type Events = BoxStream<'static, Result<Sse, SseError>>;
pub(crate) type Headers = HashMap<HeaderName, HeaderValue>;

impl AuthorizedClient {
    /// A client that sends through `http` with the tokens of `tokens`.
    #[must_use]
    pub fn new(http: HttpClient, tokens: TokenSource, options: ClientOptions) -> Self {
        let general = http.profile().timeouts;
        let http = match options.timeouts {
            Some(timeouts) => http.with_timeouts(timeouts),
            None => http,
        };
        let service = AuthorizationLayer::new(tokens.clone()).layer(http);
        let service = ResourceService::Authorized(Box::new(service));
        Self::made_of(service, Some(tokens), general, options)
    }

    /// A client over any service, whose own time limits are `general`.
    pub(crate) fn over(service: AnyService, general: Timeouts, options: ClientOptions) -> Self {
        Self::made_of(ResourceService::Other(service), None, general, options)
    }

    fn made_of(
        service: ResourceService,
        tokens: Option<TokenSource>,
        general: Timeouts,
        options: ClientOptions,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                service,
                tokens,
                options,
                general,
                events: Listeners::default(),
                connection: Arc::default(),
                address: OnceLock::new(),
            }),
        }
    }

    /// What happens from now on to exchanges whose callers, inside rmcp, tell nobody.
    ///
    /// Covers every connection made from this client or a clone of it. Subscribe before connecting.
    #[must_use]
    pub fn events(&self) -> EventStream {
        self.inner.events.join()
    }

    /// The choices this client was made with.
    #[must_use]
    pub fn options(&self) -> &ClientOptions {
        &self.inner.options
    }

    /// The same client with the state of a connection of its own.
    pub(crate) fn for_connection(&self) -> Self {
        Self {
            inner: Arc::new(Inner {
                service: self.inner.service.clone(),
                tokens: self.inner.tokens.clone(),
                options: self.inner.options.clone(),
                general: self.inner.general,
                events: self.inner.events.clone(),
                connection: Arc::default(),
                address: OnceLock::new(),
            }),
        }
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.inner.connection
    }

    /// Tells whoever listens.
    pub(crate) fn tell(&self, event: Event) {
        tracing::debug!(%event, "mcp transport");
        // No listener is no error: the host chose not to subscribe.
        self.inner.events.tell(event);
    }

    /// Sends one message and reads what came back, without regard to what was settled or remembered.
    pub(crate) async fn post(&self, post: &Post) -> Result<Answer, Failure> {
        self.post_with(post, &mut post.headers.clone()).await
    }

    /// The same with these headers in place of the message's own; they are spent.
    pub(crate) async fn post_with(
        &self,
        post: &Post,
        headers: &mut Headers,
    ) -> Result<Answer, Failure> {
        let address = self.address(&post.uri)?;
        let body = self.body(post).await?;
        let epoch = self.identity_epoch();
        let headers = std::mem::take(headers);
        let asked = self.asked(post, &address, headers, body)?;
        // Nothing that is read is kept beside what reads it: this future is a part of the one of every call.
        let (place, answer) = match self.send(asked).await {
            Ok(response) => {
                let place = Place::of(&response, Method::POST, &address.shown);
                let question = Question {
                    message: &post.message,
                    in_session: post.session.is_some(),
                    url: &address.shown,
                };
                let reply = Reply::new(response, &address.shown, post.limits);
                (place, question.answer(reply))
            }
            Err(error) => {
                let cause = Cause::Authorization(Arc::clone(&error));
                let key = MessageKey::of(&post.message);
                self.connection().caught(&key, &cause);
                return Err(self.refused(Exchange::of(&post.message), error));
            }
        };
        let answer = answer.await.map_err(|unusable| {
            if let Some(error) = place.error(&unusable) {
                let cause = Cause::Answer(Arc::new(error));
                let key = MessageKey::of(&post.message);
                self.connection().caught(&key, &cause);
            }
            *unusable.failure
        })?;
        if let Some(session) = answer.session() {
            // Of whoever was signed in when it was asked for.
            self.connection().owner(session, epoch);
        }
        Ok(answer)
    }

    /// The message as it is sent.
    async fn body(&self, post: &Post) -> Result<Body, Failure> {
        let message = declaring(&post.message, self.inner.tokens.as_ref()).await;
        let mut body = Vec::with_capacity(USUAL_MESSAGE);
        serde_json::to_writer(&mut body, message.as_ref())
            .map_err(|error| StreamableHttpError::Client(ClientError::Encode(error)))?;
        Ok(Body::from(body))
    }

    /// The request that carries a message.
    fn asked(
        &self,
        post: &Post,
        address: &Address,
        headers: Headers,
        body: Body,
    ) -> Result<Asked, Failure> {
        let mut request = request(Method::POST, address, headers, body)?;
        let own = request.headers_mut();
        own.insert(ACCEPT, ACCEPT_BOTH);
        own.append(CONTENT_TYPE, JSON);
        let begun = self.within(&mut request, post.session.as_deref())?;
        Ok((request, begun))
    }

    fn address(&self, uri: &Arc<str>) -> Result<Arc<Address>, Failure> {
        if let Some(known) = self.inner.address.get()
            && known.text == *uri
        {
            return Ok(Arc::clone(known));
        }
        let unusable =
            |error: InvalidUri| StreamableHttpError::Client(ClientError::Url(error.into()));
        let address = Arc::new(Address {
            text: Arc::clone(uri),
            uri: uri.parse().map_err(unusable)?,
            shown: shown(uri).into(),
        });
        // Where another one is kept already, this one is read anew each time.
        drop(self.inner.address.set(Arc::clone(&address)));
        Ok(address)
    }

    fn identity_epoch(&self) -> u64 {
        let tokens = self.inner.tokens.as_ref();
        tokens.map_or(0, TokenSource::identity_epoch)
    }

    /// Puts a request into its session, in which it goes out only for whom the session began (USE-12).
    fn within(
        &self,
        request: &mut Request<Body>,
        session: Option<&str>,
    ) -> Result<Option<IdentityEpoch>, Failure> {
        let Some(session) = session else {
            return Ok(None);
        };
        let value = HeaderValue::from_str(session)
            .map_err(|error| StreamableHttpError::Client(ClientError::Url(error.into())))?;
        request.headers_mut().append(SESSION_ID, value);
        let epoch = self.connection().owner(session, self.identity_epoch());
        Ok(Some(IdentityEpoch(epoch)))
    }

    /// The answer to `post` in rmcp's type.
    pub(crate) fn for_rmcp(&self, answer: Answer, post: &Post) -> StreamableHttpPostResponse {
        match answer {
            Answer::Accepted => StreamableHttpPostResponse::Accepted,
            Answer::Message(said) => StreamableHttpPostResponse::Json(*said.message, said.session),
            Answer::Events(body, quoting, session) => {
                let answering = Answering::new(request_id(&post.message), quoting);
                let events = self.answer_events(body, post.limits, Some(answering));
                StreamableHttpPostResponse::Sse(events.boxed(), session)
            }
        }
    }

    /// The events that answer a POST, bounded. Without `answering` the errors among them are as the server wrote them, and
    /// whoever hands them on has them seen before ([`Answering::see`]).
    pub(crate) fn answer_events(
        &self,
        body: Body,
        limits: Limits,
        answering: Option<Answering>,
    ) -> impl Stream<Item = Result<Sse, SseError>> + Send + Unpin + 'static + use<> {
        self.bounded(body, limits.sse_event, None, false, answering)
    }

    /// What it is given is used in its place: this future is a part of the one of every call.
    fn send(
        &self,
        (mut request, begun): Asked,
    ) -> impl Future<Output = Result<Response<Body>, Arc<doorkey_oauth::Error>>> + Send + '_ {
        let own = self.inner.options.timeouts;
        if request.method() == Method::GET {
            let mut timeouts = own.unwrap_or(self.inner.general);
            timeouts.read = self.inner.options.stream_silence;
            request.extensions_mut().insert(timeouts);
        }
        // What a recovery takes does not belong into every future that sends.
        let answer = match &self.inner.service {
            ResourceService::Authorized(service) => {
                Either::Left(Box::pin(service.send(request, begun)))
            }
            ResourceService::Other(service) => {
                if let (Some(own), None) = (own, request.extensions().get::<Timeouts>()) {
                    request.extensions_mut().insert(own);
                }
                Either::Right(Box::pin(service.clone().oneshot(request)))
            }
        };
        answer.map_err(Arc::new)
    }

    /// Tells the host of a refused exchange, and gives rmcp its word for it.
    fn refused(&self, exchange: Exchange, error: Arc<doorkey_oauth::Error>) -> Failure {
        let failure = match (&*error, error.challenges()) {
            (doorkey_oauth::Error::IdentityChanged { .. }, _)
                if exchange != Exchange::SessionEnd =>
            {
                tracing::info!("somebody else is signed in by now, so the session is over");
                // rmcp then begins a session of its own for whoever is signed in.
                return StreamableHttpError::SessionExpired;
            }
            (doorkey_oauth::Error::InsufficientScope { challenges, .. }, _) => {
                insufficient_scope(challenges)
            }
            (_, Some(challenges)) => auth_required(challenges),
            _ => {
                if exchange == Exchange::SessionEnd {
                    self.tell(session_delete_failed(&error));
                }
                return StreamableHttpError::Client(ClientError::Exchange(error));
            }
        };
        let lacks_scope = matches!(failure, StreamableHttpError::InsufficientScope(_));
        self.tell(match exchange {
            Exchange::Request(_) if lacks_scope => Event::InsufficientScope { exchange, error },
            Exchange::Request(_) => Event::LoginRequired { exchange, error },
            Exchange::Notification(_) | Exchange::Reply => {
                Event::NotificationUnauthorized { exchange, error }
            }
            Exchange::Stream { resumed } => Event::StreamUnauthorized { resumed, error },
            Exchange::SessionEnd => session_delete_failed(&error),
        });
        failure
    }

    /// Opens or resumes an event stream with GET.
    pub(crate) async fn open_stream(
        &self,
        uri: &str,
        session: Option<Arc<str>>,
        last_event_id: Option<String>,
        headers: &Headers,
        limit: usize,
    ) -> Result<Events, Failure> {
        let resumed = last_event_id.is_some();
        if (!resumed && !self.inner.options.standalone_stream)
            || self.inner.connection.is_dead_stream(last_event_id.as_ref())
        {
            return Err(StreamableHttpError::ServerDoesNotSupportSse);
        }
        let address = self.address(&uri.into())?;
        let mut request = request(Method::GET, &address, headers.clone(), Body::empty())?;
        request.headers_mut().insert(ACCEPT, ACCEPT_BOTH);
        if let Some(id) = &last_event_id {
            let value = HeaderValue::from_str(id)
                .map_err(|error| StreamableHttpError::Client(ClientError::Url(error.into())))?;
            request.headers_mut().append(LAST_EVENT_ID, value);
        }
        let begun = self.within(&mut request, session.as_deref())?;
        let url = &*address.shown;
        match self.send((request, begun)).await {
            Ok(response) => {
                let reply = Reply::new(response, url, self.inner.options.limits);
                let quoting = reply.quoting();
                let body = stream::opened(reply, url).await;
                let body = body.map_err(|unusable| *unusable.failure)?;
                self.tell(Event::StreamOpened { resumed });
                let answering = Some(Answering::new(None, quoting));
                let events = self.bounded(body, limit, last_event_id, true, answering);
                Ok(events.boxed())
            }
            Err(error) => Err(self.refused(Exchange::Stream { resumed }, error)),
        }
    }

    /// The first event, of at most `limit` bytes, of the stream that a GET outside of any session opens; `None` if there is
    /// no such stream.
    pub(crate) async fn first_event(&self, uri: &str, limit: usize) -> Option<Sse> {
        let address = self.address(&uri.into()).ok()?;
        let mut request = request(Method::GET, &address, Headers::new(), Body::empty()).ok()?;
        let events = HeaderValue::from_static("text/event-stream");
        request.headers_mut().insert(ACCEPT, events);
        let response = self.send((request, None)).await.ok()?;
        let url = &*address.shown;
        let reply = Reply::new(response, url, self.inner.options.limits);
        let body = stream::opened(reply, url).await.ok()?;
        let mut events = bounded_events(BodyDataStream::new(body), limit, None, |_| ());
        events.next().await?.ok()
    }

    /// Ends a session with DELETE.
    pub(crate) async fn end_session(
        &self,
        uri: &str,
        session: &str,
        headers: &Headers,
    ) -> Result<(), Failure> {
        let address = self.address(&uri.into())?;
        let mut request = request(Method::DELETE, &address, headers.clone(), Body::empty())?;
        let begun = self.within(&mut request, Some(session))?;
        let url = &*address.shown;
        let response = match self.send((request, begun)).await {
            Ok(response) => response,
            Err(error) => return Err(self.refused(Exchange::SessionEnd, error)),
        };
        let place = Place::of(&response, Method::DELETE, &address.shown);
        let reply = Reply::new(response, url, self.inner.options.limits);
        stream::ended(reply, url).await.map_err(|unusable| {
            let told = place.error(&unusable).map(|error| error.to_string());
            self.tell(Event::SessionDeleteFailed {
                detail: told.unwrap_or_else(|| unusable.failure.to_string()),
                error: None,
            });
            *unusable.failure
        })
    }

    /// The events of `body`. A stream that sends too large an event is not opened again at the same place.
    fn bounded(
        &self,
        body: Body,
        limit: usize,
        resumed_from: Option<String>,
        from_get: bool,
        answering: Option<Answering>,
    ) -> impl Stream<Item = Result<Sse, SseError>> + Send + Unpin + 'static + use<> {
        let client = self.clone();
        let events = bounded_events(BodyDataStream::new(body), limit, resumed_from, move |id| {
            // rmcp never resumes the answer to a POST before it saw an id.
            if from_get || id.is_some() {
                client.inner.connection.bury_stream(id);
            }
            let answer = !from_get;
            client.tell(Event::StreamOverflow { limit, answer });
        });
        events.answering(answering)
    }
}

impl fmt::Debug for AuthorizedClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AuthorizedClient")
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}

fn session_delete_failed(error: &Arc<doorkey_oauth::Error>) -> Event {
    Event::SessionDeleteFailed {
        detail: error.to_string(),
        error: Some(Arc::clone(error)),
    }
}

/// A request with the headers rmcp prepared, verbatim; the ones that are this client's to set are refused.
fn request(
    method: Method,
    address: &Address,
    headers: Headers,
    body: Body,
) -> Result<Request<Body>, Failure> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = address.uri.clone();
    // Room for what is added on the way, so that the map is made once.
    *request.headers_mut() = HeaderMap::with_capacity(headers.len() + ADDED_HEADERS);
    for (name, value) in headers {
        if [ACCEPT, SESSION_ID, LAST_EVENT_ID].contains(&name) {
            return Err(StreamableHttpError::ReservedHeaderConflict(
                name.to_string(),
            ));
        }
        request.headers_mut().append(name, value);
    }
    Ok(request)
}

/// A request, and for whom it was begun.
type Asked = (Request<Body>, Option<IdentityEpoch>);

/// The address as it may be shown.
pub(crate) fn shown(uri: &str) -> String {
    match Url::parse(uri) {
        Ok(url) => RedactedUrl::from(&url).to_string(),
        Err(_) => "the MCP server".to_owned(),
    }
}

const ACCEPT_BOTH: HeaderValue = HeaderValue::from_static("text/event-stream, application/json");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Those of this client, the token, and what a profile adds for most servers.
const ADDED_HEADERS: usize = 8;
/// Most messages fit, in bytes.
const USUAL_MESSAGE: usize = 512;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
