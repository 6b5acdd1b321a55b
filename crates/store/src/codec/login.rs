//! The records of logins and of issuers.

use serde_json::value::RawValue;

use super::{Encoded, ObjectReader, VERSION, decode_grant, encode_grant, write_object};
use crate::{ClientAuthMethod, Defect, IssuerFacts, Login, PendingAuthorization};

pub(crate) fn encode_login(login: &Login) -> Encoded {
    let pending = login.pending.as_ref().map(encode_pending).transpose()?;
    let pending = pending.as_deref().map(|bytes| raw(bytes)).transpose()?;
    write_object(|object| {
        object.field("version", &VERSION)?;
        object.optional("pending", pending)?;
        object.field("recent_starts", &login.recent_starts)?;
        object.unknown(&login.extra)
    })
}

pub(crate) fn decode_login(bytes: &[u8]) -> Result<Login, Defect> {
    let mut object = ObjectReader::versioned(bytes, VERSION)?;
    let pending = object.raw("pending");
    Ok(Login {
        pending: pending
            .map(|raw| decode_pending(raw.get().as_bytes()))
            .transpose()?,
        recent_starts: object.optional("recent_starts")?.unwrap_or_default(),
        extra: object.unknown()?,
    })
}

fn encode_pending(pending: &PendingAuthorization) -> Encoded {
    let grant = encode_grant(&pending.grant)?;
    let grant = raw(&grant)?;
    write_object(|object| {
        object.field("version", &VERSION)?;
        object.field("grant", grant)?;
        object.secret("state", Some(&pending.state))?;
        object.secret("verifier", Some(&pending.verifier))?;
        object.secret("request_uri", pending.request_uri.as_ref())?;
        object.field("published_issuer", &pending.published_issuer)?;
        object.optional("trusted_issuer", pending.trusted_issuer.as_ref())?;
        object.field("iss_advertised", &pending.iss_advertised)?;
        object.field("binding_required", &pending.binding_required)?;
        object.field("registered", &pending.registered)?;
        object.field("started_at", &pending.started_at)?;
        object.field("expires_at", &pending.expires_at)?;
        object.unknown(&pending.extra)
    })
}

fn decode_pending(bytes: &[u8]) -> Result<PendingAuthorization, Defect> {
    let mut object = ObjectReader::versioned(bytes, VERSION)?;
    let grant = object.raw("grant").ok_or(Defect::Missing("grant"))?;
    Ok(PendingAuthorization {
        grant: decode_grant(grant.get().as_bytes())?,
        state: object.secret("state")?.ok_or(Defect::Missing("state"))?,
        verifier: object
            .secret("verifier")?
            .ok_or(Defect::Missing("verifier"))?,
        request_uri: object.secret("request_uri")?,
        published_issuer: object.required("published_issuer")?,
        trusted_issuer: object.optional("trusted_issuer")?,
        iss_advertised: object.required("iss_advertised")?,
        binding_required: object.required("binding_required")?,
        registered: object.required("registered")?,
        started_at: object.required("started_at")?,
        expires_at: object.required("expires_at")?,
        extra: object.unknown()?,
    })
}

pub(crate) fn encode_issuer_facts(facts: &IssuerFacts) -> Encoded {
    write_object(|object| {
        object.field("version", &VERSION)?;
        let method = facts.client_auth_method.map(ClientAuthMethod::as_str);
        object.optional("client_auth_method", method)?;
        object.unknown(&facts.extra)
    })
}

pub(crate) fn decode_issuer_facts(bytes: &[u8]) -> Result<IssuerFacts, Defect> {
    let mut object = ObjectReader::versioned(bytes, VERSION)?;
    let method: Option<String> = object.optional("client_auth_method")?;
    Ok(IssuerFacts {
        // A method of a later version is no reason to set a hint aside.
        client_auth_method: method.as_deref().and_then(ClientAuthMethod::from_name),
        extra: object.unknown()?,
    })
}

/// An object that was just written, as a part of another one. It is ours, so it is JSON.
fn raw(bytes: &[u8]) -> Result<&RawValue, serde_json::Error> {
    serde_json::from_slice(bytes)
}
