//! What a server has to read and to fill in, and the arguments that a tool gets.

use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

/// A server of the 2025-11-25 wire with resources, templates, prompts and a tool that says what it was given.
async fn scene() -> (MockServer, Scene) {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let url = server.uri();
    let scene = Scene::new(&format!("[mcp_servers.one]\nurl = \"{url}/mcp\"\n"));
    (server, scene)
}

fn answer(request: &wiremock::Request) -> ResponseTemplate {
    let message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let parameters = &message["params"];
    let result = match (
        message["method"].as_str(),
        parameters["uri"].as_str().or(parameters["name"].as_str()),
    ) {
        (Some("initialize"), _) => json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}, "resources": {}, "prompts": {}},
            "serverInfo": {"name": "mock", "version": "1"},
        }),
        (Some("resources/list"), _) => json!({"resources": []}),
        (Some("resources/templates/list"), _) => json!({"resourceTemplates": [
            {"uriTemplate": "file:///{path}", "name": "files", "description": "Any file."},
        ]}),
        (Some("resources/read"), Some("file:///text")) => json!({"contents": [
            {"uri": "file:///text", "mimeType": "text/plain", "text": "one\n\ttwo\u{1b}[2J\n"},
        ]}),
        (Some("resources/read"), Some("file:///image")) => json!({"contents": [
            {"uri": "file:///image", "mimeType": "image/png", "blob": "iVBORw0KGgo="},
        ]}),
        (Some("resources/read"), Some("file:///empty")) => json!({"contents": []}),
        (Some("resources/read"), Some("file:///broken")) => json!({"contents": [
            {"uri": "file:///broken", "blob": "n*t base64"},
        ]}),
        (Some("prompts/list"), _) => json!({"prompts": [
            {"name": "greet", "description": "Greets.", "arguments": [
                {"name": "who", "required": true}, {"name": "how"},
            ]},
        ]}),
        (Some("prompts/get"), Some("greet")) => json!({"messages": [
            {"role": "user", "content": {"type": "text", "text": format!("Greet {}.", parameters["arguments"]["who"])}},
        ]}),
        (Some("prompts/get"), Some("talk")) => json!({"messages": [
            {"role": "user", "content": {"type": "text", "text": "Hello."}},
            {"role": "assistant", "content": {"type": "text", "text": "Hello, you."}},
        ]}),
        (Some("tools/call"), Some("slow")) => {
            let late = json!({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}});
            return ResponseTemplate::new(200)
                .set_body_json(late)
                .set_delay(std::time::Duration::from_secs(20));
        }
        (Some("tools/call"), Some(tool)) => called(tool, &parameters["arguments"]),
        (Some(method), _) if method.starts_with("notifications/") => {
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
}

fn called(tool: &str, arguments: &Value) -> Value {
    let image = |data: &str| json!({"type": "image", "mimeType": "image/png", "data": data});
    let text = |text: String| json!({"type": "text", "text": text});
    json!({"content": match tool {
        "plot" => json!([text("two plots".to_owned()), image("AAEC"), image("AwQ=")]),
        "many" => (0..101).map(|_| image("AA==")).collect(),
        "colored" => json!([text("\u{1b}[31mred".to_owned())]),
        "fail" => return json!({"content": [text("no luck".to_owned())], "isError": true}),
        "structured" => return json!({"content": [], "structuredContent": {"sum": 3}}),
        "nothing" => json!([]),
        _ => json!([text(arguments.to_string())]),
    }})
}

/// Runs `seen` beside the servers of an async test.
async fn beside(scene: Scene, seen: impl FnOnce(Scene) + Send + 'static) {
    tokio::task::spawn_blocking(move || seen(scene))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_is_read_as_text_or_kept_in_a_file_and_bytes_are_never_written_unasked() {
    let (_server, scene) = scene().await;
    beside(scene, |scene| {
        let read = ["resources", "read", "one"];
        let text = scene.run(&[&read[..], &["file:///text"]].concat());
        assert_eq!(text.expect(0, &[]).out, "one\n\ttwo\n\n");

        let image = scene.run(&[&read[..], &["file:///image"]].concat());
        let image = image.expect(
            2,
            &[
                "image/png, 8 bytes",
                "next: doorkey resources read one file:///image --output FILE",
            ],
        );
        assert_eq!(image.out, "");

        let mut file = scene.folder.path().join("kept");
        for (uri, bytes) in [
            ("file:///image", &b"\x89PNG\r\n\x1a\n"[..]),
            ("file:///text", b"one\n\ttwo\x1b[2J\n"),
        ] {
            file.set_file_name(format!("kept-{}", bytes.len()));
            let place = file.to_str().unwrap();
            let kept = scene.run(&[&read[..], &[uri, "--output", place]].concat());
            let kept = kept.expect(0, &["wrote ", "kept"]);
            assert_eq!(
                (fs::read(&file).unwrap(), kept.out.as_str()),
                (bytes.to_vec(), "")
            );
        }
        let nowhere = [&read[..], &["file:///image", "-o", "/nonexistent/kept"]].concat();
        scene.run(&nowhere).expect(1, &["/nonexistent/kept"]);
        let broken = [
            &read[..],
            &["file:///broken", "-o", file.to_str().unwrap(), "--force"],
        ]
        .concat();
        scene.run(&broken).expect(1, &["is not base64"]);
        assert_eq!(
            fs::read(&file).unwrap(),
            b"one\n\ttwo\x1b[2J\n",
            "what cannot be read replaces nothing"
        );
        let empty = scene.folder.path().join("empty");
        let empty = [&read[..], &["file:///empty", "-o", empty.to_str().unwrap()]].concat();
        scene
            .run(&empty)
            .expect(2, &["has nothing that goes into a file"]);
        scene
            .run(&[&read[..], &["file:///empty"]].concat())
            .expect(0, &["the resource is empty"]);
        let json = scene.run(&[&read[..], &["file:///text", "--json"]].concat());
        assert_eq!(json.json()["contents"][0]["text"], "one\n\ttwo\u{1b}[2J\n");
    })
    .await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn bytes_go_to_a_pipe_that_is_asked_for_and_to_no_terminal() {
    let (_server, scene) = scene().await;
    beside(scene, |scene| {
        let arguments = ["resources", "read", "one", "file:///image", "--output", "-"];
        let piped = scene
            .command(&arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(piped.stdout, b"\x89PNG\r\n\x1a\n");
        let seen = scene.run_on_terminal(&arguments);
        seen.expect(2, &["not written to a terminal", "--output FILE"]);
        let two = ["call", "one", "plot", "--output", "-"];
        scene.run_given(&two, "").expect(2, &["more than one part"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_are_no_resources_the_templates_are_named_and_they_are_listed() {
    let (_server, scene) = scene().await;
    beside(scene, |scene| {
        let none = scene.run(&["resources", "one"]);
        none.expect(0, &["doorkey resources one --templates"]);
        let listed = scene
            .run(&["resources", "one", "--templates"])
            .expect(0, &[]);
        assert_eq!(listed.out, "file:///{path}\tfiles: Any file.\n");
        let json = scene.run(&["resources", "one", "--templates", "--json"]);
        assert_eq!(json.json()[0]["uriTemplate"], "file:///{path}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_is_listed_with_its_arguments_and_filled_in() {
    let (_server, scene) = scene().await;
    beside(scene, |scene| {
        let listed = scene.run(&["prompts", "one"]).expect(0, &[]);
        assert_eq!(listed.out, "greet who=… [how=…]\tGreets.\n");
        let got = scene.run(&["prompts", "get", "one", "greet", "--arg", "who=Zoë"]);
        assert_eq!(got.expect(0, &[]).out, "Greet \"Zoë\".\n");
        let talk = scene.run(&["prompts", "get", "one", "talk"]).expect(0, &[]);
        assert_eq!(talk.out, "user:\nHello.\nassistant:\nHello, you.\n");
        let unknown = scene.run(&["prompts", "get", "one", "nobody"]);
        unknown.expect(7, &["Method not found"]);
        scene.run(&["prompts"]).expect(2, &["<NAME>"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_come_from_the_line_a_file_or_standard_input_and_single_ones_count_above() {
    let (_server, scene) = scene().await;
    beside(scene, |scene| {
        let file = scene.folder.path().join("args.json");
        // As an editor on Windows leaves it.
        fs::write(&file, "\u{feff}{\r\n  \"city\": \"Oslo\"\r\n}\r\n").unwrap();
        let file = format!("@{}", file.display());
        let call = ["call", "one", "echo"];
        for (given, input, got) in [
            (&["--args", "{\"a\": [1]}"][..], "", json!({"a": [1]})),
            (&["--args", &file], "", json!({"city": "Oslo"})),
            (&["--args", "-"], "{\"b\": 2}\n", json!({"b": 2})),
            (
                &["--arg", "a=x=y", "--arg", "n:=3"],
                "",
                json!({"a": "x=y", "n": 3}),
            ),
            (
                &["--args", "-", "--arg", "b=3"],
                "{\"a\": 1, \"b\": 2}",
                json!({"a": 1, "b": "3"}),
            ),
            (&[], "", Value::Null),
        ] {
            let ran = scene.run_given(&[&call[..], given].concat(), input);
            let ran = ran.expect(0, &[]);
            assert_eq!(ran.json(), got, "{given:?}");
        }
    })
    .await;
}

#[test]
fn arguments_that_are_no_json_object_are_refused_with_their_place_and_before_anything_is_asked() {
    let scene = Scene::new(ONE);
    let file = scene.folder.path().join("args.json");
    fs::write(&file, "{\n  \"city\": \"s3cret\",\n}\n").unwrap();
    let named = format!("@{}", file.display());
    for (given, input, told) in [
        (
            &["--args", &named][..],
            "",
            "args.json, line 3, column 1: not JSON: ",
        ),
        (
            &["--args", "-"],
            "[1]",
            "standard input: a list where a JSON object is expected",
        ),
        (
            &["--args", "{city: Oslo}"],
            "",
            "--args, line 1, column 2: not JSON: key must be a string",
        ),
        (&["--args", "{city: Oslo}"], "", "--arg city=Oslo"),
        (
            &["--args", "@/nonexistent/args"],
            "",
            "/nonexistent/args: No such file",
        ),
        (&["--arg", "city"], "", "KEY=TEXT or KEY:=JSON"),
        (&["--arg", "n:=x"], "", "the value of n, line 1, column 1"),
        (&["--timeout", "0"], "", "expected seconds"),
    ] {
        let ran = scene.run_given(&[&["call", "one", "echo"], given].concat(), input);
        let ran = ran.expect(2, &[told]);
        assert!(
            !ran.err.contains("s3cret") && ran.out.is_empty(),
            "{}{}",
            ran.out,
            ran.err
        );
    }
    scene
        .run_given(&["prompts", "get", "one", "greet", "--args", "-"], "1")
        .expect(2, &["standard input: a number where"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_a_result_are_kept_beside_each_other_and_named_where_they_are_not() {
    let (_server, scene) = scene().await;
    beside(scene, |scene| {
        let shown = scene
            .run(&["call", "one", "plot"])
            .expect(0, &["two plots"]);
        assert!(
            shown
                .out
                .contains("[image image/png, 3 bytes; --output FILE keeps it]"),
            "{}",
            shown.out
        );
        let file = scene.folder.path().join("plot.png");
        let kept = scene.run(&["call", "one", "plot", "-o", file.to_str().unwrap()]);
        let kept = kept.expect(0, &["plot-2.png: image image/png, 2 bytes"]);
        assert_eq!(kept.out, "two plots\n");
        assert_eq!(fs::read(&file).unwrap(), [0, 1, 2]);
        assert_eq!(fs::read(file.with_file_name("plot-2.png")).unwrap(), [3, 4]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_of_nothing_but_text_is_kept_as_it_came_and_an_error_is_shown() {
    let (_server, scene) = scene().await;
    beside(scene, |scene| {
        let kept = |name: &str| fs::read_to_string(scene.folder.path().join(name));
        let call = |tool: &str, name: &str| {
            let place = scene.folder.path().join(name);
            scene.run(&["call", "one", tool, "-o", place.to_str().unwrap()])
        };
        let ran = call("colored", "text").expect(0, &["wrote ", "text, "]);
        assert_eq!(
            (ran.out.as_str(), kept("text").unwrap().as_str()),
            ("", "\u{1b}[31mred")
        );
        call("structured", "data").expect(0, &[]);
        let data: Value = serde_json::from_str(&kept("data").unwrap()).unwrap();
        assert_eq!(data, json!({"sum": 3}));
        call("nothing", "none").expect(2, &["was not written", "--json"]);
        let ran = call("fail", "failed").expect(8, &["answered an error"]);
        assert_eq!(ran.out, "no luck\n");
        for name in ["none", "failed"] {
            assert!(kept(name).is_err(), "{name}");
        }
        scene
            .run(&["call", "one", "plot", "--json", "-o", "x"])
            .expect(2, &["cannot be used with"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_that_is_there_is_replaced_unasked_and_the_server_does_not_choose_how_many_there_are()
 {
    let (server, scene) = scene().await;
    let (scene, second) = tokio::task::spawn_blocking(move || {
        let file = scene.folder.path().join("plot.png");
        let second = scene.folder.path().join("plot-2.png");
        let place = file.to_str().unwrap();
        fs::write(&file, "mine").unwrap();
        let refused = "is there already, and was left as it is";
        for arguments in [
            &["call", "one", "plot", "-o", place][..],
            &["resources", "read", "one", "file:///image", "-o", place],
        ] {
            scene.run(arguments).expect(2, &[refused, "--force"]);
        }
        fs::rename(&file, &second).unwrap();
        (scene, second)
    })
    .await
    .unwrap();
    let asked = server.received_requests().await.unwrap();
    assert!(asked.is_empty(), "asked {} times", asked.len());
    beside(scene, move |scene| {
        let file = second.with_file_name("plot.png");
        let call = ["call", "one", "plot", "-o", file.to_str().unwrap()];
        scene.run(&call).expect(2, &["plot-2.png is there already"]);
        assert_eq!(fs::read_to_string(&second).unwrap(), "mine");
        assert!(!file.exists(), "all or nothing");
        scene
            .run(&[&call[..], &["--force"]].concat())
            .expect(0, &["plot-2.png"]);
        assert_eq!(fs::read(&second).unwrap(), [3, 4]);
        let many = scene.folder.path().join("many");
        scene
            .run(&["call", "one", "many", "-o", many.to_str().unwrap()])
            .expect(2, &["101 parts", "at most 100 files"]);
        assert!(!many.exists());
        scene
            .run(&["call", "one", "echo", "--force"])
            .expect(2, &["--output"]);
    })
    .await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_nothing_can_be_written_to() {
    let (_server, scene) = scene().await;
    beside(scene, |scene| {
        let call = ["call", "one", "echo", "-o", "/dev/null"];
        scene.run(&call).expect(0, &["wrote /dev/null"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_waited_for_as_long_as_it_is_said() {
    let (_server, scene) = scene().await;
    beside(scene, |scene| {
        let since = std::time::Instant::now();
        let ran = scene.run(&["call", "one", "slow", "--timeout", "0.5"]);
        ran.expect(6, &["tools/call", "0.5 s", "next: try again"]);
        assert!(since.elapsed() < std::time::Duration::from_secs(15));
    })
    .await;
}

/// Two pages of everything, or nothing, or a server that knows of no such thing.
async fn listing(of: &'static str) -> (MockServer, Scene) {
    let server = MockServer::start().await;
    let pages = move |request: &wiremock::Request| {
        let message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let asked = message["method"].as_str().unwrap_or_default();
        let is_second = message["params"]["cursor"] == "second";
        let number = if is_second { 2 } else { 1 };
        let mut result = match asked {
            "initialize" => return answer(request),
            _ if asked.starts_with("notifications/") => return answer(request),
            _ if of == "unknown" => return answer(&unknown(request)),
            "tools/list" => json!({"tools": [
                {"name": format!("tool-{number}"), "inputSchema": {"type": "object"}},
            ]}),
            "resources/list" => json!({"resources": [
                {"uri": format!("file:///{number}"), "name": "page"},
            ]}),
            "prompts/list" => json!({"prompts": [{"name": format!("prompt-{number}")}]}),
            _ => json!({"resourceTemplates": [
                {"uriTemplate": format!("file:///{number}/{{path}}"), "name": "page"},
            ]}),
        };
        if of == "nothing" {
            for list in result.as_object_mut().unwrap().values_mut() {
                *list = json!([]);
            }
        } else if !is_second {
            result["nextCursor"] = "second".into();
        }
        ResponseTemplate::new(200)
            .set_body_json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result}))
    };
    Mock::given(method("POST"))
        .respond_with(pages)
        .mount(&server)
        .await;
    let url = server.uri();
    let scene = Scene::new(&format!("[mcp_servers.one]\nurl = \"{url}/mcp\"\n"));
    (server, scene)
}

/// The same request by a name that nobody knows.
fn unknown(request: &wiremock::Request) -> wiremock::Request {
    let mut message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    message["method"] = "nobody/knows".into();
    let mut request = request.clone();
    request.body = message.to_string().into_bytes();
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_all_their_pages() {
    let (_server, scene) = listing("pages").await;
    beside(scene, |scene| {
        for (arguments, listed) in [
            (&["tools", "one"][..], "tool-1\ntool-2\n"),
            (&["resources", "one"], "file:///1\tpage\nfile:///2\tpage\n"),
            (
                &["resources", "one", "--templates"],
                "file:///1/{path}\tpage\nfile:///2/{path}\tpage\n",
            ),
            (&["prompts", "one"], "prompt-1\nprompt-2\n"),
        ] {
            assert_eq!(scene.run(arguments).expect(0, &[]).out, listed);
            let json = scene.run(&[arguments, &["--json"]].concat());
            assert_eq!(json.json().as_array().unwrap().len(), 2, "{arguments:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn that_there_is_nothing_is_said_to_people_and_is_an_empty_list_for_programs() {
    for of in ["nothing", "unknown"] {
        let (_server, scene) = listing(of).await;
        beside(scene, move |scene| {
            for (arguments, said) in [
                (&["tools", "one"][..], "one has no tools"),
                (
                    &["resources", "one"],
                    "one lists no resources; it may make them",
                ),
                (
                    &["resources", "one", "--templates"],
                    "one has no resource templates",
                ),
                (&["prompts", "one"], "one has no prompts"),
            ] {
                // Every server is asked for its tools, and one that refuses is not in order.
                if (of, arguments[0]) == ("unknown", "tools") {
                    scene.run(arguments).expect(7, &["Method not found"]);
                    continue;
                }
                let ran = scene.run(arguments).expect(0, &[said]);
                assert_eq!(ran.out, "", "{arguments:?}");
                let json = scene.run(&[arguments, &["--json"]].concat());
                assert_eq!(json.json(), json!([]), "{arguments:?}");
            }
        })
        .await;
    }
}
