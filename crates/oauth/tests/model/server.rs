//! An authorization server that rotates refresh tokens and ends the family of one that is used twice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::stage::{LIFETIME, Process};

/// All that came of one login.
#[derive(Clone)]
pub(crate) struct Family {
    /// The refresh tokens that were issued, and the last of them is the only one that works.
    pub(crate) issued: u32,
    pub(crate) dead: Option<Death>,
    /// Who signed in.
    pub(crate) of: Process,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    Reused,
    Revoked,
}

/// Which token of which family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Token {
    pub(crate) family: usize,
    pub(crate) number: u32,
}

#[derive(Clone, Default)]
pub(crate) struct Server {
    pub(crate) families: Vec<Family>,
    access: BTreeMap<Token, SystemTime>,
    codes: HashSet<String>,
    pub(crate) refused: HashSet<Token>,
    /// The tokens whose second use ended a family, until the law has looked at them.
    pub(crate) reused: Vec<Token>,
    pub(crate) refreshes: HashMap<usize, usize>,
    pub(crate) registrations: usize,
}

/// What the token endpoint did.
pub(crate) enum Done {
    SignedIn(Token),
    Refreshed { spent: Token, new: Token },
    Refused,
    BadRequest,
}

impl Server {
    pub(crate) fn code(&mut self) -> String {
        let code = format!("code-{}", self.codes.len());
        self.codes.insert(code.clone());
        code
    }

    pub(crate) fn sign_in(&mut self, code: &str, of: Process) -> Done {
        if !self.codes.contains(code) {
            return Done::BadRequest;
        }
        let dead = None;
        let issued = 1;
        self.families.push(Family { issued, dead, of });
        let family = self.families.len() - 1;
        Done::SignedIn(Token { family, number: 1 })
    }

    pub(crate) fn refresh(&mut self, token: Option<Token>) -> Done {
        let Some(token) = token else {
            return Done::BadRequest;
        };
        let family = &mut self.families[token.family];
        if family.dead.is_none() && family.issued != token.number {
            family.dead = Some(Death::Reused);
            self.reused.push(token);
        }
        if family.dead.is_some() {
            self.refused.insert(token);
            return Done::Refused;
        }
        family.issued += 1;
        *self.refreshes.entry(token.family).or_default() += 1;
        let number = family.issued;
        Done::Refreshed {
            spent: token,
            new: Token { number, ..token },
        }
    }

    pub(crate) fn revoke(&mut self, token: Option<Token>) {
        if let Some(token) = token {
            let family = &mut self.families[token.family];
            family.dead = family.dead.or(Some(Death::Revoked));
        }
    }

    /// The body of a successful answer.
    pub(crate) fn answer(&mut self, token: Token, now: SystemTime) -> Value {
        self.access.insert(token, now + LIFETIME);
        json!({
            "access_token": token.name("access"),
            "refresh_token": token.name("refresh"),
            "token_type": "Bearer",
            "expires_in": LIFETIME.as_secs(),
        })
    }

    pub(crate) fn expiry(&self, token: Token) -> Option<SystemTime> {
        self.access.get(&token).copied()
    }

    /// Whether a refresh with this token would work.
    pub(crate) fn honours(&self, token: Token) -> bool {
        let family = &self.families[token.family];
        family.dead.is_none() && family.issued == token.number
    }
}

impl Token {
    fn name(self, kind: &str) -> String {
        format!("{kind}-{}-{}", self.family, self.number)
    }

    /// Which token has that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-').skip(1);
        let family = parts.next()?.parse().ok()?;
        let number = parts.next()?.parse().ok()?;
        Some(Self { family, number })
    }
}
