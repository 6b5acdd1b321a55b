//! Texts of other programs with placeholders in them, and what of them may be a secret.

use super::places::Source;

/// What a text comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// As it stands.
    Plain(String),
    /// Some words, then the value of a variable and nothing behind it.
    Variable {
        before: String,
        name: String,
        /// Whether there is a value for where it is not set.
        has_default: bool,
    },
    /// The same with a value that the other program asks its person for.
    Asked { before: String, id: String },
    /// Anything else with a placeholder in it.
    Mixed(String),
}

impl Text {
    /// Reads a text as the program does whose it is.
    pub(super) fn of(source: Source, text: &str) -> Self {
        let start = match (source, text.find("${")) {
            // Codex has no placeholders.
            (Source::Codex, _) => None,
            (Source::Gemini, None) => text.find('$').filter(|at| is_name(&text[at + 1..])),
            (_, start) => start,
        };
        let Some(start) = start else {
            return Self::Plain(text.to_owned());
        };
        let (before, placeholder) = text.split_at(start);
        let inside = match placeholder.strip_prefix("${") {
            Some(rest) => match rest.split_once('}') {
                Some((inside, "")) => inside,
                _ => return Self::Mixed(shown(placeholder)),
            },
            None => &placeholder[1..],
        };
        Self::of_placeholder(before, inside).unwrap_or_else(|| Self::Mixed(shown(placeholder)))
    }

    fn of_placeholder(before: &str, inside: &str) -> Option<Self> {
        let before = before.to_owned();
        if let Some(id) = inside.strip_prefix("input:") {
            let id = id.to_owned();
            return Some(Self::Asked { before, id });
        }
        let inside = inside.strip_prefix("env:").unwrap_or(inside);
        let (name, default) = match inside.split_once(":-") {
            Some((name, _)) => (name, true),
            None => (inside, false),
        };
        is_name(name).then(|| Self::Variable {
            before,
            name: name.to_owned(),
            has_default: default,
        })
    }
}

/// The placeholder alone: what is around it may be a secret.
fn shown(placeholder: &str) -> String {
    match placeholder.find('}') {
        Some(end) => placeholder[..=end].to_owned(),
        None => "${".to_owned(),
    }
}

/// Whether a shell can set a variable of that name.
pub(super) fn is_name(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty()
        && text.bytes().all(is_word)
        && text.starts_with(|first: char| !first.is_ascii_digit())
}

/// Whether a value under that name is likely a secret: by the name, or because nobody could have thought of it. Whatever is
/// in doubt counts as one: it then stands in a variable, where it does no harm.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let named = SECRET_NAMES.iter().any(|word| name.contains(word));
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~+/=:".contains(&byte);
    let unthinkable = value.len() >= UNTHINKABLE
        && value.bytes().all(is_token)
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().any(|byte| byte.is_ascii_alphabetic());
    named || unthinkable || SECRET_STARTS.iter().any(|start| value.starts_with(start))
}

/// The name of a variable for something of a server: `GITHUB_TOKEN`.
pub(super) fn variable_for(server: &str, what: &str) -> String {
    let name = format!("{server}_{what}").to_ascii_uppercase();
    let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    match name.starts_with(|first: char| first.is_ascii_digit()) {
        true => format!("_{name}"),
        false => name,
    }
}

const SECRET_NAMES: [&str; 11] = [
    "auth",
    "cookie",
    "credential",
    "jwt",
    "key",
    "pass",
    "pat",
    "secret",
    "session",
    "sig",
    "token",
];
/// What issuers of tokens put in front, so that they are found where they should not be.
const SECRET_STARTS: [&str; 9] = [
    "eyJ",
    "sk-",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "xox",
    "AKIA",
    "lin_",
];
/// Characters in a row of which nobody thinks.
const UNTHINKABLE: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_read_as_their_program_does() {
        let variable = |before: &str, name: &str, has_default| Text::Variable {
            before: before.to_owned(),
            name: name.to_owned(),
            has_default,
        };
        let plain = |text: &str| Text::Plain(text.to_owned());
        let mixed = |text: &str| Text::Mixed(text.to_owned());
        for (source, text, expected) in [
            (Source::Claude, "search", plain("search")),
            (Source::Claude, "${TEAM}", variable("", "TEAM", false)),
            (
                Source::Claude,
                "Bearer ${T:-x}",
                variable("Bearer ", "T", true),
            ),
            (Source::Claude, "$TEAM", plain("$TEAM")),
            (Source::Codex, "${TEAM}", plain("${TEAM}")),
            (Source::Cursor, "${env:TEAM}", variable("", "TEAM", false)),
            (Source::Gemini, "Bearer $T", variable("Bearer ", "T", false)),
            (Source::Gemini, "costs 5$", plain("costs 5$")),
            (
                Source::Vscode,
                "${workspaceFolder}/x",
                mixed("${workspaceFolder}"),
            ),
            (Source::Vscode, "${A}${B}", mixed("${A}")),
            (Source::Vscode, "${A", mixed("${")),
            (
                Source::Vscode,
                "Bearer ${input:key}",
                Text::Asked {
                    before: "Bearer ".to_owned(),
                    id: "key".to_owned(),
                },
            ),
        ] {
            assert_eq!(Text::of(source, text), expected, "{text}");
        }
    }

    #[test]
    fn what_may_be_a_secret_counts_as_one() {
        for (name, value) in [
            ("X-Api-Key", "a"),
            ("Authorization", "b"),
            ("X-Whatever", "ghp_abc"),
            ("X-Whatever", "0123456789abcdef0123456789abcdef"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("X-Team", "search"),
            ("X-Region", "eu-west-1"),
            ("Accept-Language", "de"),
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
    }

    #[test]
    fn a_variable_for_a_server_is_one_that_a_shell_can_set() {
        for (server, name) in [
            ("github", "GITHUB_TOKEN"),
            ("my-server", "MY_SERVER_TOKEN"),
            ("7up", "_7UP_TOKEN"),
        ] {
            assert_eq!(variable_for(server, "token"), name);
            assert!(is_name(&variable_for(server, "token")));
        }
    }
}
