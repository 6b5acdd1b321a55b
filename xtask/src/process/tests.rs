//! Child processes that print, fail, hang and leave others behind.

use super::*;

fn shell(script: &str) -> Call {
    Call::new("sh", Path::new(".")).args(["-c", script])
}

fn ending(failure: Failure) -> (Ending, String) {
    match failure {
        Failure::Command { ending, said, .. } => (ending, said),
        other => panic!("not a failed command: {other}"),
    }
}

#[test]
fn stdout_is_returned_and_stdin_is_at_its_end() {
    let output = shell("cat; echo one; printf two").capture().unwrap();
    assert_eq!(output, "one\ntwo\n");
}

#[test]
fn what_a_failing_command_printed_can_be_had() {
    let (output, status) = shell("echo figures; exit 3").capture_whatever().unwrap();
    assert_eq!(output, "figures\n");
    assert_eq!(status.and_then(|status| status.code()), Some(3));
    let (_, status) = shell("true").capture_whatever().unwrap();
    assert_eq!(status, None);
}

#[test]
fn a_failing_command_brings_its_status_and_what_it_said() {
    let (ending, said) = ending(shell("echo nonsense >&2; exit 3").capture().unwrap_err());
    assert!(matches!(ending, Ending::Exit(status) if status.code() == Some(3)));
    assert_eq!(said, "nonsense");
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let failure = Call::new("no-such-program", Path::new("."))
        .capture()
        .unwrap_err();
    assert!(
        failure
            .to_string()
            .contains("`no-such-program` could not be started")
    );
}

#[test]
fn tests_are_counted_over_binaries_also_when_the_runner_fails() {
    let lines = "echo 'test result: ok. 2 passed; 0 failed; 1 ignored'
        echo 'test result: FAILED. 3 passed; 1 failed; 0 ignored'; ";
    let expected = Counts {
        passed: 5,
        failed: 1,
        skipped: 1,
    };
    assert_eq!(shell(lines).show_tests(&mut |_| {}).unwrap(), expected);
    let failed = shell(&format!("{lines} exit 1"))
        .show_tests(&mut |_| {})
        .unwrap_err();
    assert_eq!(failed.counts(), expected);
}

#[test]
fn a_runner_without_a_test_fails() {
    let failure =
        shell("echo 'test result: ok. 0 passed; 0 failed; 0 ignored'").show_tests(&mut |_| {});
    assert!(matches!(ending(failure.unwrap_err()).0, Ending::NoTests));
}

#[test]
fn past_its_limit_a_command_ends_with_everything_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let failure = Call::new("sh", folder.path())
        .args(["-c", "sleep 600 & echo $! > grandchild; wait"])
        .limit(Duration::from_millis(500))
        .capture()
        .unwrap_err();
    assert!(matches!(ending(failure).0, Ending::TimedOut(_)));
    assert!(started.elapsed() < minutes(2));
    let grandchild = std::fs::read_to_string(folder.path().join("grandchild")).unwrap();
    let stat = format!("/proc/{}/stat", grandchild.trim());
    // Gone, or dead and waiting for init to collect it.
    let alive = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    let deadline = Instant::now() + minutes(1);
    while alive() && Instant::now() < deadline {
        thread::sleep(TICK);
    }
    assert!(!alive(), "the grandchild outlived its limit");
}

#[test]
fn a_process_left_behind_does_not_hold_up_the_answer() {
    let started = Instant::now();
    let output = shell("sleep 30 2>/dev/null & echo done").capture().unwrap();
    assert_eq!(output, "done\n");
    assert!(started.elapsed() < Duration::from_secs(25));
}

#[test]
fn a_call_prints_as_it_is_typed() {
    let call = shell("echo it's").env("RUSTDOCFLAGS", "-D warnings");
    assert_eq!(
        call.to_string(),
        r"RUSTDOCFLAGS='-D warnings' sh -c 'echo it'\''s'"
    );
}

#[test]
fn a_parent_is_read_behind_any_process_name() {
    assert_eq!(parent_in("77 (a ) b) S 12 77 77 0"), Some(12));
    assert_eq!(parent_in("no process"), None);
}
