//! What is left behind when the program crashes: no core file, no value in the words of a panic, and the terminal as it was.
//!
//! The program as it is released ends at once with a mistake of its own, whatever task makes it: its profile has no
//! unwinding. That is no more than what any kill does to it, and what a kill may leave behind is what the store is made for.

use std::io::Write as _;
use std::panic::{self, PanicHookInfo};
#[cfg(unix)]
use std::sync::Mutex;

#[cfg(unix)]
use rustix::termios::{OptionalActions, Termios, tcsetattr};

/// Sees to both. Nothing here can fail in a way that a person could mend: what the system refuses stays as it was.
pub(crate) fn leave_no_secrets() {
    forbid_core_files();
    // Who closed standard error does not want to know, and must not make a panic of a panic.
    panic::set_hook(Box::new(|info| {
        drop(writeln!(anstream::stderr(), "{}", told(info)));
        #[cfg(unix)]
        set_terminal_back();
        end();
    }));
}

/// Where nothing unwinds, with the exit code that it would have else: a signal would call the system's crash reporter.
#[cfg(panic = "abort")]
#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "there is no way back to main"
)]
fn end() {
    std::process::exit(101);
}

#[cfg(not(panic = "abort"))]
fn end() {}

/// Who changes how the terminal on standard input behaves says here how it was, and that it is so again: what does that
/// when dropped is not dropped where nothing unwinds.
#[cfg(unix)]
pub(crate) fn terminal_was(before: Option<&Termios>) {
    if let Ok(mut kept) = TERMINAL.lock() {
        *kept = before.cloned();
    }
}

#[cfg(unix)]
fn set_terminal_back() {
    // Whoever panics may hold it.
    if let Ok(before) = TERMINAL.try_lock()
        && let Some(before) = &*before
    {
        let _gone = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
    }
}

#[cfg(unix)]
static TERMINAL: Mutex<Option<Termios>> = Mutex::new(None);

/// A core file holds the tokens and keys in memory. Programs that are started from here inherit the limit, so that a
/// browser leaves none either; the other setting ends with the program itself. On Linux it also keeps other processes
/// of the same user from reading this one's memory and environment, short of root; to debug it, start it in a debugger.
#[cfg(unix)]
fn forbid_core_files() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Lowering a limit is anybody's right.
    let _refused = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // Where core files go to a program, as on most desktops, the limit alone is not asked.
        let _refused = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Windows writes none by itself, and what it sends to its maker the person decides.
#[cfg(not(unix))]
fn forbid_core_files() {}

/// The words of a panic where they stand in the source; where they were put together, as `unwrap` does with an error,
/// there may be a secret among them.
fn told(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map(ToString::to_string);
    let place = place.unwrap_or_default();
    let words = info.payload().downcast_ref::<&'static str>();
    let words = words.map(|words| format!(": {words}")).unwrap_or_default();
    format!("doorkey stopped at a mistake of its own, at {place}{words}; please report it")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Asked of the system itself, so that it can fail for root as well.
    #[cfg(target_os = "linux")]
    #[test]
    fn after_it_this_process_is_not_dumpable_and_its_limit_of_core_files_is_nothing() {
        use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
        forbid_core_files();
        let dumpable = dumpable_behavior().expect("Linux tells");
        assert!(
            matches!(dumpable, DumpableBehavior::NotDumpable),
            "{dumpable:?}"
        );
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    }

    #[test]
    fn a_panic_is_told_by_its_place_and_without_any_value() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hearing = Arc::clone(&heard);
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            hearing.lock().expect("not poisoned").push(told(info));
        }));
        let secret = "s3cret".to_owned();
        for fails in [
            || {
                let refused = "s3cret".parse::<u8>().map_err(|_| "s3cret".to_owned());
                assert_eq!(refused.expect("a token"), 0);
            },
            || panic!("a plain mistake"),
        ] {
            assert!(panic::catch_unwind(fails).is_err());
        }
        let formatted = panic::catch_unwind(|| panic!("token {secret}"));
        panic::set_hook(before);
        assert!(formatted.is_err());
        let heard = heard.lock().expect("not poisoned").join("\n");
        assert_eq!(heard.matches("crash.rs:").count(), 3, "{heard}");
        assert!(heard.contains("a plain mistake"), "{heard}");
        assert!(!heard.contains("s3cret"), "{heard}");
    }
}
