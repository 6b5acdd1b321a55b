//! Where one installation keeps its configuration and its grants.

use std::path::{Path, PathBuf};

use crate::{Environment, Error};

/// The folders of one doorkey home.
///
/// `$DOORKEY_HOME` when set: `config.toml` in it, grants in its `state` folder. Otherwise the
/// platform's configuration folder and, apart from it, the platform's state folder, because people
/// publish the first with their dotfiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    config_file: PathBuf,
    state_folder: PathBuf,
    user_home: Option<PathBuf>,
}

impl Home {
    /// A home in one folder, as with `$DOORKEY_HOME`.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self {
            config_file: folder.join(CONFIG_FILE),
            state_folder: folder.join("state"),
            user_home: None,
        }
    }

    /// The home that the environment points at.
    ///
    /// # Errors
    /// [`Error::NoHome`] when `$DOORKEY_HOME` is not set and the platform knows no folder for this
    /// user.
    pub fn from_environment(environment: &Environment) -> Result<Self, Error> {
        let folders = environment.folders();
        let home = match (environment.variable("DOORKEY_HOME"), folders) {
            (Some(folder), _) => Self::at(folder),
            (None, Some(folders)) => Self {
                config_file: folders.config.join("doorkey").join(CONFIG_FILE),
                state_folder: folders.state.join("doorkey"),
                user_home: None,
            },
            (None, None) => return Err(Error::NoHome),
        };
        Ok(Self {
            user_home: folders.map(|folders| folders.home.clone()),
            ..home
        })
    }

    /// `config.toml`, which need not exist.
    #[must_use]
    pub fn config_file(&self) -> &Path {
        &self.config_file
    }

    /// `quirks.toml` beside it, which need not exist: what the user knows of servers that behave oddly.
    #[must_use]
    pub fn quirks_file(&self) -> PathBuf {
        self.config_folder().join("quirks.toml")
    }

    /// The folder of `config.toml`, against which paths in it are resolved.
    #[must_use]
    pub fn config_folder(&self) -> &Path {
        self.config_file.parent().unwrap_or(Path::new("."))
    }

    /// Where grants, registrations and what is remembered of servers are kept.
    #[must_use]
    pub fn state_folder(&self) -> &Path {
        &self.state_folder
    }

    /// A path as written in the configuration: `~/` is the user's home, a relative path starts at
    /// the folder of `config.toml`.
    #[must_use]
    pub fn resolve(&self, written: &str) -> PathBuf {
        match (written.strip_prefix("~/"), &self.user_home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => self.config_folder().join(written),
        }
    }
}

const CONFIG_FILE: &str = "config.toml";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Folders;

    #[test]
    fn doorkey_home_holds_everything() {
        let environment = Environment::new([("DOORKEY_HOME", "/srv/doorkey")]);
        let home = Home::from_environment(&environment).expect("a home");
        assert_eq!(home.config_file(), Path::new("/srv/doorkey/config.toml"));
        assert_eq!(home.state_folder(), Path::new("/srv/doorkey/state"));
    }

    #[test]
    fn grants_are_kept_apart_from_the_configuration() {
        let folders = Folders::new("/home/ada", "/home/ada/.config", "/home/ada/.local/state");
        let environment = Environment::default().with_folders(Some(folders));
        let home = Home::from_environment(&environment).expect("a home");
        assert_eq!(
            home.config_file(),
            Path::new("/home/ada/.config/doorkey/config.toml")
        );
        assert_eq!(
            home.state_folder(),
            Path::new("/home/ada/.local/state/doorkey")
        );
        assert_eq!(home.resolve("~/ca.pem"), Path::new("/home/ada/ca.pem"));
        assert_eq!(
            home.resolve("ca.pem"),
            Path::new("/home/ada/.config/doorkey/ca.pem")
        );
        assert_eq!(home.resolve("/etc/ca.pem"), Path::new("/etc/ca.pem"));
    }

    #[test]
    fn a_user_without_a_home_is_told_what_to_set() {
        let error = Home::from_environment(&Environment::default()).expect_err("no home");
        assert!(error.to_string().contains("DOORKEY_HOME"), "{error}");
    }
}
