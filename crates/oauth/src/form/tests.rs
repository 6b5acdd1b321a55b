//! The form and the ways of client authentication.

use super::*;
use crate::client::ClientOrigin;

fn client(id: &str, secret: Option<&str>, method: ClientAuthMethod) -> Client {
    Client {
        id: id.to_owned(),
        secret: secret.map(SecretString::from),
        secret_expires_at: None,
        method,
        key: None,
        algorithm: None,
        audience: String::from("https://as.example"),
        sticks: false,
        origin: ClientOrigin::Granted,
        learned_at: None,
    }
}

fn parts(
    client: &Client,
    form: Form,
    endpoint: &str,
) -> (Vec<(String, String)>, Option<String>, String) {
    let endpoint = Url::parse(endpoint).unwrap();
    let request = form
        .request(&endpoint, Leg::Token, client, client.method)
        .unwrap();
    let authorization = request
        .headers()
        .get(AUTHORIZATION)
        .map(|value| value.to_str().unwrap().to_owned());
    let target = request.uri().to_string();
    let body = request.body().as_bytes().unwrap();
    let pairs = form_urlencoded::parse(body).into_owned().collect();
    (pairs, authorization, target)
}

fn code_form() -> Form {
    Form::authorization_code(
        &SecretString::from("the code"),
        "http://127.0.0.1:1/cb",
        &SecretString::from("verifier"),
    )
    .resource(Some("https://mcp.example"))
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = pairs.iter().filter(|(n, _)| n == name);
    let value = found.next().map(|(_, value)| value.as_str());
    assert!(found.next().is_none(), "{name} occurs twice");
    value
}

#[test]
fn a_form_is_made_in_one_piece_so_that_no_copy_of_it_stays_behind() {
    // The worst case of the encoding, which makes three bytes of each.
    for text in ["\u{0}\u{1}&=", "a b", &"\u{e9}".repeat(500)] {
        let form = Form::refresh_token(&SecretString::from(text));
        let encoded: usize = form
            .parameters
            .iter()
            .map(|(name, value)| {
                let encode = |text: &str| {
                    form_urlencoded::byte_serialize(text.as_bytes())
                        .map(str::len)
                        .sum::<usize>()
                };
                encode(name) + encode(value.expose_secret()) + 2
            })
            .sum();
        assert!(encoded - 1 <= form.room(), "{text:?}");
        let body = form.body();
        assert_eq!(body.as_bytes().unwrap().len(), encoded - 1);
    }
}

#[test]
fn a_public_client_names_itself_in_the_body_only_tok_02_tok_08() {
    // A secret that was issued all the same is not sent.
    let client = client("c 1", Some("issued"), ClientAuthMethod::None);
    let (pairs, authorization, _) = parts(&client, code_form(), "https://as.example/token");
    assert_eq!(authorization, None);
    assert_eq!(value(&pairs, "grant_type"), Some("authorization_code"));
    assert_eq!(value(&pairs, "code"), Some("the code"));
    assert_eq!(value(&pairs, "redirect_uri"), Some("http://127.0.0.1:1/cb"));
    assert_eq!(value(&pairs, "code_verifier"), Some("verifier"));
    assert_eq!(value(&pairs, "resource"), Some("https://mcp.example"));
    assert_eq!(value(&pairs, "client_id"), Some("c 1"));
    assert_eq!(value(&pairs, "client_secret"), None);
}

#[test]
fn basic_form_encodes_both_parts_and_leaves_the_body_alone_tok_06() {
    let client = client("id:1", Some("a b+c%"), ClientAuthMethod::Basic);
    let (pairs, authorization, _) = parts(&client, code_form(), "https://as.example/token");
    let expected = format!("Basic {}", STANDARD.encode("id%3A1:a+b%2Bc%25"));
    assert_eq!(authorization.as_deref(), Some(expected.as_str()));
    assert_eq!(value(&pairs, "client_id"), None);
    assert_eq!(value(&pairs, "client_secret"), None);
}

#[test]
fn post_puts_both_in_the_body_and_nothing_in_the_header_tok_07() {
    let client = client("id", Some("s&s"), ClientAuthMethod::Post);
    let (pairs, authorization, target) = parts(&client, code_form(), "https://as.example/token");
    assert_eq!(authorization, None);
    assert_eq!(value(&pairs, "client_id"), Some("id"));
    assert_eq!(value(&pairs, "client_secret"), Some("s&s"));
    assert_eq!(target, "https://as.example/token");
}

#[test]
fn a_resource_in_the_endpoint_is_not_sent_beside_ours_tok_03() {
    let client = client("id", None, ClientAuthMethod::None);
    let endpoint = "https://as.example/token?v=1&resource=x";
    let (pairs, _, target) = parts(&client, code_form(), endpoint);
    assert_eq!(target, "https://as.example/token?v=1");
    assert_eq!(value(&pairs, "resource"), Some("https://mcp.example"));
    let omitted = Form::refresh_token(&SecretString::from("r")).resource(None);
    let (pairs, _, target) = parts(&client, omitted, endpoint);
    assert_eq!(target, "https://as.example/token?v=1");
    assert_eq!(value(&pairs, "resource"), None);
}

#[test]
fn the_request_says_what_it_is_tok_01() {
    let client = client("id", None, ClientAuthMethod::None);
    let endpoint = Url::parse("https://as.example/token").unwrap();
    let request = code_form()
        .request(&endpoint, Leg::Token, &client, client.method)
        .unwrap();
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.headers()[ACCEPT], "application/json");
    assert_eq!(
        request.headers()[CONTENT_TYPE],
        "application/x-www-form-urlencoded"
    );
}

#[test]
fn no_form_goes_over_an_open_wire_sec_01() {
    let client = client("id", None, ClientAuthMethod::None);
    let endpoint = Url::parse("http://as.example/token").unwrap();
    let refused = code_form().request(&endpoint, Leg::Token, &client, client.method);
    assert!(matches!(refused, Err(Error::Endpoint { .. })));
}

#[test]
fn neither_form_nor_client_shows_a_secret_in_debug() {
    let client = client("id", Some("sentinel-secret"), ClientAuthMethod::Post);
    let text = format!("{:?} {client:?}", code_form());
    assert!(
        !text.contains("sentinel-secret") && !text.contains("the code"),
        "{text}"
    );
}
