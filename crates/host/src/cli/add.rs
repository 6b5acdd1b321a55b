//! `doorkey add`: a server for the configuration.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use doorkey::{Config, Environment, Home, NewServer};

use super::exit::{Exit, Failure};
use super::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Add {
    /// What to call the server
    #[arg(value_parser = server_name)]
    pub(crate) name: String,
    /// Its MCP URL
    #[arg(long, value_parser = server_url)]
    url: String,
    /// A header for the server's own origin (repeatable); not for secrets
    #[arg(long = "header", value_name = "K=V", value_parser = header)]
    headers: Vec<(String, String)>,
    /// A client id that was registered beforehand
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    client_id: Option<String>,
    /// Scopes to ask for, besides those the server wants
    #[arg(long, value_delimiter = ',', value_name = "A,B", value_parser = scope)]
    scopes: Vec<String>,
    /// The resource to ask a token for: auto, omit or a URI
    #[arg(long, value_name = "R", value_parser = resource)]
    resource: Option<String>,
    /// The environment variable with a bearer token, in place of a login
    #[arg(long, value_name = "VARIABLE", value_parser = NonEmptyStringValueParser::new())]
    bearer_token_env_var: Option<String>,
}

impl Add {
    pub(crate) fn run(&self, environment: &Environment, output: &Output) -> Result<Exit, Failure> {
        let home = Home::from_environment(environment)?;
        let mut server = NewServer::new(&self.name, &self.url);
        server.http_headers.clone_from(&self.headers);
        server.client_id.clone_from(&self.client_id);
        server.scopes.clone_from(&self.scopes);
        server.resource.clone_from(&self.resource);
        server
            .bearer_token_env_var
            .clone_from(&self.bearer_token_env_var);
        let config = Config::add_server(&home, &server)?;
        for warning in config.warnings() {
            output.warn(&warning.to_string());
        }
        output.note(&format!(
            "added {} to {}",
            self.name,
            home.config_file().display()
        ));
        match &self.bearer_token_env_var {
            Some(variable) => {
                output.note(&format!(
                    "next: put the token in {variable}, then doorkey tools {}",
                    self.name
                ));
            }
            None => output.note(&format!("next: doorkey login {}", self.name)),
        }
        Ok(Exit::Done)
    }
}

fn server_name(text: &str) -> Result<String, String> {
    let expected = "a name is 1 to 64 letters, digits, `-` and `_`";
    accepted(text, NewServer::is_name(text), expected)
}

fn scope(text: &str) -> Result<String, String> {
    let expected = "a scope is visible ASCII without quotes and backslashes";
    accepted(text, NewServer::is_scope(text), expected)
}

fn resource(text: &str) -> Result<String, String> {
    let expected = "expected auto, omit or an absolute URI without a fragment";
    accepted(text, NewServer::is_resource(text), expected)
}

fn accepted(text: &str, fits: bool, expected: &str) -> Result<String, String> {
    if fits {
        Ok(text.to_owned())
    } else {
        Err(expected.to_owned())
    }
}

/// The URL as it was typed, when a server can be there (SEC-01, SEC-02).
fn server_url(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
    doorkey_http::check_endpoint(&url).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// `K=V`. Credentials are refused: arguments are seen by every process of the machine and kept by
/// shells.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("expected a name, `=` and a value, such as X-Team=search")?;
    let (name, value) = (name.trim(), value.trim());
    let header = http::HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("{name:?} is not a header name"))?;
    if !NewServer::is_header(&header) {
        return Err(format!(
            "{name} belongs to the connection and cannot be configured"
        ));
    }
    http::HeaderValue::from_str(value)
        .map_err(|_| format!("the value of {name} holds characters that a header cannot carry"))?;
    let credential = ["authorization", "cookie", "proxy-authorization"];
    if credential
        .iter()
        .any(|refused| name.eq_ignore_ascii_case(refused))
    {
        return Err(format!(
            "{name} does not belong on a command line, which other programs can read; use \
             --bearer-token-env-var VARIABLE for a token, or env_http_headers in the configuration"
        ));
    }
    Ok((name.to_owned(), value.to_owned()))
}
