//! Runs one case, and holds against it whatever it should not have done.

use std::{collections::BTreeMap, fs, sync::Arc, thread, time::Duration};

use doorkey_http::Origin;

use super::{
    case::{Case, Verdict},
    drive::Driver,
    failure::Failure,
    leg::Leg,
    message, secrets,
    stage::{Stage, servers},
    watch::{Watched, watch},
};
use crate::{
    faults::loss::without_intent,
    sentinel::{Evidence, Place, files, leaks},
};

/// What is held against a case; nothing, if it went as it should.
pub(super) fn objections(case: &Case) -> Vec<String> {
    let stage = Arc::new(servers().block_on(Stage::new(case.leg, case.ground)));
    let watched = {
        let (case, stage) = (case.clone(), Arc::clone(&stage));
        watch(
            LIMIT,
            GRACE,
            move || async move { play(&case, &stage).await },
        )
    };
    let seen = Seen {
        case,
        stage: &stage,
    };
    let mut objections = seen.objections(watched);
    settle(case, &mut objections);
    objections
}

/// Takes out what is known, and says so when it is no longer true.
fn settle(case: &Case, objections: &mut Vec<String>) {
    for known in case.open {
        let count = objections.len();
        objections.retain(|objection| !objection.starts_with(known));
        if objections.len() == count {
            objections.push(format!(
                "it is marked as open, and is not any more: {known}"
            ));
        }
    }
}

/// What came of a case.
pub(super) struct Played {
    pub(super) outcome: Result<(), Failure>,
    pub(super) before: Records,
    pub(super) evidence: Vec<Evidence>,
    /// Page and code of a login on another device.
    pub(super) shown: Vec<String>,
    /// How the end of a session went wrong.
    pub(super) unclosed: Option<String>,
}

type Records = BTreeMap<String, Vec<u8>>;

async fn play(case: &Case, stage: &Stage) -> Played {
    let driver = Driver::new(stage, case.leg);
    if case.ground.early {
        (case.inflict)(stage, case.leg);
    }
    driver.prepare().await;
    let before = records(stage);
    if !case.ground.early {
        (case.inflict)(stage, case.leg);
    }
    let outcome = driver.run().await;
    Played {
        outcome,
        before,
        evidence: driver.evidence(),
        shown: driver.shown(),
        unclosed: driver.unclosed(),
    }
}

/// What is known after a case.
pub(super) struct Seen<'a> {
    pub(super) case: &'a Case,
    pub(super) stage: &'a Stage,
}

impl Seen<'_> {
    pub(super) fn objections(&self, watched: Watched<Played>) -> Vec<String> {
        let mut objections = Vec::new();
        for panic in &watched.panics {
            objections.push(format!("it panicked: {panic}"));
        }
        if watched.hangs {
            objections.push(format!("it took longer than {LIMIT:?}"));
        }
        self.await_pages();
        let undelivered = self.stage.undelivered().into_iter();
        objections.extend(undelivered.map(|what| format!("the attack was not delivered: {what}")));
        let mut evidence = vec![watched.log];
        if let Some(played) = watched.outcome {
            self.judge_verdict(&played, &mut objections);
            self.judge_opened(&played, &mut objections);
            objections.extend(played.unclosed);
            evidence.extend(played.evidence);
            if let Err(failure) = played.outcome {
                let text = failure.lines.join("\n");
                evidence.push(Evidence::new(Place::Text, "the message", text));
                evidence.extend(failure.evidence);
            }
        }
        self.judge_contacts(&mut objections);
        self.judge_secrets(evidence, &mut objections);
        objections
    }

    /// The browser comes to its end by itself: what it was told belongs to the case.
    fn await_pages(&self) {
        let mut waits = 0;
        while !self.stage.visitor.is_done() && waits < PAGES {
            thread::sleep(PAUSE);
            waits += 1;
        }
    }

    fn judge_verdict(&self, played: &Played, objections: &mut Vec<String>) {
        let expected = self.case.verdict;
        let (verdict, told) = match &played.outcome {
            Ok(()) => (Verdict::Works, String::from("nothing")),
            Err(failure) => (failure.verdict(), failure.told()),
        };
        if verdict != expected {
            objections.push(format!("expected: {expected}, seen: {verdict}\n{told}"));
        }
        if let Err(failure) = &played.outcome {
            message::judge(self.case.leg, failure, objections);
        }
        self.judge_loss(played, verdict, objections);
    }

    /// What was stored is there as it was, byte for byte, unless it was replaced by something better.
    fn judge_loss(&self, played: &Played, verdict: Verdict, objections: &mut Vec<String>) {
        let after = records(self.stage);
        let leg = self.case.leg;
        if matches!(leg, Leg::Revocation | Leg::Deregistration) {
            if after.keys().any(|name| name.starts_with("grant")) {
                objections.push("the grant is still there after a logout".to_owned());
            }
            return;
        }
        if verdict == Verdict::Works && !leg.is_session() {
            return;
        }
        for (name, record) in &played.before {
            let kept = after.get(name).is_some_and(|kept| match leg {
                Leg::Refresh => without_intent(kept) == without_intent(record),
                _ => kept == record,
            });
            if !kept {
                objections.push(format!("the record {name} is not what it was"));
            }
        }
    }

    /// Only pages that may be opened were.
    fn judge_opened(&self, played: &Played, objections: &mut Vec<String>) {
        let allowed = self.stage.allowed();
        let mut opened = self.stage.visitor.opened();
        opened.extend(
            played
                .shown
                .iter()
                .filter(|text| text.contains(':'))
                .cloned(),
        );
        for page in opened {
            let is_allowed = page
                .parse()
                .is_ok_and(|url: url::Url| allowed.contains(&Origin::from(&url)));
            if !is_allowed {
                let page: String = page.chars().take(80).collect();
                objections.push(format!("a page was to be opened: {page}"));
            }
        }
    }

    /// Nobody was asked who is not to be.
    fn judge_contacts(&self, objections: &mut Vec<String>) {
        for first in self.stage.trap.seen() {
            let first = String::from_utf8_lossy(&first[..first.len().min(40)]).into_owned();
            objections.push(format!("a connection to the trap: {first:?}"));
        }
        if self.case.ground.elsewhere {
            return;
        }
        for request in self.stage.recorder.requests() {
            if request.server == super::stage::ELSEWHERE {
                objections.push(format!("a request to a foreign origin: {request}"));
            }
        }
    }

    fn judge_secrets(&self, mut evidence: Vec<Evidence>, objections: &mut Vec<String>) {
        let secrets = secrets::of(self.stage);
        objections.extend(secrets::astray(&secrets, &self.stage.recorder.requests()));
        for answer in self.stage.visitor.seen() {
            evidence.push(Evidence::new(
                Place::Text,
                "the page of the listener",
                answer,
            ));
        }
        evidence.extend(files(self.stage.folder()));
        let pages = self.stage.visitor.opened();
        let evidence: Vec<_> = evidence
            .into_iter()
            .map(|said| match said.place {
                Place::Text => said.without_page(&pages),
                _ => said,
            })
            .collect();
        objections.extend(leaks(&secrets, &evidence));
    }
}

/// The stored grants and registrations, by the names of their files.
fn records(stage: &Stage) -> Records {
    let entries = fs::read_dir(stage.folder().join("state"));
    let entries = entries.into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let records = paths.filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("grant") && path.extension().is_some_and(|it| it == "json")
    });
    records
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let bytes = fs::read(&path).expect("a record");
            (name.into_owned(), bytes)
        })
        .collect()
}

/// The longest that any case may take.
pub(super) const LIMIT: Duration = Duration::from_secs(25);
/// For a runtime to be taken down on a busy machine.
const GRACE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);
const PAGES: usize = 4000;
