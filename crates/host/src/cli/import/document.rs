//! The file of another program, read and never written: JSON with comments, or TOML.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use jsonc_parser::ParseOptions;
use serde_json::{Map, Value};

use super::places::Source;

/// An entry of a table of MCP servers, as it stands there.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Where in the file, if there is more than one table: such as a project.
    pub(super) place: Option<String>,
    pub(super) value: Value,
}

/// Why a file cannot be used.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It is not there.
    Missing,
    /// It cannot be read.
    Read(io::Error),
    /// It is not what its name says.
    Syntax {
        line: usize,
        column: usize,
        why: String,
    },
    /// It has no table of servers where one should be.
    Shape(String),
}

/// The servers in a file.
pub(super) fn read(source: Source, path: &Path) -> Result<Vec<Entry>, Unusable> {
    let text = read_text(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Unusable::Missing,
        _ => Unusable::Read(error),
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let document = match source {
        Source::Codex => toml(text)?,
        _ => json(text)?,
    };
    let mut entries = Vec::new();
    match source {
        Source::Codex => table(&document, "mcp_servers", None, &mut entries)?,
        // A file that is named by hand may be in either of the two forms.
        Source::Vscode if document.get("servers").is_none() => {
            table(&document, "mcpServers", None, &mut entries)?;
        }
        Source::Vscode => table(&document, "servers", None, &mut entries)?,
        _ => table(&document, "mcpServers", None, &mut entries)?,
    }
    if source == Source::Claude {
        let projects = document.get("projects").and_then(Value::as_object);
        for (folder, project) in projects.into_iter().flatten() {
            table(project, "mcpServers", Some(folder), &mut entries)?;
        }
    }
    Ok(entries)
}

/// The forms that `text` may be in, told by what is in it: for a file whose name does not say.
pub(super) fn guess(path: &Path) -> Source {
    let is_toml = path
        .extension()
        .is_some_and(|extension| extension == "toml");
    let text = read_text(path).unwrap_or_default();
    match json(&text) {
        _ if is_toml => Source::Codex,
        Ok(document) if document.get("servers").is_some() => Source::Vscode,
        _ => Source::Claude,
    }
}

fn table(
    document: &Value,
    key: &str,
    place: Option<&String>,
    entries: &mut Vec<Entry>,
) -> Result<(), Unusable> {
    match document.get(key) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(servers)) => {
            entries.extend(servers.iter().map(|(name, value)| Entry {
                name: name.clone(),
                place: place.cloned(),
                value: value.clone(),
            }));
            Ok(())
        }
        Some(_) => Err(Unusable::Shape(format!("{key} is not a table of servers"))),
    }
}

fn json(text: &str) -> Result<Value, Unusable> {
    if let Some(line) = too_deep(text) {
        return Err(Unusable::Syntax {
            line,
            column: 1,
            why: format!("more than {DEPTH} tables and lists in each other"),
        });
    }
    let parsed = jsonc_parser::parse_to_serde_value(text, &ParseOptions::default());
    let value = parsed.map_err(|error| Unusable::Syntax {
        line: error.line_display(),
        column: error.column_display(),
        why: error.kind().to_string(),
    })?;
    Ok(value.unwrap_or_else(|| Map::new().into()))
}

fn toml(text: &str) -> Result<Value, Unusable> {
    let document = toml_edit::Document::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Unusable::Syntax {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            why: error.message().trim().replace('\n', ", "),
        }
    })?;
    Ok(of_table(document.as_table()))
}

fn of_table(table: &dyn toml_edit::TableLike) -> Value {
    let members = table
        .iter()
        .map(|(key, item)| (key.to_owned(), of_item(item)));
    Value::Object(members.collect())
}

fn of_item(item: &toml_edit::Item) -> Value {
    match item {
        toml_edit::Item::Value(value) => of_value(value),
        toml_edit::Item::ArrayOfTables(tables) => {
            tables.iter().map(|table| of_table(table)).collect()
        }
        toml_edit::Item::Table(table) => of_table(table),
        toml_edit::Item::None => Value::Null,
    }
}

fn of_value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => text.value().as_str().into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Float(number) => (*number.value()).into(),
        toml_edit::Value::Boolean(flag) => (*flag.value()).into(),
        toml_edit::Value::Datetime(time) => time.value().to_string().into(),
        toml_edit::Value::Array(array) => array.iter().map(of_value).collect(),
        toml_edit::Value::InlineTable(table) => of_table(table),
    }
}

/// The line on which brackets are in each other too deeply for a reader that calls itself for each: such a file has no end of the
/// stack in mind.
fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut line) = (0_usize, 1);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' => line += 1,
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            '/' if characters.peek() == Some(&'/') => {
                line += usize::from(characters.any(|inside| inside == '\n'));
            }
            '/' if characters.peek() == Some(&'*') => {
                let mut before = ' ';
                characters.next();
                for inside in characters.by_ref() {
                    line += usize::from(inside == '\n');
                    if before == '*' && inside == '/' {
                        break;
                    }
                    before = inside;
                }
            }
            quote @ ('"' | '\'') => {
                while let Some(inside) = characters.next() {
                    match inside {
                        '\\' => drop(characters.next()),
                        '\n' => line += 1,
                        end if end == quote => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        if depth > DEPTH {
            return Some(line);
        }
    }
    None
}

/// The whole of a file of text, within reason. What is no file has no end and is not opened.
fn read_text(path: &Path) -> io::Result<String> {
    let is_file = std::fs::metadata(path)?.is_file();
    if !is_file {
        return Err(io::Error::other("it is not a file"));
    }
    let mut text = String::new();
    let mut file = File::open(path)?.take(FILE_BYTES + 1);
    file.read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES {
        let why = format!("larger than {} MiB", FILE_BYTES >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(text)
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no such file"),
            Self::Read(error) => write!(f, "it cannot be read: {error}"),
            Self::Syntax { why, .. } | Self::Shape(why) => f.write_str(why),
        }
    }
}

impl Unusable {
    /// The file with the place in it, where one is known.
    pub(super) fn at(&self, path: &Path) -> String {
        match self {
            Self::Syntax { line, column, .. } => format!("{}:{line}:{column}", path.display()),
            _ => path.display().to_string(),
        }
    }
}

/// A file of a program that keeps its whole history there is larger than anybody thinks.
const FILE_BYTES: u64 = 64 << 20;
/// Tables and lists in each other; a table of servers has four.
const DEPTH: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_trailing_commas_are_fine_and_a_mistake_has_its_line() {
        let value = json("{ // mine\n \"a\": [1, 2,], /* b */ }").ok();
        assert_eq!(value, Some(serde_json::json!({"a": [1, 2]})));
        assert_eq!(json("").ok(), Some(serde_json::json!({})));
        for (text, at) in [
            ("{\n  \"a\": \n}", (3, 1)),
            ("{\n\n \"a\": 1 \"b\": 2,,}", (3, 16)),
        ] {
            match json(text) {
                Err(Unusable::Syntax { line, column, .. }) => assert_eq!((line, column), at),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_is_too_deep_is_refused_before_it_is_read() {
        let deep = "[".repeat(1_000_000);
        assert!(matches!(json(&deep), Err(Unusable::Syntax { line: 1, .. })));
        let quoted = format!("{{\"a\": \"{deep}\\\"{deep}\"}}");
        assert!(json(&quoted).is_ok(), "in a text they are no brackets");
        for comment in ["// it's\n", "/* it's \" */", "// \"\n", "/*/ '*/"] {
            let hidden = format!("{comment}{deep}");
            assert!(
                matches!(json(&hidden), Err(Unusable::Syntax { .. })),
                "{comment}"
            );
        }
        let flat = format!("[{}1]", "[1],".repeat(100_000));
        assert!(json(&flat).is_ok());
    }
}
