//! Endpoints that the configuration names, for servers that publish no metadata at all: through every leg.

use std::time::Duration;

use doorkey_discovery::{AuthorizationServerMetadata, ConfiguredServer, Issuer};
use doorkey_oauth::{
    AuthorizationConfig, Challenges, Error, Flow, LogoutOptions, ResourceChoice, StepOutcome,
};
use doorkey_testkit::{
    AuthorizationServer, Browser, DeviceGrant, Leg, McpServer, MetadataKind, Prm, PushedRequests,
};

use crate::referee::{Person, Referee, login};

/// Two servers that say nothing of each other.
async fn silent(pushed: PushedRequests) -> Referee {
    let auth = AuthorizationServer::builder()
        .metadata(MetadataKind::None)
        .device_grant(DeviceGrant::new().interval(Duration::from_secs(1)))
        .pushed_requests(pushed);
    let mcp = McpServer::builder().resource_metadata(Prm::None);
    Referee::with(auth, mcp).await
}

fn config(referee: &Referee) -> AuthorizationConfig {
    let mut metadata = AuthorizationServerMetadata::new(Issuer::new(referee.auth.issuer()));
    let at = |path: &str| Some(format!("{}{path}", referee.auth.url()).parse().unwrap());
    metadata.authorization_endpoint = at("/authorize");
    metadata.token_endpoint = at("/token");
    metadata.registration_endpoint = at("/register");
    metadata.revocation_endpoint = at("/revoke");
    metadata.device_authorization_endpoint = at("/device_authorization");
    metadata.pushed_authorization_request_endpoint = at("/par");
    metadata.code_challenge_methods_supported = Some(vec!["S256".to_owned()]);
    let mut config = referee.config();
    config.discovery.authorization_server = Some(ConfiguredServer::Metadata(Box::new(metadata)));
    // What the server is called nobody publishes.
    config.resource = ResourceChoice::Value(referee.mcp.resource().to_owned());
    config
}

/// Neither server was asked for a document of the authorization server.
fn assert_no_metadata(referee: &Referee) {
    assert_eq!(referee.recorder.count(Leg::AuthorizationServerMetadata), 0);
}

#[tokio::test]
async fn a_server_without_any_metadata_is_signed_in_to_refreshed_and_revoked_disc_25() {
    for pushed in [PushedRequests::Off, PushedRequests::Required] {
        let referee = silent(pushed).await;
        let mut config = config(&referee);
        if pushed == PushedRequests::Off
            && let Some(ConfiguredServer::Metadata(metadata)) =
                &mut config.discovery.authorization_server
        {
            metadata.pushed_authorization_request_endpoint = None;
        }
        let tokens = referee.source(config.clone());
        let report = login(&referee, &tokens, &Person::at(3118)).await.unwrap();
        assert_eq!(report.issuer.as_str(), referee.auth.issuer());
        referee.calls(&tokens).await;
        // A later process refreshes with what the grant says.
        referee.advance(Duration::from_secs(3600));
        let later = referee.source(config);
        referee.calls(&later).await;
        assert_eq!(referee.auth.refreshes(), 1);
        // A token that is refused before its time leads to a refresh, too: nobody names another server.
        referee.auth.expire_access_tokens();
        referee.calls(&later).await;
        assert_eq!(referee.auth.refreshes(), 2);
        let report = later.logout(LogoutOptions::default()).await.unwrap();
        for step in [&report.revoked_refresh, &report.revoked_access] {
            assert!(matches!(step, StepOutcome::Done), "{report:?}");
        }
        assert_eq!(referee.recorder.count(Leg::Revocation), 2);
        assert_no_metadata(&referee);
        referee.spotless();
    }
}

#[tokio::test]
async fn it_is_signed_in_to_by_device_and_in_two_halves_as_well_disc_25_dev_01() {
    let referee = silent(PushedRequests::Offered).await;
    let mut by_device = config(&referee);
    by_device.flow = Flow::Device;
    let (person, mut prompts) = Person::with_codes(3118);
    let tokens = referee.source(by_device);
    let deciding = async {
        let prompt = prompts.recv().await.unwrap();
        assert!(referee.auth.approve_device(&prompt.user_code));
    };
    let (outcome, ()) = tokio::join!(login(&referee, &tokens, &person), deciding);
    outcome.unwrap();
    referee.calls(&tokens).await;

    let nothing = Challenges::default();
    let first = referee.source(config(&referee));
    let started = first.start_login(&nothing, None).await.unwrap();
    let browser = Browser::new().stop_before_callback();
    let visit = browser.open(started.url.as_str()).await.unwrap();
    let second = referee.source(config(&referee));
    second.finish_login(&visit.callback).await.unwrap();
    referee.calls(&second).await;
    assert_no_metadata(&referee);
    referee.spotless();
}

#[tokio::test]
async fn an_endpoint_that_is_not_configured_is_told_by_its_name_disc_25() {
    let referee = silent(PushedRequests::Off).await;
    for (flow, missing) in [
        (Flow::AuthorizationCode, "authorization_endpoint"),
        (Flow::Device, "device_authorization_endpoint"),
        (Flow::AuthorizationCode, "token_endpoint"),
    ] {
        let mut config = config(&referee);
        config.flow = flow;
        if let Some(ConfiguredServer::Metadata(metadata)) =
            &mut config.discovery.authorization_server
        {
            match missing {
                "token_endpoint" => metadata.token_endpoint = None,
                "authorization_endpoint" => metadata.authorization_endpoint = None,
                _ => metadata.device_authorization_endpoint = None,
            }
        }
        let tokens = referee.source(config);
        let error = login(&referee, &tokens, &Person::at(3118))
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::UnsupportedServer { member, .. } if member == missing),
            "{missing}: {error}"
        );
    }
}
