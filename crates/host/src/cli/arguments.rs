//! The arguments of a tool or a prompt, from the command line, a file or standard input.

use std::fs::File;
use std::io::{self, Read};

use clap::Args;
use serde_json::{Map, Value};

use super::output::{Output, clean};

#[derive(Args, Debug)]
pub(crate) struct Given {
    /// Its arguments, a JSON object: written here, in a file (@FILE) or on standard input (-)
    #[arg(long, value_name = "JSON|@FILE|-")]
    args: Option<String>,
    /// One argument: KEY=TEXT, or KEY:=JSON for numbers, lists and the like; may be repeated, and counts above --args
    #[arg(long = "arg", value_name = "KEY=TEXT", value_parser = single)]
    singles: Vec<(String, Value)>,
    /// What was read, once [`Given::read`] was called.
    #[arg(skip)]
    object: Option<Map<String, Value>>,
}

impl Given {
    /// Reads what was given, before anything else is done.
    ///
    /// # Errors
    /// What is wrong with it and where, without any of its values.
    pub(crate) fn read(&mut self, output: &Output) -> Result<(), String> {
        let mut object = match self.args.as_deref() {
            None => None,
            Some("-" | "@-") => {
                if output.terminal().stdin {
                    output.note("Type the arguments, a JSON object; end with Ctrl-D on a line of its own.");
                }
                Some(from_reader("standard input", io::stdin().lock())?)
            }
            Some(argument) => match argument.strip_prefix('@') {
                Some(path) => Some(from_file(path)?),
                None => Some(object_in("--args", argument).map_err(|wrong| {
                    format!("{wrong}; a shell takes quotes away: --args '{{\"city\": \"Oslo\"}}', --arg city=Oslo or --args @FILE")
                })?),
            },
        };
        for (key, value) in std::mem::take(&mut self.singles) {
            object.get_or_insert_default().insert(key, value);
        }
        self.object = object;
        Ok(())
    }

    /// What was read.
    pub(crate) fn object(&self) -> Option<Map<String, Value>> {
        self.object.clone()
    }
}

fn from_file(path: &str) -> Result<Map<String, Value>, String> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", clean(path)))?;
    from_reader(path, file)
}

fn from_reader(place: &str, reader: impl Read) -> Result<Map<String, Value>, String> {
    let place = clean(place);
    let mut bytes = Vec::new();
    let read = reader.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("{place}: {error}"))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("{place}: more than {MOST_BYTES} bytes"));
    }
    // Some editors begin a file with a mark of its encoding, and some shells write UTF-16.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|_| format!("{place}: not UTF-8; save it in that encoding"))?;
    object_in(&place, text)
}

fn object_in(place: &str, text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(format!(
            "{place}: {} where a JSON object is expected, such as {{\"city\": \"Oslo\"}}",
            kind(&other)
        )),
        Err(error) => Err(format!("{place}, {}", wrong(&error))),
    }
}

/// Where it is wrong, then why.
fn wrong(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let told = error.to_string();
    let why = told.strip_suffix(&format!(" at line {line} column {column}"));
    format!(
        "line {line}, column {column}: not JSON: {}",
        why.unwrap_or(&told)
    )
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn single(text: &str) -> Result<(String, Value), String> {
    let expected = "expected KEY=TEXT or KEY:=JSON";
    let (key, value) = text.split_once('=').ok_or(expected)?;
    let (key, value) = match key.strip_suffix(':') {
        None => (key, Value::from(value)),
        Some(key) => {
            let read = serde_json::from_str(value);
            let value =
                read.map_err(|error| format!("the value of {}, {}", clean(key), wrong(&error)))?;
            (key, value)
        }
    };
    if key.is_empty() {
        return Err(expected.to_owned());
    }
    Ok((key.to_owned(), value))
}

/// More than any tool takes, and no more than fits.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(place: &str, bytes: &[u8]) -> Result<Value, String> {
        from_reader(place, bytes).map(Value::Object)
    }

    #[test]
    fn a_file_may_begin_with_a_byte_order_mark_and_have_line_ends_of_windows() {
        let text = b"\xef\xbb\xbf{\r\n  \"city\": \"Oslo\"\r\n}\r\n";
        assert_eq!(read("a.json", text), Ok(json!({"city": "Oslo"})));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_file_line_and_column_and_without_its_values() {
        for (bytes, told) in [
            (
                &b"{\n  \"city\": \"s3cret\" 1\n}"[..],
                "a.json, line 2, column 20: not JSON: ",
            ),
            (b"", "a.json, line 1, column 0: not JSON: EOF"),
            (
                b"[\"s3cret\"]",
                "a.json: a list where a JSON object is expected",
            ),
            (b"\"s3cret\"", "a.json: a text where"),
            (b"{\x00}", "a.json, line 1, column 2: "),
            (
                b"\xff\xfe{\x00}\x00",
                "a.json: not UTF-8; save it in that encoding",
            ),
        ] {
            let refusal = read("a.json", bytes).expect_err("it is wrong");
            assert!(refusal.starts_with(told), "{refusal}");
            assert!(!refusal.contains("s3cret"), "{refusal}");
        }
    }

    #[test]
    fn a_single_argument_is_text_unless_it_says_that_it_is_json() {
        for (text, key, value) in [
            ("city=Oslo", "city", json!("Oslo")),
            ("zip=0150", "zip", json!("0150")),
            ("q=a=b", "q", json!("a=b")),
            ("empty=", "empty", json!("")),
            ("days:=3", "days", json!(3)),
            ("tags:=[\"a=b\", null]", "tags", json!(["a=b", null])),
        ] {
            assert_eq!(single(text), Ok((key.to_owned(), value)));
        }
        for text in ["city", "=Oslo", ":=3", "days:=x", "days:="] {
            assert!(single(text).is_err(), "{text}");
        }
    }
}
