//! Each arrow and fence, broken in one place of a workspace that keeps them all.

use crate::fixture::Fixture;

#[test]
fn a_good_workspace_passes() {
    let outcome = super::run(&Fixture::good().workspace());
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err().report());
}

/// Breaks a good workspace in one place each: the manifest of a crate, and the start of what must be said.
fn assert_each_is_found(cases: &[(&str, &str, &str, &str)]) {
    for (folder, from, to, expected) in cases {
        let fixture = Fixture::good();
        fixture.replace(&format!("crates/{folder}/Cargo.toml"), from, to);
        let broken = super::check(&fixture.workspace().members().unwrap());
        let said: Vec<_> = broken.iter().map(ToString::to_string).collect();
        assert!(
            said.iter().any(|line| line.contains(expected)),
            "{expected}\n{said:#?}"
        );
    }
}

const FROM: &str = "[dependencies]\n";

#[test]
fn an_arrow_that_is_not_on_the_map_is_found() {
    let to = |name: &str| format!("[dependencies]\n{name}.workspace = true\n");
    let (store, oauth, host, http) = (
        to("doorkey-store"),
        to("doorkey-oauth"),
        to("doorkey"),
        to("doorkey-http"),
    );
    assert_each_is_found(&[
        (
            "http",
            FROM,
            &store,
            "doorkey-http: depends on doorkey-store [arrows",
        ),
        (
            "store",
            FROM,
            &http,
            "doorkey-store: depends on doorkey-http [arrows",
        ),
        (
            "discovery",
            FROM,
            &oauth,
            "doorkey-discovery: depends on doorkey-oauth [arrows",
        ),
        (
            "rmcp",
            FROM,
            &host,
            "doorkey-rmcp: depends on doorkey [arrows",
        ),
        (
            "testkit",
            FROM,
            &http,
            "doorkey-testkit: depends on doorkey-http [arrows",
        ),
        (
            "store",
            FROM,
            "[dev-dependencies]\ndoorkey-oauth.workspace = true\n[dependencies]\n",
            "doorkey-store: depends in its tests on doorkey-oauth [arrows",
        ),
        (
            "testkit",
            FROM,
            "[dev-dependencies]\ndoorkey-http.workspace = true\n[dependencies]\n",
            "doorkey-testkit: depends in its tests on doorkey-http [arrows",
        ),
    ]);
}

#[test]
fn a_crate_that_is_not_on_the_map_is_found_and_one_that_is_gone_too() {
    assert_each_is_found(&[
        (
            "store",
            "name = \"doorkey-store\"",
            "name = \"doorkey-shop\"",
            "doorkey-shop: is not on the map",
        ),
        (
            "store",
            "name = \"doorkey-store\"",
            "name = \"doorkey-shop\"",
            "doorkey-store: is on the map and not in the workspace",
        ),
    ]);
}

#[test]
fn a_dependency_outside_its_fence_is_found() {
    let to = |name: &str| format!("[dependencies]\n{name}.workspace = true\n");
    assert_each_is_found(&[
        ("host", FROM, &to("rmcp"), "doorkey: names rmcp [law 1"),
        (
            "oauth",
            FROM,
            &to("rmcp"),
            "doorkey-oauth: names rmcp [law 1",
        ),
        (
            "oauth",
            FROM,
            &to("reqwest"),
            "doorkey-oauth: names reqwest [law 1",
        ),
        (
            "store",
            FROM,
            &to("reqwest"),
            "doorkey-store: names reqwest [law 1",
        ),
        ("host", FROM, &to("rustls"), "doorkey: names rustls [law 1"),
        (
            "rmcp",
            FROM,
            &to("clap"),
            "doorkey-rmcp: names clap [the table",
        ),
        (
            "http",
            FROM,
            &to("oauth2"),
            "doorkey-http: names oauth2 [the table",
        ),
        (
            "store",
            FROM,
            &to("hyper"),
            "doorkey-store: names hyper [the table",
        ),
        (
            "discovery",
            FROM,
            &to("tokio"),
            "doorkey-discovery: names tokio [the table",
        ),
        (
            "http",
            FROM,
            &to("native-tls"),
            "doorkey-http: names native-tls [the table",
        ),
        (
            "oauth",
            FROM,
            &to("doorkey-testkit"),
            "doorkey-oauth: names doorkey-testkit [arrows",
        ),
    ]);
}

#[test]
fn a_dependency_outside_its_feature_is_found() {
    let client = "client = [\"dep:reqwest\", \"dep:rustls\"]\n[dependencies]\nbytes.workspace = true\n\
                  reqwest = { workspace = true, optional = true }";
    let postgres = "postgres = [\"dep:rustls\"]\n[dependencies]\nbytes.workspace = true\n\
                    rustls = { workspace = true, optional = true }";
    let host = "cli = [\"dep:clap\"]\ndemo = [\"cli\", \"dep:doorkey-testkit\"]\n[dependencies]\n\
                clap = { workspace = true, optional = true }";
    assert_each_is_found(&[
        (
            "http",
            client,
            "client = [\"dep:rustls\"]\n[dependencies]\nreqwest.workspace = true",
            "doorkey-http: names reqwest without the feature `client` [law 1",
        ),
        (
            "http",
            "client = [",
            "extra = [\"dep:reqwest\"]\nclient = [",
            "doorkey-http: turns reqwest on by the feature `extra` [law 1",
        ),
        (
            "http",
            "client = [",
            "extra = [\"reqwest/http2\"]\nclient = [",
            "doorkey-http: turns reqwest on by the feature `extra` [law 1",
        ),
        (
            "store",
            postgres,
            "postgres = []\n[dependencies]\nrustls.workspace = true",
            "doorkey-store: names rustls without the feature `postgres` [law 1",
        ),
        (
            "host",
            host,
            "cli = []\ndemo = [\"cli\", \"dep:doorkey-testkit\"]\n[dependencies]\nclap.workspace = true",
            "doorkey: names clap without the feature `cli` [the table",
        ),
        (
            "host",
            "demo = [\"cli\", \"dep:doorkey-testkit\"]",
            "demo = [\"cli\"]\nservers = [\"dep:doorkey-testkit\"]",
            "doorkey: turns doorkey-testkit on by the feature `servers` [arrows",
        ),
    ]);
}

#[test]
fn a_feature_that_a_dependency_must_not_have_is_found() {
    let rmcp = "rmcp = { workspace = true, features = [\"client\"] }";
    let with = |feature: &str| rmcp.replace("client", feature);
    assert_each_is_found(&[
        (
            "rmcp",
            rmcp,
            &with("auth"),
            "doorkey-rmcp: turns on rmcp/auth [law 1",
        ),
        (
            "rmcp",
            rmcp,
            &with("transport-streamable-http-client-reqwest"),
            "doorkey-rmcp: turns on rmcp/transport-streamable-http-client-reqwest [law 1",
        ),
        (
            "rmcp",
            FROM,
            "[features]\nlogin = [\"rmcp/auth\"]\n[dependencies]\n",
            "doorkey-rmcp: turns on rmcp/auth [law 1",
        ),
        (
            "rmcp",
            "[dev-dependencies]\n",
            "[dev-dependencies]\nrmcp = { workspace = true, features = [\"auth\"] }\n",
            "doorkey-rmcp: turns on rmcp/auth [law 1",
        ),
        (
            "rmcp",
            rmcp,
            &rmcp.replace("workspace = true", "version = \"3\""),
            "doorkey-rmcp: takes rmcp with its default features [law 1",
        ),
        (
            "oauth",
            "oauth2.workspace = true",
            "oauth2 = { workspace = true, features = [\"reqwest\"] }",
            "doorkey-oauth: turns on oauth2/reqwest [law 3",
        ),
        (
            "oauth",
            "doorkey-http.workspace = true",
            "doorkey-http = { workspace = true, features = [\"client\"] }",
            "doorkey-oauth: turns on doorkey-http/client [law 1",
        ),
        (
            "oauth",
            "doorkey-http.workspace = true",
            "doorkey-http = { path = \"../http\" }",
            "doorkey-oauth: takes doorkey-http with its default features [law 1",
        ),
    ]);
}

#[test]
fn what_belongs_to_the_program_is_found_in_the_sources_below_it() {
    let fixture = Fixture::good();
    fixture.write(
        "crates/store/src/lib.rs",
        "//! `println!` in a comment is fine.\nfn f() { eprintln!(\"x\") }\n",
    );
    fixture.write("crates/host/src/lib.rs", "fn f() { println!(\"x\") }\n");
    let said = super::run(&fixture.workspace()).unwrap_err().report();
    assert!(
        said.contains("doorkey-store: prints in crates/store/src/lib.rs, line 2 [law 2"),
        "{said}"
    );
    assert!(said.contains("1 broken rule"), "{said}");
}
