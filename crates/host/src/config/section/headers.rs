//! Tables of header names and values.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};
use toml_edit::Item;

use super::{ConfigError, KeyProblem, Section, describe};
use crate::Home;
use crate::config::{HeaderSettings, HeaderSource};

impl<'a> Section<'a> {
    /// A table of header names and texts. The values are marked sensitive where `sensitive`.
    pub(in crate::config) fn headers(
        &self,
        key: &'static str,
        sensitive: bool,
    ) -> Result<HeaderMap, ConfigError> {
        match self.item(key) {
            Some(item) => self.headers_in(key, item, sensitive),
            None => Ok(HeaderMap::new()),
        }
    }

    /// A table of header names and where their values come from.
    pub(in crate::config) fn header_settings(
        &self,
        key: &'static str,
        home: &Home,
    ) -> Result<HeaderSettings, ConfigError> {
        match self.item(key) {
            Some(item) => self.header_settings_in(key, item, home),
            None => Ok(HeaderSettings::default()),
        }
    }

    /// The entries of this table as such tables, under what `parse` makes of each name.
    pub(in crate::config) fn header_settings_by_name<T>(
        &self,
        home: &Home,
        parse: impl Fn(&str) -> Result<T, ConfigError>,
    ) -> Result<Vec<(T, HeaderSettings)>, ConfigError> {
        self.table
            .iter()
            .map(|(name, item)| Ok((parse(name)?, self.header_settings_in(name, item, home)?)))
            .collect()
    }

    /// Notes the headers of a table that go to everyone and may be secrets: by their name, and because
    /// their value is kept somewhere else.
    pub(in crate::config) fn note_seen_by_all(&self, key: &'static str) {
        let Ok(Some(within)) = self.section(key) else {
            return;
        };
        for (name, value) in within.table.iter() {
            let lower = name.to_ascii_lowercase();
            if value.as_str().is_none() && SECRETIVE.iter().any(|word| lower.contains(word)) {
                let warning = within.warning(name, KeyProblem::SeenByAll);
                self.noted.borrow_mut().push(warning);
            }
        }
    }

    /// A table of header names and texts, the texts as they stand.
    pub(in crate::config) fn header_texts(
        &self,
        key: &'static str,
    ) -> Result<Vec<(HeaderName, &'a str)>, ConfigError> {
        self.item(key)
            .map_or_else(|| Ok(Vec::new()), |item| self.header_texts_in(key, item))
    }

    fn header_settings_in(
        &self,
        key: &str,
        item: &'a Item,
        home: &Home,
    ) -> Result<HeaderSettings, ConfigError> {
        let mut settings = HeaderSettings::default();
        for (name, written, value) in self.header_items(key, item)? {
            let source = match (value.as_str(), value.as_table_like()) {
                (Some(text), _) => HeaderSource::Value(self.header_value(key, &name, text)?),
                (None, Some(table)) if !table.is_empty() => {
                    let within = format!("{}.{written}", self.dotted(key));
                    let within = Self::new(self.source, within, table);
                    let source = HeaderSource::read(&within, home)?;
                    self.note_all_of(&within);
                    source
                }
                (None, _) => {
                    let found = format!("{} for {name}", describe(value));
                    let expected = "a table of header names and strings or { env = \"…\" }";
                    return Err(self.wrong(key, expected, found, &headers_example(key)));
                }
            };
            settings.insert(name, source);
        }
        Ok(settings)
    }

    fn headers_in(
        &self,
        key: &str,
        item: &'a Item,
        sensitive: bool,
    ) -> Result<HeaderMap, ConfigError> {
        let mut headers = HeaderMap::new();
        for (name, text) in self.header_texts_in(key, item)? {
            let mut value = self.header_value(key, &name, text)?;
            value.set_sensitive(sensitive);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    fn header_value(
        &self,
        key: &str,
        name: &HeaderName,
        text: &str,
    ) -> Result<HeaderValue, ConfigError> {
        HeaderValue::from_str(text).map_err(|_| {
            self.wrong(
                key,
                "header values of visible characters",
                format!("something else in the value of {name}"),
                &format!("{name} = \"value\""),
            )
        })
    }

    fn header_texts_in(
        &self,
        key: &str,
        item: &'a Item,
    ) -> Result<Vec<(HeaderName, &'a str)>, ConfigError> {
        let text = |(name, _, value): (HeaderName, &str, &'a Item)| match value.as_str() {
            Some(text) => Ok((name, text)),
            None => {
                let found = format!("{} for {name}", describe(value));
                Err(self.wrong(key, OF_STRINGS, found, &headers_example(key)))
            }
        };
        self.header_items(key, item)?
            .into_iter()
            .map(text)
            .collect()
    }

    /// The entries of a table of headers: the name, the name as it is written, the value.
    fn header_items(
        &self,
        key: &str,
        item: &'a Item,
    ) -> Result<Vec<(HeaderName, &'a str, &'a Item)>, ConfigError> {
        let example = headers_example(key);
        let table = item
            .as_table_like()
            .ok_or_else(|| self.wrong(key, OF_STRINGS, describe(item), &example))?;
        let mut items = Vec::new();
        for (written, value) in table.iter() {
            let name = HeaderName::from_bytes(written.as_bytes()).map_err(|_| {
                let found = format!("{written:?}, no header name");
                self.wrong(key, OF_STRINGS, found, &example)
            })?;
            if is_framing(&name) {
                let found = format!("{name}, which belongs to the connection");
                return Err(self.wrong(key, "headers of the request", found, &example));
            }
            items.push((name, written, value));
        }
        Ok(items)
    }
}

fn headers_example(key: &str) -> String {
    format!("{key} = {{ X-Team = \"search\" }}")
}

/// Whether a header says how the message travels; the connection writes it, nobody configures it
/// (RFC 9110 sections 7.2, 7.6.1 and 8.6).
pub(in crate::config) fn is_framing(name: &HeaderName) -> bool {
    [
        HOST,
        CONNECTION,
        CONTENT_LENGTH,
        TRANSFER_ENCODING,
        TE,
        UPGRADE,
    ]
    .contains(name)
}

/// What names of headers hold whose value is a secret.
const SECRETIVE: [&str; 4] = ["key", "token", "secret", "auth"];

const OF_STRINGS: &str = "a table of header names and strings";
