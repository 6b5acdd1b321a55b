//! The document that a client is known by.

use doorkey_testkit::{SigningAlgorithm, SigningKey};

use super::*;

const URL: &str = "https://example.com/oauth/client.json";

#[test]
fn the_document_is_data_and_what_to_do_with_it_a_message_reg_09() {
    let scene = Scene::new(ONE);
    let ran = scene
        .run(&["client-metadata", URL])
        .expect(0, &["publish this", "callback_port"]);
    let document = ran.json();
    assert_eq!(document["client_id"], URL);
    assert_eq!(document["client_name"], "doorkey");
    assert_eq!(document["token_endpoint_auth_method"], "none");
    assert_eq!(
        document["redirect_uris"],
        json!(["http://127.0.0.1/callback"])
    );

    let given = ["http://localhost:3118/callback", "https://cb.example/back"];
    let arguments = [
        "client-metadata",
        URL,
        "--redirect-uri",
        given[0],
        "--redirect-uri",
        given[1],
    ];
    let document = scene.run(&arguments).expect(0, &[]).json();
    assert_eq!(document["redirect_uris"], json!(given));
}

#[test]
fn a_key_is_published_by_its_public_half_and_no_secret_is_reg_10() {
    let key = SigningKey::generate(SigningAlgorithm::EdDsa).unwrap();
    let config = format!(
        "[mcp_servers.one]\nurl = \"https://one.example/mcp\"\n[mcp_servers.one.oauth]\n\
         client_id = \"{URL}\"\nprivate_key_file = \"key.pem\"\nclient_secret = \"s3cret\"\n"
    );
    let scene = Scene::new(&config);
    fs::write(scene.folder.path().join("key.pem"), key.pem()).unwrap();
    let ran = scene.run(&["client-metadata", URL]).expect(0, &[]);
    assert!(
        !ran.out.contains("s3cret") && !ran.out.contains("PRIVATE"),
        "{}",
        ran.out
    );
    let document = ran.json();
    assert_eq!(document["token_endpoint_auth_method"], "private_key_jwt");
    let published = &document["jwks"]["keys"][0];
    assert_eq!(published["crv"], "Ed25519");
    assert_eq!(published["x"], key.public_key().jwk()["x"]);
    assert_eq!(published.get("d"), None);
    for name in ["client_secret", "private_key"] {
        assert_eq!(document.get(name), None);
    }
}

#[test]
fn a_url_that_no_client_may_have_is_refused_as_it_is_written_reg_08() {
    let scene = Scene::new("");
    for (url, said) in [
        ("https://example.com/a/../client.json", "`.` or `..`"),
        ("https://example.com/./client.json", "`.` or `..`"),
        ("https://example.com/", "without a path"),
        ("https://example.com/a#b", "fragment"),
        ("https://me:pass@example.com/a", "user name"),
        ("http://127.0.0.1/client.json", "scheme"),
        ("client.json", "no URL"),
    ] {
        scene.run(&["client-metadata", url]).expect(2, &[said]);
        let config = format!(
            "[mcp_servers.one]\nurl = \"https://one.example\"\n[mcp_servers.one.oauth]\n\
             client_metadata_url = \"{url}\"\n"
        );
        Scene::new(&config)
            .run(&["list", "--table"])
            .expect(9, &["client_metadata_url", said]);
    }
    for uri in [
        "http://example.com/cb",
        "javascript:alert(1)",
        "https://a.example/#b",
    ] {
        scene
            .run(&["client-metadata", URL, "--redirect-uri", uri])
            .expect(2, &[]);
    }
}
