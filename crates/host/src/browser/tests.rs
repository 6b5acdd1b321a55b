use super::*;

fn commands(variable: &str) -> Vec<(String, Vec<String>)> {
    match Browser::from_variable(OsStr::new(variable)) {
        Browser::Commands(commands) => commands
            .into_iter()
            .map(|command| {
                let arguments = command.arguments("https://as.example/a?b=c&d=%20");
                (command.program, arguments)
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[cfg(unix)]
#[test]
fn browser_variable_alternatives_and_codes_are_understood() {
    let url = "https://as.example/a?b=c&d=%20".to_owned();
    type Expected<'a> = &'a [(&'a str, &'a [&'a str])];
    let table: &[(&str, Expected<'_>)] = &[
        ("firefox", &[("firefox", &[&url])]),
        (
            "firefox --new-window %s",
            &[("firefox", &["--new-window", &url])],
        ),
        ("a:b -x", &[("a", &[&url]), ("b", &["-x", &url])]),
        (
            "open --url=%s 100%%",
            &[("open", &[&format!("--url={url}"), "100%"])],
        ),
        ("open x%cy", &[("open", &["x:y", &url])]),
        ("::", &[]),
    ];
    for (variable, expected) in table {
        let expected: Vec<_> = expected
            .iter()
            .map(|(program, arguments)| {
                let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
                ((*program).to_owned(), arguments)
            })
            .collect();
        assert_eq!(commands(variable), expected, "{variable}");
    }
}

#[tokio::test]
async fn only_https_and_loopback_http_are_opened() {
    for (url, opened) in [
        ("https://as.example/authorize", true),
        ("http://127.0.0.1:9/authorize", true),
        ("http://localhost:9/authorize", true),
        ("http://as.example/authorize", false),
        ("javascript:alert(1)", false),
        ("data:text/html,x", false),
        ("file:///etc/passwd", false),
        ("vbscript:x", false),
        ("https://user:pass@as.example/", false),
    ] {
        let browser = Browser::Platform(PlatformBrowser::new(|_| Ok(())));
        let outcome = browser.open(&Url::parse(url).expect(url)).await;
        assert_eq!(outcome.is_ok(), opened, "{url}: {outcome:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_next_alternative_is_tried_when_one_fails() {
    let url = Url::parse("https://as.example/").expect("a URL");
    let working = Browser::from_variable(OsStr::new("/nonexistent/browser:false:true"));
    assert!(matches!(working.open(&url).await, Ok(true)));
    let failing = Browser::from_variable(OsStr::new("/nonexistent/browser:false"));
    assert!(matches!(
        failing.open(&url).await,
        Err(BrowserError::Failed { .. })
    ));
    let missing = Browser::from_variable(OsStr::new("/nonexistent/browser"));
    assert!(matches!(
        missing.open(&url).await,
        Err(BrowserError::Start { .. })
    ));
}

#[cfg(unix)]
#[tokio::test]
async fn the_url_reaches_the_program_as_one_argument_that_no_shell_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let seen = folder.path().join("seen");
    let script = folder.path().join("a browser");
    std::fs::write(
        &script,
        format!("#!/bin/sh\necho \"$#|$1\" > '{}'\n", seen.display()),
    )
    .expect("a script");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&script, mode).expect("executable");
    let url = Url::parse("https://as.example/?a=%24%28touch%20x%29&b=%3Bls").expect("a URL");
    let browser = Browser::from_variable(script.as_os_str());
    assert!(matches!(browser.open(&url).await, Ok(true)));
    let text = std::fs::read_to_string(&seen).expect("the script ran");
    assert_eq!(text.trim(), format!("1|{url}"));
}

/// As the opener of a Linux within Windows does it: between double quotes, into a line of another shell.
#[cfg(unix)]
#[tokio::test]
async fn an_opener_that_puts_the_url_into_the_line_of_a_shell_runs_nothing_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (seen, run) = (folder.path().join("seen"), folder.path().join("run"));
    let script = folder.path().join("opener");
    let line = format!(
        "#!/bin/sh\neval \"printf %s \\\"$1\\\"\" > '{}'\n",
        seen.display()
    );
    std::fs::write(&script, line).expect("a script");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&script, mode).expect("executable");
    let touch = format!("touch${{IFS}}{}", run.display());
    let url = format!("https://as.example/$({touch})?a=$({touch})&b=`{touch}`&c=\\\\");
    let url = Url::parse(&url).expect("a URL");
    for browser in [
        Browser::from_variable(script.as_os_str()),
        Browser::from_variable(OsStr::new(&format!("{} %s", script.display()))),
    ] {
        assert!(matches!(browser.open(&url).await, Ok(true)));
        let text = std::fs::read_to_string(&seen).expect("the script ran");
        assert_eq!(text, for_opener(&url).as_str());
        assert!(!run.exists(), "it was run");
    }
    // The URL as it came would be.
    let raw = std::process::Command::new(&script)
        .arg(url.as_str())
        .status();
    assert!(raw.expect("the script").success() && run.exists());
}

#[tokio::test]
async fn a_page_that_no_program_could_be_handed_is_refused() {
    let page = |bytes: usize| {
        let mut page = Url::parse("https://as.example/?q=").expect("a URL");
        page.set_query(Some(&"q".repeat(bytes - "https://as.example/?".len())));
        page
    };
    assert_eq!(check_page(&page(PAGE_BYTES)), Ok(()));
    assert!(matches!(
        check_page(&page(PAGE_BYTES + 1)),
        Err(PageRefused::TooLong { bytes, .. }) if bytes == PAGE_BYTES + 1
    ));
}

#[cfg(unix)]
#[tokio::test]
async fn the_browser_is_started_without_the_variables_that_hold_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let seen = folder.path().join("seen");
    let script = folder.path().join("browser");
    std::fs::write(&script, format!("#!/bin/sh\nenv > '{}'\n", seen.display())).expect("a script");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&script, mode).expect("executable");
    let url = Url::parse("https://as.example/").expect("a URL");
    // Every process of a test run has this one, so that it can be seen to be missing.
    let (withheld, kept) = ("CARGO_MANIFEST_DIR", "CARGO_PKG_NAME");
    for secrets in [vec![], vec![withheld.to_owned()]] {
        let is_secret = !secrets.is_empty();
        let environment = Environment::default().withholding(secrets);
        let browser = Browser::from_variable(script.as_os_str()).withholding(&environment);
        assert!(matches!(browser.open(&url).await, Ok(true)));
        let seen = std::fs::read_to_string(&seen).expect("the script ran");
        assert_eq!(seen.contains(&format!("{withheld}=")), !is_secret, "{seen}");
        assert!(seen.contains(&format!("{kept}=")), "{seen}");
    }
}
