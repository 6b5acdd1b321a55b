//! Whether there is a keyring that may be asked.

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

/// Why a keyring cannot be used, without what to do about it.
#[cfg(feature = "keyring")]
pub(super) fn in_words(error: &doorkey_store::Error) -> String {
    let text = match error {
        doorkey_store::Error::Keyring { source, .. } => source.fault().to_string(),
        other => other.to_string(),
    };
    text.split(';').next().unwrap_or_default().to_owned()
}
