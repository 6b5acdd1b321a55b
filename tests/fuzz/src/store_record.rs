//! A record of the store, read as each kind (`docs/store-format.md`).

mod slot;

use std::fmt::Debug;
use std::sync::Arc;

use doorkey_store::{
    Backend as _, ClientAuthMethod, Error, Generation, GrantKey, MemoryBackend, ProblemKind,
    RecordId, RecordKind, RegistrationKey, Store, Stored,
};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use self::slot::Slot;
use crate::servers::{ISSUER, SERVER, run};
use crate::shown::{SECRET, assert_fit_text, assert_hidden};

/// A record is read and written again with all that was in it, or it is absent, reported and, but for one of a newer
/// version, out of the way.
pub fn store_record(data: &[u8]) {
    for kind in RecordKind::ALL {
        run(read_as(kind, data));
    }
}

async fn read_as(kind: RecordKind, data: &[u8]) {
    let backend = Arc::new(MemoryBackend::new());
    let id = match kind {
        RecordKind::Registration | RecordKind::Issuer => RecordId::new(kind, [ISSUER]),
        RecordKind::Facts => RecordId::new(kind, [SERVER]),
        _ => RecordId::new(kind, [SERVER, "default"]),
    };
    let bytes = Zeroizing::new(data.to_vec());
    let saved = backend.save(&id, bytes, None).await;
    saved.expect("there was nothing before");
    let store = Store::new(Slot(Arc::clone(&backend)));
    let again = again(kind, &store, data).await;
    let now = backend.load(&id).await.expect("a store in memory");
    match again {
        Some(saved) => {
            saved.expect("nobody else writes");
            let now = now.expect("it was saved");
            assert_eq!(meaning(&now.bytes), meaning(data), "{kind}");
        }
        None => {
            let problems = store.problems();
            let [problem] = problems.as_slice() else {
                panic!("one problem, not {problems:?}");
            };
            assert_fit_text(&problem.to_string());
            assert_eq!(problem.id.as_ref(), Some(&id));
            let is_newer = matches!(problem.kind, ProblemKind::LeftAlone { .. });
            let kept = now.map(|record| record.bytes.to_vec());
            assert_eq!(kept, is_newer.then(|| data.to_vec()));
        }
    }
}

/// Reads the record, and if it can be read, saves it as it is.
async fn again(kind: RecordKind, store: &Store, data: &[u8]) -> Option<Result<Generation, Error>> {
    let key = GrantKey::new(SERVER, "default");
    let client = RegistrationKey::shared(ISSUER);
    Some(match kind {
        RecordKind::Grant => {
            let read = shown(store.grant(&key).await, data)?;
            let saved = store.save_grant(&key, &read.value, Some(read.generation));
            saved.await
        }
        RecordKind::Registration => {
            let read = shown(store.registration(&client).await, data)?;
            let saved = store.save_registration(&client, &read.value, Some(read.generation));
            saved.await
        }
        RecordKind::Facts => {
            let read = shown(store.facts(SERVER).await, data)?;
            let saved = store.save_facts(SERVER, &read.value, Some(read.generation));
            saved.await
        }
        RecordKind::Login => {
            let read = shown(store.login(&key).await, data)?;
            let saved = store.save_login(&key, &read.value, Some(read.generation));
            saved.await
        }
        _ => {
            let read = shown(store.issuer_facts(ISSUER).await, data)?;
            let saved = store.save_issuer_facts(ISSUER, &read.value, Some(read.generation));
            saved.await
        }
    })
}

/// What was read, which shows none of its secrets. A store in memory has no other trouble than with what is in it.
fn shown<T: Debug>(read: Result<Option<Stored<T>>, Error>, data: &[u8]) -> Option<Stored<T>> {
    let read = read.expect("a record that cannot be used is absent")?;
    if !is_outside_of_secrets(data) {
        assert_hidden(&read, &[SECRET]);
    }
    Some(read)
}

/// Whether the secret stands anywhere but in the fields that are secret.
fn is_outside_of_secrets(data: &[u8]) -> bool {
    fn without_secrets(object: &mut Map<String, Value>) {
        object.retain(|name, _| !SECRETS.contains(&name.as_str()));
        for nested in ["pending", "grant"] {
            if let Some(Value::Object(object)) = object.get_mut(nested) {
                without_secrets(object);
            }
        }
    }
    let mut object: Map<String, Value> = serde_json::from_slice(data).unwrap_or_default();
    without_secrets(&mut object);
    Value::Object(object).to_string().contains(SECRET)
}

/// What a record says, however it is written: `null` is the same as no field, and so are a list of no times and a method
/// that is not known where that is no reason to put the record aside.
pub(crate) fn meaning(bytes: &[u8]) -> Value {
    fn tidy(object: &mut Map<String, Value>) {
        object.retain(|_, value| !value.is_null());
        for times in ["recent_refreshes", "recent_starts"] {
            if object.get(times) == Some(&Value::Array(Vec::new())) {
                object.remove(times);
            }
        }
        let method = object.get("client_auth_method").and_then(Value::as_str);
        if method.is_some_and(|name| ClientAuthMethod::from_name(name).is_none()) {
            object.remove("client_auth_method");
        }
        for nested in ["pending", "grant"] {
            if let Some(Value::Object(object)) = object.get_mut(nested) {
                tidy(object);
            }
        }
    }
    let mut object = serde_json::from_slice(bytes).expect("what was read is an object");
    tidy(&mut object);
    Value::Object(object)
}

const SECRETS: [&str; 8] = [
    "access_token",
    "client_secret",
    "dpop_key",
    "id_token",
    "refresh_token",
    "registration_access_token",
    "state",
    "verifier",
];
