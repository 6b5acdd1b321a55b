//! Which configured header goes to whom, and how its value is had.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use doorkey_http::Origin;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretSlice};

use super::NetworkError;
use super::error::HeaderProblem;
use super::setting::{SetBy, Tables};
use crate::bounded;
use crate::child::Withheld;
use crate::config::{HeaderCommand, HeaderSettings, HeaderSource, ServerConfig};
use crate::environment::Environment;
use crate::program::Program;

/// A configured header. `Debug` shows no value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HeaderInForce {
    /// Its name.
    pub name: HeaderName,
    /// To whom it goes.
    pub scope: HeaderScope,
    /// Where its value comes from.
    pub source: HeaderSource,
    /// The table that says so.
    pub set_by: SetBy,
    /// Its full key in the configuration.
    pub key: String,
}

/// To whom a header goes. Of two headers of one name the one of the narrower scope counts: one
/// origin, then the MCP server, then everyone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderScope {
    /// One origin that the configuration names.
    Origin(Origin),
    /// The origin of the MCP server.
    Resource(Origin),
    /// Everyone, foreign authorization servers too.
    Everyone,
}

impl fmt::Display for HeaderScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(origin) | Self::Resource(origin) => origin.fmt(f),
            Self::Everyone => f.write_str("everyone"),
        }
    }
}

/// The headers of a server but for `Authorization`, which takes the place of a login (USE-09). A name
/// is there once for each scope: the server's own table wins, and variables over texts.
pub(super) fn in_force(tables: Tables<'_>, server: &ServerConfig) -> Vec<HeaderInForce> {
    let mut found = Found::default();
    for (table, set_by) in tables.narrow_first() {
        for (origin, headers) in &table.origin_headers {
            let scope = HeaderScope::Origin(origin.clone());
            let key = format!("{}.origin_headers.{origin}", table_name(&set_by));
            found.add(headers, &scope, &set_by, &key);
        }
    }
    let scope = HeaderScope::Resource(Origin::from(&server.url));
    let name = format!("mcp_servers.{}", server.name);
    let set_by = SetBy::Table(name.clone());
    let mut own = HeaderSettings::default();
    for (header, variable) in &server.env_http_headers {
        own.insert(header.clone(), HeaderSource::Variable(variable.clone()));
    }
    found.add(&own, &scope, &set_by, &format!("{name}.env_http_headers"));
    let own = &server.http_headers;
    found.add(own, &scope, &set_by, &format!("{name}.http_headers"));
    found.0.retain(|header| {
        header.name != AUTHORIZATION || !matches!(header.scope, HeaderScope::Resource(_))
    });
    for (table, set_by) in tables.narrow_first() {
        let key = format!("{}.default_headers", table_name(&set_by));
        let scope = HeaderScope::Everyone;
        found.add(&table.default_headers, &scope, &set_by, &key);
    }
    found.0
}

#[derive(Default)]
struct Found(Vec<HeaderInForce>);

impl Found {
    fn add(&mut self, headers: &HeaderSettings, scope: &HeaderScope, set_by: &SetBy, key: &str) {
        for (name, source) in headers.iter() {
            let mut known = self.0.iter();
            if known.any(|header| header.name == *name && header.scope == *scope) {
                continue;
            }
            self.0.push(HeaderInForce {
                name: name.clone(),
                scope: scope.clone(),
                source: source.clone(),
                set_by: set_by.clone(),
                key: format!("{key}.{name}"),
            });
        }
    }
}

fn table_name(set_by: &SetBy) -> &str {
    match set_by {
        SetBy::Table(name) | SetBy::Variable(name) => name,
        SetBy::Default => "network",
    }
}

impl HeaderInForce {
    /// Whether its value can be had now: what a variable or a file holds is read, and not kept. No
    /// program is run for it.
    ///
    /// # Errors
    /// [`NetworkError::HeaderValue`]: the variable is not set, the file cannot be read, or what is in
    /// it is no header.
    pub fn check(&self, environment: &Environment) -> Result<(), NetworkError> {
        self.known(environment).map(drop)
    }

    /// The value that is there without a program being run.
    pub(super) fn known(
        &self,
        environment: &Environment,
    ) -> Result<Option<HeaderValue>, NetworkError> {
        let value = match &self.source {
            HeaderSource::Value(value) => Ok(value.clone()),
            HeaderSource::Variable(name) => of_variable(environment, name),
            HeaderSource::File(path) => return self.written(path).map(Some),
            HeaderSource::Command(_) => return Ok(None),
        };
        let value = value.map_err(|problem| self.trouble(problem))?;
        Ok(Some(self.kept(value)))
    }

    /// What the file of this header holds.
    pub(super) fn written(&self, path: &Path) -> Result<HeaderValue, NetworkError> {
        let value = bounded::read(path, VALUE_BYTES as u64)
            .map_err(|source| HeaderProblem::Read {
                path: path.to_owned(),
                source,
            })
            .and_then(|bytes| of_bytes(&path.display().to_string(), &SecretSlice::from(bytes)));
        let value = value.map_err(|problem| self.trouble(problem))?;
        Ok(self.kept(value))
    }

    /// What the program of this header prints.
    pub(super) async fn printed(
        &self,
        command: &HeaderCommand,
        withheld: &Withheld,
    ) -> Result<HeaderValue, HeaderProblem> {
        let program = Program {
            program: &command.program,
            arguments: &command.arguments,
            withheld,
            limit: crate::program::LIMIT,
            bytes: VALUE_BYTES,
        };
        let printed = program.run().await?;
        let what = format!("what {} printed", command.program.display());
        Ok(self.kept(of_bytes(&what, &printed)?))
    }

    /// What goes to everyone is no secret, and the client takes no marked value there.
    fn kept(&self, mut value: HeaderValue) -> HeaderValue {
        value.set_sensitive(self.scope != HeaderScope::Everyone);
        value
    }

    pub(super) fn trouble(&self, source: impl Into<Arc<HeaderProblem>>) -> NetworkError {
        NetworkError::HeaderValue {
            key: self.key.clone(),
            name: self.name.to_string(),
            source: source.into(),
        }
    }
}

fn of_variable(environment: &Environment, name: &str) -> Result<HeaderValue, HeaderProblem> {
    let text = environment.text(name)?;
    let text = text.ok_or_else(|| HeaderProblem::Unset(name.to_owned()))?;
    let value = HeaderValue::from_str(text);
    value.map_err(|_| HeaderProblem::Characters(format!("the environment variable {name}")))
}

fn of_bytes(what: &str, bytes: &SecretSlice<u8>) -> Result<HeaderValue, HeaderProblem> {
    let bad = || HeaderProblem::Characters(what.to_owned());
    let text = std::str::from_utf8(bytes.expose_secret()).map_err(|_| bad())?;
    match text.trim() {
        "" => Err(HeaderProblem::Empty(what.to_owned())),
        text => HeaderValue::from_str(text).map_err(|_| bad()),
    }
}

/// More than a header that servers accept.
const VALUE_BYTES: usize = 64 * 1024;
