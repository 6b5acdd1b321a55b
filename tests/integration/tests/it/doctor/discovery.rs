//! The metadata of the resource and of authorization servers.

use doorkey_testkit::{Document, Fault, FaultRule, Leg, ResourceIdentifier};
use serde_json::json;

use super::bench::{Bench, ids};

/// Servers of which the MCP server answers like this where its metadata should be.
async fn resource(fault: Fault) -> Bench {
    let bench = Bench::new().await;
    bench
        .world
        .mcp
        .fault(FaultRule::on(Leg::ResourceMetadata).respond(fault));
    bench
}

/// Servers of which the authorization server answers like this where its metadata should be.
async fn issuer(fault: Fault) -> Bench {
    let bench = Bench::new().await;
    bench
        .world
        .auth
        .fault(FaultRule::on(Leg::AuthorizationServerMetadata).respond(fault));
    bench
}

/// An authorization server whose metadata have this member.
async fn publishing(member: &str, value: serde_json::Value) -> Bench {
    let bench = Bench::new().await;
    bench
        .world
        .auth
        .set_field(Document::Metadata, member, value);
    bench
}

/// Servers that are in order, where another authorization server is named first and is down.
async fn two_servers() -> Bench {
    let bench = Bench::new().await;
    let document = json!({
        "resource": bench.world.mcp.url(),
        "authorization_servers": ["https://127.0.0.1:1", bench.world.auth.issuer()],
    });
    let fault = Fault::json(200, &document);
    bench
        .world
        .mcp
        .fault(FaultRule::on(Leg::ResourceMetadata).respond(fault));
    bench
}

#[tokio::test]
async fn every_candidate_is_on_the_page_also_where_a_later_one_is_used() {
    let run = two_servers().await.run(&[]).await.ended_with(3);
    let line = "      - https://127.0.0.1:1/.well-known/oauth-authorization-server: ";
    assert!(run.stdout.lines().any(|it| it.starts_with(line)), "{run}");
}

#[tokio::test]
async fn endpoints_of_the_configuration_take_the_place_of_metadata() {
    let bench = issuer(Fault::status(404)).await;
    let of = |name| format!("{}{name}", bench.world.auth.url());
    let table = format!(
        "[mcp_servers.it.oauth]\nissuer = {:?}\nclient_id = \"app\"\n\
         endpoints = {{ authorization_endpoint = {:?}, token_endpoint = {:?} }}",
        bench.world.auth.issuer(),
        of("/authorize"),
        of("/token"),
    );
    let bench = bench.settings(&table);
    let run = bench.run(&["--json"]).await.ended_with(3);
    assert_eq!(ids(&run.json()), ["not-signed-in"], "{run}");
}

#[tokio::test]
async fn another_account_is_another_login_and_the_commands_name_it() {
    let bench = Bench::signed_in().await.argument("--account=ada");
    let run = bench.run(&["--json"]).await.ended_with(3);
    let diagnosis = run.json();
    assert_eq!(ids(&diagnosis), ["not-signed-in"], "{run}");
    assert_eq!(diagnosis["account"], "ada", "{run}");
    let command = &diagnosis["findings"][0]["mend"]["command"];
    assert_eq!(command, "doorkey login it --account ada", "{run}");
}

/// A rule of the user's own about the authorization server of `bench`.
fn quirk(bench: &Bench, effect: &str) {
    let rule = format!(
        "[quirk.mine]\nissuers = [{:?}]\nwhat = \"It is odd.\"\n\
         source = [\"owner/repository#1\"]\ndate = \"2026-11\"\n{effect}\n",
        bench.world.auth.issuer()
    );
    bench.home.write("quirks.toml", rule.as_bytes());
}

#[tokio::test]
async fn a_quirk_that_is_switched_off_is_named_with_what_comes_of_that() {
    for (member, value, effect, id) in [
        (
            "issuer",
            json!("https://other.example"),
            "issuer",
            "issuer-mismatch",
        ),
        (
            "code_challenge_methods_supported",
            json!(null),
            "assume_pkce = true",
            "no-pkce",
        ),
    ] {
        let bench = publishing(member, value).await;
        let effect = match effect {
            "issuer" => format!(
                "trusted_issuers = {{ {:?} = \"https://other.example\" }}",
                bench.world.auth.issuer()
            ),
            other => other.to_owned(),
        };
        quirk(&bench, &effect);
        let on = bench.run(&["--json"]).await.json();
        assert_eq!(ids(&on), ["not-signed-in"], "{on}");
        let bench = bench.settings("quirks_off = [\"mine\"]");
        let off = bench.run(&["--json"]).await.json();
        assert_eq!(ids(&off)[0], id, "{off}");
        assert_eq!(off["findings"][0]["quirk"], "mine", "{off}");
        let page = bench.run(&[]).await;
        assert!(page.stdout.contains("quirk mine (switched off)"), "{page}");
    }
}

#[tokio::test]
async fn a_quirk_that_says_why_there_is_no_client_is_named_with_the_finding() {
    for effect in [
        "needs_client = true",
        "redirect = { host = \"localhost\", port = 3118 }",
    ] {
        let bench = Bench::with(|auth| auth.dynamic_registration(false), |mcp| mcp).await;
        let without = bench.run(&["--json"]).await.json();
        assert_eq!(without["findings"][0]["id"], "no-registration", "{without}");
        assert!(without["findings"][0]["quirk"].is_null(), "{without}");
        quirk(&bench, effect);
        let with = bench.run(&["--json"]).await.json();
        assert_eq!(with["findings"][0]["id"], "no-registration", "{with}");
        assert_eq!(with["findings"][0]["quirk"], "mine", "{with}");
    }
}

fn broken() -> Fault {
    let kind = ("content-type".to_owned(), "application/json".to_owned());
    Fault::Status(200, vec![kind], "{\"resource\": ".to_owned())
}

cases! {
    resource_metadata_unreachable: Some("resource metadata"), async || {
        let line = "Bearer resource_metadata=\"https://127.0.0.1:1/metadata\"";
        Bench::with(|auth| auth, |mcp| mcp.challenges([line])).await
    };
    resource_metadata_error: Some("resource metadata"), async || resource(Fault::status(503)).await;
    resource_metadata_forbidden: Some("resource metadata"), async || resource(Fault::status(403)).await;
    resource_metadata_missing: Some("resource metadata"), async || resource(Fault::status(404)).await;
    resource_metadata_page: Some("resource metadata"), async || resource(Fault::Html).await;
    resource_metadata_unreadable: Some("resource metadata"), async || resource(broken()).await;
    resource_missing: Some("resource metadata"), async || {
        resource(Fault::json(200, &json!({"authorization_servers": ["https://as.example"]}))).await
    };
    resource_other: Some("resource metadata"), async || {
        let other = ResourceIdentifier::Foreign("https://other.example/mcp".to_owned());
        Bench::with(|auth| auth, |mcp| mcp.resource(other)).await
    };
    resource_metadata_invalid: Some("resource metadata"), async || {
        let value = json!("https://as.example");
        Bench::with(|auth| auth, |mcp| mcp.metadata_field("authorization_servers", value)).await
    };
    no_authorization_server: Some("resource metadata"), async || {
        Bench::with(|auth| auth, |mcp| mcp.metadata_field("authorization_servers", json!([]))).await
    };
    server_not_allowed: Some("resource metadata"), async || {
        let table = "[mcp_servers.it.oauth]\nflow = \"workload_identity\"\nissuer = \"https://other.example\"\n\
                     workload = { env = \"WORKLOAD\" }";
        Bench::new().await.settings(table).variable("WORKLOAD", "eyJ.e30.sig")
    };
    header_not_accepted: Some("resource metadata"), async || {
        let value = json!(["query"]);
        Bench::with(|auth| auth, |mcp| mcp.metadata_field("bearer_methods_supported", value)).await
    };
    issuer_unreachable: Some("authorization server metadata"), async || {
        let bench = Bench::new().await;
        bench.world.auth.stop().await;
        bench
    };
    issuer_error: Some("authorization server metadata"), async || issuer(Fault::status(503)).await;
    issuer_forbidden: Some("authorization server metadata"), async || issuer(Fault::status(403)).await;
    issuer_metadata_missing: Some("authorization server metadata"), async || issuer(Fault::status(404)).await;
    issuer_metadata_page: Some("authorization server metadata"), async || issuer(Fault::Html).await;
    issuer_metadata_unreadable: Some("authorization server metadata"), async || issuer(broken()).await;
    issuer_mismatch: Some("authorization server metadata"), async || {
        publishing("issuer", json!("https://other.example")).await
    };
    server_passed_over: Some("authorization server metadata"), async || two_servers().await;
    endpoint_insecure: Some("authorization server metadata"), async || {
        publishing("token_endpoint", json!("http://as.example/token")).await
    };
    issuer_metadata_invalid: Some("authorization server metadata"), async || {
        publishing("grant_types_supported", json!(3)).await
    };
}

#[tokio::test]
async fn leaving_the_resource_out_is_advice_only_where_a_quirk_says_that_the_server_wants_it() {
    let bench = Bench::signed_in().await;
    bench.world.mcp.reject_tokens(true);
    let without = bench.run(&["--json"]).await.ended_with(3).json();
    let finding = &without["findings"][0];
    assert_eq!(finding["id"], "token-rejected", "{without}");
    assert!(finding["mend"]["config"].is_null(), "{without}");
    quirk(&bench, "by_choice = true\nresource = \"omit\"");
    let with = bench.run(&["--json"]).await.ended_with(3).json();
    let finding = &with["findings"][0];
    assert_eq!(finding["quirk"], "mine", "{with}");
    let expected = "[mcp_servers.it]\noauth_resource = \"omit\"";
    assert_eq!(finding["mend"]["config"], expected, "{with}");
}

#[tokio::test]
async fn a_sign_in_page_that_is_refused_is_told_with_the_origin_to_allow() {
    let bench = Bench::new().await;
    bench.world.auth.set_field(
        Document::Metadata,
        "authorization_endpoint",
        json!("https://169.254.169.254/authorize?state=1"),
    );
    let run = bench.run(&["--json"]).await.ended_with(1).json();
    let finding = &run["findings"][0];
    assert_eq!(finding["id"], "page-refused", "{run}");
    let expected = "[mcp_servers.it.network]\nallow_origins = [\"https://169.254.169.254\"]";
    assert_eq!(finding["mend"]["config"], expected, "{run}");
}
