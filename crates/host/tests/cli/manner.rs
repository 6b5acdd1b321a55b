//! How much is said, in which colours, and that nobody is asked who is not there.

use super::*;

const UNKNOWN: &[&str] = &["get", "two"];

#[test]
fn colours_come_where_they_are_wished_and_nowhere_else() {
    let plain = Scene::new(ONE).run(UNKNOWN).expect(9, &["error"]);
    assert!(!plain.err.contains('\u{1b}'), "{:?}", plain.err);
    for wished in [&["--color", "always"][..], &["--color=always"]] {
        let ran = Scene::new(ONE).run(&[UNKNOWN, wished].concat());
        assert!(ran.err.contains('\u{1b}'), "{:?}", ran.err);
    }
    let forced = Scene::new(ONE).with("CLICOLOR_FORCE", "1").run(UNKNOWN);
    assert!(forced.err.contains('\u{1b}'), "{:?}", forced.err);
    let never = ["--color", "never", "nonsense"];
    for (scene, arguments) in [
        (Scene::new(ONE).with("NO_COLOR", "1"), UNKNOWN),
        (Scene::new(ONE).with("NO_COLOR", "1"), &["nonsense"]),
        (Scene::new(ONE), &never),
    ] {
        let ran = scene.with("CLICOLOR_FORCE", "1").run(arguments);
        assert!(
            ran.err.contains("error") && !ran.err.contains('\u{1b}'),
            "{:?}",
            ran.err
        );
    }
    let usage = Scene::new(ONE)
        .with("CLICOLOR_FORCE", "1")
        .run(&["nonsense"]);
    assert!(usage.err.contains('\u{1b}'), "{:?}", usage.err);
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_has_colours_and_one_that_is_dumb_has_none() {
    let ran = Scene::new(ONE).run_on_terminal(UNKNOWN);
    assert!(ran.out.contains('\u{1b}'), "{:?}", ran.out);
    let ran = Scene::new(ONE).run_on_terminal(&[UNKNOWN, &["--color", "never"]].concat());
    assert!(!ran.out.contains('\u{1b}'), "{:?}", ran.out);
}

#[test]
fn quiet_leaves_data_and_errors_and_takes_messages_away() {
    let added = Scene::new("").run(&["-q", "add", "one", "--url", "https://a.example"]);
    let added = added.expect(0, &[]);
    assert_eq!((added.out.as_str(), added.err.as_str()), ("", ""));
    let scene = Scene::new(ONE);
    let listed = scene.run(&["list", "--quiet"]).expect(0, &["one.example"]);
    assert_eq!(listed.err, "");
    let failed = scene
        .run(&["get", "two", "--table", "-q"])
        .expect(9, &["error", "next: "]);
    assert_eq!(failed.out, "");
    scene
        .run(&["list", "-q", "-v"])
        .expect(2, &["cannot be used with"]);
}
