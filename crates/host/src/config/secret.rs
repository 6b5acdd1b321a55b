//! A secret that a configuration holds or says where to find.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::ConfigError;
use super::section::Section;
use crate::Home;

/// Where a secret is. Its `Display` says so and never what it is.
#[derive(Clone)]
#[non_exhaustive]
pub enum SecretSource {
    /// In the configuration itself.
    Value(SecretString),
    /// In an environment variable.
    Variable(String),
    /// In a file.
    File(PathBuf),
}

/// The three keys of one secret.
pub(super) struct SecretKeys {
    pub(super) value: &'static str,
    pub(super) variable: &'static str,
    pub(super) file: &'static str,
    /// What the secret is, with its article.
    pub(super) what: &'static str,
    /// A line that would do.
    pub(super) example: &'static str,
}

impl SecretKeys {
    /// The secret, if one of the keys is there, with that key.
    pub(super) fn read(
        &self,
        section: &Section<'_>,
        home: &Home,
    ) -> Result<Option<(&'static str, SecretSource)>, ConfigError> {
        let value = section.text(self.value, self.what, self.example)?;
        let variable = section.text(
            self.variable,
            "the name of an environment variable",
            &format!("{} = \"EXAMPLE\"", self.variable),
        )?;
        let file = section.text(
            self.file,
            "the path of a file",
            &format!("{} = \"example\"", self.file),
        )?;
        let mut found = [
            value.map(|text| (self.value, SecretSource::Value(SecretString::from(text)))),
            variable.map(|name| (self.variable, SecretSource::Variable(name.to_owned()))),
            file.map(|path| (self.file, SecretSource::File(home.resolve(path)))),
        ]
        .into_iter()
        .flatten();
        let Some((key, secret)) = found.next() else {
            return Ok(None);
        };
        if let Some((second, _)) = found.next() {
            let expected = format!("one of {}, {} and {}", self.value, self.variable, self.file);
            let example = format!("# only one of {key} and {second}");
            return Err(section.wrong(second, &expected, "a second one", &example));
        }
        Ok(Some((key, secret)))
    }
}

impl PartialEq for SecretSource {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Value(one), Self::Value(other)) => one.expose_secret() == other.expose_secret(),
            (Self::Variable(one), Self::Variable(other)) => one == other,
            (Self::File(one), Self::File(other)) => one == other,
            _ => false,
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("in the configuration"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value([redacted])"),
            Self::Variable(name) => f.debug_tuple("Variable").field(name).finish(),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}
