//! `doorkey add`: a server for the configuration.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _};
use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Args, Command};
use doorkey::{Config, Environment, Home, NewServer, SecretSource, Target};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::exit::{Exit, Failure};
use super::output::Output;
#[cfg(unix)]
use super::unseen;

#[derive(Args, Debug)]
pub(crate) struct Add {
    /// What to call the server
    #[arg(value_parser = server_name)]
    pub(crate) name: String,
    /// Its MCP URL
    #[arg(long, value_parser = Quiet(server_url))]
    url: String,
    /// A header for the server's own origin (repeatable); not for secrets
    #[arg(long = "header", value_name = "K=V", value_parser = Quiet(header))]
    headers: Vec<(String, String)>,
    /// A client id that was registered beforehand
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    client_id: Option<String>,
    /// Read the secret of that client from standard input; it is kept in a file that you alone can read
    #[arg(long, requires = "client_id", group = "secret")]
    client_secret_stdin: bool,
    /// The file with the secret of that client
    #[arg(long, value_name = "FILE", requires = "client_id", group = "secret")]
    client_secret_file: Option<PathBuf>,
    /// The environment variable with the secret of that client
    #[arg(long, value_name = "VARIABLE", requires = "client_id", group = "secret",
          value_parser = Quiet(variable))]
    client_secret_env: Option<String>,
    /// Refused, with the three ways above
    #[arg(long, hide = true, num_args = 0..=1, require_equals = false)]
    client_secret: Option<Option<OsString>>,
    /// Scopes to ask for, besides those the server wants
    #[arg(long, value_delimiter = ',', value_name = "A,B", value_parser = scope)]
    scopes: Vec<String>,
    /// The resource to ask a token for: auto, omit or a URI
    #[arg(long, value_name = "R", value_parser = resource)]
    resource: Option<String>,
    /// The environment variable with a bearer token, in place of a login
    #[arg(long, value_name = "VARIABLE", value_parser = Quiet(variable))]
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
        server.client_secret = self.secret(output)?;
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
        self.tell_unset(environment, output);
        match &self.bearer_token_env_var {
            Some(_) => output.note(&format!(
                "next: {}",
                Target::new(&self.name).command("tools")
            )),
            None => output.note(&format!(
                "next: {}",
                Target::new(&self.name).command("login")
            )),
        }
        Ok(Exit::Done)
    }

    /// Who gave the secret in place of the variable's name learns it from this, and so it is not repeated.
    fn tell_unset(&self, environment: &Environment, output: &Output) {
        for (argument, variable) in [
            ("--client-secret-env", &self.client_secret_env),
            ("--bearer-token-env-var", &self.bearer_token_env_var),
        ] {
            if let Some(variable) = variable
                && environment.variable(variable).is_none()
            {
                output.note(&format!(
                    "there is no variable of the name given with {argument} now: it takes a name, not the secret, \
                     and has to be set when the secret is needed"
                ));
            }
        }
    }

    /// Why these arguments are refused though they can be understood: a secret among them is seen by every
    /// process of the machine, and kept by shells.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        self.client_secret.as_ref().map(|_| {
            "a client secret does not belong on a command line, which other programs can read; use \
             --client-secret-stdin, --client-secret-file FILE or --client-secret-env VARIABLE"
        })
    }

    fn secret(&self, output: &Output) -> Result<Option<SecretSource>, Failure> {
        if self.client_secret_stdin {
            let secret = read_secret(output).map_err(|error| match error.kind() {
                io::ErrorKind::Interrupted => Failure::Interrupted { login: false },
                _ => Failure::Input(error),
            })?;
            return Ok(Some(SecretSource::Value(secret)));
        }
        if let Some(path) = &self.client_secret_file {
            // As the person means it: from here. In the configuration it would start elsewhere.
            let path = std::path::absolute(path).map_err(Failure::Input)?;
            return Ok(Some(SecretSource::File(path)));
        }
        Ok(self.client_secret_env.clone().map(SecretSource::Variable))
    }
}

/// One secret from standard input: the whole of it from a pipe, a line from a person.
fn read_secret(output: &Output) -> io::Result<SecretString> {
    let text = if output.terminal().stdin {
        read_typed(output)?
    } else {
        let mut text = Zeroizing::new(String::new());
        let mut input = io::stdin().lock().take(SECRET_BYTES + 1);
        input.read_to_string(&mut text)?;
        text
    };
    let secret = text.trim_end_matches(['\r', '\n']);
    let wrong = |why| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    if secret.is_empty() {
        return wrong("there is no client secret on standard input");
    }
    if secret.len() as u64 > SECRET_BYTES || secret.contains(char::is_control) {
        return wrong("a client secret is one line of at most 4 KiB without control characters");
    }
    Ok(SecretString::from(secret))
}

#[cfg(unix)]
fn read_typed(output: &Output) -> io::Result<Zeroizing<String>> {
    unseen::read_line(SECRET_BYTES, || {
        output.note("Paste the client secret, and press Enter; it is not shown:");
    })
}

#[cfg(not(unix))]
fn read_typed(output: &Output) -> io::Result<Zeroizing<String>> {
    output.note("Paste the client secret, and press Enter; it is seen on the screen:");
    let mut text = Zeroizing::new(String::new());
    let input = io::stdin().lock().take(SECRET_BYTES + 1);
    io::BufRead::read_line(&mut io::BufReader::new(input), &mut text)?;
    Ok(text)
}

/// A parser of values that may hold a secret by mistake: what is wrong is told without them.
#[derive(Clone)]
struct Quiet<T>(fn(&str) -> Result<T, String>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Quiet<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let text = value.to_str().ok_or_else(|| "not UTF-8".to_owned());
        text.and_then(self.0).map_err(|why| {
            let argument = argument.map(ToString::to_string).unwrap_or_default();
            let message = format!("the value for {argument} cannot be used: {why}\n");
            clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

fn server_name(text: &str) -> Result<String, String> {
    let expected = "a name is 1 to 64 letters, digits, `-` and `_`";
    accepted(text, NewServer::is_name(text), expected)
}

/// What shells can set; a secret that stands there by mistake is hardly ever one.
fn variable(text: &str) -> Result<String, String> {
    let expected =
        "expected the name of an environment variable: letters, digits and `_`, and no digit first";
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let fits = text.bytes().all(is_word) && text.starts_with(|c: char| !c.is_ascii_digit());
    accepted(text, fits, expected)
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

/// Far more than a client secret has, in bytes.
const SECRET_BYTES: u64 = 4 * 1024;
