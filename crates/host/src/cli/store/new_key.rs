//! `doorkey store new-key`: a file with a new key.

#[cfg(feature = "encrypted")]
use std::path::Path;
use std::path::PathBuf;

use clap::Args;

use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Output;
#[cfg(feature = "encrypted")]
use crate::cli::output::clean;

#[derive(Args, Debug)]
pub(super) struct NewKey {
    /// The file to make; one that is there is left alone
    file: PathBuf,
}

impl NewKey {
    #[cfg(feature = "encrypted")]
    pub(super) fn run(&self, output: &Output) -> Result<Exit, Failure> {
        // The configuration resolves paths against its own folder, not against the one this is typed in.
        let absolute = std::path::absolute(&self.file).map_err(Failure::Input)?;
        let file = clean(&absolute.display().to_string());
        if !doorkey_store::create_key_file(&self.file)? {
            output.warn(&format!("{file} is there already, and was left as it is"));
            return Ok(Exit::Other);
        }
        output.note(&format!(
            "made {file}, which only you can read; without it the logins under its key are lost, so keep a \
             copy where no backup of the logins goes"
        ));
        output.note(&format!(
            "next: write key_file = {} in [store], then doorkey store migrate --to encrypted_file",
            quoted(&absolute)
        ));
        Ok(Exit::Done)
    }

    #[cfg(not(feature = "encrypted"))]
    pub(super) fn run(&self, _: &Output) -> Result<Exit, Failure> {
        let (kind, feature) = (doorkey::StoreKind::EncryptedFile, "encrypted");
        let error = doorkey::StoreOpenError::NotBuilt { kind, feature };
        Err(Failure::Host(error.into()))
    }
}

/// A path as a TOML string: what is special in one is escaped.
#[cfg(feature = "encrypted")]
fn quoted(path: &Path) -> String {
    let value = toml_edit::Value::from(path.display().to_string());
    value.to_string().trim().to_owned()
}
