//! Codes and tokens: what was issued for what, and what became of it.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, SystemTime},
};

/// What a person granted to a client, for one resource.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) client_id: String,
    pub(super) subject: String,
    pub(super) scopes: Vec<String>,
    pub(super) audience: String,
    /// The issuer identifier by which the client knows the server.
    pub(super) issuer: String,
    pub(super) approved_at: SystemTime,
    /// The thumbprint of the only key that may use what comes of it.
    pub(super) bound_to: Option<String>,
    /// Everything that comes of one authorization dies together.
    pub(super) family: u64,
}

/// An authorization code with all that it is bound to.
#[derive(Clone)]
pub(super) struct Code {
    pub(super) grant: Grant,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    /// `nonce` of the authorization request, for the ID token.
    pub(super) nonce: Option<String>,
    /// `dpop_jkt` of the authorization request.
    pub(super) dpop_jkt: Option<String>,
    /// Whether the authorization request carried `resource`.
    pub(super) resource_sent: bool,
    /// Whether a refresh token may come of it.
    pub(super) may_refresh: bool,
    pub(super) expires_at: SystemTime,
}

struct AccessToken {
    grant: Grant,
    expires_at: SystemTime,
    ended: bool,
}

#[derive(Clone)]
pub(super) struct RefreshToken {
    pub(super) grant: Grant,
    pub(super) resource_sent: bool,
    spent: Option<SystemTime>,
}

impl RefreshToken {
    fn is_spent(&self, now: SystemTime, grace: Duration) -> bool {
        self.spent.is_some_and(|spent| spent + grace <= now)
    }
}

/// What the server knows about an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenFacts {
    /// The person who approved.
    pub subject: String,
    /// The client that it was issued to.
    pub client_id: String,
    /// The granted scopes.
    pub scopes: Vec<String>,
    /// The resource that it is for.
    pub audience: String,
    /// When it expires, by the server's clock.
    pub expires_at: SystemTime,
    /// The thumbprint of the key that it is bound to; `None` for a bearer token.
    pub thumbprint: Option<String>,
    /// Whether it has neither expired nor been revoked.
    pub active: bool,
}

/// Why a code or refresh token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    Unknown,
    /// Used before: its family has just died of it.
    Reused,
    Expired,
    Revoked,
    OtherClient,
}

/// Every code and token of one server.
#[derive(Default)]
pub(crate) struct Vault {
    codes: HashMap<String, (Code, bool)>,
    access: HashMap<String, AccessToken>,
    refresh: HashMap<String, RefreshToken>,
    dead: HashSet<u64>,
    families: u64,
    /// How long a refresh token works on after it was spent.
    grace: Duration,
}

impl Vault {
    pub(super) fn with_grace(grace: Duration) -> Self {
        Self {
            grace,
            ..Self::default()
        }
    }

    pub(super) fn new_family(&mut self) -> u64 {
        self.families += 1;
        self.families
    }

    pub(super) fn keep_code(&mut self, code: String, bound: Code) {
        self.codes.insert(code, (bound, false));
    }

    /// Hands out what a code is bound to, once; a second time kills what came of the first
    /// (RFC 6749 §4.1.2).
    pub(super) fn take_code(
        &mut self,
        code: &str,
        client_id: &str,
        now: SystemTime,
    ) -> Result<Code, Unusable> {
        let (bound, used) = self.codes.get_mut(code).ok_or(Unusable::Unknown)?;
        if bound.grant.client_id != client_id {
            return Err(Unusable::OtherClient);
        }
        if *used {
            self.dead.insert(bound.grant.family);
            return Err(Unusable::Reused);
        }
        *used = true;
        if bound.expires_at <= now {
            return Err(Unusable::Expired);
        }
        Ok(bound.clone())
    }

    /// Looks a refresh token up without using it; one that was spent kills its family
    /// (RFC 9700 §4.14.2).
    pub(super) fn refresh_token(
        &mut self,
        token: &str,
        client_id: &str,
        now: SystemTime,
    ) -> Result<RefreshToken, Unusable> {
        let known = self.refresh.get(token).ok_or(Unusable::Unknown)?;
        if known.grant.client_id != client_id {
            return Err(Unusable::OtherClient);
        }
        if self.dead.contains(&known.grant.family) {
            return Err(Unusable::Revoked);
        }
        if known.is_spent(now, self.grace) {
            self.dead.insert(known.grant.family);
            return Err(Unusable::Reused);
        }
        Ok(known.clone())
    }

    /// Uses a refresh token up. Of two that try at the same time one fails, as a reuse.
    pub(super) fn spend(&mut self, refresh_token: &str, now: SystemTime) -> Result<(), Unusable> {
        let token = self.refresh.get_mut(refresh_token);
        let token = token.ok_or(Unusable::Revoked)?;
        if token.is_spent(now, self.grace) {
            self.dead.insert(token.grant.family);
            return Err(Unusable::Reused);
        }
        token.spent.get_or_insert(now);
        Ok(())
    }

    /// Whether a refresh with this token would work.
    pub(super) fn honours(&self, refresh_token: &str, now: SystemTime) -> bool {
        self.refresh.get(refresh_token).is_some_and(|token| {
            !token.is_spent(now, self.grace) && !self.dead.contains(&token.grant.family)
        })
    }

    pub(super) fn keep_access(&mut self, token: String, grant: Grant, expires_at: SystemTime) {
        let token_state = AccessToken {
            grant,
            expires_at,
            ended: false,
        };
        self.access.insert(token, token_state);
    }

    pub(super) fn keep_refresh(&mut self, token: String, grant: Grant, resource_sent: bool) {
        let token_state = RefreshToken {
            grant,
            resource_sent,
            spent: None,
        };
        self.refresh.insert(token, token_state);
    }

    pub(super) fn facts(&self, access_token: &str, now: SystemTime) -> Option<TokenFacts> {
        let token = self.access.get(access_token)?;
        let dead = self.dead.contains(&token.grant.family);
        Some(TokenFacts {
            subject: token.grant.subject.clone(),
            client_id: token.grant.client_id.clone(),
            scopes: token.grant.scopes.clone(),
            audience: token.grant.audience.clone(),
            expires_at: token.expires_at,
            thumbprint: token.grant.bound_to.clone(),
            active: !token.ended && !dead && token.expires_at > now,
        })
    }

    /// Ends a token of this client (RFC 7009 §2.1): a refresh token with its whole family.
    /// A token that nobody knows is no error; one of another client is.
    pub(super) fn revoke(&mut self, token: &str, client_id: &str) -> Result<(), Unusable> {
        if let Some(refresh) = self.refresh.get(token) {
            if refresh.grant.client_id != client_id {
                return Err(Unusable::OtherClient);
            }
            self.dead.insert(refresh.grant.family);
        } else if let Some(access) = self.access.get_mut(token) {
            if access.grant.client_id != client_id {
                return Err(Unusable::OtherClient);
            }
            access.ended = true;
        }
        Ok(())
    }

    pub(super) fn expire_access_tokens(&mut self) {
        for token in self.access.values_mut() {
            token.ended = true;
        }
    }

    /// Forgets every refresh token; access tokens live on.
    pub(super) fn revoke_refresh_tokens(&mut self) {
        self.refresh.clear();
    }
}
