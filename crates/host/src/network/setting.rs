//! A value that holds, and who said so.

use std::fmt;

use crate::config::NetworkSettings;

/// A value that holds, and who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Who said so.
    pub set_by: SetBy,
}

/// Who says that a setting has its value. `Display` is what a person looks for: a table of the
/// configuration, or a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetBy {
    /// Nobody: it is what holds where nothing is said.
    Default,
    /// An environment variable.
    Variable(String),
    /// A table of the configuration: its name.
    Table(String),
}

impl<T> Setting<T> {
    pub(super) fn new(value: T, set_by: SetBy) -> Self {
        Self { value, set_by }
    }

    pub(super) fn default(value: T) -> Self {
        Self::new(value, SetBy::Default)
    }
}

impl SetBy {
    pub(super) fn variable(name: &str) -> Self {
        Self::Variable(name.to_owned())
    }
}

impl fmt::Display for SetBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Table(name) => write!(f, "[{name}]"),
        }
    }
}

/// The tables about the network that hold for one server.
#[derive(Clone, Copy)]
pub(super) struct Tables<'a> {
    pub(super) global: &'a NetworkSettings,
    /// The server's own table, with the name of the server.
    pub(super) own: Option<(&'a str, &'a NetworkSettings)>,
}

impl<'a> Tables<'a> {
    /// A single value: the server's own, else the global one.
    pub(super) fn one<T>(
        self,
        get: impl Fn(&'a NetworkSettings) -> Option<T>,
    ) -> Option<Setting<T>> {
        self.narrow_first()
            .find_map(|(table, set_by)| Some(Setting::new(get(table)?, set_by)))
    }

    /// A list: the global ones, then the server's own.
    pub(super) fn all<T: Clone + 'a>(
        self,
        get: impl Fn(&'a NetworkSettings) -> &'a [T],
    ) -> Vec<Setting<T>> {
        let mut tables: Vec<_> = self.narrow_first().collect();
        tables.reverse();
        let values = tables.into_iter().flat_map(|(table, set_by)| {
            let values = get(table).iter().cloned();
            values.map(move |value| Setting::new(value, set_by.clone()))
        });
        values.collect()
    }

    /// The tables, that of the server first.
    pub(super) fn narrow_first(self) -> impl Iterator<Item = (&'a NetworkSettings, SetBy)> {
        let own = self.own.map(|(name, own)| {
            let table = SetBy::Table(format!("mcp_servers.{name}.network"));
            (own, table)
        });
        own.into_iter()
            .chain([(self.global, SetBy::Table("network".to_owned()))])
    }
}
