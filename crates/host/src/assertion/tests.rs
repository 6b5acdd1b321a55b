//! Each source with a real file, program and service.

use std::error::Error as _;
use std::fs;
use std::time::Duration;

use doorkey_http::{AddressPolicy, HttpClient, HttpProfile, Origin};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::{Config, Home};

/// The source that these lines of `[mcp_servers.a.oauth.workload]` describe.
fn described(environment: &Environment, lines: &str) -> Result<Arc<dyn AssertionSource>, String> {
    let text = format!(
        "[mcp_servers.a]\nurl = \"https://mcp.example/mcp\"\n[mcp_servers.a.oauth]\n\
         flow = \"workload_identity\"\n[mcp_servers.a.oauth.workload]\n{lines}\n"
    );
    let config = Config::parse(&Home::at("/nonexistent"), &text).expect("a configuration");
    let server = &config.servers()[0];
    let crate::FlowSettings::WorkloadIdentity(workload) = &server.oauth.flow else {
        panic!("{:?}", server.oauth.flow);
    };
    source(environment, server, &workload.assertion, "oauth.workload")
        .map_err(|error| error.to_string())
}

/// A client of a public MCP server, whose user named `place`.
fn client(place: Option<&str>) -> HttpClient {
    let mut profile = HttpProfile::new("https://8.8.8.8/mcp".parse().expect("a URL"));
    let origins = place.map(|url| Origin::from(&url.parse().expect("a URL")));
    profile.addresses = AddressPolicy::default().with_workload(origins);
    HttpClient::new(&profile).expect("a client")
}

/// What the source delivers, or the cause that it met.
async fn token(source: &dyn AssertionSource, http: &HttpClient) -> Result<String, String> {
    match source.assertion(http).await {
        Ok(token) => Ok(token.expose_secret().to_owned()),
        Err(error) => Err(cause(&error).to_string()),
    }
}

fn cause(error: &AssertionError) -> &SourceError {
    let cause = error.source().expect("a cause");
    cause.downcast_ref().expect("a cause of ours")
}

fn delivered_by(lines: &str) -> Result<String, String> {
    let environment = Environment::new([("JWT", "a.b.c\n"), ("JSON", r#"{"jwt":"a.b.c","n":1}"#)]);
    let source = described(&environment, lines)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(token(source.as_ref(), &client(None)))
}

#[test]
fn a_variable_is_read_from_the_environment_that_was_passed_in() {
    for (lines, expected) in [
        ("env = \"JWT\"", Ok("a.b.c")),
        ("env = \"JSON\"\njson_member = \"jwt\"", Ok("a.b.c")),
        ("env = \"JSON\"\njson_member = \"n\"", Err("a string \"n\"")),
        (
            "env = \"JWT\"\njson_member = \"jwt\"",
            Err("no JSON object"),
        ),
        ("env = \"UNSET_JWT\"", Err("UNSET_JWT is not set")),
    ] {
        let delivered = delivered_by(lines);
        match (&delivered, expected) {
            (Ok(token), Ok(expected)) => assert_eq!(token, expected, "{lines}"),
            (Err(told), Err(expected)) => assert!(told.contains(expected), "{lines}: {told}"),
            _ => panic!("{lines}: {delivered:?}"),
        }
    }
}

#[tokio::test]
async fn a_file_is_read_anew_each_time_wif_06() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    let lines = format!("file = {:?}", file.display().to_string());
    let source = described(&Environment::default(), &lines).expect("a source");
    let http = client(None);
    let told = token(source.as_ref(), &http).await.expect_err("no file");
    assert!(
        told.contains("cannot read") && told.contains("token"),
        "{told}"
    );
    for jwt in ["a.b.c", "d.e.f"] {
        fs::write(&file, format!("{jwt}\n")).expect("a file");
        assert_eq!(token(source.as_ref(), &http).await.as_deref(), Ok(jwt));
    }
    for (text, expected) in [
        (Vec::new(), "empty"),
        (vec![b'a'; TOKEN_BYTES + 1], "longer than 256 KiB"),
        (vec![0xff, 0xfe], "no text"),
    ] {
        fs::write(&file, text).expect("a file");
        let told = token(source.as_ref(), &http).await.expect_err(expected);
        assert!(told.contains(expected), "{told}");
    }
}

#[tokio::test]
async fn a_service_is_asked_with_its_headers_over_plain_http_wif_06() {
    let service = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/identity"))
        .and(header("metadata-flavor", "Google"))
        .and(header("x-key", "k3y"))
        .respond_with(ResponseTemplate::new(200).set_body_string(r#"{"access_token":"a.b.c"}"#))
        .mount(&service)
        .await;
    let url = format!(
        "{}/identity?audience=https%3A%2F%2Fas.example",
        service.uri()
    );
    let lines = format!(
        "url = \"{url}\"\njson_member = \"access_token\"\n\
         headers = {{ Metadata-Flavor = \"Google\" }}\nenv_headers = {{ X-Key = \"KEY\" }}"
    );
    let environment = Environment::new([("KEY", "k3y")]);
    let source = described(&environment, &lines).expect("a source");
    let http = client(Some(&url));
    for _ in 0..2 {
        let delivered = token(source.as_ref(), &http).await;
        assert_eq!(delivered.as_deref(), Ok("a.b.c"));
    }
    let asked = service.received_requests().await.expect("recorded");
    assert_eq!(asked.len(), 2, "it is asked anew each time");
    assert_eq!(
        asked[0].url.query(),
        Some("audience=https%3A%2F%2Fas.example")
    );

    let unset = described(&Environment::default(), &lines).expect_err("no key");
    assert!(
        unset.contains("oauth.workload.env_headers.x-key"),
        "{unset}"
    );
}

#[tokio::test]
async fn a_service_that_refuses_is_told_by_its_status_and_not_by_its_words_wif_07() {
    for (status, is_transient) in [(404, false), (401, false), (503, true), (429, true)] {
        let service = MockServer::start().await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(status).set_body_string("s3cret"))
            .mount(&service)
            .await;
        let url = format!("{}/identity?s3cret", service.uri());
        let source = described(&Environment::default(), &format!("url = \"{url}\""));
        let source = source.expect("a source");
        let http = client(Some(&url));
        let error = source.assertion(&http).await.expect_err("refused");
        let told = format!("{} {:?}", cause(&error), cause(&error));
        assert!(told.contains(&status.to_string()), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
        assert_eq!(cause(&error).is_transient(), is_transient, "{status}");
    }
}

#[tokio::test]
async fn without_the_users_word_a_service_is_not_asked_wif_08() {
    let service = MockServer::start().await;
    let source = described(
        &Environment::default(),
        &format!("url = \"{}\"", service.uri()),
    );
    let error = source.expect("a source").assertion(&client(None)).await;
    let error = error.expect_err("a near address");
    assert!(matches!(cause(&error), SourceError::Http(_)), "{error:?}");
    let asked = service.received_requests().await.expect("recorded");
    assert!(asked.is_empty(), "{asked:?}");
}

#[cfg(unix)]
mod programs {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::child::Withheld;

    /// A source that runs a script.
    fn script(folder: &tempfile::TempDir, text: &str) -> CommandSource {
        let path = folder.path().join("a script");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("executable");
        CommandSource {
            program: path,
            arguments: vec!["$(touch x)".to_owned(), "a b;c".to_owned()],
            reading: Reading { member: None },
            withheld: Withheld::default(),
        }
    }

    #[tokio::test]
    async fn a_program_runs_anew_each_time_without_a_shell_and_without_input_wif_06() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let source = script(
            &folder,
            &format!(
                "cat\necho \"$#|$1|$2\" >> '{}'\necho chatter >&2\necho a.b.c",
                log.display()
            ),
        );
        for _ in 0..2 {
            let delivered = token(&source, &client(None)).await;
            assert_eq!(delivered.as_deref(), Ok("a.b.c"));
        }
        let log = fs::read_to_string(log).expect("the script ran");
        assert_eq!(log, "2|$(touch x)|a b;c\n".repeat(2));
    }

    #[tokio::test]
    async fn a_program_is_started_without_the_variables_that_hold_secrets() {
        let folder = tempfile::tempdir().expect("a folder");
        // Every process of a test run has these, so that one can be seen to be missing.
        let source = script(
            &folder,
            "echo \"${CARGO_MANIFEST_DIR-withheld} $CARGO_PKG_NAME\"",
        );
        let withheld = Withheld::default().and(["CARGO_MANIFEST_DIR".to_owned()]);
        let printed = CommandSource { withheld, ..source };
        let printed = printed.run(LIMIT).await.expect("a token");
        assert_eq!(printed.expose_secret(), "withheld doorkey");
    }

    #[tokio::test]
    async fn a_program_that_fails_or_says_too_much_is_told_without_its_words_wif_07() {
        let folder = tempfile::tempdir().expect("a folder");
        for (text, expected) in [
            ("echo s3cret >&2; echo s3cret; exit 3", "exit status: 3"),
            ("yes s3cret", "more than 256 KiB"),
            ("true", "empty"),
        ] {
            let source = script(&folder, text);
            let error = source.run(LIMIT).await.expect_err(text);
            let told = format!("{error} {error:?}");
            assert!(
                told.contains(expected) || error.to_string().contains(expected),
                "{told}"
            );
            assert!(!told.contains("s3cret") && !error.is_transient(), "{told}");
        }
        let missing = CommandSource {
            program: folder.path().join("missing"),
            ..script(&folder, "true")
        };
        let error = missing.run(LIMIT).await.expect_err("no program");
        assert!(
            matches!(error, SourceError::Program(ProgramError::Run { .. })),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_ended_in_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = script(&folder, "exec sleep 600");
        let error = source.run(Duration::from_millis(200)).await;
        let error = error.expect_err("it hangs");
        assert!(
            matches!(error, SourceError::Program(ProgramError::TimedOut { .. })),
            "{error:?}"
        );
        assert!(error.is_transient());
    }

    const LIMIT: Duration = Duration::from_secs(20);
}
