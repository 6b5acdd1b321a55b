//! Issuing tokens (RFC 6749 §5.1).

use serde_json::{Value, json};

use super::{
    odd::{self, Oddity},
    openid,
    options::{Document, RefreshTokens},
    server::{Core, Refusal},
    vault::{Grant, Unusable},
};
use crate::random;

/// Tokens about to be issued.
pub(super) struct Issue<'a> {
    /// What was authorized; a refresh token keeps all of it.
    pub(super) grant: Grant,
    /// The scopes of the access token.
    pub(super) scopes: Vec<String>,
    /// Whether a refresh token is due.
    pub(super) refreshable: bool,
    /// Whether `resource` was sent at authorization.
    pub(super) resource_sent: bool,
    /// What the ID token repeats, if there is one.
    pub(super) nonce: Option<String>,
    /// The key that the access token gets bound to.
    pub(super) thumbprint: Option<String>,
    /// The refresh token that is being used.
    pub(super) spent: Option<&'a str>,
}

/// The answer to a sound request.
pub(super) fn issue(core: &Core, issue: Issue<'_>) -> Result<Value, Refusal> {
    let lifetime = core.config.access_token_lifetime;
    let access_token = random::opaque("at-")?;
    let refresh_token = random::opaque("rt-")?;
    let mut answer = json!({
        "access_token": access_token,
        "token_type": if issue.thumbprint.is_some() { "DPoP" } else { "Bearer" },
        "expires_in": lifetime.as_secs(),
    });
    if !issue.scopes.is_empty() {
        answer["scope"] = json!(odd::told_scopes(core, &issue.scopes));
    }
    if let Some(id_token) = openid::id_token(core, &issue.grant, issue.nonce.as_deref())? {
        answer["id_token"] = json!(id_token);
    }
    let expires_at = core.clock.now() + lifetime;
    let mut access = Grant {
        scopes: issue.scopes,
        bound_to: issue.thumbprint,
        ..issue.grant.clone()
    };
    let replaces = issue.spent.is_none() || core.config.rotate;
    let mut vault = core.vault();
    if replaces && issue.refreshable {
        if let Some(spent) = issue.spent {
            let spent = vault.spend(spent, core.clock.now());
            spent.map_err(|why| refresh_refused(core, why))?;
        }
        answer["refresh_token"] = json!(refresh_token);
        vault.keep_refresh(refresh_token, issue.grant, issue.resource_sent);
    }
    if core.is_odd(&Oddity::IdTokensOnly) {
        if let Some(id_token) = answer["id_token"].as_str() {
            let id_token = id_token.to_owned();
            vault.keep_access(id_token, access.clone(), expires_at);
        }
        "nobody".clone_into(&mut access.audience);
    }
    vault.keep_access(access_token, access, expires_at);
    drop(vault);
    core.settings().apply(Document::Token, &mut answer);
    Ok(answer)
}

/// Whether the server gives a refresh token for this grant.
pub(super) fn wants_refresh(core: &Core, grant: &Grant) -> bool {
    match core.config.refresh_tokens {
        RefreshTokens::Always => true,
        RefreshTokens::WithOfflineAccess => {
            grant.scopes.iter().any(|scope| scope == "offline_access")
        }
        RefreshTokens::Never => false,
    }
}

pub(super) fn refresh_refused(core: &Core, why: Unusable) -> Refusal {
    if why == Unusable::Reused {
        core.count(|c| c.reuses += 1);
    }
    unusable("refresh token", why)
}

pub(super) fn unusable(what: &str, why: Unusable) -> Refusal {
    let description = match why {
        Unusable::Unknown => format!("nobody issued this {what}"),
        Unusable::Reused => format!("this {what} was used before, all that came of it is revoked"),
        Unusable::Expired => format!("this {what} has expired"),
        Unusable::Revoked => format!("this {what} was revoked"),
        Unusable::OtherClient => format!("this {what} belongs to another client"),
    };
    Refusal::new("invalid_grant", description)
}
