//! `[store]`: where logins are kept.

use std::path::PathBuf;

use super::ConfigError;
use super::section::Section;
use crate::Home;
use crate::stores::StoreKind;

/// `[store]`: which store the logins are kept in, and what each kind needs.
///
/// What a kind needs may be written before the kind is chosen: `doorkey store migrate` uses it too.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct StoreSettings {
    /// `backend`; `None` is `"auto"`.
    pub backend: Option<StoreKind>,
    /// Where the key of encrypted files comes from.
    pub key: KeySettings,
    /// The database; `None` without a `[store.postgres]`.
    pub postgres: Option<PostgresSettings>,
}

/// Where the key of encrypted files comes from.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum KeySettings {
    /// The operating system's keyring.
    #[default]
    Keyring,
    /// `passphrase_env`: the variable with a passphrase.
    Passphrase(String),
    /// `key_file`: a file that `doorkey store new-key` made.
    File(PathBuf),
}

/// `[store.postgres]`: a database for hosts that run on several machines.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PostgresSettings {
    /// Where its URL is, which mostly holds a password.
    pub url: UrlSource,
    /// The schema of its tables; the store's own default without it.
    pub schema: Option<String>,
    /// `key_file`: the key that records are sealed with before they are sent.
    pub key_file: Option<PathBuf>,
}

/// Where the URL of a database is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum UrlSource {
    /// In an environment variable.
    Variable(String),
    /// In a file.
    File(PathBuf),
    /// On the standard output of a program; no shell reads its arguments.
    Command {
        /// The program: a path, or a name to be looked for.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

impl StoreSettings {
    pub(super) fn read(section: &Section<'_>, home: &Home) -> Result<Self, ConfigError> {
        let choices = [("auto", None)]
            .into_iter()
            .chain(StoreKind::ALL.map(|kind| (kind.as_str(), Some(kind))));
        let choices: Vec<_> = choices.collect();
        let backend = section.choice("backend", &choices)?.flatten();
        let key = read_key(section, home)?;
        let within = section.section("postgres")?;
        let postgres = match &within {
            Some(within) => {
                let settings = PostgresSettings::read(within, home)?;
                section.note_all_of(within);
                Some(settings)
            }
            None if backend == Some(StoreKind::Postgres) => {
                let (expected, example) = (
                    "a table that says where the database is",
                    "postgres = { url_env = \"DOORKEY_DATABASE_URL\" }",
                );
                return Err(section.missing("postgres", expected, example));
            }
            None => None,
        };
        Ok(Self {
            backend,
            key,
            postgres,
        })
    }
}

impl PostgresSettings {
    pub(super) fn read(section: &Section<'_>, home: &Home) -> Result<Self, ConfigError> {
        let variable = section
            .text("url_env", VARIABLE, URL_EXAMPLE)?
            .map(|name| ("url_env", UrlSource::Variable(name.to_owned())));
        let file = section
            .text("url_file", FILE, "url_file = \"database-url\"")?
            .map(|path| ("url_file", UrlSource::File(home.resolve(path))));
        let command = section
            .command(
                "url_command",
                "url_command = [\"pass\", \"show\", \"doorkey-database\"]",
                home,
            )?
            .map(|(program, arguments)| {
                let source = UrlSource::Command { program, arguments };
                ("url_command", source)
            });
        let mut found = [variable, file, command].into_iter().flatten();
        let Some((key, url)) = found.next() else {
            return Err(section.missing("url_env", ONE_OF, URL_EXAMPLE));
        };
        if let Some((second, _)) = found.next() {
            let example = format!("# only one of {key} and {second}");
            return Err(section.wrong(second, ONE_OF, "a second one", &example));
        }
        Ok(Self {
            url,
            schema: section
                .text("schema", "the name of a schema", "schema = \"doorkey\"")?
                .map(str::to_owned),
            key_file: section
                .text("key_file", FILE, KEY_FILE_EXAMPLE)?
                .map(|path| home.resolve(path)),
        })
    }
}

fn read_key(section: &Section<'_>, home: &Home) -> Result<KeySettings, ConfigError> {
    let passphrase = section.text(
        "passphrase_env",
        VARIABLE,
        "passphrase_env = \"DOORKEY_PASSPHRASE\"",
    )?;
    let file = section.text("key_file", FILE, KEY_FILE_EXAMPLE)?;
    match (passphrase, file) {
        (Some(_), Some(_)) => Err(section.wrong(
            "key_file",
            "one of passphrase_env and key_file, or neither: then the key is in the keyring",
            "a second one",
            "# only one of passphrase_env and key_file",
        )),
        (Some(variable), None) => Ok(KeySettings::Passphrase(variable.to_owned())),
        (None, Some(path)) => Ok(KeySettings::File(home.resolve(path))),
        (None, None) => Ok(KeySettings::Keyring),
    }
}

const VARIABLE: &str = "the name of an environment variable";
const FILE: &str = "the path of a file";
const ONE_OF: &str = "one of url_env, url_file and url_command";
const URL_EXAMPLE: &str = "url_env = \"DOORKEY_DATABASE_URL\"";
const KEY_FILE_EXAMPLE: &str = "key_file = \"~/.doorkey-key\"";
