//! The guard over a table of names, without a network.

use std::collections::HashMap;
use std::sync::Mutex;

use super::*;
use crate::address::AddressPolicy;

#[derive(Debug, Default)]
struct Table(Mutex<HashMap<&'static str, Vec<IpAddr>>>);

impl Table {
    fn set(&self, name: &'static str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.0.lock().unwrap().insert(name, addresses);
    }
}

impl Resolver for Table {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let found = self.0.lock().unwrap().get(host).cloned();
        Box::pin(async move { found.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

fn guard(resource: Option<&str>) -> (Guard, Arc<Table>) {
    guard_since_login(resource, None)
}

fn guard_since_login(resource: Option<&str>, class: Option<AddressClass>) -> (Guard, Arc<Table>) {
    let table = Arc::new(Table::default());
    table.set("public.example", &["8.8.8.8"]);
    table.set("mixed.example", &["10.0.0.1", "8.8.8.8"]);
    table.set("private.example", &["10.0.0.1"]);
    table.set("loopback.example", &["127.0.0.1", "::1"]);
    table.set("metadata.example", &["169.254.169.254"]);
    let allowed = "https://private.example:8443".parse().unwrap();
    let profile = HttpProfile {
        resource: resource.map(|url| Url::parse(url).unwrap()),
        addresses: AddressPolicy::allowing([allowed])
            .with_class(class)
            .with_workload(["http://metadata.example".parse().unwrap()]),
        ..HttpProfile::default()
    };
    let class = ResourceClass::new(literal_resource_class(&profile), profile.addresses.class);
    let resolver = Arc::clone(&table) as Arc<dyn Resolver>;
    (
        Guard::new(&Arc::new(profile), resolver, Arc::new(class)),
        table,
    )
}

impl Guard {
    /// The addresses that a connection of this reach would be made to.
    async fn lookup(
        &self,
        host: &str,
        reach: Reach,
    ) -> Result<(Vec<IpAddr>, Option<AddressRefused>), BoxError> {
        let judgement = self.judgement(reach, &self.standing());
        judged(self.resolver.as_ref(), host, &judgement).await
    }
}

/// An answer of the user's own server from this address.
fn answered(guard: &Guard, peer: &str) {
    guard.verified(peer.parse().unwrap(), guard.standing().changes);
}

fn is_refused<T>(result: &Result<T, BoxError>) -> bool {
    result
        .as_ref()
        .is_err_and(|err| err.downcast_ref::<AddressRefused>().is_some())
}

#[tokio::test]
async fn names_are_judged_by_their_addresses_and_the_class_of_the_users_url() {
    for (resource, peer, name, allowed) in [
        (None, None, "public.example", true),
        (None, None, "private.example", false),
        (None, None, "loopback.example", false),
        (Some("https://mcp.example"), None, "private.example", false),
        (
            Some("https://mcp.example"),
            Some("8.8.8.8"),
            "private.example",
            false,
        ),
        (
            Some("https://mcp.example"),
            Some("8.8.8.8"),
            "mixed.example",
            true,
        ),
        (
            Some("https://mcp.example"),
            Some("10.0.0.9"),
            "private.example",
            true,
        ),
        (
            Some("https://mcp.example"),
            Some("10.0.0.9"),
            "loopback.example",
            false,
        ),
        (Some("https://192.168.3.4"), None, "private.example", true),
        (
            Some("http://localhost:3000"),
            None,
            "loopback.example",
            true,
        ),
        (
            Some("http://127.0.0.1:3000"),
            None,
            "private.example",
            false,
        ),
        (
            Some("https://metadata.example"),
            None,
            "metadata.example",
            false,
        ),
    ] {
        let (guard, _) = guard(resource);
        if let Some(peer) = peer {
            answered(&guard, peer);
        }
        let result = guard.lookup(name, Reach::Guarded).await;
        assert_eq!(
            !is_refused(&result),
            allowed,
            "{resource:?} {peer:?} {name}: {result:?}"
        );
    }
}

#[tokio::test]
async fn only_the_allowed_addresses_of_a_mixed_name_are_connected_to() {
    let (guard, _) = guard(None);
    let (found, left_out) = guard.lookup("mixed.example", Reach::Guarded).await.unwrap();
    assert_eq!(found, ["8.8.8.8".parse::<IpAddr>().unwrap()]);
    assert!(matches!(left_out, Some(AddressRefused::Closer { .. })));
}

#[tokio::test]
async fn the_users_word_reaches_all_but_what_is_never_contacted() {
    let (guard, _) = guard(None);
    assert!(
        guard
            .lookup("loopback.example", Reach::UsersWord)
            .await
            .is_ok()
    );
    assert!(is_refused(
        &guard.lookup("metadata.example", Reach::UsersWord).await
    ));
}

#[tokio::test]
async fn of_what_is_left_out_that_is_told_which_a_setting_allows() {
    let (guard, table) = guard(None);
    table.set(
        "worse.example",
        &["169.254.169.254", "10.0.0.1", "fe80::1", "8.8.8.8"],
    );
    let (found, left_out) = guard.lookup("worse.example", Reach::Guarded).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(left_out.unwrap().to_string().contains("10.0.0.1"));
}

#[tokio::test]
async fn no_lookup_teaches_the_users_class_whoever_is_judged() {
    let (guard, table) = guard(Some("https://mcp.example"));
    for addresses in [
        &["10.0.0.1"][..],
        &["127.0.0.1"],
        &["8.8.8.8"],
        &["10.0.0.1", "8.8.8.8"],
    ] {
        table.set("mcp.example", addresses);
        assert!(guard.lookup("mcp.example", Reach::Own).await.is_ok());
        guard.lookup("mcp.example", Reach::Guarded).await.ok();
        for near in ["private.example", "loopback.example"] {
            let found = guard.lookup(near, Reach::Guarded).await;
            assert!(is_refused(&found), "{addresses:?} {near}: {found:?}");
        }
        assert_eq!(guard.class.known(), None, "{addresses:?}");
    }
}

#[tokio::test]
async fn others_are_measured_by_the_farthest_answer_of_the_users_server() {
    let (guard, _) = guard(Some("https://mcp.example"));
    let private = async || guard.lookup("private.example", Reach::Guarded).await;
    assert!(is_refused(&private().await), "nothing is known");
    answered(&guard, "10.9.9.9");
    assert!(private().await.is_ok());
    // Public from now on, whatever answers after that.
    answered(&guard, "8.8.8.8");
    assert!(is_refused(&private().await));
    answered(&guard, "10.9.9.9");
    assert!(is_refused(&private().await));
    assert_eq!(
        guard.class.known(),
        Some(AddressClass::Private),
        "to be kept"
    );
}

#[tokio::test]
async fn a_name_in_two_networks_stays_usable_after_the_login_and_opens_nothing_to_others() {
    let (first, table) = guard(Some("https://mixed.example"));
    answered(&first, "10.0.0.1");
    answered(&first, "8.8.8.8");
    let (later, _) = guard_since_login(Some("https://mixed.example"), first.class.known());
    for guard in [&first, &later] {
        let (found, left_out) = guard.lookup("mixed.example", Reach::Own).await.unwrap();
        assert_eq!((found.len(), left_out), (2, None));
    }
    assert!(
        later
            .lookup("private.example", Reach::Guarded)
            .await
            .is_ok()
    );
    answered(&later, "8.8.8.8");
    assert!(is_refused(
        &later.lookup("private.example", Reach::Guarded).await
    ));
    drop(table);
}

#[tokio::test]
async fn a_failed_lookup_of_the_users_server_is_nobody_elses_failure() {
    // The table does not know mcp.example.
    let (guard, table) = guard(Some("https://mcp.example"));
    let failed = guard.lookup("mcp.example", Reach::Own).await;
    assert!(failed.is_err() && !is_refused(&failed), "{failed:?}");
    assert!(is_refused(
        &guard.lookup("private.example", Reach::Guarded).await
    ));
    table.set("mcp.example", &["10.9.9.9"]);
    assert!(guard.lookup("mcp.example", Reach::Own).await.is_ok());
    answered(&guard, "10.9.9.9");
    assert!(
        guard
            .lookup("private.example", Reach::Guarded)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn the_class_at_login_holds_before_anything_is_asked() {
    use AddressClass::{Loopback, Private, Public};
    for (class, name, reach, allowed) in [
        // Others may be as close as the server was at login, whatever it says now.
        (Public, "private.example", Reach::Guarded, false),
        (Private, "private.example", Reach::Guarded, true),
        (Private, "loopback.example", Reach::Guarded, false),
        // The server itself may not come closer, not even over a name that has both.
        (Public, "mcp.example", Reach::Own, false),
        (Private, "mcp.example", Reach::Own, true),
        (Loopback, "mcp.example", Reach::Own, true),
        (Public, "mcp.example", Reach::UsersWord, true),
        (Public, "mixed.example", Reach::Own, true),
    ] {
        let (guard, table) = guard_since_login(Some("https://mcp.example"), Some(class));
        table.set("mcp.example", &["10.0.0.1"]);
        let found = guard.lookup(name, reach).await;
        assert_eq!(!is_refused(&found), allowed, "{class} {name}: {found:?}");
        assert_eq!(guard.class.known(), Some(class), "{name}");
        if name == "mixed.example" {
            let (found, left_out) = found.unwrap();
            assert_eq!(found, ["8.8.8.8".parse::<IpAddr>().unwrap()]);
            assert!(matches!(left_out, Some(AddressRefused::CameCloser { .. })));
        }
    }
}

#[test]
fn a_literal_says_its_class_itself() {
    for (resource, class) in [
        ("https://10.0.0.1", AddressClass::Private),
        ("http://localhost:3000", AddressClass::Loopback),
    ] {
        let (guard, _) = guard_since_login(Some(resource), Some(AddressClass::Public));
        assert_eq!(guard.class.standing().at_login, None, "{resource}");
        assert_eq!(guard.class.known(), Some(class), "{resource}");
    }
}

#[test]
fn the_users_word_is_the_resources_origin_and_the_allow_list() {
    let (guard, _) = guard(Some("https://mcp.example/mcp"));
    for (origin, reach) in [
        ("https://mcp.example", Reach::Own),
        ("https://mcp.example:444", Reach::Guarded),
        ("https://private.example:8443", Reach::UsersWord),
        ("https://private.example", Reach::Guarded),
    ] {
        for leg in Leg::ALL {
            let found = guard.reach(leg, &origin.parse().unwrap());
            assert_eq!(found, reach, "{leg} {origin}");
        }
    }
}

#[tokio::test]
async fn the_place_of_a_workloads_identity_is_exempt_for_its_leg_and_for_no_other() {
    let (guard, _) = guard(Some("https://public.example/mcp"));
    let (place, address) = ("http://metadata.example", "169.254.169.254");
    for leg in Leg::ALL {
        let reach = guard.reach(leg, &place.parse().unwrap());
        let expected = match leg {
            Leg::IdentityProvider => Reach::Workload,
            _ => Reach::Guarded,
        };
        assert_eq!(reach, expected, "{leg}");
        let found = guard.lookup("metadata.example", reach).await;
        assert_eq!(is_refused(&found), leg != Leg::IdentityProvider, "{leg}");
        let literal = guard.judge(address, address.parse().unwrap(), reach);
        assert_eq!(literal.is_ok(), leg == Leg::IdentityProvider);
    }
    for other in ["https://metadata.example", "http://metadata.example:8080"] {
        let reach = guard.reach(Leg::IdentityProvider, &other.parse().unwrap());
        assert_eq!(reach, Reach::Guarded, "{other}");
    }
}

#[test]
fn literals_and_localhost_are_judged_without_a_lookup() {
    for (url, address) in [
        ("https://10.0.0.1/", Some("10.0.0.1")),
        ("https://[::ffff:10.0.0.1]/", Some("::ffff:10.0.0.1")),
        ("https://0x7f000001/", Some("127.0.0.1")),
        ("http://localhost/", Some("127.0.0.1")),
        ("https://a.localhost./", Some("127.0.0.1")),
        ("https://notlocalhost/", None),
        ("https://as.example/", None),
    ] {
        let found = literal_address(&Url::parse(url).unwrap());
        assert_eq!(found, address.map(|text| text.parse().unwrap()), "{url}");
    }
}
