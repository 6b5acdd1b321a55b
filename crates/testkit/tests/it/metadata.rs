//! Both metadata documents, wherever they are.

use doorkey_testkit::{
    AuthorizationServer, Client, Document, McpServer, MetadataKind, Prm, ResourceIdentifier,
};
use serde_json::{Value, json};

use crate::support::World;

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";
const PRM: &str = "/.well-known/oauth-protected-resource";

#[tokio::test]
async fn authorization_server_metadata_is_where_it_is_said_to_be_and_nowhere_else() {
    let places = |path: &str| {
        [
            format!("{OAUTH}{path}"),
            format!("{OPENID}{path}"),
            format!("{path}{OPENID}"),
        ]
    };
    let table = [
        (MetadataKind::OAuth, [true, false, false]),
        (MetadataKind::OpenId, [false, true, false]),
        (MetadataKind::OpenIdAppended, [false, false, true]),
        (MetadataKind::Both, [true, true, true]),
        (MetadataKind::None, [false, false, false]),
    ];
    let client = Client::new();
    for (kind, present) in table {
        let auth = AuthorizationServer::builder()
            .metadata(kind)
            .issuer_path("/tenant1");
        let auth = auth.start().await.unwrap();
        for (place, present) in places("/tenant1").into_iter().zip(present) {
            let reply = client.get(&format!("{}{place}", auth.url())).await.unwrap();
            assert_eq!(reply.status == 200, present, "{kind:?} {place}");
            if present {
                assert_eq!(reply.json()["issuer"], auth.issuer());
            }
        }
        for place in [OAUTH, OPENID] {
            let reply = client.get(&format!("{}{place}", auth.url())).await.unwrap();
            assert_eq!(reply.status, 404, "{kind:?} {place}");
        }
    }
}

#[tokio::test]
async fn members_can_be_set_and_removed_before_and_after_the_start() {
    let auth = AuthorizationServer::builder()
        .field(
            Document::Metadata,
            "issuer",
            json!("https://attacker.example"),
        )
        .field(Document::Metadata, "token_endpoint", Value::Null);
    let auth = auth.start().await.unwrap();
    let url = format!("{}{OAUTH}", auth.url());
    let document = Client::new().get(&url).await.unwrap().json();
    assert_eq!(document["issuer"], "https://attacker.example");
    assert!(document.get("token_endpoint").is_none());
    auth.set_field(Document::Metadata, "token_endpoint", json!(7));
    let document = Client::new().get(&url).await.unwrap().json();
    assert_eq!(document["token_endpoint"], 7);
}

#[tokio::test]
async fn resource_metadata_is_where_it_is_said_to_be_and_the_challenge_knows() {
    let table = [
        (
            Prm::Challenge,
            Some("/.well-known/oauth-protected-resource/mcp"),
            true,
        ),
        (
            Prm::PathWellKnown,
            Some("/.well-known/oauth-protected-resource/mcp"),
            false,
        ),
        (Prm::RootWellKnown, Some(PRM), false),
        (
            Prm::Custom("/custom/place.json".into()),
            Some("/custom/place.json"),
            true,
        ),
        (Prm::None, None, false),
    ];
    for (prm, place, named) in table {
        let mcp = McpServer::builder().resource_metadata(prm.clone());
        let world = World::with(AuthorizationServer::builder(), mcp).await;
        let refused = world
            .post(&world.mcp.url(), None, &json!({ "method": "x" }))
            .await;
        assert_eq!(refused.status, 401);
        let challenge = refused.header("www-authenticate").unwrap();
        assert_eq!(
            challenge.contains("resource_metadata="),
            named,
            "{prm:?}: {challenge}"
        );
        for candidate in [
            PRM,
            "/.well-known/oauth-protected-resource/mcp",
            "/custom/place.json",
        ] {
            let url = format!("{}{candidate}", world.mcp.origin());
            let reply = world.client.get(&url).await.unwrap();
            assert_eq!(
                reply.status == 200,
                Some(candidate) == place,
                "{prm:?} {candidate}"
            );
            if reply.status == 200 {
                assert_eq!(reply.json()["resource"], world.mcp.resource(), "{prm:?}");
                assert_eq!(
                    reply.json()["authorization_servers"],
                    json!([world.auth.issuer()])
                );
            }
        }
    }
}

#[tokio::test]
async fn the_server_can_call_itself_anything() {
    let origin = |o: &str| o.to_owned();
    let urn = "urn:example:mcp".to_owned();
    let evil = "https://evil.example/mcp".to_owned();
    type Named = (ResourceIdentifier, fn(&str) -> String, bool);
    let table: [Named; 5] = [
        (
            ResourceIdentifier::OwnUrlWithSlash,
            |o| format!("{o}/mcp/"),
            true,
        ),
        (ResourceIdentifier::Origin, origin, true),
        (
            ResourceIdentifier::OriginWithSlash,
            |o| format!("{o}/"),
            true,
        ),
        (
            ResourceIdentifier::Exactly(urn),
            |_| "urn:example:mcp".into(),
            true,
        ),
        (
            ResourceIdentifier::Foreign(evil),
            |_| "https://evil.example/mcp".into(),
            false,
        ),
    ];
    for (identifier, published, accepted) in table {
        let mcp = McpServer::builder().resource(identifier.clone());
        let world = World::with(AuthorizationServer::builder(), mcp).await;
        let url = format!("{}{PRM}/mcp", world.mcp.origin());
        let document = world.client.get(&url).await.unwrap().json();
        let published = published(world.mcp.origin());
        assert_eq!(document["resource"], published, "{identifier:?}");
        assert_eq!(
            world.mcp.resource() == published,
            accepted,
            "{identifier:?}"
        );
    }
}

#[tokio::test]
async fn a_server_of_2025_03_26_is_its_own_authorization_server() {
    let mcp = McpServer::builder()
        .resource_metadata(Prm::None)
        .same_origin_authorization(true);
    let world = World::with(AuthorizationServer::builder(), mcp).await;
    let url = format!("{}{OAUTH}", world.mcp.origin());
    let document = world.client.get(&url).await.unwrap().json();
    assert_eq!(document["issuer"], world.mcp.origin());
    let token = format!("{}/token", world.mcp.origin());
    assert_eq!(document["token_endpoint"], token);
    let reply = world.client.post_form(&token, &[]).await.unwrap();
    assert_eq!(reply.status, 400);
}
