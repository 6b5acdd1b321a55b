//! What the suite tells a client, as a configuration that a user could write.
//!
//! A client process gets the URL of a server as its last argument, and what else it is to know in the environment.
//! [`Task`] is that; [`Task::config`] is the `config.toml` it comes down to. The revision of MCP is there as well and is not
//! read: a host finds out by itself.

use std::error::Error;
use std::time::Duration;

use serde_json::Value;
use toml_edit::{DocumentMut, table, value};

/// Whatever ends a client early.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What the suite asks of one client process.
#[derive(Debug)]
pub struct Task {
    url: String,
    context: Value,
}

impl Task {
    /// The task in the arguments and the environment of this process.
    ///
    /// # Errors
    /// There is no URL, or the context is not JSON: the suite did not start this process.
    pub fn of_this_process() -> Result<Self, Failure> {
        let url = std::env::args()
            .next_back()
            .ok_or("the suite gave no URL")?;
        let context = variable("MCP_CONFORMANCE_CONTEXT")
            .map_or(Ok(Value::Null), |text| serde_json::from_str(&text))?;
        Ok(Self { url, context })
    }

    /// What else the client is to know; null where that is nothing.
    #[must_use]
    pub fn context(&self) -> &Value {
        &self.context
    }

    /// The configuration of a user with one server, [`SERVER`].
    #[must_use]
    pub fn config(&self) -> String {
        let mut config = DocumentMut::new();
        let mut server = table();
        server["url"] = value(&self.url);
        let mut oauth = table();
        oauth["client_metadata_url"] = value(METADATA_URL);
        for key in ["client_id", "client_secret", "issuer"] {
            if let Some(text) = self.context[key].as_str() {
                oauth[key] = value(text);
            }
        }
        server["oauth"] = oauth;
        let mut servers = table();
        servers[SERVER] = server;
        config["mcp_servers"] = servers;
        config.to_string()
    }
}

/// Runs a client to its end, which comes before the suite loses patience.
///
/// # Errors
/// The client's own failure, or that it took too long.
pub async fn within_limit(
    client: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    match tokio::time::timeout(LIMIT, client).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(format!("the client did not come to its end within {LIMIT:?}").into()),
    }
}

/// The failure and its chain of causes, one to a line.
#[must_use]
pub fn report(failure: &(dyn Error + 'static)) -> String {
    let mut text = format!("error: {failure}");
    let mut cause = failure.source();
    while let Some(error) = cause {
        text.push_str(&format!("\n  caused by: {error}"));
        cause = error.source();
    }
    text
}

fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is all there is between the suite and the process it starts"
    )]
    std::env::var(name).ok()
}

/// The name of the server in the configuration.
pub const SERVER: &str = "suite";

/// The document that the suite takes every client for. It does not exist: only the suite knows it.
const METADATA_URL: &str = "https://conformance-test.local/client-metadata.json";

const LIMIT: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use doorkey::{Config, Home};
    use serde_json::json;

    use super::*;

    fn read(task: &Task) -> Config {
        Config::parse(&Home::at("/nowhere"), &task.config()).unwrap()
    }

    #[test]
    fn every_key_of_the_configuration_is_known_to_the_host() {
        let task = Task {
            url: "http://localhost:1".to_owned(),
            context: json!({"client_id": "a\"b", "client_secret": "c", "issuer": "http://localhost:2"}),
        };
        let config = read(&task);
        assert!(config.warnings().is_empty(), "{:?}", config.warnings());
        let server = config.server(SERVER).unwrap();
        assert_eq!(server.url.as_str(), "http://localhost:1/");
        assert_eq!(server.oauth.client_id.as_deref(), Some("a\"b"));
        assert_eq!(
            server.oauth.issuer.as_ref().unwrap().as_str(),
            "http://localhost:2"
        );
        assert!(server.oauth.credentials.secret.is_some());
    }

    #[test]
    fn without_a_context_there_is_no_client_to_be() {
        let task = Task {
            url: "http://localhost:1/mcp".to_owned(),
            context: Value::Null,
        };
        let config = read(&task);
        let oauth = &config.server(SERVER).unwrap().oauth;
        assert!(oauth.client_id.is_none() && oauth.credentials.secret.is_none());
        assert!(oauth.client_metadata_url.is_some());
    }
}
