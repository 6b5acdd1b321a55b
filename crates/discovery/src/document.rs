//! A metadata document as bytes: a bounded JSON object whose members have the types their RFC gives
//! them (RFC 8414 §3.2, RFC 9728 §3.2).

use std::fmt;

use serde_json::Value;
use url::Url;

use crate::address::{UrlError, parse_endpoint};
use crate::json::{JsonError, JsonObject, MAX_JSON_DEPTH};
use crate::text::Quoted;
use crate::{Issuer, Scopes};

/// Why a document cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The body is something else; the document is not here.
    #[error("the body is not a JSON object: {kind}")]
    NotJsonObject {
        /// What it looks like instead.
        kind: BodyKind,
        /// What the JSON reader said, when it was asked.
        source: Option<serde_json::Error>,
    },
    /// The body is longer than [`MAX_DOCUMENT_BYTES`].
    #[error("the document is longer than {MAX_DOCUMENT_BYTES} bytes")]
    TooLong,
    /// A member that is needed is not there.
    #[error("`{member}` is missing")]
    Missing {
        /// The name of the member.
        member: &'static str,
    },
    /// A member occurs more than once, so that nobody knows what it says (RFC 8259 §4).
    #[error("`{member}` occurs more than once")]
    Repeated {
        /// The name of the member.
        member: &'static str,
    },
    /// A list has more than [`MAX_LIST`] entries.
    #[error("`{member}` has more than {MAX_LIST} entries")]
    TooMany {
        /// The name of the member.
        member: &'static str,
    },
    /// A member has another type than its RFC gives it.
    #[error("`{member}` is not {expected}")]
    WrongType {
        /// The name of the member.
        member: &'static str,
        /// The type it should have.
        expected: &'static str,
    },
    /// A member is a URL that must not be used.
    #[error("`{member}` cannot be used")]
    Url {
        /// The name of the member.
        member: &'static str,
        /// The rule it breaks.
        source: UrlError,
    },
    /// The document speaks for another issuer; nothing in it counts (RFC 8414 §3.3).
    #[error("the document is that of {}, not of {}", shown(published.as_ref()), Quoted(expected.as_str()))]
    IssuerMismatch {
        /// The issuer the document was fetched for.
        expected: Issuer,
        /// The issuer the document names; `None` if it names none.
        published: Option<Issuer>,
    },
}

fn shown(issuer: Option<&Issuer>) -> String {
    issuer.map_or_else(
        || "no issuer".to_owned(),
        |issuer| Quoted(issuer.as_str()).to_string(),
    )
}

impl DocumentError {
    /// Whether there was no such document at all, rather than a bad one.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::NotJsonObject { .. })
    }
}

/// What a body looks like that is no JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyKind {
    /// Nothing, or blanks.
    Empty,
    /// A web page, or XML.
    Markup,
    /// It starts with a byte order mark, which JSON must not (RFC 8259 §8.1).
    ByteOrderMark,
    /// JSON, but an array, a string, a number, a boolean or null.
    OtherJson,
    /// JSON that is nested deeper than [`MAX_JSON_DEPTH`] levels.
    TooDeep,
    /// Anything else, truncated JSON included.
    Unreadable,
}

impl fmt::Display for BodyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::Markup => "it looks like a web page",
            Self::ByteOrderMark => "it starts with a byte order mark",
            Self::OtherJson => "it is JSON of another kind",
            Self::TooDeep => return write!(f, "it is nested deeper than {MAX_JSON_DEPTH} levels"),
            Self::Unreadable => "it cannot be read as JSON",
        })
    }
}

/// The longest document that is read, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

/// The most entries that a list in a document may have.
pub const MAX_LIST: usize = 1000;

/// The members of a document. A member that is `null` counts as absent, as many serializers write
/// it.
pub(crate) struct Members(JsonObject);

impl Members {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, DocumentError> {
        if body.len() > MAX_DOCUMENT_BYTES {
            return Err(DocumentError::TooLong);
        }
        let absent = |kind, source| DocumentError::NotJsonObject { kind, source };
        match body.trim_ascii_start() {
            [] => return Err(absent(BodyKind::Empty, None)),
            [b'<', ..] => return Err(absent(BodyKind::Markup, None)),
            [0xEF, 0xBB, 0xBF, ..] => return Err(absent(BodyKind::ByteOrderMark, None)),
            _ => {}
        }
        JsonObject::parse(body)
            .map(Self)
            .map_err(|error| match error {
                JsonError::NotAnObject => absent(BodyKind::OtherJson, None),
                JsonError::TooDeep => absent(BodyKind::TooDeep, None),
                JsonError::Malformed(error) => absent(BodyKind::Unreadable, Some(error)),
            })
    }

    pub(crate) fn string(&self, member: &'static str) -> Result<Option<&str>, DocumentError> {
        match self.present(member)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(DocumentError::WrongType {
                member,
                expected: "a string",
            }),
        }
    }

    pub(crate) fn flag(&self, member: &'static str) -> Result<bool, DocumentError> {
        match self.present(member)? {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(DocumentError::WrongType {
                member,
                expected: "true or false",
            }),
        }
    }

    pub(crate) fn strings(
        &self,
        member: &'static str,
    ) -> Result<Option<Vec<String>>, DocumentError> {
        match self.list(member)? {
            None => Ok(None),
            Some(items) if items.len() > MAX_LIST => Err(DocumentError::TooMany { member }),
            Some(items) => texts(member, items).map(Some),
        }
    }

    /// The first [`MAX_LIST`] entries of a list that is only looked into, and whether there are more.
    pub(crate) fn first_strings(
        &self,
        member: &'static str,
    ) -> Result<Option<(Vec<String>, bool)>, DocumentError> {
        let Some(items) = self.list(member)? else {
            return Ok(None);
        };
        let first = items.get(..MAX_LIST).unwrap_or(items);
        Ok(Some((texts(member, first)?, items.len() > MAX_LIST)))
    }

    pub(crate) fn scopes(&self, member: &'static str) -> Result<Option<Scopes>, DocumentError> {
        Ok(self.strings(member)?.map(Scopes::from_iter))
    }

    pub(crate) fn endpoint(&self, member: &'static str) -> Result<Option<Url>, DocumentError> {
        let Some(text) = self.string(member)? else {
            return Ok(None);
        };
        parse_endpoint(text)
            .map(Some)
            .map_err(|source| DocumentError::Url { member, source })
    }

    fn list(&self, member: &'static str) -> Result<Option<&[Value]>, DocumentError> {
        match self.present(member)? {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(_) => Err(no_strings(member)),
        }
    }

    /// What a member says, if it says it once.
    fn present(&self, member: &'static str) -> Result<Option<&Value>, DocumentError> {
        match self.0.repeated(&[member]) {
            Some(member) => Err(DocumentError::Repeated { member }),
            None => Ok(self.0.get(member).filter(|value| !value.is_null())),
        }
    }
}

fn texts(member: &'static str, items: &[Value]) -> Result<Vec<String>, DocumentError> {
    let texts = items.iter().map(Value::as_str);
    texts
        .map(|text| text.map(str::to_owned).ok_or_else(|| no_strings(member)))
        .collect()
}

const fn no_strings(member: &'static str) -> DocumentError {
    DocumentError::WrongType {
        member,
        expected: "an array of strings",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_object_is_not_here_disc_17_as_10() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        for (body, kind) in [
            ("", BodyKind::Empty),
            (" \r\n", BodyKind::Empty),
            ("<!doctype html><title>404</title>", BodyKind::Markup),
            ("\n <html>", BodyKind::Markup),
            (
                "\u{feff}{\"resource\":\"https://h\"}",
                BodyKind::ByteOrderMark,
            ),
            ("[]", BodyKind::OtherJson),
            ("null", BodyKind::OtherJson),
            ("\"https://h\"", BodyKind::OtherJson),
            ("{\"resource\":\"https://h\"", BodyKind::Unreadable),
            (
                "{\"resource\":\"https://h\"} trailing",
                BodyKind::Unreadable,
            ),
            ("Not found", BodyKind::Unreadable),
            (&deep, BodyKind::TooDeep),
        ] {
            let error = Members::parse(body.as_bytes()).err().unwrap();
            assert!(error.is_absent(), "{body}");
            assert!(
                matches!(&error, DocumentError::NotJsonObject { kind: found, .. } if *found == kind),
                "{body}: {error:?}"
            );
        }
        assert!(
            Members::parse(b"{\"a\":\"\xff\"}")
                .err()
                .unwrap()
                .is_absent(),
            "bytes that are not UTF-8"
        );
    }

    #[test]
    fn a_document_may_have_a_mebibyte_and_no_byte_more_sec_12() {
        let body = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
        assert_eq!(MAX_DOCUMENT_BYTES, 1_048_576);
        assert!(Members::parse(body(MAX_DOCUMENT_BYTES).as_bytes()).is_ok());
        assert!(matches!(
            Members::parse(body(MAX_DOCUMENT_BYTES + 1).as_bytes()),
            Err(DocumentError::TooLong)
        ));
    }

    #[test]
    fn a_null_member_is_an_absent_one() {
        let members = Members::parse(br#"{"a":null}"#).ok().unwrap();
        assert_eq!(members.string("a").unwrap(), None);
        assert_eq!(members.strings("a").unwrap(), None);
        assert!(!members.flag("a").unwrap());
    }

    #[test]
    fn a_member_that_occurs_twice_says_nothing() {
        let members = Members::parse(br#"{"a":"x","a":"x","l":[],"l":null,"f":true,"f":false}"#)
            .ok()
            .unwrap();
        for told in [
            members.string("a").unwrap_err(),
            members.endpoint("a").unwrap_err(),
            members.strings("l").unwrap_err(),
            members.scopes("l").unwrap_err(),
            members.flag("f").unwrap_err(),
        ] {
            let told = told.to_string();
            assert!(told.ends_with("` occurs more than once"), "{told}");
        }
    }

    #[test]
    fn a_list_has_a_thousand_entries_at_most_sec_12() {
        let list = |entries: usize| format!("{{\"l\":[{}\"s\"]}}", "\"s\",".repeat(entries - 1));
        let parse = |entries| Members::parse(list(entries).as_bytes()).ok().unwrap();
        assert!(parse(MAX_LIST).strings("l").is_ok());
        for told in [
            parse(MAX_LIST + 1).strings("l").unwrap_err().to_string(),
            parse(150_000).scopes("l").unwrap_err().to_string(),
        ] {
            assert_eq!(told, "`l` has more than 1000 entries");
        }
    }

    #[test]
    fn of_a_longer_list_that_is_only_looked_into_the_first_thousand_count_sec_12() {
        let list = format!("{{\"l\":[{}\"s\"],\"w\":\"s\"}}", "\"s\",".repeat(MAX_LIST));
        let members = Members::parse(list.as_bytes()).ok().unwrap();
        let (first, more) = members.first_strings("l").unwrap().unwrap();
        assert_eq!((first.len(), more), (MAX_LIST, true));
        assert_eq!(members.first_strings("absent").unwrap(), None);
        let told = members.first_strings("w").unwrap_err().to_string();
        assert!(told.contains("an array of strings"), "{told}");
    }

    #[test]
    fn a_message_names_the_member_and_not_the_body() {
        let members = Members::parse(br#"{"e":"http://evil.example/\u001b[31m","l":["a",1]}"#)
            .ok()
            .unwrap();
        let error = members.endpoint("e").unwrap_err();
        assert_eq!(error.to_string(), "`e` cannot be used");
        assert!(matches!(
            error,
            DocumentError::Url {
                source: UrlError::Blank,
                ..
            }
        ));
        assert_eq!(
            members.strings("l").unwrap_err().to_string(),
            "`l` is not an array of strings"
        );
        assert_eq!(
            members.flag("l").unwrap_err().to_string(),
            "`l` is not true or false"
        );
    }

    #[test]
    fn a_mismatch_shows_both_issuers_safely_as_07_sec_13() {
        let error = DocumentError::IssuerMismatch {
            expected: Issuer::new("https://as.example"),
            published: Some(Issuer::new("https://evil.example/\u{1b}[2J")),
        };
        assert_eq!(
            error.to_string(),
            r#"the document is that of "https://evil.example/\u{1b}[2J", not of "https://as.example""#
        );
    }
}
