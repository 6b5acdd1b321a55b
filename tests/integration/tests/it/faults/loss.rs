//! That nothing was lost: the stored bytes before and after, and the few rules by which they may differ.

use integration::{Records, Run};
use serde_json::Value;

use super::{condition::Condition, leg::Leg};

/// Compares the stored records of before and after the command.
pub(crate) fn check(leg: Leg, condition: Condition, run: &Run, before: &Records, after: &Records) {
    let describe = |what: &str| format!("{what}, {leg:?} under {condition}: {run}");
    if leg.signs_out() {
        let grants = after.keys().filter(|name| is_grant(name)).count();
        assert_eq!(grants, 0, "{}", describe("the grant stays"));
        // Whoever asks to be forgotten is forgotten here, whatever the network says.
        let forgets = leg == Leg::Deregistration;
        let kept = registrations(before) == registrations(after);
        assert_eq!(kept, !forgets, "{}", describe("the registration"));
        return;
    }
    if renews_the_grant(leg, condition, run) {
        let kept = before.keys().all(|name| after.contains_key(name));
        assert!(kept, "{}", describe("a record is gone"));
        for record in after.values() {
            let value = value(record);
            let is_grant = value["kind"] == "grant";
            let refreshable = value["value"]["refresh_token"].is_string();
            assert!(!is_grant || refreshable, "{}", describe("no refresh token"));
        }
        return;
    }
    if leg == Leg::Refresh {
        for (name, record) in before {
            let kept = after.get(name).map(|record| without_intent(record));
            assert_eq!(kept, Some(without_intent(record)), "{}", describe(name));
        }
        return;
    }
    assert!(before == after, "{}", describe("the stored bytes differ"));
}

/// A bare 401 to the first request is a challenge: the login goes on.
pub(crate) fn is_challenge(leg: Leg, condition: Condition) -> bool {
    leg == Leg::Probe && condition == Condition::Status(401)
}

/// The challenge came, and only the proof fails: the server's proper answer bore the wrong type.
pub(crate) fn is_after_the_login(leg: Leg, condition: Condition) -> bool {
    leg == Leg::Probe && condition == Condition::WrongType
}

/// The authorization server took the refresh token and its answer never arrived: nobody can have it back.
pub(crate) fn spends_the_refresh_token(leg: Leg, condition: Condition) -> bool {
    leg == Leg::Refresh && condition == Condition::Lost
}

/// Where tokens were issued in spite of the condition: a login or refresh that succeeded, or a 401 that was answered by
/// a refresh.
fn renews_the_grant(leg: Leg, condition: Condition, run: &Run) -> bool {
    let succeeded = run.code == 0 && (leg.signs_in() || leg == Leg::Refresh);
    let refreshed = leg.is_mcp() && condition == Condition::Status(401);
    succeeded || refreshed || is_after_the_login(leg, condition)
}

fn registrations(records: &Records) -> Vec<(&String, &Vec<u8>)> {
    records.iter().filter(|(name, _)| !is_grant(name)).collect()
}

fn is_grant(name: &str) -> bool {
    name.starts_with("grant")
}

/// A grant but for the notes on when a refresh was begun and may be next, and the generation of the write that made them.
pub(crate) fn without_intent(record: &[u8]) -> Value {
    let mut value = value(record);
    value["generation"].take();
    if let Some(grant) = value["value"].as_object_mut() {
        for note in [
            "refresh_started_at",
            "recent_refreshes",
            "refresh_not_before",
        ] {
            grant.remove(note);
        }
    }
    value
}

fn value(record: &[u8]) -> Value {
    serde_json::from_slice(record).expect("a record is JSON")
}
