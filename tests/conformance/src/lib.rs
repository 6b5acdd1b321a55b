//! What the suite tells a client, as a configuration that a user could write.
//!
//! A client process gets the URL of a server as its last argument, and what else it is to know in the environment.
//! [`Task`] is that; [`Task::config`] is the `config.toml` it comes down to. The revision of MCP is there as well and is not
//! read: a host finds out by itself.

use std::error::Error;
use std::time::Duration;

use doorkey::Environment;
use serde_json::Value;
use toml_edit::{DocumentMut, Item, table, value};

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
        let url = std::env::args().next_back().ok_or("no URL is given")?;
        let context = variable("MCP_CONFORMANCE_CONTEXT")
            .map_or(Ok(Value::Null), |text| serde_json::from_str(&text))?;
        Ok(Self { url, context })
    }

    /// What else the client is to know; null where that is nothing.
    #[must_use]
    pub fn context(&self) -> &Value {
        &self.context
    }

    /// The environment of that user: what the context says, under its own names.
    #[must_use]
    pub fn environment(&self) -> Environment {
        let said = self.context.as_object().into_iter().flatten();
        Environment::new(said.filter_map(|(name, value)| Some((name, value.as_str()?))))
    }

    /// The configuration of a user with one server, [`SERVER`].
    #[must_use]
    pub fn config(&self) -> String {
        let mut config = DocumentMut::new();
        let mut server = table();
        server["url"] = value(&self.url);
        server["oauth"] = self.oauth();
        let mut servers = table();
        servers[SERVER] = server;
        config["mcp_servers"] = servers;
        config.to_string()
    }

    /// Which grant is meant is in the name of a scenario and nowhere else.
    fn oauth(&self) -> Item {
        let mut oauth = table();
        oauth["client_metadata_url"] = value(METADATA_URL);
        self.copy(&["client_id", "client_secret", "issuer"], "", &mut oauth);
        let flow = match self.context["name"].as_str() {
            Some("auth/client-credentials-basic") => "client_credentials",
            Some("auth/client-credentials-jwt") => {
                oauth["private_key_env"] = value("private_key_pem");
                "client_credentials"
            }
            Some("auth/wif-jwt-bearer") => {
                oauth["workload"]["env"] = value("valid_jwt");
                "workload_identity"
            }
            Some("auth/enterprise-managed-authorization") => {
                let keys = ["issuer", "token_endpoint", "client_id"];
                self.copy(&keys, "idp_", &mut oauth["identity_provider"]);
                oauth["identity_provider"]["id_token"]["env"] = value("idp_id_token");
                "enterprise_managed"
            }
            _ => return oauth,
        };
        oauth["flow"] = value(flow);
        // The suite says of no such credentials whose they are.
        oauth["accept_discovered_issuer"] = value(true);
        oauth
    }

    /// Copies what the context has under these keys, which have a prefix there.
    fn copy(&self, keys: &[&str], prefix: &str, to: &mut Item) {
        for key in keys {
            if let Some(text) = self.context[format!("{prefix}{key}")].as_str() {
                to[key] = value(text);
            }
        }
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
    let causes = std::iter::successors(failure.source(), |&cause| cause.source());
    causes.fold(format!("error: {failure}"), |text, cause| {
        format!("{text}\n  caused by: {cause}")
    })
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

    fn task(context: Value) -> Task {
        let url = "http://localhost:1".to_owned();
        Task { url, context }
    }

    #[test]
    fn every_key_of_the_configuration_is_known_to_the_host() {
        let config = read(&task(
            json!({"client_id": "a\"b", "client_secret": "c", "issuer": "http://localhost:2"}),
        ));
        assert!(config.warnings().is_empty(), "{:?}", config.warnings());
        let server = config.server(SERVER).unwrap();
        assert_eq!(server.url.as_str(), "http://localhost:1/");
        assert_eq!(server.oauth.client_id.as_deref(), Some("a\"b"));
        assert_eq!(
            server.oauth.issuer.as_ref().unwrap().as_str(),
            "http://localhost:2"
        );
        assert!(server.oauth.credentials.secret.is_some());
        assert!(!server.oauth.accept_discovered_issuer);
    }

    #[test]
    fn without_a_context_there_is_no_client_to_be() {
        let config = read(&task(Value::Null));
        let oauth = &config.server(SERVER).unwrap().oauth;
        assert!(oauth.client_id.is_none() && oauth.credentials.secret.is_none());
        assert!(oauth.client_metadata_url.is_some());
    }

    #[test]
    fn a_scenario_of_an_extension_is_a_flow_that_a_user_could_write() {
        let idp = "http://localhost:2";
        for (context, flow) in [
            (
                json!({"name": "auth/client-credentials-basic", "client_id": "a", "client_secret": "b"}),
                "client_credentials",
            ),
            (
                json!({"name": "auth/client-credentials-jwt", "client_id": "a", "private_key_pem": "b"}),
                "client_credentials",
            ),
            (
                json!({"name": "auth/wif-jwt-bearer", "client_id": "a", "valid_jwt": "b"}),
                "workload_identity",
            ),
            (
                json!({"name": "auth/enterprise-managed-authorization", "client_id": "a", "client_secret": "b",
                    "idp_client_id": "c", "idp_id_token": "d", "idp_issuer": idp, "idp_token_endpoint": idp}),
                "enterprise_managed",
            ),
            (
                json!({"name": "auth/pre-registration", "client_id": "a", "client_secret": "b"}),
                "authorization_code",
            ),
        ] {
            let task = task(context);
            let config = read(&task);
            assert!(config.warnings().is_empty(), "{:?}", config.warnings());
            let oauth = &config.server(SERVER).unwrap().oauth;
            assert_eq!(oauth.flow.as_str(), flow);
            assert_eq!(oauth.accept_discovered_issuer, oauth.flow.is_unattended());
            assert_eq!(task.environment().text("client_id"), Ok(Some("a")));
        }
    }
}
