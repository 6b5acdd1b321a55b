//! What a refusal is called and what it calls for, wherever it comes from.

use doorkey_discovery::Scopes;
use doorkey_http::{Leg, RedactedUrl};
use http::StatusCode;
use url::Url;

use super::{Error, NextStep};
use crate::protocol_error::ProtocolError;

fn at_token_endpoint(code: &str) -> Error {
    let url = Url::parse("https://as.example/token").unwrap();
    Error::TokenEndpoint {
        leg: Leg::Token,
        url: RedactedUrl::from(&url),
        status: StatusCode::BAD_REQUEST,
        error: ProtocolError::new(code, None, None),
        retry_after: None,
    }
}

fn at_authorization(code: &str) -> Error {
    Error::AuthorizationResponse(ProtocolError::new(code, None, None))
}

#[test]
fn a_refusal_has_one_name_and_one_next_step_wherever_it_comes_from() {
    let scopes = || NextStep::CheckScope {
        required: Scopes::default(),
    };
    for (code, kind, step) in [
        ("invalid_client", "client-refused", NextStep::CheckClient),
        (
            "unauthorized_client",
            "client-refused",
            NextStep::CheckClient,
        ),
        ("invalid_scope", "scope-refused", scopes()),
        (
            "invalid_target",
            "resource-refused",
            NextStep::CheckResource,
        ),
        ("access_denied", "login-denied", NextStep::Login),
        ("login_required", "login-denied", NextStep::Login),
        ("consent_required", "login-denied", NextStep::Login),
        ("interaction_required", "login-denied", NextStep::Login),
        (
            "account_selection_required",
            "login-denied",
            NextStep::Login,
        ),
    ] {
        for error in [at_authorization(code), at_token_endpoint(code)] {
            assert_eq!(error.kind(), kind, "{error}");
            assert_eq!(error.next_step(), Some(step.clone()), "{error}");
        }
    }
}

#[test]
fn a_refusal_that_only_one_of_them_knows_keeps_the_name_of_its_place() {
    let tell = |origin: &str| {
        Some(NextStep::TellOperator {
            origin: origin.to_owned(),
        })
    };
    let operator = tell("https://as.example");
    for (code, kind, step) in [
        ("invalid_grant", "grant-refused", Some(NextStep::Login)),
        (
            "invalid_dpop_proof",
            "dpop-proof-rejected",
            Some(NextStep::CheckClock),
        ),
        ("invalid_request", "token-request-refused", operator.clone()),
        ("unsupported_grant_type", "token-request-refused", operator),
    ] {
        let error = at_token_endpoint(code);
        assert_eq!((error.kind(), error.next_step()), (kind, step), "{error}");
    }
    for code in ["invalid_request", "unsupported_response_type", "nonsense"] {
        assert_eq!(
            at_authorization(code).kind(),
            "authorization-refused",
            "{code}"
        );
    }
    for error in [at_authorization, at_token_endpoint].map(|at| at("temporarily_unavailable")) {
        assert_eq!(error.kind(), "authorization-server-unavailable", "{error}");
        assert_eq!(error.next_step(), Some(NextStep::Retry { after: None }));
    }
}
