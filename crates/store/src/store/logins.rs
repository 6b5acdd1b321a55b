//! Logins, what is known of issuers, and whether a grant changed.

use std::time::Duration;

use super::Store;
use crate::key::{issuer_id, login_id, login_key};
use crate::{
    Error, Generation, GrantKey, IssuerFacts, Listing, LockGuard, Login, RecordKind, Stored, codec,
};

impl Store {
    /// Which version of the grant is stored, or `None`: a cheap look whether somebody changed it.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted.
    pub async fn grant_generation(&self, key: &GrantKey) -> Result<Option<Generation>, Error> {
        self.backend.generation(&key.record_id()).await
    }

    /// What is known of the logins of that account, or `None`.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted.
    pub async fn login(&self, key: &GrantKey) -> Result<Option<Stored<Login>>, Error> {
        self.load(&login_id(key), codec::decode_login).await
    }

    /// All login records, ordered by key, and the problems that were met.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted. One bad record does not hide the others: it is a problem of the listing.
    pub async fn logins(&self) -> Result<Listing<(GrantKey, Stored<Login>)>, Error> {
        self.list(RecordKind::Login, login_key, codec::decode_login)
            .await
    }

    /// Saves a login record over the generation `expected` (`None`: where there is none), durably, and returns its new generation.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another generation is stored: load it and decide anew. Others if the store cannot be reached or trusted.
    pub async fn save_login(
        &self,
        key: &GrantKey,
        login: &Login,
        expected: Option<Generation>,
    ) -> Result<Generation, Error> {
        let encoded = codec::encode_login(login);
        self.save(&login_id(key), encoded, expected, codec::decode_login)
            .await
    }

    /// Removes a login record if its generation is `expected`.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is not, or there is none. Others if the store cannot be reached or trusted.
    pub async fn remove_login(&self, key: &GrantKey, expected: Generation) -> Result<(), Error> {
        self.remove(&login_id(key), expected, codec::decode_login)
            .await
    }

    /// Waits at most `limit` for the right to sign that account in. It does not keep out who refreshes: that is
    /// [`lock_grant`](Self::lock_grant), which a login takes after this one.
    ///
    /// # Errors
    /// [`Error::LockTimeout`]. Others if the store cannot be reached or trusted.
    pub async fn lock_login(&self, key: &GrantKey, limit: Duration) -> Result<LockGuard, Error> {
        self.backend.lock(&login_id(key), limit).await
    }

    /// Deletes what was ever set aside of that login record, and returns how many copies there were.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted.
    pub async fn discard_set_aside_logins(&self, key: &GrantKey) -> Result<usize, Error> {
        self.backend.discard_set_aside(&login_id(key)).await
    }

    /// What was learned about that issuer, or `None`.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted.
    pub async fn issuer_facts(&self, issuer: &str) -> Result<Option<Stored<IssuerFacts>>, Error> {
        self.load(&issuer_id(issuer), codec::decode_issuer_facts)
            .await
    }

    /// Saves what was learned about an issuer over the generation `expected` (`None`: where there is nothing).
    ///
    /// # Errors
    /// [`Error::Conflict`] if another generation is stored. Others if the store cannot be reached or trusted.
    pub async fn save_issuer_facts(
        &self,
        issuer: &str,
        facts: &IssuerFacts,
        expected: Option<Generation>,
    ) -> Result<Generation, Error> {
        let encoded = codec::encode_issuer_facts(facts);
        let decode = codec::decode_issuer_facts;
        self.save(&issuer_id(issuer), encoded, expected, decode)
            .await
    }

    /// Forgets what was learned about an issuer if its generation is `expected`.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is not, or there is nothing. Others if the store cannot be reached or trusted.
    pub async fn remove_issuer_facts(
        &self,
        issuer: &str,
        expected: Generation,
    ) -> Result<(), Error> {
        self.remove(&issuer_id(issuer), expected, codec::decode_issuer_facts)
            .await
    }
}
