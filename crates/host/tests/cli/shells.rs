//! What shells and `man` get, and the help.

use super::*;

#[test]
fn every_shell_gets_a_script_and_servers_are_completed_by_their_names() {
    let scene = Scene::new(&format!(
        "{ONE}[mcp_servers.two]\nurl = \"https://two.example\"\n"
    ));
    for (shell, told) in [
        ("bash", "complete -F _doorkey_servers"),
        ("zsh", "_doorkey_servers'"),
        ("fish", "doorkey completions --names"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let ran = scene
            .run(&["completions", shell])
            .expect(0, &[told, "client-metadata"]);
        assert!(ran.err.is_empty(), "{}", ran.err);
    }
    let names = scene.run(&["completions", "--names"]).expect(0, &[]);
    assert_eq!(names.out, "one\ntwo\n");
    // A file that is being edited is no reason to write into somebody's prompt.
    let broken = Scene::new("x = ")
        .run(&["completions", "--names"])
        .expect(0, &[]);
    assert_eq!((broken.out.as_str(), broken.err.as_str()), ("", ""));
    let hostile = Scene::new("[mcp_servers.\"$(touch x)\"]\nurl = \"https://a.example\"\n");
    assert_eq!(hostile.run(&["completions", "--names"]).out, "");
    scene.run(&["completions"]).expect(2, &["<SHELL>"]);
}

/// What bash offers after these words.
#[cfg(target_os = "linux")]
fn offered(scene: &Scene, words: &[&str]) -> String {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_doorkey"));
    let line = format!(
        "source <(doorkey completions bash) 2>/dev/null\n\
         COMP_WORDS=({words}); COMP_CWORD={at}\n\
         _doorkey_servers doorkey '{last}' '{before}'; echo \"${{COMPREPLY[*]}}\"",
        words = words
            .iter()
            .map(|word| format!("'{word}' "))
            .collect::<String>(),
        at = words.len() - 1,
        last = words[words.len() - 1],
        before = words[words.len() - 2],
    );
    let output = Command::new("/bin/bash")
        .args(["--norc", "-c", &line])
        .env_clear()
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", program.parent().unwrap().display()),
        )
        .env("DOORKEY_HOME", scene.folder.path())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn bash_offers_commands_options_and_servers_where_they_belong() {
    let scene = Scene::new(&format!(
        "{ONE}[mcp_servers.other]\nurl = \"https://two.example\"\n"
    ));
    for (words, there, not_there) in [
        (&["doorkey", "to"][..], &["tools"][..], "one"),
        (&["doorkey", "tools", "o"], &["one", "other"], "tools"),
        (
            &["doorkey", "-q", "resources", "read", "on"],
            &["one"],
            "other",
        ),
        (&["doorkey", "call", "one", ""], &["--args"], "other"),
        (&["doorkey", "login", "--dev"], &["--device"], "one"),
        (
            &["doorkey", "login", "--account", "work", "o"],
            &["one", "other"],
            "work",
        ),
        (
            &["doorkey", "login", "--account", "=", "work", ""],
            &["one"],
            "work",
        ),
        (&["doorkey", "login", "--account", "o"], &[], "one"),
        (
            &["doorkey", "--color", "never", "doctor", "o"],
            &["one", "other"],
            "never",
        ),
        (&["doorkey", "enable", ""], &["one", "other"], "tools"),
        (
            &["doorkey", "disable", "one", "o"],
            &["one", "other"],
            "tools",
        ),
        (&["doorkey", "status", "--check", "ot"], &["other"], "one"),
        (&["doorkey", "logout", "o"], &["one"], "tools"),
        (&["doorkey", "add", "o"], &[], "one"),
        (&["doorkey", "import", ""], &["claude", "codex"], "one"),
    ] {
        let offered = offered(&scene, words);
        let offered: Vec<_> = offered.split_whitespace().collect();
        for word in there {
            assert!(offered.contains(word), "{words:?}: {offered:?}");
        }
        assert!(!offered.contains(&not_there), "{words:?}: {offered:?}");
    }
}

#[test]
fn zsh_and_fish_offer_servers_for_every_command_that_takes_one() {
    let scene = Scene::new(ONE);
    let zsh = scene.run(&["completions", "zsh"]).expect(0, &[]).out;
    let fish = scene.run(&["completions", "fish"]).expect(0, &[]).out;
    for command in [
        "login", "enable", "disable", "status", "doctor", "call", "remove",
    ] {
        let (_, own) = zsh.split_once(&format!("\n({command})\n")).unwrap();
        let (own, _) = own.split_once("\n;;").unwrap();
        assert!(own.contains(":_doorkey_servers'"), "{command}: {own}");
        let line =
            format!("-n \"__fish_seen_subcommand_from {command}\" -f -a \"(doorkey completions");
        assert!(fish.contains(&line), "{command}");
    }
    let (_, add) = zsh.split_once("(add)\n").unwrap();
    let (add, _) = add.split_once("\n;;").unwrap();
    assert!(!add.contains("_doorkey_servers"), "{add}");
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let scene = Scene::new("");
    let page = scene
        .run(&["man"])
        .expect(0, &[".TH doorkey 1", "Exit codes"]);
    assert!(page.err.is_empty(), "{}", page.err);
    let folder = scene.folder.path().join("man");
    let arguments = ["man", "--dir", folder.to_str().unwrap()];
    scene.run(&arguments).expect(0, &["wrote the manual pages"]);
    for name in ["doorkey.1", "doorkey-login.1", "doorkey-resources-read.1"] {
        let page = fs::read_to_string(folder.join(name)).unwrap();
        assert!(page.contains(".SH NAME"), "{name}");
    }
    let login = fs::read_to_string(folder.join("doorkey-login.1")).unwrap();
    assert!(login.contains("doorkey login work"), "{login}");
    scene
        .run(&["man", "--dir", "/dev/null/man"])
        .expect(1, &["/dev/null/man"]);
}

#[test]
fn a_command_or_server_that_is_mistyped_is_answered_with_the_one_that_is_meant() {
    let scene = Scene::new(ONE);
    scene.run(&["tols", "one"]).expect(2, &["tools"]);
    scene
        .run(&["tools", "onee"])
        .expect(9, &["did you mean", "one"]);
    scene.run(&["tools", "--jsn", "one"]).expect(2, &["--json"]);
    scene
        .run(&["call", "one", "echo", "--", "x"])
        .expect(2, &["unexpected argument"]);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let scene = Scene::new(ONE);
    for arguments in [&["completions", "bash"][..], &["--help"], &["man"]] {
        let mut child = scene
            .command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ran = child.wait_with_output().unwrap();
        let err = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(
            (ran.status.code(), err.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}
