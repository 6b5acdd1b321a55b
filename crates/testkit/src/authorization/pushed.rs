//! Pushed authorization requests (RFC 9126).

use std::time::{Duration, SystemTime};

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    authenticate::{Posted, authenticate_naming},
    authorize::{self, Pending},
    binding,
    options::{Document, PushedRequests},
    server::{Core, Refusal, uncached},
};
use crate::{
    Leg, random,
    reply::{self, Reply},
    request::{Parameters, Received},
};

/// A request that waits for its one use.
pub(crate) struct Pushed {
    pending: Pending,
    expires_at: SystemTime,
}

pub(super) fn answer(core: &Core, origin: &str, request: &Received) -> Reply {
    match try_push(core, origin, request) {
        Ok(answer) => {
            core.count(|c| c.pushed_requests += 1);
            let reply = uncached(reply::json(StatusCode::CREATED, &answer));
            binding::renew_nonce(core, reply)
        }
        Err(refusal) => core.refuse(Leg::PushedAuthorization, &refusal),
    }
}

fn try_push(core: &Core, origin: &str, request: &Received) -> Result<Value, Refusal> {
    let invalid = |why: &str| Err(Refusal::new("invalid_request", why));
    let posted = Posted::read(origin, request)?;
    let parameters = &posted.parameters;
    let authenticated = authenticate_naming(core, &posted)?;
    if parameters.first("request_uri").is_some() || parameters.first("request").is_some() {
        return invalid("a request is pushed as plain parameters");
    }
    let (client, back) = authorize::way_back(core, origin, parameters)?;
    if client.id != authenticated.id {
        return invalid("client_id is not the client that authenticated");
    }
    let mut pending = authorize::check(core, &client, back, parameters)?;
    let proved = binding::offered(core, &posted)?;
    pending.bind(proved)?;
    let uri = random::opaque("urn:ietf:params:oauth:request_uri:")?;
    let pushed = Pushed {
        pending,
        expires_at: core.clock.now() + LIFETIME,
    };
    core.pushed().insert(uri.clone(), pushed);
    let mut answer = json!({ "request_uri": uri, "expires_in": LIFETIME.as_secs() });
    core.settings().apply(Document::PushedRequest, &mut answer);
    Ok(answer)
}

/// The request that a `request_uri` stands for, once (RFC 9126 §4).
pub(super) fn redeem(core: &Core, parameters: &Parameters) -> Result<Pending, Refusal> {
    let invalid = |why: &str| Refusal::new("invalid_request", why);
    if core.settings().pushed == PushedRequests::Off {
        let why = "request_uri is not supported";
        return Err(Refusal::new("request_uri_not_supported", why));
    }
    let known = ["client_id", "request_uri"];
    if let Some(other) = parameters.names().find(|name| !known.contains(name)) {
        let why = format!("{other} stands beside request_uri, where only client_id may");
        return Err(invalid(&why));
    }
    let [[client_id], [uri]] = known.map(|name| parameters.all(name)) else {
        return Err(invalid("client_id and request_uri are needed exactly once"));
    };
    let refuse = |why: &str| Refusal::new("invalid_request_uri", why);
    let mut waiting = core.pushed();
    let unknown = || refuse("nobody pushed this request, or it was used already");
    let pushed = waiting.get(uri).ok_or_else(unknown)?;
    if pushed.pending.client_id() != client_id {
        return Err(refuse("another client pushed this request"));
    }
    let pushed = waiting.remove(uri).ok_or_else(unknown)?;
    if pushed.expires_at <= core.clock.now() {
        return Err(refuse("this request has expired"));
    }
    Ok(pushed.pending)
}

/// How long a pushed request waits (RFC 9126 §2.2 advises 5 to 600 seconds).
const LIFETIME: Duration = Duration::from_secs(60);
