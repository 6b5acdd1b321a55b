//! How the page words what is done about a quirk.

use doorkey_oauth::{Effect, Quirk};

/// The keys of a rule.
pub(super) const KEYS: [&str; 29] = [
    "issuers",
    "servers",
    "what",
    "source",
    "date",
    "enabled",
    "by_choice",
    "authorize_params",
    "offline_params",
    "token_params",
    "audience",
    "resource",
    "scopes_on_refresh",
    "drop_scopes",
    "needs_scopes",
    "scope_param",
    "redirect",
    "trusted_issuers",
    "issuer",
    "endpoints",
    "needs_client",
    "no_metadata_document",
    "assume_pkce",
    "form_answer",
    "nested_tokens",
    "bearer_name",
    "comma_scopes",
    "id_token_as_bearer",
    "explain",
];

/// What is done about a quirk, in words.
pub(super) fn does(quirk: &Quirk) -> String {
    let mut done: Vec<String> = Vec::new();
    for effect in &quirk.effects {
        let words = of(effect);
        if !done.contains(&words) {
            done.push(words);
        }
    }
    done.join("; ")
}

fn of(effect: &Effect) -> String {
    match effect {
        Effect::AuthorizeParameter { name, value } => format!("sends `{name}={value}` to the page"),
        Effect::OfflineParameter { name, value } => {
            format!("sends `{name}={value}` where a refresh token is wanted")
        }
        Effect::TokenParameter { name, value } => format!("sends `{name}={value}` for tokens"),
        Effect::AudienceIsResource => "sends `audience` with the value of `resource`".to_owned(),
        Effect::OmitResource => "leaves `resource` out".to_owned(),
        Effect::RepeatScopes => "repeats the scopes asked for when refreshing".to_owned(),
        Effect::DropScope(scope) => format!("does not ask for `{scope}`"),
        Effect::NeedsScopes => "says so before a page opens".to_owned(),
        Effect::ScopeParameter(parameter) => format!("sends scopes in `{}`", parameter.name),
        Effect::Redirect(rule) if rule.port.is_some() => format!("comes back to `{}`", rule.uri(0)),
        Effect::Redirect(rule) => {
            let host = rule.host.as_deref().unwrap_or("127.0.0.1");
            format!("comes back to `{host}`")
        }
        Effect::TrustIssuer { listed, published } => {
            format!("lets `{listed}` call itself `{published}`")
        }
        Effect::AuthorizationServer(issuer) => format!("asks `{issuer}`"),
        Effect::Endpoints {
            authorization,
            token,
            ..
        } => {
            format!("uses `{authorization}` and `{token}` at the server's origin")
        }
        Effect::FormAnswer => "reads a form too".to_owned(),
        Effect::NestedTokens(member) => format!("reads tokens inside of `{member}`"),
        Effect::BearerName(name) => format!("takes the type `{name}` for `Bearer`"),
        Effect::CommaScopes => "reads commas between scopes".to_owned(),
        Effect::IdTokenAsBearer => {
            "presents the identity token, refreshed by its own end".to_owned()
        }
        Effect::AssumePkce => "uses PKCE although nothing is said of it".to_owned(),
        Effect::NeedsClient => "does not try to register".to_owned(),
        Effect::NoMetadataDocument => "does not name a metadata document".to_owned(),
        Effect::Explain(explanation) => format!("explains `{}`", explanation.text),
        other => format!("{other:?}"),
    }
}
