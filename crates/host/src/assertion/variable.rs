//! A token in an environment variable, as build services hand it to their jobs.

use std::fmt;

use doorkey_http::HttpClient;
use doorkey_oauth::{AssertionError, AssertionSource, BoxFuture};
use secrecy::{ExposeSecret as _, SecretString};

use super::{Reading, SourceError};
use crate::environment::NotText;

/// The variable as it was when the program read its environment.
pub(super) struct VariableSource {
    pub(super) name: String,
    pub(super) value: Result<Option<SecretString>, NotText>,
    pub(super) reading: Reading,
}

impl AssertionSource for VariableSource {
    fn assertion<'a>(
        &'a self,
        _http: &'a HttpClient,
    ) -> BoxFuture<'a, Result<SecretString, AssertionError>> {
        Box::pin(async move {
            let value = self.value.clone().map_err(SourceError::from)?;
            let value = value.ok_or_else(|| SourceError::Unset(self.name.clone()))?;
            Ok(self.reading.of_text(value.expose_secret())?)
        })
    }
}

impl fmt::Debug for VariableSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VariableSource")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
