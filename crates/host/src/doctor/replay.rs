//! A diagnosis out of a file: whoever wrote it may say what is wrong, and not what to type.

use std::collections::BTreeSet;

use super::diagnosis::{Diagnosis, Evidence, Finding, Mend, Values};
use super::fill::Subject;
use super::table;
use crate::ErrorCode;

/// The same with every text of ours from the table of this version, and the rest cleaned and bounded.
pub(super) fn doubted(mut diagnosis: Diagnosis) -> Diagnosis {
    line(&mut diagnosis.server);
    line(&mut diagnosis.examined_at);
    for text in [&mut diagnosis.url, &mut diagnosis.account] {
        maybe(text);
    }
    diagnosis.steps.truncate(MOST);
    diagnosis.findings.truncate(MOST);
    diagnosis.quirks.truncate(MOST);
    for step in &mut diagnosis.steps {
        line(&mut step.detail);
        step.rules = step.step.rules().iter().map(ToString::to_string).collect();
        lines(&mut step.places);
    }
    let (url, account) = (diagnosis.url.as_deref(), diagnosis.account.as_deref());
    let subject = Subject::new(&diagnosis.server, account, url);
    for it in &mut diagnosis.findings {
        finding(it, &subject);
    }
    for quirk in &mut diagnosis.quirks {
        for text in [
            &mut quirk.id,
            &mut quirk.state,
            &mut quirk.what,
            &mut quirk.because,
            &mut quirk.date,
        ] {
            line(text);
        }
        lines(&mut quirk.source);
    }
    diagnosis
}

fn finding(finding: &mut Finding, subject: &Subject) {
    line(&mut finding.id);
    maybe(&mut finding.quirk);
    if let Some(evidence) = &mut finding.evidence {
        let Evidence {
            leg,
            method,
            url,
            excerpt,
            ..
        } = evidence;
        [leg, method, url, excerpt].into_iter().for_each(maybe);
    }
    let code = finding.code.take();
    finding.code = code.filter(|code| ErrorCode::named(code).is_some());
    let had: BTreeSet<_> = finding.values.keys().cloned().collect();
    let mut values = Values::new();
    for name in NAMES {
        let mut text = finding.values.remove(name).unwrap_or_default();
        line(&mut text);
        values.insert(name, text);
    }
    // They are those of the head of the page.
    values.insert("name", subject.name().to_owned());
    values.insert("login", subject.arguments());
    finding.values = super::fill::kept(&values);
    finding.values.retain(|name, _| had.contains(name));
    match table::faults().find(|fault| fault.id == finding.id) {
        Some(fault) => {
            finding.class = fault.class;
            finding.severity = fault.severity;
            subject.tell(fault, &values, finding);
        }
        None => {
            "this version knows no such fault".clone_into(&mut finding.title);
            line(&mut finding.means);
            line(&mut finding.rule);
            finding.section = None;
            finding.mend = Mend {
                text: "Update doorkey, or examine the server anew.".to_owned(),
                ..Mend::default()
            };
        }
    }
}

fn line(text: &mut String) {
    *text = doorkey_http::clean_text(text, LONGEST);
}

fn maybe(text: &mut Option<String>) {
    if let Some(text) = text {
        line(text);
    }
}

fn lines(all: &mut Vec<String>) {
    all.truncate(MOST);
    all.iter_mut().for_each(line);
}

/// What texts of the table are filled in with.
const NAMES: [&str; 7] = ["issuer", "origin", "url", "at", "status", "value", "page"];
/// The most of each list.
const MOST: usize = 64;
/// The longest text, in characters.
const LONGEST: usize = 500;
