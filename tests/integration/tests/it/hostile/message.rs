//! What every message has to say, whatever its words are: where, about whom, and what to do next.

use super::{case::Verdict, failure::Failure, leg::Leg};

impl Failure {
    /// What kind of failure it is.
    pub(super) fn verdict(&self) -> Verdict {
        if self.needs_login {
            Verdict::Login
        } else if self.is_transient {
            Verdict::Passing
        } else {
            Verdict::Refused
        }
    }

    /// What a person reads.
    pub(super) fn told(&self) -> String {
        format!(
            "  {}\n  next: {}",
            self.lines.join("\n  caused by: "),
            self.next
        )
    }
}

/// Holds against a message what it lacks, and what it should not have.
pub(super) fn judge(leg: Leg, failure: &Failure, objections: &mut Vec<String>) {
    let text = failure.lines.join("\n");
    let mut object = |what: &str| objections.push(format!("{what}:\n{}", failure.told()));
    if !leg.words().iter().any(|word| text.contains(word)) {
        object("the message does not name the leg");
    }
    // What is about a call as a whole names the server as it is configured; no request of it has failed.
    // Who sent a browser back is not known; the name of the server stands for the login.
    let is_by_name = leg == Leg::Callback || NAMED.iter().any(|words| text.contains(words));
    if !is_by_name && !text.contains("://") {
        object("the message names no URL");
    }
    if failure.next.trim().is_empty() {
        object("the message names no next step");
    }
    if failure.next.chars().any(is_unfit) || failure.next.chars().count() > LINE {
        object("the next step is not fit to be shown");
    }
    for line in &failure.lines {
        if line.chars().any(is_unfit) {
            object("the message has characters that are not to be shown");
        }
        if line.chars().count() > LINE {
            object("a line of the message is too long");
        }
    }
    if text.chars().count() > WHOLE {
        object("the message is too long");
    }
}

/// Control characters, and those that reorder or hide what follows.
fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

const NAMED: &[&str] = &[
    "\"it\" did not answer",
    "of \"it\" failed",
    "nobody completed the login",
    "of the challenge cannot be used",
    // An entry that is no URL stands there as it is.
    "\"javascript:alert(1)\": ",
];
const LINE: usize = 1500;
const WHOLE: usize = 6000;
