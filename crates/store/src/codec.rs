//! Values to bytes and back, by hand, so that no secret-bearing type can be serialised by accident (law 9).
//!
//! A record is one JSON object with a `version`. Fields that this version does not know are kept and written again.

mod login;
mod object;
#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

pub(crate) use self::login::{
    decode_issuer_facts, decode_login, encode_issuer_facts, encode_login,
};
pub(crate) use self::object::{ObjectReader, write_object};
use crate::{ClientAuthMethod, Defect, Grant, Proof, Registration, RegistrationKind, ServerFacts};

/// Bytes of a record, wiped on drop, or why there are none.
pub(crate) type Encoded = Result<Zeroizing<Vec<u8>>, serde_json::Error>;

pub(crate) fn encode_grant(grant: &Grant) -> Encoded {
    write_object(|object| {
        object.field("version", &VERSION)?;
        object.optional("resource", grant.resource.as_ref())?;
        object.field("issuer", &grant.issuer)?;
        object.field("client_id", &grant.client_id)?;
        object.optional("account_label", grant.account_label.as_ref())?;
        object.field("token_endpoint", &grant.token_endpoint)?;
        object.optional("revocation_endpoint", grant.revocation_endpoint.as_ref())?;
        object.optional(
            "authorization_endpoint",
            grant.authorization_endpoint.as_ref(),
        )?;
        object.field("client_auth_method", grant.client_auth_method.as_str())?;
        object.secret("client_secret", grant.client_secret.as_ref())?;
        object.optional(
            "client_secret_expires_at",
            grant.client_secret_expires_at.as_ref(),
        )?;
        object.optional("redirect_uri", grant.redirect_uri.as_ref())?;
        object.secret("access_token", grant.access_token.as_ref())?;
        object.secret("refresh_token", grant.refresh_token.as_ref())?;
        object.secret("dpop_key", grant.dpop_key.as_ref())?;
        object.secret("id_token", grant.id_token.as_ref())?;
        object.optional("assertion_audience", grant.assertion_audience.as_ref())?;
        object.optional("assertion_algorithm", grant.assertion_algorithm.as_ref())?;
        object.optional("flow", grant.flow.as_ref())?;
        object.field("token_type", &grant.token_type)?;
        object.optional("expires_at", grant.expires_at.as_ref())?;
        object.field("issued_at", &grant.issued_at)?;
        object.field("requested_scopes", &grant.requested_scopes)?;
        object.optional("granted_scopes", grant.granted_scopes.as_ref())?;
        object.field("proof", grant.proof.as_str())?;
        object.optional("last_error", grant.last_error.as_ref())?;
        object.field("dynamic_registration", &grant.dynamic_registration)?;
        object.optional("refresh_started_at", grant.refresh_started_at.as_ref())?;
        object.optional("refresh_not_before", grant.refresh_not_before.as_ref())?;
        let recent = Some(&grant.recent_refreshes).filter(|recent| !recent.is_empty());
        object.optional("recent_refreshes", recent)?;
        object.optional("login_id", grant.login_id.as_ref())?;
        object.optional("subject", grant.subject.as_ref())?;
        object.optional("resource_class", grant.resource_class.as_ref())?;
        object.unknown(&grant.extra)
    })
}

pub(crate) fn decode_grant(bytes: &[u8]) -> Result<Grant, Defect> {
    let mut object = ObjectReader::versioned(bytes, VERSION)?;
    Ok(Grant {
        resource: object.optional("resource")?,
        issuer: object.required("issuer")?,
        client_id: object.required("client_id")?,
        account_label: object.optional("account_label")?,
        token_endpoint: object.required("token_endpoint")?,
        revocation_endpoint: object.optional("revocation_endpoint")?,
        authorization_endpoint: object.optional("authorization_endpoint")?,
        client_auth_method: object.named("client_auth_method", ClientAuthMethod::from_name)?,
        client_secret: object.secret("client_secret")?,
        client_secret_expires_at: object.optional("client_secret_expires_at")?,
        redirect_uri: object.optional("redirect_uri")?,
        access_token: object.secret("access_token")?,
        refresh_token: object.secret("refresh_token")?,
        dpop_key: object.secret("dpop_key")?,
        id_token: object.secret("id_token")?,
        assertion_audience: object.optional("assertion_audience")?,
        assertion_algorithm: object.optional("assertion_algorithm")?,
        flow: object.optional("flow")?,
        token_type: object.required("token_type")?,
        expires_at: object.optional("expires_at")?,
        issued_at: object.required("issued_at")?,
        requested_scopes: object.required("requested_scopes")?,
        granted_scopes: object.optional("granted_scopes")?,
        proof: object.named("proof", Proof::from_name)?,
        last_error: object.optional("last_error")?,
        dynamic_registration: object.required("dynamic_registration")?,
        refresh_started_at: object.optional("refresh_started_at")?,
        refresh_not_before: object.optional("refresh_not_before")?,
        recent_refreshes: object.optional("recent_refreshes")?.unwrap_or_default(),
        login_id: object.optional("login_id")?,
        subject: object.optional("subject")?,
        resource_class: object.optional("resource_class")?,
        extra: object.unknown()?,
    })
}

pub(crate) fn encode_registration(registration: &Registration) -> Encoded {
    write_object(|object| {
        object.field("version", &VERSION)?;
        object.field("client_id", &registration.client_id)?;
        object.secret("client_secret", registration.client_secret.as_ref())?;
        object.optional(
            "client_secret_expires_at",
            registration.client_secret_expires_at.as_ref(),
        )?;
        object.field(
            "token_endpoint_auth_method",
            registration.token_endpoint_auth_method.as_str(),
        )?;
        object.field("redirect_uris", &registration.redirect_uris)?;
        object.field("grant_types", &registration.grant_types)?;
        object.optional("scope", registration.scope.as_ref())?;
        object.secret(
            "registration_access_token",
            registration.registration_access_token.as_ref(),
        )?;
        object.optional(
            "registration_client_uri",
            registration.registration_client_uri.as_ref(),
        )?;
        object.field("registered_at", &registration.registered_at)?;
        object.field("kind", registration.kind.as_str())?;
        object.unknown(&registration.extra)
    })
}

pub(crate) fn decode_registration(bytes: &[u8]) -> Result<Registration, Defect> {
    let mut object = ObjectReader::versioned(bytes, VERSION)?;
    Ok(Registration {
        client_id: object.required("client_id")?,
        client_secret: object.secret("client_secret")?,
        client_secret_expires_at: object.optional("client_secret_expires_at")?,
        token_endpoint_auth_method: object
            .named("token_endpoint_auth_method", ClientAuthMethod::from_name)?,
        redirect_uris: object.required("redirect_uris")?,
        grant_types: object.required("grant_types")?,
        scope: object.optional("scope")?,
        registration_access_token: object.secret("registration_access_token")?,
        registration_client_uri: object.optional("registration_client_uri")?,
        registered_at: object.required("registered_at")?,
        kind: object.named("kind", RegistrationKind::from_name)?,
        extra: object.unknown()?,
    })
}

pub(crate) fn encode_facts(facts: &ServerFacts) -> Encoded {
    write_object(|object| {
        object.field("version", &VERSION)?;
        object.optional("wire", facts.wire.as_ref())?;
        object.optional("discover", facts.discover.as_ref())?;
        object.optional("needs_login", facts.needs_login.as_ref())?;
        object.optional("late_challenge", facts.late_challenge.as_ref())?;
        object.unknown(&facts.extra)
    })
}

pub(crate) fn decode_facts(bytes: &[u8]) -> Result<ServerFacts, Defect> {
    let mut object = ObjectReader::versioned(bytes, VERSION)?;
    Ok(ServerFacts {
        wire: object.optional("wire")?,
        discover: object.optional("discover")?,
        needs_login: object.optional("needs_login")?,
        late_challenge: object.optional("late_challenge")?,
        extra: object.unknown()?,
    })
}

/// The version that records are written in. A reader of it knows every field's meaning; new optional fields do not change it.
const VERSION: u64 = 1;
