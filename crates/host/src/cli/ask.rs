//! A question to a person at a terminal that is answered with yes or no.

use std::io;

use tokio::sync::oneshot;

use super::output::Output;

/// What Enter alone means; the question says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enter {
    Yes,
    No,
}

/// Whether a person says yes; an end of the input is none. To be asked only where [`Output::is_interactive`].
pub(crate) async fn is_yes(question: &str, enter: Enter, output: &Output) -> bool {
    let choice = match enter {
        Enter::Yes => "[Y/n]",
        Enter::No => "[y/N]",
    };
    output.insist(&format!("{question} {choice}"));
    let (sender, answer) = oneshot::channel();
    // No task of the runtime: whoever gives up with Ctrl-C is not to wait for a line.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        // Nobody listens any more if the program is about to end.
        drop(sender.send(read.map(|length| (length > 0).then_some(line))));
    });
    match answer.await {
        Ok(Ok(Some(line))) => means_yes(&line, enter),
        _ => false,
    }
}

fn means_yes(line: &str, enter: Enter) -> bool {
    match line.trim().to_lowercase().as_str() {
        "" => enter == Enter::Yes,
        "y" | "yes" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yes_is_yes_enter_is_what_the_question_says_and_anything_else_is_not() {
        for enter in [Enter::Yes, Enter::No] {
            for yes in ["y\n", "Y\r\n", " yes \n", "YES"] {
                assert!(means_yes(yes, enter), "{yes:?}");
            }
            for no in ["n\n", "no\n", "N", "https://a.example\n", "j\n"] {
                assert!(!means_yes(no, enter), "{no:?}");
            }
            assert_eq!(means_yes("\n", enter), enter == Enter::Yes);
        }
    }
}
