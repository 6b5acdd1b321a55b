//! Which authorization servers are tried, and what is said of one that does not know the resource.

use std::io;
use std::sync::{Arc, Mutex};

use super::*;

fn issuers<const N: usize>(names: [&str; N]) -> [Issuer; N] {
    names.map(|name| Issuer::new(format!("https://{name}.example")))
}

fn order(options: &DiscoveryOptions, listed: &[&str]) -> Vec<String> {
    let name = |name: &&str| Issuer::new(format!("https://{name}.example"));
    let listed: Vec<_> = listed.iter().map(name).collect();
    let short = |issuer: &Issuer| {
        let text = issuer.as_str().strip_prefix("https://").unwrap();
        text.strip_suffix(".example").unwrap().to_owned()
    };
    options.order(&listed).into_iter().map(short).collect()
}

#[test]
fn servers_are_tried_as_listed_each_once_disc_14() {
    let options = DiscoveryOptions::default();
    assert_eq!(order(&options, &["b", "a", "b", "c", "a"]), ["b", "a", "c"]);
    assert_eq!(order(&options, &[]), [""; 0]);
}

#[test]
fn a_server_that_is_known_already_comes_first_and_only_if_it_is_listed_disc_14() {
    let options = DiscoveryOptions {
        prefer: issuers(["c", "elsewhere", "b"]).into(),
        ..DiscoveryOptions::default()
    };
    assert_eq!(order(&options, &["a", "b", "c"]), ["c", "b", "a"]);
}

#[test]
fn a_policy_restricts_the_list_and_never_adds_to_it_disc_14() {
    let options = DiscoveryOptions {
        prefer: issuers(["a", "b"]).into(),
        allowed: Some(issuers(["elsewhere", "c", "b"]).into()),
        ..DiscoveryOptions::default()
    };
    assert_eq!(order(&options, &["a", "b", "c", "d"]), ["b", "c"]);
    let nobody = DiscoveryOptions {
        allowed: Some(Vec::new()),
        ..DiscoveryOptions::default()
    };
    assert_eq!(order(&nobody, &["a"]), [""; 0]);
}

#[test]
fn a_list_without_end_is_tried_as_far_as_eight_disc_14() {
    let names: Vec<_> = (0..20).map(|n| format!("as{n}")).collect();
    let listed: Vec<_> = names.iter().map(String::as_str).collect();
    // One more, for the error to tell that there is more.
    assert_eq!(order(&DiscoveryOptions::default(), &listed), names[..9]);
}

#[test]
fn a_server_that_lists_other_resources_only_is_logged_as_23() {
    let resource = ResourceId::new("https://mcp.example/mcp");
    for (listed, is_logged) in [
        (None, false),
        (Some(&["https://mcp.example/mcp"][..]), false),
        (
            Some(&["https://other.example", "https://mcp.example/mcp"]),
            false,
        ),
        (Some(&["https://mcp.example/mcp/"]), true),
        (Some(&[]), true),
    ] {
        let mut server = AuthorizationServerMetadata::new(Issuer::new("https://as.example"));
        server.protected_resources =
            listed.map(|listed| listed.iter().map(|&own| own.to_owned()).collect());
        let log = logged(|| warn_if_unlisted(&server, &resource));
        assert_eq!(
            log.contains("does not list"),
            is_logged,
            "{listed:?}: {log}"
        );
        assert_eq!(log.contains("WARN"), is_logged, "{listed:?}: {log}");
        assert_eq!(
            log.contains("https://as.example") && log.contains("https://mcp.example/mcp"),
            is_logged,
            "{listed:?}: {log}"
        );
    }
}

/// What `act` logs.
fn logged(act: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, act);
    let bytes = log.0.lock().unwrap();
    String::from_utf8(bytes.clone()).unwrap()
}
