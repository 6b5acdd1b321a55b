//! Which certificate authorities are trusted, and the files that they are in.

use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};

use doorkey_http::{RootCertificate, RootFile, Roots, each_once, roots_from_files};

use super::setting::{SetBy, Setting, Tables};
use super::{NetworkError, read};
use crate::environment::Environment;

/// The certificate authorities that are trusted.
///
/// `SSL_CERT_FILE` and `SSL_CERT_DIR` stand in for the system's, as users of other tools expect, where
/// the configuration leaves it open; `DOORKEY_CA_CERTIFICATE` and `ca_certificates` add to whatever
/// there is. `system_roots = false` takes away the system's and what stands in for them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RootsInForce {
    /// What of the system's certificates holds.
    pub system: Setting<SystemRoots>,
    /// The files and folders with the others.
    pub bundles: Vec<Setting<Bundle>>,
}

/// Whether the system's certificates are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SystemRoots {
    /// They are.
    Trusted,
    /// A variable names others in their place.
    Replaced,
    /// They are not.
    Distrusted,
}

/// A file with certificates, or a folder of such files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bundle {
    /// The file or folder.
    pub path: PathBuf,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// The variable or key that names it.
    pub setting: &'static str,
}

impl RootsInForce {
    pub(super) fn of(environment: &Environment, tables: Tables<'_>) -> Self {
        let mut bundles = Vec::new();
        let mut add = |setting: &'static str, path: &Path, is_folder, set_by| {
            let path = path.to_owned();
            let bundle = Bundle {
                path,
                is_folder,
                setting,
            };
            bundles.push(Setting::new(bundle, set_by));
        };
        let mut system = tables.one(|table| table.system_roots).map_or(
            Setting::default(SystemRoots::Trusted),
            |said| {
                let value = match said.value {
                    true => SystemRoots::Trusted,
                    false => SystemRoots::Distrusted,
                };
                Setting::new(value, said.set_by)
            },
        );
        // The configuration wins over the environment.
        if system.set_by == SetBy::Default {
            for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
                let Some(value) = environment.variable(name) else {
                    continue;
                };
                let set_by = SetBy::variable(name);
                system = Setting::new(SystemRoots::Replaced, set_by.clone());
                if name == "SSL_CERT_FILE" {
                    add(name, Path::new(value), false, set_by);
                } else {
                    let folders = std::env::split_paths(value);
                    for folder in folders.filter(|folder| !folder.as_os_str().is_empty()) {
                        add(name, &folder, true, set_by.clone());
                    }
                }
            }
        }
        let name = "DOORKEY_CA_CERTIFICATE";
        if let Some(path) = environment.variable(name) {
            add(name, Path::new(path), false, SetBy::variable(name));
        }
        for file in tables.all(|table| &table.ca_certificates) {
            add("ca_certificates", &file.value, false, file.set_by);
        }
        Self { system, bundles }
    }

    /// Reads the certificates.
    pub(super) fn read(&self) -> Result<Roots, NetworkError> {
        let mut certificates = Vec::new();
        let mut folders = Vec::new();
        for bundle in &self.bundles {
            match bundle.value.is_folder {
                true => folders.push(&bundle.value),
                false => certificates.extend(bundle.value.read()?),
            }
        }
        certificates.extend(read_folders(&folders)?);
        let certificates = each_once(certificates);
        match self.system.value {
            SystemRoots::Trusted if certificates.is_empty() => Ok(Roots::System),
            SystemRoots::Trusted => Ok(Roots::SystemAnd(certificates)),
            SystemRoots::Distrusted if certificates.is_empty() => {
                let table = self.system.set_by.to_string();
                Err(NetworkError::NothingTrusted { table })
            }
            SystemRoots::Replaced | SystemRoots::Distrusted => Ok(Roots::Only(certificates)),
        }
    }
}

impl Bundle {
    /// How many certificates are in it.
    ///
    /// # Errors
    /// It cannot be read, or holds none, or a broken one.
    pub fn count(&self) -> Result<usize, NetworkError> {
        Ok(self.read()?.len())
    }

    fn read(&self) -> Result<Vec<RootCertificate>, NetworkError> {
        match self.is_folder {
            true => self.read_folder(),
            false => certificates(&[self.read_file(&self.path, true)?]),
        }
    }

    fn read_file(&self, path: &Path, required: bool) -> Result<PemFile, NetworkError> {
        Ok(PemFile {
            name: format!("{}={}", self.setting, path.display()),
            pem: read(self.setting, path)?,
            required,
        })
    }

    /// Every file of a folder that holds a certificate, the others passed over; a folder without any
    /// is an error.
    fn read_folder(&self) -> Result<Vec<RootCertificate>, NetworkError> {
        let failed = |source| NetworkError::Read {
            setting: self.setting.to_owned(),
            path: self.path.clone(),
            source,
        };
        let mut files = Vec::new();
        for path in entries(&self.path).map_err(failed)? {
            match self.read_file(&path, false) {
                Ok(file) => files.push(file),
                Err(error) => tracing::warn!(
                    file = %path.display(),
                    why = error.source().map(tracing::field::display),
                    "a file among the trusted certificates is passed over"
                ),
            }
        }
        let found = certificates(&files)?;
        if found.is_empty() {
            return Err(NetworkError::NoRoots {
                setting: self.setting.to_owned(),
                path: self.path.clone(),
            });
        }
        Ok(found)
    }
}

/// What is in the folders of a list. As with other tools, one that cannot be used is passed over, as
/// long as there is another one.
fn read_folders(folders: &[&Bundle]) -> Result<Vec<RootCertificate>, NetworkError> {
    let mut all = Vec::new();
    let mut failed = Vec::new();
    for folder in folders {
        match folder.read() {
            Ok(found) => all.extend(found),
            Err(error) => failed.push((folder, error)),
        }
    }
    if all.is_empty()
        && let Some((_, error)) = failed.pop()
    {
        return Err(error);
    }
    for (folder, error) in failed {
        tracing::warn!(
            folder = %folder.path.display(),
            %error,
            "a folder of trusted certificates is passed over"
        );
    }
    Ok(all)
}

/// The files of a folder, by name.
///
/// Links are followed: such folders consist of them. A dangling one is nobody's fault here.
pub(super) fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    // All of one folder: their parts need not be compared one by one.
    paths.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    Ok(paths)
}

struct PemFile {
    name: String,
    pem: Vec<u8>,
    required: bool,
}

fn certificates(files: &[PemFile]) -> Result<Vec<RootCertificate>, NetworkError> {
    let files = files.iter().map(|file| RootFile {
        name: &file.name,
        pem: &file.pem,
        required: file.required,
    });
    roots_from_files(files).map_err(NetworkError::Roots)
}
