//! How a secret comes to the program, and where it does not show.

use super::*;

const ADD: [&str; 6] = [
    "add",
    "one",
    "--url",
    "https://a.example/mcp",
    "--client-id",
    "client",
];

fn add(more: &[&'static str]) -> Vec<&'static str> {
    [&ADD[..], more].concat()
}

#[test]
fn a_client_secret_from_standard_input_is_kept_in_a_file_for_its_owner_and_goes_with_the_server() {
    let scene = Scene::new("");
    scene
        .run_given(&add(&["--client-secret-stdin"]), "s3cret value\n")
        .expect(0, &["added one"]);
    let config = scene.config_text();
    let named = "client_secret_file = \"state/client-secrets/one\"";
    assert!(
        config.contains(named) && !config.contains("s3cret"),
        "{config}"
    );
    let file = scene.folder.path().join("state/client-secrets/one");
    assert_eq!(fs::read_to_string(&file).unwrap(), "s3cret value");
    #[cfg(unix)]
    for (path, mode) in [(file.as_path(), 0o600), (file.parent().unwrap(), 0o700)] {
        use std::os::unix::fs::PermissionsExt as _;
        let found = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}: {found:o}", path.display());
    }
    let shown = scene
        .run(&["get", "one", "--table"])
        .expect(0, &["client-secrets"]);
    assert!(!shown.out.contains("s3cret"), "{}", shown.out);
    scene.run(&["remove", "one"]).expect(0, &[]);
    assert!(!file.exists());
}

#[test]
fn a_server_that_is_not_added_leaves_no_secret_and_takes_none_away() {
    let scene = Scene::new(ONE);
    scene
        .run_given(&add(&["--client-secret-stdin"]), "s3cret")
        .expect(9, &["doorkey remove one"]);
    assert!(
        !scene
            .folder
            .path()
            .join("state/client-secrets/one")
            .exists()
    );

    let scene = Scene::new("");
    let arguments = add(&["--client-secret-stdin"]);
    scene.run_given(&arguments, "first").expect(0, &[]);
    scene
        .run_given(&arguments, "second")
        .expect(9, &["doorkey remove one"]);
    let file = scene.folder.path().join("state/client-secrets/one");
    assert_eq!(fs::read_to_string(&file).unwrap(), "first");
    for name in ["One", "ONE"] {
        let arguments = arguments
            .iter()
            .map(|word| if *word == "one" { name } else { word });
        scene
            .run_given(&arguments.collect::<Vec<_>>(), name)
            .expect(0, &[]);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "first");
}

#[test]
fn what_is_no_client_secret_is_refused() {
    for (input, told) in [
        ("", "there is no client secret on standard input"),
        ("\n", "there is no client secret on standard input"),
        ("two\nlines\n", "one line"),
        (&"x".repeat(5000), "one line of at most 4 KiB"),
    ] {
        let scene = Scene::new("");
        scene
            .run_given(&add(&["--client-secret-stdin"]), input)
            .expect(1, &[told]);
        assert!(!scene.config().exists());
    }
}

#[test]
fn a_file_or_a_variable_with_the_client_secret_is_named_and_not_read() {
    for (arguments, named) in [
        (
            &["--client-secret-file", "/nonexistent/secret"][..],
            "client_secret_file = \"/nonexistent/secret\"",
        ),
        (
            &["--client-secret-env", "TEAM_SECRET"],
            "client_secret_env = \"TEAM_SECRET\"",
        ),
    ] {
        let scene = Scene::new("").with("TEAM_SECRET", "s3cret");
        scene.run(&add(arguments)).expect(0, &["added one"]);
        let config = scene.config_text();
        assert!(
            config.contains(named) && !config.contains("s3cret"),
            "{config}"
        );
    }
    let scene = Scene::new("");
    scene
        .run(&add(&["--client-secret-file", "here"]))
        .expect(0, &[]);
    let here = std::env::current_dir().unwrap().join("here");
    let config = scene.config_text();
    assert!(
        config.contains(&format!("client_secret_file = \"{}\"", here.display())),
        "{config}"
    );
    for arguments in [
        &["--client-secret-stdin", "--client-secret-env", "A"][..],
        &["--client-secret-file", "a", "--client-secret-env", "A"],
    ] {
        Scene::new("")
            .run(&add(arguments))
            .expect(2, &["cannot be used with"]);
    }
    let without_client = [&ADD[..4], &["--client-secret-env", "A"]].concat();
    Scene::new("")
        .run(&without_client)
        .expect(2, &["--client-id"]);
}

#[test]
fn a_secret_among_the_arguments_is_refused_and_not_repeated() {
    for arguments in [
        &["--client-secret", "s3cret"][..],
        &["--client-secret=s3cret"],
        &["--client-secret"],
        &["--header", "Authorization=Bearer s3cret"],
        &["--header", "Cookie: s3cret"],
        &["--url", "https://me:s3cret@a.example/mcp"],
    ] {
        let scene = Scene::new("");
        let base = if arguments[0] == "--url" {
            &["add", "one"][..]
        } else {
            &ADD[..]
        };
        let ran = scene.run(&[base, arguments].concat()).expect(2, &["error"]);
        assert!(
            !ran.err.contains("s3cret") && ran.out.is_empty(),
            "{}{}",
            ran.out,
            ran.err
        );
        if arguments[0].starts_with("--client-secret") {
            for way in [
                "--client-secret-stdin",
                "--client-secret-file",
                "--client-secret-env",
            ] {
                assert!(ran.err.contains(way), "{}", ran.err);
            }
        }
        assert!(!scene.config().exists());
    }
}

#[test]
fn a_name_of_a_variable_is_one_and_is_told_when_nothing_is_there_without_being_repeated() {
    for argument in ["--client-secret-env", "--bearer-token-env-var"] {
        for wrong in [
            "s3cret-value",
            "3s3cret",
            "s3cret value",
            "s3cret.",
            "",
            "s3cr\u{e9}t",
        ] {
            let scene = Scene::new("");
            let ran = scene
                .run(&[&ADD[..], &[argument, wrong]].concat())
                .expect(2, &["name of an environment variable", argument]);
            assert!(!ran.err.contains("s3c"), "{}", ran.err);
            assert!(!scene.config().exists());
        }
        let scene = Scene::new("").with("_TEAM_SECRET2", "s3cret");
        let ran = scene
            .run(&[&ADD[..], &[argument, "_TEAM_SECRET2"]].concat())
            .expect(0, &["added one"]);
        assert!(!ran.err.contains("no variable"), "{}", ran.err);
        let ran = Scene::new("")
            .run(&[&ADD[..], &[argument, "s3cret"]].concat())
            .expect(0, &["there is no variable", argument]);
        assert!(!ran.err.contains("s3cret"), "{}", ran.err);
    }
}

/// What a person sees who answers the question for the secret with `keys`, the modes of the terminal afterwards among it.
#[cfg(target_os = "linux")]
fn seen_when_typed(scene: &Scene, keys: &[u8]) -> String {
    use std::io::Read as _;

    let line = format!(
        "'{}' {} --client-secret-stdin; echo \"ended with $?\"; /usr/bin/stty -a",
        env!("CARGO_BIN_EXE_doorkey"),
        ADD.join(" ")
    );
    let mut terminal = Command::new("/usr/bin/script")
        // Without a terminal of its own `script` would have the new one show nothing by itself.
        .args([
            "--quiet",
            "--flush",
            "--echo",
            "always",
            "--command",
            &line,
            "/dev/null",
        ])
        .env_clear()
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm")
        .env("DOORKEY_HOME", scene.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keyboard = terminal.stdin.take().unwrap();
    let mut screen = terminal.stdout.take().unwrap();
    let (mut seen, mut more) = (Vec::new(), [0; 512]);
    let mut has_typed = false;
    loop {
        let count = screen.read(&mut more).unwrap();
        seen.extend_from_slice(&more[..count]);
        let shown = String::from_utf8_lossy(&seen);
        if !has_typed && shown.contains("press Enter") {
            has_typed = true;
            keyboard.write_all(keys).unwrap();
        }
        if count == 0 || shown.contains("-echoprt") {
            break;
        }
    }
    drop(keyboard);
    terminal.wait().unwrap();
    String::from_utf8_lossy(&seen).into_owned()
}

#[cfg(target_os = "linux")]
#[test]
fn a_client_secret_that_is_typed_is_not_shown_and_the_terminal_is_as_before_however_that_ends() {
    for (keys, code, kept) in [
        (&b"s3cret value\n"[..], 0, Some("s3cret value")),
        (b"s3cret\x03", 1, None),
        (b"\n", 1, None),
    ] {
        let scene = Scene::new("");
        let seen = seen_when_typed(&scene, keys);
        assert!(!seen.contains("s3c"), "{seen}");
        assert!(seen.contains(&format!("ended with {code}")), "{seen}");
        for mode in [" echo ", " icanon ", "isig "] {
            assert!(
                seen.contains(mode) && !seen.contains(&format!("-{}", mode.trim_start())),
                "{mode} in {seen}"
            );
        }
        let file = scene.folder.path().join("state/client-secrets/one");
        assert_eq!(fs::read_to_string(&file).ok().as_deref(), kept);
    }
}
