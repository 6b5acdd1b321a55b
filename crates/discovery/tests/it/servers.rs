//! Several authorization servers in one list.

use doorkey_discovery::{Error, Issuer, MAX_REQUESTS};
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::world::{OAUTH, OPENID, PRM_AT_PATH, World, told};

/// Resource metadata that lists `/one`, `/two` and `/three`, of which those in `present` have
/// metadata.
async fn listing(present: &[&str]) -> World {
    let world = World::new().await;
    let issuers = ["/one", "/two", "/three"].map(|path| world.url(path));
    world
        .json(
            PRM_AT_PATH,
            &world.resource_document_for(&world.url("/mcp"), &issuers),
        )
        .await;
    for path in present {
        world
            .json(
                &format!("{OAUTH}{path}"),
                &world.server_document(&world.url(path)),
            )
            .await;
    }
    world
}

fn issuers(world: &World, paths: &[&str]) -> Vec<Issuer> {
    paths
        .iter()
        .map(|path| Issuer::new(world.url(path)))
        .collect()
}

#[tokio::test]
async fn the_list_order_decides_disc_14() {
    let world = listing(&["/one", "/two", "/three"]).await;
    assert_eq!(
        world.discover("").await.unwrap().server.issuer.as_str(),
        world.url("/one")
    );
    assert_eq!(world.asked().await.len(), 2);
}

#[tokio::test]
async fn a_server_we_already_know_comes_first_disc_14() {
    let mut world = listing(&["/one", "/two", "/three"]).await;
    world.options.prefer = issuers(&world, &["/elsewhere", "/three", "/two"]);
    assert_eq!(
        world.discover("").await.unwrap().server.issuer.as_str(),
        world.url("/three")
    );
    assert_eq!(
        world.asked().await,
        [PRM_AT_PATH, &format!("{OAUTH}/three")],
        "an unlisted one is not asked"
    );
}

#[tokio::test]
async fn the_host_may_restrict_the_list_disc_14() {
    let mut world = listing(&["/one", "/two", "/three"]).await;
    world.options.allowed = Some(issuers(&world, &["/two"]));
    world.options.prefer = issuers(&world, &["/three"]);
    assert_eq!(
        world.discover("").await.unwrap().server.issuer.as_str(),
        world.url("/two")
    );
    world.options.allowed = Some(issuers(&world, &["/two/"]));
    let before = world.asked().await.len();
    let error = world.discover("").await.unwrap_err();
    assert!(
        matches!(&error, Error::NoneAllowed { listed, .. } if listed.len() == 3),
        "{error}"
    );
    assert_eq!(world.asked().await[before..], [PRM_AT_PATH]);
}

#[tokio::test]
async fn a_server_without_metadata_or_in_trouble_is_passed_over_as_11_as_19() {
    let world = listing(&["/three"]).await;
    world.status(&format!("{OAUTH}/two"), 503).await;
    let found = world.discover("").await.unwrap();
    assert_eq!(found.server.issuer.as_str(), world.url("/three"));
    assert_eq!(world.asked().await.len(), 1 + 3 + 3 + 1);
}

#[tokio::test]
async fn credentials_bound_to_one_server_are_taken_to_no_other_as_19() {
    let mut world = listing(&["/two", "/three"]).await;
    world.options.allowed = Some(issuers(&world, &["/one"]));
    assert!(matches!(
        world.discover("").await,
        Err(Error::NotFound { .. })
    ));
    assert!(
        world
            .asked()
            .await
            .iter()
            .all(|path| !path.contains("two") && !path.contains("three"))
    );
}

#[tokio::test]
async fn an_unusable_entry_is_passed_over_and_listed_disc_15() {
    let world = World::new().await;
    let bad = [
        "http://as.example/".to_owned(),
        world.url("/x?y"),
        world.url("/x#y"),
        "as.example".to_owned(),
    ];
    let mut list = bad.to_vec();
    world
        .json(
            PRM_AT_PATH,
            &world.resource_document_for(&world.url("/mcp"), &list),
        )
        .await;
    let error = world.discover("").await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }) && !error.is_transient());
    assert_eq!(error.attempts().unwrap().iter().count(), bad.len());
    assert!(
        told(&error)
            .contains("\"http://as.example/\": it is neither https nor http on a loopback address"),
        "{}",
        told(&error)
    );
    assert_eq!(
        world.asked().await,
        [PRM_AT_PATH],
        "none of them was contacted"
    );
    list.push(world.url("/good"));
    world.server.reset().await;
    world
        .json(
            PRM_AT_PATH,
            &world.resource_document_for(&world.url("/mcp"), &list),
        )
        .await;
    world
        .json(
            &format!("{OAUTH}/good"),
            &world.server_document(&world.url("/good")),
        )
        .await;
    assert_eq!(
        world.discover("").await.unwrap().server.issuer.as_str(),
        world.url("/good")
    );
}

#[tokio::test]
async fn a_server_that_lies_or_is_broken_ends_the_search_as_09_as_12() {
    let world = listing(&["/two"]).await;
    world
        .json(
            &format!("{OAUTH}/one"),
            &world.server_document("https://attacker.example.com"),
        )
        .await;
    assert!(matches!(
        world.discover("").await,
        Err(Error::IssuerMismatch { .. })
    ));
    let world = listing(&["/two"]).await;
    let mut document = world.server_document(&world.url("/one"));
    document["token_endpoint"] = json!(null);
    world.json(&format!("{OAUTH}/one"), &document).await;
    assert!(matches!(
        world.discover("").await,
        Err(Error::Invalid { .. })
    ));
    assert!(!world.asked().await.contains(&format!("{OAUTH}/two")));
}

#[tokio::test]
async fn when_all_fail_every_place_of_every_server_is_told_as_13() {
    let world = listing(&[]).await;
    world.status(&format!("{OPENID}/two"), 502).await;
    let error = world.discover("").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }) && error.is_transient());
    assert_eq!(error.attempts().unwrap().iter().count(), 9);
    let lead = format!(
        "authorization server metadata could not be fetched: {}: HTTP 502; ",
        world.url(&format!("{OPENID}/two"))
    );
    assert!(told(&error).starts_with(&lead), "{}", told(&error));
}

#[tokio::test]
async fn a_repeated_entry_is_asked_once_and_an_endless_list_ends_with_the_limit_told_sec_12() {
    let world = World::new().await;
    let mut list = vec![world.url("/same"); 100];
    list.extend((0..900).map(|index| world.url(&format!("/as{index}"))));
    world
        .json(
            PRM_AT_PATH,
            &world.resource_document_for(&world.url("/mcp"), &list),
        )
        .await;
    world
        .answer_everything_else(ResponseTemplate::new(404))
        .await;
    let error = world.discover("").await.unwrap_err();
    assert_eq!(world.asked().await.len(), MAX_REQUESTS);
    let asked = world.asked().await;
    let same = asked.iter().filter(|path| path.contains("/same"));
    assert_eq!(same.count(), 3, "{asked:?}");
    assert!(!error.is_transient());
    let told = told(&error);
    assert!(
        told.contains("not asked, as discovery ends after 16 requests"),
        "{told}"
    );
}

#[tokio::test]
async fn servers_without_a_place_are_counted_as_well_and_told_once_each_sec_12() {
    let world = World::new().await;
    let list: Vec<_> = (0..1000).map(|n| format!("ftp://as{n}.example")).collect();
    world
        .json(
            PRM_AT_PATH,
            &world.resource_document_for(&world.url("/mcp"), &list),
        )
        .await;
    let error = world.discover("").await.unwrap_err();
    assert_eq!(error.attempts().unwrap().iter().count(), 8 + 1);
    assert!(told(&error).len() < 4000, "{}", told(&error));
}

#[tokio::test]
async fn a_list_of_thousands_of_servers_is_refused_before_one_of_them_is_asked_sec_12() {
    let world = World::new().await;
    let list: Vec<_> = (0..4000).map(|n| format!("/{n}")).collect();
    world
        .json(
            PRM_AT_PATH,
            &world.resource_document_for(&world.url("/mcp"), &list),
        )
        .await;
    let error = world.discover("").await.unwrap_err();
    assert_eq!(world.asked().await, [PRM_AT_PATH]);
    let told = told(&error);
    assert!(
        told.ends_with("`authorization_servers` has more than 1000 entries"),
        "{told}"
    );
}

#[tokio::test]
async fn a_resource_missing_from_the_servers_own_list_is_no_error_as_23() {
    let world = World::new().await;
    world.json(PRM_AT_PATH, &world.resource_document()).await;
    let mut document = world.server_document(&world.origin());
    document["protected_resources"] = json!(["https://other.example"]);
    world.json(OAUTH, &document).await;
    assert!(world.discover("").await.is_ok());
}
