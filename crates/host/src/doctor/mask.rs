//! What is struck from a text of a server beyond the secrets that are known: members and parameters that are secret by
//! their name, and whatever looks like a signed token.

use serde_json::Value;

/// `text` without what is secret by its name or its looks.
pub(super) fn masked(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(mut value) => {
            mask_members(&mut value, DEPTH);
            value.to_string()
        }
        Err(_) => mask_words(text),
    }
}

fn mask_members(value: &mut Value, depth: usize) {
    match value {
        _ if depth == 0 => *value = Value::from(STRUCK),
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                let is_plain = member.is_null() || member.is_boolean() || member.is_number();
                let is_code = is_code(name) && member.is_string();
                if is_code || (is_secret_name(name) && !is_plain) {
                    *member = Value::from(STRUCK);
                } else {
                    mask_members(member, depth - 1);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|it| mask_members(it, depth - 1)),
        Value::String(text) => *text = mask_words(text),
        _ => {}
    }
}

/// Parameters, header lines and signed tokens in a text that is no JSON.
fn mask_words(text: &str) -> String {
    text.split_inclusive('\n').map(mask_line).collect()
}

fn mask_line(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    let mut rest = line;
    let mut next = Next::Shown;
    while !rest.is_empty() {
        let at = rest.find(is_between).unwrap_or(rest.len());
        let (word, after) = rest.split_at(at);
        let (end, after) = after.split_at(after.chars().next().map_or(0, char::len_utf8));
        let is_struck = match next {
            // A challenge has parameters after its scheme, and no credentials.
            Next::Credentials => end != "=" || after.starts_with('='),
            Next::Value | Next::Line => true,
            Next::Shown => is_signed(word),
        };
        let is_struck = is_struck && !word.is_empty();
        masked.push_str(if is_struck { STRUCK } else { word });
        masked.push_str(end);
        next = next.after(word, end);
        rest = after;
    }
    masked
}

/// What becomes of the next word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// It is shown.
    Shown,
    /// It follows `Bearer`.
    Credentials,
    /// It follows the name of a secret.
    Value,
    /// It follows the name of a header of credentials, of which all is struck.
    Line,
}

impl Next {
    fn after(self, word: &str, end: &str) -> Self {
        let name = plain_name(word);
        let names = matches!(end, "=" | ":" | "\"" | "'");
        match self {
            Self::Line => Self::Line,
            _ if names && HEADERS.contains(&name.as_str()) => Self::Line,
            _ if is_code(word) && end == "=" => Self::Value,
            _ if names && is_secret_name(word) => Self::Value,
            // Between a name and its value stand blanks and quotes.
            Self::Value if word.is_empty() && !matches!(end, "&" | ";" | ",") => Self::Value,
            Self::Credentials if word.is_empty() => Self::Credentials,
            _ if SCHEMES.contains(&name.as_str()) && end == " " => Self::Credentials,
            _ => Self::Shown,
        }
    }
}

fn is_between(letter: char) -> bool {
    letter.is_whitespace() || "&;,=:\"'<>(){}[]?#".contains(letter)
}

/// A name in small letters without what joins its words.
fn plain_name(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.collect::<String>().to_ascii_lowercase()
}

fn is_secret_name(name: &str) -> bool {
    let name = plain_name(name);
    // What publishes no secret though it is named so.
    let is_public = PUBLIC.contains(&name.as_str())
        || name.ends_with("supported")
        || name.ends_with("endpoint");
    !is_public && (SECRET.contains(&name.as_str()) || ENDINGS.iter().any(|end| name.ends_with(end)))
}

/// Parameters of an authorization response. As numbers, and in a text, they are something else.
fn is_code(name: &str) -> bool {
    matches!(name, "code" | "state" | "nonce")
}

/// Whether a word is a JWT by its looks: its header begins as the base64 of `{"`.
fn is_signed(word: &str) -> bool {
    word.len() > 20 && word.contains('.') && word.starts_with("eyJ")
}

const HEADERS: [&str; 4] = ["cookie", "setcookie", "authorization", "proxyauthorization"];
const SCHEMES: [&str; 3] = ["bearer", "dpop", "basic"];
const PUBLIC: [&str; 3] = ["invalidtoken", "missingtoken", "publickey"];
const SECRET: [&str; 7] = [
    "devicecode",
    "usercode",
    "requesturi",
    "codeverifier",
    "sid",
    "jwt",
    "pwd",
];
const ENDINGS: [&str; 8] = [
    "token",
    "secret",
    "password",
    "assertion",
    "apikey",
    "key",
    "cookie",
    "session",
];
const STRUCK: &str = "…";
const DEPTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_by_its_name_or_its_looks_is_struck() {
        for (text, shown) in [
            (
                r#"{"access_token":"abc","scope":"a b"}"#,
                r#"{"access_token":"…","scope":"a b"}"#,
            ),
            (
                r#"{"a":[{"client_secret":{"x":1}}]}"#,
                r#"{"a":[{"client_secret":"…"}]}"#,
            ),
            (r#"{"code":"abc"}"#, r#"{"code":"…"}"#),
            (
                r#"{"said":"Bearer abc is wrong"}"#,
                r#"{"said":"Bearer … is wrong"}"#,
            ),
            (
                "grant=x&refresh_token=abc&scope=s",
                "grant=x&refresh_token=…&scope=s",
            ),
            (
                "Cookie: sid=abc; b=c\nServer: x",
                "Cookie: …=…; …=…\nServer: x",
            ),
            ("Authorization: Basic YmFzaWM=", "Authorization: … …="),
            ("apiKey=abc accessToken=def", "apiKey=… accessToken=…"),
            (
                "at https://h/cb?code=abc&state=def",
                "at https://h/cb?code=…&state=…",
            ),
            ("got eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln!", "got …"),
        ] {
            assert_eq!(masked(text), shown, "{text}");
        }
    }

    #[test]
    fn what_explains_a_fault_stays_to_the_letter() {
        for text in [
            r#"{"error":"invalid_token"}"#,
            r#"{"token_endpoint":"https://as.example/token"}"#,
            r#"{"error":{"code":-32601,"message":"no"},"jsonrpc":"2.0"}"#,
            "Bearer resource_metadata=\"https://h/.well-known/x\", error=\"invalid_token\"",
            "code: 17, state: closed",
            "<html lang=en><title>Not here</title>",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
