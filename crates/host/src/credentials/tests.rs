//! Secrets and keys from each of their places.

use std::error::Error as _;
use std::fs;

use doorkey_testkit::{SigningAlgorithm, SigningKey as Key};

use super::*;
use crate::{Config, Home};

fn found(environment: &Environment, lines: &str) -> Result<Credentials, Error> {
    let text = format!(
        "[mcp_servers.a]\nurl = \"https://mcp.example/mcp\"\n[mcp_servers.a.oauth]\n\
         client_id = \"i\"\n{lines}\n"
    );
    let config = Config::parse(&Home::at("/nonexistent"), &text).expect("a configuration");
    let server = &config.servers()[0];
    credentials(
        environment,
        server,
        Owner::Client,
        &server.oauth.credentials,
    )
}

fn told(error: &Error) -> String {
    let first: &(dyn std::error::Error + 'static) = error;
    let causes = std::iter::successors(Some(first), |&error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[test]
fn a_client_secret_is_read_from_where_the_configuration_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    fs::write(&file, "s3cret\n").expect("a file");
    let environment = Environment::new([("SECRET", "s3cret")]);
    for (text, is_there) in [
        ("client_secret = \"s3cret\"".to_owned(), true),
        ("client_secret_env = \"SECRET\"".to_owned(), true),
        (
            format!("client_secret_file = {:?}", file.display().to_string()),
            true,
        ),
        ("client_secret_env = \"UNSET\"".to_owned(), false),
        ("client_secret_file = \"/nonexistent\"".to_owned(), false),
    ] {
        let secret = found(&environment, &text)
            .ok()
            .and_then(|found| found.secret);
        let secret = secret.map(|secret| secret.expose_secret().to_owned());
        assert_eq!(secret, is_there.then(|| "s3cret".to_owned()), "{text}");
    }
}

#[test]
fn a_private_key_is_read_from_where_the_configuration_says() {
    let key = Key::generate(SigningAlgorithm::Es256).expect("a key");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key.pem");
    fs::write(&file, key.pem()).expect("a file");
    let environment = Environment::new([("KEY", key.pem())]);
    let path = file.display().to_string();
    for lines in [
        format!("private_key = '''\n{}'''", key.pem()),
        "private_key_env = \"KEY\"".to_owned(),
        format!("private_key_file = {path:?}"),
    ] {
        let lines = format!("{lines}\nprivate_key_id = \"2026\"");
        let found = found(&environment, &lines).expect("credentials");
        let key = found.signing_key.expect("a key");
        assert_eq!(key.id(), Some("2026"), "{lines}");
        assert_eq!(key.algorithms()[0].as_str(), "ES256");
    }
}

#[test]
fn a_key_that_cannot_sign_is_told_and_not_shown() {
    let environment = Environment::new([("KEY", "s3cret, no key")]);
    let Err(error) = found(&environment, "private_key_env = \"KEY\"") else {
        panic!("it is no key");
    };
    let told = told(&error);
    assert!(
        told.contains("neither a PEM") && told.contains("\"a\""),
        "{told}"
    );
    assert!(!told.contains("s3cret"), "{told}");
    assert!(error.source().is_some());
}
