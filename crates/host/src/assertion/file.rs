//! A token in a file that a platform keeps fresh, such as a projected service account token.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use doorkey_http::HttpClient;
use doorkey_oauth::{AssertionError, AssertionSource, BoxFuture};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use super::{Reading, SourceError, TOKEN_BYTES};

/// Reads the file anew each time.
#[derive(Clone, Debug)]
pub(super) struct FileSource {
    pub(super) path: PathBuf,
    pub(super) reading: Reading,
}

impl AssertionSource for FileSource {
    fn assertion<'a>(
        &'a self,
        _http: &'a HttpClient,
    ) -> BoxFuture<'a, Result<SecretString, AssertionError>> {
        Box::pin(async move {
            let path = self.path.clone();
            // A pipe or a share that hangs must not hold up the others.
            let read = tokio::task::spawn_blocking(move || read(&path)).await;
            let bytes = read.unwrap_or_else(|lost| Err(io::Error::other(lost)));
            let bytes = bytes.map_err(|source| SourceError::Read {
                path: self.path.clone(),
                source,
            })?;
            if bytes.expose_secret().len() > TOKEN_BYTES {
                return Err(SourceError::TooLong.into());
            }
            Ok(self.reading.of_bytes(&bytes)?)
        })
    }
}

fn read(path: &Path) -> io::Result<SecretSlice<u8>> {
    let mut bytes = Vec::new();
    let limit = TOKEN_BYTES as u64 + 1;
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(SecretSlice::from(bytes))
}
