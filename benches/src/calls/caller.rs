//! Who calls: our stack, and its rivals, over the same server with the same messages.

use std::collections::HashMap;
use std::iter::StepBy;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use doorkey_http::{HttpClient, HttpProfile, RootCertificate, Roots};
use doorkey_oauth::{AuthorizationConfig, TokenSource};
use doorkey_rmcp::{AuthorizedClient, ClientOptions};
use doorkey_store::{Grant, Store};
use futures_util::StreamExt as _;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientJsonRpcMessage, JsonObject, RequestId,
    ServerJsonRpcMessage,
};
use rmcp::transport::auth::{
    AuthClient, AuthorizationManager, CredentialStore as _, InMemoryCredentialStore,
};
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpPostResponse, StreamableHttpResponseLimits,
};
use tokio::task::JoinSet;
use url::Url;

use crate::BoxError;
use crate::server::TOKEN;

/// Where the shared server is.
#[derive(Clone, Debug)]
pub struct Target {
    /// The MCP server.
    pub url: Url,
    /// The authority of its certificate, as PEM.
    pub authority: String,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A few words.
    Small,
    /// A text of 1 MiB.
    Large,
    /// An event stream of ten notifications and the answer.
    Stream,
}

impl Answer {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Small, Self::Large, Self::Stream];

    /// Its name on the command line and in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
            Self::Stream => "stream",
        }
    }

    /// The tool of the server that answers so.
    fn tool(self) -> CallToolRequestParams {
        match self {
            Self::Small => CallToolRequestParams::new("echo"),
            Self::Large => CallToolRequestParams::new("blob"),
            Self::Stream => {
                let mut arguments = JsonObject::new();
                arguments.insert("events".to_owned(), EVENTS.into());
                CallToolRequestParams::new("stream").with_arguments(arguments)
            }
        }
    }
}

/// Our stack: the adapter over the authorization layer over the HTTP client, with a token from a store.
///
/// # Errors
/// The authority is none, or the store takes no grant.
pub async fn ours(target: &Target) -> Result<AuthorizedClient, BoxError> {
    let mut profile = HttpProfile::new(target.url.clone());
    profile.roots = Roots::Only(RootCertificate::from_pem_bundle(
        target.authority.as_bytes(),
    )?);
    over(HttpClient::new(&profile)?, &target.url).await
}

/// The same over a client that is there.
///
/// # Errors
/// The store takes no grant.
pub async fn over(http: HttpClient, url: &Url) -> Result<AuthorizedClient, BoxError> {
    let tokens = signed_in(http.clone(), url).await?;
    Ok(AuthorizedClient::new(
        http,
        tokens,
        ClientOptions::default(),
    ))
}

/// A source whose grant is good for an hour, and can be renewed.
///
/// # Errors
/// The store takes no grant.
pub async fn signed_in(http: HttpClient, url: &Url) -> Result<TokenSource, BoxError> {
    let config = AuthorizationConfig::new(url.clone());
    let at = |path: &str| url.join(path).map(String::from);
    let issuer = at("/")?.trim_end_matches('/').to_owned();
    let mut grant = Grant::new(issuer, "bench", at("/token")?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    grant.resource = Some(url.to_string());
    grant.access_token = Some(TOKEN.into());
    grant.refresh_token = Some("rt-0".into());
    grant.issued_at = now;
    grant.expires_at = Some(now + 3600);
    let store = Store::memory();
    store.save_grant(&config.grant_key(), &grant, None).await?;
    Ok(TokenSource::builder(config, http, store).build())
}

/// rmcp's own client, as it is made for users, with the authority it has to trust.
///
/// # Errors
/// The authority is none.
pub fn rival(target: &Target) -> Result<reqwest::Client, BoxError> {
    let authority = reqwest::Certificate::from_pem(target.authority.as_bytes())?;
    Ok(reqwest::Client::builder()
        .tls_certs_only([authority])
        .build()?)
}

/// rmcp's own authorization over its own client, with a token from its store.
///
/// # Errors
/// It does not take the credentials.
pub async fn auth_client(target: &Target) -> Result<AuthClient<reqwest::Client>, BoxError> {
    let mut manager = AuthorizationManager::new(target.url.as_str()).await?;
    let at = |path: &str| target.url.join(path).map(String::from);
    let issuer = at("/")?.trim_end_matches('/').to_owned();
    manager.set_metadata(serde_json::from_value(serde_json::json!({
        "issuer": issuer,
        "authorization_endpoint": at("/authorize")?,
        "token_endpoint": at("/token")?,
    }))?);
    manager.configure_client_id("bench")?;
    let store = InMemoryCredentialStore::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    store
        .save(serde_json::from_value(serde_json::json!({
            "client_id": "bench",
            "token_response": {
                "access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600, "refresh_token": "rt-0",
            },
            "token_received_at": now,
        }))?)
        .await?;
    manager.set_credential_store(store);
    manager.with_client(rival(target)?)?;
    Ok(AuthClient::new(rival(target)?, manager))
}

/// One tool call at rmcp's trait, its answer read to the end.
///
/// # Errors
/// The call failed, or its answer is not the one that was asked for.
pub async fn call<C: StreamableHttpClient + Sync>(
    client: &C,
    call: &Call,
    id: u64,
    bearer: Option<&str>,
) -> Result<(), BoxError> {
    let sent = client
        .post_message_with_response_limits(
            Arc::clone(&call.uri),
            call.message(id)?,
            Some(Arc::clone(&call.session)),
            bearer.map(str::to_owned),
            call.headers.clone(),
            StreamableHttpResponseLimits::default(),
        )
        .await;
    match sent.map_err(|error| error.to_string())? {
        StreamableHttpPostResponse::Json(..) if call.answer != Answer::Stream => Ok(()),
        StreamableHttpPostResponse::Sse(mut events, _) if call.answer == Answer::Stream => {
            let mut read = 0;
            while let Some(event) = events.next().await {
                let data = event?.data.unwrap_or_default();
                // As rmcp's worker reads each.
                drop(serde_json::from_str::<ServerJsonRpcMessage>(&data)?);
                read += 1;
            }
            match read == EVENTS {
                true => Ok(()),
                false => Err(format!("a stream of {read} events").into()),
            }
        }
        _ => Err("another kind of answer".into()),
    }
}

/// The request and the answer of such a call as bytes, over the rival's client: what a call costs that makes no message
/// and reads none.
async fn bytes_alone(
    client: &reqwest::Client,
    call: &Call,
    message: Bytes,
) -> Result<(), BoxError> {
    let request = client
        .post(&*call.uri)
        .bearer_auth(TOKEN)
        .headers(HeaderMap::try_from(&call.headers)?)
        .header("mcp-session-id", &*call.session)
        .header(ACCEPT, "text/event-stream, application/json")
        .header(CONTENT_TYPE, "application/json")
        .body(message);
    let answer = request.send().await?.error_for_status()?;
    drop(answer.bytes().await?);
    Ok(())
}

/// What every call has in common, as rmcp's worker has it.
#[derive(Clone, Debug)]
pub struct Call {
    uri: Arc<str>,
    session: Arc<str>,
    headers: HashMap<HeaderName, HeaderValue>,
    answer: Answer,
}

impl Call {
    /// Calls of the server at `url`.
    #[must_use]
    pub fn new(url: &Url, answer: Answer) -> Self {
        let version = HeaderValue::from_static("2025-11-25");
        Self {
            uri: Arc::from(url.as_str()),
            session: Arc::from(SESSION),
            headers: HashMap::from([(HeaderName::from_static("mcp-protocol-version"), version)]),
            answer,
        }
    }

    fn message(&self, id: u64) -> Result<ClientJsonRpcMessage, BoxError> {
        let request = CallToolRequest::new(self.answer.tool());
        let id = RequestId::Number(i64::try_from(id)?);
        Ok(ClientJsonRpcMessage::request(request.into(), id))
    }
}

/// `calls` calls, `in_flight` at a time.
///
/// # Errors
/// The first call that failed.
pub async fn calls<C: StreamableHttpClient + Sync>(
    client: &C,
    what: &Call,
    calls: u64,
    in_flight: u64,
    bearer: Option<&str>,
) -> Result<(), BoxError> {
    let callers = shares(calls, in_flight)?.map(|ids| {
        let (client, what, bearer) = (client.clone(), what.clone(), bearer.map(str::to_owned));
        async move {
            for id in ids {
                call(&client, &what, id, bearer.as_deref()).await?;
            }
            Ok(())
        }
    });
    side_by_side(callers).await
}

/// The same over the rival's client with the bytes alone: the message is made once, and no answer is read as one.
///
/// # Errors
/// The first that failed or was refused.
pub(super) async fn calls_of_bytes(
    client: &reqwest::Client,
    what: &Call,
    calls: u64,
    in_flight: u64,
) -> Result<(), BoxError> {
    let message = Bytes::from(serde_json::to_vec(&what.message(calls)?)?);
    let callers = shares(calls, in_flight)?.map(|ids| {
        let (client, what, message) = (client.clone(), what.clone(), message.clone());
        async move {
            for _ in ids {
                bytes_alone(&client, &what, message.clone()).await?;
            }
            Ok(())
        }
    });
    side_by_side(callers).await
}

/// The calls that each caller makes.
fn shares(calls: u64, callers: u64) -> Result<impl Iterator<Item = StepBy<Range<u64>>>, BoxError> {
    let step = usize::try_from(callers)?;
    Ok((0..callers).map(move |first| (first..calls).step_by(step)))
}

/// Runs each caller in a task of its own, as a host does: in one task, what a client does to have it yield would count.
///
/// # Errors
/// The first caller that failed, or they take longer than anything that is measured.
pub(super) async fn side_by_side(
    callers: impl IntoIterator<Item = impl Future<Output = Result<(), BoxError>> + Send + 'static>,
) -> Result<(), BoxError> {
    let mut callers: JoinSet<_> = callers.into_iter().collect();
    let every = async {
        while let Some(ended) = callers.join_next().await {
            ended??;
        }
        Ok(())
    };
    tokio::time::timeout(LONGEST, every).await?
}

/// How many events a stream has, the last of which is the answer.
const EVENTS: usize = 11;
const SESSION: &str = "bench-session-0123456789abcdef";
/// Nothing that is measured takes as long.
const LONGEST: Duration = Duration::from_secs(120);
