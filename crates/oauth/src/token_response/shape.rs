//! Token answers of servers that put them otherwise, made into what RFC 6749 §5.1 says.

use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::error::Error;

/// What is odd about the token answers of one server. Nothing odd is asked for: an answer as the RFC has it is
/// read as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The quirk that says so.
    pub(crate) quirk: Option<String>,
    /// It may be form-encoded.
    pub(crate) is_form: bool,
    /// Tokens may be inside of this member.
    pub(crate) member: Option<String>,
    /// A `token_type` that means `Bearer`.
    pub(crate) bearer: Option<String>,
    /// Commas may stand between scopes.
    pub(crate) has_commas: bool,
    /// The identity token is the one to present.
    pub(crate) presents_id_token: bool,
}

impl Shape {
    /// Whether there is anything odd.
    pub(crate) fn is_odd(&self) -> bool {
        *self != Self::default()
    }

    /// The members of a success as RFC 6749 §5.1 names them, and whether the answer had them otherwise.
    ///
    /// # Errors
    /// As [`Answer::success`].
    pub(super) fn straighten(&self, answer: &Answer) -> Result<(Map<String, Value>, bool), Error> {
        let (mut object, is_form) = match self.is_form {
            true => answer.form_success()?,
            false => (answer.success()?, false),
        };
        let changes = [
            is_form,
            self.presents_id_token,
            self.take_nested(&mut object),
            self.name_bearer(&mut object),
            self.split_scopes(&mut object),
        ];
        Ok((object, changes.contains(&true)))
    }

    /// The token inside is the person's; one beside it would be another's.
    fn take_nested(&self, object: &mut Map<String, Value>) -> bool {
        let Some(member) = &self.member else {
            return false;
        };
        let Some(Value::Object(nested)) = object.remove(member) else {
            return false;
        };
        let has_token = |members: &Map<String, Value>| {
            let token = members.get("access_token").and_then(Value::as_str);
            token.is_some_and(|token| !token.is_empty())
        };
        if has_token(&nested) {
            for name in NESTED {
                object.remove(name);
            }
            object.extend(
                nested
                    .into_iter()
                    .filter(|(name, _)| NESTED.contains(&name.as_str())),
            );
        } else if object
            .get("scope")
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
            && let Some(scope) = nested.get("scope")
        {
            object.insert("scope".to_owned(), scope.clone());
        } else {
            return false;
        }
        true
    }

    fn name_bearer(&self, object: &mut Map<String, Value>) -> bool {
        let named = object.get("token_type").and_then(Value::as_str);
        if let (Some(bearer), Some(named)) = (&self.bearer, named)
            && named.eq_ignore_ascii_case(bearer)
        {
            object.insert("token_type".to_owned(), Value::from("Bearer"));
            return true;
        }
        false
    }

    fn split_scopes(&self, object: &mut Map<String, Value>) -> bool {
        let scope = object.get("scope").and_then(Value::as_str);
        let Some(scope) = scope.filter(|scope| self.has_commas && scope.contains(',')) else {
            return false;
        };
        let split = scope.replace(',', " ");
        object.insert("scope".to_owned(), Value::from(split));
        true
    }
}

/// What a token brings with it.
const NESTED: [&str; 5] = [
    "access_token",
    "expires_in",
    "refresh_token",
    "scope",
    "token_type",
];
