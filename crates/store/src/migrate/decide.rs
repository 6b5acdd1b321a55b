//! Which of two records of one key counts.

use zeroize::Zeroizing;

use super::{MigrateOptions, Newer};
use crate::{Defect, RawRecord, RecordKind, codec};

/// What becomes of a record.
pub(super) enum Decision {
    /// The target gets it.
    Copy,
    /// The target has it, or one that counts before it.
    Drop,
    /// Nobody here can decide.
    Conflict(Option<Newer>),
}

/// What becomes of a record of the source, by what the target has.
pub(super) fn decide(
    kind: RecordKind,
    source: &RawRecord,
    wanted: &[u8],
    target: Option<&RawRecord>,
    options: MigrateOptions,
) -> Decision {
    let Some(target) = target else {
        return Decision::Copy;
    };
    if canonical(kind, &target.bytes).is_ok_and(|found| *found == *wanted) {
        return Decision::Drop;
    }
    if matches!(kind, RecordKind::Facts | RecordKind::Issuer) {
        return Decision::Drop;
    }
    let newer = match (made_at(kind, &source.bytes), made_at(kind, &target.bytes)) {
        (Some(source), Some(target)) if source > target => Some(Newer::Source),
        (Some(source), Some(target)) if source < target => Some(Newer::Target),
        _ => None,
    };
    let is_one_history = is_one_history(kind, &source.bytes, &target.bytes);
    let newer_wins = options.newer_wins || is_one_history;
    // Times are in seconds, and what is noted of a login changes none.
    let newer = newer.or(options.in_use.filter(|_| is_one_history));
    match newer {
        Some(Newer::Source) if newer_wins => Decision::Copy,
        Some(Newer::Target) if newer_wins => Decision::Drop,
        // What is known of logins lasts for minutes: nobody is asked about it.
        None if kind == RecordKind::Login => Decision::Drop,
        newer => Decision::Conflict(newer),
    }
}

/// Whether one of the two is the other as it was, such as the copy of a migration that stopped, or what was left behind by one: then
/// the newer one counts, and the older one holds at most a refresh token that is spent.
fn is_one_history(kind: RecordKind, source: &[u8], target: &[u8]) -> bool {
    match kind {
        RecordKind::Grant => {
            let login = |bytes| codec::decode_grant(bytes).ok()?.login_id;
            login(source).is_some_and(|of_source| login(target) == Some(of_source))
        }
        RecordKind::Registration => {
            let client = |bytes| Some(codec::decode_registration(bytes).ok()?.client_id);
            client(source).is_some_and(|of_source| client(target) == Some(of_source))
        }
        RecordKind::Login => true,
        RecordKind::Facts | RecordKind::Issuer => false,
    }
}

/// The bytes of a record as this version writes them, whatever order and spacing a store gave them; or why they are no record.
pub(super) fn canonical(kind: RecordKind, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, Defect> {
    let encoded = match kind {
        RecordKind::Grant => codec::encode_grant(&codec::decode_grant(bytes)?),
        RecordKind::Registration => codec::encode_registration(&codec::decode_registration(bytes)?),
        RecordKind::Facts => codec::encode_facts(&codec::decode_facts(bytes)?),
        RecordKind::Login => codec::encode_login(&codec::decode_login(bytes)?),
        RecordKind::Issuer => codec::encode_issuer_facts(&codec::decode_issuer_facts(bytes)?),
    };
    // What was just read can be written.
    encoded.map_err(|_| Defect::NotAnObject)
}

/// When what a record holds came to be, in seconds since the Unix epoch, where it says so.
fn made_at(kind: RecordKind, bytes: &[u8]) -> Option<u64> {
    match kind {
        RecordKind::Grant => Some(codec::decode_grant(bytes).ok()?.issued_at),
        RecordKind::Registration => Some(codec::decode_registration(bytes).ok()?.registered_at),
        RecordKind::Login => {
            let login = codec::decode_login(bytes).ok()?;
            let pending = login.pending.map(|pending| pending.started_at);
            pending.max(login.recent_starts.last().copied())
        }
        RecordKind::Facts | RecordKind::Issuer => None,
    }
}
