//! The quirks that come with the program, and what files and settings make of them.

mod page;

use std::fs;

use doorkey_oauth::Effect;
use doorkey_store::{Grant, Store};

use super::*;
use crate::{Config, Environment, Home};

fn home(quirks: &str) -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("quirks.toml"), quirks).expect("a file");
    let home = Home::at(folder.path());
    (folder, home)
}

fn problem(quirks: &str) -> String {
    let (_folder, home) = home(quirks);
    let error = QuirkRules::load(&home).expect_err(quirks);
    format!("{error}\n{}", error.example().unwrap_or_default())
}

fn host(quirks: &str, url: &str, settings: &str) -> (tempfile::TempDir, Host) {
    let (folder, home) = home(quirks);
    let text = format!("[mcp_servers.it]\nurl = {url:?}\n{settings}");
    fs::write(home.config_file(), text).expect("a file");
    let config = Config::load(&home).expect("a configuration");
    let host = Host::new(Environment::default(), home, config, Store::memory());
    (folder, host)
}

async fn states(host: &Host) -> Vec<(String, QuirkState, String)> {
    let quirks = host.quirks_of("it").await.expect("a server");
    quirks
        .into_iter()
        .map(|quirk| (quirk.id, quirk.state, quirk.because))
        .collect()
}

#[test]
fn the_quirks_that_come_with_the_program_are_read_and_say_what_they_are() {
    let rules = read::rules(
        std::path::Path::new("quirks.toml"),
        rules::BUILTIN_TEXT,
        "built in",
    );
    let (written, warnings) = rules.expect("what comes with the program");
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(written.len(), QuirkRules::builtin().all().len());
    for rule in QuirkRules::builtin().all() {
        let quirk = &rule.quirk;
        assert!(quirk.what.ends_with('.'), "{}: {}", quirk.id, quirk.what);
        assert!(!quirk.source.is_empty(), "{} has no source", quirk.id);
        let is_month = |date: &str| date.len() == 7 && date.starts_with("20") && &date[4..5] == "-";
        assert!(is_month(&quirk.date), "{}: {}", quirk.id, quirk.date);
    }
}

#[test]
fn no_rule_that_is_on_by_itself_lifts_a_check_of_pkce_of_the_issuer_or_of_the_resource_as_20() {
    for rule in QuirkRules::builtin().all() {
        let quirk = &rule.quirk;
        let is_about_anybody = quirk.matches.iter().any(|matched| match matched {
            QuirkMatch::Issuer(pattern) | QuirkMatch::Server(pattern) => {
                pattern.as_str().starts_with("*/")
            }
            _ => true,
        });
        for effect in &quirk.effects {
            // `lifts_a_check` decides for every effect that there is, without a default.
            let is_chosen = rule.by_choice || !effect.lifts_a_check();
            assert!(is_chosen, "{} is on by itself: {effect:?}", quirk.id);
            match effect {
                // A pair is two exact strings, and is about whom it names.
                Effect::TrustIssuer { listed, .. } => {
                    let names = |matched: &QuirkMatch| matches!(matched, QuirkMatch::Issuer(pattern) if pattern.as_str() == listed.as_str());
                    assert!(quirk.matches.iter().any(names), "{}", quirk.id);
                }
                // Where to ask is said for the servers of one vendor.
                Effect::AuthorizationServer(_) | Effect::Endpoints { .. } => {
                    assert!(!is_about_anybody, "{}", quirk.id);
                    let is_server = |it: &QuirkMatch| matches!(it, QuirkMatch::Server(_));
                    assert!(quirk.matches.iter().all(is_server), "{}", quirk.id);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_rule_that_has_to_be_chosen_is_offered_where_it_would_have_helped_and_nowhere_else() {
    let pkce = |silent| doorkey_oauth::Error::PkceUnsupported {
        issuer: doorkey_oauth::Issuer::new("https://as.example"),
        silent,
    };
    let url = "https://mcp.example/mcp";
    let offered = |settings: &str, issuer: &str, error: &doorkey_oauth::Error| {
        let (_folder, host) = host("", url, settings);
        let server = host.config().server("it").expect("a server");
        let offer = host.offer(server, Some(issuer), error);
        offer.map(|offer| (offer.quirk, offer.next))
    };
    for id in ["entra-pkce", "salesforce-pkce", "cognito-pkce"] {
        let mut examples = EXAMPLES.iter().filter(|(rule, _)| *rule == id);
        let (_, issuer) = examples.next().expect(id);
        let next = format!("write quirks_on = [{id:?}] in [mcp_servers.it]");
        let expected = Some((id.to_owned(), next));
        assert_eq!(offered("", issuer, &pkce(true)), expected);
        // One that lists other methods is refused whatever is chosen.
        assert_eq!(offered("", issuer, &pkce(false)), None);
        for settings in [
            "quirks = false".to_owned(),
            format!("quirks_off = [{id:?}]"),
            format!("quirks_on = [{id:?}]"),
        ] {
            assert_eq!(offered(&settings, issuer, &pkce(true)), None, "{settings}");
        }
        assert_eq!(offered("", "https://as.example", &pkce(true)), None);
    }
    // What is chosen already stays chosen.
    let cognito = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc";
    let settings = "quirks_on = [\"localhost-redirect\"]";
    let (_, next) = offered(settings, cognito, &pkce(true)).expect("an offer");
    let line = "quirks_on = [\"localhost-redirect\", \"cognito-pkce\"]";
    assert!(next.contains(line), "{next}");

    let error = doorkey_oauth::ProtocolError::new("invalid_target", None::<&str>, None::<&str>);
    let error = doorkey_oauth::Error::AuthorizationResponse(error);
    let authentik = "https://sso.company.example/application/o/mcp/";
    let (id, _) = offered("", authentik, &error).expect("an offer");
    assert_eq!(id, "authentik-resource");
    let error = doorkey_oauth::Error::TokenRejectedByResource {
        server: url::Url::parse(url).expect("a URL"),
        challenges: doorkey_oauth::Challenges::default(),
    };
    let (id, _) = offered("", cognito, &error).expect("an offer");
    assert_eq!(id, "id-token-as-bearer");
}

#[tokio::test]
async fn a_quirk_is_known_by_the_server_the_configured_issuer_and_the_stored_login() {
    let (_folder, bare) = host("", "https://mcp.example/mcp", "");
    assert!(states(&bare).await.is_empty());

    let (_folder, by_server) = host("", "https://bigquery.googleapis.com/mcp", "");
    let known = states(&by_server).await;
    assert_eq!(known.len(), 1, "{known:?}");
    assert_eq!(known[0].0, "google-cloud-servers");
    assert_eq!(known[0].2, "the server is *.googleapis.com");

    let configured = "oauth.issuer = \"https://tenant.eu.auth0.com\"";
    let (_folder, by_issuer) = host("", "https://mcp.example/mcp", configured);
    let known = states(&by_issuer).await;
    assert_eq!(known.len(), 1, "{known:?}");
    assert_eq!(known[0].0, "auth0-audience");
    assert_eq!(known[0].2, "the authorization server is *.auth0.com");

    let grant = Grant::new("https://tenant.auth0.com/", "client", "https://t.example/");
    let key = grant_key(bare.config().server("it").expect("a server"));
    let saved = bare.store().save_grant(&key, &grant, None).await;
    saved.expect("a store");
    assert_eq!(states(&bare).await[0].0, "auth0-audience");
    let status = bare.status("it").await.expect("a status");
    assert_eq!(status.quirks[0].id, "auth0-audience");
    assert_eq!(status.quirks[0].state, QuirkState::On);
    let shown = serde_json::to_value(&status.quirks[0]).expect("JSON");
    for field in ["id", "state", "what", "because", "source", "date", "from"] {
        assert!(!shown[field].is_null(), "{field} in {shown}");
    }
}

#[tokio::test]
async fn settings_switch_quirks_on_and_off_and_the_program_says_who_did() {
    let url = "https://mcp.example/mcp";
    let auth0 = "oauth.issuer = \"https://tenant.auth0.com\"\n";
    for (file, settings, state, because) in [
        ("", "quirks = false", QuirkState::Off, "quirks = false"),
        (
            "",
            "quirks_off = [\"auth0-audience\"]",
            QuirkState::Off,
            "quirks_off names it",
        ),
        (
            "[quirk.auth0-audience]\nenabled = false",
            "",
            QuirkState::Off,
            "quirks.toml has enabled = false",
        ),
        (
            "[quirk.auth0-audience]\nenabled = false",
            "quirks_on = [\"auth0-audience\"]",
            QuirkState::On,
            "quirks_on names it",
        ),
    ] {
        let (_folder, host) = host(file, url, &format!("{settings}\n{auth0}"));
        let known = states(&host).await;
        let expected = ("auth0-audience".to_owned(), state, because.to_owned());
        assert_eq!(known, [expected], "{file} {settings}");
        let server = host.config().server("it").expect("a server");
        let used = server.quirks.used.get("auth0-audience").is_some();
        assert_eq!(used, state == QuirkState::On, "{file} {settings}");
    }
}

#[tokio::test]
async fn what_a_person_has_to_choose_is_shown_and_not_used_until_then() {
    let url = "https://gateway.bedrock-agentcore.us-east-1.amazonaws.com/mcp";
    let (_folder, offered) = host("", url, "");
    let known = states(&offered).await;
    assert_eq!(known[0].0, "id-token-as-bearer");
    assert_eq!(known[0].1, QuirkState::ByChoice);
    let used = |host: &Host| {
        let server = host.config().server("it").expect("a server");
        server.quirks.used.get("id-token-as-bearer").cloned()
    };
    assert!(used(&offered).is_none());
    assert!(builtin_quirks().get("id-token-as-bearer").is_none());
    assert!(builtin_quirks().get("auth0-audience").is_some());

    let (_folder, chosen) = host("", url, "quirks_on = [\"id-token-as-bearer\"]");
    assert_eq!(states(&chosen).await[0].1, QuirkState::On);
    let used = used(&chosen).expect("it was chosen");
    assert_eq!(used.matches, [QuirkMatch::Always]);
}

#[tokio::test]
async fn a_rule_of_the_users_own_file_is_used_and_takes_the_place_of_one_of_its_name() {
    let own = "[quirk.auth0-audience]\nissuers = [\"login.company.example\"]\nwhat = \"It wants an audience.\"\naudience = \"resource\"\n\
               [quirk.mine]\nservers = [\"mcp.example\"]\nwhat = \"It takes no resource.\"\nresource = \"omit\"\n";
    let issuer = "oauth.issuer = \"https://login.company.example\"";
    let (folder, host) = host(own, "https://mcp.example/mcp", issuer);
    let quirks = host.quirks_of("it").await.expect("a server");
    let ids: Vec<_> = quirks.iter().map(|quirk| quirk.id.as_str()).collect();
    assert_eq!(ids, ["auth0-audience", "mine"]);
    let file = folder.path().join("quirks.toml");
    assert_eq!(quirks[0].from, file.display().to_string());
    let elsewhere = "oauth.issuer = \"https://tenant.auth0.com\"";
    let (_folder, host) = self::host(own, "https://other.example/mcp", elsewhere);
    assert!(states(&host).await.is_empty());
}

/// What stands before the line that is wrong, where that is written as `@`.
const HEAD: &str = "[quirk.mine]\nissuers = [\"login.example.com\"]\nwhat = \"It is odd.\"\n";

/// A file, the line that is told, what is said of it, and what the example begins with.
const WRONG: &[(&str, usize, &str, &str)] = &[
    (
        "[quirk.mine]\nresource = \"omit\"",
        2,
        "quirk.mine.what",
        "what = ",
    ),
    (
        "[quirk.Mine]\nenabled = false",
        2,
        "quirk.Mine: expected a name",
        "[quirk.my-server]",
    ),
    (
        "@resource = \"drop\"",
        4,
        "quirk.mine.resource: expected \"omit\"",
        "resource = ",
    ),
    (
        "@needs_scopes = 1",
        4,
        "quirk.mine.needs_scopes",
        "needs_scopes = ",
    ),
    (
        "@servers = [\"*.com\"]",
        4,
        "a host that says too little",
        "servers = ",
    ),
    (
        "@servers = [\"http://a.example\"]",
        4,
        "a URL that no token may go to",
        "servers = ",
    ),
    (
        "[quirk.mine]\nwhat = \"x\"\nresource = \"omit\"",
        2,
        "whom it is about",
        "issuers = ",
    ),
    ("@", 2, "at least one thing to do about it", "resource = "),
    (
        "@authorize_params = { state = \"x\" }",
        4,
        "\"state\"",
        "authorize_params = ",
    ),
    (
        "@redirect = { host = \"a.example\" }",
        4,
        "quirk.mine.redirect.host",
        "host = ",
    ),
    (
        "@redirect = { path = \"//a.example\" }",
        4,
        "quirk.mine.redirect.path",
        "path = ",
    ),
    (
        "@endpoints = { token = \"https://a.example/\" }",
        4,
        "quirk.mine.endpoints",
        "authorization = ",
    ),
    (
        "@explain.x = { next = \"y\" }",
        4,
        "quirk.mine.explain.x.means",
        "means = ",
    ),
    ("[quirk.mine", 1, "not valid TOML", ""),
];

#[test]
fn what_is_wrong_in_the_file_is_told_with_line_key_and_example() {
    for (text, line, told, example) in WRONG {
        let text = text.replace('@', HEAD);
        let problem = problem(&text);
        let place = format!("quirks.toml:{line}");
        assert!(problem.contains(&place), "{text}\n{problem}");
        assert!(problem.contains(told), "{text}\n{problem}");
        let last = problem.lines().last().unwrap_or_default();
        assert!(last.starts_with(example), "{text}\n{problem}");
    }
    let long = format!("{HEAD}bearer_name = \"{}\"", "x".repeat(2000));
    assert!(problem(&long).contains("at most 1000 bytes"));
    let many: String = (0..201)
        .map(|n| format!("[quirk.q{n}]\nenabled = false\n"))
        .collect();
    assert!(problem(&many).contains("at most 200 rules"));
}

#[test]
fn a_key_or_a_name_that_is_none_is_told_as_a_warning() {
    let (_folder, home) = home(
        "[quirk.mine]\nservers = [\"mcp.example\"]\nwhat = \"It is odd.\"\nresorce = \"omit\"\nneeds_scopes = true\n",
    );
    let text =
        "[mcp_servers.it]\nurl = \"https://mcp.example/mcp\"\nquirks_off = [\"auth0-audienc\"]\n";
    fs::write(home.config_file(), text).expect("a file");
    let config = Config::load(&home).expect("a configuration");
    let warnings: Vec<_> = config.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[0]
            .contains("quirks.toml:4: unknown key quirk.mine.resorce, did you mean `resource`?"),
        "{warnings:?}"
    );
    assert!(
        warnings[1].contains("quirks_off has no effect: there is no quirk \"auth0-audienc\""),
        "{warnings:?}"
    );
    let both = format!("{text}quirks_on = [\"auth0-audienc\"]");
    let error = Config::parse(&home, &both).expect_err("in both");
    assert!(
        error.to_string().contains("none that quirks_off names"),
        "{error}"
    );
}

/// An issuer or MCP server of each rule that is about somebody.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "entra-refresh-scopes",
        "https://login.microsoftonline.com/7f3c/v2.0",
    ),
    (
        "entra-needs-scopes",
        "https://login.microsoftonline.us/7f3c/v2.0",
    ),
    (
        "entra-pkce",
        "https://login.partner.microsoftonline.cn/7f3c/v2.0",
    ),
    ("auth0-audience", "https://tenant.eu.auth0.com/"),
    (
        "okta-registration",
        "https://company.okta.com/oauth2/default",
    ),
    (
        "keycloak-refusals",
        "https://sso.company.example/realms/work",
    ),
    (
        "keycloak-refusals",
        "https://sso.company.example/auth/realms/work",
    ),
    (
        "authentik-resource",
        "https://sso.company.example/application/o/mcp/",
    ),
    ("google-offline", "https://accounts.google.com"),
    ("google-scopes", "https://accounts.google.com/"),
    ("google-slash", "https://accounts.google.com/"),
    (
        "google-cloud-servers",
        "https://bigquery.googleapis.com/mcp",
    ),
    ("register-by-hand", "https://github.com/login/oauth"),
    (
        "register-by-hand",
        "https://account.eu-central-1.snowflakecomputing.com/oauth",
    ),
    ("github-answers", "https://github.com/login/oauth"),
    ("slack-redirect", "https://mcp.slack.com"),
    ("slack-answers", "https://slack.com"),
    ("slack-scopes", "https://mcp.slack.com"),
    ("slack-issuer", "https://mcp.slack.com"),
    ("atlassian-issuer", "https://mcp.atlassian.com"),
    ("meta-ads-issuer", "https://mcp.facebook.com/ads"),
    ("pagerduty-issuer", "https://mcp.pagerduty.com/"),
    ("context7-issuer", "https://context7.com"),
    ("zephyr-issuer", "https://app.tm4j.smartbear.com"),
    ("figma-approval", "https://mcp.figma.com/mcp"),
    (
        "snowflake-endpoints",
        "https://account.snowflakecomputing.com/api/v2/databases/d/schemas/s/mcp-servers/m",
    ),
    ("salesforce-localhost", "https://login.salesforce.com"),
    ("salesforce-pkce", "https://company.my.salesforce.com"),
    (
        "cognito-pkce",
        "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc",
    ),
    ("supabase-client", "https://mcp.supabase.com/mcp"),
    ("supabase-auth", "https://project.supabase.co/auth/v1"),
    ("home-assistant-documents", "https://abc.ui.nabu.casa"),
    (
        "id-token-as-bearer",
        "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc",
    ),
    (
        "localhost-redirect",
        "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc",
    ),
];

#[test]
fn every_rule_finds_whom_it_is_about_and_nobody_else() {
    let nobody = "https://as.example/tenant";
    for rule in QuirkRules::builtin().all() {
        let quirk = &rule.quirk;
        let matches = |address: &str| {
            let server = url::Url::parse(address).expect("a URL");
            quirk.reason(&server, Some(address)).cloned()
        };
        if quirk.matches == [QuirkMatch::Always] {
            continue;
        }
        assert_eq!(matches(nobody), None, "{}", quirk.id);
        let own = EXAMPLES.iter().filter(|(id, _)| *id == quirk.id);
        let found: Vec<_> = own.map(|(_, address)| matches(address)).collect();
        assert!(!found.is_empty(), "{} has no example", quirk.id);
        assert!(found.iter().all(Option::is_some), "{}", quirk.id);
    }
}

/// The page about quirks; absent where this crate is built on its own.
fn page() -> Option<String> {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/quirks.md")).ok()
}

/// The row of a rule in the table of the page.
fn row(rule: &Rule) -> String {
    let quirk = &rule.quirk;
    let whom: Vec<_> = quirk
        .matches
        .iter()
        .map(|matched| match matched {
            QuirkMatch::Issuer(pattern) => format!("`{pattern}`"),
            QuirkMatch::Server(pattern) => format!("server `{pattern}`"),
            _ => "anybody".to_owned(),
        })
        .collect();
    let choice = if rule.by_choice { " *By choice.*" } else { "" };
    format!(
        "| `{}` | {} | {}{choice} | {} | {} | {} |",
        quirk.id,
        whom.join(", "),
        quirk.what,
        page::does(quirk),
        quirk.source.join(", "),
        quirk.date,
    )
}

#[test]
fn the_table_of_the_page_is_made_of_the_rules() {
    let Some(page) = page() else {
        return;
    };
    let (_, rest) = page
        .split_once("<!-- begin: the rules -->")
        .expect("a table");
    let (table, _) = rest.split_once("<!-- end -->").expect("its end");
    let written: Vec<_> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let made: Vec<_> = QuirkRules::builtin().all().iter().map(row).collect();
    assert_eq!(written, made, "the rows should be:\n{}", made.join("\n"));
}

#[test]
fn the_example_of_the_page_is_read_and_every_key_is_on_it() {
    let Some(page) = page() else {
        return;
    };
    let example = page.split("```toml\n[quirk.").nth(1).expect("an example");
    let example = format!("[quirk.{}", example.split("```").next().unwrap_or_default());
    let (_folder, home) = home(&example);
    let rules = QuirkRules::load(&home).expect("the example");
    assert!(rules.warnings.is_empty(), "{:?}", rules.warnings);
    for key in page::KEYS {
        assert!(page.contains(&format!("| `{key}` |")), "{key}");
    }
}
