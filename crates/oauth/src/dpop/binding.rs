//! Whether tokens are to be bound to a key, decided before anybody is asked for one (DP-01).

use doorkey_discovery::{Challenges, Discovered};

use crate::error::Error;
use crate::flow::DpopChoice;

/// Whether a token is asked for with a proof, and what is done with a bearer token in answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// No proof.
    Off,
    /// A proof; a bearer token will do (DP-16).
    Preferred,
    /// A proof; a bearer token is refused.
    Required,
}

impl Binding {
    pub(crate) fn is_on(self) -> bool {
        self != Self::Off
    }
}

/// What configuration, resource and authorization server come to together.
///
/// # Errors
/// [`Error::UnsupportedServer`] where one side wants what the other does not do, and
/// [`Error::Configuration`] where the resource wants what was switched off.
pub(crate) fn decide(
    choice: DpopChoice,
    found: &Discovered,
    challenges: &Challenges,
) -> Result<Binding, Error> {
    let asked = asks(found, challenges);
    let offered = found.server.dpop_signing_alg_values_supported.as_deref();
    let binding = match choice {
        DpopChoice::Off if asked => {
            return Err(Error::Configuration {
                setting: "dpop",
                why: String::from("it is off, and the resource takes no token without DPoP"),
            });
        }
        DpopChoice::Off => Binding::Off,
        DpopChoice::Require => Binding::Required,
        DpopChoice::Auto | DpopChoice::Prefer if asked => Binding::Required,
        DpopChoice::Prefer if offered.is_some_and(lists_es256) => Binding::Preferred,
        DpopChoice::Auto | DpopChoice::Prefer => Binding::Off,
    };
    if binding.is_on() {
        check_algorithms(choice, found, challenges)?;
    }
    Ok(binding)
}

/// Whether the resource takes nothing but DPoP (RFC 9728 §2, RFC 9449 §7.1).
fn asks(found: &Discovered, challenges: &Challenges) -> bool {
    let required = found
        .resource_metadata
        .as_ref()
        .is_some_and(|metadata| metadata.dpop_bound_access_tokens_required);
    required || asks_alone(challenges)
}

/// Whether a challenge names DPoP and none names Bearer.
fn asks_alone(challenges: &Challenges) -> bool {
    let names = |scheme: &str| challenges.iter().any(|one| one.is_scheme(scheme));
    names("DPoP") && !names("Bearer")
}

/// Whoever lists algorithms has to list ours.
fn check_algorithms(
    choice: DpopChoice,
    found: &Discovered,
    challenges: &Challenges,
) -> Result<(), Error> {
    let issuer = &found.server.listed;
    let member = "dpop_signing_alg_values_supported";
    match found.server.dpop_signing_alg_values_supported.as_deref() {
        Some(listed) if !lists_es256(listed) => {
            return Err(Error::unsupported(issuer, member, "does not list ES256"));
        }
        // RFC 9449 §5.1: who supports DPoP lists it. The user may know better.
        None if choice != DpopChoice::Require => {
            let why = "is missing, and the resource asks for DPoP";
            return Err(Error::unsupported(issuer, member, why));
        }
        _ => {}
    }
    let of_resource = found
        .resource_metadata
        .as_ref()
        .and_then(|metadata| metadata.dpop_signing_alg_values_supported.as_deref());
    let in_challenge: Vec<String> = challenges
        .select(true)
        .filter(|challenge| challenge.is_scheme("DPoP"))
        .map(|challenge| challenge.algs().map(str::to_owned).collect())
        .unwrap_or_default();
    let in_challenge = Some(in_challenge.as_slice()).filter(|algs| !algs.is_empty());
    for listed in [of_resource, in_challenge].into_iter().flatten() {
        if !lists_es256(listed) {
            let why = "of the resource does not list ES256";
            return Err(Error::unsupported(issuer, member, why));
        }
    }
    Ok(())
}

fn lists_es256(listed: &[String]) -> bool {
    listed.iter().any(|name| name == "ES256")
}
