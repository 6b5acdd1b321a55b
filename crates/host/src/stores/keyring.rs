//! Whether there is a keyring that may be asked.

use std::fmt;

use crate::environment::Environment;
#[cfg(feature = "keyring")]
use crate::home::Home;

/// The variable without which nobody has a session with a keyring in it.
pub(super) const SESSION: &str = if cfg!(windows) {
    "USERNAME"
} else if cfg!(target_os = "macos") {
    "USER"
} else {
    "DBUS_SESSION_BUS_ADDRESS"
};

/// What is missing for a keyring to be asked; `None` if nothing is.
///
/// The libraries below look for a session on their own where this variable is missing. A program that was
/// started without one (a service, a test) is not to find somebody's keyring that way.
pub(super) fn missing(environment: &Environment) -> Option<String> {
    environment
        .variable(SESSION)
        .is_none()
        .then(|| format!("{SESSION} is not set"))
}

/// What the items of a home are filed under: homes do not see each other's.
#[cfg(feature = "keyring")]
pub(super) fn service(environment: &Environment, home: &Home) -> String {
    match environment.variable("DOORKEY_HOME") {
        None => "doorkey".to_owned(),
        Some(_) => format!("doorkey {}", home.state_folder().display()),
    }
}

/// Why the keyring cannot be used, without what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyringTrouble {
    /// It is there, and locked.
    #[cfg_attr(
        not(feature = "keyring"),
        expect(dead_code, reason = "without a keyring nothing is locked")
    )]
    Locked,
    /// Anything else, in words.
    Unusable(String),
}

impl fmt::Display for KeyringTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("the keyring is locked"),
            Self::Unusable(why) => f.write_str(why),
        }
    }
}

/// What the failure of a probe says.
#[cfg(feature = "keyring")]
pub(super) fn trouble(error: &doorkey_store::Error) -> KeyringTrouble {
    use doorkey_store::keyring::KeyringFault;
    let text = match error {
        doorkey_store::Error::Keyring { source, .. } => match source.fault() {
            KeyringFault::Locked => return KeyringTrouble::Locked,
            fault => fault.to_string(),
        },
        other => other.to_string(),
    };
    KeyringTrouble::Unusable(text.split(';').next().unwrap_or_default().to_owned())
}

#[cfg(all(test, feature = "keyring"))]
mod tests {
    use doorkey_store::keyring::{KeyringError, KeyringFault};

    use super::*;

    #[test]
    fn only_a_keyring_that_is_locked_is_one_that_will_be_usable() {
        let of = |fault| {
            trouble(&doorkey_store::Error::Keyring {
                action: "be used",
                source: KeyringError::new(fault),
            })
        };
        assert_eq!(of(KeyringFault::Locked), KeyringTrouble::Locked);
        for fault in [KeyringFault::Absent, KeyringFault::NoCollection] {
            let KeyringTrouble::Unusable(why) = of(fault) else {
                unreachable!("it is not locked")
            };
            assert!(!why.contains(';'), "{why}");
        }
    }
}
