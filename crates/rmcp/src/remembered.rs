//! What happens when the server no longer is what it was remembered to be.
//!
//! A connection that starts from a remembered `server/discover` answer learns only with its first request whether
//! the server still speaks that wire. If it does not say so, it is asked once more, and the request is repeated.

use rmcp::{
    model::{
        ClientJsonRpcMessage, ClientRequest, DiscoverRequest, DiscoverRequestParams, ErrorCode,
        GetMeta, JsonRpcMessage, RequestId, ServerJsonRpcMessage, ServerResult,
    },
    transport::streamable_http_client::StreamableHttpError,
};

use crate::{
    AuthorizedClient, ClientError, Event, Wire,
    answer::Answer,
    client::{Post, shown},
    error::clean,
    lifecycle,
    reply::Failure,
};

impl AuthorizedClient {
    /// Sends a message; the first one after a remembered start also finds out whether the memory holds.
    pub(crate) async fn post_confirming(&self, post: &Post) -> Result<Answer, Failure> {
        let answer = self.post(post).await;
        if !self.connection().is_unconfirmed() {
            return answer;
        }
        match verdict(&answer) {
            Verdict::Unknown => answer,
            Verdict::Holds => {
                self.connection().confirm();
                answer
            }
            Verdict::Refused(detail) => {
                if !self.connection().confirm() {
                    return answer;
                }
                if self.still_stateless(post).await? {
                    return self.post(post).await;
                }
                self.tell(Event::RememberedWireRefused);
                Err(StreamableHttpError::Client(ClientError::RememberedWire {
                    url: shown(&post.uri),
                    detail,
                }))
            }
        }
    }

    /// Asks `server/discover` again, with the metadata of the request that was refused.
    async fn still_stateless(&self, refused: &Post) -> Result<bool, Failure> {
        let JsonRpcMessage::Request(request) = &refused.message else {
            return Ok(false);
        };
        let mut discover = DiscoverRequest::new(DiscoverRequestParams {});
        discover
            .extensions
            .insert(request.request.get_meta().clone());
        let id = RequestId::String("doorkey-rediscovery".into());
        let message = ClientJsonRpcMessage::request(ClientRequest::DiscoverRequest(discover), id);
        let post = Post {
            headers: lifecycle::headers(&message, Some(Wire::Stateless.as_str())),
            message,
            session: None,
            ..refused.clone()
        };
        let answer = self.post(&post).await?;
        let answer = self.for_rmcp(answer, post.limits);
        let (answer, _) = answer.expect_initialized::<ClientError>().await?;
        Ok(speaks_stateless(&answer))
    }
}

/// Whether this answer to `server/discover` offers the stateless wire.
pub(crate) fn speaks_stateless(answer: &ServerJsonRpcMessage) -> bool {
    matches!(answer, JsonRpcMessage::Response(response)
        if matches!(&response.result, ServerResult::DiscoverResult(result)
            if result.supported_versions.contains(&Wire::Stateless.version())))
}

enum Verdict {
    Holds,
    Refused(String),
    /// Authorization, the network or the server's health decided; nothing was learned.
    Unknown,
}

fn verdict(answer: &Result<Answer, Failure>) -> Verdict {
    match answer {
        Ok(Answer::Message(message, _)) => match &**message {
            JsonRpcMessage::Error(error)
                if error.error.code == ErrorCode::UNSUPPORTED_PROTOCOL_VERSION =>
            {
                Verdict::Refused(clean(&error.error.message))
            }
            _ => Verdict::Holds,
        },
        Ok(_) => Verdict::Holds,
        Err(StreamableHttpError::UnexpectedServerResponse(text)) => {
            Verdict::Refused(text.to_string())
        }
        Err(_) => Verdict::Unknown,
    }
}
