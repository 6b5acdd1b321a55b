//! How far one discovery goes: which servers of a list are tried, and how many documents are asked for.

use crate::attempt::Failure;
use crate::{DiscoveryOptions, Issuer};

impl DiscoveryOptions {
    /// The issuers to try and one more: those allowed, the preferred ones first, otherwise as listed.
    pub(super) fn order<'a>(&self, listed: &'a [Issuer]) -> Vec<&'a Issuer> {
        let allowed = |issuer: &&Issuer| {
            self.allowed
                .as_ref()
                .is_none_or(|allowed| allowed.contains(issuer))
        };
        let mut order: Vec<&Issuer> = Vec::new();
        let preferred = self
            .prefer
            .iter()
            .filter_map(|held| listed.iter().find(|own| *own == held));
        for issuer in preferred.chain(listed).filter(allowed) {
            if !order.contains(&issuer) && order.len() <= MAX_SERVERS {
                order.push(issuer);
            }
        }
        order
    }
}

/// How many documents may still be asked for.
#[derive(Debug)]
pub(super) struct Requests(usize);

impl Default for Requests {
    fn default() -> Self {
        Self(MAX_REQUESTS)
    }
}

impl Requests {
    pub(super) const fn is_none(&self) -> bool {
        self.0 == 0
    }

    /// Takes one, if there is one left.
    pub(super) fn take(&mut self) -> Result<(), Failure> {
        self.0 = self.0.checked_sub(1).ok_or(Failure::NotAsked)?;
        Ok(())
    }
}

/// How many documents one discovery asks for at most. Two are the rule; a list of servers that are out of order takes more.
pub const MAX_REQUESTS: usize = 16;

/// Servers of one list that are tried; nobody lists more in earnest.
pub(super) const MAX_SERVERS: usize = 8;
