//! A diagnosis for people: the steps in short, then what is wrong and what to do.

use doorkey::doctor::{Diagnosis, Evidence, Finding, Mend, Severity, Status, Step, StepReport};

use crate::cli::columns::wrapped;
use crate::cli::output::clean;

/// The lines of a diagnosis, at most so many characters wide where words allow it.
pub(crate) fn page(diagnosis: &Diagnosis, width: usize) -> Vec<String> {
    let mut lines = vec![head(diagnosis), String::new()];
    lines.extend(steps(&diagnosis.steps, width));
    lines.push(String::new());
    lines.push(match diagnosis.findings.len() {
        0 if untried(diagnosis).is_some() => "Nothing is wrong as far as was looked at.".to_owned(),
        0 => "Nothing is wrong.".to_owned(),
        1 => "One thing is not as it should be:".to_owned(),
        more => format!("{more} things are not as they should be, the most likely cause first:"),
    });
    if let Some(untried) = untried(diagnosis) {
        lines.extend(wrapped(&clean(&untried), width));
    }
    for (index, finding) in diagnosis.findings.iter().enumerate() {
        lines.push(String::new());
        lines.extend(self::finding(index + 1, finding, diagnosis, width));
    }
    let on = diagnosis.quirks.iter().filter(|quirk| quirk.state == "on");
    for quirk in on {
        lines.push(String::new());
        let text = format!(
            "Known of this server ({}): {} ({})",
            quirk.id, quirk.what, quirk.because
        );
        lines.extend(wrapped(&clean(&text), width));
    }
    lines
}

/// What was left out although nothing is known to keep it from working.
fn untried(diagnosis: &Diagnosis) -> Option<String> {
    if diagnosis.class().is_some() {
        return None;
    }
    let mut skipped = diagnosis.steps.iter();
    let first = skipped.find(|it| it.step == Step::Initialize && it.status == Status::Skipped)?;
    Some(format!(
        "No session was opened and no tool was listed: {}.",
        first.detail
    ))
}

fn head(diagnosis: &Diagnosis) -> String {
    let mut head = clean(&diagnosis.server);
    if let Some(url) = diagnosis.url.as_deref().filter(|url| *url != head) {
        head.push_str(&format!("  {}", clean(url)));
    }
    if let Some(account) = &diagnosis.account {
        head.push_str(&format!("  as {}", clean(account)));
    }
    head
}

/// One line for each step, and one for all in a row that were skipped for the same reason.
fn steps(steps: &[StepReport], width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = steps;
    while let Some(first) = rest.first() {
        let is_like = |it: &&StepReport| it.status == first.status && it.detail == first.detail;
        let alike = match first.status {
            Status::Skipped => rest.iter().take_while(is_like).count(),
            _ => 1,
        };
        let (row, after) = rest.split_at(alike);
        lines.extend(step(row, width));
        rest = after;
    }
    lines
}

fn step(row: &[StepReport], width: usize) -> Vec<String> {
    let Some(first) = row.first() else {
        return Vec::new();
    };
    let mark = match first.status {
        Status::Ok => "ok",
        Status::Warning => "warn",
        Status::Failed => "FAIL",
        _ => "--",
    };
    let title = match row {
        [.., last] if row.len() > 1 => format!("{} to {}", first.step.title(), last.step.title()),
        _ => first.step.title().to_owned(),
    };
    let rule = match row.len() {
        1 => first.rules.first().map_or("", String::as_str),
        _ => "",
    };
    let took = first
        .took_ms
        .map_or_else(String::new, |took| format!("{took} ms"));
    let detail = match first.status {
        Status::Skipped => format!("not done: {}", first.detail),
        _ => first.detail.clone(),
    };
    let mut beside = match row.len() {
        1 => format!("{mark:<4}  {title:<20}  {rule:<7} {took:>8}"),
        _ => format!("{mark:<4}  {title}"),
    };
    let mut lines = Vec::new();
    let room = width.saturating_sub(DETAILS_AT).max(LEAST_ROOM);
    for part in wrapped(&clean(&detail), room) {
        lines.push(format!("{beside:<BESIDE$}  {part}").trim_end().to_owned());
        beside.clear();
    }
    if first.places.len() > 1 {
        let room = width.saturating_sub(PLACES_AT.len() + 2).max(LEAST_ROOM);
        for place in &first.places {
            let mut before = "- ";
            for part in wrapped(&clean(place), room) {
                lines.push(format!("{PLACES_AT}{before}{part}"));
                before = "  ";
            }
        }
    }
    lines
}

fn finding(number: usize, finding: &Finding, of: &Diagnosis, width: usize) -> Vec<String> {
    let title = match finding.severity {
        Severity::Error => finding.title.clone(),
        _ => format!("{} (it may work all the same)", finding.title),
    };
    let mut lines = wrapped(&clean(&format!("{number}. {title}")), width);
    let means = wrapped(&clean(&finding.means), width.saturating_sub(3));
    lines.extend(means.into_iter().map(|line| format!("   {line}")));
    let seen = finding.evidence.as_ref().and_then(evidence);
    lines.extend(labelled("seen", seen.as_deref(), width));
    lines.extend(labelled("do", Some(&finding.mend.text), width));
    lines.extend(mend(&finding.mend, width));
    let mut sources = vec![
        format!("doorkey explain {}", finding.id),
        finding.rule.clone(),
    ];
    sources.extend(finding.section.clone());
    sources.extend(finding.quirk.as_ref().map(|id| {
        let mut known = of.quirks.iter();
        match known.any(|quirk| quirk.id == *id && quirk.state == "off") {
            true => format!("quirk {id} (switched off)"),
            false => format!("quirk {id}"),
        }
    }));
    lines.extend(labelled("see", Some(&sources.join(", ")), width));
    lines
}

fn mend(mend: &Mend, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(command) = &mend.command {
        lines.push(format!("{INDENT}  $ {command}"));
    }
    if let Some(config) = &mend.config {
        lines.push(format!("{INDENT}in config.toml:"));
        lines.extend(config.lines().map(|line| format!("{INDENT}  {line}")));
    }
    if let (Some(operator), Some(message)) = (&mend.operator, &mend.message) {
        lines.push(format!("{INDENT}to tell the operator of {operator}:"));
        let room = width.saturating_sub(INDENT.len() + 2).max(LEAST_ROOM);
        let message = wrapped(&clean(message), room);
        lines.extend(message.into_iter().map(|line| format!("{INDENT}  {line}")));
    }
    lines
}

fn labelled(label: &str, text: Option<&str>, width: usize) -> Vec<String> {
    let Some(text) = text else {
        return Vec::new();
    };
    let room = width.saturating_sub(INDENT.len()).max(LEAST_ROOM);
    let mut label = label.to_owned();
    let mut lines = Vec::new();
    for part in wrapped(&clean(text), room) {
        lines.push(format!("   {label:<5} {part}"));
        label.clear();
    }
    lines
}

fn evidence(evidence: &Evidence) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(evidence.leg.as_ref().map(|leg| format!("{leg} request")));
    parts.extend(evidence.method.clone());
    parts.extend(evidence.url.clone());
    let mut line = parts.join(" ");
    if let Some(status) = evidence.status {
        line.push_str(&format!(" answered {status}"));
    }
    if let Some(excerpt) = &evidence.excerpt {
        line.push_str(&format!(": {excerpt}"));
    }
    (!line.is_empty()).then_some(line)
}

/// How wide the columns before the details of a step are, and where those begin.
const BESIDE: usize = 44;
const DETAILS_AT: usize = BESIDE + 2;
const PLACES_AT: &str = "      ";
const LEAST_ROOM: usize = 24;
const INDENT: &str = "         ";
