//! Whether there is a keyring that may be asked.

use crate::environment::Environment;

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
