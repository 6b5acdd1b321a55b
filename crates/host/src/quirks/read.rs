//! Reads `quirks.toml`.

use std::path::Path;

use doorkey_oauth::{
    Effect, Explanation, Issuer, Pattern, Quirk, QuirkMatch, RedirectRule, ScopeParameter,
};
use toml_edit::Document;

use super::rules::{QuirkRules, Rule, Written};
use crate::config::{ConfigError, ConfigWarning, Section, Source, read_issuer, syntax_error};

/// What a file says, by the names of the rules, and its keys that do nothing.
pub(super) type Read = (Vec<(String, Written)>, Vec<ConfigWarning>);

/// Reads a file.
///
/// # Errors
/// It is not TOML, or a value does not fit its key; the error names file, line and key.
pub(super) fn rules(path: &Path, text: &str, from: &str) -> Result<Read, ConfigError> {
    let source = Source { path, text };
    let document = Document::parse(text).map_err(|error| syntax_error(source, &error))?;
    let root = Section::new(source, String::new(), document.as_table());
    let mut rules = Vec::new();
    let mut warnings = Vec::new();
    if let Some(section) = root.section("quirk")? {
        let named = section.named_sections()?;
        if named.len() > MOST_RULES {
            let found = format!("{} of them", named.len());
            return Err(section.wrong("", "at most 200 rules", found, EXAMPLE));
        }
        for (id, section) in named {
            check_id(&section, &id)?;
            let written = rule(&section, &id, from)?;
            warnings.extend(section.warnings());
            rules.push((id, written));
        }
    }
    warnings.extend(root.warnings());
    Ok((rules, warnings))
}

fn check_id(section: &Section<'_>, id: &str) -> Result<(), ConfigError> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=64).contains(&id.len()) && id.bytes().all(is_letter) {
        return Ok(());
    }
    let expected = "a name of 1 to 64 small letters, digits and `-`";
    Err(section.wrong("", expected, "another", EXAMPLE))
}

fn rule(section: &Section<'_>, id: &str, from: &str) -> Result<Written, ConfigError> {
    let enabled = section.optional_flag("enabled")?;
    let is_known = || QuirkRules::builtin().ids().any(|known| known == id);
    if let (Some(enabled), 1) = (enabled, section.len())
        && from != "built in"
        && is_known()
    {
        return Ok(Written::Enabled(enabled));
    }
    let mut quirk = Quirk::new(id);
    let what = text(
        section,
        "what",
        "what the server does, in one sentence",
        "what = \"It wants to be asked for a scope.\"",
    )?;
    let missing = || {
        section.missing(
            "what",
            "what the server does, in one sentence",
            "what = \"It wants to be asked for a scope.\"",
        )
    };
    quirk.what = what.ok_or_else(missing)?;
    quirk.source = texts(
        section,
        "source",
        "public issues or documents",
        "source = [\"owner/repository#1\"]",
    )?;
    quirk.date = text(
        section,
        "date",
        "when that was looked at",
        "date = \"2026-11\"",
    )?
    .unwrap_or_default();
    quirk.matches = matches(section)?;
    quirk.effects = effects(section)?;
    check(section, &quirk)?;
    Ok(Written::Rule(Box::new(Rule {
        quirk,
        by_choice: section.flag("by_choice", false)?,
        enabled: enabled.unwrap_or(true),
        from: from.to_owned(),
    })))
}

fn matches(section: &Section<'_>) -> Result<Vec<QuirkMatch>, ConfigError> {
    let mut matches = Vec::new();
    for (key, example, of) in [
        (
            "issuers",
            "issuers = [\"https://login.example.com\"]",
            QuirkMatch::Issuer as fn(Pattern) -> QuirkMatch,
        ),
        (
            "servers",
            "servers = [\"mcp.example.com\"]",
            QuirkMatch::Server,
        ),
    ] {
        let expected = "a list of patterns";
        for text in texts(section, key, expected, example)? {
            let pattern = Pattern::parse(&text).map_err(|error| {
                section.wrong(key, expected, format!("{text:?}: {error}"), example)
            })?;
            matches.push(of(pattern));
        }
    }
    if matches.is_empty() {
        matches.push(QuirkMatch::Always);
    }
    Ok(matches)
}

/// A rule that is about everybody may explain, and nothing else; one that does nothing says nothing.
fn check(section: &Section<'_>, quirk: &Quirk) -> Result<(), ConfigError> {
    let is_explanation = |effect: &Effect| matches!(effect, Effect::Explain(_));
    if quirk.matches == [QuirkMatch::Always] && !quirk.effects.iter().all(is_explanation) {
        let expected = "whom it is about, since it does more than to explain";
        return Err(section.missing(
            "issuers",
            expected,
            "issuers = [\"https://login.example.com\"]",
        ));
    }
    if quirk.effects.is_empty() {
        let expected = "at least one thing to do about it";
        return Err(section.missing("explain", expected, "resource = \"omit\""));
    }
    Ok(())
}

fn effects(section: &Section<'_>) -> Result<Vec<Effect>, ConfigError> {
    let mut effects = Vec::new();
    parameters(section, &mut effects)?;
    words(section, &mut effects)?;
    discovery(section, &mut effects)?;
    for (name, value) in section.text_pairs("trusted_issuers")? {
        effects.push(Effect::TrustIssuer {
            listed: Issuer::new(name),
            published: Issuer::new(value),
        });
    }
    if let Some(table) = section.section("explain")? {
        for (text, explanation) in table.named_sections()? {
            effects.push(Effect::Explain(explain(&explanation, text)?));
            section.note_all_of(&explanation);
        }
    }
    Ok(effects)
}

/// Parameters of requests, scopes and the redirect URI.
fn parameters(section: &Section<'_>, effects: &mut Vec<Effect>) -> Result<(), ConfigError> {
    for (name, value) in pairs(section, "authorize_params")? {
        effects.push(Effect::AuthorizeParameter { name, value });
    }
    for (name, value) in pairs(section, "offline_params")? {
        effects.push(Effect::OfflineParameter { name, value });
    }
    for (name, value) in pairs(section, "token_params")? {
        effects.push(Effect::TokenParameter { name, value });
    }
    for scope in texts(
        section,
        "drop_scopes",
        "a list of scopes",
        "drop_scopes = [\"offline_access\"]",
    )? {
        effects.push(Effect::DropScope(scope));
    }
    if let Some(table) = section.section("scope_param")? {
        let example = "scope_param = { name = \"user_scope\", separator = \",\" }";
        let name = text(&table, "name", "the name of a parameter", example)?;
        let separator = text(&table, "separator", "what stands between scopes", example)?;
        effects.push(Effect::ScopeParameter(ScopeParameter {
            name: name.unwrap_or_else(|| "scope".to_owned()),
            separator: separator.unwrap_or_else(|| " ".to_owned()),
        }));
        section.note_all_of(&table);
    }
    if let Some(table) = section.section("redirect")? {
        effects.push(Effect::Redirect(redirect(&table)?));
        section.note_all_of(&table);
    }
    Ok(())
}

fn redirect(table: &Section<'_>) -> Result<RedirectRule, ConfigError> {
    let hosts = [("localhost", "localhost"), ("127.0.0.1", "127.0.0.1")];
    let path = text(
        table,
        "path",
        "a path with its slash",
        "path = \"/callback\"",
    )?;
    if let Some(path) = path.as_ref().filter(|path| !is_path(path)) {
        let found = format!("{path:?}");
        return Err(table.wrong(
            "path",
            "a path with its slash",
            found,
            "path = \"/callback\"",
        ));
    }
    Ok(RedirectRule {
        host: table.choice("host", &hosts)?.map(str::to_owned),
        port: table.port("port")?,
        path,
    })
}

/// What is one word, or yes.
fn words(section: &Section<'_>, effects: &mut Vec<Effect>) -> Result<(), ConfigError> {
    let resource = section.choice("resource", &[("omit", ())])?;
    effects.extend(resource.map(|()| Effect::OmitResource));
    let audience = section.choice("audience", &[("resource", ())])?;
    effects.extend(audience.map(|()| Effect::AudienceIsResource));
    let repeated = section.choice("scopes_on_refresh", &[("requested", ())])?;
    effects.extend(repeated.map(|()| Effect::RepeatScopes));
    for (key, effect) in [
        ("needs_scopes", Effect::NeedsScopes),
        ("needs_client", Effect::NeedsClient),
        ("assume_pkce", Effect::AssumePkce),
        ("no_metadata_document", Effect::NoMetadataDocument),
        ("form_answer", Effect::FormAnswer),
        ("comma_scopes", Effect::CommaScopes),
        ("id_token_as_bearer", Effect::IdTokenAsBearer),
    ] {
        if section.flag(key, false)? {
            effects.push(effect);
        }
    }
    let member = text(
        section,
        "nested_tokens",
        "the name of a member",
        "nested_tokens = \"authed_user\"",
    )?;
    effects.extend(member.map(Effect::NestedTokens));
    let bearer = text(
        section,
        "bearer_name",
        "a token_type",
        "bearer_name = \"user\"",
    )?;
    effects.extend(bearer.map(Effect::BearerName));
    Ok(())
}

/// Where the authorization server is.
fn discovery(section: &Section<'_>, effects: &mut Vec<Effect>) -> Result<(), ConfigError> {
    let issuer = read_issuer(section, "issuer")?;
    effects.extend(issuer.map(Effect::AuthorizationServer));
    let Some(table) = section.section("endpoints")? else {
        return Ok(());
    };
    let path = |key: &'static str| {
        let expected = "a path at the server's own origin";
        let example = format!("{key} = \"/oauth/{key}\"");
        match text(&table, key, expected, &example)? {
            Some(other) if !is_path(&other) => {
                Err(table.wrong(key, expected, format!("{other:?}"), &example))
            }
            found => Ok(found),
        }
    };
    let needed = |key: &'static str| {
        let example = format!("{key} = \"/oauth/{key}\"");
        path(key)?.ok_or_else(|| table.missing(key, "a path at the server's own origin", &example))
    };
    effects.push(Effect::Endpoints {
        issuer: path("issuer")?.unwrap_or_default(),
        authorization: needed("authorization")?,
        token: needed("token")?,
    });
    section.note_all_of(&table);
    Ok(())
}

fn explain(table: &Section<'_>, known: String) -> Result<Explanation, ConfigError> {
    let (expected, example) = (
        "what the refusal means",
        "means = \"The client is not approved.\"",
    );
    let means = text(table, "means", expected, example)?;
    let next = text(
        table,
        "next",
        "what to do",
        "next = \"register a client and set client_id\"",
    )?;
    Ok(Explanation {
        text: known,
        means: means.ok_or_else(|| table.missing("means", expected, example))?,
        next: next.unwrap_or_default(),
    })
}

/// A text of a length that a person reads.
fn text(
    section: &Section<'_>,
    key: &'static str,
    expected: &str,
    example: &str,
) -> Result<Option<String>, ConfigError> {
    let Some(text) = section.text(key, expected, example)? else {
        return Ok(None);
    };
    bounded(section, key, text, example).map(Some)
}

fn texts(
    section: &Section<'_>,
    key: &'static str,
    expected: &str,
    example: &str,
) -> Result<Vec<String>, ConfigError> {
    let texts = section.texts(key, expected, example)?;
    if texts.len() > MOST_ENTRIES {
        let found = format!("a list of {}", texts.len());
        return Err(section.wrong(key, "at most 64 entries", found, example));
    }
    let mut bounded_texts = texts
        .into_iter()
        .map(|text| bounded(section, key, text, example));
    bounded_texts.by_ref().collect()
}

fn bounded(
    section: &Section<'_>,
    key: &'static str,
    text: &str,
    example: &str,
) -> Result<String, ConfigError> {
    if text.len() <= LONGEST && !text.contains(char::is_control) {
        return Ok(text.to_owned());
    }
    let expected = "one line of at most 1000 bytes";
    Err(section.wrong(key, expected, "something else", example))
}

/// Parameters by name; those that the protocol sets are not among them.
fn pairs(section: &Section<'_>, key: &'static str) -> Result<Vec<(String, String)>, ConfigError> {
    let pairs = section.text_pairs(key)?;
    if pairs.len() > MOST_ENTRIES {
        let found = format!("a table of {}", pairs.len());
        return Err(section.wrong(
            key,
            "at most 64 parameters",
            found,
            "access_type = \"offline\"",
        ));
    }
    for (name, value) in &pairs {
        if RESERVED.contains(&name.as_str()) {
            let expected = "parameters that the protocol does not set itself";
            let example = format!("{key} = {{ audience = \"https://api.example.com\" }}");
            return Err(section.wrong(key, expected, format!("{name:?}"), &example));
        }
        bounded(section, key, name, "audience = \"https://api.example.com\"")?;
        bounded(
            section,
            key,
            value,
            "audience = \"https://api.example.com\"",
        )?;
    }
    Ok(pairs)
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//") && !path.contains(['?', '#', '\\', ' ', '@'])
}

/// What requests to the authorization server are made of (OAuth 2.1 §4.1.1, §4.1.3, §4.3.1).
const RESERVED: [&str; 17] = [
    "assertion",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "redirect_uri",
    "refresh_token",
    "request_uri",
    "resource",
    "response_type",
    "scope",
    "state",
];
const EXAMPLE: &str = "[quirk.my-server]";
const MOST_RULES: usize = 200;
const MOST_ENTRIES: usize = 64;
const LONGEST: usize = 1000;
