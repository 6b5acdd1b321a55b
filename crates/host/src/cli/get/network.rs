//! The network settings in force and who said so: where a value comes from, never a secret one.

use std::error::Error;
use std::time::Duration;

use doorkey::{
    Bundle, CertificateFiles, Environment, HeaderInForce, HeaderProblem, HeaderScope, HeaderSource,
    NetworkError, NetworkInForce, ProxyChoice, SetBy, Setting, SystemRoots,
};
use serde_json::{Value, json};

use crate::cli::lines::Lines;

/// Everything, for programs.
pub(super) fn in_json(network: &NetworkInForce, environment: &Environment) -> Value {
    let roots = &network.roots;
    let bundles: Vec<_> = roots.bundles.iter().map(bundle_json).collect();
    let headers = network.headers.iter();
    let headers: Vec<_> = headers
        .map(|header| header_json(header, environment))
        .collect();
    let origins = |origins: &[Setting<doorkey_http::Origin>]| -> Vec<_> {
        let shown =
            |origin: &Setting<doorkey_http::Origin>| said(origin.value.to_string(), &origin.set_by);
        origins.iter().map(shown).collect()
    };
    let no_proxy = &network.proxies.no_proxy;
    json!({
        "system_roots": said(system_word(roots.system.value), &roots.system.set_by),
        "ca_certificates": bundles,
        "client_certificate": network.client_certificate.as_ref().map(certificate_json),
        "https_proxy": proxy_json(&network.proxies.https),
        "http_proxy": proxy_json(&network.proxies.http),
        "no_proxy": match &no_proxy.value {
            Ok(hosts) => said(hosts.as_slice(), &no_proxy.set_by),
            Err(error) => failed(error, &no_proxy.set_by),
        },
        "connect_timeout_sec": seconds_json(&network.connect_timeout),
        "read_timeout_sec": seconds_json(&network.read_timeout),
        "total_timeout_sec": seconds_json(&network.total_timeout),
        "user_agent": said(network.user_agent.value.as_str(), &network.user_agent.set_by),
        "http2": said(network.http2.value, &network.http2.set_by),
        "headers": headers,
        "allow_origins": origins(&network.addresses.origins),
        "allow_networks": network
            .addresses
            .networks
            .iter()
            .map(|network| said(network.value.to_string(), &network.set_by))
            .collect::<Vec<_>>(),
        "workload_origins": origins(&network.addresses.workload),
    })
}

/// The same for a person, by the keys that change it.
pub(super) fn in_lines(network: &NetworkInForce) -> Lines {
    let mut lines = Lines::default();
    let roots = &network.roots;
    let system = match roots.system.value {
        SystemRoots::Distrusted => "not trusted",
        SystemRoots::Replaced => "replaced",
        _ => "trusted",
    };
    lines.add("system_roots", with(system, &roots.system.set_by));
    for bundle in &roots.bundles {
        let path = bundle.value.path.display();
        let text = match bundle.value.count() {
            Ok(1) => format!("{path}, 1 certificate"),
            Ok(count) => format!("{path}, {count} certificates"),
            Err(error) => format!("{path} cannot be used: {}", first_cause(&error)),
        };
        lines.add("ca_certificates", with(text, &bundle.set_by));
    }
    if let Some(files) = &network.client_certificate {
        let (chain, key) = (&files.value.certificate, &files.value.key);
        let text = match count(&files.value) {
            Ok(_) => format!("{} with the key {}", chain.display(), key.display()),
            Err(error) => format!("cannot be used: {}", causes(&error)),
        };
        lines.add("client_certificate", with(text, &files.set_by));
    }
    for (label, choice) in [
        ("https_proxy", &network.proxies.https),
        ("http_proxy", &network.proxies.http),
    ] {
        lines.add(label, with(proxy_text(&choice.value), &choice.set_by));
    }
    let no_proxy = &network.proxies.no_proxy;
    match &no_proxy.value {
        Ok(hosts) if hosts.is_empty() && no_proxy.set_by == SetBy::Default => {}
        Ok(hosts) if hosts.is_empty() => lines.add("no_proxy", with("none", &no_proxy.set_by)),
        Ok(hosts) => lines.add("no_proxy", with(hosts.join(", "), &no_proxy.set_by)),
        Err(error) => lines.add("no_proxy", with(error, &no_proxy.set_by)),
    }
    for (label, limit) in [
        ("connect_timeout_sec", &network.connect_timeout),
        ("read_timeout_sec", &network.read_timeout),
        ("total_timeout_sec", &network.total_timeout),
    ] {
        lines.add(label, with(limit.value.as_secs_f64(), &limit.set_by));
    }
    let agent = &network.user_agent;
    lines.add("user_agent", with(&agent.value, &agent.set_by));
    lines.add("http2", with(network.http2.value, &network.http2.set_by));
    for origin in &network.addresses.origins {
        lines.add("allow_origins", with(&origin.value, &origin.set_by));
    }
    for origin in &network.addresses.workload {
        let text = format!("{}, for the workload's identity", origin.value);
        lines.add("allow_origins", with(text, &origin.set_by));
    }
    for allowed in &network.addresses.networks {
        lines.add("allow_networks", with(allowed.value, &allowed.set_by));
    }
    lines
}

/// The configured headers for a person: to whom, from where.
pub(super) fn header_lines(network: &NetworkInForce, environment: &Environment) -> Lines {
    let mut lines = Lines::default();
    for header in &network.headers {
        let text = match &header.source {
            HeaderSource::Value(_) => format!("to {}, as written", header.scope),
            elsewhere => {
                let trouble = match header.check(environment) {
                    Ok(()) => String::new(),
                    Err(error) if is_unset(&error) => " (not set)".to_owned(),
                    Err(error) => format!(", cannot be used: {}", first_cause(&error)),
                };
                format!("to {}, from {elsewhere}{trouble}", header.scope)
            }
        };
        lines.add(header.name.as_str(), with(text, &header.set_by));
    }
    lines
}

fn is_unset(error: &NetworkError) -> bool {
    match error {
        NetworkError::HeaderValue { source, .. } => matches!(**source, HeaderProblem::Unset(_)),
        _ => false,
    }
}

fn with(text: impl std::fmt::Display, set_by: &SetBy) -> String {
    format!("{text} ({set_by})")
}

fn proxy_text(choice: &ProxyChoice) -> String {
    match choice {
        ProxyChoice::Through(proxy) if choice.has_credentials() => {
            format!("{proxy}, with credentials that are not shown")
        }
        ProxyChoice::Through(proxy) => proxy.to_string(),
        ProxyChoice::NotUrl(error) => format!("cannot be used: {error}"),
        ProxyChoice::NotText(error) => format!("cannot be used: {error}"),
        _ => "none".to_owned(),
    }
}

fn said(value: impl serde::Serialize, set_by: &SetBy) -> Value {
    json!({ "value": value, "set_by": set_by.to_string() })
}

fn failed(error: &impl std::fmt::Display, set_by: &SetBy) -> Value {
    json!({ "error": error.to_string(), "set_by": set_by.to_string() })
}

fn system_word(system: SystemRoots) -> &'static str {
    match system {
        SystemRoots::Distrusted => "distrusted",
        SystemRoots::Replaced => "replaced",
        _ => "trusted",
    }
}

fn bundle_json(bundle: &Setting<Bundle>) -> Value {
    let mut shown = match bundle.value.count() {
        Ok(count) => json!({ "certificates": count }),
        Err(error) => json!({ "error": causes(&error) }),
    };
    shown["path"] = bundle.value.path.display().to_string().into();
    shown["set_by"] = bundle.set_by.to_string().into();
    shown
}

fn certificate_json(files: &Setting<CertificateFiles>) -> Value {
    let mut shown = match count(&files.value) {
        Ok(count) => json!({ "certificates": count }),
        Err(error) => json!({ "error": causes(&error) }),
    };
    shown["path"] = files.value.certificate.display().to_string().into();
    shown["key"] = files.value.key.display().to_string().into();
    shown["set_by"] = files.set_by.to_string().into();
    shown
}

fn count(files: &CertificateFiles) -> Result<usize, NetworkError> {
    Ok(files.read()?.chain().count())
}

fn proxy_json(choice: &Setting<ProxyChoice>) -> Value {
    let set_by = &choice.set_by;
    match &choice.value {
        ProxyChoice::Through(proxy) => {
            let mut shown = said(proxy.to_string(), set_by);
            shown["credentials"] = choice.value.has_credentials().into();
            shown
        }
        ProxyChoice::NotUrl(error) => failed(error, set_by),
        ProxyChoice::NotText(error) => failed(error, set_by),
        _ => said(Value::Null, set_by),
    }
}

fn seconds_json(limit: &Setting<Duration>) -> Value {
    said(limit.value.as_secs_f64(), &limit.set_by)
}

/// The name, to whom, and from where: of a program neither output nor arguments.
fn header_json(header: &HeaderInForce, environment: &Environment) -> Value {
    let mut shown = json!({
        "name": header.name.as_str(),
        "scope": match header.scope {
            HeaderScope::Origin(_) => "origin",
            HeaderScope::Resource(_) => "resource",
            _ => "default",
        },
        "to": header.scope.to_string(),
        "set_by": header.set_by.to_string(),
    });
    let (key, value) = match &header.source {
        HeaderSource::Variable(name) => ("env", Value::from(name.as_str())),
        HeaderSource::File(path) => ("file", path.display().to_string().into()),
        HeaderSource::Command(command) => {
            shown["refresh_sec"] = command.refresh.as_secs_f64().into();
            ("command", command.program.display().to_string().into())
        }
        _ => ("configured", true.into()),
    };
    shown[key] = value;
    if let Err(error) = header.check(environment) {
        shown["error"] = causes(&error).into();
    }
    shown
}

fn causes(error: &NetworkError) -> String {
    chain(error).collect::<Vec<_>>().join(": ")
}

/// The last of the causes: what was wrong, where file and setting have been named.
fn first_cause(error: &NetworkError) -> String {
    chain(error).last().unwrap_or_default()
}

fn chain(error: &NetworkError) -> impl Iterator<Item = String> {
    let first: &(dyn Error + 'static) = error;
    let all = std::iter::successors(Some(first), |&error| error.source());
    all.map(ToString::to_string)
}
