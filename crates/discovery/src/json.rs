//! JSON objects of servers, read so that nobody can see something else in them: bounded in depth, and with the
//! members known that occur more than once (RFC 8259 §4 leaves open which of them counts).

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A JSON object as a server sent it.
///
/// Of a member that occurs twice, one parser takes the first and another one the last. Who relies on a member asks
/// [`repeated`](Self::repeated) first.
///
/// ```
/// use doorkey_discovery::JsonObject;
///
/// let object = JsonObject::parse(br#"{"scope":"a","iss":"https://a.example","iss":"https://b.example"}"#)?;
/// assert_eq!(object.repeated(&["scope", "iss"]), Some("iss"));
/// # Ok::<(), doorkey_discovery::JsonError>(())
/// ```
// No `Debug`: an answer may hold tokens.
pub struct JsonObject {
    members: Map<String, Value>,
    repeated: BTreeSet<String>,
}

/// Why bytes are no JSON object that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It is no JSON, or not to its end.
    #[error("it cannot be read as JSON")]
    Malformed(#[source] serde_json::Error),
    /// It is JSON of another kind.
    #[error("it is JSON, but not an object")]
    NotAnObject,
    /// Arrays and objects stand in each other more than [`MAX_JSON_DEPTH`] deep.
    #[error("it is nested deeper than {MAX_JSON_DEPTH} levels")]
    TooDeep,
}

impl JsonObject {
    /// Reads `bytes`, whose length the caller has bounded.
    ///
    /// # Errors
    /// See [`JsonError`]; none of them quotes the bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        if depth(bytes) > MAX_JSON_DEPTH {
            return Err(JsonError::TooDeep);
        }
        if bytes.trim_ascii_start().first() == Some(&b'{') {
            return serde_json::from_slice(bytes).map_err(JsonError::Malformed);
        }
        match serde_json::from_slice::<IgnoredAny>(bytes) {
            Ok(_) => Err(JsonError::NotAnObject),
            Err(error) => Err(JsonError::Malformed(error)),
        }
    }

    /// The first of these names that the object has more than once, however it is escaped there.
    #[must_use]
    pub fn repeated(&self, names: &[&'static str]) -> Option<&'static str> {
        let is_repeated = |name: &&&'static str| self.repeated.contains(**name);
        names.iter().find(is_repeated).copied()
    }

    /// A member; of one that occurs more than once, the last.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// All members; of those that occur more than once, the last.
    #[must_use]
    pub fn into_members(self) -> Map<String, Value> {
        self.members
    }
}

impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonObject")
            .field("members", &self.members.len())
            .field("repeated", &self.repeated.len())
            .finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = JsonObject;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonObject, A::Error> {
        let mut object = JsonObject {
            members: Map::new(),
            repeated: BTreeSet::new(),
        };
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if object.members.contains_key(&name) {
                object.repeated.insert(name.clone());
            }
            object.members.insert(name, value);
        }
        Ok(object)
    }
}

/// How deep brackets stand in each other outside of strings, whether or not they match.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// How deep arrays and objects may stand in each other. What OAuth says needs two or three levels.
pub const MAX_JSON_DEPTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
        format!(r#"{{"a":{open}"]\"]"{close}}}"#)
    }

    #[test]
    fn nesting_has_a_limit_that_is_told_and_no_stack_overflows_sec_12() {
        assert!(JsonObject::parse(nested(MAX_JSON_DEPTH).as_bytes()).is_ok());
        for levels in [MAX_JSON_DEPTH + 1, 129, 500_000] {
            let error = JsonObject::parse(nested(levels).as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), "it is nested deeper than 32 levels");
        }
        // Brackets in strings nest nothing.
        let text = format!(r#"{{"a":"\"{}"}}"#, "[".repeat(500));
        assert!(JsonObject::parse(text.as_bytes()).is_ok());
    }

    #[test]
    fn a_member_that_occurs_twice_is_known_however_it_is_written() {
        for twice in [
            r#"{"iss":1,"iss":1}"#,
            r#"{"iss":"a","x":{},"\u0069ss":null}"#,
            r#"{"iss":null,"iss":"a","iss":"b"}"#,
        ] {
            let object = JsonObject::parse(twice.as_bytes()).unwrap();
            assert_eq!(object.repeated(&["x", "iss"]), Some("iss"), "{twice}");
            assert_eq!(object.repeated(&["x"]), None, "{twice}");
        }
        // Names have letter case, and those of an inner object are its own.
        let once = JsonObject::parse(br#"{"iss":{"iss":1},"Iss":2}"#).unwrap();
        assert_eq!(once.repeated(&["iss", "Iss"]), None);
        assert_eq!(once.get("Iss"), Some(&Value::from(2)));
        assert_eq!(once.into_members().len(), 2);
    }

    #[test]
    fn what_is_no_object_is_told_apart() {
        for (bytes, kind) in [
            (&b"[1]"[..], "it is JSON, but not an object"),
            (b"null", "it is JSON, but not an object"),
            (b"", "it cannot be read as JSON"),
            (b"{\"a\":1", "it cannot be read as JSON"),
            (b"{} {}", "it cannot be read as JSON"),
            (b"{\"a\":1e999}", "it cannot be read as JSON"),
            (b"{\"a\":\"\xff\"}", "it cannot be read as JSON"),
            (b"{\"a\":\"\\ud800\"}", "it cannot be read as JSON"),
        ] {
            assert_eq!(JsonObject::parse(bytes).unwrap_err().to_string(), kind);
        }
    }
}
