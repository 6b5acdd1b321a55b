//! A small workspace that keeps every rule, in a folder of its own, for tests to break in one place.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::process::Call;
use crate::workspace::Workspace;

/// The workspace; its folder goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Fixture {
    folder: TempDir,
}

impl Fixture {
    /// A workspace with all the rooms of the house, which every check passes.
    pub(crate) fn good() -> Self {
        let fixture = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for (file, content) in FILES {
            fixture.write(file, content);
        }
        for (folder, description, body) in CRATES {
            fixture.member(folder, description, body);
            fixture.write(&format!("{folder}/README.md"), description);
        }
        for (folder, body) in PRIVATE {
            fixture.member(folder, "A check.", &format!("publish = false\n{body}"));
        }
        fixture.in_git();
        fixture
    }

    /// Two members that need nothing from elsewhere, and so can be built without the network.
    pub(crate) fn small() -> Self {
        let fixture = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fixture.write(
            "Cargo.toml",
            "[workspace]\nresolver = \"3\"\nmembers = [\"crates/http\", \"tests/integration\"]\n",
        );
        for (folder, name) in [
            ("crates/http", "doorkey-http"),
            ("tests/integration", "integration"),
        ] {
            let rest = "version = \"0.1.0\"\nedition = \"2024\"\nrust-version = \"1.89\"";
            let manifest = format!("[package]\nname = \"{name}\"\n{rest}\n");
            fixture.write(&format!("{folder}/Cargo.toml"), &manifest);
            fixture.write(&format!("{folder}/src/lib.rs"), PASSING);
        }
        fixture.write("xtask/known-duplicates.toml", "");
        fixture.write("docs/dependencies.md", "");
        fixture
            .workspace()
            .cargo(&["generate-lockfile", "--offline"])
            .capture()
            .unwrap();
        fixture
    }

    pub(crate) fn workspace(&self) -> Workspace {
        Workspace::at(self.folder.path())
    }

    pub(crate) fn write(&self, file: &str, content: &str) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Puts the folder under version control.
    pub(crate) fn in_git(&self) {
        let git = Call::new("git", self.folder.path()).args(["init", "--quiet"]);
        git.capture().unwrap();
    }

    /// Writes a file as if that happened a minute from now.
    pub(crate) fn write_later(&self, file: &str, content: &str) {
        self.write(file, content);
        let later = SystemTime::now() + Duration::from_secs(60);
        let file = File::options().write(true).open(self.path(file)).unwrap();
        file.set_modified(later).unwrap();
    }

    pub(crate) fn remove(&self, file: &str) {
        std::fs::remove_file(self.path(file)).unwrap();
    }

    /// Replaces the first `from` of a file, which must be there.
    pub(crate) fn replace(&self, file: &str, from: &str, to: &str) {
        let content = std::fs::read_to_string(self.path(file)).unwrap();
        assert!(content.contains(from), "{file} has no {from}:\n{content}");
        self.write(file, &content.replacen(from, to, 1));
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn member(&self, folder: &str, description: &str, body: &str) {
        let name = match folder.split_once('/') {
            Some(("crates", "host")) => "doorkey".to_owned(),
            Some(("crates", suffix)) => format!("doorkey-{suffix}"),
            Some((_, name)) => name.to_owned(),
            None => folder.to_owned(),
        };
        let inherited = ["version", "edition", "rust-version", "license", "authors"]
            .map(|key| format!("{key}.workspace = true\n"))
            .concat();
        self.write(
            &format!("{folder}/Cargo.toml"),
            &format!(
                "[package]\nname = \"{name}\"\ndescription = \"{description}\"\n{inherited}{body}"
            ),
        );
        self.write(&format!("{folder}/src/lib.rs"), "//! A crate.\n");
    }
}

/// A source that every tool is content with, and one test that passes.
pub(crate) const PASSING: &str = "//! A crate.

#[cfg(test)]
mod tests {
    #[test]
    fn holds() {
        assert_eq!(1 + 1, 2);
    }
}
";

const FILES: &[(&str, &str)] = &[
    ("LICENSE-MIT", "MIT"),
    ("LICENSE-APACHE", "Apache"),
    ("README.md", "doorkey: cargo run -- demo, cargo xtask ci\n"),
    (".ci/run", "set -e\ncargo run -- demo\ncargo xtask ci\n"),
    ("Cargo.lock", "version = 4\n"),
    (
        "clippy.toml",
        r#"msrv = "1.89"
too-many-lines-threshold = 60
too-many-arguments-threshold = 6
disallowed-methods = [
    { path = "std::env::var" },
    { path = "std::env::var_os" },
    { path = "std::env::vars" },
    "std::env::vars_os",
    { path = "std::process::exit" },
]
"#,
    ),
    (
        "Cargo.toml",
        r#"[workspace]
resolver = "3"
members = [
    "crates/http",
    "crates/discovery",
    "crates/store",
    "crates/oauth",
    "crates/rmcp",
    "crates/host",
    "crates/testkit",
    "tests/integration",
    "tests/parity",
    "xtask",
]

[workspace.package]
version = "0.1.0"
edition = "2024"
rust-version = "1.89"
license = "MIT OR Apache-2.0"
authors = ["The developers"]
keywords = ["mcp"]
categories = ["authentication"]

[workspace.dependencies]
doorkey = { path = "crates/host", version = "0.1.0", default-features = false }
doorkey-discovery = { path = "crates/discovery", version = "0.1.0", default-features = false }
doorkey-http = { path = "crates/http", version = "0.1.0", default-features = false }
doorkey-oauth = { path = "crates/oauth", version = "0.1.0", default-features = false }
doorkey-rmcp = { path = "crates/rmcp", version = "0.1.0", default-features = false }
doorkey-store = { path = "crates/store", version = "0.1.0", default-features = false }
doorkey-testkit = { path = "crates/testkit", version = "0.1.0", default-features = false }
bytes = "1"
clap = "4"
http = "1"
hyper = "1"
native-tls = "0.2"
oauth2 = { version = "5", default-features = false }
reqwest = "0.13"
rmcp = { version = "3", default-features = false }
rustls = "0.23"
tokio = "1"

[workspace.lints.rust]
unsafe_code = "forbid"
missing_docs = "warn"
missing_debug_implementations = "warn"
unreachable_pub = "warn"

[workspace.lints.clippy]
all = { level = "warn", priority = -1 }
print_stdout = "warn"
print_stderr = "warn"
exit = "warn"
dbg_macro = "warn"
unwrap_used = "warn"
expect_used = "warn"
panic = "warn"
await_holding_lock = "warn"
todo = "deny"
unimplemented = "warn"
allow_attributes = "warn"
allow_attributes_without_reason = "warn"
too_many_lines = "warn"
"#,
    ),
];

/// The crates: folder, description, and the manifest behind what all share.
const CRATES: &[(&str, &str, &str)] = &[
    (
        "crates/http",
        "One client.",
        r#"readme = "README.md"
keywords.workspace = true
categories.workspace = true
[lints]
workspace = true
[features]
default = ["client"]
client = ["dep:reqwest", "dep:rustls"]
[dependencies]
bytes.workspace = true
reqwest = { workspace = true, optional = true }
rustls = { workspace = true, optional = true }
[dev-dependencies]
tokio.workspace = true
"#,
    ),
    (
        "crates/discovery",
        "Finds the guard.",
        r#"readme = "README.md"
keywords.workspace = true
categories.workspace = true
[lints]
workspace = true
[features]
default = ["fetch"]
fetch = ["dep:doorkey-http"]
[dependencies]
doorkey-http = { workspace = true, optional = true }
http.workspace = true
[dev-dependencies]
doorkey-http = { workspace = true, features = ["client"] }
tokio.workspace = true
"#,
    ),
    (
        "crates/store",
        "Keeps grants.",
        r#"readme = "README.md"
keywords.workspace = true
categories.workspace = true
[lints]
workspace = true
[features]
default = ["file"]
file = []
postgres = ["dep:rustls"]
[dependencies]
bytes.workspace = true
rustls = { workspace = true, optional = true }
"#,
    ),
    (
        "crates/oauth",
        "Obtains tokens.",
        r#"readme = "README.md"
keywords.workspace = true
categories.workspace = true
[lints]
workspace = true
[dependencies]
doorkey-discovery = { workspace = true, features = ["fetch"] }
doorkey-http.workspace = true
doorkey-store.workspace = true
oauth2.workspace = true
"#,
    ),
    (
        "crates/rmcp",
        "A transport.",
        r#"readme = "README.md"
keywords.workspace = true
categories.workspace = true
[lints]
workspace = true
[dependencies]
doorkey-oauth.workspace = true
rmcp = { workspace = true, features = ["client"] }
[dev-dependencies]
doorkey-store.workspace = true
doorkey-testkit.workspace = true
"#,
    ),
    (
        "crates/host",
        "Composes.",
        r#"readme = "README.md"
keywords.workspace = true
categories.workspace = true
[lints]
workspace = true
[features]
default = ["cli", "demo"]
cli = ["dep:clap"]
demo = ["cli", "dep:doorkey-testkit"]
[dependencies]
clap = { workspace = true, optional = true }
doorkey-http = { workspace = true, features = ["client"] }
doorkey-rmcp.workspace = true
doorkey-testkit = { workspace = true, optional = true }
tokio.workspace = true
"#,
    ),
    (
        "crates/testkit",
        "Servers.",
        r#"readme = "README.md"
keywords.workspace = true
categories.workspace = true
[lints]
workspace = true
[dependencies]
hyper.workspace = true
rmcp = { workspace = true, features = ["server"] }
rustls.workspace = true
"#,
    ),
];

/// What is not published: folder, and the manifest behind what all share.
const PRIVATE: &[(&str, &str)] = &[
    (
        "tests/integration",
        "[lints]\nworkspace = true\n[dev-dependencies]\ndoorkey.workspace = true\nreqwest.workspace = true\n",
    ),
    (
        "tests/parity",
        "[lints]\nworkspace = true\n[dev-dependencies]\nhttp.workspace = true\n\
         rmcp = { workspace = true, features = [\"transport-streamable-http-client-reqwest\"] }\n",
    ),
    ("xtask", "[lints]\nworkspace = true\n"),
];
