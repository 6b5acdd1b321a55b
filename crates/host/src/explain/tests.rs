//! What a person reads of an error.

use doorkey_oauth::LoginReason;
use url::Url;

use super::*;
use crate::config::ConfigError;

fn required(server: &str) -> Error {
    Error::Authorization {
        what: "sign in to",
        server: server.to_owned(),
        source: Box::new(doorkey_oauth::Error::LoginRequired {
            server: Box::new(Url::parse("https://mcp.example/mcp?key=s3cret").unwrap()),
            reason: LoginReason::NoGrant,
            challenges: doorkey_oauth::Challenges::default(),
            cause: None,
        }),
    }
}

#[test]
fn every_code_has_something_to_do_that_leaves_nothing_to_be_filled_in() {
    let target = Target::new("work").with_account("ada@example.com");
    for code in ErrorCode::ALL {
        let told = Explained::new(*code, "it failed", target);
        let NextAction { text, command } = &told.next;
        assert!(
            text.len() > 5 && !text.contains(['{', '}', '\n']),
            "{code}: {text}"
        );
        if let Some(command) = command {
            assert!(text.contains(command.as_str()), "{code}: {text}: {command}");
            assert!(command.starts_with("doorkey "), "{code}: {command}");
        }
    }
}

#[test]
fn the_command_names_the_server_and_the_account_as_a_shell_takes_them() {
    for (target, command) in [
        (None, "doorkey login NAME"),
        (Some(Target::new("work")), "doorkey login work"),
        (
            Some(Target::new("work").with_account("ada@example.com")),
            "doorkey login work --account ada@example.com",
        ),
        (Some(Target::new("a b")), "doorkey login 'a b'"),
        (Some(Target::new("-v")), "doorkey login -- -v"),
    ] {
        let told = required("work").explain(target);
        assert_eq!(told.next.command.as_deref(), Some(command));
        assert_eq!(told.next.text, command);
    }
}

#[test]
fn where_it_happened_is_told_as_data_without_what_a_url_may_hide() {
    let told = required("work").explain(None);
    assert_eq!(told.code, ErrorCode::LoginRequired);
    assert_eq!(told.leg, Some("resource"));
    let url = told.url.unwrap();
    assert!(
        url.starts_with("https://mcp.example/mcp") && !url.contains("s3cret"),
        "{url}"
    );
}

#[test]
fn whatever_stands_in_an_error_is_one_line_that_no_terminal_obeys() {
    let error = Error::from(ConfigError::UnknownServer {
        path: "/x/config.toml".into(),
        name: "one\n\u{1b}[2Jtwo".to_owned(),
        known: vec!["three\nfour".to_owned()],
    });
    let told = error.explain(Target::new("one\n\u{1b}[2Jtwo"));
    let texts = told
        .lines()
        .map(str::to_owned)
        .chain([told.next.text.clone()]);
    for text in texts {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

#[test]
fn the_command_in_a_text_is_found_where_one_begins_and_nowhere_else() {
    for (text, command) in [
        ("doorkey login one", Some("doorkey login one")),
        ("set x, then doorkey login one", Some("doorkey login one")),
        (
            "doorkey list, or doorkey add one --url URL",
            Some("doorkey list"),
        ),
        (
            "see resource in doorkey get one, compare it, then doorkey login one",
            Some("doorkey login one"),
        ),
        ("choose one: doorkey login one --callback-port PORT", None),
        ("doorkey call one TOOL, which makes the proof", None),
        ("delete all items of doorkey but one, then try again", None),
        (
            "move /home/ada/doorkey away, then doorkey login NAME",
            Some("doorkey login NAME"),
        ),
        ("install doorkey with --features postgres", None),
        ("update doorkey, then try again", None),
        ("try again", None),
    ] {
        let next = NextAction::in_words(text);
        assert_eq!(next.command.as_deref(), command, "{text}");
        assert_eq!(next.text, text);
    }
}
