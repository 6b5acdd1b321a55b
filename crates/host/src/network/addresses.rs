//! Whose word an address is: the exceptions to the address rules that a configuration makes.

use doorkey_http::{AddressPolicy, Origin};
use url::Url;

use crate::config::{AssertionPlace, FlowSettings, IdentitySettings};

/// What an administrator says of the identity provider, and a user of a workload's identity, is
/// their own word (EMA-11, WIF-06).
pub(super) fn policy(allowed: Vec<Origin>, flow: &FlowSettings) -> AddressPolicy {
    let (mut allowed, mut sources) = (allowed, Vec::new());
    match flow {
        FlowSettings::WorkloadIdentity(workload) => sources.push(&workload.assertion),
        FlowSettings::EnterpriseManaged(provider) => {
            let issuer = Url::parse(provider.issuer.as_str()).ok();
            let endpoints = issuer.iter().chain(&provider.token_endpoint);
            allowed.extend(endpoints.map(Origin::from));
            if let IdentitySettings::IdToken(source) | IdentitySettings::SamlAssertion(source) =
                &provider.identity
            {
                sources.push(source);
            }
        }
        FlowSettings::AuthorizationCode
        | FlowSettings::Device
        | FlowSettings::ClientCredentials => {}
    }
    let places = sources.iter().filter_map(|source| match &source.place {
        AssertionPlace::Url { url, .. } => Some(Origin::from(url)),
        _ => None,
    });
    AddressPolicy::allowing(allowed).with_workload(places)
}
