//! Servers that behave oddly, as some vendors' do. Each oddity is refused by no specification that the client could
//! point at, or breaks one that the vendor does not heed.

use http::StatusCode;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    AuthorizationServerBuilder,
    server::{Core, Refusal, uncached},
};
use crate::{
    reply::{self, Reply},
    request::{FORM, Parameters},
};

/// One thing that a server does in its own way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oddity {
    /// Heeds `audience` in place of `resource`; without it tokens are for this.
    AudienceParameter(String),
    /// Gives a refresh token only where the authorization request has these parameters.
    RefreshTokenFor(Vec<(String, String)>),
    /// Refuses an authorization request that asks for no scope, or for `offline_access` alone.
    WantsScope,
    /// Refuses a refresh that does not repeat the scopes of the authorization request, and says that it granted others.
    WantsScopesAgain,
    /// Reads the scopes of people in `user_scope`, with commas between them.
    UserScopes,
    /// Answers the token endpoint with the token inside of `authed_user`, of the type `user`, with commas between
    /// scopes, and with errors in `{"ok":false}` and status 200.
    NestedAnswers,
    /// Answers the token endpoint with a form, errors with status 200.
    FormAnswers,
    /// Has the token endpoint at this path below the issuer.
    TokenPath(String),
    /// Has identity tokens presented in place of access tokens.
    IdTokensOnly,
}

impl AuthorizationServerBuilder {
    /// Adds an oddity. Default: none.
    #[must_use]
    pub fn odd(mut self, oddity: Oddity) -> Self {
        self.config.odd.push(oddity);
        self
    }
}

impl Core {
    pub(super) fn is_odd(&self, oddity: &Oddity) -> bool {
        self.config.odd.contains(oddity)
    }

    /// What tokens are for where `audience` is not sent, if that is what the server heeds.
    pub(super) fn audience_without(&self) -> Option<&str> {
        self.config.odd.iter().find_map(|odd| match odd {
            Oddity::AudienceParameter(without) => Some(without.as_str()),
            _ => None,
        })
    }

    /// The path of the token endpoint below the issuer.
    pub(super) fn token_path(&self) -> &str {
        let path = self.config.odd.iter().find_map(|odd| match odd {
            Oddity::TokenPath(path) => Some(path.as_str()),
            _ => None,
        });
        path.unwrap_or("/token")
    }

    /// Whether a request with these parameters may lead to a refresh token.
    pub(super) fn grants_refresh(&self, parameters: &Parameters) -> bool {
        self.config.odd.iter().all(|odd| match odd {
            Oddity::RefreshTokenFor(needed) => needed
                .iter()
                .all(|(name, value)| parameters.first(name) == Some(value)),
            _ => true,
        })
    }
}

/// Whether the scopes of an authorization request are enough.
pub(super) fn check_scopes(core: &Core, scopes: &[String]) -> Result<(), Refusal> {
    let is_one = |scope: &String| scope != "offline_access";
    if core.is_odd(&Oddity::WantsScope) && !scopes.iter().any(is_one) {
        let why = "AADSTS900144: the request must contain the parameter scope";
        return Err(Refusal::new("invalid_request", why));
    }
    Ok(())
}

/// Whether a refresh asks for the scopes that were authorized.
pub(super) fn check_refresh_scopes(
    core: &Core,
    sent: Option<&str>,
    authorized: &[String],
) -> Result<(), Refusal> {
    if !core.is_odd(&Oddity::WantsScopesAgain) {
        return Ok(());
    }
    let Some(sent) = sent else {
        let why = "AADSTS90009: the scope of the application is missing";
        return Err(Refusal::new("invalid_request", why));
    };
    let mut sent: Vec<&str> = sent.split(' ').collect();
    let mut wanted: Vec<&str> = authorized.iter().map(String::as_str).collect();
    sent.sort_unstable();
    wanted.sort_unstable();
    if sent == wanted {
        return Ok(());
    }
    let why = "AADSTS70011: these scopes cannot be asked for together";
    Err(Refusal::new("invalid_scope", why))
}

/// The scopes of a request in the parameter that this server reads them from.
pub(super) fn scope_parameter(core: &Core, parameters: &Parameters) -> Option<String> {
    match core.is_odd(&Oddity::UserScopes) {
        true => parameters
            .first("user_scope")
            .map(|scopes| scopes.replace(',', " ")),
        false => parameters.first("scope").map(str::to_owned),
    }
}

/// What the server says that it granted.
pub(super) fn told_scopes(core: &Core, scopes: &[String]) -> String {
    match core.is_odd(&Oddity::WantsScopesAgain) {
        true => "https://graph.example/User.Read profile openid".to_owned(),
        false => scopes.join(" "),
    }
}

/// A token answer as this server puts it; `None`: as everybody does.
pub(super) fn answer(core: &Core, answer: &Value) -> Option<Reply> {
    if core.is_odd(&Oddity::FormAnswers) {
        return Some(form(answer));
    }
    if !core.is_odd(&Oddity::NestedAnswers) {
        return None;
    }
    let mut nested = answer.clone();
    nested["token_type"] = json!("user");
    nested["id"] = json!("U0001");
    if let Some(scope) = answer["scope"].as_str() {
        nested["scope"] = json!(scope.replace(' ', ","));
    }
    let body = json!({ "ok": true, "app_id": "A0001", "scope": "", "authed_user": nested });
    Some(uncached(reply::json(StatusCode::OK, &body)))
}

/// A refusal as this server puts it; `None`: as everybody does.
pub(super) fn refusal(core: &Core, refusal: &Refusal) -> Option<Reply> {
    if core.is_odd(&Oddity::FormAnswers) {
        let description = refusal.description.as_str();
        return Some(form(
            &json!({ "error": refusal.error, "error_description": description }),
        ));
    }
    core.is_odd(&Oddity::NestedAnswers).then(|| {
        let body = json!({ "ok": false, "error": refusal.error });
        uncached(reply::json(StatusCode::OK, &body))
    })
}

fn form(members: &Value) -> Reply {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in members.as_object().into_iter().flatten() {
        match value {
            Value::String(text) => form.append_pair(name, text),
            other => form.append_pair(name, &other.to_string()),
        };
    }
    uncached(reply::typed(StatusCode::OK, FORM, form.finish()))
}
