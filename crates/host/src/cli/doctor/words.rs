//! A diagnosis for people: the steps in short, then what is wrong and what to do.

use doorkey::doctor::{Diagnosis, Evidence, Finding, Severity, Status, StepReport};

/// The lines of a diagnosis.
pub(crate) fn page(diagnosis: &Diagnosis) -> Vec<String> {
    let mut lines = vec![head(diagnosis), String::new()];
    lines.extend(diagnosis.steps.iter().flat_map(step));
    lines.push(String::new());
    match diagnosis.findings.len() {
        0 if diagnosis.steps.iter().any(|it| it.status == Status::Failed) => {}
        0 => lines.push("Nothing is wrong.".to_owned()),
        1 => lines.push("One thing is wrong:".to_owned()),
        more => lines.push(format!(
            "{more} things are wrong, the most likely cause first:"
        )),
    }
    for (index, finding) in diagnosis.findings.iter().enumerate() {
        lines.push(String::new());
        lines.extend(self::finding(index + 1, finding));
    }
    lines
}

fn head(diagnosis: &Diagnosis) -> String {
    let url = diagnosis
        .url
        .as_deref()
        .filter(|url| *url != diagnosis.server);
    let mut head = diagnosis.server.clone();
    if let Some(url) = url {
        head.push_str(&format!("  {url}"));
    }
    if let Some(account) = &diagnosis.account {
        head.push_str(&format!("  as {account}"));
    }
    head
}

fn step(step: &StepReport) -> Vec<String> {
    let mark = match step.status {
        Status::Ok => "ok  ",
        Status::Warning => "warn",
        Status::Failed => "FAIL",
        _ => "-   ",
    };
    let took = step
        .took_ms
        .map_or_else(String::new, |took| format!("{took} ms"));
    let title = step.step.title();
    let detail = match step.status {
        Status::Skipped => format!("skipped: {}", step.detail),
        _ => step.detail.clone(),
    };
    let mut lines = vec![format!("{mark}  {title:<30} {took:>8}  {detail}")];
    if step.status == Status::Failed && step.places.len() > 1 {
        lines.extend(step.places.iter().map(|place| format!("      {place}")));
    }
    lines
}

fn finding(number: usize, finding: &Finding) -> Vec<String> {
    let severity = match finding.severity {
        Severity::Error => "",
        _ => "warning: ",
    };
    let mut lines = vec![
        format!("{number}. {severity}{} [{}]", finding.title, finding.id),
        format!("   {}", finding.means),
    ];
    lines.extend(finding.evidence.as_ref().map(evidence));
    let mut sources = vec![format!("rule {}", finding.rule)];
    sources.extend(finding.section.clone());
    sources.extend(
        finding
            .quirk
            .as_ref()
            .map(|quirk| format!("known quirk {quirk}")),
    );
    lines.push(format!("   by: {}", sources.join("; ")));
    lines.push(format!("   do: {}", finding.mend.text));
    if let Some(command) = &finding.mend.command {
        lines.push(format!("       $ {command}"));
    }
    if let Some(config) = &finding.mend.config {
        lines.push("       in config.toml:".to_owned());
        lines.extend(config.lines().map(|line| format!("         {line}")));
    }
    if let (Some(operator), Some(message)) = (&finding.mend.operator, &finding.mend.message) {
        lines.push(format!("       tell the operator of {operator}:"));
        lines.push(format!("         {message}"));
    }
    lines
}

fn evidence(evidence: &Evidence) -> String {
    let mut parts = Vec::new();
    if let Some(leg) = &evidence.leg {
        parts.push(format!("{leg}:"));
    }
    parts.extend(evidence.method.clone());
    parts.extend(evidence.url.clone());
    let mut line = format!("   seen: {}", parts.join(" "));
    if let Some(status) = evidence.status {
        line.push_str(&format!(" answered {status}"));
    }
    if let Some(excerpt) = &evidence.excerpt {
        line.push_str(&format!(", {excerpt:?}"));
    }
    line
}
