//! The management of registrations (RFC 7592): read, update, delete.

use http::{Method, StatusCode};
use serde_json::Value;

use super::{
    client::{Client, grant_types, texts},
    options::{Document, RegistrationUpdates},
    registration::{asked, bearer, check_metadata, invalid, new_secret, registration_answer},
    server::{Core, Refusal, uncached},
};
use crate::{
    Leg, random,
    reply::{self, Reply},
    request::Received,
};

pub(super) fn answer(core: &Core, origin: &str, request: &Received) -> Reply {
    match try_configure(core, origin, request) {
        Ok(reply) => uncached(reply),
        Err(refusal) => core.refuse(Leg::ClientConfiguration, &refusal),
    }
}

fn try_configure(core: &Core, origin: &str, request: &Received) -> Result<Reply, Refusal> {
    let id = request.path.rsplit('/').next().unwrap_or_default();
    let client = core.clients().find(id).cloned();
    // A client that is gone gets the same answer as a wrong token (RFC 7592 §2.1).
    let client = client.filter(|client| {
        client.configuration_token.is_some()
            && client.configuration_token.as_deref() == bearer(request)
    });
    let Some(client) = client else {
        let why = "the registration access token is not this client's";
        return Err(Refusal::new("invalid_token", why));
    };
    let updates = core.config.registration_updates != RegistrationUpdates::Off;
    match request.method {
        Method::GET => Ok(reply::json(StatusCode::OK, &client.registration)),
        Method::PUT if updates => {
            let answer = update(core, origin, &asked(request)?, client)?;
            Ok(reply::json(StatusCode::OK, &answer))
        }
        Method::DELETE => {
            core.clients().remove(id);
            core.count(|c| c.deletions += 1);
            Ok(reply::empty(StatusCode::NO_CONTENT))
        }
        _ => Ok(reply::empty(StatusCode::METHOD_NOT_ALLOWED)),
    }
}

/// RFC 7592 §2.2: the new registration takes the place of the old one as a whole.
fn update(core: &Core, origin: &str, asked: &Value, mut client: Client) -> Result<Value, Refusal> {
    check_whole(asked, &client)?;
    let method = check_metadata(core, asked)?;
    let secret = match new_secret(method)? {
        None => None,
        fresh => client.secret.take().or(fresh),
    };
    client.secret = secret;
    client.method = method;
    client.redirect_uris = texts(&asked["redirect_uris"]);
    client.grant_types = grant_types(asked);
    if core.config.registration_updates == RegistrationUpdates::RotatingToken {
        client.configuration_token = Some(random::opaque("configure-")?);
    }
    let mut plain = asked.clone();
    if let Some(members) = plain.as_object_mut() {
        members.retain(|name, value| !value.is_null() && name != "client_secret");
    }
    let mut answer = registration_answer(core, origin, &plain, &client);
    answer["client_id_issued_at"] = client.registration["client_id_issued_at"].clone();
    client.registration = answer.clone();
    core.settings().apply(Document::Registration, &mut answer);
    core.clients().replace(client);
    core.count(|c| c.registration_updates += 1);
    Ok(answer)
}

/// What an update must and must not contain.
fn check_whole(asked: &Value, client: &Client) -> Result<(), Refusal> {
    if asked["client_id"] != client.id.as_str() {
        return Err(invalid("client_id is not this client's"));
    }
    if let Some(name) = ASSIGNED.iter().find(|name| asked.get(**name).is_some()) {
        return Err(invalid(&format!("{name} is the server's to set")));
    }
    let secret = asked.get("client_secret");
    if secret.is_some_and(|secret| secret.as_str() != client.secret.as_deref()) {
        return Err(invalid("client_secret is not this client's"));
    }
    let members = client.registration.as_object();
    let mut names = members.into_iter().flat_map(|members| members.keys());
    let optional = |name: &str| name == "client_secret" || ASSIGNED.contains(&name);
    match names.find(|name| !optional(name) && asked.get(name.as_str()).is_none()) {
        Some(missing) => Err(invalid(&format!(
            "{missing} was registered and is missing: an update is whole"
        ))),
        None => Ok(()),
    }
}

/// RFC 7592 §2.2: what a client never sends.
const ASSIGNED: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];
