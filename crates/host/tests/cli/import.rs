//! Servers that come from the tables of other programs, whose files stay as they are.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use super::*;

/// Somebody who uses all of these programs, in a folder of work.
struct Person {
    scene: Scene,
}

impl Person {
    fn new(config: &str) -> Self {
        let person = Self {
            scene: Scene::new(config),
        };
        for (path, text) in FILES {
            person.write(path, text);
        }
        person
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.scene.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let folder = self.scene.folder.path();
        let mut command = self.scene.command(arguments);
        let output = command
            .env("HOME", folder.join("home"))
            .current_dir(folder.join("work"))
            .stdin(Stdio::null())
            .output();
        Ran::of(&output.unwrap())
    }

    /// What is in each of the files, and when it was written.
    fn files(&self) -> BTreeMap<&'static str, (String, SystemTime)> {
        let files = FILES.iter().map(|(path, _)| {
            let full = self.scene.folder.path().join(path);
            let written = fs::metadata(&full).unwrap().modified().unwrap();
            (*path, (fs::read_to_string(full).unwrap(), written))
        });
        files.collect()
    }
}

/// What becomes of each entry, by its name and whose it is.
fn actions(found: &Value) -> BTreeMap<String, String> {
    let servers = found["servers"].as_array().unwrap().iter();
    let actions = servers.map(|server| {
        let name = format!(
            "{}/{}",
            server["from"].as_str().unwrap(),
            server["name"].as_str().unwrap()
        );
        let action = match (&server["action"], &server["as"]) {
            (action, Value::String(name)) => format!("{} {name}", action.as_str().unwrap()),
            (action, _) => action.as_str().unwrap().to_owned(),
        };
        (name, action)
    });
    actions.collect()
}

#[test]
fn every_server_is_added_once_or_left_out_with_the_reason_and_no_secret_is_copied() {
    let person =
        Person::new("# mine\n[mcp_servers.have]\nurl = \"https://tickets.example.com/mcp\"\n");
    let before = person.files();
    let ran = person.run(&["import", "--yes"]).expect(0, &["added docs"]);
    let found = ran.json();
    let expected = [
        ("codex/docs", "add docs"),
        ("codex/tickets", "present have"),
        ("codex/local", "leave_out"),
        ("claude/search", "add search"),
        ("claude/old", "leave_out"),
        ("claude/docs", "present docs"),
        ("claude/private", "add private"),
        ("claude/templated", "leave_out"),
        ("claude/tools.example/all", "add tools-example-all"),
        ("vscode/GitHub Copilot", "add GitHub-Copilot"),
        ("vscode/region", "add region"),
        ("vscode/files", "leave_out"),
        ("cursor/search", "add search-cursor"),
        ("cursor/keyed", "leave_out"),
        ("cursor/signed", "add signed"),
        ("cursor/gateway", "leave_out"),
        ("cursor/nobody", "add nobody"),
        ("gemini/drive", "add drive"),
        ("gemini/mail", "add mail"),
    ];
    // Claude has a second `search`, in a project.
    let servers = found["servers"].as_array().unwrap();
    assert_eq!(servers.len(), expected.len() + 1, "{found}");
    let project = servers
        .iter()
        .find(|server| server["place"] == "/home/ada/one")
        .unwrap();
    assert_eq!(project["as"], "search-claude");
    let mut actions = actions(&found);
    actions.insert("claude/search".to_owned(), "add search".to_owned());
    for (name, action) in expected {
        assert_eq!(actions[name], action, "{name}");
    }
    let all = format!("{}{}{}", ran.out, ran.err, person.scene.config_text());
    assert!(!all.contains("s3cret"), "{all}");
    assert_eq!(person.files(), before, "their files stay as they are");

    // The configuration is one that can be used, and a second time there is nothing to do.
    let listed = person.run(&["list"]).expect(0, &[]).json();
    assert_eq!(listed.as_array().unwrap().len(), 13, "{listed}");
    let text = person.scene.config_text();
    let again = person.run(&["import", "--yes"]).expect(0, &[]).json();
    assert_eq!(again["added"], json!([]));
    assert_eq!(person.scene.config_text(), text);
}

#[test]
fn settings_are_taken_over_as_ours() {
    let person = Person::new("");
    person.run(&["import", "--yes"]).expect(0, &[]);
    let get = |name: &str| person.run(&["get", name]).expect(0, &[]).json();
    let docs = get("docs");
    assert_eq!(docs["bearer_token_env_var"], "DOCS_TOKEN");
    assert_eq!(docs["http_headers"], json!(["x-team"]));
    assert_eq!(docs["env_http_headers"], json!(["x-org", "x-api-key"]));
    assert_eq!(
        (&docs["startup_timeout_sec"], &docs["tool_timeout_sec"]),
        (&20.0.into(), &45.5.into())
    );
    let tickets = get("tickets");
    assert_eq!(tickets["enabled"], false);
    assert_eq!(tickets["scopes"], json!(["tickets:read", "tickets:write"]));
    assert_eq!(tickets["oauth_resource"], "https://tickets.example.com/");
    assert_eq!(get("private")["bearer_token_env_var"], "PRIVATE_TOKEN");
    assert_eq!(
        get("GitHub-Copilot")["bearer_token_env_var"],
        "GITHUB_COPILOT_TOKEN"
    );
    assert_eq!(get("tools-example-all")["client_id"], "abc");
    assert_eq!(get("drive")["tool_timeout_sec"], 15.0);
    let signed = get("signed");
    assert_eq!(signed["client_id"], "cid");
    assert!(
        signed["client_secret"]
            .as_str()
            .unwrap()
            .contains("SIGNED_CLIENT_SECRET")
    );
    let text = person.scene.config_text();
    for line in [
        "callback_port = 3118",
        "callback_host = \"localhost\"",
        "callback_port = 7777",
        "client_secret_env = \"MAIL_CLIENT_SECRET\"",
        "X-Region = \"REGION\"",
        "X-Tenant = \"TENANT\"",
        "X-Api-Key = \"DOCS_X_API_KEY\"",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[test]
fn what_would_be_added_is_shown_and_what_to_do_about_the_rest() {
    let person = Person::new("");
    let ran = person.run(&["import", "--dry-run", "--table"]).expect(
        0,
        &[
            "ACTION",
            "left out\n",
            "local                  it is a program on this machine",
            "old                    it speaks the retired HTTP+SSE transport",
            "\"api_key\" in its url looks like a secret",
            "its url has a placeholder",
            "a part of its url looks like a secret",
            "not taken over: the client secret, for there is no client id",
            "~/.claude.json /home/ada/one",
            ".vscode/mcp.json",
            "with enabled false, scopes tickets:read tickets:write, oauth_resource",
            "the header X-Api-Key looks like a secret and is not copied: put it into the variable DOCS_X_API_KEY",
            "not taken over: enabled_tools",
            "VS Code asks for key; doorkey takes it from the variable GITHUB_COPILOT_TOKEN",
            "not taken over: the header X-Path, which is made of words and a variable",
            "to be set before it is used: REGION",
            "it may speak the retired HTTP+SSE transport alone",
            "the default of TENANT was not taken over",
        ],
    );
    assert!(!format!("{}{}", ran.out, ran.err).contains("s3cret"));
    assert!(!person.scene.config().exists(), "nothing was added");
    let ran = person.run(&["import", "cursor", "gemini"]);
    let ran = ran.expect(2, &["nothing was added", "with --yes"]);
    assert_eq!(ran.json()["servers"].as_array().unwrap().len(), 7);
    assert!(!person.scene.config().exists(), "nothing was added");
}

#[test]
fn a_file_that_cannot_be_used_is_told_with_its_line_and_the_others_are_read() {
    let person = Person::new("");
    person.write(
        "work/.vscode/mcp.json",
        "{\n  \"servers\": {\n    \"a\": { \"url\": }\n}}",
    );
    person.write("home/.codex/config.toml", "[mcp_servers.docs]\nurl = \n");
    person.write("work/.cursor/mcp.json", "{\"mcpServers\": [1]}");
    person.write(
        "home/.gemini/settings.json",
        &format!("{{\"a\": {}", "[".repeat(200_000)),
    );
    let ran = person.run(&["import", "--yes"]).expect(
        9,
        &[
            "mcp.json:3:",
            "config.toml:2:",
            "mcpServers is not a table of servers",
            "more than 100 tables and lists in each other",
            "added search",
        ],
    );
    let found = ran.json();
    let bad = found["files"].as_array().unwrap().iter();
    assert_eq!(
        bad.filter(|file| !file["error"].is_null()).count(),
        4,
        "{found}"
    );
    person
        .run(&["import", "--file", "nothing.json"])
        .expect(9, &["nothing.json: there is no such file"]);
    if cfg!(unix) {
        let ran = person.run(&["import", "claude", "--file", "/dev/zero"]);
        ran.expect(9, &["it is not a file"]);
    }
}

#[test]
fn a_file_that_is_named_is_read_in_the_form_that_it_has() {
    let person = Person::new("");
    let vscode = Path::new("../work/.vscode/mcp.json");
    fs::copy(
        person.scene.folder.path().join("work/.vscode/mcp.json"),
        person.scene.folder.path().join("work/shared.json"),
    )
    .unwrap();
    for file in [vscode.to_str().unwrap(), "shared.json"] {
        let found = person
            .run(&["import", "--dry-run", "--file", file])
            .expect(0, &[])
            .json();
        assert_eq!(found["files"].as_array().unwrap().len(), 1);
        let names = actions(&found);
        assert!(names.contains_key("vscode/region"), "{names:?}");
    }
    let nobody = Scene::new("");
    nobody
        .run(&["import", "cursor", "--table"])
        .expect(0, &["no MCP servers were found"]);
    nobody
        .run(&["import", "emacs"])
        .expect(2, &["codex, claude, vscode, cursor, gemini"]);
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_in_a_file_of_others_is_obeyed_by_a_terminal() {
    let scene = Scene::new("");
    let path = scene.folder.path().join("hostile.json");
    let text = "{\"mcpServers\": {\"a\\u001b]0;title\\u0007\": {\"url\": \"https://a.example/\\u001b[2J\", \
                \"\\u001b[2J\": 1, \"headers\": {\"X\\u009b2J\": \"${\\u202e}\"}}}}";
    fs::write(&path, text).unwrap();
    let ran = scene.run_on_terminal(&["import", "--dry-run", "--file", path.to_str().unwrap()]);
    let shown = ran
        .out
        .replace("\u{1b}[33m", "")
        .replace("\u{1b}[0m", "")
        .replace("\u{1b}[1m", "");
    assert!(shown.contains("add"), "{shown:?}");
    let obeyed = shown
        .chars()
        .find(|c| c.is_control() && *c != '\n' || matches!(c, '\u{202a}'..='\u{202e}'));
    assert!(obeyed.is_none() && !shown.contains("title"), "{shown:?}");
}

/// The files of all programs, from the folder above home and work.
const FILES: &[(&str, &str)] = &[
    (
        "home/.codex/config.toml",
        include_str!("fixtures/codex.toml"),
    ),
    (
        "work/.mcp.json",
        include_str!("fixtures/claude-project.json"),
    ),
    (
        "home/.claude.json",
        include_str!("fixtures/claude-user.json"),
    ),
    (
        "work/.vscode/mcp.json",
        include_str!("fixtures/vscode.json"),
    ),
    (
        "work/.cursor/mcp.json",
        include_str!("fixtures/cursor.json"),
    ),
    (
        "home/.gemini/settings.json",
        include_str!("fixtures/gemini.json"),
    ),
];
