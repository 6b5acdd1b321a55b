//! What happens when the server no longer is what it was remembered to be.
//!
//! A connection that starts from a remembered `server/discover` answer learns only with its first request whether
//! the server still speaks that wire. If it refuses the version, it is asked once more and the request is repeated; if it
//! refuses in any other way, it is asked once more and the refusal stands. Requests that were under way together
//! and refused together ask once and all learn the outcome.

use futures_util::{StreamExt, stream};
use http::StatusCode;
use rmcp::{
    model::{
        ClientJsonRpcMessage, ClientRequest, DiscoverRequest, DiscoverRequestParams, ErrorCode,
        GetMeta, JsonRpcError, JsonRpcMessage, RequestId, ServerJsonRpcMessage, ServerResult,
    },
    transport::streamable_http_client::{StreamableHttpError, StreamableHttpPostResponse},
};

use crate::{
    AuthorizedClient, ClientError, Event, Wire,
    answer::{Answer, request_id},
    client::{Post, shown},
    connection::MessageKey,
    error::clean,
    lifecycle,
    reply::Failure,
    settle::SILENCE_LIMIT,
    sse::{Answering, rpc_error},
};

type Outcome = Result<StreamableHttpPostResponse, Failure>;

impl AuthorizedClient {
    /// Sends a message; the first one after a remembered start also finds out whether the memory holds.
    pub(crate) async fn post_confirming(&self, post: &mut Post) -> Outcome {
        let in_doubt = self.connection().is_unconfirmed() && request_id(&post.message).is_some();
        if in_doubt {
            return Box::pin(self.post_in_doubt(post)).await;
        }
        // Sent once, with the headers as they came.
        let mut headers = std::mem::take(&mut post.headers);
        let answer = self.post_with(post, &mut headers).await?;
        Ok(self.for_rmcp(answer, post))
    }

    async fn post_in_doubt(&self, post: &Post) -> Outcome {
        let answer = self.post(post).await;
        let (verdict, answer) = self.judge(answer, post).await;
        match verdict {
            Verdict::Unknown => answer,
            Verdict::Holds => {
                self.connection().confirm();
                answer
            }
            Verdict::Refused { detail, unheard } => {
                let asked = self.connection().still_stateless();
                if !*asked.get_or_try_init(|| self.ask_anew(post)).await? {
                    return Err(StreamableHttpError::Client(ClientError::RememberedWire {
                        url: shown(&post.uri),
                        detail,
                    }));
                }
                match unheard {
                    true => Ok(self.for_rmcp(self.post(post).await?, post)),
                    false => answer,
                }
            }
        }
    }

    /// What the answer says of the memory, and the answer itself.
    async fn judge(&self, answer: Result<Answer, Failure>, post: &Post) -> (Verdict, Outcome) {
        match answer {
            Ok(Answer::Events(body, quoting, session)) => {
                let mut events = self.answer_events(body, post.limits, None);
                let first = events.next().await;
                let verdict = match &first {
                    Some(Ok(event)) => match rpc_error(event).map(|error| quoting.error(error)) {
                        Some(error) => of_error(&error, StatusCode::OK, error.id.is_some()),
                        None => Verdict::Holds,
                    },
                    Some(Err(_)) | None => Verdict::Unknown,
                };
                let answering = Answering::new(request_id(&post.message), quoting);
                let events = stream::iter(first).chain(events).map(move |mut event| {
                    if let Ok(event) = &mut event {
                        answering.see(event);
                    }
                    event
                });
                (
                    verdict,
                    Ok(StreamableHttpPostResponse::Sse(events.boxed(), session)),
                )
            }
            answer => {
                let verdict = verdict(&answer);
                (verdict, answer.map(|answer| self.for_rmcp(answer, post)))
            }
        }
    }

    /// Whether the server still speaks the stateless wire, and what follows from that for this connection.
    async fn ask_anew(&self, refused: &Post) -> Result<bool, Failure> {
        let still = self.still_stateless(refused).await?;
        if still {
            self.connection().confirm();
        } else {
            self.tell(Event::RememberedWireRefused);
        }
        Ok(still)
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
        let answer = self.post(&post).await.inspect_err(|failure| {
            // Whoever waits for the refused request gets the reason.
            if let Some(cause) = watch.cause(failure) {
                let key = MessageKey::of(&refused.message);
                self.connection().caught(&key, &cause);
            }
        })?;
        let answer = self.for_rmcp(answer, &post);
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
        Ok(Answer::Message(said)) => match &*said.message {
            JsonRpcMessage::Error(error) => of_error(error, said.status, said.named),
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

/// What an error says of the wire. `named`: the server named the request that it answers.
///
/// The rule of the settling (MCP 2026-07-28, streamable HTTP, "Backward Compatibility"), for requests that a server may
/// refuse for reasons of their own: what only that revision knows, and what it says of a request it has read, proves the
/// wire; any other HTTP refusal, and an error by a server that has not read the request, do not.
fn of_error(error: &JsonRpcError, status: StatusCode, named: bool) -> Verdict {
    let unheard = match error.error.code {
        ErrorCode::UNSUPPORTED_PROTOCOL_VERSION => true,
        _ if status.is_server_error() => return Verdict::Unknown,
        ErrorCode::HEADER_MISMATCH | ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY => {
            return Verdict::Holds;
        }
        ErrorCode::METHOD_NOT_FOUND | ErrorCode::INVALID_PARAMS if named => return Verdict::Holds,
        _ if named && !status.is_client_error() => return Verdict::Holds,
        _ => false,
    };
    Verdict::Refused {
        detail: clean(&error.error.message),
        unheard,
    }
}

#[cfg(test)]
mod tests;
