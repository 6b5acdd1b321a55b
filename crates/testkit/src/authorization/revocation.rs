//! The revocation endpoint (RFC 7009).

use http::StatusCode;

use super::{
    authenticate::{Posted, authenticate},
    issue::unusable,
    server::{Core, Refusal},
};
use crate::{
    Leg,
    reply::{self, Reply},
    request::Received,
};

pub(super) fn answer(core: &Core, origin: &str, request: &Received) -> Reply {
    match try_revoke(core, origin, request) {
        Ok(()) => {
            core.count(|c| c.revocations += 1);
            reply::empty(StatusCode::OK)
        }
        Err(refusal) => core.refuse(Leg::Revocation, &refusal),
    }
}

fn try_revoke(core: &Core, origin: &str, request: &Received) -> Result<(), Refusal> {
    let posted = Posted::read(origin, request)?;
    let client = authenticate(core, &posted)?;
    let missing = || Refusal::new("invalid_request", "token is missing");
    let token = posted.parameters.first("token").ok_or_else(missing)?;
    let revoked = core.vault().revoke(token, &client.id);
    revoked.map_err(|why| unusable("token", why))
}
