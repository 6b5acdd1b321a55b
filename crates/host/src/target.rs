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
