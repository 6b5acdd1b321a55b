//! What a person does about a failure, where one sentence says it.

use std::error::Error as StdError;
use std::path::Path;

use doorkey_store::{Error as StoreError, KeyTrouble, UnsafeFile};

use crate::config::ConfigError;
use crate::error::Error;
use crate::loopback::LoopbackError;
use crate::network::{HeaderProblem, NetworkError};
use crate::program::ProgramError;
use crate::target::Target;

impl Error {
    /// What to do about it: a line to write, a file to see to, a variable to set. `None` where the
    /// causes say no more than that it failed.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::NoHome => Some("set DOORKEY_HOME to a folder of its own".to_owned()),
            Self::Config(error) => of_config(error),
            Self::Network(error) => of_network(error),
            Self::StoreOpen(error) => Some(error.remedy()),
            Self::Store(error) => of_store(error),
            Self::Disabled { server } => Some(Target::new(server).command("enable")),
            Self::BearerConfigured { server, key } => Some(format!(
                "{}; to sign in instead take {key} out of [{}]",
                Target::new(server).command("tools"),
                Target::new(server).table()
            )),
            Self::BearerHasNoAccounts { server, key, .. } => Some(format!(
                "{}; to use accounts take {key} out of [{}]",
                Target::new(server).command("tools"),
                Target::new(server).table()
            )),
            Self::Authorization { .. } | Self::Connect { .. } | Self::Request { .. } => {
                let transport = || self.transport().and_then(|error| of_causes(error));
                let authorization = self.authorization();
                authorization
                    .and_then(|error| of_causes(error))
                    .or_else(transport)
            }
            Self::EventTooLarge { server, .. } => Some(format!(
                "ask {server} for less at once, or tell its operator"
            )),
            Self::Rejected { source, .. } | Self::Unproven { source, .. } => source.remedy(),
            _ => None,
        }
    }
}

/// The first cause with a remedy of its own.
fn of_causes(first: &(dyn StdError + 'static)) -> Option<String> {
    let mut causes = std::iter::successors(Some(first), |&error| error.source());
    causes.find_map(|cause| {
        if let Some(error) = cause.downcast_ref::<StoreError>() {
            return of_store(error);
        }
        if let Some(error) = cause.downcast_ref::<NetworkError>() {
            return of_network(error);
        }
        cause.downcast_ref::<LoopbackError>()?.remedy()
    })
}

fn of_config(error: &ConfigError) -> Option<String> {
    match error {
        ConfigError::Read { path, .. } | ConfigError::Write { path, .. } => Some(format!(
            "see to {} and its permissions, then try again",
            path.display()
        )),
        ConfigError::Busy { .. } => Some("try again".to_owned()),
        ConfigError::Syntax { path, line, .. } => {
            Some(format!("correct line {line} of {}", path.display()))
        }
        ConfigError::NotRemote { .. } => Some("doorkey list".to_owned()),
        _ => error.example().map(|example| format!("write {example}")),
    }
}

fn of_network(error: &NetworkError) -> Option<String> {
    Some(match error {
        NetworkError::Read { setting, path, .. } => format!(
            "put a readable file at {}, or {}",
            path.display(),
            changing(setting)
        ),
        NetworkError::Roots(_) => {
            "name a file with PEM certificates there, or take the setting away".to_owned()
        }
        NetworkError::NoRoots { setting, path } => format!(
            "put PEM certificates into {}, or {}",
            path.display(),
            changing(setting)
        ),
        NetworkError::NothingTrusted { table } => {
            format!("write ca_certificates = [\"company-ca.pem\"] in {table}")
        }
        NetworkError::HeaderValue { key, source, .. } => of_header(key, source),
        NetworkError::Identity { .. } => {
            "correct client_certificate and client_key in [network]".to_owned()
        }
        NetworkError::Proxy { variable, .. } => format!(
            "set {variable} to something like http://proxy.example:3128, or {}",
            changing(variable)
        ),
        NetworkError::NotText(not_text) => format!("set {} to text", not_text.name),
        NetworkError::Unset {
            server,
            key,
            variable,
        } => format!(
            "set the environment variable {variable}, or correct {key} in [{}]",
            Target::new(server).table()
        ),
        NetworkError::Header { what, .. } => {
            format!("put a value of visible characters into {what}")
        }
        NetworkError::Client(_) => "correct [network] and the files that it names".to_owned(),
        NetworkError::Scheme { server, key } => format!(
            "let {key} of [{}] begin with `Bearer `, or use bearer_token_env_var",
            Target::new(server).table()
        ),
    })
}

fn of_header(key: &str, problem: &HeaderProblem) -> String {
    let correct = format!("or correct {key} in the configuration");
    match problem {
        HeaderProblem::Unset(variable) => {
            format!("set the environment variable {variable}, {correct}")
        }
        HeaderProblem::NotText(not_text) => format!("set {} to text, {correct}", not_text.name),
        HeaderProblem::Read { path, .. } => {
            format!("put a readable file at {}, {correct}", path.display())
        }
        HeaderProblem::Program(ProgramError::Failed { program, .. }) => {
            format!(
                "run {} by hand until it prints the value, {correct}",
                program.display()
            )
        }
        HeaderProblem::Program(ProgramError::TimedOut { .. }) => {
            format!("see why the program takes so long, {correct}")
        }
        HeaderProblem::Program(_) => format!("see to the program, {correct}"),
        HeaderProblem::Empty(_) | HeaderProblem::Characters(_) => {
            format!("let it be one line of visible characters, {correct}")
        }
    }
}

/// Variables are in capitals, keys of the configuration are not.
fn changing(setting: &str) -> String {
    if setting.bytes().any(|byte| byte.is_ascii_lowercase()) {
        format!("correct {setting} in the configuration")
    } else {
        format!("unset {setting}")
    }
}

pub(crate) fn of_store(error: &StoreError) -> Option<String> {
    let StoreError::UnsafeFile { path, why } = error else {
        return match error {
            StoreError::Key { folder, why } => Some(of_key(folder, why)),
            #[cfg(feature = "keyring")]
            StoreError::Keyring { source, .. } => Some(of_keyring(source.fault())),
            StoreError::Backend {
                transient: false, ..
            } => Some("correct [store.postgres] or what it names, then try again".to_owned()),
            StoreError::SameStore { .. } => Some(
                "doorkey store show; to move logins there from another store name it with --from"
                    .to_owned(),
            ),
            StoreError::OtherFormat { encrypted, .. } => Some(format!(
                "write backend = {:?} in [store]",
                if *encrypted { "encrypted_file" } else { "file" }
            )),
            StoreError::Io { path, .. } => Some(format!(
                "see to {} and its permissions, then try again",
                path.display()
            )),
            _ if error.is_transient() => Some("try again".to_owned()),
            _ => None,
        };
    };
    let path = path.display();
    Some(match why {
        UnsafeFile::SymbolicLink => {
            format!("delete the link {path}; what it points to stays as it is")
        }
        UnsafeFile::WrongKind => format!("move {path} away"),
        UnsafeFile::ForeignOwner { .. } => format!("make {path} your own, or delete it"),
        UnsafeFile::OpenToOthers { .. } => format!("chmod go-rwx {path}"),
        _ => "try again".to_owned(),
    })
}

/// The texts of the store say what is wrong; this says where it is put right.
fn of_key(folder: &Path, why: &KeyTrouble) -> String {
    match why {
        KeyTrouble::Wrong { .. } | KeyTrouble::OtherKind { .. } => {
            "correct passphrase_env or key_file in [store], or what it names, then try again"
                .to_owned()
        }
        KeyTrouble::NoPassphrase => "put the passphrase into what passphrase_env names".to_owned(),
        KeyTrouble::NoKeyFile { path } => format!(
            "restore {}; for a new store: doorkey store new-key {0}",
            path.display()
        ),
        KeyTrouble::KeyFileUnusable { path, .. } => {
            format!("restore {} from a backup, then try again", path.display())
        }
        _ => format!(
            "restore it from a backup; to give these logins up, move {} away, then doorkey login NAME",
            folder.display()
        ),
    }
}

/// A keyring that keeps logins is never given up for an empty store: whoever wants that says so.
#[cfg(feature = "keyring")]
fn of_keyring(fault: &doorkey_store::keyring::KeyringFault) -> String {
    use doorkey_store::keyring::KeyringFault as F;
    let elsewhere = "write backend = \"file\" in [store], then doorkey login NAME";
    match fault {
        F::Locked => format!(
            "unlock the keyring (signing in to the desktop does, and on a terminal gnome-keyring-daemon \
             --unlock), then try again; to sign in anew without it, {elsewhere}"
        ),
        F::Silent { .. } | F::Failed => "try again".to_owned(),
        F::Ambiguous => {
            "delete all items of doorkey but one in the keyring, then try again".to_owned()
        }
        _ => format!(
            "run it in the session where you signed in to the desktop; to sign in anew without the \
             keyring, {elsewhere}"
        ),
    }
}
