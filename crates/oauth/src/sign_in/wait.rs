//! Waiting for the browser to come back with an answer to our request (RSP-02).

use std::time::Duration;

use secrecy::SecretString;
use tokio::time::{Instant, timeout_at};

use super::Gone;
use crate::authorize::AuthorizationRecord;
use crate::callback::{Judgement, RECORD_LIFETIME, judge, judge_code};
use crate::clock::Clock;
use crate::config::AuthorizationConfig;
use crate::error::Error;
use crate::interaction::{Callback, CallbackVerdict, Channel, Prompt};

/// What is waited for and how long.
#[derive(Clone, Copy)]
pub(super) struct Waiting<'a> {
    record: &'a AuthorizationRecord,
    clock: &'a dyn Clock,
    limit: Duration,
    end: Instant,
}

/// A code that arrived.
pub(super) struct Arrived {
    pub(super) code: SecretString,
    /// Whoever typed it, if it was a code alone: they learn whether the server takes it, and may type another.
    pub(super) typed: Option<Callback>,
}

/// How long a login waits: as configured, but never longer than a request stays valid (RSP-11).
pub(crate) fn limit(config: &AuthorizationConfig) -> Duration {
    config.interaction_limit.min(RECORD_LIFETIME)
}

impl<'a> Waiting<'a> {
    /// A wait that begins now.
    pub(super) fn new(
        record: &'a AuthorizationRecord,
        clock: &'a dyn Clock,
        limit: Duration,
    ) -> Self {
        Self {
            record,
            clock,
            limit,
            end: Instant::now() + limit,
        }
    }

    /// Shows the prompt.
    ///
    /// # Errors
    /// It cannot be shown; [`Error::LoginTimedOut`]; [`Error::LoginAbandoned`] once `gone` completes.
    pub(super) async fn present(
        self,
        channel: &mut dyn Channel,
        prompt: &Prompt,
        gone: &mut Gone<'_>,
    ) -> Result<(), Error> {
        let shown = async { Ok(channel.present(prompt).await?) };
        self.in_time(shown, gone).await
    }

    /// Waits for the callback that carries our state.
    ///
    /// # Errors
    /// What the callback says; [`Error::LoginTimedOut`]; [`Error::LoginAbandoned`] once `gone`
    /// completes.
    pub(super) async fn for_code(
        self,
        channel: &mut dyn Channel,
        gone: &mut Gone<'_>,
    ) -> Result<Arrived, Error> {
        self.in_time(self.first_answer(channel), gone).await
    }

    async fn in_time<T>(
        self,
        work: impl Future<Output = Result<T, Error>>,
        gone: &mut Gone<'_>,
    ) -> Result<T, Error> {
        let limit = self.limit;
        tokio::select! {
            biased;
            outcome = timeout_at(self.end, work) => {
                outcome.unwrap_or(Err(Error::LoginTimedOut { limit }))
            }
            () = gone.as_mut() => Err(Error::LoginAbandoned),
        }
    }

    async fn first_answer(self, channel: &mut dyn Channel) -> Result<Arrived, Error> {
        loop {
            let callback = channel.next().await?;
            let judge = match callback.is_code_alone() {
                true => judge_code,
                false => judge,
            };
            match judge(self.record, callback.query(), self.clock.now()) {
                Judgement::Code(code) if callback.is_code_alone() => {
                    let typed = Some(callback);
                    return Ok(Arrived { code, typed });
                }
                Judgement::Code(code) => {
                    callback.answer(CallbackVerdict::Accepted);
                    return Ok(Arrived { code, typed: None });
                }
                Judgement::Ended(error) => {
                    callback.answer(CallbackVerdict::Refused {
                        message: error.to_string(),
                    });
                    return Err(*error);
                }
                Judgement::Insufficient => callback.answer(CallbackVerdict::Insufficient),
                Judgement::Foreign => {
                    tracing::debug!("a callback without our state was ignored");
                    callback.answer(CallbackVerdict::Ignored);
                }
            }
        }
    }
}
