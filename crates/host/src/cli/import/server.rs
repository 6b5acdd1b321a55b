//! One entry of another program's table as a server of ours: what is taken over, and what is not and why.

use doorkey::{NewServer, SecretSource};
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;

use super::places::Source;
use super::text::{Text, is_name, is_secret, variable_for};

/// A server that can be added, with what a person has to know of it.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) server: NewServer,
    pub(super) url: Url,
    /// What was not taken over as it stands, and what to do about it.
    pub(super) notes: Vec<String>,
    /// Variables that have to be set for it.
    pub(super) variables: Vec<String>,
}

/// Reads an entry; the error is why it is left out.
pub(super) fn map(source: Source, name: &str, entry: &Value) -> Result<Mapped, String> {
    let Value::Object(entry) = entry else {
        return Err("it is not a table of settings".to_owned());
    };
    let written = address(source, entry)?;
    let url = checked(&written)?;
    let mut mapping = Mapping {
        source,
        name,
        mapped: Mapped {
            server: NewServer::new(name, &written),
            url,
            notes: Vec::new(),
            variables: Vec::new(),
        },
    };
    for (key, value) in entry {
        mapping.setting(key, value);
    }
    mapping.drop_secret_of_nobody();
    let retired =
        source == Source::Gemini && !entry.contains_key("httpUrl") && !entry.contains_key("type");
    if retired || mapping.mapped.url.path().ends_with("/sse") {
        mapping.note(
            "it may speak the retired HTTP+SSE transport alone; doorkey list --check tells"
                .to_owned(),
        );
    }
    Ok(mapping.mapped)
}

/// Where the server is, if it is one that can be reached over HTTP.
fn address(source: Source, entry: &Map<String, Value>) -> Result<String, String> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let url = text("httpUrl").or_else(|| text("url"));
    match text("type")
        .unwrap_or_default()
        .to_ascii_lowercase()
        .as_str()
    {
        "" | "http" | "streamable-http" | "streamablehttp" | "streamable_http" => {}
        "stdio" | "local" => return Err(LOCAL.to_owned()),
        "sse" if text("httpUrl").is_none() => return Err(RETIRED.to_owned()),
        "sse" => {}
        "ws" | "websocket" => return Err("it speaks WebSocket, which doorkey does not".to_owned()),
        other => {
            return Err(format!(
                "its type is {other:?}, which doorkey does not know"
            ));
        }
    }
    let Some(url) = url else {
        return Err(match entry.contains_key("command") {
            true => LOCAL.to_owned(),
            false => "it has no url".to_owned(),
        });
    };
    match Text::of(source, url) {
        Text::Plain(url) => Ok(url),
        Text::Variable { .. } | Text::Asked { .. } | Text::Mixed(_) => Err(
            "its url has a placeholder; to add it with the value in place: doorkey add NAME --url URL".to_owned(),
        ),
    }
}

fn checked(written: &str) -> Result<Url, String> {
    let url = Url::parse(written).map_err(|error| format!("its url is none: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "its url holds a name or password, which does not belong into a configuration"
                .to_owned(),
        );
    }
    doorkey_http::check_endpoint(&url).map_err(|error| error.to_string())?;
    let path = url.path_segments().into_iter().flatten();
    if path
        .chain(url.fragment())
        .any(|segment| is_secret("", segment))
    {
        return Err("a part of its url looks like a secret, which would stand in the configuration; if it is none, or \
             may stand there: doorkey add NAME --url URL".to_owned());
    }
    let secret = url.query_pairs().find(|(key, value)| is_secret(key, value));
    if let Some((key, _)) = secret {
        return Err(format!(
            "{key:?} in its url looks like a secret, which would stand in the configuration; if it is none, or \
             may stand there: doorkey add NAME --url URL"
        ));
    }
    Ok(url)
}

/// What has been taken over so far.
struct Mapping<'a> {
    source: Source,
    name: &'a str,
    mapped: Mapped,
}

impl Mapping<'_> {
    fn setting(&mut self, key: &str, value: &Value) {
        let server = &mut self.mapped.server;
        match (key, value) {
            (
                "url" | "httpUrl" | "type" | "name" | "description" | "command" | "args" | "env"
                | "cwd",
                _,
            ) => {}
            ("enabled", Value::Bool(enabled)) => server.enabled = *enabled,
            ("disabled", Value::Bool(disabled)) => server.enabled = !disabled,
            ("headers" | "http_headers", Value::Object(headers)) => {
                for (name, value) in headers {
                    self.header(name, value);
                }
            }
            ("env_http_headers", Value::Object(headers)) => {
                for (name, variable) in headers {
                    match variable.as_str().filter(|variable| is_name(variable)) {
                        Some(variable) => self.header_from(name, variable),
                        None => self.note(format!("{key}.{name}: it names no variable")),
                    }
                }
            }
            ("bearer_token_env_var", Value::String(variable)) if is_name(variable) => {
                self.bearer_from(variable);
            }
            ("bearer_token", _) => self.literal_bearer(),
            ("scopes", scopes) => self.scopes(key, scopes),
            ("oauth_resource", Value::String(resource)) if NewServer::is_resource(resource) => {
                server.resource = Some(resource.clone());
            }
            ("startup_timeout_sec", Value::Number(limit)) => {
                server.startup_timeout_sec = limit.as_f64();
            }
            ("tool_timeout_sec", Value::Number(limit)) => server.tool_timeout_sec = limit.as_f64(),
            // Gemini counts in milliseconds.
            ("timeout", Value::Number(limit)) if self.source == Source::Gemini => {
                server.tool_timeout_sec = limit.as_f64().map(|limit| limit / 1000.0);
            }
            ("oauth" | "auth", Value::Object(oauth)) => {
                for (key, value) in oauth {
                    self.oauth(key, value);
                }
            }
            _ => self.not_taken(key),
        }
    }

    fn oauth(&mut self, key: &str, value: &Value) {
        match (key, value) {
            ("enabled", _) => {}
            ("clientId" | "client_id" | "CLIENT_ID", Value::String(id)) => {
                match Text::of(self.source, id) {
                    Text::Plain(id) if !id.is_empty() => self.mapped.server.client_id = Some(id),
                    _ => self.not_taken("oauth.clientId, which is no plain text"),
                }
            }
            ("clientSecret" | "client_secret" | "CLIENT_SECRET", Value::String(secret)) => {
                let variable = self.variable_of(secret, "client_secret", "oauth.clientSecret");
                self.mapped.server.client_secret = variable.map(SecretSource::Variable);
            }
            ("scopes", scopes) => self.scopes("oauth.scopes", scopes),
            ("callbackPort" | "callback_port", Value::Number(port)) => {
                let port = port.as_u64().and_then(|port| u16::try_from(port).ok());
                self.mapped.server.callback_port = port.filter(|port| *port > 0);
                // So it is with Claude, and so its clients are registered.
                self.mapped.server.callback_host = Some("localhost".to_owned());
            }
            ("redirectUri", Value::String(uri)) => self.redirect(uri),
            _ => self.not_taken(&format!("oauth.{key}")),
        }
    }

    /// A secret belongs to a client.
    fn drop_secret_of_nobody(&mut self) {
        if self.mapped.server.client_id.is_some() {
            return;
        }
        if let Some(SecretSource::Variable(name)) = self.mapped.server.client_secret.take() {
            self.mapped.variables.retain(|known| *known != name);
            self.mapped.notes.retain(|note| !note.contains(&name));
            self.not_taken("the client secret, for there is no client id");
        }
    }

    /// A way back over loopback is ours too, if it has a port of its own.
    fn redirect(&mut self, uri: &str) {
        let url = Url::parse(uri).ok();
        let way_back = url.as_ref().and_then(|url| match url.host_str() {
            Some(host @ ("127.0.0.1" | "localhost")) if url.path() == "/callback" => {
                Some((host.to_owned(), url.port()?))
            }
            _ => None,
        });
        let Some((host, port)) = way_back else {
            return self.not_taken("oauth.redirectUri");
        };
        self.mapped.server.callback_port = Some(port);
        self.mapped.server.callback_host = Some(host);
    }

    fn scopes(&mut self, key: &str, value: &Value) {
        let scopes: Vec<_> = match value {
            Value::String(text) => text.split([' ', ',']).map(str::to_owned).collect(),
            Value::Array(list) => list
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => return self.not_taken(key),
        };
        let scopes = scopes.into_iter().filter(|scope| !scope.is_empty());
        let (fit, unfit): (Vec<_>, Vec<_>) = scopes.partition(|scope| NewServer::is_scope(scope));
        self.mapped.server.scopes.extend(fit);
        if !unfit.is_empty() {
            self.not_taken(&format!("{key}: {}", unfit.join(" ")));
        }
    }

    fn header(&mut self, name: &str, value: &Value) {
        let Some(value) = value.as_str() else {
            return self.not_taken(&format!("the header {name}, which is no text"));
        };
        if name.eq_ignore_ascii_case("authorization") {
            return self.authorization(value);
        }
        let is_fit =
            HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| NewServer::is_header(&name));
        if !is_fit {
            return self.not_taken(&format!(
                "the header {name}, which belongs to the connection"
            ));
        }
        match Text::of(self.source, value) {
            Text::Plain(value) if !is_secret(name, &value) => match HeaderValue::from_str(&value) {
                Ok(_) => self
                    .mapped
                    .server
                    .http_headers
                    .push((name.to_owned(), value)),
                Err(_) => self.not_taken(&format!("the header {name}, which cannot be sent")),
            },
            _ => {
                if let Some(variable) = self.variable_of(value, name, &format!("the header {name}"))
                {
                    self.header_from(name, &variable);
                }
            }
        }
    }

    /// A bearer token is what `bearer_token_env_var` is for; what is in front of it is told by the program.
    fn authorization(&mut self, value: &str) {
        let scheme = |before: &str| before.trim().eq_ignore_ascii_case("bearer");
        match Text::of(self.source, value) {
            Text::Variable {
                before,
                name,
                has_default,
            } if scheme(&before) => {
                self.bearer_from(&name);
                if has_default {
                    self.note(format!("the default of {name} was not taken over"));
                }
            }
            Text::Variable { before, name, .. } if before.is_empty() => {
                self.header_from("Authorization", &name);
            }
            Text::Asked { before, id } if scheme(&before) => {
                let variable = variable_for(self.name, "token");
                self.bearer_from(&variable);
                self.note(format!(
                    "{} asks for {id}; doorkey takes it from the variable {variable}",
                    self.source.title()
                ));
            }
            Text::Plain(value)
                if value
                    .split_once(' ')
                    .is_some_and(|(before, _)| scheme(before)) =>
            {
                self.literal_bearer();
            }
            _ => self.not_taken("Authorization, of which doorkey sends bearer tokens alone"),
        }
    }

    fn literal_bearer(&mut self) {
        let variable = variable_for(self.name, "token");
        self.bearer_from(&variable);
        self.note(format!(
            "its token is not copied: put it into the variable {variable}, or take bearer_token_env_var out and \
             sign in"
        ));
    }

    fn bearer_from(&mut self, variable: &str) {
        self.needs(variable);
        self.mapped.server.bearer_token_env_var = Some(variable.to_owned());
    }

    fn header_from(&mut self, name: &str, variable: &str) {
        if HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| NewServer::is_header(&name)) {
            self.needs(variable);
            let header = (name.to_owned(), variable.to_owned());
            self.mapped.server.env_http_headers.push(header);
        } else {
            self.not_taken(&format!("the header {name}"));
        }
    }

    /// The variable that a secret is in, or is to be put into; none where that cannot be said.
    fn variable_of(&mut self, value: &str, what: &str, told: &str) -> Option<String> {
        let ours = || variable_for(self.name, what);
        let (variable, note) = match Text::of(self.source, value) {
            Text::Plain(_) => {
                let variable = ours();
                let note = format!(
                    "{told} looks like a secret and is not copied: put it into the variable {variable}"
                );
                (variable, Some(note))
            }
            Text::Variable {
                before,
                name,
                has_default,
            } if before.is_empty() => {
                let note = has_default.then(|| format!("the default of {name} was not taken over"));
                (name, note)
            }
            Text::Asked { before, id } if before.is_empty() => {
                let variable = ours();
                let program = self.source.title();
                let note = format!(
                    "{program} asks for {id}; doorkey takes it from the variable {variable}"
                );
                (variable, Some(note))
            }
            _ => {
                self.not_taken(&format!(
                    "{told}, which is made of words and a variable: put the whole into a variable, and name \
                     it in the configuration"
                ));
                return None;
            }
        };
        self.mapped.notes.extend(note);
        self.needs(&variable);
        Some(variable)
    }

    fn needs(&mut self, variable: &str) {
        if !self.mapped.variables.iter().any(|known| known == variable) {
            self.mapped.variables.push(variable.to_owned());
        }
    }

    fn not_taken(&mut self, what: &str) {
        self.note(format!("not taken over: {what}"));
    }

    fn note(&mut self, note: String) {
        self.mapped.notes.push(note);
    }
}

const LOCAL: &str = "it is a program on this machine (stdio): nobody signs in to it";
const RETIRED: &str =
    "it speaks the retired HTTP+SSE transport; ask its operator for the address of streamable HTTP";
