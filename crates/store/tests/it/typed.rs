//! What [`Store`] makes of bytes, over the memory backend.

use std::sync::Arc;

use doorkey_store::{
    Backend, BoxFuture, ClientAuthMethod, Defect, Error, Generation, Grant, GrantKey, Listing,
    LockGuard, Login, MemoryBackend, PendingAuthorization, Problem, ProblemKind, Proof, RawRecord,
    RecordId, RecordKind, Registration, RegistrationKey, RegistrationKind, ServerFacts, Store,
    StoreDescription,
};
use secrecy::ExposeSecret;
use serde_json::json;
use zeroize::Zeroizing;

#[tokio::test]
async fn a_grant_keeps_all_that_a_refresh_in_another_process_needs() {
    let store = Store::memory();
    let key = GrantKey::new("https://mcp.example/mcp?tenant=1", "work");
    let grant = full_grant();
    let generation = store.save_grant(&key, &grant, None).await.unwrap();

    let stored = store.grant(&key).await.unwrap().unwrap();
    assert_eq!(stored.generation, generation);
    assert_eq!(format!("{:?}", stored.value), format!("{grant:?}"));
    assert_eq!(
        stored.value.refresh_token.unwrap().expose_secret(),
        "s3cret-refresh"
    );
    assert_eq!(stored.value.extra["later"], json!({"a": [1]}));

    // ST-11: another account of the same server sees nothing of it.
    let other = GrantKey::new("https://mcp.example/mcp?tenant=1", "home");
    assert!(store.grant(&other).await.unwrap().is_none());
    assert_eq!(GrantKey::from_record_id(&key.record_id()), Some(key));
}

#[tokio::test]
async fn a_started_login_is_used_once_and_belongs_to_one_account_st_11() {
    let store = Store::memory();
    let key = GrantKey::new("https://mcp.example/mcp", "work");
    let (state, verifier) = ("s3cret-state".into(), "s3cret-verifier".into());
    let issuer = "https://as.example";
    let mut login = Login::default();
    login.recent_starts = vec![1, 2];
    login.pending = Some(PendingAuthorization::new(
        full_grant(),
        state,
        verifier,
        issuer,
        (2, 602),
    ));
    let first = store.save_login(&key, &login, None).await.unwrap();
    let stored = store.login(&key).await.unwrap().unwrap();
    assert_eq!(stored.generation, first);
    assert_eq!(format!("{:?}", stored.value), format!("{login:?}"));
    assert!(!format!("{stored:?}").contains("s3cret"));
    let pending = stored.value.pending.unwrap();
    assert_eq!(pending.state.expose_secret(), "s3cret-state");
    let token = pending.grant.refresh_token.unwrap();
    assert_eq!(token.expose_secret(), "s3cret-refresh");
    let other = GrantKey::new("https://mcp.example/mcp", "home");
    assert!(store.login(&other).await.unwrap().is_none());
    assert!(store.grant(&key).await.unwrap().is_none(), "no grant yet");

    // Two who read it: one gets it.
    store.remove_login(&key, first).await.unwrap();
    assert!(
        store
            .remove_login(&key, first)
            .await
            .unwrap_err()
            .is_conflict()
    );
}

#[tokio::test]
async fn the_lock_of_a_login_does_not_keep_a_refresh_out() {
    let store = Store::memory();
    let key = GrantKey::new("https://mcp.example/mcp", "work");
    let limit = std::time::Duration::from_secs(5);
    let login = store.lock_login(&key, limit).await.unwrap();
    let grant = store.lock_grant(&key, limit).await.unwrap();
    let none = std::time::Duration::ZERO;
    let again = store.lock_login(&key, none).await.unwrap_err();
    assert!(matches!(again, Error::LockTimeout { .. }));
    drop((login, grant));
    let _free = store.lock_login(&key, none).await.unwrap();
}

#[tokio::test]
async fn registrations_are_kept_by_issuer_and_by_account_where_it_has_its_own() {
    let store = Store::memory();
    let shared = RegistrationKey::shared("https://as.example");
    let own = RegistrationKey::new("https://as.example", Some("work".to_owned()));
    for (key, id) in [(&shared, "client-1"), (&own, "client-2")] {
        let mut registration = Registration::new(id, RegistrationKind::Dynamic);
        registration.client_secret = Some("s3cret".into());
        registration.redirect_uris = vec!["http://127.0.0.1:1/callback".to_owned()];
        store
            .save_registration(key, &registration, None)
            .await
            .unwrap();
    }
    let listing = store.registrations().await.unwrap();
    let found: Vec<_> = listing
        .entries
        .iter()
        .map(|(key, stored)| (key, stored.value.client_id.as_str()))
        .collect();
    assert_eq!(found, [(&shared, "client-1"), (&own, "client-2")]);

    let stored = store.registration(&own).await.unwrap().unwrap();
    assert!(!format!("{stored:?}").contains("s3cret"));
    store
        .remove_registration(&own, stored.generation)
        .await
        .unwrap();
    assert!(store.registration(&own).await.unwrap().is_none());
    assert!(store.registration(&shared).await.unwrap().is_some());
}

#[tokio::test]
async fn facts_are_saved_changed_and_removed_by_generation() {
    let store = Store::memory();
    let mut facts = ServerFacts::default();
    facts.wire = Some("2026-07-28".to_owned());
    facts.discover = Some(json!({"capabilities": {}}));
    let first = store
        .save_facts("https://mcp.example", &facts, None)
        .await
        .unwrap();
    facts.needs_login = Some(true);
    assert!(
        store
            .save_facts("https://mcp.example", &facts, None)
            .await
            .unwrap_err()
            .is_conflict()
    );
    let second = store
        .save_facts("https://mcp.example", &facts, Some(first))
        .await
        .unwrap();
    assert_eq!(
        store
            .facts("https://mcp.example")
            .await
            .unwrap()
            .unwrap()
            .value,
        facts
    );
    assert!(
        store
            .remove_facts("https://mcp.example", first)
            .await
            .unwrap_err()
            .is_conflict()
    );
    store
        .remove_facts("https://mcp.example", second)
        .await
        .unwrap();
    assert!(store.facts("https://mcp.example").await.unwrap().is_none());
}

#[tokio::test]
async fn grants_are_listed_in_order_and_a_bad_one_does_not_hide_the_others() {
    let backend = Arc::new(MemoryBackend::new());
    let store = Store::new(Shared(Arc::clone(&backend)));
    for server in [
        "https://b.example",
        "https://a.example",
        "https://c.example",
    ] {
        store
            .save_grant(&GrantKey::new(server, "default"), &full_grant(), None)
            .await
            .unwrap();
    }
    let bad = GrantKey::new("https://a.example", "default");
    let id = bad.record_id();
    let generation = backend.load(&id).await.unwrap().unwrap().generation;
    let newer = Zeroizing::new(br#"{"version":7,"access_token":"s3cret"}"#.to_vec());
    backend.save(&id, newer, Some(generation)).await.unwrap();

    let listing = store.grants().await.unwrap();
    let servers: Vec<_> = listing
        .entries
        .iter()
        .map(|(key, _)| key.server.as_str())
        .collect();
    assert_eq!(servers, ["https://b.example", "https://c.example"]);
    let [problem] = listing.problems.as_slice() else {
        panic!("{:?}", listing.problems)
    };
    let defect = Defect::NewerVersion { found: 7, known: 1 };
    assert_eq!(problem.kind, ProblemKind::LeftAlone { defect });
    assert_eq!(problem.id.as_ref(), Some(&id));
    assert!(
        problem.to_string().contains("written by a newer version"),
        "{problem}"
    );
    assert!(!problem.to_string().contains("s3cret"), "{problem}");
    assert_eq!(store.problems(), listing.problems);

    // ST-07: it counts as absent, yet belongs to the newer version.
    assert!(store.grant(&bad).await.unwrap().is_none());
    let saved = store.save_grant(&bad, &full_grant(), None).await;
    let removed = store.remove_grant(&bad, generation).await;
    for error in [saved.unwrap_err(), removed.unwrap_err()] {
        assert!(
            matches!(error, Error::NewerVersion { found: 7, .. }),
            "{error}"
        );
    }
    assert_eq!(store.discard_set_aside_grants(&bad).await.unwrap(), 0);
    assert!(backend.load(&id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_record_that_was_repaired_meanwhile_is_read_again() {
    let backend = Arc::new(MemoryBackend::new());
    let key = GrantKey::new("https://a.example", "default");
    let id = key.record_id();
    let bad = Zeroizing::new(b"{}".to_vec());
    let first = backend.save(&id, bad, None).await.unwrap();

    let store = Store::new(RepairedMeanwhile {
        inner: Shared(Arc::clone(&backend)),
        broken: first,
    });
    let stored = store.grant(&key).await.unwrap().unwrap();
    assert!(stored.generation > first);
    assert_eq!(store.problems(), []);
}

#[test]
fn nothing_secret_is_shown_by_any_debug_or_error() {
    let key = GrantKey::new(
        "https://user:s3cret@mcp.example/mcp?key=s3cret#s3cret",
        "default",
    );
    let registration_key = RegistrationKey::shared("https://user:s3cret@as.example?s3cret");
    let id = key.record_id();
    let conflict = Error::Conflict {
        id: id.clone(),
        expected: None,
        current: Some(Generation::new(3)),
    };
    let problem = Problem::new("memory", Some(id.clone()), ProblemKind::Leftover);
    let mut registration = Registration::new("client", RegistrationKind::Static);
    registration.client_secret = Some("s3cret".into());
    registration.registration_access_token = Some("s3cret".into());
    registration
        .extra
        .insert("later".to_owned(), json!("s3cret"));
    let mut grant = full_grant();
    grant.extra.insert("later".to_owned(), json!("s3cret"));

    let shown = format!(
        "{key:?} {registration_key:?} {id} {id:?} {conflict} {conflict:?} {problem} {problem:?} {registration:?} {grant:?}"
    );
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(
        shown.contains("mcp.example/mcp") && shown.contains("as.example"),
        "{shown}"
    );
}

#[test]
fn a_description_says_what_kind_of_store_it_is() {
    let description = Store::memory().describe();
    assert_eq!((description.kind, description.encrypted), ("memory", false));
}

pub(crate) fn full_grant() -> Grant {
    let mut grant = Grant::new("https://as.example", "client-1", "https://as.example/token");
    grant.resource = Some("https://mcp.example/mcp".to_owned());
    grant.account_label = Some("ann@example".to_owned());
    grant.revocation_endpoint = Some("https://as.example/revoke".to_owned());
    grant.authorization_endpoint = Some("https://as.example/authorize".to_owned());
    grant.client_auth_method = ClientAuthMethod::Basic;
    grant.client_secret = Some("s3cret-client".into());
    grant.client_secret_expires_at = Some(9);
    grant.redirect_uri = Some("http://127.0.0.1:1/callback".to_owned());
    grant.access_token = Some("s3cret-access".into());
    grant.refresh_token = Some("s3cret-refresh".into());
    grant.dpop_key = Some("s3cret-key".into());
    grant.id_token = Some("s3cret-id".into());
    grant.token_type = "DPoP".to_owned();
    grant.expires_at = Some(1_800_000_000);
    grant.issued_at = 1_799_996_400;
    grant.requested_scopes = vec!["a".to_owned(), "offline_access".to_owned()];
    grant.granted_scopes = Some(vec!["a".to_owned()]);
    grant.proof = Proof::Accepted;
    grant.last_error = Some("the server was away".to_owned());
    grant.dynamic_registration = true;
    grant.refresh_started_at = Some(1_799_999_999);
    grant.extra.insert("later".to_owned(), json!({"a": [1]}));
    grant
}

/// Another handle on the same memory.
#[derive(Debug)]
pub(crate) struct Shared(pub(crate) Arc<MemoryBackend>);

/// Saves a sound record in the moment before the broken one is set aside.
#[derive(Debug)]
struct RepairedMeanwhile {
    inner: Shared,
    broken: Generation,
}

macro_rules! delegate {
    () => {
        fn load<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<Option<RawRecord>, Error>> {
            self.inner().load(id)
        }
        fn save<'a>(
            &'a self,
            id: &'a RecordId,
            bytes: Zeroizing<Vec<u8>>,
            expected: Option<Generation>,
        ) -> BoxFuture<'a, Result<Generation, Error>> {
            self.inner().save(id, bytes, expected)
        }
        fn remove<'a>(
            &'a self,
            id: &'a RecordId,
            expected: Generation,
        ) -> BoxFuture<'a, Result<(), Error>> {
            self.inner().remove(id, expected)
        }
        fn list(&self, kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, Error>> {
            self.inner().list(kind)
        }
        fn lock<'a>(
            &'a self,
            id: &'a RecordId,
            limit: std::time::Duration,
        ) -> BoxFuture<'a, Result<LockGuard, Error>> {
            self.inner().lock(id, limit)
        }
        fn discard_set_aside<'a>(
            &'a self,
            id: &'a RecordId,
        ) -> BoxFuture<'a, Result<usize, Error>> {
            self.inner().discard_set_aside(id)
        }
        fn problems(&self) -> Vec<Problem> {
            self.inner().problems()
        }
        fn describe(&self) -> StoreDescription {
            self.inner().describe()
        }
    };
}

impl Shared {
    fn inner(&self) -> &MemoryBackend {
        &self.0
    }
}

impl Backend for Shared {
    delegate!();
    fn set_aside<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
        defect: Defect,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.inner().set_aside(id, expected, defect)
    }
}

impl RepairedMeanwhile {
    fn inner(&self) -> &MemoryBackend {
        &self.inner.0
    }
}

impl Backend for RepairedMeanwhile {
    delegate!();
    fn set_aside<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
        defect: Defect,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let key = GrantKey::from_record_id(id).unwrap();
            let store = Store::new(Shared(Arc::clone(&self.inner.0)));
            store
                .save_grant(&key, &full_grant(), Some(self.broken))
                .await
                .unwrap();
            self.inner().set_aside(id, expected, defect).await
        })
    }
}
