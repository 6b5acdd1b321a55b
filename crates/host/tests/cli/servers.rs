//! Commands beside servers that answer this way and that.

use std::time::{Duration, Instant};

use wiremock::matchers::{header, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

/// A scene whose server `one` is the mock.
fn scene_at(server: &MockServer) -> Scene {
    Scene::new(&format!(
        "[mcp_servers.one]\nurl = \"{}/mcp\"\n",
        server.uri()
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_a_login_ends_a_command_with_3_and_the_login_to_type() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(401).insert_header("WWW-Authenticate", "Bearer"))
        .mount(&server)
        .await;
    let ran = scene_at(&server).run_async(&["tools", "one"]).await;
    let ran = ran.expect(3, &["error[login-required]: ", "next: doorkey login one"]);
    assert!(ran.out.is_empty(), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_bearer_token_is_replaced_where_it_stands() {
    for (key, value) in [
        ("bearer_token_env_var", "\"TOKEN\""),
        ("http_headers", "{ Authorization = \"Bearer x\" }"),
        ("env_http_headers", "{ Authorization = \"HEADER\" }"),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(401))
            .mount(&server)
            .await;
        let url = server.uri();
        let scene = Scene::new(&format!(
            "[mcp_servers.one]\nurl = \"{url}/mcp\"\n{key} = {value}\n"
        ));
        let scene = scene.with("TOKEN", "x").with("HEADER", "Bearer x");
        let ran = scene.run_async(&["tools", "one"]).await;
        let next = format!("next: put a valid token where {key} of [mcp_servers.one] says");
        ran.expect(3, &[&next]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn network_and_server_failures_are_temporary() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(503))
        .mount(&server)
        .await;
    scene_at(&server)
        .run_async(&["tools", "one"])
        .await
        .expect(6, &["error[mcp-server-unavailable]: ", "503"]);
    let refused = Scene::new("[mcp_servers.one]\nurl = \"http://127.0.0.1:9/mcp\"\n");
    let ran = refused.run_async(&["tools", "one"]).await.expect(
        6,
        &["next: see whether http://127.0.0.1:9 is the right address"],
    );
    assert!(ran.err.contains("127.0.0.1:9"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forbidden_server_is_not_taken_for_one_that_wants_a_login() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(403))
        .mount(&server)
        .await;
    let ran = scene_at(&server)
        .run_async(&["tools", "one"])
        .await
        .expect(5, &["403"]);
    assert!(!ran.err.contains("doorkey login"), "{}", ran.err);
}

/// A server on the 2025-11-25 wire, without a login, with hostile names and no resources.
async fn open_server() -> MockServer {
    let server = MockServer::start().await;
    mount_open(&server).await;
    server
}

async fn mount_open(server: &MockServer) {
    let respond = |request: &wiremock::Request| {
        let message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let result = match message["method"].as_str() {
            Some("initialize") => json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}, "resources": {}},
                "serverInfo": {"name": "mock", "version": "1"},
            }),
            Some("tools/list") => json!({"tools": [
                {"name": "echo\u{1b}[31m", "description": "says\u{7} it\nagain", "inputSchema": {"type": "object"}},
            ]}),
            Some("tools/call") if message["params"]["name"] == "fail" => {
                json!({"content": [{"type": "text", "text": "no\u{1b}]0;title\u{7}luck"}], "isError": true})
            }
            Some("tools/call") => json!({
                "content": [{"type": "text", "text": message["params"]["arguments"].to_string()}],
            }),
            Some(method) if method.starts_with("notifications/") => {
                return ResponseTemplate::new(202);
            }
            _ => {
                return ResponseTemplate::new(200).set_body_json(json!({
                    "jsonrpc": "2.0", "id": message["id"],
                    "error": {"code": -32601, "message": "Method not found"},
                }));
            }
        };
        let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
        ResponseTemplate::new(200).set_body_json(answer)
    };
    Mock::given(method("POST"))
        .respond_with(respond)
        .mount(server)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn method_not_found_is_shown_as_that() {
    let server = open_server().await;
    let read = &["resources", "read", "one", "file:///text"];
    let ran = scene_at(&server).run_async(read).await;
    let ran = ran.expect(7, &["Method not found", "-32601"]);
    assert!(!ran.err.contains("login"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_data_and_text_of_servers_is_cleaned() {
    let server = open_server().await;
    let ran = scene_at(&server)
        .run_async(&["tools", "one"])
        .await
        .expect(0, &["echo", "says it"]);
    assert!(!ran.out.contains(['\u{1b}', '\u{7}']), "{:?}", ran.out);
    assert_eq!(ran.out.lines().count(), 1);
    let ran = scene_at(&server)
        .run_async(&["tools", "one", "--json"])
        .await
        .expect(0, &[]);
    assert_eq!(ran.json()[0]["inputSchema"]["type"], "object");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_shows_its_result_and_an_error_of_the_tool_is_8() {
    let server = open_server().await;
    let ran = scene_at(&server)
        .run_async(&["call", "one", "echo", "--args", "{\"a\": 1}"])
        .await;
    assert_eq!(ran.expect(0, &[]).out, "{\"a\":1}\n");
    scene_at(&server)
        .run_async(&["call", "one", "fail"])
        .await
        .expect(8, &["luck"]);
    let ran = scene_at(&server)
        .run_async(&["call", "one", "fail", "--json"])
        .await
        .expect(8, &[]);
    assert_eq!(ran.json()["isError"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_login_is_said_to_need_none_and_remembered_so() {
    let server = open_server().await;
    let scene = scene_at(&server);
    let folder = scene.folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        scene.run(&["login", "one"]).expect(0, &["needs no login"]);
        let list = scene.run(&["list", "--json"]).expect(0, &[]).json();
        assert_eq!(list[0]["auth"]["status"], "not_required");
        let list = scene
            .run(&["list", "--json", "--check"])
            .expect(0, &[])
            .json();
        assert_eq!(list[0]["check"]["ok"], true);
        assert_eq!(list[0]["check"]["protocol"], "2025-11-25");
        scene.run(&["remove", "one"]).expect(0, &[]);
    })
    .await
    .unwrap();
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_has_the_code_and_the_causes_of_each_failure() {
    let server = open_server().await;
    let locked = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(401))
        .mount(&locked)
        .await;
    let scene = Scene::new(&format!(
        "[mcp_servers.open]\nurl = \"{}/mcp\"\n\
         [mcp_servers.locked]\nurl = \"{}/mcp\"\n\
         [mcp_servers.away]\nurl = \"http://127.0.0.1:9/mcp\"\n\
         [mcp_servers.unset]\nurl = \"http://127.0.0.1:9/mcp\"\nbearer_token_env_var = \"UNSET\"\n\
         [mcp_servers.off]\nurl = \"http://127.0.0.1:9/mcp\"\nenabled = false\n",
        server.uri(),
        locked.uri()
    ));
    let ran = scene.run_async(&["list", "--json", "--check"]).await;
    let rows = ran.expect(0, &[]).json();
    for (index, code) in [0, 3, 6, 9].into_iter().enumerate() {
        let check = &rows[index]["check"];
        assert_eq!(check["exit_code"], code, "{check}");
        assert_eq!(check["ok"], code == 0, "{check}");
        assert!(check["took_ms"].is_u64(), "{check}");
        let error = &check["error"];
        assert_eq!(error.is_null(), code == 0, "{check}");
        if code != 0 {
            assert_eq!(error["exit_code"], code, "{check}");
            assert!(!error["causes"].as_array().unwrap().is_empty(), "{check}");
            assert!(error["next"]["text"].is_string(), "{check}");
        }
    }
    assert_eq!(rows[1]["check"]["error"]["code"], "login-required");
    assert_eq!(
        rows[1]["check"]["error"]["next"]["command"],
        "doorkey login locked"
    );
    assert!(rows[4]["check"].is_null(), "what is off is not tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_proxy_is_named() {
    let scene = Scene::new("[mcp_servers.one]\nurl = \"https://mcp.example/mcp\"\n")
        .with("HTTPS_PROXY", "http://me:s3cret@127.0.0.1:1");
    let ran = scene.run_async(&["tools", "one"]).await;
    let ran = ran.expect(
        6,
        &["through the proxy http://127.0.0.1:1: could not connect"],
    );
    assert!(!ran.err.contains("s3cret"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_gave_up_its_wire_is_forgotten_and_asked_anew() {
    let server = MockServer::start().await;
    let stateless = |request: &wiremock::Request| {
        let message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let mut result = match message["method"].as_str() {
            Some("server/discover") => json!({
                "supportedVersions": ["2026-07-28"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "mock", "version": "1"},
            }),
            _ => json!({"tools": [{"name": "first", "inputSchema": {"type": "object"}}]}),
        };
        result["resultType"] = json!("complete");
        result["ttlMs"] = json!(0);
        result["cacheScope"] = json!("private");
        let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
        ResponseTemplate::new(200).set_body_json(answer)
    };
    Mock::given(method("POST"))
        .respond_with(stateless)
        .mount(&server)
        .await;
    let scene = scene_at(&server);
    let (scene, ran) = scene.run_kept(&["tools", "one"]).await;
    ran.expect(0, &["first"]);

    server.reset().await;
    let refuse = |request: &wiremock::Request| {
        let message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        ResponseTemplate::new(400).set_body_json(json!({
            "jsonrpc": "2.0", "id": message["id"],
            "error": {"code": -32022, "message": "Unsupported protocol version"},
        }))
    };
    Mock::given(method("POST"))
        .and(header("mcp-protocol-version", "2026-07-28"))
        .respond_with(refuse)
        .with_priority(1)
        .mount(&server)
        .await;
    mount_open(&server).await;
    let (scene, ran) = scene.run_kept(&["tools", "one"]).await;
    ran.expect(0, &["echo"]);
    let asked = server.received_requests().await.unwrap_or_default().len();
    let (_scene, ran) = scene.run_kept(&["tools", "one"]).await;
    ran.expect(0, &["echo"]);
    let again = server.received_requests().await.unwrap_or_default().len() - asked;
    assert!(
        again < asked,
        "the new wire is remembered: {asked}, then {again} requests"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_a_line_with_v_and_its_headers_are_told_without_secrets_with_vv() {
    let server = open_server().await;
    let url = server.uri();
    let scene = Scene::new(&format!(
        "[mcp_servers.one]\nurl = \"{url}/mcp?key=s3cret\"\nbearer_token_env_var = \"TOKEN\"\n\
         http_headers = {{ X-Key = \"s3cret-key\" }}\n"
    ));
    let scene = scene.with("TOKEN", "s3cret-token");
    let (scene, said) = scene.run_kept(&["tools", "one", "-v"]).await;
    let said = said.expect(0, &["echo"]);
    let lines: Vec<_> = said
        .err
        .lines()
        .filter(|line| line.contains("(resource)"))
        .collect();
    let line = lines.first().unwrap_or_else(|| panic!("{}", said.err));
    let begin = format!("POST {url}/mcp");
    assert!(
        line.starts_with(&begin) && line.contains("(resource) → 200, "),
        "{line}"
    );
    assert!(line.contains(" bytes, ") && line.ends_with(" ms"), "{line}");
    assert!(!said.err.contains("content-type: "), "{}", said.err);
    let (_, more) = scene.run_kept(&["tools", "one", "-vv"]).await;
    let more = more.expect(
        0,
        &[
            "authorization: …",
            "content-type: application/json",
            "(resource) → 200, ",
        ],
    );
    for ran in [said, more] {
        assert!(!ran.err.contains("s3cret"), "{}", ran.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_takes_its_limit_and_holds_up_nobody_else() {
    let server = open_server().await;
    let hanging = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_delay(Duration::from_secs(600)))
        .mount(&hanging)
        .await;
    let scene = Scene::new(&format!(
        "[mcp_servers.hanging]\nurl = \"{}/mcp\"\n[mcp_servers.open]\nurl = \"{}/mcp\"\n",
        hanging.uri(),
        server.uri()
    ));
    let check = &["list", "--check", "--check-limit", "1.5"];
    let (scene, ran) = scene.run_kept(check).await;
    let rows = ran.expect(0, &[]).json();
    let (late, open) = (&rows[0]["check"], &rows[1]["check"]);
    assert_eq!((&late["ok"], &open["ok"]), (&false.into(), &true.into()));
    assert!(late["took_ms"].as_u64() >= Some(1_500), "{late}");
    let said = "no answer within 1.5 s";
    assert!(late.to_string().contains(said), "{late}");
    let check = &["status", "--table", "--check", "--check-limit", "0.2"];
    let (scene, ran) = scene.run_kept(check).await;
    ran.expect(6, &["no answer within 0.2 s", "ok ("]);
    let (_scene, ran) = scene.run_kept(&["list", "--check-limit", "0"]).await;
    ran.expect(2, &["expected seconds"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_servers_that_hang_take_the_usual_limit_once() {
    let hanging = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_delay(Duration::from_secs(600)))
        .mount(&hanging)
        .await;
    let uri = hanging.uri();
    let servers = (0..TWELVE).map(|at| format!("[mcp_servers.s{at}]\nurl = \"{uri}/{at}/mcp\"\n"));
    let scene = Scene::new(&servers.collect::<String>());
    let since = Instant::now();
    let (scene, ran) = scene.run_kept(&["list", "--check", "--json"]).await;
    let took = since.elapsed();
    let rows = ran.expect(0, &[]).json();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), TWELVE);
    for row in rows {
        let said = row["check"].to_string();
        assert!(said.contains("no answer within 5 s"), "{row}");
    }
    // One after another they would take a minute.
    let expected = Duration::from_secs(5)..Duration::from_secs(20);
    assert!(expected.contains(&took), "{took:?}");
    let (_scene, ran) = scene.run_kept(&["list", "--help"]).await;
    let help = ran.expect(0, &["--check-limit <SECONDS>"]);
    let limit = help.out.split("--check-limit").nth(1).unwrap();
    assert!(limit.contains("[default: 5]"), "{}", help.out);
}

const TWELVE: usize = 12;
