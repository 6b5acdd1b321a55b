//! Certificates: whom we trust, as whom we come, and what is said when it fails (SEC-01, SEC-08).

use std::sync::Arc;

use doorkey_http::{AddressClass, HttpClient, HttpProfile, Leg, RootCertificate, Roots};
use http::Version;
use url::Url;

use crate::ca::Ca;
use crate::server::{Names, Server, chain, get, post};

/// The default profile for a server on loopback, trusting `roots`.
pub(crate) fn profile(server: &Server, roots: Roots) -> HttpProfile {
    let mut profile = HttpProfile::new(Url::parse(&server.url("mcp.test", "/mcp")).unwrap());
    profile.roots = roots;
    profile
}

pub(crate) fn client(profile: &HttpProfile) -> HttpClient {
    HttpClient::with_resolver(profile, Arc::new(Names::default())).unwrap()
}

#[tokio::test]
async fn a_private_authority_is_trusted_on_every_leg_over_http2() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["mcp.test", "as.test"], None))).await;
    let mut profile = profile(&server, ca.roots());
    profile.addresses.class = Some(AddressClass::Loopback);
    let client = client(&profile);
    for leg in Leg::ALL {
        let url = server.url("as.test", "/x");
        let answer = client.send_collected(leg, post(&url, "q")).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.body().as_ref()),
            (200, &b"ok"[..]),
            "{leg}"
        );
    }
    let seen = server.seen();
    assert_eq!(seen.len(), Leg::ALL.len());
    for request in seen {
        assert_eq!(request.version, Version::HTTP_2);
        assert_eq!(request.connection, 0, "the connection is kept and shared");
        assert_eq!(request.body, "q");
        assert!(
            request
                .header("user-agent")
                .unwrap()
                .starts_with("doorkey/")
        );
    }
}

#[tokio::test]
async fn a_bundle_with_text_and_a_trusted_certificate_block_works() {
    let (ca, other) = (Ca::new(), Ca::new());
    let server = Server::ok(Some(ca.server(&["mcp.test"], None))).await;
    // OpenSSL's trusted form: the certificate, then what it is trusted for.
    let auxiliary = [0x30, 0x0c, 0x30, 0x0a, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
    let trusted = [ca.der(), auxiliary.to_vec()].concat();
    let encoded = base64(&trusted);
    let bundle = format!(
        "Bundle of two\n{}\nsubject=x: y\n-----BEGIN TRUSTED CERTIFICATE-----\n{encoded}\n-----END TRUSTED CERTIFICATE-----\nend",
        other.pem(),
    );
    let roots = RootCertificate::from_pem_bundle(bundle.as_bytes()).unwrap();
    assert_eq!(roots.len(), 2);
    let client = client(&profile(&server, Roots::Only(roots)));
    let answer = client
        .send(Leg::Resource, get(&server.url("mcp.test", "/")))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

/// By way of rcgen's PEM encoder, which takes any DER.
fn base64(der: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(der)
}

#[tokio::test]
async fn an_unknown_authority_is_named_as_the_cause_with_what_to_do() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["mcp.test"], None))).await;
    let client = client(&profile(&server, Ca::new().roots()));
    let url = server.url("mcp.test", "/token?secret");
    let err = client.send(Leg::Token, post(&url, "x")).await.unwrap_err();
    assert!(
        err.is_tls() && !err.is_transient() && !err.is_timeout(),
        "{err:?}"
    );
    assert_eq!(err.leg(), Some(Leg::Token));
    let text = chain(&err);
    assert!(text.starts_with(&format!(
        "token request POST {}: ",
        server.url("mcp.test", "/token")
    )));
    assert!(
        text.contains("certificate to the configured roots"),
        "{text}"
    );
    assert!(
        text.ends_with("invalid peer certificate: UnknownIssuer"),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["other.test"], None))).await;
    let client = client(&profile(&server, ca.roots()));
    let err = client
        .send(Leg::Resource, get(&server.url("mcp.test", "/")))
        .await
        .unwrap_err();
    assert!(err.is_tls(), "{err:?}");
    assert!(chain(&err).contains("mcp.test"), "{}", chain(&err));
}

#[tokio::test]
async fn a_client_certificate_is_shown_when_it_is_demanded() {
    let (ca, clients) = (Ca::new(), Ca::new());
    let server = Server::ok(Some(ca.server(&["mcp.test"], Some(&clients)))).await;
    let url = server.url("mcp.test", "/");
    let mut profile = profile(&server, ca.roots());
    let mut told = false;
    for _ in 0..20 {
        // The server's reset may overtake its alert; that it never answers is certain.
        let err = client(&profile)
            .send(Leg::Resource, get(&url))
            .await
            .unwrap_err();
        told |= err.is_tls()
            && chain(&err).contains("`client_identity`")
            && chain(&err).ends_with("received fatal alert: CertificateRequired");
    }
    assert!(told, "the alert was never seen");
    profile.client_identity = Some(clients.identity());
    let answer = client(&profile)
        .send(Leg::Registration, get(&url))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

#[test]
fn a_root_that_is_no_certificate_and_no_roots_at_all_are_refused_when_building() {
    let not_a_certificate = RootCertificate::from_der([0x30, 0]).unwrap();
    for (roots, text) in [
        (
            Roots::Only(vec![not_a_certificate]),
            "certificate 1 of the configured roots",
        ),
        (Roots::Only(Vec::new()), "no certificate authority"),
    ] {
        let mut profile = HttpProfile::default();
        profile.roots = roots;
        let err = HttpClient::new(&profile).unwrap_err();
        assert!(
            chain(&err).contains("`roots`") && chain(&err).contains(text),
            "{}",
            chain(&err)
        );
    }
}

#[test]
fn a_key_of_another_certificate_is_refused_when_building() {
    let ca = Ca::new();
    let (chain_pem, _) = rcgen_pair();
    let (_, key) = rcgen_pair();
    let identity =
        doorkey_http::ClientIdentity::from_pem(chain_pem.as_bytes(), &key.into_bytes().into());
    let mut profile = HttpProfile::default();
    profile.roots = ca.roots();
    profile.client_identity = Some(identity.unwrap());
    let err = HttpClient::new(&profile).unwrap_err();
    assert!(
        err.to_string().contains("client_identity"),
        "{}",
        chain(&err)
    );
}

fn rcgen_pair() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["client.test".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}
