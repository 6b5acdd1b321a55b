//! rmcp's own trait, implemented.
//!
//! Its worker calls the methods with the most limits; the others are the same with the client's own limits.

use std::sync::Arc;

use http::header::{AUTHORIZATION, PROXY_AUTHORIZATION};
use rmcp::{
    model::ClientJsonRpcMessage,
    transport::streamable_http_client::{
        StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
        StreamableHttpResponseLimits,
    },
};

use crate::{
    AuthorizedClient, ClientError,
    client::{Events, Headers, Post},
    reply::Failure,
};

impl StreamableHttpClient for AuthorizedClient {
    type Error = ClientError;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let limits = self.options().limits.for_rmcp();
        self.post_message_with_response_limits(
            uri,
            message,
            session_id,
            auth_header,
            custom_headers,
            limits,
        )
        .await
    }

    async fn post_message_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
        max_sse_event_size: usize,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let mut limits = self.options().limits.for_rmcp();
        limits.max_sse_event_size = max_sse_event_size;
        self.post_message_with_response_limits(
            uri,
            message,
            session_id,
            auth_header,
            custom_headers,
            limits,
        )
        .await
    }

    // Not an `async fn`, which would keep its arguments twice.
    fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> impl Future<Output = Result<StreamableHttpPostResponse, Failure>> + Send + '_ {
        let refused = refuse_static_authorization(auth_header.as_ref(), &custom_headers);
        let mut post = Post {
            uri,
            message,
            session: session_id,
            headers: custom_headers,
            limits: limits.into(),
        };
        async move {
            refused?;
            if let Some((answer, session)) = self.connection().settled_answer(&post.message) {
                return Ok(StreamableHttpPostResponse::Json(answer, session));
            }
            self.post_confirming(&mut post).await
        }
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<(), Failure> {
        refuse_static_authorization(auth_header.as_ref(), &custom_headers)?;
        self.end_session(&uri, &session_id, &custom_headers).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<Events, Failure> {
        let limit = self.options().limits.sse_event;
        self.get_stream_with_max_sse_event_size(
            uri,
            session_id,
            last_event_id,
            auth_header,
            custom_headers,
            limit,
        )
        .await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
        max_sse_event_size: usize,
    ) -> Result<Events, Failure> {
        refuse_static_authorization(auth_header.as_ref(), &custom_headers)?;
        self.open_stream(
            &uri,
            session_id,
            last_event_id,
            &custom_headers,
            max_sse_event_size,
        )
        .await
    }
}

/// Exactly one `Authorization` header, and it is the token source's (USE-09).
fn refuse_static_authorization(
    auth_header: Option<&String>,
    headers: &Headers,
) -> Result<(), Failure> {
    let header = match auth_header {
        Some(_) => AUTHORIZATION,
        None => match [AUTHORIZATION, PROXY_AUTHORIZATION]
            .into_iter()
            .find(|name| headers.contains_key(name))
        {
            Some(name) => name,
            None => return Ok(()),
        },
    };
    Err(StreamableHttpError::Client(
        ClientError::StaticAuthorization { header },
    ))
}
