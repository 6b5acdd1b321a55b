//! What is kept apart: issuers, servers, accounts, stores; and that a key is kept as its tokens are.

use doorkey_store::{Grant, GrantKey, Registration, RegistrationKey, RegistrationKind, Store};
use secrecy::ExposeSecret as _;

use crate::typed::full_grant;

fn grant_of(client: &str) -> Grant {
    Grant::new("https://as.example", client, "https://as.example/token")
}

/// Identifiers that a URL type, or a careless reader, would take for one.
const ALIKE: [&str; 5] = [
    "https://a.example",
    "https://a.example/",
    "https://A.example",
    "https://a.example:443",
    "https://a.example/%61",
];

#[tokio::test]
async fn issuers_and_servers_that_look_alike_have_records_of_their_own_st_01() {
    let store = Store::memory();
    for url in ALIKE {
        let registration = Registration::new(url, RegistrationKind::Dynamic);
        let key = RegistrationKey::shared(url);
        store
            .save_registration(&key, &registration, None)
            .await
            .unwrap();
        let key = GrantKey::new(url, "default");
        store.save_grant(&key, &grant_of(url), None).await.unwrap();
    }
    for url in ALIKE {
        let key = RegistrationKey::shared(url);
        let registration = store.registration(&key).await.unwrap().unwrap();
        assert_eq!(registration.value.client_id, url);
        let grant = store.grant(&GrantKey::new(url, "default")).await.unwrap();
        assert_eq!(grant.unwrap().value.client_id, url);
    }
}

#[tokio::test]
async fn accounts_see_remove_and_list_nothing_of_one_another_st_11() {
    let store = Store::memory();
    let accounts = ["default", "Default", "work", ""];
    let key = |account: &str| GrantKey::new("https://mcp.example/mcp", account);
    for account in accounts {
        let grant = grant_of(account);
        store.save_grant(&key(account), &grant, None).await.unwrap();
    }
    let work = store.grant(&key("work")).await.unwrap().unwrap();
    store
        .remove_grant(&key("work"), work.generation)
        .await
        .unwrap();
    assert!(store.grant(&key("work")).await.unwrap().is_none());
    for account in ["default", "Default", ""] {
        let stored = store.grant(&key(account)).await.unwrap().unwrap();
        assert_eq!(stored.value.client_id, account);
    }
    assert_eq!(store.grants().await.unwrap().entries.len(), 3);
}

#[tokio::test]
async fn stores_in_memory_begin_empty_and_share_nothing_st_12() {
    let (one, other) = (Store::memory(), Store::memory());
    let key = GrantKey::new("https://mcp.example/mcp", "default");
    one.save_grant(&key, &full_grant(), None).await.unwrap();
    let registration = Registration::new("client", RegistrationKind::Dynamic);
    let issuer = RegistrationKey::shared("https://as.example");
    one.save_registration(&issuer, &registration, None)
        .await
        .unwrap();

    assert!(
        one.clone().grant(&key).await.unwrap().is_some(),
        "a clone is the same store"
    );
    for store in [other, Store::memory()] {
        assert!(store.grant(&key).await.unwrap().is_none());
        assert!(store.grants().await.unwrap().entries.is_empty());
        assert!(store.registrations().await.unwrap().entries.is_empty());
    }
}

#[cfg(all(unix, feature = "file"))]
#[tokio::test]
async fn a_key_is_kept_beside_its_tokens_as_they_are_and_shown_nowhere_st_09_st_10_dp_18() {
    use std::os::unix::fs::PermissionsExt as _;

    let (_temp, folder) = crate::file::folder();
    let key = GrantKey::new("https://mcp.example/mcp", "default");
    let store = Store::file(&folder).unwrap();
    store.save_grant(&key, &full_grant(), None).await.unwrap();

    let path = crate::file::only_record(&folder);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    let places = ["s3cret-key", "s3cret-access", "s3cret-refresh"]
        .map(|secret| text.matches(secret).count());
    assert_eq!(places, [1, 1, 1], "one record has it all");

    // Another process.
    let stored = Store::file(&folder)
        .unwrap()
        .grant(&key)
        .await
        .unwrap()
        .unwrap();
    assert!(!format!("{stored:?}").contains("s3cret"));
    let grant = stored.value;
    assert_eq!(grant.dpop_key.unwrap().expose_secret(), "s3cret-key");
    assert_eq!(grant.token_type, "DPoP");
    assert_eq!(grant.expires_at, Some(1_800_000_000));
    assert_eq!(grant.requested_scopes, ["a", "offline_access"]);
    assert_eq!(grant.granted_scopes.unwrap(), ["a"]);
    assert_eq!(grant.resource.as_deref(), Some("https://mcp.example/mcp"));
    assert_eq!(
        (grant.issuer.as_str(), grant.client_id.as_str()),
        ("https://as.example", "client-1")
    );
}
