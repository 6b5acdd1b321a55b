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
                if is_secret_name(name) && !member.is_null() {
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
    let mut masked = String::with_capacity(text.len());
    let mut after_secret = false;
    for word in text.split_inclusive(is_between) {
        let (own, end) = match word.char_indices().next_back() {
            Some((at, last)) if is_between(last) => word.split_at(at),
            _ => (word, ""),
        };
        if !own.is_empty() && (after_secret || is_signed(own)) {
            masked.push_str(STRUCK);
        } else {
            masked.push_str(own);
        }
        masked.push_str(end);
        // A name stands before its value, with `=` or `:` and perhaps quotes and blanks between.
        if !own.is_empty() {
            after_secret = is_secret_name(own) && matches!(end, "=" | ":" | "\"" | "'");
            after_secret |= own.eq_ignore_ascii_case("bearer") || own.eq_ignore_ascii_case("dpop");
        } else if matches!(end, "&" | ";" | ",") {
            after_secret = false;
        }
    }
    masked
}

fn is_between(letter: char) -> bool {
    letter.is_whitespace() || "&;,=:\"'<>(){}[]?#".contains(letter)
}

fn is_secret_name(name: &str) -> bool {
    let name = name.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let name = name.to_ascii_lowercase().replace('-', "_");
    // What publishes no secret though it is named so.
    if PUBLIC.contains(&name.as_str())
        || name.ends_with("_supported")
        || name.ends_with("_endpoint")
    {
        return false;
    }
    SECRET.contains(&name.as_str())
        || [
            "_token",
            "_secret",
            "_password",
            "_assertion",
            "_key",
            "_cookie",
        ]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Whether a word is a JWT by its looks: its header begins as the base64 of `{"`.
fn is_signed(word: &str) -> bool {
    word.len() > 20 && word.contains('.') && word.starts_with("eyJ")
}

const PUBLIC: [&str; 3] = ["invalid_token", "public_key", "missing_token"];
const SECRET: [&str; 18] = [
    "access_token",
    "refresh_token",
    "id_token",
    "token",
    "code",
    "device_code",
    "user_code",
    "request_uri",
    "state",
    "nonce",
    "code_verifier",
    "client_secret",
    "secret",
    "password",
    "assertion",
    "authorization",
    "cookie",
    "set_cookie",
];
const STRUCK: &str = "…";
const DEPTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_by_its_name_or_its_looks_is_struck_and_the_rest_stays() {
        for (text, shown) in [
            (
                r#"{"access_token":"abc","scope":"a b"}"#,
                r#"{"access_token":"…","scope":"a b"}"#,
            ),
            (
                r#"{"a":[{"client_secret":{"x":1}}]}"#,
                r#"{"a":[{"client_secret":"…"}]}"#,
            ),
            (
                r#"{"error":"invalid_token"}"#,
                r#"{"error":"invalid_token"}"#,
            ),
            (
                r#"{"token_endpoint":"https://as.example/token"}"#,
                r#"{"token_endpoint":"https://as.example/token"}"#,
            ),
            (
                r#"{"said":"Bearer abc is wrong"}"#,
                r#"{"said":"Bearer … is wrong"}"#,
            ),
            (
                "grant=x&refresh_token=abc&scope=s",
                "grant=x&refresh_token=…&scope=s",
            ),
            (
                "<input name=state value=\"abc\">",
                "<input name=state value=\"abc\">",
            ),
            ("Cookie: abc; path=/", "Cookie: …; path=/"),
            ("got eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln!", "got …"),
            ("no secret here: code 12", "no secret here: code 12"),
        ] {
            assert_eq!(masked(text), shown, "{text}");
        }
    }
}
