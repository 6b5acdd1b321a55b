//! A grant in memory, with its token ready to be handed out.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use doorkey_discovery::Scopes;
use doorkey_store::{Generation, Grant, Proof, Stored};
use secrecy::SecretString;

use super::on_record;
use crate::access_token::{AccessToken, TokenType, same_secret};
use crate::clock::from_unix_seconds;
use crate::dpop::DpopKey;
use crate::error::LoginReason;
use crate::scope::OFFLINE_ACCESS;

/// One version of the grant. It is replaced as a whole, never changed, but for what is learned
/// about its token while it is in use.
pub(super) struct Held {
    pub(super) grant: Grant,
    /// The stored version this one is, or, while it is not saved, the one it replaces.
    pub(super) generation: Option<Generation>,
    pub(super) saved: bool,
    /// What these tokens replace in the store, while they are not saved.
    pub(super) replaced: Replaced,
    pub(super) origin: Origin,
    token: Option<AccessToken>,
    /// The key that the tokens are bound to.
    key: Option<DpopKey>,
    issued: Option<SystemTime>,
    accepted: AtomicBool,
    refused: OnceLock<Box<LoginReason>>,
    rejected: OnceLock<Box<Rejected>>,
}

/// How the token got here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Stored,
    Refreshed,
    SignedIn,
}

/// What was stored when these tokens should have been saved.
#[derive(Clone)]
pub(super) enum Replaced {
    Unknown,
    Nothing,
    /// A version with this access token.
    Token(SecretString),
}

impl Replaced {
    /// What that version of the grant is recognised by.
    pub(super) fn of(grant: &Grant) -> Self {
        let token = grant.access_token.clone();
        token.map_or(Self::Unknown, Self::Token)
    }
}

/// What a rejection of this token led to, so that its repetition costs nothing (CH-05).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    ByResource,
    NeedsLogin(LoginReason),
}

impl Held {
    pub(super) fn stored(stored: Stored<Grant>) -> Self {
        Self::new(stored.value, Some(stored.generation), Origin::Stored)
    }

    pub(super) fn new(grant: Grant, generation: Option<Generation>, origin: Origin) -> Self {
        let expires = grant.expires_at.and_then(from_unix_seconds);
        let key = grant.dpop_key.as_ref().map(DpopKey::of_stored);
        let kind = TokenType::parse(&grant.token_type);
        let is_lost = match &key {
            Some(key) => key.is_err(),
            None => kind == Some(TokenType::Dpop),
        };
        let key = key.and_then(Result::ok);
        let token = match (&grant.access_token, kind) {
            (Some(secret), Some(kind)) if !is_lost => {
                let key = key.clone().filter(|_| kind == TokenType::Dpop);
                Some(AccessToken::issued(secret.clone(), kind, expires, key))
            }
            _ => None,
        };
        let refused = OnceLock::new();
        if is_lost {
            drop(refused.set(Box::new(LoginReason::DpopKeyLost)));
        } else if let Some(reason) = on_record::login_reason(&grant) {
            drop(refused.set(Box::new(reason)));
        }
        Self {
            issued: from_unix_seconds(grant.issued_at),
            token,
            key,
            grant,
            generation,
            saved: true,
            replaced: Replaced::Unknown,
            origin,
            accepted: AtomicBool::new(false),
            refused,
            rejected: OnceLock::new(),
        }
    }

    /// The same with the exact moments of an answer, which records keep in whole seconds only.
    pub(super) fn at(mut self, issued: SystemTime, expires: Option<SystemTime>) -> Self {
        self.issued = Some(issued);
        self.token = self.token.map(|token| token.expiring(expires));
        self
    }

    /// A new version of the same token's grant, with all that was learned about the token.
    pub(super) fn revised(&self, grant: Grant, generation: Option<Generation>) -> Self {
        // What was held against a token that works after all is void.
        let works = grant.proof == Proof::Accepted && self.grant.proof != Proof::Accepted;
        let copy = Self {
            token: self.token.clone(),
            key: self.key.clone(),
            issued: self.issued,
            saved: self.saved,
            replaced: self.replaced.clone(),
            origin: self.origin,
            accepted: AtomicBool::new(self.accepted.load(Ordering::Relaxed)),
            refused: if works {
                OnceLock::new()
            } else {
                self.refused.clone()
            },
            rejected: self.rejected.clone(),
            generation,
            grant,
        };
        if let Some(reason) = on_record::login_reason(&copy.grant) {
            copy.refuse(reason);
        }
        copy
    }

    /// Whether the grant of that record holds this very access token.
    pub(super) fn is_token_of(&self, grant: &Grant) -> bool {
        match (&self.grant.access_token, &grant.access_token) {
            (Some(ours), Some(theirs)) => same_secret(ours, theirs),
            (None, None) => true,
            _ => false,
        }
    }

    /// Whether it has a refresh token that is not the one of that record.
    pub(super) fn has_another_refresh_token(&self, grant: &Grant) -> bool {
        match (&self.grant.refresh_token, &grant.refresh_token) {
            (Some(ours), Some(theirs)) => !same_secret(ours, theirs),
            (ours, _) => ours.is_some(),
        }
    }

    /// The token, unless it has expired. One without a known expiry is used until it is rejected.
    pub(super) fn valid_token(&self, now: SystemTime) -> Option<&AccessToken> {
        self.token
            .as_ref()
            .filter(|token| token.expires_at().is_none_or(|end| now < end))
    }

    /// The token, unless it was rejected, has expired or is about to: what may be handed out
    /// without a thought.
    pub(super) fn fresh_token(&self, now: SystemTime) -> Option<&AccessToken> {
        self.token
            .as_ref()
            .filter(|_| self.rejected.get().is_none())
            .filter(|token| {
                let due = |end| now + self.skew(end) >= end && !self.is_new(now, end);
                token.expires_at().is_none_or(|end| !due(end))
            })
    }

    /// Whether it was issued only a moment ago: it is used then, however short its life is said to be, so
    /// that no server can ask for a refresh with each request. One that had ended by then was spoilt
    /// since, and has no life at all.
    fn is_new(&self, now: SystemTime, end: SystemTime) -> bool {
        self.issued.is_some_and(|issued| {
            issued < end && now.duration_since(issued).is_ok_and(|age| age < SPACING)
        })
    }

    pub(super) fn token(&self) -> Option<&AccessToken> {
        self.token.as_ref()
    }

    /// The key that the tokens are bound to; `None` for bearer tokens.
    pub(super) fn key(&self) -> Option<&DpopKey> {
        self.key.as_ref()
    }

    /// Whether the token at hand is bound to a key.
    pub(super) fn is_bound(&self) -> bool {
        TokenType::parse(&self.grant.token_type) == Some(TokenType::Dpop)
    }

    /// Whom assertions for the authorization server are for.
    pub(super) fn audience(&self) -> &str {
        let grant = &self.grant;
        grant.assertion_audience.as_ref().unwrap_or(&grant.issuer)
    }

    /// How long before its end a token is refreshed: a minute, or a tenth of a shorter life, so
    /// that even a token of seconds is refreshed only once in its life (REF-10).
    fn skew(&self, end: SystemTime) -> Duration {
        let lifetime = self
            .issued
            .and_then(|issued| end.duration_since(issued).ok())
            .unwrap_or(LONGEST_SKEW * 10);
        (lifetime / 10).min(LONGEST_SKEW)
    }

    /// The refresh token, if there is one that was not refused.
    pub(super) fn refresh_token(&self) -> Option<&SecretString> {
        match self.refused.get() {
            None => self.grant.refresh_token.as_ref(),
            Some(_) => None,
        }
    }

    /// Why a person has to sign in once this token is spent.
    pub(super) fn why_login(&self) -> LoginReason {
        self.refusal()
            .cloned()
            .unwrap_or(LoginReason::RefreshTokenMissing)
    }

    /// Why the refresh token is of no use, as this process or an earlier one found out.
    pub(super) fn refusal(&self) -> Option<&LoginReason> {
        self.refused.get().map(AsRef::as_ref)
    }

    /// Notes that the refresh token is of no use any more.
    pub(super) fn refuse(&self, reason: LoginReason) {
        drop(self.refused.set(Box::new(reason)));
    }

    pub(super) fn reject(&self, rejected: Rejected) {
        drop(self.rejected.set(Box::new(rejected)));
    }

    /// What an earlier rejection of this token led to. That the resource did not take it says
    /// nothing about the token that follows its expiry.
    pub(super) fn rejection(&self, now: SystemTime) -> Option<&Rejected> {
        self.rejected
            .get()
            .map(AsRef::as_ref)
            .filter(|what| **what != Rejected::ByResource || self.valid_token(now).is_some())
    }

    pub(super) fn accept(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }

    /// Whether a rejection means that the resource does not take such tokens at all: it was issued
    /// moments ago and never worked (REF-11), or an earlier process saw it fail so.
    pub(super) fn never_worked(&self, now: SystemTime) -> bool {
        if self.accepted.load(Ordering::Relaxed) {
            return false;
        }
        let just_issued = self.origin != Origin::Stored
            && self
                .issued
                .is_none_or(|issued| now.duration_since(issued).unwrap_or_default() < JUST_ISSUED);
        just_issued || self.grant.proof == Proof::Rejected
    }

    pub(super) fn requested(&self) -> Scopes {
        self.grant.requested_scopes.iter().cloned().collect()
    }

    /// What a refresh may ask for again: what was asked for, as far as it was granted (REF-03).
    /// Whether a refresh token was granted shows in its being there, not in the list of scopes.
    pub(super) fn repeatable(&self) -> Scopes {
        let Some(granted) = &self.grant.granted_scopes else {
            return self.requested();
        };
        let may = |scope: &&String| granted.contains(scope) || *scope == OFFLINE_ACCESS;
        let requested = self.grant.requested_scopes.iter();
        requested.filter(may).cloned().collect()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("grant", &self.grant)
            .field("generation", &self.generation)
            .field("saved", &self.saved)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

const LONGEST_SKEW: Duration = Duration::from_secs(60);
/// Refreshes that no rejection asks for are at least so far apart.
const SPACING: Duration = Duration::from_secs(1);
const JUST_ISSUED: Duration = Duration::from_secs(60);
