//! How a failure is told: what failed, the causes down to the first one, and what to type next.

use std::error::Error as StdError;

use doorkey::{ConfigError, Error, Target, Unattended};
use doorkey_oauth::NextStep;
use doorkey_rmcp::{TransportError, transport_error};

use super::exit::{Exit, Failure};
use super::output::{Output, clean};
use super::subject::typed;
use super::wording::{in_configured_names, key_of};

/// Tells a failure and returns its exit code.
pub(crate) fn failure(output: &Output, target: Option<Target<'_>>, failure: &Failure) -> Exit {
    let exit = Exit::of(failure);
    let style = anstyle::AnsiColor::Red
        .on_default()
        .effects(anstyle::Effects::BOLD);
    let (lines, next) = match failure {
        // Whoever reads the output has read enough.
        Failure::Output(_) if exit == Exit::Done => return exit,
        Failure::Output(error) => (vec![format!("cannot write the output: {error}")], None),
        Failure::Input(error) => (vec![format!("cannot read the input: {error}")], None),
        Failure::Unfit { why, next } => (vec![why.clone()], Some(next.clone())),
        Failure::Interrupted { .. } => (vec!["interrupted".to_owned()], None),
        Failure::Refused { text, next, .. } => (vec![text.clone()], next.clone()),
        Failure::Host(error) => (causes(error), next_step(error, target)),
        Failure::Bearer { error, key } => {
            let name = target.map_or("NAME", |target| target.server);
            let next = format!("put a valid token where {key} of [mcp_servers.{name}] says");
            (causes(error), Some(next))
        }
    };
    for (index, line) in lines.iter().enumerate() {
        if index == 0 {
            output.headed(style, "error:", line);
        } else {
            output.insist(&format!("  caused by: {}", clean(line)));
        }
    }
    if let Some(next) = next {
        output.insist(&format!("next: {next}"));
    }
    exit
}

/// What failed, then each cause; the last line is where it began.
pub(crate) fn causes(error: &Error) -> Vec<String> {
    let mut lines = vec![error.to_string()];
    if let Error::Rejected { source, .. } | Error::Unproven { source, .. } = error {
        lines.extend(causes(source));
        return lines;
    }
    if let Some(authorization) = error.authorization() {
        // rmcp's own wrapping in between says nothing that a person can use.
        lines.push(authorization.to_string());
        lines.extend(sources(authorization));
    } else if let Some(answer) = error.protocol_error() {
        lines.push(format!(
            "the server answered: {} ({})",
            answer.message, answer.code.0
        ));
    } else if let Some(transport) = transport(error) {
        lines.push(transport.to_string());
        lines.extend(sources(transport));
    } else {
        lines.extend(sources(error));
    }
    lines.dedup();
    lines.iter().map(|line| in_configured_names(line)).collect()
}

/// What happened to the message, without rmcp's wrapping.
fn transport(error: &Error) -> Option<&TransportError> {
    match error {
        Error::Connect { source, .. } => transport_error(&**source),
        Error::Request { source, .. } => transport_error(&**source),
        _ => None,
    }
}

fn sources(error: &(dyn StdError + 'static)) -> impl Iterator<Item = String> {
    std::iter::successors(error.source(), |&error| error.source()).map(ToString::to_string)
}

fn next_step(error: &Error, target: Option<Target<'_>>) -> Option<String> {
    let target = target.unwrap_or(Target::new("NAME"));
    let name = target.server;
    if let Some(authorization) = error.authorization() {
        return authorization
            .next_step()
            .and_then(|step| word(&step, target))
            .or_else(|| by_cause(authorization, target))
            .or_else(|| error.remedy());
    }
    match error {
        Error::Config(ConfigError::UnknownServer { .. }) => {
            Some(format!("doorkey list, or doorkey add {name} --url URL"))
        }
        Error::Config(ConfigError::ServerExists { .. }) => Some(format!("doorkey remove {name}")),
        Error::Unproven { .. } => Some(format!("doorkey tools {}", typed(target))),
        _ if error.is_transient() => {
            let after = transport(error).and_then(TransportError::retry_after);
            word(&NextStep::Retry { after }, target)
        }
        _ => error.remedy(),
    }
}

/// What a cause further down calls for.
fn by_cause(error: &doorkey_oauth::Error, target: Target<'_>) -> Option<String> {
    let name = target.server;
    if matches!(error, doorkey_oauth::Error::TokenNotBound { .. }) {
        return Some(format!(
            "if a bearer token will do, write dpop = \"prefer\" in [mcp_servers.{name}.oauth]"
        ));
    }
    if error.http().is_some_and(doorkey_http::Error::is_tls) {
        return Some(
            "if a private certificate authority signed it, name its PEM file in \
             DOORKEY_CA_CERTIFICATE, or in ca_certificates of [network]"
                .to_owned(),
        );
    }
    let first: &(dyn StdError + 'static) = error;
    let mut causes = std::iter::successors(Some(first), |&error| error.source());
    causes.any(<dyn StdError>::is::<Unattended>).then(|| {
        format!(
            "doorkey login {} at a terminal, or with BROWSER set",
            typed(target)
        )
    })
}

fn word(step: &NextStep, target: Target<'_>) -> Option<String> {
    let (name, login) = (target.server, format!("doorkey login {}", typed(target)));
    Some(match step {
        NextStep::Login => login,
        NextStep::StartLogin => format!("{login} --start"),
        NextStep::PasteAgain => {
            format!("{login} --finish, with the whole address at which the browser ended")
        }
        NextStep::ConfigureClientId => format!(
            "register a client with the authorization server and set client_id in \
             [mcp_servers.{name}.oauth]"
        ),
        NextStep::CheckClient => format!(
            "check client_id, client_secret and token_endpoint_auth_method in \
             [mcp_servers.{name}.oauth], then {login}"
        ),
        NextStep::CheckScope { required } if required.is_empty() => {
            format!("set scopes in [mcp_servers.{name}], then {login}")
        }
        NextStep::CheckScope { required } => {
            let list: Vec<_> = required.iter().map(|scope| format!("{scope:?}")).collect();
            format!(
                "{login}, with an account that may have it; to ask for it every time \
                 write scopes = [{}] in [mcp_servers.{name}]",
                clean(&list.join(", "))
            )
        }
        NextStep::CheckResource => format!(
            "compare resource in doorkey get {name} --json with what the server expects; write \
             oauth_resource = \"URI\" or \"omit\" in [mcp_servers.{name}], then {login}"
        ),
        NextStep::NameIssuer { discovered } => format!(
            "if that is the right one, write issuer = {:?} in [mcp_servers.{name}.oauth]",
            clean(discovered.as_str())
        ),
        NextStep::CheckAddress => format!(
            "see whether the network has changed or a VPN is on or off, and try again; only if the \
             server is meant to be there: {login}"
        ),
        NextStep::CheckClock => "set the clock of this machine, then try again".to_owned(),
        NextStep::CheckAssertion => {
            format!("see to what [mcp_servers.{name}.oauth] names as its source, then try again")
        }
        NextStep::CheckSetting(setting) => {
            format!("correct {} in [mcp_servers.{name}]", key_of(setting))
        }
        NextStep::Retry { after: Some(after) } => {
            format!("try again in {} s", after.as_secs().max(1))
        }
        NextStep::Retry { after: None } => "try again".to_owned(),
        _ => return None,
    })
}
