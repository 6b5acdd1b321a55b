//! Who signed in, as an identity token tells it (OpenID Connect Core §2, §5.1).

use doorkey_http::clean_text;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::jwt::claims;

/// Somebody, as people and as the issuer know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) label: Option<String>,
    pub(crate) subject: Option<String>,
}

impl Person {
    /// The person of an identity token that came straight from the token endpoint. TLS vouches for who
    /// made it, so its signature need not be checked (OpenID Connect Core §3.1.3.7, item 6), the less
    /// since nothing but what is shown depends on it. A token of another issuer, or for another
    /// client, tells nothing.
    pub(crate) fn of(token: &SecretString, issuers: &[&str], client_id: &str) -> Option<Self> {
        let told = claims(token)?;
        let is_theirs = text(&told, "iss").is_some_and(|iss| issuers.contains(&iss));
        let is_ours = match told.get("aud")? {
            Value::String(audience) => audience == client_id,
            Value::Array(all) => all.iter().any(|audience| audience == client_id),
            _ => false,
        };
        if !is_theirs || !is_ours {
            return None;
        }
        let shown = |name| {
            let text = clean_text(text(&told, name)?, LONGEST).trim().to_owned();
            (!text.is_empty()).then_some(text)
        };
        let names = ["email", "preferred_username", "name", "sub"];
        Some(Self {
            label: names.into_iter().find_map(shown),
            subject: shown("sub"),
        })
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

/// Characters of a name; `sub` has 255 at most (OpenID Connect Core §2).
const LONGEST: usize = 255;

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn person(claims: &str) -> Option<(Option<String>, Option<String>)> {
        let payload = URL_SAFE_NO_PAD.encode(claims);
        let token = SecretString::from(format!("e30.{payload}.c2ln"));
        let person = Person::of(&token, &["https://as.example"], "client-1")?;
        Some((person.label, person.subject))
    }

    fn of(rest: &str) -> Option<(Option<String>, Option<String>)> {
        person(&format!(
            r#"{{"iss":"https://as.example","aud":"client-1"{rest}}}"#
        ))
    }

    #[test]
    fn the_best_known_name_is_shown_and_the_subject_kept() {
        let both = |label: &str, subject: &str| Some((Some(label.into()), Some(subject.into())));
        let all = r#","sub":"7","name":"Ada","preferred_username":"ada","email":"ada@as.example""#;
        assert_eq!(of(all), both("ada@as.example", "7"));
        let three = r#","sub":"7","name":"Ada","preferred_username":"ada""#;
        assert_eq!(of(three), both("ada", "7"));
        assert_eq!(
            of(r#","sub":"7","name":"Ada","email":"""#),
            both("Ada", "7")
        );
        assert_eq!(of(r#","sub":"7""#), both("7", "7"));
        assert_eq!(of(""), Some((None, None)));
        assert_eq!(of(r#","email":["a"],"sub":7"#), Some((None, None)));
    }

    #[test]
    fn a_name_is_cleaned_and_bounded() {
        let long = "x".repeat(4_000);
        let (label, _) = of(&format!(r#","email":"\u001b[31m{long}""#)).unwrap();
        let label = label.unwrap();
        assert!(
            !label.contains('\u{1b}') && label.chars().count() <= LONGEST + 1,
            "{label}"
        );
    }

    #[test]
    fn a_token_of_another_issuer_or_for_another_client_tells_nothing() {
        for claims in [
            r#"{"iss":"https://evil.example","aud":"client-1","sub":"7"}"#,
            r#"{"iss":"https://as.example","aud":"client-2","sub":"7"}"#,
            r#"{"iss":"https://as.example","aud":["client-2"],"sub":"7"}"#,
            r#"{"iss":"https://as.example","sub":"7"}"#,
            r#"{"aud":"client-1","sub":"7"}"#,
            "no json",
        ] {
            assert_eq!(person(claims), None, "{claims}");
        }
        assert!(
            person(r#"{"iss":"https://as.example","aud":["x","client-1"],"sub":"7"}"#).is_some()
        );
    }
}
