//! Waiting for the browser to come back with an answer to our request (RSP-02).

use std::time::Duration;

use secrecy::SecretString;

use crate::authorize::AuthorizationRecord;
use crate::callback::{Judgement, RECORD_LIFETIME, judge};
use crate::clock::Clock;
use crate::config::AuthorizationConfig;
use crate::error::Error;
use crate::interaction::{CallbackVerdict, Channel, Prompt};

/// What is waited for and how long.
#[derive(Clone, Copy)]
pub(super) struct Waiting<'a> {
    pub(super) record: &'a AuthorizationRecord,
    pub(super) clock: &'a dyn Clock,
    pub(super) limit: Duration,
}

/// How long a login waits: as configured, but never longer than a request stays valid (RSP-11).
pub(crate) fn limit(config: &AuthorizationConfig) -> Duration {
    config.interaction_limit.min(RECORD_LIFETIME)
}

/// Shows the prompt and waits for the callback that carries our state.
///
/// # Errors
/// What the callback says; [`Error::LoginTimedOut`]; [`Error::LoginAbandoned`] once `gone`
/// completes.
pub(super) async fn wait_for_code(
    waiting: Waiting<'_>,
    channel: &mut dyn Channel,
    prompt: &Prompt,
    gone: impl Future<Output = ()>,
) -> Result<SecretString, Error> {
    let limit = waiting.limit;
    let answered = async {
        channel.present(prompt).await?;
        first_answer(waiting, channel).await
    };
    tokio::select! {
        biased;
        code = tokio::time::timeout(limit, answered) => {
            code.unwrap_or(Err(Error::LoginTimedOut { limit }))
        }
        () = gone => Err(Error::LoginAbandoned),
    }
}

async fn first_answer(
    waiting: Waiting<'_>,
    channel: &mut dyn Channel,
) -> Result<SecretString, Error> {
    loop {
        let callback = channel.next().await?;
        match judge(waiting.record, callback.query(), waiting.clock.now()) {
            Judgement::Code(code) => {
                callback.answer(CallbackVerdict::Accepted);
                return Ok(code);
            }
            Judgement::Ended(error) => {
                callback.answer(CallbackVerdict::Refused {
                    message: error.to_string(),
                });
                return Err(*error);
            }
            Judgement::Foreign => {
                tracing::debug!("a callback without our state was ignored");
                callback.answer(CallbackVerdict::Ignored);
            }
        }
    }
}
