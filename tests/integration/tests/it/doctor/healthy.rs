//! Where nothing is wrong nothing is found, whatever way one signs in.

use doorkey_testkit::{Dpop, Leg, McpServerBuilder};

use super::bench::{Bench, ids};

#[tokio::test]
async fn a_server_that_is_in_order_and_signed_in_to_has_no_finding() {
    let bench = Bench::signed_in().await;
    let before = bench.home.records();
    bench.world.recorder.clear();
    let run = bench.run(&["--json"]).await.succeeded();
    let diagnosis = run.json();
    assert_eq!(ids(&diagnosis), [""; 0], "{run}");
    let steps = diagnosis["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), 16, "{run}");
    for step in steps {
        let status = step["status"].as_str().unwrap_or_default();
        let expected = if step["step"] == "refresh" {
            "skipped"
        } else {
            "ok"
        };
        assert_eq!(status, expected, "{step}: {run}");
        assert!(
            step["rules"]
                .as_array()
                .is_some_and(|rules| !rules.is_empty()),
            "{step}"
        );
    }
    assert_eq!(bench.home.records(), before, "nothing is changed");
    assert_eq!(bench.world.recorder.count(Leg::Token), 0);
}

#[tokio::test]
async fn a_refresh_that_is_due_is_done_once_and_saved() {
    let bench = Bench::signed_in().await;
    bench.home.expire().await;
    let run = bench.run(&["--json"]).await.succeeded();
    assert_eq!(ids(&run.json()), [""; 0], "{run}");
    assert_eq!(bench.world.auth.refreshes(), 1, "{run}");
    let grant = bench.home.grant().await.expect("a grant").value;
    assert!(grant.expires_at > Some(1));
}

#[tokio::test]
async fn a_server_that_wants_no_login_has_no_finding() {
    let bench = Bench::with(|auth| auth, McpServerBuilder::open).await;
    let run = bench.run(&["--json"]).await.succeeded();
    assert_eq!(ids(&run.json()), [""; 0], "{run}");
}

#[tokio::test]
async fn a_url_that_no_table_has_is_examined_and_nothing_is_kept() {
    let bench = Bench::new().await.config("");
    let url = bench.world.mcp.url();
    let bench = bench.target(url.clone());
    let run = bench.run(&["--json"]).await.ended_with(3);
    let diagnosis = run.json();
    assert_eq!(ids(&diagnosis), ["not-signed-in"], "{run}");
    assert_eq!(diagnosis["server"], url.as_str(), "{run}");
    let command = format!("doorkey add server --url {url} && doorkey login server");
    let finding = &diagnosis["findings"][0];
    assert_eq!(finding["next"]["command"], command, "{run}");
    assert_eq!(finding["help"], "docs/doctor.md#not-signed-in", "{run}");
    assert_eq!(
        (&diagnosis["class"], &diagnosis["exit_code"]),
        (&"login".into(), &3.into())
    );
    assert!(bench.home.records().is_empty());
    assert_eq!(bench.world.auth.registrations(), 0, "{run}");
}

#[tokio::test]
async fn a_refresh_that_is_not_wanted_is_left_alone() {
    let bench = Bench::signed_in().await.argument("--no-refresh");
    let before = bench.home.records();
    bench.world.recorder.clear();
    let run = bench.run(&[]).await.succeeded();
    assert!(run.stdout.contains("Nothing is wrong."), "{run}");
    assert_eq!(bench.home.records(), before, "nothing is changed");
    assert_eq!(bench.world.recorder.count(Leg::Registration), 0, "{run}");
    bench.home.expire().await;
    let before = bench.home.records();
    let run = bench.run(&[]).await.succeeded();
    assert!(!run.stdout.contains("Nothing is wrong."), "{run}");
    assert!(run.stdout.contains("a refresh is due"), "{run}");
    assert_eq!(bench.home.records(), before, "nothing is changed");
    assert_eq!(bench.world.auth.refreshes(), 0, "{run}");
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_is_sent_with_its_proof_and_changed_by_no_rejection() {
    let dpop = Dpop::Required;
    for further in [&[][..], &["--no-refresh"]] {
        let bench = Bench::signed_in_with(|auth| auth.dpop(dpop), |mcp| mcp.dpop(dpop)).await;
        let run = bench.run(further).await.succeeded();
        assert!(run.stdout.contains("Nothing is wrong."), "{run}");
        bench.world.mcp.reject_tokens(true);
        let before = bench.home.records();
        let mut arguments = further.to_vec();
        arguments.push("--json");
        let run = bench.run(&arguments).await.ended_with(3);
        assert_eq!(ids(&run.json()), ["token-rejected"], "{run}");
        assert_eq!(bench.home.records(), before, "nothing is changed");
        assert_eq!(bench.world.auth.refreshes(), 0, "{run}");
    }
}
