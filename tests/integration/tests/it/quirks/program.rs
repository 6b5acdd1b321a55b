//! Rules through the program: what it shows, what switches them, and a rule of the user's own.

use doorkey_testkit::{AuthorizationServerBuilder, Document, Fault, FaultRule, Leg, Oddity};
use integration::{Home, World};
use serde_json::{Value, json};

use super::Odd;

/// A rule of the user's own about the world's servers.
fn own(world: &World, effects: &str) -> String {
    let place = world.auth.issuer();
    let place = place.trim_start_matches("https://");
    format!(
        "[quirk.mine]\nissuers = [{place:?}]\nwhat = \"It is a test.\"\nsource = [\"me\"]\n{effects}\n"
    )
}

/// The rules of the one server of a list, each with whether it is used.
fn listed(list: &Value) -> Vec<(String, String)> {
    let quirks = list[0]["quirks"].as_array().expect("rules");
    let word = |quirk: &Value, key: &str| quirk[key].as_str().expect("a word").to_owned();
    let one = |quirk| (word(quirk, "id"), word(quirk, "state"));
    quirks.iter().map(one).collect()
}

#[tokio::test]
async fn a_login_that_needs_a_rule_is_made_by_the_program_and_the_rule_is_shown() {
    for (id, oddity) in [
        ("slack-answers", Oddity::NestedAnswers),
        ("github-answers", Oddity::FormAnswers),
        (
            "auth0-audience",
            Oddity::AudienceParameter("nobody".to_owned()),
        ),
    ] {
        let odd = Odd::new(id, |auth| auth.odd(oddity), |mcp| mcp).await;
        let without = odd.without().run(&["login", Home::SERVER]).await;
        assert_ne!(without.code, 0, "{without}");
        let home = odd.with_rule();
        home.run(&["login", Home::SERVER]).await.succeeded();
        home.run(&["tools", Home::SERVER]).await.succeeded();
        let list = home.run(&["list", "--json"]).await.succeeded().json();
        let shown = [(id.to_owned(), "on".to_owned())];
        assert_eq!(listed(&list), shown, "{list}");
        let get = home
            .run(&["get", Home::SERVER, "--table"])
            .await
            .succeeded();
        assert!(get.stdout.contains(id), "{get}");
        assert!(get.stdout.contains("quirks_on names it"), "{get}");
    }
}

#[tokio::test]
async fn a_rule_of_the_users_own_holds_by_its_pattern_and_can_be_switched_off() {
    let world = World::with(|auth| auth, |mcp| mcp).await;
    let home = Home::new(&world, "");
    let rule = own(
        &world,
        "token_params = { tenant = \"seven\" }\nauthorize_params = { tenant = \"six\" }",
    );
    home.write("quirks.toml", rule.as_bytes());
    home.run(&["login", Home::SERVER]).await.succeeded();
    home.expire().await;
    home.run(&["tools", Home::SERVER]).await.succeeded();
    let sent = world.recorder.of(Leg::Token);
    assert_eq!(sent.len(), 2, "an exchange and a refresh");
    for request in sent {
        assert_eq!(request.form("tenant"), ["seven"]);
    }
    let page = &world.recorder.of(Leg::Authorization)[0];
    assert_eq!(page.query("tenant"), ["six"]);
    for (settings, state) in [
        ("", "on"),
        ("quirks_off = [\"mine\"]", "off"),
        ("quirks = false", "off"),
    ] {
        home.configure(settings);
        world.recorder.clear();
        home.run(&["login", Home::SERVER]).await.succeeded();
        let is_sent = world.recorder.of(Leg::Token)[0].form("tenant") == ["seven"];
        assert_eq!(is_sent, state == "on", "{settings}");
        let list = home.run(&["list", "--json"]).await.succeeded().json();
        let shown = [("mine".to_owned(), state.to_owned())];
        assert_eq!(listed(&list), shown, "{list}");
    }
}

#[tokio::test]
async fn a_refusal_that_is_known_is_explained_with_what_to_do() {
    let world = World::new().await;
    let said =
        "AADSTS9010010: The resource parameter provided doesn't match with the requested scopes.";
    let fault = Fault::oauth_error(400, "invalid_request", said);
    world.auth.fault(FaultRule::on(Leg::Token).respond(fault));
    let home = Home::new(&world, "");
    let run = home.run(&["login", Home::SERVER]).await;
    assert_ne!(run.code, 0, "{run}");
    assert!(
        run.stderr.contains("known: Entra ID finds that `resource` and the scopes are not about the same application. (quirk entra-refusals)"),
        "{run}"
    );
    assert!(
        run.stderr
            .contains("or write oauth_resource = \"omit\"; then doorkey login it"),
        "{run}"
    );
    let run = home.run(&["tools", Home::SERVER, "--json"]).await;
    assert_ne!(run.code, 0, "{run}");

    home.configure("quirks = false");
    let run = home.run(&["login", Home::SERVER]).await;
    assert!(!run.stderr.contains("known:"), "{run}");
}

#[tokio::test]
async fn a_rule_that_has_to_be_chosen_is_offered_by_name_where_it_would_have_helped_as_20() {
    let member = "code_challenge_methods_supported";
    for (methods, offered) in [(json!(null), true), (json!(["plain"]), false)] {
        let silent = |auth: AuthorizationServerBuilder| {
            auth.field(Document::Metadata, member, methods.clone())
        };
        let world = World::with(silent, |mcp| mcp).await;
        let home = Home::new(&world, "");
        let rule = own(&world, "by_choice = true\nassume_pkce = true");
        let rule = rule.replace("quirk.mine", "quirk.entra-pkce");
        home.write("quirks.toml", rule.as_bytes());
        let run = home.run(&["login", Home::SERVER]).await;
        assert_ne!(run.code, 0, "{run}");
        assert!(run.stderr.contains("error[pkce-unsupported]"), "{run}");
        let next =
            "next: write quirks_on = [\"entra-pkce\"] in [mcp_servers.it]; then doorkey login it";
        assert_eq!(run.stderr.contains(next), offered, "{run}");
        let known = "The rule about that is off until you choose it. (quirk entra-pkce)";
        assert_eq!(run.stderr.contains(known), offered, "{run}");
        assert_eq!(world.person.pages_opened(), 0);

        let doctor = home.run(&["doctor", Home::SERVER, "--json"]).await.json();
        let findings = doctor["findings"].as_array().expect("findings");
        let finding = findings.iter().find(|it| it["id"] == "no-pkce");
        let finding = finding.expect("the fault");
        let line = "[mcp_servers.it]\nquirks_on = [\"entra-pkce\"]";
        assert_eq!(finding["quirk"] == "entra-pkce", offered, "{finding}");
        assert_eq!(finding["mend"]["config"] == line, offered, "{finding}");

        home.configure("quirks_on = [\"entra-pkce\"]");
        let run = home.run(&["login", Home::SERVER]).await;
        assert_eq!(run.code == 0, offered, "{run}");
        // Nothing more is offered where choosing it was not enough.
        assert!(!run.stderr.contains("quirks_on"), "{run}");
    }
}

#[tokio::test]
async fn plain_words_at_the_registration_are_explained() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let rule = own(
        &world,
        "explain.Forbidden.means = \"It has not approved this program.\"",
    );
    home.write("quirks.toml", rule.as_bytes());
    let fault = Fault::Status(403, Vec::new(), "Forbidden".to_owned());
    world
        .auth
        .fault(FaultRule::on(Leg::Registration).respond(fault));
    let run = home.run(&["login", Home::SERVER]).await;
    assert!(run.stderr.contains("Forbidden"), "{run}");
    assert!(
        run.stderr
            .contains("known: It has not approved this program. (quirk mine)"),
        "{run}"
    );
    // There is nothing better to do than what the failure itself calls for.
    assert!(run.stderr.contains("client_id"), "{run}");
}

#[tokio::test]
async fn a_file_of_rules_that_is_wrong_is_told_with_its_line() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    home.write("quirks.toml", b"[quirk.mine]\nissuers = [\"*\"]\n");
    let run = home.run(&["list"]).await.ended_with(9);
    assert!(run.stderr.contains("quirks.toml:"), "{run}");
    assert!(run.stderr.contains("write what = "), "{run}");
}
