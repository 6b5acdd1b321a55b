//! Which server is meant, and which of the accounts there.

/// A server of the configuration, and the account to use there.
///
/// A name alone is the server with its default account: [`Host`](crate::Host) takes `"work"` as well as
/// `Target::new("work").with_account("ada@example.com")`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target<'a> {
    /// The server, as named in the configuration.
    pub server: &'a str,
    /// The account; `None` is the one that the configuration names, else `default`.
    pub account: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// The server with its default account.
    #[must_use]
    pub fn new(server: &'a str) -> Self {
        Self {
            server,
            account: None,
        }
    }

    /// The same with that account, which need not have signed in yet; `None` is the default one.
    #[must_use]
    pub fn with_account(self, account: impl Into<Option<&'a str>>) -> Self {
        Self {
            account: account.into(),
            ..self
        }
    }

    /// The command line that does this for the server and the account, to be typed as it stands: for `login --finish`
    /// that is `doorkey login work --account ada@example.com --finish`. Names are quoted as a POSIX shell wants it.
    #[must_use]
    pub fn command(self, command: &str) -> String {
        let (verb, options) = command.split_once(' ').unwrap_or((command, ""));
        format!("doorkey {verb} {}", self.arguments(options))
    }

    /// The server and the account as they stand in a command line, with further options.
    pub(crate) fn arguments(self, options: &str) -> String {
        let mut words = Vec::new();
        if let Some(account) = self.account {
            words.push(format!("--account {}", word(account)));
        }
        if !options.is_empty() {
            words.push(options.to_owned());
        }
        let name = word(self.server);
        if name.starts_with('-') {
            // Else it would be taken for an option.
            words.push(format!("-- {name}"));
        } else {
            words.insert(0, name);
        }
        words.join(" ")
    }

    /// The table of the server in `config.toml`, quoted as TOML wants it: `mcp_servers.work`, `mcp_servers."a b"`.
    #[must_use]
    pub fn table(self) -> String {
        format!("mcp_servers.{}", toml_edit::Key::new(self.server))
    }
}

/// A word as a POSIX shell takes it for one.
fn word(word: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "-_.@+/:".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

impl<'a> From<&'a str> for Target<'a> {
    fn from(server: &'a str) -> Self {
        Self::new(server)
    }
}

impl<'a> From<&'a String> for Target<'a> {
    fn from(server: &'a String) -> Self {
        Self::new(server)
    }
}

/// Whether `text` may be the name of an account: 1 to 64 letters, digits and `-_.@+`, of which `-` is not
/// the first. An address of electronic mail is one.
#[must_use]
pub fn is_account_name(text: &str) -> bool {
    (1..=MAX_CHARACTERS).contains(&text.chars().count())
        && !text.starts_with('-')
        && text
            .chars()
            .all(|character| character.is_alphanumeric() || "-_.@+".contains(character))
}

/// What [`is_account_name`] asks for, in words.
pub(crate) const ACCOUNT_NAME: &str =
    "the name of an account: 1 to 64 letters, digits and `-_.@+`, not beginning with `-`";
const MAX_CHARACTERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_server_and_account_as_a_shell_takes_them() {
        let ada = Target::new("work").with_account("ada@example.com");
        for (target, command, typed) in [
            (Target::new("work"), "login", "doorkey login work"),
            (
                Target::new("work"),
                "login --finish",
                "doorkey login work --finish",
            ),
            (ada, "login", "doorkey login work --account ada@example.com"),
            (
                ada,
                "login --finish",
                "doorkey login work --account ada@example.com --finish",
            ),
            (Target::new("a b"), "login", "doorkey login 'a b'"),
            (Target::new("it's"), "get", "doorkey get 'it'\\''s'"),
            (Target::new(""), "get", "doorkey get ''"),
            (Target::new("$(id)"), "get", "doorkey get '$(id)'"),
            (
                Target::new("-v"),
                "login --finish",
                "doorkey login --finish -- -v",
            ),
        ] {
            assert_eq!(target.command(command), typed);
        }
    }

    #[test]
    fn a_table_names_the_server_as_toml_reads_it() {
        for name in [
            "work",
            "a-b_c",
            "a.b",
            "a b",
            "it's",
            "say \"x\"",
            "",
            "büro",
            "a\\b",
            "a\nb",
        ] {
            let text = format!("[{}]\nurl = \"x\"", Target::new(name).table());
            let read: toml_edit::DocumentMut = text.parse().expect("TOML");
            let servers = read["mcp_servers"].as_table().expect("a table");
            let names: Vec<_> = servers.iter().map(|(name, _)| name).collect();
            assert_eq!(names, [name], "{text}");
        }
        assert_eq!(Target::new("work").table(), "mcp_servers.work");
    }

    #[test]
    fn names_and_addresses_are_accounts_and_nothing_that_could_mislead_is() {
        for name in [
            "default",
            "ada@example.com",
            "büro",
            "a+b",
            "2",
            &"x".repeat(64),
        ] {
            assert!(is_account_name(name), "{name}");
        }
        for name in [
            "",
            "-v",
            "a b",
            "a/b",
            "a\nb",
            "a (sign-on)",
            &"x".repeat(65),
        ] {
            assert!(!is_account_name(name), "{name}");
        }
    }
}
