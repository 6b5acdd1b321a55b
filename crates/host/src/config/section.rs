//! Reads one table of the configuration, remembering where each value stands.

mod headers;
mod words;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use doorkey_http::clean_text;
use toml_edit::{Item, Key, TableLike};
use url::Url;

use super::{ConfigError, ConfigWarning, KeyProblem, WrongValue};
use crate::Home;

pub(super) use headers::is_framing;
pub(crate) use words::is_similar;
use words::{describe, show};

/// The text of the file, to turn positions into lines.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) text: &'a str,
}

/// One table with its dotted name. Every key that is asked for counts as known; what remains is
/// reported by [`Section::warnings`].
pub(crate) struct Section<'a> {
    source: Source<'a>,
    name: String,
    table: &'a dyn TableLike,
    known: RefCell<Vec<&'static str>>,
    noted: RefCell<Vec<ConfigWarning>>,
}

impl<'a> Source<'a> {
    /// Line and column, both from 1, of a byte offset.
    pub(super) fn position(self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .map_or(0, |last| last.chars().count())
            + 1;
        (line, column)
    }
}

impl<'a> Section<'a> {
    pub(crate) fn new(source: Source<'a>, name: String, table: &'a dyn TableLike) -> Self {
        Self {
            source,
            name,
            table,
            known: RefCell::default(),
            noted: RefCell::default(),
        }
    }

    /// The table under `key`, when it is there.
    pub(crate) fn section(&self, key: &'static str) -> Result<Option<Section<'a>>, ConfigError> {
        let Some(item) = self.item(key) else {
            return Ok(None);
        };
        let table = item.as_table_like().ok_or_else(|| {
            let example = format!("[{}]", self.dotted(key));
            self.wrong(key, "a table", describe(item), &example)
        })?;
        Ok(Some(Self::new(self.source, self.dotted(key), table)))
    }

    /// The entries of this table as tables of their own, under names the user chose.
    pub(crate) fn named_sections(&self) -> Result<Vec<(String, Section<'a>)>, ConfigError> {
        let mut sections = Vec::new();
        for (name, item) in self.table.iter() {
            let table = item.as_table_like().ok_or_else(|| {
                let example = format!("[{}]", self.dotted(name));
                self.wrong(name, "a table", describe(item), &example)
            })?;
            sections.push((
                name.to_owned(),
                Self::new(self.source, self.dotted(name), table),
            ));
        }
        Ok(sections)
    }

    /// How many keys it has.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn has(&self, key: &'static str) -> bool {
        self.item(key).is_some()
    }

    pub(super) fn is_text(&self, key: &'static str) -> bool {
        self.item(key).is_some_and(Item::is_str)
    }

    /// A table of names and texts, as pairs.
    pub(crate) fn text_pairs(
        &self,
        key: &'static str,
    ) -> Result<Vec<(String, String)>, ConfigError> {
        let Some(section) = self.section(key)? else {
            return Ok(Vec::new());
        };
        let pair = |(name, item): (&str, &Item)| match item.as_str() {
            Some(text) => Ok((name.to_owned(), text.to_owned())),
            None => {
                let example = format!("{name} = \"value\"");
                Err(section.wrong(name, "a string", describe(item), &example))
            }
        };
        section.table.iter().map(pair).collect()
    }

    pub(crate) fn text(
        &self,
        key: &'static str,
        expected: &str,
        example: &str,
    ) -> Result<Option<&'a str>, ConfigError> {
        let Some(item) = self.item(key) else {
            return Ok(None);
        };
        match item.as_str() {
            Some(text) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, expected, "an empty string".to_owned(), example)),
            None => Err(self.wrong(key, expected, describe(item), example)),
        }
    }

    pub(crate) fn flag(&self, key: &'static str, default: bool) -> Result<bool, ConfigError> {
        Ok(self.flag_like(key, default)?.unwrap_or(default))
    }

    /// A flag that nobody need set, for a value that another table has too.
    pub(crate) fn optional_flag(&self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        self.flag_like(key, false)
    }

    /// `example` is the value that an error shows.
    fn flag_like(&self, key: &'static str, example: bool) -> Result<Option<bool>, ConfigError> {
        let Some(item) = self.item(key) else {
            return Ok(None);
        };
        match item.as_bool() {
            Some(flag) => Ok(Some(flag)),
            None => {
                let example = format!("{key} = {example}");
                Err(self.wrong(key, "true or false", describe(item), &example))
            }
        }
    }

    /// A number of seconds, whole or not, above zero and at most a day.
    pub(super) fn seconds(&self, key: &'static str) -> Result<Option<Duration>, ConfigError> {
        let Some(item) = self.item(key) else {
            return Ok(None);
        };
        let whole = item
            .as_integer()
            .and_then(|seconds| u32::try_from(seconds).ok());
        let seconds = whole.map(f64::from).or_else(|| item.as_float());
        match seconds {
            Some(seconds) if seconds > 0.0 && seconds <= DAY_SECONDS => {
                Ok(Some(Duration::from_secs_f64(seconds)))
            }
            _ => Err(self.wrong(
                key,
                "a number of seconds above 0 and at most 86400",
                show(item),
                &format!("{key} = 30"),
            )),
        }
    }

    pub(crate) fn port(&self, key: &'static str) -> Result<Option<u16>, ConfigError> {
        let Some(item) = self.item(key) else {
            return Ok(None);
        };
        let port = item.as_integer().and_then(|port| u16::try_from(port).ok());
        match port {
            Some(port) => Ok(Some(port)),
            None => {
                let example = format!("{key} = 3118");
                Err(self.wrong(
                    key,
                    "a port number up to 65535, or 0 for any that is free",
                    show(item),
                    &example,
                ))
            }
        }
    }

    pub(crate) fn texts(
        &self,
        key: &'static str,
        expected: &str,
        example: &str,
    ) -> Result<Vec<&'a str>, ConfigError> {
        let Some(item) = self.item(key) else {
            return Ok(Vec::new());
        };
        let array = item
            .as_array()
            .ok_or_else(|| self.wrong(key, expected, describe(item), example))?;
        array
            .iter()
            .map(|value| match value.as_str() {
                Some(text) if !text.is_empty() => Ok(text),
                _ => {
                    let found = format!("a list with {} in it", value.type_name());
                    Err(self.wrong(key, expected, found, example))
                }
            })
            .collect()
    }

    /// A program and its arguments. A program with a slash in it is a path like any other in the file; a
    /// bare name is looked for.
    pub(super) fn command(
        &self,
        key: &'static str,
        example: &str,
        home: &Home,
    ) -> Result<Option<(PathBuf, Vec<String>)>, ConfigError> {
        let expected = "a list of a program and its arguments";
        if !self.has(key) {
            return Ok(None);
        }
        let words = self.texts(key, expected, example)?;
        let Some((program, arguments)) = words.split_first() else {
            return Err(self.wrong(key, expected, "an empty list", example));
        };
        let program = match program.contains(['/', '\\']) {
            true => home.resolve(program),
            false => PathBuf::from(program),
        };
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        Ok(Some((program, arguments)))
    }

    /// One of a fixed set of words.
    pub(crate) fn choice<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, ConfigError> {
        let Some(item) = self.item(key) else {
            return Ok(None);
        };
        let chosen = item
            .as_str()
            .and_then(|text| choices.iter().find(|(word, _)| *word == text));
        match chosen {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let words: Vec<_> = choices
                    .iter()
                    .map(|(word, _)| format!("{word:?}"))
                    .collect();
                let example = format!("{key} = {}", words.first().map_or("", String::as_str));
                Err(self.wrong(key, &words.join(" or "), show(item), &example))
            }
        }
    }

    /// A URL that `accept` has nothing against; `accept` says what is wrong.
    pub(super) fn url(
        &self,
        key: &'static str,
        expected: &str,
        example: &str,
        accept: impl Fn(&Url) -> Result<(), String>,
    ) -> Result<Option<Url>, ConfigError> {
        let Some(text) = self.text(key, expected, example)? else {
            return Ok(None);
        };
        match Url::parse(text) {
            Ok(url) => match accept(&url) {
                Ok(()) => Ok(Some(url)),
                Err(why) => Err(self.wrong(key, expected, why, example)),
            },
            Err(error) => Err(self.wrong(key, expected, format!("no URL: {error}"), example)),
        }
    }

    /// The keys nobody asked for, and what was noted of the others and of the tables within.
    pub(crate) fn warnings(&self) -> Vec<ConfigWarning> {
        let known = self.known.borrow();
        let unknown = self
            .table
            .iter()
            .filter(|(key, _)| !known.iter().any(|known| known == key))
            .map(|(key, _)| {
                let similar = known.iter().copied().find(|known| is_similar(known, key));
                self.warning(key, KeyProblem::Unknown { similar })
            });
        self.noted.borrow().iter().cloned().chain(unknown).collect()
    }

    /// Notes that a key does nothing, if it is there.
    pub(super) fn note_without_effect(&self, key: &'static str, because: &str) {
        if self.has(key) {
            let because = because.to_owned();
            let warning = self.warning(key, KeyProblem::WithoutEffect { because });
            self.noted.borrow_mut().push(warning);
        }
    }

    /// Takes over the warnings of a table within.
    pub(crate) fn note_all_of(&self, within: &Section<'_>) {
        self.noted.borrow_mut().extend(within.warnings());
    }

    /// Takes over what was noted in a table within whose keys are names that the user chose.
    pub(super) fn note_noted_of(&self, within: &Section<'_>) {
        let noted = within.noted.borrow();
        self.noted.borrow_mut().extend(noted.iter().cloned());
    }

    /// Every key that was asked for.
    #[cfg(test)]
    pub(super) fn known_keys(&self) -> Vec<&'static str> {
        self.known.borrow().clone()
    }

    /// The error of a value that does not fit.
    pub(crate) fn wrong(
        &self,
        key: &str,
        expected: &str,
        found: impl Into<String>,
        example: &str,
    ) -> ConfigError {
        ConfigError::Value(Box::new(WrongValue {
            path: self.source.path.to_owned(),
            line: self.line(key),
            key: self.dotted(key),
            expected: expected.to_owned(),
            found: found.into(),
            example: example.to_owned(),
        }))
    }

    /// The error of a key that has to be there, at the line of the table.
    pub(crate) fn missing(&self, key: &str, expected: &str, example: &str) -> ConfigError {
        self.wrong(key, expected, "nothing", example)
    }

    /// For people: TOML lets a key hold whatever a terminal would obey.
    pub(super) fn dotted(&self, key: &str) -> String {
        let key = clean_text(key, LONGEST_KEY);
        match self.name.as_str() {
            "" => key,
            name if key.is_empty() => name.to_owned(),
            name => format!("{name}.{key}"),
        }
    }

    fn warning(&self, key: &str, problem: KeyProblem) -> ConfigWarning {
        ConfigWarning {
            path: self.source.path.to_owned(),
            line: self.line(key),
            key: self.dotted(key),
            problem,
        }
    }

    fn item(&self, key: &'static str) -> Option<&'a Item> {
        self.known.borrow_mut().push(key);
        self.table.get(key).filter(|item| !item.is_none())
    }

    /// The line of a key, of its first entry for a table without a header, else of the table.
    fn line(&self, key: &str) -> usize {
        let of_key = self.table.get_key_value(key).and_then(|(key, item)| {
            key.span()
                .or_else(|| item.span())
                .or_else(|| first_span(item))
        });
        let of_table = || {
            self.table
                .iter()
                .find_map(|(key, _)| self.table.key(key).and_then(Key::span))
        };
        of_key
            .or_else(of_table)
            .map_or(1, |span| self.source.position(span.start).0)
    }
}

fn first_span(item: &Item) -> Option<std::ops::Range<usize>> {
    item.as_table_like()?
        .iter()
        .find_map(|(_, item)| item.span())
}

/// Characters of a key that are shown.
const LONGEST_KEY: usize = 200;
const DAY_SECONDS: f64 = 86_400.0;
