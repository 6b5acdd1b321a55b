//! The table of faults, the cases and the page are about the same faults.

use std::collections::BTreeSet;

use doorkey::doctor::faults;

use super::{discovery, first, network, server, session, settings, token};

/// Faults whose case is still to be written.
const TO_COME: &[&str] = &[
    "server-local",
    "url-refused",
    "certificates-unreadable",
    "client-certificate-unusable",
    "proxy-setting-wrong",
    "header-unusable",
    "setting-wrong",
    "store-unusable",
    "store-busy",
    "dns-failed",
    "address-refused",
    "connection-timeout",
    "connection-failed",
    "tls-expired",
    "tls-not-yet-valid",
    "tls-other-name",
    "tls-certificate-bad",
    "tls-client-certificate",
    "tls-not-tls",
    "tls-handshake",
    "answer-too-slow",
    "answer-broken",
    "answer-too-large",
    "bot-wall",
    "forbidden",
    "method-refused",
    "web-page",
    "redirected",
    "too-many-requests",
    "not-mcp",
    "mcp-error",
    "request-refused",
    "challenge-missing",
    "challenge-other-scheme",
    "challenge-unreadable",
    "metadata-url-refused",
    "resource-metadata-unreachable",
    "resource-metadata-error",
    "resource-metadata-forbidden",
    "resource-metadata-missing",
    "resource-metadata-unreadable",
    "resource-missing",
    "resource-other",
    "resource-metadata-invalid",
    "no-authorization-server",
    "server-not-allowed",
    "header-not-accepted",
    "issuer-unreachable",
    "issuer-error",
    "issuer-forbidden",
    "issuer-metadata-missing",
    "issuer-metadata-page",
    "issuer-metadata-unreadable",
    "endpoint-insecure",
    "issuer-metadata-invalid",
    "no-code",
    "grant-not-offered",
    "signed-requests",
    "endpoint-missing",
    "page-refused",
    "other-issuer-configured",
    "credentials-unbound",
    "client-gone",
    "client-secret-expired",
    "login-waiting",
    "token-expired",
    "token-rejected-before",
    "token-other-issuer",
    "token-other-resource",
    "login-other-settings",
    "record-unreadable",
    "brake-on",
    "refresh-client-refused",
    "refresh-request-refused",
    "entra-resource",
    "entra-scope",
    "refresh-server-error",
    "refresh-unreachable",
    "refresh-unreadable",
    "refresh-error-other",
    "scope-missing",
    "forbidden-with-token",
    "dpop-rejected",
    "dpop-wanted",
    "session-refused",
    "version-unsupported",
    "session-broken",
    "tools-failed",
    "clock-wrong",
    "time-over",
];

#[test]
fn every_fault_of_the_table_has_a_case_and_every_case_a_fault() {
    let parts = [
        settings::CASES,
        network::CASES,
        first::CASES,
        discovery::CASES,
        server::CASES,
        token::CASES,
        session::CASES,
    ];
    let cases: BTreeSet<_> = parts
        .concat()
        .into_iter()
        .map(|it| it.replace('_', "-"))
        .collect();
    let to_come: BTreeSet<_> = TO_COME.iter().map(|it| (*it).to_owned()).collect();
    let rows: BTreeSet<_> = faults().map(|fault| fault.id.to_owned()).collect();
    let covered: BTreeSet<_> = cases.union(&to_come).cloned().collect();
    assert_eq!(covered, rows);
    let both: Vec<_> = cases.intersection(&to_come).collect();
    assert!(both.is_empty(), "{both:?} have a case");
}
