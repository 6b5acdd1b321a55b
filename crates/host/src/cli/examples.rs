//! The examples at the end of each command's help.

use clap::Command;

/// Adds to every command its examples, before what else stands at the end of its help.
pub(crate) fn with_examples(command: Command) -> Command {
    let command = ended_with(command, FIRST_STEPS);
    EXAMPLES.iter().fold(command, |command, (path, lines)| {
        let mut path = path.split(' ');
        let first = path.next().unwrap_or_default();
        if command.find_subcommand(first).is_none() {
            // Not in this build.
            return command;
        }
        command.mut_subcommand(first, |command| match path.next() {
            None => ended_with(command, lines),
            Some(second) => command.mut_subcommand(second, |command| ended_with(command, lines)),
        })
    })
}

fn ended_with(command: Command, lines: &[(&str, &str)]) -> Command {
    let after = command.get_after_help().map(|it| format!("\n{it}"));
    let lines = lines
        .iter()
        .map(|(line, what)| format!("  {line}\n      {what}\n"));
    let text = format!(
        "Examples:\n{}{}",
        lines.collect::<String>(),
        after.unwrap_or_default()
    );
    command.after_long_help(text)
}

type Example = (&'static str, &'static str);

/// What somebody does first.
const FIRST_STEPS: &[Example] = &[
    (
        "doorkey add work --url https://mcp.example.com/mcp",
        "names a server",
    ),
    ("doorkey login work", "signs in to it"),
    ("doorkey call work weather --arg city=Oslo", "uses it"),
    ("doorkey doctor work", "finds out what is wrong"),
];

/// A command, and what is typed for what.
const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "add",
        &[
            (
                "doorkey add work --url https://mcp.example.com/mcp",
                "a server that registers this client by itself",
            ),
            (
                "doorkey add work --url https://mcp.example.com/mcp --client-id abc --client-secret-stdin",
                "with a client of your own; the secret is asked for",
            ),
        ],
    ),
    (
        "import",
        &[
            (
                "doorkey import",
                "shows the servers of other programs that can be taken over, and asks",
            ),
            (
                "doorkey import --dry-run",
                "what is there, and what would become of it",
            ),
            ("doorkey import claude vscode", "those of two programs"),
            (
                "doorkey import cursor --file servers.json",
                "those of a file in the form of one",
            ),
        ],
    ),
    (
        "login",
        &[
            ("doorkey login work", "opens a browser and waits for it"),
            (
                "doorkey login work --no-browser",
                "shows the page to open, on any machine",
            ),
            (
                "doorkey login work --device",
                "shows a code to type on another device",
            ),
            (
                "doorkey login work --start",
                "prints the page and ends; --finish completes it",
            ),
        ],
    ),
    (
        "logout",
        &[
            (
                "doorkey logout work",
                "revokes the tokens and removes every copy here",
            ),
            (
                "doorkey logout work --forget-client",
                "also deletes the registration of this client",
            ),
        ],
    ),
    (
        "remove",
        &[(
            "doorkey remove work",
            "signs out and takes it out of the configuration",
        )],
    ),
    ("enable", &[("doorkey enable work", "uses it again")]),
    (
        "disable",
        &[(
            "doorkey disable work",
            "leaves it alone until it is enabled",
        )],
    ),
    (
        "list",
        &[
            (
                "doorkey list",
                "all servers and their logins, without any request",
            ),
            ("doorkey list --check", "also tries every server"),
            ("doorkey list --json", "the same for a program"),
        ],
    ),
    (
        "status",
        &[(
            "doorkey status work",
            "who is signed in, until when and with what",
        )],
    ),
    (
        "get",
        &[("doorkey get work", "its settings, and who said so")],
    ),
    (
        "doctor",
        &[
            (
                "doorkey doctor work",
                "goes the whole way step by step and says what is wrong",
            ),
            (
                "doorkey doctor https://mcp.example.com/mcp",
                "the same for a server that is not configured",
            ),
        ],
    ),
    (
        "explain",
        &[
            (
                "doorkey explain login-required",
                "what the word in brackets after `error` means, and what to do",
            ),
            ("doorkey explain --list", "every code there is"),
            ("doorkey explain --faults", "all that doorkey doctor finds"),
        ],
    ),
    (
        "tools",
        &[
            ("doorkey tools work", "what it can do"),
            ("doorkey tools work --json", "with the schema of every tool"),
        ],
    ),
    (
        "call",
        &[
            (
                "doorkey call work weather --arg city=Oslo --arg days:=3",
                "a text and a number",
            ),
            (
                "doorkey call work weather --args '{\"city\": \"Oslo\"}'",
                "the same as JSON",
            ),
            (
                "doorkey call work weather --args @weather.json --timeout 120",
                "from a file, with two minutes to answer",
            ),
            (
                "doorkey call work plot --args - --output plot.png",
                "from standard input; the image goes into a file",
            ),
        ],
    ),
    (
        "resources",
        &[
            ("doorkey resources work", "what there is to read"),
            (
                "doorkey resources work --templates",
                "of what addresses are made",
            ),
        ],
    ),
    (
        "resources read",
        &[
            ("doorkey resources read work file:///notes.txt", "a text"),
            (
                "doorkey resources read work file:///logo.png --output logo.png",
                "anything else, into a file",
            ),
        ],
    ),
    (
        "prompts",
        &[("doorkey prompts work", "with the arguments of each")],
    ),
    (
        "prompts get",
        &[(
            "doorkey prompts get work greet --arg who=Zoe",
            "one prompt, filled in",
        )],
    ),
    (
        "token",
        &[
            (
                "doorkey token work --header | curl -H @- https://mcp.example.com/api",
                "a header for curl, with a token that is refreshed if it is due",
            ),
            ("doorkey token work --json", "with what is known of it"),
        ],
    ),
    (
        "store",
        &[
            ("doorkey store show", "where logins are kept, and why there"),
            (
                "doorkey store migrate --to encrypted_file",
                "moves them into encrypted files",
            ),
        ],
    ),
    (
        "client-metadata",
        &[(
            "doorkey client-metadata https://example.com/doorkey.json",
            "the document to publish there",
        )],
    ),
    (
        "completions",
        &[
            (
                "doorkey completions bash > ~/.local/share/bash-completion/completions/doorkey",
                "for bash",
            ),
            (
                "doorkey completions zsh > ~/.zfunc/_doorkey",
                "for zsh, with ~/.zfunc in fpath",
            ),
            (
                "doorkey completions fish > ~/.config/fish/completions/doorkey.fish",
                "for fish",
            ),
        ],
    ),
    (
        "man",
        &[
            ("doorkey man | man -l -", "reads the main page"),
            (
                "doorkey man --dir ~/.local/share/man/man1",
                "pages of all commands, for `man doorkey-login`",
            ),
        ],
    ),
    (
        "demo",
        &[(
            "doorkey demo",
            "a whole login against servers on this machine",
        )],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a line as a shell reads it, up to a pipe or redirection.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut is_quoted = false;
        for c in line.chars() {
            match c {
                '\'' => is_quoted = !is_quoted,
                ' ' if !is_quoted => words.push(String::new()),
                c => words.last_mut().expect("one word").push(c),
            }
        }
        let end = words.iter().position(|word| word == "|" || word == ">");
        words.truncate(end.unwrap_or(words.len()));
        words
    }

    #[test]
    fn every_example_can_be_typed_as_it_stands() {
        let command = super::super::command();
        for (line, _) in FIRST_STEPS {
            let parsed = command.clone().try_get_matches_from(words(line));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
        for (path, lines) in EXAMPLES {
            let first = path.split(' ').next().expect("a command");
            if command.find_subcommand(first).is_none() {
                continue;
            }
            for (line, _) in *lines {
                let begin = format!("doorkey {path} ");
                assert!(
                    format!("{line} ").starts_with(&begin),
                    "{line} is no example of {path}"
                );
                let parsed = command.clone().try_get_matches_from(words(line));
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            }
        }
    }

    #[test]
    fn every_command_has_examples_in_its_long_help() {
        let mut command = super::super::command();
        command.build();
        for command in command
            .get_subcommands()
            .filter(|it| it.get_name() != "help")
        {
            let after = command.get_after_long_help().map(ToString::to_string);
            let name = command.get_name();
            let after = after.unwrap_or_default();
            assert!(after.contains("Examples:\n  doorkey "), "{name}");
            assert_eq!(after.matches("Examples:").count(), 1, "{name}");
        }
    }
}
