//! What a list of many servers costs, and what it says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use doorkey_store::{
    Backend, BoxFuture, Defect, Error, Generation, Grant, GrantKey, Listing, LockGuard,
    MemoryBackend, Problem, RawRecord, RecordId, RecordKind, ServerFacts, Store, StoreDescription,
};
use secrecy::zeroize::Zeroizing;

use super::*;
use crate::{Config, Environment, Home};

/// A store in memory that counts how often a record is read.
#[derive(Debug)]
struct Counting {
    records: MemoryBackend,
    reads: Arc<AtomicUsize>,
    listings: Arc<AtomicUsize>,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

impl Backend for Counting {
    fn load<'a>(&'a self, id: &'a RecordId) -> Answer<'a, Option<RawRecord>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.records.load(id)
    }

    fn save<'a>(
        &'a self,
        id: &'a RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> Answer<'a, Generation> {
        self.records.save(id, bytes, expected)
    }

    fn remove<'a>(&'a self, id: &'a RecordId, expected: Generation) -> Answer<'a, ()> {
        self.records.remove(id, expected)
    }

    fn list(&self, kind: RecordKind) -> Answer<'_, Listing<RecordId>> {
        self.listings.fetch_add(1, Ordering::SeqCst);
        self.records.list(kind)
    }

    fn lock<'a>(&'a self, id: &'a RecordId, limit: Duration) -> Answer<'a, LockGuard> {
        self.records.lock(id, limit)
    }

    fn set_aside<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
        defect: Defect,
    ) -> Answer<'a, ()> {
        self.records.set_aside(id, expected, defect)
    }

    fn discard_set_aside<'a>(&'a self, id: &'a RecordId) -> Answer<'a, usize> {
        self.records.discard_set_aside(id)
    }

    fn problems(&self) -> Vec<Problem> {
        self.records.problems()
    }

    fn describe(&self) -> StoreDescription {
        self.records.describe()
    }
}

#[tokio::test]
async fn a_list_of_many_servers_reads_each_record_once() {
    let (reads, listings) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let store = Store::new(Counting {
        records: MemoryBackend::new(),
        reads: Arc::clone(&reads),
        listings: Arc::clone(&listings),
    });
    let mut text = String::new();
    for number in 0..SERVERS {
        let url = format!("https://mcp-{number}.example/mcp");
        text.push_str(&format!("[mcp_servers.s{number}]\nurl = {url:?}\n"));
        for account in ["default", "work"] {
            let mut grant = Grant::new("https://as.example", "client", "https://as.example/token");
            grant.access_token = Some("access".into());
            grant.resource = Some(url.clone());
            let key = GrantKey::new(url.as_str(), account);
            let saved = store.save_grant(&key, &grant, None).await;
            saved.expect("a store in memory");
        }
    }
    for number in 0..SERVERS {
        let url = format!("https://new-{number}.example/mcp");
        text.push_str(&format!("[mcp_servers.t{number}]\nurl = {url:?}\n"));
    }
    let mut facts = ServerFacts::default();
    facts.needs_login = Some(false);
    let saved = store.save_facts("https://new-0.example/mcp", &facts, None);
    saved.await.expect("a store in memory");
    let home = Home::at("unused");
    let config = Config::parse(&home, &text).expect("a configuration");
    let host = Host::new(Environment::default(), home, config, store);
    reads.store(0, Ordering::SeqCst);
    let listed = host.list().await.expect("a list");
    assert_eq!(listed.len(), 2 * SERVERS);
    let (signed_in, others) = listed.split_at(SERVERS);
    for status in signed_in {
        assert_eq!(status.auth.status, LoginState::LoggedIn, "{status:?}");
        assert_eq!(status.other_accounts.len(), 1, "{status:?}");
    }
    assert_eq!(others[0].auth.status, LoginState::NotRequired);
    assert_eq!(others[1].auth.status, LoginState::Unknown);
    assert_eq!(reads.load(Ordering::SeqCst), 2 * SERVERS + 1);
    let listings = listings.load(Ordering::SeqCst);
    assert_eq!(listings, 3, "grants, logins and what is remembered");
}

#[test]
fn times_are_written_in_utc() {
    assert_eq!(rfc3339_of(0).as_deref(), Some("1970-01-01T00:00:00Z"));
    assert_eq!(rfc3339_of(u64::MAX), None);
}

#[test]
fn the_time_that_is_left_is_negative_where_it_is_past() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    assert_eq!(seconds_until(1_060, now), Some(60));
    assert_eq!(seconds_until(940, now), Some(-60));
    assert_eq!(seconds_until(u64::MAX, now), None);
}

const SERVERS: usize = 40;
