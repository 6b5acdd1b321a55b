//! A token that a program prints.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use doorkey_http::HttpClient;
use doorkey_oauth::{AssertionError, AssertionSource, BoxFuture};
use secrecy::{SecretSlice, SecretString};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use crate::child::{Withheld, child_environment};

use super::{Reading, SourceError, TOKEN_BYTES};

/// Runs the program anew each time: without a shell, without input, and not for long.
#[derive(Clone, Debug)]
pub(super) struct CommandSource {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) reading: Reading,
    pub(super) withheld: Withheld,
}

impl AssertionSource for CommandSource {
    fn assertion<'a>(
        &'a self,
        _http: &'a HttpClient,
    ) -> BoxFuture<'a, Result<SecretString, AssertionError>> {
        Box::pin(async move { Ok(self.run(LIMIT).await?) })
    }
}

impl CommandSource {
    pub(super) async fn run(&self, limit: Duration) -> Result<SecretString, SourceError> {
        let failed = |source| SourceError::Run {
            program: self.program.clone(),
            source,
        };
        let mut command = Command::new(&self.program);
        child_environment(command.as_std_mut(), &self.withheld);
        let mut child = command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // It may say a secret where the messages of this program are kept.
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let ended = tokio::time::timeout(limit, end(&mut child)).await;
        let ended = ended.map_err(|_elapsed| SourceError::TimedOut {
            program: self.program.clone(),
            limit,
        })?;
        let Some((bytes, status)) = ended.map_err(failed)? else {
            return Err(SourceError::TooLong);
        };
        if !status.success() {
            return Err(SourceError::Failed {
                program: self.program.clone(),
                status,
            });
        }
        self.reading.of_bytes(&bytes)
    }
}

/// What the program writes, and how it ends; `None` when it writes too much.
async fn end(child: &mut Child) -> io::Result<Option<(SecretSlice<u8>, ExitStatus)>> {
    let mut bytes = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let limit = TOKEN_BYTES as u64 + 1;
        stdout.take(limit).read_to_end(&mut bytes).await?;
    }
    let fits = bytes.len() <= TOKEN_BYTES;
    let bytes = SecretSlice::from(bytes);
    if !fits {
        return Ok(None);
    }
    Ok(Some((bytes, child.wait().await?)))
}

/// Less than what the login has for its source.
pub(super) const LIMIT: Duration = Duration::from_secs(20);
