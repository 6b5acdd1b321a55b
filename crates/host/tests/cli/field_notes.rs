//! What users of such programs complained of not being told, told: the first cause, the server's own words, and what to do.

use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

/// A server that wants a login and is its own authorization server, but for what a test changes.
struct Field {
    server: MockServer,
}

impl Field {
    async fn start() -> Self {
        let field = Self {
            server: MockServer::start().await,
        };
        let metadata = field.at("/.well-known/oauth-protected-resource/mcp");
        let challenge = format!("Bearer resource_metadata=\"{metadata}\"");
        let challenge = ResponseTemplate::new(401).insert_header("www-authenticate", challenge);
        field.answer("POST", "/mcp", challenge).await
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.server.uri())
    }

    async fn answer(self, verb: &str, at: &str, response: ResponseTemplate) -> Self {
        let mock = Mock::given(method(verb))
            .and(path(at))
            .respond_with(response);
        mock.mount(&self.server).await;
        self
    }

    /// Good metadata on both sides.
    async fn with_metadata(self) -> Self {
        let issuer = self.server.uri();
        let resource = json!({
            "resource": self.at("/mcp"),
            "authorization_servers": [&issuer],
        });
        let server = json!({
            "issuer": &issuer,
            "authorization_endpoint": self.at("/authorize"),
            "token_endpoint": self.at("/token"),
            "registration_endpoint": self.at("/register"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "none"],
        });
        let document = |value: Value| ResponseTemplate::new(200).set_body_json(value);
        self.answer(
            "GET",
            "/.well-known/oauth-protected-resource/mcp",
            document(resource),
        )
        .await
        .answer(
            "GET",
            "/.well-known/oauth-authorization-server",
            document(server),
        )
        .await
    }

    fn scene(&self, settings: &str) -> Scene {
        let url = self.at("/mcp");
        Scene::new(&format!("[mcp_servers.one]\nurl = \"{url}\"\n{settings}"))
    }

    /// The program's own credentials, so that a token is asked for without a person.
    fn unattended(&self) -> Scene {
        let issuer = self.server.uri();
        self.scene(&format!(
            "[mcp_servers.one.oauth]\nflow = \"client_credentials\"\nclient_id = \"me\"\n\
             client_secret = \"s3cret\"\nissuer = \"{issuer}\"\n"
        ))
    }
}

/// NousResearch/hermes-agent#113771: the 404 of the last fallback hid the first 403.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_refusal_of_discovery_is_read_first_and_what_was_tried_later_after_it() {
    let field = Field::start().await;
    let forbidden = ResponseTemplate::new(403).set_body_string("Forbidden");
    let field = field
        .answer(
            "GET",
            "/.well-known/oauth-protected-resource/mcp",
            forbidden,
        )
        .await;
    let challenge = ResponseTemplate::new(401).insert_header("www-authenticate", "Bearer");
    let bare = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(challenge)
        .mount(&bare)
        .await;
    Mock::given(path("/.well-known/oauth-protected-resource/mcp"))
        .respond_with(ResponseTemplate::new(403))
        .mount(&bare)
        .await;
    let at = bare.uri();
    let scene = Scene::new(&format!(
        "[mcp_servers.one]\nurl = \"{at}/mcp\"\nlegacy = false\n"
    ));
    let ran = scene.run_async(&["login", "one"]).await;
    let first = format!(
        "error[resource-metadata-missing]: cannot sign in to \"one\"\n  \
         caused by: resource metadata not found\n  \
         caused by: {at}/.well-known/oauth-protected-resource/mcp: HTTP 403\n  \
         also tried: {at}/.well-known/oauth-protected-resource: HTTP 404\n\
         next: tell the operator of {at}: "
    );
    ran.expect(1, &[&first, "doorkey doctor one"]);
    // Where the challenge names the place, that is the one there is to tell.
    let ran = field.scene("").run_async(&["login", "one"]).await;
    let named = field.at("/.well-known/oauth-protected-resource/mcp: HTTP 403");
    ran.expect(1, &["error[resource-metadata-missing]: ", &named]);
}

/// modelcontextprotocol/typescript-sdk#1342: GitHub sends errors with HTTP 200, which was shown as a dump of the validator.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_comes_with_200_is_told_in_the_words_of_the_server() {
    let error = ResponseTemplate::new(200).set_body_json(json!({
        "error": "incorrect_client_credentials",
        "error_description": "The client_id and/or client_secret passed are incorrect.",
    }));
    let field = Field::start().await.with_metadata().await;
    let field = field.answer("POST", "/token", error).await;
    let ran = field.unattended().run_async(&["tools", "one"]).await;
    let told = format!(
        "caused by: the token endpoint {} answered 200 OK: incorrect_client_credentials: \
         The client_id and/or client_secret passed are incorrect.",
        field.at("/token")
    );
    ran.expect(
        1,
        &[
            "error[token-request-refused]: ",
            &told,
            "\nnext: tell the operator of ",
        ],
    );
}

/// apify/mcpc#297: Figma's plain 403 was shown as a parse error of JSON.
#[tokio::test(flavor = "multi_thread")]
async fn a_plain_forbidden_of_a_registration_is_told_as_that_with_the_way_out() {
    let forbidden = ResponseTemplate::new(403).set_body_raw("Forbidden", "application/json");
    let field = Field::start().await.with_metadata().await;
    let field = field.answer("POST", "/register", forbidden).await;
    let ran = field.scene("").run_async(&["login", "one"]).await;
    let told = format!(
        "caused by: client registration at {} was refused with 403 Forbidden: Forbidden",
        field.at("/register")
    );
    let next = "\nnext: register a client with the authorization server and set client_id in \
                [mcp_servers.one.oauth], then doorkey login one";
    ran.expect(9, &["error[registration-refused]: ", &told, next]);
}

/// "expected value at line 1 column 1": what the parser says of a web page helps nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_web_page_in_place_of_a_token_is_told_as_a_web_page() {
    let page = ResponseTemplate::new(200).set_body_raw("<html>Sign in</html>", "text/html");
    let field = Field::start().await.with_metadata().await;
    let field = field.answer("POST", "/token", page).await;
    let ran = field.unattended().run_async(&["tools", "one"]).await;
    let told = format!(
        "caused by: the token answer of {} (200 OK) is unreadable: the body is a web page, not JSON",
        field.at("/token")
    );
    let ran = ran.expect(1, &["error[answer-unreadable]: ", &told]);
    assert!(!ran.err.contains("line 1"), "{}", ran.err);
}
