//! The names in what `cargo test` prints: the binary that runs, and the tests in it.

use std::collections::BTreeMap;

use super::record::Verdict;

/// Hears the lines of a run, one after the other.
#[derive(Debug)]
pub(super) struct Listener<'a> {
    /// What the file names of binaries stand for.
    binaries: &'a BTreeMap<String, String>,
    /// The binary that runs; documentation tests have none.
    running: Option<&'a str>,
    /// A test that is announced and printed something before its verdict, as it may where nothing is captured.
    open: Option<String>,
    heard: Vec<(String, Verdict)>,
}

impl<'a> Listener<'a> {
    pub(super) fn of(binaries: &'a BTreeMap<String, String>) -> Self {
        Self {
            binaries,
            running: None,
            open: None,
            heard: Vec::new(),
        }
    }

    pub(super) fn hear(&mut self, line: &str) {
        let text = line.trim();
        if text.starts_with("Running ") && text.ends_with(')') {
            self.running =
                file_name(text).and_then(|file| self.binaries.get(file).map(String::as_str));
            self.open = None;
        } else if text.starts_with("Doc-tests ") {
            self.running = None;
            self.open = None;
        } else if let Some((name, said)) = announced(text) {
            match verdict(said) {
                Some(verdict) => self.ended(&name, verdict),
                None => self.open = Some(name),
            }
        } else if let Some(verdict) = verdict(text)
            && let Some(name) = self.open.take()
        {
            self.ended(&name, verdict);
        }
    }

    pub(super) fn heard(self) -> Vec<(String, Verdict)> {
        self.heard
    }

    fn ended(&mut self, name: &str, verdict: Verdict) {
        self.open = None;
        if let Some(binary) = self.running {
            self.heard.push((format!("{binary}::{name}"), verdict));
        }
    }
}

/// The file in `Running tests/it.rs (target/debug/deps/it-0123)`.
fn file_name(text: &str) -> Option<&str> {
    let (_, path) = text.strip_suffix(')')?.rsplit_once('(')?;
    path.rsplit(['/', '\\']).next()
}

/// The name and what follows in `test a::b ... ok`; a test that printed without a line break leaves its text in front.
fn announced(text: &str) -> Option<(String, &str)> {
    let (before, said) = text.split_once(" ... ").or_else(|| {
        let before = text.strip_suffix(" ...")?;
        Some((before, ""))
    })?;
    let before = before.strip_suffix(" - should panic").unwrap_or(before);
    let (marker, name) = before.rsplit_once(' ')?;
    (marker == "test" || marker.ends_with("test")).then(|| (name.to_owned(), said.trim()))
}

fn verdict(said: &str) -> Option<Verdict> {
    match said {
        "ok" => Some(Verdict::Passed),
        "FAILED" => Some(Verdict::Failed),
        ignored if ignored == "ignored" || ignored.starts_with("ignored, ") => {
            Some(Verdict::Ignored)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(printed: &str) -> Vec<(String, Verdict)> {
        let binaries = BTreeMap::from(
            [("it-01", "oauth::it"), ("doorkey_http-02", "http")]
                .map(|(file, name)| (file.to_owned(), name.to_owned())),
        );
        let mut listener = Listener::of(&binaries);
        printed.lines().for_each(|line| listener.hear(line));
        listener.heard()
    }

    #[test]
    fn each_test_belongs_to_the_binary_that_runs() {
        let printed = "   Compiling doorkey-http v0.1.0
    Finished `test` profile [unoptimized + debuginfo] target(s) in 0.12s
     Running unittests src/lib.rs (target/debug/deps/doorkey_http-02)

running 3 tests
test headers::tests::a ... ok
test headers::tests::b ... FAILED
test headers::tests::c - should panic ... ok

test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running tests/it/main.rs (/elsewhere/target/debug/deps/it-01)
test login::a ... ok
test login::b ... ignored
test login::c ... ignored, needs a display
     Running tests/other.rs (target/debug/deps/other-03)
test of_nobody ... ok
   Doc-tests doorkey_http
test crates/http/src/lib.rs - HttpClient (line 12) ... ok
";
        let expected = [
            ("http::headers::tests::a", Verdict::Passed),
            ("http::headers::tests::b", Verdict::Failed),
            ("http::headers::tests::c", Verdict::Passed),
            ("oauth::it::login::a", Verdict::Passed),
            ("oauth::it::login::b", Verdict::Ignored),
            ("oauth::it::login::c", Verdict::Ignored),
        ];
        let expected = expected.map(|(name, verdict)| (name.to_owned(), verdict));
        assert_eq!(heard(printed), expected);
    }

    #[test]
    fn what_tests_print_themselves_hides_no_verdict_and_makes_none() {
        let printed = "     Running tests/it/main.rs (target/debug/deps/it-01)
test a ... listening
more of it
ok
leftovertest b ... ok
ok
a test of patience ... no
test c ...
ok
";
        let names: Vec<_> = heard(printed).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["oauth::it::a", "oauth::it::b", "oauth::it::c"]);
    }
}
