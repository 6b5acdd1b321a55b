//! The server's answer to `server/discover`, and for how long and for whom it holds (MCP 2026-07-28, caching: SEP-2549).

use std::time::{Duration, SystemTime};

use rmcp::model::{DiscoverResult, JsonRpcMessage, ServerJsonRpcMessage, ServerResult};
use serde_json::Value;

/// An answer to `server/discover` with the moment it came.
///
/// The server says how long it holds (`ttlMs`) and whether it holds for everybody or only for who asked (`cacheScope`).
/// Whoever keeps it for later heeds both: the time is heeded by [`connect`](crate::connect) too, which asks anew what is
/// no longer [fresh](Self::is_fresh); of whose answer it is given it knows nothing.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Discovery {
    /// The result as the server gave it.
    pub answer: Value,
    /// When it came.
    pub received_at: SystemTime,
}

impl Discovery {
    /// An answer, and when it came.
    #[must_use]
    pub const fn new(answer: Value, received_at: SystemTime) -> Self {
        Self {
            answer,
            received_at,
        }
    }

    /// How long the server allows the answer to be used; zero if it allows nothing.
    #[must_use]
    pub fn time_to_live(&self) -> Duration {
        let milliseconds = self.answer.get("ttlMs").and_then(Value::as_u64);
        Duration::from_millis(milliseconds.unwrap_or_default())
    }

    /// Whether the answer may be used for any account; if not, only for the one that asked.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.answer.get("cacheScope").and_then(Value::as_str) == Some("public")
    }

    /// Whether the answer may still be used at `now`. One that came later than that was kept by a clock that is not to
    /// be trusted, and may not.
    #[must_use]
    pub fn is_fresh(&self, now: SystemTime) -> bool {
        now.duration_since(self.received_at)
            .is_ok_and(|age| age < self.time_to_live())
    }

    /// The answer that settled a connection, if it is one to `server/discover`.
    pub(crate) fn of(answer: &ServerJsonRpcMessage, received_at: SystemTime) -> Option<Self> {
        let JsonRpcMessage::Response(response) = answer else {
            return None;
        };
        let ServerResult::DiscoverResult(result) = &response.result else {
            return None;
        };
        let answer = serde_json::to_value(result).ok()?;
        Some(Self::new(answer, received_at))
    }

    /// What it says, if that can be read.
    pub(crate) fn result(&self) -> Option<DiscoverResult> {
        serde_json::from_value(self.answer.clone()).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CAME: Duration = Duration::from_secs(1_000_000);

    #[test]
    fn an_answer_is_fresh_for_as_long_as_the_server_said() {
        let second = Duration::from_secs(1);
        for (answer, asked_at, fresh) in [
            (json!({ "ttlMs": 5000 }), CAME, true),
            (json!({ "ttlMs": 5000 }), CAME + 4 * second, true),
            (json!({ "ttlMs": 5000 }), CAME + 5 * second, false),
            (json!({ "ttlMs": 5000 }), CAME - second, false),
            (json!({ "ttlMs": u64::MAX }), CAME * 2, true),
            (json!({ "ttlMs": 0 }), CAME, false),
            (json!({ "ttlMs": -1 }), CAME, false),
            (json!({ "ttlMs": "5000" }), CAME, false),
            (json!({}), CAME, false),
            (json!(null), CAME, false),
        ] {
            let discovery = Discovery::new(answer, SystemTime::UNIX_EPOCH + CAME);
            let now = SystemTime::UNIX_EPOCH + asked_at;
            assert_eq!(discovery.is_fresh(now), fresh, "{discovery:?} at {now:?}");
        }
    }

    #[test]
    fn an_answer_is_for_everybody_only_if_the_server_says_so() {
        for (answer, public) in [
            (json!({ "cacheScope": "public" }), true),
            (json!({ "cacheScope": "private" }), false),
            (json!({ "cacheScope": "" }), false),
            (json!({}), false),
        ] {
            let discovery = Discovery::new(answer, SystemTime::UNIX_EPOCH);
            assert_eq!(discovery.is_public(), public, "{discovery:?}");
        }
    }
}
