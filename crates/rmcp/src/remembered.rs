//! What happens when the server no longer is what it was remembered to be.
//!
//! A connection that starts from a remembered `server/discover` answer learns only with its first request whether
//! the server still speaks that wire. If it refuses the version, it is asked once more and the request is repeated; if it
//! refuses in any other way, it is asked once more and the refusal stands.

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
    connection::MessageKey,
    error::clean,
    lifecycle,
    reply::Failure,
    settle::SILENCE_LIMIT,
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
            Verdict::Refused { detail, unheard } => {
                if !self.connection().confirm() {
                    return answer;
                }
                match self.still_stateless(post).await? {
                    true if unheard => return self.post(post).await,
                    true => return answer,
                    false => {}
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
        let watch = self.connection().watch(&post.message);
        let answer = self.post(&post).await.inspect_err(|_| {
            // Whoever waits for the refused request gets the reason.
            if let Some(error) = watch.error() {
                let key = MessageKey::of(&refused.message);
                self.connection().caught(&key, &error);
            }
        })?;
        let answer = self.for_rmcp(answer, post.limits);
        let answer = answer.expect_initialized::<ClientError>();
        match tokio::time::timeout(SILENCE_LIMIT, answer).await {
            Ok(answer) => Ok(speaks_stateless(&answer?.0)),
            Err(_) => Ok(false),
        }
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
    Refused {
        detail: String,
        /// The server did nothing but refuse: sending the same again cannot do anything twice.
        unheard: bool,
    },
    /// Authorization, the network or the server's health decided; nothing was learned.
    Unknown,
}

fn verdict(answer: &Result<Answer, Failure>) -> Verdict {
    match answer {
        Ok(Answer::Message(message, _)) => match &**message {
            JsonRpcMessage::Error(error)
                if error.error.code == ErrorCode::UNSUPPORTED_PROTOCOL_VERSION =>
            {
                Verdict::Refused {
                    detail: clean(&error.error.message),
                    unheard: true,
                }
            }
            _ => Verdict::Holds,
        },
        Ok(_) => Verdict::Holds,
        Err(StreamableHttpError::UnexpectedServerResponse(text)) => Verdict::Refused {
            detail: text.to_string(),
            unheard: false,
        },
        Err(_) => Verdict::Unknown,
    }
}
