//! What every message of a failure has to say, whatever its words are: where, which status, and what to do next.

use integration::Run;

use super::{condition::Condition, leg::Leg, loss};

/// Checks what the person read.
pub(crate) fn check(leg: Leg, condition: Condition, run: &Run) {
    if leg.signs_out() {
        // A logout reports each step by itself; the login is gone from here in any case.
        assert_eq!(run.code, 0, "{leg:?}, {condition}: {run}");
        return;
    }
    if run.code == 0 {
        return;
    }
    let describe = |what: &str| format!("{what}, {leg:?} under {condition}: {run}");
    let (_, error) = run.stderr.split_once("error[").unwrap_or_default();
    assert!(
        error.contains("]: "),
        "{}",
        describe("no error with a code")
    );
    let is_where = error.contains("https://") || is_timed_by_the_session(leg, condition);
    assert!(is_where, "{}", describe("no URL"));
    if let Some(status) = shown_status(leg, condition) {
        let status = status.to_string();
        assert!(error.contains(&status), "{}", describe("no status"));
    }
    assert!(error.contains("\nnext: "), "{}", describe("no next step"));
    if leg.is_mcp() && matches!(condition, Condition::Status(429 | 503)) {
        let waits = error.contains("\nnext: try again in 7 s");
        assert!(waits, "{}", describe("no time to wait"));
    }
    let secrets = ["Bearer ", "at-", "rt-", "code="];
    let leaked = secrets.iter().any(|secret| run.stderr.contains(secret));
    assert!(!leaked, "{}", describe("a secret"));
}

/// The limit of a whole call names the server and the setting; no request of it has failed.
fn is_timed_by_the_session(leg: Leg, condition: Condition) -> bool {
    leg == Leg::ToolsList && condition == Condition::Slow
}

/// The status that the person has to read.
fn shown_status(leg: Leg, condition: Condition) -> Option<u16> {
    let Condition::Status(status) = condition else {
        return None;
    };
    let is_followed = condition == Condition::Status(302)
        && matches!(
            leg,
            Leg::ResourceMetadata | Leg::AuthorizationServerMetadata
        );
    // A 401 is answered, with a refresh or a login; what is told is how that ended.
    let is_answered = leg.is_mcp() && condition == Condition::Status(401);
    (!is_followed && !is_answered && !loss::is_challenge(leg, condition)).then_some(status)
}
