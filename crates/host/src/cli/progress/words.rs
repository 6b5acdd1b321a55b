//! What a person is told who signs in.

use std::time::Duration;

use doorkey::{Advice, PasteProblem};
use doorkey_http::clean_text;

use super::Opening;

/// Before the address of the page.
pub(super) fn before_page(opening: Opening, why_no_browser: Option<&str>) -> String {
    match (opening, why_no_browser) {
        (Opening::Browser, _) => {
            "Opening your browser. If nothing opens, open this page:".to_owned()
        }
        (Opening::ByHand, _) => "Open this page in any browser:".to_owned(),
        (Opening::NoBrowserHere, Some(why)) => {
            format!("There is no browser here ({why}). Open this page in any browser:")
        }
        (Opening::NoBrowserHere, None) => {
            "There is no browser here. Open this page in any browser:".to_owned()
        }
    }
}

/// Before a QR code of the page. A phone has a loopback of its own; `finish` is the command that takes what it ends at,
/// where this program does not wait for it.
pub(super) fn scan(redirect_uri: &str, finish: Option<&str>) -> String {
    if !redirect_uri.starts_with("http://") {
        return "Or scan this with a phone:".to_owned();
    }
    let bring = match finish {
        Some(finish) => format!("bring the address that it ends at here, and give it to {finish}."),
        None => "bring the address that it ends at here, and paste it.".to_owned(),
    };
    format!("Or scan this with a phone. The phone cannot get back here: you have to {bring}")
}

/// How the browser's answer gets here.
pub(super) struct Back {
    pub(super) opening: Opening,
    /// The beginning of the address that the browser ends at.
    pub(super) begins: String,
    pub(super) advice: Option<Advice>,
    pub(super) can_paste: bool,
}

impl Back {
    /// What to do at the end, one paragraph each.
    pub(super) fn paragraphs(self) -> Vec<String> {
        let Self {
            opening,
            begins,
            advice,
            can_paste,
        } = self;
        let mut paragraphs = Vec::new();
        // A browser that was opened here gets back by itself, but for what the advice is about.
        let is_apart = opening != Opening::Browser || advice.is_some();
        if can_paste && is_apart {
            paragraphs.push(format!(
                "When you have signed in, the browser goes to an address that begins with\n\n  {begins}\n\nIf the browser \
                 is on this machine, that is all. On another machine the page does not load, and need not: copy its \
                 whole address and paste it here. If you are shown a code instead, paste the code: only a code that you saw \
                 yourself, never one that somebody sent you.\n"
            ));
        } else if can_paste {
            paragraphs.push(
                "If that browser is on another machine, paste here the address that it ends at."
                    .to_owned(),
            );
        } else if opening != Opening::Browser {
            paragraphs.push(format!(
                "In the end the browser has to get to {begins} on this machine."
            ));
        }
        paragraphs.extend(advice.map(|advice| format!("{advice}\n")));
        paragraphs
    }
}

/// What is waited for.
pub(super) fn waiting(opening: Opening, can_paste: bool) -> &'static str {
    match (opening, can_paste) {
        (Opening::Browser, _) | (_, false) => "waiting for the browser",
        (_, true) => "paste the address or code here",
    }
}

/// Why a code is shown where a page was asked for.
pub(super) fn why_code(why_no_browser: Option<&str>) -> String {
    let why = why_no_browser.map(|why| format!(" ({why})"));
    format!(
        "There is no browser here{}, so sign in on another device.\n",
        why.unwrap_or_default()
    )
}

/// What was wrong with a paste, and what to do.
pub(super) fn paste(problem: PasteProblem, server: &str, begins: &str) -> String {
    match problem {
        PasteProblem::OtherAddress => format!(
            "That is the address of another page. Sign in to the end; the address to paste begins with {begins}"
        ),
        PasteProblem::StillThere => format!(
            "That is a page of {server}: you are not through there yet, or it shows an error. Sign in to the end; the \
             address to paste begins with {begins}"
        ),
        PasteProblem::Incomplete => {
            "That address is not whole. Copy all of it, to its end, and paste it again.".to_owned()
        }
        PasteProblem::OtherLogin => {
            "That is of another login. Open the page above, and paste the address that it ends at."
                .to_owned()
        }
        PasteProblem::NeedsAddress => format!(
            "A code alone is not enough for {server}. Paste the whole address that the browser ended at, which begins with \
             {begins}"
        ),
        PasteProblem::CodeRefused => format!(
            "{server} does not take that code: it is mistyped, used or too old. Paste it again, or open the page above once \
             more."
        ),
        _ => format!(
            "That is neither an address nor a code. Copy the whole address that the browser ended at; it begins with \
             {begins}"
        ),
    }
}

/// `text` in lines of that many columns, broken between words. What is indented is to be copied, and stays in one piece.
pub(super) fn filled(text: &str, columns: usize) -> String {
    let lines = text.split('\n').map(|line| {
        if line.starts_with(' ') {
            return line.to_owned();
        }
        let (mut filled, mut width) = (String::new(), 0);
        for word in line.split(' ') {
            let length = crate::cli::columns::columns(word);
            if width > 0 && width + 1 + length > columns {
                filled.push('\n');
                width = 0;
            } else if width > 0 {
                filled.push(' ');
                width += 1;
            }
            filled.push_str(word);
            width += length;
        }
        filled
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// An address up to what differs from login to login.
pub(super) fn beginning(redirect_uri: &str) -> String {
    let beginning = redirect_uri.split('?').next().unwrap_or_default();
    clean_text(beginning, usize::MAX)
}

/// A time as people say it.
pub(super) fn span(limit: Duration) -> String {
    match limit.as_secs() {
        60 => "1 minute".to_owned(),
        seconds if seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} seconds"),
    }
}

/// A time as it runs out.
pub(super) fn countdown(left: Duration) -> String {
    // What is left of a second is a second, so that the first to be seen is the limit itself.
    let seconds = left.as_millis().div_ceil(1000);
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_what_is_to_be_copied_is_not() {
        let text = "one two three\n\n  ssh -N -L 1:2:3 a@b\nfour";
        assert_eq!(
            filled(text, 8),
            "one two\nthree\n\n  ssh -N -L 1:2:3 a@b\nfour"
        );
        assert_eq!(filled("unbreakable it is", 4), "unbreakable\nit\nis");
        assert_eq!(filled(text, 80), text);
    }

    #[test]
    fn times_are_said_and_counted_down() {
        let seconds = Duration::from_secs;
        assert_eq!(span(seconds(300)), "5 minutes");
        assert_eq!(span(seconds(60)), "1 minute");
        assert_eq!(span(seconds(75)), "75 seconds");
        assert_eq!(countdown(seconds(300)), "5:00");
        assert_eq!(countdown(Duration::from_millis(299_001)), "5:00");
        assert_eq!(countdown(seconds(9)), "0:09");
        assert_eq!(countdown(seconds(3661)), "1:01:01");
        assert_eq!(countdown(Duration::ZERO), "0:00");
    }
}
