//! A login of the program whose page comes to the test instead of a person.

use std::process::{Output, Stdio};

use integration::{Home, LIMIT};
use tokio::{io::AsyncReadExt as _, net::TcpListener, process::Child};
use url::Url;

/// A program that signs in, and the page that it opened.
pub(super) struct Login {
    program: Child,
    /// The authorization page.
    pub(super) page: Url,
}

impl Login {
    /// Starts `doorkey login` and waits for its page.
    pub(super) async fn start(home: &Home) -> Self {
        let desk = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let address = desk.local_addr().expect("an address").to_string();
        let program = home
            .command()
            .args(["login", Home::SERVER])
            // What the tests have as `$BROWSER` brings the page there.
            .env("INTEGRATION_BROWSER", address)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program that starts");
        let page = async {
            let (mut stream, _) = desk.accept().await.expect("a page");
            let mut page = String::new();
            stream.read_to_string(&mut page).await.expect("a page");
            page
        };
        let page = tokio::time::timeout(LIMIT, page)
            .await
            .expect("a page in time");
        Self {
            program,
            page: page.parse().expect("a URL"),
        }
    }

    /// What the program wrote by its end, if its exit code is `code`.
    pub(super) async fn ended_with(self, code: i32) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = tokio::time::timeout(LIMIT, self.program.wait_with_output())
            .await
            .expect("an end in time")
            .expect("a program");
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr)
        );
        assert_eq!(status.code(), Some(code), "{said}");
        said
    }

    /// The address that the browser is to end at, with these parameters.
    pub(super) fn callback(&self, parameters: &[(&str, &str)]) -> Url {
        let mut callback: Url = self.asked("redirect_uri").parse().expect("a URL");
        callback.query_pairs_mut().extend_pairs(parameters);
        callback
    }

    /// A parameter of the authorization request.
    pub(super) fn asked(&self, name: &str) -> String {
        let mut parameters = self.page.query_pairs();
        let found = parameters.find(|(key, _)| key == name);
        found.expect("the parameter").1.into_owned()
    }
}
