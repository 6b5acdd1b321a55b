//! DPoP from the challenge to the refresh, before servers that judge every proof (RFC 9449).

use std::sync::Arc;
use std::time::Duration;

use doorkey_http::Body;
use doorkey_oauth::{AuthorizationConfig, DpopChoice, Error, LoginReason, NextStep, TokenType};
use doorkey_store::Proof;
use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, Dpop, DpopNonces, Fault, FaultRule, Leg,
    McpServer, McpServerBuilder, SigningAlgorithm,
};
use http::{Method, Request, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _};

use crate::referee::{Person, Referee, login};

fn auth() -> AuthorizationServerBuilder {
    AuthorizationServer::builder().dpop(Dpop::Supported)
}

fn mcp() -> McpServerBuilder {
    McpServer::builder().dpop(Dpop::Required)
}

/// Signed in, with nothing that a server had to refuse.
async fn signed_in(referee: &Referee) -> doorkey_oauth::TokenSource {
    let tokens = referee.source(referee.config());
    let report = login(referee, &tokens, &Person::at(3118)).await.unwrap();
    assert_eq!(report.token_type, TokenType::Dpop);
    assert!(tokens.is_bound().await);
    let later = referee.source(referee.config());
    assert!(
        later.is_bound().await,
        "another process knows it from the store"
    );
    referee.spotless();
    tokens
}

fn claims(jwt: &str) -> (Value, Value) {
    use base64::Engine as _;
    let part = |index: usize| {
        let text = jwt.split('.').nth(index).unwrap();
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text);
        serde_json::from_slice(&bytes.unwrap()).unwrap()
    };
    (part(0), part(1))
}

#[tokio::test]
async fn a_challenge_for_dpop_alone_gives_a_bound_token_and_a_proof_each_time_dp_01_dp_05_dp_07_dp_08_dp_09()
 {
    let referee = Referee::with(auth(), mcp()).await;
    let tokens = signed_in(&referee).await;
    referee.calls(&tokens).await;
    referee.calls(&tokens).await;

    let exchange = referee.tokens().pop().unwrap();
    let (header, proof) = claims(exchange.header("dpop").unwrap());
    assert_eq!(header["alg"], "ES256");
    assert_eq!(proof["htm"], "POST");
    assert_eq!(proof.get("ath"), None);
    let calls = referee.recorder.of(Leg::Resource);
    let proofs: Vec<_> = calls
        .iter()
        .filter_map(|call| call.header("dpop"))
        .collect();
    assert_eq!(proofs.len(), 2);
    assert_ne!(claims(proofs[0]).1["jti"], claims(proofs[1]).1["jti"]);
    assert!(claims(proofs[0]).1["ath"].is_string());
    for call in calls.iter().filter(|call| call.header("dpop").is_some()) {
        let scheme = call.header("authorization").unwrap();
        assert!(scheme.starts_with("DPoP "), "{scheme}");
    }
    let grant = referee.grant().await.value;
    let token = grant.access_token.unwrap();
    let facts = referee.auth.inspect(token.expose_secret()).unwrap();
    let authorization = referee.recorder.of(Leg::Authorization).pop().unwrap();
    assert_eq!(authorization.query("dpop_jkt"), [facts.thumbprint.unwrap()]);
}

#[tokio::test]
async fn what_the_resource_metadata_requires_is_done_without_a_dpop_challenge_dp_01_disc_23() {
    let mcp = mcp().challenges(["Bearer resource_metadata=\"{resource_metadata}\""]);
    let referee = Referee::with(auth(), mcp).await;
    let tokens = signed_in(&referee).await;
    referee.calls(&tokens).await;
}

#[tokio::test]
async fn get_and_delete_carry_a_proof_of_their_own_dp_06_dp_10_use_01() {
    let referee = Referee::with(auth(), mcp()).await;
    let tokens = signed_in(&referee).await;
    for method in [Method::GET, Method::DELETE] {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method.clone();
        *request.uri_mut() = format!("{}?session=1", referee.mcp.url()).parse().unwrap();
        let profile = doorkey_http::HttpProfile::new(referee.server());
        let http = doorkey_http::HttpClient::new(&profile).unwrap();
        let service = doorkey_oauth::AuthorizationLayer::new(tokens.clone()).layer(http);
        let answer = service.oneshot(request).await.unwrap();
        assert_ne!(answer.status(), StatusCode::UNAUTHORIZED, "{method}");
        let seen = referee.recorder.of(Leg::Resource).pop().unwrap();
        assert_eq!(seen.headers.get_all("dpop").iter().count(), 1);
        let (_, proof) = claims(seen.header("dpop").unwrap());
        assert_eq!(proof["htm"], method.as_str());
        assert_eq!(proof["htu"], referee.mcp.url());
    }
    let refusals = referee.mcp.refusals();
    let unauthorized = refusals.iter().filter(|why| why.starts_with("401"));
    assert_eq!(unauthorized.count(), 1, "the first alone, without a token");
}

#[tokio::test]
async fn nonces_of_both_servers_are_answered_without_another_login_dp_11_dp_12_dp_13_dp_14_ch_09() {
    for nonces in [DpopNonces::OnChallenge, DpopNonces::OnEveryAnswer] {
        let referee = Referee::with(auth().dpop_nonces(nonces), mcp().dpop_nonces(nonces)).await;
        let person = Person::at(3118);
        let tokens = referee.source(referee.config());
        login(&referee, &tokens, &person).await.unwrap();
        let exchanges = referee.tokens();
        assert_eq!(exchanges.len(), 2, "once without and once with a nonce");
        assert_eq!(exchanges[0].form("code"), exchanges[1].form("code"));
        for _ in 0..3 {
            referee.calls(&tokens).await;
        }
        assert_eq!(referee.mcp.nonce_challenges(), 1, "{nonces:?}");
        referee.mcp.rotate_nonces();
        referee.calls(&tokens).await;
        assert_eq!(referee.mcp.nonce_challenges(), 2, "{nonces:?}");

        // Each server gets its own.
        let nonce_of = |request: &doorkey_testkit::RecordedRequest| {
            claims(request.header("dpop").unwrap()).1["nonce"].clone()
        };
        let last = referee.recorder.of(Leg::Resource).pop().unwrap();
        assert_ne!(nonce_of(&exchanges[1]), nonce_of(&last));
        assert_eq!(person.asked(), 1);
        assert_eq!(referee.recorder.count(Leg::Authorization), 1);
        assert_eq!(referee.recorder.count(Leg::ResourceMetadata), 1);
    }
}

#[tokio::test]
async fn a_server_that_never_is_content_with_a_nonce_is_asked_three_times_dp_15() {
    let referee = Referee::with(auth(), mcp()).await;
    let tokens = signed_in(&referee).await;
    referee.recorder.clear();
    let headers = [
        ("www-authenticate", "DPoP error=\"use_dpop_nonce\""),
        ("dpop-nonce", "again"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let challenge = Fault::Status(401, headers.to_vec(), String::new());
    referee
        .mcp
        .fault(FaultRule::on(Leg::Resource).respond(challenge));
    let error = referee.call(&tokens).await.unwrap_err();
    assert!(matches!(error, Error::DpopProofRejected { .. }), "{error}");
    assert_eq!(referee.recorder.count(Leg::Resource), 3);
    assert_eq!(referee.recorder.count(Leg::Token), 0);
    assert_eq!(referee.recorder.count(Leg::ResourceMetadata), 0);
}

#[tokio::test]
async fn a_refused_proof_is_told_with_the_clock_in_mind_and_sent_once_dp_17() {
    let referee = Referee::with(auth(), mcp()).await;
    let tokens = signed_in(&referee).await;
    referee.recorder.clear();
    // The server's clock runs ten minutes ahead of ours.
    referee.mcp.advance(Duration::from_secs(600));
    let error = referee.call(&tokens).await.unwrap_err();
    assert!(matches!(error, Error::DpopProofRejected { .. }), "{error}");
    assert_eq!(error.next_step(), Some(NextStep::CheckClock));
    assert!(!error.needs_login() && !error.is_transient());
    assert_eq!(referee.recorder.count(Leg::Resource), 1);

    // At the authorization server as well.
    let referee = Referee::with(auth(), mcp()).await;
    referee.auth.advance(Duration::from_secs(600));
    let tokens = referee.source(referee.config());
    let error = login(&referee, &tokens, &Person::at(3118))
        .await
        .unwrap_err();
    assert_eq!(error.next_step(), Some(NextStep::CheckClock), "{error}");
    assert_eq!(referee.tokens().len(), 1);
}

#[tokio::test]
async fn a_later_process_refreshes_with_the_key_of_the_login_ref_14_dp_08_dp_18() {
    let referee = Referee::with(auth().dpop_nonces(true), mcp()).await;
    drop(signed_in_with_nonces(&referee).await);
    let key = referee.grant().await.value.dpop_key.unwrap();
    referee.advance(Duration::from_secs(3600));
    let later = referee.source(referee.config());
    referee.calls(&later).await;
    assert_eq!(referee.auth.refreshes(), 1);
    let grant = referee.grant().await.value;
    assert_eq!(grant.dpop_key.unwrap().expose_secret(), key.expose_secret());
    assert_eq!(grant.token_type, "DPoP");
}

async fn signed_in_with_nonces(referee: &Referee) -> doorkey_oauth::TokenSource {
    let tokens = referee.source(referee.config());
    login(referee, &tokens, &Person::at(3118)).await.unwrap();
    tokens
}

#[tokio::test]
async fn another_login_keeps_the_key_of_the_server_and_a_lost_key_needs_one_dp_18_st_10() {
    let referee = Referee::with(auth(), mcp()).await;
    let tokens = signed_in(&referee).await;
    let key = referee.grant().await.value.dpop_key.unwrap();
    assert!(!format!("{:?}", referee.grant().await).contains("PRIVATE KEY"));
    login(&referee, &tokens, &Person::at(3118)).await.unwrap();
    let stored = referee.grant().await;
    let kept = stored.value.dpop_key.clone().unwrap();
    assert_eq!(kept.expose_secret(), key.expose_secret());

    let mut broken = stored.value.clone();
    broken.dpop_key = Some("-----BEGIN PRIVATE KEY-----\nAA==\n".into());
    let grant_key = referee.config().grant_key();
    let generation = Some(stored.generation);
    let saved = referee.store.save_grant(&grant_key, &broken, generation);
    saved.await.unwrap();
    let later = referee.source(referee.config());
    let error = referee.call(&later).await.unwrap_err();
    assert!(
        matches!(
            &error,
            Error::LoginRequired {
                reason: LoginReason::DpopKeyLost,
                ..
            }
        ),
        "{error}"
    );
    login(&referee, &later, &Person::at(3118)).await.unwrap();
    referee.calls(&later).await;
}

#[tokio::test]
async fn a_bearer_token_in_answer_to_a_proof_is_refused_where_dpop_is_asked_for_dp_16() {
    for choice in [DpopChoice::Auto, DpopChoice::Prefer, DpopChoice::Require] {
        let auth = AuthorizationServer::builder().dpop(Dpop::Ignored);
        let referee = Referee::with(auth, mcp()).await;
        let tokens = referee.source(choosing(&referee, choice));
        let error = login(&referee, &tokens, &Person::at(3118))
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::TokenNotBound { .. }),
            "{choice:?}: {error}"
        );
        let stored = referee.store.grant(&referee.config().grant_key()).await;
        assert!(stored.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_downgrade_at_a_refresh_is_refused_and_costs_no_login_dp_16() {
    let referee = Referee::with(auth(), mcp()).await;
    let tokens = signed_in(&referee).await;
    referee.advance(Duration::from_secs(3600));
    referee.auth.set_dpop(Dpop::Ignored);
    let error = referee.call(&tokens).await.unwrap_err();
    assert!(matches!(error, Error::TokenNotBound { .. }), "{error}");
    let grant = referee.grant().await.value;
    assert_eq!(grant.token_type, "DPoP");
    assert_eq!(grant.proof, Proof::Unproven);
    referee.auth.set_dpop(Dpop::Supported);
    referee.advance(Duration::from_secs(120));
    referee.calls(&tokens).await;
}

fn choosing(referee: &Referee, choice: DpopChoice) -> AuthorizationConfig {
    let mut config = referee.config();
    config.dpop = choice;
    config
}

#[tokio::test]
async fn what_the_user_chose_is_weighed_against_what_servers_say_dp_01_disc_23() {
    use DpopChoice::{Auto, Off, Prefer, Require};
    // the user, the authorization server, the resource → the type of token, or the word in the error
    let cases = [
        (Auto, Dpop::Supported, Dpop::Off, Ok(TokenType::Bearer)),
        (Prefer, Dpop::Supported, Dpop::Off, Ok(TokenType::Dpop)),
        (Prefer, Dpop::Off, Dpop::Off, Ok(TokenType::Bearer)),
        (Prefer, Dpop::Ignored, Dpop::Off, Ok(TokenType::Bearer)),
        (Require, Dpop::Supported, Dpop::Off, Ok(TokenType::Dpop)),
        (Require, Dpop::Off, Dpop::Off, Err("bearer token")),
        (Off, Dpop::Supported, Dpop::Off, Ok(TokenType::Bearer)),
        (
            Off,
            Dpop::Supported,
            Dpop::Required,
            Err("`dpop` is wrong: it is off"),
        ),
        (Auto, Dpop::Off, Dpop::Required, Err("is missing")),
    ];
    for (choice, of_auth, of_mcp, expected) in cases {
        let auth = AuthorizationServer::builder().dpop(of_auth);
        // Such a resource takes bound tokens as well.
        let of_mcp = match of_mcp {
            Dpop::Off => Dpop::Supported,
            other => other,
        };
        let mcp = McpServer::builder().dpop(of_mcp);
        let referee = Referee::with(auth, mcp).await;
        let tokens = referee.source(choosing(&referee, choice));
        let person = Person::at(3118);
        let outcome = login(&referee, &tokens, &person).await;
        match (outcome, expected) {
            (Ok(report), Ok(kind)) => {
                assert_eq!(report.token_type, kind, "{choice:?} {of_auth:?}");
                referee.calls(&tokens).await;
            }
            (Err(error), Err(word)) => assert!(error.to_string().contains(word), "{error}"),
            (outcome, expected) => panic!("{choice:?} {of_auth:?}: {outcome:?}, not {expected:?}"),
        }
        let refused = matches!(expected, Err(word) if word != "bearer token");
        assert_eq!(person.asked(), usize::from(!refused));
    }
}

#[tokio::test]
async fn servers_that_want_another_algorithm_are_told_from_those_that_want_ours_dp_01_dp_02() {
    let eddsa = [SigningAlgorithm::EdDsa];
    let cases = [
        (auth().dpop_algorithms(eddsa), mcp(), false),
        (auth(), mcp().dpop_algorithms(eddsa), false),
        (
            auth(),
            mcp().metadata_field("dpop_signing_alg_values_supported", json!(["EdDSA"])),
            false,
        ),
        (
            auth(),
            mcp().challenges(["DPoP algs=\"PS256\", resource_metadata=\"{resource_metadata}\""]),
            false,
        ),
        (auth(), mcp(), true),
    ];
    for (auth, mcp, works) in cases {
        let referee = Referee::with(auth, mcp).await;
        let tokens = referee.source(referee.config());
        let person = Person::at(3118);
        let outcome = login(&referee, &tokens, &person).await;
        assert_eq!(outcome.is_ok(), works);
        if let Err(error) = outcome {
            assert!(error.to_string().contains("ES256"), "{error}");
            assert_eq!(person.asked(), 0, "before anybody is asked");
        }
    }
}

#[tokio::test]
async fn all_other_rules_hold_with_dpop_too_dp_20() {
    let referee = Referee::with(auth(), mcp().required_scopes(["mcp:read"])).await;
    let person = Person::at(3118);
    let tokens = referee.attended(referee.config(), &person);
    referee.calls(&tokens).await;
    // A step-up and a refresh keep resource, key and scopes.
    referee.mcp.set_required_scopes(["mcp:read", "mcp:write"]);
    referee.calls(&tokens).await;
    referee.advance(Duration::from_secs(3600));
    referee.calls(&tokens).await;
    assert_eq!(person.asked(), 2);
    let requests = referee.tokens();
    let resources: Vec<_> = requests
        .iter()
        .map(|request| request.form("resource"))
        .collect();
    assert_eq!(resources, vec![vec![referee.mcp.url()]; 3]);
    referee.spotless();
}

#[tokio::test]
async fn concurrent_requests_each_have_a_proof_of_their_own_dp_10() {
    let referee = Arc::new(Referee::with(auth(), mcp().dpop_nonces(DpopNonces::OnChallenge)).await);
    let tokens = signed_in(&referee).await;
    let calls = (0..16).map(|_| referee.calls(&tokens));
    futures_util::future::join_all(calls).await;
    let seen = referee.recorder.of(Leg::Resource);
    let mut ids: Vec<_> = seen
        .iter()
        .filter_map(|request| request.header("dpop"))
        .map(|proof| claims(proof).1["jti"].to_string())
        .collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[tokio::test]
async fn a_proof_that_is_refused_at_a_refresh_is_told_with_the_clock_in_mind_dp_17() {
    let referee = Referee::with(auth(), mcp()).await;
    let tokens = signed_in(&referee).await;
    referee.clock.advance(Duration::from_secs(3600));
    let error = referee.call(&tokens).await.unwrap_err();
    assert_eq!(error.next_step(), Some(NextStep::CheckClock), "{error}");
    assert!(!error.is_transient() && !error.needs_login());
    assert!(referee.grant().await.value.refresh_token.is_some());
    // Once the clocks agree again, it works.
    referee.auth.advance(Duration::from_secs(3600));
    referee.mcp.advance(Duration::from_secs(3600));
    referee.clock.advance(Duration::from_secs(120));
    referee.calls(&tokens).await;
}
