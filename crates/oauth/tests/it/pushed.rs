//! Pushed authorization requests (RFC 9126): sent where they are taken, and no hindrance elsewhere.

use doorkey_discovery::Issuer;
use doorkey_oauth::{ClientChoice, Error};
use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, ClientAuthMethod, Document, Fault, FaultRule,
    Leg, McpServer, PushedRequests, SigningAlgorithm, StaticClient,
};
use serde_json::json;

use crate::keys::Pair;
use crate::referee::{Person, Referee, login};

fn auth(rule: PushedRequests) -> AuthorizationServerBuilder {
    AuthorizationServer::builder().pushed_requests(rule)
}

async fn referee(rule: PushedRequests) -> Referee {
    Referee::with(auth(rule), McpServer::builder()).await
}

#[tokio::test]
async fn where_requests_can_be_pushed_the_browser_carries_a_reference_alone_as_22() {
    for rule in [PushedRequests::Offered, PushedRequests::Required] {
        let referee = referee(rule).await;
        let tokens = referee.source(referee.config());
        login(&referee, &tokens, &Person::at(3118)).await.unwrap();
        referee.calls(&tokens).await;
        referee.spotless();

        let pushed = referee.recorder.of(Leg::PushedAuthorization);
        assert_eq!(pushed.len(), 1, "{rule:?}");
        for name in [
            "client_id",
            "redirect_uri",
            "state",
            "code_challenge",
            "response_type",
        ] {
            assert_eq!(pushed[0].form(name).len(), 1, "{name}");
        }
        assert_eq!(pushed[0].form("resource"), [referee.mcp.url()]);
        let page = referee.recorder.of(Leg::Authorization).pop().unwrap();
        let url = url::Url::parse(&page.url).unwrap();
        let names: Vec<_> = url
            .query_pairs()
            .map(|(name, _)| name.into_owned())
            .collect();
        assert_eq!(names, ["client_id", "request_uri"]);
    }
}

#[tokio::test]
async fn a_pushed_request_is_authenticated_as_a_token_request_is() {
    let pair = Pair::es256();
    let redirect = "http://127.0.0.1:3118/callback";
    let clients = [
        StaticClient::confidential("c", "s", ClientAuthMethod::Basic),
        StaticClient::confidential("c", "s", ClientAuthMethod::Post),
        StaticClient::with_key("c", &pair.public),
    ];
    for client in clients {
        let key = (client.secret.is_none()).then(|| pair.key());
        let secret = client.secret.clone().map(Into::into);
        let auth = auth(PushedRequests::Required)
            .private_key_jwt([SigningAlgorithm::Es256])
            .static_client(client.redirect_uri(redirect));
        let referee = Referee::with(auth, McpServer::builder()).await;
        let mut config = referee.config();
        config.client = ClientChoice::Static {
            client_id: "c".to_owned(),
            client_secret: secret,
            signing_key: key,
            issuer: Some(Issuer::new(referee.auth.issuer())),
            auth_method: None,
        };
        let tokens = referee.source(config);
        let outcome = login(&referee, &tokens, &Person::at(3118)).await;
        if let Err(error) = outcome {
            // A wrong guess between Basic and Post is mended by the second request alone.
            panic!("{error}: {:?}", referee.auth.refusals());
        }
        referee.calls(&tokens).await;
    }
}

#[tokio::test]
async fn an_offer_that_fails_is_done_without_as_22() {
    let faults = [
        Fault::status(404),
        Fault::status(500),
        Fault::Html,
        Fault::json(201, &json!({ "expires_in": 60 })),
        Fault::oauth_error(400, "invalid_request", "no"),
    ];
    for fault in faults {
        let referee = referee(PushedRequests::Offered).await;
        let shown = format!("{fault:?}");
        let rule = FaultRule::on(Leg::PushedAuthorization).respond(fault);
        referee.auth.fault(rule);
        let tokens = referee.source(referee.config());
        let report = login(&referee, &tokens, &Person::at(3118)).await;
        assert!(report.is_ok(), "{shown}: {report:?}");
        let page = referee.recorder.of(Leg::Authorization).pop().unwrap();
        assert_eq!(page.query("resource"), [referee.mcp.url()], "{shown}");
    }
}

#[tokio::test]
async fn a_demand_that_cannot_be_met_ends_the_login_before_a_page_opens_as_22() {
    let cases = [
        (Fault::status(500), "500"),
        (Fault::json(201, &json!({})), "request_uri"),
        (
            Fault::oauth_error(400, "invalid_scope", "no such scope"),
            "invalid_scope",
        ),
    ];
    for (fault, word) in cases {
        let referee = referee(PushedRequests::Required).await;
        let rule = FaultRule::on(Leg::PushedAuthorization).respond(fault);
        referee.auth.fault(rule);
        let tokens = referee.source(referee.config());
        let error = login(&referee, &tokens, &Person::at(3118))
            .await
            .unwrap_err();
        let told = error.to_string();
        assert!(told.contains(word) && told.contains("/par"), "{told}");
        assert_eq!(referee.recorder.count(Leg::Authorization), 0);
    }

    let referee = referee(PushedRequests::Required).await;
    let member = "pushed_authorization_request_endpoint";
    referee
        .auth
        .set_field(Document::Metadata, member, json!(null));
    let tokens = referee.source(referee.config());
    let error = login(&referee, &tokens, &Person::at(3118))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::UnsupportedServer { member: named, .. } if named == member));
}

#[tokio::test]
async fn a_client_that_is_gone_is_found_out_by_pushing_and_registers_anew_reg_23() {
    for rule in [PushedRequests::Offered, PushedRequests::Required] {
        let referee = referee(rule).await;
        let tokens = referee.source(referee.config());
        let person = Person::at(3118);
        login(&referee, &tokens, &person).await.unwrap();
        referee.auth.forget_clients();
        let report = login(&referee, &tokens, &person).await.unwrap();
        assert!(report.registered, "{rule:?}");
        assert_eq!(
            referee.recorder.count(Leg::Authorization),
            2,
            "no page was opened in vain"
        );
        referee.calls(&tokens).await;
    }
}
