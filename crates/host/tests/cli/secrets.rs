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
    let shown = scene.run(&["get", "one"]).expect(0, &["client-secrets"]);
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
        let ran = scene
            .run(&[base, arguments].concat())
            .expect(2, &["error:"]);
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
