//! A token that a program prints.

use std::path::PathBuf;
use std::time::Duration;

use doorkey_http::HttpClient;
use doorkey_oauth::{AssertionError, AssertionSource, BoxFuture};
use secrecy::SecretString;

use super::{Reading, SourceError, TOKEN_BYTES};
use crate::child::Withheld;
use crate::program::{LIMIT, Program};

/// Runs the program anew each time; its limit is less than what the login has for its source.
#[derive(Clone, Debug)]
pub(super) struct CommandSource {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) withheld: Withheld,
    pub(super) reading: Reading,
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
        let program = Program {
            program: &self.program,
            arguments: &self.arguments,
            withheld: &self.withheld,
            limit,
            bytes: TOKEN_BYTES,
        };
        self.reading.of_bytes(&program.run().await?)
    }
}
