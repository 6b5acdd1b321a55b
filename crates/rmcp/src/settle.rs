//! Settles which wire a server speaks, before rmcp's lifecycle starts.
//!
//! rmcp can find out by itself, but within a fixed time that a refresh or a step-up may exceed, and without memory. Here
//! the first request is sent with the token in hand, and its answer is kept for rmcp, which then asks nobody.

use std::{sync::Arc, time::Duration};

use rmcp::{
    model::{
        ClientConfig, ClientJsonRpcMessage, ErrorCode, ErrorData, JsonRpcMessage, ProtocolVersion,
        ServerJsonRpcMessage, ServerResult,
    },
    transport::streamable_http_client::StreamableHttpError,
};

use crate::{
    AuthorizedClient, ConnectError, Exchange, Protocol, Remembered, TransportError, Wire,
    client::{Post, shown},
    connection::{Settled, Watch},
    error::clean,
    lifecycle,
    remembered::speaks_stateless,
    reply::Failure,
    retired,
};

/// Whom to ask, and as whom.
#[derive(Clone)]
pub(crate) struct Settling<'a> {
    pub(crate) client: &'a AuthorizedClient,
    pub(crate) uri: Arc<str>,
    pub(crate) info: &'a ClientConfig,
}

/// What one attempt to settle came to.
enum Attempt {
    Settled(Box<Settled>),
    /// The server does not speak this wire, it seems.
    Refused(Refusal),
}

/// How a server said that it does not speak a wire.
enum Refusal {
    Rpc(ErrorData),
    Other(String),
}

impl Settling<'_> {
    /// Settles on a wire.
    ///
    /// # Errors
    ///
    /// Only a refusal of the wire itself leads on to the other wire: 400, 404, 405 and the like, or a JSON-RPC error that
    /// a server of that revision would not give. A failure of authorization, network or server ends the attempt (ERR-03).
    pub(crate) async fn settle(
        &self,
        protocol: Protocol,
        remembered: Option<&Remembered>,
    ) -> Result<Settled, ConnectError> {
        let wanted = protocol.wire();
        let remembered = remembered.filter(|it| wanted.is_none_or(|wire| wire == it.wire));
        if let Some(settled) = remembered.and_then(remembered_answer) {
            return Ok(settled);
        }
        if let Some(wire) = wanted {
            return match self.attempt(wire).await? {
                Attempt::Settled(settled) => Ok(*settled),
                Attempt::Refused(refusal) => Err(self.given_up(wire, refusal).await),
            };
        }
        let (first, second) = match remembered {
            Some(Remembered {
                wire: Wire::Stateful,
                ..
            }) => (Wire::Stateful, Wire::Stateless),
            _ => (Wire::Stateless, Wire::Stateful),
        };
        let refusal = match self.attempt(first).await? {
            Attempt::Settled(settled) => return Ok(*settled),
            Attempt::Refused(refusal) => refusal,
        };
        tracing::debug!(wire = %first, reason = %refusal.text(), "the server refuses this wire");
        match (self.attempt(second).await?, first) {
            (Attempt::Settled(settled), _) => Ok(*settled),
            // An old server is expected to refuse `server/discover`: what it says to `initialize` counts.
            (Attempt::Refused(_), Wire::Stateful) => Err(self.unspoken(refusal).await),
            (Attempt::Refused(last), _) => Err(self.unspoken(last).await),
        }
    }

    /// The server speaks no wire. One that answered MCP speaks it in a way of its own; of others it is worth knowing whether
    /// they are left over from before.
    async fn unspoken(&self, refusal: Refusal) -> ConnectError {
        match refusal {
            Refusal::Rpc(_) => self.rejected(Wire::Stateful, refusal),
            Refusal::Other(_) => self.given_up(Wire::Stateful, refusal).await,
        }
    }

    /// The same for the one wire that was wanted.
    async fn given_up(&self, wire: Wire, refusal: Refusal) -> ConnectError {
        let is_retired = matches!(refusal, Refusal::Other(_))
            && wire == Wire::Stateful
            && retired::is_spoken(self.client, &self.uri).await;
        match is_retired {
            true => ConnectError::RetiredTransport {
                url: shown(&self.uri),
            },
            false => self.refused(wire, &refusal),
        }
    }

    async fn attempt(&self, wire: Wire) -> Result<Attempt, ConnectError> {
        match wire {
            Wire::Stateful => self.initialize().await,
            Wire::Stateless => self.discover().await,
        }
    }

    async fn initialize(&self) -> Result<Attempt, ConnectError> {
        let message = lifecycle::initialize(self.info, lifecycle::SETTLING_ID);
        let (answer, session) = match self.ask(&message, None, None).await? {
            Asked::Answered(answer) => *answer,
            Asked::Unusable(text) => return Ok(Attempt::Refused(Refusal::Other(text))),
        };
        Ok(match answer {
            JsonRpcMessage::Error(error) => Attempt::Refused(Refusal::Rpc(error.error)),
            JsonRpcMessage::Response(ref response)
                if matches!(response.result, ServerResult::InitializeResult(_)) =>
            {
                settled(Wire::Stateful, answer, session)
            }
            _ => Attempt::Refused(Refusal::Other("it is no result of initialize".to_owned())),
        })
    }

    async fn discover(&self) -> Result<Attempt, ConnectError> {
        let message = lifecycle::discover(self.info, lifecycle::SETTLING_ID);
        let mut repeated = false;
        loop {
            let version = Some(Wire::Stateless.as_str());
            let (answer, _) = match self.ask(&message, version, Some(SILENCE_LIMIT)).await? {
                Asked::Answered(answer) => *answer,
                Asked::Unusable(text) => return Ok(Attempt::Refused(Refusal::Other(text))),
            };
            let error = match answer {
                JsonRpcMessage::Error(error) => error.error,
                answer if speaks_stateless(&answer) => {
                    return Ok(settled(Wire::Stateless, answer, None));
                }
                _ => {
                    let text = "its answer to server/discover does not offer 2026-07-28";
                    return Ok(Attempt::Refused(Refusal::Other(text.to_owned())));
                }
            };
            match error.code {
                ErrorCode::UNSUPPORTED_PROTOCOL_VERSION
                    if !repeated && offers_stateless(&error) =>
                {
                    repeated = true;
                }
                ErrorCode::HEADER_MISMATCH | ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY => {
                    // Only a server of this revision knows these: it speaks the wire and refuses the request.
                    return Err(self.rejected(Wire::Stateless, Refusal::Rpc(error)));
                }
                _ => return Ok(Attempt::Refused(Refusal::Rpc(error))),
            }
        }
    }

    /// Sends `message` outside of any session and waits for its one answer; with `silence`, only so long once the
    /// server has begun to answer.
    async fn ask(
        &self,
        message: &ClientJsonRpcMessage,
        version: Option<&str>,
        silence: Option<Duration>,
    ) -> Result<Asked, ConnectError> {
        let watch = self.client.connection().watch(message);
        let post = Post {
            uri: Arc::clone(&self.uri),
            message: message.clone(),
            session: None,
            headers: lifecycle::headers(message, version),
            limits: self.client.options().limits,
        };
        let answer = match self.client.post(&post).await {
            Ok(answer) => self.client.for_rmcp(answer, &post),
            Err(failure) => return self.unanswered(message, failure, &watch),
        };
        let answer = answer.expect_initialized();
        let answer = match silence {
            None => answer.await,
            Some(limit) => match tokio::time::timeout(limit, answer).await {
                Ok(answer) => answer,
                Err(_) => {
                    let text = format!("no answer within {} seconds", limit.as_secs());
                    return Ok(Asked::Unusable(text));
                }
            },
        };
        match answer {
            Ok(answer) => Ok(Asked::Answered(Box::new(answer))),
            Err(failure) => self.unanswered(message, failure, &watch),
        }
    }

    /// Sends one more message, whose answer matters only if it is a failure.
    ///
    /// # Errors
    ///
    /// A failure of authorization, network or server. What else the server thinks of the message counts as an answer.
    pub(crate) async fn send(&self, post: &Post) -> Result<(), ConnectError> {
        let watch = self.client.connection().watch(&post.message);
        match self.client.post(post).await {
            Ok(_) => Ok(()),
            Err(failure) => self.unanswered(&post.message, failure, &watch).map(drop),
        }
    }

    fn unanswered(
        &self,
        message: &ClientJsonRpcMessage,
        failure: Failure,
        watch: &Watch,
    ) -> Result<Asked, ConnectError> {
        match failure {
            StreamableHttpError::UnexpectedServerResponse(text) => {
                Ok(Asked::Unusable(text.into_owned()))
            }
            failure => Err(ConnectError::Settle {
                exchange: Exchange::of(message),
                url: shown(&self.uri),
                error: Box::new(TransportError::watched(failure, watch)),
            }),
        }
    }

    fn refused(&self, wire: Wire, refusal: &Refusal) -> ConnectError {
        ConnectError::WireRefused {
            wire,
            url: shown(&self.uri),
            detail: refusal.text(),
        }
    }

    fn rejected(&self, wire: Wire, refusal: Refusal) -> ConnectError {
        match refusal {
            Refusal::Rpc(error) => ConnectError::Rejected {
                exchange: Exchange::Request(wire.opening().to_owned()),
                url: shown(&self.uri),
                error,
            },
            Refusal::Other(_) => self.refused(wire, &refusal),
        }
    }
}

enum Asked {
    Answered(Box<(ServerJsonRpcMessage, Option<String>)>),
    /// HTTP said no, or nothing that can be read.
    Unusable(String),
}

impl Refusal {
    fn text(&self) -> String {
        match self {
            Self::Rpc(error) => format!("error {}: {}", error.code.0, clean(&error.message)),
            Self::Other(text) => text.clone(),
        }
    }
}

fn settled(wire: Wire, answer: ServerJsonRpcMessage, session: Option<String>) -> Attempt {
    Attempt::Settled(Box::new(Settled {
        wire,
        answer,
        session,
        remembered: false,
    }))
}

/// The answer of an earlier connection, if it can be read and offers the wire.
fn remembered_answer(remembered: &Remembered) -> Option<Settled> {
    let Remembered {
        wire: Wire::Stateless,
        discover: Some(discovery),
    } = remembered
    else {
        return None;
    };
    let answer = ServerJsonRpcMessage::response(
        ServerResult::DiscoverResult(discovery.result()?),
        lifecycle::SETTLING_ID,
    );
    speaks_stateless(&answer).then_some(Settled {
        wire: Wire::Stateless,
        answer,
        session: None,
        remembered: true,
    })
}

/// Whether a version error says that the version would have been right.
fn offers_stateless(error: &ErrorData) -> bool {
    let supported = error.data.as_ref().and_then(|data| data.get("supported"));
    supported
        .and_then(|versions| serde_json::from_value::<Vec<ProtocolVersion>>(versions.clone()).ok())
        .is_some_and(|versions| versions.contains(&Wire::Stateless.version()))
}

/// How long a server may keep an answer's event stream silent before it counts as not knowing the method.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(10);
