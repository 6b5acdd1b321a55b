//! One port on both loopback addresses, and what may be missing.

use std::sync::atomic::{AtomicU16, Ordering};

use super::*;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn failure(address: IpAddr, port: Option<u16>, source: io::Error) -> LoopbackError {
    match (source.kind(), port) {
        (io::ErrorKind::AddrInUse, Some(port)) => LoopbackError::PortInUse {
            port,
            address,
            holder: PortHolder::Unknown,
            free: None,
            source,
        },
        _ => LoopbackError::Listen {
            address: SocketAddr::new(address, port.unwrap_or(0)),
            source,
        },
    }
}

/// The sockets of `localhost` where IPv4 works and IPv6 fails with that error.
async fn with_failing_ipv6(
    port: Option<u16>,
    error: impl Fn() -> io::Error,
) -> Result<(Vec<IpAddr>, u16), LoopbackError> {
    on_one_port(&[V4, V6], port, async |address, port| {
        if address == V4 {
            Ok((address, port.unwrap_or(4000)))
        } else {
            Err(failure(address, port, error()))
        }
    })
    .await
}

#[tokio::test]
async fn only_an_address_family_that_is_not_there_may_be_left_out_az_17() {
    for absent in [
        || io::Error::from(io::ErrorKind::AddrNotAvailable),
        || io::Error::from(io::ErrorKind::Unsupported),
        || io::Error::from_raw_os_error(ADDRESS_FAMILY_UNSUPPORTED),
    ] {
        let (sockets, port) = with_failing_ipv6(None, absent).await.expect("IPv4");
        assert_eq!((sockets.as_slice(), port), ([V4].as_slice(), 4000));
    }
    for kind in [
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::AddrInUse,
        io::ErrorKind::Other,
    ] {
        for port in [None, Some(4000)] {
            let outcome = with_failing_ipv6(port, || kind.into()).await;
            assert!(outcome.is_err(), "{kind:?} {port:?}: {outcome:?}");
        }
    }
    let nowhere = on_one_port::<()>(&[V4, V6], None, async |address, port| {
        let source = io::ErrorKind::AddrNotAvailable.into();
        Err(failure(address, port, source))
    })
    .await;
    assert!(
        matches!(nowhere, Err(LoopbackError::Listen { .. })),
        "{nowhere:?}"
    );
}

#[tokio::test]
async fn a_port_of_our_choice_that_another_program_has_on_ipv6_is_given_up_for_another_az_17() {
    let next = AtomicU16::new(4000);
    let (sockets, port) = on_one_port(&[V4, V6], None, async |address, port| match port {
        None => Ok((address, next.fetch_add(1, Ordering::Relaxed))),
        Some(port @ 4000..4003) => Err(failure(
            address,
            Some(port),
            io::ErrorKind::AddrInUse.into(),
        )),
        Some(port) => Ok((address, port)),
    })
    .await
    .expect("a free port");
    assert_eq!((sockets, port), (vec![V4, V6], 4003));

    let taken = with_failing_ipv6(None, || io::ErrorKind::AddrInUse.into()).await;
    assert!(
        matches!(taken, Err(LoopbackError::Listen { .. })),
        "no configuration asked for it: {taken:?}"
    );
}

#[tokio::test]
async fn a_configured_port_that_another_program_has_on_ipv6_is_busy_az_17() {
    let Ok(squatter) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else {
        return; // No IPv6 here, so nobody to share `localhost` with.
    };
    let port = squatter.local_addr().expect("an address").port();
    let url = Url::parse(&format!("http://localhost:{port}/callback")).expect("a URL");
    for settings in [
        CallbackSettings::new(None, Some(url.clone())),
        CallbackSettings::new(Some(port.into()), Url::parse("http://localhost/cb").ok()),
    ] {
        match bind(&settings, &[], true).await {
            Err(LoopbackError::PortInUse {
                port: busy,
                address,
                ..
            }) => assert_eq!((busy, address), (port, V6)),
            other => panic!("{other:?}"),
        }
    }
    // A registered redirect URI is only a hint: it is passed over.
    let bound = bind(&CallbackSettings::default(), &[url.to_string()], true)
        .await
        .expect("another port");
    assert_ne!(bound.redirect_uri, url.as_str());
}

#[tokio::test]
async fn localhost_is_listened_on_wherever_it_may_lead_az_17() {
    let url = Url::parse("http://localhost/callback").ok();
    let bound = bind(&CallbackSettings::new(None, url), &[], true)
        .await
        .expect("a listener");
    let port = bound.sockets[0].local_addr().expect("an address").port();
    for address in [V4, V6] {
        match TcpListener::bind((address, port)).await {
            Ok(_) => panic!("{address} is left to anybody"),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(_) => assert_eq!(address, V6, "this machine has no IPv6"),
        }
    }
}

#[test]
fn of_a_range_what_is_taken_or_kept_by_the_system_is_passed_over_and_nothing_else() {
    use io::ErrorKind::{AddrInUse, Other, PermissionDenied};
    let at = |port, kind: io::ErrorKind| failure(V4, Some(port), kind.into());
    for (kind, is_passed) in [(AddrInUse, true), (PermissionDenied, true), (Other, false)] {
        assert_eq!(at(4000, kind).is_of_this_port(), is_passed, "{kind:?}");
    }
    let range = CallbackPorts::range(4000..=4002).expect("a range");
    let told = |first, second| {
        let failure = at(4000, first).or_what_says_more(at(4001, second));
        failure.of_all(range)
    };
    for (first, second, taken) in [
        (AddrInUse, PermissionDenied, 4000),
        (AddrInUse, AddrInUse, 4000),
        (PermissionDenied, AddrInUse, 4001),
    ] {
        let told = told(first, second);
        assert!(
            matches!(told, LoopbackError::PortsInUse { port, .. } if port == taken),
            "{told:?}"
        );
    }
    let kept = told(PermissionDenied, PermissionDenied);
    assert!(
        matches!(&kept, LoopbackError::Listen { address, .. } if address.port() == 4000),
        "{kept:?}"
    );
}

#[tokio::test]
async fn a_range_beside_a_redirect_uri_gives_its_port_or_is_where_it_is_forwarded_to() {
    let taken = TcpListener::bind((V4, 0)).await.expect("a port");
    let first = taken.local_addr().expect("an address").port();
    let range = CallbackPorts::range(first..=first.saturating_add(20)).expect("a range");
    let at = |text: &str| CallbackSettings::new(Some(range), Url::parse(text).ok());
    let bound = bind(&at("http://127.0.0.1/back"), &[], false).await;
    let bound = bound.expect("another port of the range");
    let port = bound.sockets[0].local_addr().expect("an address").port();
    assert!(port != first && range.contains(port), "{port}");
    let redirect_uri = format!("http://127.0.0.1:{port}/back");
    assert_eq!(bound.redirect_uri, redirect_uri);
    // Whatever forwards there knows one port.
    let forwarded = bind(&at("https://dev.example/back"), &[], false).await;
    assert!(
        matches!(forwarded, Err(LoopbackError::PortInUse { port, free: None, .. }) if port == first),
        "{forwarded:?}"
    );
    drop(taken);
    let forwarded = bind(&at("https://dev.example/back"), &[], false).await;
    let forwarded = forwarded.expect("a listener");
    assert_eq!(forwarded.redirect_uri, "https://dev.example/back");
}
