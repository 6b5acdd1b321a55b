//! What is to be added, what is there already, and what is left out.

use std::path::{Path, PathBuf};

use doorkey::{Config, Environment, NewServer, SecretSource};
use doorkey_http::RedactedUrl;
use serde::Serialize;
use url::Url;

use super::document::Entry;
use super::places::Source;
use super::server::{Mapped, map};
use crate::cli::output::clean;

/// One entry of another program's table.
#[derive(Debug, Serialize)]
pub(super) struct Planned {
    /// Its name there.
    pub(super) name: String,
    pub(super) from: Source,
    pub(super) file: PathBuf,
    /// Where in the file, if there is more than one table: such as a project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<String>,
    /// Without what may be a secret.
    pub(super) url: Option<String>,
    #[serde(flatten)]
    pub(super) step: Step,
    /// What is written of it beside its URL.
    pub(super) settings: Vec<String>,
    /// What to know about it.
    pub(super) notes: Vec<String>,
    #[serde(skip)]
    pub(super) server: Option<NewServer>,
}

/// What happens to it.
#[derive(Debug, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub(super) enum Step {
    /// It is added under that name.
    Add { r#as: String },
    /// The configuration, or what is added before it, has that server under that name.
    Present { r#as: String },
    /// It cannot be used.
    LeaveOut { reason: String },
}

/// What is planned so far, on top of a configuration.
pub(super) struct Plan<'a> {
    config: &'a Config,
    environment: &'a Environment,
    pub(super) planned: Vec<Planned>,
    /// Names and URLs of what is to be added.
    added: Vec<(String, Url)>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(config: &'a Config, environment: &'a Environment) -> Self {
        Self {
            config,
            environment,
            planned: Vec::new(),
            added: Vec::new(),
        }
    }

    /// Decides about an entry.
    pub(super) fn take(&mut self, from: Source, file: &Path, entry: Entry) {
        let mut planned = Planned {
            from,
            file: file.to_owned(),
            place: entry.place,
            url: None,
            step: Step::LeaveOut {
                reason: String::new(),
            },
            settings: Vec::new(),
            notes: Vec::new(),
            server: None,
            name: entry.name,
        };
        match map(from, &name_for(&planned.name, from), &entry.value) {
            Err(reason) => planned.step = Step::LeaveOut { reason },
            Ok(mapped) => self.place(&mut planned, mapped),
        }
        self.planned.push(planned);
    }

    fn place(&mut self, planned: &mut Planned, mapped: Mapped) {
        planned.url = Some(RedactedUrl::from(&mapped.url).to_string());
        let url = without_fragment(&mapped.url);
        if let Some(name) = self.known_at(&url) {
            planned.step = Step::Present { r#as: name };
            return;
        }
        let mut server = mapped.server;
        server.name = self.free_name(&server.name, planned.from);
        planned.notes = mapped.notes;
        if server.name != planned.name {
            let why = match self.is_taken(&planned.name) {
                true => "which another server has here",
                false => "and a name here has letters, digits, - and _ alone",
            };
            let note = format!("its name there is {}, {why}", planned.name);
            planned.notes.insert(0, note);
        }
        let unset = mapped.variables.iter();
        let unset: Vec<_> = unset
            .filter(|name| self.environment.variable(name).is_none())
            .map(String::as_str)
            .collect();
        if !unset.is_empty() {
            planned
                .notes
                .push(format!("to be set before it is used: {}", unset.join(", ")));
        }
        planned.settings = settings(&server);
        planned.step = Step::Add {
            r#as: server.name.clone(),
        };
        self.added.push((server.name.clone(), url));
        planned.server = Some(server);
    }

    /// Under which name there is a server at that URL.
    fn known_at(&self, url: &Url) -> Option<String> {
        let configured = self.config.servers().iter();
        let configured = configured.map(|server| (&server.name, without_fragment(&server.url)));
        let added = self.added.iter().map(|(name, url)| (name, url.clone()));
        let mut all = configured.chain(added);
        all.find_map(|(name, known)| (known == *url).then(|| name.clone()))
    }

    fn is_taken(&self, name: &str) -> bool {
        self.config
            .servers()
            .iter()
            .any(|server| server.name == name)
            || self.config.not_remote().iter().any(|local| local == name)
            || self.added.iter().any(|(added, _)| added == name)
    }

    /// The name, else with whose it is, else with a number.
    fn free_name(&self, name: &str, from: Source) -> String {
        if !self.is_taken(name) {
            return name.to_owned();
        }
        let with = |ending: &str| {
            let room = NAME_LENGTH - ending.len() - 1;
            let short: String = name.chars().take(room).collect();
            format!("{short}-{ending}")
        };
        let named = std::iter::once(with(from.as_str()));
        let numbered = (2..).map(|number: u32| with(&format!("{}-{number}", from.as_str())));
        let mut free = named.chain(numbered).filter(|name| !self.is_taken(name));
        free.next().unwrap_or_default()
    }
}

impl Planned {
    /// What happens, for a table.
    pub(super) fn in_words(&self) -> String {
        match &self.step {
            Step::Add { .. } => "add".to_owned(),
            Step::Present { r#as: name } if *name == self.name => "there already".to_owned(),
            Step::Present { r#as: name } => format!("there already, as {name}"),
            Step::LeaveOut { .. } => "left out".to_owned(),
        }
    }

    /// The name that it has, or will have, here.
    pub(super) fn name_here(&self) -> &str {
        match &self.step {
            Step::Add { r#as } => r#as,
            _ => &self.name,
        }
    }

    /// The file as a person knows it, and which table of several in it.
    pub(super) fn origin(&self, here: &Path, home: Option<&Path>) -> String {
        let below = |folder: &Path| self.file.strip_prefix(folder).ok();
        let file = match (below(here), home.and_then(below)) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(path)) => format!("~/{}", path.display()),
            (None, None) => self.file.display().to_string(),
        };
        match &self.place {
            Some(place) => format!("{file} {place}"),
            None => file,
        }
    }
}

/// What is written of a server beside its URL: names of settings and of variables, and what cannot be a secret.
fn settings(server: &NewServer) -> Vec<String> {
    let mut settings = Vec::new();
    let mut add = |key: &str, value: String| {
        if !value.is_empty() {
            settings.push(format!("{key} {value}"));
        }
    };
    let texts = |texts: &[String]| texts.join(" ");
    let named = |headers: &[(String, String)]| {
        let names = headers.iter().map(|(name, _)| name.as_str());
        names.collect::<Vec<_>>().join(" ")
    };
    if !server.enabled {
        add("enabled", "false".to_owned());
    }
    add("scopes", texts(&server.scopes));
    add(
        "oauth_resource",
        server.resource.clone().unwrap_or_default(),
    );
    let bearer = server.bearer_token_env_var.clone();
    add("bearer_token_env_var", bearer.unwrap_or_default());
    add("http_headers", named(&server.http_headers));
    add("env_http_headers", named(&server.env_http_headers));
    for (key, limit) in [
        ("startup_timeout_sec", server.startup_timeout_sec),
        ("tool_timeout_sec", server.tool_timeout_sec),
    ] {
        add(key, limit.map_or(String::new(), |limit| limit.to_string()));
    }
    add("client_id", server.client_id.clone().unwrap_or_default());
    if let Some(SecretSource::Variable(name)) = &server.client_secret {
        add("client_secret_env", name.clone());
    }
    add(
        "callback_host",
        server.callback_host.clone().unwrap_or_default(),
    );
    let port = server.callback_port;
    add(
        "callback_port",
        port.map_or(String::new(), |port| port.to_string()),
    );
    settings
}

/// A name as it may be here: what may not be in it becomes `-`.
fn name_for(name: &str, from: Source) -> String {
    let plain = clean(name).replace(
        |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'),
        "-",
    );
    let short: String = plain.trim_matches('-').chars().take(NAME_LENGTH).collect();
    match NewServer::is_name(&short) {
        true => short,
        false => from.as_str().to_owned(),
    }
}

fn without_fragment(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    url
}

/// Characters of a name, at most.
const NAME_LENGTH: usize = 64;
