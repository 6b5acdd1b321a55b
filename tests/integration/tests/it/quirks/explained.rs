//! Refusals in a vendor's own words.

use std::{sync::Arc, time::Duration};

use doorkey::{Browser, Error, LoopbackInteraction, Silent};
use doorkey_oauth::{Challenges, Effect, Explanation, QuirkMatch};
use doorkey_store::Store;
use doorkey_testkit::{Fault, FaultRule, Leg, Oddity};
use integration::{Home, World};
use serde_json::json;

use super::{Odd, rule};

/// The explanations of a rule.
fn explanations(id: &str) -> Vec<Explanation> {
    let effects = rule(id).effects.into_iter();
    let explained = effects.filter_map(|effect| match effect {
        Effect::Explain(explanation) => Some(explanation),
        _ => None,
    });
    explained.collect()
}

/// Signs in on that home and returns the error, with what is known of it.
async fn known(odd: &Odd, home: &Home) -> (Error, Option<(String, String)>) {
    let host = home.host();
    let person = odd.world.person.interaction();
    let outcome = host.login(Home::SERVER, person, &Silent).await;
    let error = outcome.expect_err("a refusal");
    let known = host.explanation(Home::SERVER, &error);
    (error, known.map(|known| (known.quirk, known.means)))
}

/// Whether a rule explains the refusal that the server makes at this moment, and nobody does without it.
async fn check(odd: &Odd, expected: &Explanation) {
    let (error, unknown) = known(odd, &odd.without()).await;
    assert_eq!(unknown, None, "{error}");
    let (error, known) = known(odd, &odd.with_rule()).await;
    let expected = Some((odd.id.to_owned(), expected.means.clone()));
    assert_eq!(known, expected, "{}: {}", odd.id, super::told(&error));
}

#[tokio::test]
async fn what_a_token_endpoint_says_is_explained() {
    for id in ["entra-refusals", "github-answers", "keycloak-refusals"] {
        for expected in explanations(id) {
            if expected.text == "Trusted Hosts" {
                continue;
            }
            let odd = Odd::new(id, |auth| auth, |mcp| mcp).await;
            let text = expected.text.as_str();
            let is_code = text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let fault = match is_code {
                true => Fault::oauth_error(200, text, "it does not say more"),
                false => Fault::oauth_error(400, "invalid_request", &format!("{text}: and so on")),
            };
            odd.world
                .auth
                .fault(FaultRule::on(Leg::Token).respond(fault));
            check(&odd, &expected).await;
        }
    }
}

#[tokio::test]
async fn what_a_registration_endpoint_says_is_explained() {
    let plain = |text: &str| {
        let header = ("content-type".to_owned(), "application/json".to_owned());
        Fault::Status(403, vec![header], text.to_owned())
    };
    let trusted_hosts = "Policy 'Trusted Hosts' rejected request to client-registration service.";
    let keycloak = json!({ "error": "insufficient_scope", "error_description": trusted_hosts });
    let okta = |code: &str| json!({ "errorCode": code, "errorSummary": "Invalid session" });
    for (id, text, fault) in [
        ("figma-approval", "Forbidden", plain("Forbidden")),
        (
            "keycloak-refusals",
            "Trusted Hosts",
            Fault::json(403, &keycloak),
        ),
        (
            "okta-refusals",
            "E0000005",
            Fault::json(401, &okta("E0000005")),
        ),
        (
            "okta-refusals",
            "E0000006",
            Fault::json(403, &okta("E0000006")),
        ),
        (
            "okta-refusals",
            "E0000011",
            Fault::json(401, &okta("E0000011")),
        ),
    ] {
        let odd = Odd::new(id, |auth| auth, |mcp| mcp).await;
        odd.world
            .auth
            .fault(FaultRule::on(Leg::Registration).respond(fault));
        let all = explanations(id);
        let expected = all.iter().find(|explanation| explanation.text == text);
        check(&odd, expected.expect(text)).await;
        assert_eq!(odd.world.person.pages_opened(), 0);
    }
}

#[tokio::test]
async fn a_token_that_the_server_does_not_take_is_explained() {
    let odd = Odd::new(
        "supabase-auth",
        |auth| auth.odd(Oddity::AudienceParameter("authenticated".to_owned())),
        |mcp| mcp,
    )
    .await;
    check(&odd, &explanations("supabase-auth")[0]).await;
}

#[tokio::test]
async fn a_login_that_nobody_completes_is_explained_where_the_server_says_why_in_the_browser_alone()
{
    let mut quirk = rule("supabase-client");
    quirk.matches = vec![QuirkMatch::Always];
    let world = World::new().await;
    let tokens = world.tokens(&Store::memory(), |config| {
        config.quirks = [quirk].into_iter().collect();
        config.interaction_limit = Duration::from_secs(1);
    });
    let tokens = tokens.build();
    let nobody = LoopbackInteraction::new(Browser::Manual, Arc::new(Silent));
    let login = tokens.login(&Challenges::default(), Arc::new(nobody)).await;
    let error = login.expect_err("nobody is there");
    let known = tokens.explain(&error).expect("it is known");
    assert_eq!(known.means, explanations("supabase-client")[0].means);
}

#[test]
fn every_explanation_is_among_those_that_are_tested() {
    let tested: usize = [
        ("entra-refusals", 6),
        ("github-answers", 2),
        ("keycloak-refusals", 2),
        ("supabase-client", 1),
        ("figma-approval", 1),
        ("okta-refusals", 3),
        ("supabase-auth", 1),
    ]
    .into_iter()
    .inspect(|(id, count)| assert_eq!(explanations(id).len(), *count, "{id}"))
    .map(|(_, count)| count)
    .sum();
    let all = doorkey::builtin_quirks();
    let all = all.iter().flat_map(|quirk| &quirk.effects);
    let explained = all.filter(|effect| matches!(effect, Effect::Explain(_)));
    assert_eq!(explained.count(), tested);
}
