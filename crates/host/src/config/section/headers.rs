//! Tables of header names and values.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};
use toml_edit::Item;

use super::{ConfigError, Section, describe};

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

    /// The entries of this table as headers, always sensitive, under what `parse` makes of each
    /// name.
    pub(in crate::config) fn headers_by_name<T>(
        &self,
        parse: impl Fn(&str) -> Result<T, ConfigError>,
    ) -> Result<Vec<(T, HeaderMap)>, ConfigError> {
        self.table
            .iter()
            .map(|(name, item)| Ok((parse(name)?, self.headers_in(name, item, true)?)))
            .collect()
    }

    /// A table of header names and texts, the texts as they stand.
    pub(in crate::config) fn header_texts(
        &self,
        key: &'static str,
    ) -> Result<Vec<(HeaderName, &'a str)>, ConfigError> {
        self.item(key)
            .map_or_else(|| Ok(Vec::new()), |item| self.header_texts_in(key, item))
    }

    fn headers_in(
        &self,
        key: &str,
        item: &'a Item,
        sensitive: bool,
    ) -> Result<HeaderMap, ConfigError> {
        let mut headers = HeaderMap::new();
        for (name, text) in self.header_texts_in(key, item)? {
            let mut value = HeaderValue::from_str(text).map_err(|_| {
                self.wrong(
                    key,
                    "header values of visible characters",
                    format!("something else in the value of {name}"),
                    &format!("{name} = \"value\""),
                )
            })?;
            value.set_sensitive(sensitive);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    fn header_texts_in(
        &self,
        key: &str,
        item: &'a Item,
    ) -> Result<Vec<(HeaderName, &'a str)>, ConfigError> {
        let expected = "a table of header names and strings";
        let example = format!("{key} = {{ X-Team = \"search\" }}");
        let table = item
            .as_table_like()
            .ok_or_else(|| self.wrong(key, expected, describe(item), &example))?;
        let mut texts = Vec::new();
        for (name, value) in table.iter() {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                self.wrong(key, expected, format!("{name:?}, no header name"), &example)
            })?;
            if is_framing(&name) {
                let found = format!("{name}, which belongs to the connection");
                return Err(self.wrong(key, "headers of the request", found, &example));
            }
            let Some(text) = value.as_str() else {
                let found = format!("{} for {name}", describe(value));
                return Err(self.wrong(key, expected, found, &example));
            };
            texts.push((name, text));
        }
        Ok(texts)
    }
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
